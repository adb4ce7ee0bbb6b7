//! Tables against a sorted map of the same entries, against damage, and against bytes of an earlier day.
//!
//! ```text
//!   memory   a file in memory         model    random tables, every question, both answers
//!   damage   every flip and cut       golden   a table of format 1, byte by byte
//!   speed    how fast, by hand        whole    properties, range tombstones, what reads and writes cost
//! ```

#![allow(clippy::disallowed_methods, reason = "tests bring their own runtime")]

mod damage;
mod golden;
mod memory;
mod model;
mod speed;
mod whole;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use memory::MemoryFile;

use super::*;
use crate::cache::{BlockCache, CachePolicy};
use crate::error::Error;
use crate::format::Sequence;
use crate::format::entry::{EntryRef, RangeTombstone};
use crate::format::properties::Properties;

const NUMBER: u64 = 77;

/// An entry that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owned {
    key: Vec<u8>,
    sequence: u64,
    value: Option<Vec<u8>>,
    expires_micros: u64,
}

impl Owned {
    fn of(entry: EntryRef<'_>) -> Self {
        let EntryRef { key, sequence, value, expires_micros } = entry;
        Self { key: key.to_vec(), sequence: sequence.0, value: value.map(<[u8]>::to_vec), expires_micros }
    }

    fn borrow(&self) -> EntryRef<'_> {
        EntryRef {
            key: &self.key,
            sequence: Sequence(self.sequence),
            value: self.value.as_deref(),
            expires_micros: self.expires_micros,
        }
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(test)
}

fn cache() -> Arc<BlockCache> {
    Arc::new(BlockCache::new(CachePolicy::S3Fifo, 64 << 20))
}

async fn build(options: TableOptions, entries: &[Owned], tombstones: &[RangeTombstone]) -> (MemoryFile, Properties) {
    let file = MemoryFile::default();
    let mut builder = Builder::new(file.clone(), NUMBER, 1_000_000, options);
    for (index, entry) in entries.iter().enumerate() {
        builder.add(entry.borrow());
        if index % 100 == 99 {
            builder.write_buffered().await.expect("memory does not fail");
        }
    }
    tombstones.iter().for_each(|tombstone| builder.add_range_tombstone(tombstone.clone()));
    let properties = builder.finish().await.expect("memory does not fail");
    (file, properties)
}

async fn open(file: &MemoryFile, cache: &Arc<BlockCache>) -> Result<Arc<Table<MemoryFile>>, Error> {
    let path = PathBuf::from("/data").join(table_name(NUMBER));
    Table::open(file.clone(), path, NUMBER, Arc::clone(cache)).await.map(Arc::new)
}

fn range(start: &'static str, end: &'static str, sequence: u64) -> RangeTombstone {
    RangeTombstone { start: Bytes::from(start), end: Bytes::from(end), sequence: Sequence(sequence) }
}
