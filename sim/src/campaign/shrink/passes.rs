//! What is left out, in which order: first what makes a run long, then what makes it noisy, then operation by operation.
//!
//! ```text
//!   faults ▸ duration ▸ rate ▸ network ▸ disk ▸ clocks ▸ knobs ▸ nodes ▸ clients ▸ keys ▸ operations ▸ lengths ▸ times
//!   ╰──────────────────────── again, until a whole round leaves nothing out ──────────────────────────────────────╯
//! ```
//!
//! A short run is a cheap one, and a quiet one stays the same run when something else goes: so later passes need fewer
//! runs and fewer other seeds. Operations come last because only then there are few enough to be listed.

use super::concrete::{concrete, is_concrete};
use super::edit::{first_micros, moments, rounded, sooner, with_clients, with_duration, with_listed, with_nodes};
use super::listed::{with_dense_keys, with_fewer_clients};
use super::search::Search;
use crate::scenario::{ClusterPlan, KeyDistribution, Latency, PerKind, Plan, Survival, TimeRange, with_operations};
use cluster::world::NodeId;

/// A pass: its name, and what it does.
pub(super) type Pass = (&'static str, fn(&mut Search<'_>));

/// Every pass, in order.
pub(super) const PASSES: [Pass; 13] = [
    ("faults", faults),
    ("duration", duration),
    ("rate", rate),
    ("network", network),
    ("disk", disk),
    ("clocks", clocks),
    ("knobs", knobs),
    ("nodes", nodes),
    ("clients", clients),
    ("keys", keys),
    ("operations", operations),
    ("lengths", lengths),
    ("times", times),
];

/// Other seeds that are tried where a change moves everything that is drawn.
const SEEDS_MANY: u64 = 6;
/// Other seeds that are tried where it moves little.
const SEEDS_FEW: u64 = 2;
/// So many operations can be listed: a scenario file has room for no more.
const LISTED_MAX: usize = 700;
/// What is left of a time or a rate, the least first, in parts of 16.
const SIXTEENTHS: [u64; 5] = [1, 2, 4, 8, 12];

fn faults(search: &mut Search<'_>) {
    if !is_concrete(search.plan()) {
        let concrete = concrete(search.plan());
        search.one_of(&[concrete], SEEDS_MANY);
    }
    search.minimize(search.plan().faults.len(), SEEDS_FEW, &|base, kept| {
        let faults = kept.iter().map(|place| base.faults[*place].clone()).collect();
        Some(Plan { faults, ..base.clone() })
    });
}

/// Calls `smaller` until it finds nothing more.
fn again_and_again(search: &mut Search<'_>, smaller: impl Fn(&mut Search<'_>) -> bool) {
    while !search.is_spent() && smaller(search) {}
}

fn duration(search: &mut Search<'_>) {
    again_and_again(search, |search| {
        let plan = search.plan();
        // In whole milliseconds, and never nothing.
        let shorter = SIXTEENTHS.map(|part| (plan.workload.duration_micros * part / 16).next_multiple_of(1_000));
        let candidates: Vec<Plan> = shorter
            .into_iter()
            .filter(|micros| *micros < plan.workload.duration_micros)
            .filter_map(|micros| with_duration(plan, micros))
            .collect();
        search.one_of(&candidates, SEEDS_MANY).is_some()
    });
    let waits = first_micros(search.plan());
    let plan = search.plan();
    let candidates: Vec<Plan> = [waits, waits * 3 / 4, waits / 2]
        .into_iter()
        .filter(|micros| *micros > 1_000)
        .map(|micros| sooner(plan, micros - micros % 1_000))
        .collect();
    search.one_of(&candidates, SEEDS_FEW);
}

fn rate(search: &mut Search<'_>) {
    if !search.plan().workload.operations.is_empty() {
        return;
    }
    again_and_again(search, |search| {
        let plan = search.plan();
        let present = plan.workload.operations_per_second;
        let candidates: Vec<Plan> = SIXTEENTHS
            .into_iter()
            .map(|part| (present * part / 16).max(1))
            .filter(|rate| *rate < present)
            .map(|rate| {
                let mut plan = plan.clone();
                plan.workload.operations_per_second = rate;
                plan
            })
            .collect();
        search.one_of(&candidates, SEEDS_MANY).is_some()
    });
}

fn steady(latency: &mut Latency) {
    latency.p99_micros = latency.median_micros;
}

