//! One state of the disk, judged: the real engine opens it, and what it holds must be a prefix of what was written.
//!
//! ```text
//!   open ── Ok? ──▶ sequence s ──▶ whole writes up to s? within the bounds? ──▶ no file that nothing names
//!        ──▶ scan = model, scan backward = scan, get = scan, in every keyspace
//!        ──▶ one more durable write ──▶ read it      one state in so many: flush ─▶ compact ─▶ everything again
//!   each copy that was asked for ── made? ──▶ opens, with what it was said to hold
//!                                ── not?  ──▶ refused as missing or not ours, or whole
//! ```
//!
//! While it is judged nothing is merged in the background, so that what is in the folder is what opening left there.
//!
//! While it recovers, the machine can take an image at each of its own boundaries: each is a place where power may be lost
//! again.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use engine::world::{Access, Disk, DiskErrorKind, File, World};
use engine::{Db, Durability, Error, Options, Recovery};

use super::ledger::{Bounds, Copy, Held, Ledger, Log};
use super::live::{DIRECTORY, Handles, compare, words};
use super::plan::{Action, Change, SPACES};
use crate::world::{Boundary, SoloMachine, SoloWorld};

/// One state in so many is flushed and compacted when it was recovered.
const COMPACT_ONE_IN: u64 = 4;

/// A disk that was recovered well.
pub(super) struct Recovered {
    /// How many of the log's writes are there.
    pub(super) count: usize,
    /// How many are in each copy; `None` for one that is not whole.
    pub(super) copies: Vec<Option<usize>>,
}

/// Why a disk was not recovered well.
#[derive(Debug)]
pub(super) enum Unfit {
    /// The engine refused to open, or to read.
    Refused(Error),
    /// It gave a wrong answer.
    Wrong(String),
}

impl From<Error> for Unfit {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(formatter, "refused: {error}"),
            Self::Wrong(message) => formatter.write_str(message),
        }
    }
}

/// The boundaries of a recovery, and what must hold at them.
pub(super) struct Interrupted {
    pub(super) boundaries: Vec<Boundary>,
    /// The recovered writes, and one more.
    pub(super) log: Log,
    /// Boundaries that had passed when the engine was open.
    opened_at: u64,
    /// The bounds of the disk that was recovered.
    bounds: Bounds,
}

impl Interrupted {
    /// What must hold between boundary number `boundary` and the next.
    pub(super) fn bounds(&self, boundary: usize) -> Bounds {
        let Bounds { at_least, at_most, end } = self.log.bounds(boundary);
        let recovered = self.log.len() - 1;
        let promised = if self.opened_at <= boundary as u64 + 1 { recovered } else { self.bounds.at_least };
        Bounds { at_least: at_least.max(promised), at_most: at_most.max(recovered), end }
    }
}

/// Recovers a disk that must hold a prefix of `log`.
pub(super) fn recover(
    machine: &SoloMachine,
    seed: u64,
    options: &Options,
    log: &Log,
    bounds: Bounds,
) -> Result<Recovered, Unfit> {
    let ledger = Ledger::new(Arc::default());
    let and_compact = seed.is_multiple_of(COMPACT_ONE_IN);
    machine.run(seed, async |world: SoloWorld| {
        let (count, _) = judge(world.clone(), options, log, bounds, &ledger, and_compact).await?;
        let copies = judge_copies(world, options, log, bounds).await?;
        Ok(Recovered { count, copies })
    })
}

/// The same, with an image of each boundary. Copies are left alone.
pub(super) fn recover_recording(
    machine: &SoloMachine,
    seed: u64,
    options: &Options,
    log: &Log,
    bounds: Bounds,
) -> Result<(usize, Interrupted), Unfit> {
    let ledger = Ledger::new(machine.record());
    let judged = machine.run(seed, |world| judge(world, options, log, bounds, &ledger, true));
    let boundaries = machine.take_recording();
    let (count, opened_at) = judged?;
    let mut log = log.recovered(count, bounds.end);
    let extra = ledger.log();
    (0..extra.len()).for_each(|index| log.push(extra.write(index).clone()));
    Ok((count, Interrupted { boundaries, log, opened_at, bounds }))
}

