//! The fewest calls that still cannot be explained.
//!
//! ```text
//!   observations first   a read says something and does nothing: without it, every order stays one
//!   then whole values    a write goes with all reads of its value, an enqueue with its dequeue, an acquire with its release
//! ```
//!
//! Nothing is left out whose absence could itself be the contradiction (a read of a value that nobody wrote any more): what
//! remains is wrong because the history was. The parts are tried in halves, quarters and so on down to single ones, as delta
//! debugging does (Zeller and Hildebrandt 2002). Work is bounded, not time, so that the same history shrinks the same way.

use std::collections::{BTreeMap, BTreeSet};

use super::{Decision, decide};
use crate::check::models::{Fate, Kv, Lock, Model, Queue, Register, Set};
use crate::journal::{Call, Ending, Function, Journal, ModelName, Value};

/// Calls judged in all, at most.
const WORK_MAX: usize = 20_000_000;
/// Memory of one judgement: what needs more is kept.
const BYTES_MAX: u64 = 32 << 20;

/// What goes together, as places among the calls.
type Unit = Vec<usize>;

struct Shrinking<'j> {
    journal: &'j Journal,
    calls: Vec<Call>,
    work_left: usize,
}

/// The fewest calls found.
pub(super) fn shrink(journal: &Journal, calls: Vec<Call>) -> Vec<Call> {
    let mut shrinking = Shrinking { journal, calls, work_left: WORK_MAX };
    for units in [observations, values, observations] {
        shrinking.leave_out(&units(journal, &shrinking.calls));
    }
    seen_only(journal, shrinking.calls)
}

impl Shrinking<'_> {
    fn leave_out(&mut self, units: &[Unit]) {
        let mut kept: Vec<&Unit> = units.iter().collect();
        let mut gone = vec![false; self.calls.len()];
        let mut size = kept.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            while at < kept.len() && self.work_left > 0 {
                let part = at..(at + size).min(kept.len());
                let mut tried = gone.clone();
                kept[part.clone()].iter().copied().flatten().for_each(|&place| tried[place] = true);
                if self.still_fails(&tried) {
                    gone = tried;
                    kept.drain(part);
                } else {
                    at += size;
                }
            }
            if size == 1 {
                break;
            }
            size = size.div_ceil(2);
        }
        let mut place = 0;
        self.calls.retain(|_| {
            place += 1;
            !gone[place - 1]
        });
    }

    fn still_fails(&mut self, gone: &[bool]) -> bool {
        let kept = self.calls.iter().zip(gone).filter(|&(_, gone)| !gone);
        let rest: Vec<Call> = kept.map(|(call, _)| *call).collect();
        self.work_left = self.work_left.saturating_sub(rest.len() + 100);
        matches!(decide(self.journal, &rest, BYTES_MAX), Decision::Fails(_))
    }
}

/// Calls that only say something.
fn observations(journal: &Journal, calls: &[Call]) -> Vec<Unit> {
    let only_says = |call: &Call| match (call.function, call.ending) {
        (Function::Read, _) | (_, Ending::Fail) => true,
        (Function::Dequeue, Ending::Ok) => call.second == Value::NIL,
        // An amount of nothing.
        (Function::Add, _) => journal.model == ModelName::Counter && journal.integer(call.argument) == Some(0),
        _ => false,
    };
    calls.iter().enumerate().filter(|(_, call)| only_says(call)).map(|(place, _)| vec![place]).collect()
}

/// Calls that can only go together.
fn values(journal: &Journal, calls: &[Call]) -> Vec<Unit> {
    match journal.model {
        // A cas that found another value may owe that to any call.
        ModelName::CasRegister if journal.failed_cas_differed => Vec::new(),
        ModelName::Register | ModelName::CasRegister => by_value(calls),
        ModelName::Kv => by_text(journal, calls),
        ModelName::Set => by_element(journal, calls),
        ModelName::Queue => by_token(calls),
        ModelName::Lock => by_holder(calls),
        ModelName::Counter => Vec::new(),
    }
}

/// For each value, all calls that install it or saw it, and those of the values that a cas made of it.
fn by_value(calls: &[Call]) -> Vec<Unit> {
    let (mut touching, mut made_of) = (BTreeMap::<Value, Unit>::new(), BTreeMap::<Value, BTreeSet<Value>>::new());
    for (place, call) in calls.iter().enumerate() {
        match call.function {
            Function::Read => touching.entry(call.second).or_default().push(place),
            Function::Cas => {
                touching.entry(call.argument).or_default().push(place);
                touching.entry(call.second).or_default().push(place);
                made_of.entry(call.argument).or_default().insert(call.second);
            }
            _ => touching.entry(call.argument).or_default().push(place),
        }
    }
    let unit = |&value: &Value| {
        let (mut all, mut open) = (BTreeSet::from([value]), vec![value]);
        while let Some(value) = open.pop() {
            let next = made_of.get(&value).into_iter().flatten().copied();
            open.extend(next.filter(|next| all.insert(*next)));
        }
        all.iter().filter_map(|value| touching.get(value)).flatten().copied().collect()
    };
    touching.keys().map(unit).collect()
}

