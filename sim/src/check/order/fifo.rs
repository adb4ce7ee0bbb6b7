//! Queues in which every value was enqueued once: decided by looking for four patterns, without a search (Henzinger, Sezgin
//! and Vafeiadis 2013; Bouajjani, Emmi, Enea and Hamza 2015).
//!
//! ```text
//!   fresh    a value was dequeued before it was enqueued, or never was
//!   repeat   a value was dequeued twice
//!   order    a was enqueued before b, and b dequeued before a (or a not at all)
//!   witness  a dequeue found nothing although at every moment of it some value was certainly there
//! ```
//!
//! A search would have to guess the order of concurrent enqueues, and learn only when they are dequeued whether it was right.
//! An unknown enqueue happened if its value was dequeued, and is left out otherwise. An unknown dequeue may have taken any value:
//! what the known ones contradict stays wrong, and if giving each value that must be gone to an unknown dequeue leaves no
//! pattern, the history is right. Otherwise the search has to decide.

use crate::journal::{Call, Ending, Function, NEVER, Value};

/// A value's way through the queue, as places among all events; `NEVER` for what did not happen.
#[derive(Debug, Clone, Copy)]
struct Passage {
    value: Value,
    enqueue: (u32, u32),
    dequeue: (u32, u32),
}

/// Whether the calls are those of a queue; `None` where the patterns do not tell.
pub(super) fn judge(calls: &[Call]) -> Option<bool> {
    let mut passages = passages(calls)?;
    let (mut empty, mut unknown) = (Vec::new(), Vec::new());
    for dequeue in calls.iter().filter(|call| call.function == Function::Dequeue && call.ending != Ending::Fail) {
        match (dequeue.ending, dequeue.second) {
            (Ending::Unknown, _) => unknown.push(dequeue.invoked),
            (_, Value::NIL) => empty.push((dequeue.invoked, dequeue.completed)),
            _ => {
                let Ok(place) = passages.binary_search_by_key(&dequeue.second, |passage| passage.value) else {
                    return Some(false);
                };
                let passage = &mut passages[place];
                if passage.dequeue.0 != NEVER || dequeue.completed < passage.enqueue.0 {
                    return Some(false);
                }
                passage.dequeue = (dequeue.invoked, dequeue.completed);
            }
        }
    }
    passages.retain(|passage| passage.enqueue.1 != NEVER || passage.dequeue.0 != NEVER);
    let fit = |passages: &[Passage]| in_order(passages) && emptiness_is_possible(passages, &empty);
    if unknown.is_empty() {
        return Some(fit(&passages));
    }
    let certain: Vec<Passage> = passages.iter().copied().filter(|passage| passage.dequeue.0 != NEVER).collect();
    if !fit(&certain) || !take_lost(&mut passages, unknown, &empty) {
        return Some(false);
    }
    fit(&passages).then_some(true)
}

/// Gives the values that must have been taken by unknown dequeues, since something behind them was dequeued or the queue was
/// found empty later, to these: the first to the first. False when there are too few.
fn take_lost(passages: &mut [Passage], mut unknown: Vec<u32>, empty: &[(u32, u32)]) -> bool {
    let dequeued = passages.iter().filter(|passage| passage.dequeue.0 != NEVER);
    let until = dequeued.map(|passage| passage.enqueue.0).chain(empty.iter().map(|empty| empty.0)).max().unwrap_or(0);
    let is_lost = |passage: &&mut Passage| passage.dequeue.0 == NEVER && passage.enqueue.1 < until;
    let mut lost: Vec<&mut Passage> = passages.iter_mut().filter(is_lost).collect();
    lost.sort_unstable_by_key(|passage| passage.enqueue.1);
    unknown.sort_unstable();
    let are_enough = lost.len() <= unknown.len();
    for (passage, invoked) in lost.into_iter().zip(unknown) {
        // It may have left at any time after that.
        passage.dequeue = (invoked, NEVER);
    }
    are_enough
}

/// The enqueues, by value; `None` when a value is enqueued twice.
fn passages(calls: &[Call]) -> Option<Vec<Passage>> {
    let enqueues = calls.iter().filter(|call| call.function == Function::Enqueue && call.ending != Ending::Fail);
    let mut passages: Vec<Passage> = enqueues
        .map(|call| {
            let completed = if call.ending == Ending::Ok { call.completed } else { NEVER };
            Passage { value: call.argument, enqueue: (call.invoked, completed), dequeue: (NEVER, NEVER) }
        })
        .collect();
    passages.sort_unstable_by_key(|passage| passage.value);
    let twice = passages.windows(2).any(|pair| pair[0].value == pair[1].value);
    (!twice).then_some(passages)
}

/// *Order*: among the values that were enqueued before b, the one that leaves last must not be later than b.
fn in_order(passages: &[Passage]) -> bool {
    let mut enqueued: Vec<(u32, u32)> =
        passages.iter().map(|passage| (passage.enqueue.1, passage.dequeue.0)).filter(|pair| pair.0 != NEVER).collect();
    enqueued.sort_unstable();
    let mut later: Vec<(u32, u32)> =
        passages.iter().map(|passage| (passage.enqueue.0, passage.dequeue.1)).filter(|pair| pair.1 != NEVER).collect();
    later.sort_unstable();
    let (mut enqueued, mut last_to_leave) = (enqueued.into_iter().peekable(), 0);
    later.into_iter().all(|(invoked, left)| {
        while let Some((_, leaves)) = enqueued.next_if(|&(completed, _)| completed < invoked) {
            last_to_leave = last_to_leave.max(leaves);
        }
        last_to_leave <= left
    })
}

/// *Witness*: within each dequeue that found nothing there is a moment at which no value was certainly there.
fn emptiness_is_possible(passages: &[Passage], empty: &[(u32, u32)]) -> bool {
    let mut changes: Vec<(u32, i32)> = Vec::with_capacity(2 * passages.len());
    for passage in passages.iter().filter(|passage| passage.enqueue.1 < passage.dequeue.0) {
        changes.push((passage.enqueue.1, 1));
        changes.push((passage.dequeue.0, -1));
    }
    changes.sort_unstable();
    // Stretches without any value that was certainly there.
    let (mut there, mut since, mut stretches) = (0, Some(0), Vec::new());
    for (at, change) in changes {
        there += change;
        if let (Some(from), true) = (since, there > 0) {
            stretches.push((from, at));
            since = None;
        } else if there == 0 {
            since = Some(at);
        }
    }
    stretches.extend(since.map(|from| (from, NEVER)));
    empty.iter().all(|&(invoked, completed)| {
        let before = stretches.partition_point(|stretch| stretch.0 < completed);
        before.checked_sub(1).is_some_and(|last| stretches[last].1 > invoked)
    })
}
