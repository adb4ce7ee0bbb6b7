//! Histories of transactions that are strictly serializable by construction: what the checks are measured on, and what
//! tests spoil.
//!
//! ```text
//!   client 0   ──[ invoked ··· ● effect ··· completed ]──[ ... ]──▶     effects are applied one after the other, in the
//!   client 1   ────[ invoked · ● effect ······· completed ]───────▶     order of their times; reads return what they meet
//! ```
//!
//! A key is written so many times, then another takes its place: a list that is read often must not grow for ever.

use engine::world::Rng;

use super::{Step, TransactionHistory, TransactionModel, TransactionOutcome};

/// What to draw.
#[derive(Debug, Clone, Copy)]
pub struct TransactionSpecimen {
    /// The seed; the same specimen gives the same history.
    pub seed: u64,
    /// The kind of objects.
    pub model: TransactionModel,
    /// Transactions in all.
    pub transactions: u32,
    /// Clients, each with one transaction under way.
    pub clients: u32,
    /// Keys in use at a time.
    pub keys: u32,
    /// Reads and writes of a transaction, at most.
    pub operations: u32,
    /// Writes to a key, after which another takes its place.
    pub writes_per_key: u32,
    /// Transactions in a hundred that abort.
    pub aborts_percent: u64,
}

impl TransactionSpecimen {
    /// 16 clients, 50 keys at a time, up to 7 operations, 64 writes a key, 5 aborts in a hundred.
    pub fn new(model: TransactionModel, transactions: u32) -> Self {
        Self {
            seed: 1,
            model,
            transactions,
            clients: 16,
            keys: 50,
            operations: 7,
            writes_per_key: 64,
            aborts_percent: 5,
        }
    }

    /// Draws the history.
    ///
    /// # Panics
    ///
    /// When there are no clients, keys or operations.
    pub fn draw(self) -> TransactionHistory {
        let mut rng = Rng::from_seed(self.seed).fork("specimen of transactions");
        let mut moments = self.moments(&mut rng);
        moments.sort_unstable();
        let mut places = vec![(0, 0); self.transactions as usize];
        for (place, (_, kind, transaction)) in (0_u64..).zip(&moments) {
            match kind {
                Kind::Invoked => places[*transaction as usize].0 = place,
                Kind::Completed => places[*transaction as usize].1 = place,
                Kind::Effect => {}
            }
        }
        let mut history = TransactionHistory::default();
        let mut objects = Objects { slots: vec![Slot::default(); self.keys as usize], keys: 0, values: 0 };
        for (_, _, transaction) in moments.iter().filter(|(_, kind, _)| *kind == Kind::Effect) {
            let (invoked, completed) = places[*transaction as usize];
            let is_aborted = rng.chance(self.aborts_percent, 100);
            let steps = self.transaction(&mut rng, &mut objects, &mut history, is_aborted);
            let outcome = if is_aborted { TransactionOutcome::Aborted } else { TransactionOutcome::Committed };
            let process = u64::from(transaction % self.clients);
            let pushed = history.push(process, 0, invoked..completed, outcome, &steps);
            pushed.expect("a specimen has one model, and no more operations than memory holds");
        }
        history.finish().expect("a specimen writes no value twice")
    }

    /// When each transaction begins, takes effect and ends.
    fn moments(&self, rng: &mut Rng) -> Vec<(u64, Kind, u32)> {
        let mut now = vec![0_u64; self.clients as usize];
        let mut moments = Vec::with_capacity(self.transactions as usize * 3);
        for transaction in 0..self.transactions {
            let now = &mut now[(transaction % self.clients) as usize];
            let invoked = *now + rng.within(1..50);
            let effect = invoked + rng.within(1..100);
            let completed = effect + rng.within(1..100);
            moments.extend([
                (invoked, Kind::Invoked, transaction),
                (effect, Kind::Effect, transaction),
                (completed, Kind::Completed, transaction),
            ]);
            *now = completed;
        }
        moments
    }

    fn transaction(
        &self,
        rng: &mut Rng,
        objects: &mut Objects,
        history: &mut TransactionHistory,
        is_aborted: bool,
    ) -> Vec<Step> {
        let mut own: Vec<(usize, u32)> = Vec::new();
        let mut steps = Vec::new();
        for _ in 0..=rng.below(u64::from(self.operations)) {
            let place = rng.below(u64::from(self.keys)) as usize;
            let is_written = own.iter().any(|(written, _)| *written == place);
            let key = objects.key(place, if is_written { u32::MAX } else { self.writes_per_key }, history);
            if rng.chance(1, 2) {
                objects.values += 1;
                let value = history.value(&objects.values.to_string());
                own.push((place, value));
                steps.push(match self.model {
                    TransactionModel::ListAppend => Step::Append(key, value),
                    TransactionModel::RwRegister => Step::Write(key, value),
                });
                objects.slots[place].writes += 1;
                continue;
            }
            let own = own.iter().filter(|(written, _)| *written == place).map(|(_, value)| *value);
            let values: Vec<u32> = objects.slots[place].values.iter().copied().chain(own).collect();
            steps.push(match (self.model, values.last()) {
                (_, None) => Step::ReadNothing(key),
                (TransactionModel::ListAppend, _) => Step::ReadList(key, values),
                (TransactionModel::RwRegister, Some(value)) => Step::ReadValue(key, *value),
            });
        }
        if !is_aborted {
            own.into_iter().for_each(|(place, value)| objects.slots[place].values.push(value));
        }
        steps
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Invoked,
    Effect,
    Completed,
}

/// A place where one key after the other is in use.
#[derive(Debug, Clone, Default)]
struct Slot {
    key: Option<u32>,
    writes: u32,
    values: Vec<u32>,
}

#[derive(Debug)]
struct Objects {
    slots: Vec<Slot>,
    keys: u64,
    values: u64,
}

impl Objects {
    /// The key that is in use at a place. One that was written so often goes.
    fn key(&mut self, place: usize, writes_most: u32, history: &mut TransactionHistory) -> u32 {
        let slot = &mut self.slots[place];
        match slot.key {
            Some(key) if slot.writes < writes_most => key,
            _ => {
                let key = history.key(&self.keys.to_string());
                self.keys += 1;
                *slot = Slot { key: Some(key), ..Slot::default() };
                key
            }
        }
    }
}
