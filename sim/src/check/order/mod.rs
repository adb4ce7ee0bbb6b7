//! Any object's history, judged: whether there is an order of its calls, each at one moment between invocation and completion,
//! that the object would have answered like that (linearizability; Herlihy and Wing 1990).
//!
//! ```text
//!   Journal ─▶ calls by key ─▶ on all cores, the largest key first:
//!                                zones     registers with unique values        sorts, and is done
//!                                register  other registers                     a search that hardly branches (../linearizable)
//!                                fifo      queues with unique values           four patterns
//!                                search    everything else                     Wing, Gong and Lowe, within a bound of memory
//!              ─▶ Judgement: holds; fails, explained; or undecided, with the reason
//! ```
//!
//! | file | does |
//! |---|---|
//! | `problem.rs` | what must be placed, what may be; cuts a history where its state is certain and nothing overlaps |
//! | `search.rs`, `visited.rs` | the search, and what it remembers |
//! | `zones.rs`, `fifo.rs` | what can be decided without one |
//! | `explain.rs`, `shrink.rs` | the first completion that fits nowhere, and the fewest calls that show it |
//!
//! The search is the referee of the others: tests compare them, and all of them with trying every order.

mod explain;
mod fifo;
mod problem;
mod search;
mod shrink;
#[cfg(test)]
mod tests;
mod visited;
mod zones;

pub use explain::{Bar, Violation, place};

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use self::problem::Problem;
use self::search::{Found, search};
use self::zones::Zoned;
use super::index::{ABSENT, Entry, KeyIndex, NEVER as NEVER_MICROS, Role};
use super::linearizable;
use super::models::{Counter, Kv, Lock, Model, Queue, Register, Set};
use crate::journal::{Call, Ending, Function, Journal, ModelName, NEVER, Value};

/// So many violations are explained; the other keys that fail are only named.
const EXPLAINED_MAX: usize = 5;

/// What a step of the search for registers remembers, at most.
const BYTES_PER_REGISTER_STEP: u64 = 32;

/// How much may be spent.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Memory for the configurations that are remembered, in all.
    pub memory_bytes: u64,
    /// Keys judged at a time.
    pub jobs: usize,
}

impl Bounds {
    fn bytes_per_key(&self, keys: usize) -> u64 {
        self.memory_bytes / self.jobs.min(keys).max(1) as u64
    }
}

/// A key without a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndecidedKey {
    /// Its number.
    pub key: u32,
    /// Its calls.
    pub calls: usize,
    /// Why there is none.
    pub reason: String,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Keys, and calls that say something: those that did not fail.
    pub keys: usize,
    /// See there.
    pub calls: u64,
    /// The keys that fail, by the place where they do. The first of them are explained.
    pub failed_keys: Vec<u32>,
    /// What is wrong with the first of them.
    pub violations: Vec<Violation>,
    /// Keys that could not be judged within the bounds.
    pub undecided: Vec<UndecidedKey>,
}

/// What was decided about one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Holds,
    /// With the place of the completion that fits nowhere, where it is known.
    Fails(Option<u32>),
    Undecided {
        configurations: u64,
    },
}

