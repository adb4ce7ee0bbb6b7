//! Lets the real program work under strace, and takes down what it did, said and was asked.
//!
//! ```text
//!   script, drawn from a seed     bench ─▶ put ─▶ compact ─▶ checkpoint ─▶ bench ...      one run of the program each
//!   scratch/root/data             where it works          scratch/ledger.tsv     what the load notes
//!   scratch/trace-N               strace's               ─▶ calls ─▶ replayed: the model ends as the directory did
//! ```
//!
//! Memtables, segments, blocks and levels are so small that a few writes flush, compact and rotate. Threads and clocks are
//! real, so a seed repeats what is asked, not the order of the calls.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, RwLock};

use cluster::embedded::key_in_partition;
use engine::world::Rng;

use super::model::{Model, Tree};
use super::replay::{Lasted, Note, Place, TRACED, replay};
use super::story::{Stamp, Story};
use super::strace::{Call, parse};
use super::{Failure, judge};

/// The data directory, below the root.
pub(super) const DATA: &str = "data";

/// The copy that a checkpoint makes, below the root.
const COPY: &str = "copy";

/// Buffers longer than this would be cut short in the trace.
const STRING_BYTES_MOST: &str = "16777216";

/// One run of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Run {
    Load { arguments: Vec<String> },
    Put { key: String, value: String },
    Delete { key: String },
    Flush,
    Compact,
    Checkpoint,
}

/// What the program is to do.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// How the engine is opened.
    engine: Vec<String>,
    runs: Vec<Run>,
}

/// Draws a script.
struct Author {
    rng: Rng,
    keys: u64,
    values: u64,
}

impl Script {
    /// A new directory is filled and worked on, by several runs.
    pub(super) fn of_a_life(rng: Rng) -> Self {
        let mut author = Author::new(rng);
        let mut runs = vec![author.load("fill-random", author.keys)];
        let mut copies = 0;
        for _ in 0..author.rng.within(3..6) {
            runs.push(match author.rng.below(8) {
                0 | 1 => author.put(),
                2 => author.delete(),
                3 => Run::Flush,
                4 => Run::Compact,
                5 if copies == 0 => {
                    copies += 1;
                    Run::Checkpoint
                }
                _ => author.overwrite(),
            });
        }
        Self { engine: author.engine(), runs }
    }

    /// What a crash left is opened, and worked on.
    pub(super) fn of_a_recovery(rng: Rng) -> Self {
        let mut author = Author::new(rng);
        let runs = match author.rng.below(3) {
            0 => vec![author.put(), author.overwrite()],
            1 => vec![author.overwrite(), Run::Compact],
            _ => vec![author.put(), Run::Compact, author.delete()],
        };
        Self { engine: author.engine(), runs }
    }
}

impl Author {
    fn new(mut rng: Rng) -> Self {
        let keys = rng.within(10..30);
        Self { rng, keys, values: 0 }
    }

    fn overwrite(&mut self) -> Run {
        let operations = self.rng.within(10..30);
        self.load("overwrite", operations)
    }

    fn load(&mut self, workload: &str, operations: u64) -> Run {
        let value_bytes = if self.rng.chance(1, 5) { self.rng.within(500..1_500) } else { self.rng.within(20..200) };
        let numbers = [
            ("--keys", self.keys),
            ("--operations", operations),
            ("--threads", self.rng.within(1..4)),
            ("--batch", if self.rng.chance(1, 2) { 1 } else { self.rng.within(2..5) }),
            ("--value-bytes", value_bytes),
            ("--segment", self.rng.within(600..4_000)),
            ("--seed", self.rng.next_u64()),
        ];
        let mut arguments = vec!["--workload".to_string(), workload.to_string()];
        arguments.extend(numbers.iter().flat_map(|(name, number)| [(*name).to_string(), number.to_string()]));
        Run::Load { arguments }
    }

    fn key(&mut self) -> String {
        format!("key{:013}", self.rng.below(self.keys))
    }

