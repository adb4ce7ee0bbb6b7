//! Whole scenario files: that those of the library and of the manual are understood, that everything wrong is told with
//! its place, and that no text at all makes the reader panic. Tests of one piece stand beside the piece.
//!
//! The damage is drawn from a fixed seed: a text that once broke the reader breaks it again.

mod faults;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cluster::world::NodeId;
use engine::world::Rng;

use cluster::coordinator::Level;

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

fn library_texts() -> Vec<(String, String)> {
    let entries = library(&folder()).expect("the folder is there");
    let files = entries.into_iter().map(|entry| entry.expect("every scenario of the library is right").file);
    files.map(|file| (file.clone(), std::fs::read_to_string(file).expect("readable"))).collect()
}

/// The errors of a text, without the file's name.
fn complaints(text: &str) -> Vec<String> {
    match parse("x.yaml", text) {
        Ok(_) => Vec::new(),
        Err(ScenarioError::Refused(problems)) => {
            problems.to_string().lines().map(|line| line.trim_start_matches("x.yaml:").to_string()).collect()
        }
        Err(error) => panic!("a text is never unreadable: {error}"),
    }
}

/// A scenario with a few lines of its own after the required ones, which take three lines.
fn with(lines: &str) -> String {
    format!("name: x\nabout: y\nexpect: {{ linearizable: true }}\n{lines}")
}

#[track_caller]
fn refused(lines: &str, complaint: &str) {
    let complaints = complaints(&with(lines));
    assert!(complaints.iter().any(|line| line.contains(complaint)), "{complaint:?} is not in {complaints:#?}");
}

const MANUAL: &str = r#"
name: quorum reads stay fresh while two nodes of five are cut off
about: W + R > N, so every read quorum meets every write quorum; each key is served on the side that holds two of its three replicas, the other side refuses rather than lies.
seed: 7
cluster: { nodes: 5, replication: 3, partitions: 128 }
network: { latency: { median: 1ms, p99: 10ms }, loss: 0.1%, duplicate: 0.1% }
disk: { latency: { median: 80us, p99: 2ms } }
workload:
  clients: 6
  duration: 30s
  rate: 200/s
  keys: { count: 16, distribution: { zipf: 0.99 } }
  mix: { read: 50, write: 45, delete: 5 }
  consistency: { read: quorum, write: quorum }
faults:
  - { at: 5s, for: 10s, partition: [[n1, n2], [n3, n4, n5]] }
  - { every: 4s..8s, until: 25s, crash: { node: any, power: lost, down: 1s..3s } }
expect:
  lost_writes: 0
  stale_reads: 0
  linearizable: true
  availability: ">= 60%"
  converged: true
"#;

const EVERYTHING: &str = r#"
name: everything
about: Each key of the format once.
cluster: { nodes: 4, replication: 2, partitions: 8, durability: interval 10ms, max_clock_offset: 250ms, timeout: 3s,
           wal_segment_bytes: 8192, memtable_bytes: 4096 }
network:
  latency: 2ms
  links: [{ from: [n1, c0], to: [n2], latency: { median: 3ms, p99: 30ms }, loss: 1%, duplicate: 2% }]
disk: { latency: 90us, nodes: [{ node: n3, latency: { median: 50ms, p99: 200ms } }], survival: nothing }
clocks: [{ node: n1, skew: -200ms, drift: 100ppm }, { node: n2, drift: -50ppm }]
workload: { clients: 3, duration: 20s, rate: 100/s, timeout: 4s, keys: { count: 5, distribution: uniform },
  mix: { read: 1, write: 1, delete: 1 }, consistency: { read: 1, write: all, delete: one }, value_bytes: 32,
  coordinators: outsiders }
faults:
  - { at: 1s, for: 1s, partition: [[n1, c1], [n2], [n3]] }
  - { at: 1s, for: 1s..2s, partition_one_way: { from: [n1], to: [n2, n3] } }
  - { at: 1s, isolate: { node: any } }
  - { at: 1s, crash: { node: all, power: kept, down: 500ms, again: { after: 100us..5ms, times: 2 } } }
  - { at: 4s, for: 1s, pause: { node: n2 } }
  - { every: 2s..3s, from: 5s, until: 15s, for: 1s, slow_disk: { node: n3, by: 50 } }
  - { at: 1s, for: 1s, slow_link: { from: [n1], to: [c2], latency: 100ms } }
  - { at: 1s, for: 1s, network: { loss: 5%, duplicate: 20%, latency: 9ms } }
  - { at: 1s, clock_step: { node: n2, by: -300ms } }
