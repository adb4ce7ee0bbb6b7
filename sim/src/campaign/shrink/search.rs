//! The search for a smaller plan that fails the same way: candidates tried in order, over all cores, within bounds.
//!
//! ```text
//!   candidates c1 c2 c3 ... x seeds s, s', s''    c1 s │ c2 s │ c3 s │ c1 s' │ c2 s' │ ...   the first that fails is taken
//!                                                 ───────── tried ahead by all cores ──────▶
//! ```
//!
//! The seed that is known to fail is tried first with every candidate; then others, because leaving something out moves
//! what is drawn. Results are looked at in the order of the candidates, and only up to the first that fails: how many
//! cores tried ahead changes nothing, so that the same bound on runs gives the same result.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::ddmin::ddmin;
use super::{Bounds, Size, Standing, Trial, Tried, guarded};
use crate::campaign::Signature;
use crate::campaign::drive::drive;
use crate::scenario::{ListedOperation, Plan, is_valid, write};

/// The failing plan so far, and what is left to find a smaller one with.
pub(super) struct Search<'s> {
    tried: Tried<'s>,
    bounds: &'s Bounds,
    watch: &'s mut dyn FnMut(&Standing),
    /// How it must fail.
    target: Signature,
    plan: Plan,
    /// What its run sent.
    operations: Vec<ListedOperation>,
    /// Runs so far.
    runs: u64,
    /// Plans, with seeds, that did not fail that way.
    in_vain: BTreeSet<u64>,
    /// What is being left out.
    pass: &'static str,
}

/// What a search works with.
pub(super) struct Means<'s> {
    pub(super) tried: Tried<'s>,
    pub(super) bounds: &'s Bounds,
    pub(super) watch: &'s mut dyn FnMut(&Standing),
    /// Runs that were made before it began.
    pub(super) runs: u64,
}

/// A candidate that was looked at.
struct Look {
    key: u64,
    /// `None` where it could not be run, or was known already.
    trial: Option<Trial>,
}

impl<'s> Search<'s> {
    /// A search that begins with `plan`, whose seed is the one that fails, and whose run sent these operations.
    pub(super) fn new(plan: Plan, target: Signature, operations: Vec<ListedOperation>, means: Means<'s>) -> Self {
        let Means { tried, bounds, watch, runs } = means;
        let pass = "everything";
        Self { tried, bounds, watch, target, plan, operations, runs, in_vain: BTreeSet::new(), pass }
    }

    /// The failing plan.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What its run sent.
    pub(super) fn operations(&self) -> &[ListedOperation] {
        &self.operations
    }

    pub(super) fn runs(&self) -> u64 {
        self.runs
    }

    pub(super) fn begin_pass(&mut self, pass: &'static str) {
        self.pass = pass;
        self.tell();
    }

    /// Whether nothing more may be tried.
    pub(super) fn is_spent(&self) -> bool {
        self.runs >= self.bounds.runs || !self.bounds.has_time()
    }

    /// Tries this change with the failing seed, and with `others`.
    pub(super) fn change(&mut self, others: u64, change: &dyn Fn(&mut Plan)) -> bool {
        let mut candidate = self.plan.clone();
        change(&mut candidate);
        candidate != self.plan && self.one_of(&[candidate], others).is_some()
    }

    /// Tries these plans; the first that fails is the failing plan from now on. Returns which it was.
    pub(super) fn one_of(&mut self, candidates: &[Plan], others: u64) -> Option<usize> {
        self.first_of(candidates.len(), others, &|place| Some(candidates[place].clone()))
    }

    /// Leaves out whatever the failure does not need of `count` things; `build` makes the plan, from the present one, in
    /// which the given ones are kept, where there can be one.
    pub(super) fn minimize(
        &mut self,
        count: usize,
        others: u64,
        build: &(dyn Fn(&Plan, &[usize]) -> Option<Plan> + Sync),
    ) {
        let base = self.plan.clone();
        ddmin(count, &mut |kept| self.first_of(kept.len(), others, &|place| build(&base, &kept[place])));
    }

    fn first_of(&mut self, count: usize, others: u64, build: &(dyn Fn(usize) -> Option<Plan> + Sync)) -> Option<usize> {
        let seeds = self.seeds(others);
        let trials = (0..seeds.len()).flat_map(|seed| (0..count).map(move |place| (place, seed)));
        let budget = self.bounds.runs.saturating_sub(self.runs);
        let trials: Vec<(usize, usize)> = trials.take(usize::try_from(budget).unwrap_or(usize::MAX)).collect();
        let (mut found, mut looked_at) = (None, Vec::new());
        let (tried, bounds, target, in_vain) = (self.tried, self.bounds, &self.target, &self.in_vain);
        let look = |(place, seed): (usize, usize)| {
            look(build(place).map(|plan| Plan { seed: seeds[seed], ..plan }), tried, in_vain)
        };
        drive(trials.into_iter(), bounds.jobs, &|| bounds.has_time(), &look, |(place, seed), look| {
            let ran = look.trial.is_some();
            let fails = look.trial.as_ref().is_some_and(|trial| trial.fails_with(target));
            looked_at.push((look.key, ran, fails));
            if fails {
                found = look.trial.map(|trial| (place, seeds[seed], trial));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        for (key, ran, fails) in looked_at {
            self.runs += u64::from(ran);
            if !fails {
                self.in_vain.insert(key);
            }
        }
        let (place, seed, trial) = found?;
        self.plan = Plan { seed, ..build(place)? };
        self.operations = trial.operations;
        self.tell();
        Some(place)
    }

    /// The failing seed, and small ones.
    fn seeds(&self, others: u64) -> Vec<u64> {
        let failing = self.plan.seed;
        let others = (1..).filter(|seed| *seed != failing).take(usize::try_from(others).unwrap_or(0));
        std::iter::once(failing).chain(others).collect()
    }

    fn tell(&mut self) {
        let size = Size::of(&self.plan, self.operations.len());
        (self.watch)(&Standing { pass: self.pass, size, runs: self.runs });
    }
}

/// Runs a candidate with its seed, unless it is no plan at all or was run before.
fn look(candidate: Option<Plan>, tried: Tried<'_>, in_vain: &BTreeSet<u64>) -> Look {
    let Some(candidate) = candidate else { return Look { key: 0, trial: None } };
    let key = xxhash_rust::xxh3::xxh3_64(write(&candidate, &[]).as_bytes());
    let worth_it = !in_vain.contains(&key) && is_valid(&candidate);
    Look { key, trial: worth_it.then(|| guarded(tried, &candidate)) }
}
