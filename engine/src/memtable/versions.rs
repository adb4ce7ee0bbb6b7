//! The versions of one key: the newest in place, older ones in a list that is nearly always empty.
//!
//! ```text
//!   sequences      2        7        9 (newest)
//!   read at        2..6     7..8     9..            a version is needed while a snapshot reads where it is the newest
//! ```

use bytes::Bytes;

use crate::format::Sequence;

/// What a key costs besides its bytes: its handle, its newest version's place and its share of the map's nodes.
pub(super) const KEY_OVERHEAD_BYTES: u64 = 96;

const VERSION_OVERHEAD_BYTES: u64 = size_of::<Version>() as u64;

/// One version of a key.
#[derive(Debug)]
pub(super) struct Version {
    /// When it was written.
    pub(super) sequence: Sequence,
    /// The value; `None` is a tombstone.
    pub(super) value: Option<Bytes>,
}

impl Version {
    /// What it costs in memory.
    pub(super) fn bytes(&self) -> u64 {
        self.value.as_ref().map_or(0, Bytes::len) as u64 + VERSION_OVERHEAD_BYTES
    }
}

/// What `push` dropped.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// Versions.
    pub(super) versions: u64,
    /// What they cost.
    pub(super) bytes: u64,
}

impl Dropped {
    fn count(&mut self, version: &Version) {
        self.versions += 1;
        self.bytes += version.bytes();
    }
}

/// All versions of one key that somebody can still read.
#[derive(Debug)]
pub(super) struct Versions {
    newest: Version,
    /// Ascending.
    older: Vec<Version>,
}

impl Versions {
    pub(super) fn new(version: Version) -> Self {
        Self { newest: version, older: Vec::new() }
    }

    /// Makes `version` the newest, and drops those that no snapshot reads any more.
    pub(super) fn push(&mut self, version: Version, is_read: &impl Fn(Sequence, Sequence) -> bool) -> Dropped {
        assert!(version.sequence > self.newest.sequence, "versions of a key must come in order");
        let mut dropped = Dropped::default();
        let replaced = std::mem::replace(&mut self.newest, version);
        if self.older.is_empty() && !is_read(replaced.sequence, self.newest.sequence) {
            dropped.count(&replaced);
            return dropped;
        }
        self.older.push(replaced);
        // From the newest to the oldest: each is the answer until the sequence where the next newer one begins.
        let mut until = self.newest.sequence;
        for index in (0..self.older.len()).rev() {
            let from = self.older[index].sequence;
            if !is_read(from, until) {
                dropped.count(&self.older.remove(index));
            }
            until = from;
        }
        dropped
    }

    /// The newest version at or below sequence `at`.
    pub(super) fn at(&self, at: Sequence) -> Option<&Version> {
        if self.newest.sequence <= at {
            return Some(&self.newest);
        }
        let newer = self.older.partition_point(|version| version.sequence <= at);
        newer.checked_sub(1).map(|index| &self.older[index])
    }
}
