//! An anomaly: what it is, the sentence that tells it, and the transactions that show it.
//!
//! ```text
//!   kind           G-single
//!   explanation    T3 saw the world both before and after T7: T3 read key 1 as [] before T7 appended 4 to it; T7 ...
//!   transactions   T3  append 1 5, r 1 []    committed, process 0, line 12
//!                  T7  append 1 4            committed, process 1, line 13
//! ```

use std::collections::BTreeMap;

use serde::Serialize;

use super::ledger::Ledger;
use super::level::{AnomalyKind, Phenomenon};
use super::words;
use crate::history::transactions::TransactionHistory;

/// A violation, with what shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    /// What it is.
    pub kind: AnomalyKind,
    /// A sentence for a person.
    pub explanation: String,
    /// For a circle, its steps, each a sentence: who came before whom, and why.
    pub steps: Vec<String>,
    /// The transactions that show it, by their place in the history: the smallest part of it that is wrong.
    pub transactions: Vec<u32>,
    /// The same, in words: what they read and wrote, and how they ended.
    pub sub_history: Vec<String>,
}

impl Anomaly {
    pub(super) fn new(
        history: &TransactionHistory,
        kind: AnomalyKind,
        mut transactions: Vec<u32>,
        explanation: String,
    ) -> Self {
        transactions.sort_unstable();
        transactions.dedup();
        let sub_history = transactions.iter().map(|number| words::transaction(history, *number)).collect();
        Self { kind, explanation, steps: Vec::new(), transactions, sub_history }
    }
}

/// Anomalies that are told of each kind; all are counted.
const TOLD_MAX: u64 = 10;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) counts: BTreeMap<AnomalyKind, u64>,
    pub(super) anomalies: Vec<Anomaly>,
}

impl Found {
    /// Counts an anomaly, and keeps it while there are few of its kind.
    pub(super) fn add(&mut self, phenomenon: Phenomenon, tell: impl FnOnce() -> Anomaly) {
        self.add_kind(AnomalyKind::plain(phenomenon), tell);
    }

    /// The same for one that needs an order.
    pub(super) fn add_kind(&mut self, kind: AnomalyKind, tell: impl FnOnce() -> Anomaly) {
        let count = self.counts.entry(kind).or_insert(0);
        *count += 1;
        if *count <= TOLD_MAX {
            self.anomalies.push(tell());
        }
    }
}

/// A value of a key that should not have been read.
pub(super) struct Evidence<'a, 'h> {
    pub(super) ledger: &'a Ledger<'h>,
    pub(super) key: u32,
    pub(super) value: u32,
}

impl Evidence<'_, '_> {
    fn names(&self) -> (&str, &str) {
        (self.ledger.history.key_name(self.key), self.ledger.history.value_name(self.value))
    }

    fn anomaly(&self, phenomenon: Phenomenon, transactions: Vec<u32>, explanation: String) -> Anomaly {
        Anomaly::new(self.ledger.history, AnomalyKind::plain(phenomenon), transactions, explanation)
    }

    /// Nobody wrote it.
    pub(super) fn thin_air(&self, reader: u32) -> Anomaly {
        let (key, value) = self.names();
        let explanation = format!("T{reader} read {value} in key {key}, and nobody wrote that");
        self.anomaly(Phenomenon::ThinAir, vec![reader], explanation)
    }

    /// It stands in a list twice.
    pub(super) fn twice(&self, reader: u32) -> Anomaly {
        let (key, value) = self.names();
        let explanation = format!("T{reader} read {value} twice in the list of key {key}; it was appended once");
        self.anomaly(Phenomenon::DuplicateElements, vec![reader], explanation)
    }

    /// Who wrote it was aborted.
    pub(super) fn aborted_read(&self, reader: u32, writer: u32) -> Anomaly {
        let (key, value) = self.names();
        let explanation =
            format!("T{reader} read {value} in key {key}, which T{writer} wrote, and T{writer} was aborted");
        self.anomaly(Phenomenon::G1a, vec![reader, writer], explanation)
    }

    /// Who wrote it wrote the key again.
    pub(super) fn intermediate_read(&self, reader: u32, writer: u32) -> Anomaly {
        let (key, value) = self.names();
        let explanation = format!(
            "T{reader} read key {key} as T{writer} had it when it wrote {value}, and T{writer} wrote that key again before it ended"
        );
        self.anomaly(Phenomenon::G1b, vec![reader, writer], explanation)
    }
}
