//! Campaigns through the command line: resumed after a kill, refused in another's directory, shrunk, compared; and the
//! manifests that spread one, whose shards must be the whole.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sim::campaign::{Outcome, Shard};

fn storm(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_storm")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn scenario(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(name);
    path.to_str().unwrap().to_string()
}

/// A short scenario of a cluster that is cut in two, at these levels, with these expectations.
fn short(folder: &Path, levels: &str, expect: &str) -> String {
    let file = folder.join("short.yaml");
    let text = format!(
        "name: short\nabout: A cut, and what is expected of it.\ncluster: {{ nodes: 5 }}\n\
         workload: {{ duration: 3s, rate: 150/s, clients: 6, keys: {{ count: 8 }}, consistency: {levels} }}\n\
         faults:\n  - {{ at: 500ms, for: 2s, partition: [[n1, n2], [n3, n4, n5]] }}\n\
         \x20 - {{ every: 400ms..600ms, for: 100ms, slow_disk: {{ node: any, by: 9 }} }}\nexpect: {expect}\n"
    );
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_string()
}

const ONE: &str = "{ read: one, write: one }";
const QUORUM: &str = "{ read: quorum, write: quorum }";

/// The results in a directory, without what the machine adds.
fn results(out: &Path) -> Vec<Outcome> {
    let text = std::fs::read_to_string(out.join("results.jsonl")).unwrap();
    let outcomes = text.lines().map(|line| serde_json::from_str::<Outcome>(line).unwrap());
    outcomes.map(|outcome| Outcome { wall_micros: 0, cpu_micros: 0, ..outcome }).collect()
}

