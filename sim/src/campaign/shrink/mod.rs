//! From a failing scenario to the smallest one that fails the same way: fewer faults, operations, nodes, clients, less time.
//!
//! ```text
//!   plan, seed ─▶ target    what the failure is about: the one expectation that shows it
//!              ─▶ concrete  faults that the seed chose, each by itself
//!              ─▶ passes    leave out, try, keep if it still fails (ddmin, search)   until nothing more can go
//!              ─▶ listed    the operations that were sent, one by one, likewise
//!              ─▶ Shrunk    a plan with its seed: a scenario file that fails in any process
//! ```
//!
//! A candidate is a failure of the same kind when its signature is the target's: nothing less, and nothing more. The run is
//! a function that the caller gives, so that this room is tried on failures that somebody made up.
//!
//! It finds a plan from which no single thing that it knows of can be left out, within its bounds; not the smallest there is.

mod concrete;
mod ddmin;
mod edit;
mod listed;
mod passes;
mod search;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::outcome::{Judgement, Ran};
use super::signature::Signature;
use crate::run::{Run, fault_schedule};
use crate::scenario::{Expectation, ListedOperation, PerKind, Plan, Recoveries, is_valid};
use search::{Means, Search};

/// How long to go on.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// No more runs than this. The same bound on runs gives the same result, where time does not run out.
    pub runs: u64,
    /// No run begins after it.
    pub deadline: Option<Instant>,
    /// Runs at a time.
    pub jobs: usize,
}

impl Bounds {
    fn has_time(&self) -> bool {
        self.deadline.is_none_or(|deadline| Instant::now() < deadline)
    }
}

/// What one run tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The judgement.
    pub judgement: Judgement,
    /// By which a failure is known.
    pub signature: Option<Signature>,
    /// What was sent.
    pub operations: Vec<ListedOperation>,
}

impl Trial {
    /// What this run of `plan` tells.
    pub fn of(plan: &Plan, run: &Run) -> Self {
        Self {
            judgement: run.facts.verdict.into(),
            signature: Signature::of(&run.facts),
            operations: listed::operations_of(plan, &run.history),
        }
    }

    /// What a run tells that broke the laboratory itself.
    fn broken_off() -> Self {
        let Ran { judgement, signature, .. } = Ran::broken_off("");
        Self { judgement, signature, operations: Vec::new() }
    }

    fn fails_with(&self, target: &Signature) -> bool {
        self.judgement == Judgement::Fails && self.signature.as_ref() == Some(target)
    }
}

/// Makes a run.
pub type Tried<'r> = &'r (dyn Fn(&Plan, u64) -> Trial + Sync);

/// Makes a run; a panic of the checks is a finding like any other.
fn guarded(tried: Tried<'_>, plan: &Plan) -> Trial {
    catch_unwind(AssertUnwindSafe(|| tried(plan, plan.seed))).unwrap_or_else(|_| Trial::broken_off())
}

/// How large a failing scenario is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Faults that its run meets, each occurrence counted.
    pub faults: usize,
    /// Operations that its run sends.
    pub operations: usize,
    /// Nodes.
    pub nodes: u16,
    /// Clients.
    pub clients: u32,
    /// Keys.
    pub keys: u32,
    /// How long operations are sent.
    pub duration_micros: u64,
}

impl Size {
    fn of(plan: &Plan, operations: usize) -> Self {
        Self {
            faults: fault_schedule(plan, plan.seed).len(),
            operations,
            nodes: plan.cluster.node_count,
            clients: plan.workload.client_count,
            keys: plan.workload.key_count,
            duration_micros: plan.workload.duration_micros,
        }
    }
}

/// How far a search has come.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// What is being left out.
    pub pass: &'static str,
    /// The failing plan so far.
    pub size: Size,
    /// Runs so far.
    pub runs: u64,
}

/// A smaller scenario that fails the same way.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// It, with the seed that fails.
    pub plan: Plan,
    /// How it fails.
    pub signature: Signature,
    /// How the first one failed, which may have shown more.
    pub signature_before: Signature,
    /// The first one.
    pub before: Size,
    /// This one.
    pub after: Size,
    /// Runs that it took.
    pub runs: u64,
    /// Whether a bound ended it: more could have gone.
    pub bounded: bool,
}

