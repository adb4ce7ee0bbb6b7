//! The cluster of a run: machines set up as the plan says, each running the real node.
//!
//! ```text
//!   machine n1 ── process ──▶ Node::start (recovery) ──▶ serving, seen through its slot ── crash ──▶ slot empty
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluster::config::NodeConfig;
use cluster::node::Node;
use cluster::ring::Placement;
use cluster::world::{NodeId, Peer};
use engine::compaction::{LazyLeveled, Leveled, Strategy, Tiered};

use crate::check::soundness::NodeAtRest;
use crate::scenario::{self, Member, Plan, Recoveries};
use crate::world::{DiskSettings, Laboratory, Latency, LinkSettings, NodeSettings, NodeWorld, SimulatedNode, Survival};

/// How long the nodes of a new cluster may take to start.
const START_MICROS: u64 = 30_000_000;

/// How often the laboratory looks whether something has happened.
pub(super) const LOOK_MICROS: u64 = 10_000;

/// What the laboratory sees of a node's present process.
#[derive(Default)]
struct Slot {
    serving: Option<Arc<Node<NodeWorld>>>,
    /// Why the last start failed.
    failure: Option<String>,
    /// Counters of processes that have ended.
    counters: BTreeMap<&'static str, u64>,
    /// What the recoveries of all its processes met.
    recoveries: Recoveries,
}

/// One machine of the cluster.
#[derive(Clone)]
pub(super) struct Machine {
    pub(super) machine: SimulatedNode,
    config: NodeConfig,
    slot: Arc<Mutex<Slot>>,
}

/// All machines. Cheap to clone.
#[derive(Clone)]
pub(super) struct Cluster {
    members: Arc<BTreeMap<NodeId, Machine>>,
    placement: Arc<Placement>,
    survival: Survival,
    /// Nodes that a fault has crashed and will start again.
    away: Arc<Mutex<BTreeSet<NodeId>>>,
}

impl Cluster {
    /// Sets up network and machines, and waits until every node serves; also says why some do not.
    pub(super) async fn start(laboratory: &Laboratory, plan: &Plan) -> (Self, Vec<String>) {
        set_up_network(laboratory, plan);
        let mut members = BTreeMap::new();
        for node in plan.cluster.nodes() {
            let machine = laboratory.node(node, settings(plan, node));
            let member = Machine { machine, config: config(plan, node), slot: Arc::default() };
            members.insert(node, member);
        }
        let placement = config(plan, NodeId(1)).placement().expect("validation refuses impossible placements");
        let survival = match plan.disk.survival {
            scenario::Survival::Random => Survival::Random,
            scenario::Survival::Nothing => Survival::Nothing,
            scenario::Survival::Everything => Survival::Everything,
        };
        let (members, placement, away) = (Arc::new(members), Arc::new(placement), Arc::default());
        let cluster = Self { members, placement, survival, away };
        for member in cluster.members.values() {
            member.start();
        }
        let failures = cluster.wait_until_serving(laboratory, laboratory.now_micros() + START_MICROS).await;
        (cluster, failures)
    }

    pub(super) fn member(&self, node: NodeId) -> &Machine {
        &self.members[&node]
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.members.keys().copied()
    }

