//! One client: transaction after transaction, each a few reads and writes of drawn keys, then its commit.
//!
//! ```text
//!   begin ─▶ read 3 ─▶ think ─▶ append 2 ─▶ commit ─▶ committed │ conflict │ too old
//!                                              └ not waited for any longer ─▶ unknown, and the client goes on as another
//! ```

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use engine::world::{Clock, Rng, World};
use engine::{Db, Error, Outcome, Transaction};

use super::layout::{Layout, Object, Place, Unread};
use super::plan::Plan;
use super::record::{Begun, Ended, Record, Seen};
use crate::history::transactions::TransactionModel;

/// One commit in so many is not waited for to its end.
const GIVE_UP_ONE_IN: u64 = 24;

/// One transaction of a single operation in so many is a plain get or put.
const ALONE_ONE_IN: u64 = 4;

/// One client of a life.
pub(super) struct Client<W: World> {
    pub(super) world: W,
    pub(super) db: Db<W>,
    pub(super) plan: std::sync::Arc<Plan>,
    pub(super) record: Record,
    pub(super) rng: Rng,
    pub(super) process: u64,
}

/// Lets others go first, so many times.
pub(super) async fn turns(count: u64) {
    let mut left = count;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<W: World> Client<W> {
    /// Runs transactions. `Err` is what should not have happened.
    pub(super) async fn run(mut self, transactions: u64) -> Result<(), String> {
        for _ in 0..transactions {
            self.think().await;
            let operations = 1 + self.rng.below(self.plan.operations);
            let can_be_alone = operations == 1 && self.plan.layout == Layout::Whole;
            let begun = self.record.begin(self.process);
            let done = if can_be_alone && self.rng.chance(1, ALONE_ONE_IN) {
                self.alone(begun).await
            } else {
                self.transaction(begun, operations).await
            };
            let ended = match done {
                Ok(ended) => ended,
                Err(Unread::Refused(Error::Conflict { .. })) => Ended::Conflict,
                Err(Unread::Refused(Error::SnapshotTooOld { .. })) => Ended::TooOld,
                Err(Unread::Refused(error)) => {
                    return Err(format!("a transaction of process {}: {error}", self.process));
                }
                Err(Unread::Wrong(wrong)) => return Err(format!("process {} found: {wrong}", self.process)),
            };
            self.record.end(begun, ended);
            if ended == Ended::GivenUp {
                self.process = self.record.process();
            }
        }
        Ok(())
    }

    /// Time passes, now and then.
    async fn think(&mut self) {
        if self.rng.chance(1, 6) {
            let clock = self.world.clock();
            clock.sleep_until(clock.now() + Duration::from_micros(self.rng.within(1..60))).await;
        } else {
            turns(self.rng.below(4)).await;
        }
    }

    fn place(&mut self) -> Place {
        Place { layout: self.plan.layout, key: self.rng.below(self.plan.keys) }
    }

    async fn transaction(&mut self, begun: Begun, operations: u64) -> Result<Ended, Unread> {
        let mut transaction = self.db.transaction(self.plan.isolation);
        for _ in 0..operations {
            let place = self.place();
            if self.rng.chance(self.plan.reads_percent, 100) {
                let object = place.read(&mut transaction, &mut self.rng).await?;
                self.record.step(begun, &self.seen(place.key, &object));
                if self.rng.chance(1, 6) {
                    place.join(&object, &mut transaction);
                }
            } else {
                self.write(begun, place, &mut transaction).await?;
            }
            if self.rng.chance(1, 3) {
                self.think().await;
            }
        }
        self.record.commits(begun);
        self.commit(transaction).await
    }

    fn seen(&self, key: u64, object: &Object) -> Seen {
        match self.plan.model {
            TransactionModel::ListAppend => Seen::List(key, object.values.clone()),
            TransactionModel::RwRegister => Seen::Value(key, object.values.last().copied()),
        }
    }

    async fn write(&mut self, begun: Begun, place: Place, transaction: &mut Transaction<W>) -> Result<(), Unread> {
        let value = self.record.value();
        let is_blind = self.plan.model == TransactionModel::RwRegister && place.layout == Layout::Whole;
        let object = if is_blind { None } else { Some(place.read(transaction, &mut self.rng).await?) };
        match (&object, self.plan.model) {
            (Some(object), TransactionModel::ListAppend) => {
                place.append(object, value, transaction, &mut self.rng);
                self.record.step(begun, &Seen::Appended(place.key, value));
            }
            (object, _) => {
                let object = object.clone().unwrap_or_default();
                place.write(&object, &[value], transaction, &mut self.rng);
                self.record.step(begun, &Seen::Wrote(place.key, value));
            }
        }
        Ok(())
    }

    async fn commit(&mut self, transaction: Transaction<W>) -> Result<Ended, Unread> {
        let gives_up = self.rng.chance(1, GIVE_UP_ONE_IN);
        let patience = if gives_up { self.rng.below(12) } else { 0 };
        let committed = in_turns(transaction.commit(), gives_up.then_some(patience)).await;
        match committed {
            None => Ok(Ended::GivenUp),
            Some(Ok(_)) => Ok(Ended::Committed),
            Some(Err(error)) if error.outcome() == Outcome::Unknown => Ok(Ended::GivenUp),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// A get or a put without a transaction.
    async fn alone(&mut self, begun: Begun) -> Result<Ended, Unread> {
        let place = self.place();
        if self.plan.model == TransactionModel::ListAppend || self.rng.chance(self.plan.reads_percent, 100) {
            let object = place.read_alone(&self.db).await?;
            self.record.step(begun, &self.seen(place.key, &object));
        } else {
            let value = self.record.value();
            self.record.step(begun, &Seen::Wrote(place.key, value));
            self.record.commits(begun);
            place.write_alone(&self.db, value).await?;
        }
        Ok(Ended::Committed)
    }
}

/// Waits for a call, for so many turns at most if a bound is given.
async fn in_turns<T>(call: impl Future<Output = T>, most: Option<u64>) -> Option<T> {
    let Some(most) = most else { return Some(call.await) };
    tokio::select! {
        biased;
        done = call => Some(done),
        () = turns(most) => None,
    }
}
