//! `storm generate`: histories that anybody can make again, to try and to measure checkers on.
//! The same arguments give the same bytes, on every machine.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;
use sim::journal::generate::{Format, GenerateError, Specification, generate as draw};

use crate::check::ModelArgument;
use crate::{Failed, print};

#[derive(Debug, Args)]
#[command(after_help = "\
The history is that of a real object with concurrent clients: each call takes effect at a random moment between its \
invocation and its completion. Some calls fail, and some end as unknown (info); those take effect late, or never. The same \
numbers give the same bytes, on every machine. With --illegal one answer is changed so that nothing explains it, in the \
second half of the history.

Examples:
  storm generate --model register --operations 100000 --clients 8 --keys 100 --out history.edn
  storm generate --model kv --operations 1000 --illegal | storm check - --model kv")]
pub(crate) struct Generate {
    /// The object.
    #[arg(long, value_enum, value_name = "MODEL")]
    model: ModelArgument,
    /// Calls in all.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    operations: u64,
    /// Clients, each with one call in flight.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: u32,
    /// Keys, each as likely as the next.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    keys: u32,
    /// The seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Plant one violation.
    #[arg(long)]
    illegal: bool,
    /// How to write it.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "edn")]
    format: FormatArgument,
    /// Reads in a hundred calls; without it, 50, and 2 for a set.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
    reads: Option<u64>,
    /// Calls in a thousand whose outcome is unknown.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=500))]
    unknown: u64,
    /// Calls in a thousand that fail.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=500))]
    fail: u64,
    /// Different values that registers are given; 0: every write has its own. Without it, 0, and 5 for a cas-register.
    #[arg(long, value_name = "N")]
    values: Option<u64>,
    /// Write to this file instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArgument {
    /// Jepsen's.
    Edn,
    /// One JSON object a line.
    Jsonl,
}

pub(crate) fn generate(arguments: &Generate, json: bool) -> Result<ExitCode, Failed> {
    let usual = Specification::usual(arguments.model.name());
    let specification = Specification {
        operations: arguments.operations,
        clients: arguments.clients,
        keys: arguments.keys,
        seed: arguments.seed,
        illegal: arguments.illegal,
        format: match arguments.format {
            FormatArgument::Edn => Format::Edn,
            FormatArgument::Jsonl => Format::JsonLines,
        },
        reads_percent: arguments.reads.unwrap_or(usual.reads_percent),
        unknowns_permille: arguments.unknown,
        fails_permille: arguments.fail,
        values: arguments.values.unwrap_or(usual.values),
        ..usual
    };
    let Some(path) = &arguments.out else {
        let output = std::io::stdout().lock();
        return match write(&specification, output) {
            // Whoever was to read it has gone away (`| head`): that is no error.
            Err(GenerateError::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            Err(error) => Err(failed("standard output", error)),
            Ok(_) => Ok(ExitCode::SUCCESS),
        };
    };
    let name = path.display().to_string();
    let file = File::create(path).map_err(|error| failed(&name, error.into()))?;
    let generated = write(&specification, file).map_err(|error| failed(&name, error))?;
    let (ok, fail, unknown) = (generated.ok, generated.failed, generated.unknown);
    let planted = generated.planted_line;
    if json {
        let facts = json!({ "file": name, "ok": ok, "fail": fail, "unknown": unknown, "planted_line": planted });
        print(&facts.to_string());
    } else {
        let violation = planted.map_or(String::new(), |line| format!("; one violation, in line {line}"));
        print(&format!("{name}: {ok} ok, {fail} failed, {unknown} unknown{violation}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn write(
    specification: &Specification,
    output: impl Write,
) -> Result<sim::journal::generate::Generated, GenerateError> {
    let mut output = BufWriter::with_capacity(1 << 16, output);
    let generated = draw(specification, &mut output)?;
    output.flush()?;
    Ok(generated)
}

fn failed(name: &str, error: GenerateError) -> Failed {
    match error {
        GenerateError::Io(error) => Failed::environment(format!("{name}: {error}")),
        GenerateError::NoPlaceToPlant => Failed::usage(error),
    }
}
