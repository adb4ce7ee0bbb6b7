//! Committing: what has queued up becomes one group, one append, one sync.
//!
//! ```text
//!   write ─▶ queue ─▶ nobody commits? take the committer: ─▶ admit ─▶ append ─▶ sync (Always) ─▶ memtable ─▶ publish ─▶ answer
//!              ▲      somebody does?  wait for the answer              │
//!              └── writers that arrive meanwhile are the next group ◀──┘
//! ```
//!
//! There is one committer, and whoever finds it idle becomes its driver: the commit is polled once on the writer's own
//! thread, where it usually ends (an append goes into the page cache). If it must wait (a sync), it goes on as a task that
//! nothing but a crash cancels, because a dropped write would poison its file.
//!
//! Publishing comes after the sync: a reader never sees a write that a power loss could take back (at `Always`). A failed
//! append or sync answers `CommitFailed` to its group and poisons the engine: every later write is refused with the
//! cause, nothing is retried, reads go on. Refusals by a precondition are answered after the group they looked at is
//! safe, and cost no sync of their own.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::batch::{Batch, Requirement};
use super::core::{Core, Frozen};
use super::group::{Admission, StateBefore, admit};
use super::keyspace::user_key;
use super::options::Durability;
use super::read;
use crate::error::Error;
use crate::format::Sequence;
use crate::format::entry::{EntryRef, RangeTombstone, key_hash};
use crate::format::operation::OperationRef;
use crate::memtable::Memtable;
use crate::wal::{self, Append, Writer};
use crate::world::{Clock, DiskError, Tasks, World};

/// The smallest memtable whose memory is a measure of what is in it.
const COARSE_BYTES: usize = 4 * 1024 * 1024;

/// What callers ask of the committer.
pub(super) enum Request {
    /// Commit a batch.
    Write(WriteRequest),
    /// Make everything durable.
    Sync(oneshot::Sender<Result<(), Error>>),
    /// The interval of `Durability::Interval` has passed.
    SyncDue,
    /// Let the memtable take no more writes, so that it is written to a table.
    Freeze(oneshot::Sender<Result<(), Error>>),
    /// Seal the log and end.
    Close(oneshot::Sender<Result<(), Error>>),
}

/// A batch that waits to be committed. Its limits were checked.
pub(super) struct WriteRequest {
    pub(super) batch: Batch,
    pub(super) encoded_bytes: usize,
    pub(super) reply: oneshot::Sender<Result<Sequence, Error>>,
    /// Its share of the queue, given back when it is answered.
    pub(super) permit: OwnedSemaphorePermit,
}

/// What waits, and the committer while nobody drives it.
pub(super) struct Queue<W: World> {
    requests: VecDeque<Request>,
    committer: Option<Box<Committer<W>>>,
}

impl<W: World> Queue<W> {
    /// Without a committer nothing may be sent.
    pub(super) fn new(committer: Option<Committer<W>>) -> Self {
        Self { requests: VecDeque::new(), committer: committer.map(Box::new) }
    }

    /// What the committer does next: a run of writes within the group's limit, or one other request.
    fn take(&mut self, group_bytes_max: usize) -> Option<Work> {
        if !matches!(self.requests.front()?, Request::Write(_)) {
            return self.requests.pop_front().map(Work::Other);
        }
        let (mut group, mut bytes) = (Vec::new(), 0);
        while bytes < group_bytes_max {
            match self.requests.pop_front() {
                Some(Request::Write(request)) => {
                    bytes += request.encoded_bytes;
                    group.push(request);
                }
                Some(other) => {
                    self.requests.push_front(other);
                    break;
                }
                None => break,
            }
        }
        Some(Work::Group(group))
    }
}

enum Work {
    Group(Vec<WriteRequest>),
    Other(Request),
}

/// The owner of the log's end, and of the memtable's.
pub(super) struct Committer<W: World> {
    writer: Writer<W::Disk>,
    memtable: Arc<Memtable>,
    /// A sync was asked of the clock and has not come yet.
    is_sync_due: bool,
    closed: bool,
    /// What the engine's counters know of the writer's.
    reported: wal::Counters,
}

