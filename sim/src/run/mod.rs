//! One run: a plan and a seed in, facts and a history out.
//!
//! ```text
//!   inside the sealed world                                             outside
//!   nodes start ─▶ workload + faults ─▶ all heals ─▶ final reads ─▶ rows │ judge (checks) ─▶ facts (report)
//!                  └── safety ───────┘ └─────── liveness ─────────────┘ │
//! ```
//!
//! What happens inside is a function of plan and seed alone. Judging happens afterwards, on plain values.

mod facts;
mod inject;
mod judge;
mod links;
mod nodes;
mod phases;
mod sessions;
mod settle;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reports::RunFacts;

use crate::check::Phase;
use crate::check::convergence::KeyAtRest;
use crate::check::soundness::NodeAtRest;
use crate::history::History;
use crate::scenario::{Plan, Recoveries, schedule};
use crate::world::{Counters, Laboratory, Sealed, TraceHash, run_sealed_keeping};

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
    counters: Counters,
    /// Counters of the nodes themselves, summed.
    node_counters: Vec<(&'static str, u64)>,
    recoveries: Recoveries,
    /// The disks when everything was at rest.
    disks: Vec<NodeAtRest>,
}

/// Runs `plan` with `seed` in a world of its own.
pub fn run(plan: &Plan, seed: u64) -> Run {
    run_watched(plan, seed, &Progress::default(), 0)
}

/// Like [`run`]; moves `progress` (virtual microseconds of the workload) along, and keeps the last `trace_tail` events.
pub fn run_watched(plan: &Plan, seed: u64, progress: &Progress, trace_tail: usize) -> Run {
    let started = Instant::now();
    let (inside, watched) = (plan.clone(), progress.clone());
    let run = move || run_sealed_keeping(trace_tail, seed, move |laboratory| observe(laboratory, inside, watched));
    let sealed = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(sealed) => sealed,
        // A panic of the code under test is a finding like any other, and must not end a campaign.
        Err(panic) => Sealed::of(Observed { unsettled: vec![panic_text(&*panic)], ..Observed::default() }),
    };
    let phases = phases::of(plan, &sealed.value.injected);
    let judged = judge::judge(plan, &sealed.value);
    let wall = started.elapsed();
    let facts = facts::facts(plan, seed, &sealed, &phases, judged, wall);
    Run { facts, history: sealed.value.history, trace: sealed.trace, trace_tail: sealed.trace_tail }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("the code under test panicked: {}", text.unwrap_or("without a message"))
}

async fn observe(laboratory: Laboratory, plan: Plan, progress: Progress) -> Observed {
    let plan = Arc::new(plan);
    let (cluster, failures) = nodes::Cluster::start(&laboratory, &plan).await;
    let zero = laboratory.now_micros();
    if !failures.is_empty() {
        return Observed { unsettled: failures, ..Observed::default() };
    }
    let scheduled = schedule(&plan, &laboratory.rng("faults"));
    let injections = inject::begin(&laboratory, &cluster, &plan, scheduled, zero);
    let history = sessions::run_workload(&laboratory, &cluster, &plan, zero, &progress).await;
    let injected = injections.finish().await;
    let rest = settle::settle(&laboratory, &cluster, &plan, zero).await;
    progress.store(plan.workload.duration_micros, Ordering::Relaxed);
    Observed {
        history,
        injected,
        at_rest: rest.keys,
        settled_micros: laboratory.now_micros() - zero,
        unsettled: rest.failures,
        counters: laboratory.counters(),
        node_counters: cluster.take_counters(),
        recoveries: cluster.recoveries(),
        disks: cluster.disks(),
    }
}

/// A phase covering all of the workload.
fn whole(plan: &Plan) -> Phase {
    Phase { name: "workload".to_string(), from_micros: 0, until_micros: plan.workload.duration_micros }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
