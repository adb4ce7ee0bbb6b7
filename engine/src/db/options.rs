//! How an engine is opened. The defaults are the safe ones: nothing is acknowledged that a power loss could take, and a
//! caller who wants more speed says what may be lost for it.

use std::time::Duration;

use crate::cache::CachePolicy;
use crate::compaction::Strategy;
use crate::error::Error;
use crate::format::Compression;

/// When a write is on the disk, relative to its acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Before it. A power loss takes no acknowledged write.
    #[default]
    Always,
    /// At the latest this long after it. A power loss takes the acknowledged writes of that time. Writes that arrive
    /// while the log is synced wait for it.
    Interval(Duration),
    /// Whenever the operating system sees fit. A power loss takes any number of acknowledged writes, though always the
    /// last ones; the death of the process alone takes none.
    None,
}

/// How an engine is opened. Everything but what is on the disk already may differ at each opening: the strategy then
/// reshapes what it finds, new tables get the new block size, compression and filters.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// When a write is on the disk.
    pub durability: Durability,
    /// Length at which the log goes on in a new segment, in bytes. One group of writes may exceed it.
    pub segment_bytes: u64,
    /// Encoded bytes of writes that are committed together; one batch may exceed it.
    pub group_bytes_max: usize,
    /// Whether a missing directory (its parent must exist), or an empty one, becomes a new data directory.
    pub create_if_missing: bool,
    /// Memory for memtables, cached blocks, filters and indexes together, in bytes. The cache gets what the others leave.
    pub memory_bytes: usize,
    /// Memory at which a memtable is written to a table, in bytes.
    pub memtable_bytes: usize,
    /// Uncompressed bytes of a data block.
    pub block_bytes: usize,
    /// How blocks are compressed.
    pub compression: Compression,
    /// Thousandths of a bit of filter a key, on average over the levels; 0 for no filters.
    pub filter_millibits_per_key: u32,
    /// Whether the bits are shared out by Monkey's rule, more to the small levels, or evenly.
    pub filter_by_level: bool,
    /// How the block cache chooses what to keep.
    pub cache_policy: CachePolicy,
    /// Which tables are merged, and when.
    pub strategy: Strategy,
    /// Compactions that run at once; 0 for none but what `compact` asks for.
    pub compaction_jobs: usize,
    /// How old a snapshot may get before it is given up so that old versions can go; `None` for any age.
    pub snapshot_age_max: Option<Duration>,
    /// Bytes of log that are kept for change streams behind what recovery needs.
    pub change_retention_bytes: u64,
}

impl Default for Options {
    /// Sync before acknowledging, segments of 64 MiB, groups of 4 MiB, create what is missing; 256 MiB of memory, of
    /// which a memtable takes 64; blocks of 4 KiB with LZ4, ten bits of filter a key; leveled compaction, two at once.
    fn default() -> Self {
        Self {
            durability: Durability::Always,
            segment_bytes: 64 * 1024 * 1024,
            group_bytes_max: 4 * 1024 * 1024,
            create_if_missing: true,
            memory_bytes: 256 * 1024 * 1024,
            memtable_bytes: 64 * 1024 * 1024,
            block_bytes: 4096,
            compression: Compression::Lz4,
            filter_millibits_per_key: 10_000,
            filter_by_level: true,
            cache_policy: CachePolicy::S3Fifo,
            strategy: Strategy::default(),
            compaction_jobs: 2,
            snapshot_age_max: None,
            change_retention_bytes: 0,
        }
    }
}

impl Options {
    /// Refuses what cannot work.
    pub(super) fn check(&self) -> Result<(), Error> {
        let bad = |what: String| Err(Error::BadOptions { what });
        if let Err(error) = self.strategy.validate() {
            return bad(format!("the compaction strategy: {error}"));
        }
        match self {
            Self { block_bytes, .. } if !(64..=1 << 20).contains(block_bytes) => {
                bad(format!("`block_bytes` is {block_bytes}; it must be between 64 and 1,048,576"))
            }
            Self { memtable_bytes, .. } if *memtable_bytes < 1024 => {
                bad(format!("`memtable_bytes` is {memtable_bytes}; it must be at least 1,024"))
            }
            Self { memory_bytes, memtable_bytes, .. } if memory_bytes < memtable_bytes => {
                bad(format!("`memory_bytes` is {memory_bytes}, less than a memtable takes, {memtable_bytes}"))
            }
            Self { filter_millibits_per_key, .. } if *filter_millibits_per_key > 32_000 => {
                bad(format!("`filter_millibits_per_key` is {filter_millibits_per_key}; the most is 32,000"))
            }
            _ => Ok(()),
        }
    }
}
