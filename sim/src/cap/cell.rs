//! One cell of the survey: how large the cluster is, how many replicas reads and writes ask, and what goes wrong.
//!
//! ```text
//!   0 s ───── calm ───── 1/4 ═════ the fault is in force ═════ 3/4 ───── calm ───── duration
//!
//!   N = 3   n1 | n2 n3           minority | majority          n1 | n2 | n3           no majority anywhere
//!   N = 5   n1 n2 | n3 n4 n5                                  n1 n2 | n3 n4 | n5
//! ```
//!
//! Every node holds every key, so that a side of the network decides alone who gets an answer. A cell is made into the text
//! of a scenario, and the plan is what that text says: whoever replays the file runs what was measured.

use std::fmt;
use std::ops::Range;

use cluster::coordinator::{Level, majority};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::scenario::{self, Plan, ScenarioError, time_text};

/// The sizes of cluster that are surveyed.
pub const SIZES: [u16; 2] = [3, 5];

/// The levels that are surveyed.
pub const LEVELS: [Level; 3] = [Level::ONE, Level::Quorum, Level::All];

/// Seeds of a cell begin below this, so that people can read them.
const FIRST_SEED_BELOW: u64 = 1_000_000_000;

/// How far clocks are set from true time, one this way and the next that way.
const SKEW_MICROS: u64 = 200_000;

/// What all cells have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What the seeds of all runs follow from.
    pub seed: u64,
    /// Virtual time of each run's workload; at least [`Settings::DURATION_MICROS_MIN`].
    pub duration_micros: u64,
}

impl Settings {
    /// In less than this, faults that come again and again might not come once.
    pub const DURATION_MICROS_MIN: u64 = 4_000_000;

    /// Operations a second.
    pub const RATE: u64 = 200;

    /// Keys of the workload: few, so that what is written is soon read.
    pub const KEYS: u64 = 8;

    /// When the fault is in force.
    pub fn fault_micros(&self) -> Range<u64> {
        self.duration_micros / 4..self.duration_micros / 4 * 3
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nothing.
    None,
    /// A minority and the majority hear nothing of each other.
    MinorityCutOff,
    /// Three sides, none of them a majority.
    MajoritySplit,
    /// Nobody hears the minority, and the minority hears everybody.
    OneWay,
    /// The minority is cut off and back, twice a second.
    Flapping,
    /// One node's disk and network are slow.
    SlowNode,
    /// One node loses power again and again, also while it recovers.
    CrashLoop,
    /// Clocks differ, within what the cluster tolerates.
    SkewedClocks,
}

impl Fault {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::MinorityCutOff,
        Self::MajoritySplit,
        Self::OneWay,
        Self::Flapping,
        Self::SlowNode,
        Self::CrashLoop,
        Self::SkewedClocks,
    ];

    /// What cells name it by.
    pub fn key(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::MinorityCutOff => "minority-cut-off",
            Self::MajoritySplit => "majority-split",
            Self::OneWay => "one-way",
            Self::Flapping => "flapping",
            Self::SlowNode => "slow-node",
            Self::CrashLoop => "crash-loop",
            Self::SkewedClocks => "skewed-clocks",
        }
    }
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Nodes, and replicas of each key.
    pub nodes: u16,
    /// How many replicas reads ask.
    pub read: Level,
    /// How many replicas writes ask.
    pub write: Level,
    /// What goes wrong.
    pub fault: Fault,
}

/// Every cell, in the order of the report.
pub fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for fault in Fault::ALL {
        for nodes in SIZES {
            for read in LEVELS {
                cells.extend(LEVELS.map(|write| Cell { nodes, read, write, fault }));
            }
        }
    }
    cells
}

impl fmt::Display for Cell {
    /// `n3-quorum-one-flapping`: N, R, W, fault.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "n{}-{}-{}-{}", self.nodes, self.read, self.write, self.fault.key())
    }
}

impl Cell {
    /// R and W.
    pub fn replicas(&self) -> (usize, usize) {
        let nodes = usize::from(self.nodes);
        let of = |level: Level| level.required(nodes).expect("one, quorum and all are levels of every cluster");
        (of(self.read), of(self.write))
    }

    /// Whether every read quorum meets every write quorum.
    pub fn quorums_meet(&self) -> bool {
        let (read, write) = self.replicas();
        read + write > usize::from(self.nodes)
    }

    /// Whether clocks are in step.
    pub fn in_step(&self) -> bool {
        self.fault != Fault::SkewedClocks
    }

