//! A fault with nothing left open but, perhaps, its moment: what a run carries out, and how it is told.
//! Names that were open (`node: any`) are drawn here; nothing is done to anybody yet.

use std::fmt;

use cluster::world::NodeId;

use super::super::fault::{Action, MessageVerdict, NodeChoice, Power, WayVerdict};
use super::super::link::{Latency, Member};
use super::super::units::{TimeRange, share_text, time_signed_text, time_text};
use crate::world::{DiskFault, FileKind, Hit, MessageKind};

/// An [`Action`] with nothing left open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are those of `Action`.
pub enum Injection {
    /// No frame passes between different groups.
    Partition { groups: Vec<Vec<Member>> },
    /// No frame passes in this direction.
    PartitionOneWay { from: Vec<Member>, to: Vec<Member> },
    /// This node and all others hear nothing of each other.
    Isolate { node: NodeId },
    /// These nodes crash at once.
    Crash { power: Power, victims: Vec<Victim> },
    /// This node's tasks stand still.
    Pause { node: NodeId },
    /// This node's disk takes `factor` times as long.
    SlowDisk { node: NodeId, factor: u32 },
    /// These links take this long.
    SlowLink { from: Vec<Member>, to: Vec<Member>, latency: Latency },
    /// The whole network changes where a field is given.
    Network { latency: Option<Latency>, loss_ppm: Option<u32>, duplicate_ppm: Option<u32> },
    /// This node's wall clock jumps.
    ClockStep { node: NodeId, by_micros: i64 },
    /// This happens to certain calls of this node's disk.
    Disk { node: NodeId, fault: DiskFault, file: Option<FileKind>, hit: Hit },
    /// This node's disk has so much room left.
    FullDisk { node: NodeId, room_bytes: u64 },
    /// This node's disk takes no change.
    ReadOnlyDisk { node: NodeId },
    /// This node's disk reports nothing.
    StalledDisk { node: NodeId },
    /// This node's disk has this speed.
    ThrottledDisk { node: NodeId, bytes_per_second: u64 },
    /// So many bytes of this node's files rot.
    BitRot { node: NodeId, file: Option<FileKind>, bytes: u64 },
    /// This node loses its disk and gets an empty one, or the copy that was taken then.
    ReplaceDisk { node: NodeId, taken_micros: Option<u64>, down_micros: u64 },
    /// This happens to certain messages; no senders or receivers are all of them.
    Messages { verdict: MessageVerdict, message: Option<MessageKind>, from: Vec<Member>, to: Vec<Member>, hit: Hit },
    /// This happens to all frames on these ways.
    Way { verdict: WayVerdict, from: Vec<Member>, to: Vec<Member> },
    /// The others fall into halves: no frame passes in these directions.
    Bridge { node: NodeId, ways: Vec<(Vec<Member>, Vec<Member>)> },
    /// Everybody has another majority: no frame passes in these directions.
    MajoritiesRing { ways: Vec<(Vec<Member>, Vec<Member>)> },
    /// A partition that comes and goes.
    Flapping { groups: Vec<Vec<Member>>, cut: TimeRange, whole: TimeRange },
    /// This node's wall clock is off until the end.
    ClockSkew { node: NodeId, by_micros: i64 },
    /// This node's clocks run so much faster.
    ClockDrift { node: NodeId, by_ppm: i64 },
    /// This node's wall clock jumps to and fro.
    ClockStrobe { node: NodeId, by_micros: i64, every_micros: u64 },
    /// This node's tasks and clocks stand still.
    Freeze { node: NodeId },
    /// This node is slow in everything.
    SlowNode { node: NodeId, factor: u32 },
    /// These nodes crash, one after the other.
    RollingRestart { power: Power, turns: Vec<Turn> },
}

/// One restart of a rolling one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Whose.
    pub node: NodeId,
    /// How long after the beginning it goes.
    pub after_micros: u64,
    /// How long it is gone.
    pub down_micros: u64,
}

/// A node that crashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victim {
    /// Which.
    pub node: NodeId,
    /// How long it is gone before its first restart.
    pub down_micros: u64,
    /// What happens to it after that, in turn.
    pub again: Vec<Recrash>,
}

/// A crash soon after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recrash {
    /// How long after the restart before it.
    pub after_micros: u64,
    /// How long the node is gone then.
    pub down_micros: u64,
}

