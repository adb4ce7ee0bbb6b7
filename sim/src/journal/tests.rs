//! Histories as others write them, and what is said of those that cannot be read.

use std::io::Read;

use super::generate::{Format, Specification, generate};
use super::*;

fn options(model: ModelName) -> Options {
    Options { model, keys: KeyStyle::Auto, failed_cas_differed: false, jobs: 2 }
}

fn parse(text: &str, model: ModelName) -> Result<Journal, ReadError> {
    read(text.as_bytes(), &options(model)).map(|reading| reading.journal)
}

/// The journal in short: key, process, call, ending.
fn told(journal: &Journal) -> Vec<String> {
    let tell = |call: &Call| {
        let process = journal.processes[call.process as usize];
        format!("{} {process} {} {:?}", journal.show_key(call.key), journal.show_call(call), call.ending)
    };
    journal.calls.iter().map(tell).collect()
}

/// Line, column and complaint.
fn refused(text: &str, model: ModelName) -> (u64, u64, String) {
    match parse(text, model) {
        Err(ReadError::At { line, column, fault }) => (line, column, fault.to_string()),
        other => panic!("{text} should be refused: {other:?}"),
    }
}

#[test]
fn the_events_of_jepsen_are_read_with_their_tags_infos_and_nemesis() {
    let text = "; a comment
#jepsen.history.Op{:index 0, :time 3291485, :type :invoke, :process 0, :f :write, :value 3}
{:process :nemesis, :type :info, :f :start, :value {:isolated #{\"n1\" \"n2\"}}, :error [:a #inst \"2020\" \\c]}
{:index 1, :time 3391485, :type :invoke, :process 1, :f :cas, :value [3 4]}
{:type :ok, :process 0, :f :write, :value 3, :time 3491485}
{:type :info, :process 1, :f :cas, :value [3 4], :error :timeout, :time 3591485}
{:type :invoke, :process 2, :f :read, :value nil, :time 3691485} {:type :ok, :process 2, :f :read, :value 4, :time 3791485}
#_ {:type :ok, :process 7, :f :read}
{:type :invoke, :process 0, :f :read, :value nil, :time 3891485}
{:type :fail, :process 0, :f :read, :value nil, :error :timed-out, :time 3991485}
{:type :invoke, :process 4, :f :write, :value -7, :time 4091485}
";
    let journal = parse(text, ModelName::CasRegister).unwrap();
    assert_eq!(
        told(&journal),
        [
            "the object 0 write 3 Ok",
            "the object 1 cas 3 to 4 Unknown",
            "the object 2 read 4 Ok",
            "the object 0 read Fail",
            "the object 4 write -7 Unknown",
        ]
    );
    assert_eq!((journal.times[0].invoked, journal.times[0].completed), (3_291_485, 3_491_485));
    assert_eq!((journal.calls[2].line, journal.calls[2].completed_line), (7, 7));
}

#[test]
fn a_list_of_maps_is_read_like_a_map_a_line() {
    let one = "[{:process 0 :type :invoke :f :put :key \"a\" :value \"x \\\"y\\\"\"}\n {:process 0, :type :ok,\n :f :put, :key \"a\"}]";
    assert_eq!(told(&parse(one, ModelName::Kv).unwrap()), ["key a 0 write x \"y\" Ok"]);
    let json = r#"[{"process":0,"type":"invoke","f":"append","key":"0","value":"x"},
                   {"process":0,"type":"ok","f":"append","key":"0","value":"x"}]"#;
    assert_eq!(told(&parse(json, ModelName::Kv).unwrap()), ["key 0 0 append x Ok"]);
}

#[test]
fn independent_keys_are_taken_out_of_the_value() {
    let text = "{:process 0, :type :invoke, :f :cas, :value [:k [1 2]]}
{:process 1, :type :invoke, :f :read, :value [5 nil]}
{:process 0, :type :fail, :f :cas, :value [:k [1 2]]}
{:process 1, :type :ok, :f :read, :value [5 9]}
{:process 1, :type :invoke, :f :write, :value [5 1]}
{:process 1, :type :info, :f :write, :value nil, :error :gone}";
    let journal = parse(text, ModelName::CasRegister).unwrap();
    assert_eq!(told(&journal), ["key k 0 cas 1 to 2 Fail", "key 5 1 read 9 Ok", "key 5 1 write 1 Unknown"]);
    let mixed = text.replace("[5 9]", "9");
    let (line, _, complaint) = refused(&mixed, ModelName::CasRegister);
    assert!(line == 4 && complaint.contains("[key value]"), "{line}: {complaint}");
    // Without a second list, a pair is what cas is given.
    let plain = "{:process 0, :type :invoke, :f :cas, :value [1 2]}";
    assert_eq!(told(&parse(plain, ModelName::CasRegister).unwrap()), ["the object 0 cas 1 to 2 Unknown"]);
}

#[test]
fn every_model_reads_its_own_functions_under_their_usual_names() {
    let pair = |f: &str, given: &str, got: &str| {
        format!(
            "{{:process 0, :type :invoke, :f :{f}, :value {given}}}\n{{:process 0, :type :ok, :f :{f}, :value {got}}}\n"
        )
    };
    let cases = [
        (ModelName::Set, pair("read", "nil", "#{3 1 1 2}"), "read {1 2 3}"),
        (ModelName::Set, pair("add", "1", "1"), "add 1"),
        (ModelName::Counter, pair("increment", "nil", "17"), "add 1"),
        (ModelName::Counter, pair("dec", "5", "5"), "add -5"),
        (ModelName::Counter, pair("read", "nil", "-2"), "read -2"),
        (ModelName::Queue, pair("enqueue", "\"job\"", "\"job\""), "enqueue job"),
        (ModelName::Queue, pair("dequeue", "nil", "nil"), "dequeue nothing"),
        (ModelName::Lock, pair("acquire", "nil", "nil"), "acquire"),
        (ModelName::Kv, pair("get", "nil", "\"\""), "read "),
    ];
    for (model, text, expected) in cases {
        assert_eq!(told(&parse(&text, model).unwrap()), [format!("the object 0 {expected} Ok")], "{text}");
    }
    let (line, column, complaint) = refused(&pair("enqueue", "1", "1"), ModelName::Register);
    assert_eq!((line, column), (1, 1));
    assert_eq!(complaint, "the model `register` has no function `enqueue`; it has read, write, delete");
}

#[test]
fn different_kinds_of_values_are_different() {
    let values = ["1", "\"1\"", ":a", "a", "\"a\"", "1.0", "[1]", "2147483648", "nil"];
    for (number, one) in values.iter().enumerate() {
        for (other_number, other) in values.iter().enumerate() {
            let text = format!(
                "{{:process 0, :type :invoke, :f :write, :value {one}}}\n{{:process 1, :type :invoke, :f :write, :value {other}}}"
            );
            let calls = parse(&text, ModelName::Register).unwrap().calls;
            // Keyword and symbol are one: clients mix them.
            let same = number == other_number || [one, other].iter().all(|value| [":a", "a"].contains(*value));
            assert_eq!(calls[0].argument == calls[1].argument, same, "{one} and {other}");
        }
    }
}

#[test]
fn what_could_not_have_happened_is_refused_with_its_line_and_column() {
    let invoke = "{:process 0, :type :invoke, :f :write, :value 1}\n";
    let cases = [
        (format!("{invoke} {{:process 1, :type :ok, :f :write, :value 1}}"), 2, 2, "never began"),
        (format!("{invoke}\n{invoke}"), 3, 1, "while its call of line 1 is in flight"),
        (format!("{invoke}{{:process 0, :type :ok, :f :read, :value 1}}"), 2, 1, "but its call of line 1 was `write 1"),
        (format!("{invoke}{{:process 0, :type :ok, :f :write, :value 2}}"), 2, 1, "completes `write 2`"),
        (format!("{invoke}{{:process 0, :type :maybe, :f :write}}"), 2, 0, "invoke, ok, fail or info"),
        (format!("{invoke}{{:type :ok, :f :write}}"), 2, 1, "needs the field `process`"),
        (format!("{invoke}{{:process 0, :f :write}}"), 2, 1, "needs the field `type`"),
        (format!("{invoke}{{:process 0, :type :ok}}"), 2, 1, "needs the field `f`"),
        (format!("{invoke}{{:process [0], :type :ok}}"), 2, 0, "`process` must be a whole number"),
        (format!("{invoke}{{:process 0, :type :ok, :f :wri"), 2, 1, "cut off"),
        (format!("[{invoke}"), 3, 1, "cut off"),
        (format!("{invoke}]"), 1, 0, "one pair of brackets"),
        (format!("{invoke}garbage"), 2, 1, "expected an event"),
        (format!("{invoke}{{:process 0 ]}}"), 2, 13, "the name of a field must stand here"),
        (format!("{invoke}{{:value {}", "[".repeat(100)), 2, 0, "nested more than 64 deep"),
        (format!("{invoke}{}", "#_".repeat(100_000)), 2, 0, "nested more than 64 deep"),
        (String::new(), 1, 1, "no events"),
        ("\u{1}\u{2}\u{3}".to_string(), 1, 1, "expected an event"),
    ];
    for (text, line, column, complaint) in cases {
        let found = refused(&text, ModelName::Register);
        let shown: String = text.chars().take(200).collect();
        assert_eq!(found.0, line, "{shown}: {found:?}");
        assert!(column == 0 || found.1 == column, "{shown}: {found:?}");
        assert!(found.2.contains(complaint), "{shown}: {found:?}");
    }
}

#[test]
fn a_history_cut_off_at_any_byte_is_refused_or_read_but_never_panics() {
    let mut text = Vec::new();
    let specification = Specification { operations: 12, ..Specification::usual(ModelName::Kv) };
    generate(&specification, &mut text).unwrap();
    for end in 0..text.len() {
        let cut = read(&text[..end], &options(ModelName::Kv));
        let at_a_line = end > 0 && (text[end - 1] == b'\n' || text[end] == b'\n');
        assert_eq!(cut.is_ok(), at_a_line, "{:?}", String::from_utf8_lossy(&text[..end]));
    }
    for at in 0..text.len() {
        for byte in [0, b'"', b'{', b']', b'\\', 0xff] {
            let mut damaged = text.clone();
            damaged[at] = byte;
            let _ = read(&damaged[..], &options(ModelName::Kv));
        }
    }
}

/// So many bytes of something, without the memory for them.
struct Endless(u8, usize);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.1);
        buffer[..length].fill(self.0);
        self.1 -= length;
        Ok(length)
    }
}

