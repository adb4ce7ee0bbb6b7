//! Runs to report on: one like the standard scenario's, one where nothing happened, one with too much of everything.

use reports::RunFacts;
use reports::campaign::{CampaignFacts, ResultLine};
use reports::cap::{AGE_CLASSES, CapCell, CapFacts, CapFault, CapRun, TheoryFact};
use reports::detail::{AnswerFact, ConsistencyFact, MessageFact, MessagesFact, OperationFact, OutcomeFact, RunDetail};
use reports::facts::{
    AnomalyFact, BucketFact, CounterFact, ExpectationFact, FaultFact, Held, KindFact, LatencyFact, PhaseFact, Verdict,
    speed_ratio,
};

const SECOND: u64 = 1_000_000;

/// A run of 60 virtual seconds with a crash, a partition and a clock step, three stale reads, and a broken demand.
pub(crate) fn stormy_run() -> RunFacts {
    RunFacts {
        scenario: "one returns stale reads while two nodes of five are cut off".to_string(),
        about:
            "R + W <= N: a read at ONE may ask the one replica that the write did not reach. The partition makes the \
                window long enough to see it; QUORUM would close it."
                .to_string(),
        file: "scenarios/one_returns_stale_reads_under_partition.yaml".to_string(),
        seed: 42,
        cluster: "5 nodes, replication 3, 128 partitions".to_string(),
        verdict: Verdict::Fails,
        failure: None,
        trace: "5e0d3c1b9a87f642".to_string(),
        expectations: expectations(),
        phases: vec![
            phase("calm", 0, 10, 2_000, 2_000, 0, 0),
            phase("faults", 10, 45, 7_000, 6_431, 402, 167),
            phase("healed", 45, 60, 3_000, 3_000, 0, 0),
        ],
        faults: vec![
            fault("partition", "n1 n2 | n3 n4 n5", 10, Some(25), 18_204),
            fault("power lost", "n3", 28, Some(30), 311),
            fault("clock +400 ms", "n4", 33, None, 1_950),
            fault("power lost", "n3", 38, Some(41), 402),
        ],
        anomalies: (0..47).map(anomaly).collect(),
        kinds: vec![
            kind("read", 6_004, 5_950, 40, 14),
            kind("write", 5_400, 4_889, 360, 151),
            kind("delete", 596, 592, 2, 2),
        ],
        latencies: vec![
            latency("read", None, 5_950, [1_240, 3_100, 9_870, 24_000, 61_500]),
            latency("write", None, 4_889, [2_310, 5_400, 18_200, 96_000, 412_000]),
            latency("delete", None, 592, [2_290, 5_200, 17_900, 88_000, 301_000]),
            latency("read", Some("faults"), 3_400, [1_310, 3_900, 12_000, 31_000, 61_500]),
            latency("write", Some("faults"), 2_500, [2_900, 9_100, 44_000, 140_000, 412_000]),
            latency("cas", Some("healed"), 0, [0; 5]),
        ],
        bucket_micros: SECOND,
        throughput: (0..60).map(bucket).collect(),
        counters: [
            ("messages sent", 148_204),
            ("messages delivered", 129_377),
            ("messages dropped", 18_827),
            ("disk operations", 41_220),
            ("syncs", 9_113),
            ("bytes written", 3_914_226),
            ("read repairs", 73),
        ]
        .map(|(name, value)| CounterFact { name: name.to_string(), value })
        .to_vec(),
        virtual_micros: 60 * SECOND,
        wall_micros: 412_000,
        speed_ratio: speed_ratio(60 * SECOND, 412_000),
    }
}

fn expectations() -> Vec<ExpectationFact> {
    let row = |name: &str, demanded: &str, observed: &str, examined, held, note: &str| ExpectationFact {
        name: name.to_string(),
        demanded: demanded.to_string(),
        observed: observed.to_string(),
        examined,
        held,
        note: note.to_string(),
    };
    vec![
        row("stale_reads", ">= 1", "47", 5_950, Held::Yes, "the furthest behind was 14.2 s"),
        row(
            "lost_writes",
            "0",
            "2",
            128,
            Held::No,
            "two acknowledged writes to k07 were overwritten by a write whose stamp came from n4, 400 ms ahead of true time",
        ),
        row("availability", ">= 60%", "95.2%", 12_000, Held::Yes, ""),
        row("converged", "true", "true", 16, Held::Yes, ""),
        row("monotonic_reads", "0 violations", "no session read a key twice", 0, Held::Vacuous, ""),
        row("linearizable", "true", "no answer within 10,000,000 steps", 12_000, Held::Undecided, ""),
    ]
}

