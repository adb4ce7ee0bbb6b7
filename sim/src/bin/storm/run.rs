//! `storm run`: one scenario, one seed, one verdict; in words, as JSON, or as a report in a directory, with a page that shows
//! every operation. Longer runs show their progress on a terminal, and nothing in a pipe. With `--trace` every event is
//! printed before the verdict, as it happens.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Stdout, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reports::{RunDetail, Style};
use serde_json::json;
use sim::history::write_json_lines;
use sim::run::{Choice, Progress, Run, run_in_detail, run_recording};
use sim::scenario::{self, Plan};
use sim::world::{Event, EventSink, Recording};

use crate::arguments;
use crate::{Failed, exit_code, print};

/// No bar for runs that are over sooner.
const PATIENCE: Duration = Duration::from_millis(1_000);

pub(crate) fn run(arguments: &arguments::Run, json: bool) -> Result<ExitCode, Failed> {
    let plan = scenario::load(&arguments.scenario).map_err(Failed::usage)?;
    let seed = arguments.seed.unwrap_or(plan.seed);
    let choice = arguments.out.is_some().then(Choice::default);
    let shown = Shown { last: arguments.events, each: arguments.trace, json };
    let (run, detail) = with_progress(&plan, seed, choice, shown)?;
    if let Some(directory) = &arguments.out {
        write(directory, &run, &detail)?;
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

/// Which events are shown, and how.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shown {
    /// The last so many, after the run.
    pub(crate) last: usize,
    /// Each one as it happens.
    pub(crate) each: bool,
    /// For programs; then there is no progress either.
    pub(crate) json: bool,
}

/// Runs on a thread of its own, so that this one can show how far it has come. The detail is empty unless messages are
/// chosen.
pub(crate) fn with_progress(
    plan: &Plan,
    seed: u64,
    choice: Option<Choice>,
    shown: Shown,
) -> Result<(Run, RunDetail), Failed> {
    let progress = Progress::default();
    let (inside, watched) = (plan.clone(), progress.clone());
    let printed = Arc::new(Mutex::new(BufWriter::new(std::io::stdout())));
    let each = shown.each.then(|| printing(printed.clone(), shown.json));
    let recording = Recording { last: shown.last, each };
    let run = thread::spawn(move || match choice {
        Some(choice) => run_in_detail(&inside, seed, &watched, recording, choice),
        None => (run_recording(&inside, seed, &watched, recording), RunDetail::default()),
    });
    if !shown.json && !shown.each && std::io::stderr().is_terminal() {
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
    let run = run.join();
    // A reader that has gone away is no error.
    let _ = printed.lock().unwrap_or_else(PoisonError::into_inner).flush();
    run.map_err(|_| Failed::environment("the run panicked, which is a bug: the message above says where"))
}

/// Prints each event as it happens; only what does not fit into a buffer is waited for.
fn printing(printed: Arc<Mutex<BufWriter<Stdout>>>, json: bool) -> EventSink {
    Box::new(move |event: &Event<'_>| {
        let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = match json {
            false => writeln!(printed, "{event}"),
            true => {
                let words: Vec<String> = event.words.iter().map(|word| format!("{word:x}")).collect();
                let (micros, who, kind) = (event.micros, event.who(), event.kind);
                writeln!(printed, "{}", json!({ "micros": micros, "who": who, "kind": kind, "words": words }))
            }
        };
    })
}

fn write(directory: &Path, run: &Run, detail: &RunDetail) -> Result<(), Failed> {
    reports::write(directory, &run.facts).map_err(Failed::environment)?;
    reports::write_page(directory, &run.facts, detail).map_err(Failed::environment)?;
    let path = directory.join("history.jsonl");
    let written = File::create(&path).and_then(|file| {
        let mut file = BufWriter::new(file);
        write_json_lines(&run.history, &mut file)?;
        file.flush()
    });
    written.map_err(|error| Failed::environment(format!("{}: {error}", path.display())))
}
