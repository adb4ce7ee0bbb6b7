//! Everything that can go wrong in the engine, each with what the caller can do about it.
//!
//! ```text
//!   the caller's request    EmptyKey, KeyTooLong, ValueTooLong, BatchTooLarge, PreconditionFailed, BadOptions, ...   change the request
//!   the directory           Missing, NotOurs, InUse, NewerFormat, MarkerDamaged                     choose another, or wait
//!   the moment              Conflict, SnapshotTooOld, ChangesGone, OutOfSpace, Overloaded           begin again, or wait
//!   the data                Corrupt, NotConserved                                                   repair or restore; nothing was touched
//!   the machine             Disk, Poisoned, CommitFailed, CommitLost                                reopen: recovery decides what holds
//!   the engine's life       Closed                                                                  open again
//! ```
//!
//! [`Error::outcome`] answers the one question that a failed write leaves: may it still have happened?

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::format::{Fault, Sequence};
use crate::limits::{MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::world::DiskError;

/// Whether a failed operation may have taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It has not, and never will.
    NotApplied,
    /// Nobody knows before the engine was reopened; it may be found there or not.
    Unknown,
}

/// A failed operation of the engine.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A key must have at least one byte.
    #[error("the key is empty; a key has 1 to {MAX_KEY_BYTES} bytes")]
    EmptyKey,
    /// The key is longer than [`MAX_KEY_BYTES`].
    #[error("the key has {length_bytes} bytes; the longest has {MAX_KEY_BYTES}")]
    KeyTooLong {
        /// Its length.
        length_bytes: usize,
    },
    /// The value is longer than [`MAX_VALUE_BYTES`].
    #[error("the value has {length_bytes} bytes; the longest has {MAX_VALUE_BYTES}")]
    ValueTooLong {
        /// Its length.
        length_bytes: usize,
    },
    /// The batch is larger than [`MAX_BATCH_BYTES`] when encoded: split it.
    #[error("the batch takes {length_bytes} bytes; the largest takes {MAX_BATCH_BYTES}: split it")]
    BatchTooLarge {
        /// Its encoded length.
        length_bytes: usize,
    },
    /// A precondition of the batch did not hold; nothing of it was applied. Read the key again and decide anew.
    #[error("the precondition on key {} does not hold; nothing was applied", key.escape_ascii())]
    PreconditionFailed {
        /// The first key whose precondition failed.
        key: Bytes,
    },
    /// A transaction read or wrote a key that another one has written since; nothing was applied. Begin it again.
    #[error("the transaction conflicts with a newer write to {}; nothing was applied: begin it again", key.escape_ascii())]
    Conflict {
        /// The first key in conflict.
        key: Bytes,
    },
    /// The snapshot was held for longer than the engine keeps old versions. Take another.
    #[error(
        "the snapshot at sequence {sequence} is {age:?} old, older than this engine keeps old versions: take another"
    )]
    SnapshotTooOld {
        /// What it read at.
        sequence: Sequence,
        /// How long it was held.
        age: Duration,
    },
    /// The change stream asks for changes whose log is gone. Read everything once, and follow from there.
    #[error("the changes from sequence {from} on are gone; the oldest that is kept is {oldest}: read everything once")]
    ChangesGone {
        /// Where the stream was to go on.
        from: Sequence,
        /// The oldest change there is.
        oldest: Sequence,
    },
    /// The engine was opened for reading only.
    #[error("the engine was opened for reading only")]
    ReadOnly,
    /// There is no room for a table, so that memory cannot be emptied: writes are refused until there is.
    #[error("no space left on the disk; writes are refused until there is, reads go on: {cause}")]
    OutOfSpace {
        /// What failed for want of space.
        cause: Arc<DiskError>,
    },
    /// Memtables take twice the engine's memory and are not drained: writing faster would exhaust the machine's.
    #[error(
        "{frozen_bytes} bytes of memtables wait to be written to tables, too many to take more: wait, then try again"
    )]
    Overloaded {
        /// Bytes that wait.
        frozen_bytes: u64,
    },
    /// A background job that was waited for failed; it is tried again.
    #[error("a flush or compaction failed and is tried again: {why}")]
    JobFailed {
        /// Why.
        why: String,
    },
    /// All numbers of keyspaces are taken, or its name is longer than 255 bytes.
    #[error("there can be no keyspace {name}: {why}")]
    NoKeyspace {
        /// The name.
        name: String,
        /// What stands in the way.
        why: &'static str,
    },
    /// Options that contradict each other or the limits.
    #[error("these options cannot be: {what}")]
    BadOptions {
        /// Which, and why.
        what: String,
    },
    /// A compaction did not give back what it was given; its output was thrown away. This is our bug, or bad memory.
    #[error("a compaction lost or made up entries, and was undone: {what}")]
    NotConserved {
        /// The sums that differ.
        what: String,
    },
    /// There is no data directory, and `create_if_missing` is off.
    #[error("{}: there is no data directory here", directory.display())]
    Missing {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The folder holds files and no marker of ours: nothing in it was touched. Choose an empty or a new one.
    #[error(
        "{}: not a Stormglass data directory: it holds `{file}` and no STORMGLASS marker; choose an empty or a new folder",
        directory.display()
    )]
    NotOurs {
        /// The folder.
        directory: PathBuf,
        /// The first name in it that is not ours.
        file: String,
    },
    /// Another engine has the directory open.
    #[error("{}: in use by another process", directory.display())]
    InUse {
        /// The folder.
        directory: PathBuf,
    },
    /// Written by a newer program, which must be used to read it.
    #[error(
        "{}: written in format {found}, this program knows formats up to {supported}: use a newer one",
        path.display()
    )]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// The format it says.
        found: u32,
        /// The newest format this program knows.
        supported: u32,
    },
    /// A file that is not a segment of a log, by its name and by its first bytes.
    #[error("{}: not a write-ahead log of Stormglass", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// A path at which something else lies than what was asked for.
    #[error("{}: not {what} of Stormglass", path.display())]
    NotThis {
        /// The file or folder.
        path: PathBuf,
        /// What was looked for, with its article.
        what: &'static str,
    },
    /// The marker cannot be read. The data may be sound: compare the marker with that of another directory.
    #[error("{}: the marker of the data directory is damaged; restore this file from a backup", path.display())]
    MarkerDamaged {
        /// The marker.
        path: PathBuf,
    },
    /// Bytes that were proven to have reached the disk are damaged. Nothing on the disk was changed.
    #[error("{}: corrupt at offset {offset}, {length} bytes: {fault}; {advice}", file.display())]
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// Bytes up to the next place that is known to be whole, or to the end of the file.
        length: u64,
        /// What is wrong there.
        fault: Fault,
        /// What to do.
        advice: &'static str,
    },
    /// The disk failed while reading, opening or recovering.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// An earlier write or sync failed. The engine goes on reading and accepts no write until it is reopened.
    #[error("the engine stopped writing after a failure, reopen it: {cause}")]
    Poisoned {
        /// That failure.
        cause: Arc<DiskError>,
    },
    /// Writing or syncing failed under this very operation.
    #[error("the write may or may not be found after reopening: {cause}")]
    CommitFailed {
        /// The failure.
        cause: Arc<DiskError>,
    },
    /// The task that writes ended without an answer, because the process is going down.
    #[error("the engine ended before it answered; the write may or may not be found after reopening")]
    CommitLost,
    /// The engine was closed.
    #[error("the engine is closed")]
    Closed,
}

impl Error {
    /// Whether the failed operation may have taken effect.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::CommitFailed { .. } | Self::CommitLost => Outcome::Unknown,
            Self::EmptyKey
            | Self::KeyTooLong { .. }
            | Self::ValueTooLong { .. }
            | Self::BatchTooLarge { .. }
            | Self::PreconditionFailed { .. }
            | Self::Missing { .. }
            | Self::NotOurs { .. }
            | Self::InUse { .. }
            | Self::NewerFormat { .. }
            | Self::NotALog { .. }
            | Self::NotThis { .. }
            | Self::MarkerDamaged { .. }
            | Self::Corrupt { .. }
            | Self::Disk(_)
            | Self::Poisoned { .. }
            | Self::Conflict { .. }
            | Self::SnapshotTooOld { .. }
            | Self::ChangesGone { .. }
            | Self::ReadOnly
            | Self::OutOfSpace { .. }
            | Self::Overloaded { .. }
            | Self::JobFailed { .. }
            | Self::NoKeyspace { .. }
            | Self::BadOptions { .. }
            | Self::NotConserved { .. }
            | Self::Closed => Outcome::NotApplied,
        }
    }
}
