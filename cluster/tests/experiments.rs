//! Every experiment, at a size that takes moments, through the real program: what it claims holds, and what it prints
//! can be read by people and programs.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

mod support;

use serde_json::Value;
use support::stormglass;

/// The rows of an experiment whose claim held.
fn rows_of(arguments: &str) -> Vec<Value> {
    let words: Vec<&str> = "experiment --json".split(' ').chain(arguments.split(' ')).collect();
    let printed = stormglass(&words);
    assert_eq!(printed.code, 0, "{printed:?}");
    assert_eq!(printed.err, "");
    let mut lines: Vec<Value> = printed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let conclusion = lines.pop().unwrap();
    assert_eq!((&conclusion["line"], &conclusion["holds"]), (&"conclusion".into(), &true.into()), "{conclusion}");
    assert!(lines.iter().all(|line| line["line"] == "row"), "{lines:?}");
    lines
}

fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or_else(|| panic!("no number `{name}` in {row}"))
}

#[test]
fn filters_save_reads_and_find_the_same_keys() {
    let rows = rows_of("filters --keys 20000 --queries 10000 --memtable 256KiB --cache 1MiB");
    let [none, even, monkey] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(number(none, "filters_asked"), 0.0);
    assert!(number(none, "runs") >= 2.0, "one run needs no filter: {none}");
    for filtered in [even, monkey] {
        assert!((8.0..12.0).contains(&number(filtered, "bits_per_key")), "{filtered}");
        assert!(number(filtered, "disk_reads") < number(none, "disk_reads") / 2.0, "{filtered} {none}");
        assert!(number(filtered, "false_positives") < 0.1, "{filtered}");
    }
}

#[test]
fn a_scan_empties_an_lru_cache_and_neither_of_the_mitigations() {
    let rows = rows_of("cache --data 32MiB --cache 4MiB --hot 2MiB --rate 4000");
    let phases: Vec<_> = rows.iter().map(|row| (row["mitigation"].as_str().unwrap(), &row["phase"])).collect();
    assert_eq!(phases.len(), 9, "{phases:?}");
    assert!(rows.iter().filter(|row| row["phase"] == "before").all(|row| number(row, "hit_rate_percent") > 99.0));
}

#[test]
fn a_snapshot_stands_still_and_what_it_kept_goes_with_it() {
    let rows = rows_of("snapshots --seconds 2 --keys 5000 --memtable 512KiB");
    let (first, last) = (&rows[0], rows.last().unwrap());
    assert_eq!((number(first, "versions"), number(last, "versions")), (5_000.0, 5_000.0));
    let merged = rows.iter().find(|row| row["state"] == "merged").unwrap();
    assert!(number(merged, "versions") > 9_000.0, "nearly every key was overwritten: {merged}");
    assert!(number(last, "hashes") > 2.0 && number(last, "overwrites") > 5_000.0, "{last}");
    assert!(last["oldest_snapshot"].is_null(), "{last}");
}

#[test]
fn memory_stays_within_its_limit_over_more_data_than_that() {
    let rows = rows_of("memory --gib 0.125 --memory 16MiB --memtable 2MiB --limit 96MiB --seconds 1");
    let last = rows.last().unwrap();
    assert!(number(last, "table_bytes") > 128e6, "{last}");
    assert!(number(last, "resident_bytes_most") > 16e6, "{last}");
    assert!(number(&last["blocks_a_read"], "min") >= 1.0, "{last}");
}

#[test]
fn the_engine_counts_what_the_kernel_counts() {
    let rows = rows_of("amplification --memtable 64KiB --sizes 10,20 --reads 1000");
    assert_eq!(rows.len(), 12);
    for row in &rows {
        assert!(number(row, "write_amplification") > 2.0, "the log and a table at least: {row}");
        assert!(number(row, "space_amplification") > 1.0, "{row}");
        assert!(number(row, "wchar_difference_percent").abs() <= 1.0, "{row}");
    }
}

#[test]
fn people_get_a_table_of_eighty_columns_and_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("fresh");
    let words = "experiment memory --gib 0.01 --seconds 1 --dir".split(' ').chain([folder.to_str().unwrap()]);
    let printed = stormglass(&words.collect::<Vec<_>>());
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(printed.out.lines().all(|line| line.chars().count() <= 80), "{}", printed.out);
    assert!(printed.out.lines().last().unwrap().ends_with('.'), "{}", printed.out);
    assert!(folder.join("data").is_dir(), "a folder that was named is kept");
    let again = stormglass(&["experiment", "memory", "--dir", folder.to_str().unwrap()]);
    assert!(again.code == 2 && again.err.contains("not empty"), "{again:?}");
}

#[test]
fn a_claim_that_does_not_hold_is_exit_code_1() {
    let words = "experiment memory --gib 0.01 --seconds 1 --limit 1MiB --memory 16MiB --memtable 1MiB";
    let printed = stormglass(&words.split(' ').collect::<Vec<_>>());
    assert!(printed.code == 1 && printed.out.contains("DOES NOT HOLD"), "{printed:?}");
}

#[test]
fn nonsense_is_refused_with_a_remedy() {
    for (words, remedy) in [
        ("filters --keys 0", "1"),
        ("filters --cache 5parsecs", "KiB"),
        ("memory --gib=-1", "more than 0"),
        ("memory --gib nan", "more than 0"),
        ("memory --memory 1MiB --memtable 2MiB --gib 0.001", "memtable"),
        ("cache --data 1MiB --hot 2MiB", "--hot"),
        ("cache --data 99999999GiB", "the most is 1024GiB"),
    ] {
        let words: Vec<&str> = "experiment".split(' ').chain(words.split(' ')).collect();
        let printed = stormglass(&words);
        assert!(printed.code == 2 && printed.err.contains(remedy), "{words:?}: {printed:?}");
        assert!(!printed.err.contains("panicked"), "{printed:?}");
    }
}
