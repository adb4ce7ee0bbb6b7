//! `storm diff`: where two runs part, of two scenarios, of one with two seeds, or of traces that were saved. Runs are
//! compared while they go on, so that nothing of them is kept but a few events.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use clap::Args;
use serde_json::json;
use sim::campaign::diff::{Difference, Parting, compare, is_event};
use sim::run::{Progress, run_recording};
use sim::scenario::{self, Plan};
use sim::world::{EventSink, Recording};

use crate::{Failed, print};

/// Events that a run may be ahead of the comparison.
const AHEAD_MAX: usize = 4_096;
/// No event takes a longer line.
const LINE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  storm diff scenarios/standard.yaml --seed-b 2        one scenario, its own seed and seed 2\n  \
    storm diff before.yaml after.yaml --seed 7           two scenarios, one seed\n  storm run x.yaml --trace > a.txt; \
    storm diff a.txt b.txt\n\nA file that ends in .yaml is a scenario, any other a trace that `storm run --trace` printed; \
    what is no event is passed over. Exit code 0: the same; 1: they part."
)]
pub(crate) struct Diff {
    /// A scenario or a trace.
    #[arg(value_name = "A")]
    first: PathBuf,
    /// Another; without it, the first scenario with the seed of --seed-b.
    #[arg(value_name = "B", required_unless_present = "seed_b")]
    second: Option<PathBuf>,
    /// The seed; without it, each scenario's own.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The seed of the second; without it, that of --seed.
    #[arg(long, value_name = "N")]
    seed_b: Option<u64>,
    /// Events to show before and after they part.
    #[arg(long, value_name = "N", default_value_t = 10)]
    context: usize,
}

type Lines = Box<dyn Iterator<Item = Result<String, Failed>>>;

pub(crate) fn diff(arguments: &Diff, json: bool) -> Result<ExitCode, Failed> {
    let second = arguments.second.as_ref().unwrap_or(&arguments.first);
    let mut first = events(&arguments.first, arguments.seed)?;
    let mut second = events(second, arguments.seed_b.or(arguments.seed))?;
    let difference = compare(&mut first, &mut second, arguments.context)?;
    show(&difference, json);
    Ok(ExitCode::from(match difference {
        Difference::None(_) => 0,
        Difference::Parting(_) => 1,
    }))
}

fn events(file: &Path, seed: Option<u64>) -> Result<Lines, Failed> {
    if file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
        let plan = scenario::load(file).map_err(Failed::usage)?;
        let seed = seed.unwrap_or(plan.seed);
        return Ok(Box::new(run_events(plan, seed)));
    }
    if let Some(seed) = seed {
        let file = file.display();
        return Err(Failed::usage(format!(
            "{file}: a saved trace has its seed already; --seed {seed} is for scenarios"
        )));
    }
    saved_events(file)
}

/// The events of a run, which goes on in a thread of its own for as long as they are asked for.
fn run_events(plan: Plan, seed: u64) -> impl Iterator<Item = Result<String, Failed>> {
    let (sender, events) = sync_channel::<Option<String>>(AHEAD_MAX);
    thread::spawn(move || {
        let told = sender.clone();
        // Whoever has seen enough is gone: the rest of the run is nobody's.
        let each: EventSink = Box::new(move |event| drop(told.send(Some(event.to_string()))));
        run_recording(&plan, seed, &Progress::default(), Recording { last: 0, each: Some(each) });
        drop(sender.send(None));
    });
    until_the_end(events).map(Ok)
}

fn until_the_end(events: Receiver<Option<String>>) -> impl Iterator<Item = String> {
    std::iter::from_fn(move || events.recv().ok().flatten()).fuse()
}

/// The events of a saved trace.
fn saved_events(path: &Path) -> Result<Lines, Failed> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Failed::usage(format!("{name}: {error}")))?;
    let (mut reader, mut line, mut number, mut found) = (BufReader::new(file), Vec::new(), 0_u64, false);
    Ok(Box::new(std::iter::from_fn(move || {
        loop {
            line.clear();
            number += 1;
            if let Err(error) = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
                return Some(Err(Failed::usage(format!("{name}: {error}"))));
            }
            if line.len() as u64 == LINE_BYTES_MAX {
                return Some(Err(Failed::usage(format!("{name}:{number}: no trace has a line as long as this"))));
            }
            if line.is_empty() {
                let empty = || Failed::usage(format!("{name}: has no events; save one with `storm run --trace`"));
                return (!found).then(|| {
                    found = true;
                    Err(empty())
                });
            }
            let text = String::from_utf8_lossy(&line);
            if is_event(&text) {
                found = true;
                return Some(Ok(text.trim_end().to_string()));
            }
        }
    })))
}

fn show(difference: &Difference, json: bool) {
    match difference {
        Difference::None(count) if json => print(&json!({ "equal": true, "shared_count": count }).to_string()),
        Difference::None(count) => print(&format!("the same: {count} events")),
        Difference::Parting(Parting { shared_count, shared, first, second }) if json => {
            let parting = json!({
                "equal": false, "shared_count": shared_count, "shared": shared, "a": first, "b": second,
            });
            print(&parting.to_string());
        }
        Difference::Parting(Parting { shared_count, shared, first, second }) => {
            print(&format!("they part after {shared_count} events"));
            for (mark, lines) in [(" ", shared), ("a", first), ("b", second)] {
                lines.iter().for_each(|line| print(&format!("{mark} {line}")));
                if lines.is_empty() && mark != " " {
                    print(&format!("{mark} (over)"));
                }
            }
        }
    }
}
