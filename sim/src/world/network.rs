//! The simulated network: frames that are lost, delayed, doubled, overtaken and cut off, each by its link's own settings.
//!
//! ```text
//!   send ──▶ loss? ──▶ partition? ──▶ anyone there? ──▶ copies, each with its own latency ──▶ heap
//!   due  ──▶ both ends still the same incarnations? ──▶ partition? ──▶ inbox ──▶ recv
//! ```
//!
//! Frames overtake each other because every one draws its own latency. A frame belongs to the two incarnations it was
//! sent between, as on a connection: when either dies, it is gone. A partition is judged twice, when the frame is sent and
//! when it should arrive. What a node sends to itself always arrives, soon. Nobody is ever told.
//!
//! What else can become of a frame (damage, delay, a clogged or narrow way, and which frames it becomes of) is in `rules`;
//! while none is up, none is asked. Not modelled: bounded queues.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Poll, Waker};

use bytes::Bytes;
use cluster::world::{MAX_FRAME_BYTES, Network, Peer};
use engine::world::Rng;
use xxhash_rust::xxh3::xxh3_64;

use super::events::Action;
use super::latency::Latency;
use super::rules::{Fate, Rules};
use super::state::{Identity, ProcessIndex, SeatIndex, Shared, State, who};

const MILLION: u64 = 1_000_000;

/// How long a frame takes from a process to itself.
const LOOPBACK_MICROS: u64 = 5;

/// How one direction between two processes behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkSettings {
    /// How long a frame takes, each drawn anew.
    pub latency: Latency,
    /// Frames lost, in parts per million.
    pub loss_ppm: u32,
    /// Frames that arrive twice, in parts per million.
    pub duplicate_ppm: u32,
}

impl LinkSettings {
    /// A link that loses and doubles nothing.
    pub const fn reliable(latency: Latency) -> Self {
        Self { latency, loss_ppm: 0, duplicate_ppm: 0 }
    }
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self::reliable(Latency::quantiles(500, 5_000))
    }
}

/// A partition in force, or once in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(u64);

/// Directions in which frames do not arrive: from anyone of the first set to anyone of the second.
#[derive(Debug)]
struct Partition {
    ways: Vec<(BTreeSet<Peer>, BTreeSet<Peer>)>,
    active: bool,
    met: u64,
}

impl Partition {
    fn stands_between(&self, from: Peer, to: Peer) -> bool {
        self.active && self.ways.iter().any(|(senders, receivers)| senders.contains(&from) && receivers.contains(&to))
    }
}

/// Settings of one direction between two, and how many frames were sent under them.
#[derive(Debug)]
struct LinkOverride {
    settings: LinkSettings,
    met: u64,
}

/// A frame under way.
#[derive(Debug)]
struct Flight {
    from: Peer,
    sender: ProcessIndex,
    to: Peer,
    receiver: ProcessIndex,
    frame: Bytes,
    frame_hash: u64,
    /// Frames are numbered in the order in which they were sent.
    number: u64,
    /// The receiver's checksum will refuse it.
    damaged: bool,
    /// Its connection broke under way.
    reset: bool,
}

/// The network's part of the state.
#[derive(Debug)]
pub(super) struct NetworkState {
    rng: Rng,
    default_link: LinkSettings,
    near_link: LinkSettings,
    overrides: BTreeMap<(Peer, Peer), LinkOverride>,
    partitions: Vec<Partition>,
    partitions_active: usize,
    flights: Vec<Option<Flight>>,
    free_flights: Vec<u32>,
    frames_sent: u64,
    pub(super) rules: Rules,
}

