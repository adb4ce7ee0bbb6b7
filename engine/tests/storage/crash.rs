//! Power lost, or a call failed, at every single disk call: while writing, and again while recovering.
//!
//! ```text
//!   for each call n of a life:       power goes at n  ─▶  for each kind of surviving state
//!     for each call m of recovery:   power goes at m  ─▶  for each kind of surviving state
//!       then it must open: everything acknowledged is there, and a prefix of what was attempted
//! ```

use std::path::PathBuf;

use engine::{Durability, Error, Options, Outcome};

use crate::support::disk::Call;
use crate::support::{Keep, MemoryDisk, MemoryWorld, Trouble, key_of, numbered_prefix, run, segment, settle, value_of};

const WRITES: u64 = 7;

/// Small segments, so that a life rotates, and safe.
fn options() -> Options {
    Options { segment_bytes: 250, ..Options::default() }
}

/// What a life was told about its writes.
#[derive(Debug, Default)]
struct Told {
    acknowledged: u64,
    not_applied: Vec<u64>,
    closed: bool,
}

/// Opens, writes, closes; stops at what fails.
async fn live(disk: &MemoryDisk) -> Told {
    live_with(disk, options()).await
}

async fn live_with(disk: &MemoryDisk, options: Options) -> Told {
    let mut told = Told::default();
    let Ok((db, _)) = MemoryWorld::on(disk.clone()).open(options).await else { return told };
    for index in 1..=WRITES {
        match db.put(key_of(index), value_of(index)).await {
            Ok(_) => {
                assert_eq!(told.acknowledged, index - 1, "a write was acknowledged after one that failed");
                told.acknowledged = index;
            }
            Err(error) if error.outcome() == Outcome::NotApplied => told.not_applied.push(index),
            Err(_) => {}
        }
    }
    told.closed = db.close().await.is_ok();
    drop(db);
    settle().await;
    told
}

/// Opens for good and checks what must be there.
async fn check(disk: MemoryDisk, told: &Told, what: &str) {
    let (db, _) = match MemoryWorld::on(disk).open(options()).await {
        Ok(opened) => opened,
        Err(error) => panic!("{what}: {error}"),
    };
    let recovered = numbered_prefix(&db, WRITES).await;
    assert!(recovered >= told.acknowledged, "{what}: {recovered} of {} acknowledged", told.acknowledged);
    assert!(!told.not_applied.contains(&recovered), "{what}: write {recovered} was said not to be applied");
    db.put("and it", "goes on").await.expect("a write");
    db.close().await.expect("closing");
}

fn survivors(disk: &MemoryDisk, seed: u64) -> [MemoryDisk; 5] {
    [Keep::Nothing, Keep::Everything, Keep::Part(seed), Keep::Part(seed + 1), Keep::Part(seed + 2)]
        .map(|keep| disk.after_power_loss(keep))
}

async fn calls_of_a_whole_life() -> u64 {
    let disk = MemoryDisk::new();
    let told = live(&disk).await;
    assert!(told.closed && told.acknowledged == WRITES, "a life without trouble went wrong");
    assert!(disk.count("create") > 3, "the log did not rotate");
    disk.calls().len() as u64
}

#[test]
fn power_lost_at_any_call_of_a_life_and_of_its_recovery_loses_no_acknowledged_write() {
    run(async {
        let mut recoveries = 0;
        for call in 0..calls_of_a_whole_life().await {
            let disk = MemoryDisk::new();
            disk.arrange(Trouble::PowerLoss(call));
            let told = live(&disk).await;
            for (first, found) in survivors(&disk, call).into_iter().enumerate() {
                check(found.after_kill(), &told, &format!("power lost at call {call}, state {first}")).await;
                for recovery_call in 0.. {
                    let disk = found.after_kill();
                    disk.arrange(Trouble::PowerLoss(recovery_call));
                    let is_over = MemoryWorld::on(disk.clone()).open(options()).await.is_ok();
                    if is_over {
                        break;
                    }
                    recoveries += 1;
                    for (second, found) in survivors(&disk, recovery_call).into_iter().enumerate() {
                        let what = format!("calls {call} and {recovery_call}, states {first} and {second}");
                        check(found, &told, &what).await;
                    }
                }
            }
        }
        assert!(recoveries > 1_000, "only {recoveries} recoveries were interrupted");
    });
}

