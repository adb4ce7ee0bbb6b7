//! What readers, the committer and the background share.
//!
//! ```text
//!   view        what a read looks at: memtables and tables of one moment          replaced whole, read without a lock
//!   published   the newest write that readers may see
//!   queue       writes that wait, and the committer while nobody commits          `commit`
//!   manifest    the one place where tables come and go                            `background`
//!   registry    who reads the past
//! ```
//!
//! A reader takes the view, then the published sequence, then makes sure that the view is still the one: then every
//! write up to that sequence is in it, and no flush or compaction behind it forgot a version that the sequence needs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{Notify, Semaphore};

use super::commit::Queue;
use super::compact::Schedule;
use super::counters::Counters;
use super::flush::RETRY_AFTER;
use super::latency::Latency;
use super::options::Options;
use super::pressure::Pressure;
use super::snapshot::{Registry, Snapshot};
use crate::cache::BlockCache;
use crate::error::Error;
use crate::format::Sequence;
use crate::memtable::Memtable;
use crate::shape::{Edit, apply};
use crate::version::{ManifestState, OpenTable, TableShape};
use crate::wal::{LogStart, Recovery};
use crate::world::{Clock, Disk, DiskError, DiskErrorKind, World};

/// The files of a world's disk.
pub(crate) type FileOf<W> = <<W as World>::Disk as Disk>::File;

/// A memtable that takes no more writes and waits to be written to a table.
#[derive(Debug)]
pub(super) struct Frozen {
    pub(super) memtable: Arc<Memtable>,
    /// Where the log begins that does not hold it any more.
    pub(super) log: LogStart,
    /// Its last write.
    pub(super) last: Sequence,
}

/// What a read looks at.
pub(super) struct View<W: World> {
    /// The memtable that takes writes.
    pub(super) memtable: Arc<Memtable>,
    /// Newest first.
    pub(super) frozen: Vec<Arc<Frozen>>,
    pub(super) shape: Arc<TableShape<FileOf<W>>>,
    /// Tables that hold range tombstones: nearly always none.
    pub(super) covering: Vec<Arc<OpenTable<FileOf<W>>>>,
}

impl<W: World> Clone for View<W> {
    fn clone(&self) -> Self {
        let Self { memtable, frozen, shape, covering } = self;
        let (memtable, shape) = (Arc::clone(memtable), Arc::clone(shape));
        Self { memtable, frozen: frozen.clone(), shape, covering: covering.clone() }
    }
}

impl<W: World> View<W> {
    /// Takes tables out and puts others in.
    pub(super) fn change_tables(&mut self, edit: &Edit<Arc<OpenTable<FileOf<W>>>>) {
        let mut shape = TableShape::clone(&self.shape);
        apply(&mut shape, edit).expect("an edit of our own fits the tables there are");
        self.shape = Arc::new(shape);
        let is_removed = |number| edit.removed.iter().any(|(_, removed)| *removed == number);
        self.covering.retain(|table| !is_removed(table.facts.number));
        let added = edit.added.iter().flat_map(|added| &added.tables);
        self.covering.extend(added.filter(|table| table.covers_ranges()).cloned());
    }

    /// All tables, from the newest run to the oldest.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Arc<OpenTable<FileOf<W>>>> {
        self.shape.newest_first().flat_map(|(_, run)| run.iter())
    }
}

/// A background task that is at work.
pub(super) struct Working<W: World> {
    core: Arc<Core<W>>,
}

impl<W: World> Drop for Working<W> {
    fn drop(&mut self) {
        self.core.counters.jobs_running.fetch_sub(1, Ordering::AcqRel);
        self.core.done_bell.notify_waiters();
    }
}

/// Why writing stopped, or is refused for now.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// The log or the manifest failed: only reopening helps.
    pub(super) poisoned: Option<Arc<DiskError>>,
    /// Tables cannot be written for want of space.
    pub(super) out_of_space: Option<Arc<DiskError>>,
    /// The last job that failed, in words.
    pub(super) last_failure: Option<String>,
    /// Flushes that failed, and why the last of them did.
    pub(super) flushes_failed: u64,
    pub(super) flush_failure: Option<Error>,
}

