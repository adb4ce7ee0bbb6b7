//! Acknowledged writes and deletes that left no trace, by what each key holds in the end.
//!
//! ```text
//!   write v1 ├──┤
//!   write v2        ├──┤ acknowledged              final value v1: v2 is lost
//!   write v3           ├────── unknown ···         final value v3: nothing is lost, v3 may have landed last
//! ```
//!
//! Only maximal writes can be proven lost: those after whose completion no other acknowledged write or delete of the key
//! was invoked. Such a one is lost when the final state is older than it: everything that may have installed the final
//! value completed strictly before it was invoked. The final state is what a read at `all` returns after all faults have
//! healed. A final value that nobody wrote to the key is a phantom, always.
//!
//! A write that was lost and overwritten later is not seen here; linearizability sees it, if anybody read in between.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{ABSENT, Entry, Index, KeyIndex};
use super::words::{interval, mutation, seconds};
use super::{Anomaly, AnomalyKind, Findings};

/// What each key holds in the end; `None` is absent. Keys that could not be read are left out, and are not judged.
pub type FinalValues = BTreeMap<String, Option<String>>;

/// Judges every maximal acknowledged write and delete of the keys in `last`, which were read at `read_micros`. Examined
/// are those writes and deletes.
pub fn check(index: &Index<'_>, last: &FinalValues, read_micros: u64) -> Findings {
    let mut findings = Findings::default();
    let mut asked: BTreeSet<&str> = BTreeSet::new();
    for (number, key) in index.keys.iter().enumerate() {
        asked.insert(key.key);
        let Some(value) = last.get(key.key) else { continue };
        check_key(index, number, key, value.as_deref(), read_micros, &mut findings);
    }
    for (key, value) in last.iter().filter(|(key, _)| !asked.contains(key.as_str())) {
        if let Some(value) = value {
            findings.anomalies.push(phantom(key, value, read_micros));
        }
    }
    findings.sorted()
}

fn check_key(
    index: &Index<'_>,
    number: usize,
    key: &KeyIndex<'_>,
    last: Option<&str>,
    read_micros: u64,
    findings: &mut Findings,
) {
    let value = last.map_or(Some(ABSENT), |last| index.value(number, last));
    let written = value.filter(|&value| value == ABSENT || !key.sources(value).is_empty());
    if let (None, Some(last)) = (written, last) {
        findings.anomalies.push(phantom(key.key, last, read_micros));
    }
    let acknowledged = || key.entries.iter().filter(|entry| entry.is_acknowledged_install());
    let Some(last_invoked) = acknowledged().map(|install| install.invoked).max() else { return };
    for install in acknowledged().filter(|install| install.completed >= last_invoked) {
        findings.examined += 1;
        let Some(value) = written else { continue };
        if key.is_older(value, read_micros, install.invoked) {
            findings.anomalies.push(lost(index, key, install, value));
        }
    }
}

fn phantom(key: &str, value: &str, read_micros: u64) -> Anomaly {
    Anomaly {
        kind: AnomalyKind::PhantomFinalValue,
        key: key.to_string(),
        operations: Vec::new(),
        at_micros: read_micros,
        behind_micros: None,
        explanation: format!("in the end {key} holds {value}, which nobody wrote to it, or whose write was refused"),
    }
}

fn lost(index: &Index<'_>, key: &KeyIndex<'_>, install: &Entry, last: u32) -> Anomaly {
    let operation = index.operation(install.id);
    let mut operations = vec![install.id];
    let instead = match key.sources(last).last() {
        Some(source) => {
            operations.push(source.id);
            let older = index.operation(source.id);
            match &older.written {
                Some(value) => format!("{} holds {value}, which is older: {}", key.key, interval(older)),
                None => format!("{} is absent, by an older {}", key.key, interval(older)),
            }
        }
        None => format!("{} is absent, and nobody deleted it", key.key),
    };
    Anomaly {
        kind: AnomalyKind::LostWrite,
        key: key.key.to_string(),
        operations,
        at_micros: install.completed,
        behind_micros: None,
        explanation: format!(
            "{} was acknowledged at {} and is lost: in the end {instead}",
            mutation(operation),
            seconds(install.completed)
        ),
    }
}
