//! What the block cache costs: a hit, a miss, an insertion that evicts, and what a scan leaves of a hot set.
//!
//! Run with `cargo bench -p engine --bench cache`. One thread; the blocks are 4 KiB.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the real clock")]

#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the room's tests come along, without a harness to run them"
)]
#[path = "../src/cache/mod.rs"]
mod cache;

/// What the room finds at the root of its crate.
mod world {
    pub(crate) use engine::world::Rng;
}

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use cache::{BlockCache, BlockKey, CachePolicy};

const BLOCK_BYTES: usize = 4096;
const ROUNDS: u64 = 4_000_000;

fn main() {
    for policy in [CachePolicy::S3Fifo, CachePolicy::Lru] {
        for resident in [1_000, 20_000] {
            let cache = BlockCache::new(policy, 2 * resident as usize * BLOCK_BYTES);
            (0..resident).for_each(|number| cache.insert(key(number), Bytes::from(vec![1; BLOCK_BYTES])));
            let hit = nanoseconds(|step| _ = black_box(cache.get(key(mixed(step) % resident))));
            let miss = nanoseconds(|step| _ = black_box(cache.get(key(resident + mixed(step) % resident))));
            cache.set_capacity(resident as usize * BLOCK_BYTES);
            let shared = Bytes::from(vec![2; BLOCK_BYTES]);
            let insertion = nanoseconds(|step| cache.insert(key(2 * resident + step), shared.clone()));
            println!(
                "{policy:?}, {resident} blocks: hit {hit:.1} ns, miss {miss:.1} ns, insertion with eviction {insertion:.1} ns"
            );
        }
        println!("{policy:?}: {}% of a hot set is left after a scan", hot_percent_after_a_scan(policy));
    }
}

fn hot_percent_after_a_scan(policy: CachePolicy) -> u64 {
    let hot = 2_000;
    let cache = BlockCache::new(policy, 2 * hot as usize * BLOCK_BYTES);
    let read = |number| {
        let found = cache.get(key(number)).is_some();
        if !found {
            cache.insert(key(number), Bytes::from(vec![0; BLOCK_BYTES]));
        }
        found
    };
    (0..4 * hot).for_each(|step| _ = read(step % hot));
    (hot..21 * hot).for_each(|number| _ = read(number));
    let left = (0..hot).filter(|number| read(*number)).count() as u64 * 100 / hot;
    let statistics = cache.statistics();
    assert!(statistics.resident_bytes <= statistics.capacity_bytes);
    left
}

fn nanoseconds(mut step: impl FnMut(u64)) -> f64 {
    let start = Instant::now();
    (0..ROUNDS).for_each(&mut step);
    start.elapsed().as_nanos() as f64 / ROUNDS as f64
}

fn key(number: u64) -> BlockKey {
    BlockKey { table: number / 1_000, offset: number % 1_000 * BLOCK_BYTES as u64 }
}

/// An order that no prefetcher follows.
fn mixed(step: u64) -> u64 {
    step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}
