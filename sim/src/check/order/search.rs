//! Finds an order of an object's calls that explains them, or proves that there is none, or runs out of memory.
//!
//! The search places one call after the other (Wing and Gong 1993): next may come any call that was invoked before the first
//! completion that is left. Where several could be next it tries each, and remembers the configurations that failed (Lowe
//! 2017). Four rules, none of which loses an order, spare it most of that:
//!
//! ```text
//!   at once      a call that may come next, and could never change anything, comes next: what follows is not disturbed
//!   likely first of several, the one whose middle is earliest is tried first: calls take effect in their middle on average
//!                (of enqueues, the one whose value is dequeued first)
//!   equals       of unknown calls that do the same, the earliest is used: they are interchangeable, and never due
//!   cuts         what lies between two certain states is judged alone (problem.rs)
//! ```
//!
//! The furthest completion that blocks every configuration is the first at which the history stopped being linearizable: all
//! that could be placed before it was tried, and nothing invoked after it was.

use super::problem::{Piece, Problem};
use super::visited::{Full, Visited};
use crate::check::models::{Model, mix};
use crate::check::timeline::{END, Event, Timeline};

/// So many states are told.
const STATES_MAX: usize = 8;

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found<S> {
    /// This order explains everything: places among the object's calls.
    Order(Vec<u32>),
    /// None does.
    None {
        /// The place of the completion among all events that fits nowhere.
        at: u32,
        /// What the object may have held before it: some of the possibilities.
        states: Vec<S>,
        /// Whether there were more.
        more: bool,
    },
    /// More configurations than may be remembered.
    Full {
        /// How many there were.
        configurations: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    /// Place this step.
    Step(u32),
    /// Use a call of this group.
    Group(u32),
}

/// A place to return to: how much was placed there, and where its untried moves begin.
#[derive(Debug)]
struct Choice {
    placed: usize,
    untried: usize,
}

/// Searches with at most so many bytes of memory.
pub(super) fn search<M: Model>(problem: &Problem<M>, bytes_most: u64) -> Found<M::State> {
    let mut order = Vec::new();
    let mut visited = Visited::new(bytes_most);
    for piece in &problem.pieces {
        visited.clear();
        match Search::new(problem, piece, &mut visited).run() {
            Found::Order(more) => order.extend(more),
            other => return other,
        }
    }
    Found::Order(order)
}

struct Search<'p, M: Model> {
    problem: &'p Problem<M>,
    /// The number of the first step of the piece: those of the timeline count from there.
    first_step: u32,
    timeline: Timeline,
    state: M::State,
    /// Of what is placed.
    hash: u128,
    /// By group: how many of its calls are placed.
    used: Vec<u32>,
    placed: Vec<Move>,
    choices: Vec<Choice>,
    untried: Vec<(Move, M::State)>,
    visited: &'p mut Visited,
    furthest: u32,
    states: Vec<M::State>,
    more_states: bool,
}

impl<'p, M: Model> Search<'p, M> {
    fn new(problem: &'p Problem<M>, piece: &Piece<M::State>, visited: &'p mut Visited) -> Self {
        let steps = &problem.steps[piece.steps.clone()];
        let span = |step: &super::problem::Step<M::Action>| (u64::from(step.invoked), u64::from(step.deadline));
        Self {
            problem,
            first_step: piece.steps.start as u32,
            timeline: Timeline::of(steps, span),
            state: piece.begins_with.clone(),
            hash: 0,
            used: vec![0; problem.groups.len()],
            placed: Vec::with_capacity(steps.len()),
            choices: Vec::new(),
            untried: Vec::new(),
            visited,
            furthest: 0,
            states: Vec::new(),
            more_states: false,
        }
    }

    fn run(mut self) -> Found<M::State> {
        loop {
            let from = self.untried.len();
            let due = self.look_ahead();
            if self.timeline.first() == END {
                return Found::Order(self.order());
            }
            self.note(due);
            let is_choice = self.untried.len() - from > 1 || !self.choices.is_empty();
            if is_choice {
                // Without an open choice nothing could lead here a second time.
                match self.visited.insert(self.configuration()) {
                    Ok(true) => {}
                    Ok(false) => self.untried.truncate(from),
                    Err(Full) => return Found::Full { configurations: self.visited.len() as u64 },
                }
            }
            if self.untried.len() > from {
                self.choices.push(Choice { placed: self.placed.len(), untried: from });
            }
            if !self.next() {
                return Found::None { at: self.furthest, states: self.states, more: self.more_states };
            }
        }
    }

