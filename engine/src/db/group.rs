//! Which batches of a group are admitted, and with which sequences: the decision of a commit, without its I/O.
//!
//! ```text
//!   batch 1   put a          admitted   5
//!   batch 2   a is absent?   refused          it looks at what batch 1 will have written
//!   batch 3   a is at 5?     admitted   6, 7
//! ```
//!
//! Batches are taken in the order of the queue, each against the state that the admitted ones before it leave.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::batch::{Batch, Expected};
use crate::format::Sequence;

/// What becomes of one batch of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admission {
    /// Its first operation gets this sequence.
    Admitted(Sequence),
    /// The precondition on this key does not hold.
    Refused(Bytes),
}

/// Decides over the batches of a group. `current` gives the sequence of a key's value, `None` when it has none.
pub(super) fn admit<'a>(
    batches: impl Iterator<Item = &'a Batch> + Clone,
    mut next_sequence: Sequence,
    current: impl Fn(&[u8]) -> Option<Sequence>,
) -> Vec<Admission> {
    // What the admitted batches will have written; not needed where nobody looks.
    let is_looked_at = batches.clone().any(|batch| !batch.requirements.is_empty());
    let mut written: BTreeMap<&'a [u8], Option<Sequence>> = BTreeMap::new();
    let mut admissions = Vec::new();
    for batch in batches {
        let state = |key: &[u8]| written.get(key).copied().unwrap_or_else(|| current(key));
        let failed = batch.requirements.iter().find(|(key, expected)| match expected {
            Expected::Absent => state(key).is_some(),
            Expected::At(sequence) => state(key) != Some(*sequence),
        });
        if let Some((key, _)) = failed {
            admissions.push(Admission::Refused(key.clone()));
            continue;
        }
        admissions.push(Admission::Admitted(next_sequence));
        if is_looked_at {
            for (index, operation) in batch.operations.iter().enumerate() {
                let sequence = operation.value.is_some().then(|| next_sequence.plus(index as u64));
                written.insert(&operation.key, sequence);
            }
        }
        next_sequence = next_sequence.plus(batch.operations.len() as u64);
    }
    admissions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(batches: &[Batch]) -> Vec<Admission> {
        let current = |key: &[u8]| (key == b"old").then_some(Sequence(3));
        admit(batches.iter(), Sequence(10), current)
    }

    fn admitted(sequence: u64) -> Admission {
        Admission::Admitted(Sequence(sequence))
    }

    fn refused(key: &'static str) -> Admission {
        Admission::Refused(Bytes::from(key))
    }

    #[test]
    fn a_batch_is_held_against_the_state_and_against_the_batches_before_it() {
        let decisions = decide(&[
            Batch::new().require("old", Expected::At(Sequence(3))).put("old", "1").put("new", "1"),
            Batch::new().require("old", Expected::At(Sequence(3))).put("old", "2"),
            Batch::new().require("new", Expected::At(Sequence(11))).delete("new"),
            Batch::new().require("new", Expected::Absent).put("new", "3"),
        ]);
        assert_eq!(decisions, [admitted(10), refused("old"), admitted(12), admitted(13)]);
    }

    #[test]
    fn a_refused_batch_leaves_no_trace() {
        let decisions = decide(&[
            Batch::new().require("old", Expected::Absent).put("a", "1"),
            Batch::new().require("a", Expected::Absent).put("b", "1"),
        ]);
        assert_eq!(decisions, [refused("old"), admitted(10)]);
    }

    #[test]
    fn every_precondition_of_a_batch_must_hold_before_it_writes() {
        let decisions = decide(&[
            Batch::new().require("a", Expected::Absent).require("old", Expected::Absent).put("a", "1"),
            Batch::new().put("a", "1").require("a", Expected::Absent),
        ]);
        assert_eq!(decisions, [refused("old"), admitted(10)]);
    }
}
