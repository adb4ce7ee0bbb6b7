//! The only task that writes: it takes what has queued up, commits it as one group, and answers.
//!
//! ```text
//!   queue ─▶ group ─▶ admit ─▶ one append ─▶ one sync (Always) ─▶ publish ─▶ answer all
//!     ▲                                         │
//!     └── writers that arrive meanwhile ◀───────┘  are the next group
//! ```
//!
//! Publishing comes after the sync: a reader never sees a write that a power loss could take back (at `Always`). A
//! failed append or sync answers `CommitFailed` to its group and poisons the engine: every later write is refused with
//! the cause, nothing is retried, reads go on. Refusals by a precondition are answered after the group they looked at
//! is safe, and cost no sync of their own.

use std::mem;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::batch::Batch;
use super::group::{Admission, admit};
use super::options::{Durability, Options};
use super::shared::{Progress, Shared};
use crate::error::Error;
use crate::format::Sequence;
use crate::wal::{Append, Writer};
use crate::world::{Clock, Disk, DiskError, Instant, World};

/// What callers ask of the committer.
pub(super) enum Request {
    /// Commit a batch.
    Write(WriteRequest),
    /// Make everything durable.
    Sync(oneshot::Sender<Result<(), Error>>),
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

/// The owner of the log's end.
pub(super) struct Committer<W: World> {
    world: W,
    writer: Writer<W::Disk>,
    lock: <W::Disk as Disk>::Lock,
    shared: Arc<Shared>,
    requests: UnboundedReceiver<Request>,
    durability: Durability,
    group_bytes_max: usize,
    progress: Progress,
    /// When the log must be synced at the latest; `None` while it is, or nothing demands it.
    sync_due: Option<Instant>,
}

impl<W: World> Committer<W> {
    pub(super) fn new(
        world: W,
        writer: Writer<W::Disk>,
        lock: <W::Disk as Disk>::Lock,
        shared: Arc<Shared>,
        requests: UnboundedReceiver<Request>,
        options: &Options,
    ) -> Self {
        Self {
            world,
            writer,
            lock,
            shared,
            requests,
            durability: options.durability,
            group_bytes_max: options.group_bytes_max,
            progress: Progress::default(),
            sync_due: None,
        }
    }

    /// Serves the queue until the engine is closed or nobody holds it any more.
    pub(super) async fn run(mut self) {
        loop {
            let mut request = match self.next_request().await {
                Event::SyncDue => {
                    // Nobody waits for it: a failure is told to the next writer.
                    let _ = self.sync().await;
                    continue;
                }
                Event::Abandoned => return,
                Event::Request(request) => Some(request),
            };
            while let Some(current) = request.take() {
                match current {
                    Request::Write(first) => request = self.commit(first).await,
                    Request::Sync(reply) => {
                        let _ = reply.send(self.sync().await);
                    }
                    Request::Close(reply) => return self.close(reply).await,
                }
            }
        }
    }

    async fn next_request(&mut self) -> Event {
        let next = match self.sync_due {
            None => self.requests.recv().await,
            Some(due) => tokio::select! {
                biased;
                () = self.world.clock().sleep_until(due) => return Event::SyncDue,
                next = self.requests.recv() => next,
            },
        };
        next.map_or(Event::Abandoned, Event::Request)
    }

    /// Commits `first` with the writes queued behind it. Returns the request that ended the group, if one did.
    async fn commit(&mut self, first: WriteRequest) -> Option<Request> {
        let (group, ended_by) = self.gather(first);
        if let Some(cause) = &self.progress.poisoned {
            for request in group {
                let _ = request.reply.send(Err(Error::Poisoned { cause: Arc::clone(cause) }));
            }
            return ended_by;
        }
        let published = self.shared.published();
        let current = |key: &[u8]| self.shared.newest(key).map(|entry| entry.sequence);
        let admissions = admit(group.iter().map(|request| &request.batch), published.plus(1), current);
        match self.append(&group, &admissions).await {
            Ok(()) => self.succeed(group, admissions),
            Err(cause) => self.fail(group, &admissions, cause),
        }
        ended_by
    }

    /// The group that begins with `first`: what is queued, up to the group's limit or the first other request.
    fn gather(&mut self, first: WriteRequest) -> (Vec<WriteRequest>, Option<Request>) {
        let mut bytes = first.encoded_bytes;
        let mut group = vec![first];
        while bytes < self.group_bytes_max {
            match self.requests.try_recv() {
                Ok(Request::Write(request)) => {
                    bytes += request.encoded_bytes;
                    group.push(request);
                }
                Ok(other) => return (group, Some(other)),
                Err(_) => break,
            }
        }
        (group, None)
    }

