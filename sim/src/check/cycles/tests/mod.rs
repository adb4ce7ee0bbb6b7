//! Each anomaly from the smallest history that has it, and none from one that has none.

mod brute;
mod random;

use super::*;
use crate::history::transactions::specimen::TransactionSpecimen;
use crate::history::transactions::{Step, TransactionHistory, TransactionModel};

/// A history of lines like `0..5 ok: append x 1, r y [2 3], r z nil, w k 4`; the line's number is its process.
pub(super) fn history(lines: &[&str]) -> TransactionHistory {
    let mut history = TransactionHistory::default();
    for (process, line) in lines.iter().enumerate() {
        let (head, operations) = line.split_once(':').expect("a head and operations");
        let (events, outcome) = head.split_once(' ').expect("events and an outcome");
        let (invoked, completed) = events.split_once("..").expect("two places");
        let outcome = match outcome {
            "ok" => TransactionOutcome::Committed,
            "fail" => TransactionOutcome::Aborted,
            _ => TransactionOutcome::Unknown,
        };
        let steps: Vec<Step> = operations.split(',').map(|operation| step(&mut history, operation.trim())).collect();
        let events = invoked.parse().expect("a place")..completed.parse().expect("a place");
        history.push(process as u64, 0, events, outcome, &steps).expect("a history of one model");
    }
    history.finish().expect("values that are unique")
}

fn step(history: &mut TransactionHistory, operation: &str) -> Step {
    let (function, rest) = operation.split_once(' ').expect("a function");
    let (key, value) = rest.split_once(' ').expect("a key and a value");
    let key = history.key(key);
    match (function, value) {
        ("append", value) => Step::Append(key, history.value(value)),
        ("w", value) => Step::Write(key, history.value(value)),
        (_, "nil") => Step::ReadNothing(key),
        (_, "?") => Step::ReadUnknown(key),
        (_, value) => match value.strip_prefix('[') {
            Some(list) => {
                let values = list.trim_end_matches(']').split_whitespace();
                Step::ReadList(key, values.map(|value| history.value(value)).collect())
            }
            None => Step::ReadValue(key, history.value(value)),
        },
    }
}

/// The names of what is found.
fn found(level: &str, lines: &[&str]) -> Vec<String> {
    let report = check_transactions(&history(lines), Level::named(level).expect("a level"));
    report.counts.keys().map(TransactionAnomalyKind::to_string).collect()
}

fn explained(level: &str, lines: &[&str]) -> Vec<String> {
    let report = check_transactions(&history(lines), Level::named(level).expect("a level"));
    report.anomalies.into_iter().map(|anomaly| anomaly.explanation).collect()
}

#[test]
fn one_transaction_after_the_other_is_strictly_serializable() {
    for model in [TransactionModel::ListAppend, TransactionModel::RwRegister] {
        for seed in 0..20 {
            let history = TransactionSpecimen { seed, ..TransactionSpecimen::new(model, 300) }.draw();
            let report = check_transactions(&history, Level::STRICT_SERIALIZABLE);
            assert!(report.holds() && !report.is_vacuous(), "{model:?}, seed {seed}: {:?}", report.anomalies);
            assert!(report.examined.read_write > 100, "{:?}", report.examined);
        }
    }
}

#[test]
fn interleaved_writes_are_g0() {
    let lines =
        ["0..9 ok: append x 1, append y 1", "1..8 ok: append x 2, append y 2", "10..11 ok: r x [1 2], r y [2 1]"];
    assert_eq!(found("read-committed", &lines), ["G0"]);
    let told = &explained("read-committed", &lines)[0];
    assert!(
        told.contains("T0 and T1 are interleaved") && told.contains("T0's append of 1 to key x came before T1's"),
        "{told}"
    );
}

#[test]
fn what_was_aborted_intermediate_or_never_written_may_not_be_read() {
    assert_eq!(found("read-committed", &["0..9 fail: append x 1", "1..8 ok: r x [1]"]), ["G1a"]);
    assert_eq!(found("read-committed", &["0..9 fail: w x 1", "1..8 ok: r x 1"]), ["G1a"]);
    assert_eq!(found("read-committed", &["0..9 ok: append x 1, append x 2", "1..8 ok: r x [1]"])[0], "G1b");
    assert_eq!(found("read-committed", &["0..9 ok: w x 1, w x 2", "1..8 ok: r x 1"]), ["G1b"]);
    assert_eq!(found("read-committed", &["0..9 ok: r x [1]"]), ["thin air"]);
    assert_eq!(found("read-committed", &["0..9 ok: r x 1"]), ["thin air"]);
    let told = &explained("read-committed", &["0..9 fail: append x 1", "1..8 ok: r x [1]"])[0];
    assert_eq!(told, "T1 read 1 in key x, which T0 wrote, and T0 was aborted");
}

