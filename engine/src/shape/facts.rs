//! What choosing a compaction knows of a table.
//!
//! ```text
//!   number │ bytes, entries, tombstones, expiring │ smallest .. end │ sequences │ when it was made, when all expires
//! ```

use std::sync::Arc;

use bytes::Bytes;

use crate::format::Sequence;

/// What is known of a table without opening it. The manifest holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFacts {
    /// The number in its file's name; never used twice.
    pub number: u64,
    /// Length of the file.
    pub bytes: u64,
    /// Entries, tombstones included.
    pub entries: u64,
    /// Tombstones of single keys and of ranges.
    pub tombstones: u64,
    /// Entries that expire some day.
    pub expiring: u64,
    /// The first key it says something about.
    pub smallest: Bytes,
    /// The first key behind all that it says something about.
    pub end: Bytes,
    /// The oldest write in it.
    pub min_sequence: Sequence,
    /// The newest write in it.
    pub max_sequence: Sequence,
    /// Wall time in microseconds from which everything in it has expired; 0 when something never does (a tombstone).
    pub max_expires_micros: u64,
    /// Wall time in microseconds at which the oldest of its data was flushed.
    pub created_micros: u64,
}

impl TableFacts {
    /// The share of tombstones from which a table is dense with them.
    pub const DENSE_PERCENT: u64 = 50;

    /// Whether at least half of its entries are tombstones.
    pub fn is_dense(&self) -> bool {
        self.tombstones > 0 && self.tombstones.saturating_mul(100) >= self.entries.saturating_mul(Self::DENSE_PERCENT)
    }

    /// Whether everything in it has expired at this time.
    pub fn is_expired(&self, now_micros: u64) -> bool {
        self.max_expires_micros != 0 && self.max_expires_micros <= now_micros
    }
}

/// A table of a shape: its facts, or what carries them (the engine's open table, in an `Arc`).
pub trait HasFacts {
    /// The facts. They never change while the table is part of a shape.
    fn facts(&self) -> &TableFacts;
}

impl HasFacts for TableFacts {
    fn facts(&self) -> &TableFacts {
        self
    }
}

impl<T: HasFacts> HasFacts for Arc<T> {
    fn facts(&self) -> &TableFacts {
        self.as_ref().facts()
    }
}
