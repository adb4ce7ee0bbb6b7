//! What a campaign keeps of one run: a line of `results.jsonl`, and what the run itself tells beside it.
//!
//! ```text
//!   {"scenario":"scenarios/x.yaml","seed":17,"verdict":"fails","trace":"67c8...","signature":["lost_writes"],
//!    "unmet":["lost_writes 3 instead of 0 (...)"],"virtual_micros":..,"wall_micros":..,"cpu_micros":..}
//! ```
//!
//! A line says enough to make the run again (`storm run SCENARIO --seed N`) and to sort it; whoever wants more makes it
//! again. Only the two times of the machine differ when it is made again.

use reports::RunFacts;
use reports::facts::{Held, Verdict};
use serde::{Deserialize, Serialize};

use super::signature::Signature;
use super::work::Item;
use crate::run::Run;

/// The judgement on one run of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Every expectation was met.
    Holds,
    /// One was not.
    Fails,
    /// Too little happened to prove anything.
    Vacuous,
    /// A check reached its bound.
    Undecided,
    /// The same seed, run twice, gave two traces: no seed can be trusted before that is mended.
    NotDeterministic,
}

impl Judgement {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Vacuous => "vacuous",
            Self::Undecided => "undecided",
            Self::NotDeterministic => "not deterministic",
        }
    }

    /// Whether it counts as a failure; what is undecided is neither that nor the opposite.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Fails | Self::Vacuous | Self::NotDeterministic => true,
            Self::Holds | Self::Undecided => false,
        }
    }
}

impl From<Verdict> for Judgement {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Holds => Self::Holds,
            Verdict::Fails => Self::Fails,
            Verdict::Vacuous => Self::Vacuous,
            Verdict::Undecided => Self::Undecided,
        }
    }
}

/// Counts what the runs of a campaign reach, as abstract states: numbers that mean the same in every run.
pub trait Coverage: Sync {
    /// The states that this run reached, in any order.
    fn states(&self, run: &Run) -> Vec<u64>;
}

/// What one run tells a campaign, however it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The judgement.
    pub judgement: Judgement,
    /// The trace hash, in hexadecimal digits.
    pub trace: String,
    /// By which its failure is known; `None` when it holds.
    pub signature: Option<Signature>,
    /// What was not met, in words.
    pub unmet: Vec<String>,
    /// How long the run was inside the sealed world.
    pub virtual_micros: u64,
    /// Processor time.
    pub cpu_micros: u64,
    /// The abstract states it reached.
    pub states: Vec<u64>,
}

impl Ran {
    /// What this run tells.
    pub fn of(run: &Run, coverage: Option<&dyn Coverage>) -> Self {
        Self {
            judgement: run.facts.verdict.into(),
            trace: run.facts.trace.clone(),
            signature: Signature::of(&run.facts),
            unmet: unmet(&run.facts),
            virtual_micros: run.facts.virtual_micros,
            cpu_micros: run.cpu_micros,
            states: coverage.map_or_else(Vec::new, |coverage| coverage.states(run)),
        }
    }

    /// A run that broke the laboratory itself.
    pub fn broken_off(message: &str) -> Self {
        Self {
            judgement: Judgement::Fails,
            trace: String::new(),
            signature: Some(Signature::single("the laboratory itself panicked")),
            unmet: vec![format!("the laboratory itself panicked, which is its own bug: {message}")],
            virtual_micros: 0,
            cpu_micros: 0,
            states: Vec::new(),
        }
    }

    /// This run, when another of the same seed gave another trace.
    pub fn differing_from(self, other: &Ran) -> Self {
        let told = format!("the same seed gave the traces {} and {}", self.trace, other.trace);
        Self {
            judgement: Judgement::NotDeterministic,
            signature: Some(Signature::single("not deterministic")),
            unmet: std::iter::once(told).chain(self.unmet).collect(),
            ..self
        }
    }
}

/// What a run did not meet, a sentence each.
pub fn unmet(facts: &RunFacts) -> Vec<String> {
    let unmet = facts.expectations.iter().filter(|expectation| expectation.held != Held::Yes);
    unmet
        .map(|expectation| {
            let note = if expectation.note.is_empty() { String::new() } else { format!(" ({})", expectation.note) };
            match expectation.held {
                Held::Vacuous if expectation.examined == 0 => format!("{} examined nothing{note}", expectation.name),
                _ => format!("{} {} instead of {}{note}", expectation.name, expectation.observed, expectation.demanded),
            }
        })
        .collect()
}

/// One line of `results.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The scenario's file, or what else its plans come from.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// The judgement.
    pub verdict: Judgement,
    /// The trace hash, in hexadecimal digits.
    pub trace: String,
    /// Whether it was run twice, to see that it is the same run.
    pub twice: bool,
    /// By which its failure is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// What was not met, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<String>,
    /// How long the run was inside the sealed world.
    pub virtual_micros: u64,
    /// How long it took outside; of both runs where there were two.
    pub wall_micros: u64,
    /// Processor time; likewise.
    pub cpu_micros: u64,
    /// Abstract states that no earlier run of the campaign had reached.
    #[serde(default)]
    pub new_states: u64,
}

/// One in so many runs is made twice.
const TWICE_ONE_IN: u64 = 20;

/// Whether a run is one of those that are made twice: a function of its seed and its scenario's place.
pub(super) fn is_made_twice(item: Item) -> bool {
    let bytes: Vec<u8> = [item.seed, item.place as u64].iter().flat_map(|word| word.to_le_bytes()).collect();
    xxhash_rust::xxh3::xxh3_64(&bytes).is_multiple_of(TWICE_ONE_IN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::specimen;

    #[test]
    fn one_run_in_twenty_is_made_twice_of_every_scenario() {
        for place in 0..4 {
            let twice = (1..=10_000).filter(|seed| is_made_twice(Item { place, seed: *seed })).count();
            assert!((430..570).contains(&twice), "{twice} of 10,000 runs of scenario {place} are made twice");
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let outcome = Outcome {
            scenario: "a \"b\"\n.yaml".to_string(),
            seed: u64::MAX,
            verdict: Judgement::NotDeterministic,
            trace: "0123".to_string(),
            twice: true,
            signature: Some(Signature::single("lost_writes")),
            unmet: vec!["lost_writes 1 instead of 0".to_string()],
            virtual_micros: 1,
            wall_micros: 2,
            cpu_micros: 3,
            new_states: 4,
        };
        let line = serde_json::to_string(&outcome).expect("plain values");
        assert!(!line.contains('\n') && line.contains("\"not_deterministic\""), "{line}");
        assert_eq!(serde_json::from_str::<Outcome>(&line).expect("the same"), outcome);
    }

    #[test]
    fn what_was_not_met_is_told_with_its_note() {
        let facts = specimen::facts(vec![specimen::unmet("lost_writes", "0", "k1 = v2 is gone")]);
        assert_eq!(unmet(&facts), ["lost_writes otherwise instead of 0 (k1 = v2 is gone)"]);
    }
}
