//! Random tables against a sorted list of the same entries: every question is asked of both.

use proptest::prelude::*;

use super::*;
use crate::cost::ReadCost;
use crate::cursor::{At, Cursor, Seek};
use crate::format::entry::{Version, key_hash};

fn options() -> impl Strategy<Value = TableOptions> {
    let compression = prop_oneof![Just(Compression::None), Just(Compression::Lz4), Just(Compression::Zstd)];
    let millibits = prop_oneof![Just(0), Just(1_500), Just(10_000)];
    (prop_oneof![Just(256_usize), Just(512), Just(4096)], compression, millibits).prop_map(
        |(block_bytes, compression, filter_millibits_per_key)| TableOptions {
            block_bytes,
            compression,
            filter_millibits_per_key,
        },
    )
}

/// Few letters, so that keys share prefixes, are prefixes of each other, and have many versions.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::collection::vec(prop_oneof![Just(0_u8), Just(b'a'), Just(b'b'), Just(0xff)], 0..5),
        1 => proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b')], 0..200),
    ]
}

fn entries() -> impl Strategy<Value = Vec<Owned>> {
    let value = proptest::option::weighted(
        0.8,
        prop_oneof![
            20 => proptest::collection::vec(any::<u8>(), 0..40),
            20 => proptest::collection::vec(Just(b'x'), 0..120),
            1 => proptest::collection::vec(any::<u8>(), 3000..9000),
        ],
    );
    let expires = prop_oneof![3 => Just(0), 1 => 1_u64..900];
    proptest::collection::btree_map((key(), 1_u64..30), (value, expires), 1..250).prop_map(|versions| {
        let mut entries: Vec<Owned> = versions
            .into_iter()
            .map(|((key, sequence), (value, expires_micros))| Owned { key, sequence, value, expires_micros })
            .collect();
        entries.sort_by(|left, right| left.borrow().order(&right.borrow()));
        entries
    })
}

/// The entry where a cursor stands, loading as often as it asks to.
async fn settled(cursor: &mut TableCursor<MemoryFile>) -> Option<Owned> {
    while cursor.at() == At::Unloaded {
        cursor.load().await.expect("a whole table");
    }
    (cursor.at() == At::Entry).then(|| Owned::of(cursor.entry()))
}

fn model_get(entries: &[Owned], key: &[u8], at: u64) -> Option<Version> {
    let found = entries.iter().find(|entry| entry.key == key && entry.sequence <= at)?;
    Some(Version {
        sequence: Sequence(found.sequence),
        value: found.value.clone().map(Bytes::from),
        expires_micros: found.expires_micros,
    })
}

/// Where a cursor must stand after a seek: the index of the entry.
fn model_seek(entries: &[Owned], target: Seek<'_>) -> Option<usize> {
    match target {
        Seek::First => Some(0),
        Seek::Last => entries.len().checked_sub(1),
        Seek::AtOrBehind(key) => entries.iter().position(|entry| entry.key[..] >= *key),
        Seek::Before(key) => entries.iter().rposition(|entry| entry.key[..] < *key),
    }
}

async fn check_gets(table: &Table<MemoryFile>, entries: &[Owned], strangers: &[Vec<u8>]) {
    let mut cost = ReadCost::default();
    for key in entries.iter().map(|entry| &entry.key).chain(strangers) {
        for at in [0, 1, 7, 15, 29, u64::MAX] {
            let expected = model_get(entries, key, at);
            let hash = key_hash(key);
            if let Some(found) = table.try_get(key, hash, Sequence(at), &mut cost) {
                assert_eq!(found.expect("a whole table"), expected);
            }
            let found = table.get(key, hash, Sequence(at), &mut cost).await;
            assert_eq!(found.expect("a whole table"), expected, "{key:?} at {at}");
            let found = table.try_get(key, hash, Sequence(at), &mut cost).expect("all is cached now");
            assert_eq!(found.expect("a whole table"), expected);
        }
    }
}

async fn check_cursor(table: &Arc<Table<MemoryFile>>, settings: CursorSettings, entries: &[Owned], seeks: &[Vec<u8>]) {
    let mut cursor = table.cursor(settings);
    assert_eq!(cursor.at(), At::End);
    cursor.seek(Seek::First);
    for entry in entries {
        assert_eq!(settled(&mut cursor).await.as_ref(), Some(entry));
        cursor.next();
    }
    assert_eq!(settled(&mut cursor).await, None);
    cursor.seek(Seek::Last);
    for entry in entries.iter().rev() {
        assert_eq!(settled(&mut cursor).await.as_ref(), Some(entry));
        cursor.previous();
    }
    assert_eq!(settled(&mut cursor).await, None);
    let targets = seeks.iter().flat_map(|key| [Seek::AtOrBehind(key), Seek::Before(key)]);
    for (number, target) in targets.chain([Seek::First, Seek::Last]).enumerate() {
        cursor.seek(target);
        let mut place = model_seek(entries, target);
        // A few steps from there, there and back.
        for step in 0..8 {
            let expected = place.map(|place| entries[place].clone());
            assert_eq!(settled(&mut cursor).await, expected, "{target:?}, step {step}");
            let Some(at) = place else { break };
            if (number + step) % 5 < 3 {
                cursor.next();
                place = Some(at + 1).filter(|at| *at < entries.len());
            } else {
                cursor.previous();
                place = at.checked_sub(1);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_table_answers_as_a_sorted_map_would(
        options in options(),
        entries in entries(),
        strangers in proptest::collection::vec(key(), 0..20),
    ) {
        run(async {
            let (file, properties) = build(options, &entries, &[]).await;
            assert_eq!(file.synced_bytes() as u64, properties.file_bytes);
            let table = open(&file, &cache()).await.expect("a whole table");
            assert_eq!(table.properties(), &properties);
            check_gets(&table, &entries, &strangers).await;
            let mut seeks = strangers.clone();
            seeks.extend(entries.iter().map(|entry| entry.key.clone()));
            seeks.extend(entries.iter().map(|entry| [&entry.key[..], &[0]].concat()));
            for (fill_cache, readahead_bytes) in [(false, 0), (false, 700), (true, 1 << 20), (true, 0)] {
                let fresh = open(&file, &cache()).await.expect("a whole table");
                check_cursor(&fresh, CursorSettings { fill_cache, readahead_bytes }, &entries, &seeks).await;
            }
            let mut visited = Vec::new();
            table.verify(|entry| visited.push(Owned::of(entry))).await.expect("a whole table");
            assert_eq!(visited, entries);
        });
    }
}