    /// Writes the admitted batches, as durably as promised.
    async fn append(&mut self, group: &[WriteRequest], admissions: &[Admission]) -> Result<(), DiskError> {
        let appends: Vec<Append<'_>> = group
            .iter()
            .zip(admissions)
            .filter_map(|(request, admission)| match admission {
                Admission::Admitted(first_sequence) if !request.batch.operations.is_empty() => {
                    Some(Append { first_sequence: *first_sequence, operations: &request.batch.operations })
                }
                _ => None,
            })
            .collect();
        self.writer.append(&appends).await?;
        match self.durability {
            Durability::Always => self.writer.sync().await,
            Durability::Interval(interval) => {
                if !self.writer.is_synced() && self.sync_due.is_none() {
                    self.sync_due = Some(self.world.clock().now() + interval);
                }
                Ok(())
            }
            Durability::None => Ok(()),
        }
    }

    /// Publishes what was admitted, and answers everybody.
    fn succeed(&mut self, group: Vec<WriteRequest>, admissions: Vec<Admission>) {
        let mut published = self.shared.published();
        let (mut writes, mut answers) = (Vec::new(), Vec::with_capacity(group.len()));
        for (request, admission) in group.into_iter().zip(admissions) {
            let answer = match admission {
                Admission::Refused(key) => {
                    self.progress.batches_refused += 1;
                    Err(Error::PreconditionFailed { key })
                }
                Admission::Admitted(first_sequence) => {
                    self.progress.batches_committed += u64::from(!request.batch.operations.is_empty());
                    for (index, operation) in request.batch.operations.into_iter().enumerate() {
                        published = first_sequence.plus(index as u64);
                        writes.push((published, operation));
                    }
                    Ok(published)
                }
            };
            answers.push((request.reply, request.permit, answer));
        }
        if !writes.is_empty() {
            self.shared.publish(writes, published);
        }
        self.report();
        for (reply, _permit, answer) in answers {
            let _ = reply.send(answer);
        }
    }

    /// Poisons the engine. Who was refused has not written in any case; who was admitted may have.
    fn fail(&mut self, group: Vec<WriteRequest>, admissions: &[Admission], cause: DiskError) {
        let cause = self.poison(cause);
        for (request, admission) in group.into_iter().zip(admissions) {
            let cause = Arc::clone(&cause);
            let answer = match admission {
                Admission::Admitted(_) if !request.batch.operations.is_empty() => Error::CommitFailed { cause },
                _ => Error::Poisoned { cause },
            };
            let _ = request.reply.send(Err(answer));
        }
    }

    async fn sync(&mut self) -> Result<(), Error> {
        self.sync_due = None;
        if let Some(cause) = &self.progress.poisoned {
            return Err(Error::Poisoned { cause: Arc::clone(cause) });
        }
        let synced = self.writer.sync().await;
        self.report();
        synced.map_err(|cause| Error::CommitFailed { cause: self.poison(cause) })
    }

    /// Ends the engine: what is queued behind this moment is refused, the log is sealed, the directory let go of.
    async fn close(mut self, reply: oneshot::Sender<Result<(), Error>>) {
        self.requests.close();
        while let Some(request) = self.requests.recv().await {
            match request {
                Request::Write(request) => mem::drop(request.reply.send(Err(Error::Closed))),
                Request::Sync(reply) | Request::Close(reply) => mem::drop(reply.send(Err(Error::Closed))),
            }
        }
        let sealed = match &self.progress.poisoned {
            Some(cause) => Err(Error::Poisoned { cause: Arc::clone(cause) }),
            None => {
                let sealed = self.writer.seal(self.shared.published().plus(1)).await;
                self.report();
                sealed.map_err(|cause| Error::CommitFailed { cause: self.poison(cause) })
            }
        };
        self.shared.close();
        // The directory is free before anybody hears that it is.
        let Self { writer, lock, .. } = self;
        mem::drop(writer);
        mem::drop(lock);
        let _ = reply.send(sealed);
    }

    fn poison(&mut self, cause: DiskError) -> Arc<DiskError> {
        let cause = Arc::new(cause);
        self.progress.poisoned = Some(Arc::clone(&cause));
        self.sync_due = None;
        self.report();
        cause
    }

    fn report(&mut self) {
        self.progress.wal = self.writer.counters();
        self.shared.report(self.progress.clone());
    }
}

/// What wakes the committer.
enum Event {
    Request(Request),
    /// The log must be synced.
    SyncDue,
    /// Nobody holds the engine any more.
    Abandoned,
}
