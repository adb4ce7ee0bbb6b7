//! Recording, writing and reading histories, and what is refused.

use super::specimen::Specimen;
use super::*;

const LINES: &str = r#"{"type":"invoke","process":3,"f":"write","key":"k1","value":"v17","time_micros":120,"node":"n1","consistency":"quorum"}
{"type":"invoke","process":4,"f":"read","key":"k1","value":null,"time_micros":130,"node":"n2","consistency":"one"}
{"type":"ok","process":3,"f":"write","key":"k1","value":"v17","time_micros":340,"node":"n1","consistency":"quorum"}
{"type":"ok","process":4,"f":"read","key":"k1","value":"v17","time_micros":350,"node":"n2","consistency":"one"}
{"type":"invoke","process":4,"f":"delete","key":"k1","value":null,"time_micros":350,"node":"n2","consistency":"one"}
{"type":"invoke","process":3,"f":"read","key":"k2","value":null,"time_micros":360,"node":"n1","consistency":"quorum"}
{"type":"fail","process":3,"f":"read","key":"k2","value":null,"time_micros":365,"node":"n1","consistency":"quorum","error":"too few replicas"}
{"type":"invoke","process":5,"f":"read","key":"k2","value":null,"time_micros":365,"node":"n3","consistency":"all"}
{"type":"info","process":5,"f":"read","key":"k2","value":null,"time_micros":900,"node":"n3","consistency":"all","error":"deadline \"passed\""}
"#;

fn read(lines: &str) -> History {
    read_json_lines(lines.as_bytes()).expect("these lines are a history")
}

fn write(history: &History) -> String {
    let mut output = Vec::new();
    write_json_lines(history, &mut output).expect("memory accepts every write");
    String::from_utf8(output).expect("JSON is UTF-8")
}

fn refusal(lines: &str) -> String {
    read_json_lines(lines.as_bytes()).expect_err("these lines are no history").to_string()
}

#[test]
fn events_are_joined_into_operations_and_written_as_they_were() {
    let history = read(LINES);
    assert_eq!(history.operations.len(), 5);
    assert_eq!(history.operations[1].outcome, Outcome::Ok { value: Some("v17".into()) });
    assert_eq!((history.operations[2].kind, history.operations[2].completed_micros), (OperationKind::Delete, None));
    assert_eq!(history.operations[2].outcome, Outcome::Unknown { reason: NEVER_COMPLETED.into() });
    assert_eq!(history.operations[3].outcome, Outcome::Fail { reason: "too few replicas".into() });
    assert_eq!(history.operations[4].outcome, Outcome::Unknown { reason: "deadline \"passed\"".into() });
    assert_eq!(write(&history), LINES);
}

#[test]
fn what_is_written_is_read_back_the_same() {
    for seed in 0..20 {
        let history = Specimen { seed, unknowns_percent: 10, ..Specimen::new(2_000, 8, 10) }.draw();
        assert_eq!(read(&write(&history)), history);
    }
}

#[test]
fn an_operation_that_takes_no_time_survives_the_round_trip() {
    let mut recorder = Recorder::new();
    let invocation = |session, written: &str| Invocation {
        session,
        coordinator: "n1".into(),
        key: "k".into(),
        kind: OperationKind::Write,
        written: Some(written.into()),
        consistency: "one".into(),
        invoked_micros: 5,
    };
    for (session, value) in [(2, "a"), (1, "b"), (2, "c"), (1, "d")] {
        let id = recorder.invoke(invocation(session, value));
        recorder.complete(id, 5, Outcome::acknowledged());
    }
    let history = recorder.finish();
    assert_eq!(read(&write(&history)), history);
}

#[test]
fn sessions_recorded_one_after_the_other_are_put_in_the_order_of_time() {
    let history = read(concat!(
        r#"{"type":"invoke","process":1,"f":"write","key":"k","value":"late","time_micros":50}"#,
        "\n\n",
        r#"{"type":"invoke","process":2,"f":"write","key":"k","value":"early","time_micros":10,"index":7}"#,
    ));
    let order: Vec<(u32, Option<&str>)> =
        history.operations.iter().map(|operation| (operation.id, operation.written.as_deref())).collect();
    assert_eq!(order, [(0, Some("early")), (1, Some("late"))]);
}

#[test]
fn bad_lines_are_refused_with_their_number_and_what_is_wrong() {
    let event = |event_type: &str, process: u32, f: &str, value: &str, micros: u64| {
        format!(
            r#"{{"type":"{event_type}","process":{process},"f":"{f}","key":"k","value":{value},"time_micros":{micros}}}"#
        )
    };
    let first = event("invoke", 3, "write", "\"v1\"", 100);
    let cases = [
        (event("done", 3, "write", "\"v1\"", 200), "unknown variant `done`"),
        (event("ok", 3, "cas", "\"v1\"", 200), "unknown variant `cas`"),
        ("{\"type\":\"ok\"".to_string(), "not an event: EOF"),
        ("{\"type\":\"ok\",\"process\":3}".to_string(), "missing field `f`"),
        (event("ok", 4, "write", "\"v1\"", 200), "process 4 completes an operation that it did not invoke"),
        (event("ok", 3, "write", "\"v2\"", 200), "process 3 invoked `write k v1` and completes `write k v2`"),
        (event("ok", 3, "read", "\"v1\"", 200), "process 3 invoked `write k v1` and completes `read k v1`"),
        (event("ok", 3, "write", "\"v1\"", 99), "process 3 is at 99 microseconds after it was at 100"),
        (event("invoke", 3, "read", "null", 200), "process 3 already has operation 0 in flight"),
        (event("invoke", 4, "write", "\"v1\"", 200), "value `v1` was written before"),
        (event("invoke", 4, "write", "null", 200), "a write needs a value"),
        (event("invoke", 4, "delete", "\"v2\"", 200), "a delete writes no value"),
    ];
    for (second, expected) in cases {
        let refusal = refusal(&format!("{first}\n{second}\n"));
        assert!(refusal.starts_with("line 2: ") && refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn bytes_that_are_not_text_are_refused_with_their_line() {
    let lines: &[u8] = b"\n\xff\xfe\n";
    let refusal = read_json_lines(lines).expect_err("this is no text").to_string();
    assert!(refusal.starts_with("line 2: "), "{refusal}");
}

#[test]
#[should_panic(expected = "process 1 already has operation 0 in flight")]
fn a_workload_that_breaks_the_rules_is_stopped() {
    let mut recorder = Recorder::new();
    for _ in 0..2 {
        recorder.invoke(Invocation {
            session: 1,
            coordinator: "n1".into(),
            key: "k".into(),
            kind: OperationKind::Read,
            written: None,
            consistency: "one".into(),
            invoked_micros: 5,
        });
    }
}

#[test]
fn a_refused_completion_leaves_the_operation_in_flight() {
    let mut recorder = Recorder::new();
    let id = recorder.invoke(Invocation {
        session: 1,
        coordinator: "n1".into(),
        key: "k".into(),
        kind: OperationKind::Delete,
        written: None,
        consistency: "one".into(),
        invoked_micros: 5,
    });
    let value = Outcome::Ok { value: Some("v".into()) };
    let refused = recorder.try_complete(id, 9, value);
    assert_eq!(refused, Err(HistoryFault::ValueNotRead { kind: OperationKind::Delete }));
    assert_eq!(recorder.in_flight(1), Some(id));
    recorder.complete(id, 9, Outcome::acknowledged());
    let refused = recorder.try_complete(id, 9, Outcome::acknowledged());
    assert_eq!(refused, Err(HistoryFault::NotInFlight { operation: 0 }));
}
