//! The command contract of `storm`: exit codes, what it says of bad input, JSON for programs, reports on disk.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn storm(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_storm")).args(arguments).output().unwrap()
}

fn scenario(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(name);
    path.to_str().unwrap().to_string()
}

/// Writes a scenario with the given lines under `name` and `about`, runs it, and gives exit code and error output.
fn refused(lines: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.yaml");
    std::fs::write(&file, format!("name: x\nabout: x\n{lines}expect: {{ lost_writes: 0 }}\n")).unwrap();
    let output = storm(&["run", file.to_str().unwrap()]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!errors.contains("panicked"), "{errors}");
    (output.status.code().unwrap(), errors)
}

#[test]
fn bad_scenarios_are_refused_with_file_line_field_and_the_nearest_key() {
    let (code, errors) = refused("cluster: { nodes: 3 }\nworkloud: { clients: 3 }\n");
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("x.yaml:4") && errors.contains("workloud") && errors.contains("workload"), "{errors}");

    let (code, errors) = refused("cluster: { nodes: 3 }\nfaults:\n  - { at: 1s, for: 1s, partition: [[n1], [n9]] }\n");
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("x.yaml:5") && errors.contains("n9") && errors.contains("n1 to n3"), "{errors}");

    let (code, errors) = refused("cluster: { nodes: 3, replication: 5 }\n");
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("x.yaml:3") && errors.contains("replication"), "{errors}");
}

#[test]
fn missing_files_and_bad_usage_end_with_two() {
    for arguments in [
        &["run", "/no/such/scenario.yaml"][..],
        &["run"],
        &["run", "x.yaml", "--seed", "many"],
        &["fuzz", "--seeds", "9..1"],
        &["list", "/no/such/folder"],
        &["frobnicate"],
    ] {
        let output = storm(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_run_whose_expectation_fails_ends_with_one_and_says_what_was_seen() {
    let text = std::fs::read_to_string(scenario("one-returns-stale-reads-under-partition.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hopeful.yaml");
    std::fs::write(&file, text.replace("stale_reads: \">= 1\"", "stale_reads: 0")).unwrap();
    let output = storm(&["run", file.to_str().unwrap(), "--seed", "42"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.starts_with("FAILS") && printed.contains("stale read: read of"), "{printed}");
}

#[test]
fn a_run_in_which_nothing_happened_is_vacuous() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("idle.yaml");
    // Clients never talk to each other, so a partition between two of them meets nothing.
    let text = "name: x\nabout: x\nworkload: { duration: 4s, rate: 200/s }\nfaults:\n  - { at: 1s, for: 1s, partition: \
                [[c0], [c1]] }\nexpect: { lost_writes: 0 }\n";
    std::fs::write(&file, text).unwrap();
    let output = storm(&["run", file.to_str().unwrap()]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed} {}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.starts_with("VACUOUS") && printed.contains("faults[0] met no traffic"), "{printed}");
}

#[test]
fn the_last_line_gives_virtual_over_wall_time_and_json_has_it_too() {
    let file = scenario("standard.yaml");
    let printed = String::from_utf8(storm(&["run", &file, "--seed", "42"]).stdout).unwrap();
    let last = printed.lines().last().unwrap();
    let words: Vec<&str> = last.split(' ').collect();
    assert_eq!(
        (words[0], &words[1..3], &words[4..5], words[7]),
        ("60.0", &["s", "in"][..], &["s:"][..], "real"),
        "{last}"
    );
    let facts: serde_json::Value =
        serde_json::from_slice(&storm(&["run", &file, "--seed", "42", "--json"]).stdout).unwrap();
    assert!(facts["speed_ratio"].as_f64().unwrap() > 0.0);
    assert!(printed.contains(facts["trace"].as_str().unwrap()), "the same trace in words and in JSON");
}

#[test]
fn a_report_is_written_as_markdown_pictures_json_and_history() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let file = scenario("a-cut-off-minority-refuses.yaml");
    let output = storm(&["run", &file, "--seed", "42", "--out", out.to_str().unwrap()]);
    assert!(output.status.success());
    for name in ["report.md", "report.json", "timeline.svg", "latency.svg", "history.jsonl"] {
        assert!(std::fs::metadata(out.join(name)).unwrap().len() > 500, "{name} is missing or empty");
    }
    let history = std::fs::read(out.join("history.jsonl")).unwrap();
    let history = sim::history::read_json_lines(history.as_slice()).unwrap();
    assert!(history.operations.len() > 1_000);
    let blocked = storm(&["run", &file, "--out", "/proc/nowhere/out"]);
    assert_eq!(blocked.status.code(), Some(3), "{}", String::from_utf8_lossy(&blocked.stderr));
}

#[test]
fn a_campaign_names_the_seeds_that_do_not_hold() {
    let text = std::fs::read_to_string(scenario("one-returns-stale-reads-under-partition.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hopeful.yaml");
    std::fs::write(&file, text.replace("stale_reads: \">= 1\"", "stale_reads: 0")).unwrap();
    let output = storm(&["fuzz", file.to_str().unwrap(), "--seeds", "1..2"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("0/2 hold") && printed.contains("seed 1 fails: stale_reads"), "{printed}");
}

#[test]
fn the_library_is_listed_one_line_each() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let output = storm(&["list", folder.to_str().unwrap()]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let is_scenario = |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|end| end == "yaml");
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(is_scenario).count();
    assert_eq!(printed.lines().count(), files, "{printed}");
    assert!(printed.contains("standard.yaml"));
}

#[test]
fn crash_states_are_counted_replayed_and_told_to_programs() {
    let output = storm(&["crashes", "--states", "300", "--jobs", "1", "--seed", "5"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert_eq!(printed.lines().last(), Some("300 crash states, 0 violations"), "{printed}");
    assert!(output.stderr.is_empty(), "progress was shown in a pipe");

    let output = storm(&["crashes", "--seed", "5", "--state", "299"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && printed.contains("seed 5, state 299"), "{printed}");
    let output = storm(&["crashes", "--seed", "5", "--trial", "3", "--json"]);
    let trial: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success() && trial["trial"] == 3, "{trial}");

    let output = storm(&["crashes", "--seed", "5", "--state", "99999999"]);
    assert_eq!(output.status.code(), Some(2));
    let output = storm(&["crashes", "--states", "300", "--json"]);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(summary["states"] == 300 && summary["violations"] == 0, "{summary}");
}
