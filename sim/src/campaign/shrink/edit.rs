//! Smaller plans, made from a plan by hand: fewer nodes, less time, other names. What a change makes impossible goes with
//! it: a fault at a node that is gone, a window after the end.
//!
//! ```text
//!   nodes 1 3 of n1 n2 n3    partition [[n1, n2], [n3]]  ──▶  partition [[n1], [n2]]     n3 is n2 now
//! ```
//!
//! A change need not be right: whoever tries the plan first asks the scenario room whether it is one.

use std::collections::BTreeSet;

use crate::scenario::{
    Action, Expectation, FaultPlan, ListedOperation, Member, Plan, TimeRange, Times, with_operations,
};
use cluster::world::NodeId;

/// The plan with operations, faults and windows until `duration_micros` only; `None` when no operation would be left.
pub(super) fn with_duration(plan: &Plan, duration_micros: u64) -> Option<Plan> {
    let mut plan = plan.clone();
    plan.workload.duration_micros = duration_micros;
    plan.faults.retain_mut(|fault| match &mut fault.times {
        Times::At { micros } => *micros < duration_micros,
        Times::Every { every, from_micros, until_micros } => {
            *until_micros = (*until_micros).min(duration_micros);
            *from_micros + every.most_micros < duration_micros && *from_micros + every.most_micros <= *until_micros
        }
        Times::When(trigger) => trigger.from_micros < duration_micros,
    });
    for window in windows(&mut plan) {
        window.until_micros = window.until_micros.min(duration_micros);
    }
    let operations = plan.workload.operations.clone();
    with_listed(&plan, operations.into_iter().filter(|operation| operation.at_micros < duration_micros).collect())
}

/// The plan in which everything happens earlier; what would happen before the beginning happens at once.
pub(super) fn sooner(plan: &Plan, micros: u64) -> Plan {
    let mut plan = plan.clone();
    plan.workload.duration_micros = plan.workload.duration_micros.saturating_sub(micros);
    for fault in &mut plan.faults {
        match &mut fault.times {
            Times::At { micros: at } => *at = at.saturating_sub(micros),
            Times::Every { from_micros, until_micros, .. } => {
                *from_micros = from_micros.saturating_sub(micros);
                *until_micros = until_micros.saturating_sub(micros);
            }
            Times::When(trigger) => trigger.from_micros = trigger.from_micros.saturating_sub(micros),
        }
        if let Action::RestoreBackup { taken_micros, .. } = &mut fault.action {
            *taken_micros = taken_micros.saturating_sub(micros);
        }
    }
    for window in windows(&mut plan) {
        window.from_micros = window.from_micros.saturating_sub(micros);
        window.until_micros = window.until_micros.saturating_sub(micros);
    }
    for operation in &mut plan.workload.operations {
        operation.at_micros = operation.at_micros.saturating_sub(micros);
    }
    plan
}

/// When the first thing happens that the plan names: a fault, or an operation that is listed.
pub(super) fn first_micros(plan: &Plan) -> u64 {
    let faults = plan.faults.iter().map(|fault| fault.times.from_micros());
    faults.chain(plan.workload.operations.iter().map(|operation| operation.at_micros)).min().unwrap_or(0)
}

/// How many different moments the operations that are listed have.
pub(super) fn moments(plan: &Plan) -> usize {
    plan.workload.operations.iter().map(|operation| operation.at_micros).collect::<BTreeSet<_>>().len()
}

/// Every time of the plan as a multiple of `unit_micros`: faults and operations not later than before, lengths not longer
/// but never nothing.
pub(super) fn rounded(plan: &Plan, unit_micros: u64) -> Plan {
    let mut plan = plan.clone();
    let down = |micros: &mut u64| *micros -= *micros % unit_micros;
    let range = |range: &mut TimeRange| {
        for micros in [&mut range.least_micros, &mut range.most_micros] {
            *micros = (*micros - *micros % unit_micros).max(unit_micros.min(*micros));
        }
    };
    for fault in &mut plan.faults {
        if let Times::At { micros } = &mut fault.times {
            down(micros);
        }
        fault.lasts.iter_mut().for_each(range);
        fault.action.down_mut().into_iter().for_each(range);
    }
    plan.workload.operations.iter_mut().for_each(|operation| down(&mut operation.at_micros));
    plan.workload.duration_micros = plan.workload.duration_micros.next_multiple_of(unit_micros);
    plan
}

