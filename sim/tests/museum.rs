//! Every bug of the museum can still be planted, and the museum says so of one that cannot.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn museum(folder: &Path, arguments: &[&str]) -> Output {
    let storm = env!("CARGO_BIN_EXE_storm");
    Command::new(storm).arg("museum").args(arguments).current_dir(folder).output().unwrap()
}

fn git(folder: &Path, arguments: &[&str]) {
    assert!(Command::new("git").args(arguments).current_dir(folder).status().unwrap().success());
}

#[test]
fn every_patch_applies_and_the_canary_is_among_them() {
    let output = museum(&root(), &["--check"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let bugs: usize = said.split_whitespace().next().unwrap().parse().unwrap();
    assert!(bugs >= 30, "{said}");
    let output = museum(&root(), &["--check", "--only", "canary*", "--json"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "{\"apply\":1}");
}

#[test]
fn a_patch_that_no_longer_applies_is_refused_with_its_name_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet"]);
    std::fs::create_dir_all(folder.path().join("sim/museum")).unwrap();
    let patch = "# title: a\n# origin: b\n# mechanism: c\n# check: d\n# campaign: e\n\ndiff --git a/x.rs b/x.rs\n\
                 --- a/x.rs\n+++ b/x.rs\n@@ -1 +1 @@\n-was\n+is\n";
    std::fs::write(folder.path().join("sim/museum/001-a.patch"), patch).unwrap();
    std::fs::write(folder.path().join("x.rs"), "was\n").unwrap();
    assert!(museum(folder.path(), &["--check"]).status.success());
    std::fs::write(folder.path().join("x.rs"), "has changed\n").unwrap();
    let output = museum(folder.path(), &[]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("001-a.patch no longer applies") && errors.contains("git apply --3way"), "{errors}");
}

#[test]
fn bad_usage_ends_with_two() {
    for arguments in [&["--only", "no-such-bug*"][..], &["--shard", "4/3"], &["--time", "long"], &["--runs", "0"]] {
        let output = museum(&root(), arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(!errors.contains("panicked"), "{errors}");
    }
}
