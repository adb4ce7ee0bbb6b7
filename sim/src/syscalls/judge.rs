//! One crash state, judged: written out as a directory, opened by the real engine on the real disk, and by the real program.
//!
//! ```text
//!   write out ─▶ open ─▶ sequence: a whole number of writes, within the bounds? ─▶ scan, gets = the writes up to there
//!             ─▶ one more durable write ─▶ close, open again: it is there        one in so many: flush, compact, all again
//!             ─▶ each copy: whole if it was made; missing, foreign or whole if not
//!   one in so many, written out again:  stormglass verify: sound     stormglass scan: the same rows
//! ```
//!
//! Nothing was damaged, so there is nothing to refuse: any error is a violation.

use std::fs;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use cluster::embedded::key_in_partition;
use engine::blocking::{BlockingDb, Wait};
use engine::world::World;
use engine::{Error, Options, ScanLimits};

use super::model::Tree;
use super::record::DATA;
use super::story::{Bounds, Copy, Held, Stamp, Story};

/// How the engine is reached: its world, and how to wait for it.
pub struct Reality<'a, W: World> {
    /// The world that makes the engine's calls.
    pub world: &'a W,
    /// Waits for a call's end on this thread.
    pub wait: Wait,
    /// The program that is recorded, and is to say the same.
    pub stormglass: &'a Path,
    /// One for all jobs. A program that starts has, for a moment, a copy of every open file, and with it of every lock: it
    /// starts while no job has a directory open.
    pub starts: &'a RwLock<()>,
}

/// Runs a program to its end; it starts while nobody holds a lock of a directory.
pub(super) fn run_program(command: &mut Command, starts: &RwLock<()>) -> io::Result<Output> {
    let program = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = {
        // Spawning returns when the program has replaced the copy of this one.
        let _nobody_is_open = starts.write().unwrap_or_else(PoisonError::into_inner);
        program.spawn()?
    };
    child.wait_with_output()
}

/// What a judge found right: how many writes are there, and how many in each copy, if it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) count: usize,
    /// Copies that are whole, of those that were asked for.
    pub(super) copies: Vec<bool>,
    /// Whether recovery found a torn tail.
    pub(super) is_torn: bool,
}

/// A state, and what must hold of it.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) tree: &'a Tree,
    pub(super) story: &'a Story,
    pub(super) until: Stamp,
    /// Decides what is done beyond opening and reading.
    pub(super) number: u64,
}

/// One state in so many is flushed and compacted.
const COMPACT_ONE_IN: u64 = 4;

/// What makes a folder a data directory.
const MARKER: &str = "data/STORMGLASS";

