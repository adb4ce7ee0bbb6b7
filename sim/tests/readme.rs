//! The README stays true where a program can tell: its example scenario is valid, and holds.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

use std::path::Path;

use reports::facts::Verdict;
use sim::{run, scenario};

#[test]
fn the_readmes_example_scenario_holds() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let example = readme.split("```yaml\n").find(|block| block.starts_with("name:")).unwrap();
    let example = example.split("```").next().unwrap();
    let plan = scenario::parse("README.md", example).unwrap_or_else(|error| panic!("{error}"));
    for seed in 1..=5 {
        let facts = run::run(&plan, seed).facts;
        assert_eq!(facts.verdict, Verdict::Holds, "seed {seed}: {:?}", facts.expectations);
    }
}
