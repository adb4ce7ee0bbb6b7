//! Histories that break one promise each, and every check's opinion of each of them; and the checks against their own
//! definitions, spelled out naively, on small random histories.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use engine::world::Rng;

use super::lost_writes::FinalValues;
use super::{Anomaly, AnomalyKind, Index, linearizable, lost_writes, sessions, stale_reads};
use crate::history::specimen::Specimen;
use crate::history::{History, Operation, OperationKind, Outcome};

/// How an operation ends that is not acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    Fail,
    Unknown,
}

pub(super) const FAIL: Ending = Ending::Fail;
pub(super) const UNKNOWN: Ending = Ending::Unknown;

/// When the final values are read.
const LAST_MICROS: u64 = 1_000_000_000;

/// A history, written by hand: session, key, value, interval.
#[derive(Debug, Default)]
pub(super) struct Draft {
    operations: Vec<Operation>,
}

impl Draft {
    pub(super) fn write(&mut self, session: u32, key: &str, value: &str, time: Range<u64>) -> &mut Self {
        let outcome = Outcome::acknowledged();
        self.add(session, key, OperationKind::Write, Some(value.to_string()), time, outcome)
    }

    pub(super) fn delete(&mut self, session: u32, key: &str, time: Range<u64>) -> &mut Self {
        self.add(session, key, OperationKind::Delete, None, time, Outcome::acknowledged())
    }

    pub(super) fn read(&mut self, session: u32, key: &str, value: Option<&str>, time: Range<u64>) -> &mut Self {
        let outcome = Outcome::Ok { value: value.map(str::to_string) };
        self.add(session, key, OperationKind::Read, None, time, outcome)
    }

    fn add(
        &mut self,
        session: u32,
        key: &str,
        kind: OperationKind,
        written: Option<String>,
        time: Range<u64>,
        outcome: Outcome,
    ) -> &mut Self {
        self.operations.push(Operation {
            id: 0,
            session,
            coordinator: format!("n{session}"),
            key: key.into(),
            kind,
            written,
            consistency: "quorum".into(),
            invoked_micros: time.start,
            completed_micros: Some(time.end),
            outcome,
        });
        self
    }

    /// The operation added last was not acknowledged.
    pub(super) fn ended(&mut self, ending: Ending) -> &mut Self {
        let last = self.operations.last_mut().expect("an operation was added");
        last.outcome = match ending {
            Ending::Fail => Outcome::Fail { reason: "refused".into() },
            Ending::Unknown => Outcome::Unknown { reason: "deadline passed".into() },
        };
        self
    }

    pub(super) fn finish(self) -> History {
        let mut operations = self.operations;
        operations.sort_by_key(|operation| operation.invoked_micros);
        for (position, operation) in operations.iter_mut().enumerate() {
            operation.id = position as u32;
        }
        History { operations }
    }
}

/// What to scribble.
#[derive(Debug, Clone)]
pub(super) struct Scribble {
    pub(super) operations: Range<u64>,
    /// Values to write; `None` for one of its own to every write.
    pub(super) values: Option<u64>,
    /// Operations in a hundred whose outcome is unknown.
    pub(super) unknowns_percent: u64,
}

impl Scribble {
    pub(super) const UNIQUE: Self = Self { operations: 2..8, values: None, unknowns_percent: 20 };

    /// A small history on one key in which nearly everything overlaps and reads return anything.
    pub(super) fn draw(&self, rng: &mut Rng) -> History {
        let mut draft = Draft::default();
        let length = rng.within(self.operations.clone());
        let kinds: Vec<u64> = (0..length).map(|_| rng.below(10)).collect();
        for (position, kind) in (0..length).zip(&kinds) {
            let start = rng.below(14);
            let time = start..start + rng.below(6);
            let session = position as u32;
            match kind {
                0..4 => {
                    let value = self.values.map_or(position, |values| rng.below(values));
                    draft.write(session, "k", &format!("v{value}"), time);
                }
                4..6 => {
                    draft.delete(session, "k", time);
                }
                _ => {
                    // Any value that may be written, one that may not, or none.
                    let seen = format!("v{}", rng.below(self.values.unwrap_or(length)));
                    draft.read(session, "k", rng.chance(3, 4).then_some(seen.as_str()), time);
                }
            }
            match rng.below(100) {
                die if die < self.unknowns_percent => {
                    draft.ended(UNKNOWN);
                }
                95.. => {
                    draft.ended(FAIL);
                }
                _ => {}
            }
        }
        draft.finish()
    }
}

