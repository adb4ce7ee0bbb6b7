//! The clients of a run: arrivals at a stated rate, sessions that have one operation in flight, a history of it all.
//!
//! ```text
//!   arrivals ──▶ an idle session, or a new one ──▶ invoke ─▶ the real client code ─▶ ok │ fail │ unknown
//!                        ▲                                                           │        ╰─▶ closed
//!                        ╰───────────────────────── idle again ◀─────────────────────╯
//! ```
//!
//! Slow operations never make the load lighter: an arrival that finds nobody idle opens another session. Operations that
//! the scenario lists go to the sessions it names instead. Values are unique (`v17`), stored with their length (`v17:100`)
//! and padded with dots up to it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cluster::client::{Client, Versioned};
use cluster::coordinator::{ConsistencyReport, Failure, Level};
use cluster::world::{ClientId, NodeId};
use engine::world::Rng;
use tokio::sync::mpsc;

use super::Progress;
use super::detail::Reports;
use super::nodes::Cluster;
use crate::history::{History, Invocation, OperationId, OperationKind, Outcome, Recorder};
use crate::scenario::{Coordinators, Plan, near_node};
use crate::workload::keys::KeyChooser;
use crate::world::{ClientWorld, Laboratory};

/// Padding of values; no value's own text has it.
const PADDING: char = '.';

/// Of bytes that are no value, so many are shown.
const VALUE_NAME_BYTES_MAX: usize = 24;

/// The network identity of a session.
pub(super) fn client_id(session: u32) -> ClientId {
    ClientId(u64::from(session))
}

/// The name of a key.
pub(super) fn key_name(key: u32) -> String {
    format!("k{key}")
}

/// What a session is told to do.
struct Order {
    kind: OperationKind,
    key: u32,
    /// The value's number and length; for writes.
    value: Option<(u64, usize)>,
    node: NodeId,
}

/// What sessions and arrivals share.
struct Shared {
    laboratory: Laboratory,
    plan: Arc<Plan>,
    zero: u64,
    recorder: Mutex<Recorder>,
    idle: Mutex<Vec<u32>>,
    /// What coordinators told of operations, for whoever wants to know.
    reports: Option<Reports>,
}

/// Sends operations until the workload's end, waits for those in flight, and returns what clients saw.
pub(super) async fn run_workload(
    laboratory: &Laboratory,
    cluster: &Cluster,
    plan: &Arc<Plan>,
    zero: u64,
    progress: &Progress,
    reports: Option<Reports>,
) -> History {
    let shared = Arc::new(Shared {
        laboratory: laboratory.clone(),
        plan: plan.clone(),
        zero,
        recorder: Mutex::new(Recorder::new()),
        idle: Mutex::default(),
        reports,
    });
    let mut sessions = Vec::new();
    for _ in 0..plan.workload.client_count {
        let session = open_session(&shared, cluster, &mut sessions);
        lock(&shared.idle).push(session);
    }
    if plan.workload.operations.is_empty() {
        send_drawn(&shared, cluster, &mut sessions, progress).await;
    } else {
        send_listed(&shared, cluster, &sessions, progress).await;
    }
    drain(&shared, &sessions).await;
    for session in 0..sessions.len() as u32 {
        laboratory.end_client(client_id(session));
    }
    std::mem::take(&mut *lock(&shared.recorder)).finish()
}

/// Sends what the seed draws, each operation to an idle session or a new one.
async fn send_drawn(
    shared: &Arc<Shared>,
    cluster: &Cluster,
    sessions: &mut Vec<mpsc::UnboundedSender<Order>>,
    progress: &Progress,
) {
    let (laboratory, plan) = (&shared.laboratory, &shared.plan);
    let mut arrivals = Arrivals::new(laboratory, plan);
    loop {
        arrivals.at_micros += arrivals.gap();
        if arrivals.at_micros >= plan.workload.duration_micros {
            return;
        }
        laboratory.sleep_until_micros(shared.zero + arrivals.at_micros).await;
        progress.store(arrivals.at_micros, Ordering::Relaxed);
        let idle = arrivals.take_idle(&mut lock(&shared.idle));
        let session = idle.unwrap_or_else(|| open_session(shared, cluster, sessions));
        let order = arrivals.order(cluster, session);
        // A session that was closed is never idle again, so its queue is never used again.
        let sent = sessions[session as usize].send(order);
        assert!(sent.is_ok(), "session {session} is idle, so it waits for orders");
    }
}

