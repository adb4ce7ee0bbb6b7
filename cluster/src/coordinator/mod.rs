//! The coordinator: any node, for any key. It asks the key's replicas, decides when enough have answered, and tells the
//! client what happened and what may have happened.
//!
//! ```text
//!   put   stamp ──▶ ReplicaPut to all N ──▶ W stored ─────────────────────────────▶ ok
//!   get   ReplicaGet to all N ──▶ R answered ──▶ newest ──▶ written back, if need be ──▶ value
//! ```
//!
//! The decisions are pure ([`write`], [`read`], [`scan`]); this file and `drive.rs` do what they ask for. Rows are asked of
//! all replicas at once, not digests of some: a slow replica then costs nothing, at the price of R - 1 rows of traffic.

mod drive;
mod failure;
mod level;
mod read;
mod report;
mod scan;
mod write;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use engine::world::{Clock, Instant, Tasks, WallTime, World};

use crate::limits;
use crate::metrics::Metrics;
use crate::replica::{Origin, Refusal, Replica};
use crate::ring::Placement;
use crate::rpc::{Exchange, Exchanges};
use crate::versioning::{ClockWatch, HybridClock, Row, Stamp};
use crate::wire::{self, Body};
use crate::world::{ClusterWorld, Network, NodeId, Peer};

pub(crate) use drive::LateAnswers;
pub use failure::{Failure, FailureKind};
pub use level::{Level, LevelError, majority};
pub use report::{Answer, ConsistencyReport, Said};

/// What an operation on one key came to.
#[derive(Debug, Clone)]
pub struct Completed<T> {
    /// The result.
    pub result: Result<T, Failure>,
    /// Who was asked and who answered; `None` when nobody was.
    pub report: Option<ConsistencyReport>,
}

/// A page of a cluster scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Keys and values in key order, deletions left out.
    pub rows: Vec<(Bytes, Bytes)>,
    /// Where the next page begins; `None` when this was the last.
    pub next: Option<Bytes>,
}

/// Coordinates operations on behalf of one node.
#[derive(Clone)]
pub(crate) struct Coordinator<W: ClusterWorld> {
    world: W,
    node: NodeId,
    placement: Arc<Placement>,
    replica: Replica<W>,
    exchanges: Exchanges,
    clock: Arc<Mutex<HybridClock>>,
    watch: Arc<Mutex<ClockWatch>>,
    metrics: Arc<Metrics>,
}

impl<W: ClusterWorld> Coordinator<W> {
    pub(crate) fn new(
        world: W,
        node: NodeId,
        placement: Arc<Placement>,
        replica: Replica<W>,
        max_clock_offset: Duration,
        metrics: Arc<Metrics>,
    ) -> Self {
        let exchanges = Exchanges::new(world.rng("exchange numbers").next_u64());
        let clock = Arc::new(Mutex::new(HybridClock::new(node, max_clock_offset)));
        let watch = ClockWatch::new(placement.members().len() - 1, max_clock_offset);
        Self { world, node, placement, replica, exchanges, clock, watch: Arc::new(Mutex::new(watch)), metrics }
    }

    pub(crate) fn exchanges(&self) -> &Exchanges {
        &self.exchanges
    }

    /// Stamps and stores a value (`None` deletes) on as many replicas as `level` needs; returns its version.
    pub(crate) async fn put(
        &self,
        key: Bytes,
        value: Option<Bytes>,
        level: Level,
        timeout: Duration,
        token: Option<Stamp>,
    ) -> Completed<Stamp> {
        if let Some(value) = &value
            && let Err(error) = limits::check_value(value)
        {
            return refused(error);
        }
        let started = self.world.clock().now();
        let (replicas, required) = match self.plan(&key, level) {
            Ok(plan) => plan,
            Err(failure) => return Completed { result: Err(failure), report: None },
        };
        let known = self.known_version(&key, &replicas).await;
        let stamp = match self.stamp(known.max(token)) {
            Ok(stamp) => stamp,
            Err(failure) => return Completed { result: Err(failure), report: None },
        };
        let row = Row { stamp, value }.encode();
        let report = ConsistencyReport::new(self.node, level, required, &replicas);
        let mut operation = write::WriteOperation::new(report);
        let result = self.drive_write(&mut operation, key, row, stamp, started, timeout).await;
        let mut report = operation.report;
        report.took_micros = self.micros_since(started);
        Completed { result: result.map(|()| stamp), report: Some(report) }
    }

    fn plan(&self, key: &[u8], level: Level) -> Result<(Vec<NodeId>, usize), Failure> {
        limits::check_key(key).map_err(Failure::bad_request)?;
        let replicas = self.placement.replicas(self.placement.partition_of(key)).to_vec();
        let required = level.required(replicas.len()).map_err(Failure::bad_request)?;
        Ok((replicas, required))
    }