/// Every anomaly that any check of histories finds.
fn judge(history: &History, last: &FinalValues) -> Vec<Anomaly> {
    let index = Index::of(history);
    let reads = stale_reads::check(&index);
    let of_sessions = sessions::check(&index);
    let register = linearizable::check(&index, linearizable::DEFAULT_STEPS_PER_KEY);
    assert_eq!(register.undecided, []);
    [
        register.findings,
        lost_writes::check(&index, last, LAST_MICROS),
        reads.stale,
        reads.phantom,
        of_sessions.monotonic_reads,
        of_sessions.read_your_writes,
    ]
    .into_iter()
    .flat_map(|findings| findings.anomalies)
    .collect()
}

fn kinds(anomalies: &[Anomaly]) -> Vec<AnomalyKind> {
    let kinds: BTreeSet<AnomalyKind> = anomalies.iter().map(|anomaly| anomaly.kind).collect();
    kinds.into_iter().collect()
}

fn last(values: &[(&str, Option<&str>)]) -> FinalValues {
    values.iter().map(|(key, value)| (key.to_string(), value.map(str::to_string))).collect()
}

#[test]
fn a_history_that_keeps_every_promise_passes_every_check() {
    let mut draft = Draft::default();
    draft.read(1, "k", None, 0..5);
    draft.write(1, "k", "v1", 10..20);
    draft.write(2, "k", "v2", 15..60).ended(UNKNOWN);
    draft.read(1, "k", Some("v1"), 30..40);
    draft.read(3, "k", Some("v2"), 50..70);
    draft.delete(1, "k", 80..90);
    draft.read(1, "k", None, 100..110);
    draft.write(2, "other", "v3", 100..110).ended(FAIL);
    assert_eq!(judge(&draft.finish(), &last(&[("k", None), ("other", None)])), []);
}

#[test]
fn concurrent_writes_seen_in_both_orders_are_only_not_linearizable() {
    let mut draft = Draft::default();
    draft.write(1, "k", "v1", 0..100);
    draft.write(2, "k", "v2", 0..100);
    draft.read(3, "k", Some("v1"), 10..20);
    draft.read(4, "k", Some("v2"), 30..40);
    draft.read(5, "k", Some("v1"), 50..60);
    let anomalies = judge(&draft.finish(), &last(&[("k", Some("v2"))]));
    assert_eq!(kinds(&anomalies), [AnomalyKind::NotLinearizable]);
    assert_eq!(anomalies[0].operations[0], 4);
    assert_eq!(anomalies[0].at_micros, 60);
}

#[test]
fn an_acknowledged_write_that_left_no_trace_is_only_lost() {
    let mut draft = Draft::default();
    draft.write(1, "k", "v1", 0..10);
    draft.write(2, "k", "v2", 20_000..30_000);
    let history = draft.finish();
    let anomalies = judge(&history, &last(&[("k", Some("v1"))]));
    assert_eq!(kinds(&anomalies), [AnomalyKind::LostWrite]);
    assert_eq!((anomalies[0].operations.as_slice(), anomalies[0].at_micros), ([1, 0].as_slice(), 30_000));
    assert_eq!(
        anomalies[0].explanation,
        "v2 was acknowledged at 0.03 s and is lost: in the end k holds v1, which is older: write v1 (0.0 s to 0.00001 s)"
    );
    assert_eq!(kinds(&judge(&history, &last(&[("k", None)]))), [AnomalyKind::LostWrite]);
    assert_eq!(judge(&history, &last(&[("k", Some("v2"))])), []);
}

#[test]
fn a_delete_is_lost_when_the_older_value_is_back() {
    let mut draft = Draft::default();
    draft.write(1, "k", "v1", 0..10);
    draft.delete(2, "k", 20..30);
    let history = draft.finish();
    assert_eq!(kinds(&judge(&history, &last(&[("k", Some("v1"))]))), [AnomalyKind::LostWrite]);
    assert_eq!(judge(&history, &last(&[("k", None)])), []);
}