#[test]
fn without_syncs_power_lost_at_any_call_leaves_a_prefix_and_never_looks_like_corruption() {
    run(async {
        let options = Options { durability: Durability::None, ..options() };
        let disk = MemoryDisk::new();
        assert!(live_with(&disk, options.clone()).await.closed);
        for call in 0..disk.calls().len() as u64 {
            let disk = MemoryDisk::new();
            disk.arrange(Trouble::PowerLoss(call));
            let told = live_with(&disk, options.clone()).await;
            // Nothing was promised, unless it was closed.
            let told = Told { acknowledged: if told.closed { told.acknowledged } else { 0 }, ..told };
            for seed in 0..20 {
                let found = disk.after_power_loss(Keep::Part(seed));
                check(found, &told, &format!("power lost at call {call}, state {seed}")).await;
            }
        }
    });
}

#[test]
fn a_tail_is_in_the_segment_or_kept_aside_whenever_power_is_lost_while_recovering() {
    run(async {
        let disk = MemoryDisk::new();
        live(&disk).await;
        let path = segment(1);
        let mut log = disk.content(&path).expect("a log");
        let disk = disk.after_kill();
        (2..10).for_each(|number| disk.unplant(&segment(number)));
        // The last record before the seal is torn, so is the seal.
        let cut = log.len() - 33;
        log.truncate(cut);
        disk.plant(&path, &log);
        let mut interrupted = 0;
        for call in 0.. {
            let disk = disk.after_kill();
            disk.arrange(Trouble::PowerLoss(call));
            if MemoryWorld::on(disk.clone()).open(options()).await.is_ok() {
                break;
            }
            interrupted += 1;
            for found in survivors(&disk, call) {
                let (_db, recovery) = MemoryWorld::on(found.clone()).open(options()).await.expect("opens");
                let kept = found.content(&path).expect("a log");
                let tail = PathBuf::from(format!("{}.tail-{}", path.display(), kept.len()));
                assert!(kept.len() < cut, "the torn record was cut off");
                let tail =
                    found.content(&tail).unwrap_or_else(|| panic!("call {call}: the tail is gone: {recovery:?}"));
                assert_eq!([kept, tail].concat(), log, "call {call}: bytes were lost");
            }
        }
        assert!(interrupted > 10, "only {interrupted} recoveries were interrupted");
    });
}

/// Whether a call only takes away what nothing names any more: it may fail without a word, the next opening does it.
fn is_tidying(disk: &MemoryDisk, call: u64) -> bool {
    let calls = disk.calls();
    let Call { operation, path, .. } = &calls[call as usize];
    let name = path.file_name().expect("a name").to_string_lossy();
    let is_listed_to_remove =
        *operation == "list" && calls[..call as usize].iter().any(|call| call.operation == "rename");
    is_listed_to_remove || (*operation == "remove" && (name.starts_with("wal-") || name.starts_with("manifest-")))
}

#[test]
fn a_failure_of_any_call_is_an_error_and_never_the_end_of_the_log() {
    run(async {
        for call in 0..calls_of_a_whole_life().await {
            let disk = MemoryDisk::new();
            disk.arrange(Trouble::FailCall(call));
            let told = live(&disk).await;
            let noticed = !told.closed || told.acknowledged < WRITES;
            assert!(
                noticed || is_tidying(&disk, call),
                "call {call} failed and nobody noticed: {:?}",
                disk.calls()[call as usize]
            );
            for (state, found) in survivors(&disk, call).into_iter().enumerate() {
                check(found, &told, &format!("call {call} failed, state {state}")).await;
            }
        }
    });
}

#[test]
fn a_failure_of_any_call_while_recovering_refuses_to_open_and_harms_nothing() {
    run(async {
        let disk = MemoryDisk::new();
        // In the middle of a write: the last segment has a torn tail.
        disk.arrange(Trouble::PowerLoss(calls_of_a_whole_life().await - 6));
        let told = live(&disk).await;
        let found = disk.after_power_loss(Keep::Everything);
        let mut failures = 0;
        for call in 0.. {
            let disk = found.after_kill();
            disk.arrange(Trouble::FailCall(call));
            match MemoryWorld::on(disk.clone()).open(options()).await {
                Ok(_) => break,
                Err(Error::Disk(_)) => failures += 1,
                Err(other) => panic!("call {call}: {other}"),
            }
            check(disk.after_kill(), &told, &format!("call {call} of recovery failed")).await;
        }
        assert!(failures > 20, "only {failures} calls were failed");
    });
}
