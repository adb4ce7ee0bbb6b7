//! One thread writes while others read: every value says which key and sequence it belongs to.
//!
//! ```text
//!   writer    sequence 1, 2, 3, ...  of key (sequence mod keys)       and tells how far it is, after each insert
//!   readers   what was told must be found: by lookup, and by cursor, complete and in order
//! ```

#![allow(clippy::disallowed_methods, reason = "threads are what is tested")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::*;

const KEYS: u64 = 500;
const INSERTS: u64 = if cfg!(miri) { 200 } else { 60_000 };

fn key_of(sequence: u64) -> Vec<u8> {
    [&[0, 0][..], &(sequence % KEYS).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()].concat()
}

fn value_of(key: &[u8], sequence: u64) -> Vec<u8> {
    let seed = key_hash(key) ^ sequence;
    seed.to_le_bytes().repeat(1 + (seed % 20) as usize)
}

fn look_up(memtable: &Memtable, told: u64, turn: u64) {
    let sequence = told - turn % told.min(KEYS);
    let key = key_of(sequence);
    let (found, value) = get(memtable, &key, told).expect("what was told is there");
    assert_eq!(found, sequence);
    assert_eq!(value.as_deref(), Some(&value_of(&key, sequence)[..]));
    assert!(newest_sequence(memtable, &key, key_hash(&key)) >= Some(Sequence(sequence)));
}

fn scan(memtable: &Arc<Memtable>, told: u64, forward: bool) {
    let mut cursor = memtable.cursor();
    let mut seen = 0;
    let mut before: Option<(Vec<u8>, u64)> = None;
    cursor.seek(if forward { Seek::First } else { Seek::Last });
    while cursor.at() == At::Entry {
        let entry = cursor.entry();
        let (key, sequence) = (entry.key.to_vec(), entry.sequence.0);
        assert_eq!(key, key_of(sequence));
        assert_eq!(entry.value, Some(&value_of(&key, sequence)[..]));
        if let Some((key_before, sequence_before)) = before {
            let in_order = (&key_before, sequence) < (&key, sequence_before);
            assert!(in_order == forward && (&key_before, sequence_before) != (&key, sequence));
        }
        seen += u64::from(sequence <= told);
        before = Some((key, sequence));
        if forward {
            cursor.next();
        } else {
            cursor.previous();
        }
    }
    assert_eq!(seen, told, "a cursor sees everything that was there before it");
}

#[test]
fn readers_see_whole_entries_while_one_thread_writes() {
    let memtable = Arc::new(Memtable::with_slots(0, 2));
    let told = AtomicU64::new(0);
    let wait = || loop {
        match told.load(Ordering::Acquire) {
            0 => thread::yield_now(),
            told => return told,
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            for sequence in 1..=INSERTS {
                let key = key_of(sequence);
                put(&memtable, &key, sequence, &value_of(&key, sequence));
                told.store(sequence, Ordering::Release);
            }
        });
        scope.spawn(|| {
            for turn in 0..INSERTS {
                look_up(&memtable, wait(), turn);
            }
        });
        scope.spawn(|| {
            for turn in 0..(INSERTS / 2_000).max(4) {
                scan(&memtable, wait(), turn % 2 == 0);
            }
        });
    });
    scan(&memtable, INSERTS, true);
}
