//! Deciding a read: which version to return, and who must hold it before it is returned.
//!
//! ```text
//!   all asked ──R answers──▶ newest of them ──held by max(majority, N - R + 1)?──▶ yes: return it
//!                                              no: write it back to every replica not known to hold it,
//!                                                  wait until that many do, then return it
//! ```
//!
//! The write-back (ABD, Attiya, Bar-Noy and Dolev 1995) is what makes quorum reads linearizable: a version that one reader
//! saw is on a majority before any other reader at a quorum can miss it. It happens before the reply, also when those asked agree but are
//! fewer. A level below a majority promises nothing of the kind and returns at once. Replicas that answer late with
//! something older are repaired after the reply.

use std::collections::{BTreeMap, BTreeSet};

use super::level::majority;
use super::write::join;
use super::{ConsistencyReport, Failure, FailureKind, Said};
use crate::versioning::{Row, Stamp};
use crate::world::NodeId;

/// What a read needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadStep {
    /// Store this row on these replicas, and report each with `on_stored`.
    WriteBack { row: Row, to: Vec<NodeId> },
    /// Return this.
    Answer(Option<Row>),
    /// Return this error.
    Fail(Failure),
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Gathering,
    WritingBack,
    Decided,
}

/// One read in progress.
#[derive(Debug)]
pub(super) struct ReadOperation {
    pub(super) report: ConsistencyReport,
    phase: Phase,
    held: BTreeMap<NodeId, Option<Stamp>>,
    refused: BTreeMap<NodeId, String>,
    newest: Option<Row>,
    /// Replicas known to hold `newest` or something newer still.
    holders: BTreeSet<NodeId>,
    /// Replicas that were asked to store the newest row before the reply.
    written_back: BTreeSet<NodeId>,
    /// Replicas that refused the write-back.
    not_stored: BTreeSet<NodeId>,
    /// How many must hold what is returned.
    holders_required: usize,
}

impl ReadOperation {
    pub(super) fn new(report: ConsistencyReport) -> Self {
        let (replication, required) = (report.answers.len(), report.required);
        assert!(required >= 1 && required <= replication, "a level that cannot be reached");
        let holders_required = Self::holders_required(replication, required);
        Self {
            report,
            phase: Phase::Gathering,
            held: BTreeMap::new(),
            refused: BTreeMap::new(),
            newest: None,
            holders: BTreeSet::new(),
            written_back: BTreeSet::new(),
            not_stored: BTreeSet::new(),
            holders_required,
        }
    }

    /// How many replicas must hold a version before a read that asks `required` of `replication` may return it.
    pub(super) fn holders_required(replication: usize, required: usize) -> usize {
        if required >= majority(replication) { majority(replication).max(replication - required + 1) } else { 1 }
    }

    /// Takes one replica's row, or its refusal. Repeated answers count once.
    pub(super) fn on_answer(
        &mut self,
        from: NodeId,
        answer: Result<Option<Row>, String>,
        after_micros: u64,
    ) -> Option<ReadStep> {
        if !self.report.answers.contains_key(&from) || self.held.contains_key(&from) || self.refused.contains_key(&from)
        {
            return None;
        }
        if self.phase != Phase::Decided {
            let said = match &answer {
                Ok(row) => Said::Holds(row.as_ref().map(|row| row.stamp)),
                Err(reason) => Said::Refused(reason.clone()),
            };
            self.report.note(from, said, after_micros);
        }
        match answer {
            Ok(row) => self.on_row(from, row),
            Err(reason) => self.on_refusal(from, reason),
        }
    }

    fn on_row(&mut self, from: NodeId, row: Option<Row>) -> Option<ReadStep> {
        let stamp = row.as_ref().map(|row| row.stamp);
        self.held.insert(from, stamp);
        match self.phase {
            Phase::Gathering => {
                if stamp > self.newest_stamp() {
                    self.newest = row;
                    self.holders.clear();
                }
                if stamp == self.newest_stamp() {
                    self.holders.insert(from);
                }
                if self.held.len() == self.report.required { self.gathered() } else { None }
            }
            Phase::WritingBack => {
                // A late answer shows that this replica needs no write-back; the answer itself stays what it was.
                if stamp >= self.newest_stamp() { self.on_holder(from) } else { None }
            }
            Phase::Decided => None,
        }
    }