/// Sends what the scenario lists.
async fn send_listed(
    shared: &Arc<Shared>,
    cluster: &Cluster,
    sessions: &[mpsc::UnboundedSender<Order>],
    progress: &Progress,
) {
    let (laboratory, workload) = (&shared.laboratory, &shared.plan.workload);
    let nodes = cluster.nodes().count();
    for (operation, number) in workload.operations.iter().zip(1..) {
        laboratory.sleep_until_micros(shared.zero + operation.at_micros).await;
        progress.store(operation.at_micros, Ordering::Relaxed);
        let order = Order {
            kind: operation.kind,
            key: operation.key,
            value: (operation.kind == OperationKind::Write).then_some((number, operation.value_bytes as usize)),
            node: operation.through.unwrap_or(near_node(operation.client, nodes as u16)),
        };
        // A client that was closed sends nothing more; one that is busy finds it in its queue.
        let _ = sessions[operation.client as usize].send(order);
    }
    // The last one is in flight before anybody asks whether something is.
    laboratory.sleep_micros(1).await;
}

/// Waits until nothing is in flight: at most a client's timeout, its patience and a little.
async fn drain(shared: &Shared, sessions: &[mpsc::UnboundedSender<Order>]) {
    let last = shared.plan.workload.duration_micros + shared.plan.workload.client_timeout_micros + 1_000_000;
    while shared.laboratory.now_micros() < shared.zero + last {
        let busy = (0..sessions.len() as u32).any(|session| lock(&shared.recorder).in_flight(session).is_some());
        if !busy {
            return;
        }
        shared.laboratory.sleep_micros(super::nodes::LOOK_MICROS).await;
    }
}

/// When the next operation comes, and what it is.
struct Arrivals {
    plan: Arc<Plan>,
    rng: Rng,
    chooser: KeyChooser,
    at_micros: u64,
    values: u64,
}

impl Arrivals {
    fn new(laboratory: &Laboratory, plan: &Arc<Plan>) -> Self {
        let chooser = KeyChooser::new(plan.workload.key_count, plan.workload.distribution);
        Self { plan: plan.clone(), rng: laboratory.rng("arrivals"), chooser, at_micros: 0, values: 0 }
    }

    /// Between nothing and twice the mean, each as likely as the next: no logarithm is needed, and bursts happen.
    fn gap(&mut self) -> u64 {
        let mean = 1_000_000 / self.plan.workload.operations_per_second.clamp(1, 1_000_000);
        self.rng.below(2 * mean + 1)
    }

    /// Any of the idle sessions, each as likely as the next, so that every node gets its share of the load.
    fn take_idle(&mut self, idle: &mut Vec<u32>) -> Option<u32> {
        if idle.is_empty() { None } else { Some(idle.swap_remove(self.rng.below(idle.len() as u64) as usize)) }
    }

    fn order(&mut self, cluster: &Cluster, session: u32) -> Order {
        let mix = self.plan.workload.mix;
        let weights = OperationKind::ALL.map(|kind| u64::from(mix.of(kind)));
        let mut drawn = self.rng.below(weights.iter().sum());
        let mut kind = OperationKind::Read;
        for (candidate, weight) in OperationKind::ALL.into_iter().zip(weights) {
            kind = candidate;
            if drawn < weight {
                break;
            }
            drawn -= weight;
        }
        let key = self.chooser.choose(&mut self.rng);
        let value = (kind == OperationKind::Write).then(|| {
            self.values += 1;
            let workload = &self.plan.workload;
            let lengths = u64::from(workload.value_bytes_least)..u64::from(workload.value_bytes_most) + 1;
            (self.values, self.rng.within(lengths) as usize)
        });
        Order { kind, key, value, node: self.coordinator(cluster, session, key) }
    }

    fn coordinator(&mut self, cluster: &Cluster, session: u32, key: u32) -> NodeId {
        let nodes: Vec<NodeId> = cluster.nodes().collect();
        let near = near_node(session, nodes.len() as u16);
        let owners = &cluster.placement().explain(key_name(key).as_bytes()).replicas;
        let wanted: Vec<NodeId> = match self.plan.workload.coordinators {
            Coordinators::Any => return near,
            Coordinators::Owners => owners.clone(),
            Coordinators::Outsiders => nodes.into_iter().filter(|node| !owners.contains(node)).collect(),
        };
        if wanted.contains(&near) { near } else { self.rng.pick(&wanted).copied().unwrap_or(near) }
    }
}

fn open_session(shared: &Arc<Shared>, cluster: &Cluster, sessions: &mut Vec<mpsc::UnboundedSender<Order>>) -> u32 {
    let session = sessions.len() as u32;
    let nodes = cluster.nodes().count();
    let world = shared.laboratory.client(client_id(session), Some(near_node(session, nodes as u16)));
    let (sender, orders) = mpsc::unbounded_channel();
    sessions.push(sender);
    drop(shared.laboratory.spawn(serve_session(shared.clone(), session, world, orders)));
    session
}

