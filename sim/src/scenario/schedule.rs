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
//! times. A fault that waits for something to happen (`when`) has everything drawn but its time. A node that is down or paused is not crashed or paused again: faults with a time of their own claim their nodes
//! first, then those that come again and again take whoever is left. An occurrence that finds nobody is left out.

use std::collections::BTreeMap;

use cluster::world::NodeId;
use engine::world::Rng;

pub use self::injection::{Injection, Recrash, Turn, Victim};
use super::fault::{Action, Again, FaultPlan, NodeChoice, Times, Victims};
use super::plan::Plan;
use super::trigger::Trigger;
use super::units::TimeRange;

mod injection;

#[cfg(test)]
mod tests;

/// One fault as it will happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledFault {
    /// Its place in `plan.faults`, by which a run knows which declared fault met traffic.
    pub fault: usize,
    /// When it begins, in microseconds of the workload; not before, where it waits for something.
    pub at_micros: u64,
    /// What it waits for, if it does.
    pub when: Option<Trigger>,
    /// How long it lasts from when it begins; `None` until the workload ends, or for ever.
    pub lasts_micros: Option<u64>,
    /// When it ends: its effect is undone, or the last crashed node is back. `None` for what the end of the workload
    /// heals, for what nothing undoes (a clock step), and for what waits.
    pub until_micros: Option<u64>,
    /// What it does.
    pub injection: Injection,
    /// `faults[0] partition n1 n2 | n3 n4 n5`, for people.
    pub name: String,
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
        let when = match planned.times {
            Times::When(trigger) => Some(trigger),
            _ => None,
        };
        // Who is out of service when a trigger fires is only known then.
        let mut nobody = Claims::default();
        let claims = if when.is_some() { &mut nobody } else { &mut claims };
        let Some((injection, lasts_micros)) = occurrence.resolve(&planned.action, claims, rng) else { continue };
        let until_micros = lasts_micros.filter(|_| when.is_none()).map(|length| at_micros + length);
        scheduled.push(ScheduledFault {
            fault,
            at_micros,
            when,
            lasts_micros,
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
        Action::Pause { node }
        | Action::Freeze { node }
        | Action::Wipe { node, .. }
        | Action::RestoreBackup { node, .. } => *node != NodeChoice::Any,
        Action::RollingRestart { .. } => true,
        _ => return 0,
    };
    match (fault.times, choosy) {
        (Times::When(_), _) => 0,
        (Times::At { .. }, true) => 0,
        (Times::At { .. }, false) => 1,
        (Times::Every { .. }, true) => 2,
        (Times::Every { .. }, false) => 3,
    }
}

fn begin_times(times: Times, duration_micros: u64, rng: &mut Rng) -> Vec<u64> {
    let (every, from_micros, until_micros) = match times {
        Times::At { micros } => return vec![micros],
        Times::When(trigger) => return vec![trigger.from_micros],
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
            Action::Crash { victims, power, down, again } => {
                let victims = self.victims(*victims, *down, *again, claims, rng);
                let length_micros = victims.iter().map(Victim::outage_micros).max()?;
                return Some((Injection::Crash { power: *power, victims }, Some(length_micros)));
            }
            Action::Wipe { node, down } => return self.replacement(*node, None, *down, claims, rng),
            Action::RestoreBackup { node, taken_micros, down } => {
                return self.replacement(*node, Some(*taken_micros), *down, claims, rng);
            }
            Action::RollingRestart { power, down, between } => {
                let turns = self.turns(*down, *between, claims, rng);
                let length_micros = turns.last().map(|turn| turn.after_micros + turn.down_micros)?;
                return Some((Injection::RollingRestart { power: *power, turns }, Some(length_micros)));
            }
            Action::Pause { node } => Injection::Pause { node: self.stood_still(*node, claims, rng)? },
            Action::Freeze { node } => Injection::Freeze { node: self.stood_still(*node, claims, rng)? },
            action => Injection::lasting(action, self.nodes, |choice| self.named(choice, rng))?,
        };
        Some((injection, self.lasts_micros))
    }

    /// A node whose disk is replaced.
    fn replacement(
        &self,
        node: NodeChoice,
        taken_micros: Option<u64>,
        down: TimeRange,
        claims: &mut Claims,
        rng: &mut Rng,
    ) -> Option<(Injection, Option<u64>)> {
        let down_micros = down.draw(rng);
        let until_micros = self.at_micros + down_micros;
        let node = self.in_service(node, until_micros, claims, rng)?;
        claims.take(node, self.at_micros, until_micros);
        Some((Injection::ReplaceDisk { node, taken_micros, down_micros }, Some(down_micros)))
    }

    /// Every node that is in service when its turn comes, in order.
    fn turns(&self, down: TimeRange, between: TimeRange, claims: &mut Claims, rng: &mut Rng) -> Vec<Turn> {
        let (mut turns, mut after_micros) = (Vec::new(), 0);
        for node in self.nodes {
            let down_micros = down.draw(rng);
            let (from, until) = (self.at_micros + after_micros, self.at_micros + after_micros + down_micros);
            if claims.is_free(*node, from, until) {
                claims.take(*node, from, until);
                turns.push(Turn { node: *node, after_micros, down_micros });
            }
            after_micros += down_micros + between.draw(rng);
        }
        turns
    }

    /// A node that stands still for as long as the fault lasts.
    fn stood_still(&self, node: NodeChoice, claims: &mut Claims, rng: &mut Rng) -> Option<NodeId> {
        let until_micros = self.lasts_micros.map_or(self.end_micros, |lasts| self.at_micros + lasts);
        let node = self.in_service(node, until_micros, claims, rng)?;
        claims.take(node, self.at_micros, until_micros);
        Some(node)
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