/// Judges the database. Returns how many writes are there, and the boundaries that had passed then.
async fn judge<W: World>(
    world: W,
    options: &Options,
    log: &Log,
    bounds: Bounds,
    ledger: &Ledger,
    and_compact: bool,
) -> Result<(usize, u64), Unfit> {
    let options = Options { durability: Durability::Always, compaction_jobs: 0, ..options.clone() };
    let (db, recovery) = Db::open(world.clone(), Path::new(DIRECTORY), options).await?;
    let opened_at = ledger.now();
    let count = judge_sequence(log, bounds, &recovery).map_err(Unfit::Wrong)?;
    judge_folder(&world, &recovery).await?;
    judge_tail(&world, &recovery).await?;
    let held = log.held_after(count);
    judge_keyspaces(&db, &held).map_err(Unfit::Wrong)?;
    let handles = Handles::of(db).await?;
    judge_reads(&handles, log, &held, count).await?;
    let (change, held) = write_one_more(&handles, ledger, &held, log.sequence_after(count), count).await?;
    if and_compact {
        handles.db().flush().await?;
        handles.db().compact().await?;
        let found = handles.scan(&handles.db().snapshot()).await?;
        compare(&found, &held)
            .map_err(|key| Unfit::Wrong(format!("flushed and compacted after {count} writes, {key}")))?;
    }
    match handles.get(&change.0).await? {
        found if found.as_ref() == held.get(&change.0) => Ok((count, opened_at)),
        other => Err(Unfit::Wrong(format!("the write after recovery is not read back: {other:?}"))),
    }
}

/// Everything is read in every way, and is what it must be.
async fn judge_reads<W: World>(handles: &Handles<W>, log: &Log, held: &Held, count: usize) -> Result<(), Unfit> {
    let snapshot = handles.db().snapshot();
    let found = handles.scan(&snapshot).await?;
    compare(&found, held).map_err(|key| Unfit::Wrong(format!("after {count} writes, {key}")))?;
    let backward = handles.scan_backward(&snapshot).await?;
    compare(&backward, &found).map_err(|key| Unfit::Wrong(format!("backward, after {count} writes, {key}")))?;
    for key in log.keys() {
        let entry = handles.get(&key).await?;
        if entry.as_ref() != found.get(&key) {
            let (key, scanned) = (words(&key), found.get(&key));
            return Err(Unfit::Wrong(format!("{key}: a get finds {entry:?}, a scan {scanned:?}")));
        }
    }
    Ok(())
}

/// Opening leaves no file that nothing names: what is there is counted by kind.
async fn judge_folder<W: World>(world: &W, recovery: &Recovery) -> Result<(), Unfit> {
    let entries = world.disk().list(Path::new(DIRECTORY)).await.map_err(Error::from)?;
    let (mut tables, mut segments, mut manifests) = (0, 0, 0);
    for entry in entries {
        match entry.name.as_str() {
            "LOCK" | "STORMGLASS" | "CURRENT" => {}
            name if name.ends_with(".tmp") => return Err(Unfit::Wrong(format!("{name} is left after opening"))),
            name if name.starts_with("table-") => tables += 1,
            name if name.starts_with("manifest-") => manifests += 1,
            name if name.starts_with("wal-") && name.ends_with(".log") => segments += 1,
            name if name.starts_with("wal-") && name.contains(".log.tail-") => {}
            name => return Err(Unfit::Wrong(format!("{name} is in the folder"))),
        }
    }
    // Those that were read, and the one that was begun.
    let segments_most = recovery.segments + 1;
    if tables != recovery.tables || manifests != 1 || segments > segments_most {
        return Err(Unfit::Wrong(format!(
            "opening leaves {tables} tables, {manifests} manifests and {segments} segments, where {} tables, 1 and at most \
             {segments_most} are in use",
            recovery.tables
        )));
    }
    Ok(())
}

/// What was cut off the log is in the file that recovery names, or more: a tail that an interrupted recovery had copied.
async fn judge_tail<W: World>(world: &W, recovery: &Recovery) -> Result<(), Unfit> {
    let Some(tail) = &recovery.torn_tail else { return Ok(()) };
    let Some(path) = &tail.kept_in else { return Ok(()) };
    let kept_bytes = match world.disk().open(path, Access::Read).await {
        Ok(file) => file.len().await.map_err(Error::from)?,
        Err(error) if error.kind == DiskErrorKind::NotFound => 0,
        Err(error) => return Err(Error::from(error).into()),
    };
    if kept_bytes >= tail.length {
        return Ok(());
    }
    let (path, length) = (path.display(), tail.length);
    Err(Unfit::Wrong(format!("{length} bytes were cut off the log, and {kept_bytes} of them are kept in {path}")))
}

/// A keyspace that is written to has its name.
pub(super) fn judge_keyspaces<W: World>(db: &Db<W>, held: &Held) -> Result<(), String> {
    let known = db.keyspaces();
    for (space, name) in SPACES.iter().enumerate() {
        let Some(name) = name else { continue };
        let is_used = held.keys().any(|(used, _)| *used == space);
        if is_used && !known.iter().any(|(known, number)| known == name && usize::from(number.number()) == space) {
            return Err(format!("the keyspace `{name}` has keys, and the engine knows only {known:?}"));
        }
    }
    Ok(())
}

