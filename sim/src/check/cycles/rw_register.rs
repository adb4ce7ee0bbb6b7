//! What reads and writes of registers tell: as much of the order of their values as is certain, and who must have come
//! before whom.
//!
//! ```text
//!   nothing ─▶ every value                          a register begins empty
//!   T1 read 4, then wrote 7        4 ─▶ 7            a write follows the read before it
//!   T1 ended with 4, then T2       4 ─▶ 9            only where the level keeps the order of time
//!      began and met 9
//!
//!   4 ─▶ 7    who wrote 4 ──ww──▶ who wrote 7    who read 4 ──rw──▶ who wrote 7    who wrote 4 ──wr──▶ who read 4
//! ```
//!
//! A register shows only its present value, so that less is known than of a list, and less is found. An order of values
//! that contradicts itself is wrong where time made it; otherwise information went in a circle, which the reads show.
//!
//! Of several values that follow the same one a read is held against the first 64 only.

use std::collections::BTreeMap;

use super::components::{ALONE, Plain, components};
use super::evidence::{Anomaly, Evidence, Found};
use super::graph::{Edge, EdgeKind, Graph, Kinds, NOTHING};
use super::ledger::{Ledger, Seen, Written};
use super::level::{AnomalyKind, Order, Phenomenon};
use crate::history::transactions::{MicroOperation, TransactionHistory, TransactionOutcome};

/// Values behind another which a read of it is held against.
const FOLLOWERS_MAX: usize = 64;

/// Infers what each key tells.
pub(super) fn infer(ledger: &Ledger<'_>, order: Order, edges: &mut Vec<Edge>, found: &mut Found) {
    let mut touches = touches(ledger);
    touches.sort_by_key(|touch| touch.key);
    for touches in touches.chunk_by(|one, other| one.key == other.key) {
        Register { ledger, key: touches[0].key, touches }.infer(order, edges, found);
    }
}

/// What a committed transaction did to a key, as others see it.
#[derive(Debug, Clone, Copy)]
struct Touch {
    key: u32,
    transaction: u32,
    /// What it read before it wrote: a value, or `NOTHING`; `None` when it did not read.
    read: Option<u32>,
    /// What it wrote last.
    wrote: Option<u32>,
}

impl Touch {
    /// The value that it met.
    fn first(&self) -> Option<u32> {
        self.read.or(self.wrote)
    }

    /// The value that it left.
    fn last(&self) -> Option<u32> {
        self.wrote.or(self.read)
    }
}

fn touches(ledger: &Ledger<'_>) -> Vec<Touch> {
    let mut touches: Vec<Touch> = Vec::new();
    let mut places: BTreeMap<u32, usize> = BTreeMap::new();
    for (transaction, one) in ledger.committed() {
        places.clear();
        for operation in ledger.history.operations_of(one) {
            let key = operation.key();
            let place = *places.entry(key).or_insert_with(|| {
                touches.push(Touch { key, transaction, read: None, wrote: None });
                touches.len() - 1
            });
            let touch = &mut touches[place];
            let is_first = touch.read.is_none() && touch.wrote.is_none();
            match *operation {
                MicroOperation::Write { value, .. } => touch.wrote = Some(value),
                MicroOperation::ReadValue { value, .. } if is_first => touch.read = Some(value),
                MicroOperation::ReadNothing { .. } if is_first => touch.read = Some(NOTHING),
                _ => {}
            }
        }
    }
    touches
}

/// One key's register.
struct Register<'a, 'h> {
    ledger: &'a Ledger<'h>,
    key: u32,
    /// In the order of their transactions.
    touches: &'a [Touch],
}

/// That one value came before another, and which transactions show it.
#[derive(Debug, Clone, Copy)]
struct Follows {
    before: u32,
    after: u32,
    shown_by: (u32, u32),
}

