//! Damaged logs: cut at every length, flipped at every byte, with files missing, swapped or cut short.
//!
//! ```text
//!   behind the last proof    opens, with a prefix of the writes, the rest kept aside
//!   before it                refuses, names the file and the place, changes nothing
//! ```
//!
//! Never is a value seen that was not written, or a write without those before it.

use std::path::{Path, PathBuf};

use engine::world::Disk;
use engine::{Db, Durability, Error, Fault, Options, Sequence};

use crate::support::{
    DIRECTORY, Keep, MemoryDisk, MemoryWorld, key_of, numbered_prefix, run, segment, value_of, with, write_numbered,
};

const WRITES: u64 = 6;

/// The disk with a log of `WRITES` numbered writes, made with `options`; closed or killed.
async fn small_log(options: Options, closed: bool) -> MemoryDisk {
    let world = MemoryWorld::new();
    let (db, _) = world.open(options).await.expect("an engine");
    write_numbered(&db, WRITES).await;
    if closed {
        db.close().await.expect("closing");
    }
    world.disk.after_kill()
}

/// A disk like `original` in which `path` holds `content`.
fn altered(original: &MemoryDisk, path: &Path, content: &[u8]) -> MemoryDisk {
    let disk = original.after_kill();
    disk.plant(path, content);
    disk
}

fn tail_of(path: &Path, offset: u64) -> PathBuf {
    PathBuf::from(format!("{}.tail-{offset}", path.display()))
}

#[test]
fn a_log_cut_at_any_length_opens_with_a_prefix_and_keeps_the_tail_aside() {
    run(async {
        let original = small_log(with(Durability::Always), true).await;
        let whole = original.content(&segment(1)).expect("a log");
        let mut last = 0;
        for length in 0..60 {
            // The manifest was told of the segment when its beginning had been synced.
            let (file, _, _) = refusal(&altered(&original, &segment(1), &whole[..length])).await;
            assert_eq!(file, segment(1), "cut at {length}");
        }
        for length in 60..whole.len() {
            let disk = altered(&original, &segment(1), &whole[..length]);
            let world = MemoryWorld::on(disk.clone());
            let (db, recovery) = world.open(Options::default()).await.expect("a cut log opens");
            let recovered = numbered_prefix(&db, WRITES).await;
            assert_eq!(recovery.sequence, Sequence(recovered));
            assert!(recovered >= last, "a longer log gave fewer writes, at {length}");
            last = recovered;

            let torn = recovery.torn_tail.clone();
            if let Some(torn) = &torn {
                assert_eq!(torn.missing_from, Sequence(recovered + 1));
                assert_eq!(torn.offset + torn.length, length as u64);
                let kept = torn.kept_in.as_ref().map(|path| disk.content(path).expect("the tail is kept"));
                assert_eq!(kept.unwrap_or_default(), whole[torn.offset as usize..length], "cut at {length}");
            }
            // Only a cut between two records leaves no trace.
            assert_eq!(torn.is_none(), length == 60 || (length > 60 && !is_inside_a_record(&whole, length)));

            db.put("after", "recovery").await.expect("a write");
            db.close().await.expect("closing");
            let (db, recovery) = world.open(Options::default()).await.expect("opens again");
            assert_eq!((recovery.torn_tail, recovery.sequence), (None, Sequence(recovered + 1)));
            assert!(db.get(b"after").await.expect("a read").is_some());
        }
        assert_eq!(last, WRITES);
    });
}

/// Whether a cut at `length` goes through a record, told by the lengths in the headers.
fn is_inside_a_record(log: &[u8], length: usize) -> bool {
    let mut end = 16;
    while end < length {
        let payload = u32::from_le_bytes(log[end + 4..end + 8].try_into().expect("four bytes"));
        end += 32 + payload as usize;
    }
    end != length
}

/// Flips every byte of `path` in turn; `is_proven(index)` says where opening must refuse.
async fn flip_every_byte(original: &MemoryDisk, path: &Path, is_proven: impl Fn(usize) -> bool) {
    let whole = original.content(path).expect("a log");
    for index in 0..whole.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut flipped = whole.clone();
            flipped[index] ^= mask;
            let disk = altered(original, path, &flipped);
            let before = disk.everything();
            match MemoryWorld::on(disk.clone()).open(Options::default()).await {
                Ok((db, _)) => {
                    assert!(!is_proven(index), "a flip of proven byte {index} was not noticed");
                    numbered_prefix(&db, WRITES).await;
                }
                Err(Error::Corrupt { file, offset, length, .. }) => {
                    assert!(is_proven(index), "a flip of byte {index}, which nothing proves, was refused");
                    assert_eq!(file, path);
                    let range = offset..offset + length;
                    assert!(range.contains(&(index as u64)), "byte {index} was flipped, {range:?} was blamed");
                    let mut after = disk.everything();
                    after.remove(&Path::new(DIRECTORY).join("LOCK"));
                    assert_eq!(after, before, "a refusal changed the disk");
                }
                Err(other) => panic!("byte {index}: {other}"),
            }
        }
    }
}

