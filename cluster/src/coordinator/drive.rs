//! Doing what the decisions ask for: sending, waiting for whichever comes first (an answer or the deadline), and nothing
//! else. One `select!` an operation, always in the same order.

use std::time::Duration;

use bytes::Bytes;
use engine::world::{Clock, Instant};

use super::read::{ReadOperation, ReadStep};
use super::write::{WriteAnswer, WriteOperation};
use super::{Completed, ConsistencyReport, Coordinator, Failure, Level, Said};
use crate::metrics::Metrics;
use crate::replica::Origin;
use crate::rpc::Exchange;
use crate::versioning::{Row, Stamp};
use crate::wire::{Body, ReplicaGet, ReplicaPut, ReplicaReply};
use crate::world::{ClusterWorld, NodeId};

/// How long replicas that have not answered are waited for after the reply, to be repaired.
const LATE: Duration = Duration::from_secs(1);

/// A read whose answer is decided, but not all of whose replicas have answered.
pub(crate) struct LateAnswers {
    operation: ReadOperation,
    exchange: Exchange,
    key: Bytes,
    deadline: Instant,
}

impl<W: ClusterWorld> Coordinator<W> {
    pub(super) async fn drive_write(
        &self,
        operation: &mut WriteOperation,
        key: Bytes,
        row: Bytes,
        stamp: Stamp,
        started: Instant,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let mut exchange = self.exchanges.open();
        let asked: Vec<NodeId> = operation.report.answers.keys().copied().collect();
        self.ask(&exchange, &asked, &Body::ReplicaPut(ReplicaPut { key, row, origin: Origin::New.to_wire() }));
        let deadline = self.world.clock().sleep_until(started + timeout);
        tokio::pin!(deadline);
        loop {
            let (from, reply) = tokio::select! {
                biased;
                reply = exchange.reply() => reply,
                () = &mut deadline => return Err(operation.on_deadline()),
            };
            self.watch_clock(from, &reply, started);
            let answer = write_answer(reply, stamp);
            if let Some(decision) = operation.on_answer(from, answer, self.micros_since(started)) {
                return decision;
            }
        }
    }

    /// Reads a key at `level`. The second part, when there is one, is for [`Coordinator::repair_late`].
    pub(crate) async fn get(
        &self,
        key: Bytes,
        level: Level,
        timeout: Duration,
    ) -> (Completed<Option<Row>>, Option<LateAnswers>) {
        let started = self.world.clock().now();
        let (replicas, required) = match self.plan(&key, level) {
            Ok(plan) => plan,
            Err(failure) => return (Completed { result: Err(failure), report: None }, None),
        };
        let operation = ReadOperation::new(ConsistencyReport::new(self.node, level, required, &replicas));
        let exchange = self.exchanges.open();
        self.ask(&exchange, &replicas, &Body::ReplicaGet(ReplicaGet { key: key.clone() }));
        let mut late = LateAnswers { operation, exchange, key, deadline: started + timeout };
        let result = self.drive_read(&mut late, started).await;
        late.operation.report.took_micros = self.micros_since(started);
        let completed = Completed { result, report: Some(late.operation.report.clone()) };
        let unfinished =
            completed.result.is_ok() && (late.operation.awaits_answers() || !late.operation.stale().is_empty());
        (completed, unfinished.then_some(late))
    }

    async fn drive_read(&self, read: &mut LateAnswers, started: Instant) -> Result<Option<Row>, Failure> {
        let deadline = self.world.clock().sleep_until(read.deadline);
        tokio::pin!(deadline);
        let mut write_back: Option<(Exchange, Stamp)> = None;
        loop {
            let step = tokio::select! {
                biased;
                (from, reply) = read.exchange.reply() => {
                    self.watch_clock(from, &reply, started);
                    read.operation.on_answer(from, read_answer(reply), self.micros_since(started))
                }
                (from, stored) = stored(&mut write_back) => {
                    if stored { read.operation.on_stored(from) } else { read.operation.on_not_stored(from) }
                }
                () = &mut deadline => return Err(read.operation.on_deadline()),
            };
            match step {
                None => {}
                Some(ReadStep::Answer(row)) => return Ok(row),
                Some(ReadStep::Fail(failure)) => return Err(failure),
                Some(ReadStep::WriteBack { row, to }) => {
                    Metrics::add(&self.metrics.read_write_backs, 1);
                    let exchange = self.exchanges.open();
                    let stamp = row.stamp;
                    self.ask(&exchange, &to, &self.repair(read.key.clone(), &row));
                    write_back = Some((exchange, stamp));
                }
            }
        }
    }

    /// After the reply: waits for the replicas that have not answered, and brings those up to date that answered with
    /// something older. Nobody waits for it, and nothing depends on it.
    pub(crate) async fn repair_late(&self, mut read: LateAnswers) {
        for node in read.operation.stale() {
            self.repair_one(&read, node);
        }
        let deadline = self.world.clock().sleep_until(read.deadline.min(self.world.clock().now() + LATE));
        tokio::pin!(deadline);
        while read.operation.awaits_answers() {
            let (from, reply) = tokio::select! {
                biased;
                reply = read.exchange.reply() => reply,
                () = &mut deadline => return,
            };
            read.operation.on_answer(from, read_answer(reply), 0);
            self.repair_one(&read, from);
        }
    }

    fn repair_one(&self, read: &LateAnswers, node: NodeId) {
        if let Some(row) = read.operation.repair_of(node) {
            Metrics::add(&self.metrics.read_repairs_late, 1);
            // An exchange of its own that is dropped at once: the acknowledgement is of no interest.
            self.ask(&self.exchanges.open(), &[node], &self.repair(read.key.clone(), row));
        }
    }

    fn repair(&self, key: Bytes, row: &Row) -> Body {
        Body::ReplicaPut(ReplicaPut { key, row: row.encode(), origin: Origin::Repair.to_wire() })
    }
}

/// The next replica that stored what was written back, or refused to; pending while nothing was.
async fn stored(write_back: &mut Option<(Exchange, Stamp)>) -> (NodeId, bool) {
    match write_back {
        Some((exchange, stamp)) => {
            let (from, reply) = exchange.reply().await;
            (from, matches!(write_answer(reply, *stamp).said, Said::Applied | Said::Superseded(_)))
        }
        None => std::future::pending().await,
    }
}

fn write_answer(reply: ReplicaReply, stamp: Stamp) -> WriteAnswer {
    if let Some(refused) = reply.refused {
        return WriteAnswer { said: Said::Refused(refused.reason), may_have_applied: !refused.certainly_not_applied };
    }
    let held = reply.version.map(Stamp::try_from);
    match held {
        Some(Ok(held)) if held == stamp => WriteAnswer { said: Said::Applied, may_have_applied: true },
        Some(Ok(held)) if held > stamp => WriteAnswer { said: Said::Superseded(held), may_have_applied: true },
        _ => WriteAnswer { said: Said::Refused("an answer without its version".to_string()), may_have_applied: true },
    }
}

pub(super) fn read_answer(reply: ReplicaReply) -> Result<Option<Row>, String> {
    match (reply.refused, reply.row) {
        (Some(refused), _) => Err(refused.reason),
        (None, Some(row)) => Row::decode(row).map(Some).map_err(|error| error.to_string()),
        (None, None) => Ok(None),
    }
}