    fn gathered(&mut self) -> Option<ReadStep> {
        if self.newest.is_none() || self.holders.len() >= self.holders_required {
            self.phase = Phase::Decided;
            return Some(ReadStep::Answer(self.newest.clone()));
        }
        self.phase = Phase::WritingBack;
        let row = self.newest.clone()?;
        let to: Vec<NodeId> = self.report.answers.keys().filter(|node| !self.holders.contains(node)).copied().collect();
        self.written_back.extend(&to);
        Some(ReadStep::WriteBack { row, to })
    }

    /// A replica stored the row that was written back (or holds a newer one).
    pub(super) fn on_stored(&mut self, from: NodeId) -> Option<ReadStep> {
        if self.phase != Phase::WritingBack || !self.report.answers.contains_key(&from) {
            return None;
        }
        if !self.holders.contains(&from) {
            self.report.note_repaired(from);
        }
        self.on_holder(from)
    }

    /// A replica did not store the row that was written back.
    pub(super) fn on_not_stored(&mut self, from: NodeId) -> Option<ReadStep> {
        if self.phase != Phase::WritingBack || self.holders.contains(&from) || !self.report.answers.contains_key(&from)
        {
            return None;
        }
        self.not_stored.insert(from);
        let can_still_hold = self.report.answers.len() - self.not_stored.len();
        if can_still_hold >= self.holders_required {
            return None;
        }
        self.phase = Phase::Decided;
        let required = self.holders_required;
        let reason =
            format!("the newest version must be on {required} replicas, and only {can_still_hold} can store it");
        Some(ReadStep::Fail(Failure::not_applied(FailureKind::Refused, reason)))
    }

    fn on_holder(&mut self, from: NodeId) -> Option<ReadStep> {
        self.holders.insert(from);
        if self.holders.len() < self.holders_required {
            return None;
        }
        self.phase = Phase::Decided;
        Some(ReadStep::Answer(self.newest.clone()))
    }

    fn on_refusal(&mut self, from: NodeId, reason: String) -> Option<ReadStep> {
        self.refused.insert(from, reason);
        let can_still_answer = self.report.answers.len() - self.refused.len();
        if self.phase != Phase::Gathering || can_still_answer >= self.report.required {
            return None;
        }
        self.phase = Phase::Decided;
        let reasons: Vec<String> = self.refused.iter().map(|(node, reason)| format!("{node}: {reason}")).collect();
        let required = self.report.required;
        let reason = format!("only {can_still_answer} of {required} replicas can answer; {}", reasons.join("; "));
        Some(ReadStep::Fail(Failure::not_applied(FailureKind::Refused, reason)))
    }

    /// The time is up.
    pub(super) fn on_deadline(&mut self) -> Failure {
        let reason = match self.phase {
            Phase::WritingBack => format!(
                "the newest version is on {} of {} replicas that must hold it before it may be returned",
                self.holders.len(),
                self.holders_required
            ),
            _ => {
                let silent = join(&self.report.silent());
                format!("{} of {} replicas answered in time, none from {silent}", self.held.len(), self.report.required)
            }
        };
        self.phase = Phase::Decided;
        Failure::unknown(FailureKind::Timeout, format!("{reason}: try again, or with a lower level"))
    }

    /// Whether some replica has neither answered nor refused.
    pub(super) fn awaits_answers(&self) -> bool {
        self.held.len() + self.refused.len() < self.report.answers.len()
    }

    /// The row to repair `from` with, when it answered with something older than what the read returned.
    pub(super) fn repair_of(&self, from: NodeId) -> Option<&Row> {
        let held = self.held.get(&from)?;
        self.newest.as_ref().filter(|row| *held < Some(row.stamp) && !self.written_back.contains(&from))
    }

    /// The replicas that answered with something older and were not brought up to date.
    pub(super) fn stale(&self) -> Vec<NodeId> {
        self.held.keys().copied().filter(|node| self.repair_of(*node).is_some()).collect()
    }

