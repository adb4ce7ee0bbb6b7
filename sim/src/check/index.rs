//! A history, prepared for the checks once: grouped by key, keys and values as integers, what proves nothing left out.
//!
//! ```text
//!   History                       Index
//!   write k1 v17  ok              k1: entries  [install 1][read 1][install 0 = delete][read 0 = absent] ...
//!   read  k1 = v17                    sources  1 <- {write 0}    0 <- {delete 2}    (value <- who may have installed it)
//!   write k2 v18  failed          k2: ...
//! ```
//!
//! Left out: failed operations (they did not happen) and reads that returned nothing. An unknown write or delete stays,
//! as one that completes `NEVER`. Value 0 of every key is *absent*, which deletes install, and which every key begins
//! with. A value that was read and never written has no source.
//!
//! Nothing here assumes that a value was written once, though the sharpest verdicts need it.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::history::{History, Operation, OperationKind, Outcome};

/// The value of an absent key.
pub(crate) const ABSENT: u32 = 0;

/// The completion of what may still happen.
pub(crate) const NEVER: u64 = u64::MAX;

/// What an entry does to the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It returned a value.
    Read,
    /// It gives the register a value.
    Install,
}

/// One operation of a key, of those that count: an ok read, or a write or delete that did not fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// The operation's position in the history.
    pub(crate) id: u32,
    pub(crate) session: u32,
    pub(crate) role: Role,
    /// What it returned or installs.
    pub(crate) value: u32,
    pub(crate) invoked: u64,
    /// `NEVER` when the outcome is unknown.
    pub(crate) completed: u64,
}

impl Entry {
    /// An acknowledged write or delete.
    pub(crate) fn is_acknowledged_install(&self) -> bool {
        self.role == Role::Install && self.completed != NEVER
    }
}

/// A write or delete that may have installed a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub(crate) id: u32,
    pub(crate) invoked: u64,
    /// The latest completion among this source and those of the same value invoked before it.
    latest_completed: u64,
}

/// One key's part of the history.
#[derive(Debug)]
pub(crate) struct KeyIndex<'h> {
    pub(crate) key: &'h str,
    /// Ordered by invocation.
    pub(crate) entries: Vec<Entry>,
    /// How many values there are, `ABSENT` among them.
    pub(crate) values: u32,
    sources: Vec<Source>,
    /// Where each value's sources begin in `sources`, and a last one where they all end.
    offsets: Vec<u32>,
}

/// A history, prepared for the checks.
#[derive(Debug)]
pub struct Index<'h> {
    pub(crate) history: &'h History,
    /// In the order of their first operation.
    pub(crate) keys: Vec<KeyIndex<'h>>,
    interner: Interner<'h>,
}

impl<'h> Index<'h> {
    /// Prepares a history, in time proportional to its length (and a sort of each key's writes).
    pub fn of(history: &'h History) -> Self {
        let mut interner = Interner::with_room_for(2 * history.operations.len());
        let mut keys: Vec<KeyIndex<'h>> = Vec::new();
        for operation in &history.operations {
            let number = interner.intern(KEYS, &operation.key, keys.len() as u32);
            if number as usize == keys.len() {
                keys.push(KeyIndex::new(&operation.key));
            }
            let key = &mut keys[number as usize];
            let Some((role, value, completed)) = effect(operation) else { continue };
            let value = value.map_or(ABSENT, |value| interner.intern(number, value, key.values));
            key.values = key.values.max(value + 1);
            let Operation { id, session, invoked_micros: invoked, .. } = *operation;
            key.entries.push(Entry { id, session, role, value, invoked, completed });
        }
        for key in &mut keys {
            key.entries.sort_by_key(|entry| entry.invoked);
            key.find_sources();
        }
        Self { history, keys, interner }
    }

    /// The operation of an entry or source.
    pub(crate) fn operation(&self, id: u32) -> &'h Operation {
        &self.history.operations[id as usize]
    }

    /// The number of a value of the `key`-th key; `None` when no operation of that key names it.
    pub(crate) fn value(&self, key: usize, value: &str) -> Option<u32> {
        self.interner.find(key as u32, value)
    }
}

