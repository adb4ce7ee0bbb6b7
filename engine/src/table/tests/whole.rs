//! Whole tables: their properties, their range tombstones, what reads cost, how they are written.

use super::*;
use crate::cost::ReadCost;
use crate::cursor::{At, Cursor, Seek};
use crate::format::entry::key_hash;

fn many(count: u32) -> Vec<Owned> {
    let entry = |number: u32| Owned {
        key: format!("\0\x07key {number:08}").into_bytes(),
        sequence: u64::from(number) + 1,
        value: Some(vec![number as u8; 100]),
        expires_micros: 0,
    };
    (0..count).map(entry).collect()
}

fn uncompressed() -> TableOptions {
    TableOptions { compression: Compression::None, ..TableOptions::default() }
}

#[test]
fn tables_and_what_reads_them_may_change_threads() {
    fn sent<T: Send>(_: &T) {}
    fn shared<T: Send + Sync>(_: &T) {}
    let file = MemoryFile::default();
    let builder = Builder::new(file.clone(), NUMBER, 0, uncompressed());
    sent(&builder);
    sent(&builder.finish());
    let opening = Table::open(file, PathBuf::new(), NUMBER, cache());
    sent(&opening);
    run(async {
        let (file, _) = build(uncompressed(), &many(3), &[]).await;
        let table = open(&file, &cache()).await.expect("a whole table");
        shared(&table);
        sent(&table.get(b"a", 0, Sequence(1), &mut ReadCost::default()));
        sent(&table.verify(|_| {}));
        let mut cursor = table.cursor(CursorSettings { fill_cache: true, readahead_bytes: 0 });
        sent(&cursor.load());
        sent(&survey(file, "/data/x".as_ref(), NUMBER, |_| ()));
    });
}

#[test]
fn names_and_numbers_of_tables_belong_together() {
    assert_eq!(table_name(7), "table-00000000000000000007.sst");
    assert_eq!(table_number(&table_name(u64::MAX)), Some(u64::MAX));
    for name in ["table-7.sst", "table-0000000000000000000x.sst", "table-+0000000000000000007.sst", "CURRENT"] {
        assert_eq!(table_number(name), None, "{name}");
    }
}

#[test]
fn properties_say_what_the_table_holds() {
    run(async {
        let entry = |key: &str, sequence, value: Option<&str>, expires_micros| Owned {
            key: key.into(),
            sequence,
            value: value.map(Into::into),
            expires_micros,
        };
        let entries = [entry("b", 9, Some("xyz"), 0), entry("b", 5, None, 0), entry("dd", 7, Some("y"), 800)];
        let tombstones = [range("c", "k", 20), range("a", "b", 3), range("k", "k", 99), range("a", "b", 3)];
        let (_, properties) = build(uncompressed(), &entries, &tombstones).await;
        let tally = &properties.tally;
        assert_eq!((tally.entries, tally.tombstones, tally.expiring, tally.range_tombstones), (3, 1, 1, 2));
        assert_eq!((tally.raw_key_bytes, tally.raw_value_bytes), (4, 4));
        assert_eq!((tally.min_sequence, tally.max_sequence), (Sequence(3), Sequence(20)));
        assert_eq!((tally.min_expires_micros, tally.max_expires_micros), (800, 800));
        let hashes = entries.iter().map(|entry| entry.borrow().set_hash());
        assert_eq!(tally.set_hash, hashes.fold(0, u64::wrapping_add));
        assert_eq!((&properties.smallest[..], &properties.end[..]), (&b"a"[..], &b"k"[..]));
        assert_eq!((properties.number, properties.created_micros), (NUMBER, 1_000_000));
        let (_, properties) = build(uncompressed(), &entries, &[]).await;
        assert_eq!((&properties.smallest[..], &properties.end[..]), (&b"b"[..], &b"dd\0"[..]));
    });
}

#[test]
fn a_table_of_range_tombstones_alone_covers_and_holds_nothing() {
    run(async {
        let (file, properties) = build(uncompressed(), &[], &[range("c", "k", 20), range("d", "e", 30)]).await;
        assert_eq!((&properties.smallest[..], &properties.end[..]), (&b"c"[..], &b"k"[..]));
        let table = open(&file, &cache()).await.expect("a whole table");
        assert_eq!(table.covering(b"d", Sequence(40)), Some(Sequence(30)));
        assert_eq!(table.covering(b"d", Sequence(29)), Some(Sequence(20)));
        assert_eq!(table.covering(b"k", Sequence(40)), None);
        assert_eq!(table.get(b"d", key_hash(b"d"), Sequence(40), &mut ReadCost::default()).await.expect("whole"), None);
        let mut cursor = table.cursor(CursorSettings { fill_cache: true, readahead_bytes: 0 });
        for target in [Seek::First, Seek::Last, Seek::AtOrBehind(b"d"), Seek::Before(b"d")] {
            cursor.seek(target);
            assert_eq!(cursor.at(), At::End);
        }
        table.verify(|_| panic!("there is no entry")).await.expect("a whole table");
    });
}

