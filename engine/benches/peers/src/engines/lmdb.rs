//! LMDB through heed, a B-tree in a memory map, with its defaults except for what all engines are given alike.

use std::ops::Bound;
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, RwTxn, WithTls};

use super::{Engine, Failure, Visit};
use crate::data::{Key, Seen};
use crate::settings::{Durability, Settings};

/// Address space for the map, in bytes; the file grows with what is written.
const MAP_BYTES: usize = 64 * 1024 * 1024 * 1024;

/// LMDB, open.
pub(super) struct Lmdb {
    environment: Env<WithTls>,
    table: Database<'static, Bytes, Bytes>,
}

/// How it is set up.
pub(super) const SETUP: &str = "B-tree in a memory map: the page cache is its cache, of whatever size, and counts as its peak memory; no memtable, filters, checksums or compression; else its defaults";

/// What an acknowledged write has gone through.
pub(super) fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Always => "each commit is synced (fdatasync), one at a time",
        Durability::None => "commits are handed to the system (NO_SYNC); a power loss may take the whole file",
    }
}

impl Lmdb {
    #[expect(unsafe_code, reason = "a memory map is only sound while nobody else changes the file")]
    pub(super) fn open(folder: &Path, settings: &Settings) -> Result<Self, Failure> {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_BYTES);
        if settings.durability == Durability::None {
            // SAFETY: a power loss may leave a damaged file, which no later run opens: every run begins with its own.
            unsafe { options.flags(EnvFlags::NO_SYNC) };
        }
        // SAFETY: the folder belongs to this run, and only this process opens the file in it.
        let environment = unsafe { options.open(folder)? };
        let created = environment.create_databases_and_commit(environment.write_txn()?, |opener, transaction| {
            opener.create_database(transaction, None).map(CommitOrAbort::<_, ()>::Commit)
        })?;
        let table = created.unwrap_commit();
        Ok(Self { environment, table })
    }

    fn commit(&self, change: impl FnOnce(&mut RwTxn<'_>) -> Result<(), heed::Error>) -> Result<(), Failure> {
        let mut transaction = self.environment.write_txn()?;
        change(&mut transaction)?;
        Ok(transaction.commit()?)
    }
}

impl Engine for Lmdb {
    fn put(&self, key: &Key, value: &[u8]) -> Result<(), Failure> {
        self.commit(|transaction| self.table.put(transaction, key, value))
    }

    fn write_batch(&self, pairs: &[(Key, Vec<u8>)]) -> Result<(), Failure> {
        self.commit(|transaction| pairs.iter().try_for_each(|(key, value)| self.table.put(transaction, key, value)))
    }

    fn delete(&self, key: &Key) -> Result<(), Failure> {
        self.commit(|transaction| self.table.delete(transaction, key).map(|_was_there| ()))
    }

    fn get(&self, key: &Key) -> Result<Option<Seen>, Failure> {
        let transaction = self.environment.read_txn()?;
        Ok(self.table.get(&transaction, key)?.map(Seen::of))
    }

    fn scan(&self, from: &Key, entries: usize, visit: Visit<'_>) -> Result<usize, Failure> {
        let transaction = self.environment.read_txn()?;
        let range = (Bound::Included(from.as_slice()), Bound::Unbounded);
        let mut visited = 0;
        for row in self.table.range(&transaction, &range)?.take(entries) {
            let (key, value) = row?;
            visit(key, value);
            visited += 1;
        }
        Ok(visited)
    }

    fn settle(&self) -> Result<(), Failure> {
        Ok(self.environment.force_sync()?)
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.settle()?;
        self.environment.prepare_for_closing().wait();
        Ok(())
    }
}
