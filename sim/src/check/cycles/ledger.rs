//! Who wrote and read what, by key: what both models infer orders from.
//!
//! ```text
//!   committed   acknowledged, or unknown and seen: what a committed transaction read must have been committed
//!   writes      (key, value) ─▶ who wrote it, and whether it wrote the key again     every transaction's
//!   reads       key ─▶ who read what                                                committed transactions' only
//! ```

use crate::history::transactions::{MicroOperation, Transaction, TransactionHistory, TransactionOutcome};

/// A write or append.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) key: u32,
    pub(super) value: u32,
    pub(super) transaction: u32,
    /// How many writes of its transaction to its key came before it.
    pub(super) place: u32,
    /// Whether it is the last of these.
    pub(super) is_final: bool,
}

/// What a read returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// These elements of the history.
    List(u32, u32),
    /// A value.
    Value(u32),
    /// Nothing had been written.
    Nothing,
}

/// A read of a committed transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadOf {
    pub(super) transaction: u32,
    pub(super) seen: Seen,
}

/// See the module.
pub(super) struct Ledger<'h> {
    pub(super) history: &'h TransactionHistory,
    pub(super) committed: Vec<bool>,
    /// Ordered by key, then by value.
    pub(super) writes: Vec<Written>,
    first_write: Vec<u32>,
    reads: Vec<ReadOf>,
    first_read: Vec<u32>,
}

impl<'h> Ledger<'h> {
    pub(super) fn new(history: &'h TransactionHistory) -> Self {
        let transactions = history.transactions();
        let committed = transactions.iter().map(|one| one.outcome == TransactionOutcome::Committed).collect();
        let writes = writes(history);
        let first_write = starts(history.keys(), writes.iter().map(|write| write.key));
        let mut ledger = Self { history, committed, writes, first_write, reads: Vec::new(), first_read: Vec::new() };
        ledger.see_unknown();
        ledger.collect_reads();
        ledger
    }

    pub(super) fn outcome(&self, transaction: u32) -> TransactionOutcome {
        self.history.transactions()[transaction as usize].outcome
    }

    /// The writes to a key, by value, with the number of the first among all.
    pub(super) fn writes_to(&self, key: u32) -> (usize, &[Written]) {
        let (from, to) = (self.first_write[key as usize] as usize, self.first_write[key as usize + 1] as usize);
        (from, &self.writes[from..to])
    }

    /// The number of the write of a value to a key; `None` when nobody wrote it.
    pub(super) fn find(&self, key: u32, value: u32) -> Option<usize> {
        let (from, writes) = self.writes_to(key);
        writes.binary_search_by_key(&value, |write| write.value).ok().map(|place| from + place)
    }

    /// The reads of a key, in the order of their transactions.
    pub(super) fn reads_of(&self, key: u32) -> &[ReadOf] {
        &self.reads[self.first_read[key as usize] as usize..self.first_read[key as usize + 1] as usize]
    }

    /// How many reads there are.
    pub(super) fn reads(&self) -> usize {
        self.reads.len()
    }

    /// Committed transactions with their numbers.
    pub(super) fn committed(&self) -> impl Iterator<Item = (u32, &Transaction)> {
        let all = (0_u32..).zip(self.history.transactions());
        all.filter(|(number, _)| self.committed[*number as usize])
    }

    /// Counts as committed what is unknown and was read by what is committed.
    fn see_unknown(&mut self) {
        let is_unknown = |write: &&Written| self.outcome(write.transaction) == TransactionOutcome::Unknown;
        let mut is_asked = vec![false; self.history.keys() as usize];
        self.writes.iter().filter(is_unknown).for_each(|write| is_asked[write.key as usize] = true);
        if !is_asked.contains(&true) {
            return;
        }
        // The longest list of each key that was looked through: of those that begin like it, only the rest is new.
        let mut looked_through: Vec<&[u32]> = vec![&[]; is_asked.len()];
        let mut unread: Vec<u32> = self.committed().map(|(number, _)| number).collect();
        let history = self.history;
        while let Some(reader) = unread.pop() {
            for operation in history.operations_of(&history.transactions()[reader as usize]) {
                let key = operation.key();
                if !is_asked[key as usize] {
                    continue;
                }
                let one;
                let values: &[u32] = match *operation {
                    MicroOperation::ReadValue { value, .. } => {
                        one = [value];
                        &one
                    }
                    MicroOperation::ReadList { first, end, .. } => {
                        let (list, known) = (history.elements(first, end), &mut looked_through[key as usize]);
                        if known.starts_with(list) {
                            continue;
                        }
                        let rest = if list.starts_with(known) { &list[known.len()..] } else { list };
                        if list.len() > known.len() {
                            *known = list;
                        }
                        rest
                    }
                    _ => continue,
                };
                for value in values {
                    let Some(place) = self.find(key, *value) else { continue };
                    let writer = self.writes[place].transaction;
                    if self.outcome(writer) == TransactionOutcome::Unknown && !self.committed[writer as usize] {
                        self.committed[writer as usize] = true;
                        unread.push(writer);
                    }
                }
            }
        }
    }

    fn collect_reads(&mut self) {
        let mut reads: Vec<(u32, ReadOf)> = Vec::new();
        for (number, transaction) in self.committed() {
            for operation in self.history.operations_of(transaction) {
                let seen = match *operation {
                    MicroOperation::ReadList { first, end, .. } => Seen::List(first, end),
                    MicroOperation::ReadValue { value, .. } => Seen::Value(value),
                    MicroOperation::ReadNothing { .. } => Seen::Nothing,
                    _ => continue,
                };
                reads.push((operation.key(), ReadOf { transaction: number, seen }));
            }
        }
        reads.sort_by_key(|(key, _)| *key);
        self.first_read = starts(self.history.keys(), reads.iter().map(|(key, _)| *key));
        self.reads = reads.into_iter().map(|(_, read)| read).collect();
    }
}

fn writes(history: &TransactionHistory) -> Vec<Written> {
    let mut writes: Vec<Written> = Vec::new();
    for (transaction, one) in (0_u32..).zip(history.transactions()) {
        let from = writes.len();
        for operation in history.operations_of(one) {
            let (Some(value), key) = (operation.written(), operation.key()) else { continue };
            writes.push(Written { key, value, transaction, place: 0, is_final: false });
        }
        // Stable: the writes to a key stay in their order.
        writes[from..].sort_by_key(|write| write.key);
        for same in writes[from..].chunk_by_mut(|one, other| one.key == other.key) {
            let last = same.len() - 1;
            for (place, write) in same.iter_mut().enumerate() {
                (write.place, write.is_final) = (place as u32, place == last);
            }
        }
    }
    writes.sort_unstable_by_key(|write| (write.key, write.value));
    writes
}

/// Where the entries of each key begin, one more at the end. `keys_of` is ascending.
fn starts(keys: u32, keys_of: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut first = vec![0_u32; keys as usize + 1];
    keys_of.for_each(|key| first[key as usize + 1] += 1);
    for key in 0..keys as usize {
        first[key + 1] += first[key];
    }
    first
}
