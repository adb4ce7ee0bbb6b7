//! Held by one process at a time: acquire, and release by the one that holds it.
//!
//! ```text
//!   free ── acquire by 3 ──▶ held by 3 ── release by 3 ──▶ free
//! ```
//!
//! An acquire of unknown outcome whose process never releases is left out: if it happened, it only stood in the way.

use std::collections::BTreeSet;

use super::{Fate, Model, counts, mix};
use crate::journal::{Call, Ending, Function, Journal};

/// The lock of a key.
#[derive(Debug, Clone, Copy)]
pub struct Lock;

/// What a call does to a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It was free, and is held by this process.
    Acquire(u32),
    /// It was held by this process, and is free.
    Release(u32),
}

impl Model for Lock {
    /// Who holds it.
    type State = Option<u32>;
    type Action = Action;

    fn of(_: &Journal, _: &[Call]) -> Self {
        Self
    }

    fn action(&self, _: &Journal, call: &Call) -> Option<Action> {
        match (call.function, call.ending) {
            (_, Ending::Fail) => None,
            (Function::Acquire, _) => Some(Action::Acquire(call.process)),
            (_, _) => Some(Action::Release(call.process)),
        }
    }

    fn initial(&self) -> Option<u32> {
        None
    }

    fn step(&self, state: &Option<u32>, action: &Action) -> Option<Option<u32>> {
        match *action {
            Action::Acquire(process) => state.is_none().then_some(Some(process)),
            Action::Release(process) => (*state == Some(process)).then_some(None),
        }
    }

    fn only_shows(&self, _: &Action) -> bool {
        false
    }

    fn fingerprint(&self, state: &Option<u32>) -> u128 {
        mix(state.map_or(u64::MAX, u64::from))
    }

    fn leaves(&self, action: &Action) -> Option<Option<u32>> {
        Some(match *action {
            Action::Acquire(process) => Some(process),
            Action::Release(_) => None,
        })
    }

    fn fates(&self, _: &Journal, calls: &[Call]) -> Vec<(usize, Fate)> {
        let releases = calls.iter().filter(|call| call.function == Function::Release && counts(call));
        let releasing: BTreeSet<u32> = releases.map(|call| call.process).collect();
        let unknown = calls.iter().enumerate().filter(|(_, call)| call.ending == Ending::Unknown);
        let fate = |(number, call): (usize, &Call)| {
            let is_unseen = call.function == Function::Acquire && !releasing.contains(&call.process);
            (number, if is_unseen { Fate::Unseen } else { Fate::Perhaps })
        };
        unknown.map(fate).collect()
    }

    fn describe(&self, journal: &Journal, _: &[Call], state: &Option<u32>) -> String {
        match state {
            Some(process) => format!("held by process {}", journal.processes[*process as usize]),
            None => "free".to_string(),
        }
    }
}
