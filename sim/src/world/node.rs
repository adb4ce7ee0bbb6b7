//! A simulated machine, and the world that a process on it sees. One of the two roots that wire a world together.
//!
//! ```text
//!   machine n1   ── start ──▶ process 1 ── kill ─────────▶ page cache stays ── start ──▶ process 2 ...
//!   clock, disk            ╰─ power_loss ─▶ unsynced bytes and names: kept, lost, torn
//! ```
//!
//! A start makes a new process, on a madsim node of its own. Its first task waits until every task of the machine's
//! earlier processes has been dropped (madsim only marks them), so two processes of a machine never run at once. Kills are
//! the laboratory's: a process cannot end itself.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use cluster::world::{ClusterWorld, Peer};
use engine::world::{Rng, Tasks, World};
use madsim::runtime::Handle;

use super::clock::{ClockControl, SimulatedClock};
use super::counters::SeatCounters;
use super::disk::{Casualties, DiskControl, DiskSettings, PowerLoss, SimulatedDisk, Survival};
use super::network::SimulatedNetwork;
use super::state::{EndedProcess, Identity, Madsim, ProcessIndex, SeatIndex, Shared};
use super::tasks::{SimulatedTask, SimulatedTasks};

/// What a machine is like when it is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeSettings {
    /// How far its wall clock is ahead of true time, in microseconds.
    pub skew_micros: i64,
    /// How much faster its clocks run than true time, in parts per million.
    pub drift_ppm: i64,
    /// Its disk.
    pub disk: DiskSettings,
}

/// What a process sees of everything outside it.
#[derive(Debug, Clone)]
pub struct NodeWorld {
    sides: Arc<Sides>,
}

/// The world of a simulated client: a node's, with a clock in step and a disk that nobody expects it to use.
pub type ClientWorld = NodeWorld;

#[derive(Debug)]
struct Sides {
    identity: Arc<Identity>,
    clock: SimulatedClock,
    disk: SimulatedDisk,
    tasks: SimulatedTasks,
    network: SimulatedNetwork,
}

impl NodeWorld {
    /// Starts a process at a seat where none runs.
    pub(super) fn start(shared: &Arc<Shared>, seat: SeatIndex) -> Self {
        let peer = shared.lock().seat(seat).peer;
        let madsim = Madsim(Handle::current().create_node().name(peer.to_string()).build());
        let mut state = shared.lock();
        let (process, starts) = state.start_process(seat, madsim.0.id());
        let rng = state.rng.fork(&peer.to_string()).fork(&starts.to_string());
        drop(state);
        let identity = Arc::new(Identity { shared: Arc::clone(shared), process, seat, peer, rng, madsim });
        let clock = SimulatedClock::new(Arc::clone(&identity));
        let disk = SimulatedDisk::new(Arc::clone(&identity));
        let tasks = SimulatedTasks::new(Arc::clone(&identity));
        let network = SimulatedNetwork::new(Arc::clone(&identity));
        Self { sides: Arc::new(Sides { identity, clock, disk, tasks, network }) }
    }

    /// Waits until no task of an earlier process at the same seat exists.
    async fn predecessors_gone(&self) {
        let Identity { shared, seat, process, .. } = &*self.sides.identity;
        wait_until_gone(shared, *seat, |task| task < process).await;
    }
}

impl World for NodeWorld {
    type Clock = SimulatedClock;
    type Disk = SimulatedDisk;
    type Tasks = SimulatedTasks;

    fn clock(&self) -> &SimulatedClock {
        &self.sides.clock
    }

    fn disk(&self) -> &SimulatedDisk {
        &self.sides.disk
    }

    fn tasks(&self) -> &SimulatedTasks {
        &self.sides.tasks
    }

    fn rng(&self, label: &str) -> Rng {
        self.sides.identity.rng.fork(label)
    }
}

impl ClusterWorld for NodeWorld {
    type Network = SimulatedNetwork;

    fn network(&self) -> &SimulatedNetwork {
        &self.sides.network
    }
}

/// A machine, in the laboratory's hand. Cheap to clone; clones are the same machine.
#[derive(Debug, Clone)]
pub struct SimulatedNode {
    shared: Arc<Shared>,
    seat: SeatIndex,
}

impl SimulatedNode {
    pub(super) fn new(shared: Arc<Shared>, seat: SeatIndex) -> Self {
        Self { shared, seat }
    }

    /// Who it is.
    pub fn identity(&self) -> Peer {
        self.shared.lock().seat(self.seat).peer
    }

