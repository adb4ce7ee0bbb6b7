//! What clients saw, written down as they see it.
//!
//! ```text
//!   begin ─▶ place 17 ── reads, writes ── commit is asked for ─▶ committed, conflict, ...   ─▶ place 23
//!                                         │ the process dies before: aborted
//!                                         ╰ the process dies then:   unknown
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use crate::history::transactions::{Step, TransactionHistory, TransactionOutcome};

/// What became of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Acknowledged.
    pub committed: u64,
    /// Refused because somebody was faster.
    pub conflicts: u64,
    /// Refused because their snapshot was too old.
    pub too_old: u64,
    /// Under way when the process ended, before their commit was asked for.
    pub cut_off: u64,
    /// Committing when the process ended.
    pub unknown: u64,
    /// Given up by their client while they were committing.
    pub given_up: u64,
}

impl Tally {
    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        let Self { committed, conflicts, too_old, cut_off, unknown, given_up } = other;
        self.committed += committed;
        self.conflicts += conflicts;
        self.too_old += too_old;
        self.cut_off += cut_off;
        self.unknown += unknown;
        self.given_up += given_up;
    }

    /// Transactions in all.
    pub fn transactions(&self) -> u64 {
        let Self { committed, conflicts, too_old, cut_off, unknown, given_up } = self;
        committed + conflicts + too_old + cut_off + unknown + given_up
    }
}

/// How a transaction ended, as its client knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Committed,
    Conflict,
    TooOld,
    GivenUp,
}

struct Open {
    process: u64,
    began: u64,
    steps: Vec<Step>,
    is_committing: bool,
}

#[derive(Default)]
struct Inner {
    history: TransactionHistory,
    tally: Tally,
    open: BTreeMap<u64, Open>,
    /// Begun transactions and events so far.
    begun: u64,
    events: u64,
    /// Steps that clients may still take before the process is ended, and who is told then.
    steps_left: Option<u64>,
    enough: Arc<Notify>,
    values: u64,
    processes: u64,
}

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Record {
    inner: Arc<Mutex<Inner>>,
}

/// A transaction that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun(u64);

impl Record {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new process.
    pub(super) fn process(&self) -> u64 {
        let mut inner = self.inner();
        inner.processes += 1;
        inner.processes - 1
    }

    /// A value that was never written.
    pub(super) fn value(&self) -> u64 {
        let mut inner = self.inner();
        inner.values += 1;
        inner.values
    }

    /// Allows so many steps, or any number.
    pub(super) fn allow(&self, steps: Option<u64>) {
        let mut inner = self.inner();
        // What an earlier life was told is not for this one.
        (inner.steps_left, inner.enough) = (steps, Arc::default());
    }

    /// Waits until clients have taken the steps that were allowed.
    pub(super) async fn enough(&self) {
        let enough = Arc::clone(&self.inner().enough);
        enough.notified().await;
    }

    pub(super) fn begin(&self, process: u64) -> Begun {
        let mut inner = self.inner();
        let (number, began) = (inner.begun, inner.events);
        inner.begun += 1;
        inner.events += 1;
        inner.open.insert(number, Open { process, began, steps: Vec::new(), is_committing: false });
        Begun(number)
    }

    /// A transaction has read or written. Values and keys are what they are spelled like.
    pub(super) fn step(&self, begun: Begun, step: &Seen) {
        let mut inner = self.inner();
        let step = step.spelled(&mut inner.history);
        inner.open.get_mut(&begun.0).expect("only who has begun takes steps").steps.push(step);
        if let Some(left) = inner.steps_left {
            inner.steps_left = Some(left.saturating_sub(1));
            if left <= 1 {
                inner.enough.notify_one();
            }
        }
    }

    /// From now on nobody knows whether it will have happened.
    pub(super) fn commits(&self, begun: Begun) {
        self.inner().open.get_mut(&begun.0).expect("only who has begun commits").is_committing = true;
    }

    pub(super) fn end(&self, begun: Begun, ended: Ended) {
        let mut inner = self.inner();
        let tally = &mut inner.tally;
        let outcome = match ended {
            Ended::Committed => {
                tally.committed += 1;
                TransactionOutcome::Committed
            }
            Ended::Conflict => {
                tally.conflicts += 1;
                TransactionOutcome::Aborted
            }
            Ended::TooOld => {
                tally.too_old += 1;
                TransactionOutcome::Aborted
            }
            Ended::GivenUp => {
                tally.given_up += 1;
                TransactionOutcome::Unknown
            }
        };
        let open = inner.open.remove(&begun.0).expect("a transaction ends once");
        inner.close(open, outcome);
    }

    /// The process has ended: whoever was under way never hears more.
    pub(super) fn died(&self) {
        let mut inner = self.inner();
        for (_, open) in std::mem::take(&mut inner.open) {
            if open.is_committing {
                inner.tally.unknown += 1;
                inner.close(open, TransactionOutcome::Unknown);
            } else {
                inner.tally.cut_off += 1;
                inner.close(open, TransactionOutcome::Aborted);
            }
        }
    }

    /// The history so far, which ends.
    pub(super) fn take(&self) -> (TransactionHistory, Tally) {
        let mut inner = self.inner();
        let history = std::mem::take(&mut inner.history).finish();
        (history.expect("no value is given out twice"), inner.tally)
    }
}

impl Inner {
    fn close(&mut self, open: Open, outcome: TransactionOutcome) {
        let place = self.events;
        self.events += 1;
        let Open { process, began, steps, .. } = open;
        let pushed = self.history.push(process, 0, began..place, outcome, &steps);
        pushed.expect("a seed has one model and few operations");
    }
}

/// What a transaction did, in numbers of the workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// It appended or wrote a value to a key.
    Appended(u64, u64),
    Wrote(u64, u64),
    /// It read a list, or a value.
    List(u64, Vec<u64>),
    Value(u64, Option<u64>),
}

impl Seen {
    fn spelled(&self, history: &mut TransactionHistory) -> Step {
        let (Self::Appended(key, _) | Self::Wrote(key, _) | Self::List(key, _) | Self::Value(key, _)) = self;
        let key = history.key(&key.to_string());
        let mut value = |value: &u64| history.value(&value.to_string());
        match self {
            Self::Appended(_, appended) => Step::Append(key, value(appended)),
            Self::Wrote(_, wrote) => Step::Write(key, value(wrote)),
            Self::List(_, list) => Step::ReadList(key, list.iter().map(value).collect()),
            Self::Value(_, None) => Step::ReadNothing(key),
            Self::Value(_, Some(read)) => Step::ReadValue(key, value(read)),
        }
    }
}