/// See the module.
pub(super) struct Core<W: World> {
    pub(super) world: W,
    pub(super) directory: PathBuf,
    pub(super) options: Options,
    pub(super) recovery: Recovery,
    pub(super) read_only: bool,
    pub(super) view: ArcSwap<View<W>>,
    /// Held while a view is replaced, so that no change is lost.
    pub(super) installing: Mutex<()>,
    pub(super) published: AtomicU64,
    pub(super) registry: Arc<Registry>,
    pub(super) cache: Arc<BlockCache>,
    pub(super) counters: Counters,
    pub(super) get_latency: Latency,
    pub(super) write_latency: Latency,
    pub(super) scan_latency: Latency,
    pub(super) pressure: Pressure,
    pub(super) queue: Mutex<Queue<W>>,
    pub(super) queue_room: Arc<Semaphore>,
    /// `None` when the engine was opened for reading only.
    pub(super) manifest: tokio::sync::Mutex<Option<ManifestState<W::Disk>>>,
    pub(super) next_table: AtomicU64,
    pub(super) keyspaces: Mutex<BTreeMap<String, u16>>,
    pub(super) trouble: Mutex<Trouble>,
    /// Whether writing is refused; what for is in `trouble`. Looked at without its lock.
    pub(super) is_troubled: AtomicBool,
    pub(super) closed: AtomicBool,
    /// Background tasks shall end: the engine is closed, or nobody holds it any more.
    pub(super) stopping: AtomicBool,
    /// Rung when there may be something to do for each background task.
    pub(super) flush_bell: Notify,
    pub(super) compaction_bell: Notify,
    /// Rung when a job has ended.
    pub(super) done_bell: Notify,
    /// Rung when the engine stops: for jobs that rest after a failure.
    pub(super) rest_bell: Notify,
    pub(super) schedule: Mutex<Schedule>,
    pub(super) lock: Mutex<Option<<W::Disk as Disk>::Lock>>,
}

impl<W: World> Core<W> {
    /// The view and the newest sequence that it shows whole.
    pub(super) fn read_view(&self) -> (Guard<Arc<View<W>>>, Sequence) {
        loop {
            let view = self.view.load();
            let published = self.published();
            if Arc::ptr_eq(&view, &self.view.load()) {
                return (view, published);
            }
        }
    }

    /// The newest write that readers may see.
    pub(super) fn published(&self) -> Sequence {
        Sequence(self.published.load(Ordering::Acquire))
    }

    /// Replaces the view by what `change` makes of it.
    pub(super) fn install(&self, change: impl FnOnce(&mut View<W>)) {
        let _installing = self.installing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut view = View::clone(&self.view.load());
        change(&mut view);
        self.view.store(Arc::new(view));
        self.share_out_memory();
    }

    /// Says that a background task is at work, until what it gets is dropped.
    pub(super) fn working(self: &Arc<Self>) -> Working<W> {
        self.counters.jobs_running.fetch_add(1, Ordering::AcqRel);
        Working { core: Arc::clone(self) }
    }

    /// Notes why a job failed.
    pub(super) fn note_failure(&self, error: &Error) {
        self.counters.jobs_failed.fetch_add(1, Ordering::Relaxed);
        match error {
            Error::Disk(cause) if cause.kind == DiskErrorKind::NoSpace => self.set_out_of_space(Some(cause.clone())),
            _ => {}
        }
        self.trouble().last_failure = Some(error.to_string());
    }

    /// Waits before a failed job is tried again, or until `bell` rings.
    pub(super) async fn rest(&self, bell: &Notify) {
        let until = self.world.clock().now() + RETRY_AFTER;
        tokio::select! {
            biased;
            () = bell.notified() => {}
            () = self.world.clock().sleep_until(until) => {}
        }
    }

    /// Memory of the memtables that wait to be written to tables.
    pub(super) fn frozen_bytes(&self) -> u64 {
        self.view.load().frozen.iter().map(|frozen| frozen.memtable.allocated_bytes() as u64).sum()
    }

    /// Gives the block cache what memtables and pinned indexes leave of the budget.
    pub(super) fn share_out_memory(&self) {
        let view = self.view.load();
        // The memtable that takes writes is charged as if it were full: it will be.
        let memtables = view.memtable.allocated_bytes().max(self.options.memtable_bytes)
            + view.frozen.iter().map(|frozen| frozen.memtable.allocated_bytes()).sum::<usize>();
        let pinned = self.counters.pinned_bytes.load(Ordering::Relaxed) as usize;
        self.cache.set_capacity(self.options.memory_bytes.saturating_sub(memtables + pinned));
    }

