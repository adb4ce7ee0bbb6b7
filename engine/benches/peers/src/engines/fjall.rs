//! fjall, with its defaults except for what all engines are given alike.

use std::path::Path;
use std::time::Duration;

use fjall::config::BlockSizePolicy;
use fjall::config::{BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};

use super::{Engine, Failure, Visit};
use crate::data::{Key, Seen};
use crate::settings::{BLOCK_BYTES, Compression, Durability, FILTER_BITS, MEMTABLE_BYTES, Settings};

/// How often to look whether the background is done.
const GLANCE: Duration = Duration::from_millis(1);
/// So many glances in a row that find nothing to do mean that nothing follows.
const IDLE_GLANCES: u32 = 20;

/// fjall, open.
pub(super) struct Fjall {
    keyspace: Keyspace,
    database: Database,
    durability: Durability,
}

/// How it is set up.
pub(super) const SETUP: &str =
    "block cache, filters and indexes of its upper levels pinned; Bloom filters; else its defaults";

/// What an acknowledged write has gone through.
pub(super) fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Always => "the journal is synced (fdatasync) before each acknowledgement, one writer at a time",
        Durability::None => "the journal is handed to the system before each acknowledgement",
    }
}

impl Fjall {
    pub(super) fn open(folder: &Path, settings: &Settings) -> Result<Self, Failure> {
        let compression = match settings.compression {
            Compression::None => CompressionType::None,
            Compression::Lz4 => CompressionType::Lz4,
        };
        let filter = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(FILTER_BITS as f32));
        let block_bytes = u32::try_from(BLOCK_BYTES).expect("a block is small");
        let options = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(MEMTABLE_BYTES as u64)
                .data_block_size_policy(BlockSizePolicy::all(block_bytes))
                .data_block_compression_policy(CompressionPolicy::all(compression))
                .filter_policy(FilterPolicy::all(filter))
        };
        let database = Database::builder(folder)
            .cache_size(settings.cache_bytes as u64)
            .journal_compression(CompressionType::None)
            .open()?;
        let keyspace = database.keyspace("peers", options)?;
        Ok(Self { keyspace, database, durability: settings.durability })
    }

    /// A batch that is synced before it is visible, if writes are durable.
    fn batch(&self) -> OwnedWriteBatch {
        let mode = match self.durability {
            Durability::Always => PersistMode::SyncData,
            Durability::None => PersistMode::Buffer,
        };
        self.database.batch().durability(Some(mode))
    }

    fn is_idle(&self) -> bool {
        self.database.outstanding_flushes() == 0
            && self.database.active_compactions() == 0
            && self.keyspace.sealed_memtable_count() == 0
    }
}

impl Engine for Fjall {
    fn put(&self, key: &Key, value: &[u8]) -> Result<(), Failure> {
        if self.durability == Durability::None {
            return Ok(self.keyspace.insert(key, value)?);
        }
        let mut batch = self.batch();
        batch.insert(&self.keyspace, key, value);
        Ok(batch.commit()?)
    }

    fn write_batch(&self, pairs: &[(Key, Vec<u8>)]) -> Result<(), Failure> {
        let mut batch = self.batch();
        for (key, value) in pairs {
            batch.insert(&self.keyspace, key, value.as_slice());
        }
        Ok(batch.commit()?)
    }

    fn delete(&self, key: &Key) -> Result<(), Failure> {
        if self.durability == Durability::None {
            return Ok(self.keyspace.remove(key)?);
        }
        let mut batch = self.batch();
        batch.remove(&self.keyspace, key);
        Ok(batch.commit()?)
    }

    fn get(&self, key: &Key) -> Result<Option<Seen>, Failure> {
        let value = self.keyspace.get(key)?;
        Ok(value.map(|value| Seen::of(&value)))
    }

    fn scan(&self, from: &Key, entries: usize, visit: Visit<'_>) -> Result<usize, Failure> {
        let mut visited = 0;
        for row in self.keyspace.range(from.as_slice()..).take(entries) {
            let (key, value) = row.into_inner()?;
            visit(&key, &value);
            visited += 1;
        }
        Ok(visited)
    }

    /// There is no call that waits for compactions: look until nothing is going on for a while.
    fn settle(&self) -> Result<(), Failure> {
        self.keyspace.rotate_memtable_and_wait()?;
        let mut idle_glances = 0;
        while idle_glances < IDLE_GLANCES {
            idle_glances = if self.is_idle() { idle_glances + 1 } else { 0 };
            std::thread::sleep(GLANCE);
        }
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}
