//! Concurrency: tasks that are spawned, asked to stop, and joined.
//!
//! A crash ends every task of a process between two awaits, without running anything: no `Drop` may do I/O, and nothing
//! may rely on a task having said goodbye.

use std::future::Future;

/// Why a joined task has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TaskEnd {
    /// It was cancelled before it finished.
    #[error("the task was cancelled")]
    Cancelled,
    /// It panicked, which is a bug of ours.
    #[error("the task panicked")]
    Panicked,
}

/// A spawned task. Dropping the handle lets the task go on by itself.
pub trait TaskHandle<T>: Send {
    /// Asks the task to stop at its next await. A request: it is complete when `join` returns.
    fn cancel(&self);
    /// Waits for the task's end.
    fn join(self) -> impl Future<Output = Result<T, TaskEnd>> + Send;
}

/// Where tasks come from.
///
/// Promised: a spawned task runs until it ends, is cancelled, or the process crashes, also when its handle is dropped.
///
/// Not promised: any order between tasks.
pub trait Tasks: Clone + Send + Sync + 'static {
    /// A handle to a task with result `T`.
    type Handle<T: Send + 'static>: TaskHandle<T>;

    /// Runs a future concurrently. `name` is for people: a short, constant description.
    fn spawn<F>(&self, name: &'static str, future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Like `spawn`, for work that may keep a processor busy for long: it must not hold up the tasks of `spawn`.
    fn spawn_background<F>(&self, name: &'static str, future: F) -> Self::Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;
}
