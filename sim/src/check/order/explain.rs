//! What is wrong with a history that has no order, in words and as a picture's worth of calls.
//!
//! ```text
//!   process 1  ├─● write 5 ─┤                              ●  the moments of an order of everything that completed before
//!   process 2        ├─● write 7 ──┤                       ✗  the first completion that fits nowhere
//!   process 3                          ├── read 5 ──┤ ✗    states: the object can only have held 7
//! ```
//!
//! A prefix of a linearizable history is linearizable, so there is a first completion that breaks it. The search finds it by
//! itself; where something faster decided, it is found by bisection. Everything that completed before has an order: that is the
//! longest linearizable prefix.

use std::collections::BTreeSet;

use super::problem::Problem;
use super::search::{Found, search};
use super::{Decision, decide, shrink, until};
use crate::check::models::{Counter, Kv, Lock, Model, Queue, Register, Set};
use crate::journal::{Call, Ending, Journal, ModelName, Times};

/// Memory for the searches that only serve the picture.
const PICTURE_BYTES: u64 = 64 << 20;
/// Calls before the culprit that are drawn, beside those that matter.
const BEFORE_MAX: usize = 24;
/// Calls that are drawn, at most.
const BARS_MAX: usize = 160;

/// One call of the picture.
#[derive(Debug, Clone)]
pub struct Bar {
    /// The call.
    pub call: Call,
    /// Where it takes its effect in an order of the longest prefix that has one, among all events.
    pub point: Option<f64>,
    /// Whether it is one of the fewest calls that show the violation.
    pub is_needed: bool,
}

/// One key that is not linearizable.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The key.
    pub key: u32,
    /// The first call that fits nowhere.
    pub culprit: Call,
    /// How many calls had completed before that, and have an order.
    pub prefix_calls: usize,
    /// Calls of the key that completed, in all.
    pub completed_calls: usize,
    /// What the object may have held before it, for a person.
    pub states: Vec<String>,
    /// Whether there are more possibilities.
    pub more_states: bool,
    /// The fewest calls found that show it, ordered by invocation.
    pub needed: Vec<Call>,
    /// What a picture of it shows, ordered by invocation.
    pub bars: Vec<Bar>,
    /// One sentence for a person.
    pub sentence: String,
}

/// The place of the first completion at which these calls have no order any more.
pub(super) fn first_misfit(journal: &Journal, calls: &[Call], bytes: u64) -> u32 {
    let completed = calls.iter().filter(|call| call.ending != Ending::Unknown);
    let mut completions: Vec<u32> = completed.map(|call| call.completed).collect();
    completions.sort_unstable();
    // What cannot be decided counts as fine: the culprit is then later than it need be.
    let fails = |&place: &u32| matches!(decide(journal, &until(calls, place), bytes), Decision::Fails(_));
    let first = completions.partition_point(|place| !fails(place));
    completions.get(first).or(completions.last()).copied().unwrap_or(0)
}

/// Explains why the calls of a key have no order, of which the completion at `at` is the first that fits nowhere.
pub(super) fn explain(journal: &Journal, key: u32, calls: &[Call], at: u32, bytes: u64) -> Violation {
    let culprit = *calls.iter().find(|call| call.completed == at).expect("something completed where it failed");
    let prefix = until(calls, at);
    let needed = shrink::shrink(journal, prefix.clone());
    let (states, more_states) = states(journal, &needed);
    let before = until(calls, at.saturating_sub(1));
    let order = order(journal, &before, bytes.min(PICTURE_BYTES));
    let completed = |calls: &[Call]| calls.iter().filter(|call| call.ending == Ending::Ok).count();
    Violation {
        key,
        culprit,
        prefix_calls: completed(&before),
        completed_calls: completed(calls),
        sentence: sentence(journal, key, &culprit, &states, more_states),
        bars: bars(&before, &order, &culprit, &needed),
        states,
        more_states,
        needed,
    }
}

/// What the object may have held before the completion that fits nowhere.
fn states(journal: &Journal, calls: &[Call]) -> (Vec<String>, bool) {
    match journal.model {
        ModelName::Register | ModelName::CasRegister => states_of::<Register>(journal, calls),
        ModelName::Kv => states_of::<Kv>(journal, calls),
        ModelName::Set => states_of::<Set>(journal, calls),
        ModelName::Counter => states_of::<Counter>(journal, calls),
        ModelName::Queue => states_of::<Queue>(journal, calls),
        ModelName::Lock => states_of::<Lock>(journal, calls),
    }
}

fn states_of<M: Model>(journal: &Journal, calls: &[Call]) -> (Vec<String>, bool) {
    let problem = Problem::<M>::of(journal, calls);
    match search(&problem, PICTURE_BYTES) {
        Found::None { states, more, .. } => {
            let mut told: Vec<String> =
                states.iter().map(|state| problem.model.describe(journal, calls, state)).collect();
            told.sort();
            told.dedup();
            (told, more)
        }
        Found::Order(_) | Found::Full { .. } => (Vec::new(), true),
    }
}

