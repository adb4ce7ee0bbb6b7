//! Range tombstones: rare, but a thousand of them must not make a lookup walk over a thousand.
//!
//! ```text
//!   trees       of 300 │ 70 │ 12 │ 1 tombstones                   the newest is last; merged like the runs of the ordered view
//!   tree        bounds  a      c      f      k      z             every start and end, once
//!   segments         [a,c)  [c,f)  [f,k)  [k,z)                   a tombstone covers a range of them
//!   nodes       1 ─ 2 ─ 4,5 ─ ...                                 it is noted in the few nodes that make up that range
//!   lookup      the key's segment, then up to the root: the highest sequence at or below the one asked for
//! ```
//!
//! With n tombstones a lookup costs O(log² n) comparisons in each of O(log n) trees, an insert O(log² n) amortised, and
//! memory is O(n log n), however the ranges overlap. A memtable without any costs a lookup one load of a flag.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use bytes::Bytes;

use crate::format::Sequence;
use crate::format::entry::RangeTombstone;

use super::arena::Writer;
use super::atomics::Ordering;

/// A tree is merged with the next one unless it has more than this many times as many tombstones.
const GROWTH: usize = 4;

/// All range tombstones of a memtable.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    any: AtomicBool,
    trees: ArcSwap<Vec<Arc<Tree>>>,
}

impl Ranges {
    /// Adds one. One whose end is not behind its start covers nothing.
    pub(super) fn insert(&self, _writer: &mut Writer<'_>, tombstone: RangeTombstone) {
        let mut trees = Vec::clone(&self.trees.load());
        let mut tombstones = vec![tombstone];
        while let Some(longer) = trees.pop_if(|longer| longer.tombstones.len() <= GROWTH * tombstones.len()) {
            tombstones.extend_from_slice(&longer.tombstones);
        }
        trees.push(Arc::new(Tree::new(tombstones)));
        self.trees.store(Arc::new(trees));
        self.any.store(true, Ordering::Release);
    }

    /// The highest sequence, at or below `at`, of one that covers the key.
    #[inline]
    pub(super) fn covering(&self, key: &[u8], at: Sequence) -> Option<Sequence> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.trees.load().iter().filter_map(|tree| tree.covering(key, at)).max()
    }

    /// All of them, by start, then end, then sequence.
    pub(super) fn all(&self) -> Vec<RangeTombstone> {
        let trees = self.trees.load();
        let mut all: Vec<RangeTombstone> = trees.iter().flat_map(|tree| tree.tombstones.iter().cloned()).collect();
        all.sort_unstable();
        all
    }

    /// The bytes of all trees, and of the tombstones' bounds.
    pub(super) fn allocated_bytes(&self) -> usize {
        if !self.any.load(Ordering::Acquire) {
            return 0;
        }
        self.trees.load().iter().map(|tree| tree.allocated_bytes).sum()
    }
}

#[derive(Debug)]
struct Tree {
    tombstones: Vec<RangeTombstone>,
    /// Sorted; segment `i` lies between bound `i` and the next.
    bounds: Vec<Bytes>,
    /// Ascending sequences: the children of node `i` are `2i` and `2i + 1`, segment `i` is node `segments + i`.
    nodes: Vec<Vec<Sequence>>,
    allocated_bytes: usize,
}

impl Tree {
    fn new(mut tombstones: Vec<RangeTombstone>) -> Self {
        tombstones.sort_unstable_by_key(|tombstone| tombstone.sequence);
        let mut bounds: Vec<Bytes> = tombstones.iter().flat_map(|it| [it.start.clone(), it.end.clone()]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let segments = bounds.len() - 1;
        let mut nodes = vec![Vec::new(); 2 * segments];
        for tombstone in &tombstones {
            let segment_of = |bound: &Bytes| bounds.binary_search(bound).expect("every bound is in the list");
            let (mut left, mut right) =
                (segment_of(&tombstone.start) + segments, segment_of(&tombstone.end) + segments);
            while left < right {
                if left % 2 == 1 {
                    nodes[left].push(tombstone.sequence);
                    left += 1;
                }
                if right % 2 == 1 {
                    right -= 1;
                    nodes[right].push(tombstone.sequence);
                }
                (left, right) = (left / 2, right / 2);
            }
        }
        let mut tree = Self { tombstones, bounds, nodes, allocated_bytes: 0 };
        tree.allocated_bytes = tree.count_bytes();
        tree
    }

    fn covering(&self, key: &[u8], at: Sequence) -> Option<Sequence> {
        let segments = self.bounds.len() - 1;
        let segment = self.bounds.partition_point(|bound| bound[..] <= *key).checked_sub(1)?;
        if segment >= segments {
            return None;
        }
        let mut node = segment + segments;
        let mut highest = None;
        while node > 0 {
            let sequences = &self.nodes[node];
            let count = sequences.partition_point(|sequence| *sequence <= at);
            highest = highest.max(count.checked_sub(1).map(|last| sequences[last]));
            node /= 2;
        }
        highest
    }

    fn count_bytes(&self) -> usize {
        let bounds: usize = self.tombstones.iter().map(|it| it.start.len() + it.end.len()).sum();
        let lists: usize = self.nodes.iter().map(|list| list.capacity() * size_of::<Sequence>()).sum();
        bounds
            + lists
            + self.tombstones.capacity() * size_of::<RangeTombstone>()
            + self.bounds.capacity() * size_of::<Bytes>()
            + self.nodes.capacity() * size_of::<Vec<Sequence>>()
    }
}
