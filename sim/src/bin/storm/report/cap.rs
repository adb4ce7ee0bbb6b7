//! `storm report cap`: the survey, and the report of it. Every run is written down as it is made, so that `--resume` goes on
//! where an interruption ended.
//!
//! ```text
//!   DIR/runs.jsonl         the settings, then one line a run
//!       scenarios/*.yaml   each cell as it was run
//!       cap.html  cap.md  cap.csv  *.svg
//! ```

use std::fs::{self, File};
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reports::cap::{CapFacts, CapRun};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sim::cap::{Cell, Done, Settings, cells, facts, measure, survey};
use sim::scenario::{TIME_MICROS_MAX, time_text};

use crate::{Failed, print};

/// No line of runs.jsonl is longer.
const LINE_BYTES_MAX: u64 = 1 << 16;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  storm report cap\n  storm report cap --runs 10 --cells n3-quorum-quorum --cells flapping\n\n\
    A cell is named N, R, W, fault: n3-quorum-one-flapping. There are 144: N of 3 and 5; R and W of one, quorum and all; \
    faults none, minority-cut-off, majority-split, one-way, flapping, slow-node, crash-loop and skewed-clocks. The same \
    settings and seed give the same figures on every machine, whatever the number of jobs.\n\nExit codes: 0 no cell \
    contradicts theory; 1 one does; 2 bad usage; 3 the environment failed."
)]
pub(super) struct CapReport {
    /// Where to write the report, the scenario of each cell, and the runs.
    #[arg(long, value_name = "DIR", default_value = "out/cap")]
    out: PathBuf,
    /// Runs of each cell.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    runs: u64,
    /// Virtual time of each run; the fault is in force in the middle half of it.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    duration: Duration,
    /// What the seeds of all runs follow from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Runs at a time; without it, one for each processor.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Only cells whose name holds this; may be given several times.
    #[arg(long, value_name = "TEXT")]
    cells: Vec<String>,
    /// Go on with the runs that are in DIR, if they were made with the same settings and by the same build.
    #[arg(long)]
    resume: bool,
}

/// The first line of runs.jsonl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    seed: u64,
    duration_micros: u64,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
struct RunLine {
    cell: String,
    run: u64,
    measured: CapRun,
}

pub(super) fn cap(arguments: &CapReport, json: bool) -> Result<ExitCode, Failed> {
    let started = Instant::now();
    let duration_micros = u64::try_from(arguments.duration.as_micros()).unwrap_or(u64::MAX);
    let settings = Settings { seed: arguments.seed, duration_micros };
    let chosen = chosen(&arguments.cells)?;
    let folder = arguments.out.join("scenarios");
    fs::create_dir_all(&folder).map_err(|error| environment(&folder, &error))?;
    for cell in &chosen {
        let path = folder.join(format!("{cell}.yaml"));
        fs::write(&path, cell.text(&settings, 0)).map_err(|error| environment(&path, &error))?;
    }
    let path = arguments.out.join("runs.jsonl");
    let done = if arguments.resume { read_done(&path, &settings)? } else { Done::new() };
    let by_cell = make(arguments, &chosen, &settings, &path, &done, json)?;
    let facts = facts(&chosen, by_cell, &settings, &folder.display().to_string(), command(arguments));
    let page = reports::write_cap(&arguments.out, &facts).map_err(Failed::environment)?;
    show(&facts, &page, started.elapsed(), done.len(), json);
    Ok(ExitCode::from(u8::from(facts.cells.iter().any(reports::cap::CapCell::contradicts))))
}

fn chosen(words: &[String]) -> Result<Vec<Cell>, Failed> {
    let all = cells();
    if let Some(word) = words.iter().find(|word| !all.iter().any(|cell| cell.to_string().contains(word.as_str()))) {
        return Err(Failed::usage(format!(
            "--cells {word}: no cell's name holds that; names are N, R, W, fault, as in {} or {}",
            all[0],
            all[all.len() - 1]
        )));
    }
    let is_chosen = |cell: &Cell| words.is_empty() || words.iter().any(|word| cell.to_string().contains(word.as_str()));
    Ok(all.into_iter().filter(is_chosen).collect())
}

