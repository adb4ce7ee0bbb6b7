//! Looks for a bug that was planted, always in the same way: every finder gets as much processor time as the others.
//!
//! ```text
//!   crashes       one seed of crash states and faults of the engine at a time     │
//!   library       one scenario with one seed at a time                            ├─ whoever had the least time is next,
//!   swarm         a few drawn scenarios at a time                                 │  until one says "this is wrong" or
//!   transactions  a few histories of transactions at a time                       │  the time is up
//! ```
//!
//! A finder is the program itself, run as anybody would run it. Exit code 1 is a finding, and so is a panic, a signal, and
//! a run that does not end. Finders that the program does not have are left out.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::child::{self, Ended};
use crate::Failed;

/// Processor time after which a slice that usually takes seconds is taken for one without end.
const SLICE_MOST: Duration = Duration::from_secs(180);

/// Seeds of a slice of drawn scenarios.
const SCENARIOS_A_SLICE: u64 = 4;

/// Seeds of a slice of transactions, of which one takes some milliseconds.
const HISTORIES_A_SLICE: u64 = 40;

/// Letters of a verdict's words that are kept.
const WORDS_MOST: usize = 300;

/// One way to look for bugs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Finder {
    Crashes,
    Library,
    Swarm,
    Transactions,
}

impl Finder {
    /// The command of `storm` that it is.
    fn command(self) -> &'static str {
        match self {
            Self::Crashes => "crashes",
            Self::Library => "run",
            Self::Swarm => "swarm",
            Self::Transactions => "transactions",
        }
    }
}

impl fmt::Display for Finder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Crashes => "crash states",
            Self::Library => "library",
            Self::Swarm => "swarm",
            Self::Transactions => "transactions",
        })
    }
}

/// What a finder found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finding {
    pub(super) finder: Finder,
    /// The checks that saw it.
    pub(super) check: String,
    /// What they said.
    pub(super) words: String,
    /// Seeds that this finder had looked at, this one included.
    #[serde(default)]
    pub(super) seeds: u64,
    /// The command that shows it again.
    pub(super) replay: String,
    /// The scenario that fails, if it is one of the library's.
    #[serde(default)]
    pub(super) failing: Option<Failing>,
}

/// A scenario that fails with a seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failing {
    pub(super) scenario: String,
    pub(super) seed: u64,
}

/// A search for one bug.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Search {
    /// The first seed of every finder.
    pub(super) first_seed: u64,
    pub(super) found: Option<Finding>,
    /// Seeds that all finders have looked at.
    pub(super) seeds: u64,
    pub(super) processor_seconds: f64,
}

/// The program that is looked into, and what it offers.
pub(super) struct Finders {
    storm: PathBuf,
    /// Where it is run: the scenarios are there.
    folder: PathBuf,
    scenarios: Vec<String>,
    there: Vec<Finder>,
    /// Whether it can make failures smaller.
    pub(super) shrinks: bool,
}

/// What one finder has done.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    slices: u64,
    seeds: u64,
    time: Duration,
}

/// A piece of a finder's work.
struct Slice {
    arguments: Vec<String>,
    seeds: u64,
    failing: Option<Failing>,
}

impl Finders {
    /// The finders of a program, with the library of the tree that it was built from.
    pub(super) fn of(storm: PathBuf, folder: &Path) -> Result<Self, Failed> {
        let library = folder.join("scenarios");
        let entries = std::fs::read_dir(&library);
        let entries = entries.map_err(|error| Failed::environment(format!("{}: {error}", library.display())))?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut scenarios: Vec<String> =
            names.filter(|name| name.ends_with(".yaml")).map(|name| format!("scenarios/{name}")).collect();
        scenarios.sort();
        let mut finders = Self { storm, folder: folder.to_path_buf(), scenarios, there: Vec::new(), shrinks: false };
        let help = Command::new(&finders.storm).arg("--help").output();
        let help = help.map_err(|error| Failed::environment(format!("{}: {error}", finders.storm.display())))?;
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let knows = |command: &str| help.lines().any(|line| line.split_whitespace().next() == Some(command));
        finders.there = [Finder::Crashes, Finder::Library, Finder::Swarm, Finder::Transactions]
            .into_iter()
            .filter(|finder| knows(finder.command()))
            .collect();
        finders.shrinks = knows("shrink");
        Ok(finders)
    }

