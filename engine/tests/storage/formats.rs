//! The bytes of every format, written down: what an older program wrote must open for ever, and a change of what this
//! one writes shows as a difference in `testdata/`.
//!
//! ```text
//!   small_log_v1.hex      the log of a directory of format 1: no keyspaces, no tables, no manifest
//!   small_log.hex         the log of today's format (`inspect`)
//!   manifest_v1.hex       a manifest with tables, a keyspace and a moved log     current_v1.txt   the pointer to it
//! ```
//!
//! `UPDATE_TESTDATA=1 cargo test -p engine` rewrites those of today's format, never the others.

use std::path::Path;

use engine::{Batch, Durability, Options, Sequence};

use crate::inspect::{compare, hexadecimal};
use crate::support::{DIRECTORY, MemoryDisk, MemoryWorld, run, segment};

/// The bytes that a dump of `hexadecimal` shows, one list a blank line.
fn parse(dump: &str) -> Vec<Vec<u8>> {
    let bytes_of = |line: &str| -> Vec<u8> {
        let digits = line.get(6..53.min(line.len())).expect("a row");
        digits.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("a byte")).collect()
    };
    let files = dump.split("\n\n").filter(|file| !file.trim().is_empty());
    files.map(|file| file.lines().flat_map(bytes_of).collect()).collect()
}

/// A directory as a program of the first format left it.
fn directory_of_format_1() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let files = parse(include_str!("../testdata/small_log_v1.hex"));
    assert_eq!(files.len(), 2);
    for (file, number) in files.iter().zip(1..) {
        disk.plant(&segment(number), file);
    }
    let lines = "stormglass data directory\nformat 1\n";
    let marker = format!("{lines}checksum {:08x}\n", masked_checksum(lines.as_bytes()));
    disk.plant(&Path::new(DIRECTORY).join("STORMGLASS"), marker.as_bytes());
    disk
}

fn masked_checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[0; 12]);
    hasher.update(bytes);
    hasher.finalize().rotate_right(15).wrapping_add(0xa282_ead8)
}

#[test]
fn a_directory_of_the_first_format_opens_reads_the_same_and_becomes_one_of_the_second() {
    run(async {
        let disk = directory_of_format_1();
        let marker = Path::new(DIRECTORY).join("STORMGLASS");
        for round in 0..3 {
            let world = MemoryWorld::on(disk.clone());
            let (db, recovery) = world.open(Options::default()).await.expect("an old directory opens");
            assert_eq!((recovery.sequence, recovery.closed_cleanly), (Sequence(4), true), "round {round}");
            let get = async |key: &[u8]| {
                db.get(key).await.expect("a read").map(|entry| (entry.value.to_vec(), entry.sequence.0))
            };
            assert_eq!(get(b"storm").await, None, "deleted");
            assert_eq!(get(b"a\nb\xff").await, Some((Vec::new(), 2)));
            assert_eq!(get(b"next").await, Some((vec![b'x'; 100], 4)));
            let content = disk.content(&marker).expect("a marker");
            assert!(content.starts_with(b"stormglass data directory\nformat 2\n"), "round {round}");
            if round == 1 {
                db.flush().await.expect("a flush");
                assert!(disk.content(&segment(1)).is_none(), "what is in tables is not needed any more");
            }
            db.close().await.expect("closing");
        }
    });
}

#[test]
fn a_log_of_the_first_format_is_read_for_reading_only_and_not_touched() {
    run(async {
        let disk = directory_of_format_1();
        let before = disk.everything();
        let world = MemoryWorld::on(disk.clone());
        let opened = engine::Db::open_read_only(world, Path::new(DIRECTORY), Options::default()).await;
        let (db, _) = opened.expect("an old directory opens");
        assert_eq!(db.get(b"next").await.expect("a read").expect("a value").sequence, Sequence(4));
        assert_eq!(disk.everything(), before);
    });
}

/// A directory whose manifest has an edit of each kind behind the first: a keyspace, flushes, a merge.
async fn directory_with_a_manifest() -> MemoryDisk {
    let world = MemoryWorld::new();
    let options = Options { durability: Durability::Always, compaction_jobs: 0, ..Options::default() };
    let (db, _) = world.open(options).await.expect("an engine");
    db.keyspace("birds").await.expect("a keyspace");
    db.put("storm", "glass").await.expect("a write");
    db.flush().await.expect("a flush");
    db.write(Batch::new().put("a", "1").delete_range("s", Some(b"t"))).await.expect("a write");
    db.flush().await.expect("a flush");
    db.compact().await.expect("a merge");
    db.close().await.expect("closing");
    world.disk
}

#[test]
fn the_bytes_of_a_manifest_and_of_the_pointer_to_it_are_the_ones_written_down() {
    run(async {
        let disk = directory_with_a_manifest().await;
        let current = disk.content(&Path::new(DIRECTORY).join("CURRENT")).expect("a pointer");
        compare("current_v1.txt", std::str::from_utf8(&current).expect("text"));
        let name = current.split(|byte| *byte == b'\n').next().expect("a line");
        let name = std::str::from_utf8(name).expect("text");
        let manifest = disk.content(&Path::new(DIRECTORY).join(name)).expect("a manifest");
        compare("manifest_v1.hex", &hexadecimal(&manifest));
    });
}
