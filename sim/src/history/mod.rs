//! What the clients saw: every operation, when it began, when it ended, and how.
//!
//! ```text
//!   session 3   ──[ write k1 v17 ]──────[ read k1 = v17 ]───[ delete k1 ···········    (never completed: unknown)
//!   session 4   ────────[ read k1 = v12 ]───────────────────────
//!                       ▲ invoked      ▲ completed             true virtual time, microseconds ─▶
//! ```
//!
//! A history is all that the checks know of a run, so everything they may conclude has to be in it: true time (never a
//! node's clock), values that are unique (so that a read names the write it saw), and outcomes that tell *failed* (it did
//! not happen, and never will) from *unknown* (it may have happened, and may still). This follows Jepsen's histories of
//! `:invoke`, `:ok`, `:fail` and `:info`; [`read_json_lines`] and [`write_json_lines`] keep that shape on disk.
//!
//! A history judges nothing; that is `check`.

mod json_lines;
mod recorder;
pub mod specimen;
#[cfg(test)]
mod tests;
pub mod transactions;

pub use json_lines::{HistoryReadError, LineFault, read_json_lines, write_json_lines};
pub use recorder::{HistoryFault, Invocation, OperationId, Recorder};

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason given for an operation that had not completed when the history ended.
pub const NEVER_COMPLETED: &str = "never completed";

/// What an operation asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationKind {
    /// Returns the key's value, or that it is absent.
    Read,
    /// Gives the key a value.
    Write,
    /// Makes the key absent.
    Delete,
}

impl OperationKind {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Delete];

    /// As scenarios and histories write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for OperationKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How an operation ended, as its client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged.
    Ok {
        /// What a read returned; `None` when the key was absent, and for writes and deletes.
        value: Option<String>,
    },
    /// Refused: it was not applied and never will be.
    Fail {
        /// Why, in the words of the error.
        reason: String,
    },
    /// It may have been applied, and may still be.
    Unknown {
        /// Why, in the words of the error.
        reason: String,
    },
}

impl Outcome {
    /// The acknowledgement of a write or delete.
    pub fn acknowledged() -> Self {
        Self::Ok { value: None }
    }

    /// Whether the operation was acknowledged.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok { .. })
    }
}

/// One client operation: its invocation and its completion, joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its position in the history, by invocation.
    pub id: u32,
    /// The session that asked (a Jepsen process): one operation in flight at a time.
    pub session: u32,
    /// The node that was asked.
    pub coordinator: String,
    /// The key.
    pub key: String,
    /// What was asked for.
    pub kind: OperationKind,
    /// The value that a write writes, unique in its history; `None` for reads and deletes.
    pub written: Option<String>,
    /// The level that was asked for, as the scenario spells it.
    pub consistency: String,
    /// True time of the invocation, in microseconds since the run began.
    pub invoked_micros: u64,
    /// True time of the completion; `None` when it never completed.
    pub completed_micros: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
}

/// All operations of a run, ordered by invocation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The operations; each one's `id` is its index here.
    pub operations: Vec<Operation>,
}