/// Queues a request, and drives the committer if nobody does.
pub(super) fn send<W: World>(core: &Arc<Core<W>>, request: Request) {
    let committer = {
        let mut queue = core.queue();
        queue.requests.push_back(request);
        queue.committer.take()
    };
    let Some(committer) = committer else { return };
    let mut driving = Box::pin(drive(Arc::clone(core), committer));
    // Nobody is woken by this poll: the task below polls again.
    if driving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        core.world.tasks().spawn("commit", driving);
    }
}

/// Does what is queued until nothing is, and puts the committer back.
async fn drive<W: World>(core: Arc<Core<W>>, mut committer: Box<Committer<W>>) {
    loop {
        let work = {
            let mut queue = core.queue();
            match queue.take(core.options.group_bytes_max) {
                Some(work) => work,
                None => {
                    queue.committer = Some(committer);
                    return;
                }
            }
        };
        match work {
            Work::Group(group) => committer.commit(&core, group).await,
            Work::Other(request) => committer.serve(&core, request).await,
        }
        // A writer that syncs on its own thread has its answer by now; others' syncs are not its to wait for.
        if core.options.durability == Durability::Always && !core.queue().requests.is_empty() {
            give_way().await;
        }
    }
}

/// Is pending once.
async fn give_way() {
    let mut is_given = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_given, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<W: World> Committer<W> {
    pub(super) fn new(writer: Writer<W::Disk>, memtable: Arc<Memtable>) -> Self {
        let reported = writer.counters();
        Self { writer, memtable, is_sync_due: false, closed: false, reported }
    }

    async fn serve(&mut self, core: &Arc<Core<W>>, request: Request) {
        match request {
            Request::Write(_) => unreachable!("writes come in groups"),
            Request::Sync(reply) => {
                let synced = self.sync(core).await;
                let _ = reply.send(synced);
            }
            Request::SyncDue => {
                self.is_sync_due = false;
                // Nobody waits for it: a failure is told to the next writer.
                let _ = self.sync(core).await;
            }
            Request::Freeze(reply) => {
                // Also without space for tables: it takes none, and whoever asked is told how the flush goes.
                let frozen = match core.check_open().and_then(|()| core.check_poison()) {
                    Ok(()) => self.freeze(core).await.map_err(|cause| Error::Poisoned { cause: core.poison(cause) }),
                    Err(error) => Err(error),
                };
                let _ = reply.send(frozen);
            }
            Request::Close(reply) => {
                let closed = self.close(core).await;
                let _ = reply.send(closed);
            }
        }
    }

    /// Commits a group: all of it is answered.
    async fn commit(&mut self, core: &Arc<Core<W>>, group: Vec<WriteRequest>) {
        if let Err(error) = self.make_room(core).await {
            for request in group {
                let _ = request.reply.send(Err(error.clone()));
            }
            return;
        }
        let (before, group) = look_up(core, group).await;
        let next_sequence = core.published().plus(1);
        let admissions = admit(group.iter().map(|request| &request.batch), next_sequence, &before);
        match self.append(core, &group, &admissions).await {
            Ok(()) => self.succeed(core, group, admissions),
            Err(cause) => fail(&core.poison(cause), group, &admissions),
        }
    }

    /// Refuses when writing cannot go on; replaces a full memtable.
    async fn make_room(&mut self, core: &Arc<Core<W>>) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        core.check_writable()?;
        if !self.is_full(core.options.memtable_bytes) {
            return Ok(());
        }
        let frozen_bytes = core.frozen_bytes();
        if frozen_bytes > core.options.memory_bytes.saturating_mul(2).max(core.options.memtable_bytes * 8) as u64 {
            return Err(Error::Overloaded { frozen_bytes });
        }
        self.freeze(core).await.map_err(|cause| Error::Poisoned { cause: core.poison(cause) })
    }

    /// A large memtable is full when it holds so much memory; a small one, whose chunks are coarse, when it needs it.
    fn is_full(&self, memtable_bytes: usize) -> bool {
        if memtable_bytes >= COARSE_BYTES {
            return self.memtable.allocated_bytes() >= memtable_bytes;
        }
        self.memtable.usage().needed_bytes() >= memtable_bytes
    }

    /// Puts an empty memtable, and a segment of the log that belongs to it, in the place of the present ones.
    async fn freeze(&mut self, core: &Arc<Core<W>>) -> Result<(), DiskError> {
        if self.memtable.usage().is_empty() {
            return Ok(());
        }
        let last = core.published();
        self.writer.rotate(last.plus(1)).await?;
        self.is_sync_due = false;
        self.report(core);
        let full = mem::replace(&mut self.memtable, Arc::new(Memtable::new(core.options.memtable_bytes)));
        let frozen = Arc::new(Frozen { memtable: full, log: self.writer.began(), last });
        core.install(|view| {
            view.memtable = Arc::clone(&self.memtable);
            view.frozen.insert(0, frozen);
        });
        core.pressure.update(core);
        core.flush_bell.notify_one();
        Ok(())
    }

    /// Writes the admitted batches, as durably as promised.
    async fn append(
        &mut self,
        core: &Arc<Core<W>>,
        group: &[WriteRequest],
        admissions: &[Admission],
    ) -> Result<(), DiskError> {
        let appends: Vec<Append<'_>> = group
            .iter()
            .zip(admissions)
            .filter_map(|(request, admission)| match admission {
                Admission::Admitted(first_sequence) if !request.batch.is_empty() => {
                    let (count, encoded) = (request.batch.count(), request.batch.encoded());
                    Some(Append { first_sequence: *first_sequence, count, encoded })
                }
                _ => None,
            })
            .collect();
        self.writer.append(&appends).await?;
        match core.options.durability {
            Durability::Always => self.writer.sync().await,
            Durability::Interval(interval) => {
                if !self.writer.is_synced() && !self.is_sync_due {
                    self.is_sync_due = true;
                    sync_later(core, interval);
                }
                Ok(())
            }
            Durability::None => Ok(()),
        }
    }

    /// Publishes what was admitted, and answers everybody.
    fn succeed(&mut self, core: &Core<W>, group: Vec<WriteRequest>, admissions: Vec<Admission>) {
        let before = core.published();
        let (mut published, mut user_bytes, mut committed) = (before, 0, 0);
        let mut answers = Vec::with_capacity(group.len());
        for (request, admission) in group.into_iter().zip(admissions) {
            let WriteRequest { batch, reply, permit, .. } = request;
            let answer = match admission {
                Admission::Refused(key) => {
                    core.counters.batches_refused.fetch_add(1, Ordering::Relaxed);
                    Err(Error::PreconditionFailed { key: user_key(&key) })
                }
                Admission::Admitted(first_sequence) => {
                    committed += u64::from(!batch.is_empty());
                    for (index, operation) in batch.operations().enumerate() {
                        published = first_sequence.plus(index as u64);
                        user_bytes += insert(&self.memtable, published, &operation);
                    }
                    Ok(published)
                }
            };
            answers.push((reply, permit, answer));
        }
        assert!(published >= before, "sequences are published in order");
        core.published.store(published.0, Ordering::Release);
        core.counters.batches_committed.fetch_add(committed, Ordering::Relaxed);
        core.counters.operations_committed.fetch_add(published.0 - before.0, Ordering::Relaxed);
        core.counters.user_bytes.fetch_add(user_bytes, Ordering::Relaxed);
        self.report(core);
        for (reply, _permit, answer) in answers {
            let _ = reply.send(answer);
        }
    }

    async fn sync(&mut self, core: &Core<W>) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        if let Some(cause) = &core.trouble().poisoned {
            return Err(Error::Poisoned { cause: Arc::clone(cause) });
        }
        let synced = self.writer.sync().await;
        self.report(core);
        synced.map_err(|cause| Error::CommitFailed { cause: core.poison(cause) })
    }

    /// Ends writing: what comes later is refused, the log is sealed, the directory let go of.
    async fn close(&mut self, core: &Core<W>) -> Result<(), Error> {
        if mem::replace(&mut self.closed, true) {
            return Err(Error::Closed);
        }
        let poisoned = core.trouble().poisoned.clone();
        let sealed = match poisoned {
            Some(cause) => Err(Error::Poisoned { cause }),
            None => {
                let sealed = self.writer.seal(core.published().plus(1)).await;
                self.report(core);
                sealed.map_err(|cause| Error::CommitFailed { cause: core.poison(cause) })
            }
        };
        core.closed.store(true, Ordering::Release);
        sealed
    }

    fn report(&mut self, core: &Core<W>) {
        let wal = self.writer.counters();
        let before = mem::replace(&mut self.reported, wal);
        // These two go down as well, when segments are removed.
        core.counters.wal_segments.fetch_add(wal.segments - before.segments, Ordering::Relaxed);
        core.counters.wal_bytes.fetch_add(wal.bytes - before.bytes, Ordering::Relaxed);
        core.counters.wal_syncs.store(wal.syncs, Ordering::Relaxed);
        core.counters.wal_appends.store(wal.appends, Ordering::Relaxed);
        core.counters.wal_bytes_written.store(wal.bytes_written, Ordering::Relaxed);
    }
}