expect:
  lost_writes: "<= 3"
  stale_reads: ">= 1"
  monotonic_reads: "> 0"
  read_your_writes: "< 5"
  linearizable: false
  converged: true
  availability: [{ during: 6s..14s, through: [n1], kind: read, is: "<= 0%" }, { is: ">= 60%" }]
  latency: { kind: read, percentile: p99, is: "<= 30ms", during: 0s..20s, through: [n1, n2] }
at_least: { read: 10, write: 20, delete: 0, torn_tails: 3, interrupted_recoveries: 2 }
"#;

#[test]
fn the_example_of_the_manual_becomes_the_plan_it_says() {
    let plan = parse("x.yaml", MANUAL).expect("right");
    assert_eq!((plan.seed, plan.cluster.node_count, plan.cluster.replication), (7, 5, 3));
    assert_eq!(plan.network.latency, Latency { median_micros: 1_000, p99_micros: 10_000 });
    assert_eq!((plan.network.loss_ppm, plan.workload.operations_per_second), (1_000, 200));
    assert_eq!(plan.workload.distribution, KeyDistribution::Zipf { exponent_thousandths: 990 });
    assert_eq!(plan.workload.consistency, PerKind { read: Level::Quorum, write: Level::Quorum, delete: Level::Quorum });
    assert_eq!(plan.faults[0].times, Times::At { micros: 5_000_000 });
    assert_eq!(plan.faults[0].lasts, Some(TimeRange::fixed(10_000_000)));
    let down = TimeRange { least_micros: 1_000_000, most_micros: 3_000_000 };
    let victims = Victims::One(NodeChoice::Any);
    assert_eq!(plan.faults[1].action, Action::Crash { victims, power: Power::Lost, down, again: None });
    let expect: Vec<String> = plan.expect.iter().map(ToString::to_string).collect();
    let demanded =
        ["lost_writes: 0", "stale_reads: 0", "linearizable: true", "converged: true", "availability: >= 60%"];
    assert_eq!(expect, demanded);
    assert_eq!(plan.at_least, PerKind { read: 100, write: 100, delete: 100 });
    assert_eq!(plan.at_least_recoveries, Recoveries::default());
    assert_eq!((plan.cluster.wal_segment_bytes, plan.cluster.memtable_bytes), (64 << 20, 16 << 10));
}

#[test]
fn every_key_of_the_format_is_understood() {
    let plan = parse("x.yaml", EVERYTHING).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plan.cluster.durability, Durability::Interval { micros: 10_000 });
    assert_eq!(plan.network.links[0].from, [Member::Node(NodeId(1)), Member::Client(0)]);
    assert_eq!(plan.disk.survival, Survival::Nothing);
    assert_eq!(plan.clocks[0], ClockPlan { node: NodeId(1), skew_micros: -200_000, drift_ppm: 100 });
    assert_eq!(plan.workload.consistency, PerKind { read: Level::Number(1), write: Level::All, delete: Level::ONE });
    assert_eq!(plan.faults.len(), 9);
    assert_eq!(plan.faults[8].action, Action::ClockStep { node: NodeChoice::Named(NodeId(2)), by_micros: -300_000 });
    assert_eq!(plan.expect[6].to_string(), "availability of reads through n1 during 6s..14s: <= 0%");
    assert_eq!(plan.expect[8].to_string(), "latency p99 of reads through n1 or n2 during 0s..20s: <= 30ms");
    assert_eq!(plan.at_least, PerKind { read: 10, write: 20, delete: 0 });
    assert_eq!(plan.at_least_recoveries, Recoveries { torn_tails: 3, interrupted: 2 });
    assert_eq!((plan.cluster.wal_segment_bytes, plan.cluster.memtable_bytes), (8_192, 4_096));
}

