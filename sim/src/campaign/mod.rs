//! Campaigns: many seeds of many scenarios over all cores, what does not hold sorted by cause, each cause shrunk.
//!
//! ```text
//!   work       scenarios x seeds, or a shard of them ─▶ drive  all cores, results in order ─▶ outcome  a line a run
//!   folder     results.jsonl, resumed after any interruption  ─▶ summary  causes by signature ─▶ junit
//!   shrink     a failing plan ─▶ the smallest that fails the same way ─▶ failures/*.yaml
//!   diff       where two traces part
//! ```
//!
//! A campaign takes the run as a function from plan and seed to what it tells, so that everything here is tried without a
//! single run of the database. One run in twenty is made twice and must give the same trace: a laboratory that is not
//! deterministic finds nothing that anybody can mend.
//!
//! What it does not do: choose what to run by what was reached, and spread over machines (that is what shards are for).

pub mod diff;
mod drive;
mod failures;
mod folder;
mod junit;
mod outcome;
pub mod shrink;
mod signature;
#[cfg(test)]
mod specimen;
mod summary;
#[cfg(test)]
mod tests;
mod work;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

pub use failures::{Found, Shrinking, write_failures};
pub use folder::{Folder, FolderError, Identity};
pub use outcome::{Coverage, Judgement, Outcome, Ran, unmet};
pub use signature::Signature;
pub use summary::{Cause, NAMED_MAX, ScenarioSummary, Summary};
pub use work::{InvalidShard, Item, Shard, Work};

use crate::scenario::{Plan, write};

/// Where the plans of a campaign come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Scenario files: each with every seed.
    Files(Vec<Plan>),
    /// Plans that a seed draws, cluster, workload, faults and all.
    Drawn {
        /// What results call it.
        name: String,
        /// The plan of a seed.
        draw: fn(u64) -> Plan,
    },
}

impl Source {
    /// How many scenarios there are.
    pub fn count(&self) -> usize {
        match self {
            Self::Files(plans) => plans.len(),
            Self::Drawn { .. } => 1,
        }
    }

    /// What results call a scenario.
    pub fn name(&self, place: usize) -> &str {
        match self {
            Self::Files(plans) => &plans[place].file,
            Self::Drawn { name, .. } => name,
        }
    }

    /// The plan of a run.
    pub fn plan(&self, item: Item) -> Cow<'_, Plan> {
        match self {
            Self::Files(plans) => Cow::Borrowed(&plans[item.place]),
            Self::Drawn { draw, .. } => Cow::Owned(draw(item.seed)),
        }
    }

    /// A hash of what the scenarios say. What draws plans belongs to the program, which has its own.
    fn fingerprint(&self) -> String {
        let text = match self {
            Self::Files(plans) => plans.iter().map(|plan| write(plan, &[])).collect(),
            Self::Drawn { name, .. } => name.clone(),
        };
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
    }
}

/// Makes a run, and tells what a campaign wants to know of it.
pub type Runner<'r> = &'r (dyn Fn(&Plan, u64) -> Ran + Sync);

/// What is to be run, and how.
pub struct Campaign<'c> {
    /// The plans.
    pub source: &'c Source,
    /// The first seed and the last.
    pub seeds: (u64, u64),
    /// Which of the runs are ours.
    pub shard: Shard,
    /// Runs at a time.
    pub jobs: usize,
    /// No run begins after it.
    pub deadline: Option<Instant>,
    /// Makes a run.
    pub runner: Runner<'c>,
}

impl Campaign<'_> {
    /// Its runs.
    pub fn work(&self) -> Work {
        Work { scenarios: self.source.count(), seeds: self.seeds, shard: self.shard }
    }

    /// By what its folder knows it; `program` names the build that runs it.
    pub fn identity(&self, program: String) -> Identity {
        Identity {
            program,
            scenarios: (0..self.source.count()).map(|place| self.source.name(place).to_string()).collect(),
            fingerprint: self.source.fingerprint(),
            seeds: format!("{}..{}", self.seeds.0, self.seeds.1),
            shard: self.shard.to_string(),
        }
    }

    /// Runs what is not in the folder yet, and tells `watch` after each run how it stands. With a folder, the results of
    /// all runs are in it afterwards, in their order, and so is `junit.xml`.
    pub fn run(
        &self,
        mut folder: Option<&mut Folder>,
        watch: &mut dyn FnMut(&Summary),
    ) -> Result<Summary, FolderError> {
        let mut summary = Summary::default();
        let mut items = self.work().items();
        if let Some(folder) = &mut folder {
            folder.resume(|_, outcome| {
                let item = items.next().ok_or("the campaign has no further run")?;
                let expected = (self.source.name(item.place), item.seed);
                if expected != (outcome.scenario.as_str(), outcome.seed) {
                    return Err(format!("the run of {} seed {} should stand here", expected.0, expected.1));
                }
                summary.add(item, &outcome);
                Ok(())
            })?;
            watch(&summary);
        }
        let mut reached = BTreeSet::new();
        let mut failed = None;
        let goes_on = || self.deadline.is_none_or(|deadline| Instant::now() < deadline);
        drive::drive(items, self.jobs, &goes_on, &|item| self.make(item), |item, (mut outcome, states)| {
            outcome.new_states = states.into_iter().filter(|state| reached.insert(*state)).count() as u64;
            if let Some(folder) = &mut folder
                && let Err(error) = folder.add(&outcome)
            {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            summary.add(item, &outcome);
            watch(&summary);
            ControlFlow::Continue(())
        });
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(folder) = folder {
            write_junit(folder, &summary)?;
        }
        Ok(summary)
    }

    /// Makes a run, twice where that is its turn.
    fn make(&self, item: Item) -> (Outcome, Vec<u64>) {
        let started = Instant::now();
        let plan = self.source.plan(item);
        let mut ran = guarded(self.runner, &plan, item.seed);
        let twice = outcome::is_made_twice(item);
        if twice {
            let again = guarded(self.runner, &plan, item.seed);
            ran.cpu_micros += again.cpu_micros;
            if again.trace != ran.trace {
                ran = ran.differing_from(&again);
            }
        }
        let Ran { judgement, trace, signature, unmet, virtual_micros, cpu_micros, states } = ran;
        let outcome = Outcome {
            scenario: self.source.name(item.place).to_string(),
            seed: item.seed,
            verdict: judgement,
            trace,
            twice,
            signature,
            unmet,
            virtual_micros,
            wall_micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            cpu_micros,
            new_states: 0,
        };
        (outcome, states)
    }
}

/// A panic of the code under test is caught where it runs; one of the checks must not end a campaign either.
fn guarded(runner: Runner<'_>, plan: &Plan, seed: u64) -> Ran {
    catch_unwind(AssertUnwindSafe(|| runner(plan, seed))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Ran::broken_off(text.unwrap_or("without a message"))
    })
}

fn write_junit(folder: &Folder, summary: &Summary) -> Result<(), FolderError> {
    let outcomes = folder.outcomes()?;
    folder.write_whole("junit.xml", |file| {
        junit::begin(file, summary)?;
        for outcome in outcomes {
            junit::add(file, &outcome?)?;
        }
        junit::end(file)
    })
}