#[test]
fn information_in_a_circle_is_g1c() {
    assert_eq!(found("read-committed", &["0..9 ok: append x 1, r y [2]", "1..8 ok: append y 2, r x [1]"]), ["G1c"]);
    assert_eq!(found("read-committed", &["0..9 ok: w x 1, r y 2", "1..8 ok: w y 2, r x 1"]), ["G1c"]);
}

#[test]
fn a_torn_view_of_another_transaction_is_g_single() {
    let lines = ["0..9 ok: append x 1, append y 1", "1..8 ok: r x [1], r y nil"];
    assert_eq!(found("snapshot", &lines), ["G-single"]);
    let report = check_transactions(&history(&lines), Level::named("read-committed").expect("a level"));
    assert!(report.holds(), "read committed allows it");
    let ruled_out: Vec<&str> = report.ruled_out().into_iter().map(Level::name).collect();
    assert!(!ruled_out.contains(&"read-committed") && ruled_out.contains(&"snapshot"), "{ruled_out:?}");
    assert_eq!(found("snapshot", &["0..9 ok: w x 1, w y 1", "1..8 ok: r x 1, r y nil"]), ["G-single"]);
    let told = &explained("snapshot", &lines)[0];
    assert!(told.contains("T1 read key y while nothing was in it, before T0 appended 1"), "{told}");
    assert!(told.contains("T1 saw T0's append of 1 to key x"), "{told}");
}

#[test]
fn two_updates_of_one_version_lose_one() {
    let lines = ["0..9 ok: r x nil, append x 1", "1..8 ok: r x nil, append x 2", "10..11 ok: r x [1 2]"];
    assert_eq!(found("snapshot", &lines), ["lost update", "G-single"]);
    assert_eq!(found("snapshot", &["0..9 ok: r x nil, w x 1", "1..8 ok: r x nil, w x 2"]), ["lost update", "G2-item"]);
}

#[test]
fn write_skew_is_g2_and_snapshot_isolation_allows_it() {
    let lines = ["0..9 ok: r x nil, append y 1", "1..8 ok: r y nil, append x 2", "10..11 ok: r x [2], r y [1]"];
    assert_eq!(found("serializable", &lines), ["G2-item"]);
    let judged = |level: &str| check_transactions(&history(&lines), Level::named(level).expect("a level")).holds();
    assert!(judged("snapshot") && judged("strong-snapshot"));
    assert!(!judged("serializable") && !judged("strict-serializable"));
    assert_eq!(found("serializable", &["0..9 ok: r x nil, w y 1", "1..8 ok: r y nil, w x 2"]), ["G2-item"]);
}

#[test]
fn two_readers_who_disagree_on_the_order_of_two_writers_are_g_nonadjacent() {
    let lines =
        ["0..9 ok: append x 1", "0..9 ok: append y 2", "1..8 ok: r x [1], r y nil", "2..7 ok: r x nil, r y [2]"];
    assert_eq!(found("snapshot", &lines), ["G-nonadjacent"]);
}

#[test]
fn a_transaction_sees_its_own_writes_and_what_it_read_before() {
    let internal = |lines: &[&str]| found("snapshot", lines).contains(&"internal".to_string());
    assert!(internal(&["0..9 ok: append x 1, r x nil"]));
    assert!(internal(&["0..9 ok: append x 1", "1..8 ok: r x nil, r x [1]"]));
    assert!(internal(&["0..9 ok: r x [1], append x 1"]), "it read what it had not written yet");
    assert!(internal(&["0..9 ok: w x 1, r x nil"]));
    assert!(internal(&["0..9 ok: w x 1", "1..8 ok: r x nil, r x 1"]));
    assert!(internal(&["0..9 ok: r x 1, w x 1"]));
    assert!(internal(&["0..9 ok: r x nil, w x 1, r x nil"]));
    assert!(!internal(&["0..3 ok: append x 1", "4..9 ok: r x [1], append x 2, r x [1 2], append x 3, r x [1 2 3]"]));
    assert!(!internal(&["0..3 ok: w x 1", "4..9 ok: r x 1, r x 1, w x 2, r x 2"]));
}

#[test]
fn reads_of_a_list_that_agree_on_no_order_or_hold_a_value_twice_are_told() {
    let writers = ["0..9 ok: append x 1", "0..9 ok: append x 2"];
    let disagree = [&writers[..], &["1..8 ok: r x [1 2]", "1..8 ok: r x [2 1]"]].concat();
    assert!(found("read-committed", &disagree).contains(&"incompatible order".to_string()));
    let twice = [&writers[..], &["1..8 ok: r x [1 2 1]"]].concat();
    assert!(found("read-committed", &twice).contains(&"duplicate elements".to_string()));
}

