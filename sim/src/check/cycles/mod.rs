//! Isolation of transactions, judged by cycles of who must have come before whom.
//!
//! ```text
//!   history ─▶ ledger     who wrote and read what; what is unknown and was seen, was committed
//!           ─▶ internal   each transaction by itself; lost updates
//!           ─▶ list_append, rw_register      orders of versions ─▶ ww, wr, rw
//!           ─▶ graph      and sessions, and time, where the level keeps their order
//!           ─▶ components ─▶ search          the shortest cycle of each kind in each strongly connected component
//!           ─▶ words      a sentence, and the smallest part of the history that shows it
//! ```
//!
//! After Elle (Kingsbury & Alvaro, VLDB 2020) and Adya (1999). Nothing that it tells is a guess: the order of a list is
//! read off the list, that of a register is inferred only as far as it is certain. What it does not find may still be
//! there: nobody saw it. For lists whose every key was read at the end, nothing found means that an order exists.
//!
//! The work is linear in the operations and in the values read, but for the search for the shortest cycle, which has a
//! bound. Whether the level is kept does not depend on that bound.

mod components;
mod evidence;
mod graph;
mod internal;
mod ledger;
mod level;
mod list_append;
mod rw_register;
mod search;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::history::transactions::{TransactionHistory, TransactionModel, TransactionOutcome};
pub use evidence::Anomaly as TransactionAnomaly;
use evidence::Found;
use graph::{EdgeKind, Graph};
use ledger::Ledger;
pub use level::{AnomalyKind as TransactionAnomalyKind, Isolation, Level, Order, Phenomenon};

/// What the transactions of a history came to.
#[derive(Debug, Clone, Serialize)]
pub struct CycleReport {
    /// What they were held against.
    pub level: Level,
    /// How much was looked at.
    pub examined: Examined,
    /// How often each anomaly was found, whether the level forbids it or not. Of cycles, one of each kind is counted in
    /// each strongly connected component.
    #[serde(serialize_with = "by_name")]
    pub counts: BTreeMap<TransactionAnomalyKind, u64>,
    /// The first of each kind, those that the level forbids first.
    pub anomalies: Vec<TransactionAnomaly>,
}

fn by_name<S: serde::Serializer>(
    counts: &BTreeMap<TransactionAnomalyKind, u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().map(|(kind, count)| (kind.to_string(), count)))
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Examined {
    /// Transactions whose commit was acknowledged.
    pub committed: u64,
    /// Those that were aborted.
    pub aborted: u64,
    /// Those of which nobody knows.
    pub unknown: u64,
    /// Those of them that must have been committed, because somebody saw it.
    pub unknown_seen: u64,
    /// Reads and writes in all.
    pub operations: u64,
    /// Reads whose results could show something.
    pub reads: u64,
    /// Writes over writes.
    pub write_write: u64,
    /// Reads of writes.
    pub write_read: u64,
    /// Writes over reads.
    pub read_write: u64,
}

impl CycleReport {
    /// Whether nothing was found that the level forbids.
    pub fn holds(&self) -> bool {
        self.counts.keys().all(|kind| !self.level.forbids(*kind))
    }

    /// Whether there was nothing that could have shown anything.
    pub fn is_vacuous(&self) -> bool {
        self.examined.reads == 0 || self.examined.write_read + self.examined.read_write + self.examined.write_write == 0
    }

    /// The levels that the anomalies rule out.
    pub fn ruled_out(&self) -> Vec<Level> {
        Level::ALL.into_iter().filter(|level| self.counts.keys().any(|kind| level.forbids(*kind))).collect()
    }
}

/// Judges a history.
pub fn check_transactions(history: &TransactionHistory, level: Level) -> CycleReport {
    let ledger = Ledger::new(history);
    let (mut found, mut edges) = (Found::default(), Vec::new());
    internal::internal(&ledger, &mut found);
    internal::lost_updates(&ledger, &mut found);
    match history.model() {
        Some(TransactionModel::RwRegister) => rw_register::infer(&ledger, level.order, &mut edges, &mut found),
        _ => list_append::infer(&ledger, &mut edges, &mut found),
    }
    let graph = Graph::new(history, &ledger.committed, edges, level.order);
    for cycle in search::cycles(&graph, level.order) {
        found.add_kind(cycle.kind, || words::circle(history, &graph, &cycle));
    }
    let Found { counts, mut anomalies } = found;
    anomalies.sort_by(|one, other| {
        let rank = |anomaly: &TransactionAnomaly| {
            (!level.forbids(anomaly.kind), anomaly.kind, anomaly.transactions.len(), anomaly.transactions.clone())
        };
        rank(one).cmp(&rank(other))
    });
    CycleReport { level, examined: examined(&ledger, &graph), counts, anomalies }
}

fn examined(ledger: &Ledger<'_>, graph: &Graph) -> Examined {
    let mut examined = Examined {
        operations: ledger.history.operations() as u64,
        reads: ledger.reads() as u64,
        ..Examined::default()
    };
    for (number, transaction) in ledger.history.transactions().iter().enumerate() {
        match transaction.outcome {
            TransactionOutcome::Committed => examined.committed += 1,
            TransactionOutcome::Aborted => examined.aborted += 1,
            TransactionOutcome::Unknown => {
                examined.unknown += 1;
                examined.unknown_seen += u64::from(ledger.committed[number]);
            }
        }
    }
    for edge in graph.edges() {
        match edge.kind {
            EdgeKind::WriteWrite => examined.write_write += 1,
            EdgeKind::WriteRead => examined.write_read += 1,
            EdgeKind::ReadWrite => examined.read_write += 1,
            EdgeKind::Session | EdgeKind::Ended | EdgeKind::Began => {}
        }
    }
    examined
}