/// Puts one write into a memtable; returns the bytes of its key and value.
pub(super) fn insert(memtable: &Memtable, sequence: Sequence, operation: &OperationRef<'_>) -> u64 {
    match *operation {
        OperationRef::Put { key, value, expires_micros } => {
            memtable.insert(EntryRef { key, sequence, value: Some(value), expires_micros }, key_hash(key));
            (key.len() + value.len()) as u64
        }
        OperationRef::Delete { key } => {
            memtable.insert(EntryRef { key, sequence, value: None, expires_micros: 0 }, key_hash(key));
            key.len() as u64
        }
        OperationRef::DeleteRange { start, end } => {
            let copy = bytes::Bytes::copy_from_slice;
            memtable.insert_range_tombstone(RangeTombstone { start: copy(start), end: copy(end), sequence });
            (start.len() + end.len()) as u64
        }
    }
}

/// Asks for a sync when the interval has passed, for as long as the engine lives.
fn sync_later<W: World>(core: &Arc<Core<W>>, interval: std::time::Duration) {
    let (weak, clock) = (Arc::downgrade(core), core.world.clock().clone());
    let due = clock.now() + interval;
    core.world.tasks().spawn("sync later", async move {
        clock.sleep_until(due).await;
        if let Some(core) = weak.upgrade() {
            send(&core, Request::SyncDue);
        }
    });
}

