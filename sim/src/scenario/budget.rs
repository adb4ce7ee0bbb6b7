//! The fault budget: which copies of the data a plan's faults may destroy, and what may still be demanded of the rest.
//!
//! ```text
//!   a copy  forgets   wiped, an old backup, a sync that lied and then no power, a lost or rotten end of a log:
//!                     it answers, and its answer may be older than what it acknowledged
//!           refuses   a rotten table: its checksum says so, and the copy answers with an error
//!
//!   N copies, D of them damaged, F of these forgetful; writes wait for W, reads for R
//!   nothing is lost        D < W                  one of those that acknowledged still has it
//!   nothing is stale       F < R + W - N          every read meets one of them
//!   nothing stays refused  N - D >= max(R, W)
//! ```
//!
//! As the atlas of TigerBeetle's simulator knows which blocks of which replica it has ruined. The partition that is hit
//! worst counts. Within the budget a loss, a stale read or a refusal without end is a bug; beyond it only clear errors are
//! right, and a value that nobody wrote, or a panic, is a bug everywhere.
//!
//! What is no damage: an error of a call (nothing was acknowledged on it), a failed sync at `durability: always` (nor on
//! that), a kill (the page cache survives), anything that the network or the clocks do.

use std::collections::BTreeMap;

use cluster::ring::Placement;
use cluster::world::NodeId;

use super::fault::{Action, NodeChoice, Power, Times, Victims};
use super::plan::{Durability, Plan};
use crate::history::OperationKind;
use crate::world::{DiskFault, FileKind};

/// What became of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// It answers with errors.
    Refuses,
    /// It may answer with something older than it acknowledged.
    Forgets,
}

/// How much of the data is damaged, at worst, and what is promised all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// N.
    pub copies: usize,
    /// D: damaged copies of the partition that is hit worst.
    pub damaged: usize,
    /// F: those of them that may forget, of the partition that is hit worst by that.
    pub forgetful: usize,
    /// R.
    pub read: usize,
    /// W, the smaller of writes and deletes.
    pub write: usize,
}

impl Budget {
    /// The worst that the plan's faults can do, whatever the seed.
    pub fn of(plan: &Plan) -> Self {
        let mut nodes: BTreeMap<NodeId, Damage> = BTreeMap::new();
        // Nodes that the seed picks: they may all be others, and all in one replica set.
        let (mut open_damaged, mut open_forgetful) = (0, 0);
        for fault in &plan.faults {
            let Some(damage) = damage(plan, &fault.action) else { continue };
            match victims(&fault.action) {
                Some(Victims::One(NodeChoice::Named(node))) => note(&mut nodes, node, damage),
                None | Some(Victims::All) => plan.cluster.nodes().for_each(|node| note(&mut nodes, node, damage)),
                Some(Victims::One(NodeChoice::Any)) => {
                    let count = times_at_most(fault.times).min(usize::from(plan.cluster.node_count));
                    open_damaged += count;
                    open_forgetful += if damage == Damage::Forgets { count } else { 0 };
                }
            }
        }
        let mut budget = Self::of_damage(plan, &nodes);
        budget.damaged = (budget.damaged + open_damaged).min(budget.copies);
        budget.forgetful = (budget.forgetful + open_forgetful).min(budget.copies);
        budget
    }

    /// What these damaged nodes leave.
    pub fn of_damage(plan: &Plan, nodes: &BTreeMap<NodeId, Damage>) -> Self {
        let copies = usize::from(plan.cluster.replication);
        let members: Vec<NodeId> = plan.cluster.nodes().collect();
        let placement = Placement::new(1, &members, copies, plan.cluster.partition_count).ok();
        let worst = |counts: &dyn Fn(Damage) -> bool| match &placement {
            _ if nodes.is_empty() => 0,
            None => nodes.values().filter(|damage| counts(**damage)).count().min(copies),
            Some(placement) => {
                let hit = |node: &&NodeId| nodes.get(node).is_some_and(|damage| counts(*damage));
                let of = |partition| placement.replicas(partition).iter().filter(hit).count();
                placement.all().map(of).max().unwrap_or(0)
            }
        };
        let level = |kind| plan.workload.consistency.of(kind).required(copies).unwrap_or(copies);
        let sends_deletes = plan.workload.mix.of(OperationKind::Delete) > 0;
        let write = level(OperationKind::Write);
        Self {
            copies,
            damaged: worst(&|_| true),
            forgetful: worst(&|damage| damage == Damage::Forgets),
            read: level(OperationKind::Read),
            write: if sends_deletes { write.min(level(OperationKind::Delete)) } else { write },
        }
    }

    /// Whether no acknowledged write may be lost.
    pub fn keeps(&self) -> bool {
        self.damaged < self.write
    }

    /// Whether no read may be stale.
    pub fn is_fresh(&self) -> bool {
        self.forgetful + self.copies < self.read + self.write
    }

    /// Whether no operation may be refused for ever.
    pub fn serves(&self) -> bool {
        self.damaged + self.read.max(self.write) <= self.copies
    }
}

