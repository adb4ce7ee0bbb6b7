//! After the faults: everything is healed, and the cluster must come to rest within a virtual deadline.
//!
//! ```text
//!   every node serves ─▶ every key read at `all` (which repairs) ─▶ each replica's own row taken ─▶ equal? ─▶ read
//!                        ▲                                                                            │ no    through
//!                        ╰────────────────────────── until the deadline ──────────────────────────────╯       two nodes
//! ```
//!
//! Until nodes repair by themselves, the laboratory's reads at `all` are what makes replicas equal.
//!
//! A node that refuses to start, or a copy of a key that refuses to be read, is not waited for: it is told, and the key is
//! read from as many copies as answer. Whether the refusal is right is for the verdict to say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use cluster::client::Client;
use cluster::coordinator::{FailureKind, Level};
use cluster::world::{ClientId, NodeId};

use super::Refusal;
use super::nodes::Cluster;
use super::sessions::{key_name, value_text};
use crate::check::convergence::{FinalRead, KeyAtRest};
use crate::scenario::Plan;
use crate::world::{ClientWorld, Laboratory};

/// Within this much virtual time after the workload's end the cluster must serve every key at `all`.
const REST_MICROS: u64 = 60_000_000;

/// How long background repair after a round of reads may take, before replicas are compared.
const REPAIR_MICROS: u64 = 500_000;

/// How long a final read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// The identities of the laboratory's own clients begin here, out of the way of sessions.
const FIRST_CLIENT: u64 = 1 << 40;

/// The cluster at rest.
pub(super) struct Rest {
    /// Every key of the workload.
    pub(super) keys: BTreeMap<String, KeyAtRest>,
    /// Why it did not come to rest; empty when it did.
    pub(super) failures: Vec<String>,
    /// What single nodes refuse.
    pub(super) refusals: Vec<Refusal>,
}

/// Waits for rest, and looks at it.
pub(super) async fn settle(laboratory: &Laboratory, cluster: &Cluster, plan: &Plan, zero: u64) -> Rest {
    let deadline = zero + plan.workload.duration_micros + REST_MICROS;
    let (failures, refused) = cluster.wait_until_started(laboratory, deadline).await;
    let does_not_start = |(node, reason)| Refusal { node, reason: format!("does not start: {reason}") };
    let mut refusals: Vec<Refusal> = refused.into_iter().map(does_not_start).collect();
    if !failures.is_empty() || refusals.len() == cluster.nodes().count() {
        return Rest { keys: BTreeMap::new(), failures, refusals };
    }
    let (laboratory, cluster) = (laboratory.clone(), cluster.clone());
    let mut readers = Readers { laboratory, cluster, clients: BTreeMap::new(), deadline };
    for (number, node) in (FIRST_CLIENT..).zip(readers.cluster.nodes()) {
        if refusals.iter().all(|refusal| refusal.node != node) {
            let client = Client::new(readers.laboratory.client(ClientId(number), Some(node)), node);
            readers.clients.insert(node, client);
        }
    }
    let mut keys = BTreeMap::new();
    let mut restless: Vec<u32> = (0..plan.workload.key_count).collect();
    while !restless.is_empty() {
        for key in &restless {
            // The read is what repairs; what it returns is looked at when everything rests.
            readers.read(*key, *key as usize).await;
        }
        readers.laboratory.sleep_micros(REPAIR_MICROS).await;
        let late = readers.laboratory.now_micros() >= deadline;
        let mut still = Vec::new();
        for key in restless {
            let (rows, unreadable) = rows(&readers.cluster, key).await;
            let rests = rows.values().all(|row| Some(row) == rows.values().next());
            if rests || late {
                let reads = if rows.is_empty() { BTreeMap::new() } else { readers.read_twice(key).await };
                keys.insert(key_name(key), KeyAtRest { rows, reads });
                refusals.extend(unreadable);
            } else {
                still.push(key);
            }
        }
        restless = still;
    }
    Rest { keys, failures: Vec::new(), refusals: one_a_node(refusals) }
}

