//! After the faults: everything is healed, and the cluster must come to rest within a virtual deadline.
//!
//! ```text
//!   every node serves ─▶ every key read at `all` (which repairs) ─▶ each replica's own row taken ─▶ equal? ─▶ read
//!                        ▲                                                                            │ no    through
//!                        ╰────────────────────────── until the deadline ──────────────────────────────╯       two nodes
//! ```
//!
//! Until nodes repair by themselves, the laboratory's reads at `all` are what makes replicas equal.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cluster::client::Client;
use cluster::coordinator::Level;
use cluster::world::{ClientId, NodeId};

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
}

/// Waits for rest, and looks at it.
pub(super) async fn settle(laboratory: &Laboratory, cluster: &Cluster, plan: &Plan, zero: u64) -> Rest {
    let deadline = zero + plan.workload.duration_micros + REST_MICROS;
    let failures = cluster.wait_until_serving(laboratory, deadline).await;
    if !failures.is_empty() {
        return Rest { keys: BTreeMap::new(), failures };
    }
    let mut readers = Readers { laboratory: laboratory.clone(), clients: BTreeMap::new(), deadline };
    for (number, node) in (FIRST_CLIENT..).zip(cluster.nodes()) {
        let client = Client::new(laboratory.client(ClientId(number), Some(node)), node);
        readers.clients.insert(node, client);
    }
    let mut keys = BTreeMap::new();
    let mut restless: Vec<u32> = (0..plan.workload.key_count).collect();
    while !restless.is_empty() {
        for key in &restless {
            // The read is what repairs; what it returns is looked at when everything rests.
            readers.read(*key, *key as usize).await;
        }
        laboratory.sleep_micros(REPAIR_MICROS).await;
        let late = laboratory.now_micros() >= deadline;
        let mut still = Vec::new();
        for key in restless {
            let rows = rows(cluster, key).await;
            let rests = rows.values().all(|row| Some(row) == rows.values().next());
            if rests || late {
                let reads = readers.read_twice(key).await;
                keys.insert(key_name(key), KeyAtRest { rows, reads });
            } else {
                still.push(key);
            }
        }
        restless = still;
    }
    Rest { keys, failures: Vec::new() }
}

/// The laboratory's own clients, one near each node.
struct Readers {
    laboratory: Laboratory,
    clients: BTreeMap<NodeId, Client<ClientWorld>>,
    deadline: u64,
}

impl Readers {
    /// Reads a key at `all` through the `place`-th node (counted round) until it answers, or the deadline passes: a
    /// network that loses frames also loses those of a healthy cluster.
    async fn read(&mut self, key: u32, place: usize) -> (NodeId, FinalRead) {
        let count = self.clients.len();
        let (node, client) = self.clients.iter_mut().nth(place % count).expect("a cluster has nodes");
        loop {
            let read = client.get(Bytes::from(key_name(key)), Level::All, READ_TIMEOUT).await;
            let read = match read.result {
                Ok(read) => {
                    read.value.as_deref().map_or(FinalRead::Absent, |value| FinalRead::Value(value_text(value)))
                }
                Err(_) if self.laboratory.now_micros() < self.deadline => {
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

/// Each replica's own row, as a fingerprint.
async fn rows(cluster: &Cluster, key: u32) -> BTreeMap<String, Option<String>> {
    let name = key_name(key);
    let mut rows = BTreeMap::new();
    for replica in &cluster.placement().explain(name.as_bytes()).replicas {
        let row = match cluster.member(*replica).serving() {
            Some(node) => node.local_row(name.as_bytes()).await,
            None => Err("not serving".to_string()),
        };
        let fingerprint = match row {
            Ok(row) => row.map(|row| format!("{} {:08x}", row.stamp, crc32fast::hash(&row.encode()))),
            // Different from every row, and from the other replicas' failures.
            Err(reason) => Some(format!("unreadable at {replica}: {reason}")),
        };
        rows.insert(replica.to_string(), fingerprint);
    }
    rows
}
