//! Range tombstones of many sources, cut where they overlap, so that one binary search answers for a key.
//!
//! ```text
//!   tombstones   a ═══════5═══════ g          fragments   a..c  5
//!                     c ═══9═══ e                         c..e  9 5
//!                                                         e..g  5
//! ```

use bytes::Bytes;

use crate::format::Sequence;
use crate::format::entry::RangeTombstone;

/// A range that the same tombstones cover from end to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) start: Bytes,
    pub(crate) end: Bytes,
    /// The tombstones' sequences, newest first.
    pub(crate) sequences: Vec<Sequence>,
}

/// Fragments in key order, disjoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fragments {
    fragments: Vec<Fragment>,
}

impl Fragments {
    /// The fragments of these tombstones.
    pub(crate) fn new(mut tombstones: Vec<RangeTombstone>) -> Self {
        if tombstones.is_empty() {
            return Self::default();
        }
        tombstones.sort_unstable();
        let mut cuts: Vec<&Bytes> =
            tombstones.iter().flat_map(|tombstone| [&tombstone.start, &tombstone.end]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let (mut fragments, mut next) = (Vec::new(), 0);
        // Tombstones that have begun and not ended at the present cut.
        let mut open: Vec<&RangeTombstone> = Vec::new();
        for pair in cuts.windows(2) {
            open.retain(|tombstone| tombstone.end > *pair[0]);
            while next < tombstones.len() && tombstones[next].start == *pair[0] {
                open.push(&tombstones[next]);
                next += 1;
            }
            if open.is_empty() {
                continue;
            }
            let mut sequences: Vec<Sequence> = open.iter().map(|tombstone| tombstone.sequence).collect();
            sequences.sort_unstable_by(|one, other| other.cmp(one));
            sequences.dedup();
            fragments.push(Fragment { start: pair[0].clone(), end: pair[1].clone(), sequences });
        }
        Self { fragments }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.fragments.is_empty()
    }

    /// All of them, in key order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Fragment> {
        self.fragments.iter()
    }

    /// The sequences of the tombstones that cover `key`, newest first.
    pub(crate) fn covering(&self, key: &[u8]) -> &[Sequence] {
        let behind = self.fragments.partition_point(|fragment| fragment.start[..] <= *key);
        match behind.checked_sub(1).map(|index| &self.fragments[index]) {
            Some(fragment) if *key < fragment.end[..] => &fragment.sequences,
            _ => &[],
        }
    }

    /// The newest tombstone at or below `at` that covers `key`.
    pub(crate) fn newest_covering(&self, key: &[u8], at: Sequence) -> Option<Sequence> {
        self.covering(key).iter().copied().find(|sequence| *sequence <= at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn tombstone(start: u8, end: u8, sequence: u64) -> RangeTombstone {
        RangeTombstone {
            start: Bytes::copy_from_slice(&[start]),
            end: Bytes::copy_from_slice(&[end]),
            sequence: Sequence(sequence),
        }
    }

    proptest! {
        #[test]
        fn a_key_is_covered_by_exactly_the_tombstones_that_cover_it(
            ranges in vec((0..20_u8, 1..20_u8, 1..50_u64), 0..12), at in 0..60_u64,
        ) {
            let tombstones: Vec<RangeTombstone> =
                ranges.iter().map(|(start, length, sequence)| tombstone(*start, start + length, *sequence)).collect();
            let fragments = Fragments::new(tombstones.clone());
            for pair in fragments.fragments.windows(2) {
                prop_assert!(pair[0].start < pair[0].end && pair[0].end <= pair[1].start);
            }
            for key in 0..45_u8 {
                let mut expected: Vec<Sequence> =
                    tombstones.iter().filter(|one| one.start[..] <= [key][..] && [key][..] < one.end[..]).map(|one| one.sequence).collect();
                expected.sort_unstable_by(|one, other| other.cmp(one));
                expected.dedup();
                prop_assert_eq!(fragments.covering(&[key]), &expected[..]);
                let newest = expected.iter().copied().find(|sequence| sequence.0 <= at);
                prop_assert_eq!(fragments.newest_covering(&[key], Sequence(at)), newest);
            }
        }
    }
}