/// What an operation did, as far as it counts: role, value (`None` is absent), completion.
fn effect(operation: &Operation) -> Option<(Role, Option<&str>, u64)> {
    match (operation.kind, &operation.outcome) {
        (_, Outcome::Fail { .. }) | (OperationKind::Read, Outcome::Unknown { .. }) => None,
        (OperationKind::Read, Outcome::Ok { value }) => {
            Some((Role::Read, value.as_deref(), operation.completed_micros.unwrap_or(NEVER)))
        }
        (_, Outcome::Unknown { .. }) => Some((Role::Install, operation.written.as_deref(), NEVER)),
        (_, Outcome::Ok { .. }) => {
            Some((Role::Install, operation.written.as_deref(), operation.completed_micros.unwrap_or(NEVER)))
        }
    }
}

impl<'h> KeyIndex<'h> {
    fn new(key: &'h str) -> Self {
        Self { key, entries: Vec::new(), values: ABSENT + 1, sources: Vec::new(), offsets: Vec::new() }
    }

    /// The entries of a key, ordered by invocation, for a check that asks for nothing else.
    pub(crate) fn of_entries(entries: Vec<Entry>, values: u32) -> Self {
        Self { entries, values, ..Self::new("") }
    }

    fn find_sources(&mut self) {
        let mut installs: Vec<&Entry> = self.entries.iter().filter(|entry| entry.role == Role::Install).collect();
        installs.sort_by_key(|entry| (entry.value, entry.invoked));
        self.sources.reserve_exact(installs.len());
        self.offsets.reserve_exact(self.values as usize + 1);
        for install in installs {
            let mut latest_completed = install.completed;
            if self.offsets.len() == install.value as usize + 1 {
                let before = self.sources.last().expect("a value that has begun has a source");
                latest_completed = latest_completed.max(before.latest_completed);
            } else {
                self.offsets.resize(install.value as usize + 1, self.sources.len() as u32);
            }
            self.sources.push(Source { id: install.id, invoked: install.invoked, latest_completed });
        }
        self.offsets.resize(self.values as usize + 1, self.sources.len() as u32);
    }

    /// Who may have installed a value, ordered by invocation; the absence that a key begins with is not among them.
    pub(crate) fn sources(&self, value: u32) -> &[Source] {
        let value = value as usize;
        &self.sources[self.offsets[value] as usize..self.offsets[value + 1] as usize]
    }

    /// Who may have installed a value that was seen at `seen`: the sources invoked until then.
    pub(crate) fn sources_until(&self, value: u32, seen: u64) -> &[Source] {
        let sources = self.sources(value);
        &sources[..sources.partition_point(|source| source.invoked <= seen)]
    }

    /// Whether `value`, seen at `seen`, is older than an operation invoked at `invoked`: everything that may have
    /// installed it completed strictly before. True of a value without sources.
    pub(crate) fn is_older(&self, value: u32, seen: u64, invoked: u64) -> bool {
        self.sources_until(value, seen).last().is_none_or(|source| source.latest_completed < invoked)
    }

    /// The earliest-invoked source of `value` that is not older than an operation invoked at `invoked`.
    pub(crate) fn first_source_not_older(&self, value: u32, invoked: u64) -> Option<&Source> {
        // The running maximum reaches `invoked` at the first source that completes no earlier.
        let sources = self.sources(value);
        sources.get(sources.partition_point(|source| source.latest_completed < invoked))
    }
}

/// The space of key names; values live in the space of their key's number.
const KEYS: u32 = u32::MAX;

/// Strings to integers: an open-addressing hash table that compares exactly.
#[derive(Debug)]
struct Interner<'h> {
    /// A power of two, at most half full.
    slots: Vec<Option<Slot<'h>>>,
}

#[derive(Debug, Clone, Copy)]
struct Slot<'h> {
    text: &'h str,
    space: u32,
    number: u32,
}

impl<'h> Interner<'h> {
    fn with_room_for(strings: usize) -> Self {
        Self { slots: vec![None; (2 * strings).next_power_of_two().max(2)] }
    }

    /// Where the string is, or where it belongs.
    fn slot(&self, space: u32, text: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = xxh3_64_with_seed(text.as_bytes(), u64::from(space)) as usize & mask;
        while self.slots[at].is_some_and(|slot| slot.space != space || slot.text != text) {
            at = (at + 1) & mask;
        }
        at
    }

    /// The number of a string; `next` when it is new.
    fn intern(&mut self, space: u32, text: &'h str, next: u32) -> u32 {
        let at = self.slot(space, text);
        self.slots[at].get_or_insert(Slot { text, space, number: next }).number
    }

    fn find(&self, space: u32, text: &str) -> Option<u32> {
        self.slots[self.slot(space, text)].map(|slot| slot.number)
    }
}
