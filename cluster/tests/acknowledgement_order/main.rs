//! No acknowledgement leaves before its write is on the disk, and nothing depends on a name that is not: seen from outside, by the
//! system calls of a real node.
//!
//! ```text
//!   strace -f ─▶ trace.txt ─▶ trace: calls with beginning and end ─▶ order: rules over them ─▶ violations, none
//!
//!   three runs on one directory:   a new one, with many rotations
//!                                  after the log's tail was torn          (recovery keeps a copy and cuts)
//!                                  after its last segment never began     (recovery renames it)
//! ```
//!
//! Needs strace (on Debian: apt-get install strace) and the right to trace. Without them it says so and passes, unless the
//! variable CI is set. Durability after a power loss itself is the laboratory's to show; here it is the promise to
//! the kernel that is checked, which the simulated disk takes for granted.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]
#![allow(clippy::disallowed_types, reason = "tests of real processes need the real world")]

mod order;
#[path = "../support/mod.rs"]
mod support;
mod trace;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use order::Seen;
use serde_json::Value;
use support::{ClusterFiles, STORMGLASS, Server, stormglass, wait_until};

/// Calls that make names, write, sync, or talk to clients; those that a system does not know are skipped by strace.
const TRACED: &str = "trace=open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,read,readv,write,writev,pwrite64,\
                      pwritev,pwritev2,fsync,fdatasync,ftruncate,recvfrom,recvmsg,sendto,sendmsg";

/// Puts in one run.
const OPERATIONS: usize = 400;

/// Why this machine cannot trace; `None` when it can.
fn cannot_trace() -> Option<String> {
    match Command::new("strace").args(["-f", "-o", "/dev/null", "-e", TRACED, "true"]).output() {
        Err(error) => Some(format!("strace does not run ({error}): install it (on Debian: apt-get install strace)")),
        Ok(probe) if probe.status.success() => None,
        Ok(probe) => Some(format!("strace may not trace here: {}", String::from_utf8_lossy(&probe.stderr).trim())),
    }
}

/// One life of a traced node: it starts, serves so many puts by several clients, and is stopped. Returns what was seen of it.
fn traced_run(cluster: &ClusterFiles, name: &str) -> Seen {
    let existing = files(&cluster.data(1));
    let trace = cluster.folder.join(format!("{name}.trace"));
    let mut command = Command::new("strace");
    // -D: the node is our child, strace its grandchild; -s: whole buffers, so that keys can be found in them.
    command.args(["-D", "-f", "-y", "-s", "1000000", "-e", TRACED, "-o"]).arg(&trace);
    command.args([STORMGLASS, "serve", "--config"]).arg(cluster.config(1));
    let server = Server::start(&mut command);
    let (node, operations) = (cluster.address(1), OPERATIONS.to_string());
    let load = ["bench", "--node", &node, "--operations", &operations, "--clients", "4", "--value-bytes", "30"];
    let bench = stormglass(&[&load[..], &["--timeout", "30s", "--json"]].concat());
    let facts: Value = serde_json::from_str(&bench.out).unwrap_or_else(|_| panic!("{bench:?}"));
    assert_eq!(facts["ok"], OPERATIONS, "every reply is an acknowledgement: {facts}");
    let process = server.process();
    assert!(server.stop().success());
    let ended = format!("{process} +++ exited with 0 +++");
    let is_whole =
        |text: &str| text.lines().last().is_some_and(|line| line.split_whitespace().eq(ended.split_whitespace()));
    wait_until("strace has written everything", || is_whole(&fs::read_to_string(&trace).unwrap_or_default()));

    let calls = trace::parse(&fs::read_to_string(&trace).unwrap());
    let (seen, violations) = order::check(&calls, cluster.folder.to_str().unwrap(), &existing);
    let told: String =
        violations.iter().take(5).map(|found| format!("\n  line {}: {}", found.line, found.what)).collect();
    assert!(violations.is_empty(), "{name}: {} violations:{told}", violations.len());
    assert_eq!(seen.acknowledgements, OPERATIONS, "{name}: every acknowledgement was looked at");
    seen
}

#[test]
fn no_acknowledgement_leaves_before_its_sync_and_nothing_depends_on_a_name_that_is_not_durable() {
    if let Some(reason) = cannot_trace() {
        assert!(std::env::var_os("CI").is_none(), "{reason}");
        // Not `println!`, which is shown only when a test fails.
        writeln!(std::io::stderr(), "skipped: the order of system calls was not looked at: {reason}").unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // strace shows descriptors by their real paths.
    let folder = folder.path().canonicalize().unwrap();
    let cluster = ClusterFiles::new(&folder, 1, "durability: always\nwal_segment_bytes: 4096\n");

    let seen = traced_run(&cluster, "new");
    assert_eq!((seen.folders_made, seen.renames, seen.cuts), (1, 2, 0), "the directory, its marker and CURRENT");
    assert!(seen.segments_created > 10, "the log was rotated again and again: {seen:?}");

    cut_last_segment(&cluster.data(1), |length| length - 1);
    let seen = traced_run(&cluster, "torn");
    assert_eq!(
        (seen.folders_made, seen.renames, seen.cuts),
        (0, 2, 1),
        "the tail was kept, then cut; CURRENT was replaced"
    );

    cut_last_segment(&cluster.data(1), |_| 30);
    let seen = traced_run(&cluster, "never began");
    assert_eq!(
        (seen.folders_made, seen.renames, seen.cuts),
        (0, 2, 0),
        "the segment was renamed as it was; CURRENT was replaced"
    );
}

/// Cuts the last segment as a crash could have.
fn cut_last_segment(data: &Path, length: impl FnOnce(u64) -> u64) {
    let last = files(data).into_iter().rfind(|file| file.ends_with(".log")).map(PathBuf::from).unwrap();
    let file = fs::OpenOptions::new().write(true).open(last).unwrap();
    file.set_len(length(file.metadata().unwrap().len())).unwrap();
}

/// The paths of a directory's files; none when it is not there.
fn files(directory: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(directory) else { return BTreeSet::new() };
    entries.map(|entry| entry.unwrap().path().to_str().unwrap().to_string()).collect()
}