/// Every copy that was made opens with what it was said to hold; one that was not is whole, or no data directory.
async fn judge_copies<W: World>(
    world: W,
    options: &Options,
    log: &Log,
    bounds: Bounds,
) -> Result<Vec<Option<usize>>, Unfit> {
    let mut counts = Vec::new();
    for (copy, is_made) in log.copies_at(bounds.end) {
        let wrong = |message: String| Unfit::Wrong(format!("{}: {message}", copy.path.display()));
        let count = judge_copy(world.clone(), options, log, copy).await.map_err(wrong)?;
        judge_copied(log, copy, is_made, count).map_err(wrong)?;
        counts.push(count);
    }
    Ok(counts)
}

async fn judge_copy<W: World>(world: W, options: &Options, log: &Log, copy: &Copy) -> Result<Option<usize>, String> {
    let options = Options { create_if_missing: false, compaction_jobs: 0, ..options.clone() };
    let (db, recovery) = match Db::open(world, &copy.path, options).await {
        Ok(opened) => opened,
        Err(Error::Missing { .. } | Error::NotOurs { .. }) => return Ok(None),
        Err(error) => return Err(format!("refused: {error}")),
    };
    let sequence = recovery.sequence.0;
    let count = log.count_to(sequence);
    let count = count.ok_or_else(|| format!("it ends at sequence {sequence}, in the middle of a write"))?;
    let handles = Handles::of(db).await.map_err(|error| error.to_string())?;
    let found = handles.scan(&handles.db().snapshot()).await.map_err(|error| error.to_string())?;
    compare(&found, &log.held_after(count)).map_err(|key| format!("after {count} writes, {key}"))?;
    Ok(Some(count))
}

/// Whether a copy holds as much as it must.
pub(super) fn judge_copied(log: &Log, copy: &Copy, is_made: bool, count: Option<usize>) -> Result<(), String> {
    match (count, copy.made.filter(|_| is_made)) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err("it was made, and is no data directory".to_string()),
        (Some(count), Some((_, sequence))) if log.sequence_after(count) != sequence => {
            Err(format!("it was said to end at sequence {sequence}, and holds {count} writes"))
        }
        (Some(count), _) if log.sequence_after(count) < copy.at_least => {
            Err(format!("it holds {count} writes; sequence {} was committed when it was asked for", copy.at_least))
        }
        (Some(_), _) => Ok(()),
    }
}

/// How many writes are there, if that is a possible number.
pub(super) fn judge_sequence(log: &Log, bounds: Bounds, recovery: &Recovery) -> Result<usize, String> {
    let sequence = recovery.sequence.0;
    let count = log
        .count_to(sequence)
        .ok_or_else(|| format!("it holds everything to sequence {sequence}, which is no whole number of writes"))?;
    let Bounds { at_least, at_most, .. } = bounds;
    if count < at_least {
        let (last, lost) = (log.sequence_after(at_least), at_least - count);
        return Err(format!("lost {lost} durable writes: it ends at sequence {sequence}, {last} was durable"));
    }
    if count > at_most {
        return Err(format!("it holds {count} writes when {at_most} had been asked for"));
    }
    if let Some(tail) = recovery.torn_tail.as_ref().filter(|tail| tail.missing_from.0 != sequence + 1) {
        return Err(format!("it ends at sequence {sequence} and reports {} as missing", tail.missing_from.0));
    }
    Ok(count)
}

/// Writes to every keyspace; returns the first change, and what is held then.
async fn write_one_more<W: World>(
    handles: &Handles<W>,
    ledger: &Ledger,
    held: &Held,
    last_sequence: u64,
    count: usize,
) -> Result<(Change, Held), Unfit> {
    let value = Bytes::from(format!("behind {count} recovered writes"));
    let put = |space| ((space, Bytes::from_static(b"one more")), Action::Put(value.clone()));
    let changes: Vec<Change> = (0..SPACES.len()).map(put).collect();
    let number = ledger.issue(changes.clone());
    let sequence = handles.db().write(handles.batch(&changes)).await?;
    ledger.acknowledge(number, sequence.0, true);
    let mut held = held.clone();
    for ((key, _), sequence) in changes.iter().zip(last_sequence + 1..) {
        held.insert(key.clone(), (value.clone(), sequence));
    }
    let first = changes.into_iter().next().expect("there is a keyspace");
    Ok((first, held))
}
