//! What a kill, a flipped byte and a cut tail do to a node on a real disk.
//!
//! ```text
//!   bench ──writes──▶ serve        ledger: sent k v | acked k v | ...         (whole up to its last line, whatever dies)
//!     │     kill -9 ──▲
//!   restart ──▶ bench --verify     every acked key has its value, no key is there that was never sent
//!
//!   the log:   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┃━━━━━━━━━━━━━
//!              a later record proves these  ┃ nothing proves these synced
//!              synced: a flip refuses       ┃ cut anywhere here, it opens and keeps the tail aside
//! ```
//!
//! A kill leaves the page cache, so it takes nothing at any durability. What a power loss takes is the laboratory's to
//! show: no process can pull its own plug.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]
#![allow(clippy::disallowed_types, reason = "tests of real processes need the real world")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::{ClusterFiles, Printed, STORMGLASS, stormglass, wait_until};

/// Acknowledged writes to wait for before the kill.
const ACKNOWLEDGED_LEAST: usize = 10_000;

/// A load that goes on until it is killed; killed when dropped.
struct Load {
    child: Child,
    ledger: PathBuf,
}

impl Load {
    fn start(cluster: &ClusterFiles) -> Self {
        let ledger = cluster.folder.join("ledger.tsv");
        let load = ["--operations", "1000000000", "--clients", "64", "--value-bytes", "40"];
        let mut command = Command::new(STORMGLASS);
        command.args(["bench", "--node", &cluster.address(1)]).args(load).arg("--acked").arg(&ledger);
        Self { child: command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), ledger }
    }

    /// Waits until so many writes were acknowledged.
    fn wait_for(&mut self, acknowledged_least: usize) {
        let (mut ledger, mut line, mut acknowledged) = (None, String::new(), 0);
        wait_until("enough writes are acknowledged", || {
            assert!(self.child.try_wait().unwrap().is_none(), "the load ended by itself");
            let Ok(file) = File::open(&self.ledger) else { return false };
            let ledger = ledger.get_or_insert_with(|| BufReader::new(file));
            while ledger.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
                acknowledged += usize::from(line.starts_with("acked\t"));
                line.clear();
            }
            acknowledged >= acknowledged_least
        });
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A node that was killed while it was written to, and what its clients know.
struct Killed {
    cluster: ClusterFiles,
    ledger: PathBuf,
}

/// Writes until at least 10,000 keys are acknowledged, then kills the node in the middle of more.
fn kill_while_writing(folder: &Path, durability: &str) -> Killed {
    let cluster = ClusterFiles::new(folder, 1, &format!("durability: {durability}\n"));
    let mut server = cluster.serve(1);
    let mut load = Load::start(&cluster);
    load.wait_for(ACKNOWLEDGED_LEAST);
    assert!(server.is_running());
    server.kill();
    let ledger = load.ledger.clone();
    Killed { cluster, ledger }
}

fn verify(cluster: &ClusterFiles, ledger: &Path) -> (Printed, Value) {
    let node = cluster.address(1);
    let printed = stormglass(&["bench", "--node", &node, "--verify", ledger.to_str().unwrap(), "--json"]);
    let facts = serde_json::from_str(&printed.out).unwrap_or_else(|error| panic!("{error}: {printed:?}"));
    (printed, facts)
}

/// The restarted node holds what the ledger says it must, and nothing else.
fn nothing_is_lost_or_made_up(killed: &Killed) {
    let (printed, facts) = verify(&killed.cluster, &killed.ledger);
    assert_eq!((printed.code, &facts["violations"]), (0, &Value::Array(Vec::new())), "{printed:?}");
    let number = |name: &str| facts[name].as_u64().unwrap() as usize;
    assert!(number("acknowledged") >= ACKNOWLEDGED_LEAST, "{facts}");
    assert!(number("sent") > number("acknowledged"), "the kill came in the middle of writes: {facts}");
    assert_eq!(number("keys_scanned"), number("acknowledged") + number("found_unacknowledged"), "{facts}");
}

#[test]
fn a_node_killed_at_durability_none_has_every_acknowledged_key_and_none_that_was_never_sent() {
    let folder = tempfile::tempdir().unwrap();
    let killed = kill_while_writing(folder.path(), "none");
    let _server = killed.cluster.serve(1);
    nothing_is_lost_or_made_up(&killed);
}

#[test]
fn a_node_killed_at_durability_interval_has_every_acknowledged_key_and_none_that_was_never_sent() {
    let folder = tempfile::tempdir().unwrap();
    let killed = kill_while_writing(folder.path(), "interval 10ms");
    let _server = killed.cluster.serve(1);
    nothing_is_lost_or_made_up(&killed);
}