impl Register<'_, '_> {
    fn infer(&self, order: Order, edges: &mut Vec<Edge>, found: &mut Found) {
        self.check_reads(found);
        self.seen_writes(edges);
        let mut follows: Vec<Follows> = Vec::new();
        for touch in self.touches {
            if let (Some(before), Some(after)) = (touch.read, touch.wrote) {
                let shown_by = (touch.transaction, touch.transaction);
                follows.push(Follows { before, after, shown_by });
            }
        }
        if order == Order::RealTime {
            self.in_time(&mut follows);
        }
        self.behind_nothing(&mut follows);
        let versions = Versions::new(&follows);
        if let Some(circle) = versions.circle() {
            if order == Order::RealTime {
                let kind = AnomalyKind { phenomenon: Phenomenon::CyclicVersions, order };
                found.add_kind(kind, || self.contradiction(kind, &circle));
            }
            return;
        }
        self.dependencies(follows, edges);
    }

    fn evidence(&self, value: u32) -> Evidence<'_, '_> {
        Evidence { ledger: self.ledger, key: self.key, value }
    }

    fn write(&self, value: u32) -> Option<Written> {
        self.ledger.find(self.key, value).map(|place| self.ledger.writes[place])
    }

    /// Who wrote a value and may have committed.
    fn writer(&self, value: u32) -> Option<u32> {
        let writer = self.write(value)?.transaction;
        (self.ledger.outcome(writer) != TransactionOutcome::Aborted).then_some(writer)
    }

    /// Tells of values that should not have been read.
    fn check_reads(&self, found: &mut Found) {
        for read in self.ledger.reads_of(self.key) {
            let Seen::Value(value) = read.seen else { continue };
            let (evidence, reader) = (self.evidence(value), read.transaction);
            match self.write(value) {
                None => found.add(Phenomenon::ThinAir, || evidence.thin_air(reader)),
                Some(write) if self.ledger.outcome(write.transaction) == TransactionOutcome::Aborted => {
                    found.add(Phenomenon::G1a, || evidence.aborted_read(reader, write.transaction));
                }
                Some(write) if !write.is_final && write.transaction != reader => {
                    found.add(Phenomenon::G1b, || evidence.intermediate_read(reader, write.transaction));
                }
                Some(_) => {}
            }
        }
    }

    fn seen_writes(&self, edges: &mut Vec<Edge>) {
        for touch in self.touches {
            let Some(value) = touch.read else { continue };
            let Some(from) = self.writer(value) else { continue };
            let kind = EdgeKind::WriteRead;
            edges.push(Edge { from, to: touch.transaction, kind, key: self.key, before: value, after: NOTHING });
        }
    }

    /// What a transaction left came before what the ones met that began after its end.
    fn in_time(&self, follows: &mut Vec<Follows>) {
        let transactions = self.ledger.history.transactions();
        let mut events: Vec<(u64, bool, &Touch)> = Vec::with_capacity(self.touches.len() * 2);
        for touch in self.touches {
            let one = &transactions[touch.transaction as usize];
            events.push((one.invoked, false, touch));
            events.extend(one.completed.map(|place| (place, true, touch)));
        }
        events.sort_by_key(|(place, ..)| *place);
        // The latest to end: what these left came behind what all others had left.
        let mut latest: Vec<(u64, u32, u32)> = Vec::new();
        for (place, is_end, touch) in events {
            let Some((first, last)) = touch.first().zip(touch.last()) else { continue };
            if is_end {
                let began = transactions[touch.transaction as usize].invoked;
                latest.retain(|(ended, ..)| *ended >= began);
                latest.push((place, last, touch.transaction));
                continue;
            }
            for (_, before, transaction) in latest.iter().filter(|(_, before, _)| *before != first) {
                follows.push(Follows { before: *before, after: first, shown_by: (*transaction, touch.transaction) });
            }
        }
    }

    /// Whatever follows no other value follows nothing.
    fn behind_nothing(&self, follows: &mut Vec<Follows>) {
        let mut known: Vec<u32> = follows.iter().map(|follows| follows.after).collect();
        known.sort_unstable();
        for touch in self.touches {
            if let Some(after) = touch.wrote.filter(|value| known.binary_search(value).is_err()) {
                follows.push(Follows { before: NOTHING, after, shown_by: (touch.transaction, touch.transaction) });
            }
        }
    }

