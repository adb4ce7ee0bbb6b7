//! How much there is in a memtable, counted as it comes.
//!
//! ```text
//!   writer ─▶ one number each, under the writer's lock        usage() ─▶ reads them one after the other
//! ```
//!
//! While somebody writes, the numbers of one `usage()` may be an entry apart.

use std::sync::atomic::AtomicU64;

use crate::format::Sequence;
use crate::format::entry::EntryRef;

use super::arena::Writer;
use super::atomics::Ordering::Relaxed;

/// What an entry costs besides its key and value, about: its nodes, its slot, its share of the ordered view.
const ENTRY_BYTES: u64 = 80;

/// How much there is in a memtable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Keys, deleted ones included.
    pub(crate) keys: u64,
    /// Versions of all keys, tombstones included.
    pub(crate) entries: u64,
    /// Tombstones of single keys.
    pub(crate) tombstones: u64,
    /// Tombstones of ranges.
    pub(crate) range_tombstones: u64,
    /// The smallest and the largest sequence of all of them; `None` when there are none.
    pub(crate) sequences: Option<(Sequence, Sequence)>,
    /// The bytes of the internal keys, each counted with each of its versions.
    pub(crate) key_bytes: u64,
    /// The bytes of all values.
    pub(crate) value_bytes: u64,
}

#[derive(Debug)]
pub(super) struct Counters {
    keys: AtomicU64,
    entries: AtomicU64,
    tombstones: AtomicU64,
    range_tombstones: AtomicU64,
    sequence_min: AtomicU64,
    sequence_max: AtomicU64,
    key_bytes: AtomicU64,
    value_bytes: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            keys: zero(),
            entries: zero(),
            tombstones: zero(),
            range_tombstones: zero(),
            sequence_min: AtomicU64::new(u64::MAX),
            sequence_max: zero(),
            key_bytes: zero(),
            value_bytes: zero(),
        }
    }
}

impl Counters {
    pub(super) fn count(&self, writer: &mut Writer<'_>, entry: &EntryRef<'_>, is_new_key: bool) {
        add(writer, &self.keys, u64::from(is_new_key));
        add(writer, &self.entries, 1);
        add(writer, &self.tombstones, u64::from(entry.value.is_none()));
        add(writer, &self.key_bytes, entry.key.len() as u64);
        add(writer, &self.value_bytes, entry.value.map_or(0, <[u8]>::len) as u64);
        self.widen(entry.sequence);
    }

    pub(super) fn count_range_tombstone(&self, writer: &mut Writer<'_>, sequence: Sequence) {
        add(writer, &self.range_tombstones, 1);
        self.widen(sequence);
    }

    fn widen(&self, sequence: Sequence) {
        self.sequence_min.store(self.sequence_min.load(Relaxed).min(sequence.0), Relaxed);
        self.sequence_max.store(self.sequence_max.load(Relaxed).max(sequence.0), Relaxed);
    }

    pub(super) fn usage(&self) -> Usage {
        let sequences = (self.sequence_min.load(Relaxed), self.sequence_max.load(Relaxed));
        Usage {
            keys: self.keys.load(Relaxed),
            entries: self.entries.load(Relaxed),
            tombstones: self.tombstones.load(Relaxed),
            range_tombstones: self.range_tombstones.load(Relaxed),
            sequences: (sequences.0 <= sequences.1).then_some((Sequence(sequences.0), Sequence(sequences.1))),
            key_bytes: self.key_bytes.load(Relaxed),
            value_bytes: self.value_bytes.load(Relaxed),
        }
    }
}

/// Adds to a number that only the writer changes, so that no locked instruction is needed.
fn add(_writer: &mut Writer<'_>, number: &AtomicU64, amount: u64) {
    number.store(number.load(Relaxed) + amount, Relaxed);
}

impl Usage {
    /// About the memory that what was written needs, however coarse the chunks that hold it.
    pub(crate) fn needed_bytes(&self) -> usize {
        (self.key_bytes + self.value_bytes + self.entries * ENTRY_BYTES) as usize
    }

    /// Whether nothing was ever written.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries == 0 && self.range_tombstones == 0
    }
}
