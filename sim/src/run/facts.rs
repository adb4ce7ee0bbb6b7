//! From a run to what its report shows: counting and sorting, no judgement. Everything here is in the report's own words, so
//! that the reports crate needs to know nothing of the laboratory.

use std::time::Duration;

use reports::RunFacts;
use reports::facts::{AnomalyFact, BucketFact, CounterFact, FaultFact, KindFact, LatencyFact, PhaseFact, speed_ratio};

use super::judge::Judged;
use super::{Observed, micros, whole};
use crate::check::{Phase, latency};
use crate::history::{History, Operation, OperationKind, Outcome};
use crate::scenario::Plan;
use crate::world::Sealed;

/// Buckets of the throughput chart.
const BUCKETS: u64 = 120;

pub(super) fn facts(
    plan: &Plan,
    seed: u64,
    sealed: &Sealed<Observed>,
    phases: &[Phase],
    judged: Judged,
    wall: Duration,
) -> RunFacts {
    let observed = &sealed.value;
    let duration = plan.workload.duration_micros;
    let (bucket_micros, throughput) = throughput(&observed.history, duration);
    RunFacts {
        scenario: plan.name.clone(),
        about: plan.about.clone(),
        file: plan.file.clone(),
        seed,
        cluster: format!(
            "{} nodes, replication {}, {} partitions, {} clients, {} keys",
            plan.cluster.node_count,
            plan.cluster.replication,
            plan.cluster.partition_count,
            plan.workload.client_count,
            plan.workload.key_count
        ),
        verdict: judged.verdict,
        failure: judged.failure,
        trace: sealed.trace.to_string(),
        expectations: judged.expectations,
        phases: phases.iter().map(|phase| phase_fact(&observed.history, phase)).collect(),
        faults: observed
            .injected
            .iter()
            .map(|fault| FaultFact {
                name: fault.name.clone(),
                targets: fault.targets.clone(),
                at_micros: fault.at_micros,
                until_micros: fault.until_micros,
                met: fault.met,
            })
            .collect(),
        anomalies: judged
            .anomalies
            .into_iter()
            .map(|anomaly| AnomalyFact {
                at_micros: anomaly.at_micros,
                kind: anomaly.kind.to_string(),
                sentence: anomaly.explanation,
                operations: anomaly.operations.iter().map(|id| u64::from(*id)).collect(),
            })
            .collect(),
        kinds: kinds(plan, &observed.history),
        latencies: latencies(plan, &observed.history, phases),
        bucket_micros,
        throughput,
        counters: counters(sealed),
        virtual_micros: duration,
        wall_micros: micros(wall),
        speed_ratio: speed_ratio(duration, micros(wall)),
    }
}

/// How many operations ended ok, fail, unknown.
fn tally<'h>(operations: impl Iterator<Item = &'h Operation>) -> (u64, u64, u64) {
    let (mut ok, mut fail, mut unknown) = (0, 0, 0);
    for operation in operations {
        match operation.outcome {
            Outcome::Ok { .. } => ok += 1,
            Outcome::Fail { .. } => fail += 1,
            Outcome::Unknown { .. } => unknown += 1,
        }
    }
    (ok, fail, unknown)
}

fn phase_fact(history: &History, phase: &Phase) -> PhaseFact {
    let (ok, fail, unknown) =
        tally(history.operations.iter().filter(|operation| phase.contains(operation.invoked_micros)));
    PhaseFact {
        name: phase.name.clone(),
        from_micros: phase.from_micros,
        until_micros: phase.until_micros,
        operations: ok + fail + unknown,
        ok,
        fail,
        unknown,
    }
}

fn kinds(plan: &Plan, history: &History) -> Vec<KindFact> {
    let sent = OperationKind::ALL.into_iter().filter(|kind| plan.workload.mix.of(*kind) > 0);
    sent.map(|kind| {
        let (ok, fail, unknown) = tally(history.operations.iter().filter(|operation| operation.kind == kind));
        let consistency = plan.workload.consistency.of(kind).to_string();
        KindFact { kind: kind.to_string(), consistency, operations: ok + fail + unknown, ok, fail, unknown }
    })
    .collect()
}

