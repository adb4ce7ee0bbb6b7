//! What was synced is damaged: a right answer, or an error that names the damaged file; and never less than what is proven.
//!
//! ```text
//!   append 1 ── synced ── append 2 ── synced ── append 3 ── synced        append 2 was begun when 1 was durable: it
//!                            ╰─ whole? then 1 is proven, and must be       proves it, as the next segment proves its
//!                               there, or be refused by file and range     predecessor and a seal its segment
//!   damage in 3: nothing proves it. It may be missing, if recovery reports from which sequence on writes may be
//! ```
//!
//! The explorer knows the proofs from the order of boundaries alone: it reads no format.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use engine::world::{Rng, World};
use engine::{Db, Error, Options};

use super::FileKind;
use super::ledger::{Bounds, Held, Log};
use super::live::{DIRECTORY, Handles, compare, words};
use super::plan::Key;
use super::recover::{judge_keyspaces, judge_sequence};
use super::trial::Ending;
use crate::world::{Boundary, SoloMachine};

/// How what was synced is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// One byte changes.
    BitRot,
    /// A range becomes zeros: it was never written, whatever the sync said.
    LostWrite,
    /// A range is found in another place, over what was there; where it should be are zeros.
    MisdirectedWrite,
    /// A table is one of another database, with the same number.
    ForeignTable,
}

impl Damage {
    pub(super) const ALL: [Self; 4] = [Self::BitRot, Self::LostWrite, Self::MisdirectedWrite, Self::ForeignTable];

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::BitRot => "bit rot",
            Self::LostWrite => "lost write",
            Self::MisdirectedWrite => "misdirected write",
            Self::ForeignTable => "foreign table",
        }
    }
}

/// A damaged part of a file.
#[derive(Debug, Clone)]
struct Part {
    path: PathBuf,
    number: u64,
    bytes: Range<u64>,
}

/// Bytes that a lost or misdirected write has, at most.
const WRITE_BYTES_MOST: u64 = 700;

/// Damages a machine's disk and recovers it. `boundaries` are those that led to it, the last included; all their effects
/// are on the disk and durable.
pub(super) fn endure(
    machine: &SoloMachine,
    damage: Damage,
    twin: &SoloMachine,
    options: &Options,
    log: &Log,
    boundaries: &[Boundary],
    rng: &mut Rng,
) -> Result<Option<Ending>, String> {
    let Some(parts) = inflict(machine, damage, twin, rng) else { return Ok(None) };
    let (proven, is_proof) = proven(machine, log, boundaries, &parts);
    let Bounds { at_least, at_most, end } = log.bounds(boundaries.len() - 1);
    let bounds = Bounds { at_least: proven.min(at_least), at_most, end };
    let open = |machine: &SoloMachine, seed| machine.run(seed, |world| read_what_is_left(world, options, log, bounds));
    let told = |message: String| format!("{parts:?}: {message}");
    let left = open(machine, rng.next_u64()).map_err(told)?;
    if let Some(error) = left.refusals.iter().find(|error| !names(error, &parts)) {
        return Err(told(format!("but it says: {error}")));
    }
    if let Some(key) = &left.lost {
        return Err(told(format!("{} could be read before everything was merged", words(key))));
    }
    if left.count.is_some() {
        let again = open(machine, rng.next_u64()).map_err(|message| told(format!("opened again, {message}")))?;
        if again.count != left.count {
            let (first, error) = (left.count, again.refusals.first().map(ToString::to_string));
            return Err(told(format!("it held {first:?} writes, and opened again {:?} ({error:?})", again.count)));
        }
    }
    match left.count {
        None if !is_proof => Err(told(format!("is not proven, but refused: {:?}", left.refusals))),
        Some(count) if count < at_least && !left.is_cut => {
            Err(told(format!("{count} of {at_least} durable writes are there, and nothing is reported")))
        }
        Some(count) if count < at_least => Ok(Some(Ending::CutShort)),
        Some(_) if left.refusals.is_empty() => Ok(Some(Ending::Right)),
        _ => Ok(Some(Ending::Refused)),
    }
}

