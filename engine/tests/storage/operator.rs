//! What an operator relies on: dumps of tables, manifests and the tree, and the verdict over a whole directory, on sound
//! files, and on files with every byte flipped and cut at every length.

use std::path::{Path, PathBuf};

use engine::compaction::Strategy;
use engine::inspect::{self, ManifestLine, TableLine, TableSummary, Verdict, escaped_key};
use engine::verify::{Report, verify};
use engine::{Batch, Compression, Db, Options};

use crate::support::{DIRECTORY, MemoryDisk, MemoryWorld, run};

/// Small blocks, so that a small table has many; nothing is merged unless asked.
pub(crate) fn options() -> Options {
    Options { block_bytes: 64, compression: Compression::None, compaction_jobs: 0, ..Options::default() }
}

/// A closed database: two tables with an old version, a tombstone, a range tombstone and an expiring value, and a log.
async fn sample() -> MemoryDisk {
    let world = MemoryWorld::new();
    let (db, _) = world.open(options()).await.expect("an engine");
    fill(&db).await;
    db.close().await.expect("closing");
    world.disk
}

async fn fill(db: &Db<MemoryWorld>) {
    db.put("apple", "red").await.expect("a write");
    let before = db.snapshot();
    for number in 0..20 {
        db.put(format!("key{number:02}"), format!("value {number}")).await.expect("a write");
    }
    db.put("apple", "green").await.expect("a write");
    db.flush().await.expect("a flush");
    drop(before);
    let expires = engine::world::WallTime { micros: 1_000_000_000_000_000 };
    let batch = Batch::new().delete("key03").delete_range("key10", Some(b"key12")).put_until("late", "x", expires);
    db.write(batch).await.expect("a write");
    db.flush().await.expect("a flush");
    db.put("in the log", "only").await.expect("a write");
}

fn files(disk: &MemoryDisk, part: &str) -> Vec<PathBuf> {
    let names = disk.everything().into_keys();
    names.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(part))).collect()
}

async fn table(disk: &MemoryDisk, path: &Path, rows: bool) -> (Vec<TableLine>, TableSummary) {
    let mut lines = Vec::new();
    let dumped = inspect::table(disk, path, rows, escaped_key, |line| lines.push(line)).await;
    let summary = dumped.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (lines, summary)
}

async fn report(disk: &MemoryDisk) -> Report {
    verify(disk, Path::new(DIRECTORY), |_, _| ()).await.expect("a report")
}

/// The content with one bit of one byte the other way round.
pub(crate) fn flipped(content: &[u8], index: usize) -> Vec<u8> {
    let mut flipped = content.to_vec();
    flipped[index] ^= 1 << (index % 8);
    flipped
}

#[test]
fn the_dump_of_a_table_shows_old_versions_tombstones_and_expiries() {
    run(async {
        let disk = sample().await;
        let tables = files(&disk, ".sst");
        assert_eq!(tables.len(), 2);
        let (lines, summary) = table(&disk, &tables[0], true).await;
        let text: Vec<String> = lines.iter().map(TableLine::to_string).collect();
        let apples: Vec<&String> = text.iter().filter(|line| line.contains("apple") && line.contains("put")).collect();
        assert_eq!(
            apples,
            [
                "          22  put                  5  apple",
                "           1  put                  3  apple  (old version)"
            ]
        );
        assert!(text.iter().any(|line| line.contains("apple to key19")), "{text:?}");
        assert_eq!((summary.entries, summary.old_versions, summary.damages), (22, 1, 0));
        assert!(summary.to_string().ends_with("; whole"), "{summary}");

        let (lines, summary) = table(&disk, &tables[1], true).await;
        let text: Vec<String> = lines.iter().map(TableLine::to_string).collect();
        let has = |part: &str| assert!(text.iter().any(|line| line.contains(part)), "no {part} in {text:#?}");
        has("delete                  key03");
        has("del range               key10 to before key12");
        has("late  (expires at 1000000000000000 us)");
        assert_eq!((summary.entries, summary.tombstones), (2, 1));
        let widest = text.iter().flat_map(|line| line.lines()).map(str::len).max();
        assert!(widest <= Some(80), "{text:#?}");
    });
}

