//! What an acknowledgement means, how many writers share a sync, and what happens when the disk fails.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Batch, Db, Durability, Error, Expected, Options, Outcome, Sequence};

use crate::support::{
    DIRECTORY, Keep, MemoryWorld, Trouble, key_of, numbered_prefix, run, segment, settle, with, write_numbered,
};

async fn opened(options: Options) -> (MemoryWorld, Db<MemoryWorld>) {
    let world = MemoryWorld::new();
    let (db, _) = world.open(options).await.expect("an engine");
    (world, db)
}

#[test]
fn with_always_everything_is_synced_when_a_write_is_acknowledged() {
    run(async {
        let (world, db) = opened(Options { segment_bytes: 300, ..Options::default() }).await;
        for index in 1..=20 {
            let before = world.disk.count("append");
            db.put(key_of(index), "value").await.expect("a write");
            let appended: Vec<PathBuf> = world
                .disk
                .calls()
                .into_iter()
                .filter(|call| call.operation == "append")
                .map(|call| call.path)
                .collect();
            assert!(appended.len() > before);
            for path in &appended[before..] {
                let written = world.disk.content(path).expect("a segment").len();
                assert_eq!(world.disk.durable_bytes(path), written, "write {index} was acknowledged before its sync");
            }
        }
    });
}

#[test]
fn nobody_sees_a_write_before_it_is_synced() {
    run(async {
        let (world, db) = opened(with(Durability::Always)).await;
        let syncs = world.disk.count("sync");
        let writer = tokio::spawn({
            let db = db.clone();
            async move { db.put("storm", "glass").await }
        });
        while world.disk.content(&segment(1)).expect("a segment").len() == 60 {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.disk.count("sync"), syncs, "the sync is on its way");
        assert_eq!(db.get(b"storm").await.expect("a read"), None);
        assert_eq!(db.statistics().sequence, Sequence::ZERO);
        writer.await.expect("a task").expect("a write");
        assert!(db.get(b"storm").await.expect("a read").is_some());
    });
}

/// Holds every name in the data directory against the calls: who depends on it before its folder was synced?
fn check_names_are_synced(world: &MemoryWorld) {
    let directory = Path::new(DIRECTORY);
    let mut unsynced: BTreeSet<PathBuf> = BTreeSet::new();
    let mut begun: BTreeSet<PathBuf> = BTreeSet::new();
    let mut parent_synced = false;
    for call in world.disk.calls() {
        let path = call.path.clone();
        match call.operation {
            "create" => {
                assert!(parent_synced, "{path:?} was made in a folder whose own name was not synced");
                assert!(unsynced.is_empty(), "{path:?} was made while {unsynced:?} were not synced");
                unsynced.insert(path);
            }
            "rename" => {
                unsynced.clear();
                unsynced.insert(path);
            }
            // It gets its durable name by renaming, when it is complete.
            "append" if path.extension().is_some_and(|extension| extension == "tmp") => {}
            "append" if !begun.insert(path.clone()) => {
                assert!(!unsynced.contains(&path), "{path:?} was written to before its name was synced");
            }
            "truncate" => assert!(unsynced.is_empty(), "{path:?} was cut before {unsynced:?} were synced"),
            "sync_dir" if path == directory => unsynced.clear(),
            "sync_dir" => parent_synced = true,
            _ => {}
        }
    }
    assert!(unsynced.is_empty(), "{unsynced:?} were never synced");
}

#[test]
fn every_name_is_synced_before_anything_depends_on_it() {
    run(async {
        let (world, db) = opened(Options { segment_bytes: 300, ..Options::default() }).await;
        write_numbered(&db, 12).await;
        db.close().await.expect("closing");
        assert!(world.disk.content(&segment(3)).is_some(), "the log did not rotate");
        check_names_are_synced(&world);

        // A recovery that sets a tail aside.
        let (world, db) = opened(Options::default()).await;
        write_numbered(&db, 3).await;
        drop(db);
        settle().await;
        let log = world.disk.content(&segment(1)).expect("a log");
        world.disk.plant(&segment(1), &log[..log.len() - 1]);
        let (_db, recovery) = world.open(Options::default()).await.expect("opens");
        assert!(recovery.torn_tail.is_some_and(|torn| torn.kept_in.is_some()));
        check_names_are_synced(&world);
    });
}

