//! redb, a B-tree, with its defaults except for what all engines are given alike.

use std::path::Path;

use redb::{Database, ReadableDatabase, TableDefinition, TableError};

use super::{Engine, Failure, Visit};
use crate::data::{Key, Seen};
use crate::settings::{Durability, Settings};

const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("peers");

/// redb, open.
pub(super) struct Redb {
    database: Database,
    durability: redb::Durability,
}

/// How it is set up.
pub(super) const SETUP: &str =
    "B-tree, pages of 4 KiB in a cache of its own; no memtable, filters or compression; else its defaults";

/// What an acknowledged write has gone through.
pub(super) fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Always => "each commit is synced (fdatasync), one at a time",
        Durability::None => "commits stay in its memory until a durable one: the death of the process takes them",
    }
}

impl Redb {
    pub(super) fn open(folder: &Path, settings: &Settings) -> Result<Self, Failure> {
        let database = Database::builder().set_cache_size(settings.cache_bytes).create(folder.join("data.redb"))?;
        let durability = match settings.durability {
            Durability::Always => redb::Durability::Immediate,
            Durability::None => redb::Durability::None,
        };
        let engine = Self { database, durability };
        // The table exists from here on: a reader may come first.
        engine.commit(redb::Durability::Immediate, |_| Ok(()))?;
        Ok(engine)
    }

    fn commit(
        &self,
        durability: redb::Durability,
        change: impl FnOnce(&mut redb::Table<'_, &'static [u8], &'static [u8]>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability)?;
        change(&mut transaction.open_table(TABLE)?)?;
        Ok(transaction.commit()?)
    }

    fn table(&self) -> Result<redb::ReadOnlyTable<&'static [u8], &'static [u8]>, Failure> {
        let opened: Result<_, TableError> = self.database.begin_read()?.open_table(TABLE);
        Ok(opened?)
    }
}

impl Engine for Redb {
    fn put(&self, key: &Key, value: &[u8]) -> Result<(), Failure> {
        self.commit(self.durability, |table| {
            table.insert(key.as_slice(), value)?;
            Ok(())
        })
    }

    fn write_batch(&self, pairs: &[(Key, Vec<u8>)]) -> Result<(), Failure> {
        self.commit(self.durability, |table| {
            for (key, value) in pairs {
                table.insert(key.as_slice(), value.as_slice())?;
            }
            Ok(())
        })
    }

    fn delete(&self, key: &Key) -> Result<(), Failure> {
        self.commit(self.durability, |table| {
            table.remove(key.as_slice())?;
            Ok(())
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Seen>, Failure> {
        let value = self.table()?.get(key.as_slice())?;
        Ok(value.map(|value| Seen::of(value.value())))
    }

    fn scan(&self, from: &Key, entries: usize, visit: Visit<'_>) -> Result<usize, Failure> {
        let mut visited = 0;
        for row in self.table()?.range(from.as_slice()..)?.take(entries) {
            let (key, value) = row?;
            visit(key.value(), value.value());
            visited += 1;
        }
        Ok(visited)
    }

    fn settle(&self) -> Result<(), Failure> {
        self.commit(redb::Durability::Immediate, |_| Ok(()))
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.settle()?;
        Ok(self.database.close()?)
    }
}