#[test]
fn a_flip_of_any_byte_of_a_table_is_pointed_at_and_a_cut_anywhere_is_seen() {
    run(async {
        let disk = sample().await;
        let path = files(&disk, ".sst").remove(0);
        let content = disk.content(&path).expect("a table");
        for index in 0..content.len() {
            disk.plant(&path, &flipped(&content, index));
            let (lines, summary) = table(&disk, &path, true).await;
            assert!(summary.damages > 0, "byte {index}");
            let is_pointed_at = lines.iter().any(|line| match line {
                TableLine::Damage { offset, length_bytes, .. } => {
                    (*offset..offset + length_bytes).contains(&(index as u64))
                }
                _ => false,
            });
            assert!(is_pointed_at, "byte {index}: {lines:#?}");
        }
        for length in 0..content.len() {
            disk.plant(&path, &content[..length]);
            assert!(table(&disk, &path, true).await.1.damages > 0, "cut at {length}");
        }
    });
}

#[test]
fn the_rows_of_whole_blocks_are_shown_beside_damaged_ones() {
    run(async {
        let disk = sample().await;
        let path = files(&disk, ".sst").remove(0);
        let content = disk.content(&path).expect("a table");
        disk.plant(&path, &flipped(&content, 10));
        let (lines, summary) = table(&disk, &path, true).await;
        assert_eq!(summary.damages, 1);
        assert!(summary.entries > 10 && summary.entries < 22, "{summary}");
        let rows = lines.iter().filter(|line| matches!(line, TableLine::Entry { .. })).count() as u64;
        assert_eq!(rows, summary.entries);
    });
}

#[test]
fn a_manifest_is_dumped_edit_by_edit_and_damage_is_pointed_at() {
    run(async {
        let disk = sample().await;
        let path = files(&disk, "manifest-").remove(0);
        let content = disk.content(&path).expect("a manifest");
        let dump = async |path: &Path| {
            let mut lines = Vec::new();
            let summary = inspect::manifest(&disk, path, escaped_key, |line| lines.push(line)).await.expect("a dump");
            (lines, summary)
        };
        let (lines, summary) = dump(Path::new(DIRECTORY)).await;
        assert_eq!((summary.tables, summary.corruptions, summary.torn), (2, 0, false));
        let text: Vec<String> = lines.iter().map(ManifestLine::to_string).collect();
        assert!(text.iter().any(|line| line.contains("+ table 1, level 0, a new run")), "{text:#?}");
        assert!(text.iter().any(|line| line.contains("apple to key19")), "{text:#?}");
        for index in 0..content.len() {
            disk.plant(&path, &flipped(&content, index));
            let (lines, summary) = dump(&path).await;
            assert!(summary.corruptions > 0 || summary.torn, "byte {index}");
            let hit = lines.iter().any(|line| match line {
                ManifestLine::Damage { offset, length_bytes, .. } => {
                    (*offset..offset + length_bytes).contains(&(index as u64))
                }
                _ => false,
            });
            assert!(hit, "byte {index}: {lines:#?}");
        }
        for length in 0..content.len() {
            disk.plant(&path, &content[..length]);
            let (lines, summary) = dump(&path).await;
            let edits = lines.iter().filter(|line| matches!(line, ManifestLine::Edit { .. })).count() as u64;
            assert_eq!(edits, summary.edits, "cut at {length}");
        }
    });
}

#[test]
fn damage_in_an_early_edit_does_not_hide_the_edits_behind_it() {
    run(async {
        let disk = sample().await;
        let path = files(&disk, "manifest-").remove(0);
        let content = disk.content(&path).expect("a manifest");
        disk.plant(&path, &flipped(&content, 60));
        let mut lines = Vec::new();
        inspect::manifest(&disk, &path, escaped_key, |line| lines.push(line)).await.expect("a dump");
        let first = lines.iter().find(|line| matches!(line, ManifestLine::Damage { verdict: Verdict::Corrupt, .. }));
        assert!(first.is_some(), "{lines:#?}");
        assert!(lines.iter().filter(|line| matches!(line, ManifestLine::Edit { .. })).count() >= 2, "{lines:#?}");
    });
}

