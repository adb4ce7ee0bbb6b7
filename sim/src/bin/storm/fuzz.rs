//! `storm fuzz`: a campaign. Scenarios over many seeds, all cores at once, what does not hold sorted by cause and shrunk.
//! With a directory it can be interrupted at any moment, and goes on with the same command.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sim::campaign::{
    Campaign, Cause, Folder, FolderError, Found, Ran, ScenarioSummary, Shard, Shrinking, Signature, Source, Summary,
    write_failures,
};
use sim::run;
use sim::scenario::{self, Plan};

use crate::arguments::parse_seeds;
use crate::shrink;
use crate::{Failed, print};

/// Seeds of a campaign that has no time to end it.
const SEEDS_DEFAULT: (u64, u64) = (1, 20);

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  storm fuzz scenarios/*.yaml --seeds 1..50\n  storm fuzz --time 10m --out out/night\n  storm \
    fuzz --seeds 1..100000 --shard 3/16 --out out/3\n\nWith --out the directory gets results.jsonl (a line a run), junit.xml, and \
    failures/: a scenario file for each cause, shrunk. A campaign that was interrupted goes on with the same command. Failures \
    with the same signature are one cause. One run in twenty is made twice, and must give the same trace. The shards 1/N to N/N \
    are the whole; see scenarios/campaigns for how a CI, Kubernetes or Slurm spreads them.\n\nEach failure is replayed with: \
    storm run SCENARIO.yaml --seed N"
)]
pub(crate) struct Fuzz {
    /// The scenarios; without any, all of scenarios/.
    #[arg(value_name = "SCENARIO.yaml")]
    scenarios: Vec<PathBuf>,
    /// The first and the last seed; without it, 1..20, or with --time as many as there is time for.
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Option<(u64, u64)>,
    /// How long to begin runs; without it, until all seeds are run.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    time: Option<Duration>,
    /// Runs at a time; without it, one for each processor.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Run only this part of the whole, the I-th of N.
    #[arg(long, value_name = "I/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
    /// Keep the results here, and go on with those that are there.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Do not shrink what fails.
    #[arg(long)]
    no_shrink: bool,
    /// How long to shrink each cause.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = humantime::parse_duration)]
    shrink_time: Duration,
}

/// How many runs at a time.
pub(crate) fn jobs(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1)
}

pub(crate) fn fuzz(arguments: &Fuzz, json: bool) -> Result<ExitCode, Failed> {
    let source = source(arguments)?;
    let started = Instant::now();
    let unbounded = if arguments.time.is_some() { (1, u64::MAX) } else { SEEDS_DEFAULT };
    let campaign = Campaign {
        source: &source,
        seeds: arguments.seeds.unwrap_or(unbounded),
        shard: arguments.shard,
        jobs: jobs(arguments.jobs),
        deadline: arguments.time.and_then(|time| started.checked_add(time)),
        runner: &|plan, seed| Ran::of(&run::run(plan, seed), None),
    };
    let mut folder = match &arguments.out {
        Some(path) => Some(Folder::open(path, &campaign.identity(program())).map_err(failed)?),
        None => None,
    };
    let show = !json && std::io::stderr().is_terminal();
    let mut progress = Progress::new(show, &campaign, arguments.time, started);
    let summary = campaign.run(folder.as_mut(), &mut |summary| progress.show(summary)).map_err(failed)?;
    progress.bar.finish_and_clear();
    let found = match &folder {
        Some(folder) => write_causes(arguments, &campaign, &summary, folder, show)?,
        None => Vec::new(),
    };
    let pace = progress.pace(&summary);
    tell(&campaign, &summary, &found, arguments.out.as_deref(), &pace, json);
    Ok(ExitCode::from(summary.exit_code()))
}

fn failed(error: FolderError) -> Failed {
    if error.is_usage() { Failed::usage(error) } else { Failed::environment(error) }
}

/// Which build this is: results of two builds are not those of one campaign.
fn program() -> String {
    let bytes = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
    format!("storm {} {:016x}", env!("CARGO_PKG_VERSION"), xxhash_rust::xxh3::xxh3_64(&bytes))
}

fn source(arguments: &Fuzz) -> Result<Source, Failed> {
    let files = if arguments.scenarios.is_empty() { library()? } else { arguments.scenarios.clone() };
    let plans: Result<Vec<Plan>, Failed> =
        files.iter().map(|file| scenario::load(file).map_err(Failed::usage)).collect();
    Ok(Source::Files(plans?))
}

/// Every scenario of the library in the current directory.
fn library() -> Result<Vec<PathBuf>, Failed> {
    let entries = scenario::library(Path::new("scenarios")).map_err(Failed::usage)?;
    entries.into_iter().map(|entry| entry.map(|entry| PathBuf::from(entry.file)).map_err(Failed::usage)).collect()
}

/// Shrinks what fails, and sees that it fails in another process too.
fn write_causes(
    arguments: &Fuzz,
    campaign: &Campaign<'_>,
    summary: &Summary,
    folder: &Folder,
    show: bool,
) -> Result<Vec<Found>, Failed> {
    let (time, jobs) = (arguments.shrink_time, campaign.jobs);
    let shrinking = Shrinking { tried: &shrink::trial, time, runs: shrink::RUNS_MAX, jobs };
    let shrinking = (!arguments.no_shrink).then_some(&shrinking);
    let bar = shrink::bar(show && !summary.causes.is_empty());
    let watch = &mut |signature: &Signature, standing: &_| {
        bar.set_message(format!("{signature}: {}", shrink::message(standing)));
    };
    let found = write_failures(campaign, summary, folder, shrinking, watch).map_err(failed)?;
    bar.finish_and_clear();
    for found in &found {
        let Some(shrunk) = &found.shrunk else { continue };
        let file = folder.file(&found.file);
        if !shrink::fails_in_another_process(&file, &shrunk.signature)? {
            let file = file.display();
            return Err(Failed {
                code: 1,
                message: format!("{file}: does not fail in another process, a bug of storm"),
            });
        }
    }
    Ok(found)
}

/// What is shown while a campaign goes on.
struct Progress {
    bar: ProgressBar,
    started: Instant,
    /// Runs, and their virtual time, that were in the folder before this process made any.
    before: Option<(u64, u64)>,
}

/// How fast it went.
struct Pace {
    seconds: f64,
    runs: u64,
    runs_per_second: f64,
    speed_ratio: f64,
}

impl Progress {
    fn new(show: bool, campaign: &Campaign<'_>, time: Option<Duration>, started: Instant) -> Self {
        // A campaign that only time ends has no length to show.
        let (template, length) = match time {
            Some(time) => (
                "{spinner} {elapsed} of {prefix} {human_pos} runs, {msg}",
                humantime::format_duration(time).to_string(),
            ),
            None => ("{bar:30} {human_pos} of {human_len} runs, {msg}", String::new()),
        };
        let style = ProgressStyle::with_template(template).expect("the template is well-formed");
        let bar = if show { ProgressBar::new(campaign.work().count()) } else { ProgressBar::hidden() };
        Self { bar: bar.with_style(style).with_prefix(length), started, before: None }
    }

    fn show(&mut self, summary: &Summary) {
        self.before.get_or_insert((summary.runs, summary.virtual_micros));
        if self.bar.is_hidden() {
            return;
        }
        let Pace { runs_per_second, speed_ratio, .. } = self.pace(summary);
        let coverage = if summary.states == 0 { String::new() } else { format!("coverage {}, ", summary.states) };
        let (failures, causes) = (summary.failures(), summary.causes.len());
        let failures =
            if failures == 0 { "no failure".to_string() } else { format!("{failures} failures, {causes} causes") };
        self.bar.set_position(summary.runs);
        self.bar.set_message(format!("{runs_per_second:.1}/s, {speed_ratio:.0} x real time, {coverage}{failures}"));
    }

    fn pace(&self, summary: &Summary) -> Pace {
        let (runs_before, virtual_before) = self.before.unwrap_or_default();
        let seconds = self.started.elapsed().as_secs_f64().max(1e-6);
        let runs = summary.runs - runs_before;
        let virtual_seconds = (summary.virtual_micros - virtual_before) as f64 / 1e6;
        Pace { seconds, runs, runs_per_second: runs as f64 / seconds, speed_ratio: virtual_seconds / seconds }
    }
}

fn tell(campaign: &Campaign<'_>, summary: &Summary, found: &[Found], out: Option<&Path>, pace: &Pace, json: bool) {
    for (place, scenario) in &summary.scenarios {
        let name = campaign.source.name(*place);
        if json {
            print(&scenario_as_json(name, scenario));
            continue;
        }
        print(&format!("{}/{} hold  {name}", scenario.held, scenario.runs));
        for (seed, judgement, unmet) in &scenario.named {
            print(&format!("    seed {seed} {}: {unmet}", judgement.words()));
        }
        let unnamed = scenario.runs - scenario.held - scenario.named.len() as u64;
        if unnamed > 0 {
            print(&format!("    and {unnamed} more"));
        }
    }
    if json {
        return print(&summary_as_json(campaign, summary, found, pace));
    }
    for (signature, cause) in summary.causes_by_count() {
        print(&cause_as_text(campaign, signature, cause));
        let Some(found) = found.iter().find(|found| found.signature == *signature) else { continue };
        let file = out.map_or_else(|| PathBuf::from(&found.file), |out| out.join(&found.file));
        let smaller = found.shrunk.as_ref().map(|shrunk| shrink::told(&shrunk.before, &shrunk.after));
        print(&format!("    {}  {}", file.display(), smaller.unwrap_or_default()));
    }
    let Pace { seconds, runs, runs_per_second, speed_ratio } = pace;
    let earlier = summary.runs - runs;
    let resumed = if earlier == 0 { String::new() } else { format!(", and {earlier} before") };
    let coverage = if summary.states == 0 { String::new() } else { format!(", coverage {}", summary.states) };
    print(&format!(
        "{runs} runs in {seconds:.1} s{resumed}, {} at a time: {runs_per_second:.1} a second, {speed_ratio:.0} x real \
         time{coverage}",
        campaign.jobs
    ));
}

fn cause_as_text(campaign: &Campaign<'_>, signature: &Signature, cause: &Cause) -> String {
    let first: Vec<String> =
        cause.first.iter().map(|item| format!("{} seed {}", campaign.source.name(item.place), item.seed)).collect();
    let unnamed = cause.count - first.len() as u64;
    let more = if unnamed > 0 { format!(", and {unnamed} more") } else { String::new() };
    format!("{} x {signature}: {}{more}", cause.count, first.join(", "))
}

fn scenario_as_json(name: &str, scenario: &ScenarioSummary) -> String {
    let broken: Vec<_> = scenario
        .named
        .iter()
        .map(|(seed, judgement, unmet)| json!({ "seed": seed, "verdict": judgement.words(), "why": unmet }))
        .collect();
    let ScenarioSummary { runs, held, .. } = scenario;
    json!({ "file": name, "runs": runs, "held": held, "broken": broken }).to_string()
}

fn summary_as_json(campaign: &Campaign<'_>, summary: &Summary, found: &[Found], pace: &Pace) -> String {
    let causes: Vec<_> = summary
        .causes_by_count()
        .into_iter()
        .map(|(signature, cause)| {
            let first: Vec<_> = cause
                .first
                .iter()
                .map(|item| json!({ "scenario": campaign.source.name(item.place), "seed": item.seed }))
                .collect();
            let file = found.iter().find(|found| found.signature == *signature).map(|found| found.file.clone());
            json!({
                "signature": signature.to_string(), "count": cause.count, "verdict": cause.judgement.words(),
                "first": first, "file": file,
            })
        })
        .collect();
    json!({
        "runs": summary.runs, "failures": summary.failures(), "twice": summary.twice, "coverage": summary.states,
        "causes": causes, "seconds": pace.seconds, "runs_per_second": pace.runs_per_second,
        "speed_ratio": pace.speed_ratio, "cpu_seconds": summary.cpu_micros as f64 / 1e6,
    })
    .to_string()
}
