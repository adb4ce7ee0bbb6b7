//! Faults as a plan has them: when, how long, and which one. One fault in the file is one value of [`Action`].
//!
//! Names may still be open (`node: any`) and times may still be ranges: the seed decides, in
//! [`schedule`](super::schedule::schedule).

use cluster::world::NodeId;

use super::link::{Latency, Member};
use super::units::TimeRange;

/// One entry under `faults`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultPlan {
    /// When it begins.
    pub times: Times,
    /// How long it lasts; `None` until the workload ends (or for as long as the action itself says).
    pub lasts: Option<TimeRange>,
    /// What it does.
    pub action: Action,
}

/// When a fault begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Once.
    At {
        /// Before the workload's end.
        micros: u64,
    },
    /// Again and again: the first time `every` after `from`, then `every` after the time before.
    Every {
        /// At least a millisecond; drawn anew each time.
        every: TimeRange,
        /// Nothing happens before.
        from_micros: u64,
        /// Nothing begins after; not after the workload's end.
        until_micros: u64,
    },
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// No frame passes between different groups. Whoever is in no group reaches everybody.
    Partition {
        /// At least two; nobody is in two.
        groups: Vec<Vec<Member>>,
    },
    /// No frame passes from the ones to the others; the other direction works.
    PartitionOneWay {
        /// Who is not heard.
        from: Vec<Member>,
        /// Who does not hear; none of `from`.
        to: Vec<Member>,
    },
    /// A node and all other nodes hear nothing of each other; its clients still reach it.
    Isolate {
        /// Which.
        node: NodeChoice,
    },
    /// Processes die and come back.
    Crash {
        /// Whose. One that is already out of service at that time is left alone.
        victims: Victims,
        /// What becomes of unsynced data.
        power: Power,
        /// How long each is gone.
        down: TimeRange,
        /// Crashes after the restart.
        again: Option<Again>,
    },
    /// A node's tasks stand still, and go on afterwards as if nothing had been.
    Pause {
        /// Which.
        node: NodeChoice,
    },
    /// Every disk operation of a node takes longer.
    SlowDisk {
        /// Which.
        node: NodeChoice,
        /// How many times as long; at least 2.
        factor: u32,
    },
    /// Frames from each of the ones to each of the others take this long instead.
    SlowLink {
        /// Senders.
        from: Vec<Member>,
        /// Receivers; none of the senders.
        to: Vec<Member>,
        /// One way.
        latency: Latency,
    },
    /// The whole network changes; at least one field is given, the others stay as they were.
    Network {
        /// One way.
        latency: Option<Latency>,
        /// Frames lost, of a million.
        loss_ppm: Option<u32>,
        /// Frames that arrive twice, of a million.
        duplicate_ppm: Option<u32>,
    },
    /// A node's wall clock jumps, and nothing puts it back.
    ClockStep {
        /// Which.
        node: NodeChoice,
        /// Forward, or (negative) back; not 0.
        by_micros: i64,
    },
}

/// Crashing again while, or soon after, recovering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// How long after each restart.
    pub after: TimeRange,
    /// How often; at least once.
    pub times: u32,
}

/// The node that a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeChoice {
    /// This one.
    Named(NodeId),
    /// Whichever the seed picks.
    Any,
}

/// The nodes that crash at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victims {
    /// One.
    One(NodeChoice),
    /// Every one.
    All,
}

/// What a crash leaves on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// The machine loses power: unsynced data fares as `disk.survival` says.
    Lost,
    /// Only the process dies (`kill -9`): the page cache keeps everything it wrote.
    Kept,
}
