//! The same scenario and seed are the same run: twice in one process, and in another process; another seed is another run.
//! Debug and release are compared by `.ci/run`. That canaries (an address, a static counter, real time) would be caught is
//! shown in `sim/src/world/tests/determinism.rs`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use sim::run::{Progress, run, run_watched};
use sim::scenario::{self, Plan};

fn library() -> Vec<(PathBuf, Plan)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let entries = scenario::library(&folder).unwrap();
    assert!(entries.len() >= 10, "the library has only {} scenarios", entries.len());
    entries
        .into_iter()
        .map(|entry| {
            let file = PathBuf::from(entry.unwrap().file);
            let plan = scenario::load(&file).unwrap();
            (file, plan)
        })
        .collect()
}

#[test]
fn every_scenario_gives_the_same_trace_twice_in_one_process_and_in_another() {
    for (file, plan) in library() {
        let first = run(&plan, 42);
        let second = run(&plan, 42);
        assert_eq!(first.trace, second.trace, "{}: two runs in one process differ", file.display());
        assert_eq!(first.history, second.history, "{}: the same trace, and other histories", file.display());

        let output = Command::new(env!("CARGO_BIN_EXE_storm"))
            .args(["run", "--seed", "42", "--json"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
        let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(facts["trace"], first.trace.to_string(), "{}: another process differs", file.display());
    }
}

#[test]
fn another_seed_gives_other_events_and_not_only_another_hash() {
    for (file, plan) in library() {
        let (one, two) =
            (run_watched(&plan, 1, &Progress::default(), 200), run_watched(&plan, 2, &Progress::default(), 200));
        assert_ne!(one.trace, two.trace, "{}: two seeds, one trace", file.display());
        assert_ne!(one.history, two.history, "{}: two seeds, one history", file.display());
        assert_ne!(one.trace_tail, two.trace_tail, "{}: two seeds end in the same events", file.display());
    }
}
