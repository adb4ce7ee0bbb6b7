//! Values that were deleted, and came back.
//!
//! ```text
//!   write v12   ├────┤
//!   delete             ├──────┤  acknowledged
//!   read                            ├───────┤ absent       nothing but good manners
//!   read                                        ├─────┤ = v12     risen: deleted before the read began, written before the delete
//! ```
//!
//! A read, or what the key holds in the end, has risen when an acknowledged delete lies between everything that may have
//! written its value and the read. Every risen read is stale as well; it has a name of its own because it has causes of its
//! own: a tombstone dropped while an older value lies in a run that was not merged, or on a replica that never heard of the
//! delete.

use super::index::{ABSENT, Entry, Index, KeyIndex, Role};
use super::lost_writes::FinalValues;
use super::stale_reads::newest_by_completion;
use super::words::{asked, seconds};
use super::{Anomaly, AnomalyKind, Findings};

/// Judges every ok read of a value, and what the keys in `last` hold in the end, read at `read_micros`. Examined are those
/// before which a delete of their key was acknowledged.
pub fn check(index: &Index<'_>, last: &FinalValues, read_micros: u64) -> Findings {
    let mut findings = Findings::default();
    for (number, key) in index.keys.iter().enumerate() {
        let deletes = newest_by_completion(key, |install| install.value == ABSENT);
        let delete_before = |micros: u64| {
            let count = deletes.partition_point(|delete| delete.completed < micros);
            deletes[..count].last().map(|delete| delete.install)
        };
        for read in key.entries.iter().filter(|entry| entry.role == Role::Read && entry.value != ABSENT) {
            let Some(delete) = delete_before(read.invoked) else { continue };
            findings.examined += 1;
            if is_risen(key, read.value, read.completed, &delete) {
                let anomaly = risen(index, key, read.value, read.completed, &delete);
                let mut operations = vec![read.id];
                operations.extend(anomaly.operations);
                let explanation = format!("{} {}", asked(index.operation(read.id)), anomaly.explanation);
                findings.anomalies.push(Anomaly { operations, explanation, ..anomaly });
            }
        }
        let held = last.get(key.key).and_then(|value| value.as_deref()).and_then(|value| index.value(number, value));
        let (Some(value), Some(delete)) = (held, delete_before(read_micros)) else { continue };
        findings.examined += 1;
        if is_risen(key, value, read_micros, &delete) {
            let anomaly = risen(index, key, value, read_micros, &delete);
            let explanation = format!("in the end {} {}", key.key, anomaly.explanation);
            findings.anomalies.push(Anomaly { explanation, ..anomaly });
        }
    }
    findings.sorted()
}

/// Whether all that may have written the value completed before the delete was invoked. One that nobody wrote is a
/// phantom, and no case for this check.
fn is_risen(key: &KeyIndex<'_>, value: u32, seen: u64, delete: &Entry) -> bool {
    !key.sources_until(value, seen).is_empty() && key.is_older(value, seen, delete.invoked)
}

