//! `storm transactions`: campaigns of the engine's transactions, and histories of anybody's, judged from the command line.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

use std::path::Path;
use std::process::{Command, Output};

fn storm(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_storm")).arg("transactions").args(arguments).output().unwrap();
    let (printed, errors) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(!errors.contains("panicked"), "{errors}");
    (status.code().unwrap(), printed, errors)
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_string()
}

const WRITE_SKEW: &str = r#"
{:type :invoke, :f :txn, :value [[:r 1 nil] [:append 2 10]], :process 0, :time 1, :index 0}
{:type :invoke, :f :txn, :value [[:r 2 nil] [:append 1 20]], :process 1, :time 2, :index 1}
{:type :ok, :f :txn, :value [[:r 1 nil] [:append 2 10]], :process 0, :time 3, :index 2}
{:type :ok, :f :txn, :value [[:r 2 nil] [:append 1 20]], :process 1, :time 4, :index 3}
{:type :invoke, :f :txn, :value [[:r 1 nil] [:r 2 nil]], :process 0, :time 5, :index 4}
{:type :ok, :f :txn, :value [[:r 1 [20]] [:r 2 [10]]], :process 0, :time 6, :index 5}
"#;

#[test]
fn a_history_with_write_skew_is_no_serializable_one_and_is_told_with_its_smallest_part() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "skew.edn");
    std::fs::write(&file, WRITE_SKEW).unwrap();
    let (code, printed, _) = storm(&["check", &file, "--model", "list-append"]);
    assert_eq!(code, 1, "{printed}");
    assert!(printed.starts_with("FAILS serializable") && printed.contains("1 G2-item, forbidden"), "{printed}");
    assert!(printed.contains("T0 read key 1 while nothing was in it, before T1 appended 20"), "{printed}");
    assert!(printed.contains("T1: r 2 nothing, append 1 20; committed, process 1, line 3"), "{printed}");
    assert!(
        printed.contains("this rules out serializable, strong-session-serializable, strict-serializable"),
        "{printed}"
    );
    let (code, printed, _) = storm(&["check", &file, "--isolation", "strong-snapshot"]);
    assert_eq!(code, 0, "{printed}");
    let (code, printed, _) = storm(&["check", &file, "--isolation", "strict-serializable", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (code, &told["verdict"], &told["report"]["counts"]["G2-item"]),
        (1, &"fails".into(), &1.into()),
        "{told}"
    );
    assert_eq!(told["report"]["anomalies"][0]["transactions"], serde_json::json!([0, 1]));
}

#[test]
fn what_cannot_be_judged_ends_with_two_and_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "history.edn");
    std::fs::write(&file, WRITE_SKEW.replace(":process 1, :time 4", ":process 7, :time 4")).unwrap();
    let (code, _, errors) = storm(&["check", &file]);
    assert!(code == 2 && errors.contains("history.edn: line 5: process 7 completes"), "{errors}");
    std::fs::write(&file, WRITE_SKEW).unwrap();
    let (code, _, errors) = storm(&["check", &file, "--model", "rw-register"]);
    assert!(code == 2 && errors.contains("give --model list-append"), "{errors}");
    let (code, _, errors) = storm(&["check", "/no/such/history"]);
    assert!(code == 2 && errors.contains("/no/such/history"), "{errors}");
    assert_eq!(storm(&["check", &file, "--isolation", "repeatable"]).0, 2);
    assert_eq!(storm(&["--seeds", "9..1"]).0, 2);
}

#[test]
fn a_generated_history_holds_and_one_that_shows_nothing_is_vacuous() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "generated.jsonl");
    for model in ["list-append", "rw-register"] {
        assert_eq!(storm(&["generate", &file, "--model", model, "--transactions", "2000"]).0, 0);
        let (code, printed, _) = storm(&["check", &file, "--isolation", "strict-serializable", "--model", model]);
        assert!(code == 0 && printed.starts_with("HOLDS strict-serializable"), "{printed}");
    }
    std::fs::write(&file, WRITE_SKEW.lines().take(2).collect::<String>()).unwrap();
    let (code, printed, _) = storm(&["check", &file]);
    assert!(code == 1 && printed.starts_with("VACUOUS"), "{printed}");
}

#[test]
fn a_campaign_counts_what_it_did_and_its_histories_can_be_judged_again() {
    let (code, printed, errors) = storm(&["--seeds", "1..20", "--jobs", "2", "--json"]);
    assert!(code == 0 && errors.is_empty(), "{printed} {errors}");
    let told: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert!(told["seeds"] == 20 && told["failed"] == 0, "{told}");
    let of = |isolation: &str| told["by_isolation"][isolation]["tally"]["committed"].as_u64().unwrap();
    assert!(of("snapshot") > 100 && of("serializable") > 100, "{told}");

    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "seed.jsonl");
    let (code, printed, _) = storm(&["--seeds", "3", "--isolation", "serializable", "--history", &file]);
    assert!(code == 0 && printed.contains("1 seeds in"), "{printed}");
    let (code, printed, _) = storm(&["check", &file, "--isolation", "strict-serializable"]);
    assert!(code == 0, "{printed}");
}
