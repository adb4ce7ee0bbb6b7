//! What a fault waits for instead of a time: one thing that is counted, and perhaps one that comes before.
//! What is refused is told with the field's path and, for a name, the nearest one that exists.

use super::super::contradiction::Contradiction;
use super::super::fault::{Action, FaultPlan, Times};
use super::super::link::Member;
use super::super::path::FieldPath;
use super::super::raw::{self, Text};
use super::super::trigger::{Event, Happening, Trigger};
use super::super::units;
use super::disk_faults::file_kind;
use super::{Checker, word};
use crate::world::FileOperation;
use ::cluster::world::NodeId;

const COUNT_MAX: u64 = 1_000_000_000;

const OF_OPERATIONS: &str = "it is about an `operation`";
const OF_MESSAGES: &str = "it is about a `message`";
const OF_NODES: &str = "a message has a sender and a receiver: say `from` and `to`";
const HEAL_OF_NOBODY: &str = "a heal concerns no node in particular";

impl Checker {
    pub(super) fn trigger(&mut self, raw: &raw::When, from_micros: u64, path: &FieldPath) -> Option<Trigger> {
        let what = match (&raw.operation, &raw.message, &raw.event) {
            (Some(_), None, None) => self.operation_of(raw)?,
            (None, Some(_), None) => self.message_of(raw),
            (None, None, Some(_)) => Happening::Event(self.event_of(raw)?),
            _ => {
                self.refuse(path.clone(), Contradiction::OneHappening);
                return None;
            }
        };
        let count = self.value(&raw.count, 1, |text| units::whole_number(text, 1, COUNT_MAX));
        let events = [("heal", Event::Heal), ("restart", Event::Restart { node: None })];
        let after = self.optional(&raw.after, |text| word(text, &events));
        Some(Trigger { what, count, after, from_micros })
    }

    fn operation_of(&mut self, raw: &raw::When) -> Option<Happening> {
        self.not_here(&[(&raw.from, "from", OF_MESSAGES), (&raw.to, "to", OF_MESSAGES)]);
        let operation = self.optional(&raw.operation, |text| {
            word(text, &FileOperation::ALL.map(|operation| (operation.name(), operation)))
        })?;
        Some(Happening::Operation {
            node: self.node_or_any(&raw.node),
            operation,
            file: self.optional(&raw.file, file_kind),
        })
    }

    fn message_of(&mut self, raw: &raw::When) -> Happening {
        self.not_here(&[(&raw.node, "node", OF_NODES), (&raw.file, "file", OF_OPERATIONS)]);
        Happening::Message {
            message: self.message(&raw.message),
            from: self.member_or_any(&raw.from),
            to: self.member_or_any(&raw.to),
        }
    }

    fn event_of(&mut self, raw: &raw::When) -> Option<Event> {
        let others =
            [(&raw.from, "from", OF_MESSAGES), (&raw.to, "to", OF_MESSAGES), (&raw.file, "file", OF_OPERATIONS)];
        self.not_here(&others);
        let is_restart = self.optional(&raw.event, |text| word(text, &[("heal", false), ("restart", true)]))?;
        if !is_restart {
            self.not_here(&[(&raw.node, "node", HEAL_OF_NOBODY)]);
            return Some(Event::Heal);
        }
        Some(Event::Restart { node: self.node_or_any(&raw.node) })
    }

    fn not_here(&mut self, fields: &[(&Option<Text>, &'static str, &'static str)]) {
        for (text, key, reason) in fields {
            if let Some(text) = text {
                self.refuse(text.path.clone(), Contradiction::MeansNothing { key, reason });
            }
        }
    }

    fn node_or_any(&mut self, raw: &Option<Text>) -> Option<NodeId> {
        raw.as_ref().filter(|text| text.text != "any").and_then(|text| self.node(text))
    }

    fn member_or_any(&mut self, raw: &Option<Text>) -> Option<Member> {
        raw.as_ref().filter(|text| text.text != "any").and_then(|text| self.member(text))
    }

    /// Refuses triggers that wait for what no other fault does. Judged only when every fault could be read.
    pub(super) fn events_happen(&mut self, read: &[(usize, FaultPlan)], count: usize) {
        if read.len() < count {
            return;
        }
        for (position, fault) in read {
            let Times::When(trigger) = fault.times else { continue };
            let waited = match trigger.what {
                Happening::Event(event) => Some(event),
                _ => None,
            };
            for event in waited.into_iter().chain(trigger.after) {
                let happens = read.iter().any(|(other, fault)| other != position && causes(&fault.action, event));
                if !happens {
                    let path = FieldPath::root().key("faults").index(*position).key("when");
                    self.refuse(path, Contradiction::EventNeverHappens { event: event.to_string() });
                }
            }
        }
    }
}

/// Whether a fault makes this happen when it ends.
fn causes(action: &Action, event: Event) -> bool {
    match event {
        Event::Heal => action.is_of_the_network(),
        Event::Restart { .. } => matches!(
            action,
            Action::Crash { .. } | Action::Wipe { .. } | Action::RestoreBackup { .. } | Action::RollingRestart { .. }
        ),
    }
}
