//! A client of the cluster: one identity, one request in flight, and an honest outcome for each.
//!
//! ```text
//!   request 41 ──▶ node        reply 41 ──▶ Ok | NotApplied | Unknown        nothing in time ──▶ Unknown
//! ```
//!
//! Nothing is retried: a client that repeats a write whose outcome is unknown may apply it twice, and only its user knows
//! whether that is all right. A reply to an earlier request that was given up is dropped.

use std::time::Duration;

use bytes::Bytes;
use engine::world::Clock;

use crate::coordinator::{Completed, ConsistencyReport, Failure, FailureKind, Level, Page};
use crate::limits;
use crate::versioning::Stamp;
use crate::wire::{self, Body, ClientReply};
use crate::world::{ClusterWorld, Network, NodeId, Peer};

/// A value with the version it was read at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The value; `None` when the key has none.
    pub value: Option<Bytes>,
    /// The version read: a deletion has one too, a key that was never written has none.
    pub version: Option<Stamp>,
}

/// A client. Not for use by two tasks at once: a session has one operation in flight.
pub struct Client<W: ClusterWorld> {
    world: W,
    node: NodeId,
    last_request: u64,
    /// How much longer than the coordinator this client waits, for the way there and back.
    patience: Duration,
}

impl<W: ClusterWorld> Client<W> {
    /// A client that sends its requests to `node`.
    pub fn new(world: W, node: NodeId) -> Self {
        Self { world, node, last_request: 0, patience: Duration::from_millis(500) }
    }

    /// How much longer than the coordinator's timeout to wait for its answer (500 ms unless set).
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends the next requests to `node`.
    pub fn ask_node(&mut self, node: NodeId) {
        self.node = node;
    }

    /// Reads a key.
    pub async fn get(&mut self, key: Bytes, level: Level, timeout: Duration) -> Completed<Versioned> {
        if let Err(error) = limits::check_key(&key) {
            return Completed { result: Err(Failure::bad_request(error)), report: None };
        }
        let timeout_micros = micros(timeout);
        let body = Body::ClientGet(wire::ClientGet { key, level: level.to_wire(), timeout_micros });
        self.ask(body, timeout, |reply| Ok(Versioned { value: reply.value, version: version(reply.version)? })).await
    }

    /// Writes a value; returns its version.
    pub async fn put(&mut self, key: Bytes, value: Bytes, level: Level, timeout: Duration) -> Completed<Stamp> {
        if let Err(error) = limits::check_key(&key).and_then(|()| limits::check_value(&value)) {
            return Completed { result: Err(Failure::bad_request(error)), report: None };
        }
        let timeout_micros = micros(timeout);
        let body = Body::ClientPut(wire::ClientPut { key, value, level: level.to_wire(), timeout_micros, token: None });
        self.ask(body, timeout, |reply| version(reply.version)?.ok_or_else(malformed)).await
    }

    /// Deletes a key; returns the deletion's version.
    pub async fn delete(&mut self, key: Bytes, level: Level, timeout: Duration) -> Completed<Stamp> {
        if let Err(error) = limits::check_key(&key) {
            return Completed { result: Err(Failure::bad_request(error)), report: None };
        }
        let timeout_micros = micros(timeout);
        let body = Body::ClientDelete(wire::ClientDelete { key, level: level.to_wire(), timeout_micros, token: None });
        self.ask(body, timeout, |reply| version(reply.version)?.ok_or_else(malformed)).await
    }

    /// Reads a page of up to `limit` keys from `from` to `until` (exclusive; empty for no end).
    pub async fn scan(
        &mut self,
        from: Bytes,
        until: Bytes,
        limit: usize,
        level: Level,
        timeout: Duration,
    ) -> Completed<Page> {
        let (limit, timeout_micros) = (u32::try_from(limit).unwrap_or(u32::MAX), micros(timeout));
        let body = Body::ClientScan(wire::ClientScan { from, until, limit, level: level.to_wire(), timeout_micros });
        self.ask(body, timeout, |reply| {
            let rows = reply.rows.into_iter().map(|row| (row.key, row.value)).collect();
            Ok(Page { rows, next: (!reply.next.is_empty()).then_some(reply.next) })
        })
        .await
    }

    /// Asks the node for facts about itself: names and values in the node's own order.
    pub async fn status(&mut self, timeout: Duration) -> Result<Vec<(String, String)>, Failure> {
        let facts = |reply: ClientReply| Ok(reply.facts.into_iter().map(|fact| (fact.name, fact.value)).collect());
        self.ask(Body::ClientStatus(wire::ClientStatus {}), timeout, facts).await.result
    }

    async fn ask<T>(
        &mut self,
        body: Body,
        timeout: Duration,
        read: impl FnOnce(ClientReply) -> Result<T, Failure>,
    ) -> Completed<T> {
        self.last_request += 1;
        let request = self.last_request;
        self.world.network().send(Peer::Node(self.node), wire::encode(request, 0, body));
        let deadline = self.world.clock().now() + timeout + self.patience;
        let deadline = self.world.clock().sleep_until(deadline);
        tokio::pin!(deadline);
        loop {
            let (from, frame) = tokio::select! {
                biased;
                received = self.world.network().recv() => received,
                () = &mut deadline => {
                    let reason = format!("no answer from {} in time: read the key to find out", self.node);
                    let failure = Failure::unknown(FailureKind::Timeout, reason);
                    return Completed { result: Err(failure), report: None };
                }
            };
            let Ok(message) = wire::decode(frame) else { continue };
            let Body::ClientReply(reply) = message.body else { continue };
            if from != Peer::Node(self.node) || message.request != request {
                continue;
            }
            let report = reply.report.as_ref().and_then(ConsistencyReport::from_wire);
            let result = match reply.failure {
                Some(failure) => Err(Failure::from_wire(failure)),
                None => read(reply),
            };
            return Completed { result, report };
        }
    }
}

fn micros(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX).max(1)
}

fn version(version: Option<wire::Version>) -> Result<Option<Stamp>, Failure> {
    version.map(Stamp::try_from).transpose().map_err(|_| malformed())
}

fn malformed() -> Failure {
    Failure::unknown(FailureKind::Other, "the node's answer makes no sense: do both ends run the same build?")
}
