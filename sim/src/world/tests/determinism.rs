//! Determinism: the same seed is the same run, another seed is another run, and what does not come from the seed is caught.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cluster::world::{ClusterWorld, Network};
use engine::world::{Access, Clock, Disk, File, Tasks, World};

use super::*;

/// A small cluster in bad weather: every side of the seam, and every kind of event.
fn storm(seed: u64) -> Sealed<()> {
    storm_with(seed, |_laboratory| ())
}

fn storm_with(seed: u64, extra: impl FnOnce(&Laboratory) + Send + 'static) -> Sealed<()> {
    run_sealed_recording(Recording::last(100_000), seed, async move |laboratory: Laboratory| {
        let link = LinkSettings { latency: Latency::quantiles(200, 2_000), loss_ppm: 20_000, duplicate_ppm: 50_000 };
        laboratory.network().set_default_link(link);
        let nodes: Vec<SimulatedNode> =
            [N1, N2, N3].into_iter().map(|id| laboratory.node(id, NodeSettings::default())).collect();
        for node in &nodes {
            node.start(gossip);
        }
        laboratory.sleep_micros(20_000).await;
        let split = laboratory.network().split(&[vec![peer(N1)], vec![peer(N2), peer(N3)]]);
        nodes[1].kill();
        nodes[1].start(gossip);
        laboratory.sleep_micros(20_000).await;
        laboratory.network().unblock(split);
        nodes[2].power_loss(Survival::Random);
        nodes[2].start(gossip);
        nodes[0].clock().step_micros(-5_000);
        nodes[0].pause();
        laboratory.sleep_micros(5_000).await;
        nodes[0].resume();
        extra(&laboratory);
        laboratory.sleep_micros(15_000).await;
    })
}

async fn gossip(world: NodeWorld) {
    let log = match world.disk().create(path("log")).await {
        Ok(log) => log,
        Err(_exists) => world.disk().open(path("log"), Access::Append).await.unwrap(),
    };
    world.disk().sync_dir(path("/")).await.unwrap();
    let receiver = world.clone();
    world.tasks().spawn("receiver", async move {
        loop {
            let (from, frame) = receiver.network().recv().await;
            if frame.len() < 64 {
                receiver.network().send(from, [frame, Bytes::from_static(b"+")].concat().into());
            }
        }
    });
    let mut rng = world.rng("gossip");
    loop {
        let to = peer(*rng.pick(&[N1, N2, N3]).unwrap());
        let text = Bytes::copy_from_slice(&rng.next_u64().to_le_bytes());
        world.network().send(to, text.clone());
        log.append(vec![text]).await.unwrap();
        log.sync().await.unwrap();
        let pause = Duration::from_micros(rng.within(100..1_000));
        world.clock().sleep_until(world.clock().now() + pause).await;
    }
}

#[test]
fn the_same_seed_is_the_same_run_event_by_event() {
    for seed in 0..5 {
        let (first, second) = (storm(seed), storm(seed));
        assert_eq!(first.trace_tail, second.trace_tail);
        assert_eq!((first.trace, first.events), (second.trace, second.events));
        assert_eq!(first.counters, second.counters);
        assert!(first.events > 1_000 && first.events < 100_000, "{}", first.events);
    }
}

#[test]
fn another_seed_has_other_events() {
    let (one, other) = (storm(1), storm(2));
    assert_ne!(one.trace, other.trace);
    assert_ne!(one.events, other.events);
    let shared = one.trace_tail.iter().filter(|line| other.trace_tail.contains(line)).count();
    assert!(shared < one.trace_tail.len() / 10, "{shared} of {} events are the same", one.trace_tail.len());
}

#[test]
fn the_order_in_which_ready_tasks_run_depends_on_the_seed() {
    let order = |seed| {
        run_sealed(seed, async |laboratory: Laboratory| {
            let world = probe(&laboratory, 1);
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            for number in 0..8 {
                let sender = sender.clone();
                world.tasks().spawn("racer", async move { sender.send(number).unwrap() });
            }
            drop(sender);
            let mut order = Vec::new();
            while let Some(number) = receiver.recv().await {
                order.push(number);
            }
            order
        })
        .value
    };
    let orders: std::collections::BTreeSet<Vec<u32>> = (0..10).map(order).collect();
    assert!(orders.len() > 5);
    assert_eq!(order(3), order(3));
}

#[test]
fn an_address_in_an_event_is_caught_by_the_second_run() {
    let run = || storm_with(1, |laboratory| laboratory.trace("canary", &[Box::leak(Box::new(0_u8)) as *mut u8 as u64]));
    assert_ne!(run().trace, run().trace);
}

#[test]
fn a_static_counter_in_an_event_is_caught_by_the_second_run() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let run = || storm_with(1, |laboratory| laboratory.trace("canary", &[RUNS.fetch_add(1, Ordering::Relaxed)]));
    assert_ne!(run().trace, run().trace);
}

#[test]
fn real_time_in_an_event_is_caught_by_the_second_run() {
    let run = || {
        let since_1970 = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        storm_with(1, move |laboratory| laboratory.trace("canary", &[since_1970]))
    };
    assert_ne!(run().trace, run().trace);
}

#[test]
fn the_clock_and_the_entropy_of_libc_are_the_same_in_every_run() {
    let run = || {
        storm_with(1, |laboratory| {
            let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
            #[allow(clippy::disallowed_types, reason = "the entropy behind it is what this looks at")]
            let hash = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 7);
            laboratory.trace("safety net", &[now, hash]);
        })
    };
    assert_eq!(run().trace, run().trace);
}