    /// The state's bits are mixed again, so that no state has those of a call.
    fn configuration(&self) -> u128 {
        let state = self.problem.model.fingerprint(&self.state);
        self.hash ^ mix(state as u64).wrapping_add(mix((state >> 64) as u64).rotate_left(64))
    }

    fn order(&self) -> Vec<u32> {
        let mut used = vec![0; self.used.len()];
        let call = |&placed: &Move| match placed {
            Move::Step(number) => self.step(number).call,
            Move::Group(group) => {
                let used: &mut usize = &mut used[group as usize];
                *used += 1;
                self.problem.groups[group as usize].calls[*used - 1].1
            }
        };
        self.placed.iter().map(call).collect()
    }

    fn step(&self, number: u32) -> &'p super::problem::Step<M::Action> {
        &self.problem.steps[(self.first_step + number) as usize]
    }

    /// Places what comes at once, and puts everything else that could be next on `untried`, the likeliest last. Returns the
    /// first completion that is left.
    fn look_ahead(&mut self) -> u32 {
        let from = self.untried.len();
        let mut due = u32::MAX;
        let mut place = self.timeline.first();
        while place != END {
            let number = match self.timeline.event(place) {
                Event::Invoked(number) => number,
                Event::Due(number) => {
                    due = self.step(number).deadline;
                    break;
                }
            };
            match self.problem.model.step(&self.state, &self.step(number).action) {
                Some(_) if self.problem.model.only_shows(&self.step(number).action) => {
                    let before = self.timeline.previous(place);
                    self.place(Move::Step(number));
                    place = self.timeline.next(before);
                }
                Some(next) => {
                    self.untried.push((Move::Step(number), next));
                    place = self.timeline.next(place);
                }
                None => place = self.timeline.next(place),
            }
        }
        self.add_unknown(due);
        if self.untried.len() - from > 1 {
            let (problem, first) = (self.problem, self.first_step);
            self.untried[from..].sort_by_key(|(next, state)| {
                let (action, middle) = match next {
                    Move::Step(number) => {
                        let step = &problem.steps[(first + number) as usize];
                        (&step.action, u64::from(step.invoked) + u64::from(step.deadline))
                    }
                    // Usually tried when nothing else has helped.
                    Move::Group(group) => (&problem.groups[*group as usize].action, u64::MAX),
                };
                std::cmp::Reverse(problem.model.likely_at(action, state, middle))
            });
        }
        due
    }

    /// Unknown calls that could be next.
    fn add_unknown(&mut self, due: u32) {
        for (number, group) in self.problem.groups.iter().enumerate() {
            let Some(&(invoked, _)) = group.calls.get(self.used[number] as usize) else { continue };
            if invoked > due {
                continue;
            }
            match self.problem.model.step(&self.state, &group.action) {
                Some(next) if next != self.state => self.untried.push((Move::Group(number as u32), next)),
                _ => {}
            }
        }
    }

    /// Remembers what the object may hold where the search came furthest.
    fn note(&mut self, due: u32) {
        if due > self.furthest {
            self.furthest = due;
            self.states.clear();
            self.more_states = false;
        }
        if due == self.furthest && !self.states.contains(&self.state) {
            match self.states.len() {
                STATES_MAX => self.more_states = true,
                _ => self.states.push(self.state.clone()),
            }
        }
    }

    /// Makes the next untried move, back where it belongs; false when there is none.
    fn next(&mut self) -> bool {
        let Some(choice) = self.choices.last() else { return false };
        let (placed, untried) = (choice.placed, choice.untried);
        while self.placed.len() > placed {
            self.take_back();
        }
        let (next, state) = self.untried.pop().expect("a choice with nothing left to try is not kept");
        if self.untried.len() == untried {
            self.choices.pop();
        }
        self.place(next);
        self.state = state;
        true
    }

    fn place(&mut self, next: Move) {
        match next {
            Move::Step(number) => self.timeline.lift(number),
            Move::Group(group) => self.used[group as usize] += 1,
        }
        self.placed.push(next);
        self.hash ^= self.key(next);
    }

    fn take_back(&mut self) {
        let last = self.placed.pop().expect("the caller saw that something is placed");
        self.hash ^= self.key(last);
        match last {
            Move::Step(number) => self.timeline.unlift(number),
            Move::Group(group) => self.used[group as usize] -= 1,
        }
    }

    /// The number that stands for what a move places. The n-th use of a group has one of its own.
    fn key(&self, placed: Move) -> u128 {
        match placed {
            Move::Step(number) => mix(u64::from(number)),
            Move::Group(group) => mix((1 << 63) | (u64::from(group) << 32) | u64::from(self.used[group as usize])),
        }
    }
}
