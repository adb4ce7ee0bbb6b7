//! `storm transactions`: seeds of the engine's own transactions, many at once, each judged by the cycles of what clients
//! saw. Seeds are played one after the other, several at a time; each is a world of its own, so that how many changes no
//! result. `storm transactions check` and `generate` are in `transactions_check`.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sim::check::cycles::Phenomenon;
use sim::transactions::{EngineIsolation, Settings, Tally, Trial, isolation_name, try_seed};

use crate::arguments::parse_seeds;
use crate::transactions_check::{self, Check, Generate};
use crate::{Failed, print};

/// Failures that are told, and after which no further seed is played.
const TOLD_MAX: usize = 5;

/// Seeds under snapshot isolation among which one must show write skew: else the check sees nothing.
const SEEDS_THAT_MUST_SKEW: u64 = 50;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  storm transactions --seeds 1..500\n  storm transactions --time 5m --isolation serializable\n  storm \
    transactions --seeds 17 --history seed-17.jsonl\n  storm transactions check history.edn --isolation serializable\n\n\
    Clients run transactions of lists and registers in the real engine, interleaved at every I/O, while it flushes and \
    compacts, is killed and loses power. Isolation, options, keys and clients are drawn from the seed. Snapshot isolation \
    is held against strong snapshot isolation, serializable against strict serializability. A campaign under snapshot \
    isolation must see write skew (G2-item), which is allowed there, or proves nothing."
)]
pub(crate) struct Transactions {
    #[command(subcommand)]
    pub(crate) command: Option<TransactionsCommand>,
    /// The first and the last seed; 1..500 where no time is given.
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    pub(crate) seeds: Option<(u64, u64)>,
    /// Go on from the first seed for so long, whatever the last one.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) time: Option<Duration>,
    /// The isolation of every transaction; without it, drawn from the seed.
    #[arg(long, value_parser = PossibleValuesParser::new(["snapshot", "serializable"]))]
    pub(crate) isolation: Option<String>,
    /// Seeds at a time; without it, one for each processor.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Write what the clients of the first seed saw to this file, as JSON lines, and play no other.
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TransactionsCommand {
    /// Judge a history of transactions, in Jepsen's EDN or JSON lines.
    Check(Check),
    /// Write a history that is strictly serializable, to measure checkers on.
    Generate(Generate),
}

/// What all jobs have found together.
#[derive(Default)]
struct Found {
    by_isolation: BTreeMap<&'static str, OfIsolation>,
    failures: Vec<Failure>,
    seeds: u64,
}

#[derive(Default)]
struct OfIsolation {
    seeds: u64,
    tally: Tally,
    operations: u64,
    /// How many seeds showed each anomaly, and how often, and whether the level forbids it.
    anomalies: BTreeMap<String, (u64, u64, bool)>,
    skewed: u64,
}

struct Failure {
    seed: u64,
    isolation: &'static str,
    complaint: String,
    sub_history: Vec<String>,
}

impl Failure {
    fn replay(&self) -> String {
        let Self { seed, isolation, .. } = self;
        format!("storm transactions --seeds {seed} --isolation {isolation} --history seed-{seed}.jsonl")
    }
}

impl Found {
    fn add(&mut self, trial: &Trial) {
        self.seeds += 1;
        let isolation = isolation_name(trial.isolation);
        let of = self.by_isolation.entry(isolation).or_default();
        of.seeds += 1;
        of.tally.add(&trial.tally);
        of.operations += trial.report.examined.operations;
        for (kind, count) in &trial.report.counts {
            let entry = of.anomalies.entry(kind.to_string()).or_insert((0, 0, trial.level.forbids(*kind)));
            (entry.0, entry.1) = (entry.0 + 1, entry.1 + count);
        }
        of.skewed += u64::from(trial.report.counts.keys().any(|kind| kind.phenomenon == Phenomenon::G2Item));
        if let Some(complaint) = trial.complaint() {
            let anomaly = trial.report.anomalies.first().filter(|_| trial.failure.is_none());
            let sub_history = anomaly.map(|anomaly| anomaly.sub_history.clone()).unwrap_or_default();
            self.failures.push(Failure { seed: trial.seed, isolation, complaint, sub_history });
        }
    }

    /// Why this proves nothing, if it does not.
    fn vacuous(&self) -> Option<&'static str> {
        let committed: u64 = self.by_isolation.values().map(|of| of.tally.committed).sum();
        let snapshot = self.by_isolation.get(isolation_name(EngineIsolation::Snapshot));
        if committed == 0 {
            return Some("no transaction was committed");
        }
        let is_blind = snapshot.is_some_and(|of| of.seeds >= SEEDS_THAT_MUST_SKEW && of.skewed == 0);
        is_blind
            .then_some("no seed under snapshot isolation showed write skew, which it allows: the check sees nothing")
    }
}

/// Who tells the jobs to go on, and hears what they find.
struct Campaign {
    settings: Settings,
    last_seed: u64,
    deadline: Option<Instant>,
    next_seed: AtomicU64,
    is_over: AtomicBool,
    found: Mutex<Found>,
    bar: ProgressBar,
}

