//! Disks that fail while tables are made: one call, or all of a kind, for want of space or for good.
//!
//! ```text
//!   any one call of a life     an error, or tried again in the background; what was acknowledged is there afterwards
//!   no space for tables        writes go on until two memtables wait, then are refused; room again: they go on
//!   the log or the manifest    the engine is poisoned, and makes nothing more
//! ```
//!
//! Whatever fails, a read gives what was written or an error.

use std::path::Path;
use std::time::Duration;

use engine::compaction::{Leveled, Strategy};
use engine::world::DiskErrorKind;
use engine::{Db, Error, Options, Outcome};

use crate::support::told::Told;
use crate::support::{DIRECTORY, Keep, MemoryDisk, MemoryWorld, Trouble, run, settle};

/// Small tables and memtables, so that a short life flushes, merges and begins new manifests.
fn small() -> Options {
    let leveled = Leveled { levels: 3, level0_runs: 2, base_bytes: 8192, fanout: 2, table_bytes: 4096 };
    Options {
        memtable_bytes: 32 * 1024,
        block_bytes: 256,
        memory_bytes: 1 << 20,
        compaction_jobs: 1,
        strategy: Strategy::Leveled(leveled),
        ..Options::default()
    }
}

const CANNOT_MAKE_TABLES: Trouble =
    Trouble::FailNamed { operations: &["create", "append"], prefix: "table-", kind: DiskErrorKind::InputOutput };

const NO_SPACE_FOR_TABLES: Trouble =
    Trouble::FailNamed { operations: &["create", "append"], prefix: "table-", kind: DiskErrorKind::NoSpace };

/// Opens, writes through some flushes, merges and manifests, copies, closes; goes on after what fails.
async fn live(disk: &MemoryDisk) -> Told {
    let mut told = Told::default();
    let world = MemoryWorld::on(disk.clone());
    world.clock.leap();
    // Every write fills a memtable, so that manifests grow as well.
    let options = Options { memtable_bytes: 1024, ..small() };
    let Ok((db, _)) = world.open(options).await else { return told };
    let mut round = async |round: u32| {
        for index in 0..6 {
            let (key, value) = (format!("key {index:02}"), format!("{round} {}", "v".repeat(900)));
            let answer = db.put(&key, &value).await.map(drop);
            told.note(&key, Some(value), answer);
        }
        let (key, answer) = ("key 03", db.delete("key 03").await.map(drop));
        told.note(key, None, answer);
        let answer = db.write(db.batch().delete_range("key 04", Some(b"key 06"))).await.map(drop);
        told.note("key 04", None, answer.clone());
        told.note("key 05", None, answer);
        told.check(&db, |_| true, "while it lives").await;
    };
    round(1).await;
    let _ = db.keyspace("other").await;
    let _ = db.flush().await;
    round(2).await;
    let _ = db.compact().await;
    for number in 3..5 {
        round(number).await;
    }
    if db.checkpoint(Path::new("/data/copy")).await.is_ok() {
        let opened = Db::open(world.clone(), Path::new("/data/copy"), small()).await;
        if let Ok((copy, _)) = opened {
            told.check(&copy, |_| true, "the copy").await;
        }
    }
    settle().await;
    told.check(&db, |_| true, "before it ends").await;
    let _ = db.close().await;
    drop(db);
    settle().await;
    told
}

#[test]
fn whatever_single_call_fails_nothing_acknowledged_is_lost_and_no_answer_is_wrong() {
    run(async {
        let disk = MemoryDisk::new();
        assert_eq!(live(&disk).await.refused, 0);
        let count = |operation, name: &str| {
            let is_it = |path: &Path| path.to_string_lossy().contains(name);
            disk.calls().iter().filter(|call| call.operation == operation && is_it(&call.path)).count()
        };
        assert!(count("create", "node/manifest-") > 1, "no new manifest was begun");
        assert!(count("remove", "node/table-") > 2, "nothing was merged");
        assert!(count("link", "copy/table-") > 0, "nothing was copied");
        let calls = disk.calls().len() as u64;
        for call in 0..calls {
            let disk = MemoryDisk::new();
            disk.arrange(Trouble::FailCall(call));
            let told = live(&disk).await;
            let failed = disk.calls().get(call as usize).cloned();
            for keep in [Keep::Everything, Keep::Nothing, Keep::Part(call)] {
                let what = format!("call {call} of {calls}, {failed:?}, failed; {keep:?} is kept");
                let found = disk.after_power_loss(keep);
                let opened = MemoryWorld::on(found.clone()).open(small()).await;
                let (db, _) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
                told.check(&db, |_| false, &what).await;
                db.put("key 00", "and it goes on").await.expect("a write");
                db.compact().await.unwrap_or_else(|error| panic!("{what}: {error}"));
                db.close().await.expect("closing");
            }
        }
    });
}