/// The plan with these operations instead of those it lists; `None` when none are left of some, for it would draw others
/// then.
pub(super) fn with_listed(plan: &Plan, operations: Vec<ListedOperation>) -> Option<Plan> {
    match (operations.is_empty(), plan.workload.operations.is_empty()) {
        (true, true) => Some(plan.clone()),
        (true, false) => None,
        (false, _) => Some(with_operations(plan, operations)),
    }
}

/// The plan of which only these nodes are left, numbered anew.
pub(super) fn with_nodes(plan: &Plan, left: &[NodeId]) -> Plan {
    let renamed = |node: NodeId| {
        let place = left.iter().position(|known| *known == node);
        place.map(|place| NodeId(place as u16 + 1))
    };
    let mut plan = plan.clone();
    plan.cluster.node_count = left.len() as u16;
    plan.cluster.replication = plan.cluster.replication.min(plan.cluster.node_count);
    with_members(&mut plan, &|member| match member {
        Member::Node(node) => renamed(node).map(Member::Node),
        Member::Client(_) => Some(member),
    });
    plan.disk.nodes.retain_mut(|(node, _)| renamed(*node).map(|new| *node = new).is_some());
    plan.clocks.retain_mut(|clock| renamed(clock.node).map(|new| clock.node = new).is_some());
    for operation in &mut plan.workload.operations {
        operation.through = operation.through.and_then(renamed);
    }
    for expectation in &mut plan.expect {
        if let Expectation::Availability { of, .. } | Expectation::Latency { of, .. } = expectation {
            of.through = of.through.iter().copied().filter_map(renamed).collect();
        }
    }
    plan
}

/// The plan with fewer clients; those that are left keep their numbers.
pub(super) fn with_clients(plan: &Plan, client_count: u32) -> Plan {
    let mut plan = plan.clone();
    plan.workload.client_count = client_count;
    with_members(&mut plan, &|member| match member {
        Member::Client(number) if number >= client_count => None,
        member => Some(member),
    });
    plan
}

/// Renames whomever faults and links speak of, or leaves them out.
pub(super) fn with_members(plan: &mut Plan, renamed: &dyn Fn(Member) -> Option<Member>) {
    let group = |members: &mut Vec<Member>| *members = members.iter().copied().filter_map(renamed).collect();
    plan.network.links.retain_mut(|link| {
        group(&mut link.from);
        group(&mut link.to);
        !link.from.is_empty() && !link.to.is_empty()
    });
    plan.faults.retain_mut(|fault: &mut FaultPlan| {
        let is_triggered = match &mut fault.times {
            Times::When(trigger) => trigger.rename(renamed),
            Times::At { .. } | Times::Every { .. } => true,
        };
        is_triggered && fault.action.rename(renamed)
    });
}

