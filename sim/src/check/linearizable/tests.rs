//! The search against the definition, tried out in every order, on small histories; and on long ones made to be slow.

use engine::world::Rng;

use super::{DEFAULT_STEPS_PER_KEY, check};
use crate::check::index::Index;
use crate::check::tests::{Draft, Scribble};
use crate::history::specimen::Specimen;
use crate::history::{History, Operation, OperationKind, Outcome};

/// Whether some order of all acknowledged operations, and of any of the unknown ones, is that of a register and respects
/// true time.
fn has_an_order(history: &History) -> bool {
    let relevant: Vec<&Operation> = history
        .operations
        .iter()
        .filter(|operation| match operation.outcome {
            Outcome::Ok { .. } => true,
            Outcome::Fail { .. } => false,
            Outcome::Unknown { .. } => operation.kind != OperationKind::Read,
        })
        .collect();
    extend(&relevant, &mut vec![false; relevant.len()], None)
}

fn extend(operations: &[&Operation], placed: &mut Vec<bool>, register: Option<&str>) -> bool {
    let missing = |placed: &[bool], number: usize| !placed[number] && operations[number].outcome.is_ok();
    if (0..operations.len()).all(|number| !missing(placed, number)) {
        return true;
    }
    for number in 0..operations.len() {
        let operation = operations[number];
        let too_early = (0..operations.len())
            .any(|other| missing(placed, other) && operations[other].completed_micros < Some(operation.invoked_micros));
        if placed[number] || too_early {
            continue;
        }
        let next = match (&operation.outcome, operation.kind) {
            (Outcome::Ok { value }, OperationKind::Read) if value.as_deref() != register => continue,
            (_, OperationKind::Read) => register,
            (_, OperationKind::Write | OperationKind::Delete) => operation.written.as_deref(),
        };
        placed[number] = true;
        if extend(operations, placed, next) {
            return true;
        }
        placed[number] = false;
    }
    false
}

/// What was known once `completion` was the latest of the completions (ordered by time, then id).
fn prefix(history: &History, completion: (u64, u32)) -> History {
    let mut operations: Vec<Operation> = history.operations.clone();
    operations.retain(|operation| operation.invoked_micros <= completion.0);
    for operation in &mut operations {
        if operation.outcome.is_ok() && (operation.completed_micros.unwrap_or(u64::MAX), operation.id) > completion {
            operation.outcome = Outcome::Unknown { reason: String::new() };
        }
    }
    History { operations }
}

#[test]
fn verdicts_are_those_of_trying_every_order() {
    let few_values = Scribble { values: Some(2), ..Scribble::UNIQUE };
    let many_unknowns = Scribble { values: Some(2), operations: 7..12, unknowns_percent: 50 };
    for (seed, scribble, histories) in
        [(21, Scribble::UNIQUE, 20_000), (22, few_values, 20_000), (25, many_unknowns, 40_000)]
    {
        let mut rng = Rng::from_seed(seed);
        let mut verdicts = [0, 0];
        for _ in 0..histories {
            let history = scribble.draw(&mut rng);
            let expected = has_an_order(&history);
            let found = check(&Index::of(&history), DEFAULT_STEPS_PER_KEY);
            assert_eq!(found.undecided, []);
            assert_eq!(found.findings.anomalies.is_empty(), expected, "{history:#?}");
            verdicts[usize::from(expected)] += 1;
        }
        assert!(verdicts.iter().all(|&verdicts| verdicts > histories / 5), "one verdict is rare: {verdicts:?}");
    }
}

#[test]
fn a_violation_is_dated_to_the_first_completion_that_has_no_order() {
    let mut rng = Rng::from_seed(23);
    let mut violations = 0;
    while violations < 2_000 {
        let history = Scribble::UNIQUE.draw(&mut rng);
        let found = check(&Index::of(&history), DEFAULT_STEPS_PER_KEY).findings.anomalies;
        let Some(violation) = found.first() else { continue };
        violations += 1;
        let culprit = (violation.at_micros, violation.operations[0]);
        assert!(!has_an_order(&prefix(&history, culprit)), "{history:#?}");
        let mut before: Vec<(u64, u32)> = history
            .operations
            .iter()
            .filter(|operation| operation.outcome.is_ok())
            .map(|operation| (operation.completed_micros.unwrap_or(u64::MAX), operation.id))
            .filter(|&completion| completion < culprit)
            .collect();
        before.sort_unstable();
        if let Some(&last) = before.last() {
            assert!(has_an_order(&prefix(&history, last)), "{history:#?}");
        }
    }
}