/// The anomaly without the read that shows it.
fn risen(index: &Index<'_>, key: &KeyIndex<'_>, value: u32, seen: u64, delete: &Entry) -> Anomaly {
    let source = key.sources_until(value, seen).last().expect("what has risen was written");
    let written = index.operation(source.id).written.as_deref().unwrap_or_default();
    Anomaly {
        kind: AnomalyKind::Resurrection,
        key: key.key.to_string(),
        operations: vec![delete.id, source.id],
        at_micros: seen,
        behind_micros: None,
        explanation: format!(
            "holds {written}, written at {}, although a delete that began at {} was acknowledged at {}",
            seconds(source.invoked),
            seconds(delete.invoked),
            seconds(delete.completed),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use engine::world::Rng;

    use super::super::tests::{Draft, Scribble, UNKNOWN};
    use super::*;
    use crate::history::{History, Operation, OperationKind, Outcome};

    const LAST_MICROS: u64 = 1_000_000_000;

    fn judge(history: &History, last: Option<&str>) -> Findings {
        let last = FinalValues::from([("k".to_string(), last.map(str::to_string))]);
        check(&Index::of(history), &last, LAST_MICROS)
    }

    #[test]
    fn what_was_deleted_and_is_read_again_has_risen_and_says_when_it_was_deleted() {
        let mut draft = Draft::default();
        draft.write(1, "k", "v1", 0..10).delete(1, "k", 20..30).read(2, "k", None, 40..50).read(
            3,
            "k",
            Some("v1"),
            60..70,
        );
        let findings = judge(&draft.finish(), Some("v1"));
        assert_eq!(findings.examined, 2, "the last read and the final value");
        let [read, end] = &findings.anomalies[..] else { panic!("{findings:?}") };
        assert_eq!((read.kind, &read.operations[..]), (AnomalyKind::Resurrection, &[3, 1, 0][..]));
        assert_eq!(
            read.explanation,
            "read of k at 0.00006 s through n3 holds v1, written at 0.0 s, although a delete that began at 0.00002 s was \
             acknowledged at 0.00003 s"
        );
        assert_eq!(end.operations, [1, 0]);
    }

    #[test]
    fn what_may_have_been_written_after_the_delete_has_not_risen() {
        let mut draft = Draft::default();
        draft.write(1, "k", "v1", 0..25).delete(2, "k", 20..30).read(3, "k", Some("v1"), 40..50);
        assert_eq!(judge(&draft.finish(), Some("v1")).anomalies, [], "write and delete overlap");
        let mut draft = Draft::default();
        draft.write(1, "k", "v1", 0..10).ended(UNKNOWN).delete(2, "k", 20..30).read(3, "k", Some("v1"), 40..50);
        assert_eq!(judge(&draft.finish(), None).anomalies, [], "an unknown write may land at any time");
        let mut draft = Draft::default();
        draft.write(1, "k", "v1", 0..10).delete(2, "k", 20..30).ended(UNKNOWN).read(3, "k", Some("v1"), 40..50);
        let findings = judge(&draft.finish(), None);
        assert_eq!((findings.examined, findings.anomalies), (0, Vec::new()), "nobody knows whether it was deleted");
    }

    #[test]
    fn risen_reads_are_those_of_the_definition() {
        let mut rng = Rng::from_seed(17);
        let mut found = 0;
        for _ in 0..20_000 {
            let history = Scribble::UNIQUE.draw(&mut rng);
            let completed = |operation: &Operation| match operation.outcome {
                Outcome::Ok { .. } => operation.completed_micros.expect("it was acknowledged"),
                _ => u64::MAX,
            };
            let did_not_fail = |operation: &&Operation| !matches!(operation.outcome, Outcome::Fail { .. });
            let mut expected = BTreeSet::new();
            for read in history.operations.iter().filter(|one| one.kind == OperationKind::Read) {
                let Outcome::Ok { value: Some(value) } = &read.outcome else { continue };
                let writes: Vec<&Operation> = (history.operations.iter().filter(did_not_fail))
                    .filter(|one| one.written.as_ref() == Some(value) && one.invoked_micros <= completed(read))
                    .collect();
                let deletes = history.operations.iter().filter(|one| one.kind == OperationKind::Delete);
                let is_between = |delete: &&Operation| {
                    completed(delete) < read.invoked_micros
                        && writes.iter().all(|write| completed(write) < delete.invoked_micros)
                };
                if !writes.is_empty() && deletes.filter(is_between).count() > 0 {
                    expected.insert(read.id);
                }
            }
            let findings = judge(&history, None);
            let risen: BTreeSet<u32> = findings.anomalies.iter().map(|anomaly| anomaly.operations[0]).collect();
            assert_eq!(risen, expected, "{history:?}");
            found += expected.len();
        }
        assert!(found > 30, "too few of them to mean anything: {found}");
    }
}