/// Why there is nothing to shrink.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotShrunk {
    /// It holds. Name the seed that fails.
    #[error("it holds with seed {seed}: name the seed that fails, as in --seed 17")]
    Holds {
        /// The seed.
        seed: u64,
    },
    /// It proved nothing.
    #[error("with seed {seed} it is {words}: there is no failure to shrink ({signature})")]
    NoFailure {
        /// The seed.
        seed: u64,
        /// The judgement, in words.
        words: &'static str,
        /// What was amiss.
        signature: String,
    },
}

/// Shrinks `plan`, which fails with `seed`. `watch` is told how far the search has come.
pub fn shrink(
    plan: &Plan,
    seed: u64,
    bounds: &Bounds,
    tried: Tried<'_>,
    watch: &mut dyn FnMut(&Standing),
) -> Result<Shrunk, NotShrunk> {
    let original = Plan { seed, ..plan.clone() };
    let first = guarded(tried, &original);
    let signature_before = match (first.judgement, first.signature) {
        (Judgement::Fails, Some(signature)) => signature,
        (Judgement::Holds, _) | (_, None) => return Err(NotShrunk::Holds { seed }),
        (other, Some(signature)) => {
            return Err(NotShrunk::NoFailure { seed, words: other.words(), signature: signature.to_string() });
        }
    };
    let before = Size::of(&original, first.operations.len());
    let (plan, target, target_runs) = target(&original, &signature_before, tried);
    let means = Means { tried, bounds, watch, runs: target_runs + 1 };
    let mut search = Search::new(plan, target.clone(), first.operations, means);
    loop {
        let round = search.plan().clone();
        for (name, pass) in passes::PASSES {
            if search.is_spent() {
                break;
            }
            search.begin_pass(name);
            pass(&mut search);
        }
        // A change of the seed alone leaves nothing out.
        let left = Plan { seed: round.seed, ..search.plan().clone() };
        if search.is_spent() || left == round {
            break;
        }
    }
    let after = Size::of(search.plan(), search.operations().len());
    Ok(Shrunk {
        plan: search.plan().clone(),
        signature: target,
        signature_before,
        before,
        after,
        runs: search.runs(),
        bounded: search.is_spent(),
    })
}

/// The plan that expects one thing only, of which it still fails, and how; also how many runs that took. Whatever else was
/// expected follows from it, or is another failure, and would only keep a smaller plan from being taken for the same.
fn target(plan: &Plan, signature: &Signature, tried: Tried<'_>) -> (Plan, Signature, u64) {
    // A smaller run has less of everything, and fails all the same.
    let plain = Plan { at_least: PerKind::default(), at_least_recoveries: Recoveries::default(), ..plan.clone() };
    let mut expectations = plan.expect.clone();
    expectations.sort_by_key(rank);
    let mut best: Option<(Plan, Signature)> = None;
    let mut runs = 0;
    for expectation in expectations {
        let candidate = Plan { expect: vec![expectation], ..plain.clone() };
        if !is_valid(&candidate) {
            continue;
        }
        runs += 1;
        let trial = guarded(tried, &candidate);
        let Some(found) = trial.signature.filter(|found| found.is_within(signature)) else { continue };
        let better = best.as_ref().is_none_or(|(_, best)| found.part_count() < best.part_count());
        if trial.judgement == Judgement::Fails && better {
            best = Some((candidate, found));
        }
    }
    let (plan, target) = best.unwrap_or_else(|| (plain, signature.clone()));
    (plan, target, runs)
}

/// The most telling expectations first.
fn rank(expectation: &Expectation) -> u8 {
    match expectation {
        Expectation::LostWrites(_) => 0,
        Expectation::Converged => 1,
        Expectation::ReadYourWrites(_) => 2,
        Expectation::MonotonicReads(_) => 3,
        Expectation::StaleReads(_) => 4,
        Expectation::Availability { .. } => 6,
        Expectation::Latency { .. } => 7,
        _ => 5,
    }
}
