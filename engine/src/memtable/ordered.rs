//! The keys in order, made when somebody scans.
//!
//! ```text
//!   inserted   n m d k x a │ c │ f                   the arena's insert order; `last` is where the previous scan got to
//!   runs       a d k m n x │ c f                     sorted; each at least five times as long as the next
//!   element    keyspace u16 │ node's address, 48 bits │ the key's next 8 bytes u64 big-endian
//! ```
//!
//! A scan first sorts what was inserted since the last one into a new run, and merges it with the runs before it that are
//! not much longer, so a key is merged a logarithmic number of times and a scan looks at a logarithmic number of runs.
//! Writers know nothing of this: its lock is taken by those who begin a scan.
//!
//! Most comparisons are decided by the element alone. Only keys with the same first ten bytes touch the nodes.

use std::cmp::Ordering as Comparison;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError};

use super::arena::{Arena, NodePointer, NodeRef};
use super::atomics::{Mutex, Ordering};

/// A run is merged with the next one unless it is more than this many times as long.
const GROWTH: usize = 4;
/// Groups of keys with equal words are sorted by whole keys when they are this small, or this much of them is equal.
const SMALL_GROUP: usize = 8;
const DEPTH_BYTES_MAX: usize = 66;

/// A key in a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    node: NodePointer,
    word: u64,
}

impl Element {
    fn new(node: NodeRef<'_>) -> Self {
        let (keyspace, word) = words(node.key());
        Self { node: NodePointer::new(node, keyspace), word }
    }

    fn words(self) -> (u16, u64) {
        (self.node.tag(), self.word)
    }

    /// The node. `arena` must be the one it came from.
    pub(super) fn node(self, arena: &Arena) -> NodeRef<'_> {
        self.node.of(arena)
    }

    /// Where the node lies.
    pub(super) fn pointer(self) -> NodePointer {
        self.node
    }

    /// The order of the keys.
    #[inline]
    pub(super) fn order(self, other: Self, arena: &Arena) -> Comparison {
        self.words().cmp(&other.words()).then_with(|| self.node(arena).key().cmp(other.node(arena).key()))
    }
}

/// Keys in order.
pub(super) type Run = Box<[Element]>;
/// All keys, in runs that share none. Longest first.
pub(super) type Runs = Arc<Vec<Arc<Run>>>;

/// How many keys of a run are smaller than this one.
pub(super) fn rank(run: &Run, key: &[u8], arena: &Arena) -> usize {
    let target = words(key);
    run.partition_point(|element| match element.words().cmp(&target) {
        Comparison::Equal => element.node(arena).key() < key,
        unequal => unequal == Comparison::Less,
    })
}

/// The ordered view.
#[derive(Debug)]
pub(super) struct Ordered {
    state: Mutex<State>,
    allocated_bytes: AtomicUsize,
}

#[derive(Debug)]
struct State {
    runs: Runs,
    last: Option<NodePointer>,
}

impl Ordered {
    /// A view of nothing.
    pub(super) fn new() -> Self {
        let state = State { runs: Arc::default(), last: None };
        Self { state: Mutex::new(state), allocated_bytes: AtomicUsize::new(0) }
    }

    /// Every key that is in the arena now, and perhaps a few that come in meanwhile.
    pub(super) fn runs(&self, arena: &Arena) -> Runs {
        // A panic while it was held left the last complete view.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = match state.last {
            None => arena.first(),
            Some(last) => last.of(arena).next_inserted(),
        };
        if next.is_none() {
            return Arc::clone(&state.runs);
        }
        let mut last = state.last;
        let mut fresh = Vec::new();
        while let Some(node) = next {
            fresh.push(Element::new(node));
            last = Some(NodePointer::new(node, 0));
            next = node.next_inserted();
        }
        sort(&mut fresh, arena, 2);
        let mut runs = Vec::clone(&state.runs);
        let mut run = fresh.into_boxed_slice();
        while let Some(longer) = runs.pop_if(|longer| longer.len() <= GROWTH * run.len()) {
            run = merge(&longer, &run, arena);
        }
        runs.push(Arc::new(run));
        let bytes = runs.iter().map(|run| size_of_val(&***run)).sum();
        self.allocated_bytes.store(bytes, Ordering::Relaxed);
        *state = State { runs: Arc::new(runs), last };
        Arc::clone(&state.runs)
    }

    /// The bytes of the present runs; older ones live as long as the cursors that use them.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.allocated_bytes.load(Ordering::Relaxed)
    }
}

/// The first ten bytes of a key as two numbers, zeros behind a shorter one: keys in order have numbers in order.
fn words(key: &[u8]) -> (u16, u64) {
    let keyspace = match key {
        [first, second, ..] => u16::from_be_bytes([*first, *second]),
        [first] => u16::from_be_bytes([*first, 0]),
        [] => 0,
    };
    (keyspace, word(key, 2))
}

/// The eight bytes of a key from here on, zeros behind its end.
fn word(key: &[u8], from: usize) -> u64 {
    let rest = key.get(from..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(bytes)
        }
    }
}

/// Sorts elements whose words are those at `depth_bytes` of their keys, and who are equal before that. Where many are
/// equal there as well, their words are replaced by the next ones for a while, so that a key's node is touched once for
/// every eight bytes it shares with others, not for every comparison.
fn sort(elements: &mut [Element], arena: &Arena, depth_bytes: usize) {
    elements.sort_unstable_by_key(|element| element.words());
    for group in elements.chunk_by_mut(|left, right| left.words() == right.words()) {
        if group.len() == 1 {
            continue;
        }
        if group.len() <= SMALL_GROUP || depth_bytes >= DEPTH_BYTES_MAX {
            group.sort_unstable_by(|left, right| left.node(arena).key().cmp(right.node(arena).key()));
            continue;
        }
        let common = group[0].word;
        for element in &mut *group {
            element.word = word(element.node(arena).key(), depth_bytes + 8);
        }
        sort(group, arena, depth_bytes + 8);
        for element in group {
            element.word = common;
        }
    }
}

fn merge(left: &[Element], right: &[Element], arena: &Arena) -> Run {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left, right);
    while let (Some(first), Some(second)) = (left.first(), right.first()) {
        if first.order(*second, arena) == Comparison::Less {
            merged.push(*first);
            left = &left[1..];
        } else {
            merged.push(*second);
            right = &right[1..];
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    merged.into_boxed_slice()
}
