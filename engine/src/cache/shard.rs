//! One shard of the cache: which block is kept, and which goes when room is needed.
//!
//! ```text
//!   S3-FIFO, room is needed
//!     small above 10%:  oldest of small   read twice or more ─▶ newest of main      else ─▶ gone, a ghost remains
//!     else:             oldest of main    read since         ─▶ newest of main      else ─▶ gone
//!   LRU                 oldest of main; every read makes a block the newest
//! ```
//!
//! A read only counts up to 3, so sparing a block is paid for by its reads. Still, a shard full of blocks that were all
//! read could be walked through before one goes: after [`SPARED_MAX`] the next goes however often it was read.

use bytes::Bytes;

use super::ghosts::Ghosts;
use super::slots::{Queue, Slots, charge};
use super::{BlockKey, CachePolicy, CacheStatistics};

/// Reads are counted up to here: two bits.
const FREQUENCY_MAX: u8 = 3;
/// Reads in the small queue from which a block moves on to the main one.
const FREQUENCY_KEPT: u8 = 2;
/// Blocks that are spared, at most, before one goes.
const SPARED_MAX: usize = 128;
/// The small queue's share: one in so many bytes.
const SMALL_SHARE: usize = 10;

/// One shard of the cache, inside its lock.
pub(super) struct Shard {
    policy: CachePolicy,
    capacity_bytes: usize,
    slots: Slots,
    ghosts: Ghosts,
    hits: u64,
    misses: u64,
    insertions: u64,
    evictions: u64,
}

impl Shard {
    pub(super) fn new(policy: CachePolicy, capacity_bytes: usize) -> Self {
        let (slots, ghosts) = (Slots::new(), Ghosts::new());
        Self { policy, capacity_bytes, slots, ghosts, hits: 0, misses: 0, insertions: 0, evictions: 0 }
    }

    pub(super) fn get(&mut self, hash: u64, key: BlockKey) -> Option<Bytes> {
        let Some(number) = self.slots.find(hash, key) else {
            self.misses += 1;
            return None;
        };
        self.hits += 1;
        match self.policy {
            CachePolicy::S3Fifo => {
                let frequency = self.slots.frequency(number);
                *frequency = (*frequency + 1).min(FREQUENCY_MAX);
            }
            CachePolicy::Lru => self.slots.renew(number, Queue::Main),
        }
        Some(self.slots.block(number).clone())
    }

    pub(super) fn insert(&mut self, hash: u64, key: BlockKey, block: Bytes) {
        let present = self.slots.find(hash, key);
        // Beyond the capacity only while `set_capacity` is at work: what is new does not make it harder.
        if charge(&block) > self.capacity_bytes || self.slots.bytes() > self.capacity_bytes {
            if let Some(number) = present {
                self.slots.remove(number);
                self.evictions += 1;
            }
            return;
        }
        self.insertions += 1;
        if let Some(number) = present {
            self.slots.replace(number, block);
        } else {
            while self.slots.bytes() + charge(&block) > self.capacity_bytes {
                self.evict();
            }
            let known = self.policy == CachePolicy::Lru || self.ghosts.forget(hash);
            self.slots.insert(hash, key, block, if known { Queue::Main } else { Queue::Small });
        }
        // After a replacement by a longer block.
        while self.slots.bytes() > self.capacity_bytes {
            self.evict();
        }
    }

    /// Changes the capacity; `evict_excess` must follow.
    pub(super) fn set_capacity(&mut self, capacity_bytes: usize) {
        self.capacity_bytes = capacity_bytes;
        self.ghosts.limit(self.ghost_bytes_max());
    }

    /// Evicts blocks beyond the capacity, at most so many. Whether there are more.
    pub(super) fn evict_excess(&mut self, blocks_max: usize) -> bool {
        for _ in 0..blocks_max {
            if self.slots.bytes() <= self.capacity_bytes {
                return false;
            }
            self.evict();
        }
        self.slots.bytes() > self.capacity_bytes
    }

    pub(super) fn add_to(&self, sum: &mut CacheStatistics) {
        sum.hits += self.hits;
        sum.misses += self.misses;
        sum.insertions += self.insertions;
        sum.evictions += self.evictions;
        sum.resident_blocks += self.slots.len() as u64;
        sum.resident_bytes += self.slots.bytes() as u64;
        sum.capacity_bytes += self.capacity_bytes as u64;
    }

    /// As many ghosts as the main queue could hold blocks.
    fn ghost_bytes_max(&self) -> usize {
        self.capacity_bytes - self.capacity_bytes / SMALL_SHARE
    }

    /// Lets one block go. There must be one.
    fn evict(&mut self) {
        let mut spared = 0;
        loop {
            let small = self.slots.queue_bytes(Queue::Small) > self.capacity_bytes / SMALL_SHARE;
            let ((queue, number), kept) = match (self.slots.oldest(Queue::Small), self.slots.oldest(Queue::Main)) {
                (Some(number), None) => ((Queue::Small, number), FREQUENCY_KEPT),
                (Some(number), Some(_)) if small => ((Queue::Small, number), FREQUENCY_KEPT),
                (_, Some(number)) => ((Queue::Main, number), 1),
                (None, None) => panic!("a shard without blocks was asked for room"),
            };
            let frequency = self.slots.frequency(number);
            if *frequency >= kept && spared < SPARED_MAX && self.policy == CachePolicy::S3Fifo {
                *frequency = if queue == Queue::Small { 0 } else { *frequency - 1 };
                self.slots.renew(number, Queue::Main);
                spared += 1;
                continue;
            }
            self.let_go(number, queue);
            return;
        }
    }

    fn let_go(&mut self, number: u32, queue: Queue) {
        let charged = charge(self.slots.block(number));
        let key = self.slots.remove(number);
        self.evictions += 1;
        if queue == Queue::Small {
            self.ghosts.remember(key.hash(), charged, self.ghost_bytes_max());
        }
    }
}
