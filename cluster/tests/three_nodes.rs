//! Three real processes on loopback: what a quorum survives, what `all` does not, and how a node that was away catches up.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

mod support;

use serde_json::Value;
use support::{ClusterFiles, Printed, stormglass, wait_until};

fn json(printed: &Printed) -> Value {
    serde_json::from_str(printed.out.lines().last().unwrap_or("")).unwrap_or_else(|_| panic!("no JSON: {printed:?}"))
}

#[test]
fn quorums_go_on_without_one_node_and_a_read_repairs_it_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 3, "durability: always\n");
    let (first, second, third) = (cluster.serve(1), cluster.serve(2), cluster.serve(3));
    let (n1, n2) = (cluster.address(1), cluster.address(2));

    let written = stormglass(&["put", "key", "old", "--node", &n1, "--consistency", "all", "--timeout", "5s"]);
    assert_eq!(written.code, 0, "{written:?}");

    third.kill();
    let written = stormglass(&["put", "key", "new", "--node", &n1, "--consistency", "quorum"]);
    assert_eq!(written.code, 0, "a quorum of two is there: {written:?}");
    let read = stormglass(&["get", "key", "--node", &n2, "--consistency", "quorum"]);
    assert_eq!((read.code, read.out.trim()), (0, "new"), "{read:?}");

    let refused = stormglass(&["get", "key", "--node", &n1, "--consistency", "all", "--report"]);
    assert_eq!(refused.code, 4, "all cannot be had: {refused:?}");
    assert!(refused.err.contains("n3  did not answer"), "{refused:?}");
    let refused = stormglass(&["put", "other", "x", "--node", &n1, "--consistency", "all", "--json", "--report"]);
    assert_eq!(refused.code, 4, "all cannot be had: {refused:?}");

    let third = cluster.serve(3);
    // Until n1 has found the way to n3 again, n3 does not hear of the read; then it answers with the old value, and the read
    // brings it up to date: before the reply when it was one of the two waited for, right after it otherwise. Only quorum
    // reads are made here, so nothing else can have repaired it.
    let repairs = || -> u64 {
        let facts = json(&stormglass(&["status", "--node", &n1, "--json"]));
        let count = |name: &str| facts[name].as_str().unwrap().parse::<u64>().unwrap();
        count("read_repairs_late") + count("read_write_backs")
    };
    assert_eq!(repairs(), 0, "nothing was repaired while n3 was away");
    wait_until("a quorum read has repaired n3", || {
        let read = stormglass(&["get", "key", "--node", &n1, "--consistency", "quorum"]);
        assert_eq!((read.code, read.out.trim()), (0, "new"), "{read:?}");
        repairs() > 0
    });
    wait_until("the repair has arrived at n3", || {
        let own = stormglass(&["inspect", "wal", cluster.data(3).to_str().unwrap()]);
        own.out.lines().filter(|line| line.contains("put") && line.contains("/key")).count() == 2
    });

    // n3 alone now holds the new value: with both others gone, its own copy answers.
    first.kill();
    second.kill();
    let alone = stormglass(&["get", "key", "--node", &cluster.address(3), "--consistency", "one"]);
    assert_eq!((alone.code, alone.out.trim()), (0, "new"), "{alone:?}");
    assert!(third.stop().success(), "a stopped node closes its data and ends with 0");
}

#[test]
fn any_node_serves_any_key_and_scans_merge_all_partitions_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 3, "replication: 2\n");
    let _servers = [cluster.serve(1), cluster.serve(2), cluster.serve(3)];
    for number in 0..12 {
        let node = cluster.address(number % 3 + 1);
        let (key, value) = (format!("key{number:02}"), format!("value{number}"));
        let written = stormglass(&["put", &key, &value, "--node", &node, "--timeout", "5s"]);
        assert_eq!(written.code, 0, "{written:?}");
    }
    let deleted = stormglass(&["delete", "key05", "--node", &cluster.address(2)]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
    let scanned = stormglass(&["scan", "--node", &cluster.address(1), "--from", "key01", "--until", "key11"]);
    let expected: Vec<String> =
        (1..11).filter(|number| *number != 5).map(|number| format!("key{number:02}\tvalue{number}")).collect();
    assert_eq!(scanned.out.lines().collect::<Vec<_>>(), expected, "{scanned:?}");
    let limited = stormglass(&["scan", "--node", &cluster.address(3), "--limit", "3"]);
    assert_eq!(limited.out.lines().count(), 3, "{limited:?}");
    let gone = stormglass(&["get", "key05", "--node", &cluster.address(3)]);
    assert_eq!(gone.code, 1, "{gone:?}");
    let status = stormglass(&["status", "--node", &cluster.address(1), "--json"]);
    assert_eq!(json(&status)["node"], "n1", "{status:?}");
    assert_eq!(json(&status)["members"], "n1 n2 n3", "{status:?}");
}

#[test]
fn an_explained_key_lives_on_the_nodes_that_answer_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 3, "replication: 2\n");
    let _servers = [cluster.serve(1), cluster.serve(2), cluster.serve(3)];
    let config = cluster.config(2);
    let explained = json(&stormglass(&["ring", "explain", "somebody", "--config", config.to_str().unwrap(), "--json"]));
    let mut expected: Vec<String> =
        explained["replicas"].as_array().unwrap().iter().map(|node| node.as_str().unwrap().to_string()).collect();
    expected.sort();
    let read = stormglass(&["get", "somebody", "--node", &cluster.address(3), "--json", "--report", "--timeout", "5s"]);
    assert_eq!(read.code, 1, "nothing was written: {read:?}");
    let answers = json(&read)["report"]["answers"].clone();
    let asked: Vec<&str> = answers.as_array().unwrap().iter().map(|answer| answer["node"].as_str().unwrap()).collect();
    assert_eq!(asked, expected);
}