impl Victim {
    /// From the first crash to the last restart.
    pub fn outage_micros(&self) -> u64 {
        self.down_micros + self.again.iter().map(|again| again.after_micros + again.down_micros).sum::<u64>()
    }
}

impl Injection {
    /// An action that only needs its node chosen; `None` for those that take nodes out of service.
    pub(super) fn lasting(
        action: &Action,
        nodes: &[NodeId],
        mut choose: impl FnMut(NodeChoice) -> Option<NodeId>,
    ) -> Option<Self> {
        Some(match action.clone() {
            Action::Partition { groups } => Self::Partition { groups },
            Action::PartitionOneWay { from, to } => Self::PartitionOneWay { from, to },
            Action::Isolate { node } => Self::Isolate { node: choose(node)? },
            Action::SlowDisk { node, factor } => Self::SlowDisk { node: choose(node)?, factor },
            Action::SlowLink { from, to, latency } => Self::SlowLink { from, to, latency },
            Action::Network { latency, loss_ppm, duplicate_ppm } => Self::Network { latency, loss_ppm, duplicate_ppm },
            Action::ClockStep { node, by_micros } => Self::ClockStep { node: choose(node)?, by_micros },
            Action::Disk { node, fault, file, hit } => Self::Disk { node: choose(node)?, fault, file, hit },
            Action::FullDisk { node, room_bytes } => Self::FullDisk { node: choose(node)?, room_bytes },
            Action::ReadOnlyDisk { node } => Self::ReadOnlyDisk { node: choose(node)? },
            Action::StalledDisk { node } => Self::StalledDisk { node: choose(node)? },
            Action::ThrottledDisk { node, bytes_per_second } => {
                Self::ThrottledDisk { node: choose(node)?, bytes_per_second }
            }
            Action::BitRot { node, file, bytes } => Self::BitRot { node: choose(node)?, file, bytes },
            Action::Messages { verdict, message, from, to, hit } => Self::Messages { verdict, message, from, to, hit },
            Action::Way { verdict, from, to } => Self::Way { verdict, from, to },
            Action::Bridge { node } => {
                let node = choose(node)?;
                Self::Bridge { node, ways: halves(nodes, node) }
            }
            Action::MajoritiesRing => Self::MajoritiesRing { ways: ring(nodes) },
            Action::Flapping { groups, cut, whole } => Self::Flapping { groups, cut, whole },
            Action::ClockSkew { node, by_micros } => Self::ClockSkew { node: choose(node)?, by_micros },
            Action::ClockDrift { node, by_ppm } => Self::ClockDrift { node: choose(node)?, by_ppm },
            Action::ClockStrobe { node, by_micros, every_micros } => {
                Self::ClockStrobe { node: choose(node)?, by_micros, every_micros }
            }
            Action::SlowNode { node, factor } => Self::SlowNode { node: choose(node)?, factor },
            Action::Crash { .. }
            | Action::Wipe { .. }
            | Action::RestoreBackup { .. }
            | Action::RollingRestart { .. }
            | Action::Pause { .. }
            | Action::Freeze { .. } => return None,
        })
    }

    /// The one node that it is about, if it is about one.
    pub fn node(&self) -> Option<NodeId> {
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
            | Self::ReplaceDisk { node, .. }
            | Self::Bridge { node, .. }
            | Self::ClockSkew { node, .. }
            | Self::ClockDrift { node, .. }
            | Self::ClockStrobe { node, .. }
            | Self::Freeze { node }
            | Self::SlowNode { node, .. } => Some(*node),
            Self::Crash { victims, .. } => match &victims[..] {
                [victim] => Some(victim.node),
                _ => None,
            },
            Self::Partition { .. }
            | Self::PartitionOneWay { .. }
            | Self::SlowLink { .. }
            | Self::Network { .. }
            | Self::Messages { .. }
            | Self::Way { .. }
            | Self::MajoritiesRing { .. }
            | Self::Flapping { .. }
            | Self::RollingRestart { .. } => None,
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
                | Self::MajoritiesRing { .. }
                | Self::Flapping { .. }
        )
    }

    /// Whether it is over as soon as it has begun.
    pub fn is_instant(&self) -> bool {
        matches!(self, Self::ClockStep { .. } | Self::BitRot { .. })
    }
}

