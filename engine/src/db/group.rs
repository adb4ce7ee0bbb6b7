//! Which batches of a group are admitted, and with which sequences: the decision of a commit, without its I/O.
//!
//! ```text
//!   batch 1   put a          admitted   5
//!   batch 2   a is absent?   refused          it looks at what batch 1 will have written
//!   batch 3   a is at 5?     admitted   6, 7
//! ```
//!
//! Batches are taken in the order of the queue, each against the state that the admitted ones before it leave. The state
//! before the group was looked up beforehand, for every key and range that some batch asks about.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::batch::{Batch, Expected, Requirement};
use crate::format::Sequence;
use crate::format::operation::OperationRef;

/// What becomes of one batch of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admission {
    /// Its first operation gets this sequence.
    Admitted(Sequence),
    /// The precondition on this internal key does not hold.
    Refused(Bytes),
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct KeyState {
    /// The sequence of its value; `None` when it has none.
    pub(super) value: Option<Sequence>,
    /// The sequence at which it was last written or deleted, as far as anybody remembers.
    pub(super) changed: Option<Sequence>,
}

/// The state before a group, as far as its preconditions ask.
#[derive(Debug, Default)]
pub(super) struct StateBefore {
    pub(super) keys: BTreeMap<Bytes, KeyState>,
    /// The newest change in the ranges asked about.
    pub(super) ranges: BTreeMap<(Bytes, Bytes), Option<Sequence>>,
    /// Every deletion behind this is remembered. Of one at or before it compaction may have left no trace.
    pub(super) remembered_from: Sequence,
}

impl StateBefore {
    /// Notes the newest change of a range, as somebody who asked about it was told. Who asked from a later sequence on
    /// may have been told of none, which takes nothing back.
    pub(super) fn note_range(&mut self, start: &Bytes, end: &Bytes, newest: Option<Sequence>) {
        let known = self.ranges.entry((start.clone(), end.clone())).or_default();
        *known = newest.max(*known);
    }
}

/// Decides over the batches of a group.
pub(super) fn admit<'a>(
    batches: impl Iterator<Item = &'a Batch> + Clone,
    mut next_sequence: Sequence,
    before: &StateBefore,
) -> Vec<Admission> {
    // What the admitted batches will have written; not needed where nobody looks.
    let is_looked_at = batches.clone().any(|batch| !batch.requirements.is_empty());
    let mut written = Written::default();
    let mut admissions = Vec::new();
    for batch in batches {
        let failed = batch.requirements.iter().find_map(|requirement| written.refusal(requirement, before));
        if let Some(key) = failed {
            admissions.push(Admission::Refused(key));
            continue;
        }
        admissions.push(Admission::Admitted(next_sequence));
        if is_looked_at {
            written.note(batch, next_sequence);
        }
        next_sequence = next_sequence.plus(u64::from(batch.count()));
    }
    admissions
}

/// What the admitted batches of a group write.
#[derive(Debug, Default)]
struct Written<'a> {
    keys: BTreeMap<&'a [u8], KeyState>,
    ranges: Vec<(&'a [u8], &'a [u8], Sequence)>,
}

impl<'a> Written<'a> {
    fn note(&mut self, batch: &'a Batch, first: Sequence) {
        for (index, operation) in batch.operations().enumerate() {
            let sequence = first.plus(index as u64);
            match operation {
                OperationRef::Put { key, .. } => {
                    self.keys.insert(key, KeyState { value: Some(sequence), changed: Some(sequence) });
                }
                OperationRef::Delete { key } => {
                    self.keys.insert(key, KeyState { value: None, changed: Some(sequence) });
                }
                OperationRef::DeleteRange { start, end } => self.ranges.push((start, end, sequence)),
            }
        }
    }

    fn state(&self, key: &[u8], before: &StateBefore) -> KeyState {
        let point = self.keys.get(key).or_else(|| before.keys.get(key)).copied().unwrap_or_default();
        let covering = self.ranges.iter().filter(|(start, end, _)| *start <= key && key < *end);
        match covering.map(|(_, _, sequence)| *sequence).max() {
            Some(deleted) if point.changed.is_none_or(|changed| deleted > changed) => {
                KeyState { value: None, changed: Some(deleted) }
            }
            _ => point,
        }
    }

