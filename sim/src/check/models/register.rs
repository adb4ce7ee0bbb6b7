//! One value: read, write, delete, and compare-and-set.
//!
//! ```text
//!   v ── read v ──▶ v      v ── write w ──▶ w      v ── cas v to w ──▶ w      v ── delete ──▶ nil
//! ```
//!
//! A cas that failed did not happen, and says no more (Jepsen's meaning of `:fail`: it may have failed for want of a quorum).
//! On demand it says that the register held something else, as Porcupine's model of etcd has it.

use super::{Fate, Model, counts, mix, token_fates};
use crate::journal::{Call, Ending, Function, Journal, Value};

/// The register of a key.
#[derive(Debug, Clone, Copy)]
pub struct Register {
    /// Whether some action is a cas that found another value.
    differs: bool,
}

/// What a call does to a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It held this value.
    Read(Value),
    /// It holds this value from now on.
    Write(Value),
    /// It held the first, and holds the second from now on.
    Cas(Value, Value),
    /// It held anything but this value.
    Differ(Value),
}

impl Model for Register {
    type State = Value;
    type Action = Action;

    fn of(journal: &Journal, calls: &[Call]) -> Self {
        let failed = |call: &Call| call.function == Function::Cas && call.ending == Ending::Fail;
        Self { differs: journal.failed_cas_differed && calls.iter().any(failed) }
    }

    fn action(&self, journal: &Journal, call: &Call) -> Option<Action> {
        match (call.function, call.ending) {
            (Function::Cas, Ending::Fail) if journal.failed_cas_differed => Some(Action::Differ(call.argument)),
            (_, Ending::Fail) | (Function::Read, Ending::Unknown) => None,
            (Function::Read, Ending::Ok) => Some(Action::Read(call.second)),
            (Function::Cas, _) => Some(Action::Cas(call.argument, call.second)),
            (_, _) => Some(Action::Write(call.argument)),
        }
    }

    fn initial(&self) -> Value {
        Value::NIL
    }

    fn step(&self, state: &Value, action: &Action) -> Option<Value> {
        match *action {
            Action::Read(value) => (value == *state).then_some(value),
            Action::Write(value) => Some(value),
            Action::Cas(old, new) => (old == *state).then_some(new),
            Action::Differ(value) => (value != *state).then_some(*state),
        }
    }

    fn only_shows(&self, action: &Action) -> bool {
        matches!(action, Action::Read(_) | Action::Differ(_))
    }

    fn fingerprint(&self, state: &Value) -> u128 {
        mix(u64::from(state.0))
    }

    fn leaves(&self, action: &Action) -> Option<Value> {
        match *action {
            Action::Read(value) | Action::Write(value) | Action::Cas(_, value) => Some(value),
            Action::Differ(_) => None,
        }
    }

    fn fates(&self, _: &Journal, calls: &[Call]) -> Vec<(usize, Fate)> {
        if self.differs {
            // Any value that is not the expected one explains a cas that found another: none is unseen.
            let unknown = calls.iter().enumerate().filter(|(_, call)| call.ending == Ending::Unknown);
            return unknown.map(|(number, _)| (number, Fate::Perhaps)).collect();
        }
        token_fates(calls, installed, |call, value| match call.function {
            Function::Read => call.ending == Ending::Ok && call.second == value,
            Function::Cas => call.argument == value,
            _ => false,
        })
    }

    fn describe(&self, journal: &Journal, _: &[Call], state: &Value) -> String {
        journal.show(*state)
    }
}

fn installed(call: &Call) -> Option<Value> {
    match call.function {
        Function::Write | Function::Delete if counts(call) => Some(call.argument),
        Function::Cas if counts(call) => Some(call.second),
        _ => None,
    }
}
