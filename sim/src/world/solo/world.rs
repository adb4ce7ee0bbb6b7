//! The sides of a solo process's world but for its disk: clock, tasks, randomness.
//!
//! ```text
//!   SoloWorld ─┬─ clock   now: moves when nobody else can go on;  wall = 2026-01-01 + now
//!              ├─ tasks   cancelled between two polls
//!              ╰─ rng     forks of the run's seed
//! ```

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use engine::world::{Clock, Instant, Rng, TaskEnd, TaskHandle, Tasks, WallTime, World};
use tokio::sync::oneshot;

use super::Files;
use super::disk::SoloDisk;
use super::executor::Queue;
use crate::world::clock::WALL_ZERO_MICROS;

/// What a solo process sees of everything outside it.
#[derive(Debug, Clone)]
pub struct SoloWorld {
    clock: SoloClock,
    disk: SoloDisk,
    tasks: SoloTasks,
    rng: Rng,
}

impl SoloWorld {
    pub(super) fn new(files: &Files, queue: Arc<Queue>, rng: Rng) -> Self {
        let (clock, tasks) = (SoloClock { queue: Arc::clone(&queue) }, SoloTasks { queue });
        Self { clock, disk: SoloDisk::new(files), tasks, rng }
    }
}

impl World for SoloWorld {
    type Clock = SoloClock;
    type Disk = SoloDisk;
    type Tasks = SoloTasks;

    fn clock(&self) -> &SoloClock {
        &self.clock
    }

    fn disk(&self) -> &SoloDisk {
        &self.disk
    }

    fn tasks(&self) -> &SoloTasks {
        &self.tasks
    }

    fn rng(&self, label: &str) -> Rng {
        self.rng.fork(label)
    }
}

/// A solo process's clocks.
#[derive(Clone)]
pub struct SoloClock {
    queue: Arc<Queue>,
}

impl std::fmt::Debug for SoloClock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("SoloClock").field(&self.now()).finish()
    }
}

impl Clock for SoloClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.queue.now_nanos())
    }

    fn wall(&self) -> WallTime {
        WallTime { micros: WALL_ZERO_MICROS + self.now().as_micros() }
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send {
        let clock = self.clone();
        let mut is_set = false;
        poll_fn(move |context| {
            if clock.now() >= deadline {
                return Poll::Ready(());
            }
            // A timer whose sleeper is gone, or was polled before, wakes somebody for nothing.
            if !is_set {
                clock.queue.wake_at(deadline.as_nanos(), context.waker());
                is_set = true;
            }
            Poll::Pending
        })
    }
}

/// A solo process's tasks.
#[derive(Clone)]
pub struct SoloTasks {
    queue: Arc<Queue>,
}

impl std::fmt::Debug for SoloTasks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SoloTasks")
    }
}

impl Tasks for SoloTasks {
    type Handle<T: Send + 'static> = SoloTask<T>;

    fn spawn<F>(&self, _name: &'static str, future: F) -> SoloTask<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (cancel, cancelled) = oneshot::channel::<()>();
        let (done, result) = oneshot::channel();
        self.queue.spawn(Box::pin(async move {
            let cancelled = async {
                if cancelled.await.is_err() {
                    // The handle was dropped, which cancels nothing.
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                biased;
                () = cancelled => {}
                value = future => drop(done.send(value)),
            }
        }));
        SoloTask { cancel: Mutex::new(Some(cancel)), result }
    }

    fn spawn_background<F>(&self, name: &'static str, future: F) -> SoloTask<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn(name, future)
    }
}

/// A task of a solo process.
#[derive(Debug)]
pub struct SoloTask<T> {
    cancel: Mutex<Option<oneshot::Sender<()>>>,
    result: oneshot::Receiver<T>,
}

impl<T: Send + 'static> TaskHandle<T> for SoloTask<T> {
    fn cancel(&self) {
        if let Some(cancel) = self.cancel.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = cancel.send(());
        }
    }

    async fn join(self) -> Result<T, TaskEnd> {
        self.result.await.map_err(|_dropped| TaskEnd::Cancelled)
    }
}
