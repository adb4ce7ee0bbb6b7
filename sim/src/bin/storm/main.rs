//! `storm`: the laboratory's command line. It replays scenarios by seed, and says what held.
//!
//! Exit codes: 0 everything held; 1 an expectation failed or the run was vacuous; 2 bad input or usage; 3 the environment
//! failed; 4 undecided within the given bound.

mod arguments;
mod check;
mod crashes;
mod diff;
mod fuzz;
mod generate;
mod list;
mod museum;
mod report;
mod run;
mod shrink;
mod syscalls;
mod transactions;
mod transactions_check;

use std::process::ExitCode;

use clap::Parser;
use reports::facts::Verdict;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    let done = match &arguments.command {
        Command::Run(run) => run::run(run, json),
        Command::Fuzz(fuzz) => fuzz::fuzz(fuzz, json),
        Command::Shrink(shrink) => shrink::shrink(shrink, json),
        Command::Diff(diff) => diff::diff(diff, json),
        Command::Crashes(crashes) => crashes::crashes(crashes, json),
        Command::Check(arguments) => check::check(arguments, json),
        Command::Generate(arguments) => generate::generate(arguments, json),
        Command::Syscalls(syscalls) => syscalls::syscalls(syscalls, json),
        Command::Transactions(transactions) => transactions::transactions(transactions, json),
        Command::List(list) => list::list(list, json),
        Command::Museum(museum) => museum::museum(museum, json),
        Command::Report(report) => report::report(report, json),
    };
    done.unwrap_or_else(|failed| failed.report(json))
}

/// A command that did not do what it was asked, with its exit code.
#[derive(Debug)]
struct Failed {
    code: u8,
    message: String,
}

impl Failed {
    /// 2: bad input or usage.
    fn usage(message: impl ToString) -> Self {
        Self { code: 2, message: message.to_string() }
    }

    /// 3: the environment failed.
    fn environment(message: impl ToString) -> Self {
        Self { code: 3, message: message.to_string() }
    }

    fn report(self, json: bool) -> ExitCode {
        if json {
            print(&serde_json::json!({ "error": self.message, "exit_code": self.code }).to_string());
        } else {
            eprintln!("storm: {}", self.message);
        }
        ExitCode::from(self.code)
    }
}

/// The exit code of a verdict.
fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Holds => 0,
        Verdict::Fails | Verdict::Vacuous => 1,
        Verdict::Undecided => 4,
    }
}

/// Prints one line; a reader that has gone away (`| head`) is no error.
fn print(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