/// What can be read of a damaged disk.
pub(super) struct Left {
    /// How many writes are there; `None` when the engine refused to open.
    pub(super) count: Option<usize>,
    /// Whether recovery reported that something may be missing.
    pub(super) is_cut: bool,
    /// What was refused, opening or reading.
    pub(super) refusals: Vec<Error>,
    /// A key that could be read before everything was merged, and not behind it.
    lost: Option<Key>,
}

/// Opens a damaged disk and reads everything in every way, merges everything, and reads it again. `Err` is a wrong answer.
pub(super) async fn read_what_is_left<W: World>(
    world: W,
    options: &Options,
    log: &Log,
    bounds: Bounds,
) -> Result<Left, String> {
    let options = Options { compaction_jobs: 0, ..options.clone() };
    let (db, recovery) = match Db::open(world, Path::new(DIRECTORY), options).await {
        Ok(opened) => opened,
        Err(error) => return Ok(Left { count: None, is_cut: false, refusals: vec![error], lost: None }),
    };
    let count = judge_sequence(log, bounds, &recovery)?;
    let mut left = Left { count: Some(count), is_cut: recovery.torn_tail.is_some(), refusals: Vec::new(), lost: None };
    let held = log.held_after(count);
    judge_keyspaces(&db, &held)?;
    let handles = match Handles::of(db).await {
        Ok(handles) => handles,
        Err(error) => {
            left.refusals.push(error);
            return Ok(left);
        }
    };
    let readable = read_all(&handles, log, &held, &mut left).await?;
    let flushed = handles.db().flush().await;
    let merged = handles.db().compact().await;
    left.refusals.extend(flushed.err().into_iter().chain(merged.err()));
    let still = read_all(&handles, log, &held, &mut left).await?;
    left.lost = readable.difference(&still).next().cloned();
    Ok(left)
}

/// Reads everything in every way: each answer is right, or refused. Returns the keys that can be read.
async fn read_all<W: World>(
    handles: &Handles<W>,
    log: &Log,
    held: &Held,
    left: &mut Left,
) -> Result<BTreeSet<Key>, String> {
    let snapshot = handles.db().snapshot();
    for scanned in [handles.scan(&snapshot).await, handles.scan_backward(&snapshot).await] {
        match scanned {
            Ok(found) => compare(&found, held)?,
            Err(error) => left.refusals.push(error),
        }
    }
    let mut readable = BTreeSet::new();
    for key in log.keys() {
        match handles.get(&key).await {
            Ok(found) if found.as_ref() == held.get(&key) => drop(readable.insert(key)),
            Ok(found) => return Err(format!("{}: a get finds {found:?}, {:?} is right", words(&key), held.get(&key))),
            Err(error) => left.refusals.push(error),
        }
    }
    Ok(readable)
}

/// Damages something. None when there is nothing to damage.
fn inflict(machine: &SoloMachine, damage: Damage, twin: &SoloMachine, rng: &mut Rng) -> Option<Vec<Part>> {
    let mut files = machine.files_in(Path::new(DIRECTORY));
    files.retain(|(_, _, length)| *length > 0);
    if damage == Damage::ForeignTable {
        let is_same =
            |path: &Path, length| is_table(path) && twin.content(path).is_some_and(|other| other.len() == length);
        files.retain(|(path, _, length)| is_same(path, *length as usize));
        let (path, number, length) = rng.pick(&files)?.clone();
        machine.overwrite(&path, 0, &twin.content(&path)?);
        return Some(vec![Part { path, number, bytes: 0..length }]);
    }
    let (path, number, length) = rng.pick(&files)?.clone();
    let start = rng.below(length);
    if damage == Damage::BitRot {
        machine.rot(&path, start, 1 << rng.below(8));
        return Some(vec![Part { path, number, bytes: start..start + 1 }]);
    }
    let end = length.min(start + 1 + rng.below(WRITE_BYTES_MOST));
    let moved = machine.content(&path)?.slice(start as usize..end as usize);
    machine.overwrite(&path, start, &vec![0; moved.len()]);
    let mut parts = vec![Part { path, number, bytes: start..end }];
    if damage == Damage::MisdirectedWrite {
        let (path, number, length) = rng.pick(&files)?.clone();
        let at = rng.below(length);
        let landed = machine.overwrite(&path, at, &moved) as u64;
        parts.push(Part { path, number, bytes: at..at + landed });
    }
    Some(parts)
}

