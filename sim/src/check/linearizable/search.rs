//! Finds an order of a register's operations that explains them, or proves that there is none.
//!
//! The search places one operation after the other (Wing and Gong 1993): next may come any operation that was invoked before
//! the first completion that is left. Where several could be next it tries each, and remembers the configurations that
//! failed (Lowe 2017). Four rules, each of which loses no order, spare it nearly all of that:
//!
//! ```text
//!   read at once   a read that may come next and returns the current value, comes next: it changes nothing
//!   whole block    where a value has one install, an order holds it as one block, install and all reads. If that block
//!                  may come next as a whole, it does: taken from its place in any order, it leaves the order valid
//!   no way back    a value with one install that is left while reads of it are missing, is never seen again
//!   first due      of several installs of one value, the one that is due first: exchanging two leaves an order valid.
//!                  An unknown install is never due, and only worth placing when a read of it comes right after
//! ```
//!
//! *Whole block*, in full: let some valid order of what is left begin otherwise. It begins with an install, as *read at once*
//! has left no read that could be first. Move the block to the front. No real-time order breaks: everything in the block may
//! come before all that is left. No read breaks: what followed the block begins with an install, and so does what now follows.
//!
//! With unique values only deletes have several installs (all install absence), so after *whole block* one candidate at
//! most is left: no branch, no memory, time proportional to operations times operations in flight. Only values that were
//! written more than once make it branch.

use super::memo::Memo;
use super::problem::Problem;
use crate::check::index::{ABSENT, NEVER, Role};
use crate::check::timeline::{END, Event, Timeline};

/// The outcome of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// An order explains everything: the operations that must be placed, by id.
    Linearizable {
        /// That order.
        order: Vec<u32>,
    },
    /// No order does.
    Violated,
    /// The steps were not enough to tell.
    Undecided,
}

/// What could be placed next, where more than reading the current value is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    /// Place this step, an install.
    Step(u32),
    /// Use one unknown install of this group.
    Optional(u32),
}

/// What stands at the front of the timeline.
#[derive(Debug, Default)]
struct Front {
    /// Steps that may come next.
    candidates: Vec<u32>,
    /// The first time at which a step is due, and its value.
    due: u64,
    due_value: u32,
    /// The first time at which a step of another value is due.
    other_due: u64,
}

/// A place to return to, and what has not been tried there.
#[derive(Debug)]
struct Choice {
    placed: usize,
    value: u32,
    used: Vec<u32>,
    untried: Vec<Move>,
}

struct Search<'p> {
    problem: &'p Problem,
    timeline: Timeline,
    value: u32,
    /// By value: reads that are not placed.
    missing_reads: Vec<u32>,
    /// By group of optional installs: how many are used.
    used: Vec<u32>,
    /// In order.
    placed: Vec<u32>,
    /// One bit a step.
    placed_bits: Vec<u64>,
    choices: Vec<Choice>,
    memo: Memo,
    steps_left: u64,
    front: Front,
}

/// Searches with at most `steps` steps.
pub(super) fn search(problem: &Problem, steps: u64) -> Verdict {
    let mut search = Search {
        problem,
        timeline: Timeline::of(&problem.steps, |step| (step.invoked, step.deadline)),
        value: ABSENT,
        missing_reads: problem.values.iter().map(|facts| facts.reads).collect(),
        used: vec![0; problem.optional.len()],
        placed: Vec::with_capacity(problem.steps.len()),
        placed_bits: vec![0; problem.steps.len().div_ceil(64)],
        choices: Vec::new(),
        memo: Memo::default(),
        steps_left: steps,
        front: Front::default(),
    };
    search.run()
}

