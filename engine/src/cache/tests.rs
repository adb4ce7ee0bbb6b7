//! The cache against a map that remembers everything, under scans, and while it shrinks.

#![allow(clippy::disallowed_methods, reason = "one test brings its own threads")]

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{BLOCK_OVERHEAD_BYTES, BlockCache, BlockKey, CachePolicy};
use crate::world::Rng;

const POLICIES: [CachePolicy; 2] = [CachePolicy::S3Fifo, CachePolicy::Lru];

fn key(number: u64) -> BlockKey {
    BlockKey { table: number / 64, offset: number % 64 * 4096 }
}

fn block(number: u64, length_bytes: usize) -> Bytes {
    let mut content = vec![0; length_bytes];
    content[..8].copy_from_slice(&number.to_le_bytes());
    Bytes::from(content)
}

/// Reads a block as a table would: from the cache, else from the disk and into the cache. Whether it was a hit.
fn read(cache: &BlockCache, number: u64) -> bool {
    match cache.get(key(number)) {
        Some(found) => {
            assert_eq!(found[..8], number.to_le_bytes());
            true
        }
        None => {
            cache.insert(key(number), block(number, 4096));
            false
        }
    }
}

fn within_capacity(cache: &BlockCache) {
    let statistics = cache.statistics();
    assert!(statistics.resident_bytes <= statistics.capacity_bytes, "{statistics:?}");
}

#[test]
fn what_is_found_is_what_was_inserted_last_and_the_charges_stay_within_the_capacity() {
    for policy in POLICIES {
        let mut rng = Rng::from_seed(11);
        let cache = BlockCache::new(policy, 600_000);
        let mut capacity = 600_000;
        let mut inserted: BTreeMap<u64, Bytes> = BTreeMap::new();
        let (mut hits, mut misses, mut content) = (0, 0, 0);
        for _ in 0..60_000 {
            let number = rng.below(300);
            if rng.chance(1, 2_000) {
                capacity = rng.within(1_000..1_000_000) as usize;
                cache.set_capacity(capacity);
            } else if rng.chance(1, 2) {
                content += 1;
                let fresh = block(content, rng.within(8..9_000) as usize);
                cache.insert(key(number), fresh.clone());
                inserted.insert(number, fresh);
            } else if let Some(found) = cache.get(key(number)) {
                hits += 1;
                assert_eq!(Some(&found), inserted.get(&number), "block {number}");
            } else {
                misses += 1;
            }
            within_capacity(&cache);
        }
        let statistics = cache.statistics();
        assert_eq!((statistics.hits, statistics.misses), (hits, misses));
        assert!(hits > 1_000 && statistics.capacity_bytes <= capacity as u64);
        // What came in is here or went, but for what replaced something.
        assert!(statistics.insertions >= statistics.evictions + statistics.resident_blocks, "{statistics:?}");
    }
}

#[test]
fn the_sum_of_the_charges_is_that_of_the_blocks_that_are_found() {
    for policy in POLICIES {
        let mut rng = Rng::from_seed(12);
        let cache = BlockCache::new(policy, 300_000);
        for number in 0..2_000 {
            cache.insert(key(number), block(number, rng.within(8..6_000) as usize));
        }
        let found: Vec<Bytes> = (0..2_000).filter_map(|number| cache.get(key(number))).collect();
        let charges: usize = found.iter().map(|block| block.len() + BLOCK_OVERHEAD_BYTES).sum();
        let statistics = cache.statistics();
        assert_eq!((statistics.resident_blocks, statistics.resident_bytes), (found.len() as u64, charges as u64));
        assert!(charges > 250_000, "the cache is not used: {charges}");
    }
}

/// The share of a hot set, half as large as the cache, that is still here after a scan through ten times the cache.
fn hot_percent_after_a_scan(policy: CachePolicy, capacity_bytes: usize) -> u64 {
    let cache = BlockCache::new(policy, capacity_bytes);
    let hot = capacity_bytes as u64 / 4096 / 2;
    for _ in 0..4 {
        (0..hot).for_each(|number| _ = read(&cache, number));
    }
    (hot..hot + 20 * hot).for_each(|number| _ = read(&cache, number));
    (0..hot).filter(|number| cache.get(key(*number)).is_some()).count() as u64 * 100 / hot
}

#[test]
fn a_scan_through_ten_times_the_cache_leaves_the_hot_set_with_s3_fifo_and_evicts_it_with_lru() {
    for capacity_bytes in [1 << 20, 8 << 20, 64 << 20] {
        let kept = hot_percent_after_a_scan(CachePolicy::S3Fifo, capacity_bytes);
        assert!(kept > 90, "{kept}% of {capacity_bytes}");
        let kept = hot_percent_after_a_scan(CachePolicy::Lru, capacity_bytes);
        assert!(kept < 20, "{kept}% of {capacity_bytes}");
    }
}