impl NetworkState {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            rng,
            default_link: LinkSettings::default(),
            near_link: LinkSettings::reliable(Latency::fixed(50)),
            overrides: BTreeMap::new(),
            partitions: Vec::new(),
            partitions_active: 0,
            flights: Vec::new(),
            free_flights: Vec::new(),
            frames_sent: 0,
            rules: Rules::default(),
        }
    }

    /// Whether a partition stands between the two; every one that does counts the frame.
    fn meets_partition(&mut self, from: Peer, to: Peer) -> bool {
        if self.partitions_active == 0 {
            return false;
        }
        let mut met = false;
        for partition in &mut self.partitions {
            if partition.stands_between(from, to) {
                partition.met += 1;
                met = true;
            }
        }
        met
    }

    fn board(&mut self, flight: Flight) -> u32 {
        let free = self.free_flights.pop();
        let index = free.unwrap_or_else(|| {
            self.flights.push(None);
            u32::try_from(self.flights.len() - 1).expect("fewer than four billion frames in flight")
        });
        self.flights[index as usize] = Some(flight);
        index
    }

    fn land(&mut self, index: u32) -> Flight {
        self.free_flights.push(index);
        self.flights[index as usize].take().expect("a frame lands once")
    }

    fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.rng.chance(u64::from(ppm), MILLION)
    }

    /// The connection breaks at a damaged frame: what its sender sent on the same way behind it is lost as well.
    fn reset_behind(&mut self, damaged: &Flight) {
        for flight in self.flights.iter_mut().flatten() {
            let is_same_way = (flight.sender, flight.receiver) == (damaged.sender, damaged.receiver);
            flight.reset |= is_same_way && flight.number > damaged.number;
        }
    }
}

/// Why a frame did not arrive, as it stands in the trace.
pub(super) const DROP_LOSS: u64 = 1;
pub(super) const DROP_PARTITION: u64 = 2;
pub(super) const DROP_DOWN: u64 = 3;
const DROP_RESET: u64 = 4;
pub(super) const DROP_RULE: u64 = 5;
pub(super) const DROP_CORRUPT: u64 = 6;

impl State {
    fn link(&mut self, from: SeatIndex, to_peer: Peer, to: Option<SeatIndex>) -> LinkSettings {
        let from_peer = self.seat(from).peer;
        if let Some(special) = self.network.overrides.get_mut(&(from_peer, to_peer)) {
            special.met += 1;
            return special.settings;
        }
        let is_near = |seat: SeatIndex, other: Peer| self.seat(seat).near.is_some_and(|near| Peer::Node(near) == other);
        if is_near(from, to_peer) || to.is_some_and(|to| is_near(to, from_peer)) {
            return self.network.near_link;
        }
        self.network.default_link
    }

    fn send(&mut self, identity: &Identity, to: Peer, frame: Bytes) {
        let from = identity.peer;
        let frame_hash = xxh3_64(&frame);
        self.counters.messages_sent += 1;
        self.seat_mut(identity.seat).counters.messages_sent += 1;
        if self.messages.is_on() {
            self.messages.name(&frame);
        }
        self.record("send", from, &[who(to), frame_hash, frame.len() as u64]);
        self.watch_message(from, to, &frame);
        let to_seat = self.peers.get(&to).copied();
        let receiver = to_seat.and_then(|seat| self.seat(seat).process);
        self.network.frames_sent += 1;
        let number = self.network.frames_sent;
        let (sender, reset) = (identity.process, false);
        let board = |state: &mut Self, receiver, damaged| {
            let frame = frame.clone();
            state.network.board(Flight { from, sender, to, receiver, frame, frame_hash, number, damaged, reset })
        };
        if from == to {
            let flight = board(self, sender, false);
            let due = self.now_micros().saturating_add(LOOPBACK_MICROS);
            self.schedule.push(due, Action::Deliver { flight });
            return;
        }
        let link = self.link(identity.seat, to, to_seat);
        if self.network.chance(link.loss_ppm) {
            return self.drop_frame(DROP_LOSS, from, to, frame_hash);
        }
        if self.network.meets_partition(from, to) {
            return self.drop_frame(DROP_PARTITION, from, to, frame_hash);
        }
        let fate = self.fate((from, sender), (to, receiver), &frame);
        if fate.lost {
            return self.drop_frame(DROP_RULE, from, to, frame_hash);
        }
        let Some(receiver) = receiver else {
            return self.drop_frame(DROP_DOWN, from, to, frame_hash);
        };
        let copies = fate.copies + if self.network.chance(link.duplicate_ppm) { 2 } else { 1 };
        for _ in 0..copies {
            let latency_micros = link.latency.draw(&mut self.network.rng).saturating_mul(fate.slow_factor.max(1));
            let flight = board(self, receiver, fate.damaged);
            match fate.held_by {
                Some(rule) => self.network.rules.hold(rule, flight, latency_micros),
                None => {
                    let due = self.now_micros().saturating_add(fate.later_micros).saturating_add(latency_micros);
                    self.schedule.push(due, Action::Deliver { flight });
                }
            }
        }
        if copies > 1 {
            self.counters.messages_duplicated += u64::from(copies) - 1;
            self.record("duplicate", from, &[who(to), frame_hash]);
        }
    }