    /// The seed of the `run`-th run.
    pub fn seed(&self, settings: &Settings, run: u64) -> u64 {
        xxh3_64_with_seed(self.to_string().as_bytes(), settings.seed) % FIRST_SEED_BELOW + run
    }

    /// The sides into which a lasting partition cuts the cluster, as places of nodes counted from 0; one side of all nodes
    /// where there is none. In `OneWay` too a side reaches itself and nobody else, and be it only that answers are lost.
    pub fn sides(&self) -> Vec<Vec<usize>> {
        let nodes = usize::from(self.nodes);
        let minority = nodes - majority(nodes);
        match self.fault {
            Fault::MinorityCutOff | Fault::OneWay => vec![(0..minority).collect(), (minority..nodes).collect()],
            Fault::MajoritySplit => {
                vec![(0..minority).collect(), (minority..2 * minority).collect(), (2 * minority..nodes).collect()]
            }
            _ => vec![(0..nodes).collect()],
        }
    }

    /// The nodes that the fault strikes, where it strikes some more than others.
    pub fn struck(&self) -> Vec<usize> {
        let nodes = usize::from(self.nodes);
        match self.fault {
            Fault::None | Fault::MajoritySplit | Fault::SkewedClocks => Vec::new(),
            Fault::MinorityCutOff | Fault::OneWay | Fault::Flapping => (0..nodes - majority(nodes)).collect(),
            Fault::SlowNode | Fault::CrashLoop => vec![0],
        }
    }

    /// The cell as a scenario, for its `run`-th run.
    pub fn text(&self, settings: &Settings, run: u64) -> String {
        let Self { nodes, read, write, fault } = self;
        let (read_replicas, write_replicas) = self.replicas();
        let sign = if self.quorums_meet() { ">" } else { "<=" };
        let clients = 10 * nodes;
        let (duration, rate) = (time_text(settings.duration_micros), Settings::RATE);
        let mut text = format!(
            "name: CAP cell {self}\n\
             about: >-\n  \
             One cell of the CAP report. N is {nodes}, reads ask {read_replicas} and writes {write_replicas} replicas, \
             and R + W {sign} N.\n\
             seed: {}\n\
             cluster: {{ nodes: {nodes}, replication: {nodes}, partitions: 16, durability: always, timeout: 1s, \
             max_clock_offset: 500ms }}\n\
             network: {{ latency: {{ median: 1ms, p99: 10ms }} }}\n\
             disk: {{ latency: {{ median: 80us, p99: 2ms }} }}\n",
            self.seed(settings, run)
        );
        if *fault == Fault::SkewedClocks {
            text.push_str(&self.clocks());
        }
        text.push_str(&format!(
            "workload:\n  \
             clients: {clients}\n  \
             duration: {duration}\n  \
             rate: {rate}/s\n  \
             timeout: 2s\n  \
             keys: {{ count: {}, distribution: uniform }}\n  \
             mix: {{ read: 50, write: 50 }}\n  \
             consistency: {{ read: {read}, write: {write} }}\n",
            Settings::KEYS
        ));
        let faults = self.faults(settings);
        if !faults.is_empty() {
            text.push_str(&format!("faults:\n{faults}"));
        }
        text.push_str("expect:\n");
        if self.quorums_meet() && self.in_step() {
            text.push_str("  stale_reads: 0\n");
        }
        if self.in_step() {
            text.push_str("  lost_writes: 0\n");
        }
        text.push_str("  converged: true\nat_least: { read: 0, write: 0 }\n");
        text
    }

    /// The plan that the text says. An error is a bug of ours: the text says what cannot be.
    pub fn plan(&self, settings: &Settings, run: u64) -> Result<Plan, ScenarioError> {
        scenario::parse(&format!("{self}.yaml"), &self.text(settings, run))
    }

    /// Two clocks, or two pairs, apart; the last node's is right. No node differs from most others by too much.
    fn clocks(&self) -> String {
        let mut text = "clocks:\n".to_string();
        for node in 1..self.nodes {
            let sign = if node % 2 == 1 { "-" } else { "" };
            text.push_str(&format!("  - {{ node: n{node}, skew: {sign}{} }}\n", time_text(SKEW_MICROS)));
        }
        text
    }