fn phase(name: &str, from: u64, until: u64, operations: u64, ok: u64, fail: u64, unknown: u64) -> PhaseFact {
    let (from_micros, until_micros) = (from * SECOND, until * SECOND);
    PhaseFact { name: name.to_string(), from_micros, until_micros, operations, ok, fail, unknown }
}

fn fault(name: &str, targets: &str, at: u64, until: Option<u64>, met: u64) -> FaultFact {
    let until_micros = until.map(|until| until * SECOND);
    FaultFact { name: name.to_string(), targets: targets.to_string(), at_micros: at * SECOND, until_micros, met }
}

fn anomaly(index: u64) -> AnomalyFact {
    AnomalyFact {
        at_micros: 10 * SECOND + index * 311_007,
        kind: if index == 46 { "lost write" } else { "stale read" }.to_string(),
        sentence: format!(
            "c2 read k07 = v{} from n1, though c4's v{} was acknowledged 1.31 s before",
            100 + index,
            140 + index
        ),
        operations: vec![2 * index + 1, 2 * index],
    }
}

fn kind(kind: &str, operations: u64, ok: u64, fail: u64, unknown: u64) -> KindFact {
    KindFact { kind: kind.to_string(), consistency: "one".to_string(), operations, ok, fail, unknown }
}

fn latency(kind: &str, phase: Option<&str>, count: u64, percentiles: [u64; 5]) -> LatencyFact {
    let [p50_micros, p90_micros, p99_micros, p999_micros, max_micros] = percentiles;
    let (kind, phase) = (kind.to_string(), phase.map(str::to_string));
    LatencyFact { kind, phase, count, p50_micros, p90_micros, p99_micros, p999_micros, max_micros }
}

/// 200 operations a second, of which some fail under the partition and most while n3 is down; second 29 answers nothing.
fn bucket(second: u64) -> BucketFact {
    let (fail, unknown) = match second {
        10..25 => (20 + second % 5 * 3, 4 + second % 3),
        28 => (30, 60),
        29 => (0, 200),
        38..41 => (15, 9),
        _ => (0, 0),
    };
    let ok = 200 - fail - unknown;
    let p99_micros = (ok > 0).then(|| 5_000 + second % 7 * 900 + fail * 700 + unknown * 2_000);
    let p50_micros = p99_micros.map(|micros| micros / 4);
    BucketFact { at_micros: second * SECOND, ok, fail, unknown, p50_micros, p99_micros }
}

/// A run that ended before anything began.
pub(crate) fn empty_run() -> RunFacts {
    RunFacts {
        verdict: Verdict::Vacuous,
        failure: Some("the data directory of n1 could not be made: no space left on the disk".to_string()),
        expectations: Vec::new(),
        phases: Vec::new(),
        faults: Vec::new(),
        anomalies: Vec::new(),
        kinds: Vec::new(),
        latencies: Vec::new(),
        throughput: Vec::new(),
        counters: Vec::new(),
        virtual_micros: 0,
        wall_micros: 0,
        speed_ratio: speed_ratio(0, 0),
        ..stormy_run()
    }
}

/// A run whose facts are long, many, huge and full of characters that mean something to a terminal, to Markdown or to XML.
pub(crate) fn hostile_run() -> RunFacts {
    let nasty = "a <b> & \"c\" | `d` \u{1b}[31m\u{0}\nnext *line* ]]> ".repeat(6);
    let mut facts = stormy_run();
    for text in [&mut facts.scenario, &mut facts.about, &mut facts.file, &mut facts.cluster] {
        text.push_str(&nasty);
    }
    facts.failure = Some(nasty.clone());
    for expectation in &mut facts.expectations {
        expectation.name.push_str(&"_and_one_that_has_no_end".repeat(5));
        expectation.observed = nasty.clone();
        expectation.note = nasty.clone();
        expectation.examined = u64::MAX;
    }
    facts.faults =
        (0..40).map(|index| fault(&nasty, &format!("n{index}"), index, Some(index + 1), u64::MAX / 64)).collect();
    for (index, anomaly) in facts.anomalies.iter_mut().enumerate() {
        anomaly.kind = format!("{index} {nasty}");
    }
    for phase in &mut facts.phases {
        phase.name = nasty.clone();
    }
    for latency in &mut facts.latencies {
        (latency.kind, latency.max_micros) = (nasty.clone(), u64::MAX);
    }
    facts.counters.push(CounterFact { name: nasty, value: u64::MAX });
    facts.throughput = (0..5_000).map(|index| BucketFact { at_micros: index * 12_000, ..bucket(index % 60) }).collect();
    facts.bucket_micros = 12_000;
    facts
}

