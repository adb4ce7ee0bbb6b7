//! `storm check`: the history of any database, judged. Exit code 0: it is linearizable; 1: it is not; 2: it could not be read;
//! 4: undecided within the memory given. Reading and judging are timed apart.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use reports::history::{BarFacts, HistoryFacts, UndecidedFacts, ViolationFacts, history_page};
use sim::check::order::{self, Bounds, Judgement, Violation};
use sim::journal::{self, Call, Journal, KeyStyle, ModelName, NEVER, Options, ReadError, Reading};

use crate::{Failed, print};

/// Calls of the smallest sub-history that are printed.
const PRINTED_MAX: usize = 24;

#[derive(Debug, Args)]
#[command(after_help = "\
A history is one event a line, or a list of them: EDN as Jepsen writes it,
  {:process 9, :type :invoke, :f :append, :key \"0\", :value \"x\"}
or JSON,
  {\"process\":3,\"type\":\"ok\",\"f\":\"write\",\"key\":\"k1\",\"value\":17,\"time_micros\":340}
`:type` is invoke, then ok, fail (it did not happen) or info (nobody knows; an invocation without a completion is the same). \
Each process has one call in flight. Processes that are no numbers (:nemesis) and all other fields are ignored. The key is in \
:key, or in the value, [k v], as Jepsen's independent keys are; without one there is one object. Every key is judged alone.

Models, and what can be called:
  register       read, write, delete
  cas-register   and cas, with the value [old new]
  kv             read (get), write (put), append, delete; values are texts, a read returns the whole of it
  set            read (returns all elements), add, remove
  counter        read, add (increment, decrement)
  queue          enqueue, dequeue (returns nil when it was empty)
  lock           acquire, release

Exit codes: 0 linearizable; 1 not; 2 the history cannot be read; 4 undecided within the memory given.

Examples:
  storm check history.edn --model cas-register
  storm check history.jsonl --model register --out verdict
  storm generate --model kv --operations 100000 --keys 100 | storm check - --model kv")]
pub(crate) struct Check {
    /// The history; `-` reads what is piped in.
    #[arg(value_name = "HISTORY")]
    history: PathBuf,
    /// The object whose history it is.
    #[arg(long, value_enum, value_name = "MODEL")]
    model: ModelArgument,
    /// Where the key of a call stands.
    #[arg(long, value_enum, value_name = "WHERE", default_value = "auto")]
    keys: KeysArgument,
    /// A failed cas means that the register held another value, not only that nothing happened.
    #[arg(long)]
    failed_cas_differed: bool,
    /// Memory for the search, such as 512MiB or 2GiB; more is undecided.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = parse_bytes)]
    memory: u64,
    /// Keys judged at a time; without it, one for each processor.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Write verdict.html, with a picture of each violation, and verdict.json here.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the page alone, to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ModelArgument {
    Register,
    CasRegister,
    Kv,
    Set,
    Counter,
    Queue,
    Lock,
}

impl ModelArgument {
    pub(crate) fn name(self) -> ModelName {
        match self {
            Self::Register => ModelName::Register,
            Self::CasRegister => ModelName::CasRegister,
            Self::Kv => ModelName::Kv,
            Self::Set => ModelName::Set,
            Self::Counter => ModelName::Counter,
            Self::Queue => ModelName::Queue,
            Self::Lock => ModelName::Lock,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeysArgument {
    /// As in the first event.
    Auto,
    /// In the field `key`.
    Field,
    /// In the value: [key value].
    Tuple,
    /// There is one object.
    None,
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is no size: write it as 512MiB or 2GiB"))?;
    let unit: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(format!("`{unit}` is no unit of memory: use KiB, MiB or GiB")),
    };
    number.checked_mul(unit).ok_or_else(|| format!("`{text}` is more than there can be"))
}

pub(crate) fn check(arguments: &Check, json: bool) -> Result<ExitCode, Failed> {
    let jobs = arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
    let bar = spinner(json);
    bar.set_message("reading");
    let started = Instant::now();
    let Reading { journal, bytes } = read(arguments, jobs)?;
    let read_in = started.elapsed();
    bar.set_message(format!("judging {} calls", journal.calls.len()));
    let started = Instant::now();
    let judgement = order::judge(&journal, &Bounds { memory_bytes: arguments.memory, jobs });
    let checked_in = started.elapsed();
    bar.finish_and_clear();
    let facts = facts(arguments, &journal, &judgement, bytes, (read_in, checked_in));
    write(arguments, &facts)?;
    match json {
        true => print(&serde_json::to_string(&facts).expect("facts are plain values")),
        false => tell(&facts),
    }
    Ok(ExitCode::from(match (facts.failed_keys, facts.undecided.is_empty()) {
        (0, true) => 0,
        (0, false) => 4,
        _ => 1,
    }))
}

fn spinner(json: bool) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn read(arguments: &Check, jobs: usize) -> Result<Reading, Failed> {
    let keys = match arguments.keys {
        KeysArgument::Auto => KeyStyle::Auto,
        KeysArgument::Field => KeyStyle::Field,
        KeysArgument::Tuple => KeyStyle::Tuple,
        KeysArgument::None => KeyStyle::None,
    };
    let model = arguments.model.name();
    let options = Options { model, keys, failed_cas_differed: arguments.failed_cas_differed, jobs };
    let is_piped = arguments.history == Path::new("-");
    let read = if is_piped {
        journal::read(std::io::stdin().lock(), &options)
    } else {
        journal::read_file(&arguments.history, &options)
    };
    let name = arguments.history.display();
    read.map_err(|error| match error {
        ReadError::Io(error) => Failed::usage(format!("{name}: {error}")),
        at @ ReadError::At { .. } => Failed::usage(format!("{name}:{at}")),
    })
}

fn facts(
    arguments: &Check,
    journal: &Journal,
    judgement: &Judgement,
    bytes: u64,
    (read_in, checked_in): (Duration, Duration),
) -> HistoryFacts {
    let undecided = judgement.undecided.iter().map(|undecided| UndecidedFacts {
        key: journal.show_key(undecided.key),
        calls: undecided.calls as u64,
        reason: undecided.reason.clone(),
    });
    HistoryFacts {
        file: arguments.history.display().to_string(),
        model: journal.model.to_string(),
        keys: judgement.keys as u64,
        calls: judgement.calls,
        failed_keys: judgement.failed_keys.len() as u64,
        undecided: undecided.collect(),
        violations: judgement.violations.iter().map(|violation| violation_facts(journal, violation)).collect(),
        bytes,
        read_seconds: read_in.as_secs_f64(),
        check_seconds: checked_in.as_secs_f64(),
    }
}

fn violation_facts(journal: &Journal, violation: &Violation) -> ViolationFacts {
    let bar = |call: &Call, point: Option<f64>, is_needed: bool| BarFacts {
        process: journal.processes[call.process as usize],
        label: journal.show_call(call),
        place: order::place(journal, call),
        from: call.invoked,
        until: (call.completed != NEVER).then_some(call.completed),
        point,
        is_needed,
        is_culprit: call.invoked == violation.culprit.invoked,
    };
    ViolationFacts {
        key: journal.show_key(violation.key),
        sentence: violation.sentence.clone(),
        prefix_calls: violation.prefix_calls as u64,
        completed_calls: violation.completed_calls as u64,
        states: violation.states.clone(),
        more_states: violation.more_states,
        needed: violation.needed.iter().map(|call| bar(call, None, true)).collect(),
        bars: violation.bars.iter().map(|drawn| bar(&drawn.call, drawn.point, drawn.is_needed)).collect(),
    }
}

fn write(arguments: &Check, facts: &HistoryFacts) -> Result<(), Failed> {
    let failed = |path: &Path, error: std::io::Error| Failed::environment(format!("{}: {error}", path.display()));
    if let Some(directory) = &arguments.out {
        fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
        let (page, data) = (directory.join("verdict.html"), directory.join("verdict.json"));
        fs::write(&page, history_page(facts)).map_err(|error| failed(&page, error))?;
        let json = serde_json::to_string_pretty(facts).expect("facts are plain values");
        fs::write(&data, json + "\n").map_err(|error| failed(&data, error))?;
    }
    if let Some(page) = &arguments.html {
        fs::write(page, history_page(facts)).map_err(|error| failed(page, error))?;
    }
    Ok(())
}

fn tell(facts: &HistoryFacts) {
    let HistoryFacts { file, model, keys, calls, failed_keys, undecided, violations, .. } = facts;
    let verdict = match (failed_keys, undecided.is_empty()) {
        (0, true) => "LINEARIZABLE",
        (0, false) => "UNDECIDED",
        _ => "NOT LINEARIZABLE",
    };
    print(&format!("{verdict}  {file}  {calls} calls of {keys} keys, each judged as a {model}"));
    for violation in violations {
        print(&format!("\n{}.", violation.sentence));
        let (prefix, completed) = (violation.prefix_calls, violation.completed_calls);
        print(&format!("  the longest prefix that has an order: {prefix} of {completed} acknowledged calls"));
        let shown = &violation.needed[violation.needed.len().saturating_sub(PRINTED_MAX)..];
        let left_out = violation.needed.len() - shown.len();
        let before = if left_out > 0 { format!(" (and {left_out} earlier ones)") } else { String::new() };
        print(&format!("  the fewest calls found that show it{before}:"));
        for call in shown {
            let mark = if call.is_culprit { "✗" } else { " " };
            print(&format!("  {mark} process {:<4} {:<24} {}", call.process, call.label, call.place));
        }
    }
    let told = violations.len() as u64;
    if *failed_keys > told {
        print(&format!("\n{} more keys have no order", failed_keys - told));
    }
    for undecided in undecided {
        print(&format!("\n{} ({} calls) is undecided: {}", undecided.key, undecided.calls, undecided.reason));
    }
    let megabytes = facts.bytes as f64 / 1e6;
    print(&format!("read {megabytes:.1} MB in {:.3} s, judged in {:.3} s", facts.read_seconds, facts.check_seconds));
}