#[test]
fn a_hot_set_that_changes_takes_the_place_of_the_old_one() {
    let cache = BlockCache::new(CachePolicy::S3Fifo, 4 << 20);
    let hot = 700;
    for first in [0, 10_000, 20_000] {
        for _ in 0..12 {
            (first..first + hot).for_each(|number| _ = read(&cache, number));
        }
        let hits = (first..first + hot).filter(|number| read(&cache, *number)).count();
        assert!(hits > 650, "{hits} of {hot} from {first}");
    }
}

#[test]
fn a_block_that_comes_back_soon_is_kept() {
    let cache = BlockCache::new(CachePolicy::S3Fifo, 200 * 1024);
    // Fills main, so that small has its own tenth.
    for _ in 0..4 {
        (0..30).for_each(|number| _ = read(&cache, number));
    }
    (1_000..1_030).for_each(|number| _ = read(&cache, number));
    assert!(!read(&cache, 1_000), "it passed through the small queue");
    (2_000..2_100).for_each(|number| _ = read(&cache, number));
    assert!(read(&cache, 1_000), "its ghost brought it into the main queue");
    assert!(!read(&cache, 2_000));
}

#[test]
fn a_cache_of_64_kib_works() {
    for policy in POLICIES {
        let cache = BlockCache::new(policy, 64 * 1024);
        for _ in 0..5 {
            (0..10).for_each(|number| _ = read(&cache, number));
        }
        assert!((0..10).all(|number| read(&cache, number)), "{policy:?}");
    }
}

#[test]
fn a_block_larger_than_a_shard_is_not_kept_and_nothing_goes_for_it() {
    for policy in POLICIES {
        let cache = BlockCache::new(policy, 64 * 1024);
        (0..10).for_each(|number| _ = read(&cache, number));
        cache.insert(key(100), block(100, 64 * 1024));
        assert_eq!(cache.get(key(100)), None);
        assert_eq!(cache.statistics().evictions, 0);
        // In place of an older one: the older one must not be found.
        cache.insert(key(3), block(3, 64 * 1024));
        assert_eq!(cache.get(key(3)), None);
        within_capacity(&cache);
    }
}

#[test]
fn a_cache_without_capacity_keeps_nothing() {
    for policy in POLICIES {
        let cache = BlockCache::new(policy, 0);
        assert!(!read(&cache, 1) && !read(&cache, 1));
        let cache = BlockCache::new(policy, 1 << 20);
        (0..100).for_each(|number| _ = read(&cache, number));
        cache.set_capacity(0);
        assert_eq!(cache.statistics().resident_blocks, 0);
        assert!(!read(&cache, 1) && !read(&cache, 1));
    }
}

#[test]
fn shrinking_evicts_at_once_and_growing_makes_room_again() {
    for policy in POLICIES {
        let cache = BlockCache::new(policy, 8 << 20);
        (0..3_000).for_each(|number| _ = read(&cache, number));
        assert!(cache.statistics().resident_bytes > 7 << 20);
        cache.set_capacity(2 << 20);
        let statistics = cache.statistics();
        assert!(statistics.resident_bytes <= 2 << 20 && statistics.resident_bytes > 1 << 20, "{statistics:?}");
        cache.set_capacity(8 << 20);
        (0..3_000).for_each(|number| _ = read(&cache, number));
        assert!(cache.statistics().resident_bytes > 7 << 20);
    }
}

#[test]
fn threads_that_read_and_resize_at_once_find_only_what_belongs_there() {
    for policy in POLICIES {
        let cache = BlockCache::new(policy, 2 << 20);
        std::thread::scope(|scope| {
            for seed in 0..3 {
                let cache = &cache;
                scope.spawn(move || {
                    let mut rng = Rng::from_seed(seed);
                    for _ in 0..10_000 {
                        // `read` compares the content.
                        read(cache, rng.below(1_000));
                    }
                });
            }
            for step in 0..50 {
                cache.set_capacity((1 + step % 4) << 19);
            }
        });
        within_capacity(&cache);
    }
}

#[test]
fn neighbouring_places_spread_over_shards_and_buckets() {
    let mut counts = [0_u32; 256];
    for table in 0..64 {
        for offset in 0..1_024 {
            let hash = BlockKey { table, offset: offset * 4_096 }.hash();
            counts[(hash & 15 | (hash >> 40 & 15) << 4) as usize] += 1;
        }
    }
    // 256 places on average; five standard deviations are 80.
    assert!(counts.iter().all(|count| (176..336).contains(count)), "{counts:?}");
}
