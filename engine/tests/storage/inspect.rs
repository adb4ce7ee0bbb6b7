//! The dump of a log, and the bytes of the format: a change of either shows as a difference in `testdata/`.
//!
//! `UPDATE_TESTDATA=1 cargo test -p engine` rewrites the files.

use std::path::{Path, PathBuf};

use engine::inspect::{Verdict, WalLine, WalSummary, escaped_key, wal};
use engine::{Batch, Db, Error, Options};

use crate::support::{DIRECTORY, MemoryDisk, MemoryWorld, run, segment};

async fn dump(disk: &MemoryDisk, path: &Path) -> (Vec<WalLine>, WalSummary) {
    let mut lines = Vec::new();
    let summary = wal(disk, path, escaped_key, |line| lines.push(line)).await.expect("a dump");
    (lines, summary)
}

fn text(lines: &[WalLine], summary: &WalSummary) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("{lines}{summary}\n")
}

/// Two segments: the first with a batch and a delete, the second begun by a rotation.
async fn sample() -> (MemoryWorld, Db<MemoryWorld>) {
    let world = MemoryWorld::new();
    let options = Options { segment_bytes: 240, ..Options::default() };
    let (db, _) = world.open(options).await.expect("an engine");
    db.put("storm", "glass").await.expect("a write");
    db.write(Batch::new().put(b"a\nb\xff", "").delete("storm")).await.expect("a write");
    db.put("next", vec![b'x'; 100]).await.expect("a write");
    (world, db)
}

pub(crate) fn compare(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/testdata").join(name);
    if std::env::var_os("UPDATE_TESTDATA").is_some() {
        std::fs::write(&path, found).expect("testdata can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{} differs; UPDATE_TESTDATA=1 rewrites it", path.display());
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .chunks(16)
        .enumerate()
        .map(|(row, chunk)| {
            let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
            let printable = |byte: &u8| if byte.is_ascii_graphic() { *byte as char } else { '.' };
            let ascii: String = chunk.iter().map(printable).collect();
            format!("{:04x}  {:<47}  {ascii}\n", row * 16, hex.join(" "))
        })
        .collect()
}

#[test]
fn the_bytes_of_a_small_log_are_the_ones_written_down() {
    run(async {
        let (world, db) = sample().await;
        db.close().await.expect("closing");
        let files = [1, 2].map(|number| world.disk.content(&segment(number)).expect("a segment"));
        let text: String = files.iter().map(|file| format!("{}\n", hexadecimal(file))).collect();
        compare("small_log.hex", &text);
    });
}

#[test]
fn the_dump_of_a_small_log_is_the_one_written_down() {
    run(async {
        let (world, db) = sample().await;
        db.close().await.expect("closing");
        let (lines, summary) = dump(&world.disk, Path::new(DIRECTORY)).await;
        compare("small_log.dump", &text(&lines, &summary));
        assert!(summary.closed_cleanly);
        assert_eq!((summary.batches, summary.puts, summary.deletes), (3, 3, 1));
    });
}

#[test]
fn the_dump_of_a_damaged_log_points_at_the_damage_and_says_what_to_do() {
    run(async {
        let (world, _db) = sample().await;
        let mut first = world.disk.content(&segment(1)).expect("a segment");
        first[100] ^= 1;
        let second = world.disk.content(&segment(2)).expect("a segment");
        let disk = world.disk.after_kill();
        disk.plant(&segment(1), &first);
        disk.plant(&segment(2), &second[..second.len() - 1]);
        let (lines, summary) = dump(&disk, Path::new(DIRECTORY)).await;
        compare("damaged_log.dump", &text(&lines, &summary));
        assert_eq!((summary.corruptions, summary.torn_tail, summary.closed_cleanly), (1, true, false));
    });
}

#[test]
fn a_missing_segment_is_pointed_at_by_its_name() {
    run(async {
        let (world, _db) = sample().await;
        let disk = world.disk.after_kill();
        disk.unplant(&segment(1));
        let (lines, summary) = dump(&disk, Path::new(DIRECTORY)).await;
        assert_eq!(summary.corruptions, 1);
        let found = lines.iter().find_map(|line| match line {
            WalLine::Damage { file, verdict: Verdict::Corrupt, what, .. } => Some((file.clone(), what.clone())),
            _ => None,
        });
        let (file, what) = found.expect("damage");
        assert_eq!(file, segment(1));
        assert!(what.contains("missing"), "{what}");
    });
}

#[test]
fn a_directory_in_use_and_a_copy_under_any_name_can_be_looked_at_and_nothing_changes() {
    run(async {
        let (world, _db) = sample().await;
        let copy = Path::new("/data/copy of the log");
        world.disk.plant(copy, &world.disk.content(&segment(2)).expect("a segment"));
        let before = (world.disk.everything(), world.disk.calls().len());
        let (_, summary) = dump(&world.disk, Path::new(DIRECTORY)).await;
        assert_eq!((summary.segments, summary.corruptions, summary.torn_tail), (2, 0, false));
        let (lines, summary) = dump(&world.disk, copy).await;
        assert_eq!((summary.segments, summary.puts, summary.corruptions), (1, 1, 0), "{lines:?}");
        assert_eq!(world.disk.everything(), before.0);
        let changes = ["create", "append", "truncate", "sync", "rename", "remove", "sync_dir", "lock"];
        let calls = world.disk.calls().split_off(before.1);
        assert!(calls.iter().all(|call| !changes.contains(&call.operation)), "{calls:?}");
    });
}

#[test]
fn noise_under_a_segments_name_is_damage_and_under_any_other_no_log() {
    run(async {
        let disk = MemoryDisk::new();
        let noise = Path::new("/data/noise");
        for content in [&b""[..], b"x", &[0; 100], &[0xff; 100_000]] {
            disk.plant(&segment(7), content);
            let (lines, summary) = dump(&disk, &segment(7)).await;
            assert_eq!((lines.len(), summary.batches), (2, 0));
            assert!(matches!(lines[1], WalLine::Damage { offset: 0, .. }));
            disk.plant(noise, content);
            let refused = wal(&disk, noise, escaped_key, |_| {}).await;
            assert!(matches!(refused, Err(Error::NotALog { path }) if path == noise));
        }
        assert!(wal(&disk, Path::new("/data/nothing"), escaped_key, |_| {}).await.is_err());
    });
}
