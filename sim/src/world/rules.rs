//! What the network does to certain frames while a rule is up: predicate (who, to whom, which message, how often) plus verdict.
//!
//! ```text
//!   drop       the frame is lost                     corrupt    the receiver's checksum refuses it: see below
//!   delay      it takes so much longer               clog       it waits until the rule is taken down, then it goes
//!   duplicate  it is sent once more                  pace       each way passes so many bytes a second, or one frame
//!   slow       its latency times a factor                       in so much time: the others wait in order
//!   half-open  it is lost, until either end restarts
//! ```
//!
//! A real frame carries a checksum, and a receiver that finds it wrong hangs up, for it no longer knows where the next frame
//! begins (`cluster::world::real::frame`). So damage never reaches a decoder here either: the frame is lost, and with it
//! what its sender put on the same way behind it. That a checksum misses one damage in four billion is not modelled; what
//! damaged bytes do to the decoder is tried in `cluster/tests/strange_messages.rs`.
//!
//! Rules draw from streams of their own. A frame meets every rule that is about it; those of one kind add up.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cluster::world::Peer;
use engine::world::Rng;

use super::events::Action;
use super::latency::Latency;
use super::network::NetworkControl;
use super::predicate::{Aim, Hit, MessageKind};
use super::state::{ProcessIndex, State};

/// A rule's number; never used twice in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleId(u64);

/// Which frames a rule is about, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRule {
    /// Senders; `None` for anyone.
    pub from: Option<BTreeSet<Peer>>,
    /// Receivers; `None` for anyone.
    pub to: Option<BTreeSet<Peer>>,
    /// Only this kind of message; `None` for every frame.
    pub message: Option<MessageKind>,
    /// How many of these.
    pub hit: Hit,
    /// What becomes of them.
    pub verdict: NetworkVerdict,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkVerdict {
    /// Lost.
    Drop,
    /// So much later.
    Delay(Latency),
    /// Twice.
    Duplicate,
    /// Damaged: the connection breaks at it.
    Corrupt,
    /// Held until the rule is taken down.
    Clog,
    /// Sent when what was sent before it on the same way has passed at this speed.
    BytesPerSecond(u64),
    /// Sent at least this long after the frame before it on the same way, in microseconds.
    EveryMicros(u64),
    /// So many times as long under way.
    Slow(u32),
    /// Lost while both ends are the processes that they were when the rule was put up.
    HalfOpen,
}

/// A rule in force.
#[derive(Debug)]
struct InForce {
    id: RuleId,
    rule: NetworkRule,
    aim: Aim,
    /// For each way, when it is free again.
    free_micros: BTreeMap<(Peer, Peer), u64>,
    /// Frames that wait for the rule's end: in the network's table of flights.
    held: Vec<(u32, u64)>,
    /// Who ran when it was put up.
    incarnations: BTreeMap<Peer, Option<ProcessIndex>>,
}

/// Every rule in force.
#[derive(Debug, Default)]
pub(super) struct Rules {
    in_force: Vec<InForce>,
    next: u64,
}

/// What the rules make of one frame.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fate {
    /// It is lost.
    pub(super) lost: bool,
    /// It arrives damaged.
    pub(super) damaged: bool,
    /// How many times more it is sent.
    pub(super) copies: u32,
    /// How much later it leaves.
    pub(super) later_micros: u64,
    /// Its latency is multiplied by this, if not 0.
    pub(super) slow_factor: u64,
    /// The rule that holds it.
    pub(super) held_by: Option<RuleId>,
}

impl Rules {
    pub(super) fn is_empty(&self) -> bool {
        self.in_force.is_empty()
    }

