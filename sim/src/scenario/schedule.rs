//! From faults as planned to faults as they will happen: every time drawn, every `any` a name, in the order of time.
//!
//! ```text
//!   plan                                            schedule for one seed
//!   { at: 5s, for: 10s, partition: [..] }           5 s   partition n1 n2 | n3 n4 n5   until 15 s
//!   { every: 4s..8s, until: 25s,                    6.2 s crash n4, power lost, down 1.9 s
//!     crash: { node: any, power: lost } }           12 s  crash n1, power lost, down 2.4 s
//! ```
//!
//! Every fault draws from a stream of its own, so that adding or removing one (as `storm shrink` does) changes no other's
//! times. A node that is down or paused is not crashed or paused again: faults with a time of their own claim their nodes
//! first, then those that come again and again take whoever is left. An occurrence that finds nobody is left out.

use std::collections::BTreeMap;
use std::fmt;

use cluster::world::NodeId;
use engine::world::Rng;

use super::fault::{Action, Again, FaultPlan, NodeChoice, Power, Times, Victims};
use super::link::{Latency, Member};
use super::plan::Plan;
use super::units::{TimeRange, share_text, time_signed_text, time_text};

#[cfg(test)]
mod tests;

/// One fault as it will happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledFault {
    /// Its place in `plan.faults`, by which a run knows which declared fault met traffic.
    pub fault: usize,
    /// When it begins, in microseconds of the workload.
    pub at_micros: u64,
    /// When it ends: its effect is undone, or the last crashed node is back. `None` for what the end of the workload
    /// heals, and for what nothing undoes (a clock step).
    pub until_micros: Option<u64>,
    /// What it does.
    pub injection: Injection,
    /// `faults[0] partition n1 n2 | n3 n4 n5`, for people.
    pub name: String,
}

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

/// Everything that will go wrong, in the order of time. The same plan and seed give the same schedule; `rng` is not
/// advanced.
pub fn schedule(plan: &Plan, rng: &Rng) -> Vec<ScheduledFault> {
    let nodes: Vec<NodeId> = plan.cluster.nodes().collect();
    let mut streams: Vec<Rng> = (0..plan.faults.len()).map(|fault| rng.fork(&format!("fault {fault}"))).collect();
    let mut occurrences = Vec::new();
    for (fault, planned) in plan.faults.iter().enumerate() {
        let times = begin_times(planned.times, plan.workload.duration_micros, &mut streams[fault]);
        occurrences.extend(times.into_iter().map(|at_micros| (claim_rank(planned), at_micros, fault)));
    }
    occurrences.sort_unstable();

    let mut claims = Claims::default();
    let mut scheduled = Vec::new();
    for (_, at_micros, fault) in occurrences {
        let planned = &plan.faults[fault];
        let rng = &mut streams[fault];
        let lasts_micros = planned.lasts.map(|lasts| lasts.draw(rng));
        let occurrence =
            Occurrence { at_micros, lasts_micros, end_micros: plan.workload.duration_micros, nodes: &nodes };
        let Some((injection, length_micros)) = occurrence.resolve(&planned.action, &mut claims, rng) else { continue };
        let until_micros = length_micros.map(|length| at_micros + length);
        scheduled.push(ScheduledFault {
            fault,
            at_micros,
            until_micros: until_micros.filter(|until| *until < plan.workload.duration_micros),
            name: format!("faults[{fault}] {injection}"),
            injection,
        });
    }
    scheduled.sort_by_key(|scheduled| (scheduled.at_micros, scheduled.fault));
    scheduled
}

/// Who takes nodes out of service first: faults that need a certain node at a certain time before those that can choose.
fn claim_rank(fault: &FaultPlan) -> u8 {
    let choosy = match &fault.action {
        Action::Crash { victims, .. } => *victims != Victims::One(NodeChoice::Any),
        Action::Pause { node } => *node != NodeChoice::Any,
        _ => return 0,
    };
    match (fault.times, choosy) {
        (Times::At { .. }, true) => 0,
        (Times::At { .. }, false) => 1,
        (Times::Every { .. }, true) => 2,
        (Times::Every { .. }, false) => 3,
    }
}

fn begin_times(times: Times, duration_micros: u64, rng: &mut Rng) -> Vec<u64> {
    let (every, from_micros, until_micros) = match times {
        Times::At { micros } => return vec![micros],
        Times::Every { every, from_micros, until_micros } => (every, from_micros, until_micros),
    };
    assert!(every.least_micros > 0, "validation refuses faults that come without pause");
    let mut begins = Vec::new();
    let mut at_micros = from_micros + every.draw(rng);
    while at_micros <= until_micros && at_micros < duration_micros {
        begins.push(at_micros);
        at_micros += every.draw(rng);
    }
    begins
}

