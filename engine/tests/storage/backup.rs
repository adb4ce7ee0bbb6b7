//! Backups: incremental, complete or absent whatever happens while they are made, refused when any byte is wrong.

use std::path::{Path, PathBuf};

use engine::backup::{backup, list, remove, restore, verify};
use engine::{Db, Error, Options};

use crate::operator::{flipped, options};
use crate::support::{
    DIRECTORY, Keep, MemoryDisk, MemoryWorld, Trouble, key_of, numbered_prefix, run, settle, value_of,
};

const BACKUPS: &str = "/data/backups";
const NEW: &str = "/data/restored";

fn backups() -> &'static Path {
    Path::new(BACKUPS)
}

async fn write(db: &Db<MemoryWorld>, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        db.put(key_of(number), value_of(number)).await.expect("a write");
    }
}

/// Two backups, of 10 and of 20 writes, the second with one table more.
async fn sample() -> MemoryWorld {
    let world = MemoryWorld::new();
    let (db, _) = world.open(options()).await.expect("an engine");
    write(&db, 1..=10).await;
    let first = backup(&db, backups()).await.expect("a backup");
    assert_eq!((first.backup.number, first.tables_copied), (1, 1));
    write(&db, 11..=20).await;
    let second = backup(&db, backups()).await.expect("a backup");
    assert_eq!((second.backup.number, second.backup.tables, second.tables_copied), (2, 2, 1));
    assert!(second.bytes_copied < second.backup.bytes, "only what is new is copied");
    let third = backup(&db, backups()).await.expect("a backup");
    assert_eq!((third.backup.number, third.tables_copied), (3, 0));
    remove(&world.disk, backups(), 3).await.expect("removing");
    db.close().await.expect("closing");
    world
}

/// How many of the numbered writes the data directory holds.
async fn held(disk: &MemoryDisk, directory: &str) -> u64 {
    let world = MemoryWorld::on(disk.after_kill());
    let (db, _) = Db::open(world, Path::new(directory), Options::default()).await.expect("a data directory");
    let held = numbered_prefix(&db, 50).await;
    db.put("and it", "goes on").await.expect("a write");
    db.close().await.expect("closing");
    held
}

fn stored(disk: &MemoryDisk) -> Vec<PathBuf> {
    let everything = disk.everything().into_keys().filter(|path| path.starts_with(BACKUPS));
    everything.filter(|path| path.extension().is_some_and(|extension| extension == "sst")).collect()
}

#[test]
fn each_backup_gives_back_what_was_committed_when_it_was_made() {
    run(async {
        let world = sample().await;
        let listed = list(&world.disk, backups()).await.expect("a list");
        let numbers: Vec<_> = listed.iter().map(|listed| listed.number).collect();
        assert_eq!(numbers, [1, 2]);
        let restored = restore(&world.disk, backups(), Some(1), Path::new(NEW)).await.expect("restoring");
        assert_eq!(restored.number, 1);
        assert_eq!(held(&world.disk, NEW).await, 10);
        let latest = restore(&world.disk, backups(), None, Path::new("/data/latest")).await.expect("restoring");
        assert_eq!(latest.number, 2);
        assert_eq!(held(&world.disk, "/data/latest").await, 20);
    });
}

#[test]
fn a_restored_database_may_be_backed_up_beside_the_one_it_came_from() {
    run(async {
        let world = sample().await;
        restore(&world.disk, backups(), Some(1), Path::new(NEW)).await.expect("restoring");
        let (db, _) = Db::open(world.clone(), Path::new(NEW), options()).await.expect("a data directory");
        // The table that follows gets the number that the other database's second table has.
        write(&db, 11..=13).await;
        let made = backup(&db, backups()).await.expect("a backup");
        assert_eq!((made.backup.number, made.tables_copied), (3, 1));
        db.close().await.expect("closing");
        for (number, writes) in [(2, 20), (made.backup.number, 13)] {
            let directory = format!("/data/again{number}");
            restore(&world.disk, backups(), Some(number), Path::new(&directory)).await.expect("restoring");
            assert_eq!(held(&world.disk, &directory).await, writes);
        }
    });
}

#[test]
fn removing_a_backup_keeps_the_tables_that_others_name() {
    run(async {
        let world = sample().await;
        let removed = remove(&world.disk, backups(), 1).await.expect("removing");
        assert_eq!(removed.tables, 0, "the second backup names the first one's table");
        assert_eq!(stored(&world.disk).len(), 2);
        restore(&world.disk, backups(), None, Path::new(NEW)).await.expect("restoring");
        let removed = remove(&world.disk, backups(), 2).await.expect("removing");
        assert_eq!((removed.tables, stored(&world.disk).len()), (2, 0));
        assert!(list(&world.disk, backups()).await.expect("a list").is_empty());
        let none = restore(&world.disk, backups(), None, Path::new("/data/none")).await;
        assert!(matches!(none, Err(Error::NotThis { .. })), "{none:?}");
        let gone = remove(&world.disk, backups(), 2).await;
        assert!(matches!(gone, Err(Error::NotThis { .. })), "{gone:?}");
    });
}

