//! One run: a plan and a seed in, facts and a history out.
//!
//! ```text
//!   inside the sealed world                                             outside
//!   nodes start ─▶ workload + faults ─▶ all heals ─▶ final reads ─▶ rows │ judge (checks) ─▶ facts (report)
//!                  └── safety ───────┘ └─────── liveness ─────────────┘ │
//! ```
//!
//! What happens inside is a function of plan and seed alone. Judging happens afterwards, on plain values.

mod budget;
mod detail;
mod facts;
mod inject;
mod judge;
mod links;
mod nodes;
mod panics;
mod phases;
mod sessions;
mod settle;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cluster::world::NodeId;
use reports::{RunDetail, RunFacts};

use self::detail::Reports;
pub use self::detail::{Choice, MESSAGES_DRAWN_MAX};
use self::panics::PanicSlot;
use crate::check::Phase;
use crate::check::convergence::KeyAtRest;
use crate::check::lost_writes::FinalValues;
use crate::check::soundness::NodeAtRest;
use crate::history::History;
use crate::scenario::{Damage, Plan, Recoveries, ScheduledFault, schedule};
use crate::world::{
    Counters, Laboratory, MessageLog, Recording, Sealed, TraceHash, laboratory_rng, run_sealed_recording,
    thread_cpu_micros,
};

/// How far the virtual clock of a run has come, for whoever shows progress.
pub type Progress = Arc<AtomicU64>;

/// A finished run.
#[derive(Debug, Clone)]
pub struct Run {
    /// What a report shows.
    pub facts: RunFacts,
    /// What the clients saw.
    pub history: History,
    /// The hash of everything that happened.
    pub trace: TraceHash,
    /// The last events as text, when they were asked for.
    pub trace_tail: Vec<String>,
    /// Processor time of the run and of its judgement. Not a fact of the seed.
    pub cpu_micros: u64,
}

/// One fault that was injected, and what it met.
#[derive(Debug, Clone)]
struct Injected {
    /// Its place in `plan.faults`.
    fault: usize,
    name: String,
    targets: String,
    at_micros: u64,
    until_micros: Option<u64>,
    met: u64,
    /// Whose copies of the data it has damaged.
    damaged: BTreeMap<NodeId, Damage>,
}

/// What a node refuses at the end, with its own error: to start, or to read a key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    node: NodeId,
    reason: String,
}

/// What the laboratory saw, before anything is judged. Times count from the workload's start.
#[derive(Debug, Clone, Default)]
struct Observed {
    history: History,
    injected: Vec<Injected>,
    at_rest: BTreeMap<String, KeyAtRest>,
    /// When the final reads were done.
    settled_micros: u64,
    /// Why the cluster did not come to rest; empty when it did.
    unsettled: Vec<String>,
    /// What single nodes refuse, each with its error.
    refusals: Vec<Refusal>,
    counters: Counters,
    /// Counters of the nodes themselves, summed.
    node_counters: Vec<(&'static str, u64)>,
    recoveries: Recoveries,
    /// The disks when everything was at rest.
    disks: Vec<NodeAtRest>,
    /// Empty unless they were to be kept; times count from the run's beginning.
    messages: MessageLog,
    /// When the workload started, since the run began.
    zero_micros: u64,
}

/// Runs `plan` with `seed` in a world of its own.
pub fn run(plan: &Plan, seed: u64) -> Run {
    run_watched(plan, seed, &Progress::default(), 0)
}

/// Like [`run`]; moves `progress` (virtual microseconds of the workload) along, and keeps the last `trace_tail` events.
pub fn run_watched(plan: &Plan, seed: u64, progress: &Progress, trace_tail: usize) -> Run {
    run_recording(plan, seed, progress, Recording::last(trace_tail))
}

/// Like [`run`]; moves `progress` along, and records events.
pub fn run_recording(plan: &Plan, seed: u64, progress: &Progress, recording: Recording) -> Run {
    let watch = StopWatch::start();
    judged(plan, seed, watch, sealed(plan, seed, progress, recording, None))
}

/// Like [`run_recording`]; also returns what a page shows of every operation, and of the messages that `choice` picks.
pub fn run_in_detail(
    plan: &Plan,
    seed: u64,
    progress: &Progress,
    recording: Recording,
    choice: Choice,
) -> (Run, RunDetail) {
    let (watch, reports) = (StopWatch::start(), Reports::default());
    let mut sealed = sealed(plan, seed, progress, recording, Some(reports.clone()));
    let messages = std::mem::take(&mut sealed.value.messages);
    let zero = sealed.value.zero_micros;
    let run = judged(plan, seed, watch, sealed);
    let detail = detail::detail(plan, &run, &reports, &messages, zero, choice);
    (run, detail)
}

/// What a run shows to whoever judges it by measures of their own.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What the clients saw.
    pub history: History,
    /// What each key held in the end, where a final read said so.
    pub final_values: FinalValues,
    /// When the final reads were done.
    pub settled_micros: u64,
    /// Why the cluster did not come to rest, and what nodes refuse in the end; empty when all is well.
    pub unsettled: Vec<String>,
    /// The hash of everything that happened.
    pub trace: TraceHash,
}