/// The first refusal of each node, which tells how many more there are.
fn one_a_node(refusals: Vec<Refusal>) -> Vec<Refusal> {
    let nodes: BTreeSet<NodeId> = refusals.iter().map(|refusal| refusal.node).collect();
    let told = |node| {
        let mut of_node = refusals.iter().filter(|refusal| refusal.node == node);
        let mut first = of_node.next()?.clone();
        let more = of_node.count();
        if more > 0 {
            first.reason = format!("{} (and {more} more)", first.reason);
        }
        Some(first)
    };
    nodes.into_iter().filter_map(told).collect()
}

/// The laboratory's own clients, one near each node that serves.
struct Readers {
    laboratory: Laboratory,
    cluster: Cluster,
    clients: BTreeMap<NodeId, Client<ClientWorld>>,
    deadline: u64,
}

impl Readers {
    /// Reads a key at `all` through the `place`-th node (counted round) until it answers, or the deadline passes: a
    /// network that loses frames also loses those of a healthy cluster. Where copies refuse, it reads at as many as answer.
    async fn read(&mut self, key: u32, place: usize) -> (NodeId, FinalRead) {
        let count = self.clients.len();
        let (node, client) = self.clients.iter_mut().nth(place % count).expect("a cluster that serves has nodes");
        // A node that does not serve will not answer, however long it is asked.
        let mut level =
            if count < self.cluster.nodes().count() { answering(&self.cluster, key).await } else { Level::All };
        loop {
            if level == Level::Number(0) {
                return (*node, FinalRead::Failed("every copy refuses".to_string()));
            }
            let read = client.get(Bytes::from(key_name(key)), level, READ_TIMEOUT).await;
            let read = match read.result {
                Ok(read) => {
                    read.value.as_deref().map_or(FinalRead::Absent, |value| FinalRead::Value(value_text(value)))
                }
                Err(failure) if self.laboratory.now_micros() < self.deadline => {
                    if failure.kind == FailureKind::Refused {
                        level = answering(&self.cluster, key).await;
                    }
                    self.laboratory.sleep_micros(super::nodes::LOOK_MICROS).await;
                    continue;
                }
                Err(failure) => FinalRead::Failed(failure.reason),
            };
            return (*node, read);
        }
    }

    /// Reads a key through two different nodes, where there are two.
    async fn read_twice(&mut self, key: u32) -> BTreeMap<String, FinalRead> {
        let mut reads = BTreeMap::new();
        for place in [key as usize, key as usize + 1] {
            let (node, read) = self.read(key, place).await;
            reads.insert(node.to_string(), read);
        }
        reads
    }
}

/// The level at which as many copies of a key are asked as can be read; all of them where all can.
async fn answering(cluster: &Cluster, key: u32) -> Level {
    let (rows, unreadable) = rows(cluster, key).await;
    if unreadable.is_empty() { Level::All } else { Level::Number(u8::try_from(rows.len()).unwrap_or(u8::MAX)) }
}

/// Each replica's own row, as a fingerprint, and those that cannot be read.
async fn rows(cluster: &Cluster, key: u32) -> (BTreeMap<String, Option<String>>, Vec<Refusal>) {
    let name = key_name(key);
    let (mut rows, mut unreadable) = (BTreeMap::new(), Vec::new());
    for replica in &cluster.placement().explain(name.as_bytes()).replicas {
        let row = match cluster.member(*replica).serving() {
            Some(node) => node.local_row(name.as_bytes()).await,
            None => Err("it does not serve".to_string()),
        };
        match row {
            Ok(row) => {
                let fingerprint = row.map(|row| format!("{} {:08x}", row.stamp, crc32fast::hash(&row.encode())));
                rows.insert(replica.to_string(), fingerprint);
            }
            Err(reason) => unreadable.push(Refusal { node: *replica, reason: format!("cannot read {name}: {reason}") }),
        }
    }
    (rows, unreadable)
}