#[test]
fn a_flip_of_any_byte_is_refused_where_a_later_record_proves_it_and_cut_off_behind() {
    run(async {
        let killed = small_log(with(Durability::Always), false).await;
        let length = killed.content(&segment(1)).expect("a log").len();
        // Nothing was written behind the last record, so nothing proves it.
        let last_record = last_record(&killed.content(&segment(1)).expect("a log"));
        flip_every_byte(&killed, &segment(1), |index| index < last_record).await;

        let closed = small_log(with(Durability::Always), true).await;
        let seal = closed.content(&segment(1)).expect("a log").len() - 32;
        assert_eq!(seal, length, "the seal comes behind what was there");
        flip_every_byte(&closed, &segment(1), |index| index < seal).await;
    });
}

/// Where the last record of a log begins.
fn last_record(log: &[u8]) -> usize {
    (16..log.len()).rev().find(|offset| !is_inside_a_record(log, *offset)).expect("a record")
}

#[test]
fn a_flip_in_a_log_that_was_never_synced_is_a_torn_tail_from_its_first_batch_on() {
    run(async {
        let killed = small_log(with(Durability::None), false).await;
        // Its beginning was synced before anything was written behind it.
        flip_every_byte(&killed, &segment(1), |index| index < 60).await;
    });
}

#[test]
fn a_flip_of_any_byte_in_a_segment_that_has_a_successor_is_refused() {
    run(async {
        let options = Options { segment_bytes: 200, ..Options::default() };
        let disk = small_log(options, false).await;
        assert!(disk.content(&segment(3)).is_some(), "the log did not rotate");
        flip_every_byte(&disk, &segment(1), |_| true).await;
        flip_every_byte(&disk, &segment(2), |_| true).await;
    });
}

#[test]
fn a_record_inside_a_value_is_never_taken_for_a_record() {
    run(async {
        let image = small_log(with(Durability::Always), true).await.content(&segment(1)).expect("a log");
        let world = MemoryWorld::new();
        let (db, _) = world.open(with(Durability::None)).await.expect("an engine");
        // The image lies at another offset than the original, at every distance from a multiple of anything.
        for shift in 0..40 {
            db.put("image", [&vec![7; shift], &image[..]].concat()).await.expect("a write");
        }
        let log = world.disk.content(&segment(1)).expect("a log");
        let mut damaged = log.clone();
        damaged[60] ^= 1;
        let disk = altered(&world.disk.after_kill(), &segment(1), &damaged);
        let (db, recovery) = MemoryWorld::on(disk.clone()).open(Options::default()).await.expect("a torn tail");
        let torn = recovery.torn_tail.expect("a torn tail");
        assert_eq!((torn.offset, recovery.sequence), (60, Sequence::ZERO));
        assert!(db.get(&key_of(1)).await.expect("a read").is_none());
        assert_eq!(disk.content(&tail_of(&segment(1), 60)).expect("the tail"), damaged[60..]);
    });
}

#[test]
fn a_tail_of_zeros_is_cut_without_a_copy() {
    run(async {
        let original = small_log(with(Durability::Always), false).await;
        let mut log = original.content(&segment(1)).expect("a log");
        let length = log.len();
        log.resize(length + 10_000, 0);
        let disk = altered(&original, &segment(1), &log);
        let (db, recovery) = MemoryWorld::on(disk.clone()).open(Options::default()).await.expect("opens");
        assert_eq!(numbered_prefix(&db, WRITES).await, WRITES);
        let torn = recovery.torn_tail.expect("a torn tail");
        assert_eq!((torn.offset, torn.length, torn.kept_in), (length as u64, 10_000, None));
        assert_eq!(torn.fault, Fault::ZeroHeader);
        assert_eq!(disk.content(&segment(1)).expect("a log").len(), length);
    });
}

#[test]
fn a_last_segment_that_never_began_is_set_aside_whole_and_its_number_is_not_used_again() {
    run(async {
        for (content, kept) in [(&b"STORM"[..], true), (b"", false), (&[0; 40], false)] {
            let disk = altered(&small_log(with(Durability::Always), true).await, &segment(2), content);
            let (db, recovery) = MemoryWorld::on(disk.clone()).open(Options::default()).await.expect("opens");
            assert_eq!(numbered_prefix(&db, WRITES).await, WRITES);
            assert!(!recovery.closed_cleanly);
            assert_eq!(disk.content(&tail_of(&segment(2), 0)).as_deref(), kept.then_some(content));
            assert!(disk.content(&segment(2)).is_none() && disk.content(&segment(3)).is_some());
            db.close().await.expect("closing");
            let (db, recovery) = MemoryWorld::on(disk).open(Options::default()).await.expect("opens again");
            assert_eq!((recovery.torn_tail, numbered_prefix(&db, WRITES).await), (None, WRITES));
        }
    });
}