impl Campaign {
    fn work(&self) {
        while !self.is_over.load(Ordering::Relaxed) && self.deadline.is_none_or(|deadline| Instant::now() < deadline) {
            let seed = self.next_seed.fetch_add(1, Ordering::Relaxed);
            if seed > self.last_seed {
                return;
            }
            let trial = try_seed(seed, &self.settings);
            let mut found = self.found();
            found.add(&trial);
            self.bar.inc(1);
            self.bar.set_message(format!("{} failed", found.failures.len()));
            if found.failures.len() >= TOLD_MAX {
                self.is_over.store(true, Ordering::Relaxed);
            }
        }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn transactions(arguments: &Transactions, json: bool) -> Result<ExitCode, Failed> {
    match &arguments.command {
        Some(TransactionsCommand::Check(check)) => return transactions_check::check(check, json),
        Some(TransactionsCommand::Generate(generate)) => return transactions_check::generate(generate),
        None => {}
    }
    let isolation = arguments.isolation.as_deref().map(|name| match name {
        "snapshot" => EngineIsolation::Snapshot,
        _ => EngineIsolation::Serializable,
    });
    let settings = Settings { isolation, ..Settings::default() };
    let (first, last) = arguments.seeds.unwrap_or((1, 500));
    if let Some(path) = &arguments.history {
        write_history(path, &try_seed(first, &settings))?;
    }
    let started = Instant::now();
    let last_seed = match (&arguments.history, arguments.time) {
        (Some(_), _) => first,
        (None, Some(_)) => u64::MAX,
        (None, None) => last,
    };
    let jobs = arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
    let campaign = Campaign {
        settings,
        last_seed,
        deadline: arguments.time.map(|time| started + time),
        next_seed: AtomicU64::new(first),
        is_over: AtomicBool::new(false),
        found: Mutex::default(),
        bar: bar(json, (last_seed < u64::MAX).then(|| last_seed - first + 1)),
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| campaign.work());
        }
    });
    campaign.bar.finish_and_clear();
    let mut found = campaign.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.failures.sort_by_key(|failure| failure.seed);
    show(&found, started.elapsed(), jobs, json);
    Ok(ExitCode::from(u8::from(!found.failures.is_empty() || found.vacuous().is_some())))
}

fn write_history(path: &std::path::Path, trial: &Trial) -> Result<(), Failed> {
    let mut text = Vec::new();
    sim::history::transactions::write_transactions(&trial.history, &mut text).map_err(Failed::environment)?;
    std::fs::write(path, text).map_err(|error| Failed::environment(format!("{}: {error}", path.display())))
}

fn bar(json: bool, seeds: Option<u64>) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match seeds {
        Some(seeds) => (ProgressBar::new(seeds), "{wide_bar} {pos}/{len} seeds, {per_sec}, {msg}, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {pos} seeds, {per_sec}, {msg}, {elapsed}"),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the template is well-formed"))
}

fn show(found: &Found, elapsed: Duration, jobs: usize, json: bool) {
    let seconds = elapsed.as_secs_f64();
    if json {
        return print(&summary(found, seconds).to_string());
    }
    for failure in &found.failures {
        print(&format!("seed {} ({}): {}", failure.seed, failure.isolation, failure.complaint));
        failure.sub_history.iter().for_each(|line| print(&format!("    {line}")));
        print(&format!("    replay: {}", failure.replay()));
    }
    for (isolation, of) in &found.by_isolation {
        let OfIsolation { seeds, tally, operations, anomalies, .. } = of;
        let Tally { committed, conflicts, too_old, cut_off, unknown, given_up } = tally;
        print(&format!(
            "{isolation}: {seeds} seeds, {} transactions of {operations} operations: {committed} committed, {conflicts} conflicts, \
             {too_old} snapshots too old, {cut_off} cut off, {} unknown",
            tally.transactions(),
            unknown + given_up,
        ));
        for (name, (seeds, count, is_forbidden)) in anomalies {
            let allowed = if *is_forbidden { "forbidden" } else { "allowed" };
            print(&format!("    {count} {name} in {seeds} seeds, {allowed}"));
        }
        if anomalies.is_empty() {
            print("    no anomaly");
        }
    }
    if let Some(why) = found.vacuous() {
        print(&format!("VACUOUS: {why}"));
    }
    let rate = found.seeds as f64 / seconds;
    let failed = found.failures.len();
    print(&format!("{} seeds in {seconds:.1} s, {jobs} at a time: {rate:.0} seeds/s, {failed} failed", found.seeds));
}

fn summary(found: &Found, seconds: f64) -> serde_json::Value {
    let by_isolation: BTreeMap<&str, serde_json::Value> = found
        .by_isolation
        .iter()
        .map(|(isolation, of)| {
            let anomalies: BTreeMap<&String, serde_json::Value> = of
                .anomalies
                .iter()
                .map(|(name, (seeds, count, forbidden))| {
                    (name, json!({ "seeds": seeds, "count": count, "forbidden": forbidden }))
                })
                .collect();
            let value = json!({
                "seeds": of.seeds, "transactions": of.tally.transactions(), "operations": of.operations, "tally": of.tally,
                "anomalies": anomalies,
            });
            (*isolation, value)
        })
        .collect();
    let failures = found.failures.iter().map(|failure| {
        json!({
            "seed": failure.seed, "isolation": failure.isolation, "what": failure.complaint,
            "sub_history": failure.sub_history, "replay": failure.replay(),
        })
    });
    json!({
        "seeds": found.seeds, "failed": found.failures.len(), "vacuous": found.vacuous(), "seconds": seconds,
        "by_isolation": by_isolation, "failures": failures.collect::<Vec<_>>(),
    })
}
