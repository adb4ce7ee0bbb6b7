//! One object's calls as the search needs them: what must be placed, what may be, and where the history falls apart.
//!
//! ```text
//!   ok                                                    must be placed between invocation and completion
//!   unknown, and somebody saw what only it can have done  must be placed before that was seen
//!   unknown, and nobody can have noticed                  left out
//!   unknown otherwise                                     may be placed once, any time after its invocation
//!
//!   ├──┤ ├─────┤    ├──write 5──┤    ├───┤ ├───┤
//!     ├────┤                       ├────┤              a call that overlaps no other, and after which the state is known:
//!   └─────── piece ────────────┘ └──── piece ───┘      what follows is judged alone, from that state
//! ```
//!
//! The cut is one of the partial order: everything before it comes before everything after it. Unknown calls that may still
//! be placed reach over every cut, so that there is none while there are such.

use std::ops::Range;

use crate::check::models::{Fate, Model};
use crate::journal::{Call, Ending, Journal, NEVER};

/// A call that must be placed.
#[derive(Debug)]
pub(super) struct Step<A> {
    /// Its place among the calls of the object.
    pub(super) call: u32,
    pub(super) action: A,
    pub(super) invoked: u32,
    /// When it has taken effect at the latest.
    pub(super) deadline: u32,
}

/// Interchangeable calls of unknown outcome.
#[derive(Debug)]
pub(super) struct Group<A> {
    pub(super) action: A,
    /// Invocation and place, ordered: the earliest is used first.
    pub(super) calls: Vec<(u32, u32)>,
}

/// A part of the history that is judged alone.
#[derive(Debug)]
pub(super) struct Piece<S> {
    pub(super) steps: Range<usize>,
    pub(super) begins_with: S,
}

/// One object's calls.
#[derive(Debug)]
pub(super) struct Problem<M: Model> {
    pub(super) model: M,
    /// Ordered by invocation.
    pub(super) steps: Vec<Step<M::Action>>,
    pub(super) groups: Vec<Group<M::Action>>,
    pub(super) pieces: Vec<Piece<M::State>>,
}

impl<M: Model> Problem<M> {
    /// The problem that these calls, ordered by invocation, pose.
    pub(super) fn of(journal: &Journal, calls: &[Call]) -> Self {
        let model = M::of(journal, calls);
        let fates = if calls.iter().any(|call| call.ending == Ending::Unknown) {
            model.fates(journal, calls)
        } else {
            Vec::new()
        };
        let mut fate_of = vec![Fate::Unseen; if fates.is_empty() { 0 } else { calls.len() }];
        for (number, fate) in fates {
            fate_of[number] = fate;
        }
        let mut steps = Vec::with_capacity(calls.len());
        let mut perhaps: Vec<(M::Action, u32, u32)> = Vec::new();
        for (number, call) in calls.iter().enumerate() {
            let Some(action) = model.action(journal, call) else { continue };
            let (invoked, place) = (call.invoked, number as u32);
            let deadline = match (call.ending, fate_of.get(number)) {
                (Ending::Ok | Ending::Fail, _) => call.completed,
                (Ending::Unknown, Some(&Fate::Before(seen))) => seen.max(invoked),
                (Ending::Unknown, Some(Fate::Perhaps)) => {
                    perhaps.push((action, invoked, place));
                    continue;
                }
                (Ending::Unknown, Some(Fate::Unseen) | None) => continue,
            };
            steps.push(Step { call: place, action, invoked, deadline });
        }
        perhaps.sort();
        let groups: Vec<Group<M::Action>> = perhaps
            .chunk_by(|one, other| one.0 == other.0)
            .map(|chunk| Group {
                action: chunk[0].0.clone(),
                calls: chunk.iter().map(|&(_, invoked, place)| (invoked, place)).collect(),
            })
            .collect();
        let pieces = if groups.is_empty() { cut(&model, &steps) } else { whole(&model, steps.len()) };
        Self { model, steps, groups, pieces }
    }
}

fn whole<M: Model>(model: &M, steps: usize) -> Vec<Piece<M::State>> {
    vec![Piece { steps: 0..steps, begins_with: model.initial() }]
}

/// A piece of fewer steps is not worth a search of its own.
const PIECE_STEPS_MIN: usize = 64;

/// Cuts behind steps that overlap no other and tell what they leave.
fn cut<M: Model>(model: &M, steps: &[Step<M::Action>]) -> Vec<Piece<M::State>> {
    let mut pieces = Vec::new();
    let (mut from, mut begins_with, mut latest) = (0, model.initial(), None);
    for (number, step) in steps.iter().enumerate() {
        let alone_before = latest.is_none_or(|latest| latest < step.invoked);
        let alone_after = steps.get(number + 1).is_some_and(|next| step.deadline < next.invoked);
        if number + 1 - from >= PIECE_STEPS_MIN
            && alone_before
            && alone_after
            && step.deadline != NEVER
            && let Some(state) = model.leaves(&step.action)
        {
            pieces.push(Piece { steps: from..number + 1, begins_with: std::mem::replace(&mut begins_with, state) });
            from = number + 1;
        }
        latest = latest.max(Some(step.deadline));
    }
    pieces.push(Piece { steps: from..steps.len(), begins_with });
    pieces
}
