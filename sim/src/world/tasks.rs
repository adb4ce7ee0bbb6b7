//! Simulated tasks: madsim's, counted, so that a restart can wait until the last one of the dead process is gone.
//!
//! ```text
//!   kill ──▶ madsim marks the node's tasks ──▶ each is dropped when the executor next meets it ──▶ count 0: gone
//! ```
//!
//! A panic in any task ends the run with its message: it is a bug, and no joiner may swallow it.

use std::future::Future;
use std::sync::Arc;

use engine::world::{TaskEnd, TaskHandle, Tasks};
use madsim::runtime::Handle;
use madsim::task::JoinHandle;

use super::state::{Identity, Shared};

/// madsim remembers every task a node ever spawned until someone counts them; this often, someone does.
const SPAWNS_BETWEEN_CLEANING: u64 = 1_024;

/// A process's tasks.
#[derive(Debug, Clone)]
pub struct SimulatedTasks {
    identity: Arc<Identity>,
}

impl SimulatedTasks {
    pub(super) fn new(identity: Arc<Identity>) -> Self {
        Self { identity }
    }
}

impl Tasks for SimulatedTasks {
    type Handle<T: Send + 'static> = SimulatedTask<T>;

    fn spawn<F>(&self, _name: &'static str, future: F) -> SimulatedTask<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let counted = TaskCount::begin(Arc::clone(&self.identity));
        let join = self.identity.madsim.0.spawn(async move {
            let _counted = counted;
            future.await
        });
        SimulatedTask { join }
    }

    fn spawn_background<F>(&self, name: &'static str, future: F) -> SimulatedTask<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // There is one thread, and time stands still while it works: nothing is ever held up.
        self.spawn(name, future)
    }
}

/// Counts a task of anyone; now and then lets madsim forget those that are gone.
pub(super) fn count_spawn(shared: &Shared) {
    let spawned = {
        let mut state = shared.lock();
        state.counters.tasks_spawned += 1;
        state.counters.tasks_spawned
    };
    if spawned.is_multiple_of(SPAWNS_BETWEEN_CLEANING) {
        Handle::current().metrics().num_tasks();
    }
}

/// One task that exists, counted at its process's seat until it is dropped.
struct TaskCount {
    identity: Arc<Identity>,
}

impl TaskCount {
    fn begin(identity: Arc<Identity>) -> Self {
        *identity.shared.lock().seat_mut(identity.seat).tasks.entry(identity.process).or_insert(0) += 1;
        count_spawn(&identity.shared);
        Self { identity }
    }
}

impl Drop for TaskCount {
    fn drop(&mut self) {
        let waiters = {
            let mut state = self.identity.shared.lock();
            let seat = state.seat_mut(self.identity.seat);
            let count = seat.tasks.get_mut(&self.identity.process).expect("a task that exists is counted");
            *count -= 1;
            if *count > 0 {
                return;
            }
            seat.tasks.remove(&self.identity.process);
            std::mem::take(&mut seat.gone_waiters)
        };
        for waiter in waiters {
            waiter.wake();
        }
    }
}

/// A spawned task.
#[derive(Debug)]
pub struct SimulatedTask<T> {
    join: JoinHandle<T>,
}

impl<T> SimulatedTask<T> {
    pub(super) fn new(join: JoinHandle<T>) -> Self {
        Self { join }
    }
}

impl<T: Send + 'static> TaskHandle<T> for SimulatedTask<T> {
    fn cancel(&self) {
        self.join.abort();
    }

    async fn join(self) -> Result<T, TaskEnd> {
        self.join.await.map_err(|_cancelled| TaskEnd::Cancelled)
    }
}
