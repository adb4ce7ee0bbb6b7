//! That schedules follow from the seed alone, keep to the plan's times, and never take a node out of service twice.
//!
//! Each property is tried over many seeds: a schedule is drawn in microseconds, and one seed shows little of a range.
//! The plans come through the parser, since no other plan exists.

use std::collections::BTreeSet;

use super::super::parse;
use super::*;

fn plan(faults: &str) -> Plan {
    let text = format!(
        "name: x\nabout: y\nexpect: {{ linearizable: true }}\ncluster: {{ nodes: 5 }}\nworkload: {{ duration: 30s }}\nfaults:\n{faults}"
    );
    parse("x.yaml", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn scheduled(faults: &str, seed: u64) -> Vec<ScheduledFault> {
    schedule(&plan(faults), &Rng::from_seed(seed))
}

/// Every outage of every node: from, until.
fn outages(scheduled: &[ScheduledFault]) -> Vec<(NodeId, u64, u64)> {
    let mut outages = Vec::new();
    for fault in scheduled {
        match &fault.injection {
            Injection::Crash { victims, .. } => {
                outages.extend(
                    victims
                        .iter()
                        .map(|victim| (victim.node, fault.at_micros, fault.at_micros + victim.outage_micros())),
                );
            }
            Injection::Pause { node } => {
                outages.push((*node, fault.at_micros, fault.until_micros.unwrap_or(30_000_000)));
            }
            _ => {}
        }
    }
    outages
}

#[test]
fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
    let faults =
        "  - { every: 1s..2s, crash: { node: any, down: 100ms..900ms, again: { after: 1ms..5ms, times: 2 } } }\n";
    assert_eq!(scheduled(faults, 1), scheduled(faults, 1));
    assert_ne!(scheduled(faults, 1), scheduled(faults, 2));
}

#[test]
fn one_fault_less_leaves_the_times_of_those_before_it_as_they_were() {
    let first = "  - { every: 1s..2s, for: 500ms, isolate: { node: any } }\n";
    let second = "  - { every: 1s..3s, for: 100ms..900ms, slow_disk: { node: any, by: 5 } }\n";
    let both = scheduled(&format!("{first}{second}"), 3);
    let firsts: Vec<ScheduledFault> = both.into_iter().filter(|fault| fault.fault == 0).collect();
    assert_eq!(firsts, scheduled(first, 3));
}

#[test]
fn what_comes_again_and_again_keeps_its_distance_and_its_bounds_and_comes_at_least_once() {
    for seed in 0..200 {
        let faults = "  - { every: 4s..8s, from: 2s, until: 25s, for: 1s..3s, isolate: { node: any } }\n";
        let scheduled = scheduled(faults, seed);
        assert!(!scheduled.is_empty());
        let mut before_micros = 2_000_000;
        for fault in &scheduled {
            assert!((4_000_000..=8_000_000).contains(&(fault.at_micros - before_micros)));
            assert!(fault.at_micros <= 25_000_000);
            let lasts_micros = fault.until_micros.expect("it ends before the workload") - fault.at_micros;
            assert!((1_000_000..=3_000_000).contains(&lasts_micros));
            before_micros = fault.at_micros;
        }
    }
}

#[test]
fn any_reaches_every_node() {
    let mut seen = BTreeSet::new();
    for seed in 0..50 {
        for fault in scheduled("  - { at: 1s, isolate: { node: any } }\n", seed) {
            let Injection::Isolate { node } = fault.injection else { panic!("{fault:?}") };
            seen.insert(node.0);
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}

#[test]
fn no_node_goes_while_it_is_gone_and_a_fault_with_a_time_of_its_own_is_never_left_out() {
    let faults = "  - { every: 300ms..600ms, crash: { node: any, down: 500ms..2s } }\n\
                  \x20 - { every: 2s..3s, for: 500ms..1s, pause: { node: any } }\n\
                  \x20 - { at: 15s, crash: { node: all, power: kept, down: 1s } }\n";
    let mut shared_outages = 0;
    for seed in 0..200 {
        let scheduled = scheduled(faults, seed);
        let everyone = scheduled.iter().find(|fault| fault.fault == 2).expect("never left out");
        let Injection::Crash { victims, .. } = &everyone.injection else { panic!("{everyone:?}") };
        assert_eq!(victims.len(), 5);
        let outages = outages(&scheduled);
        for (position, (node, from, until)) in outages.iter().enumerate() {
            for (other, other_from, other_until) in &outages[position + 1..] {
                let together = from <= other_until && other_from <= until;
                assert!(!(together && node == other), "{node} goes twice between {from} and {until}");
                shared_outages += u64::from(together);
            }
        }
    }
    assert!(shared_outages > 1_000, "faults so dense that outages of different nodes overlap: {shared_outages}");
}

#[test]
fn what_outlasts_the_workload_has_no_end_of_its_own() {
    let scheduled = scheduled(
        "  - { at: 5s, for: 10s, isolate: { node: n1 } }\n  - { at: 25s, for: 10s, isolate: { node: n2 } }\n  - { at: 26s, isolate: { node: n3 } }\n  - { at: 27s, clock_step: { node: n4, by: 1s } }\n  - { at: 29s, crash: { node: n5, down: 2s } }\n",
        1,
    );
    let untils: Vec<Option<u64>> = scheduled.iter().map(|fault| fault.until_micros).collect();
    assert_eq!(untils, [Some(15_000_000), None, None, None, None]);
}

#[test]
fn faults_are_in_the_order_of_time_and_named_for_people() {
    let scheduled = scheduled(
        "  - { at: 9s, clock_step: { node: n2, by: -300ms } }\n  - { at: 3s, for: 1s, partition: [[n1, c0], [n2, n3]] }\n  - { at: 5s, crash: { node: n4, power: kept, down: 2s, again: { after: 1ms, times: 1 } } }\n  - { at: 4s, for: 1s, network: { loss: 5% } }\n",
        1,
    );
    let names: Vec<&str> = scheduled.iter().map(|fault| fault.name.as_str()).collect();
    let expected = [
        "faults[1] partition n1 c0 | n2 n3",
        "faults[3] network loss 5%",
        "faults[2] crash n4 (killed, back after 4.001s)",
        "faults[0] clock step n2 by -300ms",
    ];
    assert_eq!(names, expected);
}
