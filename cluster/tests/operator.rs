//! What an operator does with a data directory: look, verify, copy, restore, tidy up, measure. Real processes, real files.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

mod support;

use std::path::{Path, PathBuf};

use support::{ClusterFiles, Printed, stormglass};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs a command that must succeed without a word on the error output; returns what it printed.
fn done(arguments: &[&str]) -> String {
    let printed = stormglass(arguments);
    assert_eq!((printed.code, printed.err.as_str()), (0, ""), "{arguments:?}: {printed:?}");
    printed.out
}

fn json(arguments: &[&str]) -> serde_json::Value {
    let out = done(&[arguments, &["--json"]].concat());
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// A database of three keys in two tables, one of them with two versions, and one write in the log alone.
struct Sample {
    folder: tempfile::TempDir,
}

impl Sample {
    fn new() -> Self {
        let sample = Self { folder: tempfile::tempdir().unwrap() };
        sample.put("apple", "red");
        sample.put("pear", "green");
        sample.tidy("flush");
        sample.put("apple", "yellow");
        sample.tidy("flush");
        sample.put("zebra", "striped");
        sample
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn put(&self, key: &str, value: &str) {
        done(&["put", key, value, "--data", text(&self.data())]);
    }

    fn tidy(&self, command: &str) -> String {
        done(&[command, "--data", text(&self.data())])
    }

    /// The files of the data directory, or of another folder here, whose names begin like this.
    fn files(&self, folder: &str, start: &str) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> =
            std::fs::read_dir(self.path(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start));
        found.sort();
        found
    }

    fn scan(&self, folder: &str) -> String {
        done(&["scan", "--data", text(&self.path(folder))])
    }
}

const ROWS: &str = "apple\tyellow\npear\tgreen\nzebra\tstriped\n";

#[test]
fn tables_manifest_and_tree_are_shown_to_people_and_to_programs() {
    let sample = Sample::new();
    let tables = sample.files("data", "table-");
    assert_eq!(tables.len(), 2);
    let dump = done(&["inspect", "table", "--keys", text(&tables[0])]);
    assert!(dump.contains("put                  3  data/0/apple\n"), "{dump}");
    assert!(dump.lines().last().unwrap().ends_with("0 old versions; whole"), "{dump}");
    let manifest = done(&["inspect", "manifest", text(&sample.data())]);
    assert!(manifest.contains("+ table ") && manifest.contains("2 tables of"), "{manifest}");
    let tree = done(&["inspect", "tree", "--tables", "--count", text(&sample.data())]);
    assert!(tree.contains("level 0, run 0, table") && tree.contains("beside them 1 old versions"), "{tree}");
    let tree = json(&["inspect", "tree", "--count", text(&sample.data())]);
    // The owner's mark, apple and pear; zebra is in the log alone.
    assert_eq!(tree["living"]["keys"], 3);
    assert_eq!(tree["living"]["old_versions"], 1);
    assert_eq!(tree["levels"][0]["runs"], 2);
    let properties = stormglass(&["inspect", "table", text(&tables[0]), "--json"]);
    for line in properties.out.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["line"].is_string(), "{line}");
    }
}

#[test]
fn compaction_leaves_no_old_version_and_explain_says_where_a_value_was_found() {
    let sample = Sample::new();
    let before = stormglass(&["explain", "apple", "--data", text(&sample.data())]);
    assert_eq!(before.code, 0, "{before:?}");
    assert!(before.out.contains("level 0, table") && before.out.contains("reason 1:"), "{before:?}");
    let missing = stormglass(&["explain", "nothing", "--data", text(&sample.data())]);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(sample.tidy("compact").contains("1 tables"), "everything fits one table");
    let table = sample.files("data", "table-").remove(0);
    let dump = done(&["inspect", "table", "--keys", text(&table)]);
    assert!(dump.contains("4 entries, 0 tombstones, 0 old versions"), "{dump}");
    assert_eq!(sample.scan("data"), ROWS);
    let explained = json(&["explain", "apple", "--data", text(&sample.data())]);
    assert_eq!((&explained["found"], &explained["value_bytes"]), (&true.into(), &6.into()));
}