/// Writes numbered values until one is refused, at most `most`; tells how many went through, and the refusal.
async fn write_until_refused(db: &Db<MemoryWorld>, from: u64, most: u64) -> (u64, Option<Error>) {
    for index in from..from + most {
        if let Err(error) = db.put(format!("key {index}"), vec![b'v'; 300]).await {
            return (index - from, Some(error));
        }
    }
    (most, None)
}

#[test]
fn without_space_for_tables_writes_are_refused_once_two_memtables_wait_and_go_on_when_there_is_room() {
    run(async {
        let world = MemoryWorld::new();
        world.clock.leap();
        let (db, _) = world.open(small()).await.expect("an engine");
        world.disk.arrange(NO_SPACE_FOR_TABLES);
        let (written, refusal) = write_until_refused(&db, 0, 1_000).await;
        let refusal = refusal.expect("memory is not filled without end");
        assert!(matches!(refusal, Error::OutOfSpace { .. }), "{refusal}");
        assert_eq!(refusal.outcome(), Outcome::NotApplied);
        assert!(written > 10 && db.statistics().memtables_frozen == 2, "{written} writes, {db:?}");
        for index in 0..=written {
            let found = db.get(format!("key {index}").as_bytes()).await.expect("reads go on");
            assert_eq!(found.is_some(), index < written, "key {index}");
        }
        assert!(matches!(db.flush().await, Err(Error::OutOfSpace { .. })));
        assert_eq!(db.statistics().poisoned, None);

        world.disk.heal();
        for _ in 0..5 {
            settle().await;
        }
        let (more, refusal) = write_until_refused(&db, written, 100).await;
        assert!(more == 100, "{refusal:?}");
        db.compact().await.expect("there is room");
        db.close().await.expect("closing");
        let (db, _) = world.open(small()).await.expect("reopening");
        for index in 0..written + 100 {
            assert!(db.get(format!("key {index}").as_bytes()).await.expect("a read").is_some(), "key {index}");
        }
        let orphans =
            world.disk.everything().into_keys().filter(|path| path.to_string_lossy().contains("table-")).count();
        let tables: u64 = db.statistics().levels.iter().map(|level| level.tables).sum();
        assert_eq!(orphans as u64, tables, "half-made tables were left");
    });
}

#[test]
fn a_flush_without_space_is_told_although_only_one_memtable_waits() {
    run(async {
        let world = MemoryWorld::new();
        let (db, _) = world.open(Options::default()).await.expect("an engine");
        db.put("a", "1").await.expect("a write");
        world.disk.arrange(NO_SPACE_FOR_TABLES);
        assert!(matches!(db.flush().await, Err(Error::OutOfSpace { .. })));
        db.put("b", "2").await.expect("one memtable may wait");
        world.disk.heal();
        db.flush().await.expect("there is room");
    });
}

#[test]
fn a_failure_of_the_past_fails_no_flush_of_today() {
    run(async {
        let world = MemoryWorld::new();
        let (db, _) = world.open(Options::default()).await.expect("an engine");
        for round in 0..3 {
            db.put("a", format!("{round}")).await.expect("a write");
            world.disk.arrange(CANNOT_MAKE_TABLES);
            assert!(matches!(db.flush().await, Err(Error::JobFailed { .. })), "round {round}");
            assert!(matches!(db.compact().await, Err(Error::JobFailed { .. })), "round {round}");
            world.disk.heal();
            // Time stands still: nobody waits for the next try.
            db.flush().await.expect("a flush");
            db.compact().await.expect("a merge");
        }
        assert!(db.statistics().last_failure.is_some());
    });
}

