//! `storm report`: pages that open from a file, without a network. `cap` runs the survey behind its page; see `cap.rs` beside
//! this file.

mod cap;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use reports::campaign::{ResultsError, read_results};
use serde_json::json;
use sim::run::Choice;
use sim::scenario::{self, Window};

use crate::{Failed, exit_code, print};

/// The file of a campaign that holds its runs.
const RESULTS: &str = "results.jsonl";

#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Run one scenario, and write its page: a timeline to zoom, and what every replica said to every operation.
    Run(RunReport),
    /// Read the results of a campaign, and write its page: failures by cause, coverage, speed, slowest runs.
    Campaign(CampaignReport),
    /// Measure every choice of N, R and W under every kind of fault, and write what each gives and costs.
    Cap(cap::CapReport),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  storm report run scenarios/standard.yaml --seed 42\n  storm report run x.yaml --messages \
    5s..5200ms\n\nThe exit code is that of the run's verdict, as of `storm run`."
)]
struct RunReport {
    /// The scenario.
    #[arg(value_name = "SCENARIO.yaml")]
    scenario: PathBuf,
    /// The seed; without it, the scenario's own.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where to write report.html.
    #[arg(long, value_name = "DIR", default_value = "out/run")]
    out: PathBuf,
    /// Draw the messages sent in this part of the workload, or `none`; without it, those around the first anomalies or
    /// faults.
    #[arg(long, value_name = "FROM..UNTIL", value_parser = parse_messages)]
    messages: Option<Choice>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  storm fuzz --seeds 1..1000 --out out/campaign\n  storm report campaign out/campaign"
)]
struct CampaignReport {
    /// The campaign's directory, or its results.jsonl.
    #[arg(value_name = "DIR")]
    results: PathBuf,
    /// Where to write campaign.html, campaign.md and the pictures; without it, beside the results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn report(report: &Report, json: bool) -> Result<ExitCode, Failed> {
    match &report.kind {
        Kind::Run(arguments) => run(arguments, json),
        Kind::Campaign(arguments) => campaign(arguments, json),
        Kind::Cap(arguments) => cap::cap(arguments, json),
    }
}

fn run(arguments: &RunReport, json: bool) -> Result<ExitCode, Failed> {
    let plan = scenario::load(&arguments.scenario).map_err(Failed::usage)?;
    let seed = arguments.seed.unwrap_or(plan.seed);
    let choice = arguments.messages.unwrap_or_default();
    let (run, detail) =
        crate::run::with_progress(&plan, seed, Some(choice), crate::run::Shown { json, ..Default::default() })?;
    let page = reports::write_page(&arguments.out, &run.facts, &detail).map_err(Failed::environment)?;
    let verdict = run.facts.verdict;
    if json {
        let told = json!({ "page": page, "verdict": verdict.word(), "trace": run.facts.trace, "seed": seed });
        print(&told.to_string());
    } else {
        print(&format!("{verdict}  {}", run.facts.scenario));
        print(&page.display().to_string());
    }
    Ok(ExitCode::from(exit_code(verdict)))
}

fn campaign(arguments: &CampaignReport, json: bool) -> Result<ExitCode, Failed> {
    let given = &arguments.results;
    let results = if given.is_dir() { given.join(RESULTS) } else { given.clone() };
    let name = results.display().to_string();
    let file = File::open(&results).map_err(|error| Failed::usage(format!("{name}: {error}")))?;
    let facts = read_results(&name, BufReader::new(file)).map_err(|error| match error {
        ResultsError::Io { .. } => Failed::environment(format!("{name}: {error}")),
        ResultsError::Line { .. } => Failed::usage(format!("{name}: {error}")),
    })?;
    let out = arguments.out.clone().unwrap_or_else(|| results.parent().unwrap_or(Path::new(".")).to_path_buf());
    let page = reports::write_campaign(&out, &facts).map_err(Failed::environment)?;
    let failed = facts.runs.iter().filter(|run| !run.holds()).count();
    if json {
        print(&json!({ "page": page, "runs": facts.runs.len(), "not_held": failed }).to_string());
    } else {
        print(&format!("{} runs, {failed} did not hold", facts.runs.len()));
        print(&page.display().to_string());
    }
    Ok(ExitCode::SUCCESS)
}

/// `5s..5200ms`, or `none`.
fn parse_messages(text: &str) -> Result<Choice, String> {
    if text == "none" {
        return Ok(Choice::Nothing);
    }
    let time = |part: &str| humantime::parse_duration(part.trim()).map_err(|error| format!("`{part}`: {error}"));
    let Some((from, until)) = text.split_once("..") else {
        return Err("write a part of the workload, as in 5s..5200ms, or none".to_string());
    };
    let micros = |part: &str| time(part).map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    let window = Window { from_micros: micros(from)?, until_micros: micros(until)? };
    if window.from_micros >= window.until_micros {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok(Choice::Sent(window))
}
