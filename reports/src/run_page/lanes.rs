//! Which operations are drawn, and in which lane.
//!
//! ```text
//!   c0   ▬▬  ▬▬▬   ▬▬                 one lane a session where they are few
//!   c1 c7 c12   ▬▬▬▬▬▬ ▬▬▬▬▬▬ ▬▬      a session that was closed leaves its lane to the next one at the same node
//!   clients at n1   ▬▬▬▬▬▬▬▬▬ ▬▬      where they are many: any lane that is free, so that overlaps show
//! ```
//!
//! Of more operations than can be drawn, those that an anomaly names are drawn, and of the others every k-th.

use std::collections::{BTreeMap, BTreeSet};

use crate::band::axis_micros;
use crate::detail::{OperationFact, RunDetail};
use crate::facts::RunFacts;

/// A page of so many operations still opens and zooms at once.
const OPERATIONS_MOST: usize = 20_000;

/// More lanes than this are not looked at one by one.
const LANES_MOST: usize = 64;

/// Names of sessions that share a lane.
const NAMES_MOST: usize = 3;

/// One lane.
#[derive(Debug)]
pub(super) struct Lane<'d> {
    /// The node that was asked.
    pub(super) node: &'d str,
    /// Who is in it.
    pub(super) name: String,
    /// In order of time, without overlaps.
    pub(super) operations: Vec<&'d OperationFact>,
}

/// The operations as they are drawn.
#[derive(Debug)]
pub(super) struct Lanes<'d> {
    /// Ordered by node.
    pub(super) lanes: Vec<Lane<'d>>,
    /// The end of the axis of time: of the run, or of its last operation.
    pub(super) axis_micros: u64,
    /// Operations that are not drawn.
    pub(super) left_out: u64,
}

/// What may not be cut in two: a session's operations, or a single one.
struct Strand<'d> {
    node: &'d str,
    from_micros: u64,
    until_micros: u64,
    operations: Vec<&'d OperationFact>,
}

impl<'d> Lanes<'d> {
    pub(super) fn of(facts: &RunFacts, detail: &'d RunDetail) -> Self {
        let ends = detail.operations.iter().filter_map(|operation| operation.completed_micros);
        let axis_micros = ends.max().unwrap_or(0).max(axis_micros(facts));
        let drawn = drawn(facts, &detail.operations);
        let mut sessions: BTreeMap<u64, Vec<&OperationFact>> = BTreeMap::new();
        for operation in &drawn {
            sessions.entry(operation.session).or_default().push(operation);
        }
        let mut lanes = pack(sessions.into_values().map(|operations| strand(operations, axis_micros)).collect(), true);
        if lanes.len() > LANES_MOST {
            lanes = pack(drawn.iter().map(|operation| strand(vec![operation], axis_micros)).collect(), false);
        }
        lanes = the_first_of_each_node(lanes);
        let shown: usize = lanes.iter().map(|lane| lane.operations.len()).sum();
        Self { lanes, axis_micros, left_out: (detail.operations.len() - shown) as u64 }
    }
}

fn drawn<'d>(facts: &RunFacts, operations: &'d [OperationFact]) -> Vec<&'d OperationFact> {
    let every = operations.len().div_ceil(OPERATIONS_MOST).max(1);
    let named: BTreeSet<u64> = facts.anomalies.iter().flat_map(|anomaly| anomaly.operations.iter().copied()).collect();
    let is_drawn = |(place, operation): &(usize, &OperationFact)| place % every == 0 || named.contains(&operation.id);
    operations.iter().enumerate().filter(is_drawn).map(|(_, operation)| operation).collect()
}

fn strand(operations: Vec<&OperationFact>, axis_micros: u64) -> Strand<'_> {
    let first = operations.first().expect("a strand has an operation");
    let ends = operations.iter().map(|operation| operation.completed_micros.unwrap_or(axis_micros));
    let until_micros = ends.max().unwrap_or(axis_micros);
    Strand { node: &first.coordinator, from_micros: first.invoked_micros, until_micros, operations }
}

