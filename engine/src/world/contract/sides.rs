//! What clock, tasks and randomness promise.
//!
//! ```text
//!   now     ───▶ never back          spawn  ──▶ join = its result         rng("a") = rng("a")
//!   sleep   ───▶ never early         cancel ──▶ join = Cancelled          rng("a") ≠ rng("b")
//!                                    dropped handle: goes on
//! ```
//!
//! [`a_panic_is_reported`] stands apart from [`conform`]: in a world whose executor ends the whole run at a panic (which
//! is what a simulation should do with a bug), it cannot be asked.

use std::future::pending;
use std::time::Duration;

use crate::world::{Clock, TaskEnd, TaskHandle, Tasks, World};

/// All parts of this file that every world can pass.
pub async fn conform<W: World>(world: &W) {
    time_never_goes_back(world.clock()).await;
    a_sleep_never_ends_early(world.clock()).await;
    a_task_gives_its_result(world.tasks()).await;
    a_cancelled_task_ends_at_its_next_await(world).await;
    a_task_goes_on_without_its_handle(world.tasks()).await;
    a_label_names_a_stream(world);
}

/// `now` is monotonic, and moves while one sleeps.
pub async fn time_never_goes_back<C: Clock>(clock: &C) {
    let start = clock.now();
    let mut before = start;
    for _ in 0..100 {
        let now = clock.now();
        assert!(now >= before, "violated: the monotonic clock never goes back");
        before = now;
    }
    clock.sleep_until(before + Duration::from_millis(1)).await;
    assert!(clock.clone().now() >= before + Duration::from_millis(1), "violated: clones are the same clock");
    assert!(clock.wall().micros > 0, "violated: a wall clock tells a time after 1970");
}

/// A sleep ends at or after its deadline; one whose deadline has passed ends at once.
pub async fn a_sleep_never_ends_early<C: Clock>(clock: &C) {
    for micros in [1, 250, 2_000] {
        let deadline = clock.now() + Duration::from_micros(micros);
        clock.sleep_until(deadline).await;
        assert!(clock.now() >= deadline, "violated: a sleep of {micros} microseconds never ends early");
    }
    let passed = clock.now();
    clock.sleep_until(passed).await;
    clock.sleep_until(Default::default()).await;
    // Both ends of a select: a dropped sleep leaves no trace, and the earlier deadline wins.
    tokio::select! {
        biased;
        () = clock.sleep_until(clock.now() + Duration::from_secs(3_600)) => {
            panic!("violated: of two sleeps the earlier ends first");
        }
        () = clock.sleep_until(clock.now() + Duration::from_millis(1)) => {}
    }
}

/// `join` gives what the task's future returned, for both kinds of task.
pub async fn a_task_gives_its_result<T: Tasks>(tasks: &T) {
    let handle = tasks.spawn("conformance: result", async { "result".to_string() });
    assert_eq!(handle.join().await.as_deref(), Ok("result"), "violated: join gives a task's result");
    let handle = tasks.spawn_background("conformance: background result", async { 7 });
    assert_eq!(handle.join().await, Ok(7), "violated: join gives a background task's result");
}

/// A cancelled task never passes another await, and `join` says that it was cancelled.
pub async fn a_cancelled_task_ends_at_its_next_await<W: World>(world: &W) {
    let handle = world.tasks().spawn("conformance: forever", pending::<()>());
    handle.cancel();
    assert_eq!(handle.join().await, Err(TaskEnd::Cancelled), "violated: a cancelled task ends");

    let clock = world.clock().clone();
    let handle = world.tasks().spawn_background("conformance: forever, in the background", async move {
        loop {
            clock.sleep_until(clock.now() + Duration::from_micros(100)).await;
        }
    });
    world.clock().sleep_until(world.clock().now() + Duration::from_micros(500)).await;
    handle.cancel();
    let end: Result<(), TaskEnd> = handle.join().await;
    assert_eq!(end, Err(TaskEnd::Cancelled), "violated: a cancelled background task ends at its next await");

    let handle = world.tasks().spawn("conformance: finished", async { 1 });
    world.clock().sleep_until(world.clock().now() + Duration::from_millis(1)).await;
    handle.cancel();
    let end = handle.join().await;
    let either = end == Ok(1) || end == Err(TaskEnd::Cancelled);
    assert!(either, "violated: cancelling a finished task does no harm, got {end:?}");
}

/// A dropped handle neither stops nor delays its task.
pub async fn a_task_goes_on_without_its_handle<T: Tasks>(tasks: &T) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let (start, started) = tokio::sync::oneshot::channel::<()>();
    drop(tasks.spawn("conformance: on its own", async move {
        // Only after its handle is gone.
        if started.await.is_ok() {
            let _ = sender.send("done");
        }
    }));
    let _ = start.send(());
    assert_eq!(receiver.await, Ok("done"), "violated: a task goes on without its handle");
}

/// The same label gives the same stream at any time; different labels give different ones.
pub fn a_label_names_a_stream<W: World>(world: &W) {
    let mut first = world.rng("lightning");
    let mut other = world.rng("rain");
    let drawn: Vec<u64> = (0..4).map(|_| first.next_u64()).collect();
    let mut again = world.clone().rng("lightning");
    assert_eq!(drawn, (0..4).map(|_| again.next_u64()).collect::<Vec<_>>(), "violated: a label names one stream");
    assert_ne!(drawn, (0..4).map(|_| other.next_u64()).collect::<Vec<_>>(), "violated: labels name different streams");
}

/// Joining a task that panicked says so, and the world goes on.
pub async fn a_panic_is_reported<T: Tasks>(tasks: &T) {
    let handle = tasks.spawn("conformance: panic", async { panic!("a panic that the conformance suite asked for") });
    let end: Result<(), TaskEnd> = handle.join().await;
    assert_eq!(end, Err(TaskEnd::Panicked), "violated: a panic is reported to who joins");
}
