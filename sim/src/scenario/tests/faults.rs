//! Every fault as the file says it: understood, told to people, and refused where it makes no sense.

use super::*;
use crate::world::{DiskFault, FileKind, FileOperation, Hit, MessageKind};

pub(super) const EVERY_FAULT: &str = r#"
name: every fault
about: Each fault of the format once.
cluster: { nodes: 5 }
workload: { duration: 30s }
faults:
  - { at: 1s, for: 1s, disk_error: { node: n1, operation: sync, file: wal, nth: 3 } }
  - { at: 1s, for: 1s, disk_error: { node: any, operation: read, share: 5% } }
  - { at: 1s, for: 1s, short_read: { node: n1, file: table, share: 1% } }
  - { at: 1s, for: 1s, misdirected_read: { node: n1, file: table, share: 1% } }
  - { at: 1s, for: 1s, misdirected_write: { node: n1, file: wal, count: 1 } }
  - { at: 1s, for: 1s, lost_write: { node: n1, file: manifest, count: 2 } }
  - { at: 1s, for: 1s, lying_sync: { node: n1, file: folders } }
  - { at: 1s, for: 1s, full_disk: { node: n1, room_bytes: 4096 } }
  - { at: 2s, for: 1s, full_disk: { node: n1 } }
  - { at: 1s, for: 1s, throttled_disk: { node: n1, bytes_per_second: 100000 } }
  - { at: 1s, for: 1s, stalled_disk: { node: n1 } }
  - { at: 1s, for: 1s, read_only_disk: { node: n1 } }
  - { at: 1s, bit_rot: { node: n1, file: table, bytes: 3 } }
  - { at: 3s, wipe: { node: n1, down: 1s } }
  - { at: 9s, restore_backup: { node: n1, taken: 4s, down: 1s } }
  - { at: 1s, for: 1s, drop: { message: write_back, from: n1, to: any, count: 1 } }
  - { at: 1s, for: 1s, delay: { from: [n1, c0], share: 10%, latency: 100ms } }
  - { at: 1s, for: 1s, duplicate: { message: replica_put } }
  - { at: 1s, for: 1s, corrupt: { share: 1% } }
  - { at: 1s, for: 1s, clog: { from: [n1], to: [n2] } }
  - { at: 1s, for: 1s, half_open: { from: [n1], to: [n2] } }
  - { at: 1s, for: 1s, capacity: { from: [n1], to: [n2], bytes_per_second: 20000 } }
  - { at: 1s, for: 1s, drip: { from: [n1], to: [n2], every: 20ms } }
  - { at: 1s, for: 1s, bridge: { node: n3 } }
  - { at: 1s, for: 1s, majorities_ring: {} }
  - { at: 1s, for: 1s, flapping: { groups: [[n1], [n2, n3]], cut: 100ms..300ms, whole: 50ms } }
  - { at: 1s, for: 1s, clock_skew: { node: n1, by: -100ms } }
  - { at: 1s, for: 1s, clock_drift: { node: n1, by: 500ppm } }
  - { at: 1s, for: 1s, clock_strobe: { node: n1, by: 200ms, every: 10ms } }
  - { at: 15s, for: 1s, freeze: { node: n2 } }
  - { at: 1s, for: 1s, slow_node: { node: n1, by: 20 } }
  - { at: 20s, rolling_restart: { power: kept, down: 100ms, between: 1s } }
  - { when: { node: n2, operation: sync, file: wal, count: 3 }, from: 5s, crash: { node: n3 } }
  - { when: { message: write_back, from: n1, to: any, after: heal }, for: 1s, isolate: { node: n1 } }
  - { when: { event: restart, node: n1, count: 2 }, pause: { node: n4 }, for: 1s }
expect: { linearizable: true }
"#;