#[test]
fn a_flip_of_any_byte_of_a_backup_is_refused_with_its_place_and_nothing_is_restored() {
    run(async {
        let world = sample().await;
        let disk = &world.disk;
        let files =
            disk.everything().into_iter().filter(|(path, content)| path.starts_with(BACKUPS) && !content.is_empty());
        let named = |path: &PathBuf| !path.to_string_lossy().contains("backup-00000000000000000001");
        for (path, content) in files.filter(|(path, _)| named(path)) {
            for index in 0..content.len() {
                disk.plant(&path, &flipped(&content, index));
                let refused = restore(disk, backups(), Some(2), Path::new(NEW)).await;
                match refused.expect_err("a damaged backup was restored") {
                    Error::Corrupt { file, offset, length, .. } => {
                        assert_eq!(file, path, "byte {index}");
                        let range = offset..offset + length;
                        assert!(range.contains(&(index as u64)), "byte {index} of {}: {range:?}", path.display());
                    }
                    Error::MarkerDamaged { path: marker } => assert_eq!(marker, path),
                    Error::NewerFormat { path: marker, .. } => assert_eq!(marker, path),
                    other => panic!("byte {index} of {}: {other}", path.display()),
                }
                assert!(verify(disk, backups(), Some(2)).await.is_err(), "byte {index} of {}", path.display());
                assert!(!disk.everything().keys().any(|path| path.starts_with(NEW)), "byte {index}");
            }
            for length in 0..content.len() {
                disk.plant(&path, &content[..length]);
                assert!(restore(disk, backups(), Some(2), Path::new(NEW)).await.is_err(), "cut at {length}");
            }
            disk.plant(&path, &content);
        }
        restore(disk, backups(), Some(2), Path::new(NEW)).await.expect("whole again");
    });
}

#[test]
fn a_damaged_backup_is_listed_as_such_and_stops_the_removal_of_others() {
    run(async {
        let world = sample().await;
        let path = backups().join("backup-00000000000000000001.log");
        let content = world.disk.content(&path).expect("a backup");
        world.disk.plant(&path, &flipped(&content, 40));
        let listed = list(&world.disk, backups()).await.expect("a list");
        assert!(listed[0].backup.is_err() && listed[1].backup.is_ok(), "{listed:?}");
        let refused = remove(&world.disk, backups(), 2).await;
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
        assert_eq!(stored(&world.disk).len(), 2);
        remove(&world.disk, backups(), 1).await.expect("the damaged one itself may go");
    });
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    run(async {
        let world = MemoryWorld::new();
        world.disk.plant(Path::new("/data/backups/thesis.tex"), b"years of work");
        let (db, _) = world.open(options()).await.expect("an engine");
        let refused = backup(&db, backups()).await;
        assert!(matches!(&refused, Err(Error::NotOurs { file, .. }) if file == "thesis.tex"), "{refused:?}");
        let listed = list(&world.disk, backups()).await;
        assert!(matches!(listed, Err(Error::NotThis { .. })), "{listed:?}");
        let into = restore(&world.disk, backups(), None, Path::new(DIRECTORY)).await;
        assert!(into.is_err());
    });
}

#[test]
fn whatever_call_fails_or_loses_power_a_listed_backup_can_be_restored() {
    run(async {
        let begin = sample().await.disk.after_kill();
        let life = async |disk: &MemoryDisk, trouble: Option<Trouble>| {
            let world = MemoryWorld::on(disk.clone());
            let (db, _) = world.open(options()).await.expect("an engine");
            write(&db, 21..=25).await;
            db.flush().await.expect("a flush");
            let from = disk.calls().len() as u64;
            if let Some(trouble) = trouble {
                disk.arrange(match trouble {
                    Trouble::FailCall(call) => Trouble::FailCall(from + call),
                    Trouble::PowerLoss(call) => Trouble::PowerLoss(from + call),
                    other => other,
                });
            }
            let made = backup(&db, backups()).await;
            let calls = disk.calls().len() as u64 - from;
            drop(db);
            settle().await;
            (made, calls)
        };
        let (made, calls) = life(&begin.after_kill(), None).await;
        assert!(made.is_ok() && calls > 10, "{made:?}, {calls} calls");
        for call in 0..calls {
            for trouble in [Trouble::FailCall(call), Trouble::PowerLoss(call)] {
                let disk = begin.after_kill();
                let (made, _) = life(&disk, Some(trouble)).await;
                let parts = (0..24).map(|seed| Keep::Part(call * 100 + seed));
                for keep in [Keep::Nothing, Keep::Everything].into_iter().chain(parts) {
                    let disk = disk.after_power_loss(keep);
                    let listed = list(&disk, backups()).await.expect("a list");
                    let last = listed.last().expect("two were there before");
                    assert!(last.backup.is_ok(), "{trouble:?} {keep:?}: {listed:?}");
                    verify(&disk, backups(), None)
                        .await
                        .unwrap_or_else(|error| panic!("{trouble:?} {keep:?}: {error}"));
                    assert!(made.is_err() || last.number == 3, "{trouble:?} {keep:?}: an acknowledged backup is gone");
                    let world = MemoryWorld::on(disk.clone());
                    let (db, _) = world.open(options()).await.expect("an engine");
                    let next = backup(&db, backups()).await;
                    let next = next.unwrap_or_else(|error| panic!("{trouble:?} {keep:?}: the next backup: {error}"));
                    verify(&disk, backups(), Some(next.backup.number)).await.expect("the next backup is whole");
                    db.close().await.expect("closing");
                }
            }
        }
    });
}
