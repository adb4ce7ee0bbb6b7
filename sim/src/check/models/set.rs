//! Elements: add, remove, and a read that returns all of them.
//!
//! ```text
//!   {} ── add 1 ──▶ {1} ── add 1 ──▶ {1} ── read {1} ──▶ {1} ── remove 1 ──▶ {}
//! ```
//!
//! A state is the sum of the hashes of its elements (Bellare and Micciancio 1997), their number, and one bit for each element
//! that is contested: added by more than one call, or removed by any. Of the others it is known that they are absent when
//! their only add comes, so that nothing need be kept of them; a state costs no more than the contest.

use std::rc::Rc;

use super::{Fate, Model, counts, mix, token_fates};
use crate::journal::{Call, Ending, Function, Journal, Value};

/// The set of a key.
#[derive(Debug)]
pub struct Set {
    /// Ordered.
    contested: Vec<Value>,
}

/// The elements that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elements {
    sum: u128,
    count: u32,
    contested: Rc<[u64]>,
}

/// What a call does to a set. `place` is that of a contested element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It held so many elements, with this sum of hashes; the list says which.
    Read {
        /// The sum.
        sum: u128,
        /// The number.
        count: u32,
        /// The list.
        list: Value,
    },
    /// It holds the element from now on.
    Add {
        /// The element.
        element: Value,
        /// Its place among the contested.
        place: Option<u32>,
    },
    /// It does not hold the element from now on.
    Remove {
        /// The element.
        element: Value,
        /// Its place among the contested.
        place: u32,
    },
}

impl Set {
    fn place(&self, element: Value) -> Option<u32> {
        self.contested.binary_search(&element).ok().map(|place| place as u32)
    }
}

impl Elements {
    fn holds(&self, place: u32) -> bool {
        self.contested[place as usize / 64] >> (place % 64) & 1 == 1
    }

    fn with(&self, element: Value, place: Option<u32>) -> Self {
        Self {
            sum: self.sum.wrapping_add(mix(u64::from(element.0))),
            count: self.count + 1,
            contested: place.map_or_else(|| Rc::clone(&self.contested), |place| self.flipped(place)),
        }
    }

    fn without(&self, element: Value, place: u32) -> Self {
        Self {
            sum: self.sum.wrapping_sub(mix(u64::from(element.0))),
            count: self.count - 1,
            contested: self.flipped(place),
        }
    }

    fn flipped(&self, place: u32) -> Rc<[u64]> {
        let mut bits = self.contested.to_vec();
        bits[place as usize / 64] ^= 1 << (place % 64);
        bits.into()
    }
}

impl Model for Set {
    type State = Elements;
    type Action = Action;

    fn of(_: &Journal, calls: &[Call]) -> Self {
        let changes = || calls.iter().filter(|call| counts(call) && call.function != Function::Read);
        let mut elements: Vec<Value> = changes().map(|call| call.argument).collect();
        elements.sort_unstable();
        let several = elements.chunk_by(Value::eq).filter(|chunk| chunk.len() > 1).map(|chunk| chunk[0]);
        let removed = changes().filter(|call| call.function == Function::Remove).map(|call| call.argument);
        let mut contested: Vec<Value> = several.chain(removed).collect();
        contested.sort_unstable();
        contested.dedup();
        Self { contested }
    }

    fn action(&self, journal: &Journal, call: &Call) -> Option<Action> {
        let element = call.argument;
        match (call.function, call.ending) {
            (_, Ending::Fail) | (Function::Read, Ending::Unknown) => None,
            (Function::Read, Ending::Ok) => {
                let list = journal.list(call.second);
                let sum = list.iter().fold(0_u128, |sum, element| sum.wrapping_add(mix(u64::from(element.0))));
                Some(Action::Read { sum, count: list.len() as u32, list: call.second })
            }
            (Function::Remove, _) => self.place(element).map(|place| Action::Remove { element, place }),
            (_, _) => Some(Action::Add { element, place: self.place(element) }),
        }
    }

    fn initial(&self) -> Elements {
        Elements { sum: 0, count: 0, contested: vec![0; self.contested.len().div_ceil(64)].into() }
    }

    fn step(&self, state: &Elements, action: &Action) -> Option<Elements> {
        match *action {
            Action::Read { sum, count, .. } => (sum == state.sum && count == state.count).then(|| state.clone()),
            Action::Add { place: Some(place), .. } if state.holds(place) => Some(state.clone()),
            Action::Add { element, place } => Some(state.with(element, place)),
            Action::Remove { element, place } if state.holds(place) => Some(state.without(element, place)),
            Action::Remove { .. } => Some(state.clone()),
        }
    }

    fn only_shows(&self, action: &Action) -> bool {
        matches!(action, Action::Read { .. })
    }

    fn fingerprint(&self, state: &Elements) -> u128 {
        state.sum ^ mix(u64::from(state.count))
    }

    fn leaves(&self, _: &Action) -> Option<Elements> {
        None
    }

    fn fates(&self, journal: &Journal, calls: &[Call]) -> Vec<(usize, Fate)> {
        let installs = |call: &Call| (call.function == Function::Add && counts(call)).then_some(call.argument);
        let observes = |call: &Call, element: Value| match call.function {
            Function::Read if call.ending == Ending::Ok => journal.list(call.second).binary_search(&element).is_ok(),
            _ => false,
        };
        let mut fates = token_fates(calls, installs, observes);
        let removes = calls.iter().enumerate();
        let removes = removes.filter(|(_, call)| call.ending == Ending::Unknown && call.function == Function::Remove);
        fates.extend(removes.map(|(number, _)| (number, Fate::Perhaps)));
        fates
    }

    fn describe(&self, journal: &Journal, calls: &[Call], state: &Elements) -> String {
        let all = calls.iter().filter(|call| call.function == Function::Read && call.ending == Ending::Ok);
        for read in all {
            if let Some(Action::Read { sum, count, list }) = self.action(journal, read)
                && (sum, count) == (state.sum, state.count)
            {
                return journal.show_list(list);
            }
        }
        format!("{} elements that nobody read together", state.count)
    }
}