    /// Turns the order of values into one of transactions.
    fn dependencies(&self, mut follows: Vec<Follows>, edges: &mut Vec<Edge>) {
        follows.sort_by_key(|follows| (follows.before, follows.shown_by.1, follows.after));
        follows.dedup_by_key(|follows| (follows.before, follows.after));
        let mut readers: Vec<(u32, u32)> =
            self.touches.iter().filter_map(|touch| touch.read.map(|value| (value, touch.transaction))).collect();
        readers.sort_unstable();
        let edge = |from, to, kind, before, after| Edge { from, to, kind, key: self.key, before, after };
        for follows in follows.chunk_by(|one, other| one.before == other.before) {
            let before = follows[0].before;
            let followers: Vec<(u32, u32)> =
                follows.iter().filter_map(|follows| self.writer(follows.after).map(|to| (to, follows.after))).collect();
            if let Some(from) = self.writer(before).filter(|_| before != NOTHING) {
                edges.extend(followers.iter().map(|(to, after)| edge(from, *to, EdgeKind::WriteWrite, before, *after)));
            }
            let from = readers.partition_point(|(value, _)| *value < before);
            for (_, reader) in readers[from..].iter().take_while(|(value, _)| *value == before) {
                let followers = followers.iter().take(FOLLOWERS_MAX);
                edges.extend(followers.map(|(to, after)| edge(*reader, *to, EdgeKind::ReadWrite, before, *after)));
            }
        }
    }

    fn contradiction(&self, kind: AnomalyKind, circle: &[Follows]) -> Anomaly {
        let history = self.ledger.history;
        let name = |value: u32| if value == NOTHING { "nothing" } else { history.value_name(value) };
        let steps: Vec<String> = circle.iter().map(|follows| self.shown(follows, name)).collect();
        let key = history.key_name(self.key);
        let explanation = format!("the values of key {key} can be put in no order: {}", steps.join("; "));
        let transactions = circle.iter().flat_map(|follows| [follows.shown_by.0, follows.shown_by.1]).collect();
        let mut anomaly = Anomaly::new(history, kind, transactions, explanation);
        anomaly.steps = steps;
        anomaly
    }

    fn shown<'n>(&self, follows: &Follows, name: impl Fn(u32) -> &'n str) -> String {
        let Follows { before, after, shown_by: (one, other) } = *follows;
        let (before, after) = (name(before), name(after));
        if one == other {
            return format!("T{one} wrote {after} over {before}");
        }
        format!("T{one} ended with {before} before T{other} began, which met {after}")
    }
}

/// Values and their order as a graph.
struct Versions<'f> {
    follows: &'f [Follows],
    graph: Graph,
}

impl<'f> Versions<'f> {
    fn new(follows: &'f [Follows]) -> Self {
        let mut values: Vec<u32> = follows.iter().flat_map(|follows| [follows.before, follows.after]).collect();
        values.sort_unstable();
        values.dedup();
        let node = |value: u32| values.binary_search(&value).map_or(0, |place| place as u32);
        // The place in `follows` is kept where an edge keeps its key.
        let edge = |(place, follows): (u32, &Follows)| {
            let (from, to) = (node(follows.before), node(follows.after));
            Edge { from, to, kind: EdgeKind::WriteWrite, key: place, before: follows.before, after: follows.after }
        };
        let edges = (0_u32..).zip(follows).map(edge).collect();
        let graph = Graph::new(&TransactionHistory::default(), &vec![true; values.len()], edges, Order::Any);
        Self { follows, graph }
    }

    /// A shortest circle of values; `None` when there is an order.
    fn circle(&self) -> Option<Vec<Follows>> {
        let graph = &self.graph;
        let (component, count) = components(&Plain { graph, kinds: Kinds::of(EdgeKind::WriteWrite) });
        if count == 0 || component.iter().all(|component| *component == ALONE) {
            return None;
        }
        let cycles = super::search::cycles(graph, Order::Any);
        let shortest = cycles.into_iter().min_by_key(|cycle| cycle.edges.len())?;
        Some(shortest.edges.iter().map(|number| self.follows[graph.edge(*number).key as usize]).collect())
    }
}