    /// The program, to be run in the tree that it was built from.
    pub(super) fn storm(&self) -> Command {
        let mut command = Command::new(&self.storm);
        command.current_dir(&self.folder);
        command
    }

    /// Looks until something is found, `most` processor time has gone, or `stop` is set.
    pub(super) fn search(&self, first_seed: u64, most: Duration, stop: &AtomicBool) -> Result<Search, Failed> {
        let mut done: BTreeMap<Finder, Done> = self.there.iter().map(|finder| (*finder, Done::default())).collect();
        let mut search = Search { first_seed, found: None, seeds: 0, processor_seconds: 0.0 };
        let mut time = Duration::ZERO;
        while time < most && search.found.is_none() && !stop.load(Ordering::Relaxed) {
            let next = done.iter_mut().min_by_key(|(_, done)| done.time);
            let (finder, done) = next.expect("two finders are always there");
            let slice = self.slice(*finder, first_seed, done.slices);
            let ended = child::run(self.storm().args(&slice.arguments), SLICE_MOST);
            let ended = ended.map_err(|error| Failed::environment(format!("{}: {error}", self.storm.display())))?;
            // A slice that took nothing measurable was not free.
            let took = ended.processor_time.max(Duration::from_millis(1));
            (done.slices, done.seeds, done.time) = (done.slices + 1, done.seeds + slice.seeds, done.time + took);
            (search.seeds, time) = (search.seeds + slice.seeds, time + took);
            search.found = finding(*finder, &slice.arguments, &ended)?;
            if let Some(found) = &mut search.found {
                (found.failing, found.seeds) = (slice.failing, done.seeds);
            }
        }
        search.processor_seconds = time.as_secs_f64();
        Ok(search)
    }

    /// Piece number `number` of a finder's work, from 0.
    fn slice(&self, finder: Finder, first_seed: u64, number: u64) -> Slice {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let in_a_row = |command: &str, seeds: u64| {
            let first = first_seed + number * seeds;
            let range = format!("{first}..{}", first + seeds - 1);
            Slice { arguments: words(&[command, "--seeds", &range, "--jobs", "1", "--json"]), seeds, failing: None }
        };
        match finder {
            Finder::Crashes => {
                let seed = (first_seed + number).to_string();
                let arguments = ["crashes", "--seed", &seed, "--seeds", "1", "--violations", "1", "--jobs", "1"];
                Slice {
                    arguments: words(&[&arguments[..], &["--time", "1h", "--json"]].concat()),
                    seeds: 1,
                    failing: None,
                }
            }
            Finder::Library => {
                let scenarios = self.scenarios.len().max(1) as u64;
                // Each search begins elsewhere: the first scenarios have no advantage.
                let place = (number + first_seed / 1_000) % scenarios;
                let scenario = self.scenarios.get(place as usize).map_or("scenarios", String::as_str);
                let seed = first_seed + number / scenarios;
                let arguments = words(&["run", scenario, "--seed", &seed.to_string(), "--json"]);
                Slice { arguments, seeds: 1, failing: Some(Failing { scenario: scenario.to_string(), seed }) }
            }
            Finder::Swarm => in_a_row("swarm", SCENARIOS_A_SLICE),
            Finder::Transactions => in_a_row("transactions", HISTORIES_A_SLICE),
        }
    }
}

