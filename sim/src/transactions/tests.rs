//! The engine keeps what it promises, and the check sees what it does not promise.

use super::*;
use crate::check::cycles::Phenomenon;
use crate::history::transactions::write_transactions;

fn trials(seeds: std::ops::Range<u64>, settings: Settings) -> impl Iterator<Item = Trial> {
    seeds.map(move |seed| try_seed(seed, &settings))
}

#[track_caller]
fn assert_holds(trial: &Trial) {
    assert!(trial.holds(), "seed {}: {}", trial.seed, trial.complaint().unwrap_or_default());
}

#[test]
fn serializable_transactions_of_the_engine_show_no_anomaly() {
    let settings = Settings { isolation: Some(EngineIsolation::Serializable), ..Settings::default() };
    let mut tally = Tally::default();
    for trial in trials(1..60, settings) {
        assert_holds(&trial);
        assert!(trial.report.counts.is_empty(), "seed {}: {:?}", trial.seed, trial.report.counts);
        tally.add(&trial.tally);
    }
    let Tally { committed, conflicts, too_old, cut_off, unknown, given_up } = tally;
    let least = [committed / 20, conflicts, too_old, cut_off, unknown, given_up].into_iter().min();
    assert!(least > Some(3), "some endings hardly happened: {tally:?}");
}

#[test]
fn snapshot_transactions_of_the_engine_show_write_skew_and_nothing_worse() {
    let settings = Settings { isolation: Some(EngineIsolation::Snapshot), ..Settings::default() };
    let mut skewed = 0;
    for trial in trials(1..60, settings) {
        assert_holds(&trial);
        skewed += u32::from(trial.report.counts.keys().any(|kind| kind.phenomenon == Phenomenon::G2Item));
    }
    assert!(skewed > 3, "only {skewed} seeds show write skew, which snapshot isolation allows");
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let text = |seed| {
        let mut text = Vec::new();
        write_transactions(&try_seed(seed, &Settings::default()).history, &mut text).expect("memory");
        text
    };
    for seed in 1..6 {
        assert_eq!(text(seed), text(seed), "seed {seed}");
    }
}