/// The nodes but one in two halves, and the two directions between these.
fn halves(nodes: &[NodeId], bridge: NodeId) -> Vec<(Vec<Member>, Vec<Member>)> {
    let others: Vec<Member> = nodes.iter().filter(|node| **node != bridge).map(|node| Member::Node(*node)).collect();
    let (one, other) = others.split_at(others.len().div_ceil(2));
    vec![(one.to_vec(), other.to_vec()), (other.to_vec(), one.to_vec())]
}

/// Nodes on a circle: each is cut off from those that are further away than its majority needs.
fn ring(nodes: &[NodeId]) -> Vec<(Vec<Member>, Vec<Member>)> {
    let (count, reach) = (nodes.len(), (nodes.len() / 2).div_ceil(2));
    let far = |one: usize, other: usize| {
        let distance = one.abs_diff(other);
        distance.min(count - distance) > reach
    };
    (0..count)
        .map(|one| {
            let others = (0..count).filter(|other| far(one, *other)).map(|other| Member::Node(nodes[other])).collect();
            (vec![Member::Node(nodes[one])], others)
        })
        .collect()
}

impl fmt::Display for Injection {
    /// A short phrase for the timeline: `crash n3 (power lost, down 1.9s)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition { groups } => {
                let groups: Vec<String> = groups.iter().map(|group| listed(group)).collect();
                write!(formatter, "partition {}", groups.join(" | "))
            }
            Self::PartitionOneWay { from, to } => {
                write!(formatter, "partition one way {} -> {}", listed(from), listed(to))
            }
            Self::Isolate { node } => write!(formatter, "isolate {node}"),
            Self::Crash { power, victims } => {
                let power = if *power == Power::Lost { "power lost" } else { "killed" };
                let nodes: Vec<NodeId> = victims.iter().map(|victim| victim.node).collect();
                let longest_micros = victims.iter().map(Victim::outage_micros).max().unwrap_or(0);
                write!(formatter, "crash {} ({power}, back after {})", listed(&nodes), time_text(longest_micros))
            }
            Self::Pause { node } => write!(formatter, "pause {node}"),
            Self::SlowDisk { node, factor } => write!(formatter, "slow disk {node} ({factor} times)"),
            Self::SlowLink { from, to, latency } => {
                write!(formatter, "slow link {} -> {} ({})", listed(from), listed(to), time_text(latency.median_micros))
            }
            Self::Network { latency, loss_ppm, duplicate_ppm } => {
                formatter.write_str("network")?;
                for (what, text) in [
                    ("latency", latency.map(|latency| time_text(latency.median_micros))),
                    ("loss", loss_ppm.map(share_text)),
                    ("duplicate", duplicate_ppm.map(share_text)),
                ] {
                    if let Some(text) = text {
                        write!(formatter, " {what} {text}")?;
                    }
                }
                Ok(())
            }
            Self::ClockStep { node, by_micros } => {
                write!(formatter, "clock step {node} by {}", time_signed_text(*by_micros))
            }
            Self::RollingRestart { turns, .. } => {
                let nodes: Vec<NodeId> = turns.iter().map(|turn| turn.node).collect();
                write!(formatter, "rolling restart {}", listed(&nodes))
            }
            other => {
                let (name, targets) = other.told();
                write!(formatter, "{name} {targets}")
            }
        }
    }
}