/// An order of what completed before; empty where none was found within the memory for pictures.
fn order(journal: &Journal, calls: &[Call], bytes: u64) -> Vec<u32> {
    match journal.model {
        ModelName::Register | ModelName::CasRegister => order_of::<Register>(journal, calls, bytes),
        ModelName::Kv => order_of::<Kv>(journal, calls, bytes),
        ModelName::Set => order_of::<Set>(journal, calls, bytes),
        ModelName::Counter => order_of::<Counter>(journal, calls, bytes),
        ModelName::Queue => order_of::<Queue>(journal, calls, bytes),
        ModelName::Lock => order_of::<Lock>(journal, calls, bytes),
    }
}

fn order_of<M: Model>(journal: &Journal, calls: &[Call], bytes: u64) -> Vec<u32> {
    match search(&Problem::<M>::of(journal, calls), bytes) {
        Found::Order(order) => order,
        Found::None { .. } | Found::Full { .. } => Vec::new(),
    }
}

/// Chooses what to draw: what is needed, what overlaps the culprit, and what came just before.
fn bars(before: &[Call], order: &[u32], culprit: &Call, needed: &[Call]) -> Vec<Bar> {
    let mut points: Vec<Option<f64>> = vec![None; before.len()];
    let mut now = 0.0_f64;
    for &place in order {
        // The earliest moment that the order allows; calls at one moment are drawn one after the other.
        now = (now + 0.01).max(f64::from(before[place as usize].invoked) + 0.1);
        points[place as usize] = Some(now);
    }
    let is_needed: BTreeSet<u32> = needed.iter().map(|call| call.invoked).collect();
    let overlaps = |call: &Call| call.invoked <= culprit.completed && call.completed >= culprit.invoked;
    let earlier = before.iter().filter(|call| call.completed < culprit.invoked).count();
    let (mut seen, mut bars) = (0, Vec::new());
    for (call, &point) in before.iter().zip(&points) {
        let is_early = call.completed < culprit.invoked;
        seen += usize::from(is_early);
        let is_recent = is_early && seen + BEFORE_MAX > earlier;
        let needed = is_needed.contains(&call.invoked);
        if call.invoked == culprit.invoked {
            bars.push(Bar { call: *culprit, point: None, is_needed: true });
        } else if needed || is_recent || (overlaps(call) && call.ending == Ending::Ok) || point.is_some() && !is_early {
            bars.push(Bar { call: *call, point, is_needed: needed });
        }
    }
    while bars.len() > BARS_MAX {
        let Some(least) = bars.iter().position(|bar| !bar.is_needed) else { break };
        bars.remove(least);
    }
    if bars.len() > BARS_MAX {
        let surplus = bars.len() - BARS_MAX;
        bars.drain(..surplus);
    }
    bars
}

/// Where a call stands in the file, and when it was.
pub fn place(journal: &Journal, call: &Call) -> String {
    let lines = match call.completed_line {
        0 => format!("line {}", call.line),
        end => format!("lines {} and {end}", call.line),
    };
    match times(journal, call) {
        Some(Times { invoked, completed }) if call.completed_line != 0 => {
            format!("{lines}, {} to {}", seconds(invoked), seconds(completed))
        }
        Some(Times { invoked, .. }) => format!("{lines}, from {}", seconds(invoked)),
        None => lines,
    }
}

fn times(journal: &Journal, call: &Call) -> Option<Times> {
    // Calls stand in the order of the file; several may share a line.
    let from = journal.calls.partition_point(|other| other.line < call.line);
    let found = journal.calls[from..].iter().position(|other| other.invoked == call.invoked)?;
    journal.times.get(from + found).copied()
}

fn seconds(nanos: u64) -> String {
    super::super::words::seconds(nanos / 1_000)
}

fn sentence(journal: &Journal, key: u32, culprit: &Call, states: &[String], more: bool) -> String {
    let process = journal.processes[culprit.process as usize];
    let what = format!(
        "{} of {} by process {process} ({}) fits nowhere",
        journal.show_call(culprit),
        journal.show_key(key),
        place(journal, culprit)
    );
    let object = match journal.model {
        ModelName::Register | ModelName::CasRegister => "the register can only have held",
        ModelName::Kv => "the text can only have been",
        ModelName::Set => "the set can only have held",
        ModelName::Counter => "the counter can only have stood at",
        ModelName::Queue => "the queue can only have held",
        ModelName::Lock => "the lock can only have been",
    };
    match (states, more) {
        ([], _) => format!("{what}: no order of the calls explains it"),
        ([only], false) => format!("{what}: {object} {only}"),
        ([first @ .., last], false) => format!("{what}: {object} {} or {last}", first.join(", ")),
        (some, true) => format!("{what}: {object} {}, or one of some others", some.join(", ")),
    }
}
