//! Whole runs, one fault each: that every fault meets something, that one which meets nothing proves nothing, and that a
//! node which refuses is told and not waited for.

use reports::facts::{ExpectationFact, Held, Verdict};

use super::*;

fn run_of(lines: &str) -> Run {
    let text = format!(
        "name: x\nabout: y\ncluster: {{ nodes: 5, memtable_bytes: 4096 }}\n\
         workload: {{ duration: 4s, rate: 200/s, value_bytes: 100..300 }}\nexpect: {{ converged: true }}\n\
         at_least: {{ read: 10, write: 10 }}\n{lines}"
    );
    let plan = crate::scenario::parse("x.yaml", &text).unwrap_or_else(|error| panic!("{error}"));
    run(&plan, 5)
}

fn expectation<'r>(run: &'r Run, name: &str) -> &'r ExpectationFact {
    let found = run.facts.expectations.iter().find(|expectation| expectation.name == name);
    found.unwrap_or_else(|| panic!("{name:?} is not in {:#?}", run.facts.expectations))
}

#[test]
fn every_fault_meets_something_and_leaves_another_trace_than_a_run_without() {
    let calm = run_of("").trace;
    for fault in [
        "disk_error: { node: n1, operation: sync, file: wal, nth: 3 }",
        "disk_error: { node: n1, operation: append, file: table, count: 1 }",
        "disk_error: { node: n1, operation: read, file: table, share: 20% }",
        "short_read: { node: n1, file: table, share: 20% }",
        "misdirected_read: { node: n1, file: table, share: 20% }",
        "misdirected_write: { node: n1, file: table, count: 1 }",
        "lost_write: { node: n1, file: table, count: 1 }",
        "lying_sync: { node: n1, file: wal }",
        "lying_sync: { node: n1, file: folders }",
        "full_disk: { node: n1, room_bytes: 100 }",
        "read_only_disk: { node: n1 }",
        "stalled_disk: { node: n1 }",
        "throttled_disk: { node: n1, bytes_per_second: 50000 }",
        "drop: { message: replica_put, from: n1, share: 30% }",
        "delay: { message: replica_reply, to: n1, latency: 30ms }",
        "duplicate: { message: client_put, count: 5 }",
        "corrupt: { from: [n1], share: 10% }",
        "clog: { from: [n1], to: [n2, n3] }",
        "half_open: { from: [n1], to: [n2, n3] }",
        "capacity: { from: [n1], to: [n2, n3], bytes_per_second: 5000 }",
        "drip: { from: [n1], to: [n2, n3], every: 20ms }",
        "bridge: { node: n3 }",
        "majorities_ring: {}",
        "flapping: { groups: [[n1, n2], [n3, n4]], cut: 50ms..100ms, whole: 50ms }",
        "clock_skew: { node: n1, by: -100ms }",
        "clock_drift: { node: n1, by: 5000ppm }",
        "clock_strobe: { node: n1, by: 100ms, every: 10ms }",
        "freeze: { node: n2 }",
        "slow_node: { node: n1, by: 20 }",
    ] {
        let run = run_of(&format!("faults: [{{ at: 1s, for: 1s, {fault} }}]\n"));
        let met: Vec<u64> = run.facts.faults.iter().map(|fault| fault.met).collect();
        assert!(met.len() == 1 && met[0] > 0, "{fault}: met {met:?}");
        assert_ne!(run.trace, calm, "{fault} changed nothing");
        assert_eq!(expectation(&run, "phantom_reads").held, Held::Yes, "{fault}");
        assert_eq!(run.facts.failure, None, "{fault}");
    }
}

#[test]
fn faults_that_say_themselves_how_long_they_last_meet_something_too() {
    for fault in [
        "bit_rot: { node: n1, file: wal, bytes: 5 }",
        "wipe: { node: n1, down: 100ms }",
        "restore_backup: { node: n1, taken: 1s, down: 100ms }",
        "rolling_restart: { power: lost, down: 50ms, between: 100ms }",
    ] {
        let run = run_of(&format!("faults: [{{ at: 2s, {fault} }}]\n"));
        let met: Vec<u64> = run.facts.faults.iter().map(|fault| fault.met).collect();
        assert!(met.len() == 1 && met[0] > 0, "{fault}: met {met:?}");
    }
}

#[test]
fn a_fault_waits_for_what_its_trigger_names_and_happens_at_that_moment() {
    let run = run_of(
        "faults:\n  - { at: 1s, for: 500ms, isolate: { node: n1 } }\n  \
         - { when: { message: write_back, after: heal }, for: 500ms, slow_disk: { node: n2, by: 3 } }\n  \
         - { when: { node: n3, operation: sync, file: wal, count: 20 }, from: 2s, crash: { node: n3, down: 100ms } }\n  \
         - { when: { event: restart, node: n3 }, crash: { node: n4, down: 100ms } }\n",
    );
    let at = |name: &str| {
        let fault = run.facts.faults.iter().find(|fault| fault.name == name).unwrap_or_else(|| panic!("no {name}"));
        assert!(fault.met > 0);
        fault.at_micros
    };
    assert!(at("disk 3 x slower") >= 1_500_000, "the first write-back after the heal");
    let crashes: Vec<(String, u64)> = run
        .facts
        .faults
        .iter()
        .filter(|fault| fault.name == "power lost")
        .map(|fault| (fault.targets.clone(), fault.at_micros))
        .collect();
    let [(first, at), (second, then)] = &crashes[..] else { panic!("{crashes:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("n3", "n4"));
    assert_eq!(then - at, 100_000, "n4 goes when n3 is started again");
}

#[test]
fn a_trigger_that_never_fires_and_a_rule_that_strikes_nothing_make_a_run_vacuous() {
    let faults = "faults: [{ when: { message: client_scan }, pause: { node: n1 } }, \
                  { at: 1s, for: 1s, drop: { message: client_scan } }]\n";
    let run = run_of(faults);
    assert_eq!(run.facts.verdict, Verdict::Vacuous);
    assert_eq!(expectation(&run, "enough happened").note, "faults[0] never fired; faults[1] met no traffic");
}

#[test]
fn a_node_whose_pointer_has_rotted_refuses_to_start_and_is_told_and_not_waited_for() {
    let run = run_of(
        "faults:\n  - { at: 1s, bit_rot: { node: n2, file: current, bytes: 20 } }\n  \
         - { at: 2s, crash: { node: n2, power: kept, down: 100ms } }\n",
    );
    let rest = expectation(&run, "comes to rest");
    assert_eq!((rest.observed.as_str(), rest.held), ("yes, while n2 refuses", Held::Yes), "{}", rest.note);
    assert!(rest.note.starts_with("n2 does not start: "), "{}", rest.note);
    let budget = expectation(&run, "within the fault budget");
    assert_eq!(budget.observed, "1 of 3 copies damaged: n2 may forget");
    assert_eq!(budget.held, Held::Yes);
}

#[test]
fn a_node_that_stopped_writing_is_opened_again_when_the_faults_are_over() {
    let run = run_of("faults: [{ at: 1s, for: 1s, disk_error: { node: n2, operation: sync, file: wal, count: 1 } }]\n");
    assert_eq!(expectation(&run, "comes to rest").observed, "yes");
    assert_eq!(run.facts.verdict, Verdict::Holds, "{:#?}", run.facts.expectations);
}
