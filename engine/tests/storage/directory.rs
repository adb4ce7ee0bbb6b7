//! Whose folder is it, and what is refused at the door.

use std::path::{Path, PathBuf};

use engine::limits::{MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use engine::{Batch, Db, Error, Expected, Options, Outcome};

use crate::support::{DIRECTORY, Keep, MemoryDisk, MemoryWorld, run};

fn inside(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

#[test]
fn a_directory_in_use_is_refused_and_free_once_it_is_closed() {
    run(async {
        let world = MemoryWorld::new();
        let (db, _) = world.open(Options::default()).await.expect("an engine");
        assert!(matches!(world.open(Options::default()).await, Err(Error::InUse { .. })));
        db.put("still", "writing").await.expect("the first engine is not disturbed");
        db.close().await.expect("closing");
        world.open(Options::default()).await.expect("free");
    });
}

#[test]
fn a_foreign_directory_is_refused_by_its_first_file_and_not_touched() {
    run(async {
        let disk = MemoryDisk::new();
        disk.plant(&inside("photos.zip"), b"somebody's");
        disk.plant(&inside("thesis.tex"), b"life");
        let before = disk.everything();
        let opened = MemoryWorld::on(disk.clone()).open(Options::default()).await;
        assert!(matches!(opened, Err(Error::NotOurs { file, .. }) if file == "photos.zip"));
        assert_eq!(disk.everything(), before);
    });
}

#[test]
fn a_log_without_a_marker_is_not_taken_for_an_empty_directory() {
    run(async {
        let world = MemoryWorld::new();
        let (db, _) = world.open(Options::default()).await.expect("an engine");
        db.put("precious", "data").await.expect("a write");
        db.close().await.expect("closing");
        world.disk.unplant(&inside("STORMGLASS"));
        assert!(matches!(world.open(Options::default()).await, Err(Error::NotOurs { .. })));
    });
}

#[test]
fn our_own_half_made_files_count_as_an_empty_directory() {
    run(async {
        let disk = MemoryDisk::new();
        disk.plant(&inside("STORMGLASS.tmp"), b"stormgl");
        disk.plant(&inside("LOCK"), b"");
        let (db, _) = MemoryWorld::on(disk.clone()).open(Options::default()).await.expect("an engine");
        db.put("a", "1").await.expect("a write");
        assert!(disk.content(&inside("STORMGLASS.tmp")).is_none());
        // And the marker is there to stay.
        MemoryWorld::on(disk.after_power_loss(Keep::Nothing)).open(Options::default()).await.expect("opens");
    });
}

#[test]
fn nothing_is_created_unless_it_may_be() {
    run(async {
        let options = Options { create_if_missing: false, ..Options::default() };
        let world = MemoryWorld::new();
        assert!(matches!(world.open(options.clone()).await, Err(Error::Missing { .. })));
        assert!(world.disk.everything().is_empty());
        world.open(Options::default()).await.expect("created").0.close().await.expect("closing");
        world.open(options).await.expect("it exists");

        let elsewhere = Path::new("/no/such/parent");
        let opened = Db::open(MemoryWorld::new(), elsewhere, Options::default()).await;
        assert!(matches!(opened, Err(Error::Disk(_))));
    });
}

#[test]
fn a_newer_or_damaged_marker_is_refused() {
    run(async {
        let world = MemoryWorld::new();
        world.open(Options::default()).await.expect("an engine").0.close().await.expect("closing");
        let marker = world.disk.content(&inside("STORMGLASS")).expect("a marker");
        assert!(marker.starts_with(b"stormglass data directory\nformat 2\n"));

        let mut damaged = marker.clone();
        damaged[34] ^= 1;
        world.disk.plant(&inside("STORMGLASS"), &damaged);
        assert!(matches!(world.open(Options::default()).await, Err(Error::MarkerDamaged { .. })));

        let lines = "stormglass data directory\nformat 3\n";
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&[0; 12]);
        hasher.update(lines.as_bytes());
        let checksum = hasher.finalize().rotate_right(15).wrapping_add(0xa282_ead8);
        world.disk.plant(&inside("STORMGLASS"), format!("{lines}checksum {checksum:08x}\n").as_bytes());
        let opened = world.open(Options::default()).await;
        assert!(matches!(opened, Err(Error::NewerFormat { found: 3, supported: 2, .. })));
    });
}

#[test]
fn what_is_beyond_the_limits_is_refused_and_what_is_at_them_is_kept() {
    run(async {
        let world = MemoryWorld::new();
        let (db, _) = world.open(Options::default()).await.expect("an engine");
        let (longest_key, largest_value) = (vec![b'k'; MAX_KEY_BYTES], vec![b'v'; MAX_VALUE_BYTES]);
        let calls = world.disk.calls().len();
        let refusals = [
            db.put("", "value").await,
            db.delete("").await,
            db.write(Batch::new().require("", Expected::Absent)).await,
            db.put(vec![b'k'; MAX_KEY_BYTES + 1], "value").await,
            db.put("key", vec![b'v'; MAX_VALUE_BYTES + 1]).await,
            db.write(Batch::new().put("a", &largest_value).put("b", &largest_value)).await,
        ];
        for refusal in refusals {
            let error = refusal.expect_err("beyond a limit");
            assert_eq!(error.outcome(), Outcome::NotApplied);
            assert!(!error.to_string().is_empty());
        }
        assert_eq!(world.disk.calls().len(), calls, "a refusal touched the disk");

        db.put(&longest_key, &largest_value).await.expect("at the limits");
        let batch = Batch::new().put("a", &largest_value).put("b", &largest_value[..MAX_VALUE_BYTES - 100]);
        assert!(batch.encoded_bytes() > MAX_BATCH_BYTES - 100 && batch.encoded_bytes() <= MAX_BATCH_BYTES);
        db.write(batch).await.expect("at the limits");
        db.close().await.expect("closing");
        let (db, _) = world.open(Options::default()).await.expect("reopening");
        let found = db.get(&longest_key).await.expect("a read").expect("a value");
        assert!(found.value == largest_value);
    });
}
