//! `storm crashes`: power lost at every I/O boundary of the engine, in every way a disk allows, for as long as there is time.
//! Seeds are explored one after the other, several at a time; each is a world of its own, so that how many changes no result.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sim::crash::{self, Ending, FileKind, Hashes, Phase, Settings, State, Trial, Violation};

use crate::arguments;
use crate::{Failed, print};

/// Violations that are told.
const TOLD_MAX: usize = 5;

/// What all jobs have found together.
#[derive(Default)]
struct Found {
    hashes: Hashes,
    states: BTreeMap<(Phase, FileKind, &'static str), u64>,
    manifests_rotated: u64,
    trials: BTreeMap<(&'static str, Phase), Endings>,
    violations: Vec<Violation>,
    boundaries: u64,
    seeds: u64,
}

/// How the trials of one fault ended.
#[derive(Default)]
struct Endings {
    right: u64,
    refused: u64,
    cut_short: u64,
}

/// Who tells the jobs to go on, and hears what they find.
struct Campaign<'a> {
    arguments: &'a arguments::Crashes,
    deadline: Instant,
    next_seed: AtomicU64,
    is_over: AtomicBool,
    found: Mutex<Found>,
    bar: ProgressBar,
}

pub(crate) fn crashes(arguments: &arguments::Crashes, json: bool) -> Result<ExitCode, Failed> {
    if let Some(state) = arguments.state {
        return replay(arguments.seed, state, json);
    }
    if let Some(trial) = arguments.trial {
        return replay_trial(arguments.seed, trial, json);
    }
    let started = Instant::now();
    let jobs = arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
    let campaign = Campaign {
        arguments,
        deadline: started + arguments.time,
        next_seed: AtomicU64::new(arguments.seed),
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
    let found = campaign.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    show(&found, started.elapsed(), jobs, json);
    // A campaign that looked at nothing proves nothing.
    Ok(ExitCode::from(u8::from(!found.violations.is_empty() || found.hashes.is_empty())))
}

fn bar(json: bool) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} crash states, {msg}, {elapsed}");
    ProgressBar::no_length().with_style(style.expect("the template is well-formed"))
}

