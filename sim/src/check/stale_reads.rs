//! Reads that returned what had been superseded, and reads that returned what nobody had written.
//!
//! ```text
//!   write v12  ├────┤
//!   write v19            ├──────┤  acknowledged
//!   read                            ├───────┤ = v12     stale, by the gap between v19's acknowledgement and the read
//!                               └───┘ behind
//! ```
//!
//! A read is stale when some write or delete was acknowledged before it was invoked, and what it returned is older than
//! that one. An absent key is older when every delete that the read may have seen is, known or unknown; the absence in the
//! beginning is older than everything. An unknown write may land at any time, and is never older. The newest such write is
//! reported (Golab, Li and Shah 2011 call the distance delta).
//!
//! A read is a phantom when nobody had begun to write its value to that key by the time it returned, or when the only
//! write of it failed: a value out of thin air, or proof that a refusal lied.

use super::index::{Entry, Index, KeyIndex, Role};
use super::words::{asked, duration, mutation, seconds, seen};
use super::{Anomaly, AnomalyKind, Findings};
use crate::history::{Operation, OperationKind, Outcome};

/// What was found about reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadFindings {
    /// Stale reads; examined are the reads before whose invocation anything was acknowledged on their key.
    pub stale: Findings,
    /// Phantom reads; examined are the reads that returned a value.
    pub phantom: Findings,
}

/// An acknowledged write or delete that was, when it completed, the latest-invoked of those that had completed.
pub(super) struct Newest {
    pub(super) completed: u64,
    pub(super) install: Entry,
}

/// Judges every ok read.
pub fn check(index: &Index<'_>) -> ReadFindings {
    let mut findings = ReadFindings::default();
    for key in &index.keys {
        let newest = newest_by_completion(key, |_| true);
        for read in key.entries.iter().filter(|entry| entry.role == Role::Read) {
            let read_operation = index.operation(read.id);
            if let Outcome::Ok { value: Some(_) } = read_operation.outcome {
                findings.phantom.examined += 1;
                if key.sources_until(read.value, read.completed).is_empty() {
                    findings.phantom.anomalies.push(phantom(index, key, read));
                    continue;
                }
            }
            let completed_before = newest.partition_point(|newest| newest.completed < read.invoked);
            let Some(newer) = newest[..completed_before].last() else { continue };
            findings.stale.examined += 1;
            if key.is_older(read.value, read.completed, newer.install.invoked) {
                findings.stale.anomalies.push(stale(index, key, read, &newer.install));
            }
        }
    }
    ReadFindings { stale: findings.stale.sorted(), phantom: findings.phantom.sorted() }
}

/// For each completion of an acknowledged write or delete that counts, the latest-invoked one completed by then.
pub(super) fn newest_by_completion(key: &KeyIndex<'_>, counts: impl Fn(&Entry) -> bool) -> Vec<Newest> {
    let acknowledged = |entry: &&Entry| entry.is_acknowledged_install() && counts(entry);
    let mut installs: Vec<Entry> = key.entries.iter().filter(acknowledged).copied().collect();
    installs.sort_by_key(|install| install.completed);
    let mut newest: Vec<Newest> = Vec::with_capacity(installs.len());
    for install in installs {
        let latest = newest.last().map_or(install, |before| before.install);
        let latest = if latest.invoked > install.invoked { latest } else { install };
        newest.push(Newest { completed: install.completed, install: latest });
    }
    newest
}

fn phantom(index: &Index<'_>, key: &KeyIndex<'_>, read: &Entry) -> Anomaly {
    let operation = index.operation(read.id);
    let mut operations = vec![read.id];
    let why = if let Some(later) = key.sources(read.value).first() {
        operations.push(later.id);
        format!("which was first written at {}, after the read had returned", seconds(later.invoked))
    } else if let Some(failed) = failed_write(index, operation) {
        operations.push(failed.id);
        format!("whose write at {} was refused as not applied", seconds(failed.invoked_micros))
    } else {
        "which nobody wrote to this key".into()
    };
    Anomaly {
        kind: AnomalyKind::PhantomRead,
        key: key.key.to_string(),
        operations,
        at_micros: read.completed,
        behind_micros: None,
        explanation: format!("{} {}, {why}", asked(operation), seen(operation)),
    }
}

/// The failed write of the value that a read returned. Looks through the whole history: phantoms are rare.
fn failed_write<'h>(index: &Index<'h>, read: &Operation) -> Option<&'h Operation> {
    let Outcome::Ok { value } = &read.outcome else { return None };
    index.history.operations.iter().find(|operation| {
        operation.kind == OperationKind::Write && operation.key == read.key && operation.written == *value
    })
}

fn stale(index: &Index<'_>, key: &KeyIndex<'_>, read: &Entry, newer: &Entry) -> Anomaly {
    let operation = index.operation(read.id);
    let behind_micros = read.invoked - newer.completed;
    let mut operations = vec![read.id, newer.id];
    let since = match key.sources_until(read.value, read.completed).last() {
        Some(source) => {
            operations.push(source.id);
            let verb = if index.operation(source.id).written.is_some() { "written" } else { "deleted" };
            format!(", {verb} at {}", seconds(source.invoked))
        }
        None => String::new(),
    };
    Anomaly {
        kind: AnomalyKind::StaleRead,
        key: key.key.to_string(),
        operations,
        at_micros: read.completed,
        behind_micros: Some(behind_micros),
        explanation: format!(
            "{} {}{since}; {} had been acknowledged at {}, {} before the read began",
            asked(operation),
            seen(operation),
            mutation(index.operation(newer.id)),
            seconds(newer.completed),
            duration(behind_micros),
        ),
    }
}
