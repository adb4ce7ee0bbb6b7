//! The consistency report: for one operation, who was asked, who answered when with which version, what was repaired.
//!
//! It is filled while the operation runs and read by people (`stormglass get --report`), by the laboratory, and by anyone
//! who wants to know why an answer was what it was.

use std::collections::BTreeMap;

use crate::coordinator::Level;
use crate::versioning::Stamp;
use crate::wire;
use crate::world::NodeId;

/// What a replica said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Nothing, by the time the coordinator decided.
    Nothing,
    /// To a read: this version, or that it has none.
    Holds(Option<Stamp>),
    /// To a write: stored.
    Applied,
    /// To a write: a newer version is there, which the write lost to.
    Superseded(Stamp),
    /// It did not do it, and why.
    Refused(String),
}

/// One replica's part in an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it said.
    pub said: Said,
    /// When, in microseconds after the request's arrival at the coordinator; `None` while it has said nothing.
    pub after_micros: Option<u64>,
    /// Whether it was brought up to date before the client got its answer.
    pub repaired: bool,
}

/// The report of one operation on one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyReport {
    /// The level asked for.
    pub level: Level,
    /// How many replicas that needs.
    pub required: usize,
    /// Who coordinated.
    pub coordinator: NodeId,
    /// Every replica that was asked.
    pub answers: BTreeMap<NodeId, Answer>,
    /// From the request's arrival to the decision, in microseconds.
    pub took_micros: u64,
}

impl ConsistencyReport {
    /// A report of an operation that has asked `replicas` and heard nothing yet.
    pub fn new(coordinator: NodeId, level: Level, required: usize, replicas: &[NodeId]) -> Self {
        let silent = Answer { said: Said::Nothing, after_micros: None, repaired: false };
        let answers = replicas.iter().map(|replica| (*replica, silent.clone())).collect();
        Self { level, required, coordinator, answers, took_micros: 0 }
    }

    /// Notes what `node` said; later words of the same node do not change its first.
    pub(super) fn note(&mut self, node: NodeId, said: Said, after_micros: u64) {
        if let Some(answer) = self.answers.get_mut(&node)
            && answer.said == Said::Nothing
        {
            answer.said = said;
            answer.after_micros = Some(after_micros);
        }
    }

    pub(super) fn note_repaired(&mut self, node: NodeId) {
        if let Some(answer) = self.answers.get_mut(&node) {
            answer.repaired = true;
        }
    }

    /// The replicas that said nothing.
    pub fn silent(&self) -> Vec<NodeId> {
        self.answers.iter().filter(|(_, answer)| answer.said == Said::Nothing).map(|(node, _)| *node).collect()
    }

    /// The replicas that were brought up to date before the answer.
    pub fn repaired(&self) -> Vec<NodeId> {
        self.answers.iter().filter(|(_, answer)| answer.repaired).map(|(node, _)| *node).collect()
    }

    /// The report as a message.
    pub fn to_wire(&self) -> wire::Report {
        let asked = self.answers.iter().map(|(node, answer)| {
            let (said, version, reason) = match &answer.said {
                Said::Nothing => (0, None, String::new()),
                Said::Holds(version) => (1, *version, String::new()),
                Said::Applied => (2, None, String::new()),
                Said::Superseded(version) => (3, Some(*version), String::new()),
                Said::Refused(reason) => (4, None, reason.clone()),
            };
            wire::Asked {
                node: u32::from(node.0),
                after_micros: answer.after_micros,
                said,
                version: version.map(wire::Version::from),
                repaired: answer.repaired,
                reason,
            }
        });
        wire::Report {
            level: self.level.to_wire(),
            required: self.required as u32,
            coordinator: u32::from(self.coordinator.0),
            asked: asked.collect(),
            took_micros: self.took_micros,
        }
    }

    /// The report of a message; `None` when it holds numbers that no report has.
    pub fn from_wire(report: &wire::Report) -> Option<Self> {
        let mut answers = BTreeMap::new();
        for asked in &report.asked {
            let version = asked.version.map(Stamp::try_from).transpose().ok()?;
            let said = match asked.said {
                0 => Said::Nothing,
                1 => Said::Holds(version),
                2 => Said::Applied,
                3 => Said::Superseded(version?),
                4 => Said::Refused(asked.reason.clone()),
                _ => return None,
            };
            let node = NodeId(u16::try_from(asked.node).ok()?);
            answers.insert(node, Answer { said, after_micros: asked.after_micros, repaired: asked.repaired });
        }
        Some(Self {
            level: Level::from_wire(report.level).ok()?,
            required: report.required as usize,
            coordinator: NodeId(u16::try_from(report.coordinator).ok()?),
            answers,
            took_micros: report.took_micros,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_the_wire() {
        let nodes: Vec<NodeId> = (1..=5).map(NodeId).collect();
        let stamp = Stamp { time: 9 << 12, node: NodeId(2) };
        let mut report = ConsistencyReport::new(NodeId(1), Level::Quorum, 2, &nodes);
        report.note(NodeId(1), Said::Holds(Some(stamp)), 120);
        report.note(NodeId(2), Said::Superseded(stamp), 80);
        report.note(NodeId(3), Said::Refused("poisoned".to_string()), 81);
        report.note(NodeId(4), Said::Applied, 90);
        report.note_repaired(NodeId(4));
        assert_eq!(ConsistencyReport::from_wire(&report.to_wire()), Some(report.clone()));
        assert_eq!(report.silent(), [NodeId(5)]);
        assert_eq!(report.repaired(), [NodeId(4)]);
    }

    #[test]
    fn the_first_word_of_a_replica_stands() {
        let mut report = ConsistencyReport::new(NodeId(1), Level::Quorum, 2, &[NodeId(1)]);
        report.note(NodeId(1), Said::Applied, 10);
        report.note(NodeId(1), Said::Refused("late duplicate".to_string()), 20);
        assert_eq!(report.answers[&NodeId(1)].said, Said::Applied);
    }
}
