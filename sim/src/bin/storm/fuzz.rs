//! `storm fuzz`: scenarios over a range of seeds, several runs at a time. Each run is a world of its own on a thread of its
//! own, so how many run at once changes no result.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use indicatif::ProgressBar;
use reports::facts::{Held, Verdict};
use serde_json::json;
use sim::scenario::{self, Plan};

use crate::arguments;
use crate::{Failed, exit_code, print};

/// Seeds that are named for each scenario.
const NAMED_MAX: usize = 5;

/// One run that did not hold.
struct Broken {
    seed: u64,
    verdict: Verdict,
    why: String,
}

pub(crate) fn fuzz(arguments: &arguments::Fuzz, json: bool) -> Result<ExitCode, Failed> {
    let files = if arguments.scenarios.is_empty() { library()? } else { arguments.scenarios.clone() };
    let plans: Vec<Plan> =
        files.iter().map(|file| scenario::load(file).map_err(Failed::usage)).collect::<Result<_, _>>()?;
    let (first, last) = arguments.seeds;
    let work: Vec<(usize, u64)> =
        (0..plans.len()).flat_map(|plan| (first..=last).map(move |seed| (plan, seed))).collect();
    let jobs = arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
    let show = !json && std::io::stderr().is_terminal();
    let bar = if show { ProgressBar::new(work.len() as u64) } else { ProgressBar::hidden() };
    let next = AtomicUsize::new(0);
    let broken: Mutex<BTreeMap<usize, Vec<Broken>>> = Mutex::default();
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some((plan, seed)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(found) = run_one(&plans[*plan], *seed) {
                        let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                        broken.entry(*plan).or_default().push(found);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut worst = 0;
    for (place, plan) in plans.iter().enumerate() {
        let mut found = broken.remove(&place).unwrap_or_default();
        found.sort_by_key(|broken| broken.seed);
        for broken in &found {
            let code = exit_code(broken.verdict);
            // A failure is worse news than a run that was not decided.
            worst = if code == 1 || worst == 1 { 1 } else { code.max(worst) };
        }
        show_scenario(plan, (first, last), &found, json);
    }
    if !json {
        let seconds = started.elapsed().as_secs_f64();
        print(&format!("{} runs in {seconds:.1} s, {jobs} at a time", work.len()));
    }
    Ok(ExitCode::from(worst))
}

fn run_one(plan: &Plan, seed: u64) -> Option<Broken> {
    let facts = sim::run::run(plan, seed).facts;
    if facts.verdict == Verdict::Holds {
        return None;
    }
    let unmet = facts.expectations.iter().filter(|expectation| expectation.held != Held::Yes);
    let why: Vec<String> = unmet
        .map(|expectation| {
            let note = if expectation.note.is_empty() { String::new() } else { format!(" ({})", expectation.note) };
            match expectation.held {
                Held::Vacuous if expectation.examined == 0 => format!("{} examined nothing{note}", expectation.name),
                _ => format!("{} {} instead of {}{note}", expectation.name, expectation.observed, expectation.demanded),
            }
        })
        .collect();
    Some(Broken { seed, verdict: facts.verdict, why: why.join("; ") })
}

fn show_scenario(plan: &Plan, (first, last): (u64, u64), found: &[Broken], json: bool) {
    let runs = last - first + 1;
    if json {
        let broken: Vec<_> = found
            .iter()
            .map(|broken| json!({ "seed": broken.seed, "verdict": broken.verdict.word(), "why": broken.why }))
            .collect();
        return print(&json!({ "file": plan.file, "runs": runs, "broken": broken }).to_string());
    }
    print(&format!("{}/{runs} hold  {}", runs - found.len() as u64, plan.file));
    for broken in found.iter().take(NAMED_MAX) {
        print(&format!("    seed {} {}: {}", broken.seed, broken.verdict, broken.why));
    }
    if found.len() > NAMED_MAX {
        print(&format!("    and {} more", found.len() - NAMED_MAX));
    }
}

/// Every scenario of the library in the current directory.
fn library() -> Result<Vec<PathBuf>, Failed> {
    let entries = scenario::library(Path::new("scenarios")).map_err(Failed::usage)?;
    entries.into_iter().map(|entry| entry.map(|entry| PathBuf::from(entry.file)).map_err(Failed::usage)).collect()
}
