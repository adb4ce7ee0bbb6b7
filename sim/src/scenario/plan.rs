//! A scenario that can be run: every value in its final unit, every name resolved, every default filled in, every
//! contradiction refused. Whoever holds a [`Plan`] checks nothing again.
//!
//! Times are microseconds of virtual time counted from the workload's start; shares are parts per million. Nodes are
//! numbered from 1 (`n1`), clients from 0 (`c0`).

use cluster::world::NodeId;

use super::expectation::Expectation;
use super::fault::FaultPlan;
use super::link::{Latency, Member};
use super::workload::{PerKind, WorkloadPlan};

/// A whole scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The property or bug it shows, as a sentence.
    pub name: String,
    /// What a reader learns from it.
    pub about: String,
    /// Where it was read from, as named on the command line.
    pub file: String,
    /// What every random choice of the run follows from. The command line may replace it.
    pub seed: u64,
    /// The nodes.
    pub cluster: ClusterPlan,
    /// What is between them, while no fault changes it.
    pub network: NetworkPlan,
    /// What is under them.
    pub disk: DiskPlan,
    /// Nodes whose clocks are not in step with true time, each at most once.
    pub clocks: Vec<ClockPlan>,
    /// What the clients do.
    pub workload: WorkloadPlan,
    /// What goes wrong, in the order of the file. Whatever still goes on when the workload ends is healed then.
    pub faults: Vec<FaultPlan>,
    /// What the verdict demands; never empty, in the order in which it is told.
    pub expect: Vec<Expectation>,
    /// How many ok results of each kind the run must have had to prove anything; 0 for a kind that is never sent.
    pub at_least: PerKind<u64>,
    /// What recoveries the run must have had to prove anything about them.
    pub at_least_recoveries: Recoveries,
}

/// Recoveries of a kind, counted over all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recoveries {
    /// Those that found a torn tail, set it aside and cut it.
    pub torn_tails: u64,
    /// Those that a further crash cut short.
    pub interrupted: u64,
}

/// The nodes and how they keep data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPlan {
    /// How many; they are `n1` to `n<count>`.
    pub node_count: u16,
    /// Nodes that hold each key, at most `node_count`.
    pub replication: u16,
    /// Equal partitions of the ring; a power of two.
    pub partition_count: u32,
    /// When a write is acknowledged.
    pub durability: Durability,
    /// How far a stamp may be ahead of a node's clock.
    pub max_clock_offset_micros: u64,
    /// How long a coordinator waits for replicas.
    pub coordinator_timeout_micros: u64,
    /// Length at which a node's log goes on in a new file.
    pub wal_segment_bytes: u64,
    /// Size at which a node's memtable is written to a table.
    pub memtable_bytes: u64,
}

impl ClusterPlan {
    /// `n1`, `n2`, ...
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.node_count).map(NodeId)
    }
}

/// When a replica acknowledges a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// After it was synced.
    Always,
    /// At once; a sync follows within this time.
    Interval {
        /// Microseconds between syncs.
        micros: u64,
    },
    /// At once; nothing is synced for its sake.
    None,
}

/// What links do to frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkPlan {
    /// One way. Frames overtake each other where it varies.
    pub latency: Latency,
    /// Frames lost, of a million.
    pub loss_ppm: u32,
    /// Frames that arrive twice, of a million.
    pub duplicate_ppm: u32,
    /// Links that differ; a later one wins over an earlier one.
    pub links: Vec<LinkPlan>,
}

/// Directed links, from each of some to each of others, and what differs there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPlan {
    /// Senders.
    pub from: Vec<Member>,
    /// Receivers; none of the senders.
    pub to: Vec<Member>,
    /// `None` for the network's own, as below.
    pub latency: Option<Latency>,
    /// Frames lost, of a million.
    pub loss_ppm: Option<u32>,
    /// Frames that arrive twice, of a million.
    pub duplicate_ppm: Option<u32>,
}

/// What the disks do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskPlan {
    /// Of a sync.
    pub latency: Latency,
    /// Nodes whose disks differ, each at most once.
    pub nodes: Vec<(NodeId, Latency)>,
    /// What becomes of unsynced writes and names at a power loss.
    pub survival: Survival,
}

/// What becomes of what was not synced when the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Each write is kept, lost or torn, independently.
    Random,
    /// All of it is lost.
    Nothing,
    /// All of it is kept.
    Everything,
}

/// A clock that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockPlan {
    /// Whose.
    pub node: NodeId,
    /// How far ahead (or, negative, behind) it is at the start.
    pub skew_micros: i64,
    /// How much too fast (or, negative, too slow) it runs.
    pub drift_ppm: i64,
}
