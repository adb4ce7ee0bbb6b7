//! What can be typed, and the help that teaches it. Whatever cannot be understood is bad usage: clap says what is wrong, and
//! ends with exit code 2.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// The laboratory: the real database in a sealed world, where a seed decides what goes wrong.
#[derive(Debug, Parser)]
#[command(
    name = "storm",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 everything held; 1 an expectation \
    failed, or too little happened to prove anything; 2 bad input or usage; 3 the environment failed; 4 undecided within the \
    given bound.\n\nStart with:\n  storm list\n  storm run scenarios/standard.yaml --seed 42"
)]
pub(crate) struct Arguments {
    /// Print JSON for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Replay one scenario with one seed, and print the verdict.
    Run(Run),
    /// Run scenarios over many seeds on all cores, and shrink what does not hold.
    Fuzz(crate::fuzz::Fuzz),
    /// Make a failing scenario as small as it can be while it fails the same way.
    Shrink(crate::shrink::Shrink),
    /// Show where two runs part.
    Diff(crate::diff::Diff),
    /// Lose power at every I/O boundary of the storage engine, in every way a disk allows, and judge what is found.
    Crashes(Crashes),
    /// Judge the history of any database: is it linearizable?
    Check(crate::check::Check),
    /// Make a history, linearizable or not, to try checkers on.
    Generate(crate::generate::Generate),
    /// Record the system calls of the real program, lose power between any two of them, and judge what is found.
    Syscalls(crate::syscalls::Syscalls),
    /// Attack the engine's transactions, many at once, and judge what clients saw; or judge a history of transactions.
    Transactions(crate::transactions::Transactions),
    /// List the scenario library, one line each.
    List(List),
    /// Write a page that opens from a file: of one run, of a campaign, or of what every quorum gives and costs.
    Report(crate::report::Report),
    /// Plant known bugs in a copy of the source tree, and see which of them the laboratory finds, and how fast.
    Museum(crate::museum::Museum),
}

#[derive(Debug, Args)]
#[command(
    after_help = "The same scenario and seed give the same trace hash, on every machine, in debug and release. The \
    verdict is `holds`, `fails`, `vacuous` (too little happened to prove anything) or `undecided`."
)]
pub(crate) struct Run {
    /// The scenario.
    #[arg(value_name = "SCENARIO.yaml")]
    pub(crate) scenario: PathBuf,
    /// The seed; without it, the scenario's own.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Write report.html, report.md, report.json, charts and the history here.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the last N events of the trace as well.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) events: usize,
    /// Print every event of the trace, as it happens: virtual microseconds, whose, what, and words in hexadecimal.
    #[arg(long)]
    pub(crate) trace: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  storm crashes --time 5m\n  storm crashes --seed 3 --state 1207\n\nA state is a distinct disk, \
    counted once however many crashes lead to it. Unsynced names and bytes are each kept, lost, cut or torn: every \
    combination while they are few, a sample drawn from the seed beyond."
)]
pub(crate) struct Crashes {
    /// How long to go on.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = humantime::parse_duration)]
    pub(crate) time: Duration,
    /// The first seed; others follow until the time is up.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Seeds at a time; without it, one for each processor.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Stop after so many states.
    #[arg(long, value_name = "N")]
    pub(crate) states: Option<u64>,
    /// Stop after so many seeds.
    #[arg(long, value_name = "N")]
    pub(crate) seeds: Option<u64>,
    /// Stop after so many violations.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) violations: u64,
    /// Judge this state of the first seed again, and tell of no other.
    #[arg(long, value_name = "N", conflicts_with = "trial")]
    pub(crate) state: Option<u64>,
    /// Make this trial of the first seed, with its fault, again, and tell of no other.
    #[arg(long, value_name = "N")]
    pub(crate) trial: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The library.
    #[arg(value_name = "DIR", default_value = "scenarios")]
    pub(crate) directory: PathBuf,
}

/// `A..B`, the first seed and the last.
pub(crate) fn parse_seeds(text: &str) -> Result<(u64, u64), String> {
    let parse = |number: &str| number.parse::<u64>().map_err(|error| format!("`{number}`: {error}"));
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (parse(first)?, parse(last.trim_start_matches('='))?),
        None => (parse(text)?, parse(text)?),
    };
    if first > last {
        Err(format!("`{text}` has no seed: write the smaller one first, as in 1..50"))
    } else {
        Ok((first, last))
    }
}
