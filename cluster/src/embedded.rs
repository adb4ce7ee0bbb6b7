//! The engine used directly, without a server: `stormglass put --data DIR`.
//!
//! The directory is claimed for embedded use the first time, as a node claims its own: neither opens the other's by mistake.
//! Keys keep the node's layout (keyspace, partition 0), values are stored as they are, without a stamp.

use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use engine::world::{WallTime, World};
use engine::{Batch, Db, Direction, Options, ScanLimits};

use crate::limits;
use crate::node::{StartError, claim};
use crate::replica::{DATA_KEYSPACE, PREFIX_BYTES, engine_key};
use crate::ring::PartitionId;

/// A database directory without a cluster.
pub struct Embedded<W: World> {
    db: Db<W>,
}

impl<W: World> Embedded<W> {
    /// Opens the directory; creates it when `options` say so.
    pub async fn open(world: W, directory: &Path, options: Options) -> Result<Self, StartError> {
        let (db, _) = Db::open(world, directory, options).await?;
        if let Err(error) = claim(&db, directory, "an embedded database").await {
            db.close().await?;
            return Err(error);
        }
        Ok(Self { db })
    }

    /// The engine below.
    pub fn db(&self) -> &Db<W> {
        &self.db
    }

    /// A key's value.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, engine::Error> {
        Ok(self.db.get(&own_key(key)).await?.map(|entry| entry.value))
    }

    /// Stores a value.
    pub async fn put(&self, key: &[u8], value: Bytes) -> Result<(), engine::Error> {
        self.db.put(own_key(key), value).await.map(|_| ())
    }

    /// Stores a value that counts as deleted from `expires` on.
    pub async fn put_until(&self, key: &[u8], value: Bytes, expires: WallTime) -> Result<(), engine::Error> {
        self.db.write(Batch::new().put_until(own_key(key), value, expires)).await.map(|_| ())
    }

    /// Deletes a key.
    pub async fn delete(&self, key: &[u8]) -> Result<(), engine::Error> {
        self.db.delete(own_key(key)).await.map(|_| ())
    }

    /// Up to `limit` keys with values from `from` to `until` (exclusive; empty for no end), and where the next page begins.
    pub async fn scan(
        &self,
        from: &[u8],
        until: &[u8],
        limit: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, Option<Bytes>), engine::Error> {
        let range = own_range(from, until);
        let limits = ScanLimits { entries: limit, bytes: limits::MAX_VALUE_BYTES };
        let page = self.db.scan(range, limits, &self.db.snapshot()).await?;
        let rows = page.entries.into_iter().map(|(key, entry)| (key.slice(PREFIX_BYTES..), entry.value));
        Ok((rows.collect(), page.next.map(|next| next.slice(PREFIX_BYTES..))))
    }

    /// Up to `limit` keys with values from `from` to `until` (exclusive; empty for no end), the last one first. The next
    /// page is the one until the last key of this one.
    pub async fn scan_back(
        &self,
        from: &[u8],
        until: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, engine::Error> {
        let mut rows = Vec::new();
        let mut iteration = self.db.iterate(own_range(from, until), Direction::Backward, &self.db.snapshot())?;
        while rows.len() < limit
            && let Some((key, entry)) = iteration.next().await?
        {
            rows.push((key.slice(PREFIX_BYTES..), entry.value));
        }
        Ok(rows)
    }

    /// Makes everything durable and lets go of the directory.
    pub async fn close(&self) -> Result<(), engine::Error> {
        self.db.close().await
    }
}

fn own_key(key: &[u8]) -> Bytes {
    engine_key(DATA_KEYSPACE, PartitionId(0), key)
}

fn own_range(from: &[u8], until: &[u8]) -> (Bound<Bytes>, Bound<Bytes>) {
    let end = if until.is_empty() { engine_key(DATA_KEYSPACE, PartitionId(1), &[]) } else { own_key(until) };
    (Bound::Included(own_key(from)), Bound::Excluded(end))
}

/// The engine's key of a user's key in a partition; the directory of an embedded database has only partition 0.
pub fn key_in_partition(partition: u16, key: &[u8]) -> Bytes {
    engine_key(DATA_KEYSPACE, PartitionId(partition), key)
}