#[test]
fn an_unknown_write_or_delete_explains_any_final_state_after_its_invocation() {
    let mut draft = Draft::default();
    draft.write(3, "k", "v0", 0..5).ended(UNKNOWN);
    draft.delete(4, "k", 0..5).ended(UNKNOWN);
    draft.write(1, "k", "v1", 10..20);
    let history = draft.finish();
    assert_eq!(judge(&history, &last(&[("k", Some("v0"))])), []);
    assert_eq!(judge(&history, &last(&[("k", None)])), []);
}

#[test]
fn a_final_value_that_nobody_wrote_to_the_key_is_a_phantom() {
    let mut draft = Draft::default();
    draft.write(1, "k", "v1", 0..10);
    draft.write(2, "k", "v2", 20..30).ended(FAIL);
    draft.write(1, "other", "v3", 20..30);
    let history = draft.finish();
    for phantom in ["v2", "v3", "v9"] {
        let anomalies = judge(&history, &last(&[("k", Some(phantom))]));
        assert_eq!(kinds(&anomalies), [AnomalyKind::PhantomFinalValue], "{phantom}");
    }
    assert_eq!(kinds(&judge(&history, &last(&[("never asked", Some("v1"))]))), [AnomalyKind::PhantomFinalValue]);
}

#[test]
fn only_writes_that_could_be_proven_lost_are_examined() {
    let mut draft = Draft::default();
    draft.write(1, "k", "v1", 0..10);
    draft.write(1, "k", "v2", 20..40);
    draft.write(2, "k", "v3", 30..50);
    draft.write(1, "unread", "v4", 60..70);
    let history = draft.finish();
    let findings = lost_writes::check(&Index::of(&history), &last(&[("k", Some("v2"))]), LAST_MICROS);
    assert_eq!((findings.examined, findings.anomalies.len()), (2, 0));
}

#[test]
fn a_read_of_what_was_superseded_is_stale_and_says_by_how_much() {
    let mut draft = Draft::default();
    draft.write(1, "k3", "v12", 4_900_000..4_950_000);
    draft.write(1, "k3", "v18", 5_000_000..5_100_000);
    draft.write(1, "k3", "v19", 5_500_000..5_600_000);
    draft.read(2, "k3", Some("v12"), 6_200_000..6_214_000);
    let anomalies = judge(&draft.finish(), &last(&[("k3", Some("v19"))]));
    assert_eq!(kinds(&anomalies), [AnomalyKind::NotLinearizable, AnomalyKind::StaleRead]);
    let stale = anomalies.iter().find(|anomaly| anomaly.kind == AnomalyKind::StaleRead).expect("it is stale");
    assert_eq!((stale.operations.as_slice(), stale.behind_micros), ([3, 2, 0].as_slice(), Some(600_000)));
    assert_eq!(
        stale.explanation,
        "read of k3 at 6.2 s through n2 returned v12, written at 4.9 s; v19 had been acknowledged at 5.6 s, 0.6 s before \
         the read began"
    );
}

#[test]
fn an_absent_key_is_stale_unless_some_delete_may_be_newer() {
    let mut draft = Draft::default();
    draft.write(1, "k", "v1", 10..20);
    draft.read(2, "k", None, 30..40);
    let stale = [AnomalyKind::NotLinearizable, AnomalyKind::StaleRead];
    assert_eq!(kinds(&judge(&draft.finish(), &FinalValues::new())), stale);

    let mut draft = Draft::default();
    draft.delete(3, "k", 0..5).ended(UNKNOWN);
    draft.write(1, "k", "v1", 10..20);
    draft.read(2, "k", None, 30..40);
    assert_eq!(judge(&draft.finish(), &FinalValues::new()), []);
}

