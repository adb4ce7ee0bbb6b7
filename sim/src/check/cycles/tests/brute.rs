//! The cycles against brute force: every order in which a small history could have run is tried.
//!
//! ```text
//!   serial     one committed transaction after the other, unknown ones or not: does each read what it says it did?
//!   snapshot   begins and ends in any order: each reads what was committed when it began, and its own writes; it ends
//!              only if nobody who ended since it began wrote a key that it writes
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use super::random;
use crate::history::transactions::{MicroOperation, Transaction, TransactionHistory, TransactionModel};

/// What every key holds: of a register the last value only.
type State = BTreeMap<u32, Vec<u32>>;

/// Who has ended, who runs with which keys written since, and what is held.
type Moment = (u32, BTreeMap<usize, BTreeSet<u32>>, State);

struct Search<'h> {
    history: &'h TransactionHistory,
    in_time: bool,
    /// From where there is no way on.
    tried: RefCell<BTreeSet<Moment>>,
}

impl<'h> Search<'h> {
    fn one(&self, number: usize) -> &'h Transaction {
        &self.history.transactions()[number]
    }

    fn must(&self) -> u32 {
        self.numbers(|outcome| outcome == TransactionOutcome::Committed)
    }

    fn may(&self) -> u32 {
        self.numbers(|outcome| outcome != TransactionOutcome::Aborted)
    }

    fn numbers(&self, is_meant: impl Fn(TransactionOutcome) -> bool) -> u32 {
        let all = self.history.transactions().iter().enumerate();
        all.filter(|(_, one)| is_meant(one.outcome)).fold(0, |bits, (number, _)| bits | 1 << number)
    }

    /// Runs a transaction on a state. `None` when it would not have read what it did.
    fn run(&self, number: usize, before: &State) -> Option<State> {
        let mut state = before.clone();
        for operation in self.history.operations_of(self.one(number)) {
            let held = state.entry(operation.key()).or_default();
            let is_right = match *operation {
                MicroOperation::Append { value, .. } => {
                    held.push(value);
                    true
                }
                MicroOperation::Write { value, .. } => {
                    *held = vec![value];
                    true
                }
                MicroOperation::ReadList { first, end, .. } => held[..] == *self.history.elements(first, end),
                MicroOperation::ReadValue { value, .. } => held[..] == [value],
                MicroOperation::ReadNothing { .. } => held.is_empty(),
                MicroOperation::ReadUnknown { .. } => true,
            };
            if !is_right {
                return None;
            }
        }
        Some(state)
    }

    /// Whether `number` may come when only `done` have, as far as time goes.
    fn is_its_time(&self, number: usize, done: u32) -> bool {
        let began = self.one(number).invoked;
        let is_early = |other: usize| {
            let other_one = self.one(other);
            let is_awaited = self.must() & 1 << other != 0 && done & 1 << other == 0;
            is_awaited && other != number && other_one.completed.is_some_and(|ended| ended < began)
        };
        !self.in_time || !(0..self.history.transactions().len()).any(is_early)
    }

    fn is_serializable(&self, done: u32, state: &State) -> bool {
        if done & self.must() == self.must() {
            return true;
        }
        (0..self.history.transactions().len()).any(|number| {
            let is_next = self.may() & 1 << number != 0 && done & 1 << number == 0 && self.is_its_time(number, done);
            is_next && self.run(number, state).is_some_and(|state| self.is_serializable(done | 1 << number, &state))
        })
    }

    fn writes(&self, number: usize) -> Vec<u32> {
        let operations = self.history.operations_of(self.one(number)).iter();
        operations.filter(|operation| operation.written().is_some()).map(MicroOperation::key).collect()
    }

    /// `running` holds who has begun, with the keys that were written since.
    fn is_snapshot(&self, done: u32, state: &State, running: &BTreeMap<usize, BTreeSet<u32>>) -> bool {
        if done & self.must() == self.must() {
            return true;
        }
        if !self.tried.borrow_mut().insert((done, running.clone(), state.clone())) {
            return false;
        }
        for number in 0..self.history.transactions().len() {
            if self.may() & 1 << number == 0 || done & 1 << number != 0 {
                continue;
            }
            let mut next = running.clone();
            let Some(written_since) = next.remove(&number) else {
                // Of those that could begin now, one that could not have read what it did need not be tried.
                if self.is_its_time(number, done) && self.run(number, state).is_some() {
                    next.insert(number, BTreeSet::new());
                    if self.is_snapshot(done, state, &next) {
                        return true;
                    }
                }
                continue;
            };
            let writes = self.writes(number);
            if writes.iter().any(|key| written_since.contains(key)) {
                continue;
            }
            next.values_mut().for_each(|since| since.extend(&writes));
            let state = self.end(number, state);
            if self.is_snapshot(done | 1 << number, &state, &next) {
                return true;
            }
        }
        false
    }

    /// Its writes on the state of now: nobody has written its keys since it began.
    fn end(&self, number: usize, state: &State) -> State {
        let mut state = state.clone();
        for operation in self.history.operations_of(self.one(number)) {
            let held = state.entry(operation.key()).or_default();
            match *operation {
                MicroOperation::Append { value, .. } => held.push(value),
                MicroOperation::Write { value, .. } => *held = vec![value],
                _ => {}
            }
        }
        state
    }

    fn allows(&self, isolation: Isolation) -> bool {
        match isolation {
            Isolation::Snapshot => self.is_snapshot(0, &State::new(), &BTreeMap::new()),
            _ => self.is_serializable(0, &State::new()),
        }
    }
}

/// Holds the cycles against brute force. Returns how many histories were allowed, and how many were not.
fn compare(model: TransactionModel, seeds: std::ops::Range<u64>, level: Level, is_exact: bool) -> (u32, u32) {
    let (mut allowed, mut refused) = (0, 0);
    for seed in seeds {
        let history = random::history(seed, 2 + seed % 4, model);
        let in_time = level.order == Order::RealTime;
        let search = Search { history: &history, in_time, tried: RefCell::default() };
        let report = check_transactions(&history, level);
        let told = || {
            let lines: Vec<String> =
                (0..history.transactions().len()).map(|number| words::transaction(&history, number as u32)).collect();
            format!("{model:?}, seed {seed}, {level}: {:?}\n{}", report.anomalies, lines.join("\n"))
        };
        if search.allows(level.isolation) {
            assert!(report.holds(), "an order exists, and the cycles deny it: {}", told());
            allowed += 1;
        } else {
            assert!(!is_exact || !report.holds(), "no order exists, and the cycles miss it: {}", told());
            refused += u32::from(!report.holds());
        }
    }
    (allowed, refused)
}

const LEVELS: [&str; 4] = ["snapshot", "serializable", "strong-snapshot", "strict-serializable"];

#[test]
fn lists_have_a_cycle_exactly_when_no_order_explains_them() {
    for level in LEVELS {
        let level = Level::named(level).expect("a level");
        let (allowed, refused) = compare(TransactionModel::ListAppend, 0..1_500, level, true);
        assert!(allowed > 100 && refused > 100, "{level}: {allowed} allowed, {refused} refused");
    }
}

#[test]
fn registers_have_a_cycle_only_when_no_order_explains_them() {
    for level in LEVELS {
        let level = Level::named(level).expect("a level");
        let (allowed, refused) = compare(TransactionModel::RwRegister, 0..1_500, level, false);
        assert!(allowed > 100 && refused > 100, "{level}: {allowed} allowed, {refused} refused");
    }
}
