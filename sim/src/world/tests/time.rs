//! Time and tasks: microseconds exist, order holds, nothing is early, clocks are wrong as asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::world::{Clock, Instant, TaskEnd, TaskHandle, Tasks, World};

use super::*;

#[test]
fn sleeps_end_at_their_microsecond_and_cost_no_wall_time() {
    run_sealed(1, async |laboratory: Laboratory| {
        for due in [1, 2, 1_000, 1_001, 3_600_000_000_000] {
            laboratory.sleep_until_micros(due).await;
            assert_eq!(laboratory.now_micros(), due);
        }
    });
}

#[test]
fn a_sleep_that_begins_while_a_longer_one_waits_still_ends_first() {
    let order = run_sealed(1, async |laboratory: Laboratory| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |name: &'static str, begin: u64, length: u64| {
            let (laboratory, order) = (laboratory.clone(), Arc::clone(&order));
            laboratory.clone().spawn(async move {
                laboratory.sleep_until_micros(begin).await;
                laboratory.sleep_micros(length).await;
                order.lock().unwrap().push((laboratory.now_micros(), name));
            })
        };
        let tasks = [note("long", 0, 1_000_000), note("short", 500, 7), note("middle", 400, 300)];
        for task in tasks {
            task.join().await.unwrap();
        }
        Arc::try_unwrap(order).unwrap().into_inner().unwrap()
    });
    assert_eq!(order.value, [(507, "short"), (700, "middle"), (1_000_000, "long")]);
}

#[test]
fn a_dropped_sleep_leaves_no_trace() {
    let run = |drop_one: bool| {
        run_sealed(1, async move |laboratory: Laboratory| {
            if drop_one {
                let world = probe(&laboratory, 1);
                let clock = world.clock().clone();
                let task =
                    world.tasks().spawn("sleeper", async move { clock.sleep_until(Instant::from_micros(50)).await });
                laboratory.sleep_micros(10).await;
                task.cancel();
                assert_eq!(task.join().await, Err(TaskEnd::Cancelled));
            } else {
                probe(&laboratory, 1);
                laboratory.sleep_micros(10).await;
            }
            laboratory.sleep_until_micros(100).await;
            laboratory.counters().timers_fired
        })
    };
    let (with, without) = (run(true), run(false));
    assert_eq!(with.value, 0);
    assert_eq!(with.trace, without.trace);
}

#[test]
fn a_node_has_its_own_clocks_which_skew_drift_and_step_while_now_never_goes_back() {
    run_sealed(3, async |laboratory: Laboratory| {
        let settings = NodeSettings { skew_micros: -200_000, drift_ppm: 100_000, ..NodeSettings::default() };
        let node = laboratory.node(N1, settings);
        let control = node.clock();
        let (now_at_first, wall_at_first) = control.read();
        assert_eq!(wall_at_first.micros, WALL_ZERO_MICROS - 200_000);
        laboratory.sleep_micros(1_000_000).await;
        let (now, wall) = control.read();
        assert_eq!(now.saturating_since(now_at_first), Duration::from_micros(1_100_000));
        assert_eq!(wall.micros - wall_at_first.micros, 1_100_000);
        control.step_micros(-500_000);
        assert_eq!(control.read().0, now);
        assert_eq!(control.read().1.micros, wall.micros - 500_000);
        assert_eq!(control.skew_micros(), -200_000 + 100_000 - 500_000);
    });
}

#[test]
fn a_sleep_on_a_clock_that_slows_down_is_never_early() {
    run_sealed(3, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        let task = node.start(|world| async move {
            let deadline = world.clock().now() + Duration::from_millis(100);
            world.clock().sleep_until(deadline).await;
            world.clock().now().saturating_since(deadline)
        });
        laboratory.sleep_micros(50_000).await;
        node.clock().set_drift_ppm(-500_000);
        assert_eq!(task.join().await, Ok(Duration::ZERO));
        assert_eq!(laboratory.now_micros(), 150_000);
    });
}

#[test]
fn a_deadline_in_the_past_ends_at_once_and_one_beyond_all_time_never() {
    run_sealed(3, async |laboratory: Laboratory| {
        let world = probe(&laboratory, 1);
        laboratory.sleep_micros(5).await;
        world.clock().sleep_until(Instant::from_micros(4)).await;
        assert_eq!(laboratory.now_micros(), 5);
        let never = world.tasks().spawn("never", {
            let world = world.clone();
            async move { world.clock().sleep_until(Instant::from_nanos(u64::MAX)).await }
        });
        laboratory.sleep_micros(1_000_000_000).await;
        never.cancel();
        assert_eq!(never.join().await, Err(TaskEnd::Cancelled));
    });
}

#[test]
fn a_task_gives_its_result_also_when_it_ended_long_ago_and_goes_on_when_its_handle_is_dropped() {
    run_sealed(3, async |laboratory: Laboratory| {
        let world = probe(&laboratory, 1);
        let early = world.tasks().spawn_background("early", async { 7 });
        let flag = Arc::new(Mutex::new(false));
        let raised = Arc::clone(&flag);
        let clock = world.clock().clone();
        drop(world.tasks().spawn("orphan", async move {
            clock.sleep_until(Instant::from_micros(100)).await;
            *raised.lock().unwrap() = true;
        }));
        laboratory.sleep_micros(200).await;
        assert_eq!(early.join().await, Ok(7));
        assert!(*flag.lock().unwrap());
    });
}

#[test]
#[should_panic(expected = "every task waits for something that will never come")]
fn a_run_in_which_nothing_can_happen_any_more_says_so() {
    run_sealed(1, async |_laboratory: Laboratory| std::future::pending::<()>().await);
}

#[test]
#[should_panic(expected = "the third invariant is broken")]
fn a_panic_in_any_task_comes_out_with_its_message() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        node.start(|_world| async { panic!("the third invariant is broken") });
        laboratory.sleep_micros(1_000).await;
    });
}

#[test]
fn the_clocks_of_a_frozen_machine_stand_still_and_its_timers_with_them() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        let world = node.start(|world| async { world }).join().await.unwrap();
        let begin = world.clock().now();
        let sleeper = world.clone();
        let sleep = world.tasks().spawn("sleeper", async move {
            sleeper.clock().sleep_until(begin + Duration::from_millis(10)).await;
        });
        laboratory.sleep_until_micros(4_000).await;
        let (now, wall) = node.clock().read();
        node.pause();
        laboratory.sleep_until_micros(50_000).await;
        node.clock().stood_still_since(4_000);
        node.resume();
        assert_eq!(node.clock().read(), (now, wall));
        sleep.join().await.unwrap();
        assert_eq!(laboratory.now_micros(), 56_000, "six of its ten milliseconds were left");
    });
}

#[test]
fn a_drift_that_is_added_and_taken_away_leaves_the_clock_running_as_before() {
    run_sealed(1, async |laboratory: Laboratory| {
        let settings = NodeSettings { drift_ppm: 100, ..NodeSettings::default() };
        let node = laboratory.node(N1, settings);
        node.clock().add_drift_ppm(900);
        laboratory.sleep_until_micros(1_000_000).await;
        assert_eq!(node.clock().skew_micros(), 1_000);
        node.clock().add_drift_ppm(-900);
        laboratory.sleep_until_micros(2_000_000).await;
        assert_eq!(node.clock().skew_micros(), 1_100);
    });
}
