//! Real objects, the simplest that could be: what they return is right because a map, a set or a queue of the standard library
//! did it. They share nothing with the models that histories are judged by.
//!
//! ```text
//!   Objects   key ─▶ Object     apply(call) ─▶ what the client gets to see
//! ```

use std::collections::{BTreeSet, VecDeque};

use crate::journal::{Function, ModelName};

/// A value of a generated history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    Nil,
    Number(i64),
    Text(String),
    /// What cas compares with, and what it writes.
    Pair(i64, i64),
    List(Vec<i64>),
}

/// One key's object.
#[derive(Debug)]
pub(super) enum Object {
    Register(Option<i64>),
    Kv(String),
    Set(BTreeSet<i64>),
    Counter(i64),
    Queue(VecDeque<i64>),
    Lock(Option<u64>),
}

impl Object {
    pub(super) fn new(model: ModelName) -> Self {
        match model {
            ModelName::Register | ModelName::CasRegister => Self::Register(None),
            ModelName::Kv => Self::Kv(String::new()),
            ModelName::Set => Self::Set(BTreeSet::new()),
            ModelName::Counter => Self::Counter(0),
            ModelName::Queue => Self::Queue(VecDeque::new()),
            ModelName::Lock => Self::Lock(None),
        }
    }

    /// Does what is asked, and returns what the client sees; `None` when the object refuses, and nothing happened.
    pub(super) fn apply(&mut self, function: Function, given: &Written, process: u64) -> Option<Written> {
        match (self, function, given) {
            (Self::Register(value), Function::Read, _) => Some(value.map_or(Written::Nil, Written::Number)),
            (Self::Register(value), Function::Write, Written::Number(new)) => {
                *value = Some(*new);
                Some(given.clone())
            }
            (Self::Register(value), Function::Cas, Written::Pair(old, new)) => {
                (*value == Some(*old)).then(|| *value = Some(*new)).map(|()| given.clone())
            }
            (Self::Kv(text), Function::Read, _) => Some(Written::Text(text.clone())),
            (Self::Kv(text), Function::Write, Written::Text(new)) => {
                text.clone_from(new);
                Some(given.clone())
            }
            (Self::Kv(text), Function::Append, Written::Text(more)) => {
                text.push_str(more);
                Some(given.clone())
            }
            (Self::Set(elements), Function::Read, _) => Some(Written::List(elements.iter().copied().collect())),
            (Self::Set(elements), Function::Add, Written::Number(element)) => {
                elements.insert(*element);
                Some(given.clone())
            }
            (Self::Counter(sum), Function::Read, _) => Some(Written::Number(*sum)),
            (Self::Counter(sum), Function::Add, Written::Number(amount)) => {
                *sum += amount;
                Some(given.clone())
            }
            (Self::Queue(values), Function::Enqueue, Written::Number(value)) => {
                values.push_back(*value);
                Some(given.clone())
            }
            (Self::Queue(values), Function::Dequeue, _) => {
                Some(values.pop_front().map_or(Written::Nil, Written::Number))
            }
            (Self::Lock(holder), Function::Acquire, _) => {
                holder.is_none().then(|| *holder = Some(process)).map(|()| Written::Nil)
            }
            (Self::Lock(holder), Function::Release, _) => {
                (*holder == Some(process)).then(|| *holder = None).map(|()| Written::Nil)
            }
            _ => None,
        }
    }
}