#[test]
fn operations_that_are_listed_are_the_workload() {
    let lines = "workload:\n  clients: 2\n  keys: { count: 3 }\n  operations:\n    - { at: 5ms, client: c1, kind: write, key: k2, \
                 bytes: 40, through: n3 }\n    - { at: 5ms, client: c0, kind: write, key: k0 }\n    - { at: 9s, client: c0, kind: \
                 read, key: k2 }\n";
    let plan = parse("x.yaml", &with(lines)).unwrap_or_else(|error| panic!("{error}"));
    let operation = |at_micros, client, kind, key, value_bytes, through| ListedOperation {
        at_micros,
        client,
        kind,
        key,
        value_bytes,
        through,
    };
    let (read, write) = (crate::history::OperationKind::Read, crate::history::OperationKind::Write);
    assert_eq!(
        plan.workload.operations,
        [
            operation(5_000, 1, write, 2, 40, Some(NodeId(3))),
            operation(5_000, 0, write, 0, 16, None),
            operation(9_000_000, 0, read, 2, 0, None),
        ]
    );
    assert_eq!(plan.workload.mix, PerKind { read: 1, write: 2, delete: 0 });
    assert_eq!(plan.at_least, PerKind { read: 1, write: 1, delete: 0 });
}

#[test]
fn a_list_of_operations_that_cannot_be_sent_is_refused() {
    for (operations, complaint) in [
        ("[]", "`operations` lists nothing"),
        ("[{ at: 1s, client: c4, kind: read, key: k0 }]", "client c4 does not exist; the workload has c0 to c3"),
        ("[{ at: 1s, client: n1, kind: read, key: k0 }]", "'n1' is not the name of a client, as in c0"),
        ("[{ at: 1s, client: c0, kind: read, key: k16 }]", "operations[0].key: 'k16' is out of bounds"),
        ("[{ at: 1s, client: c0, kind: read, key: k01 }]", "'k01' is not the name of a key"),
        ("[{ at: 1s, client: c0, kind: raed, key: k0 }]", "did you mean 'read'?"),
        ("[{ at: 1s, client: c0, kind: read, key: k0, bytes: 20 }]", "a read writes none"),
        ("[{ at: 1s, client: c0, kind: write, key: k0, bytes: 2 }]", "operations[0].bytes: '2' is out of bounds"),
        ("[{ at: 1s, client: c0, kind: read, key: k0, through: n4 }]", "node n4 does not exist"),
        ("[{ at: 10s, client: c0, kind: read, key: k0 }]", "nothing would meet this"),
        ("[{ client: c0, kind: read, key: k0 }]", "'at' is missing"),
        (
            "[{ at: 2s, client: c0, kind: read, key: k0 }, { at: 1s, client: c0, kind: read, key: k0 }]",
            "operations[1].at: 1s is before the operation above it at 2s",
        ),
    ] {
        refused(&format!("workload: {{ operations: {operations} }}"), complaint);
    }
    let one = "operations: [{ at: 1s, client: c0, kind: read, key: k0 }]";
    for drawn in ["rate: 5/s", "mix: { read: 1 }", "value_bytes: 20", "coordinators: any"] {
        refused(&format!("workload: {{ {drawn}, {one} }}"), "means nothing beside `operations`");
    }
    refused(&format!("workload: {{ {one} }}\nat_least: {{ read: 2 }}"), "2 ok results are demanded");
}

#[test]
fn what_is_not_said_has_a_safe_default() {
    let plan = parse("x.yaml", &with("")).expect("right");
    assert_eq!((plan.seed, plan.cluster.node_count, plan.cluster.replication), (1, 3, 3));
    assert_eq!(plan.cluster.durability, Durability::Always);
    assert_eq!(plan.workload.consistency.read, Level::Quorum);
    assert_eq!(plan.at_least, PerKind { read: 100, write: 100, delete: 0 });
    assert!(plan.faults.is_empty() && plan.clocks.is_empty());
    let plan = parse("x.yaml", &with("cluster: { nodes: 2 }")).expect("right");
    assert_eq!(plan.cluster.replication, 2);
}

