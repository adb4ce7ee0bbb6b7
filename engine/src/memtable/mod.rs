//! The newest writes, in memory and in order.
//!
//! ```text
//!   key    newest version       older versions, while a snapshot can still read them
//!   a      (9, "storm")         (7, "rain") (2, tombstone)
//!   b      (8, tombstone)
//! ```
//!
//! Readers ask for the newest version at or below a sequence and get one of three answers: the value, "deleted", or
//! "unknown here", so that older data may live below (tables) and a tombstone can hide it. A version that a newer one
//! replaced is dropped at once unless a live snapshot sees it: overwriting one key a million times keeps one version,
//! and a scan over it costs one step.
//!
//! Inside is an ordered map behind a lock: readers share it, a writer holds it while a group is inserted, nobody across
//! an await. It holds tombstones for ever; they leave with a flush.

mod versions;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use crate::format::Sequence;
use crate::format::operation::Operation;
use versions::{Version, Versions};

/// What the memtable knows of a key at a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// It has this value, written at this sequence.
    Found(Bytes, Sequence),
    /// It was deleted.
    Tombstone,
    /// It was not written here: older data decides.
    Unknown,
}

/// A piece of an ordered iteration.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Keys in order with the newest version at the sequence asked for; `None` is a tombstone.
    pub(crate) entries: Vec<(Bytes, Sequence, Option<Bytes>)>,
    /// The first key that was not looked at; `None` when the range is done.
    pub(crate) next: Option<Bytes>,
}

/// How much there is in a memtable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Keys, deleted ones included.
    pub(crate) keys: u64,
    /// Versions of all keys.
    pub(crate) versions: u64,
    /// Memory, as an estimate: keys, values, and a fixed price for each.
    pub(crate) bytes: u64,
}

/// The newest writes.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    keys: BTreeMap<Bytes, Versions>,
    usage: Usage,
}

impl Memtable {
    /// Inserts writes; each key's sequences must come in ascending order. `is_read(from, until)` says whether a live
    /// snapshot reads at a sequence in `from..until`: versions that none reads are dropped. Readers see all of the
    /// writes or none.
    pub(crate) fn insert(
        &self,
        writes: impl IntoIterator<Item = (Sequence, Operation)>,
        is_read: impl Fn(Sequence, Sequence) -> bool,
    ) {
        let mut inner = self.write();
        let Inner { keys, usage } = &mut *inner;
        for (sequence, Operation { key, value }) in writes {
            let key_bytes = key.len() as u64 + versions::KEY_OVERHEAD_BYTES;
            let version = Version { sequence, value };
            usage.versions += 1;
            usage.bytes += version.bytes();
            match keys.get_mut(&key) {
                Some(versions) => {
                    let dropped = versions.push(version, &is_read);
                    usage.versions -= dropped.versions;
                    usage.bytes -= dropped.bytes;
                }
                None => {
                    keys.insert(key, Versions::new(version));
                    usage.keys += 1;
                    usage.bytes += key_bytes;
                }
            }
        }
    }

    /// What is known of `key` at sequence `at`.
    pub(crate) fn get(&self, key: &[u8], at: Sequence) -> Lookup {
        let inner = self.read();
        match inner.keys.get(key).and_then(|versions| versions.at(at)) {
            None => Lookup::Unknown,
            Some(Version { value: None, .. }) => Lookup::Tombstone,
            Some(Version { value: Some(value), sequence }) => Lookup::Found(value.clone(), *sequence),
        }
    }

    /// The keys of `range` in order, as they were at sequence `at`, tombstones included. Looks at no more than
    /// `keys_max` keys, and stops behind `bytes_max` bytes of keys and values; always gets one key further.
    pub(crate) fn range(
        &self,
        range: &(Bound<Bytes>, Bound<Bytes>),
        at: Sequence,
        keys_max: usize,
        bytes_max: usize,
    ) -> Chunk {
        let mut chunk = Chunk::default();
        if is_empty_range(range) {
            return chunk;
        }
        let inner = self.read();
        let mut bytes = 0;
        for (looked_at, (key, versions)) in
            inner.keys.range::<Bytes, _>((range.0.as_ref(), range.1.as_ref())).enumerate()
        {
            if looked_at > 0 && (looked_at >= keys_max || bytes >= bytes_max) {
                chunk.next = Some(key.clone());
                break;
            }
            if let Some(version) = versions.at(at) {
                bytes += key.len() + version.value.as_ref().map_or(0, Bytes::len);
                chunk.entries.push((key.clone(), version.sequence, version.value.clone()));
            }
        }
        chunk
    }

    /// How much there is.
    pub(crate) fn usage(&self) -> Usage {
        self.read().usage
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        // A panic while it was held is our bug and ended the writer; what is in memory is still whole keys and values.
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ranges that the standard map would panic on, and those that hold nothing anyway.
fn is_empty_range((start, end): &(Bound<Bytes>, Bound<Bytes>)) -> bool {
    match (start, end) {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end))
        | (Bound::Excluded(start), Bound::Included(end)) => start >= end,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

#[cfg(test)]
mod tests;
