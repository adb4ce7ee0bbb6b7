//! After the faults: everything is healed, and the cluster must come to rest within a virtual deadline.
//!
//! ```text
//!   every node serves ─▶ every key read at `all` (which repairs) ─▶ a moment ─▶ read again through every node,
//!                                                                               each replica's own row taken
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

/// How long background repair of the last reads may take.
const REPAIR_MICROS: u64 = 3_000_000;

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
    let mut failures = cluster.wait_until_serving(laboratory, deadline).await;
    let mut clients: BTreeMap<NodeId, Client<ClientWorld>> = BTreeMap::new();
    for (number, node) in (FIRST_CLIENT..).zip(cluster.nodes()) {
        clients.insert(node, Client::new(laboratory.client(ClientId(number), Some(node)), node));
    }
    let nodes: Vec<NodeId> = clients.keys().copied().collect();
    if failures.is_empty() {
        for key in 0..plan.workload.key_count {
            let node = nodes[key as usize % nodes.len()];
            let client = clients.get_mut(&node).expect("every node has a client");
            if let Err(reason) = read_until(laboratory, client, key, deadline).await {
                failures.push(format!("{} cannot be read at all through {node} after healing: {reason}", key_name(key)));
                break;
            }
        }
        laboratory.sleep_micros(REPAIR_MICROS).await;
    }
    let mut keys = BTreeMap::new();
    if failures.is_empty() {
        for key in 0..plan.workload.key_count {
            keys.insert(key_name(key), look_at(cluster, &mut clients, key).await);
        }
    }
    Rest { keys, failures }
}

async fn read_until(
    laboratory: &Laboratory,
    client: &mut Client<ClientWorld>,
    key: u32,
    deadline: u64,
) -> Result<(), String> {
    loop {
        let read = client.get(Bytes::from(key_name(key)), Level::All, Duration::from_secs(2)).await;
        match read.result {
            Ok(_) => return Ok(()),
            Err(failure) if laboratory.now_micros() >= deadline => return Err(failure.reason),
            Err(_) => laboratory.sleep_micros(super::nodes::LOOK_MICROS).await,
        }
    }
}

/// The key as two nodes read it at `all`, and each replica's own row.
async fn look_at(cluster: &Cluster, clients: &mut BTreeMap<NodeId, Client<ClientWorld>>, key: u32) -> KeyAtRest {
    let name = key_name(key);
    let mut at_rest = KeyAtRest::default();
    for replica in &cluster.placement().explain(name.as_bytes()).replicas {
        let row = match cluster.member(*replica).serving() {
            Some(node) => node.local_row(name.as_bytes()).await.map_err(|error| error.to_string()),
            None => Err("not serving".to_string()),
        };
        let fingerprint = match row {
            Ok(row) => row.map(|row| format!("{} {:08x}", row.stamp, crc32fast::hash(&row.encode()))),
            Err(reason) => Some(format!("unreadable: {reason}")),
        };
        at_rest.rows.insert(replica.to_string(), fingerprint);
    }
    let readers = clients.len();
    for (_, (node, client)) in (0..).zip(clients.iter_mut()).filter(|(place, _)| {
        *place == key as usize % readers || *place == (key as usize + 1) % readers
    }) {
        let read = client.get(Bytes::from(name.clone()), Level::All, Duration::from_secs(2)).await;
        let read = match read.result {
            Ok(read) => read.value.as_deref().map_or(FinalRead::Absent, |value| FinalRead::Value(value_text(value))),
            Err(failure) => FinalRead::Failed(failure.reason),
        };
        at_rest.reads.insert(node.to_string(), read);
    }
    at_rest
}
