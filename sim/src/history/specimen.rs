//! Histories that are linearizable by construction: what the checks are measured on, and what tests spoil.
//!
//! ```text
//!   client 0   ──[ invoked ··· ● effect ··· completed ]──[ ... ]──▶     effects are applied to one map in the order
//!   client 1   ────[ invoked · ● effect ······· completed ]───────▶     of their times; reads return what they meet
//! ```
//!
//! Every operation takes effect at one drawn moment between its invocation and its completion. One with unknown outcome
//! takes effect within ten times its duration, or never; its client goes on under a new session, as in a workload.

use std::collections::BTreeMap;

use engine::world::Rng;

use super::{History, Operation, OperationKind, Outcome};

/// What to draw.
#[derive(Debug, Clone, Copy)]
pub struct Specimen {
    /// The seed; the same specimen gives the same history.
    pub seed: u64,
    /// Operations in all.
    pub operations: u32,
    /// Clients, each with one operation in flight.
    pub clients: u32,
    /// Keys, each as likely as the next.
    pub keys: u32,
    /// Reads in a hundred operations.
    pub reads_percent: u64,
    /// Deletes in a hundred operations; the rest are writes.
    pub deletes_percent: u64,
    /// Operations in a hundred whose outcome is unknown.
    pub unknowns_percent: u64,
}

impl Specimen {
    /// Half reads, 45 % writes, 5 % deletes, nothing unknown.
    pub fn new(operations: u32, clients: u32, keys: u32) -> Self {
        Self { seed: 1, operations, clients, keys, reads_percent: 50, deletes_percent: 5, unknowns_percent: 0 }
    }

    /// Draws the history.
    ///
    /// # Panics
    /// When there are no clients or no keys.
    pub fn draw(self) -> History {
        assert!(self.clients > 0 && self.keys > 0, "a specimen needs clients and keys");
        let mut rng = Rng::from_seed(self.seed);
        let mut drawn: Vec<(Operation, Option<u64>)> =
            (0..self.clients).flat_map(|c| self.client(&mut rng, c)).collect();
        drawn.sort_by_key(|(operation, _)| operation.invoked_micros);
        for (position, (operation, _)) in drawn.iter_mut().enumerate() {
            operation.id = position as u32;
            if operation.kind == OperationKind::Write {
                operation.written = Some(format!("v{position}"));
            }
        }
        take_effect(&mut drawn);
        History { operations: drawn.into_iter().map(|(operation, _)| operation).collect() }
    }

    /// One client's operations, each with the moment of its effect.
    fn client(&self, rng: &mut Rng, client: u32) -> Vec<(Operation, Option<u64>)> {
        let share = self.operations / self.clients + u32::from(client < self.operations % self.clients);
        let mut session = client;
        let mut now_micros = rng.below(1_000);
        let mut drawn = Vec::with_capacity(share as usize);
        for _ in 0..share {
            let duration_micros = rng.within(100..2_000);
            let unknown = rng.chance(self.unknowns_percent, 100);
            let effect = if unknown {
                rng.chance(1, 2).then(|| now_micros + rng.below(10 * duration_micros))
            } else {
                Some(now_micros + rng.below(duration_micros + 1))
            };
            let die = rng.below(100);
            let kind = match die {
                _ if die < self.reads_percent => OperationKind::Read,
                _ if die < self.reads_percent + self.deletes_percent => OperationKind::Delete,
                _ => OperationKind::Write,
            };
            let outcome =
                if unknown { Outcome::Unknown { reason: "deadline passed".into() } } else { Outcome::acknowledged() };
            let operation = Operation {
                id: 0,
                session,
                coordinator: format!("n{}", client % 5 + 1),
                key: format!("k{}", rng.below(u64::from(self.keys))),
                kind,
                written: None,
                consistency: "quorum".into(),
                invoked_micros: now_micros,
                completed_micros: Some(now_micros + duration_micros),
                outcome,
            };
            drawn.push((operation, effect));
            if unknown {
                session += self.clients;
            }
            now_micros += duration_micros + rng.within(1..200);
        }
        drawn
    }
}

/// Applies the effects in the order of their times, and lets the reads return what they meet.
fn take_effect(drawn: &mut [(Operation, Option<u64>)]) {
    let mut effects: Vec<(u64, usize)> =
        drawn.iter().enumerate().filter_map(|(index, (_, effect))| effect.map(|micros| (micros, index))).collect();
    effects.sort_unstable();
    let mut registers: BTreeMap<String, String> = BTreeMap::new();
    for (_, index) in effects {
        let operation = &mut drawn[index].0;
        match (operation.kind, &operation.written) {
            (OperationKind::Write, Some(value)) => {
                registers.insert(operation.key.clone(), value.clone());
            }
            (OperationKind::Write | OperationKind::Delete, _) => {
                registers.remove(&operation.key);
            }
            (OperationKind::Read, _) => {
                if let Outcome::Ok { value } = &mut operation.outcome {
                    *value = registers.get(&operation.key).cloned();
                }
            }
        }
    }
}