async fn serve_session(
    shared: Arc<Shared>,
    session: u32,
    world: ClientWorld,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let timeout = Duration::from_micros(shared.plan.cluster.coordinator_timeout_micros);
    let client_timeout = Duration::from_micros(shared.plan.workload.client_timeout_micros);
    let mut client = Client::new(world, NodeId(1)).with_patience(client_timeout.saturating_sub(timeout));
    let timeout = timeout.min(client_timeout);
    while let Some(order) = orders.recv().await {
        client.ask_node(order.node);
        let id = shared.invoke(session, &order);
        let (outcome, report) = perform(&mut client, &order, shared.level(order.kind), timeout).await;
        if let (Some(reports), Some(report)) = (&shared.reports, report) {
            lock(reports).insert(id.0, report);
        }
        let unknown = matches!(outcome, Outcome::Unknown { .. });
        shared.complete(id, outcome);
        if unknown {
            return;
        }
        lock(&shared.idle).push(session);
    }
}

/// Sends one operation; returns how it ended, and what its coordinator told of it.
async fn perform(
    client: &mut Client<ClientWorld>,
    order: &Order,
    level: Level,
    timeout: Duration,
) -> (Outcome, Option<ConsistencyReport>) {
    let key = Bytes::from(key_name(order.key));
    match (order.kind, order.value) {
        (OperationKind::Read, _) => {
            let read = client.get(key, level, timeout).await;
            let value = |read: Versioned| Outcome::Ok { value: read.value.as_deref().map(value_text) };
            (read.result.map_or_else(outcome, value), read.report)
        }
        (OperationKind::Write, Some((number, length))) => {
            let written = client.put(key, stored_value(number, length), level, timeout).await;
            (written.result.map_or_else(outcome, |_| Outcome::acknowledged()), written.report)
        }
        (OperationKind::Write, None) => unreachable!("every write has a value"),
        (OperationKind::Delete, _) => {
            let deleted = client.delete(key, level, timeout).await;
            (deleted.result.map_or_else(outcome, |_| Outcome::acknowledged()), deleted.report)
        }
    }
}

fn outcome(failure: Failure) -> Outcome {
    if failure.unknown { Outcome::Unknown { reason: failure.reason } } else { Outcome::Fail { reason: failure.reason } }
}

fn value_name(number: u64) -> String {
    format!("v{number}")
}

/// The bytes of a value: its name, its length, and padding up to that length, so that a value cut short is seen to be.
fn stored_value(number: u64, length: usize) -> Bytes {
    let mut value = format!("{}:{length}", value_name(number)).into_bytes();
    assert!(value.len() <= length, "validation gives every value room for its name and length");
    value.resize(length, PADDING as u8);
    Bytes::from(value)
}

/// The name of a stored value. Bytes that no client wrote, or not all of what one wrote, are described instead, and no write
/// explains them.
pub(super) fn value_text(value: &[u8]) -> String {
    let text = std::str::from_utf8(value).ok().map(|text| text.trim_end_matches(PADDING));
    match text.and_then(|text| text.rsplit_once(':')) {
        Some((name, length)) if length.parse() == Ok(value.len()) => name.to_string(),
        _ => {
            let beginning = value[..value.len().min(VALUE_NAME_BYTES_MAX)].escape_ascii();
            format!("{beginning}... ({} bytes, crc {:08x})", value.len(), crc32fast::hash(value))
        }
    }
}

impl Shared {
    fn level(&self, kind: OperationKind) -> Level {
        self.plan.workload.consistency.of(kind)
    }

    fn now(&self) -> u64 {
        self.laboratory.now_micros() - self.zero
    }

    fn invoke(&self, session: u32, order: &Order) -> OperationId {
        let number = order.value.map_or(0, |(number, _)| number);
        let words = [u64::from(session), order.kind as u64, u64::from(order.key), number, u64::from(order.node.0)];
        self.laboratory.trace("invoke", &words);
        lock(&self.recorder).invoke(Invocation {
            session,
            coordinator: order.node.to_string(),
            key: key_name(order.key),
            kind: order.kind,
            written: order.value.map(|(number, _)| value_name(number)),
            consistency: self.level(order.kind).to_string(),
            invoked_micros: self.now(),
        })
    }

    fn complete(&self, id: OperationId, outcome: Outcome) {
        let (kind, seen) = match &outcome {
            Outcome::Ok { value: Some(value) } => (1, u64::from(crc32fast::hash(value.as_bytes()))),
            Outcome::Ok { value: None } => (2, 0),
            Outcome::Fail { reason } => (3, reason.len() as u64),
            Outcome::Unknown { reason } => (4, reason.len() as u64),
        };
        self.laboratory.trace("complete", &[u64::from(id.0), kind, seen]);
        lock(&self.recorder).complete(id, self.now(), outcome);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_its_name_only_while_it_is_whole() {
        let value = stored_value(17, 100);
        assert_eq!(value_text(&value), "v17");
        for wrong in [&value[..99], &value[..3], b"", b"\xff\xfe", b"v17"] {
            assert_ne!(value_text(wrong), "v17", "{} bytes were taken for the value", wrong.len());
        }
    }
}
