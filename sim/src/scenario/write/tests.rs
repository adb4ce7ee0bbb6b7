//! A plan that is written loads to an equal plan: every scenario of the library, and plans that nobody would write.

use std::path::Path;

use cluster::coordinator::Level;
use cluster::world::NodeId;
use proptest::prelude::*;

use super::super::*;

const MICROS: std::ops::Range<u64> = 1..TIME_MICROS_MAX;

fn nodes(count: u16) -> impl Strategy<Value = NodeId> {
    (1..=count).prop_map(NodeId)
}

fn latency() -> impl Strategy<Value = Latency> {
    (0..10_000_000_u64, prop_oneof![Just(0), 0..10_000_000_u64])
        .prop_map(|(median_micros, more)| Latency { median_micros, p99_micros: median_micros + more })
}

fn range(most: u64) -> impl Strategy<Value = TimeRange> {
    (1..=most, 0..=most)
        .prop_map(|(one, other)| TimeRange { least_micros: one.min(other).max(1), most_micros: one.max(other) })
}

/// Two groups or more, of nodes and clients, nobody in two.
fn groups() -> impl Strategy<Value = Vec<Vec<Member>>> {
    Just(vec![
        Member::Node(NodeId(1)),
        Member::Node(NodeId(2)),
        Member::Node(NodeId(3)),
        Member::Client(0),
        Member::Client(2),
        Member::Client(1),
    ])
    .prop_shuffle()
    .prop_flat_map(|members| {
        (1..4_usize, 1..3_usize)
            .prop_map(move |(first, second)| vec![members[..first].to_vec(), members[first..first + second].to_vec()])
    })
}

fn weather() -> impl Strategy<Value = (Option<Latency>, Option<u32>, Option<u32>)> {
    let share = || prop::option::of(0..=WHOLE_PPM);
    (prop::option::of(latency()), share(), share()).prop_filter("it changes something", |(latency, loss, duplicate)| {
        latency.is_some() || loss.is_some() || duplicate.is_some()
    })
}

fn action() -> impl Strategy<Value = Action> {
    let node = || prop_oneof![Just(NodeChoice::Any), nodes(3).prop_map(NodeChoice::Named)];
    let victims = prop_oneof![node().prop_map(Victims::One), Just(Victims::All)];
    let power = prop_oneof![Just(Power::Lost), Just(Power::Kept)];
    let again = prop::option::of((range(9_000_000), 1..100_u32).prop_map(|(after, times)| Again { after, times }));
    let signed = prop_oneof![-10_000_000_000..-1_i64, 1..10_000_000_000_i64];
    prop_oneof![
        groups().prop_map(|groups| Action::Partition { groups }),
        groups().prop_map(|groups| Action::PartitionOneWay { from: groups[0].clone(), to: groups[1].clone() }),
        node().prop_map(|node| Action::Isolate { node }),
        (victims, power, range(9_000_000), again).prop_map(|(victims, power, down, again)| Action::Crash {
            victims,
            power,
            down,
            again
        }),
        node().prop_map(|node| Action::Pause { node }),
        (node(), 2..1_000_000_u32).prop_map(|(node, factor)| Action::SlowDisk { node, factor }),
        (groups(), latency()).prop_map(|(groups, latency)| Action::SlowLink {
            from: groups[0].clone(),
            to: groups[1].clone(),
            latency
        }),
        weather().prop_map(|(latency, loss_ppm, duplicate_ppm)| Action::Network { latency, loss_ppm, duplicate_ppm }),
        (node(), signed).prop_map(|(node, by_micros)| Action::ClockStep { node, by_micros }),
    ]
}

