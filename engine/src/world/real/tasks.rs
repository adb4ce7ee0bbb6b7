//! Tasks on tokio.
//!
//! ```text
//!   spawn              the runtime the world was made in: short polls, heartbeats, requests
//!   spawn_background   a second runtime of its own, shared by the process: merging, encoding, long scans
//! ```
//!
//! Two runtimes because tokio does not preempt: a task that computes for long keeps its thread, and enough of them would
//! keep all threads and hold up every heartbeat. On threads of their own the kernel's scheduler shares the processors
//! out. The second runtime starts with the first background task and is never shut down: the process's end ends it, as
//! `Tasks` promises.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where real threads come in")]

use std::future::Future;
use std::sync::OnceLock;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::world::{TaskEnd, TaskHandle, Tasks};

/// Tasks of tokio's.
#[derive(Debug, Clone)]
pub struct RealTasks {
    foreground: Handle,
}

impl RealTasks {
    pub(super) fn new(foreground: Handle) -> Self {
        Self { foreground }
    }

    /// Where background tasks run: their own runtime, or the foreground's where the system gives no more threads.
    fn background(&self) -> &Handle {
        static BACKGROUND: OnceLock<Option<Runtime>> = OnceLock::new();
        let runtime = BACKGROUND.get_or_init(|| {
            let threads = available_parallelism().map_or(1, usize::from);
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads).thread_name("stormglass-background").enable_all().build().ok()
        });
        runtime.as_ref().map_or(&self.foreground, Runtime::handle)
    }
}

impl Tasks for RealTasks {
    type Handle<T: Send + 'static> = RealTaskHandle<T>;

    fn spawn<F>(&self, _name: &'static str, future: F) -> RealTaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        RealTaskHandle { task: self.foreground.spawn(future) }
    }

    fn spawn_background<F>(&self, _name: &'static str, future: F) -> RealTaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        RealTaskHandle { task: self.background().spawn(future) }
    }
}

/// A tokio task. Dropping the handle lets the task go on.
#[derive(Debug)]
pub struct RealTaskHandle<T> {
    task: JoinHandle<T>,
}

impl<T: Send + 'static> TaskHandle<T> for RealTaskHandle<T> {
    fn cancel(&self) {
        self.task.abort();
    }

    async fn join(self) -> Result<T, TaskEnd> {
        self.task.await.map_err(|end| if end.is_panic() { TaskEnd::Panicked } else { TaskEnd::Cancelled })
    }
}
