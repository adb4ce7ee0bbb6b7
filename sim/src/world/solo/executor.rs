//! A plain executor: one thread, tasks in a drawn order, a clock that moves only when no task can.
//!
//! ```text
//!   ready   [3, 0, 7] ── one is drawn, polled ──▶ spawns, wakes ──▶ ready ...
//!   empty?  the earliest timer becomes the present; no timer: nothing will ever happen again, which is a bug
//! ```
//!
//! Where polls take time of their own, the clock also moves by so much before each, and wakes whom that makes late.
//!
//! Task 0 is the process's main future. A panic in any task is a panic of the run.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use engine::world::Rng;

/// A spawned task's future.
pub(super) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

const MAIN: usize = 0;

/// What wakers and handles reach.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    ready: Vec<usize>,
    spawned: Vec<Work>,
    timers: BinaryHeap<Reverse<Timer>>,
    timers_made: u64,
    now_nanos: u64,
}

/// Someone who sleeps; ordered by when, then by who came first.
struct Timer {
    due_nanos: u64,
    number: u64,
    waker: Waker,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due_nanos, self.number).cmp(&(other.due_nanos, other.number))
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a task.
    pub(super) fn spawn(&self, work: Work) {
        self.lock().spawned.push(work);
    }

    /// Nanoseconds since the process began.
    pub(super) fn now_nanos(&self) -> u64 {
        self.lock().now_nanos
    }

    /// Wakes `waker` once that time has come.
    pub(super) fn wake_at(&self, due_nanos: u64, waker: &Waker) {
        let mut inner = self.lock();
        let number = inner.timers_made;
        inner.timers_made += 1;
        inner.timers.push(Reverse(Timer { due_nanos, number, waker: waker.clone() }));
    }

    /// Moves the clock, and wakes whose time has come.
    fn pass(&self, nanos: u64) {
        if nanos == 0 {
            return;
        }
        self.lock().now_nanos += nanos;
        while let Some(timer) = self.due() {
            timer.waker.wake();
        }
    }

    fn due(&self) -> Option<Timer> {
        let mut inner = self.lock();
        let now_nanos = inner.now_nanos;
        let is_due = inner.timers.peek().is_some_and(|Reverse(timer)| timer.due_nanos <= now_nanos);
        if is_due { inner.timers.pop().map(|Reverse(timer)| timer) } else { None }
    }

    /// Makes the earliest timer's time the present.
    fn advance(&self) {
        let timer = {
            let mut inner = self.lock();
            let timer = inner.timers.pop();
            let Reverse(timer) = timer.expect("a task waits for something that nothing will ever bring");
            inner.now_nanos = inner.now_nanos.max(timer.due_nanos);
            timer
        };
        timer.waker.wake();
    }
}

struct TaskWake {
    task: usize,
    is_ready: AtomicBool,
    queue: Arc<Queue>,
}

impl Wake for TaskWake {
    fn wake(self: Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::Relaxed) {
            self.queue.lock().ready.push(self.task);
        }
    }
}

/// See the module.
pub(super) struct Executor {
    queue: Arc<Queue>,
    order: Rng,
    /// What a poll takes.
    poll_nanos: u64,
}

impl Executor {
    pub(super) fn new(order: Rng, poll_nanos: u64) -> Self {
        Self { queue: Arc::default(), order, poll_nanos }
    }

    /// What the world's sides hold.
    pub(super) fn handle(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }

    /// Runs until `main` is done; drops all other tasks then.
    pub(super) fn run<T>(mut self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let mut tasks: Vec<Option<(Work, Arc<TaskWake>)>> = vec![None];
        let main_wake = self.waker(MAIN);
        let main_waker = Waker::from(Arc::clone(&main_wake));
        loop {
            self.admit(&mut tasks);
            self.queue.pass(self.poll_nanos);
            let Some(task) = self.next() else {
                self.queue.advance();
                continue;
            };
            if task == MAIN {
                main_wake.is_ready.store(false, Ordering::Relaxed);
                if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&main_waker)) {
                    self.end(tasks);
                    return value;
                }
            } else if let Some((work, wake)) = &mut tasks[task] {
                wake.is_ready.store(false, Ordering::Relaxed);
                let waker = Waker::from(Arc::clone(wake));
                if work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    tasks[task] = None;
                }
            }
        }
    }

    fn waker(&self, task: usize) -> Arc<TaskWake> {
        self.queue.lock().ready.push(task);
        Arc::new(TaskWake { task, is_ready: AtomicBool::new(true), queue: Arc::clone(&self.queue) })
    }

    fn admit(&self, tasks: &mut Vec<Option<(Work, Arc<TaskWake>)>>) {
        let spawned = std::mem::take(&mut self.queue.lock().spawned);
        for work in spawned {
            let wake = self.waker(tasks.len());
            tasks.push(Some((work, wake)));
        }
    }

    fn next(&mut self) -> Option<usize> {
        let mut inner = self.queue.lock();
        match inner.ready.len() {
            0 => None,
            1 => inner.ready.pop(),
            ready => {
                let drawn = self.order.below(ready as u64) as usize;
                Some(inner.ready.swap_remove(drawn))
            }
        }
    }

    /// Drops everything that still waits: a task may hold the queue, which holds its waker.
    fn end(&self, tasks: Vec<Option<(Work, Arc<TaskWake>)>>) {
        drop(tasks);
        let Inner { spawned, timers, .. } = std::mem::take(&mut *self.queue.lock());
        drop((spawned, timers));
    }
}