#[test]
fn scans_go_backwards_and_by_prefix_and_values_expire() {
    let sample = Sample::new();
    let data = sample.data();
    sample.put("pea", "small");
    let on = |arguments: &[&str]| done(&[arguments, &["--data", text(&data)]].concat());
    assert_eq!(on(&["scan", "--reverse"]), "zebra\tstriped\npear\tgreen\npea\tsmall\napple\tyellow\n");
    assert_eq!(on(&["scan", "--reverse", "--limit", "1", "--until", "pear"]), "pea\tsmall\n");
    assert_eq!(on(&["scan", "--prefix", "pea"]), "pea\tsmall\npear\tgreen\n");
    assert_eq!(on(&["scan", "--prefix", "pea", "--from", "peb"]), "");
    on(&["put", "gone", "soon", "--ttl", "1us"]);
    assert_eq!(stormglass(&["get", "gone", "--data", text(&data)]).code, 1);
    on(&["put", "stays", "long", "--ttl", "1h"]);
    assert_eq!(on(&["get", "stays"]), "long\n");
    for refused in [&["put", "k", "v", "--ttl", "1h"][..], &["scan", "--reverse"], &["get", "k", "--memory", "1GiB"]] {
        let printed = stormglass(refused);
        assert_eq!(printed.code, 2, "{printed:?}");
        assert!(printed.err.contains("--data"), "{printed:?}");
    }
}

#[test]
fn a_checkpoint_and_a_restored_backup_are_databases_of_their_own() {
    let sample = Sample::new();
    let (data, copy, backups) = (sample.data(), sample.path("copy"), sample.path("backups"));
    done(&["checkpoint", text(&data), text(&copy)]);
    let first = json(&["backup", text(&data), text(&backups)]);
    assert_eq!((&first["backup"]["number"], &first["tables_copied"]), (&1.into(), &3.into()));
    sample.put("apple", "rotten");
    let second = json(&["backup", text(&data), text(&backups)]);
    assert_eq!((&second["backup"]["tables"], &second["tables_copied"]), (&4.into(), &1.into()));
    assert_eq!(sample.scan("copy"), ROWS);
    done(&["restore", text(&backups), text(&sample.path("first")), "--backup", "1"]);
    assert_eq!(sample.scan("first"), ROWS);
    done(&["restore", text(&backups), text(&sample.path("latest"))]);
    assert_eq!(sample.scan("latest"), ROWS.replace("yellow", "rotten"));
    assert!(done(&["verify", text(&sample.path("latest"))]).ends_with("sound\n"));

    let listed = done(&["backups", "--verify", text(&backups)]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    let removed = json(&["backups", text(&backups), "--remove", "2"]);
    assert_eq!(removed["tables"], 1);
    assert_eq!(done(&["backups", text(&backups)]).lines().count(), 2);
    for (arguments, word) in [
        (vec!["restore", text(&backups), text(&data)], text(&data)),
        (vec!["restore", text(&backups), text(&copy)], text(&copy)),
        (vec!["restore", text(&backups), "x", "--backup", "2"], "backup-00000000000000000002.log"),
        (vec!["backups", text(&data)], "not a folder with backups"),
        (vec!["backup", text(&data), text(&copy)], text(&copy)),
        (vec!["checkpoint", text(&data), text(&copy)], "copy"),
    ] {
        let refused = stormglass(&arguments);
        assert_eq!(refused.code, 2, "{arguments:?}: {refused:?}");
        assert!(refused.err.contains(word), "{arguments:?}: {refused:?}");
    }
    assert_eq!(sample.scan("copy"), ROWS, "refusals changed nothing");
}

#[test]
fn a_running_nodes_directory_is_looked_at_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 1, "");
    let server = cluster.serve(1);
    assert_eq!(stormglass(&["put", "k", "v", "--node", &cluster.address(1)]).code, 0);
    let data = cluster.data(1);
    assert!(done(&["verify", text(&data)]).ends_with("sound\n"));
    done(&["inspect", "manifest", text(&data)]);
    done(&["inspect", "tree", text(&data)]);
    done(&["statistics", "--data", text(&data), "--count"]);
    for refused in [
        vec!["flush", "--data", text(&data)],
        vec!["compact", "--data", text(&data)],
        vec!["checkpoint", text(&data), "unused"],
        vec!["backup", text(&data), "unused"],
    ] {
        let printed = stormglass(&refused);
        assert_eq!(printed.code, 3, "{printed:?}");
        assert!(printed.err.contains("in use"), "{printed:?}");
    }
    assert_eq!(stormglass(&["get", "k", "--node", &cluster.address(1)]).out, "v\n");
    assert!(server.stop().success());
    done(&["compact", "--data", text(&data)]);
}

