//! One node, wired out of the rooms for any world: the engine under a replica, a coordinator, and the loop that hands
//! every frame to the right one of them.
//!
//! ```text
//!   recv ──▶ client request ──▶ first copy? ──▶ a task: coordinator ──▶ ClientReply ──▶ read repair of late answers
//!        ──▶ replica request ─▶ own epoch? ───▶ a task: replica ──────▶ ReplicaReply
//!        ──▶ replica reply ───▶ the exchange that waits for it
//! ```
//!
//! The loop itself never waits for anything but the next frame.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use engine::world::{Tasks, World};
use engine::{Batch, Db, Expected, Recovery};

use crate::config::NodeConfig;
use crate::coordinator::{Completed, Coordinator, Failure, FailureKind, LateAnswers, Level, serve_replica};
use crate::limits::MAX_TIMEOUT_MICROS;
use crate::metrics::Metrics;
use crate::replica::{Replica, SYSTEM_KEYSPACE, engine_key};
use crate::ring::{PartitionId, Placement, PlacementError};
use crate::rpc::{Duplicates, RecentRequests, Slots};
use crate::status;
use crate::versioning::{Row, Stamp};
use crate::wire::{self, Body, ClientReply, Message};
use crate::world::{ClientId, ClusterWorld, Network, NodeId, Peer};

/// Client requests in progress at once; more are refused before anything is begun.
const CLIENT_REQUESTS_MAX: usize = 4_096;

/// Requests of coordinators in progress at once; more are refused before anything is begun.
const REPLICA_REQUESTS_MAX: usize = 16_384;

/// Reads that have been answered and still wait for slow replicas to repair; more leave them to the next read.
const LATE_REPAIRS_MAX: usize = 1_024;

/// A node that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The storage engine does not open.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The configuration asks for a placement that cannot be.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// The data belongs to somebody else.
    #[error("{directory} holds the data of {found}, not of {expected}: use another directory")]
    OtherOwner {
        /// The data directory.
        directory: String,
        /// Whose data it is.
        found: String,
        /// Who was to start.
        expected: String,
    },
}

/// A running node. Clones are the same node.
pub struct Node<W: ClusterWorld> {
    shared: Arc<Shared<W>>,
    recovery: Recovery,
}

struct Shared<W: ClusterWorld> {
    world: W,
    config: NodeConfig,
    placement: Arc<Placement>,
    replica: Replica<W>,
    coordinator: Coordinator<W>,
    duplicates: Mutex<Duplicates>,
    client_requests: Slots,
    replica_requests: Slots,
    late_repairs: Slots,
    /// Puts of coordinators whose first copy was seen.
    recent_puts: Mutex<RecentRequests>,
    metrics: Arc<Metrics>,
}

impl<W: ClusterWorld> Node<W> {
    /// Opens the node's data and gets it ready to serve. Nothing is answered before [`Node::serve`].
    pub async fn start(world: W, config: NodeConfig) -> Result<Self, StartError> {
        let placement = Arc::new(config.placement()?);
        let (db, recovery) = Db::open(world.clone(), &config.data, config.engine_options()).await?;
        let owner = format!("{} on a ring of {} partitions", config.node, config.partitions);
        claim(&db, &config.data, &owner).await?;
        let metrics = Arc::new(Metrics::default());
        let replica = Replica::new(world.clone(), db, config.node, placement.clone(), config.max_clock_offset);
        let coordinator = Coordinator::new(
            world.clone(),
            config.node,
            placement.clone(),
            replica.clone(),
            config.max_clock_offset,
            metrics.clone(),
        );
        let shared = Shared {
            world,
            config,
            placement,
            replica,
            coordinator,
            duplicates: Mutex::new(Duplicates::default()),
            client_requests: Slots::new(CLIENT_REQUESTS_MAX),
            replica_requests: Slots::new(REPLICA_REQUESTS_MAX),
            late_repairs: Slots::new(LATE_REPAIRS_MAX),
            recent_puts: Mutex::default(),
            metrics,
        };
        Ok(Self { shared: Arc::new(shared), recovery })
    }

    /// What the engine found when it opened.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The node's counters.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// This node's own row of a key, as its disk has it; for tests and tools that look at replicas one by one. The error
    /// says why it cannot be read.
    pub async fn local_row(&self, key: &[u8]) -> Result<Option<Row>, String> {
        self.shared.replica.get(key).await.map_err(|refusal| refusal.reason)
    }

    /// Why this node's engine accepts no write until the node is started again; `None` while it does.
    pub fn poisoned(&self) -> Option<String> {
        self.shared.replica.db().statistics().poisoned
    }

    /// Serves until the task that runs it is cancelled, or the process ends.
    pub async fn serve(&self) {
        loop {
            let (from, frame) = self.shared.world.network().recv().await;
            self.receive(from, frame);
        }
    }