    pub(super) fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Gives a node into a fault's hands, which will start it again; false when it is in another's.
    pub(super) fn leaves(&self, node: NodeId) -> bool {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).insert(node)
    }

    /// Takes a node back from a fault.
    pub(super) fn is_back(&self, node: NodeId) {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).remove(&node);
    }

    /// Takes a machine's power.
    pub(super) fn power_loss(&self, node: NodeId) -> u64 {
        let member = self.member(node);
        member.strike();
        let lost = member.machine.power_loss(self.survival);
        lost.files_unsynced + lost.names_kept + lost.names_lost
    }

    /// Kills a node's process.
    pub(super) fn kill(&self, node: NodeId) -> u64 {
        let member = self.member(node);
        member.strike();
        member.machine.kill().tasks
    }

    /// Waits until all nodes serve; returns why some do not.
    pub(super) async fn wait_until_serving(&self, laboratory: &Laboratory, deadline_micros: u64) -> Vec<String> {
        loop {
            let failures: Vec<String> =
                self.members.iter().filter_map(|(node, member)| member.trouble(*node)).collect();
            let refused = self.members.values().any(|member| member.lock().failure.is_some());
            if failures.is_empty() || refused || laboratory.now_micros() >= deadline_micros {
                return failures;
            }
            laboratory.sleep_micros(LOOK_MICROS).await;
        }
    }

    /// Does what an operator does when the faults are over: starts again every node that could not start, and every one
    /// whose engine has stopped writing, which is what its error asks for.
    pub(super) fn reopen_what_stopped(&self) {
        for (node, member) in self.members.iter() {
            let (serving, failed) = (member.serving(), member.lock().failure.is_some());
            if failed || serving.is_some_and(|node| node.poisoned().is_some()) {
                self.kill(*node);
                member.start();
            }
        }
    }

    /// Waits until every node serves or has said why it does not. Returns those that have not come that far, and those
    /// that refuse.
    pub(super) async fn wait_until_started(
        &self,
        laboratory: &Laboratory,
        deadline_micros: u64,
    ) -> (Vec<String>, BTreeMap<NodeId, String>) {
        loop {
            let starting: Vec<String> =
                self.members.iter().filter_map(|(node, member)| member.starting(*node)).collect();
            if starting.is_empty() || laboratory.now_micros() >= deadline_micros {
                let refusal = |(node, member): (&NodeId, &Machine)| Some((*node, member.lock().failure.clone()?));
                return (starting, self.members.iter().filter_map(refusal).collect());
            }
            laboratory.sleep_micros(LOOK_MICROS).await;
        }
    }

    /// What recoveries met, summed over nodes and processes.
    pub(super) fn recoveries(&self) -> Recoveries {
        self.members.values().fold(Recoveries::default(), |sum, member| {
            let met = member.lock().recoveries;
            let (torn_tails, interrupted) = (sum.torn_tails + met.torn_tails, sum.interrupted + met.interrupted);
            Recoveries { torn_tails, interrupted }
        })
    }

    /// Every machine's disk as it is now.
    pub(super) fn disks(&self) -> Vec<NodeAtRest> {
        let at_rest =
            |(node, member): (&NodeId, &Machine)| NodeAtRest { node: *node, image: member.machine.disk().image() };
        self.members.iter().map(at_rest).collect()
    }

    /// The nodes' own counters, summed over nodes and processes. Lets go of every node: for the end of a run.
    pub(super) fn take_counters(&self) -> Vec<(&'static str, u64)> {
        let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
        for member in self.members.values() {
            member.forget();
            for (name, count) in &member.lock().counters {
                *sums.entry(name).or_default() += count;
            }
        }
        sums.into_iter().collect()
    }
}

impl Machine {
    /// Starts a process on this machine, which must have none.
    pub(super) fn start(&self) {
        let (config, slot) = (self.config.clone(), self.slot.clone());
        slot.lock().unwrap_or_else(PoisonError::into_inner).failure = None;
        drop(self.machine.start(move |world| async move {
            match Node::start(world, config).await {
                Ok(node) => {
                    let node = Arc::new(node);
                    {
                        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                        slot.recoveries.torn_tails += u64::from(node.recovery().torn_tail.is_some());
                        slot.serving = Some(node.clone());
                    }
                    node.serve().await;
                }
                Err(error) => {
                    slot.lock().unwrap_or_else(PoisonError::into_inner).failure = Some(error.to_string());
                }
            }
        }));
    }

    /// The node that serves here, if one does.
    pub(super) fn serving(&self) -> Option<Arc<Node<NodeWorld>>> {
        self.lock().serving.clone()
    }

    /// Lets go of a process that is about to be ended, wherever it is in its life.
    fn strike(&self) {
        let recovers = |slot: &Slot| slot.serving.is_none() && slot.failure.is_none();
        let interrupted = self.machine.is_running() && recovers(&self.lock());
        self.lock().recoveries.interrupted += u64::from(interrupted);
        self.forget();
    }

    /// Lets go of a process that ends, keeping its counters.
    fn forget(&self) {
        let mut slot = self.lock();
        if let Some(node) = slot.serving.take() {
            for (name, count) in node.metrics().all() {
                *slot.counters.entry(name).or_default() += count;
            }
        }
    }

    fn starting(&self, node: NodeId) -> Option<String> {
        self.trouble(node).filter(|_| self.lock().failure.is_none())
    }

