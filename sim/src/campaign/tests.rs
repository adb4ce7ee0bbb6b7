//! Whole campaigns over runs that somebody made up: order, resumption, shards, repetition, and what is left of failures.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::shrink::Trial;
use super::specimen::plan;
use super::*;

/// Two scenarios.
fn source() -> Source {
    Source::Files(vec![plan("a.yaml", ""), plan("b.yaml", "seed: 2\n")])
}

/// A run in which every seventh seed loses a write, of scenario a only.
fn made_up(plan: &Plan, seed: u64) -> Ran {
    let fails = plan.file == "a.yaml" && seed.is_multiple_of(7);
    Ran {
        judgement: if fails { Judgement::Fails } else { Judgement::Holds },
        trace: format!("{:016x}", seed + plan.seed * 1_000),
        signature: fails.then(|| Signature::single("lost_writes")),
        unmet: if fails { vec!["lost_writes 1 instead of 0".to_string()] } else { Vec::new() },
        virtual_micros: 10,
        cpu_micros: 5,
        states: vec![seed % 4, 10 + plan.seed],
    }
}

fn campaign<'c>(source: &'c Source, seeds: (u64, u64), jobs: usize, runner: Runner<'c>) -> Campaign<'c> {
    Campaign { source, seeds, shard: Shard::WHOLE, jobs, deadline: None, runner }
}

/// The results in a folder, without what the machine adds.
fn results(path: &Path) -> Vec<Outcome> {
    let text = std::fs::read_to_string(path.join("results.jsonl")).expect("readable");
    let outcomes = text.lines().map(|line| serde_json::from_str::<Outcome>(line).expect("a result"));
    outcomes.map(|outcome| Outcome { wall_micros: 0, cpu_micros: 0, ..outcome }).collect()
}

fn run_in(path: &Path, campaign: &Campaign<'_>) -> Summary {
    let mut folder = Folder::open(path, &campaign.identity("a build".to_string())).expect("it is ours");
    campaign.run(Some(&mut folder), &mut |_| ()).expect("there is room")
}

#[test]
fn results_stand_in_the_order_of_the_work_however_many_runs_go_at_once() {
    let source = source();
    let folders = [1, 7].map(|jobs| {
        let folder = tempfile::tempdir().expect("a folder");
        let summary = run_in(folder.path(), &campaign(&source, (1, 50), jobs, &made_up));
        assert_eq!((summary.runs, summary.failures(), summary.states), (100, 7, 6));
        folder
    });
    let one = results(folders[0].path());
    assert_eq!(one, results(folders[1].path()));
    assert_eq!((one[0].scenario.as_str(), one[1].scenario.as_str(), one[2].seed), ("a.yaml", "b.yaml", 2));
    assert!(one.iter().any(|outcome| outcome.twice) && one.iter().any(|outcome| !outcome.twice));
}

#[test]
fn a_campaign_that_was_cut_short_anywhere_ends_as_if_it_had_not_been() {
    let source = source();
    let campaign = campaign(&source, (1, 12), 2, &made_up);
    let whole = tempfile::tempdir().expect("a folder");
    run_in(whole.path(), &campaign);
    let bytes = std::fs::read(whole.path().join("results.jsonl")).expect("readable");
    for length in (0..bytes.len()).step_by(97) {
        let cut = tempfile::tempdir().expect("a folder");
        std::fs::copy(whole.path().join("campaign.json"), cut.path().join("campaign.json")).expect("copied");
        std::fs::write(cut.path().join("results.jsonl"), &bytes[..length]).expect("written");
        let summary = run_in(cut.path(), &campaign);
        assert_eq!((summary.runs, summary.failures()), (24, 1), "cut after {length} bytes");
        let without_coverage = |path: &Path| -> Vec<Outcome> {
            results(path).into_iter().map(|outcome| Outcome { new_states: 0, ..outcome }).collect()
        };
        assert_eq!(without_coverage(cut.path()), without_coverage(whole.path()), "cut after {length} bytes");
    }
}

#[test]
fn what_is_there_already_is_not_run_again() {
    let (source, runs) = (source(), AtomicU64::new(0));
    let counting = |plan: &Plan, seed: u64| {
        runs.fetch_add(1, Ordering::SeqCst);
        made_up(plan, seed)
    };
    let campaign = campaign(&source, (1, 30), 2, &counting);
    let folder = tempfile::tempdir().expect("a folder");
    let first = run_in(folder.path(), &campaign);
    assert_eq!(runs.load(Ordering::SeqCst), 60 + first.twice);
    let second = run_in(folder.path(), &campaign);
    assert_eq!(runs.load(Ordering::SeqCst), 60 + first.twice);
    assert_eq!((second.runs, second.failures(), second.twice), (first.runs, first.failures(), first.twice));
}