/// When each node is out of service, so that nothing crashes twice at a time.
#[derive(Debug, Default)]
struct Claims(BTreeMap<NodeId, Vec<(u64, u64)>>);

impl Claims {
    fn is_free(&self, node: NodeId, from_micros: u64, until_micros: u64) -> bool {
        // A node must have been back for a moment before it goes again.
        let overlaps = |(from, until): &(u64, u64)| from_micros <= *until && *from <= until_micros;
        !self.0.get(&node).is_some_and(|claims| claims.iter().any(overlaps))
    }

    fn take(&mut self, node: NodeId, from_micros: u64, until_micros: u64) {
        assert!(self.is_free(node, from_micros, until_micros), "{node} is out of service already");
        self.0.entry(node).or_default().push((from_micros, until_micros));
    }
}

/// One time at which a fault begins.
struct Occurrence<'a> {
    at_micros: u64,
    lasts_micros: Option<u64>,
    end_micros: u64,
    nodes: &'a [NodeId],
}

impl Occurrence<'_> {
    /// What happens, and for how long; `None` when every node that it could happen to is out of service.
    fn resolve(&self, action: &Action, claims: &mut Claims, rng: &mut Rng) -> Option<(Injection, Option<u64>)> {
        let injection = match action {
            Action::Partition { groups } => Injection::Partition { groups: groups.clone() },
            Action::PartitionOneWay { from, to } => Injection::PartitionOneWay { from: from.clone(), to: to.clone() },
            Action::Isolate { node } => Injection::Isolate { node: self.named(*node, rng)? },
            Action::Crash { victims, power, down, again } => {
                let victims = self.victims(*victims, *down, *again, claims, rng);
                let length_micros = victims.iter().map(Victim::outage_micros).max()?;
                return Some((Injection::Crash { power: *power, victims }, Some(length_micros)));
            }
            Action::Pause { node } => {
                let until_micros = self.lasts_micros.map_or(self.end_micros, |lasts| self.at_micros + lasts);
                let node = self.in_service(*node, until_micros, claims, rng)?;
                claims.take(node, self.at_micros, until_micros);
                Injection::Pause { node }
            }
            Action::SlowDisk { node, factor } => Injection::SlowDisk { node: self.named(*node, rng)?, factor: *factor },
            Action::SlowLink { from, to, latency } => {
                Injection::SlowLink { from: from.clone(), to: to.clone(), latency: *latency }
            }
            Action::Network { latency, loss_ppm, duplicate_ppm } => {
                Injection::Network { latency: *latency, loss_ppm: *loss_ppm, duplicate_ppm: *duplicate_ppm }
            }
            Action::ClockStep { node, by_micros } => {
                Injection::ClockStep { node: self.named(*node, rng)?, by_micros: *by_micros }
            }
        };
        Some((injection, self.lasts_micros))
    }

    fn named(&self, choice: NodeChoice, rng: &mut Rng) -> Option<NodeId> {
        match choice {
            NodeChoice::Named(node) => Some(node),
            NodeChoice::Any => rng.pick(self.nodes).copied(),
        }
    }

    /// The chosen node, or any of those that are in service from now until then.
    fn in_service(&self, choice: NodeChoice, until_micros: u64, claims: &Claims, rng: &mut Rng) -> Option<NodeId> {
        let candidates: Vec<NodeId> = match choice {
            NodeChoice::Named(node) => vec![node],
            NodeChoice::Any => self.nodes.to_vec(),
        };
        let free: Vec<NodeId> =
            candidates.into_iter().filter(|node| claims.is_free(*node, self.at_micros, until_micros)).collect();
        rng.pick(&free).copied()
    }

    fn victims(
        &self,
        victims: Victims,
        down: TimeRange,
        again: Option<Again>,
        claims: &mut Claims,
        rng: &mut Rng,
    ) -> Vec<Victim> {
        let choices = match victims {
            Victims::One(choice) => vec![choice],
            Victims::All => self.nodes.iter().copied().map(NodeChoice::Named).collect(),
        };
        let mut chosen = Vec::new();
        for choice in choices {
            let down_micros = down.draw(rng);
            let again = match again {
                Some(again) => (0..again.times)
                    .map(|_| Recrash { after_micros: again.after.draw(rng), down_micros: down.draw(rng) })
                    .collect(),
                None => Vec::new(),
            };
            let mut victim = Victim { node: NodeId(0), down_micros, again };
            let until_micros = self.at_micros + victim.outage_micros();
            let Some(node) = self.in_service(choice, until_micros, claims, rng) else { continue };
            claims.take(node, self.at_micros, until_micros);
            victim.node = node;
            chosen.push(victim);
        }
        chosen
    }
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
        }
    }
}

fn listed<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