    fn faults(&self, settings: &Settings) -> String {
        let window = settings.fault_micros();
        let (at, lasts) = (time_text(window.start), time_text(window.end - window.start));
        let names =
            |places: &[usize]| places.iter().map(|place| format!("n{}", place + 1)).collect::<Vec<_>>().join(", ");
        let sides =
            |sides: &[Vec<usize>]| sides.iter().map(|side| format!("[{}]", names(side))).collect::<Vec<_>>().join(", ");
        let all: Vec<usize> = (0..usize::from(self.nodes)).collect();
        let (one, others) = (names(&all[..1]), names(&all[1..]));
        match self.fault {
            Fault::None | Fault::SkewedClocks => String::new(),
            Fault::MinorityCutOff | Fault::MajoritySplit => {
                format!("  - {{ at: {at}, for: {lasts}, partition: [{}] }}\n", sides(&self.sides()))
            }
            Fault::OneWay => {
                let (from, to) = (names(&self.sides()[0]), names(&self.sides()[1]));
                format!("  - {{ at: {at}, for: {lasts}, partition_one_way: {{ from: [{from}], to: [{to}] }} }}\n")
            }
            Fault::Flapping => {
                let struck = self.struck();
                let rest = all[struck.len()..].to_vec();
                let until = time_text(window.end - 300_000);
                format!(
                    "  - {{ every: 400ms..600ms, from: {at}, until: {until}, for: 100ms..300ms, partition: [{}] }}\n",
                    sides(&[struck, rest])
                )
            }
            Fault::SlowNode => {
                let slow = "latency: { median: 50ms, p99: 200ms }";
                format!(
                    "  - {{ at: {at}, for: {lasts}, slow_disk: {{ node: {one}, by: 50 }} }}\n  \
                     - {{ at: {at}, for: {lasts}, slow_link: {{ from: [{one}], to: [{others}], {slow} }} }}\n  \
                     - {{ at: {at}, for: {lasts}, slow_link: {{ from: [{others}], to: [{one}], {slow} }} }}\n"
                )
            }
            Fault::CrashLoop => {
                let until = time_text(window.end - 600_000);
                format!(
                    "  - {{ every: 800ms..1s, from: {at}, until: {until}, crash: {{ node: {one}, power: lost, \
                     down: 100ms..200ms, again: {{ after: 20ms..60ms, times: 2 }} }} }}\n"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SETTINGS: Settings = Settings { seed: 1, duration_micros: 10_000_000 };

    #[test]
    fn every_cell_is_a_scenario_with_the_settings_of_the_cell() {
        let cells = cells();
        assert_eq!(cells.len(), 2 * 9 * 8);
        for duration_micros in [Settings::DURATION_MICROS_MIN, 10_000_000] {
            for cell in &cells {
                let settings = Settings { seed: 1, duration_micros };
                let plan = cell.plan(&settings, 3).unwrap_or_else(|error| panic!("{cell}: {error}"));
                assert_eq!((plan.cluster.node_count, plan.cluster.replication), (cell.nodes, cell.nodes));
                assert_eq!((plan.workload.consistency.read, plan.workload.consistency.write), (cell.read, cell.write));
                assert_eq!((plan.seed, plan.workload.duration_micros), (cell.seed(&settings, 3), duration_micros));
                let quiet = matches!(cell.fault, Fault::None | Fault::SkewedClocks);
                assert_eq!(plan.faults.is_empty(), quiet, "{cell}");
                assert_eq!(plan.clocks.is_empty(), cell.in_step(), "{cell}");
            }
        }
    }

    #[test]
    fn cells_have_names_and_seeds_of_their_own() {
        let names: BTreeSet<String> = cells().iter().map(Cell::to_string).collect();
        let seeds: BTreeSet<u64> = cells().iter().map(|cell| cell.seed(&SETTINGS, 0)).collect();
        assert_eq!((names.len(), seeds.len()), (144, 144));
        assert!(names.contains("n5-quorum-one-flapping"), "{names:?}");
    }

    #[test]
    fn a_partition_leaves_a_majority_on_one_side_or_on_none() {
        let cell = |nodes, fault| Cell { nodes, read: Level::ONE, write: Level::ONE, fault };
        let sizes = |nodes, fault| cell(nodes, fault).sides().iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!((sizes(3, Fault::MinorityCutOff), sizes(5, Fault::OneWay)), (vec![1, 2], vec![2, 3]));
        assert_eq!((sizes(3, Fault::MajoritySplit), sizes(5, Fault::MajoritySplit)), (vec![1, 1, 1], vec![2, 2, 1]));
    }
}
