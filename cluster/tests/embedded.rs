//! The database without a server: put, get, scan and delete on a directory, and the dump of its log that a person reads.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]
#![allow(clippy::disallowed_types, reason = "tests of real processes need the real world")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use support::{Printed, STORMGLASS, stormglass};

/// Runs a command on the directory.
fn on(data: &Path, arguments: &[&str]) -> Printed {
    stormglass(&[arguments, &["--data", data.to_str().unwrap()]].concat())
}

/// Runs a command on the directory that must succeed; returns what it printed.
fn done(data: &Path, arguments: &[&str]) -> String {
    let printed = on(data, arguments);
    assert_eq!((printed.code, printed.err.as_str()), (0, ""), "{arguments:?}: {printed:?}");
    printed.out
}

fn inspect(path: &Path) -> Printed {
    stormglass(&["inspect", "wal", path.to_str().unwrap()])
}

#[test]
fn values_outlive_the_commands_that_wrote_them_and_scans_are_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (key, value) in
        [("pear", "green"), ("apple", "red"), ("zebra", "striped"), ("melon", "round"), ("apple", "yellow")]
    {
        assert_eq!(done(&data, &["put", key, value]), "ok\n");
    }
    assert_eq!(done(&data, &["get", "apple"]), "yellow\n", "the later value");
    assert_eq!(done(&data, &["delete", "pear"]), "ok\n");
    let gone = on(&data, &["get", "pear"]);
    assert_eq!((gone.code, gone.out.as_str()), (1, ""), "{gone:?}");
    assert!(gone.err.contains("pear has no value"), "{gone:?}");
    assert_eq!(done(&data, &["scan"]), "apple\tyellow\nmelon\tround\nzebra\tstriped\n");
    assert_eq!(done(&data, &["scan", "--from", "b", "--until", "zebra"]), "melon\tround\n");
    assert_eq!(done(&data, &["scan", "--limit", "2"]), "apple\tyellow\nmelon\tround\n");
}

#[test]
fn a_command_that_is_killed_leaves_the_directory_free_and_all_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    done(&data, &["put", "before", "kept"]);
    for number in 0..10 {
        let (key, value) = (format!("killed{number}"), format!("value{number}"));
        let put = ["put", &key, &value, "--data", data.to_str().unwrap()];
        let mut command =
            Command::new(STORMGLASS).args(put).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Wherever it has got to by now: not yet begun, in the middle, or at its end.
        command.kill().unwrap();
        command.wait().unwrap();
        let read = on(&data, &["get", &key]);
        match read.code {
            0 => assert_eq!(read.out, format!("{value}\n"), "all of it or nothing"),
            code => assert_eq!(code, 1, "{read:?}"),
        }
        assert_eq!(done(&data, &["get", "before"]), "kept\n");
    }
    done(&data, &["put", "after", "also kept"]);
    assert_eq!(done(&data, &["get", "after"]), "also kept\n");
}

#[test]
fn a_load_notes_each_write_before_it_is_made_and_its_sequence_when_it_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (data, notes) = (folder.path().join("data"), folder.path().join("notes.tsv"));
    let load = |workload: &'static str, operations: &'static str, batch: &'static str| {
        let size = ["--keys", "6", "--operations", operations, "--batch", batch, "--value-bytes", "5"];
        let load = [&["bench", "--workload", workload, "--acked", notes.to_str().unwrap()], &size[..]].concat();
        assert_eq!(on(&data, &load).code, 0);
        std::fs::read_to_string(&notes).unwrap()
    };
    let noted = load("fill-sequential", "6", "4");
    let lines: Vec<Vec<&str>> = noted.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 4, "{noted}");
    assert_eq!((&lines[0][..2], lines[0].len(), lines[0][2]), (&["sent", "0"][..], 10, "key0000000000000"), "{noted}");
    assert_eq!((&lines[1][..], &lines[3][..]), (&["acked", "0", "5"][..], &["acked", "1", "7"][..]), "{noted}");
    let noted = load("overwrite", "2", "1");
    let last: Vec<&str> = noted.lines().rfind(|line| line.starts_with("sent")).unwrap().split('\t').collect();
    assert!(noted.ends_with("acked\t1\t9\n"), "{noted}");
    assert_eq!(done(&data, &["get", last[2]]), format!("{}\n", last[3]), "the value is what was noted");
    let on_nodes = stormglass(&["bench", "--acked", notes.to_str().unwrap(), "--keys", "9"]);
    assert_eq!(on_nodes.code, 2, "{on_nodes:?}");
}

#[test]
fn a_directory_that_is_none_is_bad_input_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, file) = (folder.path().join("missing"), folder.path().join("file"));
    std::fs::write(&file, "a file").unwrap();
    for command in [&["get", "k"][..], &["delete", "k"], &["scan"]] {
        let refused = on(&missing, command);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains("missing: there is no data directory here"), "{refused:?}");
        let refused = on(&file, command);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains("file"), "{refused:?}");
    }
    let deep = on(&missing.join("deeper"), &["put", "k", "v"]);
    assert_eq!(deep.code, 2, "only the last folder of a path is made: {deep:?}");
    assert!(!missing.exists(), "nothing was made");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a file");
    for path in [&missing, &file] {
        let refused = inspect(path);
        assert_eq!(refused.code, 2, "{refused:?}");
    }
}

#[test]
fn the_dump_of_a_log_is_columns_with_keys_that_a_person_reads() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    done(&data, &["put", "user1", "16 bytes of text"]);
    done(&data, &["delete", "user\n1"]);
    let dump = inspect(&data);
    assert_eq!((dump.code, dump.err.as_str()), (0, ""), "{dump:?}");
    let name = |number: u32| format!("{}/wal-{number:020}.log", data.display());
    let rest_of = |line: &str, from: &str| line.strip_prefix(from).unwrap_or_else(|| panic!("{line}")).to_string();
    let lines: Vec<&str> = dump.out.lines().collect();
    let header = "      offset    sequence  operation  value bytes      synced  key";
    assert_eq!(rest_of(lines[0], &name(1)), ", 226 bytes");
    assert_eq!(
        lines[1..6],
        [
            header,
            "          16           1  start                            0  (no segment before it)",
            "          60           1  put                 20          60  system/0/owner",
            "         129           2  put                 16         129  data/0/user1",
            "         194           3  seal                           194",
        ]
    );
    assert_eq!(rest_of(lines[6], &name(2)), ", 141 bytes");
    assert_eq!(lines[7], header);
    assert!(lines[8].ends_with("(after wal-00000000000000000001.log, 226 bytes)"), "{}", lines[8]);
    assert_eq!(lines[9], "          60           3  delete                          60  data/0/user\\n1");
    let summary = "2 segments, 367 bytes, 3 batches, 2 puts, 1 deletes, sequences 1 to 3; closed cleanly";
    assert_eq!(lines.last(), Some(&summary));
    let alone = inspect(Path::new(&name(2)));
    assert_eq!((alone.code, alone.out.lines().count()), (0, 6), "{alone:?}");
}
