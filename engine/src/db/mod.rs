//! The database of one node: what callers hold.
//!
//! ```text
//!   callers ── write(batch) ─▶ queue ─▶ commit: WAL ─▶ memtable, published ─▶ acknowledge
//!      │                                    └ full? frozen ─▶ flush ─▶ tables ◀─▶ compact
//!      └────── get, scan ─▶ view: memtable, frozen memtables, tables
//!
//!   options      how an engine is opened              open         from the disk to an engine
//!   batch        atomic writes with preconditions     directory    whose folder this is: lock, marker, foreign files
//!   keyspace     separate sets of keys                core         what everybody below shares
//!   group        which batches are admitted           commit       one group, one append, one sync
//!   read         point reads                          iterate      ordered reads
//!   snapshot     who reads the past                   pressure     what a write has to wait for
//!   flush        memtables to tables                  compact      tables to fewer tables
//!   transaction  optimistic transactions              changes      every write in order, from the log
//!   checkpoint   a copy by links                      explain      why a read costs what it costs
//!   counters, statistics                              what was done, as numbers
//! ```
//!
//! Reads go on after writing has failed; they see what was published. Nothing here does I/O on `Drop`: an engine that is
//! not closed is simply recovered.

mod batch;
mod changes;
mod checkpoint;
mod commit;
mod compact;
mod core;
mod counters;
mod directory;
mod explain;
mod flush;
mod group;
mod iterate;
mod keyspace;
mod latency;
mod open;
mod options;
mod pressure;
mod read;
mod snapshot;
mod statistics;
mod transaction;

use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::oneshot;

use self::core::Core;
use crate::cost::ReadCost;
use crate::error::Error;
use crate::format::Sequence;
use crate::table::CursorSettings;
use crate::wal::Recovery;
use crate::world::{Clock, Tasks, WallTime, World};
pub use batch::{Batch, Expected};
pub use changes::{Change, ChangeKind, Changes};
pub(crate) use checkpoint::{Held, seal};
use commit::{Request, WriteRequest};
pub use compact::JobReport;
pub(crate) use directory::check as check_directory;
pub use explain::{ExplainStep, Explanation};
pub use iterate::{Direction, IterateOptions, ScanLimits, ScanPage, all_keys, prefix_range};
use iterate::{Iteration, Plan};
use keyspace::InternalKey;
pub use keyspace::Keyspace;
use latency::Latency;
pub use latency::LatencyStatistics;
pub use options::{Durability, Options};
use read::Lookup;
pub use snapshot::Snapshot;
pub use statistics::{LevelStatistics, MergeStatistics, Statistics};
pub use transaction::{Isolation, Transaction};

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

/// A handle to an open engine, and to one of its keyspaces. Clones are the same engine. When the last one is dropped
/// without [`Db::close`], the engine ends as if it had crashed, and nothing that was acknowledged as durable is lost.
pub struct Db<W: World> {
    core: Arc<Core<W>>,
    keyspace: Keyspace,
    alive: Arc<Alive<W>>,
}

/// Ends the background tasks when nobody holds the engine any more.
struct Alive<W: World> {
    core: Arc<Core<W>>,
}

impl<W: World> Drop for Alive<W> {
    fn drop(&mut self) {
        self.core.stop();
    }
}

impl<W: World> Db<W> {
    /// Opens the data directory, recovers its log and makes what it recovered durable.
    ///
    /// # Errors
    ///
    /// `BadOptions`, `Missing`, `NotOurs`, `InUse`, `NewerFormat`, `MarkerDamaged`, `Corrupt`: nothing was changed.
    /// `Disk`: opening again is safe.
    pub async fn open(world: W, directory: &Path, options: Options) -> Result<(Self, Recovery), Error> {
        let core = open::open(world, directory, options).await?;
        core.world.tasks().spawn_background("flush", flush::run(Arc::clone(&core)));
        core.world.tasks().spawn_background("compact", compact::run(Arc::clone(&core)));
        Ok(Self::hold(core))
    }

    /// Opens the data directory for reading, without a lock and without changing anything, also while another engine has
    /// it open: what is read is what the directory held at that moment.
    ///
    /// # Errors
    ///
    /// As [`Db::open`], without `InUse`.
    pub async fn open_read_only(world: W, directory: &Path, options: Options) -> Result<(Self, Recovery), Error> {
        open::open_read_only(world, directory, options).await.map(Self::hold)
    }

    fn hold(core: Arc<Core<W>>) -> (Self, Recovery) {
        let recovery = core.recovery.clone();
        let alive = Arc::new(Alive { core: Arc::clone(&core) });
        (Self { core, keyspace: Keyspace::DEFAULT, alive }, recovery)
    }