/// Judges every key. Whether the verdicts are reached on one core or many changes none.
pub fn judge(journal: &Journal, bounds: &Bounds) -> Judgement {
    let by_key = ByKey::of(journal);
    let mut keys: Vec<u32> = (0..journal.keys.len() as u32).collect();
    keys.sort_by_key(|&key| std::cmp::Reverse(by_key.places(key).len()));
    let bytes = bounds.bytes_per_key(keys.len());
    let next = AtomicUsize::new(0);
    let unheld: Mutex<Vec<(u32, Decision)>> = Mutex::default();
    let work = || {
        let mut calls = Vec::new();
        while let Some(&key) = keys.get(next.fetch_add(1, Ordering::Relaxed)) {
            by_key.calls(journal, key, &mut calls);
            let decision = decide(journal, &calls, bytes);
            if decision != Decision::Holds {
                unheld.lock().unwrap_or_else(PoisonError::into_inner).push((key, decision));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..bounds.jobs.min(keys.len()) {
            scope.spawn(work);
        }
        work();
    });
    let unheld = unheld.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut judgement = Judgement { keys: keys.len(), ..Judgement::default() };
    judgement.calls = journal.calls.iter().filter(|call| call.ending != Ending::Fail).count() as u64;
    tell(journal, &by_key, unheld, bytes, &mut judgement);
    judgement
}

/// Explains what fails, and gives the reasons of what is undecided.
fn tell(journal: &Journal, by_key: &ByKey, unheld: Vec<(u32, Decision)>, bytes: u64, judgement: &mut Judgement) {
    let mut failed: Vec<(u32, u32)> = Vec::new();
    for (key, decision) in unheld {
        let mut calls = Vec::new();
        by_key.calls(journal, key, &mut calls);
        match decision {
            Decision::Holds => {}
            Decision::Fails(at) => {
                failed.push((at.unwrap_or_else(|| explain::first_misfit(journal, &calls, bytes)), key));
            }
            Decision::Undecided { configurations } => {
                let mib = bytes >> 20;
                let reason = format!(
                    "{configurations} configurations filled the {mib} MiB that a key may use; give it more with --memory"
                );
                judgement.undecided.push(UndecidedKey { key, calls: calls.len(), reason });
            }
        }
    }
    failed.sort_unstable();
    judgement.undecided.sort_by_key(|undecided| undecided.key);
    for &(at, key) in failed.iter().take(EXPLAINED_MAX) {
        let mut calls = Vec::new();
        by_key.calls(journal, key, &mut calls);
        judgement.violations.push(explain::explain(journal, key, &calls, at, bytes));
    }
    judgement.failed_keys = failed.into_iter().map(|(_, key)| key).collect();
}

/// Judges the calls of one object, ordered by invocation.
fn decide(journal: &Journal, calls: &[Call], bytes: u64) -> Decision {
    let has = |function: Function| calls.iter().any(|call| call.function == function);
    match journal.model {
        ModelName::CasRegister if has(Function::Cas) => decide_by_search::<Register>(journal, calls, bytes),
        ModelName::Register | ModelName::CasRegister => decide_register(calls, bytes),
        ModelName::Kv if has(Function::Append) || has(Function::Delete) => {
            decide_by_search::<Kv>(journal, calls, bytes)
        }
        ModelName::Kv => {
            let is_empty = |value: Value| journal.integer(value).is_none() && journal.text(value).is_empty();
            match zones::judge(calls, |value| if is_empty(value) { Value::NIL } else { value }) {
                Zoned::Linearizable => Decision::Holds,
                Zoned::Violated => Decision::Fails(None),
                Zoned::NotUnique => decide_by_search::<Kv>(journal, calls, bytes),
            }
        }
        ModelName::Set => decide_by_search::<Set>(journal, calls, bytes),
        ModelName::Counter => decide_by_search::<Counter>(journal, calls, bytes),
        ModelName::Queue => match fifo::judge(calls) {
            Some(true) => Decision::Holds,
            Some(false) => Decision::Fails(None),
            None => match decide_by_search::<Queue>(journal, calls, bytes) {
                // The search knows what is dequeued later, and may stop before anybody could have known.
                Decision::Fails(_) => Decision::Fails(None),
                other => other,
            },
        },
        ModelName::Lock => decide_by_search::<Lock>(journal, calls, bytes),
    }
}

fn decide_by_search<M: Model>(journal: &Journal, calls: &[Call], bytes: u64) -> Decision {
    match search(&Problem::<M>::of(journal, calls), bytes) {
        Found::Order(_) => Decision::Holds,
        Found::None { at, .. } => Decision::Fails(Some(at)),
        Found::Full { configurations } => Decision::Undecided { configurations },
    }
}

/// By zones, or by the laboratory's own search for registers, which hardly branches where only absence is written twice.
fn decide_register(calls: &[Call], bytes: u64) -> Decision {
    match zones::judge(calls, |value| value) {
        Zoned::Linearizable => return Decision::Holds,
        Zoned::Violated => return Decision::Fails(None),
        Zoned::NotUnique => {}
    }
    let mut values: Vec<Value> = calls.iter().flat_map(|call| [call.argument, call.second]).collect();
    values.sort_unstable();
    values.dedup();
    let number = |value: Value| match value {
        Value::NIL => ABSENT,
        _ => values.partition_point(|other| *other < value) as u32 + 1,
    };
    let entry = |(id, call): (usize, &Call)| {
        let (role, value) = match (call.function, call.ending) {
            (_, Ending::Fail) | (Function::Read, Ending::Unknown) => return None,
            (Function::Read, Ending::Ok) => (Role::Read, call.second),
            _ => (Role::Install, call.argument),
        };
        let completed = if call.ending == Ending::Ok { u64::from(call.completed) } else { NEVER_MICROS };
        let (id, invoked) = (id as u32, u64::from(call.invoked));
        Some(Entry { id, session: call.process, role, value: number(value), invoked, completed })
    };
    let entries: Vec<Entry> = calls.iter().enumerate().filter_map(entry).collect();
    let steps = bytes / BYTES_PER_REGISTER_STEP;
    match linearizable::decide(&KeyIndex::of_entries(entries, values.len() as u32 + 1), steps) {
        Some(true) => Decision::Holds,
        Some(false) => Decision::Fails(None),
        None => Decision::Undecided { configurations: steps },
    }
}

/// The places of every key's calls.
struct ByKey {
    places: Vec<u32>,
    /// Where each key's begin, and a last one where they all end.
    begins: Vec<usize>,
}

impl ByKey {
    /// Sorts by counting.
    fn of(journal: &Journal) -> Self {
        let mut begins = vec![0_usize; journal.keys.len() + 1];
        for call in &journal.calls {
            begins[call.key as usize + 1] += 1;
        }
        for key in 1..begins.len() {
            begins[key] += begins[key - 1];
        }
        let mut next = begins.clone();
        let mut places = vec![0; journal.calls.len()];
        for (place, call) in journal.calls.iter().enumerate() {
            places[next[call.key as usize]] = place as u32;
            next[call.key as usize] += 1;
        }
        Self { places, begins }
    }

    fn places(&self, key: u32) -> &[u32] {
        &self.places[self.begins[key as usize]..self.begins[key as usize + 1]]
    }

    /// The calls of a key, ordered by invocation.
    fn calls(&self, journal: &Journal, key: u32, calls: &mut Vec<Call>) {
        calls.clear();
        calls.extend(self.places(key).iter().map(|&place| journal.calls[place as usize]));
        // The file has them in this order, unless its times tell otherwise.
        if !calls.is_sorted_by_key(|call| call.invoked) {
            calls.sort_by_key(|call| call.invoked);
        }
    }
}

/// What was known once the event at this place had happened.
fn until(calls: &[Call], place: u32) -> Vec<Call> {
    let begun = calls.iter().filter(|call| call.invoked <= place);
    let known = begun.map(|call| match call.completed > place && call.ending == Ending::Ok {
        true => Call { ending: Ending::Unknown, completed: NEVER, ..*call },
        false => *call,
    });
    // What failed later had not failed yet, but it never happened.
    known.filter(|call| call.ending != Ending::Fail || call.completed <= place).collect()
}
