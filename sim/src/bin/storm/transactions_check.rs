//! `storm transactions check`: any history of transactions, ours or another system's, held against an isolation level.
//! `storm transactions generate`: a history to measure checkers on, the same for everybody.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::json;
use sim::check::cycles::{CycleReport, Level, TransactionAnomaly, check_transactions};
use sim::history::transactions::specimen::TransactionSpecimen;
use sim::history::transactions::{TransactionModel, read_transactions, write_transactions};

use crate::{Failed, print};

const MODELS: [&str; 2] = ["list-append", "rw-register"];

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  storm transactions check history.edn --model list-append --isolation strict-serializable\n\nA \
    history has two events a transaction, one after the other in time, as Jepsen writes them:\n  {:type :invoke, :f :txn, \
    :value [[:append 1 2] [:r 3 nil]], :process 0}\n  {:type :ok, :f :txn, :value [[:append 1 2] [:r 3 [4 5]]], :process 0}\nor \
    the same as JSON, one event a line. Functions are append and r for lists, w and r for registers. No value is written to a \
    key twice.\n\nExit codes: 0 the level is kept as far as can be seen; 1 it is not, or nothing could be seen; 2 the history \
    cannot be judged."
)]
pub(crate) struct Check {
    /// The history.
    #[arg(value_name = "HISTORY")]
    pub(crate) history: PathBuf,
    /// What the keys name; without it, what the operations tell.
    #[arg(long, value_parser = PossibleValuesParser::new(MODELS))]
    pub(crate) model: Option<String>,
    /// The level that it is held against.
    #[arg(long, default_value = "serializable", value_parser = PossibleValuesParser::new(Level::ALL.map(Level::name)))]
    pub(crate) isolation: String,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Where to write it, as JSON lines.
    #[arg(value_name = "HISTORY")]
    pub(crate) history: PathBuf,
    /// The kind of objects.
    #[arg(long, default_value = "list-append", value_parser = PossibleValuesParser::new(MODELS))]
    pub(crate) model: String,
    /// Transactions in all, of four operations on average.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) transactions: u32,
    /// Clients, each with one transaction under way.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) clients: u32,
    /// The seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

fn model_named(name: &str) -> TransactionModel {
    if name == TransactionModel::RwRegister.name() {
        TransactionModel::RwRegister
    } else {
        TransactionModel::ListAppend
    }
}

pub(crate) fn check(arguments: &Check, json: bool) -> Result<ExitCode, Failed> {
    let file = arguments.history.display();
    let level = Level::named(&arguments.isolation).expect("clap lets nothing else pass");
    let opened = File::open(&arguments.history).map_err(|error| Failed::usage(format!("{file}: {error}")))?;
    let started = Instant::now();
    let history =
        read_transactions(BufReader::new(opened)).map_err(|error| Failed::usage(format!("{file}: {error}")))?;
    let read_seconds = started.elapsed().as_secs_f64();
    if let (Some(wanted), Some(model)) = (arguments.model.as_deref().map(model_named), history.model())
        && wanted != model
    {
        let (wanted, model) = (wanted.name(), model.name());
        return Err(Failed::usage(format!(
            "{file}: its operations are of {model}, not of {wanted}: give --model {model}"
        )));
    }
    let report = check_transactions(&history, level);
    let seconds = started.elapsed().as_secs_f64();
    let verdict = match (report.holds(), report.is_vacuous()) {
        (false, _) => "fails",
        (true, true) => "vacuous",
        (true, false) => "holds",
    };
    if json {
        let ruled_out: Vec<&str> = report.ruled_out().into_iter().map(Level::name).collect();
        let value = json!({
            "file": file.to_string(), "verdict": verdict, "level": level.name(), "ruled_out": ruled_out,
            "read_seconds": read_seconds, "seconds": seconds, "report": report,
        });
        print(&value.to_string());
    } else {
        show(&report, &file.to_string(), verdict);
        print(&format!("read in {read_seconds:.2} s, judged in {:.2} s", seconds - read_seconds));
    }
    Ok(ExitCode::from(u8::from(verdict != "holds")))
}

fn show(report: &CycleReport, file: &str, verdict: &str) {
    let CycleReport { level, examined, counts, anomalies } = report;
    print(&format!("{} {level}  {file}", verdict.to_uppercase()));
    print(&format!(
        "    {} committed, {} aborted, {} unknown ({} of them seen); {} operations, {} reads; {} ww, {} wr, {} rw",
        examined.committed,
        examined.aborted,
        examined.unknown,
        examined.unknown_seen,
        examined.operations,
        examined.reads,
        examined.write_write,
        examined.write_read,
        examined.read_write,
    ));
    for (kind, count) in counts {
        let is_forbidden = if level.forbids(*kind) { "forbidden" } else { "allowed" };
        print(&format!("    {count} {kind}, {is_forbidden}"));
    }
    for anomaly in anomalies {
        let TransactionAnomaly { kind, explanation, sub_history, .. } = anomaly;
        print(&format!("{kind}: {explanation}"));
        sub_history.iter().for_each(|line| print(&format!("    {line}")));
    }
    let ruled_out: Vec<&str> = report.ruled_out().into_iter().map(Level::name).collect();
    if !ruled_out.is_empty() {
        print(&format!("this rules out {}", ruled_out.join(", ")));
    }
    if report.is_vacuous() {
        print("no read could have shown anything");
    }
}

pub(crate) fn generate(arguments: &Generate) -> Result<ExitCode, Failed> {
    let Generate { history, model, transactions, clients, seed } = arguments;
    let failed = |error: std::io::Error| Failed::environment(format!("{}: {error}", history.display()));
    let specimen = TransactionSpecimen {
        seed: *seed,
        clients: *clients,
        ..TransactionSpecimen::new(model_named(model), *transactions)
    };
    let mut output = BufWriter::new(File::create(history).map_err(failed)?);
    write_transactions(&specimen.draw(), &mut output).map_err(failed)?;
    output.flush().map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}
