//! What the memtable costs, on one thread: `cargo bench -p engine --bench memtable`, with a number of keys behind `--` if
//! a million is not what you want.
//!
//! ```text
//!   insert          16-byte keys with 100-byte values, in random order, into an empty memtable
//!   get             each key once, in another random order: the newest version, copied out
//!   first scan      sorts everything
//!   scan            one insert, then 20 times a seek and 50 entries
//! ```
//!
//! It compiles the rooms that the memtable stands on as its own modules, so that none of them has to be public for it.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the machine's clock")]
#![allow(unreachable_pub, reason = "rooms of a library, seen from a program")]

#[allow(dead_code, unused_imports, reason = "the measurement uses a part of the room")]
#[path = "../src/cursor/mod.rs"]
mod cursor;
#[allow(dead_code, unused_imports, reason = "the measurement uses a part of the room")]
#[path = "../src/format/mod.rs"]
mod format;
#[path = "../src/limits.rs"]
mod limits;
#[allow(dead_code, unused_imports, reason = "the measurement uses a part of the room")]
#[path = "../src/memtable/mod.rs"]
mod memtable;
mod error {
    //! A memtable's cursor cannot fail, so the real one, with what it knows of disks, is not needed.
    pub(crate) enum Error {}
}

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use cursor::{At, Cursor, Seek};
use format::Sequence;
use format::entry::{EntryRef, RangeTombstone, key_hash};
use memtable::Memtable;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// With the keyspace in front.
const KEY_BYTES: usize = 18;
const PASSES: usize = 3;
type Key = [u8; KEY_BYTES];
const VALUE: [u8; 100] = [7; 100];
const ROUNDS: usize = 2_000;
const SCANS_A_ROUND: usize = 20;
const ENTRIES_A_SCAN: usize = 50;

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    println!("random keys");
    measure(count, |number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes().repeat(2));
    println!("decimal keys, whose first bytes are the same");
    measure(count, |number| format!("user{number:012}").into_bytes());
    range_tombstones(10_000);
}

fn measure(count: usize, user_key: impl Fn(u64) -> Vec<u8>) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let key = |number: usize| -> Key { [&[0, 1], &user_key(number as u64)[..]].concat().try_into().expect("16 bytes") };
    // Flat, and read from front to back: what is measured is the memtable's memory, not the keys'.
    let mut keys: Vec<Key> = (0..count).map(key).collect();
    shuffle(&mut keys, &mut random);
    let memtable = Arc::new(Memtable::new(256 << 20));

    let mut longest_nanos = 0;
    let start = Start::now();
    let mut before = start.wall;
    for (index, key) in keys.iter().enumerate() {
        insert(&memtable, key, index);
        if index % 64 == 0 {
            let now = Instant::now();
            longest_nanos = longest_nanos.max((now - before).as_nanos());
            before = now;
        }
    }
    report("insert", start, count);
    println!("  longest 64 inserts   {:>10.1} ms", longest_nanos as f64 / 1e6);
    println!("  memory               {:>10.1} bytes a key", memtable.allocated_bytes() as f64 / count as f64);

    shuffle(&mut keys, &mut random);
    best("get", &keys, |key| memtable.get(key, key_hash(key), Sequence(u64::MAX)).is_some());
    best("get of an absent key", &keys, |key| {
        memtable.get(&key[1..], key_hash(&key[1..]), Sequence(u64::MAX)).is_none()
    });
    scans(&memtable, &keys, key, &mut random);
}

fn scans(memtable: &Arc<Memtable>, keys: &[Key], key: impl Fn(usize) -> Key, random: &mut ChaCha8Rng) {
    let start = Instant::now();
    let mut cursor = memtable.cursor();
    println!("  first scan           {:>10.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Start::now();
    cursor.seek(Seek::First);
    let mut entries = 0;
    while cursor.at() == At::Entry {
        entries += black_box(cursor.entry()).key.len() / KEY_BYTES;
        cursor.next();
    }
    report("full scan, an entry", start, entries);
    drop(cursor);
    let mut nanos = Vec::new();
    for round in 0..ROUNDS {
        insert(memtable, &key(keys.len() + round), keys.len() + round);
        for _ in 0..SCANS_A_ROUND {
            let start_key = &keys[random.next_u64() as usize % keys.len()];
            let start = Instant::now();
            let mut cursor = memtable.cursor();
            cursor.seek(Seek::AtOrBehind(start_key));
            for _ in 0..ENTRIES_A_SCAN {
                if cursor.at() != At::Entry {
                    break;
                }
                black_box(cursor.entry());
                cursor.next();
            }
            nanos.push(start.elapsed().as_nanos());
        }
    }
    nanos.sort_unstable();
    let micros = |index: usize| nanos[index] as f64 / 1e3;
    let last = nanos.len() - 1;
    let (median, tail, worst) = (micros(last / 2), micros(last * 99 / 100), micros(last));
    println!("  scan of 50           {median:>10.1} us median, {tail:.1} us p99, {worst:.1} us worst");
}

fn range_tombstones(count: usize) {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let memtable = Memtable::new(1 << 20);
    let start = Start::now();
    for sequence in 0..count {
        let mut bounds = [random.next_u64(), random.next_u64()];
        bounds.sort_unstable();
        let [start, end] = bounds.map(|bound| bound.to_be_bytes().to_vec().into());
        memtable.insert_range_tombstone(RangeTombstone { start, end, sequence: Sequence(sequence as u64) });
    }
    println!("{count} range tombstones");
    report("insert", start, count);
    let start = Start::now();
    for _ in 0..count {
        let at = Sequence(random.next_u64() % count as u64);
        black_box(memtable.covering(&random.next_u64().to_be_bytes(), at));
    }
    report("covering", start, count);
}

fn insert(memtable: &Memtable, key: &[u8], index: usize) {
    let entry = EntryRef { key, sequence: Sequence(index as u64 + 1), value: Some(&VALUE), expires_micros: 0 };
    memtable.insert(entry, key_hash(key));
}

/// The best of several passes, as other programs share the machine.
fn best(what: &str, keys: &[Key], look_up: impl Fn(&Key) -> bool) {
    let pass = |_| {
        let start = Start::now();
        for key in keys {
            assert!(black_box(look_up(key)));
        }
        start.nanos()
    };
    let (wall, busy) = (0..PASSES).map(pass).min_by_key(|nanos| nanos.1).expect("there is a pass");
    let each = |nanos: u128| nanos as f64 / keys.len() as f64;
    println!("  {what:<20} {:>10.0} ns, of which {:.0} on the processor", each(wall), each(busy));
}

/// When something began, by the wall and by what the process had computed.
#[derive(Clone, Copy)]
struct Start {
    wall: Instant,
    busy_nanos: u128,
}

impl Start {
    fn now() -> Self {
        Self { wall: Instant::now(), busy_nanos: busy_nanos() }
    }

    fn nanos(self) -> (u128, u128) {
        (self.wall.elapsed().as_nanos(), busy_nanos() - self.busy_nanos)
    }
}

/// What the scheduler gave this process, to a few milliseconds; 0 where there is no such file.
fn busy_nanos() -> u128 {
    let told = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

fn report(what: &str, start: Start, count: usize) {
    let (wall, busy) = start.nanos();
    let each = |nanos: u128| nanos as f64 / count as f64;
    println!("  {what:<20} {:>10.0} ns, of which {:.0} on the processor", each(wall), each(busy));
}

fn shuffle<T>(items: &mut [T], random: &mut ChaCha8Rng) {
    for index in (1..items.len()).rev() {
        items.swap(index, random.next_u64() as usize % (index + 1));
    }
}
