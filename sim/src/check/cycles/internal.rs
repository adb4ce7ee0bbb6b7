//! What each transaction must see by itself, and which updates of two were one too many.
//!
//! ```text
//!   append 1 4, r 1 [2 4]     r 1 [2 4] again            its own writes, and what it read before
//!   T1: r 1 [2], append 1 4 │ T2: r 1 [2], append 1 5    both began from the same version: one update is lost
//! ```

use std::collections::BTreeMap;

use super::evidence::{Anomaly, Found};
use super::graph::NOTHING;
use super::ledger::Ledger;
use super::level::{AnomalyKind, Phenomenon};
use super::words;
use crate::history::transactions::{MicroOperation, TransactionHistory, TransactionModel};

/// What a transaction knows of a key.
#[derive(Debug, Default)]
struct Known<'h> {
    /// What it read last of a list; `None` when it read nothing yet.
    list: Option<&'h [u32]>,
    /// What it appended since.
    appended: Vec<u32>,
    /// What a register must hold: a value, or `NOTHING`.
    value: Option<u32>,
}

/// Tells of reads that miss what their own transaction knew.
pub(super) fn internal(ledger: &Ledger<'_>, found: &mut Found) {
    let history = ledger.history;
    let mut known: BTreeMap<u32, Known<'_>> = BTreeMap::new();
    for (number, transaction) in ledger.committed() {
        known.clear();
        for operation in history.operations_of(transaction) {
            let known = known.entry(operation.key()).or_default();
            if let Err(expected) = known.see(history, operation) {
                found.add(Phenomenon::Internal, || tell(history, number, operation.key(), &expected));
            }
        }
    }
}

impl<'h> Known<'h> {
    /// Takes in an operation. `Err` is what should have been read.
    fn see(&mut self, history: &'h TransactionHistory, operation: &MicroOperation) -> Result<(), String> {
        match *operation {
            MicroOperation::Append { value, .. } => {
                self.appended.push(value);
                let foreseen = self.list.is_some_and(|list| list.contains(&value));
                return if foreseen { Err(without(history, value)) } else { Ok(()) };
            }
            MicroOperation::Write { value, .. } => {
                let foreseen = self.value.replace(value) == Some(value);
                return if foreseen { Err(without(history, value)) } else { Ok(()) };
            }
            MicroOperation::ReadList { first, end, .. } => return self.see_list(history, history.elements(first, end)),
            MicroOperation::ReadValue { value, .. } => return self.see_value(history, value),
            MicroOperation::ReadNothing { .. } if history.model() == Some(TransactionModel::RwRegister) => {
                return self.see_value(history, NOTHING);
            }
            MicroOperation::ReadNothing { .. } => return self.see_list(history, &[]),
            MicroOperation::ReadUnknown { .. } => {}
        }
        Ok(())
    }

    fn see_list(&mut self, history: &'h TransactionHistory, list: &'h [u32]) -> Result<(), String> {
        let before = self.list.replace(list);
        let appended = std::mem::take(&mut self.appended);
        let is_right = match before {
            None => list.ends_with(&appended),
            Some(before) => {
                list.len() == before.len() + appended.len() && list.starts_with(before) && list.ends_with(&appended)
            }
        };
        if is_right {
            return Ok(());
        }
        let expected = [before.unwrap_or_default(), &appended].concat();
        let anything = if before.is_none() { "a list that ends like " } else { "" };
        Err(format!("{anything}{}", words::list(history, &expected)))
    }

    fn see_value(&mut self, history: &TransactionHistory, value: u32) -> Result<(), String> {
        match self.value.replace(value) {
            Some(expected) if expected != value => {
                Err(if expected == NOTHING { "nothing".to_string() } else { history.value_name(expected).to_string() })
            }
            _ => Ok(()),
        }
    }
}

/// What should have been read before a value was written.
fn without(history: &TransactionHistory, value: u32) -> String {
    format!("without {}, which it had not written yet", history.value_name(value))
}

fn tell(history: &TransactionHistory, number: u32, key: u32, expected: &str) -> Anomaly {
    let explanation = format!(
        "T{number} read key {} otherwise than it had read and written it itself: it should have been {expected}",
        history.key_name(key)
    );
    Anomaly::new(history, AnomalyKind::plain(Phenomenon::Internal), vec![number], explanation)
}

/// Tells of transactions that read the same version of a key, and both wrote over it.
pub(super) fn lost_updates(ledger: &Ledger<'_>, found: &mut Found) {
    let mut updates = updates(ledger);
    updates.sort_unstable();
    for same in updates.chunk_by(|one, other| (one.0, one.1, one.2) == (other.0, other.1, other.2)) {
        let [(key, _, last, first), (.., second), ..] = same else { continue };
        found.add(Phenomenon::LostUpdate, || {
            let history = ledger.history;
            let value = if *last == NOTHING { "nothing" } else { history.value_name(*last) };
            let explanation = format!(
                "T{first} and T{second} both read key {} when {value} was the last written to it, and both wrote over that: one \
                 did not see the other's update",
                history.key_name(*key)
            );
            let kind = AnomalyKind::plain(Phenomenon::LostUpdate);
            Anomaly::new(history, kind, vec![*first, *second], explanation)
        });
    }
}

/// Which transactions read a version of a key before they wrote it: key, length and last value of the version, reader.
fn updates(ledger: &Ledger<'_>) -> Vec<(u32, u32, u32, u32)> {
    let mut updates = Vec::new();
    let mut read: BTreeMap<u32, Option<(u32, u32)>> = BTreeMap::new();
    for (number, transaction) in ledger.committed() {
        read.clear();
        for operation in ledger.history.operations_of(transaction) {
            let key = operation.key();
            match *operation {
                MicroOperation::Append { .. } | MicroOperation::Write { .. } => {
                    // Counted once: what is read later is its own.
                    if let Some(Some((length, last))) = read.insert(key, None) {
                        updates.push((key, length, last, number));
                    }
                }
                MicroOperation::ReadList { first, end, .. } => {
                    let last = ledger.history.elements(first, end).last().copied().unwrap_or(NOTHING);
                    read.entry(key).or_insert(Some((end - first, last)));
                }
                MicroOperation::ReadValue { value, .. } => {
                    read.entry(key).or_insert(Some((0, value)));
                }
                MicroOperation::ReadNothing { .. } => {
                    read.entry(key).or_insert(Some((0, NOTHING)));
                }
                MicroOperation::ReadUnknown { .. } => {}
            }
        }
    }
    updates
}