fn network(search: &mut Search<'_>) {
    let calm = |plan: &mut Plan| {
        plan.network.loss_ppm = 0;
        plan.network.duplicate_ppm = 0;
        plan.network.links.clear();
        steady(&mut plan.network.latency);
    };
    if search.change(SEEDS_FEW, &calm) {
        return;
    }
    search.change(SEEDS_FEW, &|plan| plan.network.loss_ppm = 0);
    search.change(SEEDS_FEW, &|plan| plan.network.duplicate_ppm = 0);
    search.change(SEEDS_FEW, &|plan| steady(&mut plan.network.latency));
    search.minimize(search.plan().network.links.len(), SEEDS_FEW, &|base, kept| {
        let mut plan = base.clone();
        plan.network.links = kept.iter().map(|place| base.network.links[*place].clone()).collect();
        Some(plan)
    });
}

fn disk(search: &mut Search<'_>) {
    search.change(SEEDS_FEW, &|plan| plan.disk.nodes.clear());
    search.change(SEEDS_FEW, &|plan| steady(&mut plan.disk.latency));
    search.change(SEEDS_FEW, &|plan| plan.disk.survival = Survival::Nothing);
}

fn clocks(search: &mut Search<'_>) {
    search.minimize(search.plan().clocks.len(), SEEDS_FEW, &|base, kept| {
        let clocks = kept.iter().map(|place| base.clocks[*place]).collect();
        Some(Plan { clocks, ..base.clone() })
    });
}

/// A scenario that says nothing has every knob at its default.
fn defaults() -> Plan {
    let text = "name: defaults\nabout: defaults\nexpect: { linearizable: true }\n";
    crate::scenario::parse("defaults", text).expect("what is required is there")
}

fn knobs(search: &mut Search<'_>) {
    let defaults = defaults();
    let all = |plan: &mut Plan| {
        let ClusterPlan { node_count, replication, .. } = plan.cluster;
        plan.cluster = ClusterPlan { node_count, replication, ..defaults.cluster.clone() };
        plan.workload.client_timeout_micros = defaults.workload.client_timeout_micros;
        plan.workload.consistency = defaults.workload.consistency;
    };
    search.change(SEEDS_FEW, &all);
    let (cluster, workload) = (&defaults.cluster, &defaults.workload);
    search.change(SEEDS_FEW, &|plan| plan.cluster.durability = cluster.durability);
    search.change(SEEDS_FEW, &|plan| plan.cluster.partition_count = cluster.partition_count);
    search.change(SEEDS_FEW, &|plan| plan.cluster.memtable_bytes = cluster.memtable_bytes);
    search.change(SEEDS_FEW, &|plan| plan.cluster.wal_segment_bytes = cluster.wal_segment_bytes);
    search.change(SEEDS_FEW, &|plan| plan.cluster.max_clock_offset_micros = cluster.max_clock_offset_micros);
    search.change(SEEDS_FEW, &|plan| plan.cluster.coordinator_timeout_micros = cluster.coordinator_timeout_micros);
    search.change(SEEDS_FEW, &|plan| plan.workload.client_timeout_micros = workload.client_timeout_micros);
    search.change(SEEDS_FEW, &|plan| plan.workload.consistency.read = workload.consistency.read);
    search.change(SEEDS_FEW, &|plan| plan.workload.consistency.write = workload.consistency.write);
    search.change(SEEDS_FEW, &|plan| plan.workload.consistency.delete = plan.workload.consistency.write);
    if search.plan().workload.operations.is_empty() {
        search.change(SEEDS_FEW, &|plan| plan.workload.coordinators = workload.coordinators);
        search.change(SEEDS_FEW, &|plan| plan.workload.distribution = KeyDistribution::Uniform);
        search.change(SEEDS_FEW, &|plan| plan.workload.value_bytes_most = plan.workload.value_bytes_least);
        search.change(SEEDS_FEW, &|plan| plan.workload.mix = PerKind { delete: 0, ..plan.workload.mix });
    }
}

