//! `storm syscalls`: the real program under strace, and power lost between any two of its system calls, in every way that
//! POSIX allows, for as long as there is time. Seeds are explored one after the other, several at a time.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use engine::world::real::{RealWorld, wait};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sim::syscalls::{Exploration, Failure, Reality, Settings, Violation, explore};

use crate::{Failed, print};

/// Violations that are told.
const TOLD_MAX: usize = 5;

/// A file system in memory, where there is one.
const IN_MEMORY: &str = "/dev/shm";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  storm syscalls --time 5m\n  storm syscalls --seed 3 --states 1000\n\nNeeds strace, and the \
    program `stormglass` beside storm (cargo build -p cluster). The program is asked to load, put, delete, flush, compact and \
    copy, with memtables of two kilobytes; each write, length and name that it had not synced is then kept, lost, cut or torn: \
    every combination while they are few, a sample beyond. Each crash state is written out and opened by the real engine on a \
    real disk, and one in 64 by `stormglass verify` and `stormglass scan`. What was acknowledged must be there, what is there \
    must be a prefix of what was asked for, and nothing is refused.\n\nA seed repeats what the program is asked, not how its \
    threads take turns: a crash state that was wrong is therefore kept. Look at it with: stormglass verify DIR/data; \
    stormglass inspect wal DIR/data"
)]
pub(crate) struct Syscalls {
    /// How long to go on.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = humantime::parse_duration)]
    time: Duration,
    /// The first seed; others follow until the time is up.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Stop after so many crash states.
    #[arg(long, value_name = "N")]
    states: Option<u64>,
    /// Survivors that are tried of each state of the disk, at most.
    #[arg(long, value_name = "N", default_value_t = 24)]
    survivors: usize,
    /// Seeds at a time; without it, one for each processor.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// The program to watch; without it, the one beside this program.
    #[arg(long, value_name = "FILE")]
    stormglass: Option<PathBuf>,
    /// Keep crash states that are wrong here; without it, in the system's folder for temporary files.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What all jobs have found together.
#[derive(Default)]
struct Found {
    total: Exploration,
    seeds: u64,
    failure: Option<Failure>,
}

/// Who tells the jobs to go on, and hears what they find.
struct Campaign<'a> {
    arguments: &'a Syscalls,
    settings: Settings,
    stormglass: PathBuf,
    starts: RwLock<()>,
    deadline: Instant,
    next_seed: AtomicU64,
    states: AtomicU64,
    is_over: AtomicBool,
    found: Mutex<Found>,
    bar: ProgressBar,
}

pub(crate) fn syscalls(arguments: &Syscalls, json: bool) -> Result<ExitCode, Failed> {
    let stormglass = arguments.stormglass.clone().map_or_else(beside, Ok)?;
    let started = Instant::now();
    let work = Path::new(IN_MEMORY);
    let work = if work.is_dir() { work.to_path_buf() } else { std::env::temp_dir() };
    let scratch = work.join(format!("storm-syscalls-{}", std::process::id()));
    let jobs = arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
    let campaign = Campaign {
        arguments,
        settings: Settings {
            survivors_most: arguments.survivors.max(2),
            scratch: scratch.clone(),
            kept: arguments.out.clone().unwrap_or_else(|| std::env::temp_dir().join("storm-syscalls")),
            ..Settings::default()
        },
        stormglass,
        starts: RwLock::default(),
        deadline: started + arguments.time,
        next_seed: AtomicU64::new(arguments.seed),
        states: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        found: Mutex::default(),
        bar: bar(json),
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| campaign.work());
        }
    });
    campaign.bar.finish_and_clear();
    let _ = std::fs::remove_dir_all(&scratch);
    let found = campaign.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    show(&found, started.elapsed(), jobs, json);
    match found.failure {
        Some(Failure::Environment(message)) => Err(Failed::environment(message)),
        Some(failure @ Failure::Program(_)) => Err(Failed { code: 1, message: failure.to_string() }),
        // A campaign that looked at nothing proves nothing.
        None => Ok(ExitCode::from(u8::from(!found.total.violations.is_empty() || found.total.states == 0))),
    }
}