#[test]
fn the_shards_of_a_campaign_make_the_runs_of_the_whole() {
    let source = source();
    let whole = tempfile::tempdir().expect("a folder");
    run_in(whole.path(), &campaign(&source, (1, 25), 2, &made_up));
    let mut parts = Vec::new();
    for number in 1..=3 {
        let folder = tempfile::tempdir().expect("a folder");
        let shard = format!("{number}/3").parse().expect("a shard");
        run_in(folder.path(), &Campaign { shard, ..campaign(&source, (1, 25), 2, &made_up) });
        parts.extend(results(folder.path()));
    }
    let sorted = |mut outcomes: Vec<Outcome>| {
        outcomes.iter_mut().for_each(|outcome| outcome.new_states = 0);
        outcomes.sort_by_key(|outcome| (outcome.seed, outcome.scenario.clone()));
        outcomes
    };
    assert_eq!(sorted(parts), sorted(results(whole.path())));
}

#[test]
fn a_seed_that_gives_another_trace_the_second_time_is_a_failure_of_its_own_kind() {
    let (source, clock) = (source(), AtomicU64::new(0));
    let unsteady =
        |plan: &Plan, seed: u64| Ran { trace: clock.fetch_add(1, Ordering::SeqCst).to_string(), ..made_up(plan, seed) };
    let summary = campaign(&source, (1, 100), 2, &unsteady).run(None, &mut |_| ()).expect("nothing is written");
    let cause = &summary.causes[&Signature::single("not deterministic")];
    assert_eq!((cause.count, cause.judgement), (summary.twice, Judgement::NotDeterministic));
    assert!(summary.twice > 0 && cause.unmet[0].contains("the same seed gave the traces"), "{:?}", cause.unmet);
    assert_eq!(summary.exit_code(), 1);
}

#[test]
fn a_run_that_breaks_the_laboratory_is_told_and_ends_nothing() {
    let source = source();
    let breaking = |plan: &Plan, seed: u64| {
        assert!(seed != 5, "an index is out of bounds");
        made_up(plan, seed)
    };
    let summary = campaign(&source, (1, 10), 2, &breaking).run(None, &mut |_| ()).expect("nothing is written");
    let cause = &summary.causes[&Signature::single("the laboratory itself panicked")];
    assert_eq!((summary.runs, cause.count), (20, 2));
    assert!(cause.unmet[0].contains("an index is out of bounds"), "{:?}", cause.unmet);
}

#[test]
fn when_time_is_up_nothing_more_is_begun() {
    let source = source();
    let over = Campaign { deadline: Some(Instant::now()), ..campaign(&source, (1, u64::MAX), 2, &made_up) };
    let summary = over.run(None, &mut |_| ()).expect("nothing is written");
    assert_eq!((summary.runs, summary.exit_code()), (0, 0));
}

#[test]
fn each_cause_leaves_one_pair_of_files_that_load_and_are_not_made_twice() {
    let source = source();
    let campaign = campaign(&source, (1, 50), 2, &made_up);
    let path = tempfile::tempdir().expect("a folder");
    let summary = run_in(path.path(), &campaign);
    let tried = |plan: &Plan, seed: u64| Trial {
        judgement: Judgement::Fails,
        signature: made_up(plan, seed.next_multiple_of(7)).signature,
        operations: Vec::new(),
    };
    let shrinking = Shrinking { tried: &tried, time: std::time::Duration::from_secs(60), runs: 500, jobs: 2 };
    let folder = Folder::open(path.path(), &campaign.identity("a build".to_string())).expect("it is ours");
    let found = write_failures(&campaign, &summary, &folder, Some(&shrinking), &mut |_, _| ()).expect("there is room");
    assert_eq!(found.len(), 1);
    assert_eq!(std::fs::read_dir(path.path().join("failures")).expect("it is there").count(), 2);
    let file = folder.file(&found[0].file);
    let text = std::fs::read_to_string(&file).expect("readable");
    assert!(
        text.starts_with(
            "# Found by `storm fuzz` in a.yaml, seed 7; 7 runs failed so.\n# It fails with: lost_writes\n"
        )
    );
    let shrunk = crate::scenario::load(&file).expect("it loads");
    assert!(found[0].shrunk.is_some() && shrunk.workload.duration_micros < plan("a.yaml", "").workload.duration_micros);
    let as_found = folder.file(&found[0].file.replace(".yaml", "-as-found.yaml"));
    let as_found = crate::scenario::load(&as_found).expect("it loads");
    assert_eq!((as_found.seed, as_found.workload), (7, plan("a.yaml", "").workload));
    let again = write_failures(&campaign, &summary, &folder, Some(&shrinking), &mut |_, _| ()).expect("there is room");
    assert!(again[0].shrunk.is_none() && std::fs::read_to_string(&file).expect("readable") == text);
}
