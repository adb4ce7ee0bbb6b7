//! Blocks of tables that were read lately, uncompressed, so that a read of them costs no disk and no decoding.
//!
//! ```text
//!   key = (table, offset) ── mixed ──▶ shard ──▶ index ──▶ slot ──▶ the block, shared with every reader that has it
//!
//!   S3-FIFO   ┌─ small, 10% ─┐  read again: ┌─ main, 90% ─┐  not read again: gone
//!   new ────▶ │ first in ... │ ───────────▶ │ first in ...│ ───────────────▶
//!             └──────────────┘              └─────────────┘
//!                  │ not read again: gone, its key into ─▶ ghosts; a ghost that comes back goes straight into main
//! ```
//!
//! The policy is S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi: FIFO queues are all you need for cache eviction, SOSP 2023):
//! a scan that reads every block once passes through the small queue and leaves the main queue alone. `Lru` exists to
//! show what that buys. Each shard has one lock, held for some tens of nanoseconds and never across an await.
//!
//! Memory: every block is charged its length and [`BLOCK_OVERHEAD_BYTES`]; the charges never exceed the capacity. A
//! `Bytes` may be a slice of a larger buffer, which lives as long as the slice does and which nobody can see from here:
//! **whoever inserts hands in a buffer of exactly the block's size.** A block that was evicted lives on while a reader
//! holds it.
//!
//! What it does not do: it knows no files. The blocks of a table that was deleted age out; numbers of tables are never
//! used again, so nobody can mistake them.

mod ghosts;
mod shard;
mod slots;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use shard::Shard;

/// What a block is charged beside its length: its slot, its places in the index and in the queue of ghosts, and what
/// these have to spare after they grew.
pub(crate) const BLOCK_OVERHEAD_BYTES: usize = 192;

/// Shards, unless the cache is small.
const SHARDS_MAX: usize = 16;
/// A cache has fewer shards rather than smaller ones.
const SHARD_BYTES_MIN: usize = 256 * 1024;
/// Blocks that are evicted under one hold of a shard's lock when the capacity shrinks.
const SHRINK_STEP_BLOCKS: usize = 64;

/// Which block has to go when room is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CachePolicy {
    /// Those that were read once, first in first out, before those that were read again.
    #[default]
    S3Fifo,
    /// The one that was not read for the longest time. One long scan evicts everything.
    Lru,
}

/// What the cache did since it was made, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CacheStatistics {
    /// Blocks that were asked for and here.
    pub hits: u64,
    /// Blocks that were asked for and not here.
    pub misses: u64,
    /// Blocks that were taken in. One that was too large is not counted.
    pub insertions: u64,
    /// Blocks that had to go to make room.
    pub evictions: u64,
    /// Blocks that are here.
    pub resident_blocks: u64,
    /// Bytes they are charged: their lengths and a fixed price for each.
    pub resident_bytes: u64,
    /// Bytes they may be charged.
    pub capacity_bytes: u64,
}

/// The place of a block: which table, and where in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockKey {
    /// The number of the table.
    pub(crate) table: u64,
    /// Where in the file the block begins.
    pub(crate) offset: u64,
}

impl BlockKey {
    /// The same on every platform and in every run. Offsets are multiples of little and tables are counted, so both are
    /// spread over all bits: the product's upper and lower halves, folded.
    fn hash(self) -> u64 {
        let first = self.table ^ 0x9e37_79b9_7f4a_7c15;
        let second = self.offset ^ 0xd1b5_4a32_d192_ed03;
        let product = u128::from(first.wrapping_mul(0xa076_1d64_78bd_642f)) * u128::from(second | 1 << 63);
        let folded = (product >> 64) as u64 ^ product as u64;
        let product = u128::from(folded ^ second) * 0xe703_7ed1_a0b4_28db;
        (product >> 64) as u64 ^ product as u64
    }
}

/// Blocks by their places, shared by all readers of one engine.
pub(crate) struct BlockCache {
    /// A power of two of them, chosen once.
    shards: Vec<Mutex<Shard>>,
}

impl BlockCache {
    /// An empty cache. The number of shards follows from this capacity and stays: a cache that was made large and shrunk
    /// to a few blocks a shard holds them badly.
    pub(crate) fn new(policy: CachePolicy, capacity_bytes: usize) -> Self {
        let wanted = (capacity_bytes / SHARD_BYTES_MIN).clamp(1, SHARDS_MAX);
        let count = 1 << wanted.ilog2();
        let shards = (0..count).map(|_| Mutex::new(Shard::new(policy, capacity_bytes / count))).collect();
        Self { shards }
    }

    /// The block, when it is here. Counts a hit or a miss.
    pub(crate) fn get(&self, key: BlockKey) -> Option<Bytes> {
        let hash = key.hash();
        self.shard(hash).get(hash, key)
    }

    /// Takes a block in, in place of an older one of the same place. The buffer must be of exactly the block's size (see
    /// above). A block larger than a shard is not kept, and none is while a shrinking cache makes room.
    pub(crate) fn insert(&self, key: BlockKey, block: Bytes) {
        let hash = key.hash();
        self.shard(hash).insert(hash, key, block);
    }

    /// Changes how much may be charged. Evicts what no longer fits before it returns, a few blocks at a time so that
    /// readers of the same shard get in between.
    pub(crate) fn set_capacity(&self, capacity_bytes: usize) {
        let count = self.shards.len();
        for shard in &self.shards {
            lock(shard).set_capacity(capacity_bytes / count);
            while lock(shard).evict_excess(SHRINK_STEP_BLOCKS) {}
        }
    }

    /// What it did and holds. The shards are asked one after the other, so the sums may be of slightly different moments.
    pub(crate) fn statistics(&self) -> CacheStatistics {
        let mut sum = CacheStatistics::default();
        for shard in &self.shards {
            lock(shard).add_to(&mut sum);
        }
        sum
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // The index inside a shard uses the lowest bits and the highest seven; these are others.
        lock(&self.shards[(hash >> 40) as usize & (self.shards.len() - 1)])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Whoever panicked with the lock held tells of it; a cache of immutable blocks is no reason to go down with him.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