#[test]
fn a_read_of_the_past_breaks_only_levels_that_keep_the_order_of_time() {
    let lines = ["0..1 ok: append x 1", "2..3 ok: r x nil", "4..5 ok: r x [1]"];
    assert_eq!(found("serializable", &lines), Vec::<String>::new());
    assert_eq!(found("strict-serializable", &lines), ["G-single-realtime"]);
    assert_eq!(found("strong-snapshot", &lines), ["G-single-realtime"]);
    let told = &explained("strict-serializable", &lines)[0];
    assert!(told.contains("T0 ended before T1 began"), "{told}");
    let stale = ["0..1 ok: w x 1", "2..3 ok: w x 2", "4..5 ok: r x 1"];
    assert_eq!(found("serializable", &stale), Vec::<String>::new());
    assert_eq!(found("strict-serializable", &stale), ["cyclic versions-realtime"]);
}

#[test]
fn an_acknowledged_append_that_nobody_saw_is_behind_what_was_seen() {
    let lines = ["0..1 ok: append x 1", "2..3 ok: append x 2", "4..5 ok: r x [1]"];
    assert_eq!(found("snapshot", &lines), Vec::<String>::new(), "the read may be of the past");
    assert_eq!(found("strong-snapshot", &lines), ["G-single-realtime"]);
}

#[test]
fn the_order_of_a_session_is_kept_where_it_is_promised() {
    let mut history = TransactionHistory::default();
    let (key, value) = (history.key("x"), history.value("1"));
    for (places, step) in [(0..1, Step::Append(key, value)), (2..3, Step::ReadNothing(key))] {
        history.push(7, 0, places, TransactionOutcome::Committed, &[step]).expect("one model");
    }
    history.push(8, 0, 4..5, TransactionOutcome::Committed, &[Step::ReadList(key, vec![value])]).expect("one model");
    let history = history.finish().expect("unique values");
    let names = |level: &str| {
        let report = check_transactions(&history, Level::named(level).expect("a level"));
        report.counts.keys().map(TransactionAnomalyKind::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names("strong-session-snapshot"), ["G-single-session"]);
    assert!(names("snapshot").is_empty());
}

#[test]
fn what_is_unknown_counts_as_committed_once_it_is_seen() {
    let unseen = ["0..9 info: append x 1, append y 1", "1..8 ok: r x nil, r y nil"];
    assert_eq!(found("strict-serializable", &unseen), Vec::<String>::new());
    let torn = ["0..9 info: append x 1, append y 1", "1..8 ok: r x [1], r y nil"];
    assert_eq!(found("snapshot", &torn), ["G-single"]);
    // One unknown is seen through another.
    let through = ["0..9 info: append x 1, r y [2]", "1..8 info: append y 2, r x [1]", "10..11 ok: r x [1]"];
    assert_eq!(found("snapshot", &through), ["G1c"]);
}

#[test]
fn a_history_without_reads_proves_nothing() {
    let report = check_transactions(&history(&["0..1 ok: append x 1"]), Level::STRICT_SERIALIZABLE);
    assert!(report.holds() && report.is_vacuous());
}

#[test]
fn the_cycle_that_is_told_is_the_shortest_of_its_component() {
    // A ring of ten transactions, each of which read what the next one wrote over, and a short cut in it.
    let mut lines: Vec<String> =
        (0..10).map(|one| format!("{one}..{} ok: r k{one} nil, append k{} {one}", 100 + one, (one + 9) % 10)).collect();
    lines[3] = "3..103 ok: r k3 nil, append k2 3, append k4 99".to_string();
    lines[4] = "4..104 ok: r k4 nil, append k3 4".to_string();
    let reads: Vec<String> = (0..10).map(|key| format!("r k{key} [{}]", (key + 1) % 10)).collect();
    let last = format!("200..201 ok: {}", reads.join(", ").replace("r k4 [5]", "r k4 [99 5]"));
    lines.push(last);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let report = check_transactions(&history(&lines), Level::named("serializable").expect("a level"));
    assert_eq!(report.anomalies.len(), 1, "{:?}", report.anomalies);
    assert_eq!(report.anomalies[0].transactions, [3, 4]);
    assert_eq!(report.anomalies[0].steps.len(), 2);
}

#[test]
fn the_same_history_is_told_the_same_way() {
    let history = random::history(5, 12, TransactionModel::ListAppend);
    let told = || serde_json::to_string(&check_transactions(&history, Level::STRICT_SERIALIZABLE)).expect("JSON");
    assert_eq!(told(), told());
}