async fn refusal(disk: &MemoryDisk) -> (PathBuf, u64, Fault) {
    let before = disk.everything();
    match MemoryWorld::on(disk.clone()).open(Options::default()).await.map(|_| ()) {
        Err(Error::Corrupt { file, offset, fault, advice, .. }) => {
            assert!(advice.contains("restore"));
            let mut after = disk.everything();
            after.remove(&Path::new(DIRECTORY).join("LOCK"));
            assert_eq!(after, before, "a refusal changed the disk");
            (file, offset, fault)
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn segments_that_are_missing_short_long_or_old_are_refused() {
    run(async {
        let options = Options { segment_bytes: 200, ..Options::default() };
        let original = small_log(options, false).await;
        let [first, second] = [1, 2].map(|number| original.content(&segment(number)).expect("a segment"));
        assert!(original.content(&segment(3)).is_some());

        let missing = original.after_kill();
        missing.unplant(&segment(2));
        let (file, _, fault) = refusal(&missing).await;
        assert_eq!((file, fault), (segment(2), Fault::SegmentMissing { length_bytes: second.len() as u64 }));

        let first_missing = original.after_kill();
        first_missing.unplant(&segment(1));
        assert_eq!(refusal(&first_missing).await.0, segment(1));

        // Cut at the end of a record: every checksum holds, and only the successor knows.
        let cut = last_record(&second);
        let (file, offset, fault) = refusal(&altered(&original, &segment(2), &second[..cut])).await;
        assert_eq!((file, offset), (segment(2), cut as u64));
        assert!(matches!(fault, Fault::SegmentLength { .. }));

        let longer = [&second[..], &[0; 64]].concat();
        assert_eq!(refusal(&altered(&original, &segment(2), &longer)).await.0, segment(2));
        // A segment under another's name: its checksums belong to its own number.
        assert_eq!(refusal(&altered(&original, &segment(2), &first)).await.0, segment(2));
    });
}

#[test]
fn a_log_of_a_newer_format_is_refused_and_not_taken_for_damage() {
    run(async {
        let original = small_log(with(Durability::Always), true).await;
        let mut log = original.content(&segment(1)).expect("a log");
        log[8] = 3;
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&1_u32.to_le_bytes());
        checksum.update(&0_u64.to_le_bytes());
        checksum.update(&log[..12]);
        let checksum = checksum.finalize().rotate_right(15).wrapping_add(0xa282_ead8);
        log[12..16].copy_from_slice(&checksum.to_le_bytes());
        let disk = altered(&original, &segment(1), &log);
        let opened = MemoryWorld::on(disk).open(Options::default()).await;
        assert!(matches!(opened, Err(Error::NewerFormat { found: 3, supported: 2, .. })));
    });
}

#[test]
fn an_interrupted_copy_of_a_tail_is_made_again() {
    run(async {
        let original = small_log(with(Durability::Always), false).await;
        let log = original.content(&segment(1)).expect("a log");
        let offset = last_record(&log) as u64;
        let torn = altered(&original, &segment(1), &log[..log.len() - 3]);
        let temporary = PathBuf::from(format!("{}.tmp", tail_of(&segment(1), offset).display()));
        torn.plant(&temporary, b"half a copy");
        let (db, recovery) = MemoryWorld::on(torn.clone()).open(Options::default()).await.expect("opens");
        assert_eq!(numbered_prefix(&db, WRITES).await, WRITES - 1);
        assert_eq!(recovery.torn_tail.expect("a tail").kept_in, Some(tail_of(&segment(1), offset)));
        assert_eq!(torn.content(&tail_of(&segment(1), offset)).expect("a copy"), log[offset as usize..log.len() - 3]);
        assert!(torn.content(&temporary).is_none());
    });
}

#[test]
fn an_atomic_batch_is_recovered_whole_or_not_at_all() {
    run(async {
        let world = MemoryWorld::new();
        let (db, _) = world.open(Options::default()).await.expect("an engine");
        let batch = (1..=5).fold(engine::Batch::new(), |batch, index| batch.put(key_of(index), value_of(index)));
        db.write(batch).await.expect("a write");
        let log = world.disk.content(&segment(1)).expect("a log");
        for length in 60..=log.len() {
            let disk = altered(&world.disk.after_power_loss(Keep::Nothing), &segment(1), &log[..length]);
            let (db, _): (Db<_>, _) = MemoryWorld::on(disk).open(Options::default()).await.expect("opens");
            let recovered = numbered_prefix(&db, 5).await;
            assert_eq!(recovered, if length == log.len() { 5 } else { 0 });
        }
        let names = world.disk.list(Path::new(DIRECTORY)).await.expect("a listing");
        assert_eq!(names.len(), 5, "lock, marker, one segment, one manifest and the pointer to it");
    });
}