#[test]
fn a_read_of_what_nobody_had_written_is_a_phantom() {
    let phantom = [AnomalyKind::NotLinearizable, AnomalyKind::PhantomRead];
    let mut thin_air = Draft::default();
    thin_air.write(1, "other", "v1", 0..10);
    thin_air.read(1, "k", Some("v1"), 20..30);
    assert_eq!(kinds(&judge(&thin_air.finish(), &FinalValues::new())), phantom);

    let mut too_early = Draft::default();
    too_early.read(1, "k", Some("v1"), 0..10);
    too_early.write(1, "k", "v1", 20..30);
    assert_eq!(kinds(&judge(&too_early.finish(), &FinalValues::new())), phantom);

    let mut refused = Draft::default();
    refused.write(1, "k", "v1", 0..10).ended(FAIL);
    refused.read(1, "k", Some("v1"), 20..30);
    let anomalies = judge(&refused.finish(), &FinalValues::new());
    assert_eq!(kinds(&anomalies), phantom);
    let explanation = "read of k at 0.00002 s through n1 returned v1, whose write at 0.0 s was refused as not applied";
    assert!(anomalies.iter().any(|anomaly| anomaly.explanation == explanation), "{anomalies:?}");
}

#[test]
fn a_session_that_goes_back_in_time_while_nothing_newer_is_acknowledged_is_not_stale() {
    let mut draft = Draft::default();
    draft.write(1, "k", "v1", 0..10);
    draft.write(2, "k", "v2", 20..100);
    draft.read(3, "k", Some("v2"), 30..40);
    draft.read(3, "k", Some("v1"), 50..60);
    let anomalies = judge(&draft.finish(), &FinalValues::new());
    assert_eq!(kinds(&anomalies), [AnomalyKind::NotLinearizable, AnomalyKind::NonMonotonicRead]);
    let back = anomalies.iter().find(|anomaly| anomaly.kind == AnomalyKind::NonMonotonicRead).expect("it went back");
    assert_eq!(back.operations, [3, 2]);
}

#[test]
fn two_sessions_that_disagree_are_each_monotonic() {
    let mut draft = Draft::default();
    draft.write(1, "k", "v1", 0..10);
    draft.write(2, "k", "v2", 20..100);
    draft.read(3, "k", Some("v2"), 30..40);
    draft.read(4, "k", Some("v1"), 50..60);
    assert_eq!(kinds(&judge(&draft.finish(), &FinalValues::new())), [AnomalyKind::NotLinearizable]);
}

#[test]
fn going_back_behind_a_delete_that_was_seen_is_not_monotonic() {
    let mut draft = Draft::default();
    draft.delete(2, "k", 0..1);
    draft.write(1, "k", "v1", 5..10);
    draft.read(3, "k", Some("v1"), 12..15);
    draft.delete(2, "k", 20..100);
    draft.read(3, "k", None, 30..40);
    draft.read(3, "k", Some("v1"), 50..60);
    let anomalies = judge(&draft.finish(), &FinalValues::new());
    assert_eq!(kinds(&anomalies), [AnomalyKind::NotLinearizable, AnomalyKind::NonMonotonicRead]);
}

#[test]
fn an_absent_key_that_may_be_as_in_the_beginning_is_newer_than_nothing() {
    let mut draft = Draft::default();
    draft.write(1, "k", "v1", 0..2);
    draft.read(3, "k", None, 0..5);
    draft.delete(2, "k", 4..100);
    draft.read(3, "k", Some("v1"), 6..8);
    assert_eq!(judge(&draft.finish(), &FinalValues::new()), []);
}

#[test]
fn a_session_that_does_not_see_its_own_write_misses_it() {
    let mut draft = Draft::default();
    draft.write(1, "k", "v1", 0..10);
    draft.write(2, "k", "v2", 20..30);
    draft.read(2, "k", Some("v1"), 30..40);
    let anomalies = judge(&draft.finish(), &FinalValues::new());
    // The write ends in the microsecond in which the read begins: in true time they overlap, in the session they do not.
    assert_eq!(kinds(&anomalies), [AnomalyKind::MissedOwnWrite]);
    assert_eq!(anomalies[0].operations, [2, 1]);
}