/// Adds damage to a node's copies; the worse counts.
pub(crate) fn note(nodes: &mut BTreeMap<NodeId, Damage>, node: NodeId, damage: Damage) {
    let known = nodes.entry(node).or_insert(damage);
    *known = (*known).max(damage);
}

/// What an action does to what its victims have acknowledged; `None` when nothing.
pub(crate) fn damage(plan: &Plan, action: &Action) -> Option<Damage> {
    // The end of a log is nowhere proven: what is wrong there counts as torn, and is cut off.
    let of_file = |file: &Option<FileKind>| match file {
        Some(FileKind::Table) => Damage::Refuses,
        _ => Damage::Forgets,
    };
    let is_volatile = plan.cluster.durability != Durability::Always;
    match action {
        Action::Wipe { .. } | Action::RestoreBackup { .. } => Some(Damage::Forgets),
        Action::BitRot { file, .. } => Some(of_file(file)),
        Action::Disk { fault: DiskFault::LostWrite | DiskFault::MisdirectedWrite, file, .. } => Some(of_file(file)),
        Action::Disk { fault: DiskFault::LyingSync | DiskFault::LyingSyncDir, .. } => {
            plan.loses_power().then_some(Damage::Forgets)
        }
        Action::Disk { fault: DiskFault::SyncError, .. } => {
            (is_volatile && plan.loses_power()).then_some(Damage::Forgets)
        }
        Action::Crash { power: Power::Lost, .. } | Action::RollingRestart { power: Power::Lost, .. } => {
            is_volatile.then_some(Damage::Forgets)
        }
        _ => None,
    }
}

/// Whose data a destructive action destroys; `None` for everybody's.
fn victims(action: &Action) -> Option<Victims> {
    match action {
        Action::Crash { victims, .. } => Some(*victims),
        Action::Wipe { node, .. }
        | Action::RestoreBackup { node, .. }
        | Action::BitRot { node, .. }
        | Action::Disk { node, .. } => Some(Victims::One(*node)),
        _ => None,
    }
}

/// How often a fault may come.
fn times_at_most(times: Times) -> usize {
    match times {
        Times::At { .. } | Times::When(_) => 1,
        Times::Every { every, from_micros, until_micros } => {
            usize::try_from((until_micros - from_micros) / every.least_micros.max(1)).unwrap_or(usize::MAX)
        }
    }
}

impl Plan {
    /// Whether some fault takes the power of a machine.
    fn loses_power(&self) -> bool {
        self.faults.iter().any(|fault| {
            matches!(
                fault.action,
                Action::Crash { power: Power::Lost, .. }
                    | Action::RollingRestart { power: Power::Lost, .. }
                    | Action::Wipe { .. }
                    | Action::RestoreBackup { .. }
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(lines: &str) -> Budget {
        let text = format!("name: x\nabout: y\nexpect: {{ converged: true }}\n{lines}");
        Budget::of(&super::super::parse("x.yaml", &text).unwrap_or_else(|error| panic!("{error}")))
    }

    #[track_caller]
    fn promises(lines: &str, keeps: bool, is_fresh: bool, serves: bool) {
        let budget = budget(lines);
        assert_eq!((budget.keeps(), budget.is_fresh(), budget.serves()), (keeps, is_fresh, serves), "{budget:?}");
    }

    #[test]
    fn without_damage_everything_is_promised_that_the_levels_promise() {
        promises("faults: [{ at: 1s, crash: { node: all, power: lost } }]", true, true, true);
        promises("workload: { consistency: { read: one, write: one } }", true, false, true);
    }

    #[test]
    fn one_copy_that_refuses_costs_nothing_and_one_that_forgets_costs_freshness() {
        promises("faults: [{ at: 1s, bit_rot: { node: n1, file: table } }]", true, true, true);
        promises("faults: [{ at: 1s, wipe: { node: n1 } }]", true, false, true);
        promises(
            "workload: { consistency: { write: all } }\nfaults: [{ at: 1s, wipe: { node: n1 } }]",
            true,
            true,
            false,
        );
    }

    #[test]
    fn two_of_three_copies_are_more_than_a_quorum_can_lose() {
        let two = "faults: [{ at: 1s, wipe: { node: n1 } }, { at: 5s, wipe: { node: n2 } }]";
        promises(two, false, false, false);
        promises("faults: [{ every: 2s..3s, wipe: { node: any, down: 1s } }]", false, false, false);
        promises("cluster: { durability: none }\nfaults: [{ at: 1s, crash: { node: all } }]", false, false, false);
    }

    #[test]
    fn damaged_nodes_that_share_no_key_add_up_to_one_copy() {
        let apart = "cluster: { nodes: 2, replication: 1, partitions: 2 }\nfaults: [{ at: 1s, wipe: { node: n1 } }, { at: 5s, wipe: { node: n2 } }]";
        assert_eq!(budget(apart).damaged, 1);
    }

    #[test]
    fn a_lying_sync_is_no_damage_while_the_power_stays() {
        let lie = "{ at: 1s, lying_sync: { node: n1, file: wal } }";
        promises(&format!("faults: [{lie}]"), true, true, true);
        promises(&format!("faults: [{lie}, {{ at: 2s, crash: {{ node: n2 }} }}]"), true, false, true);
    }
}
