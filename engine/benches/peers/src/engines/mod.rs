//! The engines behind one trait, a file each. The trait is the least that all of them can do without a detour: blocking
//! calls from any thread, values looked at where they lie.
//!
//! ```text
//!   stormglass   ours             log-structured
//!   rocksdb      rocksdb, C++     log-structured
//!   fjall        fjall            log-structured
//!   redb         redb             copy-on-write B-tree
//!   lmdb         heed, LMDB, C    copy-on-write B-tree in a memory map
//! ```
//!
//! Every call is a transaction of its own and sees all that was acknowledged before it. What an engine has no setting
//! for, and what it does instead, its `SETUP` says; the run's header prints that.

mod fjall;
mod lmdb;
mod redb;
mod rocksdb;
mod stormglass;

use std::error::Error;
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::data::{Key, Seen};
use crate::settings::{Durability, Settings};

/// Why an engine could not.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Looks at a key and its value.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]);

/// An open engine.
pub(crate) trait Engine: Send + Sync {
    /// Writes one value.
    fn put(&self, key: &Key, value: &[u8]) -> Result<(), Failure>;

    /// Writes all these values or none.
    fn write_batch(&self, pairs: &[(Key, Vec<u8>)]) -> Result<(), Failure>;

    /// Deletes one key.
    fn delete(&self, key: &Key) -> Result<(), Failure>;

    /// Looks at the value of a key; `None` when it has none.
    fn get(&self, key: &Key) -> Result<Option<Seen>, Failure>;

    /// Visits at most `entries` keys in order, from `from` on. Returns how many.
    fn scan(&self, from: &Key, entries: usize, visit: Visit<'_>) -> Result<usize, Failure>;

    /// Puts everything on the disk, in the shape the engine wants it to have: memtables are written out, and nothing
    /// that was due in the background is left over.
    fn settle(&self) -> Result<(), Failure>;

    /// Closes it in good order.
    fn close(self: Box<Self>) -> Result<(), Failure>;
}

/// An engine by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Name {
    /// This repository's.
    Stormglass,
    /// RocksDB.
    Rocksdb,
    /// fjall.
    Fjall,
    /// redb.
    Redb,
    /// LMDB.
    Lmdb,
}

impl Name {
    /// All of them, ours first.
    pub(crate) const ALL: [Self; 5] = [Self::Stormglass, Self::Rocksdb, Self::Fjall, Self::Redb, Self::Lmdb];

    /// The name in tables and folders.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Stormglass => "stormglass",
            Self::Rocksdb => "rocksdb",
            Self::Fjall => "fjall",
            Self::Redb => "redb",
            Self::Lmdb => "lmdb",
        }
    }

    /// The packages whose versions say which engine this is.
    pub(crate) fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Stormglass => &["engine"],
            Self::Rocksdb => &["rocksdb", "librocksdb-sys"],
            Self::Fjall => &["fjall", "lsm-tree"],
            Self::Redb => &["redb"],
            Self::Lmdb => &["heed", "lmdb-master-sys"],
        }
    }

    /// How the engine is set up, and in what it differs from what was asked for.
    pub(crate) fn setup(self) -> &'static str {
        match self {
            Self::Stormglass => stormglass::SETUP,
            Self::Rocksdb => rocksdb::SETUP,
            Self::Fjall => fjall::SETUP,
            Self::Redb => redb::SETUP,
            Self::Lmdb => lmdb::SETUP,
        }
    }

    /// What an acknowledged write has gone through.
    pub(crate) fn durability(self, durability: Durability) -> &'static str {
        match self {
            Self::Stormglass => stormglass::durability(durability),
            Self::Rocksdb => rocksdb::durability(durability),
            Self::Fjall => fjall::durability(durability),
            Self::Redb => redb::durability(durability),
            Self::Lmdb => lmdb::durability(durability),
        }
    }

    /// Opens the engine in a folder that exists, empty or left by the same engine.
    pub(crate) fn open(self, folder: &Path, settings: &Settings) -> Result<Box<dyn Engine>, Failure> {
        Ok(match self {
            Self::Stormglass => Box::new(stormglass::Stormglass::open(folder, settings)?),
            Self::Rocksdb => Box::new(rocksdb::Rocksdb::open(folder, settings)?),
            Self::Fjall => Box::new(fjall::Fjall::open(folder, settings)?),
            Self::Redb => Box::new(redb::Redb::open(folder, settings)?),
            Self::Lmdb => Box::new(lmdb::Lmdb::open(folder, settings)?),
        })
    }
}

#[cfg(test)]
mod tests;