/// A fault within an hour.
fn fault() -> impl Strategy<Value = FaultPlan> {
    let at = (0..3_000_000_000_u64).prop_map(|micros| Times::At { micros });
    let every =
        (1_000_000..2_000_000_u64, 0..1_000_000_u64, 0..1_000_000_u64).prop_map(|(least, more, from_micros)| {
            let every = TimeRange { least_micros: least, most_micros: least + more };
            Times::Every { every, from_micros, until_micros: 3_000_000_000 }
        });
    (prop_oneof![at, every], prop::option::of(range(1_000_000)), action()).prop_map(|(times, lasts, action)| {
        let has_length = !matches!(action, Action::Crash { .. } | Action::ClockStep { .. });
        let needs_length = matches!(times, Times::Every { .. });
        let lasts = lasts.or(needs_length.then_some(TimeRange::fixed(7))).filter(|_| has_length);
        FaultPlan { times, lasts, action }
    })
}

fn comparison(unit: Unit) -> impl Strategy<Value = Comparison> {
    let most = match unit {
        Unit::Count => u64::from(u32::MAX),
        Unit::Share => u64::from(WHOLE_PPM),
        Unit::Time => TIME_MICROS_MAX,
    };
    let operator = prop_oneof![
        Just(Operator::Equal),
        Just(Operator::AtLeast),
        Just(Operator::AtMost),
        Just(Operator::MoreThan),
        Just(Operator::LessThan),
    ];
    (operator, 1..most).prop_map(move |(operator, bound)| Comparison { operator, bound, unit })
}

fn selection() -> impl Strategy<Value = Selection> {
    let kind = prop::option::of(prop::sample::select(crate::history::OperationKind::ALL.to_vec()));
    let during = prop::option::of((0..1_000_000_000_u64, 1..1_000_000_000_u64)).prop_map(|window| {
        window.map(|(from_micros, length)| Window { from_micros, until_micros: from_micros + length })
    });
    let through = prop::sample::subsequence(vec![NodeId(1), NodeId(2), NodeId(3)], 0..=3);
    (kind, during, through).prop_map(|(kind, during, through)| Selection { kind, during, through })
}

/// Demands, in the order in which a file is read.
fn expect() -> impl Strategy<Value = Vec<Expectation>> {
    let count = || prop::option::of(comparison(Unit::Count));
    let availability = (selection(), comparison(Unit::Share)).prop_map(|(of, is)| Expectation::Availability { of, is });
    let latency = (selection(), 1..=WHOLE_PPM, comparison(Unit::Time)).prop_map(|(of, percentile_ppm, is)| {
        let kind = of.kind.or(Some(crate::history::OperationKind::Read));
        Expectation::Latency { of: Selection { kind, ..of }, percentile_ppm, is }
    });
    let lists = (prop::collection::vec(availability, 0..3), prop::collection::vec(latency, 0..3));
    let more = (count(), count(), count());
    (count(), count(), count(), count(), more, prop::option::of(Just(false)), any::<bool>(), lists).prop_map(
        |(lost, stale, monotonic, own, (risen, writes, causal), linearizable, converged, (availability, latency))| {
            let mut expect: Vec<Expectation> = lost.map(Expectation::LostWrites).into_iter().collect();
            expect.extend(stale.map(Expectation::StaleReads));
            expect.extend(risen.map(Expectation::Resurrections));
            expect.extend(monotonic.map(Expectation::MonotonicReads));
            expect.extend(own.map(Expectation::ReadYourWrites));
            expect.extend(writes.map(Expectation::MonotonicWrites));
            expect.extend(causal.map(Expectation::WritesFollowReads));
            expect.extend(linearizable.map(Expectation::Linearizable));
            // Something is always expected.
            if converged || (expect.is_empty() && availability.is_empty() && latency.is_empty()) {
                expect.push(Expectation::Converged);
            }
            expect.into_iter().chain(availability).chain(latency).collect()
        },
    )
}

/// Any text that a name can be: without blanks around it, and not empty.
fn text() -> impl Strategy<Value = String> {
    let words = prop::collection::vec("[a-z#:'\"{}>|&*!%@`,-]{1,12}", 1..60).prop_map(|words| words.join(" "));
    prop_oneof!["(?s).{1,80}".boxed(), words.boxed()]
        .prop_map(|text| text.trim().to_string())
        .prop_filter("it says something", |text| !text.is_empty())
}

