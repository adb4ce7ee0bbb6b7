//! Snapshots while the tree is rebuilt beneath them: what they see does not change, what they need is kept, and what
//! nobody needs any more goes.

use std::time::Duration;

use engine::compaction::{Fifo, LazyLeveled, Leveled, Strategy, Tiered};
use engine::{Db, Direction, Error, Expected, Options, Snapshot, all_keys};

use crate::support::{MemoryWorld, run, settle};

fn options(strategy: Strategy, compaction_jobs: usize) -> Options {
    Options {
        memtable_bytes: 24 * 1024,
        block_bytes: 256,
        memory_bytes: 1 << 20,
        strategy,
        compaction_jobs,
        ..Options::default()
    }
}

fn strategies() -> [Strategy; 4] {
    [
        Strategy::Leveled(Leveled { levels: 3, level0_runs: 2, base_bytes: 8192, fanout: 2, table_bytes: 4096 }),
        Strategy::Tiered(Tiered { levels: 3, runs: 2, table_bytes: 4096 }),
        Strategy::LazyLeveled(LazyLeveled { levels: 4, runs: 2, table_bytes: 4096 }),
        Strategy::Fifo(Fifo { max_bytes: 0, max_age_micros: 0 }),
    ]
}

async fn everything(db: &Db<MemoryWorld>, snapshot: &Snapshot) -> Vec<(String, u64)> {
    let mut iteration = db.iterate(all_keys(), Direction::Forward, snapshot).expect("an iteration");
    let mut found = Vec::new();
    while let Some((key, entry)) = iteration.next().await.expect("a key") {
        found.push((String::from_utf8_lossy(&key).into_owned(), entry.sequence.0));
    }
    found
}

/// Versions and tombstones that lie in tables.
fn entries(db: &Db<MemoryWorld>) -> u64 {
    db.statistics().levels.iter().map(|level| level.entries).sum()
}

async fn write_round(db: &Db<MemoryWorld>, round: u64) {
    for index in 0..20 {
        db.put(format!("key {index:02}"), format!("{round} {}", "v".repeat(200))).await.expect("a write");
    }
    db.delete(format!("key {:02}", round % 20)).await.expect("a write");
    let end = format!("key {:02}", (round + 7) % 20);
    db.write(db.batch().delete_range(format!("key {:02}", (round + 5) % 20), Some(end.as_bytes())))
        .await
        .expect("a write");
}

#[test]
fn a_snapshot_sees_the_same_whatever_is_flushed_and_merged_meanwhile() {
    run(async {
        for strategy in strategies() {
            let world = MemoryWorld::new();
            world.clock.leap();
            let (db, _) = world.open(options(strategy, 2)).await.expect("an engine");
            let mut held = Vec::new();
            for round in 0..12 {
                write_round(&db, round).await;
                let snapshot = db.snapshot();
                let seen = everything(&db, &snapshot).await;
                held.push((snapshot, seen));
                db.flush().await.expect("a flush");
                settle().await;
                if round % 4 == 3 {
                    db.compact().await.expect("a merge");
                }
                for (snapshot, seen) in &held {
                    assert_eq!(&everything(&db, snapshot).await, seen, "at {}", snapshot.sequence());
                }
            }
        }
    });
}

#[test]
fn an_iteration_goes_on_in_what_it_began_with_although_its_tables_are_gone() {
    run(async {
        let [leveled, ..] = strategies();
        let world = MemoryWorld::new();
        world.clock.leap();
        let (db, _) = world.open(options(leveled, 0)).await.expect("an engine");
        write_round(&db, 0).await;
        db.flush().await.expect("a flush");
        let snapshot = db.snapshot();
        let seen = everything(&db, &snapshot).await;
        let mut iteration = db.iterate(all_keys(), Direction::Backward, &snapshot).expect("an iteration");
        let mut found = vec![iteration.next().await.expect("a key").expect("a key")];
        // The snapshot goes, the iteration stays.
        drop(snapshot);
        db.write(db.batch().delete_range("", None)).await.expect("a write");
        db.compact().await.expect("a merge");
        assert_eq!(entries(&db), 0);
        while let Some(next) = iteration.next().await.expect("a key") {
            found.push(next);
        }
        let found: Vec<_> = found.iter().rev().map(|(key, entry)| (key.clone(), entry.sequence.0)).collect();
        let seen: Vec<_> = seen.iter().map(|(key, sequence)| (key.clone().into_bytes().into(), *sequence)).collect();
        assert_eq!(found, seen);
    });
}

#[test]
fn old_versions_are_kept_for_a_snapshot_and_gone_when_it_was_released() {
    run(async {
        let [leveled, tiered, lazy, _] = strategies();
        for strategy in [leveled, tiered, lazy] {
            let world = MemoryWorld::new();
            world.clock.leap();
            let (db, _) = world.open(options(strategy, 0)).await.expect("an engine");
            let mut held = Vec::new();
            for round in 0..3 {
                for index in 0..10 {
                    db.put(format!("key {index}"), format!("{round}")).await.expect("a write");
                    db.put(format!("key {index}"), format!("{round} again")).await.expect("a write");
                }
                held.push(db.snapshot());
                db.flush().await.expect("a flush");
            }
            for index in 0..10 {
                db.delete(format!("key {index}")).await.expect("a write");
            }
            db.compact().await.expect("a merge");
            // Of each key one version a snapshot, and the tombstone that hides them from everybody else.
            assert_eq!(entries(&db), 40);
            drop(held.remove(1));
            db.compact().await.expect("a merge");
            assert_eq!(entries(&db), 30);
            let found = db.get_at(b"key 3", &held[0]).await.expect("a read").expect("a value");
            assert_eq!(found.value, "0 again");
            held.clear();
            db.compact().await.expect("a merge");
            assert_eq!(db.statistics().levels, []);
        }
    });
}