/// Every window that an expectation has.
fn windows(plan: &mut Plan) -> impl Iterator<Item = &mut crate::scenario::Window> {
    plan.expect.iter_mut().filter_map(|expectation| match expectation {
        Expectation::Availability { of, .. } | Expectation::Latency { of, .. } => of.during.as_mut(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::specimen::plan;
    use crate::scenario::{is_valid, write};

    const LINES: &str = "cluster: { nodes: 5 }\nworkload: { duration: 20s, clients: 6 }\n\
        clocks: [{ node: n2, skew: 1s }, { node: n5, skew: 2s }]\nfaults:\n\
        \x20 - { at: 3s, for: 2s, partition: [[n1, n2, c5], [n4, n5]] }\n\
        \x20 - { at: 4s, for: 2s, partition: [[n1], [n4, c4]] }\n\
        \x20 - { at: 5.123456s, crash: { node: n4, down: 1.5s } }\n\
        \x20 - { at: 6s, for: 1s, isolate: { node: n2 } }\n\
        \x20 - { every: 2s..3s, from: 7s, until: 18s, for: 1s, isolate: { node: any } }\n";

    fn faults(plan: &Plan) -> Vec<String> {
        assert!(is_valid(plan), "{}", write(plan, &[]));
        let text = write(plan, &[]);
        text.lines().filter_map(|line| line.strip_prefix("  - ")).map(str::to_string).collect()
    }

    #[test]
    fn nodes_that_are_left_are_numbered_anew_and_faults_at_others_go() {
        let left = with_nodes(&plan("x.yaml", LINES), &[NodeId(1), NodeId(2), NodeId(5)]);
        assert_eq!(
            faults(&left),
            [
                "{ at: 3s, for: 2s, partition: [[n1, n2, c5], [n3]] }",
                "{ at: 4s, for: 2s, partition: [[n1], [c4]] }",
                "{ at: 6s, for: 1s, isolate: { node: n2 } }",
                "{ every: 2s..3s, from: 7s, until: 18s, for: 1s, isolate: { node: any } }",
            ]
        );
        assert_eq!(left.clocks.iter().map(|clock| clock.node.0).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn clients_that_are_gone_leave_their_groups() {
        let left = faults(&with_clients(&plan("x.yaml", LINES), 5));
        assert_eq!(left[0], "{ at: 3s, for: 2s, partition: [[n1, n2], [n4, n5]] }");
        assert_eq!(left[1], "{ at: 4s, for: 2s, partition: [[n1], [n4, c4]] }");
    }

    #[test]
    fn less_time_drops_what_would_come_after_it_and_sooner_moves_everything() {
        let plan = plan("x.yaml", LINES);
        assert_eq!(faults(&with_duration(&plan, 6_000_000).expect("nothing is listed")).len(), 3);
        let every = faults(&with_duration(&plan, 15_000_000).expect("nothing is listed")).pop();
        assert_eq!(every.as_deref(), Some("{ every: 2s..3s, from: 7s, until: 15s, for: 1s, isolate: { node: any } }"));
        assert_eq!(first_micros(&plan), 3_000_000);
        let sooner = sooner(&plan, 2_900_000);
        assert_eq!(first_micros(&sooner), 100_000);
        assert_eq!(sooner.workload.duration_micros, 17_100_000);
    }

    #[test]
    fn a_list_of_which_nothing_is_left_is_no_plan() {
        use crate::history::OperationKind;
        let drawn = plan("x.yaml", LINES);
        let operation = ListedOperation {
            at_micros: 9_000_000,
            client: 0,
            kind: OperationKind::Read,
            key: 0,
            value_bytes: 0,
            through: None,
        };
        let listed = with_operations(&drawn, vec![operation]);
        assert!(with_listed(&listed, Vec::new()).is_none() && with_duration(&listed, 9_000_000).is_none());
        assert_eq!(with_listed(&drawn, Vec::new()), Some(drawn));
    }

    #[test]
    fn times_are_rounded_and_lengths_never_become_nothing() {
        let rounded = faults(&rounded(&plan("x.yaml", LINES), 1_000_000));
        assert_eq!(rounded[2], "{ at: 5s, crash: { node: n4, power: lost, down: 1s } }");
        let mut short = plan("x.yaml", LINES);
        short.faults[0].lasts = Some(TimeRange::fixed(1_500));
        assert_eq!(super::rounded(&short, 1_000_000).faults[0].lasts, Some(TimeRange::fixed(1_500)));
        assert_eq!(super::rounded(&short, 1_000).faults[0].lasts, Some(TimeRange::fixed(1_000)));
    }
}
