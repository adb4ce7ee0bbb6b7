//! One key's operations as the search needs them: up to a moment, and without what cannot matter.
//!
//! ```text
//!   ok reads, writes, deletes                             must be placed between invocation and completion
//!   unknown write, its value read, no other writer        must be placed before the first read of it completed
//!   unknown write or delete, its value has other writers  may be placed once, any time after its invocation
//!   unknown write or delete that nobody read              left out: if it is placed, nobody can tell
//! ```
//!
//! The prefix of a history up to a moment knows nothing of what comes later: what has not completed by then is unknown.

use crate::check::index::{ABSENT, Entry, KeyIndex, NEVER, Role};

/// The completion of one operation, as a place in the order of all completions of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) micros: u64,
    pub(super) id: u32,
}

impl Moment {
    /// After everything; `NEVER` itself lies beyond.
    pub(super) const END: Self = Self { micros: NEVER - 1, id: u32::MAX };

    fn has_seen_the_end_of(self, entry: &Entry) -> bool {
        Self { micros: entry.completed, id: entry.id } <= self
    }
}

/// An operation that must be placed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) id: u32,
    pub(super) role: Role,
    pub(super) value: u32,
    pub(super) invoked: u64,
    /// When it has taken effect at the latest.
    pub(super) deadline: u64,
}

/// Unknown installs of one value that has other installs: each may be placed once, any time after its invocation.
#[derive(Debug)]
pub(super) struct Optional {
    pub(super) value: u32,
    /// Ordered.
    pub(super) invoked: Vec<u64>,
}

/// What the search has to know of a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValueFacts {
    /// Steps that read it.
    pub(super) reads: u32,
    /// Installs of it, known and unknown; the absence in the beginning is one.
    pub(super) installs: u32,
    /// The latest invocation of a read of it; 0 when there is none.
    pub(super) last_read_invoked: u64,
    first_read_completed: u64,
    last_read_completed: u64,
}

/// One key's operations up to a moment.
#[derive(Debug)]
pub(super) struct Problem {
    /// Ordered by invocation.
    pub(super) steps: Vec<Step>,
    /// Ordered by value.
    pub(super) optional: Vec<Optional>,
    /// By value.
    pub(super) values: Vec<ValueFacts>,
}

impl Problem {
    /// What `key` had seen by `moment`.
    pub(super) fn of(key: &KeyIndex<'_>, moment: Moment) -> Self {
        let mut problem =
            Self { steps: Vec::with_capacity(key.entries.len()), optional: Vec::new(), values: facts(key, moment) };
        let mut optional: Vec<(u32, u64)> = Vec::new();
        for entry in begun(key, moment) {
            let Entry { id, role, value, invoked, .. } = *entry;
            let facts = problem.values[value as usize];
            let deadline = match role {
                _ if moment.has_seen_the_end_of(entry) => entry.completed,
                Role::Install if !may_be_read(entry, &facts) => continue,
                Role::Install if facts.installs == 1 => facts.first_read_completed.max(invoked),
                Role::Install => {
                    optional.push((value, invoked));
                    continue;
                }
                Role::Read => continue,
            };
            problem.steps.push(Step { id, role, value, invoked, deadline });
        }
        optional.sort_unstable();
        for group in optional.chunk_by(|one, other| one.0 == other.0) {
            let invoked = group.iter().map(|&(_, invoked)| invoked).collect();
            problem.optional.push(Optional { value: group[0].0, invoked });
        }
        problem
    }
}

/// What had been invoked by `moment`.
fn begun<'k>(key: &'k KeyIndex<'_>, moment: Moment) -> impl Iterator<Item = &'k Entry> {
    key.entries.iter().take_while(move |entry| entry.invoked <= moment.micros)
}

/// Whether an install without completion could be what some read saw.
fn may_be_read(entry: &Entry, facts: &ValueFacts) -> bool {
    facts.reads > 0 && entry.invoked <= facts.last_read_completed
}

fn facts(key: &KeyIndex<'_>, moment: Moment) -> Vec<ValueFacts> {
    let unseen =
        ValueFacts { reads: 0, installs: 0, last_read_invoked: 0, first_read_completed: NEVER, last_read_completed: 0 };
    let mut values = vec![unseen; key.values as usize];
    for entry in begun(key, moment).filter(|entry| entry.role == Role::Read && moment.has_seen_the_end_of(entry)) {
        let facts = &mut values[entry.value as usize];
        facts.reads += 1;
        facts.last_read_invoked = facts.last_read_invoked.max(entry.invoked);
        facts.first_read_completed = facts.first_read_completed.min(entry.completed);
        facts.last_read_completed = facts.last_read_completed.max(entry.completed);
    }
    values[ABSENT as usize].installs = 1;
    for entry in begun(key, moment).filter(|entry| entry.role == Role::Install) {
        let facts = &mut values[entry.value as usize];
        facts.installs += u32::from(moment.has_seen_the_end_of(entry) || may_be_read(entry, facts));
    }
    values
}