    fn trouble(&self, node: NodeId) -> Option<String> {
        let slot = self.lock();
        match (&slot.failure, &slot.serving) {
            (Some(failure), _) => Some(format!("{node} does not start: {failure}")),
            (None, None) => Some(format!("{node} has not finished its start")),
            (None, Some(_)) => None,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member of the plan as the network knows it.
pub(super) fn peer(member: &Member) -> Peer {
    match member {
        Member::Node(node) => Peer::Node(*node),
        Member::Client(number) => Peer::Client(super::sessions::client_id(*number)),
    }
}

pub(super) fn latency(latency: scenario::Latency) -> Latency {
    if latency.median_micros == latency.p99_micros {
        Latency::fixed(latency.median_micros)
    } else {
        Latency::quantiles(latency.median_micros, latency.p99_micros)
    }
}

fn set_up_network(laboratory: &Laboratory, plan: &Plan) {
    let network = laboratory.network();
    let default = LinkSettings {
        latency: latency(plan.network.latency),
        loss_ppm: plan.network.loss_ppm,
        duplicate_ppm: plan.network.duplicate_ppm,
    };
    network.set_default_link(default);
    network.set_near_link(LinkSettings { latency: Latency::fixed(50), ..default });
    for ((from, to), settings) in plan_links(plan, default) {
        network.set_link(from, to, settings);
    }
}

/// The links that the plan gives settings of their own.
pub(super) fn plan_links(plan: &Plan, default: LinkSettings) -> BTreeMap<(Peer, Peer), LinkSettings> {
    let mut links = BTreeMap::new();
    for link in &plan.network.links {
        let settings = LinkSettings {
            latency: link.latency.map_or(default.latency, latency),
            loss_ppm: link.loss_ppm.unwrap_or(default.loss_ppm),
            duplicate_ppm: link.duplicate_ppm.unwrap_or(default.duplicate_ppm),
        };
        for from in &link.from {
            links.extend(link.to.iter().map(|to| ((peer(from), peer(to)), settings)));
        }
    }
    links
}

fn settings(plan: &Plan, node: NodeId) -> NodeSettings {
    let sync = plan.disk.nodes.iter().find(|(named, _)| *named == node).map_or(plan.disk.latency, |(_, own)| *own);
    let clock = plan.clocks.iter().find(|clock| clock.node == node);
    NodeSettings {
        skew_micros: clock.map_or(0, |clock| clock.skew_micros),
        drift_ppm: clock.map_or(0, |clock| clock.drift_ppm),
        disk: DiskSettings { sync: latency(sync), ..DiskSettings::default() },
    }
}

/// Where a node keeps its data.
pub(super) const DATA: &str = "/data";

/// A node's memory: little, so that reads meet the disk.
const MEMORY_BYTES: usize = 256 * 1024;

/// How a node compacts: nodes differ, so that every scenario sees every strategy. Levels are small, so that there are some.
fn compaction(node: NodeId) -> Strategy {
    let table_bytes = 16 << 10;
    match node.0 % 3 {
        1 => Strategy::Leveled(Leveled { base_bytes: 32 << 10, fanout: 4, table_bytes, ..Leveled::default() }),
        2 => Strategy::Tiered(Tiered { table_bytes, ..Tiered::default() }),
        _ => Strategy::LazyLeveled(LazyLeveled { table_bytes, ..LazyLeveled::default() }),
    }
}

fn config(plan: &Plan, node: NodeId) -> NodeConfig {
    NodeConfig {
        node,
        data: PathBuf::from(DATA),
        nodes: plan.cluster.nodes().map(|node| (node, format!("{node}:7101"))).collect(),
        replication: usize::from(plan.cluster.replication),
        partitions: plan.cluster.partition_count,
        durability: match plan.cluster.durability {
            scenario::Durability::Always => engine::Durability::Always,
            scenario::Durability::Interval { micros } => engine::Durability::Interval(Duration::from_micros(micros)),
            scenario::Durability::None => engine::Durability::None,
        },
        max_clock_offset: Duration::from_micros(plan.cluster.max_clock_offset_micros),
        request_timeout: Duration::from_micros(plan.cluster.coordinator_timeout_micros),
        wal_segment_bytes: plan.cluster.wal_segment_bytes,
        memory_bytes: MEMORY_BYTES.max(plan.cluster.memtable_bytes as usize * 4),
        memtable_bytes: plan.cluster.memtable_bytes as usize,
        compaction: compaction(node),
    }
}
