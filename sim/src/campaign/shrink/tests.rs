//! The shrinker on failures that somebody made up, where the smallest is known: what it keeps, what it leaves out, that it
//! does not take one failure for another, and that cores change nothing.

use std::collections::BTreeSet;

use cluster::world::NodeId;

use super::*;
use crate::campaign::specimen::plan;
use crate::history::OperationKind;
use crate::run::fault_schedule;
use crate::scenario::{Injection, write};

const LINES: &str = "cluster: { nodes: 5, durability: interval 10ms }\n\
    network: { latency: { median: 1ms, p99: 9ms }, loss: 1%, duplicate: 1%, links: [{ from: [n1], to: [n2], loss: 2% }] }\n\
    disk: { latency: { median: 80us, p99: 2ms }, nodes: [{ node: n3, latency: 9ms }] }\n\
    clocks: [{ node: n1, skew: 1s }, { node: n4, drift: 50ppm }]\n\
    workload: { clients: 8, duration: 40s, rate: 100/s, keys: { count: 32, distribution: { zipf: 0.9 } } }\n\
    faults:\n\
    \x20 - { every: 1s..3s, until: 35s, for: 500ms, isolate: { node: any } }\n\
    \x20 - { every: 2s..5s, until: 35s, crash: { node: any, down: 100ms..900ms } }\n\
    \x20 - { at: 12s, for: 8s, partition: [[n1, n2], [n3, n4, n5]] }\n\
    \x20 - { at: 14s, for: 2s, slow_disk: { node: n2, by: 50 } }\n";

fn bounds(jobs: usize) -> Bounds {
    Bounds { runs: 20_000, deadline: None, jobs }
}

/// What a plan would send: what it lists, or a hundredth of what it would draw, spread over its keys and clients.
fn sent(plan: &Plan) -> Vec<ListedOperation> {
    let workload = &plan.workload;
    if !workload.operations.is_empty() {
        return workload.operations.clone();
    }
    let count = workload.duration_micros * workload.operations_per_second / 1_000_000 / 10;
    let operation = |number: u64| ListedOperation {
        at_micros: workload.duration_micros * number / count,
        client: (number % u64::from(workload.client_count)) as u32,
        kind: if number.is_multiple_of(2) { OperationKind::Write } else { OperationKind::Read },
        key: (number % u64::from(workload.key_count)) as u32,
        value_bytes: if number.is_multiple_of(2) { 40 } else { 0 },
        through: None,
    };
    (0..count).map(operation).collect()
}

fn trial(fails: bool, part: &str, plan: &Plan) -> Trial {
    Trial {
        judgement: if fails { Judgement::Fails } else { Judgement::Holds },
        signature: fails.then(|| Signature::single(part)),
        operations: sent(plan),
    }
}

/// The nodes that crash.
fn crashed(plan: &Plan, seed: u64) -> BTreeSet<NodeId> {
    let victims = fault_schedule(plan, seed).into_iter().flat_map(|fault| match fault.injection {
        Injection::Crash { victims, .. } => victims.into_iter().map(|victim| victim.node).collect(),
        _ => Vec::new(),
    });
    victims.collect()
}

/// A write while two nodes are cut off from each other, and a read after that: lost. Needs two nodes.
fn cut(plan: &Plan, seed: u64) -> Trial {
    let cuts = fault_schedule(plan, seed);
    let cut = cuts.iter().find(|fault| matches!(fault.injection, Injection::Partition { .. }));
    let fails = cut.is_some_and(|cut| {
        let (from, until) = (cut.at_micros, cut.until_micros.unwrap_or(plan.workload.duration_micros));
        let sent = sent(plan);
        let during = |operation: &&ListedOperation| (from..until).contains(&operation.at_micros);
        let written = sent.iter().filter(during).any(|operation| operation.kind == OperationKind::Write);
        written && sent.iter().any(|operation| operation.at_micros >= until && operation.kind == OperationKind::Read)
    });
    trial(fails, "lost_writes", plan)
}

#[test]
fn of_much_weather_one_partition_one_write_and_one_read_are_left() {
    let shrunk = shrink(&plan("x.yaml", LINES), 1, &bounds(2), &cut, &mut |_| ()).expect("it fails");
    let text = write(&shrunk.plan, &[]);
    assert_eq!((shrunk.after.faults, shrunk.after.operations), (1, 2), "{text}");
    assert!(shrunk.before.faults > 20 && shrunk.before.operations == 400, "{:?}", shrunk.before);
    let Plan { cluster, network, disk, clocks, workload, .. } = &shrunk.plan;
    assert_eq!((cluster.node_count, cluster.durability), (2, crate::scenario::Durability::Always), "{text}");
    assert_eq!((network.loss_ppm, network.duplicate_ppm, network.links.len()), (0, 0, 0), "{text}");
    assert_eq!((disk.nodes.len(), clocks.len(), workload.key_count), (0, 0, 1), "{text}");
    assert!(workload.duration_micros < 10_000_000, "{text}");
    assert!(!shrunk.bounded && crate::scenario::is_valid(&shrunk.plan), "{text}");
    assert_eq!(cut(&shrunk.plan, shrunk.plan.seed).judgement, Judgement::Fails);
}