#[test]
fn a_hundred_megabytes_of_garbage_are_refused_in_bounded_memory() {
    let all = 100 << 20;
    for byte in [b'x', 0, b'[', 0xff] {
        let error = read(Endless(byte, all), &options(ModelName::Register)).unwrap_err();
        assert!(matches!(error, ReadError::At { line: 1, .. }), "{byte}: {error}");
    }
    let string = b"{:value \"".as_slice().chain(Endless(b'y', all));
    let error = read(string, &options(ModelName::Register)).unwrap_err();
    assert!(matches!(error, ReadError::At { line: 1, column: 1, fault: Fault::TooLong { .. } }), "{error}");
    let blanks = read(Endless(b'\n', all), &options(ModelName::Register)).unwrap_err();
    assert!(matches!(blanks, ReadError::At { fault: Fault::Empty, .. }), "{blanks}");
}

#[test]
fn a_file_read_by_many_threads_is_the_file_read_by_one() {
    let folder = tempfile::tempdir().unwrap();
    for (format, model) in
        [(Format::Edn, ModelName::CasRegister), (Format::JsonLines, ModelName::Kv), (Format::Edn, ModelName::Set)]
    {
        let mut text = Vec::new();
        let usual = Specification::usual(model);
        generate(&Specification { operations: 40_000, keys: 2_000, format, ..usual }, &mut text).unwrap();
        assert!(text.len() > 3 << 20, "it should take several blocks");
        let alone = read(&text[..], &options(model)).unwrap();
        // With the brackets of a list in lines of their own it is cut; all in one line, it cannot be.
        let lists = [text.clone(), [b"[\n", &text[..], b"]\n"].concat(), [b"[", &text[..], b"]"].concat()];
        for (number, text) in lists.iter().enumerate() {
            let file = folder.path().join(format!("{number}"));
            std::fs::write(&file, text).unwrap();
            let together = read_file(&file, &options(model)).unwrap();
            assert_eq!(together.bytes, text.len() as u64);
            assert_eq!(told(&together.journal), told(&alone.journal));
            assert_eq!(together.journal.times, alone.journal.times);
            let places = |journal: &Journal| -> Vec<(u32, u32)> {
                journal.calls.iter().map(|call| (call.invoked, call.completed)).collect()
            };
            assert_eq!(places(&together.journal), places(&alone.journal));
        }
        let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
        let one_line = [b"[", &lines.join(&b' ')[..], b"]"].concat();
        let file = folder.path().join("one line");
        std::fs::write(&file, one_line).unwrap();
        assert_eq!(told(&read_file(&file, &options(model)).unwrap().journal), told(&alone.journal));
        // A fault far from the beginning has the line of the whole file, whoever finds it.
        let mut spoiled = lines.clone();
        spoiled[50_000] = b"{:process 0, :type :maybe}";
        let file = folder.path().join("spoiled");
        std::fs::write(&file, spoiled.join(&b'\n')).unwrap();
        let error = read_file(&file, &options(model)).unwrap_err();
        assert!(matches!(error, ReadError::At { line: 50_001, .. }), "{error}");
    }
}

