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

pub(crate) mod disk;
pub(crate) mod told;

use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use engine::world::{Clock, Instant, Rng, TaskEnd, TaskHandle, Tasks, WallTime, World};
use engine::{Db, Durability, Error, Options, Recovery, Sequence};

pub(crate) use disk::{Keep, MemoryDisk, Trouble};

/// The directory of every test's engine.
pub(crate) const DIRECTORY: &str = "/data/node";

/// Runs a test on one thread, with nothing of the real world in it.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(test)
}

#[derive(Debug, Clone)]
pub(crate) struct MemoryWorld {
    pub(crate) disk: MemoryDisk,
    pub(crate) clock: MemoryClock,
    pub(crate) tasks: MemoryTasks,
}

impl MemoryWorld {
    pub(crate) fn new() -> Self {
        Self::on(MemoryDisk::new())
    }

    pub(crate) fn on(disk: MemoryDisk) -> Self {
        Self { disk, clock: MemoryClock::default(), tasks: MemoryTasks }
    }

    pub(crate) async fn open(&self, options: Options) -> Result<(Db<Self>, Recovery), Error> {
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
pub(crate) struct MemoryClock {
    state: Arc<Mutex<(Instant, Vec<Waker>)>>,
    leaps: Arc<AtomicBool>,
}

impl MemoryClock {
    /// From now on whoever sleeps takes the time with it, once the others have had their turn.
    pub(crate) fn leap(&self) {
        self.leaps.store(true, Ordering::Relaxed);
    }

    /// Moves time, and wakes whoever slept.
    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.state.lock().expect("no test panicked with it");
        state.0 = state.0 + by;
        state.1.drain(..).for_each(Waker::wake);
    }
}

impl Clock for MemoryClock {
    fn now(&self) -> Instant {
        self.state.lock().expect("no test panicked with it").0
    }

    fn wall(&self) -> WallTime {
        WallTime { micros: self.now().as_micros() }
    }

    async fn sleep_until(&self, deadline: Instant) {
        if self.leaps.load(Ordering::Relaxed) {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            self.advance(deadline.saturating_since(self.now()));
        }
        poll_fn(|context| {
            let mut state = self.state.lock().expect("no test panicked with it");
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
pub(crate) struct MemoryTasks;

#[derive(Debug)]
pub(crate) struct MemoryHandle<T>(tokio::task::JoinHandle<T>);

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
pub(crate) async fn settle() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

/// The path of segment `number`.
pub(crate) fn segment(number: u32) -> PathBuf {
    Path::new(DIRECTORY).join(format!("wal-{number:020}.log"))
}

/// Options with segments that hold everything a small test writes.
pub(crate) fn with(durability: Durability) -> Options {
    Options { durability, ..Options::default() }
}

/// The value that the tests' write number `index` writes to its key.
pub(crate) fn value_of(index: u64) -> Vec<u8> {
    format!("value of write {index}").into_bytes()
}

/// The key of the tests' write number `index`.
pub(crate) fn key_of(index: u64) -> Vec<u8> {
    format!("key {index:03}").into_bytes()
}

/// Writes numbered `1..=count`, one after the other, each under its own key.
pub(crate) async fn write_numbered(db: &Db<MemoryWorld>, count: u64) {
    for index in 1..=count {
        assert_eq!(db.put(key_of(index), value_of(index)).await.expect("a write"), Sequence(index));
    }
}

/// Asserts that exactly writes `1..=n` of the numbered ones are there, with their values; returns `n`.
pub(crate) async fn numbered_prefix(db: &Db<MemoryWorld>, attempted: u64) -> u64 {
    let last = db.statistics().sequence.0;
    assert!(last <= attempted, "sequence {last} was never written");
    for index in 1..=attempted {
        let found = db.get(&key_of(index)).await.expect("a read").map(|entry| (entry.value.to_vec(), entry.sequence));
        let expected = (index <= last).then(|| (value_of(index), Sequence(index)));
        assert_eq!(found, expected, "write {index} of {last} recovered");
    }
    last
}
