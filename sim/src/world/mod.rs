//! The sealed world: every side of the seam, simulated, on one thread and in virtual time, all of it drawn from one seed.
//!
//! ```text
//!   run_sealed(seed, body)                       a fresh thread, a fresh madsim runtime
//!     body(Laboratory)                           sets up nodes and clients, does things to them, returns a value
//!       SimulatedNode ── start ──▶ NodeWorld     what the database sees: clock, disk, tasks, network, rng
//!                                     │
//!     State, one lock:  schedule │ clocks │ file systems │ network │ counters │ trace
//!                          ╰── driver: the earliest moment happens, all woken tasks run, the next moment happens
//!   ──▶ Sealed { value, trace, events, ... }     the same seed and body give the same trace, on every machine
//! ```
//!
//! madsim gives the executor, its random order of ready tasks, its nodes (kill, pause) and the interception of libc's time
//! and entropy as a safety net. Time, network and disk are our own; see each file for what it models and what not. The
//! files mirror `engine::world` and `cluster::world` by name.
//!
//! `solo` is a second, smaller world over the same disk: one machine, no network, no latencies, no madsim, a hundred times
//! cheaper to make. It is where a hundred thousand recoveries are tried.
//!
//! When the body has returned, every process is killed and madsim gets a moment to drop their tasks: a runtime that is
//! dropped before that keeps what they held.

mod clock;
mod counters;
mod disk;
mod events;
mod laboratory;
mod latency;
mod messages;
mod network;
mod node;
mod predicate;
mod rules;
mod solo;
mod state;
mod tasks;
mod trace;
mod watch;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use madsim::runtime::Runtime;

pub use self::clock::{ClockControl, SimulatedClock, WALL_ZERO_MICROS};
pub use self::counters::{Counters, DiskCounters, SeatCounters};
pub use self::disk::{
    Boundary, Casualties, DiskControl, DiskCopy, DiskFault, DiskImage, DiskRule, DiskRuleId, DiskSettings, Fate,
    PowerLoss, SimulatedDisk, SimulatedFile, SimulatedLock, Survival, Survivor,
};
pub use self::laboratory::{Laboratory, laboratory_rng};
pub use self::latency::Latency;
pub use self::messages::{MessageLog, SeenMessage};
pub use self::network::{LinkSettings, NetworkControl, PartitionId, SimulatedNetwork};
pub use self::node::{ClientWorld, NodeSettings, NodeWorld, SimulatedNode};
pub use self::predicate::{FileKind, FileOperation, Hit, MessageKind};
pub use self::rules::{NetworkRule, NetworkVerdict, RuleId};
pub use self::solo::{SoloMachine, SoloWorld};
use self::state::{Shared, State};
pub use self::tasks::{SimulatedTask, SimulatedTasks};
pub use self::trace::{Event, EventSink, Recording, TraceHash};
pub use self::watch::{Mark, Watch, WatchHandle, Watched};

/// What remains of a run.
#[derive(Debug, Clone)]
pub struct Sealed<T> {
    /// What the body returned.
    pub value: T,
    /// The hash of everything that happened.
    pub trace: TraceHash,
    /// How many events that was.
    pub events: u64,
    /// True virtual time at the end, in microseconds.
    pub virtual_micros: u64,
    /// What happened, counted.
    pub counters: Counters,
    /// The last events as text, if they were to be kept.
    pub trace_tail: Vec<String>,
    /// Processor time of the run's own thread, in microseconds. Not a fact of the seed.
    pub cpu_micros: u64,
}

impl<T> Sealed<T> {
    /// What remains of a run of which nothing is known but `value`: its trace is that of no event.
    pub fn of(value: T) -> Self {
        let counters = Counters::default();
        let trace = TraceHash(0);
        Self { value, trace, events: 0, virtual_micros: 0, counters, trace_tail: Vec::new(), cpu_micros: 0 }
    }
}

/// How much of madsim's time the tasks of killed processes get to be dropped in.
const LAST_BREATH: Duration = Duration::from_millis(20);

/// Runs `body` in a world of its own, drawn from `seed`, on a thread of its own. A panic inside comes out with its
/// message.
pub fn run_sealed<T, F>(seed: u64, body: impl FnOnce(Laboratory) -> F + Send + 'static) -> Sealed<T>
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    run_sealed_recording(Recording::default(), seed, body)
}

/// Like [`run_sealed`]; also records events. The last ones, where they are kept, are written to standard error when the
/// run panics.
pub fn run_sealed_recording<T, F>(
    recording: Recording,
    seed: u64,
    body: impl FnOnce(Laboratory) -> F + Send + 'static,
) -> Sealed<T>
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    let shared = Arc::new(Shared::new(State::new(seed, recording)));
    let inside = Arc::clone(&shared);
    let run = thread::Builder::new().name(format!("seed {seed}")).spawn(move || {
        let runtime = Runtime::with_seed_and_config(seed, madsim::Config::default());
        let mut sealed = runtime.block_on(async move {
            let laboratory = Laboratory::open(Arc::clone(&inside));
            let value = body(laboratory.clone()).await;
            let sealed = {
                let state = inside.lock();
                Sealed {
                    value,
                    trace: state.trace.hash(),
                    events: state.trace.events(),
                    virtual_micros: state.now_micros(),
                    counters: state.counters,
                    trace_tail: state.trace.tail(),
                    cpu_micros: 0,
                }
            };
            laboratory.close();
            madsim::time::sleep(LAST_BREATH).await;
            sealed
        });
        sealed.cpu_micros = thread_cpu_micros();
        sealed
    });
    match run.expect("the system has a thread to spare").join() {
        Ok(sealed) => sealed,
        Err(panic) => {
            for line in shared.lock().trace.tail() {
                eprintln!("{line}");
            }
            std::panic::resume_unwind(panic)
        }
    }
}

/// Processor time of this thread so far. Asked of the kernel without libc, whose clock the world intercepts.
pub fn thread_cpu_micros() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    seconds * 1_000_000 + nanos / 1_000
}