#[test]
fn an_explanation_names_the_misfit_what_came_before_and_what_overlaps() {
    let mut draft = Draft::default();
    draft.write(1, "k", "v1", 0..100_000);
    draft.write(2, "k", "v2", 200_000..300_000);
    draft.write(1, "k", "v3", 350_000..500_000);
    draft.read(3, "k", Some("v1"), 400_000..450_000);
    draft.read(3, "k", Some("v3"), 500_000..600_000);
    let history = draft.finish();
    let found = check(&Index::of(&history), DEFAULT_STEPS_PER_KEY).findings.anomalies;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].operations, [3, 1, 2]);
    assert_eq!(
        found[0].explanation,
        "read of k at 0.4 s through n3 returned v1, and with its completion at 0.45 s no order explains the key any more; \
         what had completed until then has an order, which ends with write v2 (0.2 s to 0.3 s); overlapping it: write v3 \
         (0.35 s to 0.5 s)"
    );
}

#[test]
fn a_late_violation_among_many_unknown_writes_and_deletes_is_found_in_few_steps() {
    let specimen = Specimen { unknowns_percent: 40, deletes_percent: 25, ..Specimen::new(10_000, 30, 1) };
    let mut history = specimen.draw();
    let steps = 2_000_000;
    assert_eq!(
        check(&Index::of(&history), steps),
        super::Linearizability {
            findings: super::Findings { examined: reads(&history), anomalies: Vec::new() },
            undecided: Vec::new(),
        }
    );
    // The last two acknowledged reads, which do not overlap any more, see two concurrent writes in the wrong order.
    let end = history.operations.iter().filter_map(|operation| operation.completed_micros).max().expect("it ended");
    let mut late = Draft::default();
    late.write(100_001, "k0", "late 1", end + 10..end + 90);
    late.write(100_002, "k0", "late 2", end + 10..end + 90);
    late.read(100_003, "k0", Some("late 1"), end + 20..end + 30);
    late.read(100_003, "k0", Some("late 2"), end + 40..end + 50);
    late.read(100_003, "k0", Some("late 1"), end + 60..end + 70);
    append(&mut history, late.finish());
    let found = check(&Index::of(&history), steps);
    assert_eq!(found.undecided, []);
    assert_eq!(found.findings.anomalies.len(), 1);
    assert_eq!(found.findings.anomalies[0].at_micros, end + 70);
}

#[test]
fn a_write_that_stays_in_flight_for_the_whole_history_does_not_slow_the_search() {
    let mut history = Specimen { keys: 1, ..Specimen::new(10_000, 8, 1) }.draw();
    let end = history.operations.iter().filter_map(|operation| operation.completed_micros).max().expect("it ended");
    let mut slow = Draft::default();
    slow.write(100_001, "k0", "slow", 0..end + 50);
    slow.read(100_002, "k0", Some("slow"), end + 10..end + 20);
    append(&mut history, slow.finish());
    let found = check(&Index::of(&history), 2_000_000);
    assert_eq!((found.findings.anomalies.len(), found.undecided.len()), (0, 0));
}

#[test]
fn values_written_many_times_make_the_search_branch_and_it_says_when_that_was_too_much() {
    // Two values written over and over by everybody, and at last a read that nothing explains: every order has to fail.
    let mut draft = Draft::default();
    let mut rng = Rng::from_seed(24);
    for session in 0..14 {
        for round in 0..30_u64 {
            let start = round * 100 + rng.below(20);
            draft.write(session, "k", &format!("v{}", rng.below(4)), start..start + 60 + rng.below(19));
        }
    }
    draft.read(0, "k", Some("v9"), 4_000..4_100);
    draft.write(1, "k", "v9", 4_200..4_300);
    let history = draft.finish();
    let index = Index::of(&history);
    assert_eq!(check(&index, 10_000).undecided.len(), 1);
    let found = check(&index, DEFAULT_STEPS_PER_KEY);
    assert_eq!((found.undecided.len(), found.findings.anomalies.len()), (0, 1), "memory makes it feasible");
}

fn reads(history: &History) -> u64 {
    let reads = history.operations.iter().filter(|operation| operation.kind == OperationKind::Read);
    reads.filter(|read| read.outcome.is_ok()).count() as u64
}

fn append(history: &mut History, more: History) {
    history.operations.extend(more.operations);
    history.operations.sort_by_key(|operation| operation.invoked_micros);
    for (position, operation) in history.operations.iter_mut().enumerate() {
        operation.id = position as u32;
    }
}