fn latencies(plan: &Plan, history: &History, phases: &[Phase]) -> Vec<LatencyFact> {
    let measured = latency::measure(history, phases);
    let mut facts = Vec::new();
    let mut add = |phase: Option<&Phase>, by_kind: &latency::ByKind| {
        for (kind, percentiles) in by_kind {
            facts.push(LatencyFact {
                kind: kind.to_string(),
                phase: phase.map(|phase| phase.name.clone()),
                count: percentiles.count,
                p50_micros: percentiles.micros_p50,
                p90_micros: percentiles.micros_p90,
                p99_micros: percentiles.micros_p99,
                p999_micros: percentiles.micros_p999,
                max_micros: percentiles.micros_max,
            });
        }
    };
    add(None, &measured.overall);
    if phases != [Phase { name: phases[0].name.clone(), ..whole(plan) }] {
        for by_phase in &measured.by_phase {
            add(Some(&by_phase.phase), &by_phase.by_kind);
        }
    }
    facts
}

fn throughput(history: &History, duration_micros: u64) -> (u64, Vec<BucketFact>) {
    let width = duration_micros.div_ceil(BUCKETS).max(1);
    let mut ended: Vec<Vec<&Operation>> = vec![Vec::new(); duration_micros.div_ceil(width) as usize];
    for operation in &history.operations {
        let at = operation.completed_micros.map(|micros| (micros / width) as usize);
        if let Some(bucket) = at.and_then(|at| ended.get_mut(at)) {
            bucket.push(operation);
        }
    }
    let buckets = (0..).zip(ended).map(|(place, operations)| {
        let (ok, fail, unknown) = tally(operations.iter().copied());
        let mut took: Vec<u64> = operations
            .iter()
            .filter(|operation| operation.outcome.is_ok())
            .filter_map(|operation| Some(operation.completed_micros? - operation.invoked_micros))
            .collect();
        took.sort_unstable();
        let at = |percent: usize| took.get((took.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        BucketFact { at_micros: place * width, ok, fail, unknown, p50_micros: at(50), p99_micros: at(99) }
    });
    (width, buckets.collect())
}

fn counters(sealed: &Sealed<Observed>) -> Vec<CounterFact> {
    let counted = &sealed.value.counters;
    let world = [
        ("events in the trace", sealed.events),
        ("messages sent", counted.messages_sent),
        ("messages delivered", counted.messages_delivered),
        ("messages duplicated", counted.messages_duplicated),
        ("messages lost by links", counted.dropped_loss),
        ("messages lost by partitions", counted.dropped_partition),
        ("messages lost by crashes", counted.dropped_down + counted.dropped_reset),
        ("messages lost by rules", counted.dropped_rule),
        ("messages damaged", counted.dropped_corrupt),
        ("disk reads", counted.disk.reads),
        ("disk appends", counted.disk.appends),
        ("disk bytes appended", counted.disk.bytes_appended),
        ("disk syncs", counted.disk.syncs),
        ("disk calls failed or spoilt", counted.disk.faults_injected),
        ("process starts", counted.starts),
        ("kills", counted.kills),
        ("power losses", counted.power_losses),
        ("sectors lost at power losses", counted.sectors_lost),
        ("sectors torn at power losses", counted.sectors_torn),
        ("names lost at power losses", counted.names_lost),
        ("recoveries with a torn tail", sealed.value.recoveries.torn_tails),
        ("recoveries interrupted", sealed.value.recoveries.interrupted),
    ];
    let nodes = sealed.value.node_counters.iter().copied();
    let named = |(name, value): (&str, u64)| CounterFact { name: name.replace('_', " "), value };
    world.into_iter().map(named).chain(nodes.map(named)).collect()
}