    fn put(&mut self) -> Run {
        self.values += 1;
        Run::Put { key: self.key(), value: format!("put {}", self.values) }
    }

    fn delete(&mut self) -> Run {
        Run::Delete { key: self.key() }
    }

    fn engine(&mut self) -> Vec<String> {
        let (runs, table_bytes) = (self.rng.within(2..4), self.rng.within(1_000..4_000));
        let strategy = match self.rng.below(3) {
            0 => format!("leveled,levels=3,level0_runs={runs},base_bytes=3000,fanout=2,table_bytes={table_bytes}"),
            1 => format!("tiered,levels=3,runs={runs},table_bytes={table_bytes}"),
            _ => format!("lazy-leveled,levels=3,runs={runs},table_bytes={table_bytes}"),
        };
        let numbers = [
            ("--memtable", self.rng.within(1_500..4_000)),
            ("--memory", 1 << 20),
            ("--block", self.rng.within(128..600)),
            ("--compaction-jobs", self.rng.within(1..3)),
        ];
        let numbers = numbers.iter().flat_map(|(name, number)| [(*name).to_string(), number.to_string()]);
        ["--strategy".to_string(), strategy].into_iter().chain(numbers).collect()
    }
}

/// Everything that is known of a script that was performed.
pub(super) struct Recording {
    base: Model,
    runs: Vec<Vec<Call>>,
    root: String,
    ledger: String,
    pub(super) story: Story,
}

/// The programs, and where they may work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Studio<'a> {
    pub(super) stormglass: &'a Path,
    /// See [`super::Reality`].
    pub(super) starts: &'a RwLock<()>,
    pub(super) scratch: &'a Path,
}

impl Studio<'_> {
    /// Performs a script on what every process sees of `base`, which holds the writes of `story`, and looks at every call.
    pub(super) fn record(&self, script: &Script, base: Model, mut story: Story) -> Result<Recording, Failure> {
        let _ = fs::remove_dir_all(self.scratch);
        let root = self.scratch.join("root");
        let io = |error: io::Error| Failure::Environment(format!("{}: {error}", root.display()));
        judge::write_out(&root, &base.tree()).map_err(io)?;
        // strace shows what the program says, and that is what it was told.
        let root = root.canonicalize().map_err(io)?;
        let ledger = self.scratch.join("ledger.tsv");
        let (mut model, mut runs) = (base.clone(), Vec::new());
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let (root_text, ledger_text) = (text(&root), text(&ledger));
        for (number, run) in script.runs.iter().enumerate() {
            let trace = self.scratch.join(format!("trace-{number}"));
            let said = self.perform(run, script, &root, &ledger, &trace)?;
            let traced = fs::read_to_string(&trace)
                .map_err(|error| Failure::Environment(format!("{}: {error}", trace.display())))?;
            let calls = parse(&traced);
            let place = Place { root: &root_text, ledger: &ledger_text };
            let notes =
                replay(&mut model, &calls, place, &mut |_| ControlFlow::Continue(())).map_err(Failure::Program)?;
            // The run numbers of a story begin at 1: 0 is long ago.
            tell(&mut story, run, number + 1, &notes, &said).map_err(Failure::Program)?;
            runs.push(calls);
        }
        if let Some(path) = differs(&model.tree(), &read(&root).map_err(io)?) {
            return Err(Failure::Program(format!(
                "the calls in the trace do not lead to what is there: {path} differs"
            )));
        }
        Ok(Recording { base, runs, root: root_text, ledger: ledger_text, story })
    }

    fn perform(&self, run: &Run, script: &Script, root: &Path, ledger: &Path, trace: &Path) -> Result<String, Failure> {
        let mut command = Command::new("strace");
        command.args(["-f", "-xx", "-s", STRING_BYTES_MOST, "-e", TRACED, "-o"]).arg(trace).arg(self.stormglass);
        let data = root.join(DATA);
        match run {
            Run::Load { arguments } => {
                command.arg("bench").args(arguments).arg("--acked").arg(ledger).arg("--data").arg(&data)
            }
            Run::Put { key, value } => command.args(["put", key, value, "--data"]).arg(&data),
            Run::Delete { key } => command.args(["delete", key, "--data"]).arg(&data),
            Run::Flush => command.args(["flush", "--data"]).arg(&data),
            Run::Compact => command.args(["compact", "--data"]).arg(&data),
            Run::Checkpoint => command.args(["checkpoint", "--json"]).arg(&data).arg(root.join(COPY)),
        };
        if *run != Run::Checkpoint {
            command.args(&script.engine);
        }
        let output = judge::run_program(&mut command, self.starts).map_err(|error| {
            let advice = "on Debian: apt-get install strace";
            Failure::Environment(format!("strace does not run ({error}): install it ({advice})"))
        })?;
        let Output { status, stdout, stderr } = &output;
        let (stdout, stderr) = (String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr));
        match status.success() {
            true => Ok(stdout.into_owned()),
            false if stderr.contains("ptrace") || stderr.starts_with("strace:") => {
                Err(Failure::Environment(format!("strace may not trace here: {}", stderr.trim())))
            }
            false => Err(Failure::Program(format!("{command:?} ends with {status}: {stdout}{stderr}"))),
        }
    }
}

