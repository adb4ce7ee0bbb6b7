//! From one run of a cell to its numbers: who got an answer, what was stale and by how much, what was lost, how long it took.
//!
//! ```text
//!   fault in force   ├──────────────────────────────────────────┤
//!   counted          ╰─ 100 ms ─ operations invoked here ─ 100 ms ─╯   what straddles an end belongs to neither side
//! ```
//!
//! Staleness and loss are judged by the same checks as everywhere, over the whole run.

use std::collections::BTreeMap;

use reports::cap::{AGE_CLASSES, CapRun, age_class};

use super::cell::{Cell, Settings};
use crate::check::{AnomalyKind, Index, Phase, lost_writes, stale_reads};
use crate::history::{History, Operation, OperationKind};
use crate::run::{Seen, run_unjudged};

/// Kept from both ends of the fault: longer than the slowest message and the slowest sync take together. Where only answers are
/// lost, a request that takes 15 ms is answered after the fault, and the answer arrives.
const MARGIN_MICROS: u64 = 100_000;

/// Runs a cell once and measures it.
///
/// # Panics
/// When the cell's text is no scenario: a bug of ours.
pub fn measure(cell: &Cell, settings: &Settings, run: u64) -> CapRun {
    let plan = cell.plan(settings, run).unwrap_or_else(|error| panic!("the cell {cell} is no scenario: {error}"));
    let seed = cell.seed(settings, run);
    of_seen(cell, settings, seed, &run_unjudged(&plan, seed))
}

fn of_seen(cell: &Cell, settings: &Settings, seed: u64, seen: &Seen) -> CapRun {
    let fault = settings.fault_micros();
    let (from_micros, until_micros) = (fault.start + MARGIN_MICROS, fault.end - MARGIN_MICROS);
    let window = Phase { name: String::new(), from_micros, until_micros };
    let counted: Vec<&Operation> =
        seen.history.operations.iter().filter(|operation| window.contains(operation.invoked_micros)).collect();
    let index = Index::of(&seen.history);
    let lost = lost_writes::check(&index, &seen.final_values, seen.settled_micros);
    let mut measured = CapRun {
        seed,
        trace: seen.trace.to_string(),
        reads: answered(cell, &counted, OperationKind::Read),
        writes: answered(cell, &counted, OperationKind::Write),
        kept: lost.examined,
        lost: lost.anomalies.iter().filter(|anomaly| anomaly.kind == AnomalyKind::LostWrite).count() as u64,
        read_micros: percentiles(&counted, OperationKind::Read),
        write_micros: percentiles(&counted, OperationKind::Write),
        unsettled: (!seen.unsettled.is_empty()).then(|| seen.unsettled.join("; ")),
        ..CapRun::default()
    };
    add_staleness(&mut measured, &index, &seen.history, &window);
    measured
}

/// By node: answered, asked.
fn answered(cell: &Cell, counted: &[&Operation], kind: OperationKind) -> Vec<(u64, u64)> {
    let mut by_node = vec![(0, 0); usize::from(cell.nodes)];
    for operation in counted.iter().filter(|operation| operation.kind == kind) {
        let number = operation.coordinator.trim_start_matches('n').parse::<usize>().ok();
        let place = number.and_then(|number| number.checked_sub(1));
        if let Some((ok, all)) = place.and_then(|place| by_node.get_mut(place)) {
            *ok += u64::from(operation.outcome.is_ok());
            *all += 1;
        }
    }
    by_node
}

/// Median and 99th percentile of the operations that were answered.
fn percentiles(counted: &[&Operation], kind: OperationKind) -> Option<(u64, u64)> {
    let answered = counted.iter().filter(|operation| operation.kind == kind && operation.outcome.is_ok());
    let mut took: Vec<u64> =
        answered.filter_map(|operation| Some(operation.completed_micros? - operation.invoked_micros)).collect();
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent).div_ceil(100) - 1];
    (!took.is_empty()).then(|| (at(50), at(99)))
}

fn add_staleness(measured: &mut CapRun, index: &Index<'_>, history: &History, window: &Phase) {
    let stale = stale_reads::check(index).stale;
    (measured.examined_whole, measured.stale_whole) = (stale.examined, stale.anomalies.len() as u64);
    (measured.reads_by_age, measured.stale_by_age) = (vec![0; AGE_CLASSES], vec![0; AGE_CLASSES]);
    for (read, age) in ages(history) {
        if window.contains(read.invoked_micros) {
            measured.examined += 1;
            measured.reads_by_age[age_class(age)] += 1;
        }
    }
    let mut behind: Vec<u64> = Vec::new();
    for anomaly in &stale.anomalies {
        let read = anomaly.operations.first().and_then(|id| history.operations.get(*id as usize));
        if let (Some(read), Some(age)) = (read, anomaly.behind_micros)
            && window.contains(read.invoked_micros)
        {
            measured.stale_by_age[age_class(age)] += 1;
            behind.push(age);
        }
    }
    behind.sort_unstable();
    measured.stale = behind.len() as u64;
    measured.stale_age_p50_micros = behind.get(behind.len().saturating_sub(1) / 2).copied();
    measured.stale_age_max_micros = behind.last().copied();
}