#[test]
fn a_check_that_had_nothing_to_examine_says_so() {
    let mut draft = Draft::default();
    draft.read(1, "k", None, 0..10);
    draft.write(1, "other", "v1", 20..30).ended(UNKNOWN);
    draft.read(2, "another", None, 0..10);
    let history = draft.finish();
    let index = Index::of(&history);
    assert_eq!(linearizable::check(&index, 1_000).findings.examined, 0);
    assert_eq!(lost_writes::check(&index, &last(&[("other", None)]), LAST_MICROS).examined, 0);
    let reads = stale_reads::check(&index);
    assert_eq!((reads.stale.examined, reads.phantom.examined), (0, 0));
    let of_sessions = sessions::check(&index);
    assert_eq!((of_sessions.monotonic_reads.examined, of_sessions.read_your_writes.examined), (0, 0));
}

#[test]
fn long_histories_of_a_register_pass_every_check_and_each_spoiled_read_is_found() {
    for seed in 0..6 {
        let specimen = Specimen { seed, unknowns_percent: 5 * (seed % 3), ..Specimen::new(3_000, 8, 3) };
        let mut history = specimen.draw();
        assert_eq!(judge(&history, &FinalValues::new()), []);
        let spoiled = history.operations.iter().rposition(|operation| {
            operation.key == "k1" && operation.kind == OperationKind::Read && operation.outcome.is_ok()
        });
        let first = history.operations.iter().find(|operation| {
            operation.key == "k1" && operation.kind == OperationKind::Write && operation.outcome.is_ok()
        });
        let value = first.expect("some write was acknowledged").written.clone();
        history.operations[spoiled.expect("some read was acknowledged")].outcome = Outcome::Ok { value };
        let found = kinds(&judge(&history, &FinalValues::new()));
        assert!(found.starts_with(&[AnomalyKind::NotLinearizable, AnomalyKind::StaleRead]), "{found:?}");
    }
}

/// When an operation completed: unknown ones never.
fn completed(operation: &Operation) -> u64 {
    if operation.outcome.is_ok() { operation.completed_micros.unwrap_or(u64::MAX) } else { u64::MAX }
}

fn failed(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Fail { .. })
}

/// Writes or deletes that may have installed `value`, seen at `seen`.
fn sources<'h>(history: &'h History, value: Option<&str>, seen: u64) -> Vec<&'h Operation> {
    let installs = history.operations.iter().filter(|operation| {
        operation.kind != OperationKind::Read && !failed(operation) && operation.invoked_micros <= seen
    });
    installs.filter(|install| install.written.as_deref() == value).collect()
}

fn is_older(history: &History, value: Option<&str>, seen: u64, than: &Operation) -> bool {
    sources(history, value, seen).iter().all(|source| completed(source) < than.invoked_micros)
}

#[test]
fn stale_and_phantom_reads_are_those_of_the_definition() {
    let mut rng = Rng::from_seed(11);
    let mut found = [0; 2];
    for _ in 0..5_000 {
        let history = Scribble::UNIQUE.draw(&mut rng);
        let (mut stale, mut phantom) = (Vec::new(), Vec::new());
        for read in &history.operations {
            let Outcome::Ok { value } = &read.outcome else { continue };
            if read.kind != OperationKind::Read {
                continue;
            }
            let seen = completed(read);
            if value.is_some() && sources(&history, value.as_deref(), seen).is_empty() {
                phantom.push(read.id);
                continue;
            }
            let superseded = history.operations.iter().any(|newer| {
                newer.kind != OperationKind::Read
                    && completed(newer) < read.invoked_micros
                    && is_older(&history, value.as_deref(), seen, newer)
            });
            if superseded {
                stale.push(read.id);
            }
        }
        let findings = stale_reads::check(&Index::of(&history));
        let mut ids = |found_index: usize, anomalies: &[Anomaly]| {
            found[found_index] += anomalies.len();
            let ids: BTreeSet<u32> = anomalies.iter().map(|anomaly| anomaly.operations[0]).collect();
            ids.into_iter().collect::<Vec<u32>>()
        };
        assert_eq!(ids(0, &findings.stale.anomalies), stale, "{history:?}");
        assert_eq!(ids(1, &findings.phantom.anomalies), phantom, "{history:?}");
    }
    assert!(found.iter().all(|&found| found > 200), "too few of them to mean anything: {found:?}");
}

