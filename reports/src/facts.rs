//! What is known of one run: plain structs that serde can write and read, filled by whoever ran it.
//!
//! ```text
//!   0 µs                                                          virtual_micros
//!   ├──────── phase "faults" ────────────────────┬──── phase "healed" ────┤
//!   │  ████ fault (at, until, targets, met)   │ momentary fault (no until) │
//!   │            ◆ anomaly                                                │
//!   ├─bucket─┼─bucket─┼─bucket─┼─ ...  each bucket_micros wide            │
//! ```
//!
//! All times are virtual microseconds since the run began, except `wall_micros`. `report.json` is a [`RunFacts`] as it
//! stands; its `trace` and `speed_ratio` are the keys that scripts compare. Latencies of operations that ended `fail` or
//! `unknown` belong to no percentile.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The judgement on a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every expectation was met, by a run in which enough happened to prove it.
    Holds,
    /// At least one expectation was not met.
    Fails,
    /// Too little happened to prove anything: a fault met no traffic, a kind of operation hardly ran.
    Vacuous,
    /// A check ran out of its bound before it knew.
    Undecided,
}

impl Verdict {
    /// Every verdict, in the order in which they are explained.
    pub const ALL: [Self; 4] = [Self::Holds, Self::Fails, Self::Vacuous, Self::Undecided];

    /// The verdict in one lower-case word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Vacuous => "vacuous",
            Self::Undecided => "undecided",
        }
    }

    /// What the verdict says, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Holds => "every expectation was met, in a run where enough happened to put each of them to the test.",
            Self::Fails => "at least one expectation was not met; the same seed shows it again.",
            Self::Vacuous => {
                "too little happened to prove anything (a fault met no traffic, or a kind of operation hardly ran), so \
                 nothing may be concluded."
            }
            Self::Undecided => "a check reached its bound before it knew; give it more room or a shorter history.",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

/// Whether one expectation was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// It was met.
    Yes,
    /// It was not.
    No,
    /// There was nothing, or not enough, to examine.
    Vacuous,
    /// The check reached its bound before it knew.
    Undecided,
}

impl Held {
    /// The answer in one lower-case word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Vacuous => "vacuous",
            Self::Undecided => "undecided",
        }
    }
}

/// One expectation of the scenario, or one that every run has, and what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectationFact {
    /// As the scenario names it: `stale_reads`.
    pub name: String,
    /// What was demanded, in the scenario's words: `>= 1`.
    pub demanded: String,
    /// What was seen, in the same words.
    pub observed: String,
    /// How many operations, pairs or rows the check looked at.
    pub examined: u64,
    /// Whether the demand was met.
    pub held: Held,
    /// One sentence for the reader, or empty.
    pub note: String,
}

/// A named window of the run. An operation belongs to the phase in which it was invoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseFact {
    /// The name: `healed`.
    pub name: String,
    /// The first microsecond.
    pub from_micros: u64,
    /// The first microsecond that no longer belongs to it.
    pub until_micros: u64,
    /// Operations invoked; the sum of the three outcomes.
    pub operations: u64,
    /// Of those, acknowledged.
    pub ok: u64,
    /// Of those, refused without effect.
    pub fail: u64,
    /// Of those, neither: a timeout may still take effect.
    pub unknown: u64,
}

/// One fault that was injected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultFact {
    /// What it was: `power lost`, `partition`. Faults with the same name and targets share a row.
    pub name: String,
    /// Whom it struck: `n3`, `n1 n2 | n3 n4 n5`. May be empty.
    pub targets: String,
    /// When it began.
    pub at_micros: u64,
    /// When it was healed; `None` for what has no duration (a clock step, a wiped disk).
    pub until_micros: Option<u64>,
    /// Messages or operations that it hit. A fault that met nothing proves nothing.
    pub met: u64,
}

/// Something that a database without faults would not have shown, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnomalyFact {
    /// When the operation that showed it ended.
    pub at_micros: u64,
    /// What it is: `stale read`.
    pub kind: String,
    /// Which operation saw what, and what it should have seen.
    pub sentence: String,
    /// The smallest sub-history that shows it, as ids of [`RunDetail`](crate::detail::RunDetail): first the operation that is
    /// wrong, then those that prove it. Empty where no operation is to blame.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<u64>,
}