    /// What the rules in force make of a frame.
    fn fate(&mut self, sender: (Peer, ProcessIndex), receiver: (Peer, Option<ProcessIndex>), frame: &Bytes) -> Fate {
        if self.network.rules.is_empty() {
            return Fate::default();
        }
        let now = self.now_micros();
        self.network.rules.judge(sender, receiver, frame, now)
    }

    fn drop_frame(&mut self, reason: u64, from: Peer, to: Peer, frame_hash: u64) {
        let counter = match reason {
            DROP_LOSS => &mut self.counters.dropped_loss,
            DROP_PARTITION => &mut self.counters.dropped_partition,
            DROP_DOWN => &mut self.counters.dropped_down,
            DROP_RULE => &mut self.counters.dropped_rule,
            DROP_CORRUPT => &mut self.counters.dropped_corrupt,
            _ => &mut self.counters.dropped_reset,
        };
        *counter += 1;
        self.record("drop", from, &[who(to), frame_hash, reason]);
    }

    /// Lets a frame arrive, if it may; hands out the waker of whoever waits for it.
    pub(super) fn deliver(&mut self, flight: u32) -> Option<Waker> {
        let flight = self.network.land(flight);
        if !self.is_alive(flight.sender) || !self.is_alive(flight.receiver) {
            self.drop_frame(DROP_RESET, flight.from, flight.to, flight.frame_hash);
            return None;
        }
        if flight.from != flight.to && self.network.meets_partition(flight.from, flight.to) {
            self.drop_frame(DROP_PARTITION, flight.from, flight.to, flight.frame_hash);
            return None;
        }
        if flight.reset {
            self.drop_frame(DROP_RESET, flight.from, flight.to, flight.frame_hash);
            return None;
        }
        if flight.damaged {
            self.network.reset_behind(&flight);
            self.drop_frame(DROP_CORRUPT, flight.from, flight.to, flight.frame_hash);
            return None;
        }
        self.counters.messages_delivered += 1;
        self.record("deliver", flight.to, &[who(flight.from), flight.frame_hash]);
        let receiver = &mut self.processes[flight.receiver.0 as usize];
        receiver.inbox.push_back((flight.from, flight.frame));
        let (seat, waker) = (receiver.seat, receiver.receiver.take());
        self.seat_mut(seat).counters.messages_delivered += 1;
        waker
    }
}

/// A process's end of the network.
#[derive(Debug, Clone)]
pub struct SimulatedNetwork {
    identity: Arc<Identity>,
}

impl SimulatedNetwork {
    pub(super) fn new(identity: Arc<Identity>) -> Self {
        Self { identity }
    }
}

impl Network for SimulatedNetwork {
    fn identity(&self) -> Peer {
        self.identity.peer
    }

    fn send(&self, to: Peer, frame: Bytes) {
        assert!(frame.len() <= MAX_FRAME_BYTES, "a frame of {} bytes was sent; the limit is known", frame.len());
        let mut state = self.identity.shared.lock();
        if state.is_alive(self.identity.process) {
            state.send(&self.identity, to, frame);
        }
    }

