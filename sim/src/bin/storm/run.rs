//! `storm run`: one scenario, one seed, one verdict; in words, as JSON, or as a report in a directory. Longer runs show their
//! progress on a terminal, and nothing in a pipe.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reports::Style;
use sim::history::write_json_lines;
use sim::run::{Progress, Run, run_watched};
use sim::scenario::{self, Plan};

use crate::arguments;
use crate::{Failed, exit_code, print};

/// No bar for runs that are over sooner.
const PATIENCE: Duration = Duration::from_millis(1_000);

pub(crate) fn run(arguments: &arguments::Run, json: bool) -> Result<ExitCode, Failed> {
    let plan = scenario::load(&arguments.scenario).map_err(Failed::usage)?;
    let seed = arguments.seed.unwrap_or(plan.seed);
    let run = with_progress(&plan, seed, arguments.events, json)?;
    if let Some(directory) = &arguments.out {
        write(directory, &run)?;
    }
    if json {
        print(&serde_json::to_string(&run.facts).expect("facts are plain values"));
    } else {
        for event in &run.trace_tail {
            print(event);
        }
        let style = Style { colours: std::io::stdout().is_terminal() };
        print(reports::text(&run.facts, style).trim_end());
    }
    Ok(ExitCode::from(exit_code(run.facts.verdict)))
}

/// Runs on a thread of its own, so that this one can show how far it has come.
fn with_progress(plan: &Plan, seed: u64, events: usize, json: bool) -> Result<Run, Failed> {
    let progress = Progress::default();
    let (inside, watched) = (plan.clone(), progress.clone());
    let run = thread::spawn(move || run_watched(&inside, seed, &watched, events));
    if !json && std::io::stderr().is_terminal() {
        let started = std::time::Instant::now();
        let style = ProgressStyle::with_template("{bar:40} {msg} virtual").expect("the template is well-formed");
        let bar = ProgressBar::hidden().with_style(style);
        bar.set_length(plan.workload.duration_micros);
        while !run.is_finished() {
            if started.elapsed() > PATIENCE && bar.is_hidden() {
                bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            }
            let micros = progress.load(Ordering::Relaxed);
            bar.set_position(micros);
            bar.set_message(format!("{:.1} s", micros as f64 / 1e6));
            thread::sleep(Duration::from_millis(10));
        }
        bar.finish_and_clear();
    }
    run.join().map_err(|_| Failed::environment("the run panicked, which is a bug: the message above says where"))
}

fn write(directory: &Path, run: &Run) -> Result<(), Failed> {
    reports::write(directory, &run.facts).map_err(Failed::environment)?;
    let path = directory.join("history.jsonl");
    let written = File::create(&path).and_then(|file| {
        let mut file = BufWriter::new(file);
        write_json_lines(&run.history, &mut file)?;
        file.flush()
    });
    written.map_err(|error| Failed::environment(format!("{}: {error}", path.display())))
}