#[test]
fn sixty_four_writers_need_far_fewer_syncs_than_writes() {
    run(async {
        let (world, db) = opened(with(Durability::Always)).await;
        let before = world.disk.count("sync");
        let writers: Vec<_> = (0..64_u64)
            .map(|writer| {
                let db = db.clone();
                tokio::spawn(async move {
                    for index in 0..10 {
                        db.put(format!("{writer}/{index}"), "value").await.expect("a write");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("a writer");
        }
        let syncs = world.disk.count("sync") - before;
        assert!(syncs <= 640 / 16, "{syncs} syncs for 640 writes of 64 writers");
        let statistics = db.statistics();
        assert_eq!((statistics.batches_committed, statistics.memtable_keys), (640, 640));
        assert_eq!(statistics.sequence, Sequence(640));
        assert_eq!(statistics.wal_appends, syncs as u64);
    });
}

#[test]
fn a_group_is_bounded() {
    run(async {
        let (_world, db) = opened(Options { group_bytes_max: 100, ..Options::default() }).await;
        let writers: Vec<_> = (0..20_u64)
            .map(|writer| {
                let db = db.clone();
                tokio::spawn(async move { db.put(key_of(writer), vec![0; 60]).await })
            })
            .collect();
        for writer in writers {
            writer.await.expect("a task").expect("a write");
        }
        assert!(db.statistics().wal_appends >= 10, "two writes fill a group");
    });
}

#[test]
fn a_failed_sync_poisons_the_engine_and_is_not_tried_again() {
    run(async {
        let (world, db) = opened(with(Durability::Always)).await;
        db.put("before", "1").await.expect("a write");
        world.disk.arrange(Trouble::FailEvery("sync"));
        let writers: Vec<_> = (0..5_u64)
            .map(|writer| {
                let db = db.clone();
                tokio::spawn(async move { db.put(key_of(writer), "lost?").await })
            })
            .collect();
        let mut outcomes = Vec::new();
        for writer in writers {
            let error = writer.await.expect("a task").expect_err("the sync failed");
            outcomes.push(error.outcome());
        }
        assert!(outcomes.contains(&Outcome::Unknown), "the group that was being synced");

        world.disk.heal();
        let (syncs, appends) = (world.disk.count("sync"), world.disk.count("append"));
        let error = db.put("after", "2").await.expect_err("the engine is poisoned");
        assert!(matches!(&error, Error::Poisoned { cause } if cause.operation == "sync"), "{error}");
        assert_eq!(error.outcome(), Outcome::NotApplied);
        assert!(matches!(db.sync().await, Err(Error::Poisoned { .. })));
        assert!(db.statistics().poisoned.is_some_and(|cause| cause.contains("sync")));

        assert!(db.get(b"before").await.expect("reads go on").is_some());
        assert!(db.get(&key_of(0)).await.expect("reads go on").is_none(), "what failed is not shown");
        assert!(matches!(db.close().await, Err(Error::Poisoned { .. })));
        assert_eq!((world.disk.count("sync"), world.disk.count("append")), (syncs, appends), "something was retried");

        // The directory is free, and recovery decides.
        let (db, _) = world.open(Options::default()).await.expect("reopening");
        assert!(db.get(b"before").await.expect("a read").is_some());
        assert!(db.get(b"after").await.expect("a read").is_none());
    });
}

#[test]
fn a_failed_append_poisons_the_engine_and_its_torn_record_is_cut_off() {
    run(async {
        let (world, db) = opened(with(Durability::None)).await;
        write_numbered(&db, 3).await;
        world.disk.arrange(Trouble::FailEvery("append"));
        assert_eq!(db.put(key_of(4), "lost").await.expect_err("the append failed").outcome(), Outcome::Unknown);
        world.disk.heal();
        assert!(matches!(db.put(key_of(5), "no").await, Err(Error::Poisoned { .. })));
        drop(db);
        settle().await;
        let (db, recovery) = world.open(Options::default()).await.expect("reopening");
        assert_eq!(numbered_prefix(&db, 5).await, 3);
        assert!(recovery.torn_tail.is_some());
    });
}

#[test]
fn a_failed_precondition_applies_nothing_and_costs_no_sync() {
    run(async {
        let (world, db) = opened(with(Durability::Always)).await;
        let first = db.put("a", "1").await.expect("a write");
        let calls = world.disk.calls().len();
        for (key, expected) in
            [("a", Expected::Absent), ("a", Expected::At(Sequence(first.0 + 1))), ("b", Expected::At(first))]
        {
            let batch = Batch::new().require(key, expected).put("a", "2").put("c", "3");
            match db.write(batch).await {
                Err(Error::PreconditionFailed { key: failed }) => assert_eq!(failed, key),
                other => panic!("{key} {expected:?}: {other:?}"),
            }
        }
        assert_eq!(world.disk.calls().len(), calls, "a refusal touched the disk");
        assert_eq!(db.statistics().batches_refused, 3);
        assert_eq!(db.get(b"a").await.expect("a read").map(|entry| entry.sequence), Some(first));
        assert_eq!(db.get(b"c").await.expect("a read"), None);

        let second = db.write(Batch::new().require("a", Expected::At(first)).delete("a")).await.expect("a swap");
        db.write(Batch::new().require("a", Expected::Absent).put("a", "4")).await.expect("a tombstone is absence");
        assert_eq!(second, Sequence(first.0 + 1));
    });
}

#[test]
fn of_writers_that_compare_and_set_one_key_together_each_value_is_replaced_once() {
    run(async {
        let (_world, db) = opened(with(Durability::Always)).await;
        let writers: Vec<_> = (0..30)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move {
                    loop {
                        let current = db.get(b"counter").await.expect("a read");
                        let (expected, next) = match &current {
                            None => (Expected::Absent, 1),
                            Some(entry) => (Expected::At(entry.sequence), entry.value[0] + 1),
                        };
                        match db.write(Batch::new().require("counter", expected).put("counter", [next])).await {
                            Err(Error::PreconditionFailed { .. }) => {}
                            other => return other.expect("a write"),
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("a writer");
        }
        assert_eq!(db.get(b"counter").await.expect("a read").expect("a value").value[..], [30]);
        assert!(db.statistics().batches_refused > 0, "nobody got in anybody's way");
    });
}

#[test]
fn with_an_interval_the_log_is_synced_when_it_has_passed_and_not_before() {
    run(async {
        let (world, db) = opened(with(Durability::Interval(Duration::from_millis(50)))).await;
        let synced = world.disk.durable_bytes(&segment(1));
        write_numbered(&db, 3).await;
        world.clock.advance(Duration::from_millis(49));
        settle().await;
        assert_eq!(world.disk.durable_bytes(&segment(1)), synced, "synced too early");
        world.clock.advance(Duration::from_millis(1));
        settle().await;
        let written = world.disk.content(&segment(1)).expect("a segment").len();
        assert_eq!(world.disk.durable_bytes(&segment(1)), written, "not synced");
        // Nothing new, nothing to sync.
        let syncs = world.disk.count("sync");
        world.clock.advance(Duration::from_secs(10));
        settle().await;
        assert_eq!(world.disk.count("sync"), syncs);

        world.disk.arrange(Trouble::FailEvery("sync"));
        db.put(key_of(4), "unsynced").await.expect("acknowledged before the sync");
        world.clock.advance(Duration::from_millis(50));
        settle().await;
        assert!(matches!(db.put(key_of(5), "no").await, Err(Error::Poisoned { .. })));
    });
}

#[test]
fn an_abandoned_engine_ends_although_a_sync_is_due_and_does_nothing_more() {
    run(async {
        let (world, db) = opened(with(Durability::Interval(Duration::from_millis(50)))).await;
        db.put("a", "1").await.expect("a write");
        let calls = world.disk.calls().len();
        drop(db);
        settle().await;
        world.clock.advance(Duration::from_secs(1));
        settle().await;
        assert_eq!(world.disk.calls().len(), calls, "somebody did I/O for an engine that nobody holds");
        world.open(Options::default()).await.expect("the directory is free");
    });
}

#[test]
fn without_syncs_a_kill_loses_nothing_and_a_power_loss_everything_since_the_last() {
    run(async {
        let (world, db) = opened(with(Durability::None)).await;
        write_numbered(&db, 3).await;
        db.sync().await.expect("a sync");
        for index in 4..=6 {
            db.put(key_of(index), crate::support::value_of(index)).await.expect("a write");
        }
        for (disk, expected) in [(world.disk.after_kill(), 6), (world.disk.after_power_loss(Keep::Nothing), 3)] {
            let (db, recovery) = MemoryWorld::on(disk).open(Options::default()).await.expect("opens");
            assert_eq!(numbered_prefix(&db, 6).await, expected);
            assert!(!recovery.closed_cleanly);
        }
    });
}

#[test]
fn what_a_recovery_has_shown_survives_a_power_loss() {
    run(async {
        let (world, db) = opened(with(Durability::None)).await;
        write_numbered(&db, 3).await;
        // The process dies, the machine does not: nothing was synced so far.
        drop(db);
        settle().await;
        assert_eq!(world.disk.durable_bytes(&segment(1)), 60);
        let (db, _) = world.open(with(Durability::None)).await.expect("reopening");
        assert_eq!(numbered_prefix(&db, 3).await, 3);
        let disk = world.disk.after_power_loss(Keep::Nothing);
        let (db, _) = MemoryWorld::on(disk).open(Options::default()).await.expect("opens");
        assert_eq!(numbered_prefix(&db, 3).await, 3, "a write was shown and then lost");
    });
}

#[test]
fn closing_makes_everything_durable_and_proven_at_any_level() {
    run(async {
        let (world, db) = opened(with(Durability::None)).await;
        write_numbered(&db, 3).await;
        db.close().await.expect("closing");
        db.close().await.expect("closing again");
        assert!(matches!(db.get(b"a").await, Err(Error::Closed)));
        assert!(matches!(db.sync().await, Err(Error::Closed)));
        let error = db.put("a", "1").await.expect_err("closed");
        assert!(matches!(error, Error::Closed) && error.outcome() == Outcome::NotApplied);
        let disk = world.disk.after_power_loss(Keep::Nothing);
        let (db, recovery) = MemoryWorld::on(disk).open(Options::default()).await.expect("opens");
        assert!(recovery.closed_cleanly);
        assert_eq!(numbered_prefix(&db, 3).await, 3);
    });
}

#[test]
fn writes_that_are_queued_when_the_engine_closes_are_done_or_refused_and_never_forgotten() {
    run(async {
        let (world, db) = opened(with(Durability::Always)).await;
        let mut writers = Vec::new();
        for index in 0..40_u64 {
            let db = db.clone();
            writers.push(tokio::spawn(async move {
                if index == 20 {
                    db.close().await.map(|()| None)
                } else {
                    db.put(key_of(index), "value").await.map(Some)
                }
            }));
        }
        let mut acknowledged = Vec::new();
        for (index, writer) in writers.into_iter().enumerate() {
            match writer.await.expect("a task") {
                Ok(Some(_)) => acknowledged.push(index as u64),
                Ok(None) => {}
                Err(error) => assert!(matches!(error, Error::Closed), "{error}"),
            }
        }
        assert_eq!(acknowledged, (0..20).collect::<Vec<_>>());
        let (db, _) = world.open(Options::default()).await.expect("reopening");
        assert_eq!(db.statistics().memtable_keys, 20);
    });
}

#[test]
fn a_write_whose_caller_went_away_is_still_applied_whole() {
    run(async {
        let (_world, db) = opened(with(Durability::Always)).await;
        let writer = tokio::spawn({
            let db = db.clone();
            async move { db.write(Batch::new().put("a", "1").put("b", "2")).await }
        });
        tokio::task::yield_now().await;
        writer.abort();
        settle().await;
        assert_eq!(db.statistics().sequence, Sequence(2));
        assert!(db.get(b"a").await.expect("a read").is_some() && db.get(b"b").await.expect("a read").is_some());
    });
}

#[test]
fn an_empty_batch_asks_its_preconditions_and_writes_nothing() {
    run(async {
        let (world, db) = opened(with(Durability::Always)).await;
        let sequence = db.put("a", "1").await.expect("a write");
        let calls = world.disk.calls().len();
        let same = db.write(Batch::new().require("a", Expected::At(sequence))).await.expect("it holds");
        assert_eq!(same, sequence);
        let refused = db.write(Batch::new().require("a", Expected::Absent)).await;
        assert!(matches!(refused, Err(Error::PreconditionFailed { .. })));
        assert_eq!(world.disk.calls().len(), calls);
    });
}

#[test]
fn segments_that_are_in_tables_go_oldest_first_and_durably_so() {
    // Were a later one gone and an earlier one there, a damaged end of the manifest and a damaged beginning of the segment
    // behind the gap would together look like a log that ends before the gap.
    run(async {
        let world = MemoryWorld::new();
        let (db, _) = world.open(Options { segment_bytes: 200, ..Options::default() }).await.expect("an engine");
        write_numbered(&db, 12).await;
        let before = world.disk.calls().len();
        db.flush().await.expect("a flush");
        settle().await;
        let calls = world.disk.calls().split_off(before);
        let is_segment = |path: &Path| path.to_string_lossy().contains("/wal-");
        let (mut removed, mut is_synced) = (Vec::new(), true);
        for call in calls {
            match call.operation {
                "remove" if is_segment(&call.path) => {
                    assert!(is_synced, "{:?} goes before the removal of {:?} is durable", call.path, removed.last());
                    removed.push(call.path);
                    is_synced = false;
                }
                "sync_dir" => is_synced = true,
                _ => {}
            }
        }
        assert!(removed.len() > 2 && removed.is_sorted(), "{removed:?}");
    });
}