/// Whatever a file's bytes are: no panic, an exit code of the contract, and where it is damage, the file's name.
fn survives(printed: &Printed, what: &str) {
    assert!((0..=3).contains(&printed.code), "{what}: {printed:?}");
    assert!(!printed.err.contains("panicked") && !printed.out.contains("panicked"), "{what}: {printed:?}");
}

/// Cut at several lengths, and with bytes flipped at several places.
fn spoiled(content: &[u8]) -> Vec<(String, Vec<u8>)> {
    let places = [0, 9, 17, content.len() / 3, content.len() / 2, content.len() - 20, content.len() - 1];
    let flip = |place: usize| {
        let mut flipped = content.to_vec();
        flipped[place] ^= 0x10;
        (format!("byte {place} flipped"), flipped)
    };
    let cut = |place: usize| (format!("cut at {place}"), content[..place].to_vec());
    places.iter().flat_map(|place| [flip(*place), cut(*place)]).collect()
}

#[test]
fn damaged_files_of_every_kind_are_named_with_their_offset_and_nothing_panics() {
    let sample = Sample::new();
    let data = sample.data();
    let (tables, manifests) = (sample.files("data", "table-"), sample.files("data", "manifest-"));
    for (path, kind) in
        [(&tables[0], "table"), (&manifests[0], "manifest"), (sample.files("data", "wal-").last().unwrap(), "wal")]
    {
        let content = std::fs::read(path).unwrap();
        for (what, bytes) in spoiled(&content) {
            std::fs::write(path, &bytes).unwrap();
            let inspected = stormglass(&["inspect", kind, text(path)]);
            survives(&inspected, &what);
            let verified = stormglass(&["verify", text(&data)]);
            survives(&verified, &what);
            let is_seen = verified.out.contains(text(path)) && verified.out.contains(" offset ");
            assert!(is_seen, "{kind} {what}: {verified:?}");
            if kind == "table" {
                assert_eq!((inspected.code, verified.code), (1, 1), "{what}: {inspected:?}");
                assert!(inspected.out.contains("CORRUPT in"), "{what}: {inspected:?}");
                let json = stormglass(&["verify", text(&data), "--json"]);
                let report: serde_json::Value = serde_json::from_str(&json.out).unwrap();
                assert_eq!((&report["sound"], json.code), (&false.into(), 1), "{what}");
            }
            survives(&stormglass(&["inspect", "tree", "--count", text(&data)]), &what);
            survives(&stormglass(&["statistics", "--count", "--data", text(&data)]), &what);
            survives(&stormglass(&["explain", "apple", "--data", text(&data)]), &what);
        }
        std::fs::write(path, &content).unwrap();
    }
    assert_eq!(sample.scan("data"), ROWS, "whole again");
}

#[test]
fn a_damaged_backup_is_refused_with_file_and_offset() {
    let sample = Sample::new();
    let (backups, new) = (sample.path("backups"), sample.path("new"));
    done(&["backup", text(&sample.data()), text(&backups)]);
    for path in [sample.files("backups", "table-").remove(1), sample.files("backups", "backup-").remove(0)] {
        let content = std::fs::read(&path).unwrap();
        for (what, bytes) in spoiled(&content) {
            std::fs::write(&path, &bytes).unwrap();
            let refused = stormglass(&["restore", text(&backups), text(&new)]);
            // A flipped version number says that a newer program wrote the file only where its checksum agrees: never here.
            assert_eq!(refused.code, 1, "{what}: {refused:?}");
            assert!(refused.err.contains(text(&path)) && refused.err.contains("offset"), "{what}: {refused:?}");
            assert_eq!(std::fs::read_dir(&new).map_or(0, Iterator::count), 0, "{what}");
            let listed = stormglass(&["backups", "--verify", text(&backups)]);
            assert_eq!(listed.code, 1, "{what}: {listed:?}");
            assert!(listed.out.contains("DAMAGED"), "{what}: {listed:?}");
        }
        std::fs::write(&path, &content).unwrap();
    }
    done(&["restore", text(&backups), text(&new)]);
    assert_eq!(sample.scan("new"), ROWS);
}

