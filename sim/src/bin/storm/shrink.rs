//! `storm shrink`: a failing scenario made as small as it can be while it fails the same way, written to a file, and run
//! once more in another process to see that it does.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reports::RunFacts;
use serde_json::json;
use sim::campaign::Signature;
use sim::campaign::shrink::{Bounds, NotShrunk, Shrunk, Size, Standing, Trial, shrink as shrink_plan};
use sim::run;
use sim::scenario::{self, Plan, time_text};

use crate::fuzz::jobs;
use crate::{Failed, print};

/// Runs that a search may take, unless it is told otherwise: time ends it first.
pub(crate) const RUNS_MAX: u64 = 100_000;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  storm shrink scenarios/mine.yaml --seed 17\n  storm shrink out/failures/lost-writes-1f.yaml \
    --time 20m --out smallest.yaml\n\nFaults that the seed drew become faults with times and names; then faults, time, nodes, \
    clients, keys, noise and knobs are left out one after the other, and in the end single operations, as long as the same \
    expectation fails. The same --runs give the same result when --time does not end it first. Exit code 0: the new file \
    fails in another process too; 1: it does not; 2: there is no failure to shrink."
)]
pub(crate) struct Shrink {
    /// A scenario that fails.
    #[arg(value_name = "FAILURE.yaml")]
    failure: PathBuf,
    /// The seed that fails; without it, the scenario's own.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The new file; without it, FAILURE.shrunk.yaml beside the old one.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How long to go on.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    time: Duration,
    /// How many runs to make at most.
    #[arg(long, value_name = "N", default_value_t = RUNS_MAX)]
    runs: u64,
    /// Runs at a time; without it, one for each processor. It changes how long it takes, not what comes out.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// Makes a run for a search.
pub(crate) fn trial(plan: &Plan, seed: u64) -> Trial {
    Trial::of(plan, &run::run(plan, seed))
}

pub(crate) fn shrink(arguments: &Shrink, json: bool) -> Result<ExitCode, Failed> {
    let plan = scenario::load(&arguments.failure).map_err(Failed::usage)?;
    let seed = arguments.seed.unwrap_or(plan.seed);
    let started = Instant::now();
    let deadline = started.checked_add(arguments.time);
    let bounds = Bounds { runs: arguments.runs, deadline, jobs: jobs(arguments.jobs) };
    let bar = bar(!json && std::io::stderr().is_terminal());
    let shrunk = shrink_plan(&plan, seed, &bounds, &trial, &mut |standing| bar.set_message(message(standing)));
    bar.finish_and_clear();
    let shrunk = shrunk.map_err(|error| failed(&arguments.failure, &error))?;
    let out = arguments.out.clone().unwrap_or_else(|| arguments.failure.with_extension("shrunk.yaml"));
    let told = comments(&arguments.failure, seed, &shrunk);
    std::fs::write(&out, scenario::write(&shrunk.plan, &told))
        .map_err(|error| Failed::environment(format!("{}: {error}", out.display())))?;
    let fails = fails_in_another_process(&out, &shrunk.signature)?;
    show(&shrunk, &out, started.elapsed(), fails, json);
    Ok(ExitCode::from(if fails { 0 } else { 1 }))
}

fn failed(file: &Path, error: &NotShrunk) -> Failed {
    let code = match error {
        NotShrunk::Holds { .. } => 2,
        NotShrunk::NoFailure { words, .. } => {
            if *words == "undecided" {
                4
            } else {
                2
            }
        }
    };
    Failed { code, message: format!("{}: {error}", file.display()) }
}

fn comments(file: &Path, seed: u64, shrunk: &Shrunk) -> Vec<String> {
    let mut told = vec![
        format!("Shrunk by `storm shrink` from {}, seed {seed}.", file.display()),
        format!("It fails with: {}", shrunk.signature),
        "Replay it with: storm run THIS-FILE".to_string(),
    ];
    told.extend(shrunk.told());
    told
}

/// A bar that shows how far a search has come; hidden unless it is to be shown.
pub(crate) fn bar(show: bool) -> ProgressBar {
    if !show {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("the template is well-formed");
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// How far a search has come, in one line.
pub(crate) fn message(standing: &Standing) -> String {
    let Standing { pass, size, runs } = standing;
    format!(
        "shrinking {pass}: {} faults, {} operations, {} nodes; {runs} runs",
        size.faults, size.operations, size.nodes
    )
}

/// Runs a scenario file in a process of its own, and says whether it fails with this signature.
pub(crate) fn fails_in_another_process(file: &Path, signature: &Signature) -> Result<bool, Failed> {
    let program = std::env::current_exe().map_err(|error| Failed::environment(format!("this program: {error}")))?;
    let output = Command::new(&program).arg("run").arg(file).arg("--json").output();
    let output = output.map_err(|error| Failed::environment(format!("{}: {error}", program.display())))?;
    let facts: Option<RunFacts> = serde_json::from_slice(&output.stdout).ok();
    Ok(facts.and_then(|facts| Signature::of(&facts)).as_ref() == Some(signature))
}

/// `a 14th`, or `all of it`.
fn factor(before: usize, after: usize) -> String {
    match (before, after) {
        (_, 0) => String::new(),
        _ if before == after => " (as before)".to_string(),
        _ => format!(" ({:.1} times fewer)", before as f64 / after as f64),
    }
}

/// What became smaller, in one line.
pub(crate) fn told(before: &Size, after: &Size) -> String {
    format!(
        "faults {} -> {}{}, operations {} -> {}{}, nodes {} -> {}, clients {} -> {}, keys {} -> {}, {} -> {}",
        before.faults,
        after.faults,
        factor(before.faults, after.faults),
        before.operations,
        after.operations,
        factor(before.operations, after.operations),
        before.nodes,
        after.nodes,
        before.clients,
        after.clients,
        before.keys,
        after.keys,
        time_text(before.duration_micros),
        time_text(after.duration_micros)
    )
}

fn show(shrunk: &Shrunk, out: &Path, took: Duration, fails: bool, json: bool) {
    let Shrunk { plan, signature, signature_before, before, after, runs, bounded } = shrunk;
    if json {
        let size = |size: &Size| {
            let Size { faults, operations, nodes, clients, keys, duration_micros } = size;
            json!({
                "faults": faults, "operations": operations, "nodes": nodes, "clients": clients, "keys": keys,
                "duration_micros": duration_micros,
            })
        };
        let told = json!({
            "file": out.display().to_string(), "seed": plan.seed, "signature": signature.to_string(),
            "signature_before": signature_before.to_string(), "before": size(before), "after": size(after), "runs": runs,
            "seconds": took.as_secs_f64(), "bounded": bounded, "fails_in_another_process": fails,
        });
        return print(&told.to_string());
    }
    print(&format!("fails with  {signature_before}"));
    if signature != signature_before {
        print(&format!("kept        {signature}"));
    }
    print(&format!("shrunk      {}", told(before, after)));
    let end = if *bounded { "; a bound ended it, more could go with more --time or --runs" } else { "" };
    print(&format!("in          {:.1} s, {runs} runs{end}", took.as_secs_f64()));
    print(&format!("written     {}", out.display()));
    let again = if fails { "fails the same way" } else { "DOES NOT FAIL the same way, which is a bug of storm" };
    print(&format!("replayed    storm run {}: {again} in another process", out.display()));
}