    /// The version that this node itself holds of the key: a new stamp must exceed it. `None` too when its own replica cannot
    /// say: the other replicas may well be able to serve, and this one will refuse its part by itself.
    async fn known_version(&self, key: &[u8], replicas: &[NodeId]) -> Option<Stamp> {
        if !replicas.contains(&self.node) {
            return None;
        }
        self.replica.get(key).await.ok().flatten().map(|row| row.stamp)
    }

    /// A stamp for a new write, unless this node's clock cannot be trusted to give one.
    fn stamp(&self, floor: Option<Stamp>) -> Result<Stamp, Failure> {
        let clock = self.world.clock();
        if self.watch.lock().unwrap_or_else(PoisonError::into_inner).out_of_step(clock.now()) {
            let reason = format!(
                "the clock of {} differs from most others' by more than half of max_clock_offset: ask another node, and \
                 set this one's clock",
                self.node
            );
            return Err(Failure::not_applied(FailureKind::Refused, reason));
        }
        let stamp = self.clock.lock().unwrap_or_else(PoisonError::into_inner).next(clock.wall(), floor);
        stamp.map_err(|error| Failure::not_applied(FailureKind::Refused, error.to_string()))
    }

    /// Notes what an answer says of its sender's clock.
    fn watch_clock(&self, from: NodeId, reply: &wire::ReplicaReply, asked: Instant) {
        if from == self.node || reply.wall_micros == 0 {
            return;
        }
        let (now, ours) = (self.world.clock().now(), self.world.clock().wall());
        let theirs = WallTime { micros: reply.wall_micros };
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.hear(from, theirs, ours, now.saturating_since(asked), now);
    }

    /// Sends `body` to every node of `to`; their answers arrive in `exchange`. This node's own part is a task of its own.
    fn ask(&self, exchange: &Exchange, to: &[NodeId], body: &Body) {
        let frame = wire::encode(exchange.number(), self.placement.epoch(), body.clone());
        for node in to {
            if *node == self.node {
                let (coordinator, number, body) = (self.clone(), exchange.number(), body.clone());
                let own_part = async move {
                    let reply = serve_replica(&coordinator.replica, body).await;
                    coordinator.exchanges.deliver(number, coordinator.node, reply);
                };
                drop(self.world.tasks().spawn("own replica", own_part));
            } else {
                self.world.network().send(Peer::Node(*node), frame.clone());
            }
        }
    }

    fn micros_since(&self, started: Instant) -> u64 {
        self.world.clock().now().saturating_since(started).as_micros() as u64
    }
}

/// Does what a coordinator asks of a replica, and words the answer.
pub(crate) async fn serve_replica<W: World>(replica: &Replica<W>, body: Body) -> wire::ReplicaReply {
    let answer = match body {
        Body::ReplicaGet(get) => replica
            .get(&get.key)
            .await
            .map(|row| wire::ReplicaReply { row: row.map(|row| row.encode()), ..Default::default() }),
        Body::ReplicaPut(put) => {
            let stored = match Origin::from_wire(put.origin) {
                Ok(origin) => replica.put(&put.key, put.row, origin).await,
                Err(refusal) => Err(refusal),
            };
            stored.map(|stamp| wire::ReplicaReply { version: Some(stamp.into()), ..Default::default() })
        }
        Body::ReplicaScan(scan) => replica.scan(&scan.from, &scan.until, scan.limit as usize).await.map(|page| {
            let rows = page.rows.into_iter().map(|(key, row)| wire::ReplicaRow { key, row }).collect();
            let complete_until = page.complete_until.unwrap_or_default();
            wire::ReplicaReply { rows, complete_until, ..Default::default() }
        }),
        _ => Err(Refusal::definite("not a request to a replica")),
    };
    let reply = answer.unwrap_or_else(|refusal| {
        let failure = Failure { unknown: refusal.may_have_applied, kind: FailureKind::Refused, reason: refusal.reason };
        wire::ReplicaReply { refused: Some(failure.to_wire()), ..Default::default() }
    });
    wire::ReplicaReply { wall_micros: replica.wall().micros, ..reply }
}

fn refused<T>(error: impl ToString) -> Completed<T> {
    Completed { result: Err(Failure::bad_request(error)), report: None }
}

impl From<Stamp> for wire::Version {
    fn from(stamp: Stamp) -> Self {
        Self { time: stamp.time, node: u32::from(stamp.node.0) }
    }
}

impl TryFrom<wire::Version> for Stamp {
    type Error = std::num::TryFromIntError;

    fn try_from(version: wire::Version) -> Result<Self, Self::Error> {
        Ok(Self { time: version.time, node: NodeId(u16::try_from(version.node)?) })
    }
}
