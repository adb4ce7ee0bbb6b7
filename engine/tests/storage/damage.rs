//! Tables, manifests and the pointer damaged bit by bit, missing, swapped; and files that do not belong there.
//!
//! ```text
//!   a bit flipped            refused, by name: when opening, or by the read that meets it; never another answer
//!   missing, or another's    refused when opening, with every byte where it was
//!   named by nothing         ours: removed when opening      not ours: left alone
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::{Compression, Db, Error, Options};

use crate::support::told::Told;
use crate::support::{DIRECTORY, MemoryDisk, MemoryWorld, run, settle};

fn inside(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

fn options() -> Options {
    Options { block_bytes: 256, compaction_jobs: 0, compression: Compression::None, ..Options::default() }
}

/// Two tables, a manifest of some edits, and what was written.
async fn two_tables() -> (MemoryDisk, Told) {
    let world = MemoryWorld::new();
    let mut told = Told::default();
    let (db, _) = world.open(options()).await.expect("an engine");
    for round in 0..2 {
        for index in round * 6..round * 6 + 12 {
            let (key, value) = (format!("key {index:02}"), format!("{round} and {index} {}", "v".repeat(40)));
            let answer = db.put(&key, &value).await.map(drop);
            told.note(&key, Some(value), answer);
        }
        let answer = db.delete(format!("key {:02}", round + 3)).await.map(drop);
        told.note(&format!("key {:02}", round + 3), None, answer);
        let answer = db.write(db.batch().delete_range("key 10", Some(b"key 11"))).await.map(drop);
        told.note("key 10", None, answer);
        db.flush().await.expect("a flush");
    }
    db.close().await.expect("closing");
    assert_eq!(told.refused, 0);
    (world.disk, told)
}

fn files(disk: &MemoryDisk, prefix: &str) -> Vec<PathBuf> {
    let is_it = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().starts_with(prefix);
    disk.everything().into_keys().filter(is_it).collect()
}

fn is_corrupt(error: &Error, path: &Path) -> bool {
    matches!(error, Error::Corrupt { file, .. } if file == path)
}

/// What lies in the directory, but for the lock's file, which opening may make.
fn content(disk: &MemoryDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut content = disk.everything();
    content.remove(&inside("LOCK"));
    content
}

/// The refusal of an opening that must change nothing.
async fn refusal(disk: &MemoryDisk) -> Error {
    let before = content(disk);
    let opened = MemoryWorld::on(disk.clone()).open(options()).await;
    let error = opened.map(drop).expect_err("it must not open");
    assert_eq!(content(disk), before, "a refusal changed the disk");
    error
}

/// Flips every byte of a file in turn. Returns which flips an opened engine did not meet.
async fn flip_every_byte(original: &MemoryDisk, told: &Told, path: &Path) -> Vec<usize> {
    let whole = original.content(path).expect("a file");
    let mut unmet = Vec::new();
    for index in 0..whole.len() {
        for mask in [0x01, 0x80] {
            let mut flipped = whole.clone();
            flipped[index] ^= mask;
            let disk = original.after_kill();
            disk.plant(path, &flipped);
            let what = format!("byte {index} of {} of {}", whole.len(), path.display());
            match MemoryWorld::on(disk.clone()).open(options()).await {
                Err(error) => assert!(is_corrupt(&error, path), "{what}: {error}"),
                Ok((db, _)) => {
                    let met = std::cell::Cell::new(false);
                    let is_named = |error: &Error| {
                        met.set(true);
                        is_corrupt(error, path)
                    };
                    told.check(&db, is_named, &what).await;
                    if !met.get() {
                        unmet.push(index);
                    }
                }
            }
        }
    }
    unmet
}

#[test]
fn a_flip_of_any_byte_of_a_table_is_met_by_opening_or_by_a_read_and_named() {
    run(async {
        let (disk, told) = two_tables().await;
        let tables = files(&disk, "table-");
        assert_eq!(tables.len(), 2);
        for table in tables {
            assert_eq!(flip_every_byte(&disk, &told, &table).await, [0; 0]);
        }
    });
}

#[test]
fn a_flip_of_any_byte_of_the_pointer_or_of_a_manifest_is_refused() {
    run(async {
        let (disk, told) = two_tables().await;
        assert_eq!(flip_every_byte(&disk, &told, &inside("CURRENT")).await, [0; 0]);
        let manifest = files(&disk, "manifest-").pop().expect("a manifest");
        // An edit, which proves what lies before it; nothing proves the edit.
        let (db, _) = MemoryWorld::on(disk.clone()).open(options()).await.expect("opens");
        db.keyspace("birds").await.expect("a keyspace");
        db.close().await.expect("closing");
        assert_eq!(disk.content(&manifest), None, "every opening begins a manifest");
        let manifest = files(&disk, "manifest-").pop().expect("a manifest");
        let length = disk.content(&manifest).expect("a manifest").len();
        let last_edit = 32 + "birds".len() + 7;
        let unmet = flip_every_byte(&disk, &told, &manifest).await;
        assert!(
            unmet.iter().all(|index| *index >= length - last_edit),
            "only the last edit may pass for torn: {unmet:?}"
        );
        assert!(!unmet.is_empty(), "nothing proves the last edit");
    });
}

#[test]
fn a_merge_that_meets_damage_is_undone_and_the_damage_named() {
    run(async {
        let (disk, told) = two_tables().await;
        let table = files(&disk, "table-").remove(0);
        let mut bytes = disk.content(&table).expect("a table");
        bytes[20] ^= 4;
        disk.plant(&table, &bytes);
        let (db, _) = MemoryWorld::on(disk.clone()).open(options()).await.expect("a block is not read when opening");
        let before = files(&disk, "table-");
        let error = db.compact().await.expect_err("the block is read");
        assert!(is_corrupt(&error, &table), "{error}");
        assert_eq!(files(&disk, "table-"), before);
        told.check(&db, |error| is_corrupt(error, &table), "after a merge that failed").await;
        db.put("and", "writes go on").await.expect("a write");
    });
}

#[test]
fn a_table_that_is_missing_short_long_or_anothers_is_refused_by_name() {
    run(async {
        let (original, _) = two_tables().await;
        let [first, second]: [PathBuf; 2] = files(&original, "table-").try_into().expect("two tables");
        let contents = [&first, &second].map(|path| original.content(path).expect("a table"));

        let disk = original.after_kill();
        disk.unplant(&first);
        let error = refusal(&disk).await;
        assert!(is_corrupt(&error, &first) && error.to_string().contains("missing"), "{error}");

        let (short, long) = (contents[0][..contents[0].len() - 1].to_vec(), [&contents[0][..], b"x"].concat());
        for altered in [short, long, Vec::new(), contents[1].clone()] {
            let disk = original.after_kill();
            disk.plant(&first, &altered);
            let error = refusal(&disk).await;
            assert!(is_corrupt(&error, &first), "{error}");
        }

        // A whole table of the same name and length that another engine made.
        let elsewhere = MemoryWorld::new();
        let (db, _) = elsewhere.open(options()).await.expect("an engine");
        for index in 0..12 {
            db.put(format!("key {index:02}"), format!("0 and {index} {}", "w".repeat(40))).await.expect("a write");
        }
        db.delete("key 03").await.expect("a write");
        db.write(db.batch().delete_range("key 10", Some(b"key 11"))).await.expect("a write");
        db.flush().await.expect("a flush");
        let alien = elsewhere.disk.content(&first).expect("a table of the same number");
        assert_eq!(alien.len(), contents[0].len());
        let disk = original.after_kill();
        disk.plant(&first, &alien);
        let error = refusal(&disk).await;
        assert!(is_corrupt(&error, &first), "{error}");
    });
}

#[test]
fn without_its_pointer_or_manifest_a_directory_with_tables_is_refused() {
    run(async {
        let (original, _) = two_tables().await;
        let disk = original.after_kill();
        disk.unplant(&inside("CURRENT"));
        let error = refusal(&disk).await;
        assert!(is_corrupt(&error, &inside("CURRENT")), "{error}");

        let manifest = files(&original, "manifest-").remove(0);
        let disk = original.after_kill();
        disk.unplant(&manifest);
        let error = refusal(&disk).await;
        assert!(is_corrupt(&error, &manifest), "{error}");
    });
}

#[test]
fn what_nothing_names_is_removed_when_opening_and_foreign_files_are_left_alone() {
    run(async {
        let (disk, told) = two_tables().await;
        let ours = ["table-00000000000000000077.sst", "manifest-00000000000000000099.log", "CURRENT.tmp"];
        let foreign = ["notes.txt", "table-77.sst", "manifest-old.log", "wal.log", "CURRENT.bak", "tables"];
        for name in ours.iter().chain(&foreign) {
            disk.plant(&inside(name), b"something");
        }
        let (db, _) = MemoryWorld::on(disk.clone()).open(options()).await.expect("opens");
        told.check(&db, |_| false, "with orphans").await;
        for name in ours {
            assert_eq!(disk.content(&inside(name)), None, "{name} was left");
        }
        for name in foreign {
            assert_eq!(disk.content(&inside(name)).as_deref(), Some(&b"something"[..]), "{name} was touched");
        }
        // Numbers are not used again, also those of orphans.
        db.put("a", "1").await.expect("a write");
        db.flush().await.expect("a flush");
        assert!(disk.content(&inside("table-00000000000000000078.sst")).is_some());
        assert_eq!(files(&disk, "manifest-").iter().filter(|path| !path.ends_with("manifest-old.log")).count(), 1);
    });
}

#[test]
fn a_copy_that_was_not_finished_is_no_data_directory_and_the_original_goes_on() {
    run(async {
        let (disk, told) = two_tables().await;
        let world = MemoryWorld::on(disk.clone());
        let (db, _) = world.open(options()).await.expect("opens");
        let target = Path::new("/data/copy");
        disk.arrange(crate::support::Trouble::FailNamed {
            operations: &["create"],
            prefix: "CURRENT",
            kind: engine::world::DiskErrorKind::InputOutput,
        });
        assert!(matches!(db.checkpoint(target).await, Err(Error::Disk(_))));
        disk.heal();
        let opened = Db::open(world.clone(), target, options()).await.map(drop);
        assert!(matches!(opened, Err(Error::NotOurs { .. })), "{opened:?}");
        settle().await;
        told.check(&db, |_| false, "the original").await;
        db.checkpoint(Path::new("/data/another")).await.expect("a copy");
    });
}