    fn newest_stamp(&self) -> Option<Stamp> {
        self.newest.as_ref().map(|row| row.stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::Level;

    fn operation(replicas: u16, level: Level) -> ReadOperation {
        let nodes: Vec<NodeId> = (1..=replicas).map(NodeId).collect();
        let required = level.required(nodes.len()).unwrap();
        ReadOperation::new(ConsistencyReport::new(NodeId(1), level, required, &nodes))
    }

    fn row(time: u64) -> Row {
        Row { stamp: Stamp { time, node: NodeId(1) }, value: None }
    }

    #[test]
    fn agreeing_quorums_answer_at_once() {
        let mut read = operation(3, Level::Quorum);
        assert_eq!(read.on_answer(NodeId(1), Ok(Some(row(5))), 1), None);
        assert_eq!(read.on_answer(NodeId(2), Ok(Some(row(5))), 2), Some(ReadStep::Answer(Some(row(5)))));
    }

    #[test]
    fn a_version_that_only_one_replica_holds_is_written_back_before_it_is_returned() {
        let mut read = operation(3, Level::Quorum);
        read.on_answer(NodeId(1), Ok(Some(row(5))), 1);
        let step = read.on_answer(NodeId(2), Ok(Some(row(9))), 2);
        assert_eq!(step, Some(ReadStep::WriteBack { row: row(9), to: vec![NodeId(1), NodeId(3)] }));
        assert_eq!(read.on_stored(NodeId(1)), Some(ReadStep::Answer(Some(row(9)))));
        assert_eq!(read.report.repaired(), [NodeId(1)]);
    }

    #[test]
    fn a_late_answer_with_the_newest_version_takes_the_place_of_a_write_back() {
        let mut read = operation(3, Level::Quorum);
        read.on_answer(NodeId(1), Ok(None), 1);
        read.on_answer(NodeId(2), Ok(Some(row(9))), 2);
        assert_eq!(read.on_answer(NodeId(3), Ok(Some(row(9))), 3), Some(ReadStep::Answer(Some(row(9)))));
        assert!(read.report.repaired().is_empty());
    }

    #[test]
    fn agreement_of_too_few_is_not_enough_when_reads_ask_fewer_than_writes_reach() {
        // N = 5, R = 3: the three that were asked agree, and three is what must hold it.
        let mut read = operation(5, Level::Quorum);
        read.on_answer(NodeId(1), Ok(Some(row(5))), 1);
        read.on_answer(NodeId(2), Ok(Some(row(5))), 1);
        assert_eq!(
            read.on_answer(NodeId(3), Ok(Some(row(4))), 1),
            Some(ReadStep::WriteBack { row: row(5), to: vec![NodeId(3), NodeId(4), NodeId(5)] })
        );
        assert_eq!(read.on_stored(NodeId(5)), Some(ReadStep::Answer(Some(row(5)))));
    }

    #[test]
    fn one_returns_what_it_got_and_repairs_later() {
        let mut read = operation(3, Level::ONE);
        assert_eq!(read.on_answer(NodeId(1), Ok(Some(row(5))), 1), Some(ReadStep::Answer(Some(row(5)))));
        assert_eq!(read.on_answer(NodeId(2), Ok(Some(row(4))), 2), None);
        assert_eq!(read.on_answer(NodeId(3), Ok(Some(row(7))), 2), None);
        assert_eq!(read.repair_of(NodeId(2)), Some(&row(5)));
        assert_eq!(read.repair_of(NodeId(3)), None);
        assert_eq!(read.stale(), [NodeId(2)]);
    }

    #[test]
    fn absence_needs_no_write_back() {
        let mut read = operation(3, Level::Quorum);
        read.on_answer(NodeId(1), Ok(None), 1);
        assert_eq!(read.on_answer(NodeId(3), Ok(None), 1), Some(ReadStep::Answer(None)));
    }

    #[test]
    fn a_read_fails_when_too_many_refuse_and_goes_on_when_enough_are_left() {
        let mut read = operation(3, Level::Quorum);
        assert_eq!(read.on_answer(NodeId(1), Err("poisoned".to_string()), 1), None);
        let step = read.on_answer(NodeId(2), Err("poisoned".to_string()), 1);
        assert!(
            matches!(step, Some(ReadStep::Fail(failure)) if !failure.unknown && failure.reason.contains("n1: poisoned"))
        );
    }

    #[test]
    fn a_read_fails_at_once_when_too_few_replicas_can_take_the_write_back() {
        let mut read = operation(3, Level::Quorum);
        read.on_answer(NodeId(1), Ok(Some(row(5))), 1);
        read.on_answer(NodeId(2), Ok(Some(row(9))), 2);
        assert_eq!(read.on_not_stored(NodeId(1)), None);
        assert!(matches!(read.on_not_stored(NodeId(3)), Some(ReadStep::Fail(failure)) if !failure.unknown));
    }

    #[test]
    fn answers_that_arrive_twice_count_once() {
        let mut read = operation(3, Level::Quorum);
        assert_eq!(read.on_answer(NodeId(1), Ok(None), 1), None);
        assert_eq!(read.on_answer(NodeId(1), Ok(None), 1), None);
    }
}