/// What the end of a finder's slice says.
fn finding(finder: Finder, arguments: &[String], ended: &Ended) -> Result<Option<Finding>, Failed> {
    let command = format!("storm {}", arguments.join(" "));
    let found = |check: String, words: String, replay: Option<String>| {
        let words = words.chars().take(WORDS_MOST).collect();
        Ok(Some(Finding {
            finder,
            check,
            words,
            replay: replay.unwrap_or_else(|| command.clone()),
            failing: None,
            seeds: 0,
        }))
    };
    match ended.code {
        _ if ended.outlived => {
            found("ends".to_string(), format!("no end within {} s of processor time", SLICE_MOST.as_secs()), None)
        }
        Some(0 | 4) => Ok(None),
        Some(1) => {
            let told =
                ended.output.lines().filter_map(|line| serde_json::from_str(line).ok()).find_map(|line| told(&line));
            let (check, words, replay) = told.unwrap_or_else(|| {
                let last = ended.output.lines().rfind(|line| !line.trim().is_empty());
                ("a check".to_string(), last.unwrap_or("exit code 1").to_string(), None)
            });
            let of_seed = |seed: &str| format!("storm {} --seeds {seed}..{seed}", finder.command());
            let replay = replay.map(|replay| replay.strip_prefix("seed ").map_or(replay.clone(), of_seed));
            found(check, words, replay)
        }
        Some(101) | None => {
            let last = ended.errors.lines().rfind(|line| line.contains("panicked") || !line.trim().is_empty());
            found("no panic".to_string(), last.unwrap_or("ended by a signal").to_string(), None)
        }
        Some(code) => Err(Failed::environment(format!(
            "`{command}` ended with {code}: {}{}",
            ended.errors.trim_end(),
            ended.output
        ))),
    }
}

/// The check, the words and the replay of what one line of JSON says is wrong, if it says so.
fn told(line: &Value) -> Option<(String, String, Option<String>)> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_string);
    // Of `storm crashes`: a violation.
    if let Some(words) = text(line, "found") {
        return Some((check_of_crashes(&words).to_string(), words, text(line, "replay")));
    }
    // Of `storm run`: facts, with expectations that were met or not.
    if let Some(expectations) = line.get("expectations").and_then(Value::as_array) {
        let is_met = |fact: &&Value| matches!(fact.get("held").and_then(Value::as_str), Some("yes" | "undecided"));
        let unmet: Vec<&Value> = expectations.iter().filter(|fact| !is_met(fact)).collect();
        let of = |fact: &Value, key| text(fact, key).unwrap_or_default();
        let names: Vec<String> = unmet.iter().map(|fact| of(fact, "name")).collect();
        let words = unmet.iter().map(|fact| {
            let (name, observed, demanded) = (of(fact, "name"), of(fact, "observed"), of(fact, "demanded"));
            format!("{name} {observed} instead of {demanded} ({})", of(fact, "note"))
        });
        return (!unmet.is_empty()).then(|| (names.join(", "), words.collect::<Vec<_>>().join("; "), None));
    }
    // Of campaigns: what did not hold, each with the reason. The name of the check comes first in it.
    let first = |list: &str| line.get(list).and_then(Value::as_array).and_then(|list| list.first());
    let failure = first("broken").or_else(|| first("failures"))?;
    let why = text(failure, "why").or_else(|| text(failure, "what"))?;
    let replay = text(failure, "replay").or_else(|| {
        let seed = failure.get("seed").and_then(Value::as_u64)?;
        Some(format!("seed {seed}"))
    });
    let check = why.split([' ', ':', ',']).next().unwrap_or_default().to_string();
    Some((check, why, replay))
}

