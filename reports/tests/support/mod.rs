//! Runs to report on: one like the standard scenario's, one where nothing happened, one with too much of everything.

use reports::RunFacts;
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
    BucketFact { at_micros: second * SECOND, ok, fail, unknown, p99_micros }
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