fn every_fault() -> Plan {
    parse("x.yaml", EVERY_FAULT).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_fault_is_understood() {
    let plan = every_fault();
    assert_eq!(plan.faults.len(), 35);
    let n1 = NodeChoice::Named(NodeId(1));
    let sync =
        Action::Disk { node: n1, fault: DiskFault::SyncError, file: Some(FileKind::Wal), hit: Hit::Nth { number: 3 } };
    assert_eq!(plan.faults[0].action, sync);
    let lie = Action::Disk { node: n1, fault: DiskFault::LyingSyncDir, file: None, hit: Hit::All };
    assert_eq!(plan.faults[6].action, lie);
    let Action::Messages { verdict, message, from, to, hit } = &plan.faults[15].action else { panic!("messages") };
    assert_eq!((*verdict, *message), (MessageVerdict::Drop, Some(MessageKind::WriteBack)));
    assert_eq!((from.as_slice(), to.as_slice()), (&[Member::Node(NodeId(1))][..], &[][..]));
    assert_eq!(*hit, Hit::First { count: 1 });
    let Times::When(trigger) = plan.faults[32].times else { panic!("a trigger") };
    let (node, operation, file) = (Some(NodeId(2)), FileOperation::Sync, Some(FileKind::Wal));
    assert_eq!(trigger.what, Happening::Operation { node, operation, file });
    assert_eq!((trigger.count, trigger.after, trigger.from_micros), (3, None, 5_000_000));
    assert_eq!(trigger.to_string(), "number 3 of sync of a wal on n2 from 5s on");
    let Times::When(trigger) = plan.faults[33].times else { panic!("a trigger") };
    assert_eq!(trigger.to_string(), "number 1 of write_back from n1 after heal");
}

#[test]
fn every_fault_is_scheduled_and_told() {
    let scheduled = schedule(&every_fault(), &Rng::from_seed(1));
    assert_eq!(scheduled.len(), 35);
    let names: Vec<&str> = scheduled.iter().map(|fault| fault.name.as_str()).collect();
    for name in [
        "faults[0] failing syncs of a wal n1",
        "faults[14] backup of 4s restored n1",
        "faults[15] write_backs dropped n1 -> any",
        "faults[23] bridge n1 n2 -x- n4 n5, n4 n5 -x- n1 n2",
        "faults[31] rolling restart n1 n2 n3 n4 n5",
    ] {
        assert!(names.contains(&name), "{name:?} is not in {names:#?}");
    }
    let ring = scheduled.iter().find(|fault| fault.fault == 24).expect("scheduled");
    let Injection::MajoritiesRing { ways } = &ring.injection else { panic!("{ring:?}") };
    let node = |number| Member::Node(NodeId(number));
    assert_eq!(ways[0], (vec![node(1)], vec![node(3), node(4)]), "each of five reaches its two neighbours");
    let waits: Vec<usize> = scheduled.iter().filter(|fault| fault.when.is_some()).map(|fault| fault.fault).collect();
    assert_eq!(waits, [33, 34, 32], "those that wait have no time but the one before which they do not count");
}

#[test]
fn wrong_names_of_faults_files_calls_and_messages_are_told_with_the_nearest() {
    for (fault, complaint) in [
        ("at: 1s, bit_rott: { node: n1 }", "unknown key 'bit_rott' in faults[0]; did you mean 'bit_rot'?"),
        (
            "at: 1s, bit_rot: { node: n1, file: tabel }",
            "'tabel' is not one of wal, table, manifest, current; did you mean 'table'?",
        ),
        ("at: 1s, disk_error: { node: n1, operation: snyc }", "did you mean 'sync'?"),
        ("at: 1s, disk_error: { node: n1 }", "'operation' is missing"),
        ("at: 1s, drop: { message: writeback }", "did you mean 'write_back'?"),
        ("at: 1s, lying_sync: { node: n1, file: folder }", "did you mean 'folders'?"),
        ("when: { node: n1, operation: synk }, pause: { node: n2 }, for: 1s", "did you mean 'sync'?"),
        ("when: { event: heel }, pause: { node: n2 }, for: 1s", "did you mean 'heal'?"),
        ("at: 1s, wipe: { node: n9 }", "node n9 does not exist"),
    ] {
        refused(&format!("faults: [{{ {fault} }}]"), complaint);
    }
}

#[test]
fn faults_that_make_no_sense_are_refused() {
    for (faults, complaint) in [
        ("{ at: 1s, drop: { share: 5%, nth: 2 } }", "say one of `share: 5%`, `nth: 3` and `count: 2`"),
        ("{ at: 1s, drop: { share: 0% } }", "out of bounds: at least 0.0001%"),
        ("{ at: 1s, drop: { latency: 1ms } }", "`latency` means nothing here: only `delay` makes messages later"),
        ("{ at: 1s, delay: { share: 5% } }", "'latency' is missing"),
        ("{ at: 1s, clog: { from: [n1], to: [n2], every: 1ms } }", "`every` means nothing here: only `drip`"),
        ("{ at: 1s, short_read: { node: n1, operation: read } }", "`operation` means nothing here"),
        ("{ at: 1s, majorities_ring: {} }", "a ring of majorities needs at least 4 nodes"),
        ("{ at: 1s, restore_backup: { node: n1, taken: 2s } }", "is taken at 2s, and is to be put back at 1s already"),
        ("{ at: 1s, for: 1s, wipe: { node: n1 } }", "lasts as long as its own `down` says"),
        ("{ at: 1s, for: 1s, bit_rot: { node: n1 } }", "what has rotted is not undone"),
        ("{ at: 1s, clock_drift: { node: n1, by: 0ppm } }", "it changes nothing"),
        ("{ when: { node: n1 }, pause: { node: n1 } }", "exactly one of operation, message and event"),
        (
            "{ when: { operation: sync, message: any }, pause: { node: n1 } }",
            "exactly one of operation, message and event",
        ),
        ("{ when: { operation: sync, from: n1 }, pause: { node: n1 } }", "`from` means nothing here"),
        ("{ at: 1s, when: { operation: sync }, pause: { node: n1 } }", "either `at: 5s` or"),
        ("{ when: { operation: sync }, until: 5s, pause: { node: n1 } }", "`until` belongs to faults that come again"),
        ("{ when: { operation: sync }, from: 10s, pause: { node: n1 } }", "the workload ends at 10s"),
        ("{ when: { event: heal }, crash: { node: n1 } }", "nothing in this scenario makes a heal happen"),
        ("{ when: { operation: sync, after: restart }, pause: { node: n1 } }", "makes a restart happen"),
        (
            "{ at: 1s, for: 3s, full_disk: { node: any } }, { at: 2s, for: 1s, full_disk: { node: n1 } }",
            "faults[0] may set the room of the same disk at the same time",
        ),
    ] {
        refused(&format!("faults: [{faults}]"), complaint);
    }
    let apart = "faults: [{ at: 1s, for: 1s, full_disk: { node: any } }, { at: 2s, for: 1s, full_disk: { node: n1 } }]";
    assert_eq!(complaints(&with(apart)), Vec::<String>::new());
}

#[test]
fn every_fault_is_written_as_it_is_read() {
    let plan = every_fault();
    let lines: Vec<String> = plan.faults.iter().map(|fault| format!("  - {}\n", fault_text(fault))).collect();
    let before = EVERY_FAULT.split_once("faults:\n").expect("there").0;
    let text = format!("{before}faults:\n{}expect: {{ linearizable: true }}\n", lines.concat());
    let again = parse("x.yaml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(again.faults, plan.faults);
}
