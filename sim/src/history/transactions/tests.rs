//! Reading and writing histories of transactions, and what is refused.

use std::io::Read;

use super::specimen::TransactionSpecimen;
use super::*;

const EDN: &str = r#"; a comment
{:type :invoke, :f :txn, :value [[:append 1 2] [:r :k nil]], :process 0, :time 1, :index 0}
{:process :nemesis, :type :info, :f :start-partition, :value {:n1 #{"n2" "n3"}}, :time 2}
#jepsen.history.Op{:type :invoke, :f :txn, :value [[:r 1 nil]], :process 1, :time 3}
{:type :ok, :f :txn, :value [[:append 1 2] [:r :k [4 5]]], :process 0, :time 4, :error #_ nope nil}
{:type :fail, :f :txn, :value [[:r 1 nil]], :process 1, :error [:conflict "x \" y"]}
{:type :invoke, :f :txn, :value [[:append 1 3]], :process 0}
"#;

fn read(text: &str) -> TransactionHistory {
    read_transactions(text.as_bytes()).expect("this is a history")
}

fn refusal(text: &str) -> String {
    read_transactions(text.as_bytes()).expect_err("this is no history").to_string()
}

fn written(history: &TransactionHistory) -> String {
    let mut output = Vec::new();
    write_transactions(history, &mut output).expect("memory accepts every write");
    String::from_utf8(output).expect("JSON is UTF-8")
}

#[test]
fn jepsens_events_are_joined_into_transactions() {
    let history = read(EDN);
    let [first, second, third] = history.transactions() else { panic!("{:?}", history.transactions()) };
    assert_eq!((first.outcome, first.line, first.process), (TransactionOutcome::Committed, 2, 0));
    assert_eq!((first.invoked, first.completed), (0, Some(2)), "the nemesis has no place in time");
    let [append, MicroOperation::ReadList { key, first: from, end }] = history.operations_of(first) else {
        panic!("{:?}", history.operations_of(first))
    };
    assert_eq!(append.written().map(|value| history.value_name(value)), Some("2"));
    let values: Vec<&str> = history.elements(*from, *end).iter().map(|value| history.value_name(*value)).collect();
    assert_eq!((history.key_name(*key), values), ("k", vec!["4", "5"]));
    assert_eq!((second.outcome, second.completed), (TransactionOutcome::Aborted, Some(3)));
    assert!(matches!(history.operations_of(second), [MicroOperation::ReadUnknown { .. }]));
    assert_eq!((third.outcome, third.completed), (TransactionOutcome::Unknown, None));
    assert_eq!(history.model(), Some(TransactionModel::ListAppend));
}

#[test]
fn a_vector_of_events_and_json_lines_are_read_the_same() {
    let events: String = EDN.lines().skip(1).collect::<Vec<_>>().join(" ");
    assert_eq!(written(&read(&format!("[{events}]"))), written(&read(EDN)));
    let lines = concat!(
        r#"{"type":"invoke","process":0,"f":"txn","value":[["w",1,2],["r","k",null]],"index":0}"#,
        "\n\n",
        r#"{"type":"ok","process":0,"f":"txn","value":[["w",1,2],["r","k",null]],"index":1}"#,
        "\n",
    );
    let history = read(lines);
    assert!(matches!(history.operations_of(&history.transactions()[0])[1], MicroOperation::ReadNothing { .. }));
    assert_eq!(written(&history), lines.replace("\n\n", "\n"));
}

#[test]
fn what_is_written_is_read_back_the_same() {
    for model in [TransactionModel::ListAppend, TransactionModel::RwRegister] {
        let history = TransactionSpecimen::new(model, 500).draw();
        let text = written(&history);
        assert_eq!(written(&read(&text)), text);
    }
}

#[test]
fn bad_events_are_refused_with_their_line_and_what_is_wrong() {
    let first = "{:type :invoke, :f :txn, :value [[:append 1 2]], :process 0}\n";
    let cases = [
        (
            "{:type :ok, :f :txn, :value [[:append 1 3]], :process 0}",
            "completes other operations than it began on line 1",
        ),
        ("{:type :ok, :f :txn, :value [], :process 0}", "completes other operations"),
        (
            "{:type :ok, :f :txn, :value [[:append 1 2]], :process 5}",
            "process 5 completes a transaction that it did not begin",
        ),
        ("{:type :invoke, :f :txn, :value [[:append 1 3]], :process 0}", "while the one of line 1 is under way"),
        ("{:type :invoke, :f :txn, :value [[:append 1 2]], :process 1}", "value 2 is written to key 1 twice"),
        ("{:type :invoke, :f :txn, :value [[:w 1 3]], :process 1}", "`w` is an operation of rw-register"),
        ("{:type :done, :f :txn, :value [], :process 0}", "`type` is one of"),
        ("{:type :ok, :f :read, :value [], :process 0}", "`f` is `txn`"),
        ("{:type :invoke, :f :txn, :value nil, :process 1}", "`value` is a list of operations"),
        (
            "{:type :invoke, :f :txn, :value [[:append 1]], :process 1}",
            "operation 1 of the transaction has not three parts",
        ),
        (
            "{:type :invoke, :f :txn, :value [[:r 1 nil] [:cas 1 2]], :process 1}",
            "operation 2 of the transaction has another",
        ),
        ("{:type :invoke, :f :txn, :value [[:append 1 nil]], :process 1}", "writes nil"),
        ("{:type :invoke, :f :txn, :value [[:append [1] 3]], :process 1}", "a key with parts"),
        ("{:type :invoke, :f :txn, :value [[:append 1 3]], :process -1}", "`process` is a number from 0 on"),
        ("{:type :invoke, :f :txn, :value [[:append 1 3]]}", "`process` is missing"),
        ("{:type :invoke, :f :txn, :value", "truncated"),
        ("{:type :invoke, :f}", "a key without a value"),
        (":nonsense", "not an event"),
        ("}", "`}` does not belong here"),
    ];
    for (second, expected) in cases {
        let refusal = refusal(&format!("{first}{second}"));
        assert!(refusal.starts_with("line 2: ") && refusal.contains(expected), "{second}: {refusal}");
    }
    let json = r#"{"type":"invoke","process":0,"f":"txn","value":[["w",1,2]]}"#;
    assert!(refusal(&format!("{json}\n{}", &json[..20])).starts_with("line 2: not an event in JSON"));
    assert!(refusal("[{:type :invoke, :f :txn, :value [[:r 1 nil]], :process 0}").contains("truncated"));
}

#[test]
fn garbage_of_any_length_is_refused_early() {
    for byte in [b'[', b'{', b'a', b'"', b'1', b'(', b':', b'#', b'\\', 0, 0xff] {
        let garbage = std::io::repeat(byte).take(100 << 20);
        let refused = read_transactions(std::io::BufReader::new(garbage)).expect_err("this is no history");
        assert_eq!(refused.line, 1, "{}", char::from(byte));
    }
    let numbers = "1 ".repeat(4 << 20);
    assert!(refusal(&format!("[{{:value [{numbers}]}}]")).contains("this is no history"));
    let objects = format!("{{\"a\":{}", "[".repeat(5 << 20));
    assert!(refusal(&objects).starts_with("line 1: "));
}
