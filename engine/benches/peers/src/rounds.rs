//! The parent: has each engine load its data once, then runs group after group, round after round, the engines in turn.
//!
//! ```text
//!   peers-data/loaded/rocksdb-small/   loaded once, copied for each child whose rows begin with data
//!   peers-data/work/                   the folder of the one child that runs
//! ```
//!
//! The engine that begins changes from round to round, so that none always follows the same one. A child that fails
//! costs its own rows only; it is told at the end, and the exit code says so.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::child::{Job, Outcome};
use crate::engines::{Failure, Name};
use crate::glob;
use crate::machine::{Machine, versions};
use crate::process;
use crate::settings::{Compression, Durability};
use crate::table;
use crate::workloads::{self, Cache, Group, Shape, catalogue};

/// The groups with those of their rows that were asked for.
pub(crate) fn chosen(arguments: &Arguments) -> Result<Vec<Group>, Failure> {
    let mut groups = catalogue();
    for pattern in &arguments.rows {
        if !groups.iter().flat_map(|group| &group.rows).any(|row| glob::matches(pattern, &row.name)) {
            return Err(format!("no row is called {pattern:?}; --list shows them").into());
        }
    }
    for group in &mut groups {
        group.rows.retain(|row| arguments.rows.iter().any(|pattern| glob::matches(pattern, &row.name)));
    }
    groups.retain(|group| !group.rows.is_empty());
    Ok(groups)
}

/// What an engine had loaded before the rounds began.
#[derive(Debug, Serialize)]
pub(crate) struct Load {
    /// The engine.
    pub(crate) engine: Name,
    /// What it loaded.
    pub(crate) shape: Shape,
    /// How long that took, opening, settling and closing included.
    pub(crate) seconds: f64,
    /// Bytes that its files took then.
    pub(crate) disk_bytes: u64,
}

/// Everything that was measured, for `--json`.
#[derive(Debug, Serialize)]
struct Record<'a> {
    machine: &'a Machine,
    engines: BTreeMap<Name, String>,
    keys: u64,
    seconds: f64,
    rounds: u64,
    compression: Compression,
    loads: &'a [Load],
    outcomes: &'a [Outcome],
}

