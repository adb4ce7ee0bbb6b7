//! RocksDB, with its defaults except for what all engines are given alike.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, Options, WaitForCompactOptions, WriteBatch, WriteOptions,
};

use super::{Engine, Failure, Visit};
use crate::data::{Key, Seen};
use crate::settings::{BLOCK_BYTES, Compression, Durability, FILTER_BITS, MEMTABLE_BYTES, Settings};

/// RocksDB, open.
pub(super) struct Rocksdb {
    database: DB,
    write_options: WriteOptions,
}

/// How it is set up.
pub(super) const SETUP: &str =
    "HyperClock block cache, filters and indexes outside of it; Bloom filters; else its defaults";

/// What an acknowledged write has gone through.
pub(super) fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Always => "the WAL is synced (fdatasync) before each acknowledgement; writers share a sync",
        Durability::None => "the WAL is handed to the system before each acknowledgement",
    }
}

impl Rocksdb {
    pub(super) fn open(folder: &Path, settings: &Settings) -> Result<Self, Failure> {
        let mut table = BlockBasedOptions::default();
        // Of the kind that it takes by default, and recommends; 0 lets it find out how large entries are.
        table.set_block_cache(&Cache::new_hyper_clock_cache(settings.cache_bytes, 0));
        table.set_block_size(BLOCK_BYTES);
        table.set_bloom_filter(f64::from(FILTER_BITS), false);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&table);
        options.set_write_buffer_size(MEMTABLE_BYTES);
        options.set_compression_type(match settings.compression {
            Compression::None => DBCompressionType::None,
            Compression::Lz4 => DBCompressionType::Lz4,
        });
        let mut write_options = WriteOptions::default();
        write_options.set_sync(settings.durability == Durability::Always);
        Ok(Self { database: DB::open(&options, folder)?, write_options })
    }
}

impl Engine for Rocksdb {
    fn put(&self, key: &Key, value: &[u8]) -> Result<(), Failure> {
        Ok(self.database.put_opt(key, value, &self.write_options)?)
    }

    fn write_batch(&self, pairs: &[(Key, Vec<u8>)]) -> Result<(), Failure> {
        let mut batch = WriteBatch::default();
        for (key, value) in pairs {
            batch.put(key, value);
        }
        Ok(self.database.write_opt(batch, &self.write_options)?)
    }

    fn delete(&self, key: &Key) -> Result<(), Failure> {
        Ok(self.database.delete_opt(key, &self.write_options)?)
    }

    fn get(&self, key: &Key) -> Result<Option<Seen>, Failure> {
        let value = self.database.get_pinned(key)?;
        Ok(value.map(|value| Seen::of(&value)))
    }

    fn scan(&self, from: &Key, entries: usize, visit: Visit<'_>) -> Result<usize, Failure> {
        let mut rows = self.database.raw_iterator();
        rows.seek(from);
        let mut visited = 0;
        while visited < entries {
            let Some((key, value)) = rows.item() else { break };
            visit(key, value);
            visited += 1;
            rows.next();
        }
        rows.status()?;
        Ok(visited)
    }

    fn settle(&self) -> Result<(), Failure> {
        self.database.flush()?;
        Ok(self.database.wait_for_compact(&WaitForCompactOptions::default())?)
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.database.cancel_all_background_work(true);
        Ok(())
    }
}