/// Makes the runs, writes each down, and shows how far it has come.
fn make(
    arguments: &CapReport,
    chosen: &[Cell],
    settings: &Settings,
    path: &Path,
    done: &Done,
    json: bool,
) -> Result<Vec<Vec<CapRun>>, Failed> {
    // What was made before is written again: a last line that was cut short must not be gone on with.
    let mut file = File::create(path).map_err(|error| environment(path, &error))?;
    let made = Made { seed: settings.seed, duration_micros: settings.duration_micros };
    let mut text = serde_json::to_string(&made).expect("settings are plain values") + "\n";
    for ((cell, run), measured) in done {
        let line = RunLine { cell: cell.clone(), run: *run, measured: measured.clone() };
        text.push_str(&(serde_json::to_string(&line).expect("measures are plain values") + "\n"));
    }
    file.write_all(text.as_bytes()).map_err(|error| environment(path, &error))?;
    let bar = bar(arguments.runs * chosen.len() as u64, json);
    // A run that cannot be written down is still in the report: the first trouble is told at the end.
    let written: Mutex<(File, Option<std::io::Error>)> = Mutex::new((file, None));
    let hear = |cell: &Cell, run: u64, measured: &CapRun| {
        let line = RunLine { cell: cell.to_string(), run, measured: measured.clone() };
        let line = serde_json::to_string(&line).expect("measures are plain values");
        let (file, trouble) = &mut *written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writeln!(file, "{line}") {
            trouble.get_or_insert(error);
        }
        bar.inc(1);
    };
    let jobs = arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let by_cell = survey(chosen, settings, arguments.runs, jobs, done, &hear);
    bar.finish_and_clear();
    match written.into_inner().unwrap_or_else(PoisonError::into_inner).1 {
        Some(error) => Err(environment(path, &error)),
        None => Ok(by_cell),
    }
}

fn bar(runs: u64, json: bool) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {per_sec}, {eta} to go");
    ProgressBar::new(runs).with_style(style.expect("the template is well-formed"))
}

/// The runs of an interrupted survey. A last line that was cut short is left out.
fn read_done(path: &Path, settings: &Settings) -> Result<Done, Failed> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Done::new()),
        Err(error) => return Err(environment(path, &error)),
    };
    let refused = |line: usize, why: &str| {
        Failed::usage(format!("{}:{line}: {why}; leave out --resume to begin anew", path.display()))
    };
    let (mut done, mut reader, mut bytes) = (Done::new(), BufReader::new(file), Vec::new());
    for number in 1.. {
        bytes.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
        if read.map_err(|error| environment(path, &error))? == 0 {
            break;
        }
        let is_whole = bytes.last() == Some(&b'\n');
        if number == 1 {
            let made: Made = serde_json::from_slice(&bytes).map_err(|error| refused(1, &error.to_string()))?;
            if made != (Made { seed: settings.seed, duration_micros: settings.duration_micros }) {
                let (seed, duration) = (made.seed, time_text(made.duration_micros));
                return Err(refused(1, &format!("these runs were made with --seed {seed} --duration {duration}")));
            }
            continue;
        }
        match serde_json::from_slice::<RunLine>(&bytes) {
            Ok(line) => drop(done.insert((line.cell, line.run), line.measured)),
            Err(_) if !is_whole && (bytes.len() as u64) < LINE_BYTES_MAX => break,
            Err(error) => return Err(refused(number, &error.to_string())),
        }
    }
    same_build(path, settings, &done)?;
    Ok(done)
}

/// Makes one of the runs again: another build gives another trace, and the two must not be mixed.
fn same_build(path: &Path, settings: &Settings, done: &Done) -> Result<(), Failed> {
    let Some(((name, run), before)) = done.first_key_value() else { return Ok(()) };
    let cell = cells().into_iter().find(|cell| cell.to_string() == *name);
    if cell.is_some_and(|cell| measure(&cell, settings, *run) == *before) {
        return Ok(());
    }
    let path = path.display();
    Err(Failed::usage(format!(
        "{path}: run {run} of {name} is another one now: these runs are of another build; leave out --resume to begin anew"
    )))
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let least = Duration::from_micros(Settings::DURATION_MICROS_MIN);
    if duration < least || duration > Duration::from_micros(TIME_MICROS_MAX / 24) {
        return Err(format!("give at least {} and at most 1h", humantime::format_duration(least)));
    }
    Ok(duration)
}