    /// The key that makes a precondition fail.
    fn refusal(&self, requirement: &Requirement, before: &StateBefore) -> Option<Bytes> {
        match requirement {
            Requirement::Key { key, expected } => {
                let state = self.state(key, before);
                let holds = match expected {
                    Expected::Absent => state.value.is_none(),
                    Expected::Present => state.value.is_some(),
                    Expected::At(sequence) => state.value == Some(*sequence),
                    Expected::UnchangedSince(since) => match state.changed {
                        Some(changed) => changed <= *since,
                        // Nobody has heard of the key: it was never there, or its deletion is forgotten.
                        None => *since >= before.remembered_from,
                    },
                };
                (!holds).then(|| key.clone())
            }
            Requirement::RangeUnchanged { start, end, since } => {
                let changed = before.ranges.get(&(start.clone(), end.clone())).copied().flatten();
                let is_written = self.keys.keys().any(|key| start[..] <= **key && **key < end[..])
                    || self.ranges.iter().any(|(from, until, _)| *from < &end[..] && &start[..] < *until);
                let is_forgotten = *since < before.remembered_from;
                (is_written || is_forgotten || changed.is_some_and(|changed| changed > *since)).then(|| start.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::keyspace::{Keyspace, internal_key};

    fn key(key: &str) -> Bytes {
        internal_key(Keyspace::DEFAULT, key.as_bytes())
    }

    fn decide(batches: &[Batch]) -> Vec<Admission> {
        let mut before = StateBefore::default();
        let old = KeyState { value: Some(Sequence(3)), changed: Some(Sequence(3)) };
        before.keys.insert(key("old"), old);
        before.ranges.insert((key("o"), key("p")), Some(Sequence(3)));
        admit(batches.iter(), Sequence(10), &before)
    }

    fn admitted(sequence: u64) -> Admission {
        Admission::Admitted(Sequence(sequence))
    }

    fn refused(refused: &'static str) -> Admission {
        Admission::Refused(key(refused))
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

    #[test]
    fn a_deletion_is_a_change_and_so_is_one_of_a_range() {
        let unchanged = |batch: Batch| batch.require("a", Expected::UnchangedSince(Sequence(9))).put("x", "");
        let decisions = decide(&[
            unchanged(Batch::new()),
            Batch::new().delete_range("a", Some(b"b")),
            unchanged(Batch::new()),
            Batch::new().require("old", Expected::Present).delete_range("o", None),
            Batch::new().require("old", Expected::Absent).put("old", ""),
        ]);
        assert_eq!(decisions, [admitted(10), admitted(11), refused("a"), admitted(12), admitted(13)]);
    }

    #[test]
    fn a_range_is_changed_by_what_was_written_since_and_by_the_batches_before() {
        let range = || (std::ops::Bound::Included(Bytes::from("o")), std::ops::Bound::Excluded(Bytes::from("p")));
        let decisions = decide(&[
            Batch::new().require_range(range(), Sequence(3)).put("x", ""),
            Batch::new().require_range(range(), Sequence(2)).put("x", ""),
            Batch::new().put("oz", ""),
            Batch::new().require_range(range(), Sequence(9)).put("x", ""),
        ]);
        assert_eq!(decisions, [admitted(10), refused("o"), admitted(11), refused("o")]);
    }

    #[test]
    fn a_range_that_two_batches_ask_about_from_different_sequences_on_is_changed_for_the_one_and_not_for_the_other() {
        let mut before = StateBefore::default();
        // The first asks from 3 on and is told of 5; the second asks from 9 on and is told of nothing.
        before.note_range(&key("o"), &key("p"), Some(Sequence(5)));
        before.note_range(&key("o"), &key("p"), None);
        let range = || (std::ops::Bound::Included(Bytes::from("o")), std::ops::Bound::Excluded(Bytes::from("p")));
        let asking = |since| Batch::new().require_range(range(), Sequence(since)).put("x", "");
        let decisions = admit([asking(3), asking(9)].iter(), Sequence(10), &before);
        assert_eq!(decisions, [refused("o"), admitted(10)]);
    }

    #[test]
    fn a_key_that_nobody_remembers_counts_as_changed_since_before_the_oldest_snapshot() {
        let before = StateBefore { remembered_from: Sequence(7), ..StateBefore::default() };
        let range = || (std::ops::Bound::Included(Bytes::from("o")), std::ops::Bound::Excluded(Bytes::from("p")));
        let decide = |batch: Batch| admit([batch].iter(), Sequence(10), &before)[0].clone();
        let unchanged = |since| Batch::new().require("a", Expected::UnchangedSince(Sequence(since)));
        assert_eq!((decide(unchanged(6)), decide(unchanged(7))), (refused("a"), admitted(10)));
        let still = |since| Batch::new().require_range(range(), Sequence(since));
        assert_eq!((decide(still(6)), decide(still(7))), (refused("o"), admitted(10)));
        // Where a version is left, no later deletion of the key was forgotten.
        let mut before = before;
        let old = KeyState { value: Some(Sequence(3)), changed: Some(Sequence(3)) };
        before.keys.insert(key("old"), old);
        let unchanged = Batch::new().require("old", Expected::UnchangedSince(Sequence(4)));
        assert_eq!(admit([unchanged].iter(), Sequence(10), &before), [admitted(10)]);
    }
}