fn cluster_plan() -> impl Strategy<Value = ClusterPlan> {
    let durability = prop_oneof![
        Just(Durability::Always),
        Just(Durability::None),
        MICROS.prop_map(|micros| Durability::Interval { micros }),
    ];
    // Three nodes at least, so that every fault has somebody to strike.
    ((3..=100_u16, 1..=3_u16, 0..17_u32), durability, (MICROS, MICROS), (65_536..1_u64 << 30, 65_536..1_u64 << 30))
        .prop_map(|((node_count, replication, power), durability, (offset, timeout), (segment, memtable))| {
            ClusterPlan {
                node_count,
                replication,
                partition_count: 1 << power,
                durability,
                max_clock_offset_micros: offset,
                coordinator_timeout_micros: timeout,
                wal_segment_bytes: segment,
                memtable_bytes: memtable,
            }
        })
}

fn ground() -> impl Strategy<Value = (NetworkPlan, DiskPlan, Vec<ClockPlan>)> {
    let link = (groups(), weather()).prop_map(|(groups, (latency, loss_ppm, duplicate_ppm))| LinkPlan {
        from: groups[0].clone(),
        to: groups[1].clone(),
        latency,
        loss_ppm,
        duplicate_ppm,
    });
    let network = (latency(), 0..=WHOLE_PPM, 0..=WHOLE_PPM, prop::collection::vec(link, 0..3))
        .prop_map(|(latency, loss_ppm, duplicate_ppm, links)| NetworkPlan { latency, loss_ppm, duplicate_ppm, links });
    let survival = prop_oneof![Just(Survival::Random), Just(Survival::Nothing), Just(Survival::Everything)];
    let some = || prop::sample::subsequence(vec![NodeId(1), NodeId(2), NodeId(3)], 0..=3);
    let disk = (latency(), some(), latency(), survival).prop_map(|(latency, nodes, own, survival)| DiskPlan {
        latency,
        nodes: nodes.into_iter().map(|node| (node, own)).collect(),
        survival,
    });
    let clocks =
        (some(), -1_000_000_000..1_000_000_000_i64, -100_000..=100_000_i64).prop_map(|(nodes, skew, drift)| {
            nodes.into_iter().map(|node| ClockPlan { node, skew_micros: skew, drift_ppm: drift }).collect()
        });
    (network, disk, clocks)
}

fn workload_plan() -> impl Strategy<Value = WorkloadPlan> {
    let distribution = prop_oneof![
        Just(KeyDistribution::Uniform),
        (1..=5_000_u32).prop_map(|exponent_thousandths| KeyDistribution::Zipf { exponent_thousandths }),
    ];
    let level = || prop_oneof![Just(Level::Quorum), Just(Level::All), Just(Level::Number(1))];
    let levels = (level(), level(), level()).prop_map(|(read, write, delete)| PerKind { read, write, delete });
    let mix = (100..1_000_u32, 100..1_000_u32, 100..1_000_u32).prop_map(|(read, write, delete)| PerKind {
        read,
        write,
        delete,
    });
    let coordinators = prop_oneof![Just(Coordinators::Any), Just(Coordinators::Owners)];
    (
        (3..10_000_u32, 1..1_000_000_u64, MICROS, 1..1_000_000_u32),
        distribution,
        mix,
        levels,
        (16..1_000_u32, 0..1_000_u32),
        coordinators,
    )
        .prop_map(
            |((clients, rate, timeout, keys), distribution, mix, consistency, (bytes, more), coordinators)| {
                WorkloadPlan {
                    client_count: clients,
                    duration_micros: 3_600_000_000,
                    operations_per_second: rate,
                    client_timeout_micros: timeout,
                    key_count: keys,
                    distribution,
                    mix,
                    consistency,
                    value_bytes_least: bytes,
                    value_bytes_most: bytes + more,
                    coordinators,
                    operations: Vec::new(),
                }
            },
        )
}