/// The operations of one kind at one consistency level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindFact {
    /// `read`, `write`, `delete`, ...
    pub kind: String,
    /// `one`, `quorum`, `all`, ...
    pub consistency: String,
    /// Operations invoked; the sum of the three outcomes.
    pub operations: u64,
    /// Of those, acknowledged.
    pub ok: u64,
    /// Of those, refused without effect.
    pub fail: u64,
    /// Of those, neither.
    pub unknown: u64,
}

/// Latency percentiles of the acknowledged operations of one kind, in virtual microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyFact {
    /// `read`, `write`, `delete`, ...
    pub kind: String,
    /// The phase that was measured; `None` for the whole run.
    pub phase: Option<String>,
    /// Operations measured; with 0 the percentiles mean nothing and are shown as `-`.
    pub count: u64,
    /// The median.
    pub p50_micros: u64,
    /// Nine of ten were no slower.
    pub p90_micros: u64,
    /// 99 of 100 were no slower.
    pub p99_micros: u64,
    /// 999 of 1,000 were no slower.
    pub p999_micros: u64,
    /// The slowest.
    pub max_micros: u64,
}

/// The operations that ended in one stretch of `bucket_micros`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketFact {
    /// Where the bucket begins.
    pub at_micros: u64,
    /// Operations that ended acknowledged.
    pub ok: u64,
    /// Operations that ended refused, without effect.
    pub fail: u64,
    /// Operations that ended as neither.
    pub unknown: u64,
    /// The median of the acknowledged ones' latency; `None` when there was none, or nobody took it.
    #[serde(default)]
    pub p50_micros: Option<u64>,
    /// The 99th percentile of the acknowledged ones' latency; `None` when there was none.
    pub p99_micros: Option<u64>,
}

/// One number worth knowing: messages sent, syncs, read repairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterFact {
    /// What was counted, unit included: `bytes written`.
    pub name: String,
    /// How many.
    pub value: u64,
}

/// Everything that a report of one run shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// The scenario's name, which reads like a sentence.
    pub scenario: String,
    /// What the scenario teaches.
    pub about: String,
    /// Its file, as the user gave it: the report shows how to replay it.
    pub file: String,
    /// The seed of this run.
    pub seed: u64,
    /// The cluster in one line: `5 nodes, replication 3, 128 partitions`.
    pub cluster: String,
    /// The judgement.
    pub verdict: Verdict,
    /// What broke the run off or made it fail, when the expectations do not say it.
    pub failure: Option<String>,
    /// The trace hash in hexadecimal digits.
    pub trace: String,
    /// One row each in the verdict table, in the scenario's order.
    pub expectations: Vec<ExpectationFact>,
    /// In order of time.
    pub phases: Vec<PhaseFact>,
    /// In order of time.
    pub faults: Vec<FaultFact>,
    /// In order of time.
    pub anomalies: Vec<AnomalyFact>,
    /// In the order in which they are to be shown.
    pub kinds: Vec<KindFact>,
    /// In the order in which they are to be shown.
    pub latencies: Vec<LatencyFact>,
    /// Width of each bucket of `throughput`.
    pub bucket_micros: u64,
    /// In order of time.
    pub throughput: Vec<BucketFact>,
    /// In the order in which they are to be shown.
    pub counters: Vec<CounterFact>,
    /// How long the run was inside the sealed world.
    pub virtual_micros: u64,
    /// How long it took outside. Not a fact of the seed: it differs from run to run.
    pub wall_micros: u64,
    /// Virtual over wall time, see [`speed_ratio`].
    pub speed_ratio: f64,
}

/// Virtual time over wall time. A wall time of 0 counts as one microsecond, so that the ratio is always a number.
pub fn speed_ratio(virtual_micros: u64, wall_micros: u64) -> f64 {
    virtual_micros as f64 / wall_micros.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_ratio_is_a_number_even_when_no_wall_time_passed() {
        assert_eq!(speed_ratio(60_000_000, 400_000), 150.0);
        assert!(speed_ratio(60_000_000, 0).is_finite());
    }

    #[test]
    fn verdicts_are_written_in_one_lower_case_word() {
        for verdict in Verdict::ALL {
            let json = serde_json::to_string(&verdict).expect("a unit variant serializes");
            assert_eq!(json, format!("\"{verdict}\""));
        }
    }
}
