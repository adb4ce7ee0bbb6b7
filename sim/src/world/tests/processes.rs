//! Processes: a dead one has no effect and never completes anything, a new one begins when the old is gone, and a run
//! leaves no memory behind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::world::{ClusterWorld, Network};
use engine::world::{Access, Clock, Disk, DiskErrorKind, File, TaskEnd, TaskHandle, Tasks, World};

use super::*;

/// Keeps a node busy in every way: many tasks that write, sync, send, sleep and hold a lock.
async fn busy(world: NodeWorld, completed_after_death: Arc<AtomicU64>, dead: Arc<Mutex<bool>>) {
    let lock = world.disk().lock(path("LOCK")).await.unwrap();
    for number in 0..8_u64 {
        let (world, completed, dead) = (world.clone(), Arc::clone(&completed_after_death), Arc::clone(&dead));
        world.clone().tasks().spawn("busy", async move {
            let name = format!("file {number}");
            let file = match world.disk().create(path(&name)).await {
                Ok(file) => file,
                Err(_exists) => world.disk().open(path(&name), Access::Append).await.unwrap(),
            };
            loop {
                file.append(vec![frame("x")]).await.unwrap();
                world.network().send(peer(N1), frame("to myself"));
                file.sync().await.unwrap();
                let deadline = world.clock().now() + Duration::from_micros(number);
                world.clock().sleep_until(deadline).await;
                if *dead.lock().unwrap() {
                    completed.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    std::future::pending::<()>().await;
    drop(lock);
}

#[test]
fn calls_of_a_dead_process_never_complete_and_change_nothing_for_the_next() {
    for seed in 0..100 {
        run_sealed(seed, async move |laboratory: Laboratory| {
            let node = laboratory.node(N1, NodeSettings::default());
            let completed = Arc::new(AtomicU64::new(0));
            let dead = Arc::new(Mutex::new(false));
            let leaked = Arc::new(Mutex::new(None));
            let (counter, flag, leak) = (Arc::clone(&completed), Arc::clone(&dead), Arc::clone(&leaked));
            node.start(move |world| {
                *leak.lock().unwrap() = Some(world.clone());
                busy(world, counter, flag)
            });
            laboratory.sleep_micros(2_000 + seed * 17).await;
            *dead.lock().unwrap() = true;
            let casualties = node.kill();
            assert!(casualties.tasks >= 9, "{casualties:?}");
            let before: Vec<_> = (0..8).map(|number| node.disk().content(path(&format!("file {number}")))).collect();
            // The new process takes the lock of the dead one, whose handles are dropped only now or later.
            let next = node.start(|world| async move {
                let lock = world.disk().lock(path("LOCK")).await.unwrap();
                let deadline = world.clock().now() + Duration::from_millis(10);
                world.clock().sleep_until(deadline).await;
                assert_eq!(world.disk().lock(path("LOCK")).await.unwrap_err().kind, DiskErrorKind::Locked);
                drop(lock);
            });
            let world = leaked.lock().unwrap().take().unwrap();
            world.network().send(peer(N1), frame("from beyond"));
            let ghost = laboratory.spawn(async move { world.disk().create(path("ghost")).await.map(|_file| ()) });
            next.join().await.unwrap();
            let after: Vec<_> = (0..8).map(|number| node.disk().content(path(&format!("file {number}")))).collect();
            assert_eq!(before, after);
            assert!(node.disk().content(path("ghost")).is_none());
            ghost.cancel();
            assert!(ghost.join().await.is_err(), "a call of the dead completed");
            assert_eq!(completed.load(Ordering::Relaxed), 0);
        });
    }
}

#[test]
fn a_process_begins_only_when_the_last_task_of_the_one_before_is_gone() {
    struct Alive(Arc<AtomicU64>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    for seed in 0..50 {
        run_sealed(seed, async |laboratory: Laboratory| {
            let node = laboratory.node(N1, NodeSettings::default());
            let alive = Arc::new(AtomicU64::new(0));
            for _ in 0..4 {
                let counter = Arc::clone(&alive);
                let begun = node.start(move |world| async move {
                    assert_eq!(counter.load(Ordering::Relaxed), 0, "a task of the dead process still exists");
                    for _ in 0..20 {
                        counter.fetch_add(1, Ordering::Relaxed);
                        let alive = Alive(Arc::clone(&counter));
                        world.tasks().spawn("held", async move {
                            std::future::pending::<()>().await;
                            drop(alive);
                        });
                    }
                });
                begun.join().await.unwrap();
                assert!(node.is_running());
                node.kill();
                assert!(!node.is_running());
            }
            node.gone().await;
            assert_eq!(alive.load(Ordering::Relaxed), 0);
        });
    }
}

#[test]
fn joining_a_task_of_a_killed_process_says_cancelled() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        let task = node.start(|_world| std::future::pending::<()>());
        laboratory.sleep_micros(10).await;
        node.kill();
        assert_eq!(task.join().await, Err(TaskEnd::Cancelled));
        assert_eq!(node.kill(), Casualties::default(), "the dead are not killed again");
        assert_eq!(laboratory.counters().kills, 1);
    });
}

#[test]
fn a_paused_process_does_nothing_while_time_and_frames_go_on() {
    run_sealed(1, async |laboratory: Laboratory| {
        let node = laboratory.node(N1, NodeSettings::default());
        laboratory.network().set_default_link(LinkSettings::reliable(Latency::fixed(100)));
        let world = probe(&laboratory, 1);
        node.start(|world| async move {
            loop {
                let (from, frame) = world.network().recv().await;
                world.network().send(from, frame);
            }
        });
        laboratory.sleep_micros(10).await;
        node.pause();
        world.network().send(peer(N1), frame("are you there?"));
        laboratory.sleep_until_micros(5_000).await;
        node.resume();
        world.network().recv().await;
        assert_eq!(laboratory.now_micros(), 5_100);
        node.pause();
        node.kill();
        node.resume();
        node.gone().await;
    });
}

#[test]
fn an_ended_client_takes_its_tasks_along() {
    run_sealed(1, async |laboratory: Laboratory| {
        let world = probe(&laboratory, 1);
        let task = world.tasks().spawn("waiting", std::future::pending::<()>());
        laboratory.end_client(ClientId(1));
        assert_eq!(task.join().await, Err(TaskEnd::Cancelled));
        laboratory.end_client(ClientId(1));
        laboratory.end_client(ClientId(2));
    });
}

#[test]
fn random_streams_differ_by_node_start_and_label_and_agree_otherwise() {
    let draws = |seed| {
        run_sealed(seed, async |laboratory: Laboratory| {
            let mut draws = Vec::new();
            for id in [N1, N2] {
                let node = laboratory.node(id, NodeSettings::default());
                for _ in 0..2 {
                    let drawn = node.start(|world| async move {
                        assert_eq!(world.rng("a").next_u64(), world.rng("a").next_u64());
                        [world.rng("a").next_u64(), world.rng("b").next_u64()]
                    });
                    draws.extend(drawn.join().await.unwrap());
                    node.kill();
                }
            }
            draws
        })
        .value
    };
    let mut all = draws(1);
    assert_eq!(all, draws(1));
    all.extend(draws(2));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 16);
}

/// Three busy nodes, each with a megabyte that a run which is not wound up would keep.
fn a_run_with_ballast(seed: u64) {
    run_sealed(seed, async |laboratory: Laboratory| {
        for id in [N1, N2, N3] {
            let node = laboratory.node(id, NodeSettings::default());
            let (completed, dead) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(false)));
            node.start(move |world| async move {
                let ballast = vec![1_u8; 1 << 20];
                busy(world, completed, dead).await;
                drop(ballast);
            });
        }
        laboratory.sleep_micros(3_000).await;
    });
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "measures the whole process: run alone by the test below"]
fn measure_the_memory_of_many_runs() {
    fn resident_kibibytes() -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        4 * statm.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    }
    (0..100).for_each(a_run_with_ballast);
    let before = resident_kibibytes();
    (100..400).for_each(a_run_with_ballast);
    let kept = resident_kibibytes().saturating_sub(before);
    assert!(kept < 300 * 10, "300 runs kept {kept} KiB");
    println!("300 runs kept {kept} KiB");
}

#[cfg(target_os = "linux")]
#[test]
fn many_runs_end_at_the_memory_they_began_with() {
    let measured = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "--test-threads=1"])
        .arg("world::tests::processes::measure_the_memory_of_many_runs")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&measured.stdout);
    assert!(measured.status.success() && output.contains("300 runs kept"), "{output}");
}