    /// Starts a process, whose first task is what `main` makes of its world. It may be called as soon as the earlier
    /// process was killed: the new one begins when the last task of the old one is gone. That the first task ends does not
    /// end the process. Panics when a process runs here.
    pub fn start<F, T>(&self, main: impl FnOnce(NodeWorld) -> F + Send + 'static) -> SimulatedTask<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let world = NodeWorld::start(&self.shared, self.seat);
        let tasks = world.tasks().clone();
        tasks.spawn("main", async move {
            world.predecessors_gone().await;
            main(world).await
        })
    }

    /// Ends the process between two awaits (kill -9). The machine goes on: what was written, synced or not, is there for
    /// the next process; of an append under way any part may have happened. Nothing when no process runs.
    pub fn kill(&self) -> Casualties {
        let mut state = self.shared.lock();
        let ended = state.end_process(self.seat);
        if let Some(ended) = &ended {
            state.counters.kills += 1;
            let peer = state.seat(self.seat).peer;
            let found = ended.casualties;
            state.record("kill", peer, &[found.tasks, found.frames_unread, found.bytes_unsynced]);
        }
        drop(state);
        ended.map(EndedProcess::bury).unwrap_or_default()
    }

    /// Ends the process and takes the machine's power: what was not synced survives as `survival` says. Works on a machine
    /// without a process too, whose page cache may still hold unsynced bytes.
    pub fn power_loss(&self, survival: Survival) -> PowerLoss {
        let mut state = self.shared.lock();
        let ended = state.end_process(self.seat);
        let seat = state.seat_mut(self.seat);
        let found = seat.files.power_loss(survival);
        let peer = seat.peer;
        state.counters.power_losses += 1;
        state.counters.sectors_lost += found.sectors_lost;
        state.counters.sectors_torn += found.sectors_torn;
        state.counters.names_lost += found.names_lost;
        let words = [
            found.files_unsynced,
            found.sectors_kept,
            found.sectors_lost,
            found.sectors_torn,
            found.lengths_changed,
            found.names_kept,
            found.names_lost,
        ];
        state.record("power loss", peer, &words);
        drop(state);
        if let Some(ended) = ended {
            ended.bury();
        }
        found
    }

    /// Waits until every task of processes that were killed has been dropped.
    pub async fn gone(&self) {
        let running = self.shared.lock().seat(self.seat).process;
        wait_until_gone(&self.shared, self.seat, |task| Some(*task) != running).await;
    }

    /// How many processes were started here so far.
    pub fn starts(&self) -> u64 {
        self.shared.lock().seat(self.seat).starts
    }

    /// Whether a process runs (paused ones do).
    pub fn is_running(&self) -> bool {
        self.shared.lock().seat(self.seat).process.is_some()
    }

    /// Stops every task of the process between two awaits, until [`SimulatedNode::resume`]. Its clocks, its disk and the
    /// network go on. Nothing when no process runs.
    pub fn pause(&self) {
        if let Some(madsim) = self.note("pause") {
            Handle::current().pause(madsim);
        }
    }

    /// Lets a paused process go on. Nothing when it was not paused, or was killed meanwhile.
    pub fn resume(&self) {
        if let Some(madsim) = self.note("resume") {
            Handle::current().resume(madsim);
        }
    }

    fn note(&self, kind: &'static str) -> Option<madsim::task::NodeId> {
        let mut state = self.shared.lock();
        let process = state.seat(self.seat).process?;
        let peer = state.seat(self.seat).peer;
        state.record(kind, peer, &[]);
        Some(state.processes[process.0 as usize].madsim)
    }

    /// Its clocks.
    pub fn clock(&self) -> ClockControl {
        ClockControl::new(Arc::clone(&self.shared), self.seat)
    }

    /// Its disk.
    pub fn disk(&self) -> DiskControl {
        DiskControl::new(Arc::clone(&self.shared), self.seat)
    }

    /// What it has done so far, over all its processes.
    pub fn counters(&self) -> SeatCounters {
        self.shared.lock().seat(self.seat).counters
    }
}

/// Waits until a seat has no task of any process that `dead` accepts.
async fn wait_until_gone(shared: &Shared, seat: SeatIndex, dead: impl Fn(&ProcessIndex) -> bool) {
    poll_fn(|context| {
        let mut state = shared.lock();
        let seat = state.seat_mut(seat);
        if !seat.tasks.keys().any(&dead) {
            return Poll::Ready(());
        }
        seat.gone_waiters.push(context.waker().clone());
        Poll::Pending
    })
    .await;
}