/// Looks up what the preconditions of a group ask about. Who asks about what cannot be read is answered at once, and
/// leaves the group.
async fn look_up<W: World>(core: &Core<W>, group: Vec<WriteRequest>) -> (StateBefore, Vec<WriteRequest>) {
    let mut before = StateBefore::default();
    if group.iter().all(|request| request.batch.requirements.is_empty()) {
        return (before, group);
    }
    let mut readable = Vec::with_capacity(group.len());
    'next: for request in group {
        for requirement in &request.batch.requirements {
            let looked_up = match requirement {
                Requirement::Key { key, .. } if before.keys.contains_key(key) => Ok(()),
                Requirement::Key { key, .. } => read::key_state(core, key).await.map(|state| {
                    before.keys.insert(key.clone(), state);
                }),
                Requirement::RangeUnchanged { start, end, since } => {
                    let newest = read::newest_change(core, start, end, *since).await;
                    newest.map(|newest| before.note_range(start, end, newest))
                }
            };
            if let Err(error) = looked_up {
                let _ = request.reply.send(Err(error));
                continue 'next;
            }
        }
        readable.push(request);
    }
    // After the last view was looked at: what no compaction in it had forgotten, none will have.
    before.remembered_from = core.remembered_from();
    (before, readable)
}

/// Answers a group that was not written, or nobody knows. Who was refused has not written in any case.
fn fail(cause: &Arc<DiskError>, group: Vec<WriteRequest>, admissions: &[Admission]) {
    for (request, admission) in group.into_iter().zip(admissions) {
        let cause = Arc::clone(cause);
        let answer = match admission {
            Admission::Admitted(_) if !request.batch.is_empty() => Error::CommitFailed { cause },
            _ => Error::Poisoned { cause },
        };
        let _ = request.reply.send(Err(answer));
    }
}
