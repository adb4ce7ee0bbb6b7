//! `stormglass bench`: load on real nodes, by clients that each have one operation in flight; with `--data` on a directory,
//! which is `embedded`'s.
//!
//! ```text
//!   --acked FILE     sent<TAB>key<TAB>value      noted before each write is sent
//!                    acked<TAB>key<TAB>value     noted when it was acknowledged       (on a directory: see `notes`)
//!   --verify FILE    every acked key has its value; no key is there that was never sent
//! ```

mod embedded;
mod ledger;
mod measured;
mod notes;
mod recorder;
mod verify;
mod workload;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use cluster::client::Client;
use cluster::world::real::RealClusterWorld;
use engine::world::{Clock, Instant, World};
use hdrhistogram::Histogram;
use serde_json::json;

use crate::arguments::Bench;
use crate::client_commands::connect;
use crate::output::{Failed, print};
use ledger::Ledger;
use recorder::{Event, Kind, Recorder};
pub(crate) use workload::Workload;

/// Operations on nodes, unless something else is said.
const OPERATIONS: u64 = 10_000;

/// Latencies above an hour count as an hour.
const HOUR_MICROS: u64 = 3_600_000_000;

/// What all clients share.
struct Shared {
    arguments: BenchPlan,
    next: AtomicU64,
    ledger: Option<Ledger>,
    recorder: Option<Recorder>,
    progress: indicatif::ProgressBar,
}

struct BenchPlan {
    run: u64,
    operations: u64,
    keys: u64,
    reads_percent: u64,
    value_bytes: usize,
    level: cluster::coordinator::Level,
    timeout: std::time::Duration,
}

/// What one client saw.
struct Tally {
    latency_micros: Histogram<u64>,
    ok: u64,
    not_applied: u64,
    unknown: u64,
}