/// Six operations of the stormy run with what their coordinator told, and some messages.
pub(crate) fn stormy_detail() -> RunDetail {
    let operation =
        |id: u64, session: u64, node: &str, kind: &str, effect: Result<&str, OutcomeFact>, at: u64, lasts| {
            let (written, outcome) = match effect {
                Ok(written) => (Some(written.to_string()), OutcomeFact::Ok { value: None }),
                Err(outcome) => (None, outcome),
            };
            OperationFact {
                id,
                session,
                coordinator: node.to_string(),
                key: "k07".to_string(),
                kind: kind.to_string(),
                consistency: "one".to_string(),
                written,
                outcome,
                invoked_micros: at,
                completed_micros: lasts,
                report: Some(consistency(id)),
            }
        };
    let seen = |value: &str| Err(OutcomeFact::Ok { value: Some(value.to_string()) });
    let late = || Err(OutcomeFact::Unknown { reason: "no answer from n1 in time".to_string() });
    let refused = || Err(OutcomeFact::Fail { reason: "0 of 1 replicas stored it".to_string() });
    let mut operations = vec![
        operation(0, 4, "n3", "write", Ok("v140"), 9 * SECOND, Some(9 * SECOND + 2_000)),
        operation(1, 2, "n1", "read", seen("v100"), 10 * SECOND, Some(10 * SECOND + 1_500)),
        operation(2, 4, "n3", "write", Ok("v141"), 10 * SECOND + 5, Some(10 * SECOND + 3_000)),
        operation(3, 2, "n1", "read", seen("v101"), 10 * SECOND + 311_007, Some(10 * SECOND + 312_000)),
        operation(4, 2, "n1", "delete", late(), 12 * SECOND, Some(13 * SECOND)),
        operation(5, 5, "n1", "delete", refused(), 14 * SECOND, Some(14 * SECOND + 100)),
    ];
    operations[4].report = None;
    let message = |from: &str, to: &str, sent_micros, ended_micros, lost: Option<&str>| MessageFact {
        from: from.to_string(),
        to: to.to_string(),
        what: "replica get".to_string(),
        sent_micros,
        ended_micros,
        lost: lost.map(str::to_string),
    };
    let shown = vec![
        message("n1", "n2", 10 * SECOND, Some(10 * SECOND + 900), None),
        message("n1", "n3", 10 * SECOND, Some(10 * SECOND), Some("met a partition")),
        message("n2", "n1", 10 * SECOND + 950, None, None),
    ];
    RunDetail {
        nodes: ["n1", "n2", "n3", "n4", "n5"].map(str::to_string).to_vec(),
        operations,
        messages: MessagesFact { shown, total: 148_204, chosen: "those around the first anomalies".to_string() },
    }
}

fn consistency(id: u64) -> ConsistencyFact {
    let answer = |node: &str, said: &str, version: Option<&str>, after_micros, repaired| AnswerFact {
        node: node.to_string(),
        said: said.to_string(),
        version: version.map(str::to_string),
        after_micros,
        repaired,
    };
    ConsistencyFact {
        required: 1,
        took_micros: 1_200 + id,
        answers: vec![
            answer("n1", "holds", Some("1790000000.000100+0@n2"), Some(1_200), false),
            answer("n2", "has none", None, Some(1_900), true),
            answer("n3", "nothing by then", None, None, false),
        ],
    }
}

/// The hostile run's detail: the same characters where a page shows words, and more of everything than it draws.
pub(crate) fn hostile_detail() -> RunDetail {
    let nasty = "</script><script>alert(1)</script><!-- <b> \" ' & \u{1b}[31m\u{0}".to_string();
    let mut detail = stormy_detail();
    for operation in &mut detail.operations {
        operation.key.push_str(&nasty);
        operation.coordinator.push_str(&nasty);
        operation.outcome = OutcomeFact::Unknown { reason: nasty.clone() };
        for answer in operation.report.iter_mut().flat_map(|report| &mut report.answers) {
            answer.said.push_str(&nasty);
        }
    }
    let operations = detail.operations.clone();
    detail.operations = (0..30_000)
        .map(|id| {
            let mut operation = operations[id as usize % operations.len()].clone();
            (operation.id, operation.session, operation.invoked_micros) = (id, id, id * 2_000);
            operation.completed_micros = Some(id * 2_000 + 1_000_000);
            operation
        })
        .collect();
    detail.nodes.push(nasty.clone());
    detail.messages.shown[1].lost = Some(nasty.clone());
    detail.messages.chosen = nasty;
    detail
}

