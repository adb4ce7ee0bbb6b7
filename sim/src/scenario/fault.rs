//! Faults as a plan has them: when, how long, and which one. One fault in the file is one value of [`Action`].
//!
//! ```text
//!   what a world can do (DESIGN, section 3)            said as
//!   disk   at a crash: kept, lost, torn                crash, with disk.survival
//!          error on read, append, sync                 disk_error            (a failed sync marks the page clean)
//!          lying sync of files, of folders             lying_sync            a full disk, a quota      full_disk
//!          short read, misdirected read                short_read, misdirected_read
//!          misdirected write, lost write (stale read)  misdirected_write, lost_write
//!          slow, stalled, throttled                    slow_disk, stalled_disk, throttled_disk
//!          bit rot                                     bit_rot               remounted for reading     read_only_disk
//!          wiped, an old backup restored               wipe, restore_backup
//!   net    latency, loss, duplication, reordering      network, slow_link, drop, delay, duplicate
//!          corruption of a frame                       corrupt               clogging                  clog
//!          capacity, slow drip                         capacity, drip        half-open link            half_open
//!          partitions                                  partition, partition_one_way, isolate, bridge, majorities_ring, flapping
//!   clock  skew, drift, step, strobe, freeze           clock_skew, clock_drift, clock_step, clock_strobe, freeze
//!   process kill, power loss, crash loop, in recovery  crash (again)         pause                     pause
//!          slow node, rolling restart                  slow_node, rolling_restart
//!   not yet: mixed versions
//! ```
//!
//! Names may still be open (`node: any`) and times may still be ranges: the seed decides, in
//! [`schedule`](super::schedule::schedule). A fault may also wait for something to happen instead of for a time: see
//! [`Trigger`].

use cluster::world::NodeId;

use super::link::{Latency, Member};
use super::trigger::Trigger;
use super::units::TimeRange;
use crate::world::{DiskFault, FileKind, Hit, MessageKind};

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
    /// Once, at the very moment at which something happens.
    When(Trigger),
}

impl Times {
    /// Nothing begins before.
    pub fn from_micros(&self) -> u64 {
        match self {
            Self::At { micros } => *micros,
            Self::Every { from_micros, .. } => *from_micros,
            Self::When(trigger) => trigger.from_micros,
        }
    }
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
    /// Certain calls of a node's disk go wrong: see [`DiskFault`].
    Disk {
        /// Whose.
        node: NodeChoice,
        /// What becomes of them, and so which call they are.
        fault: DiskFault,
        /// Only of files of this kind; `None` for every file (and for folders, which have no kind).
        file: Option<FileKind>,
        /// How many of them.
        hit: Hit,
    },
    /// A node's disk has little room left, as if something else had filled it.
    FullDisk {
        /// Whose.
        node: NodeChoice,
        /// Bytes that still fit when it begins.
        room_bytes: u64,
    },
    /// A node's disk is mounted for reading only.
    ReadOnlyDisk {
        /// Whose.
        node: NodeChoice,
    },
    /// A node's disk reports nothing until it is over.
    StalledDisk {
        /// Whose.
        node: NodeChoice,
    },
    /// A node's disk transfers so many bytes a second.
    ThrottledDisk {
        /// Whose.
        node: NodeChoice,
        /// Of reads, and of appends.
        bytes_per_second: u64,
    },
    /// Bits flip in a node's files, on the medium: nothing undoes it.
    BitRot {
        /// Whose.
        node: NodeChoice,
        /// In files of this kind; `None` for any of the engine's.
        file: Option<FileKind>,
        /// In so many bytes, one bit each.
        bytes: u64,
    },
    /// A node loses power and its disk, and comes back with an empty one.
    Wipe {
        /// Which. One that is already out of service is left alone.
        node: NodeChoice,
        /// How long it is gone.
        down: TimeRange,
    },
    /// A node loses power and its disk, and comes back with a copy of it that was taken earlier.
    RestoreBackup {
        /// Which. One that is already out of service is left alone.
        node: NodeChoice,
        /// When the copy was taken; before the fault.
        taken_micros: u64,
        /// How long it is gone.
        down: TimeRange,
    },
    /// Certain frames fare as said.
    Messages {
        /// What becomes of them.
        verdict: MessageVerdict,
        /// Which messages; `None` for every frame.
        message: Option<MessageKind>,
        /// Their senders; empty for anyone.
        from: Vec<Member>,
        /// Their receivers; empty for anyone.
        to: Vec<Member>,
        /// How many of them.
        hit: Hit,
    },
    /// Frames from the ones to the others are held up, or held back.
    Way {
        /// How.
        verdict: WayVerdict,
        /// Senders.
        from: Vec<Member>,
        /// Receivers; none of the senders.
        to: Vec<Member>,
    },
    /// The nodes fall into two halves that both reach this node, and not each other.
    Bridge {
        /// Which; there are at least three nodes.
        node: NodeChoice,
    },
    /// Each node reaches a majority of its own, none the same as another's; there are at least four.
    MajoritiesRing,
    /// A partition that comes and goes.
    Flapping {
        /// As for a partition.
        groups: Vec<Vec<Member>>,
        /// How long it is there; drawn anew each time.
        cut: TimeRange,
        /// How long it is gone.
        whole: TimeRange,
    },
    /// A node's wall clock is off, and is put right at the end.
    ClockSkew {
        /// Which.
        node: NodeChoice,
        /// Ahead, or (negative) behind; not 0.
        by_micros: i64,
    },
    /// A node's clocks run too fast or too slow.
    ClockDrift {
        /// Which.
        node: NodeChoice,
        /// Parts per million; not 0.
        by_ppm: i64,
    },
    /// A node's wall clock jumps to and fro.
    ClockStrobe {
        /// Which.
        node: NodeChoice,
        /// How far, first this way; not 0.
        by_micros: i64,
        /// How often it jumps.
        every_micros: u64,
    },
    /// A node's tasks and clocks stand still, as those of a virtual machine that is suspended.
    Freeze {
        /// Which.
        node: NodeChoice,
    },
    /// Everything about a node is slow: its disk, and whatever it hears and says.
    SlowNode {
        /// Which.
        node: NodeChoice,
        /// How many times as slow; at least 2.
        factor: u32,
    },
    /// Every node is restarted, one after the other.
    RollingRestart {
        /// What becomes of unsynced data.
        power: Power,
        /// How long each is gone.
        down: TimeRange,
        /// How long after the restart of one the next one goes.
        between: TimeRange,
    },
}

