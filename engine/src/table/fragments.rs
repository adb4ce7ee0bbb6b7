//! Range tombstones cut into pieces that do not overlap, so that a key is looked up in one of them.
//!
//! ```text
//!   tombstones   ├──── 5 ────┤                    fragments   ├─ 5 ─┼─ 9 5 ─┼─ 9 ─┤
//!                      ├──── 9 ────┤                          each with its sequences, newest first
//! ```
//!
//! Many tombstones that all overlap make many sequences in many fragments; compaction drops all but those that a snapshot
//! can tell apart.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use bytes::Bytes;

use crate::format::Sequence;
use crate::format::entry::RangeTombstone;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fragment {
    start: Bytes,
    end: Bytes,
    /// Newest first.
    sequences: Vec<Sequence>,
}

/// The range tombstones of a table, by key.
#[derive(Debug, Clone, Default)]
pub(super) struct Fragments(Vec<Fragment>);

impl Fragments {
    /// Cuts tombstones into fragments.
    pub(super) fn of(tombstones: &[RangeTombstone]) -> Self {
        let mut edges: Vec<(&Bytes, bool, Sequence, usize)> = Vec::new();
        for (number, tombstone) in tombstones.iter().enumerate() {
            edges.push((&tombstone.start, true, tombstone.sequence, number));
            edges.push((&tombstone.end, false, tombstone.sequence, number));
        }
        edges.sort();
        let mut fragments = Vec::new();
        let mut open: BTreeSet<(Reverse<Sequence>, usize)> = BTreeSet::new();
        let mut begin: Option<&Bytes> = None;
        for (key, starts, sequence, number) in edges {
            if let Some(start) = begin.filter(|start| *start < key && !open.is_empty()) {
                let mut sequences: Vec<Sequence> = open.iter().map(|(Reverse(sequence), _)| *sequence).collect();
                sequences.dedup();
                fragments.push(Fragment { start: start.clone(), end: key.clone(), sequences });
            }
            if starts {
                open.insert((Reverse(sequence), number));
            } else {
                open.remove(&(Reverse(sequence), number));
            }
            begin = Some(key);
        }
        Self(fragments)
    }

    /// The newest tombstone at or before `at` that covers `key`.
    pub(super) fn covering(&self, key: &[u8], at: Sequence) -> Option<Sequence> {
        let behind = self.0.partition_point(|fragment| fragment.start[..] <= *key);
        let fragment = self.0[..behind].last().filter(|fragment| *key < fragment.end[..])?;
        let newer = fragment.sequences.partition_point(|sequence| *sequence > at);
        fragment.sequences.get(newer).copied()
    }

    /// Bytes that they take in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let each = |fragment: &Fragment| {
            size_of::<Fragment>() + fragment.sequences.len() * size_of::<Sequence>() + fragment.start.len()
        };
        self.0.iter().map(each).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_is_covered_by_the_newest_tombstone_that_the_reader_sees(
            tombstones in proptest::collection::vec((0_u8..20, 1_u8..9, 1_u64..9), 0..12),
        ) {
            let tombstones: Vec<RangeTombstone> = tombstones
                .into_iter()
                .map(|(start, length, sequence)| RangeTombstone {
                    start: Bytes::from(vec![start]),
                    end: Bytes::from(vec![start + length]),
                    sequence: Sequence(sequence),
                })
                .collect();
            let fragments = Fragments::of(&tombstones);
            for key in (0..30).map(|byte| vec![byte]).chain([vec![], vec![7, 0]]) {
                for at in (0..10).map(Sequence) {
                    let covering = tombstones.iter().filter(|tombstone| tombstone.start[..] <= key[..] && key[..] < tombstone.end[..] && tombstone.sequence <= at);
                    prop_assert_eq!(fragments.covering(&key, at), covering.map(|tombstone| tombstone.sequence).max());
                }
            }
        }
    }
}