impl<W: World> Reality<'_, W> {
    /// Judges a state with the engine, in a folder of which nothing is left. `Err` says what is wrong.
    pub(super) fn judge(&self, folder: &Path, case: Case<'_>) -> Result<Judged, String> {
        let judged = {
            let _nothing_starts = self.starts.read().unwrap_or_else(PoisonError::into_inner);
            write_out(folder, case.tree)
                .map_err(|error| format!("{}: {error}", folder.display()))
                .and_then(|()| self.judge_engine(folder, case))
        };
        remove(folder);
        judged
    }

    fn judge_engine(&self, folder: &Path, case: Case<'_>) -> Result<Judged, String> {
        let Case { story, until, .. } = case;
        let (db, recovery) = self.open(&folder.join(DATA), true).map_err(|error| format!("refused: {error}"))?;
        let sequence = recovery.sequence.0;
        let count = story.count_to(sequence);
        let count =
            count.ok_or_else(|| format!("it ends at sequence {sequence}, which is no whole number of writes"))?;
        within(count, story.bounds(until), story)?;
        let held = story.held_after(count);
        self.compare(&db, story, &held).map_err(|key| format!("after {count} writes, {key}"))?;
        let copies = story.copies_at(until).map(|(copy, is_made)| {
            let wrong = |what: String| format!("{}: {what}", copy.path);
            let is_whole = self.judge_copy(&folder.join(&copy.path), story, copy).map_err(wrong)?;
            made(copy, is_made, is_whole).map(|()| is_whole)
        });
        let copies = copies.collect::<Result<_, _>>()?;
        self.go_on(folder, db, case, &held).map_err(|error| format!("after {count} recovered writes, {error}"))?;
        Ok(Judged { count, copies, is_torn: recovery.torn_tail.is_some() })
    }

    fn open(&self, directory: &Path, create: bool) -> Result<(BlockingDb<W>, engine::Recovery), Error> {
        let options = Options {
            create_if_missing: create,
            compaction_jobs: 0,
            memory_bytes: 1 << 20,
            memtable_bytes: 1 << 16,
            segment_bytes: 4_096,
            block_bytes: 512,
            ..Options::default()
        };
        BlockingDb::open(self.world.clone(), self.wait, directory, options)
    }

    /// Every key, by a scan and by itself.
    fn compare(&self, db: &BlockingDb<W>, story: &Story, held: &Held) -> Result<(), String> {
        let found = scan(db).map_err(|error| error.to_string())?;
        if let Some(key) = difference(&found, held) {
            return Err(format!("{} holds {:?}, {:?} is right", key.escape_ascii(), found.get(key), held.get(key)));
        }
        for key in story.keys() {
            let entry = db.get(key).map_err(|error| error.to_string())?;
            let entry = entry.map(|entry| (entry.value.to_vec(), entry.sequence.0));
            if entry.as_ref() != held.get(key) {
                return Err(format!("{}: a get finds {entry:?}, a scan {:?}", key.escape_ascii(), held.get(key)));
            }
        }
        Ok(())
    }

    /// Writes once more, closes, and opens again.
    fn go_on(&self, folder: &Path, db: BlockingDb<W>, case: Case<'_>, held: &Held) -> Result<(), String> {
        let words = |error: Error| error.to_string();
        let (key, value) = (key_in_partition(0, b"one more"), Bytes::from_static(b"behind what was recovered"));
        let sequence = db.put(&key, &value).map_err(words)?;
        let mut held = held.clone();
        held.insert(key.to_vec(), (value.to_vec(), sequence.0));
        if case.number.is_multiple_of(COMPACT_ONE_IN) {
            db.flush().map_err(words)?;
            db.compact().map_err(words)?;
            self.compare(&db, case.story, &held).map_err(|key| format!("flushed and compacted, {key}"))?;
        }
        db.close().map_err(words)?;
        drop(db);
        let (db, recovery) = self.open(&folder.join(DATA), false).map_err(words)?;
        if recovery.sequence != sequence || recovery.torn_tail.is_some() {
            return Err(format!("it was closed at sequence {sequence}, and opened with {recovery:?}"));
        }
        self.compare(&db, case.story, &held).map_err(|key| format!("opened again, {key}"))?;
        db.close().map_err(words)
    }

    /// Whether the copy is one; `Err` if it is neither whole nor missing.
    fn judge_copy(&self, directory: &Path, story: &Story, copy: &Copy) -> Result<bool, String> {
        let (db, recovery) = match self.open(directory, false) {
            Ok(opened) => opened,
            Err(Error::Missing { .. } | Error::NotOurs { .. }) => return Ok(false),
            Err(error) => return Err(format!("refused: {error}")),
        };
        let (sequence, expected) = (recovery.sequence.0, copy.sequence);
        let count = story.count_to(sequence).filter(|_| sequence == expected);
        let count = count.ok_or_else(|| format!("it ends at sequence {sequence}, {expected} is right"))?;
        self.compare(&db, story, &story.held_after(count))?;
        db.close().map_err(|error| error.to_string())?;
        Ok(true)
    }

    /// Judges a state with the program, which must find so many writes.
    pub(super) fn judge_by_program(&self, folder: &Path, tree: &Tree, held: &Held) -> Result<(), String> {
        if !tree.contains_key(MARKER) {
            // Not yet a data directory: there is nothing for the program to find.
            return Ok(());
        }
        let judged = write_out(folder, tree)
            .map_err(|error| format!("{}: {error}", folder.display()))
            .and_then(|()| self.ask_program(&folder.join(DATA), held));
        remove(folder);
        judged
    }

    fn ask_program(&self, directory: &Path, held: &Held) -> Result<(), String> {
        let rows = held.iter().map(|(key, (value, _))| {
            let key = key.strip_prefix(&key_in_partition(0, b"")[..]).unwrap_or(key);
            [key, b"\t", &value[..], b"\n"].concat()
        });
        let rows: Vec<u8> = rows.collect::<Vec<_>>().concat();
        self.program(Command::new(self.stormglass).arg("verify").arg(directory))?;
        let mut scan = Command::new(self.stormglass);
        let found = self.program(scan.args(["scan", "--limit", "1000000", "--data"]).arg(directory))?;
        if found != rows {
            let [found, rows] = [found, rows].map(|rows| String::from_utf8_lossy(&rows).into_owned());
            return Err(format!("`stormglass scan` prints {found:?}, {rows:?} is right"));
        }
        self.program(Command::new(self.stormglass).arg("verify").arg(directory)).map(drop)
    }

    /// What the program prints; when it fails, what it says.
    fn program(&self, command: &mut Command) -> Result<Vec<u8>, String> {
        let output = run_program(command, self.starts);
        let output = output.map_err(|error| format!("{}: {error}", self.stormglass.display()))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        Err(format!("{command:?} ends with {}: {}", output.status, String::from_utf8_lossy(&said).trim()))
    }
}