/// No more lanes than can be shown, and as many of one node as of another where each has enough.
fn the_first_of_each_node(lanes: Vec<Lane<'_>>) -> Vec<Lane<'_>> {
    if lanes.len() <= LANES_MOST {
        return lanes;
    }
    let nodes: BTreeSet<&str> = lanes.iter().map(|lane| lane.node).collect();
    let each = (LANES_MOST / nodes.len().max(1)).max(1);
    // Lanes are ordered by node, so a node's first lanes stand together.
    let mut shown: Vec<Lane<'_>> = Vec::new();
    for lane in lanes {
        if shown.iter().rev().take_while(|one| one.node == lane.node).count() < each {
            shown.push(lane);
        }
    }
    shown
}

/// Puts each strand into the first lane of its node that is free by then.
fn pack<'d>(mut strands: Vec<Strand<'d>>, by_session: bool) -> Vec<Lane<'d>> {
    strands.sort_by_key(|strand| (strand.node, strand.from_micros, strand.operations[0].id));
    // For each lane: its node, and until when it is taken.
    let (mut taken, mut lanes): (Vec<(&str, u64)>, Vec<Vec<Strand<'_>>>) = (Vec::new(), Vec::new());
    for strand in strands {
        let free = taken.iter().position(|(node, until)| *node == strand.node && *until <= strand.from_micros);
        let place = free.unwrap_or_else(|| {
            taken.push((strand.node, 0));
            lanes.push(Vec::new());
            lanes.len() - 1
        });
        taken[place].1 = strand.until_micros;
        lanes[place].push(strand);
    }
    lanes.into_iter().map(|strands| lane(strands, by_session)).collect()
}

fn lane(strands: Vec<Strand<'_>>, by_session: bool) -> Lane<'_> {
    let node = strands[0].node;
    let name = if by_session {
        let names = strands.iter().take(NAMES_MOST).map(|strand| format!("c{}", strand.operations[0].session));
        let more = if strands.len() > NAMES_MOST { " …" } else { "" };
        format!("{}{more} at {node}", names.collect::<Vec<_>>().join(" "))
    } else {
        format!("clients at {node}")
    };
    Lane { node, name, operations: strands.into_iter().flat_map(|strand| strand.operations).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detail::OutcomeFact;

    fn operation(id: u64, session: u64, node: &str, at_micros: u64, lasts_micros: Option<u64>) -> OperationFact {
        OperationFact {
            id,
            session,
            coordinator: node.to_string(),
            key: "k".to_string(),
            kind: "read".to_string(),
            consistency: "one".to_string(),
            written: None,
            outcome: OutcomeFact::Ok { value: None },
            invoked_micros: at_micros,
            completed_micros: lasts_micros.map(|lasts| at_micros + lasts),
            report: None,
        }
    }

    fn packed(operations: Vec<OperationFact>) -> Vec<String> {
        let strands = operations.iter().map(|operation| strand(vec![operation], 100)).collect();
        pack(strands, true).iter().map(|lane| format!("{} x {}", lane.name, lane.operations.len())).collect()
    }

    #[test]
    fn a_lane_is_taken_over_when_it_is_free_and_by_the_same_node_only() {
        let operations = vec![
            operation(0, 0, "n1", 0, Some(10)),
            operation(1, 1, "n1", 5, Some(10)),
            operation(2, 2, "n1", 10, Some(10)),
            operation(3, 3, "n2", 50, Some(10)),
        ];
        assert_eq!(packed(operations), ["c0 c2 at n1 x 2", "c1 at n1 x 1", "c3 at n2 x 1"]);
    }

    #[test]
    fn every_node_keeps_some_lanes_when_there_are_too_many() {
        let crowded = (0..200).map(|id| operation(id, id, "n1", 0, None));
        let operations: Vec<OperationFact> = crowded.chain([operation(200, 200, "n2", 0, Some(1))]).collect();
        let lanes = pack(operations.iter().map(|operation| strand(vec![operation], 100)).collect(), false);
        let shown = the_first_of_each_node(lanes);
        assert_eq!((shown.len(), shown.last().map(|lane| lane.node)), (LANES_MOST / 2 + 1, Some("n2")));
    }

    #[test]
    fn an_operation_that_never_ended_keeps_its_lane_to_the_end() {
        assert_eq!(packed(vec![operation(0, 0, "n1", 0, None), operation(1, 1, "n1", 99, Some(1))]).len(), 2);
    }
}