#[test]
fn lost_writes_are_those_of_the_definition() {
    let mut rng = Rng::from_seed(12);
    let mut found = 0;
    for _ in 0..5_000 {
        let history = Scribble::UNIQUE.draw(&mut rng);
        let written: Vec<Option<String>> =
            history.operations.iter().map(|operation| operation.written.clone()).collect();
        let value = rng.pick(&written).cloned().flatten();
        if value.is_some() && sources(&history, value.as_deref(), LAST_MICROS).is_empty() {
            continue;
        }
        let acknowledged = || {
            let installs = history.operations.iter().filter(|operation| operation.kind != OperationKind::Read);
            installs.filter(|install| install.outcome.is_ok())
        };
        let maximal = acknowledged().filter(|one| acknowledged().all(|other| other.invoked_micros <= completed(one)));
        let lost: Vec<u32> = maximal
            .filter(|one| is_older(&history, value.as_deref(), LAST_MICROS, one))
            .map(|operation| operation.id)
            .collect();
        let findings = lost_writes::check(&Index::of(&history), &FinalValues::from([("k".into(), value)]), LAST_MICROS);
        let ids: BTreeSet<u32> = findings.anomalies.iter().map(|anomaly| anomaly.operations[0]).collect();
        assert_eq!(ids.into_iter().collect::<Vec<u32>>(), lost, "{history:?}");
        found += lost.len();
    }
    assert!(found > 500, "too few of them to mean anything: {found}");
}

#[test]
fn session_anomalies_are_those_of_the_definition() {
    let mut rng = Rng::from_seed(13);
    let mut found = [0; 2];
    for _ in 0..5_000 {
        // Three sessions on one key, one operation after the other in each; no deletes, whose absence has many sources.
        let mut draft = Draft::default();
        let mut now = BTreeMap::from([(0, 0), (1, 0), (2, 0)]);
        let length = rng.within(3..12);
        let writes: Vec<bool> = (0..length).map(|_| rng.chance(1, 2)).collect();
        for operation in 0..length {
            let session = rng.below(3) as u32;
            let start = now[&session] + rng.below(4);
            let time = start..start + rng.below(8);
            now.insert(session, time.end);
            if writes[operation as usize] {
                draft.write(session, "k", &format!("v{operation}"), time);
            } else {
                let seen = rng.below(length);
                let value = format!("v{seen}");
                draft.read(session, "k", Some(value.as_str()).filter(|_| writes[seen as usize]), time);
            }
        }
        let history = draft.finish();
        let (mut back, mut missed) = (BTreeSet::new(), BTreeSet::new());
        for (position, read) in history.operations.iter().enumerate() {
            let Outcome::Ok { value } = &read.outcome else { continue };
            let seen = completed(read);
            let phantom = |value: &Option<String>, seen: u64| {
                value.is_some() && sources(&history, value.as_deref(), seen).is_empty()
            };
            if read.kind != OperationKind::Read || phantom(value, seen) {
                continue;
            }
            for before in history.operations[..position].iter().filter(|before| before.session == read.session) {
                let Outcome::Ok { value: seen_before } = &before.outcome else { continue };
                if before.kind == OperationKind::Write {
                    if is_older(&history, value.as_deref(), seen, before) {
                        missed.insert(read.id);
                    }
                } else if let Some(source) = sources(&history, seen_before.as_deref(), completed(before)).first()
                    && is_older(&history, value.as_deref(), seen, source)
                {
                    back.insert(read.id);
                }
            }
        }
        let findings = sessions::check(&Index::of(&history));
        let ids =
            |anomalies: &[Anomaly]| anomalies.iter().map(|anomaly| anomaly.operations[0]).collect::<BTreeSet<u32>>();
        assert_eq!(ids(&findings.monotonic_reads.anomalies), back, "{history:?}");
        assert_eq!(ids(&findings.read_your_writes.anomalies), missed, "{history:?}");
        found[0] += back.len();
        found[1] += missed.len();
    }
    assert!(found.iter().all(|&found| found > 500), "too few of them to mean anything: {found:?}");
}
