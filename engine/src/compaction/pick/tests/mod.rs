//! What `pick` chooses, on sets of entries: every read finds the newest version, whatever runs at once and however the
//! strategy changes, and the shape comes to rest.

mod golden;
mod world;

use crate::compaction::{Fifo, LazyLeveled, Leveled, Strategy, Tiered};
use crate::world::Rng;
use world::{ENTRY_BYTES, Workload, World};

const WORKLOAD: Workload = Workload { keys: 400, flush_entries: 24, delete_percent: 25, expire_percent: 20 };

fn leveled() -> Strategy {
    Strategy::Leveled(Leveled {
        levels: 5,
        level0_runs: 3,
        base_bytes: 40 * ENTRY_BYTES,
        fanout: 3,
        table_bytes: 12 * ENTRY_BYTES,
    })
}

fn tiered() -> Strategy {
    Strategy::Tiered(Tiered { levels: 4, runs: 3, table_bytes: 12 * ENTRY_BYTES })
}

fn lazy() -> Strategy {
    Strategy::LazyLeveled(LazyLeveled { levels: 5, runs: 3, table_bytes: 12 * ENTRY_BYTES })
}

fn fifo() -> Strategy {
    Strategy::Fifo(Fifo { max_bytes: 300 * ENTRY_BYTES, max_age_micros: 600 })
}

fn random_steps(strategy: &Strategy, workload: Workload, seeds: u64) -> World {
    let mut last = None;
    for seed in 0..seeds {
        let mut world = World::new(seed, strategy.clone(), workload);
        (0..500).for_each(|_| world.step());
        world.release_snapshot();
        world.settle();
        last = Some(world);
    }
    last.unwrap()
}

#[test]
fn leveled_keeps_the_order_of_versions_and_comes_to_rest() {
    let world = random_steps(&leveled(), WORKLOAD, 20);
    for level in 1..world.shape.depth() {
        assert!(world.shape.runs(level).len() <= 1);
    }
    assert!(world.shape.runs(0).len() < 3);
}

#[test]
fn tiered_keeps_the_order_of_versions_and_comes_to_rest() {
    let world = random_steps(&tiered(), WORKLOAD, 20);
    assert!((0..world.shape.depth()).all(|level| world.shape.runs(level).len() < 3));
}

#[test]
fn lazy_leveled_keeps_the_order_of_versions_and_comes_to_rest_with_one_last_run() {
    let world = random_steps(&lazy(), WORKLOAD, 20);
    assert_eq!(world.shape.runs(world.shape.depth() - 1).len(), 1);
}

#[test]
fn fifo_drops_the_oldest_and_shows_nothing_older_than_what_was_dropped() {
    let world = random_steps(&fifo(), WORKLOAD, 20);
    assert!(world.shape.bytes_total() <= 300 * ENTRY_BYTES);
    assert!(world.jobs.keys().any(|name| name.contains("FifoAge")), "{:?}", world.jobs);
}

#[test]
fn deletes_alone_leave_an_empty_tree_below_level_0() {
    for strategy in [leveled(), tiered(), lazy()] {
        let mut world = random_steps(&strategy, Workload { delete_percent: 50, expire_percent: 0, ..WORKLOAD }, 5);
        assert!(world.jobs.keys().any(|name| name.contains("Tombstones")), "{strategy:?}: {:?}", world.jobs);
        // Everything expires: all that is left is what level 0 has not given down yet.
        world = World::new(1, strategy.clone(), Workload { delete_percent: 0, expire_percent: 100, ..WORKLOAD });
        (0..500).for_each(|_| world.step());
        world.release_snapshot();
        world.now += 10_000;
        world.settle();
        assert!(world.shape.newest_first().all(|(level, _)| level == 0), "{strategy:?}: {:?}", world.jobs);
        assert!(world.jobs.keys().any(|name| name == "Drop Expired"), "{strategy:?}: {:?}", world.jobs);
    }
}

#[test]
fn a_strategy_may_change_at_any_moment() {
    let mut jobs = std::collections::BTreeMap::<String, u64>::new();
    for seed in 0..40 {
        let mut choice = Rng::from_seed(seed).fork("strategy");
        let few = [leveled(), tiered(), lazy()];
        let mut world = World::new(seed, leveled(), WORKLOAD);
        for _ in 0..900 {
            if choice.chance(1, 60) {
                world.strategy = choice.pick(&few).unwrap().clone();
                if seed % 4 == 0 && choice.chance(1, 3) {
                    world.strategy = fifo();
                    world.lossy = true;
                }
            }
            world.step();
        }
        world.release_snapshot();
        for strategy in few {
            world.strategy = strategy;
            world.settle();
        }
        for (name, count) in world.jobs {
            *jobs.entry(name).or_default() += count;
        }
    }
    println!("{jobs:#?}");
    let kinds = ["Merge Level0Runs", "Merge Level0Crowded", "Merge LevelBytes", "Merge AboveBase", "Merge LevelRuns"];
    for name in kinds.into_iter().chain(["TrivialMove LevelBytes", "Merge Tombstones", "Drop Expired"]) {
        assert!(jobs.contains_key(name), "{name} never happened: {jobs:#?}");
    }
}

/// Entries that merges wrote for each entry that was flushed, on uniformly chosen keys.
fn write_amplification(strategy: Strategy) -> f64 {
    let workload = Workload { keys: 40_000, flush_entries: 200, delete_percent: 0, expire_percent: 0 };
    let mut world = World::new(5, strategy, workload);
    for _ in 0..400 {
        world.flush();
        while world.start() {
            world.finish_any();
        }
    }
    world.check();
    1.0 + world.merged_entries as f64 / world.flushed_entries as f64
}

#[test]
fn tiered_writes_least_leveled_most_and_lazy_leveled_between() {
    let table_bytes = 200 * ENTRY_BYTES;
    let leveled = write_amplification(Strategy::Leveled(Leveled {
        levels: 7,
        level0_runs: 4,
        base_bytes: 800 * ENTRY_BYTES,
        fanout: 10,
        table_bytes: table_bytes / 4,
    }));
    let tiered = write_amplification(Strategy::Tiered(Tiered { levels: 7, runs: 4, table_bytes }));
    let lazy = write_amplification(Strategy::LazyLeveled(LazyLeveled { levels: 7, runs: 4, table_bytes }));
    println!("write amplification, uniform: leveled {leveled:.1}, tiered {tiered:.1}, lazy leveled {lazy:.1}");
    assert!((2.0..6.0).contains(&tiered), "{tiered}");
    assert!((2.0..20.0).contains(&leveled), "{leveled}");
    assert!(tiered < lazy && lazy < leveled, "{tiered} {lazy} {leveled}");
}

#[test]
fn disjoint_jobs_run_at_once() {
    let workload = Workload { keys: 4_000, flush_entries: 60, delete_percent: 0, expire_percent: 0 };
    for (strategy, at_once) in [(leveled(), 4), (tiered(), 2)] {
        let mut world = World::new(9, strategy, workload);
        let mut most = 0;
        for step in 0..100 {
            world.flush();
            while world.running() < 6 && world.start() {}
            most = most.max(world.running());
            if step % 4 == 3 {
                (0..3).for_each(|_| world.finish_any());
                world.check();
            }
        }
        assert!(most >= at_once, "{most} jobs at once");
        world.settle();
    }
}