#[test]
fn a_campaign_that_was_killed_goes_on_and_ends_as_if_it_had_not_been() {
    let scratch = tempfile::tempdir().unwrap();
    let file = short(scratch.path(), QUORUM, "{ linearizable: true }");
    let (whole, killed) = (scratch.path().join("whole"), scratch.path().join("killed"));
    let arguments =
        |out: &Path| ["fuzz", &file, "--seeds", "1..12", "--out", out.to_str().unwrap()].map(str::to_string).to_vec();
    let run = |out: &Path| Command::new(env!("CARGO_BIN_EXE_storm")).args(arguments(out)).output().unwrap();
    let output = run(&whole);
    assert_eq!(output.status.code(), Some(0), "{} {}", text(&output.stdout), text(&output.stderr));

    let mut child =
        Command::new(env!("CARGO_BIN_EXE_storm")).args(arguments(&killed)).stdout(Stdio::null()).spawn().unwrap();
    // As soon as there is a result, it is killed: at whatever it was doing then.
    while std::fs::metadata(killed.join("results.jsonl")).map_or(0, |file| file.len()) == 0 {
        assert!(child.try_wait().unwrap().is_none_or(|status| status.success()), "it ended by itself");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // And the disk kept half of a further line.
    use std::io::Write;
    let mut half = std::fs::OpenOptions::new().append(true).open(killed.join("results.jsonl")).unwrap();
    half.write_all(b"{\"scenario\":\"").unwrap();
    drop(half);
    let output = run(&killed);
    assert_eq!(output.status.code(), Some(0), "{} {}", text(&output.stdout), text(&output.stderr));
    assert_eq!(results(&killed), results(&whole));
    assert_eq!(results(&whole).len(), 12);

    let refused = storm(&["fuzz", &file, "--seeds", "1..13", "--out", killed.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("another campaign (seeds 1..12 there"), "{}", text(&refused.stderr));
    let blocked = storm(&["fuzz", &file, "--seeds", "1..2", "--out", "/proc/nowhere"]);
    assert_eq!(blocked.status.code(), Some(3), "{}", text(&blocked.stderr));
}

#[test]
fn what_fails_is_shrunk_to_a_scenario_that_fails_in_another_process() {
    let scratch = tempfile::tempdir().unwrap();
    let file = short(scratch.path(), ONE, "{ stale_reads: 0, converged: true }");
    let out = scratch.path().join("out");
    let out_text = out.to_str().unwrap();
    let output = storm(&["fuzz", &file, "--seeds", "1..2", "--out", out_text, "--shrink-time", "20s", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{} {}", text(&output.stdout), text(&output.stderr));
    let summary: Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((&summary["runs"], &summary["failures"]), (&2.into(), &2.into()), "{summary}");
    assert_eq!(summary["causes"][0]["signature"], "stale_reads", "{summary}");
    let shrunk = out.join(summary["causes"][0]["file"].as_str().unwrap());

    let replayed = storm(&["run", shrunk.to_str().unwrap(), "--json"]);
    assert_eq!(replayed.status.code(), Some(1), "{}", text(&replayed.stderr));
    let facts: Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert_eq!(facts["verdict"], "fails");
    let plan = sim::scenario::load(&shrunk).unwrap();
    let operations = plan.workload.operations.len();
    assert!((2..45).contains(&operations) && plan.faults.len() <= 1, "{}", std::fs::read_to_string(&shrunk).unwrap());

    let junit = std::fs::read_to_string(out.join("junit.xml")).unwrap();
    let document = roxmltree::Document::parse(&junit).unwrap();
    assert_eq!(document.descendants().filter(|node| node.has_tag_name("failure")).count(), 2);
}

#[test]
fn shrinking_what_holds_is_refused_and_says_what_to_do() {
    let scratch = tempfile::tempdir().unwrap();
    let file = short(scratch.path(), QUORUM, "{ linearizable: true }");
    let refused = storm(&["shrink", &file, "--seed", "3"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("holds with seed 3: name the seed that fails"), "{}", text(&refused.stderr));
}

#[test]
fn a_trace_is_printed_whole_and_two_runs_are_compared_event_by_event() {
    let scratch = tempfile::tempdir().unwrap();
    let file = short(scratch.path(), QUORUM, "{ linearizable: true }");
    let printed = storm(&["run", &file, "--seed", "1", "--trace"]);
    let (one, two) = (scratch.path().join("one.txt"), scratch.path().join("two.txt"));
    std::fs::write(&one, &printed.stdout).unwrap();
    let printed = text(&printed.stdout);
    let events = printed.lines().filter(|line| sim::campaign::diff::is_event(line)).count();
    let facts: Value = serde_json::from_slice(&storm(&["run", &file, "--seed", "1", "--json"]).stdout).unwrap();
    let counted =
        facts["counters"].as_array().unwrap().iter().find(|one| one["name"] == "events in the trace").unwrap();
    assert_eq!(counted["value"], events as u64, "every event is printed");

    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    let same = storm(&["diff", one, &file, "--seed-b", "1"]);
    assert_eq!(same.status.code(), Some(0), "{} {}", text(&same.stdout), text(&same.stderr));
    assert!(text(&same.stdout).starts_with(&format!("the same: {events} events")), "{}", text(&same.stdout));

    // One event changed in the middle.
    let changed: Vec<String> = printed
        .lines()
        .enumerate()
        .map(|(number, line)| if number == 1_000 { format!("{line} beef") } else { line.to_string() })
        .collect();
    std::fs::write(two, changed.join("\n")).unwrap();
    let parts = storm(&["diff", one, two, "--context", "2"]);
    assert_eq!(parts.status.code(), Some(1));
    let told = text(&parts.stdout);
    assert!(told.starts_with("they part after 1000 events\n"), "{told}");
    assert_eq!((told.lines().count(), told.lines().nth(5).unwrap().ends_with(" beef")), (7, true), "{told}");

    let seeds = storm(&["diff", &file, "--seed", "1", "--seed-b", "2", "--json"]);
    let told: Value = serde_json::from_slice(&seeds.stdout).unwrap();
    assert_eq!((seeds.status.code(), &told["equal"]), (Some(1), &false.into()), "{told}");
}

#[test]
fn what_is_no_trace_and_no_scenario_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let garbage = scratch.path().join("garbage.txt");
    std::fs::write(&garbage, vec![0xff; 1 << 20]).unwrap();
    let empty = scratch.path().join("empty.txt");
    std::fs::write(&empty, "nothing happened\n").unwrap();
    let (garbage, empty) = (garbage.to_str().unwrap(), empty.to_str().unwrap());
    for arguments in
        [&["diff", garbage, empty][..], &["diff", empty, empty], &["diff", empty], &["diff", "/no/such", empty]]
    {
        let refused = storm(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?} {}", text(&refused.stderr));
    }
    for shard in ["0/4", "5/4", "half"] {
        let refused = storm(&["fuzz", "--shard", shard]);
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains("1/4 (the first)"), "{}", text(&refused.stderr));
    }
}

fn manifest(name: &str) -> String {
    std::fs::read_to_string(scenario(&format!("campaigns/{name}"))).unwrap()
}

/// That these shards are the first, the second, ... and the last of as many as there are.
#[track_caller]
fn are_the_whole(shards: &[Shard]) {
    let named: Vec<String> = shards.iter().map(Shard::to_string).collect();
    let all: Vec<String> = (1..=shards.len()).map(|number| format!("{number}/{}", shards.len())).collect();
    assert_eq!(named, all);
    assert!(shards.len() > 1);
}

/// The shard that a shell makes of a command line's `--shard`, with these variables.
fn shard_in_shell(line: &str, variables: &[(&str, String)]) -> Shard {
    let word = line.split("--shard ").nth(1).unwrap().split(" --").next().unwrap();
    let output = Command::new("bash")
        .args(["-c", &format!("printf %s {word}")])
        .envs(variables.iter().map(|(name, value)| (*name, value.as_str())))
        .output()
        .unwrap();
    text(&output.stdout).parse().unwrap()
}

#[test]
fn the_matrix_of_a_ci_is_the_whole() {
    let workflow: Value = serde_yaml::from_str(&manifest("github-actions.yml")).unwrap();
    let job = &workflow["jobs"]["storm"];
    let numbers = job["strategy"]["matrix"]["shard"].as_array().unwrap();
    let steps = job["steps"].as_array().unwrap();
    let line = steps.iter().filter_map(|step| step["run"].as_str()).find(|line| line.contains("--shard")).unwrap();
    let word = line.split("--shard ").nth(1).unwrap().split(" --").next().unwrap();
    let shards: Vec<Shard> = numbers
        .iter()
        .map(|number| word.replace("${{ matrix.shard }}", &number.to_string()).parse().unwrap())
        .collect();
    are_the_whole(&shards);
    assert_eq!(job["strategy"]["fail-fast"], false);
}

#[test]
fn the_pods_of_an_indexed_job_are_the_whole() {
    let job: Value = serde_yaml::from_str(&manifest("kubernetes-job.yml")).unwrap();
    let spec = &job["spec"];
    assert_eq!((&job["kind"], &spec["completionMode"]), (&"Job".into(), &"Indexed".into()));
    let line = spec["template"]["spec"]["containers"][0]["args"][0].as_str().unwrap();
    let completions = spec["completions"].as_u64().unwrap();
    let shards: Vec<Shard> =
        (0..completions).map(|index| shard_in_shell(line, &[("JOB_COMPLETION_INDEX", index.to_string())])).collect();
    are_the_whole(&shards);
}

#[test]
fn the_tasks_of_an_array_are_the_whole() {
    let script = manifest("slurm.sbatch");
    let checked = Command::new("bash").args(["-n", &scenario("campaigns/slurm.sbatch")]).output().unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let array = script.lines().find_map(|line| line.strip_prefix("#SBATCH --array=1-")).unwrap();
    let count: u64 = array.parse().unwrap();
    let line = script.lines().find(|line| line.contains("--shard")).unwrap();
    let shards: Vec<Shard> = (1..=count)
        .map(|task| {
            let variables = [("shard", task.to_string()), ("SLURM_ARRAY_TASK_COUNT", count.to_string())];
            shard_in_shell(line, &variables)
        })
        .collect();
    are_the_whole(&shards);
}
