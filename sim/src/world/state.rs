//! Everything the sealed world knows, behind one lock that is never contended and never held across an await.
//!
//! ```text
//!   seat      a machine (or a client's): identity, clock, disk; survives crashes
//!   process   one incarnation running at a seat: inbox, tasks; a start makes a new one, a crash ends it for good
//! ```
//!
//! Every handle that code in the world holds names its process. A process that is dead stays dead: what it calls has no
//! effect and never completes, however late madsim drops its tasks.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use cluster::world::{NodeId, Peer};
use engine::world::Rng;
use madsim::runtime::{Handle, NodeHandle};
use madsim::task::NodeId as MadsimNodeId;

use super::clock::ClockState;
use super::counters::{Counters, SeatCounters};
use super::disk::Casualties;
use super::disk::file_system::FileSystem;
use super::events::{Action, Schedule};
use super::messages::MessageLog;
use super::network::NetworkState;
use super::trace::{Recording, Trace, WHO_CLIENT, WHO_LABORATORY};
use super::watch::Watches;

/// A seat's place in the state's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeatIndex(pub(super) u32);

/// A process's place in the state's table. Never used twice in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProcessIndex(pub(super) u32);

/// A machine, with what survives a crash of its process.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) peer: Peer,
    /// Where a client sits: its way to that node is short and sure.
    pub(super) near: Option<NodeId>,
    pub(super) clock: ClockState,
    pub(super) files: FileSystem,
    pub(super) counters: SeatCounters,
    /// The process that runs here now.
    pub(super) process: Option<ProcessIndex>,
    /// How many processes were started here.
    pub(super) starts: u64,
    /// Tasks of all processes ever started here that still exist.
    pub(super) tasks: BTreeMap<ProcessIndex, usize>,
    /// Who waits for tasks of dead processes to be dropped.
    pub(super) gone_waiters: Vec<Waker>,
}

/// One incarnation.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) seat: SeatIndex,
    pub(super) alive: bool,
    pub(super) inbox: VecDeque<(Peer, Bytes)>,
    pub(super) receiver: Option<Waker>,
    /// Where its tasks run; only for madsim's ears, never for the trace.
    pub(super) madsim: MadsimNodeId,
}

/// Everything there is in one run.
#[derive(Debug)]
pub(super) struct State {
    pub(super) schedule: Schedule,
    pub(super) trace: Trace,
    pub(super) counters: Counters,
    pub(super) network: NetworkState,
    /// Off unless somebody wants to draw them.
    pub(super) messages: MessageLog,
    pub(super) seats: Vec<Seat>,
    pub(super) peers: BTreeMap<Peer, SeatIndex>,
    pub(super) processes: Vec<Process>,
    pub(super) watches: Watches,
    /// The stream that every other stream of the run is forked from.
    pub(super) rng: Rng,
}

impl State {
    /// An empty world.
    pub(super) fn new(seed: u64, recording: Recording) -> Self {
        let rng = Rng::from_seed(seed);
        Self {
            schedule: Schedule::default(),
            trace: Trace::new(recording),
            counters: Counters::default(),
            network: NetworkState::new(rng.fork("network")),
            messages: MessageLog::default(),
            seats: Vec::new(),
            peers: BTreeMap::new(),
            processes: Vec::new(),
            watches: Watches::default(),
            rng,
        }
    }

    pub(super) fn now_micros(&self) -> u64 {
        self.schedule.now_micros()
    }

    pub(super) fn is_alive(&self, process: ProcessIndex) -> bool {
        self.processes[process.0 as usize].alive
    }

    pub(super) fn seat(&self, seat: SeatIndex) -> &Seat {
        &self.seats[seat.0 as usize]
    }

    pub(super) fn seat_mut(&mut self, seat: SeatIndex) -> &mut Seat {
        &mut self.seats[seat.0 as usize]
    }

    /// Folds an event of `peer` into the trace.
    #[inline]
    pub(super) fn record(&mut self, kind: &'static str, peer: Peer, words: &[u64]) {
        if self.messages.is_on() {
            self.messages.hear(self.schedule.now_micros(), kind, who(peer), words);
        }
        self.trace.record(self.schedule.now_micros(), kind, who(peer), words);
    }

    /// Folds an event of the laboratory itself into the trace.
    pub(super) fn record_laboratory(&mut self, kind: &'static str, words: &[u64]) {
        self.trace.record(self.schedule.now_micros(), kind, WHO_LABORATORY, words);
    }