    /// The newest value of `key`; `None` when it was never written, is deleted or has expired.
    ///
    /// # Errors
    ///
    /// `Closed`; `Disk` and `Corrupt` when a table cannot be read.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Entry>, Error> {
        self.core.check_open()?;
        let internal = InternalKey::new(self.keyspace, key);
        let mut cost = ReadCost::default();
        let hash = read::hash_of(&internal);
        let began = Latency::is_sampled(hash).then(|| self.core.world.clock().now());
        let (lookup, tried) = {
            let (view, published) = self.core.read_view();
            let lookup = Lookup::hashed(internal.as_slice(), hash, published);
            // A view that is waited with is held by its own count.
            (lookup, read::try_newest(&view, lookup, &mut cost).ok_or_else(|| Arc::clone(&view)))
        };
        let found = match tried {
            Ok(found) => found?,
            Err(view) => {
                cost = ReadCost::default();
                read::newest_waiting(&view, lookup, &mut cost).await?
            }
        };
        let value = found.and_then(|version| read::value_of(version, || self.core.world.clock().wall()));
        self.core.counters.get(hash, value.is_some(), &cost);
        if let Some(began) = began {
            self.core.get_latency.record(self.now().saturating_since(began));
        }
        Ok(value.map(|(value, sequence)| Entry { value, sequence }))
    }

    /// The value of `key` as `snapshot` saw it.
    ///
    /// # Errors
    ///
    /// `Closed`, `SnapshotTooOld`; `Disk` and `Corrupt` when a table cannot be read.
    pub async fn get_at(&self, key: &[u8], snapshot: &Snapshot) -> Result<Option<Entry>, Error> {
        self.core.check_open()?;
        snapshot.check(self.core.world.clock().now())?;
        let view = self.core.view.load_full();
        let internal = InternalKey::new(self.keyspace, key);
        let lookup = Lookup::new(internal.as_slice(), snapshot.sequence());
        let mut cost = ReadCost::default();
        let found = read::newest(&view, lookup, &mut cost).await?;
        // What was found may have been given up while it was looked for.
        snapshot.check(self.core.world.clock().now())?;
        let value = found.and_then(|version| read::value_of(version, || snapshot.wall()));
        self.core.counters.get(lookup.hash(), value.is_some(), &cost);
        Ok(value.map(|(value, sequence)| Entry { value, sequence }))
    }

    /// Writes one value. See [`Db::write`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::write`], without `PreconditionFailed`.
    pub async fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<Sequence, Error> {
        let batch = self.batch().put(key, value);
        self.write(batch).await
    }

    /// Deletes one key, whether it exists or not. See [`Db::write`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::write`], without `PreconditionFailed`.
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<Sequence, Error> {
        let batch = self.batch().delete(key);
        self.write(batch).await
    }

    /// A batch whose keys mean this handle's keyspace.
    pub fn batch(&self) -> Batch {
        Batch::new().within(self.keyspace)
    }

    /// Applies a batch: all of it or nothing, if its preconditions hold. Returns the sequence of its last operation, or
    /// the newest published sequence if it has none; by then it is as durable as [`Durability`] promises, and every
    /// reader sees it. Dropping the future once it was polled may leave the write applied or not.
    ///
    /// # Errors
    ///
    /// [`Error::outcome`] says for each whether the batch may still be found applied after reopening.
    /// `PreconditionFailed` and the limits: change the request. `OutOfSpace`: make room. `CommitFailed`, `CommitLost`,
    /// `Poisoned`: reopen. `ReadOnly`, `Closed`.
    pub async fn write(&self, batch: Batch) -> Result<Sequence, Error> {
        let encoded_bytes = batch.check()?;
        self.check_writer()?;
        let began = self.core.write_latency.is_next_sampled().then(|| self.now());
        self.wait_for_pressure(encoded_bytes).await;
        let weight =
            u32::try_from(encoded_bytes + REQUEST_BYTES).expect("a batch within its limit weighs far below 2^32");
        let room = Arc::clone(&self.core.queue_room);
        let permit = room.acquire_many_owned(weight).await.map_err(|_| Error::Closed)?;
        let (reply, answer) = oneshot::channel();
        commit::send(&self.core, Request::Write(WriteRequest { batch, encoded_bytes, reply, permit }));
        let written = answer.await.unwrap_or(Err(Error::CommitLost));
        if let Some(began) = began {
            self.core.write_latency.record(self.now().saturating_since(began));
        }
        written
    }

    /// Begins a transaction on this keyspace.
    pub fn transaction(&self, isolation: Isolation) -> Transaction<W> {
        Transaction::begin(self.clone(), isolation)
    }

    /// The changes from `from` on, in all keyspaces. A snapshot's changes follow from its sequence plus one.
    pub fn changes(&self, from: Sequence) -> Changes<W> {
        Changes::new(Arc::clone(&self.core), from)
    }

    /// Reads `key` and tells what that took.
    ///
    /// # Errors
    ///
    /// Those of [`Db::get`].
    pub async fn explain(&self, key: &[u8]) -> Result<Explanation, Error> {
        self.core.check_open()?;
        explain::explain(&self.core, self.keyspace, key).await
    }

    /// A handle to the keyspace of this name, which is made if there is none.
    ///
    /// # Errors
    ///
    /// `NoKeyspace`, `ReadOnly`, `Poisoned`, `Closed`.
    pub async fn keyspace(&self, name: &str) -> Result<Self, Error> {
        self.core.check_open()?;
        let keyspace = self.core.keyspace(name).await?;
        Ok(Self { keyspace, ..self.clone() })
    }

    /// The keyspaces that have names, with their numbers; the default one has none.
    pub fn keyspaces(&self) -> Vec<(String, Keyspace)> {
        let keyspaces = self.core.keyspaces.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        keyspaces.iter().map(|(name, number)| (name.clone(), Keyspace(*number))).collect()
    }

    /// The keyspace that this handle means.
    pub fn own_keyspace(&self) -> Keyspace {
        self.keyspace
    }

    /// Makes a copy of the database in `directory`, which must not exist while its parent must: everything that was
    /// committed when this was called. Tables are linked, not copied, so both must lie on one file system.
    ///
    /// # Errors
    ///
    /// `Disk`, `OutOfSpace`, `Poisoned`, `ReadOnly`, `Closed`.
    pub async fn checkpoint(&self, directory: &Path) -> Result<Sequence, Error> {
        self.flush().await?;
        checkpoint::checkpoint(&self.core, directory).await
    }

    /// The tables of a moment not before this call, held open, with all that was committed before it: for copies.
    pub(crate) async fn hold_tables(&self) -> Result<Held<W>, Error> {
        self.flush().await?;
        checkpoint::hold(&self.core).await
    }

    /// The world it runs in.
    pub(crate) fn world(&self) -> &W {
        &self.core.world
    }

    pub(super) fn now(&self) -> crate::world::Instant {
        self.core.world.clock().now()
    }

    async fn wait_for_pressure(&self, bytes: usize) {
        let clock = self.core.world.clock();
        let Some(until) = self.core.pressure.wait(bytes, clock) else { return };
        let began = clock.now();
        clock.sleep_until(until).await;
        let micros = u64::try_from(clock.now().saturating_since(began).as_micros()).unwrap_or(u64::MAX);
        self.core.counters.delayed_writes.fetch_add(1, Ordering::Relaxed);
        self.core.counters.delayed_micros.fetch_add(micros, Ordering::Relaxed);
        self.core.counters.delay_micros_max.fetch_max(micros, Ordering::Relaxed);
    }

    /// What the engine holds now, for as long as the snapshot lives.
    pub fn snapshot(&self) -> Snapshot {
        self.core.snapshot()
    }

    /// A page of the keys in `range`, in order, as `snapshot` saw them; deleted keys are left out. The next page begins
    /// at [`ScanPage::next`].
    ///
    /// # Errors
    ///
    /// `Closed`, `SnapshotTooOld`; `Disk` and `Corrupt` when a table cannot be read.
    pub async fn scan(
        &self,
        range: (Bound<Bytes>, Bound<Bytes>),
        limits: ScanLimits,
        snapshot: &Snapshot,
    ) -> Result<ScanPage, Error> {
        let mut iteration = self.iterate(range, Direction::Forward, snapshot)?;
        let page = iterate::page(&mut iteration.inner, limits).await?;
        // What was read may have been given up while it was read.
        snapshot.check(self.core.world.clock().now())?;
        Ok(page)
    }

    /// The keys in `range` one by one, as `snapshot` saw them, in either direction.
    ///
    /// # Errors
    ///
    /// `Closed`, `SnapshotTooOld`.
    pub fn iterate(
        &self,
        range: (Bound<Bytes>, Bound<Bytes>),
        direction: Direction,
        snapshot: &Snapshot,
    ) -> Result<Iter<W>, Error> {
        self.iterate_with(range, direction, snapshot, IterateOptions::default())
    }

    /// [`Db::iterate`], and how it reads.
    ///
    /// # Errors
    ///
    /// Those of [`Db::iterate`].
    pub fn iterate_with(
        &self,
        range: (Bound<Bytes>, Bound<Bytes>),
        direction: Direction,
        snapshot: &Snapshot,
        options: IterateOptions,
    ) -> Result<Iter<W>, Error> {
        self.core.check_open()?;
        let settings = options.settings();
        let plan = Plan { settings, ..self.plan(range, direction, snapshot.sequence(), snapshot.wall()) };
        let view = self.core.view.load_full();
        // Before the view was taken it may have been given up, and what it needs forgotten.
        snapshot.check(self.core.world.clock().now())?;
        let inner = Iteration::new(&view, plan);
        Ok(Iter { core: Arc::clone(&self.core), inner, entries: 0, began: self.now() })
    }

    fn plan(&self, range: (Bound<Bytes>, Bound<Bytes>), direction: Direction, at: Sequence, wall: WallTime) -> Plan {
        let (start, end) = self.keyspace.range(&range);
        Plan { start, end, direction, at, wall, settings: CursorSettings::default() }
    }

    /// What the engine has done and holds.
    pub fn statistics(&self) -> Statistics {
        statistics::statistics(&self.core)
    }

    /// Makes every write that was acknowledged durable, whatever the durability level.
    ///
    /// # Errors
    ///
    /// `CommitFailed`, `Poisoned`, `ReadOnly`, `Closed`.
    pub async fn sync(&self) -> Result<(), Error> {
        self.ask(Request::Sync).await
    }

    /// Writes every memtable to a table, and waits until that is done.
    ///
    /// # Errors
    ///
    /// `Disk`, `OutOfSpace`, `Poisoned`, `ReadOnly`, `Closed`.
    pub async fn flush(&self) -> Result<(), Error> {
        self.ask(Request::Freeze).await?;
        self.core.until_flushed().await
    }

    /// Writes every memtable to a table, and waits until no compaction is left to do.
    ///
    /// # Errors
    ///
    /// `Disk`, `OutOfSpace`, `Poisoned`, `ReadOnly`, `Closed`.
    pub async fn settle(&self) -> Result<(), Error> {
        self.flush().await?;
        compact::until_settled(&self.core).await
    }

    /// Merges everything into the last level, and waits until that is done: no old version, no tombstone is left that no
    /// snapshot needs. Memtables are flushed first.
    ///
    /// # Errors
    ///
    /// `Disk`, `Corrupt`, `OutOfSpace`, `Poisoned`, `ReadOnly`, `Closed`.
    pub async fn compact(&self) -> Result<(), Error> {
        self.flush().await?;
        compact::everything(&self.core).await
    }

    /// Makes everything durable, seals the log so that all of it is proven, and lets go of the directory. Writes that
    /// were queued before are done first, later ones are refused, as are reads. Closing a closed engine does nothing.
    ///
    /// # Errors
    ///
    /// `CommitFailed`, `Poisoned`: the directory was let go of, reopening it recovers.
    pub async fn close(&self) -> Result<(), Error> {
        let sealed = match self.ask(Request::Close).await {
            Err(Error::Closed) => return Ok(()),
            Err(Error::ReadOnly) => {
                self.core.closed.store(true, Ordering::Release);
                return Ok(());
            }
            sealed => sealed,
        };
        self.core.stop();
        self.core.until_idle().await;
        // The directory is free before anybody hears that it is.
        drop(self.core.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        sealed
    }

    fn check_writer(&self) -> Result<(), Error> {
        self.core.check_open()?;
        if self.core.is_read_only() { Err(Error::ReadOnly) } else { Ok(()) }
    }

    async fn ask(&self, request: impl FnOnce(oneshot::Sender<Result<(), Error>>) -> Request) -> Result<(), Error> {
        self.check_writer()?;
        let (reply, answer) = oneshot::channel();
        commit::send(&self.core, request(reply));
        answer.await.unwrap_or(Err(Error::CommitLost))
    }
}

/// An ordered read under way: see [`Db::iterate`]. It keeps what it reads from, also files that were replaced meanwhile.
pub struct Iter<W: World> {
    core: Arc<Core<W>>,
    inner: Iteration<W>,
    entries: u64,
    began: crate::world::Instant,
}

impl<W: World> Iter<W> {
    /// The next key with its value; `None` behind the last.
    ///
    /// # Errors
    ///
    /// `Disk` and `Corrupt` when a table cannot be read; the iteration is then over.
    pub async fn next(&mut self) -> Result<Option<(Bytes, Entry)>, Error> {
        let next = self.inner.next().await?;
        self.entries += u64::from(next.is_some());
        Ok(next)
    }
}

impl<W: World> Drop for Iter<W> {
    fn drop(&mut self) {
        self.core.counters.scan(self.entries, &self.inner.take_cost());
        self.core.scan_latency.record(self.core.world.clock().now().saturating_since(self.began));
    }
}

impl<W: World> Clone for Db<W> {
    fn clone(&self) -> Self {
        let (core, alive) = (Arc::clone(&self.core), Arc::clone(&self.alive));
        Self { core, keyspace: self.keyspace, alive }
    }
}

impl<W: World> fmt::Debug for Db<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Db").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}
