//! How often the database answered: acknowledged operations of all that were asked.
//!
//! ```text
//!   phase    before      partition        after            an operation counts where it was invoked
//!   ok      200/200  ·    93/180     ·   200/200
//! ```
//!
//! Refusals and unknown outcomes both count as not answered. Ratios are integers, in hundredths of a percent, rounded
//! down: 99.99 % is not 100 %.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Phase;
use crate::history::{History, Operation, OperationKind};

/// Operations that were acknowledged, of those that were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Answered {
    /// Acknowledged.
    pub ok: u64,
    /// Asked.
    pub total: u64,
}

impl Answered {
    /// Hundredths of a percent, rounded down; `None` when nothing was asked.
    pub fn basis_points(self) -> Option<u64> {
        (self.ok * 10_000).checked_div(self.total)
    }

    fn count(&mut self, operation: &Operation) {
        self.ok += u64::from(operation.outcome.is_ok());
        self.total += 1;
    }
}

/// Availability of a whole run, and of its parts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Availability {
    /// All operations.
    pub overall: Answered,
    /// By kind of operation.
    pub by_kind: BTreeMap<OperationKind, Answered>,
    /// By the node that was asked.
    pub by_node: BTreeMap<String, Answered>,
    /// By phase, in the order given.
    pub by_phase: Vec<PhaseAvailability>,
}

/// Availability of one phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhaseAvailability {
    /// The phase.
    pub phase: Phase,
    /// Operations invoked in it.
    pub overall: Answered,
    /// Those, by the node that was asked.
    pub by_node: BTreeMap<String, Answered>,
}

/// Counts the operations of a history.
pub fn measure(history: &History, phases: &[Phase]) -> Availability {
    let mut availability = Availability::default();
    for operation in &history.operations {
        availability.overall.count(operation);
        availability.by_kind.entry(operation.kind).or_default().count(operation);
        count_node(&mut availability.by_node, operation);
    }
    for phase in phases {
        let mut counted =
            PhaseAvailability { phase: phase.clone(), overall: Answered::default(), by_node: BTreeMap::new() };
        for operation in invoked_in(history, phase) {
            counted.overall.count(operation);
            count_node(&mut counted.by_node, operation);
        }
        availability.by_phase.push(counted);
    }
    availability
}

/// Counts the operations invoked in `phase` (all when `None`) through any of `nodes` (all when `None`).
pub fn measure_part(history: &History, phase: Option<&Phase>, nodes: Option<&BTreeSet<String>>) -> Answered {
    let mut answered = Answered::default();
    let whole = Phase { name: String::new(), from_micros: 0, until_micros: u64::MAX };
    for operation in invoked_in(history, phase.unwrap_or(&whole)) {
        if nodes.is_none_or(|nodes| nodes.contains(&operation.coordinator)) {
            answered.count(operation);
        }
    }
    answered
}

fn count_node(by_node: &mut BTreeMap<String, Answered>, operation: &Operation) {
    // `entry` would copy the name for every operation.
    match by_node.get_mut(&operation.coordinator) {
        Some(answered) => answered.count(operation),
        None => by_node.entry(operation.coordinator.clone()).or_default().count(operation),
    }
}

fn invoked_in<'h>(history: &'h History, phase: &Phase) -> impl Iterator<Item = &'h Operation> {
    let phase = phase.from_micros..phase.until_micros;
    history.operations.iter().filter(move |operation| phase.contains(&operation.invoked_micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::{Draft, FAIL, UNKNOWN};

    fn history() -> History {
        let mut draft = Draft::default();
        draft.write(1, "k", "v1", 0..10);
        draft.read(1, "k", Some("v1"), 20..130);
        draft.write(2, "k", "v2", 100..150).ended(FAIL);
        draft.delete(2, "k", 199..210).ended(UNKNOWN);
        draft.read(3, "k", None, 200..220);
        draft.finish()
    }

    fn phase(name: &str, from_micros: u64, until_micros: u64) -> Phase {
        Phase { name: name.into(), from_micros, until_micros }
    }

    #[test]
    fn refusals_and_unknown_outcomes_are_not_answers() {
        let availability = measure(&history(), &[]);
        assert_eq!(availability.overall, Answered { ok: 3, total: 5 });
        assert_eq!(availability.overall.basis_points(), Some(6_000));
        assert_eq!(availability.by_kind[&OperationKind::Delete], Answered { ok: 0, total: 1 });
        assert_eq!(availability.by_node["n2"], Answered { ok: 0, total: 2 });
    }

    #[test]
    fn an_operation_belongs_to_the_phase_of_its_invocation() {
        let phases = [phase("before", 0, 100), phase("partition", 100, 200), phase("quiet", 300, 400)];
        let by_phase = measure(&history(), &phases).by_phase;
        let counted: Vec<Answered> = by_phase.iter().map(|phase| phase.overall).collect();
        assert_eq!(counted, [Answered { ok: 2, total: 2 }, Answered { ok: 0, total: 2 }, Answered::default()]);
        assert_eq!(counted[2].basis_points(), None);
        assert_eq!(by_phase[1].by_node["n2"], Answered { ok: 0, total: 2 });
    }

    #[test]
    fn a_part_is_a_phase_and_a_set_of_nodes() {
        let history = history();
        let nodes = BTreeSet::from(["n2".to_string(), "n3".to_string()]);
        let late = phase("late", 150, 300);
        assert_eq!(measure_part(&history, Some(&late), Some(&nodes)), Answered { ok: 1, total: 2 });
        assert_eq!(measure_part(&history, None, Some(&nodes)), Answered { ok: 1, total: 3 });
        assert_eq!(measure_part(&history, None, None), Answered { ok: 3, total: 5 });
    }

    #[test]
    fn almost_all_is_not_all() {
        assert_eq!(Answered { ok: 99_999, total: 100_000 }.basis_points(), Some(9_999));
    }
}