/// Every answered read before which something was acknowledged on its key, and how long before: of what had been
/// acknowledged by then, what was invoked last, as `stale_reads` counts it.
fn ages(history: &History) -> Vec<(&Operation, u64)> {
    let mut by_key: BTreeMap<&str, Vec<Acknowledged>> = BTreeMap::new();
    for operation in &history.operations {
        if operation.kind != OperationKind::Read
            && operation.outcome.is_ok()
            && let Some(completed) = operation.completed_micros
        {
            let newest = (operation.invoked_micros, completed);
            by_key.entry(&operation.key).or_default().push(Acknowledged { completed, newest });
        }
    }
    for acknowledged in by_key.values_mut() {
        acknowledged.sort_by_key(|one| one.completed);
        let mut newest = (0, 0);
        for one in acknowledged.iter_mut() {
            newest = one.newest.max(newest);
            one.newest = newest;
        }
    }
    let reads = history.operations.iter().filter(|one| one.kind == OperationKind::Read && one.outcome.is_ok());
    reads
        .filter_map(|read| {
            let acknowledged = by_key.get(read.key.as_str())?;
            let before = acknowledged.partition_point(|one| one.completed < read.invoked_micros);
            Some((read, read.invoked_micros - acknowledged[..before].last()?.newest.1))
        })
        .collect()
}

/// An acknowledged write or delete.
struct Acknowledged {
    completed: u64,
    /// Of those completed until then, the one that was invoked last: when it was, and when it completed.
    newest: (u64, u64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cap::Fault;
    use crate::history::{Invocation, Outcome, Recorder};
    use crate::world::TraceHash;
    use cluster::coordinator::Level;

    const CELL: Cell = Cell { nodes: 3, read: Level::ONE, write: Level::ONE, fault: Fault::MinorityCutOff };
    const SETTINGS: Settings = Settings { seed: 1, duration_micros: 8_000_000 };

    /// Session, node, written value or what a read returned, from, until (in milliseconds), whether it was ok.
    type Drafted<'a> = (u32, &'a str, Result<&'a str, Option<&'a str>>, u64, u64, bool);

    fn seen(operations: &[Drafted<'_>]) -> Seen {
        let mut recorder = Recorder::new();
        for (session, node, effect, from, until, ok) in operations {
            let id = recorder.invoke(Invocation {
                session: *session,
                coordinator: (*node).to_string(),
                key: "k".to_string(),
                kind: if effect.is_ok() { OperationKind::Write } else { OperationKind::Read },
                written: effect.ok().map(str::to_string),
                consistency: "one".to_string(),
                invoked_micros: from * 1_000,
            });
            let value = effect.err().flatten().map(str::to_string);
            let outcome = if *ok { Outcome::Ok { value } } else { Outcome::Unknown { reason: "late".to_string() } };
            recorder.complete(id, until * 1_000, outcome);
        }
        Seen {
            history: recorder.finish(),
            final_values: [("k".to_string(), Some("v2".to_string()))].into(),
            settled_micros: 9_000_000,
            unsettled: Vec::new(),
            trace: TraceHash(1),
        }
    }

    #[test]
    fn operations_count_by_node_and_only_while_the_fault_is_in_force() {
        let run = of_seen(
            &CELL,
            &SETTINGS,
            7,
            &seen(&[
                (1, "n1", Ok("v1"), 1_000, 1_010, true),
                (1, "n1", Ok("v2"), 2_500, 2_520, true),
                (2, "n3", Err(Some("v1")), 3_000, 3_001, true),
                (2, "n3", Err(Some("v2")), 3_020, 3_030, true),
                (3, "n1", Err(None), 3_050, 4_050, false),
                (2, "n2", Err(Some("v2")), 5_905, 5_909, true),
            ]),
        );
        assert_eq!((run.reads, run.writes), (vec![(0, 1), (0, 0), (2, 2)], vec![(1, 1), (0, 0), (0, 0)]));
        assert_eq!((run.examined, run.stale, run.examined_whole, run.stale_whole), (2, 1, 3, 1));
        assert_eq!((run.stale_age_p50_micros, run.stale_age_max_micros), (Some(480_000), Some(480_000)));
        assert_eq!(run.reads_by_age[age_class(480_000)], 1);
        assert_eq!((run.kept, run.lost), (1, 0));
        assert_eq!((run.read_micros, run.write_micros), (Some((1_000, 10_000)), Some((20_000, 20_000))));
    }

    #[test]
    fn every_stale_read_is_among_those_of_its_age() {
        let measured = measure(&CELL, &Settings { seed: 3, duration_micros: Settings::DURATION_MICROS_MIN }, 0);
        assert!(measured.stale > 0, "reads at one are stale on a side that is cut off");
        let classes = measured.reads_by_age.iter().zip(&measured.stale_by_age);
        assert!(classes.clone().all(|(reads, stale)| stale <= reads), "{measured:?}");
        assert_eq!(measured.stale_by_age.iter().sum::<u64>(), measured.stale);
        assert_eq!(measured.reads_by_age.iter().sum::<u64>(), measured.examined);
        assert_eq!(measured, measure(&CELL, &Settings { seed: 3, duration_micros: Settings::DURATION_MICROS_MIN }, 0));
    }
}
