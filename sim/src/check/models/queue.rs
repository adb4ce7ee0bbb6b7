//! First in, first out: enqueue at the end, dequeue from the front. A dequeue of an empty queue returns nothing.
//!
//! ```text
//!   [] ── enqueue a ──▶ [a] ── enqueue b ──▶ [a b] ── dequeue a ──▶ [b]          [] ── dequeue nothing ──▶ []
//! ```
//!
//! A dequeue of unknown outcome may have taken whatever was first. Where values are unique, it cannot have taken what another
//! dequeue returned, and of two values the one that certainly left later cannot stand before the other. To know that from the
//! rest of the history spares the search the guess in which order concurrent enqueues took effect. Values that nobody is known
//! to have dequeued cannot be told apart: in a state, they are all [`LOST`].

use std::rc::Rc;

use std::collections::BTreeMap;

use super::{Fate, Model, counts, mix, token_fates};
use crate::journal::{Call, Ending, Function, Journal, Value};

/// Stands for every value of which nobody is known to have dequeued it, where values are unique.
const LOST: Value = Value::NIL;

/// The queue of a key.
#[derive(Debug, Clone)]
pub struct Queue {
    /// When each value was dequeued, from invocation to completion; `None` unless values are unique.
    dequeued: Option<BTreeMap<Value, (u32, u32)>>,
    /// How many dequeues may have taken any value.
    any_taken: usize,
}

impl Queue {
    /// Whether `value` may be enqueued behind what is there.
    fn may_follow(&self, state: &[Value], value: Value) -> bool {
        let Some(dequeued) = &self.dequeued else { return true };
        let (Some(last), Some((_, completed))) = (state.last(), dequeued.get(&value)) else { return true };
        // Before it leaves, all that are lost must have been taken by somebody unknown.
        let lost = state.iter().filter(|&&value| value == LOST).count();
        lost <= self.any_taken && dequeued.get(last).is_none_or(|(invoked, _)| completed >= invoked)
    }

    /// What stands for a value in a state.
    fn token(&self, value: Value) -> Value {
        match &self.dequeued {
            Some(dequeued) if !dequeued.contains_key(&value) => LOST,
            _ => value,
        }
    }

    fn show(&self, journal: &Journal, value: Value) -> String {
        if value == LOST && self.dequeued.is_some() { "?".to_string() } else { journal.show(value) }
    }

    /// Whether a dequeue of unknown outcome may have taken this value.
    fn may_be_lost(&self, value: Value) -> bool {
        self.dequeued.is_none() || value == LOST
    }
}

/// What a call does to a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It ends with this value from now on.
    Enqueue(Value),
    /// It began with this value; NIL: it was empty.
    Dequeue(Value),
    /// It began with something.
    DequeueAny,
}

impl Model for Queue {
    /// The first first.
    type State = Rc<[Value]>;
    type Action = Action;

    fn of(_: &Journal, calls: &[Call]) -> Self {
        let is_any = |call: &&Call| call.function == Function::Dequeue && call.ending == Ending::Unknown;
        let enqueues = calls.iter().filter(|call| call.function == Function::Enqueue && counts(call));
        let mut values: Vec<Value> = enqueues.map(|call| call.argument).collect();
        values.sort_unstable();
        let is_unique = values.windows(2).all(|pair| pair[0] != pair[1]);
        let dequeues = calls.iter().filter(|call| call.function == Function::Dequeue && call.ending == Ending::Ok);
        let found = dequeues.filter(|call| call.second != Value::NIL);
        let dequeued = found.map(|call| (call.second, (call.invoked, call.completed))).collect();
        Self { dequeued: is_unique.then_some(dequeued), any_taken: calls.iter().filter(is_any).count() }
    }

    fn action(&self, _: &Journal, call: &Call) -> Option<Action> {
        match (call.function, call.ending) {
            (_, Ending::Fail) => None,
            (Function::Dequeue, Ending::Unknown) => Some(Action::DequeueAny),
            (Function::Dequeue, Ending::Ok) => Some(Action::Dequeue(call.second)),
            (_, _) => Some(Action::Enqueue(call.argument)),
        }
    }

    fn initial(&self) -> Rc<[Value]> {
        Rc::from([])
    }

    fn step(&self, state: &Rc<[Value]>, action: &Action) -> Option<Rc<[Value]>> {
        match *action {
            Action::Enqueue(value) if !self.may_follow(state, value) => None,
            Action::Enqueue(value) => Some(state.iter().copied().chain([self.token(value)]).collect()),
            Action::Dequeue(Value::NIL) => state.is_empty().then(|| Rc::clone(state)),
            Action::Dequeue(value) => (state.first() == Some(&value)).then(|| Rc::from(&state[1..])),
            Action::DequeueAny => {
                (state.first().is_some_and(|&first| self.may_be_lost(first))).then(|| Rc::from(&state[1..]))
            }
        }
    }

    fn only_shows(&self, action: &Action) -> bool {
        *action == Action::Dequeue(Value::NIL)
    }

    /// A dequeue that is possible is made, and so is one that takes what nobody else took; enqueues follow the order in which their values leave.
    fn likely_at(&self, action: &Action, _: &Rc<[Value]>, middle: u64) -> u64 {
        match (action, &self.dequeued) {
            (Action::Enqueue(value), Some(dequeued)) => {
                dequeued.get(value).map_or(u64::MAX, |&(invoked, completed)| u64::from(invoked) + u64::from(completed))
            }
            (Action::Dequeue(_), _) => 0,
            (Action::DequeueAny, Some(_)) => 1,
            _ => middle,
        }
    }

    fn fingerprint(&self, state: &Rc<[Value]>) -> u128 {
        state.iter().fold(mix(u64::MAX), |hash, value| {
            let both = hash.rotate_left(41) ^ mix(u64::from(value.0));
            mix(both as u64) ^ mix((both >> 64) as u64).rotate_left(64)
        })
    }

    fn leaves(&self, action: &Action) -> Option<Rc<[Value]>> {
        (*action == Action::Dequeue(Value::NIL)).then(|| Rc::from([]))
    }

    fn fates(&self, _: &Journal, calls: &[Call]) -> Vec<(usize, Fate)> {
        let installs = |call: &Call| (call.function == Function::Enqueue && counts(call)).then_some(call.argument);
        let takes_any = |call: &Call| call.function == Function::Dequeue && call.ending == Ending::Unknown;
        let mut fates = token_fates(calls, installs, |call, value| {
            call.function == Function::Dequeue && call.ending == Ending::Ok && call.second == value
        });
        let any = calls.iter().enumerate().filter(|(_, call)| takes_any(call));
        fates.extend(any.map(|(number, _)| (number, Fate::Perhaps)));
        fates
    }

    fn describe(&self, journal: &Journal, _: &[Call], state: &Rc<[Value]>) -> String {
        const NAMED_MAX: usize = 8;
        let mut named: Vec<String> = state.iter().take(NAMED_MAX).map(|&value| self.show(journal, value)).collect();
        if state.len() > NAMED_MAX {
            named.push(format!("… {} more", state.len() - NAMED_MAX));
        }
        format!("[{}]", named.join(" "))
    }
}