#[test]
fn a_failed_merge_is_told_at_once_to_who_asked_and_its_outputs_are_removed() {
    run(async {
        let world = MemoryWorld::new();
        let options = Options { compaction_jobs: 0, ..small() };
        let (db, _) = world.open(options).await.expect("an engine");
        for round in 0..3 {
            write_until_refused(&db, round * 5, 9).await;
            db.flush().await.expect("a flush");
        }
        let before = world.disk.everything();
        world.disk.arrange(CANNOT_MAKE_TABLES);
        assert!(matches!(db.compact().await, Err(Error::Disk(_))));
        world.disk.arrange(Trouble::FailNamed {
            operations: &["sync"],
            prefix: "table-",
            kind: DiskErrorKind::InputOutput,
        });
        assert!(matches!(db.compact().await, Err(Error::Disk(_))));
        assert_eq!(world.disk.everything(), before);
        world.disk.heal();
        db.compact().await.expect("a merge");
        assert_eq!(db.statistics().levels.len(), 1);
    });
}

#[test]
fn a_poisoned_engine_makes_no_more_tables() {
    run(async {
        let world = MemoryWorld::new();
        let (db, _) = world.open(small()).await.expect("an engine");
        for round in 0..2 {
            write_until_refused(&db, round, 5).await;
            db.flush().await.expect("a flush");
        }
        settle().await;
        db.put("a", "1").await.expect("a write");
        world.disk.arrange(Trouble::FailNamed {
            operations: &["append"],
            prefix: "manifest-",
            kind: DiskErrorKind::InputOutput,
        });
        assert!(matches!(db.flush().await, Err(Error::Poisoned { .. })));
        world.disk.heal();
        let made = world.disk.count("create");
        for _ in 0..10 {
            world.clock.advance(Duration::from_secs(1));
            settle().await;
        }
        assert!(matches!(db.put("b", "2").await, Err(Error::Poisoned { .. })));
        assert!(matches!(db.flush().await, Err(Error::Poisoned { .. })));
        assert!(matches!(db.compact().await, Err(Error::Poisoned { .. })));
        assert_eq!(world.disk.count("create"), made, "tables that nothing can name");
        assert!(db.get(b"a").await.expect("reads go on").is_some());
        assert!(db.close().await.is_err());
        let (db, _) = world.open(small()).await.expect("reopening");
        assert!(db.get(b"a").await.expect("a read").is_some());
    });
}

#[test]
fn closing_waits_for_jobs_that_have_not_run_yet_and_for_none_that_rests() {
    run(async {
        for (settles, rests) in [(false, false), (true, false), (false, true), (true, true)] {
            let world = MemoryWorld::new();
            let (db, _) = world.open(small()).await.expect("an engine");
            if rests {
                // Two are flushed, the third is what they are merged into.
                let prefix = "table-00000000000000000003";
                let kind = DiskErrorKind::InputOutput;
                world.disk.arrange(Trouble::FailNamed { operations: &["create"], prefix, kind });
            }
            for round in 0..2 {
                write_until_refused(&db, round * 4, 8).await;
                db.flush().await.expect("a flush");
            }
            if settles {
                settle().await;
                assert_eq!(db.statistics().jobs_failed > 0, rests);
            }
            let _ = db.close().await;
            let calls = world.disk.calls().len();
            world.disk.heal();
            settle().await;
            assert_eq!(world.disk.calls().len(), calls, "somebody was at work when the engine had been closed");
            world.open(small()).await.expect("reopening").0.close().await.expect("closing");
        }
    });
}

#[test]
fn a_merge_of_everything_answers_only_those_whose_writes_it_saw() {
    run(async {
        let world = MemoryWorld::new();
        let options = Options { compaction_jobs: 0, ..small() };
        let (db, _) = world.open(options).await.expect("an engine");
        write_until_refused(&db, 0, 40).await;
        db.flush().await.expect("a flush");
        let first = tokio::spawn({
            let db = db.clone();
            async move { db.compact().await }
        });
        while world.disk.count("create") == 0 || db.statistics().compactions.jobs == 0 {
            let begun =
                world.disk.calls().iter().rev().take(3).any(|call| call.path.to_string_lossy().contains("table-"));
            tokio::task::yield_now().await;
            if begun {
                break;
            }
        }
        for index in 0..40 {
            db.delete(format!("key {index}")).await.expect("a write");
        }
        db.compact().await.expect("a merge");
        assert_eq!(db.statistics().levels, [], "deleted, merged, and still there");
        first.await.expect("a task").expect("a merge");
        assert!(
            !world
                .disk
                .everything()
                .keys()
                .any(|path| path.starts_with(DIRECTORY) && path.to_string_lossy().contains("table-"))
        );
    });
}
