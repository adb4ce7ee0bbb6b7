//! `stormglass experiment`: what storage engines promise, shown on this engine, this machine and its disk.
//!
//! ```text
//!   filters         the same queries with and without filters          blocks that were not read
//!   cache           a scan runs through a cache that somebody needs     hit rate before, during, after
//!   snapshots       a reader of the past among busy writers             its hash, and what the past takes up
//!   memory          much more data than memory                          resident bytes, reads a second
//!   amplification   strategies, sizes, distributions                    what the engine counts, what the kernel counts
//! ```
//!
//! Each experiment states a claim, prints what it measured row by row, and ends with one sentence and exit code 1 when
//! the claim does not hold. `measure` is how things are measured, `data` is what is written, `table` is what is printed.

mod amplification;
mod cache;
mod data;
mod filters;
mod measure;
mod memory;
mod snapshots;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use engine::Options;
use engine::blocking::BlockingDb;
use engine::world::real::{RealWorld, wait};

use crate::output::Failed;
use data::parse_bytes;

/// The engine that experiments are made on.
type Database = BlockingDb<RealWorld>;

/// Which experiment.
#[derive(Debug, Subcommand)]
pub(crate) enum Experiment {
    /// What filters save, and how their memory is best divided.
    Filters(filters::Filters),
    /// What a long scan does to a cache, and what helps.
    Cache(cache::Cache),
    /// That a snapshot stands still while writers go on, and what that costs.
    Snapshots(snapshots::Snapshots),
    /// That memory stays within its budget, however much data there is.
    Memory(memory::Memory),
    /// What writes, space and reads cost under each strategy, held against the kernel's counters.
    Amplification(amplification::Amplification),
}

/// What every experiment can be told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Work in this folder, which must be empty or not exist, and leave the data there. Without it: a fresh folder in
    /// the system's temporary directory, removed afterwards. Name a folder on a disk where that directory lies in memory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keys, values and queries follow from it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Makes an experiment, on a thread that may wait.
pub(crate) async fn run(experiment: Experiment, json: bool) -> Result<ExitCode, Failed> {
    let made = tokio::task::spawn_blocking(move || match experiment {
        Experiment::Filters(filters) => filters::run(&filters, json),
        Experiment::Cache(cache) => cache::run(&cache, json),
        Experiment::Snapshots(snapshots) => snapshots::run(&snapshots, json),
        Experiment::Memory(memory) => memory::run(&memory, json),
        Experiment::Amplification(amplification) => amplification::run(&amplification, json),
    });
    made.await.map_err(|error| Failed::environment(format!("the experiment ended early: {error}")))?
}

/// The folder of one run. A fresh one goes when this is dropped.
struct Workplace {
    path: PathBuf,
    is_ours: bool,
}

impl Workplace {
    fn new(common: &Common) -> Result<Self, Failed> {
        let (path, is_ours) = match &common.dir {
            Some(path) => (path.clone(), false),
            None => {
                let name = format!("stormglass-experiment-{}", std::process::id());
                (std::env::temp_dir().join(name), true)
            }
        };
        let failed = |error: std::io::Error| Failed::environment(format!("{}: {error}", path.display()));
        std::fs::create_dir_all(&path).map_err(failed)?;
        if std::fs::read_dir(&path).map_err(failed)?.next().is_some() {
            return Err(Failed::usage(format!("{}: the folder is not empty; name one that is", path.display())));
        }
        Ok(Self { path, is_ours })
    }

    /// A data directory in it.
    fn data(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if self.is_ours {
            // What cannot be removed lies in the temporary directory, where somebody else removes it.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn open(directory: &Path, options: Options) -> Result<Database, Failed> {
    Ok(BlockingDb::open(RealWorld::standalone(), wait, directory, options)?.0)
}

/// Removes the data directory of a run that is over, so that runs do not add up on the disk.
fn remove(directory: &Path) -> Result<(), Failed> {
    std::fs::remove_dir_all(directory).map_err(|error| Failed::environment(format!("{}: {error}", directory.display())))
}
