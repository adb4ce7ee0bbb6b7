//! A sum: add to it, read it. It begins with 0; what is added may be negative.
//!
//! ```text
//!   0 ── add 3 ──▶ 3 ── add -1 ──▶ 2 ── read 2 ──▶ 2
//! ```

use super::{Fate, Model, mix};
use crate::journal::{Call, Ending, Function, Journal};

/// The counter of a key.
#[derive(Debug, Clone, Copy)]
pub struct Counter;

/// What a call does to a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It stood there.
    Read(i64),
    /// It grows by that.
    Add(i64),
}

impl Model for Counter {
    type State = i64;
    type Action = Action;

    fn of(_: &Journal, _: &[Call]) -> Self {
        Self
    }

    fn action(&self, journal: &Journal, call: &Call) -> Option<Action> {
        match (call.function, call.ending) {
            (_, Ending::Fail) | (Function::Read, Ending::Unknown) => None,
            (Function::Read, Ending::Ok) => journal.integer(call.second).map(Action::Read),
            (_, _) => journal.integer(call.argument).map(Action::Add),
        }
    }

    fn initial(&self) -> i64 {
        0
    }

    fn step(&self, state: &i64, action: &Action) -> Option<i64> {
        match *action {
            Action::Read(sum) => (sum == *state).then_some(sum),
            // The reader allows no amount that could overflow before there are 2^23 of them; nothing panics beyond.
            Action::Add(amount) => Some(state.wrapping_add(amount)),
        }
    }

    fn only_shows(&self, action: &Action) -> bool {
        matches!(action, Action::Read(_))
    }

    fn fingerprint(&self, state: &i64) -> u128 {
        mix(*state as u64)
    }

    fn leaves(&self, action: &Action) -> Option<i64> {
        match *action {
            Action::Read(sum) => Some(sum),
            Action::Add(_) => None,
        }
    }

    fn fates(&self, _: &Journal, calls: &[Call]) -> Vec<(usize, Fate)> {
        let unknown = calls.iter().enumerate().filter(|(_, call)| call.ending == Ending::Unknown);
        unknown.map(|(number, _)| (number, Fate::Perhaps)).collect()
    }

    fn describe(&self, _: &Journal, _: &[Call], state: &i64) -> String {
        state.to_string()
    }
}