impl Campaign<'_> {
    fn work(&self) {
        let enough = usize::try_from(self.arguments.violations).unwrap_or(usize::MAX);
        let defaults = Settings::default();
        let settings = Settings { violations_most: defaults.violations_most.min(enough), ..defaults };
        while !self.is_over() {
            let seed = self.next_seed.fetch_add(1, Ordering::Relaxed);
            if self.arguments.seeds.is_some_and(|seeds| seed - self.arguments.seed >= seeds) {
                return;
            }
            let explored = crash::explore(seed, &settings, &mut |state| self.see(state));
            let of_faults = if explored.violations.len() < enough {
                crash::try_faults(seed, &mut |trial| self.hear(trial))
            } else {
                Vec::new()
            };
            let mut found = self.found();
            found.boundaries += explored.boundaries;
            found.manifests_rotated += explored.manifests_rotated;
            found.seeds += 1;
            found.violations.extend(explored.violations);
            found.violations.extend(of_faults);
            self.bar.set_message(format!("{} violations", found.violations.len()));
            if found.violations.len() >= enough {
                self.is_over.store(true, Ordering::Relaxed);
            }
        }
    }

    fn hear(&self, trial: &Trial) -> ControlFlow<()> {
        let mut found = self.found();
        let endings = found.trials.entry((trial.kind, trial.phase)).or_default();
        match trial.ending {
            Ending::Right => endings.right += 1,
            Ending::Refused => endings.refused += 1,
            Ending::CutShort => endings.cut_short += 1,
        }
        drop(found);
        if self.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn see(&self, state: &State) -> ControlFlow<()> {
        let mut found = self.found();
        if self.is_over() {
            return ControlFlow::Break(());
        }
        if found.hashes.insert(state.hash) {
            *found.states.entry((state.phase, state.file, state.operation)).or_insert(0) += 1;
            self.bar.inc(1);
        }
        if self.arguments.states.is_some_and(|states| found.hashes.len() as u64 >= states) {
            self.is_over.store(true, Ordering::Relaxed);
        }
        drop(found);
        if self.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Makes one trial again.
fn replay_trial(seed: u64, wanted: u64, json: bool) -> Result<ExitCode, Failed> {
    let mut last = None;
    let violations = crash::try_faults(seed, &mut |trial| {
        last = Some(*trial);
        if trial.number < wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let violation = violations.iter().find(|violation| violation.trial == Some(wanted));
    match (violation, last) {
        (Some(violation), _) => tell(violation, json),
        (None, Some(trial)) if trial.number == wanted => {
            let Trial { kind, phase, ending, .. } = trial;
            let text = format!("seed {seed}, trial {wanted} ({kind}, {phase}): holds, {}", words(ending));
            let value = json!({ "seed": seed, "trial": wanted, "kind": kind, "ending": words(ending) });
            print(&if json { value.to_string() } else { text });
        }
        (None, last) => {
            let trials = last.map_or(0, |trial| trial.number);
            return Err(Failed::usage(format!("--trial {wanted}: seed {seed} has {trials} trials")));
        }
    }
    Ok(ExitCode::from(u8::from(violation.is_some())))
}

fn words(ending: Ending) -> &'static str {
    match ending {
        Ending::Right => "right",
        Ending::Refused => "refused by file",
        Ending::CutShort => "unproven end cut and reported",
    }
}

/// Judges one state again, and tells what was expected and found.
fn replay(seed: u64, wanted: u64, json: bool) -> Result<ExitCode, Failed> {
    let mut last = None;
    let explored = crash::explore(seed, &Settings::default(), &mut |state| {
        last = Some(*state);
        if state.number < wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let violation = explored.violations.iter().find(|violation| violation.state == Some(wanted));
    match (violation, last) {
        (Some(violation), _) => tell(violation, json),
        (None, Some(state)) if state.number == wanted && !json => {
            print(&format!(
                "seed {seed}, state {wanted} ({} of {}, {}): holds",
                state.operation, state.file, state.phase
            ));
        }
        (None, Some(state)) if state.number == wanted => print(&json!({ "seed": seed, "state": wanted }).to_string()),
        (None, _) => {
            let states = explored.states;
            return Err(Failed::usage(format!("--state {wanted}: seed {seed} has {states} states")));
        }
    }
    Ok(ExitCode::from(u8::from(violation.is_some())))
}

fn tell(violation: &Violation, json: bool) {
    let Violation { seed, state, trial, phase, boundary, operation, file, survivor, expected, message, files } =
        violation;
    let replay = state.map(|state| format!("storm crashes --seed {seed} --state {state}"));
    let replay = replay.or_else(|| trial.map(|trial| format!("storm crashes --seed {seed} --trial {trial}")));
    if json {
        let violation = json!({
            "seed": seed, "state": state, "trial": trial, "phase": phase.to_string(), "boundary": boundary, "operation": operation,
            "file": file.to_string(), "survivor": survivor, "expected": expected, "found": message, "files": files, "replay": replay,
        });
        return print(&violation.to_string());
    }
    print(&format!("seed {seed}: {message}"));
    let Some(replay) = replay else { return };
    if state.is_some() {
        print(&format!("    power lost at boundary {boundary} of the {phase} ({operation}, {file}); {survivor}"));
        print(&format!("    expected: {} to {} writes, in order, whole", expected.0, expected.1));
    }
    for (name, length) in files {
        print(&format!("    {name}{}", length.map_or_else(|| "/".to_string(), |length| format!("  {length} bytes"))));
    }
    print(&format!("    replay: {replay}"));
}

fn show(found: &Found, elapsed: Duration, jobs: usize, json: bool) {
    let Found { hashes, states, manifests_rotated, trials, violations, boundaries, seeds } = found;
    let seconds = elapsed.as_secs_f64();
    for violation in violations.iter().take(TOLD_MAX) {
        tell(violation, json);
    }
    if json {
        return print(&summary(found, seconds).to_string());
    }
    for ((phase, file, operation), states) in states {
        print(&format!("{states:>10}  power lost at {operation} of {file}, {phase}"));
    }
    for ((kind, phase), Endings { right, refused, cut_short }) in trials {
        let told = format!("right {right}, refused by file {refused}, unproven end cut and reported {cut_short}");
        print(&format!("{:>10}  {kind}, {phase}: {told}", right + refused + cut_short));
    }
    let rate = hashes.len() as f64 / seconds;
    print(&format!(
        "{boundaries} boundaries of {seeds} seeds, {manifests_rotated} manifests rotated, in {seconds:.1} s, {jobs} at a time: {rate:.0} states/s"
    ));
    print("a state is a distinct disk, every name and byte of it; trials with faults are not among them");
    print(&format!("{} crash states, {} violations", hashes.len(), violations.len()));
}

fn summary(found: &Found, seconds: f64) -> serde_json::Value {
    let states = found.states.iter().map(
        |((phase, file, operation), states)| json!({ "phase": phase.to_string(), "file": file.to_string(), "operation": operation, "states": states }),
    );
    let trials = found.trials.iter().map(|((kind, phase), endings)| {
        let Endings { right, refused, cut_short } = endings;
        json!({
            "fault": kind, "phase": phase.to_string(), "right": right, "refused": refused, "cut_short": cut_short,
        })
    });
    json!({
        "states": found.hashes.len(), "violations": found.violations.len(), "boundaries": found.boundaries,
        "seeds": found.seeds, "seconds": seconds, "by_kind": states.collect::<Vec<_>>(),
        "trials": trials.collect::<Vec<_>>(),
    })
}