fn nodes(search: &mut Search<'_>) {
    let plan = search.plan();
    let all: Vec<NodeId> = plan.cluster.nodes().collect();
    let candidates: Vec<Plan> = (1..all.len()).map(|count| with_nodes(plan, &all[..count])).collect();
    search.one_of(&candidates, SEEDS_MANY);
    again_and_again(search, |search| {
        let plan = search.plan();
        let without = |gone| plan.cluster.nodes().filter(move |node| *node != gone).collect::<Vec<_>>();
        let candidates: Vec<Plan> = match plan.cluster.node_count {
            1 => Vec::new(),
            _ => plan.cluster.nodes().map(|gone| with_nodes(plan, &without(gone))).collect(),
        };
        search.one_of(&candidates, SEEDS_FEW).is_some()
    });
    search.change(SEEDS_FEW, &|plan| plan.cluster.replication = 1);
}

fn clients(search: &mut Search<'_>) {
    let plan = search.plan();
    let workload = &plan.workload;
    let candidates: Vec<Plan> = if workload.operations.is_empty() {
        let fewer = [1, 2, 3, 4, workload.client_count / 2];
        let fewer = fewer.into_iter().filter(|count| (1..workload.client_count).contains(count));
        fewer.map(|count| with_clients(plan, count)).collect()
    } else {
        let merged = [true, false].map(|merged| {
            let operations = with_fewer_clients(&workload.operations, plan.cluster.node_count, merged);
            let clients = operations.iter().map(|operation| operation.client + 1).max().unwrap_or(1);
            with_clients(&with_operations(plan, operations), clients)
        });
        merged.into_iter().filter(|candidate| candidate != plan).collect()
    };
    search.one_of(&candidates, SEEDS_FEW);
}

fn keys(search: &mut Search<'_>) {
    let plan = search.plan();
    let workload = &plan.workload;
    let with_count = |plan: &Plan, count| {
        let mut plan = plan.clone();
        plan.workload.key_count = count;
        plan
    };
    let candidates: Vec<Plan> = if workload.operations.is_empty() {
        let fewer = [1, 2, 4, workload.key_count / 2];
        let fewer = fewer.into_iter().filter(|count| (1..workload.key_count).contains(count));
        fewer.map(|count| with_count(plan, count)).collect()
    } else {
        let highest = workload.operations.iter().map(|operation| operation.key + 1).max().unwrap_or(1);
        let (operations, count) = with_dense_keys(&workload.operations);
        let renamed = with_count(&with_operations(plan, operations), count);
        // Other names lie elsewhere on the ring: where that matters, only keys above those in use can go.
        let kept = with_count(plan, highest);
        [renamed, kept].into_iter().filter(|candidate| candidate != plan).collect()
    };
    search.one_of(&candidates, SEEDS_FEW);
}

fn operations(search: &mut Search<'_>) {
    let sent = search.operations().to_vec();
    if search.plan().workload.operations.is_empty() {
        if sent.is_empty() || sent.len() > LISTED_MAX {
            return;
        }
        let listed = with_operations(search.plan(), sent);
        if search.one_of(&[listed], SEEDS_MANY).is_none() {
            return;
        }
    }
    let count = search.plan().workload.operations.len();
    search.minimize(count, 1, &|base, kept| {
        with_listed(base, kept.iter().map(|place| base.workload.operations[*place]).collect())
    });
    search.change(1, &|plan| {
        plan.workload.operations.iter_mut().for_each(|operation| operation.value_bytes = operation.value_bytes.min(16));
    });
}

/// Faults that last no longer than they must.
fn lengths(search: &mut Search<'_>) {
    for place in 0..search.plan().faults.len() {
        again_and_again(search, |search| {
            let plan = search.plan();
            let shorter = |part: u64| {
                let mut plan = plan.clone();
                let fault = &mut plan.faults[place];
                let shorten = |range: &mut TimeRange| {
                    *range = TimeRange::fixed((range.least_micros * part / 16).max(1_000).min(range.least_micros));
                };
                fault.lasts.iter_mut().for_each(shorten);
                fault.action.down_mut().into_iter().for_each(shorten);
                plan
            };
            let candidates: Vec<Plan> = SIXTEENTHS.map(shorter).into_iter().filter(|other| other != plan).collect();
            search.one_of(&candidates, 1).is_some()
        });
    }
}

/// Round numbers, as round as they can be while what happened at different moments still does.
fn times(search: &mut Search<'_>) {
    let plan = search.plan();
    let candidates: Vec<Plan> = [1_000_000, 100_000, 10_000, 1_000]
        .map(|unit| rounded(plan, unit))
        .into_iter()
        .filter(|candidate| candidate != plan && moments(candidate) == moments(plan))
        .collect();
    search.one_of(&candidates, 1);
}
