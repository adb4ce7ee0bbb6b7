//! What a campaign found, in the space of a page however many seeds it had: counts by scenario, failures by cause.
//!
//! ```text
//!   17 x lost_writes       first: a.yaml seed 3; also seeds 9, 12, 40, 77
//!    2 x panic at ...      first: b.yaml seed 8
//! ```
//!
//! Two failures with one signature are one cause. A cause names its first seeds; the others are in `results.jsonl`.

use std::collections::BTreeMap;

use super::outcome::{Judgement, Outcome};
use super::signature::Signature;
use super::work::Item;

/// Seeds that are named of each cause, and of each scenario.
pub const NAMED_MAX: usize = 5;
/// Causes that are told apart; a campaign with more is of no use until the first are mended.
const CAUSES_MAX: usize = 1_000;

/// A campaign so far.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Runs that were made, each counted once.
    pub runs: u64,
    /// Runs that were made twice.
    pub twice: u64,
    /// Virtual time of all runs.
    pub virtual_micros: u64,
    /// Processor time of all runs.
    pub cpu_micros: u64,
    /// Different abstract states that were reached.
    pub states: u64,
    /// What did not hold, by cause.
    pub causes: BTreeMap<Signature, Cause>,
    /// Runs that did not hold for causes beyond those that are told apart.
    pub causes_beyond: u64,
    /// By the scenario's place.
    pub scenarios: BTreeMap<usize, ScenarioSummary>,
}

/// The runs that did not hold in one way.
#[derive(Debug, Clone)]
pub struct Cause {
    /// How many.
    pub count: u64,
    /// Their judgement.
    pub judgement: Judgement,
    /// The first of them.
    pub first: Vec<Item>,
    /// What the first did not meet.
    pub unmet: Vec<String>,
}

/// The runs of one scenario.
#[derive(Debug, Clone, Default)]
pub struct ScenarioSummary {
    /// How many.
    pub runs: u64,
    /// How many of them held.
    pub held: u64,
    /// The first that did not: seed, judgement, and what was not met.
    pub named: Vec<(u64, Judgement, String)>,
}

impl Summary {
    /// Adds a run.
    pub fn add(&mut self, item: Item, outcome: &Outcome) {
        self.runs += 1;
        self.twice += u64::from(outcome.twice);
        self.virtual_micros += outcome.virtual_micros;
        self.cpu_micros += outcome.cpu_micros;
        self.states += outcome.new_states;
        let scenario = self.scenarios.entry(item.place).or_default();
        scenario.runs += 1;
        let Some(signature) = outcome.signature.as_ref().filter(|_| outcome.verdict != Judgement::Holds) else {
            scenario.held += 1;
            return;
        };
        if scenario.named.len() < NAMED_MAX {
            scenario.named.push((outcome.seed, outcome.verdict, outcome.unmet.join("; ")));
        }
        if self.causes.len() == CAUSES_MAX && !self.causes.contains_key(signature) {
            self.causes_beyond += 1;
            return;
        }
        let cause = self.causes.entry(signature.clone()).or_insert_with(|| Cause {
            count: 0,
            judgement: outcome.verdict,
            first: Vec::new(),
            unmet: outcome.unmet.clone(),
        });
        cause.count += 1;
        if cause.first.len() < NAMED_MAX {
            cause.first.push(item);
        }
    }

    /// Runs that failed; what is undecided is not among them.
    pub fn failures(&self) -> u64 {
        let failed = |cause: &&Cause| cause.judgement.is_failure();
        self.causes.values().filter(failed).map(|cause| cause.count).sum::<u64>() + self.causes_beyond
    }

    /// The campaign's exit code: a failure is worse news than a run that was not decided.
    pub fn exit_code(&self) -> u8 {
        match (self.failures(), self.causes.is_empty()) {
            (0, true) => 0,
            (0, false) => 4,
            _ => 1,
        }
    }

    /// The causes, the most frequent first.
    pub fn causes_by_count(&self) -> Vec<(&Signature, &Cause)> {
        let mut causes: Vec<_> = self.causes.iter().collect();
        causes.sort_by_key(|(_, cause)| std::cmp::Reverse(cause.count));
        causes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(seed: u64, verdict: Judgement, part: &str) -> Outcome {
        Outcome {
            scenario: "a.yaml".to_string(),
            seed,
            verdict,
            trace: String::new(),
            twice: false,
            signature: (verdict != Judgement::Holds).then(|| Signature::single(part)),
            unmet: vec![part.to_string()],
            virtual_micros: 10,
            wall_micros: 1,
            cpu_micros: 1,
            new_states: 1,
        }
    }

    fn summary(outcomes: &[Outcome]) -> Summary {
        let mut summary = Summary::default();
        outcomes.iter().for_each(|outcome| summary.add(Item { place: 0, seed: outcome.seed }, outcome));
        summary
    }

    #[test]
    fn failures_of_one_signature_are_one_cause_that_names_its_first_seeds() {
        let mut outcomes: Vec<Outcome> = (1..=9).map(|seed| outcome(seed, Judgement::Fails, "lost_writes")).collect();
        outcomes.push(outcome(10, Judgement::Fails, "panic at a.rs:1"));
        outcomes.push(outcome(11, Judgement::Holds, ""));
        let summary = summary(&outcomes);
        let causes = summary.causes_by_count();
        assert_eq!((causes.len(), causes[0].1.count, causes[1].1.count), (2, 9, 1));
        assert_eq!(causes[0].1.first.iter().map(|item| item.seed).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!((summary.runs, summary.failures(), summary.states), (11, 10, 11));
        let scenario = &summary.scenarios[&0];
        assert_eq!((scenario.runs, scenario.held, scenario.named.len()), (11, 1, NAMED_MAX));
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst_run() {
        let holds = outcome(1, Judgement::Holds, "");
        let undecided = outcome(2, Judgement::Undecided, "undecided: linearizable");
        assert_eq!(summary(&[]).exit_code(), 0);
        assert_eq!(summary(std::slice::from_ref(&holds)).exit_code(), 0);
        assert_eq!(summary(&[holds.clone(), undecided.clone()]).exit_code(), 4);
        for verdict in [Judgement::Fails, Judgement::Vacuous, Judgement::NotDeterministic] {
            assert_eq!(summary(&[undecided.clone(), outcome(3, verdict, "x")]).exit_code(), 1, "{verdict:?}");
        }
    }

    #[test]
    fn very_many_causes_take_bounded_room() {
        let outcomes: Vec<Outcome> =
            (0..3_000).map(|seed| outcome(seed, Judgement::Fails, &format!("cause {seed}"))).collect();
        let summary = summary(&outcomes);
        assert_eq!((summary.causes.len(), summary.causes_beyond, summary.failures()), (CAUSES_MAX, 2_000, 3_000));
    }
}
