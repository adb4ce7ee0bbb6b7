//! Faults that a seed decides, as faults that say everything themselves: each occurrence one fault, at its time, to its node.
//!
//! ```text
//!   { every: 4s..8s, until: 25s, crash: { node: any, down: 1s..3s } }
//!     ──seed 7──▶  { at: 6.204511s, crash: { node: n4, down: 1.900072s } }
//!                  { at: 12.91s,    crash: { node: n1, down: 2.4s } } ...
//! ```
//!
//! Only then can a fault be left out without moving the others, and only then is it seen which of many mattered. A crash of
//! several nodes becomes one crash each, and a crash after a restart a crash of its own.

use crate::run::fault_schedule;
use crate::scenario::{
    Action, FaultPlan, Injection, NodeChoice, Plan, Power, ScheduledFault, TimeRange, Times, Victim, Victims,
};

/// The plan whose faults are those that `plan` meets with its seed.
pub(super) fn concrete(plan: &Plan) -> Plan {
    let end = plan.workload.duration_micros;
    let mut faults: Vec<FaultPlan> =
        fault_schedule(plan, plan.seed).iter().flat_map(|fault| occurrence(plan, fault)).collect();
    faults.retain(|fault| at_micros(fault) < end);
    faults.sort_by_key(at_micros);
    Plan { faults, ..plan.clone() }
}

/// Whether the seed has nothing to say about the faults.
pub(super) fn is_concrete(plan: &Plan) -> bool {
    concrete(plan).faults == plan.faults
}

fn at_micros(fault: &FaultPlan) -> u64 {
    fault.times.from_micros()
}

fn occurrence(plan: &Plan, scheduled: &ScheduledFault) -> Vec<FaultPlan> {
    let planned = &plan.faults[scheduled.fault];
    if let Injection::Crash { power, victims } = &scheduled.injection
        && scheduled.when.is_none()
    {
        return victims.iter().flat_map(|victim| crashes(scheduled.at_micros, *power, victim)).collect();
    }
    let mut action = planned.action.clone();
    // Whoever was chosen. What chooses in another way goes on choosing.
    if let (Some(struck), Some(node)) = (scheduled.injection.node(), action.node_mut()) {
        *node = NodeChoice::Named(struck);
    }
    // What waits for something to happen goes on waiting.
    if scheduled.when.is_some() {
        return vec![FaultPlan { action, ..planned.clone() }];
    }
    if let (Injection::ReplaceDisk { down_micros, .. }, Some(down)) = (&scheduled.injection, action.down_mut()) {
        *down = TimeRange::fixed(*down_micros);
    }
    let lasts = scheduled.until_micros.map(|until| TimeRange::fixed(until - scheduled.at_micros));
    let lasts = if action.down_mut().is_some() { None } else { lasts };
    vec![FaultPlan { times: Times::At { micros: scheduled.at_micros }, lasts, action }]
}

