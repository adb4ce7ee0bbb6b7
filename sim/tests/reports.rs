//! The command contract of `storm report`: pages on disk, exit codes, what it says of bad input, JSON for programs.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn storm(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_storm")).args(arguments).output().unwrap()
}

fn scenario(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(name);
    path.to_str().unwrap().to_string()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_run_is_shown_with_every_operation_and_the_messages_that_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let file = scenario("a-cut-off-minority-refuses.yaml");
    let output = storm(&["report", "run", &file, "--seed", "42", "--out", out, "--messages", "5s..5100ms", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["trace"], "67c89bd4dd60a87c", "to keep reports and messages changes no run");
    let page = fs::read_to_string(told["page"].as_str().unwrap()).unwrap();
    for words in ["those sent in 5s..5.1s, as asked", "met a partition", "replica put", "nothing by then", "isolated"] {
        assert!(page.contains(words), "{words} is missing");
    }
    assert!(page.contains("operations are drawn"), "the page does not say what it drew");
}

#[test]
fn a_run_with_a_report_directory_has_a_page_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = scenario("one-returns-stale-reads-under-partition.yaml");
    let output = storm(&["run", &file, "--seed", "42", "--out", folder.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}", printed(&output));
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("stale read") && page.contains("this one"), "the sub-history of an anomaly is missing");
    assert!(page.contains("around the first anomalies") || page.contains("of the first anomalies"));
}

#[test]
fn a_campaign_is_read_and_what_is_no_campaign_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results.jsonl");
    let line = |seed: u64, verdict: &str| {
        format!("{{\"scenario\":\"a.yaml\",\"seed\":{seed},\"verdict\":\"{verdict}\",\"cpu_micros\":5000}}\n")
    };
    fs::write(&results, line(1, "holds") + &line(2, "fails")).unwrap();
    let output = storm(&["report", "campaign", folder.path().to_str().unwrap()]);
    assert!(output.status.success() && printed(&output).starts_with("2 runs, 1 did not hold"), "{}", printed(&output));
    let page = fs::read_to_string(folder.path().join("campaign.html")).unwrap();
    assert!(page.contains("storm run a.yaml --seed 2"), "the failure cannot be replayed from the page");
    fs::write(&results, line(1, "holds") + "rubbish\n" + &line(2, "fails")).unwrap();
    let output = storm(&["report", "campaign", results.to_str().unwrap()]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("results.jsonl") && errors.contains("line 2"), "{errors}");
    assert_eq!(storm(&["report", "campaign", "/no/such/campaign"]).status.code(), Some(2));
}

#[test]
fn a_small_cap_report_is_made_twice_the_same_and_its_cells_can_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, jobs: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let cells = ["--cells", "n3-quorum-quorum-minority-cut-off", "--cells", "n3-one-one-minority-cut-off"];
        let arguments =
            ["report", "cap", "--runs", "2", "--duration", "4s", "--jobs", jobs, "--out", out.to_str().unwrap()];
        let output = storm(&[&arguments[..], &cells[..], more].concat());
        assert!(output.status.success(), "{}{}", printed(&output), String::from_utf8_lossy(&output.stderr));
        (out, printed(&output))
    };
    let (one, told) = make("one", "1", &[]);
    assert!(told.starts_with("4 runs of 2 cells in ") && told.contains(", 0 contradict theory"), "{told}");
    let (other, _) = make("other", "2", &["--resume"]);
    for name in ["cap.csv", "cap-stale.svg", "cap-unanswered.svg"] {
        assert_eq!(fs::read(one.join(name)).unwrap(), fs::read(other.join(name)).unwrap(), "{name}");
    }
    let page = fs::read_to_string(one.join("cap.html")).unwrap();
    assert!(page.contains("reads at quorum with writes at quorum were never stale"), "{page}");
    let (_, again) = make("one", "1", &["--resume", "--json"]);
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!((&again["resumed"], &again["runs"]), (&4.into(), &4.into()));

    let runs = fs::read_to_string(one.join("runs.jsonl")).unwrap();
    let run: serde_json::Value = serde_json::from_str(runs.lines().nth(1).unwrap()).unwrap();
    let file = one.join("scenarios").join(format!("{}.yaml", run["cell"].as_str().unwrap()));
    let seed = run["measured"]["seed"].to_string();
    let replayed = storm(&["run", file.to_str().unwrap(), "--seed", &seed, "--json"]);
    let facts: serde_json::Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert_eq!(facts["trace"], run["measured"]["trace"], "the scenario file is not the run that was measured");
}

#[test]
fn bad_usage_of_reports_ends_with_two_and_says_what_to_write() {
    for (arguments, words) in [
        (&["report", "cap", "--cells", "n4"][..], "n3-one-one-none"),
        (&["report", "cap", "--duration", "1s"], "at least"),
        (&["report", "run", "x.yaml", "--messages", "5s"], "5s..5200ms"),
        (&["report", "run", "x.yaml", "--messages", "5s..4s"], "ends before it begins"),
        (&["report", "run", "/no/such.yaml"], "/no/such.yaml"),
    ] {
        let output = storm(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
    }
}
