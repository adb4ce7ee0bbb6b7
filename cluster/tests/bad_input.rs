//! Everything that a person, a file or a stranger can get wrong: a clear error, the right exit code, nothing lost, no panic.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use support::{ClusterFiles, Printed, free_ports, stormglass};

fn says(printed: &Printed, code: i32, words: &[&str]) {
    assert_eq!(printed.code, code, "{printed:?}");
    for word in words {
        assert!(printed.err.contains(word), "no `{word}` in {printed:?}");
    }
    assert!(!printed.err.contains("panicked"), "{printed:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_configuration_with_a_mistake_names_file_line_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 1, "replicaton: 1\n");
    says(&cluster.refuse(1), 2, &["n1.yaml:6", "replicaton", "did you mean `replication`"]);
    let cluster = ClusterFiles::new(folder.path(), 2, "replication: 3\n");
    says(&cluster.refuse(1), 2, &["n1.yaml:7", "replication is 3", "2 node(s)"]);
    says(&stormglass(&["serve", "--config", "/no/such/node.yaml"]), 2, &["/no/such/node.yaml"]);
}

#[test]
fn a_port_that_is_taken_is_the_environments_failure() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 1, "");
    let _taken = std::net::TcpListener::bind(cluster.address(1)).unwrap();
    says(&cluster.refuse(1), 3, &["cannot listen on", "in use"]);
}

#[test]
fn a_directory_that_is_not_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 1, "");
    std::fs::create_dir(cluster.data(1)).unwrap();
    std::fs::write(cluster.data(1).join("thesis.tex"), "years of work").unwrap();
    says(&cluster.refuse(1), 2, &["data-n1", "thesis.tex"]);
    assert_eq!(std::fs::read_to_string(cluster.data(1).join("thesis.tex")).unwrap(), "years of work");
    assert_eq!(std::fs::read_dir(cluster.data(1)).unwrap().count(), 1, "nothing was added");
    says(&stormglass(&["put", "k", "v", "--data", text(&cluster.data(1))]), 2, &["thesis.tex"]);
}

#[test]
fn a_directory_in_use_is_refused_and_goes_on_working_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 1, "");
    let server = cluster.serve(1);
    let data = cluster.data(1);
    says(&stormglass(&["get", "k", "--data", text(&data)]), 3, &["data-n1", "in use"]);
    let written = stormglass(&["put", "k", "v", "--node", &cluster.address(1)]);
    assert_eq!(written.code, 0, "{written:?}");
    assert!(server.stop().success());
    says(&stormglass(&["get", "k", "--data", text(&data)]), 2, &["holds the data of n1"]);
}

#[test]
fn a_directory_of_another_node_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 2, "");
    drop(cluster.serve(1));
    let config = std::fs::read_to_string(cluster.config(2)).unwrap().replace("data-n2", "data-n1");
    std::fs::write(cluster.config(2), config).unwrap();
    says(&cluster.refuse(2), 2, &["holds the data of n1", "not of n2"]);
}

#[test]
fn keys_values_and_levels_beyond_the_limits_are_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 1, "");
    let _server = cluster.serve(1);
    let node = cluster.address(1);
    says(&stormglass(&["put", "", "v", "--node", &node]), 2, &["the key is empty"]);
    says(&stormglass(&["get", "", "--node", &node]), 2, &["the key is empty"]);
    says(&stormglass(&["put", &"k".repeat(32 * 1024 + 1), "v", "--node", &node]), 2, &["32769 bytes"]);
    says(&stormglass(&["get", "k", "--node", &node, "--consistency", "2"]), 2, &["asks for 2 replicas", "has 1"]);
    says(&stormglass(&["get", "k", "--node", &node, "--consistency", "most"]), 2, &["not a consistency level"]);
    let empty = folder.path().join("embedded");
    says(&stormglass(&["put", "", "v", "--data", text(&empty)]), 2, &["the key is empty"]);
    assert!(!empty.exists(), "a refused write makes no directory");
}

#[test]
fn a_value_above_the_limit_is_refused_and_the_node_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 1, "");
    let _server = cluster.serve(1);
    let (node, value) = (cluster.address(1), folder.path().join("value"));
    std::fs::write(&value, vec![b'v'; cluster::limits::MAX_VALUE_BYTES + 1]).unwrap();
    says(&stormglass(&["put", "k", "--file", text(&value), "--node", &node]), 2, &["4194305 bytes", "split it"]);
    assert_eq!(stormglass(&["get", "k", "--node", &node]).code, 1, "nothing was written");
    let data = folder.path().join("embedded");
    says(&stormglass(&["put", "k", "--file", text(&value), "--data", text(&data)]), 2, &["4194305 bytes"]);

    std::fs::write(&value, vec![b'v'; cluster::limits::MAX_VALUE_BYTES]).unwrap();
    let largest = stormglass(&["put", "k", "--file", text(&value), "--node", &node, "--timeout", "30s"]);
    assert_eq!(largest.code, 0, "the largest value passes: {largest:?}");
    let read = stormglass(&["get", "k", "--node", &node, "--timeout", "30s"]);
    assert_eq!((read.code, read.out.trim().len()), (0, cluster::limits::MAX_VALUE_BYTES));
}

#[test]
fn nobody_listening_is_the_environments_failure() {
    let address = format!("127.0.0.1:{}", free_ports(1)[0]);
    says(&stormglass(&["get", "k", "--node", &address]), 3, &["no node answers at", &address]);
    says(&stormglass(&["status", "--node", &address]), 3, &["no node answers at", &address]);
}

#[test]
fn strangers_on_the_port_are_turned_away_and_nobody_else_notices() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 1, "");
    let mut server = cluster.serve(1);
    let node = cluster.address(1);
    assert_eq!(stormglass(&["put", "k", "v", "--node", &node]).code, 0);

    let mut garbage = TcpStream::connect(&node).unwrap();
    garbage.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\nHost: stormglass\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // It is hung up on: reading comes to an end or to a reset, never to a time-out.
    if let Err(error) = garbage.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }

    // A connection that ends inside its first frame.
    let mut truncated = TcpStream::connect(&node).unwrap();
    truncated.write_all(b"SGNT").unwrap();
    drop(truncated);

    let silent = TcpStream::connect(&node).unwrap();
    let read = stormglass(&["get", "k", "--node", &node]);
    assert_eq!((read.code, read.out.trim()), (0, "v"), "{read:?}");
    assert!(server.is_running());
    drop(silent);
}

#[test]
fn damaged_and_foreign_files_are_told_apart_by_inspect() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("notes.txt");
    std::fs::write(&foreign, "not a log at all, but long enough to be taken for one by a careless reader").unwrap();
    let inspected = stormglass(&["inspect", "wal", text(&foreign)]);
    assert_eq!(inspected.code, 2, "{inspected:?}");
    assert!(inspected.err.contains("notes.txt"), "{inspected:?}");
    let missing = stormglass(&["inspect", "wal", text(&folder.path().join("nothing"))]);
    assert_eq!(missing.code, 2, "{missing:?}");
}
