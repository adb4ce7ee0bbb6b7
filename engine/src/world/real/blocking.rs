//! Waiting for a future on the caller's own thread, for programs without an asynchronous runtime.
//!
//! ```text
//!   poll ─▶ ready? done                       a cached read, a write without a sync: always here
//!        ─▶ spin a little, polling when woken  a sync or a follower's commit that ends soon
//!        ─▶ park until woken
//! ```

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where real threads come in")]

use std::future::Future;
use std::hint::spin_loop;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Turns of waiting before the thread goes to sleep: some microseconds, about what sleeping and waking cost.
const SPINS: u32 = 2_000;

struct Parked {
    thread: Thread,
    is_woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs a future to its end on this thread. Not for threads of an asynchronous runtime: they would do nothing else.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    // Most futures are ready at once, and need no waker.
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return output;
    }
    let parked = Arc::new(Parked { thread: thread::current(), is_woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&parked));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let mut spins = 0;
        while !parked.is_woken.swap(false, Ordering::Acquire) {
            if spins < SPINS {
                spins += 1;
                spin_loop();
            } else {
                thread::park();
            }
        }
    }
}

/// [`block_on`] for a future without a result: what [`crate::blocking`] waits with.
pub fn wait(future: Pin<&mut (dyn Future<Output = ()> + '_)>) {
    block_on(future);
}
