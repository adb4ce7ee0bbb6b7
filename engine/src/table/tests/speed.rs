//! How fast: run by hand with `cargo test --release -p engine table::tests::speed -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use super::*;
use crate::cost::ReadCost;
use crate::cursor::{At, Cursor, Seek};
use crate::format::block::{BlockBuilder, Layout};
use crate::format::entry::key_hash;

/// Keys of 16 bytes, values of 100.
fn many(count: u64) -> Vec<Owned> {
    let entry = |number: u64| Owned {
        key: [&[0, 7][..], format!("{:014}", number * 7919).as_bytes()].concat(),
        sequence: 1_000_000 + number * 37 % 99_991,
        value: Some(vec![number as u8; 100]),
        expires_micros: 0,
    };
    (0..count).map(entry).collect()
}

fn report(what: &str, count: u64, began: Instant) {
    let nanos = began.elapsed().as_nanos() as f64 / count as f64;
    println!("{what:<60} {nanos:>8.1} ns each, {:>8.2} M/s", 1000.0 / nanos);
}

/// Pseudo-random numbers below a bound, the same in each run.
fn random(count: u64, below: u64) -> Vec<usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 33) % below) as usize
        })
        .collect()
}

#[test]
#[ignore = "measures"]
fn a_lookup_in_one_block() {
    for block_bytes in [4096, 16_384] {
        let entries = many(block_bytes / 118);
        let mut builder = BlockBuilder::default();
        entries.iter().for_each(|entry| builder.add(&entry.borrow(), key_hash(&entry.key)));
        let block = Bytes::copy_from_slice(builder.finish());
        println!("block of {} bytes, {} entries", block.len(), entries.len());
        let order = random(3_000_000, entries.len() as u64);
        let hashes: Vec<u64> = entries.iter().map(|entry| key_hash(&entry.key)).collect();
        let began = Instant::now();
        for index in &order {
            let view = Layout::of(&block).expect("a block").view(&block);
            let key = &entries[*index].key;
            assert!(view.lookup(black_box(key), hashes[*index], Sequence(u64::MAX)).expect("a block").entry.is_some());
        }
        report("present", order.len() as u64, began);
        let absent: Vec<Vec<u8>> = entries.iter().map(|entry| [&entry.key[..], b"x"].concat()).collect();
        let absent_hashes: Vec<u64> = absent.iter().map(|key| key_hash(key)).collect();
        let began = Instant::now();
        for index in &order {
            let view = Layout::of(&block).expect("a block").view(&block);
            black_box(
                view.lookup(black_box(&absent[*index]), absent_hashes[*index], Sequence(u64::MAX)).expect("a block"),
            );
        }
        report("absent", order.len() as u64, began);
    }
}

#[test]
#[ignore = "measures"]
fn a_table_in_the_cache() {
    let entries = many(200_000);
    run(async {
        for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
            let options = TableOptions { compression, ..TableOptions::default() };
            let began = Instant::now();
            let (file, properties) = build(options, &entries, &[]).await;
            report(&format!("{compression:?}: build, {} bytes", properties.file_bytes), 200_000, began);
            let table = open(&file, &cache()).await.expect("a table");
            let mut cursor = table.cursor(CursorSettings { fill_cache: true, readahead_bytes: 0 });
            for pass in ["cold", "cached"] {
                let began = Instant::now();
                let mut bytes = 0;
                cursor.seek(Seek::First);
                loop {
                    match cursor.at() {
                        At::Entry => {
                            bytes += black_box(cursor.entry()).key.len();
                            cursor.next();
                        }
                        At::End => break,
                        At::Unloaded => cursor.load().await.expect("a table"),
                    }
                }
                assert_eq!(bytes, 16 * entries.len());
                report(&format!("{compression:?}: forwards, {pass}"), 200_000, began);
            }
            let began = Instant::now();
            cursor.seek(Seek::Last);
            while cursor.at() == At::Entry {
                black_box(cursor.entry());
                cursor.previous();
            }
            report(&format!("{compression:?}: backwards, cached"), 200_000, began);
            let mut cost = ReadCost::default();
            for (what, suffix) in [("present", &b""[..]), ("absent", b"x")] {
                let order = random(500_000, entries.len() as u64);
                let keys: Vec<Vec<u8>> =
                    order.iter().map(|index| [&entries[*index].key[..], suffix].concat()).collect();
                let began = Instant::now();
                for key in &keys {
                    let found = table.try_get(key, key_hash(key), Sequence(u64::MAX), &mut cost).expect("cached");
                    black_box(found.expect("a table"));
                }
                report(&format!("{compression:?}: get, {what}"), keys.len() as u64, began);
            }
        }
    });
}