#[test]
fn every_scenario_of_the_library_is_right_and_teaches() {
    let entries: Vec<_> = library(&folder()).expect("there").into_iter().map(|entry| entry.expect("right")).collect();
    assert!(entries.len() >= 13, "{}", entries.len());
    let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names.len(), entries.len(), "two scenarios have one name");
    for entry in &entries {
        let plan = load(Path::new(&entry.file)).expect("right");
        assert!(plan.about.len() > 150, "{} teaches too little", entry.file);
        assert!(entry.summary.len() < plan.about.len(), "{} is one sentence", entry.file);
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_valid_one() {
    let complaints = complaints(&with("cluster:\n  nodes: 3\n  replicaton: 3\nfalts: []\n"));
    assert_eq!(
        complaints[0].split(" the keys").next(),
        Some("6: unknown key 'replicaton' in cluster; did you mean 'replication'?")
    );
    assert_eq!(
        complaints[1],
        "7: unknown key 'falts' in the scenario; did you mean 'faults'? the keys there are name, about, seed, cluster, \
         network, disk, clocks, workload, faults, expect, at_least"
    );
    refused("workload: { zebra: 1 }", "4: unknown key 'zebra' in workload; the keys there are clients, duration");
    refused("faults: [{ at: 1s, partitoin: [[n1], [n2]] }]", "did you mean 'partition'?");
    refused(
        "faults: [{ at: 1s, crash: { node: n1, pwer: lost } }]",
        "unknown key 'pwer' in faults[0].crash; did you mean 'power'?",
    );
}

#[test]
fn a_name_that_does_not_exist_is_refused_with_those_that_do() {
    let faults = "cluster: { nodes: 5 }\nfaults:\n  - at: 1s\n    partition: [[n1, n2],\n      [n3, n9]]\n";
    assert_eq!(
        complaints(&with(faults)),
        ["8: faults[0].partition[1][1]: node n9 does not exist; the cluster has n1 to n5"]
    );
    refused("faults: [{ at: 1s, partition: [[n1], [c9]] }]", "client c9 does not exist; the workload has c0 to c3");
    refused("faults: [{ at: 1s, partition: [[n1], [c04]] }]", "'c04' is not the name of a node or of a client");
    refused("faults: [{ at: 1s, pause: { node: n0 } }]", "node n0 does not exist; the cluster has n1 to n3");
    refused("faults: [{ at: 1s, pause: { node: 3 } }]", "'3' is not a node's name, as in n1");
    refused("clocks: [{ node: any, skew: 1s }]", "'any' is not a node's name");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_the_order_of_lines() {
    let complaints = complaints(
        "name: x\nexpect: { stale_reads: none }\ncluster:\n  nodes: 2\n  replication: 3\n  partitions: 100\n\
         network: { loss: 200%, latency: { median: 5ms, p99: 1ms } }\nworkload: { rate: fast }\n",
    );
    assert_eq!(
        complaints,
        [
            " 'about' is missing: what a reader learns from it, in a few sentences",
            "2: expect.stale_reads: 'none' is not a comparison with a count: write 0, or \">= 1\" (in quotes)",
            "5: cluster.replication: 3 replicas of a key need as many nodes, and the cluster has 2",
            "6: cluster.partitions: 100 is not a power of two: the ring is cut into 1, 2, 4, 8, ... equal partitions",
            "7: network.latency: the 99th percentile 1ms is below the median 5ms",
            "7: network.loss: '200%' is out of bounds: at least 0% and at most 100% is possible here",
            "8: workload.rate: 'fast' is not a rate: write whole operations a second, as in 200/s",
        ]
    );
}

#[test]
fn one_flaw_raises_no_complaint_about_what_depends_on_it() {
    for lines in [
        "cluster: { nodes: five }\nfaults: [{ at: 1s, pause: { node: n5 } }]",
        "workload: { duration: long }\nfaults: [{ at: 90s, isolate: { node: n1 } }, { every: 1m..2m, for: 1s, isolate: { node: n1 } }]",
        "workload: { clients: many }\nfaults: [{ at: 1s, partition: [[n1], [c70]] }]",
        "workload: { mix: { read: some, write: 1 } }",
        "workload: { rate: 5000, duration: 1s }\nat_least: { read: 2000 }",
    ] {
        let complaints = complaints(&with(lines));
        assert_eq!(complaints.len(), 1, "{complaints:#?}");
    }
}

#[test]
fn a_value_of_the_wrong_shape_is_refused_with_the_shape_that_is_needed() {
    refused("cluster: 5", "4: cluster: a map with the keys nodes, replication");
    refused("cluster: { nodes: [5] }", "cluster.nodes: a single value is needed here, and this is a list");
    refused("faults: { at: 5s }", "faults: a list is needed here, and this is a map");
    refused("network: { latency: [1ms] }", "a single value or a map is needed here, and this is a list");
    refused("faults: [{ at: 1s, partition: [n1, n2] }]", "faults[0].partition[0]: a list is needed here");
    assert!(complaints("- a\n- b\n")[0].contains("a map with the keys name, about"));
    assert!(complaints("just text")[0].contains("and this is a single value"));
}

#[test]
fn contradictions_are_refused() {
    for (lines, complaint) in [
        ("workload: { mix: { read: 0, write: 0 } }", "every weight of the mix is 0"),
        ("workload: { consistency: { read: 4 } }", "4 replicas cannot answer where a key has 3"),
        ("workload: { consistency: { read: 0 } }", "0 replicas cannot answer"),
        ("workload: { consistency: { read: qorum } }", "did you mean 'quorum'?"),
        ("workload: { coordinators: outsiders }", "no coordinator is an outsider"),
        ("workload: { keys: { distribution: { zipf: 0 } } }", "at least 0.001 and at most 5"),
        ("workload: { value_bytes: 4 }", "at least 16 bytes"),
        ("at_least: { delete: 5 }", "4: at_least.delete: 5 ok results are demanded of a kind that the mix never sends"),
        ("workload: { duration: 1s }", "100 ok results are demanded, and this rate, duration and mix send about 50"),
        ("clocks: [{ node: n1, skew: 1s }, { node: n1, drift: 5ppm }]", "node n1 is described twice"),
        ("clocks: [{ node: n1 }]", "it changes nothing"),
        ("disk: { nodes: [{ node: n1 }] }", "'latency' is missing"),
        ("faults: [{ at: 1s, partition: [[n1, n2], [n2, n3]] }]", "faults[0].partition[1][0]: n2 stands twice"),
        ("faults: [{ at: 1s, partition: [[n1, n2]] }]", "needs at least two groups"),
        ("faults: [{ at: 1s, partition: [[n1], []] }]", "a group must name at least one"),
        ("faults: [{ at: 1s, partition_one_way: { from: [n1] } }]", "'to' is missing"),
        ("faults: [{ at: 1s }]", "a fault has exactly one action"),
        ("faults: [{ at: 1s, pause: { node: n1 }, isolate: { node: n1 } }]", "this one has isolate and pause"),
        ("faults: [{ pause: { node: n1 } }]", "either `at: 5s` or `every: 4s..8s`"),
        ("faults: [{ at: 1s, every: 1s, for: 1s, pause: { node: n1 } }]", "either `at: 5s` or `every: 4s..8s`"),
        ("faults: [{ at: 1s, until: 2s, pause: { node: n1 } }]", "`until` belongs to faults that come again"),
        ("faults: [{ at: 10s, pause: { node: n1 } }]", "the workload ends at 10s; nothing would meet this"),
        ("faults: [{ every: 1s, until: 11s, for: 1s, pause: { node: n1 } }]", "the workload ends at 10s"),
        (
            "faults: [{ every: 4s..8s, until: 6s, for: 1s, pause: { node: n1 } }]",
            "it may come first at 8s, which is after 6s",
        ),
        ("faults: [{ every: 10us, for: 1us, pause: { node: n1 } }]", "out of bounds: at least 1ms"),
        ("faults: [{ every: 2s, pause: { node: n1 } }]", "must end: say `for: 1s`"),
        ("faults: [{ every: 2s, for: 3s, pause: { node: n1 } }]", "it would overlap itself"),
        ("faults: [{ at: 1s, for: 1s, crash: { node: n1 } }]", "a crash lasts as long as its own `down` says"),
        ("faults: [{ at: 1s, for: 1s, clock_step: { node: n1, by: 1s } }]", "a clock step is not undone"),
        ("faults: [{ at: 1s, for: 0s, pause: { node: n1 } }]", "it changes nothing"),
        ("faults: [{ at: 1s, clock_step: { node: n1, by: 0s } }]", "it changes nothing"),
        ("faults: [{ at: 1s, network: {} }]", "it changes nothing"),
        ("faults: [{ at: 1s, crash: { node: n1, again: { times: 2 } } }]", "'after' is missing"),
        ("cluster: { nodes: 1 }\nfaults: [{ at: 1s, isolate: { node: any } }]", "no other node to be cut off from"),
        ("cluster: { durability: sometimes }", "write always, interval 10ms or none"),
    ] {
        refused(lines, complaint);
    }
}

#[test]
fn expectations_that_prove_nothing_or_contradict_each_other_are_refused() {
    let reads = "workload: { mix: { read: 1 } }\n";
    for (lines, complaint) in [
        ("expect: {}\n", "nothing is expected"),
        ("", "'expect' is missing"),
        ("expect: { lost_writes: '>= 0' }\n", "`>= 0` always holds"),
        ("expect: { availability: '> 100%' }\n", "`> 100%` never holds"),
        ("expect: { converged: false }\n", "not converging cannot be demanded"),
        ("expect: { linearizable: maybe }\n", "'maybe' is not one of true, false"),
        ("expect: { linearizable: true, stale_reads: '>= 1' }\n", "`stale_reads: >= 1` demands an anomaly"),
        ("expect: { availability: { through: [n7], is: '>= 1%' } }\n", "expect.availability.through[0]: node n7"),
        ("expect: { availability: [{ during: 5s..11s, is: '>= 1%' }] }\n", "reaches past the workload's end at 10s"),
        ("expect: { availability: [{ during: 5s, is: '>= 1%' }] }\n", "the window 5s..5s is empty"),
        ("expect: { availability: { through: [], is: '>= 1%' } }\n", "availability.through: a group must name"),
        ("expect: { availability: { kind: delete, is: '>= 1%' } }\n", "delete is never sent"),
        ("expect: { availability: [{ kind: read }] }\n", "expect.availability[0]: 'is' is missing"),
        ("expect: { latency: { is: '<= 1ms' } }\n", "'kind' is missing"),
        ("expect: { latency: [{ kind: read, percentile: 99, is: '<= 1ms' }] }\n", "write p50, p99, p99.9 or max"),
    ] {
        let complaints = complaints(&format!("name: x\nabout: y\n{lines}"));
        assert!(complaints.iter().any(|line| line.contains(complaint)), "{complaint:?} is not in {complaints:#?}");
    }
    let reads_only = format!("name: x\nabout: y\n{reads}expect: {{ linearizable: false, lost_writes: 0 }}\n");
    let complaints = complaints(&reads_only);
    assert!(complaints.iter().any(|line| line.contains("every history would be linearizable")), "{complaints:#?}");
    assert!(complaints.iter().any(|line| line.contains("lost_writes: write is never sent")), "{complaints:#?}");
}

#[test]
fn text_that_is_no_scenario_at_all_is_refused() {
    assert_eq!(complaints(""), [" the file is empty; a scenario begins with `name: ...`"]);
    assert!(complaints("name: x\nabout: [\n")[0].contains("not YAML"));
    for unquoted in ["expect: { stale_reads: >= 1 }\n", "expect:\n  stale_reads: >= 1\n  lost_writes: 0\n"] {
        assert!(complaints(unquoted)[0].contains("write the comparison in quotes"), "{unquoted}");
    }
    assert_eq!(complaints("name: x\nname: y\n"), ["2: name: the key 'name' stands twice in one map; keep one of them"]);
    assert!(complaints(&"#".repeat(2_000_000))[0].contains("at most 65536"));
    assert!(complaints("name: x\n---\nname: y\n")[0].contains("more than one document"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.yaml");
    assert!(matches!(load(&path), Err(ScenarioError::Unreadable { .. })));
    std::fs::write(&path, [0xff, 0xfe]).expect("written");
    assert!(load(&path).expect_err("refused").to_string().ends_with("x.yaml: the file is not UTF-8 text"));
}

#[test]
fn of_very_many_flaws_some_are_shown_and_the_others_counted() {
    let lines: String = (0..200).map(|number| format!("key{number}: 1\n")).collect();
    let Err(ScenarioError::Refused(problems)) = parse("x.yaml", &with(&lines)) else { panic!("refused") };
    assert_eq!((problems.problems.len(), problems.hidden_count), (PROBLEMS_SHOWN_MAX, 200 - PROBLEMS_SHOWN_MAX));
    assert!(problems.to_string().ends_with("and 150 more"));
}

/// One random edit, of the kinds that people and broken disks make.
fn damaged(text: &str, pieces: &[&str], rng: &mut Rng) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..=rng.below(3) {
        let position = rng.below(letters.len() as u64 + 1) as usize;
        let end = (position + rng.below(12) as usize).min(letters.len());
        match rng.below(5) {
            0 => letters.truncate(position),
            1 => drop(letters.drain(position..end)),
            2 => letters.splice(position..end, rng.pick(pieces).expect("some").chars()).for_each(drop),
            3 => {
                let copied: Vec<char> = letters[position..end].to_vec();
                let to = rng.below(letters.len() as u64 + 1) as usize;
                letters.splice(to..to, copied).for_each(drop);
            }
            _ => {
                let letter = char::from_u32(rng.below(0x3000) as u32).unwrap_or('\u{fffd}');
                letters.insert(position, letter);
            }
        }
    }
    letters.into_iter().collect()
}

const PIECES: [&str; 24] = [
    "n9",
    "c99",
    "-1",
    "0",
    "18446744073709551616",
    "1e300",
    ".nan",
    "-.inf",
    "99999999999h",
    "..",
    "5s..1s",
    "&a",
    "*a",
    "!!int",
    "<<: *a",
    "- - -",
    "{",
    "[[",
    ": ",
    "~",
    "null",
    "'",
    ">= ",
    "\t",
];

#[test]
fn no_damage_to_a_scenario_makes_the_reader_panic_and_every_complaint_has_a_place_in_the_file() {
    let mut texts: Vec<String> = library_texts().into_iter().map(|(_, text)| text).collect();
    texts.extend([MANUAL.to_string(), EVERYTHING.to_string(), faults::EVERY_FAULT.to_string()]);
    let mut rng = Rng::from_seed(11);
    let (mut right, mut wrong) = (0, 0);
    for round in 0..4_000 {
        let text = damaged(&texts[round % texts.len()], &PIECES, &mut rng);
        match parse("x.yaml", &text) {
            Ok(plan) => {
                right += 1;
                schedule(&plan, &Rng::from_seed(round as u64));
            }
            Err(ScenarioError::Refused(problems)) => {
                wrong += 1;
                assert!(!problems.problems.is_empty() && !problems.to_string().is_empty());
                let lines = text.lines().count();
                for problem in &problems.problems {
                    // libyaml also breaks lines at NEL and the like, and may stand behind the last one.
                    assert!(problem.line.is_none_or(|line| line <= lines + 4), "{problem:?} in {text:?}");
                }
            }
            Err(error) => panic!("a text is never unreadable: {error}"),
        }
    }
    assert!(right > 200 && wrong > 1_000, "{right} right and {wrong} wrong: the damage shows little");
}

#[test]
fn no_garbage_makes_the_reader_panic() {
    let mut rng = Rng::from_seed(12);
    let words =
        ["name", "faults", "expect", "at", "every", "crash", "node", "n1", "5s", ":", "-", ",", "{", "}", "[", "]"];
    for _ in 0..4_000 {
        let mut text = String::new();
        for _ in 0..rng.below(60) {
            match rng.below(3) {
                0 => text.push_str(rng.pick(&words).expect("some")),
                1 => text.push_str(rng.pick(&[" ", "\n", "\n  ", "\n    "]).expect("some")),
                _ => text.push(char::from_u32(rng.below(0x250) as u32).unwrap_or('?')),
            }
        }
        if let Err(error) = parse("x.yaml", &text) {
            assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn deep_nesting_and_multiplying_aliases_are_refused_without_harm() {
    assert!(!complaints(&"[".repeat(60_000)).is_empty());
    assert!(!complaints(&format!("{}x", "{a: ".repeat(10_000))).is_empty());
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let copies = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{copies}]\n"));
    }
    assert!(!complaints(&bomb).is_empty());
}