/// For each text that was added or written, the call and all reads that contain it.
fn by_text(journal: &Journal, calls: &[Call]) -> Vec<Unit> {
    let shown: Vec<(usize, String)> = (calls.iter().enumerate())
        .filter(|(_, call)| call.function == Function::Read)
        .map(|(place, call)| (place, whole_text(journal, call.second)))
        .collect();
    let changes = calls.iter().enumerate().filter(|(_, call)| call.function != Function::Read);
    let unit = |(place, call): (usize, &Call)| {
        let text = whole_text(journal, call.argument);
        let reads = shown.iter().filter(|(_, shown)| shown.contains(&text)).map(|&(read, _)| read);
        [place].into_iter().chain(reads).collect()
    };
    changes.map(unit).collect()
}

fn whole_text(journal: &Journal, value: Value) -> String {
    match journal.integer(value) {
        Some(number) if journal.text(value).is_empty() => number.to_string(),
        _ => String::from_utf8_lossy(journal.text(value)).into_owned(),
    }
}

/// For each element, all calls that add or remove it, and all reads that hold it.
fn by_element(journal: &Journal, calls: &[Call]) -> Vec<Unit> {
    let mut changing: BTreeMap<Value, Unit> = BTreeMap::new();
    let changes = calls.iter().enumerate().filter(|(_, call)| call.function != Function::Read);
    changes.for_each(|(place, call)| changing.entry(call.argument).or_default().push(place));
    for (place, read) in calls.iter().enumerate().filter(|(_, call)| call.function == Function::Read) {
        for element in journal.list(read.second) {
            if let Some(unit) = changing.get_mut(element) {
                unit.push(place);
            }
        }
    }
    changing.into_values().collect()
}

/// For each value of a queue, all calls that bring or take it.
fn by_token(calls: &[Call]) -> Vec<Unit> {
    let mut touching: BTreeMap<Value, Unit> = BTreeMap::new();
    for (place, call) in calls.iter().enumerate() {
        match (call.function, call.ending) {
            (Function::Dequeue, Ending::Ok) if call.second != Value::NIL => {
                touching.entry(call.second).or_default().push(place);
            }
            (Function::Enqueue, _) => touching.entry(call.argument).or_default().push(place),
            _ => {}
        }
    }
    touching.into_values().collect()
}

/// Each acquire with the release that follows it in its process.
fn by_holder(calls: &[Call]) -> Vec<Unit> {
    let (mut open, mut units) = (BTreeMap::<u32, Option<usize>>::new(), Vec::new());
    for (place, call) in calls.iter().enumerate() {
        let held = open.entry(call.process).or_default();
        match (call.function, call.ending) {
            (Function::Acquire, Ending::Ok) => *held = Some(place),
            (Function::Release, Ending::Ok) => units.extend(held.take().map(|acquire| vec![acquire, place])),
            // What is unknown may belong to either.
            _ => *held = None,
        }
    }
    units.extend(open.into_values().flatten().map(|acquire| vec![acquire]));
    units
}

/// Without the calls that nobody can have noticed.
fn seen_only(journal: &Journal, calls: Vec<Call>) -> Vec<Call> {
    let fates = match journal.model {
        ModelName::Register | ModelName::CasRegister => Register::of(journal, &calls).fates(journal, &calls),
        ModelName::Kv => Kv::of(journal, &calls).fates(journal, &calls),
        ModelName::Set => Set::of(journal, &calls).fates(journal, &calls),
        ModelName::Counter => return calls,
        ModelName::Queue => Queue::of(journal, &calls).fates(journal, &calls),
        ModelName::Lock => Lock.fates(journal, &calls),
    };
    let unseen: BTreeSet<usize> =
        fates.into_iter().filter(|(_, fate)| *fate == Fate::Unseen).map(|(place, _)| place).collect();
    let is_said = |(place, call): (usize, &Call)| {
        let says_nothing = call.function == Function::Read && call.ending != Ending::Ok;
        !says_nothing && !unseen.contains(&place)
    };
    let said: Vec<bool> = calls.iter().enumerate().map(is_said).collect();
    calls.into_iter().zip(said).filter(|&(_, said)| said).map(|(call, _)| call).collect()
}