pub(crate) async fn bench(bench: &Bench, json: bool) -> Result<ExitCode, Failed> {
    if let Some(data) = &bench.embedded.data {
        return embedded::bench(data, bench, json).await;
    }
    if let Some(file) = &bench.verify {
        return verify::verify(file, bench, json).await;
    }
    if bench.reads > 0 && bench.keys == 0 {
        return Err(Failed::usage("--reads needs --keys: with a key for each write there is nothing to read again"));
    }
    if bench.acked.is_some() && bench.keys > 0 {
        return Err(Failed::usage("--acked on nodes needs --keys 0: a key that is written twice has two right values"));
    }
    if bench.clients == 0 {
        return Err(Failed::usage("--clients 0: nobody would send anything"));
    }
    let mut clients = Vec::new();
    for number in 0..bench.clients {
        clients.push(crate::wiring::dial(&bench.node[number as usize % bench.node.len()]).await?);
    }
    let clock = *clients[0].0.clock();
    let shared = Arc::new(Shared {
        arguments: BenchPlan {
            run: clock.wall().micros,
            operations: bench.operations.unwrap_or(OPERATIONS),
            keys: bench.keys,
            reads_percent: u64::from(bench.reads),
            value_bytes: bench.value_bytes,
            level: bench.consistency,
            timeout: bench.timeout,
        },
        next: AtomicU64::new(0),
        ledger: bench.acked.as_deref().map(Ledger::create).transpose()?,
        recorder: bench.history.as_deref().map(Recorder::create).transpose()?,
        progress: progress(bench.operations.unwrap_or(OPERATIONS), json),
    });
    let started = clock.now();
    let tasks: Vec<_> = (0..)
        .zip(clients)
        .map(|(session, (world, node))| {
            let shared = shared.clone();
            tokio::spawn(async move { run_client(session, world, node, &shared, started).await })
        })
        .collect();
    let mut total = Tally::new();
    for task in tasks {
        total.add(&task.await.map_err(|error| Failed::environment(format!("a client ended early: {error}")))?);
    }
    let seconds = clock.now().saturating_since(started).as_secs_f64();
    shared.progress.finish_and_clear();
    total.show(seconds, json);
    Ok(if total.ok > 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn run_client(
    session: u64,
    world: RealClusterWorld,
    node: cluster::world::NodeId,
    shared: &Shared,
    started: Instant,
) -> Tally {
    let plan = &shared.arguments;
    let mut random = world.rng("bench").fork(&format!("client {session}"));
    let clock = *world.clock();
    let mut client = Client::new(world, node);
    let mut tally = Tally::new();
    // A Jepsen process is closed after an unknown outcome: the next operation belongs to a new one.
    let mut process = session;
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.operations {
            return tally;
        }
        let read = plan.reads_percent > 0 && random.chance(plan.reads_percent, 100);
        let key = match plan.keys {
            0 => format!("bench-{}-{number:010}", plan.run),
            keys => format!("bench-{:010}", random.below(keys)),
        };
        let kind = if read { Kind::Read } else { Kind::Write };
        let value = (!read).then(|| value(plan, number));
        if let (Some(ledger), Some(value)) = (&shared.ledger, &value) {
            ledger.sent(&key, value);
        }
        let event = Event { process, kind, key: key.clone(), node, level: plan.level };
        let begun = clock.now();
        if let Some(recorder) = &shared.recorder {
            recorder.invoked(&event, value.as_deref(), begun.saturating_since(started));
        }
        let key_bytes = Bytes::from(key.clone());
        let (result, seen) = match &value {
            None => {
                let read = client.get(key_bytes, plan.level, plan.timeout).await.result;
                let seen = read.as_ref().ok().and_then(|read| read.value.clone());
                (read.map(|_| ()), seen.map(|value| crate::output::readable(&value)))
            }
            Some(value) => {
                let written = client.put(key_bytes, Bytes::from(value.clone()), plan.level, plan.timeout).await;
                (written.result.map(|_| ()), None)
            }
        };
        let ended = clock.now();
        if let Some(recorder) = &shared.recorder {
            let value = if read { seen.as_deref() } else { value.as_deref() };
            recorder.completed(&event, value, &result, ended.saturating_since(started));
        }
        match &result {
            Ok(()) => {
                tally.ok += 1;
                if let (Some(ledger), Some(value)) = (&shared.ledger, &value) {
                    ledger.acked(&key, value);
                }
            }
            Err(failure) if failure.unknown => {
                tally.unknown += 1;
                process += 1_000_000;
            }
            Err(_) => tally.not_applied += 1,
        }
        let micros = u64::try_from(ended.saturating_since(begun).as_micros()).unwrap_or(u64::MAX);
        tally.latency_micros.saturating_record(micros.max(1));
        shared.progress.inc(1);
    }
}

/// A value that no other operation writes, padded to the asked length.
fn value(plan: &BenchPlan, number: u64) -> String {
    let mut value = format!("v{}-{number}-", plan.run);
    while value.len() < plan.value_bytes {
        value.push('x');
    }
    value
}

/// A bar on a terminal, nothing in a pipe.
fn progress(operations: u64, json: bool) -> indicatif::ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        indicatif::ProgressBar::hidden()
    } else {
        indicatif::ProgressBar::new(operations)
    }
}

impl Tally {
    fn new() -> Self {
        let latency_micros = Histogram::new_with_max(HOUR_MICROS, 3).expect("three significant digits are allowed");
        Self { latency_micros, ok: 0, not_applied: 0, unknown: 0 }
    }

    fn add(&mut self, other: &Self) {
        self.latency_micros += &other.latency_micros;
        self.ok += other.ok;
        self.not_applied += other.not_applied;
        self.unknown += other.unknown;
    }

    fn show(&self, seconds: f64, json: bool) {
        let at = |quantile: f64| self.latency_micros.value_at_quantile(quantile);
        let operations = self.ok + self.not_applied + self.unknown;
        let rate = operations as f64 / seconds.max(f64::EPSILON);
        if json {
            let facts = json!({
                "operations": operations, "ok": self.ok, "not_applied": self.not_applied, "unknown": self.unknown,
                "seconds": seconds, "operations_per_second": rate,
                "latency_micros": { "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": self.latency_micros.max() },
            });
            return print(&facts.to_string());
        }
        let ms = |micros: u64| format!("{:.2} ms", micros as f64 / 1_000.0);
        print(&format!("{operations} operations in {seconds:.2} s: {rate:.0} a second"));
        print(&format!("ok {}, not applied {}, unknown {}", self.ok, self.not_applied, self.unknown));
        print(&format!(
            "latency p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
            ms(at(0.5)),
            ms(at(0.9)),
            ms(at(0.99)),
            ms(at(0.999)),
            ms(self.latency_micros.max())
        ));
    }
}

/// Used by `verify`, which needs only one client.
async fn single(bench: &Bench) -> Result<Client<RealClusterWorld>, Failed> {
    connect(&bench.node[0]).await
}