/// A campaign of twelve runs of two scenarios, with failures of two causes.
pub(crate) fn small_campaign() -> CampaignFacts {
    let run = |number: u64| {
        let (verdict, signature) = match number {
            3 | 7 => ("fails", "lost_writes: lost write"),
            9 => ("undecided", ""),
            _ => ("holds", ""),
        };
        ResultLine {
            scenario: format!("scenarios/{}.yaml", if number.is_multiple_of(2) { "calm" } else { "stormy" }),
            seed: number,
            verdict: verdict.to_string(),
            trace: format!("{number:016x}"),
            signature: signature.to_string(),
            unmet: if verdict == "holds" { Vec::new() } else { vec![format!("lost_writes {number} instead of 0 <b>")] },
            wall_micros: 0,
            cpu_micros: 40_000 + number * 1_000,
            coverage: 100 + 10 * number.min(8),
        }
    };
    CampaignFacts { source: "out/results.jsonl".to_string(), runs: (0..12).map(run).collect(), torn: true }
}

/// A CAP report of eight cells of twenty runs: N = 3, one and quorum, without faults and with the minority cut off.
pub(crate) fn small_cap() -> CapFacts {
    let mut cells = Vec::new();
    for fault in ["none", "minority-cut-off"] {
        for (read, read_replicas) in [("one", 1), ("quorum", 2)] {
            for (write, write_replicas) in [("one", 1), ("quorum", 2)] {
                cells.push(cap_cell(fault, (read, read_replicas), (write, write_replicas)));
            }
        }
    }
    let fault = |key: &str, title: &str, under: &str, struck: &str, others: &str| CapFault {
        key: key.to_string(),
        title: title.to_string(),
        under: under.to_string(),
        struck: struck.to_string(),
        others: others.to_string(),
        about: format!("What {title} does."),
    };
    CapFacts {
        seed: 1,
        duration_micros: 10 * SECOND,
        fault_from_micros: 2_500_000,
        fault_until_micros: 7_500_000,
        setting: "Three nodes & <some> clients.".to_string(),
        command: "storm report cap --runs 20".to_string(),
        faults: vec![
            fault("none", "no fault", "Without faults", "", ""),
            fault(
                "minority-cut-off",
                "minority cut off",
                "With the minority cut off",
                "on the minority side",
                "on the majority side",
            ),
        ],
        cells,
    }
}

fn cap_cell(fault: &str, (read, read_replicas): (&str, u64), (write, write_replicas): (&str, u64)) -> CapCell {
    let meet = read_replicas + write_replicas > 3;
    let cut_off = fault != "none";
    let run = |seed: u64| {
        let side = |level: u64| {
            let minority = if cut_off && level > 1 { (0, 80) } else { (80, 80) };
            vec![minority, (85 + seed % 3, 85 + seed % 3), (90, 90)]
        };
        let stale = if meet { 0 } else { (seed % 4) * if cut_off { 30 } else { 1 } };
        let mut by_age = vec![0; AGE_CLASSES];
        by_age[if cut_off { 7 } else { 1 }] = stale;
        CapRun {
            seed,
            trace: format!("{seed:016x}"),
            reads: side(read_replicas),
            writes: side(write_replicas),
            examined: 250,
            stale,
            examined_whole: 500,
            stale_whole: stale,
            stale_age_p50_micros: (stale > 0).then_some(400_000 + seed * 1_000),
            stale_age_max_micros: (stale > 0).then_some(2_000_000 + seed),
            kept: 8,
            lost: 0,
            read_micros: Some((900 * read_replicas + seed, 9_000 * read_replicas + seed)),
            write_micros: Some((1_100 * write_replicas + seed, 12_000 * write_replicas + seed)),
            reads_by_age: [25; AGE_CLASSES].iter().zip(&by_age).map(|(reads, stale)| (*reads).max(*stale)).collect(),
            stale_by_age: by_age,
            unsettled: None,
        }
    };
    let key = format!("n3-{read}-{write}-{fault}");
    CapCell {
        replay: format!("storm run out/cap/scenarios/{key}.yaml --seed 7"),
        key,
        nodes: 3,
        read: read.to_string(),
        write: write.to_string(),
        read_replicas,
        write_replicas,
        fault: fault.to_string(),
        struck: if cut_off { vec![0] } else { Vec::new() },
        theory: vec![TheoryFact {
            claim: "the cluster comes to rest".to_string(),
            seen: "0 of 20 runs did not".to_string(),
            // One cell is made to contradict theory, so that a page of that can be seen.
            holds: !(cut_off && read == "quorum" && write == "one"),
        }],
        runs: (0..20).map(run).collect(),
    }
}
