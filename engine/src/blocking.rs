//! The engine for programs without an asynchronous runtime: the same calls, and each returns when it is done.
//!
//! ```text
//!   let world = RealWorld::standalone();                       its I/O threads and background tasks are its own
//!   let (db, _) = BlockingDb::open(world, real::wait, path, Options::default())?;
//!   db.put("storm", "glass")?;                                 on this thread, without a switch to another
//! ```
//!
//! How to wait is the world's business, so it is handed in. Everything else is [`Db`]'s.

use std::future::Future;
use std::ops::Bound;
use std::path::Path;
use std::pin::{Pin, pin};

use bytes::Bytes;

use crate::db::{
    Batch, Changes, Db, Direction, Entry, Explanation, Isolation, Iter, IterateOptions, Options, ScanLimits, ScanPage,
    Snapshot, Statistics, Transaction,
};
use crate::error::Error;
use crate::format::Sequence;
use crate::wal::Recovery;
use crate::world::World;

/// Waits for a future to end.
pub type Wait = fn(Pin<&mut (dyn Future<Output = ()> + '_)>);

/// Waits with `wait` and hands on the result.
fn block<T>(wait: Wait, future: impl Future<Output = T>) -> T {
    let mut result = None;
    {
        let waiting = pin!(async { result = Some(future.await) });
        wait(waiting);
    }
    result.expect("waiting ends when the future has")
}

/// A [`Db`] whose calls return when they are done.
pub struct BlockingDb<W: World> {
    db: Db<W>,
    wait: Wait,
}

impl<W: World> Clone for BlockingDb<W> {
    fn clone(&self) -> Self {
        Self { db: self.db.clone(), wait: self.wait }
    }
}

impl<W: World> BlockingDb<W> {
    /// See [`Db::open`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::open`].
    pub fn open(world: W, wait: Wait, directory: &Path, options: Options) -> Result<(Self, Recovery), Error> {
        let (db, recovery) = block(wait, Db::open(world, directory, options))?;
        Ok((Self { db, wait }, recovery))
    }

    /// See [`Db::open_read_only`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::open_read_only`].
    pub fn open_read_only(world: W, wait: Wait, directory: &Path, options: Options) -> Result<(Self, Recovery), Error> {
        let (db, recovery) = block(wait, Db::open_read_only(world, directory, options))?;
        Ok((Self { db, wait }, recovery))
    }

    /// The engine below, for what has no blocking form.
    pub fn db(&self) -> &Db<W> {
        &self.db
    }

    /// See [`Db::get`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::get`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Entry>, Error> {
        block(self.wait, self.db.get(key))
    }

    /// See [`Db::get_at`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::get_at`].
    pub fn get_at(&self, key: &[u8], snapshot: &Snapshot) -> Result<Option<Entry>, Error> {
        block(self.wait, self.db.get_at(key, snapshot))
    }

    /// See [`Db::put`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::put`].
    pub fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<Sequence, Error> {
        block(self.wait, self.db.put(key, value))
    }

    /// See [`Db::delete`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::delete`].
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<Sequence, Error> {
        block(self.wait, self.db.delete(key))
    }

    /// See [`Db::batch`].
    pub fn batch(&self) -> Batch {
        self.db.batch()
    }

    /// See [`Db::write`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::write`].
    pub fn write(&self, batch: Batch) -> Result<Sequence, Error> {
        block(self.wait, self.db.write(batch))
    }

    /// See [`Db::snapshot`].
    pub fn snapshot(&self) -> Snapshot {
        self.db.snapshot()
    }

    /// See [`Db::scan`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::scan`].
    pub fn scan(
        &self,
        range: (Bound<Bytes>, Bound<Bytes>),
        limits: ScanLimits,
        snapshot: &Snapshot,
    ) -> Result<ScanPage, Error> {
        block(self.wait, self.db.scan(range, limits, snapshot))
    }

    /// See [`Db::iterate`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::iterate`]; each step its own.
    pub fn iterate(
        &self,
        range: (Bound<Bytes>, Bound<Bytes>),
        direction: Direction,
        snapshot: &Snapshot,
    ) -> Result<BlockingIter<W>, Error> {
        self.iterate_with(range, direction, snapshot, IterateOptions::default())
    }

    /// See [`Db::iterate_with`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::iterate`]; each step its own.
    pub fn iterate_with(
        &self,
        range: (Bound<Bytes>, Bound<Bytes>),
        direction: Direction,
        snapshot: &Snapshot,
        options: IterateOptions,
    ) -> Result<BlockingIter<W>, Error> {
        Ok(BlockingIter { iter: self.db.iterate_with(range, direction, snapshot, options)?, wait: self.wait })
    }

    /// See [`Db::transaction`].
    pub fn transaction(&self, isolation: Isolation) -> BlockingTransaction<W> {
        BlockingTransaction { transaction: self.db.transaction(isolation), wait: self.wait }
    }

    /// See [`Db::changes`].
    pub fn changes(&self, from: Sequence) -> BlockingChanges<W> {
        BlockingChanges { changes: self.db.changes(from), wait: self.wait }
    }

    /// See [`Db::keyspace`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::keyspace`].
    pub fn keyspace(&self, name: &str) -> Result<Self, Error> {
        Ok(Self { db: block(self.wait, self.db.keyspace(name))?, wait: self.wait })
    }

    /// See [`Db::explain`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::explain`].
    pub fn explain(&self, key: &[u8]) -> Result<Explanation, Error> {
        block(self.wait, self.db.explain(key))
    }

    /// See [`Db::statistics`].
    pub fn statistics(&self) -> Statistics {
        self.db.statistics()
    }

    /// See [`Db::sync`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::sync`].
    pub fn sync(&self) -> Result<(), Error> {
        block(self.wait, self.db.sync())
    }

    /// See [`Db::flush`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::flush`].
    pub fn flush(&self) -> Result<(), Error> {
        block(self.wait, self.db.flush())
    }

    /// See [`Db::settle`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::settle`].
    pub fn settle(&self) -> Result<(), Error> {
        block(self.wait, self.db.settle())
    }

    /// See [`Db::compact`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::compact`].
    pub fn compact(&self) -> Result<(), Error> {
        block(self.wait, self.db.compact())
    }

    /// See [`Db::checkpoint`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::checkpoint`].
    pub fn checkpoint(&self, directory: &Path) -> Result<Sequence, Error> {
        block(self.wait, self.db.checkpoint(directory))
    }

    /// See [`Db::close`].
    ///
    /// # Errors
    ///
    /// Those of [`Db::close`].
    pub fn close(&self) -> Result<(), Error> {
        block(self.wait, self.db.close())
    }
}

/// An ordered read whose steps return when they are done.
pub struct BlockingIter<W: World> {
    iter: Iter<W>,
    wait: Wait,
}

impl<W: World> Iterator for BlockingIter<W> {
    type Item = Result<(Bytes, Entry), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        block(self.wait, self.iter.next()).transpose()
    }
}

/// A transaction whose calls return when they are done.
pub struct BlockingTransaction<W: World> {
    transaction: Transaction<W>,
    wait: Wait,
}

impl<W: World> BlockingTransaction<W> {
    /// See [`Transaction::get`].
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::get`].
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        block(self.wait, self.transaction.get(key))
    }

    /// See [`Transaction::put`].
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.transaction.put(key, value);
    }

    /// See [`Transaction::delete`].
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.transaction.delete(key);
    }

    /// See [`Transaction::commit`].
    ///
    /// # Errors
    ///
    /// Those of [`Transaction::commit`].
    pub fn commit(self) -> Result<Sequence, Error> {
        block(self.wait, self.transaction.commit())
    }
}

/// A change stream whose pages return when they are read.
pub struct BlockingChanges<W: World> {
    changes: Changes<W>,
    wait: Wait,
}

impl<W: World> BlockingChanges<W> {
    /// See [`Changes::next`].
    ///
    /// # Errors
    ///
    /// Those of [`Changes::next`].
    pub fn next(&mut self, most: usize) -> Result<Vec<crate::db::Change>, Error> {
        block(self.wait, self.changes.next(most))
    }
}