    /// Sets up a machine. Each identity has one.
    pub(super) fn add_seat(
        &mut self,
        peer: Peer,
        near: Option<NodeId>,
        clock: ClockState,
        files: FileSystem,
    ) -> SeatIndex {
        let index = SeatIndex(u32::try_from(self.seats.len()).expect("fewer than four billion machines"));
        let earlier = self.peers.insert(peer, index);
        assert!(earlier.is_none(), "{peer} was set up twice");
        self.seats.push(Seat {
            peer,
            near,
            clock,
            files,
            counters: SeatCounters::default(),
            process: None,
            starts: 0,
            tasks: BTreeMap::new(),
            gone_waiters: Vec::new(),
        });
        index
    }

    /// Starts a process at a seat where none runs. Returns it, and how many were started there, this one included.
    pub(super) fn start_process(&mut self, seat: SeatIndex, madsim: MadsimNodeId) -> (ProcessIndex, u64) {
        let index = ProcessIndex(u32::try_from(self.processes.len()).expect("fewer than four billion processes"));
        self.processes.push(Process { seat, alive: true, inbox: VecDeque::new(), receiver: None, madsim });
        let place = self.seat_mut(seat);
        assert!(place.process.is_none(), "{} was started while it runs", place.peer);
        place.process = Some(index);
        place.starts += 1;
        let (peer, starts) = (place.peer, place.starts);
        self.counters.starts += 1;
        self.record("start", peer, &[starts]);
        (index, starts)
    }

    /// Ends the process at a seat, if one runs: from now on it has no effect on anything. The caller buries it outside
    /// the lock.
    pub(super) fn end_process(&mut self, seat: SeatIndex) -> Option<EndedProcess> {
        let now = self.now_micros();
        let place = self.seat_mut(seat);
        let index = place.process.take()?;
        let tasks = place.tasks.get(&index).map_or(0, |tasks| *tasks as u64);
        let bytes_unsynced = place.files.bytes_unsynced();
        place.files.process_died(now);
        let process = &mut self.processes[index.0 as usize];
        process.alive = false;
        let inbox = std::mem::take(&mut process.inbox);
        let receiver = process.receiver.take();
        let casualties = Casualties { tasks, frames_unread: inbox.len() as u64, bytes_unsynced };
        Some(EndedProcess { casualties, madsim: process.madsim, _inbox: inbox, _receiver: receiver })
    }

    /// Makes the next moment happen, and puts what it wakes into `wakers`. False when there is no next moment.
    pub(super) fn fire_next_moment(&mut self, wakers: &mut Vec<Waker>) -> bool {
        if self.schedule.advance().is_none() {
            return false;
        }
        while let Some(action) = self.schedule.pop_due() {
            match action {
                Action::Wake { slot } => {
                    self.counters.waits_over += 1;
                    wakers.extend(self.schedule.finish(slot));
                }
                Action::Deliver { flight } => wakers.extend(self.deliver(flight)),
                Action::Synced { seat, sync } => self.complete_sync(SeatIndex(seat), sync),
                Action::Watched { watch } => wakers.extend(self.watch_fired(watch)),
            }
        }
        true
    }
}

/// A process that has just ended, and what it leaves behind.
#[must_use = "an ended process is buried outside the lock"]
pub(super) struct EndedProcess {
    pub(super) casualties: Casualties,
    madsim: MadsimNodeId,
    _inbox: VecDeque<(Peer, Bytes)>,
    _receiver: Option<Waker>,
}

impl EndedProcess {
    /// Lets madsim mark its tasks; they are dropped when the executor next meets them.
    pub(super) fn bury(self) -> Casualties {
        Handle::current().kill(self.madsim);
        self.casualties
    }
}

/// The word that stands for someone in the trace.
pub(super) fn who(peer: Peer) -> u64 {
    match peer {
        Peer::Node(node) => u64::from(node.0),
        Peer::Client(client) => WHO_CLIENT | client.0,
    }
}

/// The state and its lock.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self { state: Mutex::new(state) }
    }

    /// The state. Never held across an await, nor while anything that a task owns is dropped.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock means that a task panicked, which ends the run anyway; whatever is dropped on the way out may
        // still look.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What every handle of one process shares.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) shared: Arc<Shared>,
    pub(super) process: ProcessIndex,
    pub(super) seat: SeatIndex,
    pub(super) peer: Peer,
    pub(super) rng: Rng,
    pub(super) madsim: Madsim,
}

/// madsim's node of a process.
pub(super) struct Madsim(pub(super) NodeHandle);

impl fmt::Debug for Madsim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NodeHandle")
    }
}