#[test]
fn foreign_and_missing_paths_are_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let (foreign, missing) = (folder.path().join("thesis.tex"), folder.path().join("missing"));
    std::fs::write(&foreign, "years of work, and many more words than any footer has bytes, so that it is read")
        .unwrap();
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for path in [&foreign, &missing, &empty, &folder.path().to_path_buf()] {
        for command in [
            &["inspect", "table"][..],
            &["inspect", "manifest"],
            &["inspect", "tree"],
            &["verify"],
            &["backups"],
            &["explain", "k", "--data"],
            &["statistics", "--data"],
            &["flush", "--data"],
            &["compact", "--data"],
        ] {
            let printed = stormglass(&[command, &[text(path)]].concat());
            assert_eq!(printed.code, 2, "{command:?} {}: {printed:?}", path.display());
            assert!(printed.err.contains(text(path)), "{command:?} {}: {printed:?}", path.display());
        }
        let restored = stormglass(&["restore", text(path), text(&missing)]);
        assert_eq!(restored.code, 2, "{restored:?}");
    }
    assert!(!missing.exists(), "nothing was made");
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0, "nothing was added");
    for value in ["tired", "leveled,fanuot=9", "tiered,runs=1", "leveled,fanout"] {
        let printed = stormglass(&["inspect", "tree", text(&empty), "--strategy", value]);
        assert_eq!(printed.code, 2, "{printed:?}");
    }
    let printed = stormglass(&["put", "k", "v", "--data", text(&missing), "--memory", "1MiB", "--memtable", "2MiB"]);
    assert_eq!(printed.code, 2, "{printed:?}");
    assert!(printed.err.contains("less than a memtable"), "{printed:?}");
}

#[test]
fn every_workload_runs_and_says_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("bench");
    let engine = ["--durability", "none", "--memory", "4MiB", "--memtable", "256KiB", "--keys", "2000"];
    for workload in [
        "read-random",
        "fill-sequential",
        "fill-random",
        "overwrite",
        "read-missing",
        "seek",
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
    ] {
        // Mix d reads what was inserted last: with two threads it may be what the other is about to write.
        let threads = if workload == "d" { "1" } else { "2" };
        let arguments =
            [&["bench", "--data", text(&data), "--workload", workload, "--threads", threads][..], &engine].concat();
        let measured = json(&[&arguments[..], &["--operations", "2000"]].concat());
        assert_eq!(measured["operations"], 2000, "{workload}");
        assert_eq!(measured["loaded_keys"].is_null(), workload != "read-random", "{workload}: loaded once");
        let (reads, found) = (measured["reads"].as_u64().unwrap(), measured["found"].as_u64().unwrap());
        assert_eq!(found, if workload == "read-missing" { 0 } else { reads }, "{workload}");
        assert!(measured["latency_nanos"]["p99"].as_u64() >= measured["latency_nanos"]["p50"].as_u64(), "{workload}");
        assert!(measured["live_bytes"].as_u64() >= Some(2000 * 122), "{workload}: {measured}");
        if ["fill-random", "overwrite", "a"].contains(&workload) {
            assert!(measured["write_amplification"].as_f64() > Some(1.0), "{workload}");
        }
    }
    let text_report =
        done(&[&["bench", "--data", text(&data), "--batch", "10", "--value-bytes", "1000"][..], &engine].concat());
    assert!(text_report.starts_with("fill-random, 1 at once: 2000 operations in"), "{text_report}");
    assert!(text_report.contains("space:"), "{text_report}");
}

#[test]
fn the_statistics_and_the_operating_system_agree_on_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("bench");
    let measured = json(&[
        "bench",
        "--data",
        text(&data),
        "--keys",
        "20000",
        "--batch",
        "100",
        "--durability",
        "none",
        "--memory",
        "4MiB",
        "--memtable",
        "512KiB",
    ]);
    let process = &measured["process"];
    if process.is_null() {
        return;
    }
    let (said, wrote) = (measured["bytes_written"].as_f64().unwrap(), process["wchar"].as_f64().unwrap());
    assert!(said > 2_000_000.0, "{measured}");
    assert!((wrote - said).abs() < said * 0.05, "said {said}, wrote {wrote}");
}
