//! The real program under strace: no crash state of its system calls loses what it acknowledged. Needs strace (on Debian:
//! apt-get install strace) and the right to trace; without them it fails, and says so.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

use std::path::Path;
use std::process::Command;

/// Crash states that are judged here; `storm syscalls` goes on for as long as it is told.
const STATES: u64 = 2_000;

/// Builds the program that is watched as this test was built: it belongs to another package.
fn build_stormglass() {
    let folder = Path::new(env!("CARGO_BIN_EXE_storm")).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "cluster", "--bin", "stormglass", "--target-dir"]);
    cargo.arg(folder.parent().unwrap()).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "stormglass does not build");
}

#[test]
fn no_crash_state_of_the_real_programs_system_calls_loses_what_it_acknowledged() {
    build_stormglass();
    let folder = tempfile::tempdir().unwrap();
    let states = STATES.to_string();
    // Few survivors of each state of the disk, so that a whole life and a recovery are seen.
    let arguments =
        ["syscalls", "--seed", "1", "--states", &states, "--survivors", "4", "--time", "10m", "--json", "--out"];
    let output = Command::new(env!("CARGO_BIN_EXE_storm")).args(arguments).arg(folder.path()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let facts: serde_json::Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    let count = |name: &str| facts[name].as_u64().unwrap();
    assert_eq!(count("violations"), 0, "{facts}");
    assert!(count("states") >= STATES && count("opened_by_stormglass") > 10 && count("torn_tails") > 10, "{facts}");
}
