//! Tests of the concurrent memtable: against a plain ordered map, with many threads, and under a model checker.

#[cfg(feature = "loom")]
mod loom;
mod oracle;
mod ranges;
mod threads;

use std::sync::Arc;

use bytes::Bytes;

use super::counters::Usage;
use super::*;
use crate::cursor::{At, Cursor, Seek};
use crate::format::Sequence;
use crate::format::entry::{EntryRef, RangeTombstone, key_hash};

fn put(memtable: &Memtable, key: &[u8], sequence: u64, value: &[u8]) {
    let entry = EntryRef { key, sequence: Sequence(sequence), value: Some(value), expires_micros: 0 };
    memtable.insert(entry, key_hash(key));
}

fn newest_sequence(memtable: &Memtable, key: &[u8], hash: u64) -> Option<Sequence> {
    memtable.get(key, hash, Sequence(u64::MAX)).map(|version| version.sequence)
}

fn get(memtable: &Memtable, key: &[u8], at: u64) -> Option<(u64, Option<Bytes>)> {
    let version = memtable.get(key, key_hash(key), Sequence(at))?;
    Some((version.sequence.0, version.value))
}

/// Every entry from where the cursor stands, as key and sequence.
fn rest(cursor: &mut MemtableCursor, step: impl Fn(&mut MemtableCursor)) -> Vec<(Vec<u8>, u64)> {
    let mut found = Vec::new();
    while cursor.at() == At::Entry {
        found.push((cursor.entry().key.to_vec(), cursor.entry().sequence.0));
        step(cursor);
    }
    found
}

#[test]
fn the_longest_key_and_the_largest_value_come_back_whole() {
    let memtable = Arc::new(Memtable::new(0));
    let key = vec![9; 65_537];
    let value: Vec<u8> = (0..8 << 20).map(|index: u32| index as u8).collect();
    put(&memtable, b"\0\0small", 1, b"before");
    put(&memtable, &key, 2, &value);
    put(&memtable, &key, 3, &[]);
    put(&memtable, b"\0\0small", 4, b"behind");
    assert_eq!(get(&memtable, &key, 2), Some((2, Some(value.into()))));
    assert_eq!(get(&memtable, &key, 3), Some((3, Some(Bytes::new()))));
    assert_eq!(get(&memtable, b"\0\0small", 9), Some((4, Some("behind".into()))));
    let mut cursor = memtable.cursor();
    cursor.seek(Seek::Last);
    assert_eq!((cursor.entry().key, cursor.entry().value.map(<[u8]>::len)), (&key[..], Some(8 << 20)));
}

#[test]
fn an_expiry_comes_back_with_its_version() {
    let memtable = Memtable::new(0);
    let entry = EntryRef { key: b"\0\0k", sequence: Sequence(1), value: Some(b"v"), expires_micros: 77 };
    memtable.insert(entry, key_hash(b"\0\0k"));
    put(&memtable, b"\0\0k", 2, b"w");
    let expires = |at| memtable.get(b"\0\0k", key_hash(b"\0\0k"), Sequence(at)).map(|version| version.expires_micros);
    assert_eq!((expires(1), expires(2)), (Some(77), Some(0)));
}

#[test]
#[should_panic(expected = "versions of a key must come in order")]
fn a_version_that_comes_too_late_is_refused() {
    let memtable = Memtable::new(0);
    put(&memtable, b"\0\0k", 5, b"new");
    put(&memtable, b"\0\0k", 5, b"old");
}

#[test]
fn keys_whose_hashes_are_equal_stay_apart() {
    let memtable = Memtable::new(0);
    for number in 0..400_u64 {
        let key = number.to_be_bytes();
        let entry = EntryRef { key: &key, sequence: Sequence(number), value: Some(&key), expires_micros: 0 };
        memtable.insert(entry, 0);
    }
    for number in 0..400_u64 {
        assert_eq!(newest_sequence(&memtable, &number.to_be_bytes(), 0), Some(Sequence(number)));
    }
    assert_eq!(newest_sequence(&memtable, &400_u64.to_be_bytes(), 0), None);
}