/// What becomes of certain messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageVerdict {
    /// They are lost.
    Drop,
    /// They take so much longer.
    Delay(Latency),
    /// They are sent twice.
    Duplicate,
    /// They are damaged: the receiver's checksum refuses them, and the connection breaks.
    Corrupt,
}

/// What becomes of all frames on a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayVerdict {
    /// They wait for the end, and then go.
    Clog,
    /// So many bytes pass a second, one frame behind the other.
    Capacity {
        /// At least 1.
        bytes_per_second: u64,
    },
    /// One frame passes in this time.
    Drip {
        /// At least 1.
        every_micros: u64,
    },
    /// They are lost, until either end is restarted.
    HalfOpen,
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

impl Action {
    /// The one node that it is about, if it is about one.
    pub fn node_mut(&mut self) -> Option<&mut NodeChoice> {
        match self {
            Self::Isolate { node }
            | Self::Pause { node }
            | Self::SlowDisk { node, .. }
            | Self::ClockStep { node, .. }
            | Self::Disk { node, .. }
            | Self::FullDisk { node, .. }
            | Self::ReadOnlyDisk { node }
            | Self::StalledDisk { node }
            | Self::ThrottledDisk { node, .. }
            | Self::BitRot { node, .. }
            | Self::Wipe { node, .. }
            | Self::RestoreBackup { node, .. }
            | Self::Bridge { node }
            | Self::ClockSkew { node, .. }
            | Self::ClockDrift { node, .. }
            | Self::ClockStrobe { node, .. }
            | Self::Freeze { node }
            | Self::SlowNode { node, .. }
            | Self::Crash { victims: Victims::One(node), .. } => Some(node),
            Self::Crash { victims: Victims::All, .. }
            | Self::Partition { .. }
            | Self::PartitionOneWay { .. }
            | Self::SlowLink { .. }
            | Self::Network { .. }
            | Self::Messages { .. }
            | Self::Way { .. }
            | Self::MajoritiesRing
            | Self::Flapping { .. }
            | Self::RollingRestart { .. } => None,
        }
    }

    /// How long a node is gone, of an action that takes one away; such an action lasts as long as that says.
    pub fn down_mut(&mut self) -> Option<&mut TimeRange> {
        match self {
            Self::Crash { down, .. }
            | Self::Wipe { down, .. }
            | Self::RestoreBackup { down, .. }
            | Self::RollingRestart { down, .. } => Some(down),
            _ => None,
        }
    }

    /// Renames whomever it speaks of, or leaves them out; false when nothing is left of it.
    pub fn rename(&mut self, renamed: &dyn Fn(Member) -> Option<Member>) -> bool {
        let group = |members: &mut Vec<Member>| *members = members.iter().copied().filter_map(renamed).collect();
        if let Some(node) = self.node_mut() {
            let NodeChoice::Named(known) = node else { return true };
            let Some(Member::Node(new)) = renamed(Member::Node(*known)) else { return false };
            *known = new;
            return true;
        }
        match self {
            Self::Partition { groups } | Self::Flapping { groups, .. } => {
                groups.iter_mut().for_each(group);
                groups.retain(|group| !group.is_empty());
                groups.len() >= 2
            }
            Self::PartitionOneWay { from, to } | Self::SlowLink { from, to, .. } | Self::Way { from, to, .. } => {
                group(from);
                group(to);
                !from.is_empty() && !to.is_empty()
            }
            Self::Messages { from, to, .. } => {
                let named = |one: &Vec<Member>, other: &Vec<Member>| (one.is_empty(), other.is_empty());
                let before = named(from, to);
                group(from);
                group(to);
                // Nobody left of those named would be anyone.
                before == named(from, to)
            }
            _ => true,
        }
    }

    /// Whether it is the network that is faulty: its end is a heal.
    pub fn is_of_the_network(&self) -> bool {
        matches!(
            self,
            Self::Partition { .. }
                | Self::PartitionOneWay { .. }
                | Self::Isolate { .. }
                | Self::SlowLink { .. }
                | Self::Network { .. }
                | Self::Messages { .. }
                | Self::Way { .. }
                | Self::Bridge { .. }
                | Self::MajoritiesRing
                | Self::Flapping { .. }
        )
    }
}
