//! The laboratory inside a run: whoever holds it sets up machines and clients, sees true time, and does things to them.
//!
//! ```text
//!   Laboratory ──▶ node(n1) ──▶ start, kill, power_loss, pause, clock, disk
//!              ├─▶ client(c1, near n1)
//!              ├─▶ network() ──▶ links, blocks
//!              └─▶ now_micros, sleep_until_micros, rng, trace, counters
//! ```
//!
//! Its own tasks run on no machine, so nothing that happens to a machine happens to them.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use cluster::world::{ClientId, NodeId, Peer};
use engine::world::Rng;
use madsim::runtime::{Handle, NodeHandle};

use super::clock::ClockState;
use super::counters::Counters;
use super::disk::DiskSettings;
use super::disk::file_system::FileSystem;
use super::events::{Wait, drive};
use super::messages::MessageLog;
use super::network::NetworkControl;
use super::node::{ClientWorld, NodeSettings, NodeWorld, SimulatedNode};
use super::state::{SeatIndex, Shared};
use super::tasks::{SimulatedTask, count_spawn};
use super::trace::TraceHash;
use super::watch::{Mark, Watch, WatchHandle};

/// A machine has been up for at most this long when a run begins: its `now` starts anywhere below.
const UPTIME_NANOS: u64 = 3_600_000_000_000;

/// The stream that all streams of the laboratory of this run are forked from, for whoever must know beforehand what a run
/// will draw.
pub fn laboratory_rng(seed: u64) -> Rng {
    of_laboratory(&Rng::from_seed(seed))
}

fn of_laboratory(run: &Rng) -> Rng {
    run.fork("laboratory")
}

/// The hand that holds the sealed world. Cheap to clone.
#[derive(Clone)]
pub struct Laboratory {
    shared: Arc<Shared>,
    bench: NodeHandle,
}

impl fmt::Debug for Laboratory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Laboratory")
    }
}

impl Laboratory {
    /// Opens the laboratory, within a madsim runtime, and sets time going.
    pub(super) fn open(shared: Arc<Shared>) -> Self {
        let bench = Handle::current().create_node().name("laboratory").build();
        bench.spawn(drive(Arc::clone(&shared)));
        Self { shared, bench }
    }

    /// Ends every process and every task of the laboratory, time included. They are dropped when madsim next looks.
    pub(super) fn close(&self) {
        let ended: Vec<_> = {
            let mut state = self.shared.lock();
            let seats = u32::try_from(state.seats.len()).expect("seats are numbered by 32 bits");
            (0..seats).filter_map(|seat| state.end_process(SeatIndex(seat))).collect()
        };
        for process in ended {
            process.bury();
        }
        Handle::current().kill(self.bench.id());
    }

    /// True virtual time since the run began, in microseconds.
    pub fn now_micros(&self) -> u64 {
        self.shared.lock().now_micros()
    }

    /// Waits until true virtual time has reached `micros`.
    pub fn sleep_until_micros(&self, micros: u64) -> impl Future<Output = ()> + Send + use<> {
        Wait::until(&self.shared, None, micros)
    }

    /// Waits for `micros` of true virtual time.
    pub fn sleep_micros(&self, micros: u64) -> impl Future<Output = ()> + Send + use<> {
        Wait::until(&self.shared, None, self.now_micros().saturating_add(micros))
    }

    /// The run's random stream for the purpose that `label` names.
    pub fn rng(&self, label: &str) -> Rng {
        of_laboratory(&self.shared.lock().rng).fork(label)
    }

    /// Folds an event of the laboratory's own (a client's operation, a fault) into the trace.
    pub fn trace(&self, kind: &'static str, words: &[u64]) {
        self.shared.lock().record_laboratory(kind, words);
    }

    /// Begins to keep the messages between nodes, at most so many. It changes nothing that happens.
    pub fn keep_messages(&self, most: usize) {
        self.shared.lock().messages.keep(most);
    }

    /// Takes the messages that were kept.
    pub fn take_messages(&self) -> MessageLog {
        std::mem::take(&mut self.shared.lock().messages)
    }

    /// The hash of everything that has happened so far.
    pub fn trace_hash(&self) -> TraceHash {
        self.shared.lock().trace.hash()
    }

    /// The last events as text, oldest first; empty unless the run was asked to keep them.
    pub fn trace_tail(&self) -> Vec<String> {
        self.shared.lock().trace.tail()
    }

    /// Runs a future concurrently, on no machine.
    pub fn spawn<F>(&self, future: F) -> SimulatedTask<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        count_spawn(&self.shared);
        SimulatedTask::new(self.bench.spawn(future))
    }

    /// Sets up a machine; nothing runs on it yet. Panics when it was set up before.
    pub fn node(&self, id: NodeId, settings: NodeSettings) -> SimulatedNode {
        let mut state = self.shared.lock();
        let zero_nanos = state.rng.fork("uptime").fork(&id.to_string()).below(UPTIME_NANOS);
        let clock = ClockState::new(zero_nanos, settings.skew_micros, settings.drift_ppm);
        let files = FileSystem::new(settings.disk, state.rng.fork("disk").fork(&id.to_string()));
        let seat = state.add_seat(Peer::Node(id), None, clock, files);
        drop(state);
        SimulatedNode::new(Arc::clone(&self.shared), seat)
    }

    /// Starts a client. When it sits `near` a node, the ways between the two are the network's near link. Panics when
    /// there was a client of that name before: two runs of a client are two clients.
    pub fn client(&self, id: ClientId, near: Option<NodeId>) -> ClientWorld {
        let mut state = self.shared.lock();
        let clock = ClockState::new(0, 0, 0);
        let files = FileSystem::new(DiskSettings::default(), state.rng.fork("disk").fork(&id.to_string()));
        let seat = state.add_seat(Peer::Client(id), near, clock, files);
        drop(state);
        NodeWorld::start(&self.shared, seat)
    }

    /// Ends a client: its tasks, and whatever is on its way to or from it. Nothing when there is none.
    pub fn end_client(&self, id: ClientId) {
        let ended = {
            let mut state = self.shared.lock();
            let seat = state.peers.get(&Peer::Client(id)).copied();
            seat.and_then(|seat| state.end_process(seat))
        };
        if let Some(ended) = ended {
            ended.bury();
        }
    }

    /// The network.
    pub fn network(&self) -> NetworkControl {
        NetworkControl::new(Arc::clone(&self.shared))
    }

    /// Sets a trigger, which counts from now on.
    pub fn watch(&self, watch: Watch) -> WatchHandle {
        WatchHandle::set(&self.shared, watch)
    }

    /// Says that the laboratory did something that triggers may wait for.
    pub fn mark(&self, mark: Mark) {
        self.shared.lock().mark(mark);
    }

    /// What has happened so far, counted.
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters
    }
}