/// The command that makes the report again.
fn command(arguments: &CapReport) -> String {
    let duration = humantime::format_duration(arguments.duration).to_string().replace(' ', "");
    let cells: String = arguments.cells.iter().map(|cell| format!(" --cells {cell}")).collect();
    format!("storm report cap --runs {} --duration {duration} --seed {}{cells}", arguments.runs, arguments.seed)
}

fn show(facts: &CapFacts, page: &Path, took: Duration, resumed: usize, json: bool) {
    let against: Vec<&str> =
        facts.cells.iter().filter(|cell| cell.contradicts()).map(|cell| cell.key.as_str()).collect();
    let runs: usize = facts.cells.iter().map(|cell| cell.runs.len()).sum();
    let seconds = took.as_secs_f64();
    if json {
        let told = json!({ "page": page, "cells": facts.cells.len(), "runs": runs, "contradictions": against,
            "resumed": resumed, "seconds": seconds });
        return print(&told.to_string());
    }
    for cell in facts.cells.iter().filter(|cell| cell.contradicts()) {
        print(&format!("{} contradicts theory", cell.key));
        for fact in cell.theory.iter().filter(|fact| !fact.holds) {
            print(&format!("    {}: {}", fact.claim, fact.seen));
        }
        print(&format!("    {}", cell.replay));
    }
    print(&format!(
        "{runs} runs of {} cells in {seconds:.1} s, {} contradict theory",
        facts.cells.len(),
        against.len()
    ));
    print(&page.display().to_string());
}

fn environment(path: &Path, error: &std::io::Error) -> Failed {
    Failed::environment(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_chosen_by_any_part_of_their_names() {
        let count = |words: &[&str]| {
            chosen(&words.iter().map(|word| (*word).to_string()).collect::<Vec<_>>()).map(|cells| cells.len())
        };
        assert_eq!(count(&[]).ok(), Some(144));
        assert_eq!(count(&["n3-quorum-quorum", "n5-one-one-none"]).ok(), Some(8 + 1));
        assert!(count(&["n3", "nowhere"]).is_err_and(|failed| failed.code == 2 && failed.message.contains("nowhere")));
    }

    #[test]
    fn runs_of_other_settings_or_of_another_build_are_not_gone_on_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("runs.jsonl");
        let settings = Settings { seed: 1, duration_micros: Settings::DURATION_MICROS_MIN };
        assert!(read_done(&path, &settings).is_ok_and(|done| done.is_empty()));
        let cell = cells()[0];
        let measured = measure(&cell, &settings, 0);
        let head = serde_json::to_string(&Made { seed: 1, duration_micros: settings.duration_micros }).expect("JSON");
        let line = |measured: CapRun| {
            serde_json::to_string(&RunLine { cell: cell.to_string(), run: 0, measured }).expect("JSON")
        };
        let write = |text: String| fs::write(&path, text).expect("the test may write");
        write(format!("{head}\n{}\n{{\"cell\":\"n3", line(measured.clone())));
        assert!(read_done(&path, &settings).is_ok_and(|done| done.len() == 1), "a last line may be torn");
        let other = Settings { seed: 2, ..settings };
        assert!(read_done(&path, &other).is_err_and(|failed| failed.message.contains("--seed 1")));
        write(format!("{head}\n{}\n", line(CapRun { trace: "0".to_string(), ..measured })));
        assert!(read_done(&path, &settings).is_err_and(|failed| failed.message.contains("another build")));
        write(format!("{head}\nrubbish\n{head}\n"));
        assert!(read_done(&path, &settings).is_err_and(|failed| failed.code == 2 && failed.message.contains(":2:")));
    }
}