/// Runs `plan` with `seed` in a world of its own, and judges nothing.
pub fn run_unjudged(plan: &Plan, seed: u64) -> Seen {
    let sealed = sealed(plan, seed, &Progress::default(), Recording::last(0), None);
    let final_values = judge::final_values(&sealed.value);
    let Observed { history, settled_micros, mut unsettled, refusals, .. } = sealed.value;
    unsettled.extend(refusals.into_iter().map(|refusal| format!("{} refuses: {}", refusal.node, refusal.reason)));
    Seen { history, final_values, settled_micros, unsettled, trace: sealed.trace }
}

/// The inside of a run. With `reports`, coordinators' reports go there, and messages are kept.
fn sealed(
    plan: &Plan,
    seed: u64,
    progress: &Progress,
    recording: Recording,
    reports: Option<Reports>,
) -> Sealed<Observed> {
    let (inside, watched) = (plan.clone(), progress.clone());
    let panic_slot = PanicSlot::default();
    let slot = panic_slot.clone();
    let run = move || {
        run_sealed_recording(recording, seed, move |laboratory| {
            slot.watch();
            observe(laboratory, inside, watched, reports)
        })
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(sealed) => sealed,
        // A panic of the code under test is a finding like any other, and must not end a campaign.
        Err(panic) => Sealed::of(Observed { unsettled: vec![panic_slot.told(&*panic)], ..Observed::default() }),
    }
}

/// When a run began, for whoever asks how long it took outside.
struct StopWatch {
    started: Instant,
    cpu_micros_before: u64,
}

impl StopWatch {
    fn start() -> Self {
        Self { started: Instant::now(), cpu_micros_before: thread_cpu_micros() }
    }
}

fn judged(plan: &Plan, seed: u64, watch: StopWatch, sealed: Sealed<Observed>) -> Run {
    let phases = phases::of(plan, &sealed.value.injected);
    let judged = judge::judge(plan, &sealed.value);
    let wall = watch.started.elapsed();
    let facts = facts::facts(plan, seed, &sealed, &phases, judged, wall);
    let cpu_micros = sealed.cpu_micros + thread_cpu_micros() - watch.cpu_micros_before;
    Run { facts, history: sealed.value.history, trace: sealed.trace, trace_tail: sealed.trace_tail, cpu_micros }
}

/// The faults that a run of `plan` with `seed` meets, as it meets them.
pub fn fault_schedule(plan: &Plan, seed: u64) -> Vec<ScheduledFault> {
    schedule(plan, &laboratory_rng(seed).fork(FAULTS))
}

/// The random stream that faults are drawn from.
const FAULTS: &str = "faults";

async fn observe(laboratory: Laboratory, plan: Plan, progress: Progress, reports: Option<Reports>) -> Observed {
    let plan = Arc::new(plan);
    if reports.is_some() {
        laboratory.keep_messages(detail::MESSAGES_KEPT_MAX);
    }
    let (cluster, failures) = nodes::Cluster::start(&laboratory, &plan).await;
    let zero = laboratory.now_micros();
    if !failures.is_empty() {
        return Observed { unsettled: failures, ..Observed::default() };
    }
    let scheduled = schedule(&plan, &laboratory.rng(FAULTS));
    let injections = inject::begin(&laboratory, &cluster, &plan, scheduled, zero);
    let history = sessions::run_workload(&laboratory, &cluster, &plan, zero, &progress, reports).await;
    let injected = injections.finish().await;
    cluster.reopen_what_stopped();
    let rest = settle::settle(&laboratory, &cluster, &plan, zero).await;
    progress.store(plan.workload.duration_micros, Ordering::Relaxed);
    Observed {
        history,
        injected,
        at_rest: rest.keys,
        settled_micros: laboratory.now_micros() - zero,
        unsettled: rest.failures,
        refusals: rest.refusals,
        counters: laboratory.counters(),
        node_counters: cluster.take_counters(),
        recoveries: cluster.recoveries(),
        disks: cluster.disks(),
        messages: laboratory.take_messages(),
        zero_micros: zero,
    }
}

/// A phase covering all of the workload.
fn whole(plan: &Plan) -> Phase {
    Phase { name: "workload".to_string(), from_micros: 0, until_micros: plan.workload.duration_micros }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