    /// A snapshot of what is published.
    pub(super) fn snapshot(&self) -> Snapshot {
        let clock = self.world.clock();
        Registry::take(&self.registry, || self.published(), clock.now(), clock.wall())
    }

    /// The sequence behind which no deletion was forgotten in any view that was looked at before this call: where the
    /// oldest live snapshot reads. Without one, only what is published was surely not changed since.
    pub(super) fn remembered_from(&self) -> Sequence {
        let published = self.published();
        self.registry.count().1.unwrap_or(published)
    }

    /// Refuses when the engine is closed.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Whether the engine was opened for reading only.
    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Waits until no memtable is frozen that is now.
    pub(super) async fn until_flushed(&self) -> Result<(), Error> {
        let Some(last) = self.view.load().frozen.first().map(|frozen| frozen.last) else { return Ok(()) };
        let failed_before = self.trouble().flushes_failed;
        // Whoever waits does not want to hear of an old failure: a flush that rests after one is tried again at once.
        self.flush_bell.notify_one();
        loop {
            let done = self.done_bell.notified();
            if !self.view.load().frozen.iter().any(|frozen| frozen.last <= last) {
                return Ok(());
            }
            self.check_open()?;
            self.check_poison()?;
            self.check_flushes(failed_before)?;
            done.await;
        }
    }

    /// Tells of a flush that failed since `failed_before` of them had.
    fn check_flushes(&self, failed_before: u64) -> Result<(), Error> {
        let trouble = self.trouble();
        match &trouble.flush_failure {
            Some(failure) if trouble.flushes_failed > failed_before => match failure {
                Error::Disk(cause) if cause.kind == DiskErrorKind::NoSpace => {
                    Err(Error::OutOfSpace { cause: Arc::new(cause.clone()) })
                }
                Error::Poisoned { .. } => Err(failure.clone()),
                failure => Err(Error::JobFailed { why: failure.to_string() }),
            },
            _ => Ok(()),
        }
    }

    /// Waits until no background task is at work.
    pub(super) async fn until_idle(&self) {
        loop {
            let done = self.done_bell.notified();
            if self.counters.jobs_running.load(Ordering::Acquire) == 0 {
                return;
            }
            done.await;
        }
    }

    /// Whether background tasks shall end.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Ends the background tasks at their next look.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.flush_bell.notify_one();
        self.compaction_bell.notify_one();
        self.rest_bell.notify_waiters();
        self.done_bell.notify_waiters();
    }

    /// Whether writing has failed for good, so that no job can make its result hold.
    pub(super) fn is_poisoned(&self) -> bool {
        self.is_troubled.load(Ordering::Acquire) && self.trouble().poisoned.is_some()
    }

    pub(super) fn trouble(&self) -> MutexGuard<'_, Trouble> {
        // Every change under it is one assignment: a panic elsewhere leaves it whole.
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that writing failed for good: nothing is retried before the engine was reopened.
    pub(super) fn poison(&self, cause: DiskError) -> Arc<DiskError> {
        let mut trouble = self.trouble();
        let cause = Arc::clone(trouble.poisoned.get_or_insert_with(|| Arc::new(cause)));
        self.is_troubled.store(true, Ordering::Release);
        cause
    }

    /// Notes, or takes back, that there is no room for tables.
    pub(super) fn set_out_of_space(&self, cause: Option<DiskError>) {
        let mut trouble = self.trouble();
        trouble.out_of_space = cause.map(Arc::new);
        let is_troubled = trouble.out_of_space.is_some() || trouble.poisoned.is_some();
        self.is_troubled.store(is_troubled, Ordering::Release);
    }

    /// Refuses when writing has failed for good.
    pub(super) fn check_poison(&self) -> Result<(), Error> {
        match &self.trouble().poisoned {
            Some(cause) => Err(Error::Poisoned { cause: Arc::clone(cause) }),
            None => Ok(()),
        }
    }

    /// Refuses when writing has failed, or cannot go on for now.
    pub(super) fn check_writable(&self) -> Result<(), Error> {
        self.check_open()?;
        if !self.is_troubled.load(Ordering::Acquire) {
            return Ok(());
        }
        let trouble = self.trouble();
        if let Some(cause) = &trouble.poisoned {
            return Err(Error::Poisoned { cause: Arc::clone(cause) });
        }
        match &trouble.out_of_space {
            Some(cause) if self.view.load().frozen.len() > 1 => Err(Error::OutOfSpace { cause: Arc::clone(cause) }),
            _ => Ok(()),
        }
    }

    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue<W>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
