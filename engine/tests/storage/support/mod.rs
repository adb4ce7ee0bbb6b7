//! A small world in memory for the engine's own tests: a disk that can fail any call and lose power, a clock that moves
//! when told, tasks on one thread.
//!
//! ```text
//!   MemoryWorld ── disk   data | durable data, names | durable names; counts calls, fails the one it is told to
//!               ├─ clock  stands still until `advance`
//!               └─ tasks  the test's own single-threaded runtime
//! ```
//!
//! It is no simulator: one node, no schedule but the runtime's, faults where a test puts them.

pub mod disk;

use std::future::{Future, poll_fn};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use engine::world::{Clock, Instant, Rng, TaskEnd, TaskHandle, Tasks, WallTime, World};
use engine::{Db, Error, Options, Recovery};

pub use disk::{Call, Keep, MemoryDisk, Trouble};

/// The directory of every test's engine.
pub const DIRECTORY: &str = "/data/node";

/// Runs a test on one thread, with nothing of the real world in it.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(test)
}

#[derive(Debug, Clone)]
pub struct MemoryWorld {
    pub disk: MemoryDisk,
    pub clock: MemoryClock,
    tasks: MemoryTasks,
}

impl MemoryWorld {
    pub fn new() -> Self {
        Self::on(MemoryDisk::new())
    }

    pub fn on(disk: MemoryDisk) -> Self {
        Self { disk, clock: MemoryClock::default(), tasks: MemoryTasks }
    }

    pub async fn open(&self, options: Options) -> Result<(Db<Self>, Recovery), Error> {
        Db::open(self.clone(), Path::new(DIRECTORY), options).await
    }
}

impl World for MemoryWorld {
    type Clock = MemoryClock;
    type Disk = MemoryDisk;
    type Tasks = MemoryTasks;

    fn clock(&self) -> &MemoryClock {
        &self.clock
    }

    fn disk(&self) -> &MemoryDisk {
        &self.disk
    }

    fn tasks(&self) -> &MemoryTasks {
        &self.tasks
    }

    fn rng(&self, label: &str) -> Rng {
        Rng::from_seed(1).fork(label)
    }
}

#[derive(Debug, Clone, Default)]
pub struct MemoryClock {
    state: Arc<Mutex<(Instant, Vec<Waker>)>>,
}

impl MemoryClock {
    /// Moves time, and wakes whoever slept.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state.lock().unwrap();
        state.0 = state.0 + by;
        state.1.drain(..).for_each(Waker::wake);
    }
}

impl Clock for MemoryClock {
    fn now(&self) -> Instant {
        self.state.lock().unwrap().0
    }

    fn wall(&self) -> WallTime {
        WallTime { micros: self.now().as_micros() }
    }

    async fn sleep_until(&self, deadline: Instant) {
        poll_fn(|context| {
            let mut state = self.state.lock().unwrap();
            if state.0 >= deadline {
                return Poll::Ready(());
            }
            state.1.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

#[derive(Debug, Clone)]
pub struct MemoryTasks;

#[derive(Debug)]
pub struct MemoryHandle<T>(tokio::task::JoinHandle<T>);

impl<T: Send + 'static> TaskHandle<T> for MemoryHandle<T> {
    fn cancel(&self) {
        self.0.abort();
    }

    async fn join(self) -> Result<T, TaskEnd> {
        self.0.await.map_err(|error| if error.is_cancelled() { TaskEnd::Cancelled } else { TaskEnd::Panicked })
    }
}

impl Tasks for MemoryTasks {
    type Handle<T: Send + 'static> = MemoryHandle<T>;

    fn spawn<F>(&self, _name: &'static str, future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        MemoryHandle(tokio::spawn(future))
    }

    fn spawn_background<F>(&self, name: &'static str, future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn(name, future)
    }
}

/// Lets every task that can go on do so.
pub async fn settle() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}