/// The first crash of a node, and those after its restarts.
fn crashes(at_micros: u64, power: Power, victim: &Victim) -> Vec<FaultPlan> {
    let crash = |micros, down_micros| FaultPlan {
        times: Times::At { micros },
        lasts: None,
        action: Action::Crash {
            victims: Victims::One(NodeChoice::Named(victim.node)),
            power,
            down: TimeRange::fixed(down_micros),
            again: None,
        },
    };
    let mut all = vec![crash(at_micros, victim.down_micros)];
    let mut back_micros = at_micros + victim.down_micros;
    for again in &victim.again {
        // A node has been back for a moment before it goes again: without one, it would be left alone.
        let at_micros = back_micros + again.after_micros.max(1);
        all.push(crash(at_micros, again.down_micros));
        back_micros = at_micros + again.down_micros;
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::campaign::specimen::plan;

    #[test]
    fn a_concrete_plan_meets_the_same_faults_whatever_its_seed() {
        let lines = "cluster: { nodes: 5 }\nworkload: { duration: 30s }\nfaults:\n\
            \x20 - { every: 2s..4s, until: 25s, crash: { node: any, down: 200ms..900ms, again: { after: 1ms..5ms, times: 2 } } }\n\
            \x20 - { every: 3s..5s, for: 100ms..900ms, isolate: { node: any } }\n\
            \x20 - { at: 7s, for: 1s..2s, partition: [[n1], [n2, c0]] }\n\
            \x20 - { at: 8s, network: { loss: 5% } }\n\
            \x20 - { at: 9s, crash: { node: all, power: kept, down: 1ms..2ms } }\n";
        let plan = plan("x.yaml", lines);
        let made = concrete(&plan);
        assert!(!is_concrete(&plan) && is_concrete(&made));
        assert!(crate::scenario::is_valid(&made), "{}", crate::scenario::write(&made, &[]));
        let outages = |plan: &Plan, seed| -> BTreeSet<(u64, String)> {
            let scheduled = fault_schedule(plan, seed);
            let strikes = scheduled.iter().flat_map(|fault| match &fault.injection {
                Injection::Crash { victims, .. } => victims
                    .iter()
                    .flat_map(|victim| {
                        let mut at = fault.at_micros;
                        let mut all = vec![(at, victim.node.to_string())];
                        at += victim.down_micros;
                        for again in &victim.again {
                            all.push((at + again.after_micros, victim.node.to_string()));
                            at += again.after_micros + again.down_micros;
                        }
                        all
                    })
                    .collect(),
                other => vec![(fault.at_micros, other.to_string())],
            });
            strikes.filter(|(at, _)| *at < plan.workload.duration_micros).collect()
        };
        assert_eq!(outages(&plan, plan.seed), outages(&made, plan.seed));
        assert_eq!(outages(&made, 1), outages(&made, 99));
        assert!(outages(&made, 1).len() > 30, "{:?}", outages(&made, 1));
    }

    #[test]
    fn a_run_of_the_concrete_plan_is_the_same_run() {
        let lines = "workload: { duration: 3s }\nat_least: { read: 1, write: 1 }\nfaults:\n\
            \x20 - { every: 500ms..1s, for: 100ms..200ms, isolate: { node: any } }\n\
            \x20 - { at: 1s, crash: { node: any, down: 200ms..900ms } }\n";
        let plan = plan("x.yaml", lines);
        let made = concrete(&plan);
        assert_eq!(crate::run::run(&plan, plan.seed).trace, crate::run::run(&made, plan.seed).trace);
    }

    #[test]
    fn faults_of_every_kind_become_concrete_and_those_that_wait_go_on_waiting() {
        let lines = "cluster: { nodes: 5 }\nworkload: { duration: 30s }\nfaults:\n\
            \x20 - { every: 4s..6s, wipe: { node: any, down: 100ms..900ms } }\n\
            \x20 - { at: 9s, restore_backup: { node: any, taken: 2s, down: 100ms..900ms } }\n\
            \x20 - { every: 2s..3s, bit_rot: { node: any, file: table } }\n\
            \x20 - { every: 2s..3s, for: 1s, disk_error: { node: any, operation: sync, share: 5% } }\n\
            \x20 - { at: 5s, for: 1s..2s, flapping: { groups: [[n1], [n2]], cut: 100ms, whole: 50ms } }\n\
            \x20 - { at: 20s, rolling_restart: { down: 100ms, between: 200ms } }\n\
            \x20 - { when: { message: write_back, after: restart }, from: 1s, crash: { node: any, down: 1s } }\n";
        let plan = plan("x.yaml", lines);
        let made = concrete(&plan);
        assert!(!is_concrete(&plan) && is_concrete(&made));
        assert!(crate::scenario::is_valid(&made), "{}", crate::scenario::write(&made, &[]));
        let waiting: Vec<_> = made.faults.iter().filter(|fault| matches!(fault.times, Times::When(_))).collect();
        let [FaultPlan { times, action: Action::Crash { victims, .. }, .. }] = waiting[..] else {
            panic!("{waiting:?}")
        };
        assert_eq!(times.from_micros(), 1_000_000);
        assert!(matches!(victims, Victims::One(NodeChoice::Named(_))), "the seed has chosen");
    }
}