#[test]
fn however_many_cores_try_ahead_the_same_is_left_after_as_many_runs() {
    let shrunk = [1, 2, 5].map(|jobs| {
        let shrunk = shrink(&plan("x.yaml", LINES), 1, &bounds(jobs), &cut, &mut |_| ()).expect("it fails");
        (shrunk.plan, shrunk.runs)
    });
    assert_eq!(shrunk[0], shrunk[1]);
    assert_eq!(shrunk[0], shrunk[2]);
}

#[test]
fn faults_that_a_seed_draws_are_split_into_those_that_mattered() {
    // Two different nodes must crash.
    let two_crash = |plan: &Plan, seed: u64| trial(crashed(plan, seed).len() >= 2, "stale_reads", plan);
    let shrunk = shrink(&plan("x.yaml", LINES), 3, &bounds(2), &two_crash, &mut |_| ()).expect("it fails");
    assert_eq!((shrunk.after.faults, shrunk.plan.cluster.node_count), (2, 2), "{}", write(&shrunk.plan, &[]));
}

#[test]
fn a_smaller_plan_that_fails_in_another_way_is_not_taken() {
    // Without the partition something else is wrong, and with few nodes too.
    let slippery = |plan: &Plan, seed: u64| {
        let partitions =
            |fault: &crate::scenario::ScheduledFault| matches!(fault.injection, Injection::Partition { .. });
        let cut = fault_schedule(plan, seed).iter().any(partitions);
        trial(true, if cut && plan.cluster.node_count >= 4 { "lost_writes" } else { "panic at x.rs:1" }, plan)
    };
    let shrunk = shrink(&plan("x.yaml", LINES), 1, &bounds(2), &slippery, &mut |_| ()).expect("it fails");
    assert_eq!(shrunk.signature, Signature::single("lost_writes"));
    assert_eq!((shrunk.after.faults, shrunk.after.nodes), (1, 4), "{}", write(&shrunk.plan, &[]));
}

#[test]
fn where_a_smaller_plan_fails_with_another_seed_only_that_seed_is_taken() {
    // With fewer than five nodes, only every third seed fails.
    let moody =
        |plan: &Plan, seed: u64| trial(plan.cluster.node_count == 5 || seed.is_multiple_of(3), "lost_writes", plan);
    let shrunk = shrink(&plan("x.yaml", LINES), 1, &bounds(2), &moody, &mut |_| ()).expect("it fails");
    assert!(shrunk.plan.seed.is_multiple_of(3) && shrunk.after.nodes == 1, "{}", write(&shrunk.plan, &[]));
}

#[test]
fn a_bound_on_runs_is_kept_and_what_is_there_by_then_still_fails() {
    for runs in [1, 10, 100] {
        let counted = std::sync::atomic::AtomicU64::new(0);
        let counting = |plan: &Plan, seed: u64| {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            cut(plan, seed)
        };
        let bounds = Bounds { runs, ..bounds(1) };
        let shrunk = shrink(&plan("x.yaml", LINES), 1, &bounds, &counting, &mut |_| ()).expect("it fails");
        assert!(shrunk.bounded && shrunk.runs <= runs + 3, "{} of {runs}", shrunk.runs);
        assert_eq!(cut(&shrunk.plan, shrunk.plan.seed).judgement, Judgement::Fails);
        // One worker may have begun one run more than was looked at, each time.
        assert!(counted.into_inner() <= 2 * runs + 6);
    }
}

#[test]
fn of_several_symptoms_the_most_telling_one_is_kept() {
    // A write is lost wherever one is expected not to be; then the history is not linearizable either.
    let symptoms = |plan: &Plan, _seed: u64| {
        let parts: Vec<&str> = plan
            .expect
            .iter()
            .map(|expectation| match expectation {
                Expectation::LostWrites(_) => "lost_writes",
                _ => "converged (diverged replicas)",
            })
            .collect();
        let mut facts = crate::campaign::specimen::facts(
            parts.iter().map(|part| crate::campaign::specimen::unmet(part, "0", "")).collect(),
        );
        facts.seed = plan.seed;
        Trial { judgement: Judgement::Fails, signature: Signature::of(&facts), operations: sent(plan) }
    };
    let shrunk = shrink(&plan("x.yaml", LINES), 1, &bounds(2), &symptoms, &mut |_| ()).expect("it fails");
    assert_eq!(shrunk.plan.expect.len(), 1);
    assert_eq!(shrunk.signature.to_string(), "lost_writes");
    assert_eq!(shrunk.signature_before.part_count(), 2);
}

#[test]
fn what_holds_or_proves_nothing_is_refused() {
    let holds = |plan: &Plan, _seed: u64| trial(false, "", plan);
    let refused = shrink(&plan("x.yaml", LINES), 17, &bounds(1), &holds, &mut |_| ()).expect_err("it holds");
    assert_eq!(refused, NotShrunk::Holds { seed: 17 });
    let vacuous = |plan: &Plan, _seed: u64| Trial {
        judgement: Judgement::Vacuous,
        ..trial(true, "vacuous: enough happened", plan)
    };
    let refused = shrink(&plan("x.yaml", LINES), 1, &bounds(1), &vacuous, &mut |_| ()).expect_err("no failure");
    assert!(refused.to_string().contains("vacuous"), "{refused}");
}