/// The program of the same build.
fn beside() -> Result<PathBuf, Failed> {
    let storm = std::env::current_exe().map_err(|error| Failed::environment(format!("where is storm? {error}")))?;
    let stormglass = storm.with_file_name(format!("stormglass{}", std::env::consts::EXE_SUFFIX));
    if !stormglass.is_file() {
        let path = stormglass.display();
        return Err(Failed::environment(format!(
            "{path} is missing: build it as storm was built (cargo build -p cluster), or name another with --stormglass"
        )));
    }
    Ok(stormglass)
}

fn bar(json: bool) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} crash states, {msg}, {elapsed}");
    ProgressBar::no_length().with_style(style.expect("the template is well-formed")).with_message("0 violations")
}

impl Campaign<'_> {
    fn work(&self) {
        let world = RealWorld::standalone();
        let reality = Reality { world: &world, wait, stormglass: &self.stormglass, starts: &self.starts };
        while !self.is_over() {
            let seed = self.next_seed.fetch_add(1, Ordering::Relaxed);
            let explored = explore(seed, &reality, &self.settings, &mut |_hash| self.see());
            let mut found = self.found();
            match explored {
                Err(failure) => {
                    found.failure = Some(failure);
                    self.is_over.store(true, Ordering::Relaxed);
                }
                Ok(explored) => found.add(explored),
            }
            self.bar.set_message(format!("{} violations", found.total.violations.len()));
            if found.total.violations.len() >= TOLD_MAX {
                self.is_over.store(true, Ordering::Relaxed);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn see(&self) -> ControlFlow<()> {
        self.bar.inc(1);
        let states = self.states.fetch_add(1, Ordering::Relaxed) + 1;
        if self.arguments.states.is_some_and(|most| states >= most) {
            self.is_over.store(true, Ordering::Relaxed);
        }
        if self.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Found {
    fn add(&mut self, explored: Exploration) {
        let Exploration { calls, moments, states, by_program, torn, violations } = explored;
        self.seeds += 1;
        self.total.calls += calls;
        self.total.moments += moments;
        self.total.states += states;
        self.total.by_program += by_program;
        self.total.torn += torn;
        self.total.violations.extend(violations);
    }
}

fn tell(violation: &Violation, json: bool) {
    let Violation { seed, state, phase, moment, survivor, expected, message, kept } = violation;
    if json {
        let violation = json!({
            "seed": seed, "state": state, "phase": phase, "moment": moment, "survivor": survivor, "expected": expected,
            "found": message, "kept": kept,
        });
        return print(&violation.to_string());
    }
    print(&format!("seed {seed}, crash state {state}: {message}"));
    print(&format!("    power lost in {moment}, in a {phase}; {survivor}"));
    print(&format!("    expected: {} to {} writes, in order, whole", expected.0, expected.1));
    if let Some(kept) = kept {
        print(&format!("    kept: {0}   look: stormglass verify {0}/data", kept.display()));
    }
}

fn show(found: &Found, elapsed: Duration, jobs: usize, json: bool) {
    let Found { total, seeds, .. } = found;
    let Exploration { calls, moments, states, by_program, torn, violations } = total;
    let seconds = elapsed.as_secs_f64();
    for violation in violations.iter().take(TOLD_MAX) {
        tell(violation, json);
    }
    if json {
        let facts = json!({
            "states": states, "violations": violations.len(), "moments": moments, "system_calls": calls,
            "opened_by_stormglass": by_program, "torn_tails": torn, "seeds": seeds, "seconds": seconds,
        });
        return print(&facts.to_string());
    }
    print(&format!(
        "{calls} system calls of {seeds} seeds, {moments} states of the disk, in {seconds:.1} s, {jobs} at a time: {:.0} crash \
         states/s",
        *states as f64 / seconds
    ));
    print(&format!("{torn} crash states had a torn tail; {by_program} were opened by stormglass as well"));
    print(&format!("{states} crash states, {} violations", violations.len()));
}
