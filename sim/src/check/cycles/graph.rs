//! Who must come before whom, and why: the direct serialization graph.
//!
//! ```text
//!   T1 ──ww──▶ T2   T2 wrote over what T1 wrote          T1 ──wr──▶ T2   T2 read what T1 wrote
//!   T1 ──rw──▶ T2   T2 wrote over what T1 had read       T1 ──session──▶ T2
//!   T1 ──▶ moment ──▶ moment ──▶ T2                       T1 ended before T2 began
//! ```
//!
//! Time needs an edge from each transaction to all that begin after it. Instead there is a node for each moment at which
//! transactions ended: edges lead from who ends to the moment, from moment to moment, and from the last moment before it
//! to who begins. A way through moments is one step of a cycle, however many it passes.

use crate::history::transactions::{TransactionHistory, TransactionOutcome};

use super::level::Order;

/// Why one comes before the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum EdgeKind {
    /// It wrote over the other's write.
    WriteWrite = 1,
    /// It read the other's write.
    WriteRead = 2,
    /// It wrote over what the other had read.
    ReadWrite = 4,
    /// It followed in the same process.
    Session = 8,
    /// The other ended, and a moment later...
    Ended = 16,
    /// ... or an even later one, it began.
    Began = 32,
}

/// A set of edge kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const fn of(kind: EdgeKind) -> Self {
        Self(kind as u8)
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn has(self, kind: EdgeKind) -> bool {
        self.0 & kind as u8 != 0
    }

    /// The edges that an order brings.
    pub(super) const fn of_order(order: Order) -> Self {
        match order {
            Order::Any => Self(0),
            Order::Session => Self::of(EdgeKind::Session),
            Order::RealTime => Self::of(EdgeKind::Ended).and(Self::of(EdgeKind::Began)),
        }
    }
}

/// No value: what a register holds before it is written, and where an edge speaks of no value.
pub(super) const NOTHING: u32 = u32::MAX;

/// One dependency, with what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) kind: EdgeKind,
    /// The key; `NOTHING` for an order.
    pub(super) key: u32,
    /// What `from` wrote, or had read.
    pub(super) before: u32,
    /// What `to` wrote; `NOTHING` when it read.
    pub(super) after: u32,
}

impl Edge {
    /// An edge that speaks of no key.
    fn order(from: u32, to: u32, kind: EdgeKind) -> Self {
        Self { from, to, kind, key: NOTHING, before: NOTHING, after: NOTHING }
    }
}

/// All dependencies, by the node that they leave. Transactions are the first nodes, moments the others.
#[derive(Debug, Default)]
pub(super) struct Graph {
    edges: Vec<Edge>,
    /// Where each node's edges begin; one more at the end.
    first: Vec<u32>,
}

impl Graph {
    /// The graph of these dependencies, and of the order asked for among the `committed`.
    pub(super) fn new(history: &TransactionHistory, committed: &[bool], mut edges: Vec<Edge>, order: Order) -> Self {
        let mut nodes = committed.len();
        match order {
            Order::Any => {}
            Order::Session => sessions(history, committed, &mut edges),
            Order::RealTime => nodes = moments(history, committed, &mut edges),
        }
        edges.retain(|edge| edge.from != edge.to);
        let mut first = vec![0_u32; nodes + 1];
        for edge in &edges {
            first[edge.from as usize + 1] += 1;
        }
        for node in 0..nodes {
            first[node + 1] += first[node];
        }
        let mut next = first.clone();
        let mut sorted = vec![Edge::order(0, 0, EdgeKind::Began); edges.len()];
        for edge in edges {
            let place = &mut next[edge.from as usize];
            sorted[*place as usize] = edge;
            *place += 1;
        }
        Self { edges: sorted, first }
    }

    pub(super) fn nodes(&self) -> usize {
        self.first.len().saturating_sub(1)
    }

    /// The numbers of the edges that leave a node.
    pub(super) fn leaving(&self, node: u32) -> std::ops::Range<u32> {
        self.first[node as usize]..self.first[node as usize + 1]
    }

    pub(super) fn edge(&self, number: u32) -> &Edge {
        &self.edges[number as usize]
    }

    pub(super) fn edges(&self) -> &[Edge] {
        &self.edges
    }
}

fn sessions(history: &TransactionHistory, committed: &[bool], edges: &mut Vec<Edge>) {
    let mut last: std::collections::BTreeMap<u64, u32> = std::collections::BTreeMap::new();
    for (number, transaction) in (0_u32..).zip(history.transactions()) {
        if !committed[number as usize] {
            continue;
        }
        if let Some(before) = last.insert(transaction.process, number) {
            edges.push(Edge::order(before, number, EdgeKind::Session));
        }
    }
}

/// Adds the moments; returns how many nodes there are then.
fn moments(history: &TransactionHistory, committed: &[bool], edges: &mut Vec<Edge>) -> usize {
    let mut events: Vec<(u64, bool, u32)> = Vec::with_capacity(committed.len() * 2);
    for (number, transaction) in (0_u32..).zip(history.transactions()) {
        if committed[number as usize] {
            events.push((transaction.invoked, false, number));
            let ended = transaction.completed.filter(|_| transaction.outcome == TransactionOutcome::Committed);
            events.extend(ended.map(|place| (place, true, number)));
        }
    }
    events.sort_unstable();
    let mut nodes = committed.len();
    let (mut moment, mut is_begun_since) = (None, true);
    for (_, is_end, number) in events {
        if !is_end {
            edges.extend(moment.map(|moment| Edge::order(moment, number, EdgeKind::Began)));
            is_begun_since = true;
            continue;
        }
        // Who ends before anybody else begins ends at the same moment.
        if is_begun_since {
            let next = nodes as u32;
            nodes += 1;
            edges.extend(moment.map(|moment| Edge::order(moment, next, EdgeKind::Began)));
            (moment, is_begun_since) = (Some(next), false);
        }
        edges.extend(moment.map(|moment| Edge::order(number, moment, EdgeKind::Ended)));
    }
    nodes
}
