//! The explorer finds nothing in the engine on an honest disk, and something on a disk that lies.

use std::ops::ControlFlow;

use super::*;

fn explore_seeds(seeds: std::ops::Range<u64>, states: u64, disk: DiskSettings) -> (u64, Vec<Violation>) {
    let settings = Settings { disk, ..Settings::default() };
    let (mut seen, mut violations) = (0, Vec::new());
    for seed in seeds {
        let mut watch = |_: &State| {
            seen += 1;
            if seen < states { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        violations.extend(explore(seed, &settings, &mut watch).violations);
    }
    (seen, violations)
}

/// Every change of the disk that a life of the engine makes, and where.
const BOUNDARIES: [(FileKind, &str); 29] = [
    (FileKind::Segment, "create"),
    (FileKind::Segment, "append"),
    (FileKind::Segment, "sync"),
    (FileKind::Segment, "remove"),
    (FileKind::Segment, "truncate"),
    (FileKind::Tail, "create"),
    (FileKind::Tail, "rename"),
    (FileKind::Table, "create"),
    (FileKind::Table, "append"),
    (FileKind::Table, "sync"),
    (FileKind::Table, "remove"),
    (FileKind::Manifest, "create"),
    (FileKind::Manifest, "append"),
    (FileKind::Manifest, "sync"),
    (FileKind::Manifest, "remove"),
    (FileKind::Current, "create"),
    (FileKind::Current, "append"),
    (FileKind::Current, "sync"),
    (FileKind::Current, "rename"),
    (FileKind::Marker, "append"),
    (FileKind::Marker, "rename"),
    (FileKind::Folder, "sync_dir"),
    (FileKind::Folder, "kill"),
    (FileKind::Checkpoint, "create"),
    (FileKind::Checkpoint, "link"),
    (FileKind::Checkpoint, "append"),
    (FileKind::Checkpoint, "sync"),
    (FileKind::Checkpoint, "rename"),
    (FileKind::Checkpoint, "sync_dir"),
];

#[test]
fn no_crash_state_of_the_engine_loses_what_was_durable_or_holds_what_was_not_written() {
    let settings =
        Settings { survivors_most: 3, survivors_most_recovering: 2, interrupt_one_in: 20, ..Settings::default() };
    let (mut seen, mut states, mut rotated) = (std::collections::BTreeSet::new(), 0, 0);
    for seed in 1..5 {
        let explored = explore(seed, &settings, &mut |state: &State| {
            seen.insert((state.file, state.operation));
            ControlFlow::Continue(())
        });
        assert!(explored.violations.is_empty(), "{:#?}", explored.violations);
        (states, rotated) = (states + explored.states, rotated + explored.manifests_rotated);
    }
    assert!(states >= 2_000, "only {states} states");
    assert!(rotated > 0, "no manifest grew long enough to be replaced");
    let missing: Vec<_> = BOUNDARIES.iter().filter(|boundary| !seen.contains(boundary)).collect();
    assert!(missing.is_empty(), "power was never lost at {missing:?}");
}

#[test]
fn a_disk_that_never_syncs_tables_is_found_out() {
    let disk = DiskSettings { sync_lies_of: Some("table-"), ..DiskSettings::default() };
    assert!(!explore_seeds(1..4, 10_000, disk).1.is_empty());
}

#[test]
fn a_disk_whose_syncs_do_nothing_is_found_out() {
    let disk = DiskSettings { sync_lies: true, ..DiskSettings::default() };
    assert!(!explore_seeds(1..3, 10_000, disk).1.is_empty());
}

#[test]
fn a_disk_that_never_syncs_a_folder_is_found_out() {
    let disk = DiskSettings { sync_dir_lies: true, ..DiskSettings::default() };
    assert!(!explore_seeds(1..3, 10_000, disk).1.is_empty());
}

#[test]
fn the_same_seed_gives_the_same_states() {
    let hashes = || {
        let mut hashes = Vec::new();
        let mut watch = |state: &State| {
            hashes.push((state.number, state.hash));
            if hashes.len() < 500 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        explore(7, &Settings::default(), &mut watch);
        hashes
    };
    assert_eq!(hashes(), hashes());
}

#[test]
fn a_failing_call_or_damage_gives_a_right_answer_or_an_error_that_names_the_file() {
    let mut endings = std::collections::BTreeMap::new();
    for seed in 1..3 {
        let mut watch = |trial: &Trial| {
            *endings.entry((trial.phase, trial.kind, trial.ending)).or_insert(0_u64) += 1;
            ControlFlow::Continue(())
        };
        let violations = try_faults(seed, &mut watch);
        assert!(violations.is_empty(), "{violations:#?}");
    }
    let kinds: std::collections::BTreeSet<_> = endings.keys().map(|(phase, kind, _)| (*phase, *kind)).collect();
    assert_eq!(kinds.len(), 13, "some faults never struck: {endings:?}");
    for ending in [Ending::Right, Ending::Refused, Ending::CutShort] {
        assert!(endings.keys().any(|(_, _, seen)| *seen == ending), "no trial ended {ending:?}: {endings:?}");
    }
}
