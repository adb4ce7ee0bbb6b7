//! After healing, every replica of a key holds the same row, and every reader is told the same.
//!
//! ```text
//!   k1   n1: 8f3a…   n2: 8f3a…   n3: 8f3a…    read through n1: v7, through n4: v7      converged
//!   k2   n1: 02bc…   n2: 02bc…   n3: absent   read through n1: v9                      diverged: n3 lacks what n1 has
//! ```
//!
//! Rows are compared by fingerprint, which must cover all of a row: its stamp, and the mark of a delete. A deleted key has
//! rows and no value. The promise is Dynamo's eventual consistency, at a moment when eventually is over.

use std::collections::BTreeMap;

use super::{Anomaly, AnomalyKind, Findings};

/// What a final read at `all` returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinalRead {
    /// A value.
    Value(String),
    /// That the key is absent.
    Absent,
    /// Nothing: it failed, with this reason. After healing that is a violation.
    Failed(String),
}

/// One key at the end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyAtRest {
    /// For each node that should hold the key, the fingerprint of its row; `None` where it has none.
    pub rows: BTreeMap<String, Option<String>>,
    /// For each node that was asked for the key at `all`, what it returned.
    pub reads: BTreeMap<String, FinalRead>,
}

/// Compares the replicas and the final reads of every key, as found at `read_micros`. Examined are the keys with at least
/// two replicas to compare.
pub fn check(keys: &BTreeMap<String, KeyAtRest>, read_micros: u64) -> Findings {
    let mut findings = Findings::default();
    for (key, at_rest) in keys {
        findings.examined += u64::from(at_rest.rows.len() >= 2);
        let anomaly = |kind, explanation| Anomaly {
            kind,
            key: key.clone(),
            operations: Vec::new(),
            at_micros: read_micros,
            behind_micros: None,
            explanation,
        };
        if !all_equal(at_rest.rows.values()) {
            let explanation = format!(
                "the replicas of {key} differ: {}",
                list(&at_rest.rows, |row| row.as_deref().unwrap_or("no row").into())
            );
            findings.anomalies.push(anomaly(AnomalyKind::DivergedReplicas, explanation));
        }
        if let Some(explanation) = disagreement(key, at_rest) {
            findings.anomalies.push(anomaly(AnomalyKind::DisagreeingReads, explanation));
        }
    }
    findings.sorted()
}

/// What is wrong with the final reads of a key.
fn disagreement(key: &str, at_rest: &KeyAtRest) -> Option<String> {
    let KeyAtRest { rows, reads } = at_rest;
    let failed = reads.iter().find_map(|(node, read)| match read {
        FinalRead::Failed(reason) => Some((node, reason)),
        FinalRead::Value(_) | FinalRead::Absent => None,
    });
    if let Some((node, reason)) = failed {
        return Some(format!("{key} could not be read at all through {node} after healing: {reason}"));
    }
    if !all_equal(reads.values()) {
        return Some(format!("reads of {key} at all disagree: {}", list(reads, spell)));
    }
    let no_rows = !rows.is_empty() && rows.values().all(Option::is_none);
    match reads.first_key_value() {
        Some((node, FinalRead::Value(value))) if no_rows => {
            Some(format!("{key} was read as {value} through {node}, and no replica has a row of it"))
        }
        _ => None,
    }
}

fn all_equal<T: PartialEq>(items: impl Iterator<Item = T>) -> bool {
    let mut items = items;
    items.next().is_none_or(|first| items.all(|item| item == first))
}

fn spell(read: &FinalRead) -> String {
    match read {
        FinalRead::Value(value) => value.clone(),
        FinalRead::Absent => "absent".into(),
        FinalRead::Failed(reason) => reason.clone(),
    }
}

fn list<T>(by_node: &BTreeMap<String, T>, spell: impl Fn(&T) -> String) -> String {
    let spelled: Vec<String> = by_node.iter().map(|(node, item)| format!("{node} {}", spell(item))).collect();
    spelled.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(rows: &[(&str, Option<&str>)], reads: &[(&str, FinalRead)]) -> BTreeMap<String, KeyAtRest> {
        let rows = rows.iter().map(|(node, row)| (node.to_string(), row.map(str::to_string))).collect();
        let reads = reads.iter().map(|(node, read)| (node.to_string(), read.clone())).collect();
        BTreeMap::from([("k".to_string(), KeyAtRest { rows, reads })])
    }

    fn kinds(findings: &Findings) -> Vec<AnomalyKind> {
        findings.anomalies.iter().map(|anomaly| anomaly.kind).collect()
    }

    #[test]
    fn equal_rows_and_equal_reads_have_converged() {
        let value = FinalRead::Value("v7".into());
        let keys = key(&[("n1", Some("8f")), ("n2", Some("8f"))], &[("n1", value.clone()), ("n3", value)]);
        assert_eq!(check(&keys, 9), Findings { examined: 1, anomalies: Vec::new() });
    }

    #[test]
    fn a_deleted_key_has_rows_and_no_value() {
        let keys = key(&[("n1", Some("d0")), ("n2", Some("d0"))], &[("n1", FinalRead::Absent)]);
        assert_eq!(kinds(&check(&keys, 9)), []);
    }

    #[test]
    fn a_replica_that_lacks_a_row_has_diverged() {
        let keys = key(&[("n1", Some("8f")), ("n2", None)], &[("n1", FinalRead::Value("v7".into()))]);
        let findings = check(&keys, 9);
        assert_eq!(kinds(&findings), [AnomalyKind::DivergedReplicas]);
        assert_eq!(findings.anomalies[0].explanation, "the replicas of k differ: n1 8f, n2 no row");
    }

    #[test]
    fn final_reads_must_succeed_agree_and_have_a_row_behind_them() {
        let rows = [("n1", Some("8f")), ("n2", Some("8f"))];
        let value = FinalRead::Value("v7".into());
        let disagree = key(&rows, &[("n1", value.clone()), ("n2", FinalRead::Absent)]);
        assert_eq!(kinds(&check(&disagree, 9)), [AnomalyKind::DisagreeingReads]);
        let failed = key(&rows, &[("n1", FinalRead::Failed("n2 did not answer".into()))]);
        assert_eq!(kinds(&check(&failed, 9)), [AnomalyKind::DisagreeingReads]);
        let nothing_behind = key(&[("n1", None), ("n2", None)], &[("n1", value)]);
        assert_eq!(kinds(&check(&nothing_behind, 9)), [AnomalyKind::DisagreeingReads]);
    }

    #[test]
    fn a_key_with_one_replica_proves_nothing() {
        assert_eq!(check(&key(&[("n1", Some("8f"))], &[]), 9).examined, 0);
    }
}
