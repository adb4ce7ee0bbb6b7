//! The crash explorer: power is lost at every I/O boundary of a life of the engine, in every way the disk allows, and again
//! while it recovers; what is found must be a prefix of what was written, and all of what was promised.
//!
//! ```text
//!   plan        lives of a process, drawn from a seed           live       the real engine lives them
//!   ledger      what was asked, said and promised, and when     survivors  which fates of unsynced bytes and names are tried
//!   recover     one state: opened by the real engine, judged    explore    all states of a seed
//!   trial       calls fail, while working and recovering    damage     what was synced is damaged: right, or refused by file
//! ```
//!
//! The workload runs in the sealed world, whose latencies let calls overlap; states are recovered in the solo world, at
//! some ten thousand a second.

mod damage;
mod explore;
mod ledger;
mod live;
mod plan;
mod recover;
mod survivors;
mod trial;

#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::world::DiskSettings;

pub use self::explore::{Exploration, Hashes, explore};
pub use self::trial::{Ending, try_faults};

/// How far the explorer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Survivors that are tried of each boundary of the workload, at most.
    pub survivors_most: usize,
    /// The same, of each boundary of an interrupted recovery.
    pub survivors_most_recovering: usize,
    /// One state in so many has its recovery interrupted at each boundary.
    pub interrupt_one_in: u64,
    /// Violations after which a seed is given up.
    pub violations_most: usize,
    /// The workload's disk.
    pub disk: DiskSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            survivors_most: 24,
            survivors_most_recovering: 8,
            interrupt_one_in: 200,
            violations_most: 3,
            disk: DiskSettings::default(),
        }
    }
}

/// When power was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// During the workload, its own recoveries included.
    Normal,
    /// While a crash was recovered from.
    Recovery,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Normal => "workload",
            Self::Recovery => "recovery",
        })
    }
}

/// The kind of file that a boundary concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A segment of the write-ahead log.
    Segment,
    /// What recovery cut off a segment.
    Tail,
    /// A table: a flush or a compaction is at work.
    Table,
    /// A manifest.
    Manifest,
    /// The pointer to the manifest.
    Current,
    /// The marker.
    Marker,
    /// The lock file.
    Lock,
    /// The folder, or the process.
    Folder,
    /// A file or folder of a copy that is being made.
    Checkpoint,
}

impl FileKind {
    /// The kind of the file at a path of the workload's disk.
    pub(super) fn of(path: &str) -> Self {
        let Some(name) = path.strip_prefix(live::DIRECTORY) else {
            return if path.is_empty() { Self::Folder } else { Self::Checkpoint };
        };
        match name.trim_start_matches('/') {
            "" => Self::Folder,
            "LOCK" => Self::Lock,
            name if name.contains(".log.tail-") => Self::Tail,
            name if name.starts_with("wal-") => Self::Segment,
            name if name.starts_with("table-") => Self::Table,
            name if name.starts_with("manifest-") => Self::Manifest,
            name if name.starts_with("CURRENT") => Self::Current,
            _ => Self::Marker,
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Segment => "segment",
            Self::Tail => "torn tail",
            Self::Table => "table",
            Self::Manifest => "manifest",
            Self::Current => "CURRENT",
            Self::Marker => "marker",
            Self::Lock => "lock",
            Self::Folder => "folder",
            Self::Checkpoint => "checkpoint",
        })
    }
}

/// A state of the disk that was judged.
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// Its number within its seed, from 1.
    pub number: u64,
    /// When power was lost.
    pub phase: Phase,
    /// The call at whose effect or completion it was.
    pub operation: &'static str,
    /// The kind of file that it concerns.
    pub file: FileKind,
    /// The hash of every name and byte.
    pub hash: u128,
}

/// A fault that struck, and after which all was well.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// Its number within its seed, from 1.
    pub number: u64,
    /// Whether it struck the workload, or a recovery.
    pub phase: Phase,
    /// The fault, in words.
    pub kind: &'static str,
    /// How it ended.
    pub ending: Ending,
}

/// A promise that the engine broke.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The seed.
    pub seed: u64,
    /// The state, if it is a crash state that went wrong.
    pub state: Option<u64>,
    /// The trial, if it is a fault's.
    pub trial: Option<u64>,
    /// When power was lost.
    pub phase: Phase,
    /// The boundary, from 0.
    pub boundary: usize,
    /// The call at whose effect or completion that is.
    pub operation: &'static str,
    /// The kind of file that it concerns.
    pub file: FileKind,
    /// What became of everything unsynced.
    pub survivor: String,
    /// Writes that must be there, and that may.
    pub expected: (usize, usize),
    /// What was found instead.
    pub message: String,
    /// Every name on the disk before it was recovered, with the length of its file.
    pub files: Vec<(String, Option<u64>)>,
}

impl Violation {
    fn of_workload(seed: u64, message: String) -> Self {
        Self {
            seed,
            state: None,
            trial: None,
            phase: Phase::Normal,
            boundary: 0,
            operation: "",
            file: FileKind::Folder,
            survivor: String::new(),
            expected: (0, 0),
            message,
            files: Vec::new(),
        }
    }

    fn of_trial(seed: u64, trial: u64, message: String) -> Self {
        Self { trial: Some(trial), ..Self::of_workload(seed, message) }
    }
}

/// What `run` returns, or the words of its panic.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_string()));
        format!("it panicked: {}", words.unwrap_or_else(|| "without words".to_string()))
    })
}
