//! One wrong answer, of which it is certain that nothing explains it.
//!
//! | object | the answer | certain because |
//! |---|---|---|
//! | register, unique values | a read of an old value | its overwriting was invoked after it had completed, and completed before the read |
//! | other registers | a read of a value that nobody writes | |
//! | kv | a read without a text that was appended | the append had completed before the read |
//! | set | a read without an element | its add had completed before the read |
//! | counter | one less than the completed sum | amounts are positive |
//! | queue | a value that was dequeued before | values are unique |
//! | lock | acquired while another process holds it | that one's acquire had completed, its release was not invoked |
//!
//! ```text
//!   begins, takes_effect, ends   watch the calls        changes   alters the answer of one that is about to end
//! ```

use super::object::{Object, Written};
use super::{Flying, Specification};
use crate::journal::{Function, ModelName};

/// Written by nobody.
const NOBODYS: i64 = 2_000_000_011;

/// What is known of a key.
#[derive(Debug, Clone, Default)]
struct Watched {
    /// The value completed last, and when.
    last: Option<(i64, u64)>,
    /// What a read that is invoked after that time must not return.
    stale: Option<(Written, u64)>,
    completed_sum: i64,
    dequeued: Option<i64>,
    /// Who holds the lock, since when.
    holder: Option<(u64, u64)>,
}

/// Watches a history for the place of its violation.
#[derive(Debug)]
pub(super) struct Plant {
    model: ModelName,
    is_unique: bool,
    keys: Vec<Watched>,
    /// Of each call that reads a counter: the completed sum when it was invoked, by process.
    floors: std::collections::BTreeMap<u64, i64>,
    /// Of each call that appends: the text before, by process.
    before: std::collections::BTreeMap<u64, String>,
}

impl Plant {
    pub(super) fn new(specification: &Specification) -> Self {
        Self {
            model: specification.model,
            is_unique: specification.values == 0 && specification.model == ModelName::Register,
            keys: vec![Watched::default(); specification.keys as usize],
            floors: std::collections::BTreeMap::new(),
            before: std::collections::BTreeMap::new(),
        }
    }

    pub(super) fn begins(&mut self, process: u64, key: u32, function: Function) {
        let watched = &mut self.keys[key as usize];
        match (self.model, function) {
            (ModelName::Counter, Function::Read) => {
                self.floors.insert(process, watched.completed_sum);
            }
            // Whoever asks for a release without the lock releases nothing.
            (ModelName::Lock, Function::Release) if watched.holder.is_some_and(|(holder, _)| holder == process) => {
                watched.holder = None;
            }
            _ => {}
        }
    }

    pub(super) fn takes_effect(&mut self, flying: &Flying, object: &Object) {
        if let (Object::Kv(text), Function::Append) = (object, flying.function) {
            self.before.insert(flying.process, text.clone());
        }
    }

    /// A call has ended as ok.
    pub(super) fn ends(&mut self, flying: &Flying, now: u64) {
        let watched = &mut self.keys[flying.key as usize];
        match (self.model, flying.function, &flying.given) {
            (ModelName::Register, Function::Write, Written::Number(value)) => {
                if let Some((old, completed)) = watched.last
                    && completed < flying.invoked_micros
                {
                    watched.stale = Some((Written::Number(old), now));
                }
                watched.last = Some((*value, now));
            }
            (ModelName::Kv, Function::Append, _) => {
                let before = self.before.remove(&flying.process);
                watched.stale = before.map(|text| (Written::Text(text), now));
            }
            (ModelName::Set, Function::Add, element) => watched.stale = Some((element.clone(), now)),
            (ModelName::Counter, Function::Add, Written::Number(amount)) => watched.completed_sum += amount,
            (ModelName::Queue, Function::Dequeue, _) => {
                if let Some(Written::Number(value)) = flying.returned {
                    watched.dequeued = Some(value);
                }
            }
            (ModelName::Lock, Function::Acquire, _) => watched.holder = Some((flying.process, now)),
            _ => {}
        }
    }

    /// Alters the answer of a call, if it is then certainly wrong.
    pub(super) fn changes(&mut self, flying: &mut Flying) -> bool {
        let watched = &self.keys[flying.key as usize];
        let stale = watched.stale.as_ref().filter(|(_, since)| *since < flying.invoked_micros).map(|(stale, _)| stale);
        let answer = match (self.model, flying.function, &flying.returned) {
            (ModelName::Register, Function::Read, _) if self.is_unique => stale.cloned(),
            (ModelName::Register | ModelName::CasRegister, Function::Read, _) => Some(Written::Number(NOBODYS)),
            (ModelName::Kv, Function::Read, _) => stale.cloned(),
            (ModelName::Set, Function::Read, Some(Written::List(elements))) => match stale {
                Some(Written::Number(missing)) => {
                    Some(Written::List(elements.iter().copied().filter(|element| element != missing).collect()))
                }
                _ => None,
            },
            (ModelName::Counter, Function::Read, _) => {
                self.floors.get(&flying.process).map(|floor| Written::Number(floor - 1))
            }
            (ModelName::Queue, Function::Dequeue, _) => watched.dequeued.map(Written::Number),
            (ModelName::Lock, Function::Acquire, None) => match watched.holder {
                Some((holder, since)) if holder != flying.process && since < flying.invoked_micros => {
                    Some(Written::Nil)
                }
                _ => None,
            },
            _ => None,
        };
        let changed = answer.is_some();
        if changed {
            flying.returned = answer;
        }
        changed
    }
}
