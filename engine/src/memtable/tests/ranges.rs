//! Range tombstones against a walk over all of them.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn tombstone(start: &[u8], end: &[u8], sequence: u64) -> RangeTombstone {
    RangeTombstone {
        start: Bytes::copy_from_slice(start),
        end: Bytes::copy_from_slice(end),
        sequence: Sequence(sequence),
    }
}

#[test]
fn a_range_covers_its_start_and_not_its_end() {
    let memtable = Memtable::new(0);
    assert_eq!(memtable.covering(b"c", Sequence(9)), None);
    memtable.insert_range_tombstone(tombstone(b"b", b"d", 5));
    memtable.insert_range_tombstone(tombstone(b"c", b"c", 6));
    memtable.insert_range_tombstone(tombstone(b"e", b"c", 7));
    let covering = |key: &[u8], at| memtable.covering(key, Sequence(at)).map(|sequence| sequence.0);
    assert_eq!(
        [covering(b"a", 9), covering(b"b", 9), covering(b"c", 9), covering(b"d", 9)],
        [None, Some(5), Some(5), None]
    );
    assert_eq!([covering(b"c", 4), covering(b"c", 5)], [None, Some(5)]);
    assert_eq!(memtable.range_tombstones().len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_highest_that_covers_is_found(bounds in vec((0_u8..40, 0_u8..40), 1..120), asked in vec((0_u8..41, 0_u64..120), 60)) {
        let memtable = Memtable::new(0);
        let mut all: Vec<RangeTombstone> = Vec::new();
        for (sequence, (start, end)) in bounds.into_iter().enumerate() {
            let next = tombstone(&[start], &[end], sequence as u64);
            memtable.insert_range_tombstone(next.clone());
            all.push(next);
        }
        for (key, at) in asked {
            let covering = all.iter().filter(|it| it.start[..] <= [key][..] && [key][..] < it.end[..] && it.sequence.0 <= at).map(|it| it.sequence).max();
            prop_assert_eq!(memtable.covering(&[key], Sequence(at)), covering);
        }
        all.sort();
        prop_assert_eq!(memtable.range_tombstones(), all);
    }
}