/// The check of the crash explorer that speaks like this.
fn check_of_crashes(words: &str) -> &'static str {
    const CHECKS: [(&str, &str); 15] = [
        ("panicked", "no panic"),
        ("another write was", "nothing is taken after a failed commit"),
        ("are kept in", "the torn tail is kept"),
        ("writes, where", "durability by prefix"),
        ("lost", "durability by prefix"),
        ("nobody noticed", "errors are noticed"),
        ("no whole number of writes", "batches are whole"),
        ("in the middle of a write", "batches are whole"),
        ("the snapshot at", "snapshots do not change"),
        ("copy", "copies"),
        ("a get finds", "reads"),
        ("expected", "reads"),
        ("is left after opening", "nothing is left over"),
        ("opening leaves", "nothing is left over"),
        ("refused", "opens again"),
    ];
    let found = CHECKS.iter().find(|(sign, _)| words.contains(sign));
    found.map_or("crash states", |(_, check)| check)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: Option<i32>, output: &str, errors: &str) -> Ended {
        let (output, errors) = (output.to_string(), errors.to_string());
        Ended { code, outlived: false, output, errors, processor_time: Duration::ZERO }
    }

    fn found(code: Option<i32>, output: &str, errors: &str) -> Option<(String, String)> {
        let arguments = ["run".to_string(), "x.yaml".to_string()];
        let found = finding(Finder::Library, &arguments, &ended(code, output, errors)).expect("no environment failed");
        found.map(|finding| (finding.check, finding.words))
    }

    #[test]
    fn a_finding_is_exit_code_1_a_panic_or_a_signal_and_names_the_checks() {
        assert_eq!(found(Some(0), "{}", ""), None);
        assert_eq!(found(Some(4), "{}", ""), None);
        let facts = r#"{"expectations":[{"name":"lost_writes","observed":"2","demanded":"0","held":"no","note":"x"},
            {"name":"converged","held":"yes"},{"name":"stale_reads","observed":"1","demanded":"0","held":"no","note":""}]}"#;
        let (check, words) = found(Some(1), &facts.replace('\n', ""), "").expect("a finding");
        assert_eq!(check, "lost_writes, stale_reads");
        assert!(words.starts_with("lost_writes 2 instead of 0 (x); stale_reads"), "{words}");
        let violation = r#"{"found":"lost 1 durable writes: it ends","replay":"storm crashes --seed 1 --state 7"}"#;
        assert_eq!(found(Some(1), violation, "").expect("a finding").0, "durability by prefix");
        let campaign =
            "{\"file\":\"x\",\"broken\":[]}\n{\"broken\":[{\"seed\":3,\"why\":\"converged no instead of yes\"}]}";
        assert_eq!(found(Some(1), campaign, "").expect("a finding").0, "converged");
        assert_eq!(found(Some(1), "all is lost\n\n", "").expect("a finding").1, "all is lost");
        assert_eq!(found(Some(101), "", "thread panicked: x").expect("a finding").0, "no panic");
        assert_eq!(found(None, "", "").expect("a finding").0, "no panic");
    }

    #[test]
    fn bad_usage_of_a_finder_is_no_finding() {
        let ended = ended(Some(2), "", "unknown option");
        let failed = finding(Finder::Crashes, &["crashes".to_string()], &ended).expect_err("a broken museum");
        assert!(
            failed.code == 3 && failed.message.contains("storm crashes") && failed.message.contains("unknown option")
        );
    }

    #[test]
    fn no_two_slices_of_a_search_are_the_same_and_every_scenario_has_its_turn() {
        let scenarios = ["a", "b", "c"].map(|name| format!("scenarios/{name}.yaml")).to_vec();
        let finders =
            Finders { storm: PathBuf::new(), folder: PathBuf::new(), scenarios, there: Vec::new(), shrinks: false };
        for finder in [Finder::Crashes, Finder::Library, Finder::Swarm, Finder::Transactions] {
            let slices: Vec<String> =
                (0..6).map(|number| finders.slice(finder, 1_001, number).arguments.join(" ")).collect();
            let distinct: std::collections::BTreeSet<&String> = slices.iter().collect();
            assert_eq!(distinct.len(), 6, "{slices:?}");
        }
        let first: Vec<String> =
            (0..3).map(|number| finders.slice(Finder::Library, 1, number).arguments[1].clone()).collect();
        assert_eq!(first, ["scenarios/a.yaml", "scenarios/b.yaml", "scenarios/c.yaml"]);
    }
}