/// How many writes are proven by an append that is still whole, or by a later segment; and whether any damaged part may be proven: it lies in
/// front of an append of which something is left, or in a file that is no log.
fn proven(machine: &SoloMachine, log: &Log, boundaries: &[Boundary], parts: &[Part]) -> (usize, bool) {
    let files = machine.files_in(Path::new(DIRECTORY));
    let is_logged = |boundary: &Boundary| {
        let file = files.iter().find(|(_, number, _)| Some(*number) == boundary.file);
        let is_there = file.is_some_and(|(path, _, length)| is_log(path) && boundary.bytes.end <= *length);
        // A segment is created when its predecessor is synced whole: that there is one is a proof.
        is_there && (boundary.operation == "create" || boundary.operation == "append" && !boundary.bytes.is_empty())
    };
    let of_file = |boundary: &Boundary| {
        let file = boundary.file;
        parts.iter().filter(move |part| Some(part.number) == file).map(|part| &part.bytes)
    };
    let overlaps = |one: &Range<u64>, other: &Range<u64>| one.start < other.end && other.start < one.end;
    let is_whole = |boundary: &Boundary| !of_file(boundary).any(|part| overlaps(part, &boundary.bytes));
    let is_gone = |boundary: &Boundary| {
        boundary.operation == "append"
            && of_file(boundary).any(|part| part.start <= boundary.bytes.start && boundary.bytes.end <= part.end)
    };
    let last_whole = boundaries.iter().rposition(|boundary| is_logged(boundary) && is_whole(boundary));
    let last_left = boundaries.iter().rfind(|boundary| is_logged(boundary) && !is_gone(boundary));
    // A segment is named by a manifest when its beginning was synced.
    let is_edit =
        |boundary: &Boundary| boundary.operation == "append" && FileKind::of(&boundary.path) == FileKind::Manifest;
    let first_append = |number| {
        let is_first = |boundary: &Boundary| boundary.operation == "append" && boundary.file == Some(number);
        boundaries.iter().position(is_first).map(|first| (first, &boundaries[first].bytes))
    };
    let is_before = |part: &Part| {
        let place = last_left.and_then(|boundary| Some((boundary.file?, boundary.bytes.start)));
        let is_named = || {
            first_append(part.number)
                .is_some_and(|(first, bytes)| overlaps(bytes, &part.bytes) && boundaries[first..].iter().any(is_edit))
        };
        !is_log(&part.path) || place.is_some_and(|place| (part.number, part.bytes.start) < place) || is_named()
    };
    (last_whole.map_or(0, |last| log.durable_before(last)), parts.iter().any(is_before))
}

/// Whether a file is a segment of the write-ahead log: only there may an end be cut.
fn is_log(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("wal-") && path.extension().is_some_and(|extension| extension == "log")
}

fn is_table(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("table-"))
}

/// Whether an error says which of the damaged files it is, and of a log where.
fn names(error: &Error, parts: &[Part]) -> bool {
    let is_damaged = |path: &Path| parts.iter().any(|part| part.path == path);
    match error {
        Error::Corrupt { file, .. } => is_damaged(file),
        // The words of a corruption that a background job met.
        Error::JobFailed { why } => parts.iter().any(|part| why.contains(&*part.path.to_string_lossy())),
        Error::MarkerDamaged { path } | Error::NotALog { path } => is_damaged(path),
        _ => false,
    }
}