    fn recv(&self) -> impl Future<Output = (Peer, Bytes)> + Send {
        poll_fn(move |context| {
            let mut state = self.identity.shared.lock();
            let process = &mut state.processes[self.identity.process.0 as usize];
            if !process.alive {
                return Poll::Pending;
            }
            if let Some(arrived) = process.inbox.pop_front() {
                return Poll::Ready(arrived);
            }
            let outdated = process.receiver.replace(context.waker().clone());
            drop(state);
            drop(outdated);
            Poll::Pending
        })
    }
}

/// The laboratory's hand on the network. Changes hold for frames sent from now on; partitions also for frames under way.
#[derive(Debug, Clone)]
pub struct NetworkControl {
    pub(super) shared: Arc<Shared>,
}

impl NetworkControl {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Settings of every link that has none of its own.
    pub fn default_link(&self) -> LinkSettings {
        self.shared.lock().network.default_link
    }

    /// Sets what links without settings of their own do.
    pub fn set_default_link(&self, settings: LinkSettings) {
        self.shared.lock().network.default_link = settings;
    }

    /// Sets what the ways between a client and the node it sits at do, in both directions. Reliable and 50 microseconds
    /// unless set.
    pub fn set_near_link(&self, settings: LinkSettings) {
        self.shared.lock().network.near_link = settings;
    }

    /// Gives one direction between two its own settings; returns those it had of its own.
    pub fn set_link(&self, from: Peer, to: Peer, settings: LinkSettings) -> Option<LinkSettings> {
        let mut state = self.shared.lock();
        let met = state.network.overrides.get(&(from, to)).map_or(0, |special| special.met);
        let earlier = state.network.overrides.insert((from, to), LinkOverride { settings, met });
        earlier.map(|special| special.settings)
    }

    /// Lets one direction between two follow the default again. Returns how many frames were sent under its own settings.
    pub fn clear_link(&self, from: Peer, to: Peer) -> u64 {
        self.shared.lock().network.overrides.remove(&(from, to)).map_or(0, |special| special.met)
    }

    /// Stops every frame from one of `from` to one of `to`, until [`NetworkControl::unblock`]. Blocks may overlap: a frame
    /// passes when none of them stands in its way.
    pub fn block(&self, from: &[Peer], to: &[Peer]) -> PartitionId {
        self.add_partition(vec![(from.iter().copied().collect(), to.iter().copied().collect())])
    }

    /// Stops every frame between two different groups, both ways. Who is in no group is cut off from nobody.
    pub fn split(&self, groups: &[Vec<Peer>]) -> PartitionId {
        let groups: Vec<BTreeSet<Peer>> = groups.iter().map(|group| group.iter().copied().collect()).collect();
        let mut ways = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let others = groups.iter().enumerate().filter(|(other, _)| *other != index);
            ways.push((group.clone(), others.flat_map(|(_, other)| other.iter().copied()).collect()));
        }
        self.add_partition(ways)
    }

    fn add_partition(&self, ways: Vec<(BTreeSet<Peer>, BTreeSet<Peer>)>) -> PartitionId {
        let mut state = self.shared.lock();
        let id = PartitionId(state.network.partitions.len() as u64);
        let mut words = vec![id.0];
        for (from, to) in &ways {
            words.extend([from.len() as u64, to.len() as u64]);
            words.extend(from.iter().chain(to).map(|peer| who(*peer)));
        }
        state.record_laboratory("block", &words);
        state.network.partitions.push(Partition { ways, active: true, met: 0 });
        state.network.partitions_active += 1;
        id
    }

    /// Ends a block. Returns how many frames met it.
    pub fn unblock(&self, id: PartitionId) -> u64 {
        let mut state = self.shared.lock();
        let partition = &mut state.network.partitions[id.0 as usize];
        let met = partition.met;
        if std::mem::replace(&mut partition.active, false) {
            state.network.partitions_active -= 1;
            state.record_laboratory("unblock", &[id.0]);
        }
        met
    }

    /// How many frames have met a block so far, also after it ended.
    pub fn frames_blocked(&self, id: PartitionId) -> u64 {
        self.shared.lock().network.partitions[id.0 as usize].met
    }
}