/// Whether so many writes are what must and may be there.
pub(super) fn within(count: usize, bounds: Bounds, story: &Story) -> Result<(), String> {
    let Bounds { at_least, at_most } = bounds;
    if count < at_least {
        let (sequence, durable) = (story.sequence_after(count), story.sequence_after(at_least));
        return Err(format!(
            "lost {} acknowledged writes: it ends at sequence {sequence}, {durable} was acknowledged",
            at_least - count
        ));
    }
    if count > at_most {
        return Err(format!("it holds {count} writes when {at_most} had been asked for"));
    }
    Ok(())
}

/// A copy that was said to be made is there.
pub(super) fn made(copy: &Copy, is_made: bool, is_whole: bool) -> Result<(), String> {
    match is_made && !is_whole {
        true => Err(format!("{}: the copy was said to be made, and is no data directory", copy.path)),
        false => Ok(()),
    }
}

/// Every key of the user's.
fn scan<W: World>(db: &BlockingDb<W>) -> Result<Held, Error> {
    let mut held = Held::new();
    let (snapshot, mut from) = (db.snapshot(), Bound::Included(key_in_partition(0, b"")));
    loop {
        let until = Bound::Excluded(key_in_partition(1, b""));
        let limits = ScanLimits { entries: 50, ..ScanLimits::default() };
        let page = db.scan((from, until), limits, &snapshot)?;
        held.extend(
            page.entries.into_iter().map(|(key, entry)| (key.to_vec(), (entry.value.to_vec(), entry.sequence.0))),
        );
        match page.next {
            Some(next) => from = Bound::Included(next),
            None => return Ok(held),
        }
    }
}

fn difference<'a>(found: &'a Held, right: &'a Held) -> Option<&'a [u8]> {
    let mut keys = found.keys().chain(right.keys());
    keys.find(|key| found.get(*key) != right.get(*key)).map(Vec::as_slice)
}

/// Writes files and folders below a folder that is not there yet.
pub(super) fn write_out(folder: &Path, tree: &Tree) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (path, bytes) in tree {
        let path: PathBuf = folder.join(path);
        match bytes {
            None => fs::create_dir(&path)?,
            Some(bytes) => fs::write(&path, &bytes[..])?,
        }
    }
    Ok(())
}

/// Removes a folder that nobody needs any more. One that stays is in nobody's way but for its room.
fn remove(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}