#[test]
fn a_node_killed_at_durability_always_refuses_a_flipped_byte_that_was_proven_synced_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let killed = kill_while_writing(folder.path(), "always");
    let log = Log::read(&killed.cluster.data(1));
    for offset in log.telling_offsets() {
        log.refuses_a_flip_at(offset, &killed.cluster);
    }
    let whole = inspect(&log.segment);
    assert_eq!(whole.code, 0, "every byte was put back: {}", whole.out.lines().last().unwrap());
    let _server = killed.cluster.serve(1);
    nothing_is_lost_or_made_up(&killed);
}

#[test]
fn a_tail_cut_behind_the_proven_offset_is_set_aside_and_takes_nothing_that_was_proven() {
    let folder = tempfile::tempdir().unwrap();
    let killed = kill_while_writing(folder.path(), "always");
    let log = Log::read(&killed.cluster.data(1));
    // In the middle of the first record that nothing proves synced.
    let torn = log.rows.iter().find(|row| row.offset >= log.proven).unwrap();
    let cut = torn.offset + torn.record_bytes / 2;
    let content = fs::read(&log.segment).unwrap();
    fs::write(&log.segment, &content[..cut as usize]).unwrap();
    let looked_at = inspect(&log.segment);
    assert_eq!(looked_at.code, 0, "a torn tail is no corruption");
    assert!(looked_at.out.contains(&format!("torn tail in {} at offset {}", log.segment.display(), torn.offset)));

    let server = killed.cluster.serve(1);
    let told = format!("a torn tail of {} bytes was cut from {}", cut - torn.offset, log.segment.display());
    assert!(server.greeting.contains(&told), "{}", server.greeting);
    let tail = format!("{}.tail-{}", log.segment.display(), torn.offset);
    assert_eq!(fs::read(tail).unwrap(), content[torn.offset as usize..cut as usize], "the tail was kept");
    assert_eq!(fs::read(&log.segment).unwrap(), content[..torn.offset as usize]);

    // What lies behind the cut was taken by this test, not by the database: it is no longer asked for.
    let taken: BTreeSet<&str> =
        log.rows.iter().filter(|row| row.offset >= torn.offset).filter_map(|row| row.bench_key()).collect();
    let promised = killed.ledger.with_file_name("promised.tsv");
    edit_ledger(&killed.ledger, &promised, |line| match line.split('\t').collect::<Vec<_>>()[..] {
        ["acked", key, _] if taken.contains(key) => None,
        _ => Some(line.to_string()),
    });
    let (printed, facts) = verify(&killed.cluster, &promised);
    assert_eq!(printed.code, 0, "{printed:?}");
    let kept = log.rows.iter().filter(|row| row.offset < torn.offset && row.bench_key().is_some()).count();
    assert_eq!(facts["keys_scanned"].as_u64().unwrap() as usize, kept, "{facts}");
    assert!(facts["acknowledged"].as_u64().unwrap() as usize + 64 >= ACKNOWLEDGED_LEAST, "{facts}");
}

#[test]
fn a_verification_finds_what_is_lost_what_changed_and_what_nobody_sent() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 1, "durability: none\n");
    let _server = cluster.serve(1);
    let ledger = folder.path().join("ledger.tsv");
    let bench = ["bench", "--node", &cluster.address(1), "--operations", "100", "--acked", ledger.to_str().unwrap()];
    assert_eq!(stormglass(&bench).code, 0);
    let (printed, facts) = verify(&cluster, &ledger);
    assert_eq!((printed.code, facts["acknowledged"].as_u64()), (0, Some(100)), "{printed:?}");

    let text = fs::read_to_string(&ledger).unwrap();
    let victim = text.lines().next().unwrap().split('\t').nth(1).unwrap();
    let about_victim = |line: &str| line.split('\t').nth(1) == Some(victim);
    let edited = folder.path().join("edited.tsv");
    let violation_of = |what: &str| {
        let (printed, facts) = verify(&cluster, &edited);
        let violations = facts["violations"].as_array().unwrap();
        assert_eq!((printed.code, violations.len()), (1, 1), "{what}: {printed:?}");
        violations[0].as_str().unwrap().to_string()
    };
    fs::write(&edited, format!("{text}sent\tbench-ghost\tv\nacked\tbench-ghost\tv\n")).unwrap();
    assert_eq!(violation_of("lost"), "bench-ghost was acknowledged and is lost");
    edit_ledger(&ledger, &edited, |line| (!about_victim(line)).then(|| line.to_string()));
    assert_eq!(violation_of("never sent"), format!("{victim} is there and was never sent"));
    edit_ledger(&ledger, &edited, |line| Some(if about_victim(line) { format!("{line}y") } else { line.to_string() }));
    assert!(violation_of("changed").starts_with(&format!("{victim} holds v")), "the value differs");
}