/// Adds what a run was asked and said.
fn tell(story: &mut Story, run: &Run, number: usize, notes: &[Note], said: &str) -> Result<(), String> {
    let key_of = |key: &[u8]| key_in_partition(0, key).to_vec();
    story.opens((number, 0));
    match run {
        Run::Load { .. } => story.notes(notes, number, key_of)?,
        Run::Put { key, value } => story.writes(key_of(key.as_bytes()), Some(value.as_bytes().to_vec()), number),
        Run::Delete { key } => story.writes(key_of(key.as_bytes()), None, number),
        Run::Flush | Run::Compact => {}
        Run::Checkpoint => {
            let facts: serde_json::Value = serde_json::from_str(said).map_err(|error| format!("{error}: {said}"))?;
            let sequence =
                facts["sequence"].as_u64().ok_or_else(|| format!("a checkpoint without a sequence: {said}"))?;
            story.copies(COPY.to_string(), sequence, number);
        }
    }
    Ok(())
}

impl Recording {
    /// Shows every state of the disk, with the time at which it ended.
    pub(super) fn play(&self, see: &mut dyn FnMut(Lasted<'_>, Stamp) -> ControlFlow<()>) -> Result<(), String> {
        let (mut model, mut is_over) = (self.base.clone(), false);
        let place = Place { root: &self.root, ledger: &self.ledger };
        for (calls, number) in self.runs.iter().zip(1..) {
            replay(&mut model, calls, place, &mut |lasted| {
                let seen = see(lasted, (number, lasted.until));
                is_over |= seen.is_break();
                seen
            })?;
            if is_over {
                break;
            }
        }
        Ok(())
    }

    /// System calls in the traces.
    pub(super) fn calls(&self) -> u64 {
        self.runs.iter().map(|calls| calls.len() as u64).sum()
    }
}

/// Every file and folder below a folder.
fn read(root: &Path) -> io::Result<Tree> {
    let (mut tree, mut folders) = (Tree::new(), vec![(PathBuf::from(root), String::new())]);
    while let Some((folder, path)) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            if entry.file_type()?.is_dir() {
                tree.insert(path.clone(), None);
                folders.push((entry.path(), path));
            } else {
                tree.insert(path, Some(Arc::new(fs::read(entry.path())?)));
            }
        }
    }
    Ok(tree)
}

fn differs(one: &Tree, other: &Tree) -> Option<String> {
    let all: BTreeMap<&String, ()> = one.keys().chain(other.keys()).map(|path| (path, ())).collect();
    all.into_keys().find(|path| one.get(*path) != other.get(*path)).cloned()
}
