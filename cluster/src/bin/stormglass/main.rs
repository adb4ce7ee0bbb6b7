//! `stormglass`: the production node and the operator's command line. One of the two places that wire a concrete world
//! (the other is the laboratory's).
//!
//! Exit codes: 0 done; 1 a check failed or the key has no value; 2 bad input or usage; 3 the environment failed; 4 unknown
//! whether it happened.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the production program: the real world is wired here"
)]

mod arguments;
mod bench;
mod client_commands;
mod embedded_commands;
mod engine_arguments;
mod experiment;
mod inspect;
mod operator_arguments;
mod operator_commands;
mod output;
mod ring;
mod serve;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command, Ring};
use operator_arguments::Inspect;
use output::Failed;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failed::environment(format!("no threads to run on: {error}")).report(json),
    };
    let done = runtime.block_on(run(arguments));
    // A blocked I/O thread must not keep a finished program alive.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(failed) => failed.report(json),
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Failed> {
    let json = arguments.json;
    match arguments.command {
        Command::Serve(serve) => serve::serve(&serve).await,
        Command::Get(get) => match get.target.data.clone() {
            Some(data) => embedded_commands::get(&data, &get, json).await,
            None => client_commands::get(&get, json).await,
        },
        Command::Put(put) => match put.target.data.clone() {
            Some(data) => embedded_commands::put(&data, &put, json).await,
            None => client_commands::put(&put, json).await,
        },
        Command::Delete(delete) => match delete.target.data.clone() {
            Some(data) => embedded_commands::delete(&data, &delete, json).await,
            None => client_commands::delete(&delete, json).await,
        },
        Command::Scan(scan) => match scan.target.data.clone() {
            Some(data) => embedded_commands::scan(&data, &scan, json).await,
            None => client_commands::scan(&scan, json).await,
        },
        Command::Status(status) => client_commands::status(&status, json).await,
        Command::Ring(Ring::Explain(explain)) => ring::explain(&explain, json),
        Command::Inspect(what) => inspect(&what, json).await,
        Command::Verify(verify) => operator_commands::verify(&verify, json).await,
        Command::Explain(explain) => embedded_commands::explain(&explain, json).await,
        Command::Statistics(statistics) => embedded_commands::statistics(&statistics, json).await,
        Command::Flush(flush) => embedded_commands::flush(&flush, json).await,
        Command::Compact(compact) => embedded_commands::compact(&compact, json).await,
        Command::Checkpoint(checkpoint) => operator_commands::checkpoint(&checkpoint, json).await,
        Command::Backup(backup) => operator_commands::backup(&backup, json).await,
        Command::Backups(backups) => operator_commands::backups(&backups, json).await,
        Command::Restore(restore) => operator_commands::restore(&restore, json).await,
        Command::Bench(bench) => bench::bench(&bench, json).await,
        Command::Experiment(experiment) => experiment::run(experiment, json).await,
    }
}

async fn inspect(what: &Inspect, json: bool) -> Result<ExitCode, Failed> {
    match what {
        Inspect::Wal(wal) => inspect::wal(&wal.path, json).await,
        Inspect::Table(table) => inspect::table(table, json).await,
        Inspect::Manifest(manifest) => inspect::manifest(&manifest.path, json).await,
        Inspect::Tree(tree) => inspect::tree(tree, json).await,
    }
}
