//! Deciding a write: which answers make it done, which make it fail, and what may be said of it meanwhile.
//!
//! ```text
//!                  W applied or superseded ─────────────▶ Ok
//!   all asked ──▶  everyone answered, nobody applied ───▶ NotApplied   (nobody has it, nobody will)
//!                  everyone answered, some applied  ────▶ Unknown      (fewer than W have it; it may win later)
//!                  deadline ────────────────────────────▶ Unknown
//! ```
//!
//! A replica that holds something newer has done its duty: last write wins. Pure: answers go in, a decision comes out.

use std::collections::BTreeMap;

use super::{ConsistencyReport, Failure, FailureKind, Said};
use crate::world::NodeId;

/// A replica's answer to a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WriteAnswer {
    pub(super) said: Said,
    /// For a refusal: whether the replica may have stored the row all the same.
    pub(super) may_have_applied: bool,
}

/// One write in progress.
#[derive(Debug)]
pub(super) struct WriteOperation {
    pub(super) report: ConsistencyReport,
    answered: BTreeMap<NodeId, WriteAnswer>,
}

impl WriteOperation {
    pub(super) fn new(report: ConsistencyReport) -> Self {
        assert!(report.required >= 1 && report.required <= report.answers.len(), "a level that cannot be reached");
        Self { report, answered: BTreeMap::new() }
    }

    /// Takes one answer; a decision when this was the one that made it. Repeated answers of one replica count once.
    pub(super) fn on_answer(
        &mut self,
        from: NodeId,
        answer: WriteAnswer,
        after_micros: u64,
    ) -> Option<Result<(), Failure>> {
        if !self.report.answers.contains_key(&from) || self.answered.contains_key(&from) {
            return None;
        }
        self.report.note(from, answer.said.clone(), after_micros);
        self.answered.insert(from, answer);
        let stored = self.stored();
        if stored >= self.report.required {
            return Some(Ok(()));
        }
        if self.answered.len() == self.report.answers.len() {
            return Some(Err(self.refused(stored)));
        }
        None
    }

    /// The time is up.
    pub(super) fn on_deadline(&self) -> Failure {
        let (stored, required) = (self.stored(), self.report.required);
        let silent = join(&self.report.silent());
        Failure::unknown(
            FailureKind::Timeout,
            format!("{stored} of {required} replicas stored it in time, no answer from {silent}: read it to find out"),
        )
    }

    fn stored(&self) -> usize {
        let done = |answer: &&WriteAnswer| matches!(answer.said, Said::Applied | Said::Superseded(_));
        self.answered.values().filter(done).count()
    }

    fn refused(&self, stored: usize) -> Failure {
        let reasons: Vec<String> = self
            .answered
            .iter()
            .filter_map(|(node, answer)| match &answer.said {
                Said::Refused(reason) => Some(format!("{node}: {reason}")),
                _ => None,
            })
            .collect();
        let reason = format!("{stored} of {} replicas stored it; {}", self.report.required, reasons.join("; "));
        if stored == 0 && !self.answered.values().any(|answer| answer.may_have_applied) {
            Failure::not_applied(FailureKind::Refused, reason)
        } else {
            Failure::unknown(FailureKind::Refused, reason)
        }
    }
}

pub(super) fn join(nodes: &[NodeId]) -> String {
    let names: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::Level;

    fn operation(required: usize) -> WriteOperation {
        let replicas = [NodeId(1), NodeId(2), NodeId(3)];
        WriteOperation::new(ConsistencyReport::new(NodeId(1), Level::Number(required as u8), required, &replicas))
    }

    fn applied() -> WriteAnswer {
        WriteAnswer { said: Said::Applied, may_have_applied: true }
    }

    fn refused(may_have_applied: bool) -> WriteAnswer {
        WriteAnswer { said: Said::Refused("no".to_string()), may_have_applied }
    }

    #[test]
    fn a_write_is_done_with_the_answer_that_fills_its_level() {
        let mut write = operation(2);
        assert_eq!(write.on_answer(NodeId(3), applied(), 5), None);
        assert_eq!(write.on_answer(NodeId(1), applied(), 6), Some(Ok(())));
    }

    #[test]
    fn an_answer_that_arrives_twice_counts_once() {
        let mut write = operation(2);
        assert_eq!(write.on_answer(NodeId(3), applied(), 5), None);
        assert_eq!(write.on_answer(NodeId(3), applied(), 6), None);
    }

    #[test]
    fn an_answer_from_a_node_that_was_not_asked_counts_nothing() {
        let mut write = operation(1);
        assert_eq!(write.on_answer(NodeId(9), applied(), 5), None);
    }

    #[test]
    fn only_when_every_replica_refused_and_none_may_have_stored_it_is_it_certainly_not_applied() {
        let decide = |answers: [WriteAnswer; 3]| {
            let mut write = operation(2);
            let mut decision = None;
            for (number, answer) in (1..).zip(answers) {
                decision = write.on_answer(NodeId(number), answer, 1);
            }
            decision.unwrap().unwrap_err().unknown
        };
        assert!(!decide([refused(false), refused(false), refused(false)]));
        assert!(decide([refused(false), refused(true), refused(false)]));
        assert!(decide([refused(false), applied(), refused(false)]));
    }

    #[test]
    fn a_deadline_leaves_the_outcome_unknown_and_names_the_silent() {
        let mut write = operation(3);
        write.on_answer(NodeId(1), applied(), 5);
        let failure = write.on_deadline();
        assert!(failure.unknown);
        assert!(failure.reason.contains("n2, n3"), "{}", failure.reason);
    }

    #[test]
    fn losing_to_a_newer_version_counts_as_stored() {
        let mut write = operation(1);
        let newer = crate::versioning::Stamp { time: 1, node: NodeId(2) };
        let answer = WriteAnswer { said: Said::Superseded(newer), may_have_applied: false };
        assert_eq!(write.on_answer(NodeId(2), answer, 5), Some(Ok(())));
    }
}