fn listed() -> impl Strategy<Value = Vec<ListedOperation>> {
    let kind = prop::sample::select(crate::history::OperationKind::ALL.to_vec());
    let operation = (0..3_600_000_000_u64, 0..3_u32, kind, 16..2_000_u32, prop::option::of(nodes(3)));
    let operations = prop::collection::vec(operation, 1..20).prop_map(|drawn| {
        let mut operations: Vec<ListedOperation> = drawn
            .into_iter()
            .map(|(at_micros, client, kind, bytes, through)| ListedOperation {
                at_micros,
                client,
                kind,
                key: 0,
                value_bytes: if kind == crate::history::OperationKind::Write { bytes } else { 0 },
                through,
            })
            .collect();
        operations.sort_by_key(|operation| operation.at_micros);
        operations
    });
    prop_oneof![Just(Vec::new()).boxed(), operations.boxed()]
}

fn plan() -> impl Strategy<Value = Plan> {
    let words = (text(), text(), any::<u64>());
    let demands = (expect(), 0..5_u64, 0..1_000_u64, 0..1_000_u64);
    (words, cluster_plan(), ground(), workload_plan(), listed(), prop::collection::vec(fault(), 0..6), demands)
        .prop_map(|((name, about, seed), cluster, (network, disk, clocks), workload, listed, faults, demands)| {
            let (expect, few, torn_tails, interrupted) = demands;
            let plan = Plan {
                name,
                about,
                file: "drawn.yaml".to_string(),
                seed,
                cluster,
                network,
                disk,
                clocks,
                workload,
                faults,
                expect,
                at_least: PerKind { read: few, write: few, delete: few },
                at_least_recoveries: Recoveries { torn_tails, interrupted },
            };
            if listed.is_empty() {
                return plan;
            }
            // What is listed may lack a kind, of which nothing may then be expected.
            let plan = with_operations(&plan, listed);
            Plan { expect: vec![Expectation::Converged], at_least: PerKind::default(), ..plan }
        })
}

#[track_caller]
fn loads_equal(plan: &Plan, comments: &[String]) {
    let text = write(plan, comments);
    let loaded = parse_of_any_length(&plan.file, &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(loaded, *plan, "{text}");
    assert!(is_valid(plan));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_plan_that_is_written_loads_to_an_equal_plan(plan in plan(), comment in "(?s).{0,40}") {
        loads_equal(&plan, &[comment]);
    }
}

#[test]
fn every_scenario_of_the_library_loads_to_an_equal_plan_when_it_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let entries = library(&folder).expect("the folder is there");
    assert!(entries.len() > 20);
    for entry in entries {
        loads_equal(&load(Path::new(&entry.expect("right").file)).expect("right"), &[]);
    }
}

#[test]
fn what_is_written_reads_like_a_scenario_and_has_its_comments_on_top() {
    let text = "name: a\nabout: b c\nworkload: { duration: 1s }\nat_least: { read: 0, write: 0 }\n\
                faults: [{ at: 1ms, crash: { node: n1, down: 5ms } }]\nexpect: { stale_reads: '>= 1' }\n";
    let plan = parse("x.yaml", text).expect("right");
    let written = write(&plan, &["seed 7\nreplay".to_string()]);
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(&lines[..5], ["# seed 7", "# replay", "name: \"a\"", "about: >-", "  b c"]);
    assert!(lines.contains(&"  - { at: 1ms, crash: { node: n1, power: lost, down: 5ms } }"), "{written}");
    assert!(lines.contains(&"  stale_reads: \">= 1\""), "{written}");
}

#[test]
fn a_plan_that_contradicts_itself_is_not_valid() {
    let plan = parse("x.yaml", "name: a\nabout: b\nexpect: { converged: true }\n").expect("right");
    assert!(is_valid(&plan));
    for wrong in [
        Plan { expect: Vec::new(), ..plan.clone() },
        Plan { cluster: ClusterPlan { replication: 4, ..plan.cluster.clone() }, ..plan.clone() },
        Plan { name: " a".to_string(), ..plan.clone() },
    ] {
        assert!(!is_valid(&wrong), "{}", write(&wrong, &[]));
    }
}
