//! Faults of the network: certain messages, whole ways, and partitions of special shapes.
//! What is refused is told with the field's path and, for a name, the nearest one that exists.

use super::super::contradiction::Contradiction;
use super::super::errors::Flaw;
use super::super::fault::{Action, MessageVerdict, WayVerdict};
use super::super::link::{Latency, Member};
use super::super::path::FieldPath;
use super::super::raw::{self, Text, TextOrList};
use super::super::units::{self, TimeRange};
use super::{Checker, positive_time, word};
use crate::world::MessageKind;

const BRIDGE_NODES_LEAST: u16 = 3;
const RING_NODES_LEAST: u16 = 4;
const FLAP_MICROS_LEAST: u64 = 1_000;
const FLAP_DEFAULT: TimeRange = TimeRange { least_micros: 200_000, most_micros: 200_000 };

const ONLY_DELAY: &str = "only `delay` makes messages later";
const ONLY_CAPACITY: &str = "only `capacity` counts bytes";
const ONLY_DRIP: &str = "only `drip` counts frames";

impl Checker {
    /// The action of a fault that has one of those read here.
    pub(super) fn network_action(&mut self, raw: &raw::Fault, path: &FieldPath) -> Option<Action> {
        if let Some(messages) = &raw.delay {
            if messages.latency.is_none() {
                let purpose = "how much later, as in 100ms";
                self.refuse(path.clone(), Flaw::Missing { key: "latency", purpose });
            }
            let latency = self.latency(&messages.latency, &path.key("latency"));
            let latency = latency.unwrap_or(Latency { median_micros: 0, p99_micros: 0 });
            return Some(self.messages(messages, MessageVerdict::Delay(latency), path));
        }
        let others = [
            (&raw.drop, MessageVerdict::Drop),
            (&raw.duplicate, MessageVerdict::Duplicate),
            (&raw.corrupt, MessageVerdict::Corrupt),
        ];
        for (messages, verdict) in others {
            let Some(messages) = messages else { continue };
            if messages.latency.is_some() {
                let key = "latency";
                self.refuse(path.key(key), Contradiction::MeansNothing { key, reason: ONLY_DELAY });
            }
            return Some(self.messages(messages, verdict, path));
        }
        self.way_action(raw, path).or_else(|| self.shape_action(raw, path))
    }

    fn messages(&mut self, raw: &raw::Messages, verdict: MessageVerdict, path: &FieldPath) -> Action {
        Action::Messages {
            verdict,
            message: self.message(&raw.message),
            from: self.members_or_any(&raw.from, &path.key("from")),
            to: self.members_or_any(&raw.to, &path.key("to")),
            hit: self.hit(&raw.share, &raw.nth, &raw.count, path),
        }
    }

    /// A kind of message; `None` for any.
    pub(super) fn message(&mut self, raw: &Option<Text>) -> Option<MessageKind> {
        let mut kinds: Vec<(&'static str, Option<MessageKind>)> =
            MessageKind::ALL.iter().map(|kind| (kind.name(), Some(*kind))).collect();
        kinds.push(("any", None));
        self.value(raw, None, |text| word(text, &kinds))
    }

    /// Who is named; empty for anyone.
    fn members_or_any(&mut self, raw: &Option<TextOrList>, path: &FieldPath) -> Vec<Member> {
        match raw {
            None => Vec::new(),
            Some(TextOrList::Text(text)) if text.text == "any" => Vec::new(),
            Some(TextOrList::Text(text)) => self.member(text).into_iter().collect(),
            Some(TextOrList::List(texts)) => {
                self.groups(&[(texts, path.clone())]).into_iter().next().unwrap_or_default()
            }
        }
    }

    fn way_action(&mut self, raw: &raw::Fault, path: &FieldPath) -> Option<Action> {
        let ways = [(&raw.clog, 0), (&raw.half_open, 1), (&raw.capacity, 2), (&raw.drip, 3)];
        let (way, which) = ways.iter().find_map(|(way, which)| Some((way.as_ref()?, *which)))?;
        for (text, key, its_own, reason) in
            [(&way.bytes_per_second, "bytes_per_second", 2, ONLY_CAPACITY), (&way.every, "every", 3, ONLY_DRIP)]
        {
            if let Some(text) = text.as_ref().filter(|_| which != its_own) {
                self.refuse(text.path.clone(), Contradiction::MeansNothing { key, reason });
            }
        }
        let verdict = match which {
            0 => WayVerdict::Clog,
            1 => WayVerdict::HalfOpen,
            2 => WayVerdict::Capacity { bytes_per_second: self.speed(&way.bytes_per_second, path) },
            _ => {
                if way.every.is_none() {
                    let purpose = "in what time one frame passes, as in 20ms";
                    self.refuse(path.clone(), Flaw::Missing { key: "every", purpose });
                }
                WayVerdict::Drip { every_micros: self.value(&way.every, 1, positive_time) }
            }
        };
        let (from, to) = self.senders_and_receivers(&way.from, &way.to, path);
        Some(Action::Way { verdict, from, to })
    }

    /// Partitions of special shapes.
    fn shape_action(&mut self, raw: &raw::Fault, path: &FieldPath) -> Option<Action> {
        if let Some(bridge) = &raw.bridge {
            self.nodes_at_least(BRIDGE_NODES_LEAST, "a bridge", path);
            return Some(Action::Bridge { node: self.node_choice(&bridge.node, path) });
        }
        if raw.majorities_ring.is_some() {
            self.nodes_at_least(RING_NODES_LEAST, "a ring of majorities", path);
            return Some(Action::MajoritiesRing);
        }
        let flapping = raw.flapping.as_ref()?;
        let groups = self.partition(flapping.groups.as_deref().unwrap_or_default(), &path.key("groups"));
        let mut flap = |raw: &Option<Text>| {
            self.value(raw, FLAP_DEFAULT, |text| {
                let range = units::time_range(text)?;
                let most = units::TIME_MICROS_MAX;
                units::within_bounds(text, range.least_micros, FLAP_MICROS_LEAST, most, units::time_text)?;
                Ok(range)
            })
        };
        let (cut, whole) = (flap(&flapping.cut), flap(&flapping.whole));
        Some(Action::Flapping { groups, cut, whole })
    }

    fn nodes_at_least(&mut self, least: u16, what: &'static str, path: &FieldPath) {
        if self.node_count < least {
            self.refuse(path.clone(), Contradiction::TooFewNodes { what, least });
        }
    }
}
