//! A memtable that is written by one thread at a time and read by any number, who wait for nobody.
//!
//! ```text
//!   insert ─▶ arena    the entry's bytes, written once ──┬─▶ index    a new key's slot, or the node's newest version
//!                                                        └─▶ insert order ─▶ ordered view, when somebody scans
//!   get    ─▶ index ─▶ node ─▶ newest version ─▶ older ...     until one is at or below the sequence asked for
//!   cursor ─▶ ordered view ─▶ nodes ─▶ their versions
//! ```
//!
//! A lookup costs two cache misses: the slot, and the node with its newest version behind it. Every version stays until
//! the memtable is dropped: overwriting a key a million times costs memory (a flush ends it), but a reader of the newest
//! version nothing. A reader at an old sequence walks over the newer ones.
//!
//! Many of the ideas are RocksDB's (an arena, entries published through pointers), with a hash table in the place of the
//! skip list and order made on demand.

use std::sync::Arc;

use bytes::Bytes;

use crate::format::Sequence;
use crate::format::entry::{EntryRef, RangeTombstone, Version};

use super::arena::{Arena, VersionRef};
use super::counters::Counters;
use super::cursor::MemtableCursor;
use super::index::Index;
use super::ordered::{Ordered, Runs};
use super::ranges::Ranges;

pub(crate) use super::counters::Usage;

/// The slots that each hash table begins with.
const SLOTS: usize = 16;

/// The newest writes: all versions of all keys, and range tombstones.
#[derive(Debug)]
pub(crate) struct Memtable {
    index: Index,
    ordered: Ordered,
    ranges: Ranges,
    counters: Counters,
    arena: Arena,
}

impl Memtable {
    /// An empty memtable that will hold about this many bytes; it may grow beyond.
    pub(crate) fn new(capacity_bytes: usize) -> Self {
        Self::with_slots(capacity_bytes, SLOTS)
    }

    /// An empty memtable with this many slots, a power of two, in each of its first hash tables.
    pub(super) fn with_slots(capacity_bytes: usize, slots: usize) -> Self {
        Self {
            index: Index::new(slots),
            ordered: Ordered::new(),
            ranges: Ranges::default(),
            counters: Counters::default(),
            arena: Arena::new(capacity_bytes),
        }
    }

    /// Inserts a version. The sequences of one key must ascend; `hash` is the key's `key_hash`. Readers see it as soon as
    /// this returns, or a little before.
    pub(crate) fn insert(&self, entry: EntryRef<'_>, hash: u64) {
        let mut writer = self.arena.writer();
        let known = self.index.find(&self.arena, entry.key, hash);
        match known {
            Some(node) => writer.insert_version(node, entry),
            None => {
                let node = writer.insert_node(entry, hash);
                self.index.insert(&mut writer, &self.arena, node);
            }
        }
        self.counters.count(&mut writer, &entry, known.is_none());
    }

    /// Deletes a range of keys as of the tombstone's sequence.
    pub(crate) fn insert_range_tombstone(&self, tombstone: RangeTombstone) {
        let mut writer = self.arena.writer();
        self.counters.count_range_tombstone(&mut writer, tombstone.sequence);
        self.ranges.insert(&mut writer, tombstone);
    }

    /// The newest version of a key at or below sequence `at`, range tombstones aside. Its value is a copy.
    pub(crate) fn get(&self, key: &[u8], hash: u64, at: Sequence) -> Option<Version> {
        let mut version = self.newest(key, hash)?;
        while version.sequence() > at {
            version = version.older()?;
        }
        Some(Version {
            sequence: version.sequence(),
            value: version.value().map(Bytes::copy_from_slice),
            expires_micros: version.expires_micros(),
        })
    }

    /// The highest sequence, at or below `at`, of a range tombstone that covers the key.
    pub(crate) fn covering(&self, key: &[u8], at: Sequence) -> Option<Sequence> {
        self.ranges.covering(key, at)
    }

    /// All range tombstones, by start.
    pub(crate) fn range_tombstones(&self) -> Vec<RangeTombstone> {
        self.ranges.all()
    }

    /// A cursor over everything that is inserted by now.
    pub(crate) fn cursor(self: &Arc<Self>) -> MemtableCursor {
        MemtableCursor::new(Arc::clone(self))
    }

    /// How much there is.
    pub(crate) fn usage(&self) -> Usage {
        self.counters.usage()
    }

    /// The memory it holds: chunks, hash tables, ordered view, range tombstones.
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.arena.allocated_bytes()
            + self.index.allocated_bytes()
            + self.ordered.allocated_bytes()
            + self.ranges.allocated_bytes()
    }

    pub(super) fn arena(&self) -> &Arena {
        &self.arena
    }

    pub(super) fn runs(&self) -> Runs {
        self.ordered.runs(&self.arena)
    }

    #[inline]
    fn newest(&self, key: &[u8], hash: u64) -> Option<VersionRef<'_>> {
        Some(self.index.find(&self.arena, key, hash)?.newest())
    }
}
