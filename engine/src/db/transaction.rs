//! Optimistic transactions: read a snapshot, write into a batch, and let the commit find out whether anybody was faster.
//!
//! ```text
//!   begin ─▶ snapshot at 7      get, scan: the snapshot, and the transaction's own writes over it
//!   commit ─▶ one batch, if no written key has changed since 7               snapshot isolation
//!                           and no key or range that was read has either     serializable
//!          ─▶ Conflict: begin again
//! ```
//!
//! Nothing is locked, and a transaction that is dropped leaves no trace. Snapshot isolation lets two transactions that
//! read each other's keys and write their own both commit (write skew); serializable refuses the second.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;

use super::batch::Expected;
use super::iterate::Direction;
use super::snapshot::Snapshot;
use super::{Db, Entry};
use crate::error::Error;
use crate::format::Sequence;
use crate::world::World;

/// What a transaction's commit makes sure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// No key that it writes was written by anybody since it began.
    #[default]
    Snapshot,
    /// Nor was any key or range that it read: the result is that of the transactions one after the other.
    Serializable,
}

/// A transaction under way, on one keyspace.
pub struct Transaction<W: World> {
    db: Db<W>,
    snapshot: Snapshot,
    isolation: Isolation,
    writes: BTreeMap<Bytes, Option<Bytes>>,
    keys_read: BTreeSet<Bytes>,
    ranges_read: Vec<(Bound<Bytes>, Bound<Bytes>)>,
}

impl<W: World> Transaction<W> {
    pub(super) fn begin(db: Db<W>, isolation: Isolation) -> Self {
        let snapshot = db.snapshot();
        let (writes, keys_read, ranges_read) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        Self { db, snapshot, isolation, writes, keys_read, ranges_read }
    }

    /// The value of `key`: the transaction's own write, or what the snapshot saw.
    ///
    /// # Errors
    ///
    /// Those of [`Db::get_at`].
    pub async fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        if let Some(written) = self.writes.get(key) {
            return Ok(written.clone());
        }
        if self.isolation == Isolation::Serializable {
            self.keys_read.insert(Bytes::copy_from_slice(key));
        }
        Ok(self.db.get_at(key, &self.snapshot).await?.map(|entry| entry.value))
    }

    /// Up to `limit` keys of a range with their values, in order: the transaction's own writes over what the snapshot saw.
    ///
    /// # Errors
    ///
    /// Those of [`Db::scan`].
    pub async fn scan(
        &mut self,
        range: (Bound<Bytes>, Bound<Bytes>),
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, Error> {
        if self.isolation == Isolation::Serializable {
            self.ranges_read.push(range.clone());
        }
        let mut found: BTreeMap<Bytes, Bytes> = BTreeMap::new();
        let mut iteration = self.db.iterate(range.clone(), Direction::Forward, &self.snapshot)?;
        let own = |key: &Bytes| self.writes.get(key);
        while found.len() < limit {
            let Some((key, Entry { value, .. })) = iteration.next().await? else { break };
            if own(&key).is_none() {
                found.insert(key, value);
            }
        }
        // Behind the last key of a full page the snapshot was not looked at: own writes there wait for the next page.
        let is_full = found.len() >= limit;
        let last = found.last_key_value().map(|(key, _)| key.clone()).filter(|_| is_full);
        for (key, value) in &self.writes {
            let in_range = std::ops::RangeBounds::contains(&range, key);
            if in_range
                && last.as_ref().is_none_or(|last| key < last)
                && let Some(value) = value
            {
                found.insert(key.clone(), value.clone());
            }
        }
        while found.len() > limit {
            found.pop_last();
        }
        Ok(found.into_iter().collect())
    }

    /// Writes `value` to `key`, for this transaction's eyes until it commits.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let value = Bytes::copy_from_slice(value.as_ref());
        self.writes.insert(Bytes::copy_from_slice(key.as_ref()), Some(value));
    }

    /// Deletes `key`, for this transaction's eyes until it commits.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.writes.insert(Bytes::copy_from_slice(key.as_ref()), None);
    }

    /// What the transaction reads at.
    pub fn sequence(&self) -> Sequence {
        self.snapshot.sequence()
    }

    /// Makes the writes happen, all of them or none.
    ///
    /// # Errors
    ///
    /// `Conflict`: nothing was applied, begin again. Those of [`Db::write`], and `SnapshotTooOld`.
    pub async fn commit(self) -> Result<Sequence, Error> {
        let since = self.snapshot.sequence();
        self.snapshot.check(self.db.now())?;
        let mut batch = self.db.batch();
        for key in self.writes.keys().chain(self.keys_read.iter().filter(|key| !self.writes.contains_key(*key))) {
            batch = batch.require(key, Expected::UnchangedSince(since));
        }
        for range in &self.ranges_read {
            batch = batch.require_range(range.clone(), since);
        }
        for (key, value) in &self.writes {
            match value {
                Some(value) => batch.add_put(key, value, 0),
                None => batch.add_delete(key),
            }
        }
        // The snapshot lives until the commit is decided: nothing that it must be held against is forgotten before. If it is
        // given up meanwhile, or this future dropped, the commit finds out that it cannot be decided, and refuses.
        let written = self.db.write(batch).await;
        written.map_err(|error| match error {
            Error::PreconditionFailed { key } => {
                self.snapshot.check(self.db.now()).err().unwrap_or(Error::Conflict { key })
            }
            other => other,
        })
    }
}
