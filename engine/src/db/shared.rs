//! What readers and the committer share: the memtable, what is published, and who still reads the past.
//!
//! ```text
//!   committer   lock visible ─▶ insert the group (drop what no snapshot reads) ─▶ published = its last sequence ─▶ unlock
//!   snapshot    lock visible ─▶ note down the published sequence                                              ─▶ unlock
//! ```
//!
//! Both under one lock: a snapshot is either noted before the group, and the group keeps what it reads, or taken after
//! it. Plain reads do not need it: the memtable shows a group whole or not at all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::Entry;
use crate::error::Error;
use crate::format::Sequence;
use crate::format::operation::Operation;
use crate::memtable::{Lookup, Memtable};
use crate::wal::Counters;
use crate::world::DiskError;

/// What an engine has done since it was opened, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// The newest published write.
    pub sequence: Sequence,
    /// Keys in the memtable, deleted ones included.
    pub memtable_keys: u64,
    /// Versions of them.
    pub memtable_entries: u64,
    /// Memory they take, as an estimate.
    pub memtable_bytes: u64,
    /// Snapshots that are alive.
    pub snapshots: u64,
    /// Segments of the log.
    pub wal_segments: u64,
    /// Bytes in them.
    pub wal_bytes: u64,
    /// Syncs of segments.
    pub wal_syncs: u64,
    /// Appends, one for each group of batches that was committed together.
    pub wal_appends: u64,
    /// Batches that were committed; over `wal_appends`, the mean size of a group.
    pub batches_committed: u64,
    /// Batches that were refused by a precondition.
    pub batches_refused: u64,
    /// Why the engine accepts no writes, if it does not.
    pub poisoned: Option<String>,
}

/// What the engine held at one moment. Dropping it lets old versions go.
#[derive(Debug)]
pub struct Snapshot {
    sequence: Sequence,
    shared: Arc<Shared>,
}

impl Snapshot {
    /// The newest write it sees.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let mut visible = self.shared.visible();
        if let Some(count) = visible.live.get_mut(&self.sequence) {
            *count -= 1;
            if *count == 0 {
                visible.live.remove(&self.sequence);
            }
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    memtable: Memtable,
    visible: Mutex<Visible>,
    progress: Mutex<Progress>,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Visible {
    published: Sequence,
    /// How many snapshots read at a sequence.
    live: BTreeMap<Sequence, u64>,
}

/// What the committer tells about itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// The log.
    pub(super) wal: Counters,
    /// Batches that were committed.
    pub(super) batches_committed: u64,
    /// Batches that were refused.
    pub(super) batches_refused: u64,
    /// Why writing stopped.
    pub(super) poisoned: Option<Arc<DiskError>>,
}

impl Shared {
    pub(super) fn new(memtable: Memtable, published: Sequence, wal: Counters) -> Self {
        Self {
            memtable,
            visible: Mutex::new(Visible { published, live: BTreeMap::new() }),
            progress: Mutex::new(Progress { wal, ..Progress::default() }),
            closed: AtomicBool::new(false),
        }
    }

    /// Makes a group of writes visible, all at once. `last` is the sequence of the last.
    pub(super) fn publish(&self, writes: impl IntoIterator<Item = (Sequence, Operation)>, last: Sequence) {
        let mut visible = self.visible();
        assert!(last > visible.published, "sequences are published in order");
        let live = &visible.live;
        self.memtable.insert(writes, |from, until| live.range(from..until).next().is_some());
        visible.published = last;
    }

    /// The newest published write.
    pub(super) fn published(&self) -> Sequence {
        self.visible().published
    }

    /// A snapshot of what is published.
    pub(super) fn snapshot(shared: &Arc<Self>) -> Snapshot {
        let mut visible = shared.visible();
        let sequence = visible.published;
        *visible.live.entry(sequence).or_insert(0) += 1;
        drop(visible);
        Snapshot { sequence, shared: Arc::clone(shared) }
    }

    /// The newest value of a key.
    pub(super) fn newest(&self, key: &[u8]) -> Option<Entry> {
        self.at(key, Sequence(u64::MAX))
    }

    /// The value of a key at a sequence that a snapshot holds, or the newest.
    pub(super) fn at(&self, key: &[u8], at: Sequence) -> Option<Entry> {
        match self.memtable.get(key, at) {
            Lookup::Found(value, sequence) => Some(Entry { value, sequence }),
            Lookup::Tombstone | Lookup::Unknown => None,
        }
    }

    /// The memtable, for ordered reads.
    pub(super) fn memtable(&self) -> &Memtable {
        &self.memtable
    }

    /// Notes what the committer has done.
    pub(super) fn report(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// Refuses all reads from now on.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Refuses when the engine is closed.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    /// See [`Statistics`].
    pub(super) fn statistics(&self) -> Statistics {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let usage = self.memtable.usage();
        let visible = self.visible();
        Statistics {
            sequence: visible.published,
            memtable_keys: usage.keys,
            memtable_entries: usage.versions,
            memtable_bytes: usage.bytes,
            snapshots: visible.live.values().sum(),
            wal_segments: progress.wal.segments,
            wal_bytes: progress.wal.bytes,
            wal_syncs: progress.wal.syncs,
            wal_appends: progress.wal.appends,
            batches_committed: progress.batches_committed,
            batches_refused: progress.batches_refused,
            poisoned: progress.poisoned.map(|cause| cause.to_string()),
        }
    }

    fn visible(&self) -> MutexGuard<'_, Visible> {
        // Every change under it is one assignment: a panic elsewhere leaves it whole.
        self.visible.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