#[test]
fn a_hot_key_is_one_element_of_the_order_and_all_its_versions_can_be_read() {
    let memtable = Arc::new(Memtable::new(1 << 20));
    for sequence in 1..=10_000 {
        put(&memtable, b"\0\0hot", sequence, &sequence.to_le_bytes());
    }
    put(&memtable, b"\0\0cold", 10_001, b"");
    assert_eq!(memtable.runs().iter().map(|run| run.len()).sum::<usize>(), 2);
    assert_eq!(get(&memtable, b"\0\0hot", 17), Some((17, Some(Bytes::copy_from_slice(&17_u64.to_le_bytes())))));
    let mut cursor = memtable.cursor();
    cursor.seek(Seek::AtOrBehind(b"\0\0hot"));
    let forward: Vec<u64> =
        rest(&mut cursor, |cursor| cursor.next()).into_iter().map(|(_, sequence)| sequence).collect();
    assert!(forward.iter().copied().eq((1..=10_000).rev()));
    cursor.seek(Seek::Last);
    let back: Vec<u64> =
        rest(&mut cursor, |cursor| cursor.previous()).into_iter().map(|(_, sequence)| sequence).collect();
    assert!(back.iter().copied().eq(1..=10_001));
}

#[test]
fn an_order_is_made_of_few_runs_however_often_it_is_asked_for() {
    let memtable = Arc::new(Memtable::new(1 << 20));
    for number in 0..3_000_u64 {
        put(&memtable, &number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes(), number, b"");
        assert!(memtable.runs().len() <= 7, "{} runs of {number} keys", memtable.runs().len());
    }
    let runs = memtable.runs();
    assert!(runs.windows(2).all(|pair| pair[0].len() > 4 * pair[1].len()));
}

#[test]
fn a_cursor_sees_what_was_there_when_it_was_made() {
    let memtable = Arc::new(Memtable::new(0));
    put(&memtable, b"\0\0b", 1, b"");
    let mut early = memtable.cursor();
    put(&memtable, b"\0\0a", 2, b"");
    put(&memtable, b"\0\0c", 3, b"");
    let mut late = memtable.cursor();
    assert_eq!((early.at(), late.at()), (At::End, At::End));
    early.seek(Seek::First);
    late.seek(Seek::First);
    assert_eq!(rest(&mut early, |cursor| cursor.next()), [(b"\0\0b".to_vec(), 1)]);
    assert_eq!(rest(&mut late, |cursor| cursor.next()).len(), 3);
}

#[test]
fn what_is_counted_is_what_was_inserted() {
    let memtable = Memtable::new(0);
    assert_eq!(memtable.usage(), Usage::default());
    put(&memtable, b"\0\0a", 4, b"12345");
    put(&memtable, b"\0\0a", 6, b"1");
    let tombstone = EntryRef { key: b"\0\0bb", sequence: Sequence(7), value: None, expires_micros: 0 };
    memtable.insert(tombstone, key_hash(b"\0\0bb"));
    let range = RangeTombstone { start: "a".into(), end: "b".into(), sequence: Sequence(9) };
    memtable.insert_range_tombstone(range);
    let expected = Usage {
        keys: 2,
        entries: 3,
        tombstones: 1,
        range_tombstones: 1,
        sequences: Some((Sequence(4), Sequence(9))),
        key_bytes: 3 + 3 + 4,
        value_bytes: 5 + 1,
    };
    assert_eq!(memtable.usage(), expected);
}

#[test]
fn memory_is_counted_as_chunks_tables_and_runs() {
    let memtable = Arc::new(Memtable::new(0));
    assert_eq!(memtable.allocated_bytes(), 256 * 8);
    put(&memtable, b"\0\0a", 1, b"");
    assert_eq!(memtable.allocated_bytes(), 256 * 8 + (16 << 10));
    drop(memtable.cursor());
    assert_eq!(memtable.allocated_bytes(), 256 * 8 + (16 << 10) + 16);
    put(&memtable, b"\0\0a", 2, &vec![0; 1 << 20]);
    let large = (1 << 20) + 32;
    assert_eq!(memtable.allocated_bytes(), 256 * 8 + (16 << 10) + 16 + large);
}