    /// Makes everything durable and closes the data, so that the next start has nothing to recover.
    pub async fn close(&self) -> Result<(), engine::Error> {
        self.shared.replica.db().close().await
    }

    fn receive(&self, from: Peer, frame: Bytes) {
        let message = match wire::decode(frame) {
            Ok(message) => message,
            Err(_) => return Metrics::add(&self.shared.metrics.frames_malformed, 1),
        };
        match (from, message.body) {
            (Peer::Node(node), Body::ReplicaReply(reply)) => {
                if !self.shared.coordinator.exchanges().deliver(message.request, node, reply) {
                    Metrics::add(&self.shared.metrics.replies_late, 1);
                }
            }
            (Peer::Node(node), body @ (Body::ReplicaGet(_) | Body::ReplicaPut(_) | Body::ReplicaScan(_))) => {
                self.serve_coordinator(node, Message { body, ..message });
            }
            (Peer::Client(client), body) => self.serve_client(client, Message { body, ..message }),
            (Peer::Node(_), _) => Metrics::add(&self.shared.metrics.frames_malformed, 1),
        }
    }

    fn serve_coordinator(&self, node: NodeId, message: Message) {
        let shared = self.shared.clone();
        Metrics::add(&shared.metrics.replica_requests, 1);
        if matches!(message.body, Body::ReplicaPut(_)) {
            let mut recent = shared.recent_puts.lock().unwrap_or_else(PoisonError::into_inner);
            if !recent.is_first(node, message.request) {
                return Metrics::add(&shared.metrics.replica_duplicates, 1);
            }
        }
        let own_epoch = shared.placement.epoch();
        if message.epoch != own_epoch {
            Metrics::add(&shared.metrics.replica_epoch_refused, 1);
            let reason = format!("the request is of epoch {}, this replica is in {own_epoch}", message.epoch);
            return shared.refuse(node, message.request, FailureKind::Refused, reason);
        }
        let Some(slot) = shared.replica_requests.take() else {
            Metrics::add(&shared.metrics.replica_overloaded, 1);
            let reason = format!("{REPLICA_REQUESTS_MAX} requests are in progress on this replica");
            return shared.refuse(node, message.request, FailureKind::Overloaded, reason);
        };
        let part = async move {
            let reply = serve_replica(&shared.replica, message.body).await;
            let frame = wire::encode(message.request, own_epoch, Body::ReplicaReply(reply));
            shared.world.network().send(Peer::Node(node), frame);
            drop(slot);
        };
        drop(self.shared.world.tasks().spawn("replica", part));
    }

    fn serve_client(&self, client: ClientId, message: Message) {
        let shared = self.shared.clone();
        let first = shared.duplicates.lock().unwrap_or_else(PoisonError::into_inner).is_first(client, message.request);
        if !first {
            return Metrics::add(&shared.metrics.client_duplicates, 1);
        }
        if matches!(message.body, Body::ClientStatus(_)) {
            // Whoever asks why a node is overloaded must get an answer.
            return shared.tell_status(client, message.request);
        }
        let Some(slot) = shared.client_requests.take() else {
            Metrics::add(&shared.metrics.client_overloaded, 1);
            let reason = format!("{CLIENT_REQUESTS_MAX} requests are in progress: wait and try again");
            let failure = Failure::not_applied(FailureKind::Overloaded, reason);
            return shared.reply(client, message.request, failed(&failure));
        };
        Metrics::add(&shared.metrics.client_requests, 1);
        let part = async move {
            let late = shared.coordinate(client, message).await;
            drop(slot);
            if let Some(late) = late
                && let Some(_slot) = shared.late_repairs.take()
            {
                shared.coordinator.repair_late(late).await;
            }
        };
        drop(self.shared.world.tasks().spawn("coordinator", part));
    }
}

