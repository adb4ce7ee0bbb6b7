//! Tests of the memtable against what snapshots must see.

use std::collections::BTreeSet;

use super::*;

fn put(sequence: u64, key: &'static str, value: &'static str) -> (Sequence, Operation) {
    (Sequence(sequence), Operation { key: Bytes::from(key), value: Some(Bytes::from(value)) })
}

fn delete(sequence: u64, key: &'static str) -> (Sequence, Operation) {
    (Sequence(sequence), Operation { key: Bytes::from(key), value: None })
}

fn reads_at(snapshots: &[u64]) -> impl Fn(Sequence, Sequence) -> bool + use<> {
    let snapshots: BTreeSet<Sequence> = snapshots.iter().map(|sequence| Sequence(*sequence)).collect();
    move |from, until| snapshots.range(from..until).next().is_some()
}

fn found(value: &'static str, sequence: u64) -> Lookup {
    Lookup::Found(Bytes::from(value), Sequence(sequence))
}

const EVERYTHING: (Bound<Bytes>, Bound<Bytes>) = (Bound::Unbounded, Bound::Unbounded);

#[test]
fn a_key_is_found_deleted_or_unknown_at_each_sequence() {
    let memtable = Memtable::default();
    let everything_is_read = |_, _| true;
    memtable.insert([put(2, "a", "rain"), delete(7, "a"), put(9, "a", "storm")], everything_is_read);
    assert_eq!(memtable.get(b"a", Sequence(1)), Lookup::Unknown);
    assert_eq!(memtable.get(b"a", Sequence(6)), found("rain", 2));
    assert_eq!(memtable.get(b"a", Sequence(8)), Lookup::Tombstone);
    assert_eq!(memtable.get(b"a", Sequence(u64::MAX)), found("storm", 9));
    assert_eq!(memtable.get(b"b", Sequence(9)), Lookup::Unknown);
}

#[test]
fn overwriting_a_hot_key_does_not_grow_memory() {
    let memtable = Memtable::default();
    memtable.insert([put(1, "hot", "value")], reads_at(&[]));
    let before = memtable.usage();
    for sequence in 2..1_000 {
        memtable.insert([put(sequence, "hot", "other")], reads_at(&[]));
    }
    assert_eq!(memtable.usage(), before);
    // One old snapshot costs one version, not one for every write since.
    for sequence in 1_000..2_000 {
        memtable.insert([put(sequence, "hot", "later")], reads_at(&[999]));
    }
    assert_eq!(memtable.usage().versions, 2);
    assert_eq!(memtable.get(b"hot", Sequence(999)), found("other", 999));
    // Once it is released, the next write drops what it held.
    memtable.insert([put(2_000, "hot", "later")], reads_at(&[]));
    assert_eq!(memtable.usage(), before);
}

#[test]
fn each_live_snapshot_keeps_its_version_and_only_that() {
    let memtable = Memtable::default();
    let snapshots = [3, 5, 6];
    for sequence in 1..=9 {
        let live: Vec<u64> = snapshots.iter().copied().filter(|snapshot| *snapshot < sequence).collect();
        memtable.insert([put(sequence, "a", "v")], reads_at(&live));
    }
    assert_eq!(memtable.usage().versions, 4);
    for snapshot in snapshots {
        assert_eq!(memtable.get(b"a", Sequence(snapshot)), found("v", snapshot));
    }
}

#[test]
fn a_range_comes_in_order_and_in_chunks() {
    let memtable = Memtable::default();
    memtable.insert([put(1, "c", "3"), put(2, "a", "1"), delete(3, "b"), put(4, "d", "4")], |_, _| true);
    let keys = |chunk: &Chunk| chunk.entries.iter().map(|(key, ..)| key.clone()).collect::<Vec<_>>();

    let whole = memtable.range(&EVERYTHING, Sequence(4), 10, 1_000);
    assert_eq!((keys(&whole), &whole.next), (vec!["a".into(), "b".into(), "c".into(), "d".into()], &None));
    assert_eq!(whole.entries[1].2, None, "a tombstone is shown");

    let first = memtable.range(&EVERYTHING, Sequence(4), 2, 1_000);
    assert_eq!((keys(&first), &first.next), (vec!["a".into(), "b".into()], &Some("c".into())));
    let small = memtable.range(&EVERYTHING, Sequence(4), 10, 0);
    assert_eq!((keys(&small), &small.next), (vec!["a".into()], &Some("b".into())));

    let earlier = memtable.range(&EVERYTHING, Sequence(2), 10, 1_000);
    assert_eq!(keys(&earlier), [Bytes::from("a"), Bytes::from("c")]);
}

#[test]
fn a_range_that_ends_before_it_begins_is_empty() {
    let memtable = Memtable::default();
    memtable.insert([put(1, "m", "1")], |_, _| true);
    let bound = |text: &'static str| Bytes::from(text);
    for range in [
        (Bound::Included(bound("z")), Bound::Included(bound("a"))),
        (Bound::Excluded(bound("m")), Bound::Excluded(bound("m"))),
        (Bound::Included(bound("m")), Bound::Excluded(bound("m"))),
        (Bound::Excluded(bound("m")), Bound::Included(bound("m"))),
    ] {
        assert_eq!(memtable.range(&range, Sequence(9), 10, 10), Chunk::default(), "{range:?}");
    }
}