#[test]
fn a_snapshot_beyond_its_age_is_told_so_and_keeps_nothing() {
    run(async {
        let [leveled, ..] = strategies();
        let world = MemoryWorld::new();
        let options = Options { snapshot_age_max: Some(Duration::from_secs(60)), ..options(leveled, 0) };
        let (db, _) = world.open(options).await.expect("an engine");
        db.put("a", "old").await.expect("a write");
        let old = db.snapshot();
        let stale = db.transaction(engine::Isolation::Snapshot);
        world.clock.advance(Duration::from_secs(50));
        db.put("a", "new").await.expect("a write");
        let young = db.snapshot();
        db.put("a", "newest").await.expect("a write");
        assert_eq!(db.get_at(b"a", &old).await.expect("a read").expect("a value").value, "old");
        db.compact().await.expect("a merge");
        assert_eq!(entries(&db), 3);

        world.clock.advance(Duration::from_secs(11));
        db.compact().await.expect("a merge");
        assert_eq!(entries(&db), 2, "nobody keeps what the old one saw");
        assert!(matches!(db.get_at(b"a", &old).await, Err(Error::SnapshotTooOld { .. })));
        assert!(matches!(db.iterate(all_keys(), Direction::Forward, &old), Err(Error::SnapshotTooOld { .. })));
        assert!(matches!(
            db.scan(all_keys(), engine::ScanLimits::default(), &old).await,
            Err(Error::SnapshotTooOld { .. })
        ));
        assert!(matches!(stale.commit().await, Err(Error::SnapshotTooOld { .. })));
        assert_eq!(db.get_at(b"a", &young).await.expect("a read").expect("a value").value, "new");
    });
}

#[test]
fn what_was_deleted_since_a_snapshot_that_was_given_up_counts_as_changed() {
    run(async {
        let [leveled, ..] = strategies();
        let world = MemoryWorld::new();
        let options = Options { snapshot_age_max: Some(Duration::from_secs(60)), ..options(leveled, 0) };
        let (db, _) = world.open(options).await.expect("an engine");
        db.put("a", "old").await.expect("a write");
        db.put("b", "old").await.expect("a write");
        let snapshot = db.snapshot();
        let since = snapshot.sequence();
        let unchanged = |key: &'static str| db.batch().require(key, Expected::UnchangedSince(since));
        let still = || db.batch().require_range(all_keys(), since);
        assert!(db.write(unchanged("never there")).await.is_ok(), "a live snapshot remembers everything behind it");
        db.delete("a").await.expect("a write");
        assert!(matches!(db.write(unchanged("a")).await, Err(Error::PreconditionFailed { .. })));

        world.clock.advance(Duration::from_secs(61));
        db.compact().await.expect("a merge");
        assert_eq!(entries(&db), 1, "the deletion left no trace");
        assert!(matches!(db.write(unchanged("a")).await, Err(Error::PreconditionFailed { .. })));
        assert!(matches!(db.write(still()).await, Err(Error::PreconditionFailed { .. })));
        assert!(db.write(unchanged("b")).await.is_ok(), "what is still there was not deleted");
    });
}

#[test]
fn what_was_deleted_stays_deleted_through_merges_to_the_bottom_under_one_strategy_after_the_other() {
    run(async {
        let world = MemoryWorld::new();
        world.clock.leap();
        for (round, strategy) in strategies().into_iter().cycle().take(12).enumerate() {
            let (db, _) = world.open(options(strategy, 2)).await.expect("an engine");
            for index in 0..30 {
                db.put(format!("key {index:02}"), format!("{round} {}", "v".repeat(300))).await.expect("a write");
                if index % 10 == 9 {
                    db.flush().await.expect("a flush");
                }
            }
            // Half by key, half by range; older versions lie in every level.
            for index in 0..10 {
                db.delete(format!("key {index:02}")).await.expect("a write");
            }
            db.write(db.batch().delete_range("key 10", Some(b"key 20"))).await.expect("a write");
            db.flush().await.expect("a flush");
            settle().await;
            if round % 3 == 2 {
                db.compact().await.expect("a merge");
            }
            let seen = everything(&db, &db.snapshot()).await;
            let keys: Vec<_> = seen.into_iter().map(|(key, _)| key).collect();
            let expected: Vec<_> = (20..30).map(|index| format!("key {index:02}")).collect();
            assert_eq!(keys, expected, "round {round}");
            for index in 0..20 {
                assert_eq!(db.get(format!("key {index:02}").as_bytes()).await.expect("a read"), None, "round {round}");
            }
            db.close().await.expect("closing");
        }
    });
}