impl<W: ClusterWorld> Shared<W> {
    /// Does what a client asks and replies; a read may leave replicas to be repaired afterwards.
    async fn coordinate(&self, client: ClientId, message: Message) -> Option<LateAnswers> {
        let request = message.request;
        match message.body {
            Body::ClientGet(get) => {
                let level = self.level(client, request, get.level)?;
                let (completed, late) = self.coordinator.get(get.key, level, self.timeout(get.timeout_micros)).await;
                let reply = answer(completed, |row, reply| {
                    reply.version = row.as_ref().map(|row| row.stamp.into());
                    reply.value = row.and_then(|row| row.value);
                });
                self.reply(client, request, reply);
                return late;
            }
            Body::ClientPut(put) => {
                self.write(client, request, put.key, Some(put.value), put.level, put.timeout_micros, put.token).await;
            }
            Body::ClientDelete(delete) => {
                self.write(client, request, delete.key, None, delete.level, delete.timeout_micros, delete.token).await;
            }
            Body::ClientScan(scan) => {
                let level = self.level(client, request, scan.level)?;
                let timeout = self.timeout(scan.timeout_micros);
                let page = self.coordinator.scan(scan.from, scan.until, scan.limit as usize, level, timeout).await;
                let completed = Completed { result: page, report: None };
                let reply = answer(completed, |page, reply| {
                    reply.rows = page.rows.into_iter().map(|(key, value)| wire::KeyValue { key, value }).collect();
                    reply.next = page.next.unwrap_or_default();
                });
                self.reply(client, request, reply);
            }
            _ => {
                let failure = Failure::bad_request("a client may get, put, delete, scan and ask for the status");
                self.reply(client, request, failed(&failure));
            }
        }
        None
    }

    fn tell_status(&self, client: ClientId, request: u64) {
        let facts = status::facts(&self.config, &self.placement, self.replica.db(), &self.metrics);
        self.reply(client, request, ClientReply { facts, ..Default::default() });
    }

    /// Refuses a coordinator's request before anything was begun.
    fn refuse(&self, node: NodeId, request: u64, kind: FailureKind, reason: String) {
        let refused = Some(Failure::not_applied(kind, reason).to_wire());
        let reply = wire::ReplicaReply { refused, ..Default::default() };
        let frame = wire::encode(request, self.placement.epoch(), Body::ReplicaReply(reply));
        self.world.network().send(Peer::Node(node), frame);
    }

    #[allow(clippy::too_many_arguments, reason = "one field of the message each")]
    async fn write(
        &self,
        client: ClientId,
        request: u64,
        key: Bytes,
        value: Option<Bytes>,
        level: u32,
        timeout_micros: u64,
        token: Option<wire::Version>,
    ) {
        let Some(level) = self.level(client, request, level) else { return };
        let token = match token.map(Stamp::try_from).transpose() {
            Ok(token) => token,
            Err(_) => {
                let failure = Failure::bad_request("the token is not a version that any node has given out");
                return self.reply(client, request, failed(&failure));
            }
        };
        let completed = self.coordinator.put(key, value, level, self.timeout(timeout_micros), token).await;
        let reply = answer(completed, |stamp, reply| reply.version = Some(stamp.into()));
        self.reply(client, request, reply);
    }

    fn level(&self, client: ClientId, request: u64, level: u32) -> Option<Level> {
        match Level::from_wire(level) {
            Ok(level) => Some(level),
            Err(error) => {
                self.reply(client, request, failed(&Failure::bad_request(error)));
                None
            }
        }
    }

    fn timeout(&self, asked_micros: u64) -> Duration {
        match asked_micros {
            0 => self.config.request_timeout,
            micros => Duration::from_micros(micros.min(MAX_TIMEOUT_MICROS)),
        }
    }

    fn reply(&self, client: ClientId, request: u64, reply: ClientReply) {
        let counter = match &reply.failure {
            None => &self.metrics.operations_ok,
            Some(failure) if !failure.certainly_not_applied => &self.metrics.operations_unknown,
            Some(_) => &self.metrics.operations_not_applied,
        };
        Metrics::add(counter, 1);
        let frame = wire::encode(request, self.placement.epoch(), Body::ClientReply(reply));
        self.world.network().send(Peer::Client(client), frame);
    }
}

fn answer<T>(completed: Completed<T>, fill: impl FnOnce(T, &mut ClientReply)) -> ClientReply {
    let mut reply = match completed.result {
        Ok(value) => {
            let mut reply = ClientReply::default();
            fill(value, &mut reply);
            reply
        }
        Err(failure) => failed(&failure),
    };
    reply.report = completed.report.map(|report| report.to_wire());
    reply
}

fn failed(failure: &Failure) -> ClientReply {
    ClientReply { failure: Some(failure.to_wire()), ..Default::default() }
}

/// Writes whose data this is into new data, and refuses data of anybody else: another node, or a ring cut differently.
pub(crate) async fn claim<W: World>(db: &Db<W>, directory: &Path, owner: &str) -> Result<(), StartError> {
    let key = engine_key(SYSTEM_KEYSPACE, PartitionId(0), b"owner");
    let Some(found) = db.get(&key).await? else {
        let batch = Batch::new().put(key.clone(), owner).require(key, Expected::Absent);
        db.write(batch).await?;
        return Ok(());
    };
    if found.value == owner.as_bytes() {
        return Ok(());
    }
    Err(StartError::OtherOwner {
        directory: directory.display().to_string(),
        found: String::from_utf8_lossy(&found.value).into_owned(),
        expected: owner.to_string(),
    })
}