#[test]
fn the_tree_says_what_lies_where_and_on_request_what_lives() {
    run(async {
        let disk = sample().await;
        let tree = inspect::tree(&disk, Path::new(DIRECTORY), &Strategy::default(), true, escaped_key).await;
        let tree = tree.expect("a tree");
        assert_eq!(tree.levels.len(), 1);
        assert_eq!((tree.levels[0].runs, tree.levels[0].entries, tree.levels[0].tombstones), (2, 24, 2));
        let living = tree.living.expect("it was asked for");
        // 21 keys; one deleted, two under a range tombstone; one more expires some day.
        assert_eq!((living.keys, living.old_versions, living.tombstones), (19, 4, 1));
        let text = tree.to_string();
        assert!(text.contains("alive: 19 keys"), "{text}");
        assert!(text.lines().skip(1).all(|line| line.len() <= 80), "{text}");
    });
}

#[test]
fn a_sound_directory_is_sound_and_an_orphan_is_harmless() {
    run(async {
        let disk = sample().await;
        let found = report(&disk).await;
        assert!(found.is_sound() && found.harmless.is_empty(), "{found}");
        assert_eq!((found.tables, found.entries, found.log_writes > 0), (2, 24, true), "{found}");
        disk.plant(&Path::new(DIRECTORY).join("table-00000000000000000099.sst"), b"half made");
        let found = report(&disk).await;
        assert!(found.is_sound(), "{found}");
        assert!(found.to_string().contains("table-00000000000000000099.sst: no part of the database"), "{found}");
        let opened = MemoryWorld::on(disk.after_kill()).open(options()).await;
        assert!(opened.is_ok(), "what verify calls sound opens");
    });
}

#[test]
fn verify_blames_the_file_whose_byte_was_flipped_and_what_it_calls_sound_opens() {
    run(async {
        let disk = sample().await;
        for (path, content) in disk.everything().into_iter().filter(|(_, content)| !content.is_empty()) {
            for index in 0..content.len() {
                disk.plant(&path, &flipped(&content, index));
                let found = report_or_refusal(&disk).await;
                let is_named = match &found {
                    Ok(found) => {
                        let problems = found.problems.iter().map(|problem| &problem.file);
                        problems.chain(found.harmless.iter().map(|harmless| &harmless.file)).any(|file| *file == path)
                    }
                    Err(error) => error.contains(&*path.to_string_lossy()),
                };
                assert!(is_named, "{} byte {index}: {found:?}", path.display());
                let opens = MemoryWorld::on(disk.after_kill()).open(options()).await.is_ok();
                let is_sound = found.as_ref().is_ok_and(Report::is_sound);
                let is_table = path.extension().is_some_and(|extension| extension == "sst");
                // Opening reads no data blocks: what verify finds in them, opening may overlook. Never the reverse.
                assert!(opens == is_sound || (opens && is_table), "{} byte {index}: {found:?}", path.display());
            }
            disk.plant(&path, &content);
        }
    });
}

async fn report_or_refusal(disk: &MemoryDisk) -> Result<Report, String> {
    verify(disk, Path::new(DIRECTORY), |_, _| ()).await.map_err(|error| error.to_string())
}

#[test]
fn verify_misses_what_is_missing() {
    run(async {
        let disk = sample().await;
        for (path, content) in disk.everything() {
            if path.ends_with("LOCK") {
                continue;
            }
            disk.unplant(&path);
            let found = report_or_refusal(&disk).await;
            assert!(!found.as_ref().is_ok_and(Report::is_sound), "{}: {found:?}", path.display());
            disk.plant(&path, &content);
        }
        assert!(report(&disk).await.is_sound());
    });
}
