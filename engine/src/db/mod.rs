//! The database of one node: what callers hold.
//!
//! ```text
//!   callers ── write(batch) ─▶ queue ─▶ committer (one task) ─▶ WAL ─▶ memtable, published ─▶ acknowledge
//!      └────── get, scan ────────────────────────────────────────────────▶ memtable
//!
//!   options      how an engine is opened
//!   batch        atomic writes with preconditions
//!   directory    whose folder this is: lock, marker, foreign files
//!   group        which batches of a group are admitted: a pure decision
//!   committer    the only task that writes
//!   shared       what readers and the committer share: memtable, published sequence, live snapshots
//!   scan         ordered pages
//! ```
//!
//! Reads go on after writing has failed; they see what was published. Nothing here runs on `Drop` except that a
//! snapshot is struck off a list: an engine that is not closed is simply recovered.

mod batch;
mod committer;
mod directory;
mod group;
mod options;
mod scan;
mod shared;

use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::error::Error;
use crate::format::Sequence;
use crate::format::operation::Operation;
use crate::memtable::Memtable;
use crate::wal::{self, Recovery, Writer};
use crate::world::{Disk, Tasks, World};
pub use batch::{Batch, Expected};
use committer::{Committer, Request, WriteRequest};
pub use options::{Durability, Options};
pub use scan::{ScanLimits, ScanPage};
use shared::Shared;
pub use shared::{Snapshot, Statistics};

/// Encoded bytes of writes that may wait for the committer; whoever comes later waits outside, in order.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// What a write weighs in the queue besides its own bytes.
const REQUEST_BYTES: usize = 256;

/// A value, and when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Bytes,
    /// The sequence of the write. It identifies this version of the key: see [`Expected::At`].
    pub sequence: Sequence,
}

/// A handle to an open engine. Clones are the same engine. When the last one is dropped without [`Db::close`], the
/// engine ends as if it had crashed, and nothing that was acknowledged as durable is lost.
pub struct Db<W: World> {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Request>,
    queue: Arc<Semaphore>,
    world: PhantomData<W>,
}

impl<W: World> Db<W> {
    /// Opens the data directory, recovers its log and makes what it recovered durable.
    ///
    /// # Errors
    ///
    /// `Missing`, `NotOurs`, `InUse`, `NewerFormat`, `MarkerDamaged`, `Corrupt`: nothing was changed. `Disk`: opening
    /// again is safe.
    pub async fn open(world: W, directory: &Path, options: Options) -> Result<(Self, Recovery), Error> {
        let disk = world.disk();
        let lock = directory::claim(disk, directory, options.create_if_missing).await?;
        let entries = disk.list(directory).await?;
        let memtable = Memtable::default();
        let log = wal::read_log(disk, directory, &entries, |sequence, operation| {
            // Copied: a slice would keep its whole record in memory.
            let key = Bytes::copy_from_slice(&operation.key);
            let value = operation.value.map(|value| Bytes::copy_from_slice(&value));
            memtable.insert([(sequence, Operation { key, value })], |_, _| false);
        })
        .await?;
        let recovery = wal::repair(disk, directory, &log).await?;
        let writer = Writer::begin(disk.clone(), directory.to_path_buf(), options.segment_bytes, &log).await?;

        let shared = Arc::new(Shared::new(memtable, recovery.sequence, writer.counters()));
        let (requests, queued) = mpsc::unbounded_channel();
        let committer = Committer::new(world.clone(), writer, lock, Arc::clone(&shared), queued, &options);
        world.tasks().spawn("commit", committer.run());
        let queue = Arc::new(Semaphore::new(QUEUE_BYTES));
        Ok((Self { shared, requests, queue, world: PhantomData }, recovery))
    }

    /// The newest value of `key`; `None` when it was never written or is deleted.
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Entry>, Error> {
        self.shared.check_open()?;
        Ok(self.shared.newest(key))
    }

    /// The value of `key` as `snapshot` saw it.
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub async fn get_at(&self, key: &[u8], snapshot: &Snapshot) -> Result<Option<Entry>, Error> {
        self.shared.check_open()?;
        Ok(self.shared.at(key, snapshot.sequence()))
    }

    /// Writes one value. See [`Db::write`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::write`], without `PreconditionFailed`.
    pub async fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<Sequence, Error> {
        let batch = Batch::new().put(key, value);
        self.write(batch).await
    }

    /// Deletes one key, whether it exists or not. See [`Db::write`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::write`], without `PreconditionFailed`.
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<Sequence, Error> {
        let batch = Batch::new().delete(key);
        self.write(batch).await
    }

    /// Applies a batch: all of it or nothing, if its preconditions hold. Returns the sequence of its last operation, or
    /// the newest published sequence if it has none; by then it is as durable as [`Durability`] promises, and every
    /// reader sees it. Dropping the future once it was polled may leave the write applied or not.
    ///
    /// # Errors
    ///
    /// [`Error::outcome`] says for each whether the batch may still be found applied after reopening.
    /// `PreconditionFailed` and the limits: change the request. `CommitFailed`, `CommitLost`, `Poisoned`: reopen.
    /// `Closed`.
    pub async fn write(&self, batch: Batch) -> Result<Sequence, Error> {
        let encoded_bytes = batch.check()?;
        let weight =
            u32::try_from(encoded_bytes + REQUEST_BYTES).expect("a batch within its limit weighs far below 2^32");
        let permit = Arc::clone(&self.queue).acquire_many_owned(weight).await.map_err(|_| Error::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.send(Request::Write(WriteRequest { batch, encoded_bytes, reply, permit }), answer).await
    }

    /// What the engine holds now, for as long as the snapshot lives.
    pub fn snapshot(&self) -> Snapshot {
        Shared::snapshot(&self.shared)
    }

    /// A page of the keys in `range`, in order, as `snapshot` saw them; deleted keys are left out. The next page begins
    /// at [`ScanPage::next`].
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub async fn scan(
        &self,
        range: (Bound<Bytes>, Bound<Bytes>),
        limits: ScanLimits,
        snapshot: &Snapshot,
    ) -> Result<ScanPage, Error> {
        self.shared.check_open()?;
        Ok(scan::page(&self.shared, range, limits, snapshot.sequence()))
    }

    /// What the engine has done and holds.
    pub fn statistics(&self) -> Statistics {
        self.shared.statistics()
    }

    /// Makes every write that was acknowledged durable, whatever the durability level.
    ///
    /// # Errors
    ///
    /// `CommitFailed`, `Poisoned`, `Closed`.
    pub async fn sync(&self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Sync(reply), answer).await
    }

    /// Makes everything durable, seals the log so that all of it is proven, and lets go of the directory. Writes that
    /// were queued before are done first, later ones are refused, as are reads. Closing a closed engine does nothing.
    ///
    /// # Errors
    ///
    /// `CommitFailed`, `Poisoned`: the directory was let go of, reopening it recovers.
    pub async fn close(&self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        match self.send(Request::Close(reply), answer).await {
            Err(Error::Closed) => Ok(()),
            other => other,
        }
    }

    async fn send<T>(&self, request: Request, answer: oneshot::Receiver<Result<T, Error>>) -> Result<T, Error> {
        self.requests.send(request).map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::CommitLost))
    }
}

impl<W: World> Clone for Db<W> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            requests: self.requests.clone(),
            queue: Arc::clone(&self.queue),
            world: PhantomData,
        }
    }
}

impl<W: World> fmt::Debug for Db<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Db").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}
