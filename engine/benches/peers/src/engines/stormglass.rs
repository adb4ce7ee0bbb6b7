//! This repository's engine, through its blocking facade: what can be done at once is done on the workload's thread.

use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use engine::blocking::BlockingDb;
use engine::world::real::{self, RealWorld};
use engine::{Direction, Options};

use super::{Engine, Failure, Visit};
use crate::data::{Key, Seen};
use crate::settings::{BLOCK_BYTES, Compression, Durability, FILTER_BITS, MEMTABLE_BYTES, Settings};

/// Our engine, open.
pub(super) struct Stormglass {
    database: BlockingDb<RealWorld>,
}

/// How it is set up.
pub(super) const SETUP: &str = "leveled; one budget: the cache that was asked for, and a memtable beside it";

/// What an acknowledged write has gone through.
pub(super) fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Always => "the log is synced (fdatasync) before each acknowledgement; writers share a sync",
        Durability::None => "the log is handed to the system before each acknowledgement",
    }
}

impl Stormglass {
    pub(super) fn open(folder: &Path, settings: &Settings) -> Result<Self, Failure> {
        let options = Options {
            durability: match settings.durability {
                Durability::Always => engine::Durability::Always,
                Durability::None => engine::Durability::None,
            },
            memory_bytes: settings.cache_bytes + MEMTABLE_BYTES,
            memtable_bytes: MEMTABLE_BYTES,
            block_bytes: BLOCK_BYTES,
            filter_millibits_per_key: FILTER_BITS * 1_000,
            compression: match settings.compression {
                Compression::None => engine::Compression::None,
                Compression::Lz4 => engine::Compression::Lz4,
            },
            ..Options::default()
        };
        let (database, _recovery) = BlockingDb::open(RealWorld::standalone(), real::wait, folder, options)?;
        Ok(Self { database })
    }
}

impl Engine for Stormglass {
    fn put(&self, key: &Key, value: &[u8]) -> Result<(), Failure> {
        self.database.put(key, value)?;
        Ok(())
    }

    fn write_batch(&self, pairs: &[(Key, Vec<u8>)]) -> Result<(), Failure> {
        let mut batch = self.database.batch();
        for (key, value) in pairs {
            batch.add_put(key, value, 0);
        }
        self.database.write(batch)?;
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<(), Failure> {
        self.database.delete(key)?;
        Ok(())
    }

    fn get(&self, key: &Key) -> Result<Option<Seen>, Failure> {
        let entry = self.database.get(key)?;
        Ok(entry.map(|entry| Seen::of(&entry.value)))
    }

    fn scan(&self, from: &Key, entries: usize, visit: Visit<'_>) -> Result<usize, Failure> {
        let range = (Bound::Included(Bytes::copy_from_slice(from)), Bound::Unbounded);
        let iteration = self.database.iterate(range, Direction::Forward, &self.database.snapshot())?;
        let mut visited = 0;
        for found in iteration.take(entries) {
            let (key, entry) = found?;
            visit(&key, &entry.value);
            visited += 1;
        }
        Ok(visited)
    }

    fn settle(&self) -> Result<(), Failure> {
        Ok(self.database.settle()?)
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.database.close()?;
        Ok(())
    }
}
