//! Every interleaving of a small memtable's writer and readers: `cargo test -p engine --release --features loom --lib loom`.
//!
//! ```text
//!   before    x and y are there
//!   writer    insert a (into a slot), insert a again (a newer version), insert b (the table of four slots grows)
//!   readers   a lookup of each │ a cursor over everything
//! ```
//!
//! The model reports a read of bytes that were not published to the reader: each stands beside a `Witness`. Replace a
//! `Release` in `arena.rs` by `Relaxed` and it does.

use ::loom::thread;

use super::*;

fn write(memtable: &Memtable) {
    put(memtable, b"\0\0a", 1, b"a1");
    put(memtable, b"\0\0a", 2, b"a2");
    put(memtable, b"\0\0b", 3, b"b3");
}

/// With the hash that all keys have here, so that they meet in one table.
const HASH: u64 = 5 << 48;

fn put(memtable: &Memtable, key: &[u8], sequence: u64, value: &[u8]) {
    memtable.insert(EntryRef { key, sequence: Sequence(sequence), value: Some(value), expires_micros: 0 }, HASH);
}

fn get(memtable: &Memtable, key: &[u8], at: u64) -> Option<(u64, Option<Bytes>)> {
    let version = memtable.get(key, HASH, Sequence(at))?;
    Some((version.sequence.0, version.value))
}

fn model(readers: impl Fn(&Arc<Memtable>) + Send + Sync + 'static) {
    let readers = Arc::new(readers);
    ::loom::model(move || {
        let memtable = Arc::new(Memtable::with_slots(0, 4));
        put(&memtable, b"\0\0x", 1, b"x1");
        put(&memtable, b"\0\0y", 2, b"y2");
        let writer = thread::spawn({
            let memtable = Arc::clone(&memtable);
            move || write(&memtable)
        });
        let reader = thread::spawn({
            let (memtable, readers) = (Arc::clone(&memtable), Arc::clone(&readers));
            move || readers(&memtable)
        });
        writer.join().unwrap();
        reader.join().unwrap();
        assert_eq!(get(&memtable, b"\0\0a", 9), Some((2, Some("a2".into()))));
        assert_eq!(get(&memtable, b"\0\0b", 9), Some((3, Some("b3".into()))));
    });
}

#[test]
fn a_lookup_finds_whole_entries_and_never_goes_back() {
    model(|memtable| {
        let first = get(memtable, b"\0\0a", 9);
        let then = get(memtable, b"\0\0b", 9);
        let last = get(memtable, b"\0\0a", 9);
        for found in [&first, &last].into_iter().flatten() {
            assert_eq!(found.1, Some(Bytes::from(if found.0 == 1 { "a1" } else { "a2" })));
        }
        assert!(first.is_none() || last.is_some());
        assert!(first <= last, "{first:?} then {last:?}");
        assert!(then.is_none() || last.is_some(), "a was inserted before b");
    });
}

#[test]
fn a_cursor_finds_whole_entries_and_all_that_a_lookup_found() {
    model(|memtable| {
        let found = get(memtable, b"\0\0b", 9);
        let mut cursor = memtable.cursor();
        cursor.seek(Seek::First);
        let mut keys = Vec::new();
        while cursor.at() == At::Entry {
            let entry = cursor.entry();
            assert_eq!(entry.value.map(|value| value[1] - b'0'), Some(entry.sequence.0 as u8));
            keys.push(entry.key[2]);
            cursor.next();
        }
        assert!(keys.is_sorted());
        assert!(found.is_none() || keys.contains(&b'b'), "{keys:?}");
    });
}
