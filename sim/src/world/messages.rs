//! The messages of a run, for whoever wants to draw them: who sent what to whom, when it arrived, or why it did not.
//!
//! ```text
//!   send     n1 ─▶ n2, hash     a new message, under way
//!   deliver  n2 ◀─ n1, hash     the oldest such one under way has arrived; a second time, it is a copy of its own
//!   drop     n1 ─▶ n2, hash     it was lost
//! ```
//!
//! It listens to the events that enter the trace, so that nothing else in the world knows of it, and it changes none. Only
//! what nodes say to each other is kept: what clients say is their operations. Off unless asked for.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use cluster::wire::{self, Body};

use super::trace::WHO_CLIENT;

/// A message between two nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenMessage {
    /// The sender's number.
    pub from: u16,
    /// The receiver's number.
    pub to: u16,
    /// What it was, in words.
    pub what: &'static str,
    /// When it was sent, in microseconds since the run began.
    pub sent_micros: u64,
    /// When it arrived or was lost; `None` while it is under way.
    pub ended_micros: Option<u64>,
    /// Why it was lost.
    pub lost: Option<&'static str>,
}

/// What was seen of the messages of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageLog {
    /// At most as many as asked for, in the order in which they were sent.
    pub messages: Vec<SeenMessage>,
    /// How many there were.
    pub total: u64,
    most: usize,
    /// The name of the frame that is being sent.
    naming: &'static str,
    under_way: BTreeMap<(u64, u64, u64), VecDeque<usize>>,
    /// The last one of each, for copies.
    last: BTreeMap<(u64, u64, u64), usize>,
}

impl MessageLog {
    /// Begins to keep messages, at most so many.
    pub(super) fn keep(&mut self, most: usize) {
        self.most = most;
    }

    /// Whether anything is kept.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.most > 0
    }

    /// Notes what the frame that is about to be sent says.
    pub(super) fn name(&mut self, frame: &Bytes) {
        self.naming = match wire::decode(frame.clone()) {
            Ok(message) => name(&message.body),
            Err(_) => "not a message",
        };
    }

    /// Hears an event of the trace.
    pub(super) fn hear(&mut self, micros: u64, kind: &str, who: u64, words: &[u64]) {
        let (Some(&other), Some(&hash)) = (words.first(), words.get(1)) else { return };
        if (who | other) & WHO_CLIENT != 0 || who == other {
            return;
        }
        match kind {
            "send" => self.sent((who, other, hash), micros),
            "deliver" => self.arrived((other, who, hash), micros),
            "drop" => self.was_lost((who, other, hash), micros, words.get(2).copied().unwrap_or(0)),
            _ => {}
        }
    }

    fn sent(&mut self, way: (u64, u64, u64), micros: u64) {
        self.total += 1;
        if self.messages.len() < self.most {
            let place = self.messages.len();
            let (from, to) = (way.0 as u16, way.1 as u16);
            let what = self.naming;
            self.messages.push(SeenMessage { from, to, what, sent_micros: micros, ended_micros: None, lost: None });
            self.under_way.entry(way).or_default().push_back(place);
            self.last.insert(way, place);
        }
    }

    fn arrived(&mut self, way: (u64, u64, u64), micros: u64) {
        let place = self.under_way.get_mut(&way).and_then(VecDeque::pop_front);
        match (place, self.last.get(&way)) {
            (Some(place), _) => self.messages[place].ended_micros = Some(micros),
            (None, Some(&last)) if self.messages.len() < self.most => {
                let copy = SeenMessage { ended_micros: Some(micros), lost: None, ..self.messages[last].clone() };
                self.messages.push(copy);
            }
            _ => {}
        }
    }

    fn was_lost(&mut self, way: (u64, u64, u64), micros: u64, reason: u64) {
        let Some(waiting) = self.under_way.get_mut(&way) else { return };
        // Lost as it was sent, it is the last one; lost on its way, the first one.
        let at_once = waiting.back().is_some_and(|place| self.messages[*place].sent_micros == micros);
        let place = if at_once { waiting.pop_back() } else { waiting.pop_front() };
        if let Some(place) = place {
            let message = &mut self.messages[place];
            message.ended_micros = Some(micros);
            message.lost = Some(match reason {
                super::network::DROP_LOSS => "lost by the link",
                super::network::DROP_PARTITION => "met a partition",
                super::network::DROP_DOWN => "nobody was running there",
                super::network::DROP_RULE => "dropped by a fault's rule",
                super::network::DROP_CORRUPT => "corrupted on its way, and refused",
                _ => "one end died",
            });
        }
    }
}

fn name(body: &Body) -> &'static str {
    match body {
        Body::ReplicaGet(_) => "replica get",
        Body::ReplicaPut(_) => "replica put",
        Body::ReplicaScan(_) => "replica scan",
        Body::ReplicaReply(_) => "replica reply",
        _ => "other message",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(most: usize) -> MessageLog {
        let mut log = MessageLog::default();
        log.keep(most);
        log
    }

    #[test]
    fn a_message_arrives_is_lost_or_is_still_under_way() {
        let mut log = log(10);
        log.hear(1, "send", 1, &[2, 7, 100]);
        log.hear(2, "send", 1, &[3, 8, 100]);
        log.hear(3, "send", 2, &[1, 9, 100]);
        log.hear(2, "drop", 1, &[3, 8, super::super::network::DROP_PARTITION]);
        log.hear(5, "deliver", 2, &[1, 7]);
        let seen: Vec<_> = log.messages.iter().map(|seen| (seen.sent_micros, seen.ended_micros, seen.lost)).collect();
        assert_eq!(seen, [(1, Some(5), None), (2, Some(2), Some("met a partition")), (3, None, None)]);
    }

    #[test]
    fn a_duplicate_arrives_as_a_message_of_its_own() {
        let mut log = log(10);
        log.hear(1, "send", 1, &[2, 7, 100]);
        log.hear(4, "deliver", 2, &[1, 7]);
        log.hear(9, "deliver", 2, &[1, 7]);
        assert_eq!(log.messages.iter().map(|seen| seen.ended_micros).collect::<Vec<_>>(), [Some(4), Some(9)]);
        assert_eq!(log.total, 1);
    }

    #[test]
    fn clients_are_left_out_and_no_more_is_kept_than_asked_for() {
        let mut log = log(1);
        log.hear(1, "send", WHO_CLIENT | 4, &[2, 7, 100]);
        log.hear(1, "send", 1, &[2, 7, 100]);
        log.hear(2, "send", 1, &[2, 8, 100]);
        log.hear(3, "deliver", 2, &[1, 8]);
        assert_eq!((log.messages.len(), log.total), (1, 2));
        assert_eq!(log.messages[0].ended_micros, None);
    }
}