impl Injection {
    /// Name and targets of the faults that need no sentence of their own.
    pub fn told(&self) -> (String, String) {
        let of = |name: &str, node: &NodeId| (name.to_string(), node.to_string());
        match self {
            Self::Disk { node, fault, file, .. } => {
                let file = file.map_or(String::new(), |file| format!(" of a {file}"));
                (format!("{}{file}", fault_words(*fault)), node.to_string())
            }
            Self::FullDisk { node, .. } => of("full disk", node),
            Self::ReadOnlyDisk { node } => of("read-only disk", node),
            Self::StalledDisk { node } => of("stalled disk", node),
            Self::ThrottledDisk { node, .. } => of("throttled disk", node),
            Self::BitRot { node, bytes, .. } => (format!("{bytes} rotten bytes"), node.to_string()),
            Self::ReplaceDisk { node, taken_micros: None, .. } => of("disk wiped", node),
            Self::ReplaceDisk { node, taken_micros: Some(taken), .. } => {
                (format!("backup of {} restored", time_text(*taken)), node.to_string())
            }
            Self::Messages { verdict, message, from, to, .. } => {
                let message = message.map_or("message", MessageKind::name);
                (format!("{message}s {}", message_words(*verdict)), format!("{} -> {}", anyone(from), anyone(to)))
            }
            Self::Way { verdict, from, to } => {
                (way_words(*verdict).to_string(), format!("{} -> {}", listed(from), listed(to)))
            }
            Self::Bridge { ways, .. } => ("bridge".to_string(), ways_told(ways)),
            Self::MajoritiesRing { ways } => ("ring of majorities".to_string(), ways_told(ways)),
            Self::Flapping { groups, .. } => {
                let groups: Vec<String> = groups.iter().map(|group| listed(group)).collect();
                ("flapping partition".to_string(), groups.join(" | "))
            }
            Self::ClockSkew { node, by_micros } => {
                (format!("clock {}", time_signed_text(*by_micros)), node.to_string())
            }
            Self::ClockDrift { node, by_ppm } => (format!("clock drift {by_ppm}ppm"), node.to_string()),
            Self::ClockStrobe { node, .. } => of("clock strobe", node),
            Self::Freeze { node } => of("frozen", node),
            Self::SlowNode { node, factor } => (format!("{factor} x slower"), node.to_string()),
            Self::RollingRestart { turns, .. } => {
                let nodes: Vec<NodeId> = turns.iter().map(|turn| turn.node).collect();
                ("rolling restart".to_string(), listed(&nodes))
            }
            Self::Partition { groups } => {
                let groups: Vec<String> = groups.iter().map(|group| listed(group)).collect();
                ("partition".to_string(), groups.join(" | "))
            }
            Self::PartitionOneWay { from, to } => {
                ("one-way partition".to_string(), format!("{} -> {}", listed(from), listed(to)))
            }
            Self::Isolate { node } => of("isolated", node),
            Self::Crash { power, victims } => {
                let nodes: Vec<NodeId> = victims.iter().map(|victim| victim.node).collect();
                let name = if *power == Power::Lost { "power lost" } else { "killed" };
                (name.to_string(), listed(&nodes))
            }
            Self::Pause { node } => of("paused", node),
            Self::SlowDisk { node, factor } => (format!("disk {factor} x slower"), node.to_string()),
            Self::SlowLink { from, to, .. } => ("slow link".to_string(), format!("{} -> {}", listed(from), listed(to))),
            Self::Network { .. } => ("network".to_string(), "all links".to_string()),
            Self::ClockStep { node, by_micros } => {
                (format!("clock {}", time_signed_text(*by_micros)), node.to_string())
            }
        }
    }
}

fn fault_words(fault: DiskFault) -> &'static str {
    match fault {
        DiskFault::ReadError => "failing reads",
        DiskFault::ShortRead => "short reads",
        DiskFault::MisdirectedRead => "misdirected reads",
        DiskFault::AppendError => "failing appends",
        DiskFault::LostWrite => "lost writes",
        DiskFault::MisdirectedWrite => "misdirected writes",
        DiskFault::SyncError => "failing syncs",
        DiskFault::LyingSync => "lying syncs",
        DiskFault::LyingSyncDir => "lying syncs of folders",
    }
}

fn message_words(verdict: MessageVerdict) -> &'static str {
    match verdict {
        MessageVerdict::Drop => "dropped",
        MessageVerdict::Delay(_) => "delayed",
        MessageVerdict::Duplicate => "doubled",
        MessageVerdict::Corrupt => "damaged",
    }
}

fn way_words(verdict: WayVerdict) -> &'static str {
    match verdict {
        WayVerdict::Clog => "clogged",
        WayVerdict::Capacity { .. } => "narrow",
        WayVerdict::Drip { .. } => "dripping",
        WayVerdict::HalfOpen => "half open",
    }
}

fn ways_told(ways: &[(Vec<Member>, Vec<Member>)]) -> String {
    let ways: Vec<String> = ways.iter().map(|(from, to)| format!("{} -x- {}", listed(from), listed(to))).collect();
    ways.join(", ")
}

fn anyone(members: &[Member]) -> String {
    if members.is_empty() { "any".to_string() } else { listed(members) }
}

fn listed<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