/// Copies a ledger line by line through `edit`.
fn edit_ledger(from: &Path, to: &Path, edit: impl Fn(&str) -> Option<String>) {
    let text = fs::read_to_string(from).unwrap();
    // The last line may be cut short.
    let whole = &text[..=text.rfind('\n').unwrap()];
    let lines: String = whole.lines().filter_map(edit).map(|line| line + "\n").collect();
    fs::write(to, lines).unwrap();
}

fn inspect(path: &Path) -> Printed {
    stormglass(&["inspect", "wal", path.to_str().unwrap()])
}

/// One operation in the log, as `inspect wal --json` shows it.
#[derive(Debug)]
struct Row {
    offset: u64,
    record_bytes: u64,
    synced_offset: u64,
    key: String,
}

impl Row {
    /// The key that the load gave it: `data/23/bench-1-2` without what the node put in front.
    fn bench_key(&self) -> Option<&str> {
        self.key.rsplit('/').next().filter(|key| self.key.starts_with("data/") && key.starts_with("bench-"))
    }
}

/// The only segment of a killed node.
struct Log {
    segment: PathBuf,
    rows: Vec<Row>,
    /// Everything before it is proven to have been synced.
    proven: u64,
}

impl Log {
    fn read(data: &Path) -> Self {
        let dump = stormglass(&["inspect", "wal", data.to_str().unwrap(), "--json"]);
        assert_eq!(dump.code, 0, "{}", dump.err);
        let lines: Vec<Value> = dump.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let segments: Vec<&Value> = lines.iter().filter(|line| line["line"] == "segment").collect();
        assert_eq!(segments.len(), 1, "one segment holds it all, so nothing but its own records proves it");
        let number = |line: &Value, name: &str| line[name].as_u64().unwrap();
        let row = |line: &Value| Row {
            offset: number(line, "offset"),
            record_bytes: number(line, "record_bytes"),
            synced_offset: number(line, "synced_offset"),
            key: line["key"].as_str().unwrap().to_string(),
        };
        let rows: Vec<Row> = lines.iter().filter(|line| line["line"] == "row").map(row).collect();
        let proven = rows.iter().map(|row| row.synced_offset).max().unwrap();
        assert!(rows.len() > ACKNOWLEDGED_LEAST, "{} rows", rows.len());
        Self { segment: PathBuf::from(segments[0]["file"].as_str().unwrap()), rows, proven }
    }

    /// Bytes of every kind that are proven synced: of the file's beginning, of a record in the middle, the last one.
    fn telling_offsets(&self) -> Vec<u64> {
        let middle = &self.rows[self.rows.len() / 2];
        let in_header = [0, 4, 8, 12, 16, 24].map(|field| middle.offset + field);
        let in_payload = [32, middle.record_bytes - 1].map(|place| middle.offset + place);
        let last = self.rows.iter().rfind(|row| row.offset < self.proven).unwrap();
        [&[0, 9, 13, 16, 50], &in_header[..], &in_payload, &[last.offset, self.proven - 1]].concat()
    }

    /// Flips a byte, finds the node and `inspect` pointing at its record and everything on the disk as it was; puts it back.
    fn refuses_a_flip_at(&self, offset: u64, cluster: &ClusterFiles) {
        let mut content = fs::read(&self.segment).unwrap();
        content[offset as usize] ^= 0x10;
        fs::write(&self.segment, &content).unwrap();
        let before = everything(&cluster.data(1));

        let refused = cluster.refuse(1);
        // 3, the environment failed: the disk did not keep what it had been given.
        assert_eq!(refused.code, 3, "a flip at {offset}: {refused:?}");
        // In front of the first record there is only the file's own beginning.
        let record = self.rows.iter().map(|row| row.offset).rfind(|start| *start <= offset).unwrap_or(0);
        let place = format!("{}: corrupt at offset {record}, ", self.segment.display());
        assert!(refused.err.contains(&place), "a flip at {offset} of the record at {record}: {refused:?}");
        assert!(refused.err.contains("restore this file from a backup"), "{refused:?}");
        assert!(everything(&cluster.data(1)) == before, "a flip at {offset}: refusing changed the directory");

        let looked_at = inspect(&self.segment);
        assert_eq!(looked_at.code, 1, "a flip at {offset}");
        let pointer = format!("CORRUPT in {} at offset {record}, ", self.segment.display());
        assert!(looked_at.out.contains(&pointer), "a flip at {offset}: no `{pointer}`");

        content[offset as usize] ^= 0x10;
        fs::write(&self.segment, &content).unwrap();
    }
}

/// Every file of a directory with its content.
fn everything(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}