/// Runs the groups and prints the tables.
pub(crate) fn run(arguments: &Arguments, groups: &[Group]) -> Result<ExitCode, Failure> {
    if !(arguments.seconds > 0.0 && arguments.seconds <= 3600.0) {
        return Err("--seconds must be above 0, and an hour at most".into());
    }
    let folder = arguments.dir.join("peers-data");
    fs::create_dir(&folder)
        .map_err(|error| format!("cannot make {}: {error}; if no run is under way, remove it", folder.display()))?;
    let machine = Machine::look(&folder);
    table::header(arguments, &machine, groups, workloads::harness_nanos()?);
    let mut rounds = Rounds {
        arguments,
        folder: folder.clone(),
        progress: Progress::new(arguments, groups),
        loads: Vec::new(),
        outcomes: Vec::new(),
        failures: Vec::new(),
    };
    let ran = rounds.run(groups);
    rounds.progress.clear();
    let Rounds { loads, outcomes, failures, .. } = rounds;
    process::remove_folder(&folder)?;
    ran?;
    table::figures(&arguments.engines, groups, &outcomes);
    table::loads(&arguments.engines, &loads);
    if let Some(path) = &arguments.json {
        let engines = arguments.engines.iter().map(|name| (*name, versions(*name))).collect();
        let Arguments { keys, seconds, rounds, compression, .. } = *arguments;
        let record = Record {
            machine: &machine,
            engines,
            keys,
            seconds,
            rounds,
            compression,
            loads: &loads,
            outcomes: &outcomes,
        };
        fs::write(path, serde_json::to_vec_pretty(&record)?)?;
    }
    for failure in &failures {
        eprintln!("peers: {failure}");
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Rounds<'a> {
    arguments: &'a Arguments,
    folder: PathBuf,
    progress: Progress,
    loads: Vec<Load>,
    outcomes: Vec<Outcome>,
    failures: Vec<String>,
}

impl Rounds<'_> {
    fn run(&mut self, groups: &[Group]) -> Result<(), Failure> {
        for shape in [Shape::Small, Shape::Large, Shape::Wide] {
            let groups: Vec<&Group> = groups.iter().filter(|group| group.shape == shape).collect();
            if groups.iter().any(|group| group.is_loaded) {
                self.load(shape)?;
            }
            for round in 0..self.arguments.rounds {
                for group in &groups {
                    for turn in 0..self.arguments.engines.len() {
                        let place = (turn + round as usize) % self.arguments.engines.len();
                        self.run_group(group, self.arguments.engines[place], round)?;
                    }
                }
            }
            process::remove_folder(&self.folder.join("loaded"))?;
        }
        Ok(())
    }

    fn load(&mut self, shape: Shape) -> Result<(), Failure> {
        for &engine in &self.arguments.engines {
            let folder = self.loaded_folder(engine, shape);
            fs::create_dir_all(&folder)?;
            let group =
                Group { shape, is_loaded: false, cache: Cache::All, durability: Durability::None, rows: Vec::new() };
            self.progress.say(&format!("{} loads {}", engine.text(), shape.text()));
            let begun = Instant::now();
            self.child(&self.job(&group, engine, folder.clone(), 0))?;
            let (seconds, disk_bytes) = (begun.elapsed().as_secs_f64(), process::disk_bytes(&folder)?);
            self.loads.push(Load { engine, shape, seconds, disk_bytes });
        }
        Ok(())
    }

    fn run_group(&mut self, group: &Group, engine: Name, round: u64) -> Result<(), Failure> {
        let folder = self.folder.join("work");
        process::remove_folder(&folder)?;
        if group.is_loaded {
            process::copy_folder(&self.loaded_folder(engine, group.shape), &folder)?;
        } else {
            fs::create_dir_all(&folder)?;
        }
        process::sync_file_system(&folder)?;
        self.child(&self.job(group, engine, folder.clone(), round))?;
        Ok(process::remove_folder(&folder)?)
    }

    fn loaded_folder(&self, engine: Name, shape: Shape) -> PathBuf {
        self.folder.join("loaded").join(format!("{}-{}", engine.text(), shape.text()))
    }

    fn job(&self, group: &Group, engine: Name, folder: PathBuf, round: u64) -> Job {
        Job {
            engine,
            folder,
            settings: group.settings(self.arguments.keys, self.arguments.compression),
            shape: group.shape,
            keys: self.arguments.keys,
            seconds: self.arguments.seconds,
            seed: self.arguments.seed,
            round,
            rows: group.rows.iter().map(|row| row.name.clone()).collect(),
        }
    }

    fn child(&mut self, job: &Job) -> Result<(), Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--child", &serde_json::to_string(job)?])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("a child's output was asked for")?;
        let mut rows = job.rows.iter();
        self.progress.row(job, rows.next());
        for line in BufReader::new(output).lines() {
            self.outcomes.push(serde_json::from_str(&line?)?);
            self.progress.done += 1;
            self.progress.row(job, rows.next());
        }
        let status = child.wait()?;
        if !status.success() {
            let rows = if job.rows.is_empty() { "the load".to_owned() } else { job.rows.join(", ") };
            self.failures.push(format!("{} failed in round {} of {rows}: {status}", job.engine.text(), job.round + 1));
        }
        Ok(())
    }
}

/// One line on a terminal; nothing anywhere else.
struct Progress {
    is_shown: bool,
    begun: Instant,
    done: u64,
    all: u64,
    rounds: u64,
}

impl Progress {
    fn new(arguments: &Arguments, groups: &[Group]) -> Self {
        let rows: usize = groups.iter().map(|group| group.rows.len()).sum();
        let all = rows as u64 * arguments.engines.len() as u64 * arguments.rounds;
        let is_shown = io::stderr().is_terminal();
        Self { is_shown, begun: Instant::now(), done: 0, all, rounds: arguments.rounds }
    }

    fn row(&self, job: &Job, row: Option<&String>) {
        if let Some(row) = row {
            self.say(&format!("round {}/{} {} {row}", job.round + 1, self.rounds, job.engine.text()));
        }
    }

    fn say(&self, text: &str) {
        if self.is_shown {
            let minutes = self.begun.elapsed().as_secs() / 60;
            eprint!("\r\x1b[K{minutes} min, {}/{}: {text}", self.done, self.all);
            // A line of progress that cannot be shown is not worth failing for.
            io::stderr().flush().ok();
        }
    }

    fn clear(&self) {
        if self.is_shown {
            eprint!("\r\x1b[K");
        }
    }
}