    /// What becomes of a frame that is sent now.
    pub(super) fn judge(
        &mut self,
        (from, sender): (Peer, ProcessIndex),
        (to, receiver): (Peer, Option<ProcessIndex>),
        frame: &Bytes,
        now_micros: u64,
    ) -> Fate {
        let mut fate = Fate::default();
        let names_kinds = self.in_force.iter().any(|one| one.rule.message.is_some());
        let kind = names_kinds.then(|| MessageKind::of_frame(frame)).flatten();
        for one in &mut self.in_force {
            let is_about = one.rule.from.as_ref().is_none_or(|senders| senders.contains(&from))
                && one.rule.to.as_ref().is_none_or(|receivers| receivers.contains(&to))
                && one.rule.message.is_none_or(|message| Some(message) == kind)
                && one.is_same_connection((from, sender), (to, receiver));
            if !is_about || !one.aim.strikes() {
                continue;
            }
            match one.rule.verdict {
                NetworkVerdict::Drop | NetworkVerdict::HalfOpen => fate.lost = true,
                NetworkVerdict::Corrupt => fate.damaged = true,
                NetworkVerdict::Duplicate => fate.copies += 1,
                NetworkVerdict::Slow(factor) => fate.slow_factor = fate.slow_factor.max(1) * u64::from(factor),
                NetworkVerdict::Delay(latency) => fate.later_micros += one.aim.latency(latency),
                NetworkVerdict::Clog => fate.held_by = Some(one.id),
                NetworkVerdict::BytesPerSecond(speed) => {
                    let takes = (frame.len() as u64).saturating_mul(1_000_000).div_ceil(speed.max(1));
                    fate.later_micros += one.queue((from, to), now_micros, takes);
                }
                NetworkVerdict::EveryMicros(every) => {
                    fate.later_micros += one.queue((from, to), now_micros, every);
                }
            }
        }
        fate
    }

    /// Lets a frame wait for a rule's end; it then takes `latency_micros`.
    pub(super) fn hold(&mut self, id: RuleId, flight: u32, latency_micros: u64) {
        let rule = self.in_force.iter_mut().find(|one| one.id == id).expect("a rule that holds a frame is in force");
        rule.held.push((flight, latency_micros));
    }
}

impl InForce {
    /// False for a frame of a connection that a half-open link has never had.
    fn is_same_connection(
        &self,
        (from, sender): (Peer, ProcessIndex),
        (to, receiver): (Peer, Option<ProcessIndex>),
    ) -> bool {
        if self.rule.verdict != NetworkVerdict::HalfOpen {
            return true;
        }
        let was = |peer| self.incarnations.get(&peer).copied().flatten();
        was(from) == Some(sender) && receiver.is_some() && was(to) == receiver
    }

    /// Puts a frame behind those before it on its way; returns how long it waits until it has passed.
    fn queue(&mut self, way: (Peer, Peer), now_micros: u64, takes_micros: u64) -> u64 {
        let free = self.free_micros.entry(way).or_insert(0);
        *free = (*free).max(now_micros).saturating_add(takes_micros);
        *free - now_micros
    }
}

impl Aim {
    fn latency(&mut self, latency: Latency) -> u64 {
        latency.draw(self.stream())
    }
}

impl State {
    fn put_up(&mut self, rule: NetworkRule, rng: Rng) -> RuleId {
        let id = RuleId(self.network.rules.next);
        self.network.rules.next += 1;
        let incarnations = self.peers.iter().map(|(peer, seat)| (*peer, self.seat(*seat).process)).collect();
        self.record_laboratory("rule", &[id.0]);
        let aim = Aim::new(rule.hit, rng);
        let in_force = InForce { id, rule, aim, free_micros: BTreeMap::new(), held: Vec::new(), incarnations };
        self.network.rules.in_force.push(in_force);
        id
    }

    fn take_down(&mut self, id: RuleId) -> u64 {
        let rules = &mut self.network.rules.in_force;
        let Some(place) = rules.iter().position(|one| one.id == id) else { return 0 };
        let ended = rules.remove(place);
        self.record_laboratory("rule ends", &[id.0]);
        for (flight, latency_micros) in ended.held {
            let due = self.now_micros().saturating_add(latency_micros);
            self.schedule.push(due, Action::Deliver { flight });
        }
        ended.aim.struck
    }
}

impl NetworkControl {
    /// Puts up a rule for frames sent from now on; `rng` is what it draws from.
    pub fn put_up(&self, rule: NetworkRule, rng: Rng) -> RuleId {
        self.shared.lock().put_up(rule, rng)
    }

    /// Takes a rule down, and lets go what it held. Returns how many frames it struck.
    pub fn take_down(&self, id: RuleId) -> u64 {
        self.shared.lock().take_down(id)
    }
}
