//! What the lines of a campaign come to: causes, scenarios, growth of coverage, speed.
//!
//! ```text
//!   cause      runs that did not hold and have one signature (or, where there is none, one list of unmet expectations)
//!   growth     after run 1, 2, 4, ...: states reached so far, which never falls
//!   speed      runs a second of processor time, over the processor time spent so far, in equal parts
//! ```
//!
//! Lines carry no clock, on purpose: the same campaign gives the same page. Processor time is what the seeds cost.

use std::collections::{BTreeMap, BTreeSet};

use super::{CampaignFacts, ResultLine};

/// Parts of the speed chart.
const PARTS: usize = 60;

/// Points of the growth chart, at most.
const POINTS_MOST: usize = 400;

/// Runs that did not hold for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause<'f> {
    pub(super) name: String,
    pub(super) verdict: &'f str,
    pub(super) runs: u64,
    pub(super) scenarios: BTreeSet<&'f str>,
    /// The first run, for replaying.
    pub(super) first: &'f ResultLine,
}

/// All runs of one scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OfScenario<'f> {
    pub(super) scenario: &'f str,
    pub(super) runs: u64,
    pub(super) held: u64,
    pub(super) cpu_micros: u64,
}

/// A name for what went wrong: the signature, or what was not met, or the verdict.
pub(super) fn cause_name(run: &ResultLine) -> String {
    match (run.signature.as_str(), run.unmet.as_slice()) {
        ("", []) => run.verdict.clone(),
        ("", unmet) => unmet.join("; "),
        (signature, _) => signature.to_string(),
    }
}

/// The causes, the most frequent first.
pub(super) fn causes(facts: &CampaignFacts) -> Vec<Cause<'_>> {
    let mut causes: BTreeMap<(String, &str), Cause<'_>> = BTreeMap::new();
    for run in facts.runs.iter().filter(|run| !run.holds()) {
        let name = cause_name(run);
        let cause = causes.entry((name.clone(), &run.verdict)).or_insert_with(|| Cause {
            name,
            verdict: &run.verdict,
            runs: 0,
            scenarios: BTreeSet::new(),
            first: run,
        });
        cause.runs += 1;
        cause.scenarios.insert(&run.scenario);
        if (&run.scenario, run.seed) < (&cause.first.scenario, cause.first.seed) {
            cause.first = run;
        }
    }
    let mut causes: Vec<Cause<'_>> = causes.into_values().collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.runs));
    causes
}

/// The scenarios, in the order of their names.
pub(super) fn scenarios(facts: &CampaignFacts) -> Vec<OfScenario<'_>> {
    let mut scenarios: BTreeMap<&str, OfScenario<'_>> = BTreeMap::new();
    for run in &facts.runs {
        let scenario = scenarios.entry(&run.scenario).or_insert(OfScenario {
            scenario: &run.scenario,
            runs: 0,
            held: 0,
            cpu_micros: 0,
        });
        scenario.runs += 1;
        scenario.held += u64::from(run.holds());
        scenario.cpu_micros = scenario.cpu_micros.saturating_add(cost(run));
    }
    scenarios.into_values().collect()
}

/// Runs so far and states reached by then; empty where no line tells of coverage.
pub(super) fn growth(facts: &CampaignFacts) -> Vec<(f64, f64)> {
    let every = facts.runs.len().div_ceil(POINTS_MOST).max(1);
    let (mut reached, mut points) = (0, Vec::new());
    for (place, run) in facts.runs.iter().enumerate() {
        reached = run.coverage.max(reached);
        if place % every == 0 || place + 1 == facts.runs.len() {
            points.push(((place + 1) as f64, reached as f64));
        }
    }
    if reached == 0 { Vec::new() } else { points }
}

/// Processor seconds spent so far, and runs a second of them; empty where no line tells of time.
pub(super) fn speed(facts: &CampaignFacts) -> Vec<(f64, f64)> {
    let total: u64 = facts.runs.iter().map(cost).fold(0, u64::saturating_add);
    let part = total.div_ceil(PARTS as u64);
    if part == 0 {
        return Vec::new();
    }
    let (mut points, mut runs, mut spent, mut before) = (Vec::new(), 0_u64, 0_u64, 0_u64);
    let point =
        |runs: u64, spent: u64, before: u64| (spent as f64 / 1e6, runs as f64 * 1e6 / (spent - before).max(1) as f64);
    for run in &facts.runs {
        runs += 1;
        spent = spent.saturating_add(cost(run));
        if spent - before >= part {
            points.push(point(runs, spent, before));
            (runs, before) = (0, spent);
        }
    }
    // What is left at the end tells a speed only when it is long enough.
    if spent - before > part / 2 {
        points.push(point(runs, spent, before));
    }
    points
}

/// Processor time, or time on the wall where that is all a line tells.
pub(super) fn cost(run: &ResultLine) -> u64 {
    if run.cpu_micros > 0 { run.cpu_micros } else { run.wall_micros }
}

/// The runs that cost most, the dearest first.
pub(super) fn slowest(facts: &CampaignFacts, most: usize) -> Vec<&ResultLine> {
    let mut runs: Vec<&ResultLine> = facts.runs.iter().filter(|run| cost(run) > 0).collect();
    runs.sort_by(|one, other| {
        cost(other).cmp(&cost(one)).then_with(|| (&one.scenario, one.seed).cmp(&(&other.scenario, other.seed)))
    });
    runs.truncate(most);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, verdict: &str, signature: &str, coverage: u64) -> ResultLine {
        ResultLine {
            scenario: "a.yaml".to_string(),
            seed,
            verdict: verdict.to_string(),
            signature: signature.to_string(),
            coverage,
            cpu_micros: 500_000,
            ..ResultLine::default()
        }
    }

    fn facts(runs: Vec<ResultLine>) -> CampaignFacts {
        CampaignFacts { runs, ..CampaignFacts::default() }
    }

    #[test]
    fn failures_are_grouped_by_cause_and_replayed_by_their_smallest_seed() {
        let runs = vec![
            run(9, "fails", "lost", 0),
            run(4, "fails", "lost", 0),
            run(1, "holds", "", 0),
            run(2, "vacuous", "", 0),
        ];
        let facts = facts(runs);
        let found: Vec<(String, u64, u64)> =
            causes(&facts).into_iter().map(|cause| (cause.name, cause.runs, cause.first.seed)).collect();
        assert_eq!(found, [("lost".to_string(), 2, 4), ("vacuous".to_string(), 1, 2)]);
    }

    #[test]
    fn coverage_never_falls_and_speed_counts_every_run() {
        let facts = facts(vec![run(1, "holds", "", 10), run(2, "holds", "", 7), run(3, "holds", "", 12)]);
        assert_eq!(growth(&facts), [(1.0, 10.0), (2.0, 10.0), (3.0, 12.0)]);
        assert_eq!(speed(&facts), [(0.5, 2.0), (1.0, 2.0), (1.5, 2.0)]);
        assert!(growth(&CampaignFacts::default()).is_empty() && speed(&CampaignFacts::default()).is_empty());
    }

    #[test]
    fn the_slowest_come_first_and_equals_in_order_of_their_seeds() {
        let mut dear = run(5, "holds", "", 0);
        dear.cpu_micros = 900_000;
        let facts = facts(vec![run(3, "holds", "", 0), dear, run(2, "holds", "", 0)]);
        assert_eq!(slowest(&facts, 2).iter().map(|run| run.seed).collect::<Vec<_>>(), [5, 2]);
    }
}