#[test]
fn a_point_read_costs_a_partition_and_a_block_and_an_absent_key_mostly_a_partition() {
    run(async {
        let entries = many(10_000);
        let (file, properties) = build(uncompressed(), &entries, &[]).await;
        assert!(properties.partitions >= 2 && properties.data_blocks > 250, "{properties:?}");
        let table = open(&file, &cache()).await.expect("a whole table");
        let at = Sequence(u64::MAX);
        let mut cost = ReadCost::default();
        let key = &entries[5_000].key;
        table.get(key, key_hash(key), at, &mut cost).await.expect("whole").expect("it is there");
        assert_eq!((cost.tables, cost.blocks, cost.blocks_cached, cost.disk_reads), (1, 2, 0, 2));
        assert_eq!((cost.filters_asked, cost.filters_negative, cost.filters_false_positive), (1, 0, 0));
        let mut cost = ReadCost::default();
        table.get(key, key_hash(key), at, &mut cost).await.expect("whole").expect("it is there");
        assert_eq!((cost.blocks, cost.blocks_cached, cost.disk_reads, cost.bytes_read), (2, 2, 0, 0));
        let mut cost = ReadCost::default();
        for number in 0..10_000 {
            let absent = format!("\0\x07key {number:08}x").into_bytes();
            assert_eq!(table.get(&absent, key_hash(&absent), at, &mut cost).await.expect("whole"), None);
        }
        // The last of them lies behind the table: no filter was asked.
        assert_eq!(cost.filters_asked, 9_999);
        assert!(cost.filters_false_positive <= 120, "{cost:?}");
        assert_eq!(cost.filters_negative + cost.filters_false_positive, cost.filters_asked);
    });
}

#[test]
fn one_key_with_more_versions_than_a_partition_holds_is_found_at_each() {
    run(async {
        let version = |sequence: u64| Owned {
            key: b"\0\x01hot".to_vec(),
            sequence,
            value: Some(vec![sequence as u8; 200]),
            expires_micros: 0,
        };
        let mut entries: Vec<Owned> = (1..=400).rev().map(version).collect();
        entries.push(Owned { key: b"\0\x01hotter".to_vec(), ..version(3) });
        let options = TableOptions { block_bytes: 256, ..uncompressed() };
        let (file, properties) = build(options, &entries, &[]).await;
        assert!(properties.partitions >= 3);
        let table = open(&file, &cache()).await.expect("a whole table");
        for entry in &entries {
            let (hash, at) = (key_hash(&entry.key), Sequence(entry.sequence));
            let found = table.get(&entry.key, hash, at, &mut ReadCost::default()).await.expect("a whole table");
            assert_eq!(found.expect("it is there").sequence, at);
        }
        table.verify(|_| {}).await.expect("a whole table");
    });
}

#[test]
fn a_table_is_written_in_few_appends_and_synced_once_whole() {
    run(async {
        let file = MemoryFile::default();
        let mut builder = Builder::new(file.clone(), NUMBER, 0, uncompressed());
        for entry in many(30_000) {
            builder.add(entry.borrow());
            if builder.buffered_bytes() >= 1 << 20 {
                builder.write_buffered().await.expect("memory does not fail");
            }
        }
        assert_eq!(builder.entries(), 30_000);
        let announced = builder.file_bytes();
        let properties = builder.finish().await.expect("memory does not fail");
        assert_eq!(file.appends(), properties.file_bytes.div_ceil(1 << 20));
        assert_eq!((file.bytes().len(), file.synced_bytes()), (properties.file_bytes as usize, file.bytes().len()));
        assert!(announced <= properties.file_bytes && properties.file_bytes - announced < 20_000);
    });
}

#[test]
fn reading_ahead_takes_few_reads_and_leaves_the_cache_alone() {
    run(async {
        let entries = many(20_000);
        let (file, properties) = build(uncompressed(), &entries, &[]).await;
        for (seek, backwards) in [(Seek::First, false), (Seek::Last, true)] {
            let table = open(&file, &cache()).await.expect("a whole table");
            let before = file.reads();
            let mut cursor = table.cursor(CursorSettings { fill_cache: false, readahead_bytes: 256 << 10 });
            let mut count = 0;
            cursor.seek(seek);
            while cursor.at() != At::End {
                cursor.load().await.expect("a whole table");
                if cursor.at() == At::Entry {
                    count += 1;
                    if backwards { cursor.previous() } else { cursor.next() }
                }
            }
            assert_eq!(count, entries.len());
            let windows = properties.file_bytes.div_ceil(256 << 10);
            let cost = cursor.take_cost();
            assert_eq!(cost.disk_reads, file.reads() - before);
            assert!(cost.disk_reads <= windows + properties.partitions + 1, "{cost:?}");
            assert!(cost.bytes_read < 2 * properties.file_bytes);
            assert_eq!(cursor.take_cost(), ReadCost::default());
            let key = &entries[0].key;
            let found = table.try_get(key, key_hash(key), Sequence(9), &mut ReadCost::default());
            assert!(found.is_none(), "nothing was cached");
        }
    });
}

#[test]
#[should_panic(expected = "entries come in order")]
fn an_entry_out_of_order_ends_the_building() {
    let mut builder = Builder::new(MemoryFile::default(), NUMBER, 0, uncompressed());
    let entry = EntryRef { key: b"b", sequence: Sequence(4), value: None, expires_micros: 0 };
    builder.add(entry);
    builder.add(EntryRef { sequence: Sequence(5), ..entry });
}
