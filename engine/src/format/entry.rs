//! One version of one key, as memtables, tables and cursors hand it on.
//!
//! ```text
//!   order      key ascending, then sequence descending: the newest version of a key comes first
//!   key        keyspace u16 big-endian │ user key           an internal key; a keyspace is one contiguous range
//!   value      Some: a put, perhaps with an expiry          None: a tombstone
//! ```
//!
//! Range tombstones are no entries: they cover keys, and travel beside the entries (`RangeTombstone`).

use std::cmp::Ordering;

use bytes::Bytes;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::operation::Sequence;

/// A version of a key, borrowed from wherever it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryRef<'a> {
    /// The internal key.
    pub(crate) key: &'a [u8],
    /// When it was written.
    pub(crate) sequence: Sequence,
    /// The value; `None` is a tombstone.
    pub(crate) value: Option<&'a [u8]>,
    /// Wall time in microseconds from which the value counts as deleted; 0 for never.
    pub(crate) expires_micros: u64,
}

impl EntryRef<'_> {
    /// The order of all cursors: key ascending, newest version first.
    pub(crate) fn order(&self, other: &EntryRef<'_>) -> Ordering {
        self.key.cmp(other.key).then_with(|| other.sequence.cmp(&self.sequence))
    }

    /// What the entry adds to the set-hash of the table, or merge, that it is in. The set-hash of a set is the wrapping
    /// sum over its entries, so it does not depend on their order.
    pub(crate) fn set_hash(&self) -> u64 {
        let seed = xxh3_64_with_seed(self.key, self.sequence.0);
        let kind = if self.value.is_some() { self.expires_micros.rotate_left(17) } else { u64::MAX };
        xxh3_64_with_seed(self.value.unwrap_or_default(), seed ^ kind)
    }
}

/// The newest version of a key that a lookup found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// When it was written.
    pub(crate) sequence: Sequence,
    /// The value; `None` is a tombstone.
    pub(crate) value: Option<Bytes>,
    /// Wall time in microseconds from which the value counts as deleted; 0 for never.
    pub(crate) expires_micros: u64,
}

/// A deletion of every key in `start..end` that was written before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RangeTombstone {
    /// The first internal key it covers.
    pub(crate) start: Bytes,
    /// The first internal key behind it.
    pub(crate) end: Bytes,
    /// When it was written: versions with smaller sequences are deleted.
    pub(crate) sequence: Sequence,
}

/// The hash of an internal key that memtables and filters ask for: computed once a lookup.
pub(crate) fn key_hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}
