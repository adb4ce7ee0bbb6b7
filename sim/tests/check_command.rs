//! The contract of `storm check` and `storm generate`: exit codes, what is said, what is written.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

use std::path::Path;
use std::process::{Command, Output};

fn storm(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_storm")).args(arguments).output().unwrap()
}

/// Exit code, output and errors.
fn checked(file: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = storm(&[&["check", file.to_str().unwrap()], arguments].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn written(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

/// In the manner of Porcupine's own test data.
const LEGAL: &str = "{:process 0, :type :invoke, :f :put, :key \"0\", :value \"a\"}
{:process 1, :type :invoke, :f :get, :key \"0\", :value nil}
{:process 0, :type :ok, :f :put, :key \"0\", :value \"a\"}
{:process 2, :type :invoke, :f :append, :key \"0\", :value \"b\"}
{:process 1, :type :ok, :f :get, :key \"0\", :value \"\"}
{:process 2, :type :ok, :f :append, :key \"0\", :value \"b\"}
{:process 0, :type :invoke, :f :get, :key \"0\", :value nil}
{:process 0, :type :ok, :f :get, :key \"0\", :value \"ab\"}
";

#[test]
fn a_linearizable_history_ends_with_zero_and_tells_both_times() {
    let folder = tempfile::tempdir().unwrap();
    let (code, printed, errors) = checked(&written(folder.path(), "good.edn", LEGAL), &["--model", "kv"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{printed}");
    assert!(printed.starts_with("LINEARIZABLE") && printed.contains("4 calls of 1 keys"), "{printed}");
    let last = printed.lines().last().unwrap();
    assert!(last.starts_with("read ") && last.contains(", judged in "), "{last}");
}

#[test]
fn a_history_that_is_not_ends_with_one_names_the_misfit_and_draws_it() {
    let folder = tempfile::tempdir().unwrap();
    let evil = LEGAL.replace("\"ab\"", "\"b<script>\"");
    let file = written(folder.path(), "bad.edn", &evil);
    let out = folder.path().join("out");
    let (code, printed, errors) = checked(&file, &["--model", "kv", "--out", out.to_str().unwrap()]);
    assert_eq!((code, errors.as_str()), (Some(1), ""), "{printed}");
    assert!(printed.starts_with("NOT LINEARIZABLE"), "{printed}");
    assert!(printed.contains("read b<script> of key 0 by process 0 (lines 7 and 8) fits nowhere"), "{printed}");
    assert!(printed.contains("3 of 4 acknowledged calls") && printed.contains("✗ process 0"), "{printed}");
    let page = std::fs::read_to_string(out.join("verdict.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("b&lt;script&gt;") && !page.contains("<script"), "{page}");
    let facts: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("verdict.json")).unwrap()).unwrap();
    assert_eq!(facts["violations"][0]["key"], "key 0");
    let (code, printed, _) = checked(&file, &["--model", "kv", "--json"]);
    let facts: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &facts["failed_keys"]), (Some(1), &serde_json::json!(1)));
    let (code, _, errors) = checked(&file, &["--model", "kv", "--out", "/proc/nowhere/out"]);
    assert_eq!(code, Some(3), "{errors}");
}

#[test]
fn what_cannot_be_read_ends_with_two_and_names_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (LEGAL.replace(":process 2, :type :invoke", ":process 3, :type :invoke"), "kv", ":6:1: process 2 completes"),
        (
            LEGAL
                .replace(":process 2", ":process 0")
                .replace("{:process 0, :type :ok, :f :put", "{:process 7, :type :ok, :f :put"),
            "kv",
            ":3:1: process 7",
        ),
        (LEGAL[..LEGAL.len() - 10].to_string(), "kv", ":8:1: the file ends"),
        (LEGAL.to_string(), "register", ":4:1: the model `register` has no function `append`"),
        ("\u{0}garbage".to_string(), "kv", ":1:1: expected an event"),
        (String::new(), "kv", ":1:1: the file holds no events"),
    ];
    for (text, model, complaint) in cases {
        let file = written(folder.path(), "x.edn", &text);
        let (code, printed, errors) = checked(&file, &["--model", model]);
        assert_eq!(code, Some(2), "{printed}{errors}");
        assert!(errors.contains("x.edn") && errors.contains(complaint), "{complaint}: {errors}");
        assert!(!errors.contains("panicked"), "{errors}");
    }
    for arguments in [&["--model", "frobnicate"][..], &[], &["--model", "kv", "--memory", "much"]] {
        assert_eq!(checked(&written(folder.path(), "x.edn", LEGAL), arguments).0, Some(2), "{arguments:?}");
    }
    assert_eq!(checked(Path::new("/no/such/history.edn"), &["--model", "kv"]).0, Some(2));
}

#[test]
fn too_little_memory_ends_with_four_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for process in 0..24 {
        text += &format!("{{\"process\":{process},\"type\":\"invoke\",\"f\":\"add\",\"value\":{}}}\n", 2 << process);
    }
    text += "{\"process\":99,\"type\":\"invoke\",\"f\":\"read\"}\n{\"process\":99,\"type\":\"ok\",\"f\":\"read\",\"value\":3}\n";
    let file = written(folder.path(), "hard.jsonl", &text);
    let (code, printed, _) = checked(&file, &["--model", "counter", "--memory", "1MiB"]);
    assert_eq!(code, Some(4), "{printed}");
    assert!(printed.starts_with("UNDECIDED") && printed.contains("--memory"), "{printed}");
}

#[test]
fn what_is_generated_is_judged_as_it_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    for model in ["register", "cas-register", "kv", "set", "counter", "queue", "lock"] {
        for (format, illegal) in [("edn", false), ("jsonl", true)] {
            let file = folder.path().join(format!("{model}.{format}"));
            let name = file.to_str().unwrap();
            let mut arguments =
                vec!["generate", "--model", model, "--operations", "3000", "--keys", "3", "--out", name];
            arguments.extend(["--format", format]);
            arguments.extend(illegal.then_some("--illegal"));
            let output = storm(&arguments);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let printed = String::from_utf8(output.stdout).unwrap();
            assert_eq!(printed.contains("one violation, in line"), illegal, "{printed}");
            let (code, printed, errors) = checked(&file, &["--model", model]);
            assert_eq!(code, Some(i32::from(illegal)), "{printed}{errors}");
        }
    }
    let arguments =
        ["generate", "--model", "register", "--operations", "10", "--illegal", "--seed", "3", "--keys", "100"];
    assert_eq!(storm(&arguments).status.code(), Some(2), "there is no place for a violation");
}