impl Search<'_> {
    fn run(&mut self) -> Verdict {
        loop {
            self.read_current_value();
            if self.timeline.first() == END {
                let order = self.placed.iter().map(|&step| self.problem.steps[step as usize].id).collect();
                return Verdict::Linearizable { order };
            }
            match self.next_move() {
                Some(next) => self.make(next),
                None if !self.go_back() => return Verdict::Violated,
                None => {}
            }
            if self.steps_left == 0 {
                return Verdict::Undecided;
            }
        }
    }

    fn spend(&mut self, steps: u64) {
        self.steps_left = self.steps_left.saturating_sub(steps);
    }

    /// *Read at once*.
    fn read_current_value(&mut self) {
        let mut place = self.timeline.first();
        while place != END {
            let Event::Invoked(number) = self.timeline.event(place) else { break };
            self.spend(1);
            let step = self.problem.steps[number as usize];
            if step.role == Role::Read && step.value == self.value {
                let before = self.timeline.previous(place);
                self.place(number);
                place = self.timeline.next(before);
            } else {
                place = self.timeline.next(place);
            }
        }
    }

    /// What to place next; `None` at a dead end. Where there is a choice, the rest of it is kept for later.
    fn next_move(&mut self) -> Option<Move> {
        if self.has_one_install(self.value) && self.missing_reads[self.value as usize] > 0 {
            return None; // *No way back*.
        }
        self.look_ahead();
        if let Some(block) = self.whole_block() {
            return Some(Move::Step(block));
        }
        let mut moves = self.alternatives();
        // Without an open choice nothing could lead here a second time.
        if (moves.len() > 1 || !self.choices.is_empty()) && !self.remember() {
            return None;
        }
        let next = moves.pop()?;
        if !moves.is_empty() {
            let (placed, value, used) = (self.placed.len(), self.value, self.used.clone());
            self.choices.push(Choice { placed, value, used, untried: moves });
        }
        Some(next)
    }

    fn has_one_install(&self, value: u32) -> bool {
        self.problem.values[value as usize].installs == 1
    }

    /// Fills `front`.
    fn look_ahead(&mut self) {
        let mut front = std::mem::take(&mut self.front);
        front.candidates.clear();
        (front.due, front.other_due) = (NEVER, NEVER);
        let mut place = self.timeline.first();
        while place != END {
            self.spend(1);
            match self.timeline.event(place) {
                Event::Invoked(number) if front.due == NEVER => front.candidates.push(number),
                Event::Invoked(_) => {}
                Event::Due(number) => {
                    let step = self.problem.steps[number as usize];
                    if front.due == NEVER {
                        (front.due, front.due_value) = (step.deadline, step.value);
                    } else if step.value != front.due_value {
                        front.other_due = step.deadline;
                        break;
                    }
                }
            }
            place = self.timeline.next(place);
        }
        self.front = front;
    }

    /// *Whole block*: an install after which all reads of its value may come at once.
    fn whole_block(&self) -> Option<u32> {
        self.front.candidates.iter().copied().find(|&number| {
            let step = self.problem.steps[number as usize];
            let others_due = if step.value == self.front.due_value { self.front.other_due } else { self.front.due };
            step.role == Role::Install
                && self.has_one_install(step.value)
                && self.problem.values[step.value as usize].last_read_invoked <= others_due
        })
    }

    /// One move for each value with several installs that may come next, by *first due*. The last is to be tried first.
    fn alternatives(&self) -> Vec<Move> {
        let mut first_due: Vec<u32> = Vec::new();
        for &number in &self.front.candidates {
            let step = self.problem.steps[number as usize];
            if step.role == Role::Read || self.has_one_install(step.value) {
                continue;
            }
            match first_due.iter_mut().find(|known| self.problem.steps[**known as usize].value == step.value) {
                Some(known) if self.problem.steps[*known as usize].deadline > step.deadline => *known = number,
                Some(_) => {}
                None => first_due.push(number),
            }
        }
        let mut moves: Vec<Move> = Vec::new();
        for (group, optional) in self.problem.optional.iter().enumerate() {
            let candidates = || self.front.candidates.iter().map(|&number| &self.problem.steps[number as usize]);
            let available = optional.invoked.partition_point(|&invoked| invoked <= self.front.due) as u32;
            if optional.value != self.value
                && self.used[group] < available
                && candidates().any(|step| step.value == optional.value && step.role == Role::Read)
                && candidates().all(|step| step.value != optional.value || step.role == Role::Read)
            {
                moves.push(Move::Optional(group as u32));
            }
        }
        first_due.sort_by_key(|&number| std::cmp::Reverse(self.problem.steps[number as usize].deadline));
        moves.extend(first_due.into_iter().map(Move::Step));
        moves
    }

    fn make(&mut self, next: Move) {
        match next {
            Move::Step(number) => {
                self.value = self.problem.steps[number as usize].value;
                self.place(number);
            }
            Move::Optional(group) => {
                self.value = self.problem.optional[group as usize].value;
                self.used[group as usize] += 1;
            }
        }
    }

    fn place(&mut self, number: u32) {
        let step = self.problem.steps[number as usize];
        self.timeline.lift(number);
        self.placed.push(number);
        self.placed_bits[number as usize / 64] |= 1 << (number % 64);
        self.missing_reads[step.value as usize] -= u32::from(step.role == Role::Read);
    }

    /// Returns to the last open choice and makes its next move; false when there is none.
    fn go_back(&mut self) -> bool {
        let Some(choice) = self.choices.last_mut() else { return false };
        let next = choice.untried.pop().expect("a choice with nothing left to try is not kept");
        let (placed, value) = (choice.placed, choice.value);
        self.used.clone_from(&choice.used);
        if choice.untried.is_empty() {
            self.choices.pop();
        }
        for number in self.placed.drain(placed..).rev() {
            let step = self.problem.steps[number as usize];
            self.timeline.unlift(number);
            self.placed_bits[number as usize / 64] &= !(1 << (number % 64));
            self.missing_reads[step.value as usize] += u32::from(step.role == Role::Read);
        }
        self.value = value;
        self.make(next);
        true
    }

    /// Notes the configuration; false when it was visited before.
    fn remember(&mut self) -> bool {
        let Event::Invoked(lowest) = self.timeline.event(self.timeline.first()) else {
            return true; // What is due first was invoked too late: a dead end, whatever is remembered.
        };
        let first_word = lowest as usize / 64;
        let window = &self.placed_bits[first_word..];
        let length = window.iter().rposition(|&word| word != 0).map_or(0, |last| last + 1);
        let mut words = Vec::with_capacity(1 + self.used.len() + length);
        words.push((u64::from(lowest) << 32) | u64::from(self.value));
        words.extend(self.used.iter().map(|&used| u64::from(used)));
        words.extend_from_slice(&window[..length]);
        self.spend(words.len() as u64);
        self.memo.insert(&words)
    }
}
