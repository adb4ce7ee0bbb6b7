//! The CAP report: what each choice of R and W gives and costs under each kind of fault, as facts and as pages.
//!
//! ```text
//!   N in {3, 5} x R in {one, quorum, all} x W in {one, quorum, all} x eight kinds of fault  =  cells, a list of runs each
//!     └─ figures    shares and percentiles of a cell, each with its interval; runs are what is independent
//!          ├─▶ heat        pictures: squares that are pale where all is well and dark where it is not
//!          ├─▶ sentences   "reads at quorum were never stale in 98,212 reads, ..."
//!          └─▶ page, markdown, csv
//! ```
//!
//! What theory demands of a cell, and whether the cell obeys, comes in as facts: nothing here knows the database.

mod csv;
mod figures;
mod heat;
mod markdown;
mod page;
mod sentences;

use serde::{Deserialize, Serialize};

pub use csv::cap_csv;
pub use figures::{CellFigures, figures};
pub use heat::{Picture, cap_svg};
pub use markdown::cap_markdown;
pub use page::cap_page;
pub use sentences::sentence;

/// Ages at which reads are told apart: how long before the read began its key's newest write had been acknowledged. The last
/// class is of all that are older.
pub const AGE_EDGES_MICROS: [u64; 9] = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000, 1_000_000];

/// How many classes of age there are.
pub const AGE_CLASSES: usize = AGE_EDGES_MICROS.len() + 1;

/// The class of an age.
pub fn age_class(age_micros: u64) -> usize {
    AGE_EDGES_MICROS.partition_point(|edge| *edge <= age_micros)
}

/// The whole report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapFacts {
    /// The seed that the seeds of all runs follow from.
    pub seed: u64,
    /// Virtual time of a run's workload.
    pub duration_micros: u64,
    /// When the faults begin.
    pub fault_from_micros: u64,
    /// When they end.
    pub fault_until_micros: u64,
    /// Cluster and workload of every cell, as a sentence.
    pub setting: String,
    /// How to make the report again.
    pub command: String,
    /// The kinds of fault, in the order in which they are shown.
    pub faults: Vec<CapFault>,
    /// The cells.
    pub cells: Vec<CapCell>,
}

/// A kind of fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapFault {
    /// What cells name it by.
    pub key: String,
    /// Two or three words: `minority cut off`.
    pub title: String,
    /// The beginning of a sentence: `With the minority cut off`.
    pub under: String,
    /// Where those are whom it strikes: `on the minority side`. Empty when it strikes everybody alike.
    pub struck: String,
    /// Where the others are: `on the majority side`. Empty when it strikes everybody alike.
    pub others: String,
    /// What exactly is done, as a sentence.
    pub about: String,
}

/// One choice of N, R, W and fault, with its runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapCell {
    /// Its name, and that of its scenario file: `n3-quorum-one-flapping`.
    pub key: String,
    /// Nodes, and replicas of each key.
    pub nodes: u64,
    /// The level of reads: `one`, `quorum`, `all`.
    pub read: String,
    /// The level of writes.
    pub write: String,
    /// R: how many replicas that is.
    pub read_replicas: u64,
    /// W.
    pub write_replicas: u64,
    /// The fault, by its key.
    pub fault: String,
    /// Places of the nodes that the fault strikes, counted from 0.
    pub struck: Vec<usize>,
    /// The command that replays one of its runs.
    pub replay: String,
    /// What theory demands of it, and whether it obeys.
    pub theory: Vec<TheoryFact>,
    /// Its runs.
    pub runs: Vec<CapRun>,
}

impl CapCell {
    /// Whether every read quorum meets every write quorum.
    pub fn quorums_meet(&self) -> bool {
        self.read_replicas + self.write_replicas > self.nodes
    }

    /// Whether it contradicts theory.
    pub fn contradicts(&self) -> bool {
        self.theory.iter().any(|fact| !fact.holds)
    }
}

/// One demand of theory on a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TheoryFact {
    /// What must be: `no stale read, since 2 + 2 > 3 and clocks are in step`.
    pub claim: String,
    /// What was seen: `0 of 98,212`.
    pub seen: String,
    /// Whether that agrees.
    pub holds: bool,
}

/// What one run adds to its cell. Operations count where they were invoked, and only while the fault is in force, unless it
/// is said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapRun {
    /// Its seed.
    pub seed: u64,
    /// Its trace.
    pub trace: String,
    /// By node that was asked: reads answered, reads asked.
    pub reads: Vec<(u64, u64)>,
    /// By node that was asked: writes acknowledged, writes asked.
    pub writes: Vec<(u64, u64)>,
    /// Reads that could have been stale: something had been acknowledged before them.
    pub examined: u64,
    /// Of those, stale.
    pub stale: u64,
    /// The same, over the whole run.
    pub examined_whole: u64,
    /// Of those, stale.
    pub stale_whole: u64,
    /// The median age of the stale ones: how long before the read the newer write had been acknowledged.
    pub stale_age_p50_micros: Option<u64>,
    /// The greatest age.
    pub stale_age_max_micros: Option<u64>,
    /// Acknowledged writes that must be there in the end, over the whole run.
    pub kept: u64,
    /// Of those, lost.
    pub lost: u64,
    /// Median and 99th percentile of answered reads.
    pub read_micros: Option<(u64, u64)>,
    /// Median and 99th percentile of acknowledged writes.
    pub write_micros: Option<(u64, u64)>,
    /// Examined reads by class of age.
    pub reads_by_age: Vec<u64>,
    /// Stale reads by class of age.
    pub stale_by_age: Vec<u64>,
    /// Why the cluster did not come to rest; `None` when it did.
    pub unsettled: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_belongs_to_the_class_that_begins_with_it() {
        assert_eq!([0, 999, 1_000, 1_999, 999_999, 1_000_000, u64::MAX].map(age_class), [0, 0, 1, 1, 8, 9, 9]);
    }
}