#[test]
fn the_laboratorys_own_histories_are_read_by_their_times() {
    let history = crate::history::specimen::Specimen {
        unknowns_percent: 3,
        ..crate::history::specimen::Specimen::new(500, 8, 3)
    };
    let history = history.draw();
    let mut text = Vec::new();
    crate::history::write_json_lines(&history, &mut text).unwrap();
    let journal = read(&text[..], &options(ModelName::Register)).unwrap().journal;
    assert_eq!(journal.calls.len(), history.operations.len());
    // Two events of one microsecond overlap, whatever their lines.
    let meeting = r#"{"process":0,"type":"invoke","f":"write","key":"k","value":"a","time_micros":5}
{"process":0,"type":"ok","f":"write","key":"k","value":"a","time_micros":9}
{"process":1,"type":"invoke","f":"read","key":"k","value":null,"time_micros":9}
{"process":1,"type":"ok","f":"read","key":"k","value":null,"time_micros":12}"#;
    let calls = parse(meeting, ModelName::Register).unwrap().calls;
    assert!(calls[1].invoked < calls[0].completed, "{calls:?}");
}

#[test]
fn the_same_specification_gives_the_same_bytes() {
    for model in ModelName::ALL {
        let draw = |seed| {
            let mut text = Vec::new();
            generate(&Specification { operations: 500, seed, keys: 3, ..Specification::usual(model) }, &mut text)
                .unwrap();
            text
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
