//! A fault as the YAML of one entry under `faults`, which reads back as an equal fault.
//!
//! ```text
//!   FaultPlan ──▶ { at: 5s, for: 1s, disk_error: { node: n2, operation: sync, file: wal, nth: 3 } } ──▶ FaultPlan
//! ```
//!
//! Every `match` here names every variant: a fault that is new to the format does not compile until it can be written.

use std::fmt::Display;

use super::fault::{Action, Again, FaultPlan, MessageVerdict, NodeChoice, Power, Times, Victims, WayVerdict};
use super::link::{Latency, Member};
use super::trigger::{Event, Happening, Trigger};
use super::units::{share_text, time_signed_text, time_text};
use crate::world::{DiskFault, FileKind, FileOperation, Hit};

/// One entry under `faults`, on one line.
pub fn fault_text(fault: &FaultPlan) -> String {
    let FaultPlan { times, lasts, action } = fault;
    let mut fields = match times {
        Times::At { micros } => vec![field("at", time_text(*micros))],
        Times::Every { every, from_micros, until_micros } => vec![
            field("every", every),
            field("from", time_text(*from_micros)),
            field("until", time_text(*until_micros)),
        ],
        Times::When(trigger) => vec![field("when", when(trigger)), field("from", time_text(trigger.from_micros))],
    };
    fields.extend(lasts.map(|lasts| field("for", lasts)));
    fields.push(self::action(action));
    map(fields)
}

fn field(key: &str, value: impl Display) -> String {
    format!("{key}: {value}")
}

fn map(fields: impl IntoIterator<Item = String>) -> String {
    let fields: Vec<String> = fields.into_iter().collect();
    if fields.is_empty() { "{}".to_string() } else { format!("{{ {} }}", fields.join(", ")) }
}

fn list<T: Display>(items: &[T]) -> String {
    format!("[{}]", items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

fn when(trigger: &Trigger) -> String {
    let Trigger { what, count, after, from_micros: _ } = trigger;
    let any = "any".to_string();
    let mut fields = match what {
        Happening::Operation { node, operation, file } => {
            let node = node.map_or(any, |node| node.to_string());
            let mut fields = vec![field("node", node), field("operation", operation)];
            fields.extend(file.map(|file| field("file", file)));
            fields
        }
        Happening::Message { message, from, to } => {
            let member = |member: &Option<Member>| member.map_or("any".to_string(), |member| member.to_string());
            let message = message.map_or(any, |message| message.to_string());
            vec![field("message", message), field("from", member(from)), field("to", member(to))]
        }
        Happening::Event(Event::Heal) => vec![field("event", "heal")],
        Happening::Event(Event::Restart { node }) => {
            vec![field("event", "restart"), field("node", node.map_or(any, |node| node.to_string()))]
        }
    };
    fields.push(field("count", count));
    fields.extend(after.map(|after| match after {
        Event::Heal => field("after", "heal"),
        Event::Restart { .. } => field("after", "restart"),
    }));
    map(fields)
}

fn node(choice: NodeChoice) -> String {
    match choice {
        NodeChoice::Named(node) => field("node", node),
        NodeChoice::Any => field("node", "any"),
    }
}

fn latency(Latency { median_micros, p99_micros }: Latency) -> String {
    map([field("median", time_text(median_micros)), field("p99", time_text(p99_micros))])
}

fn ends(from: &[Member], to: &[Member]) -> [String; 2] {
    [field("from", list(from)), field("to", list(to))]
}

fn groups(groups: &[Vec<Member>]) -> String {
    list(&groups.iter().map(|group| list(group)).collect::<Vec<_>>())
}

fn power(power: Power) -> String {
    field("power", if power == Power::Lost { "lost" } else { "kept" })
}

/// `None` for all, which is written by saying nothing.
fn hit(hit: Hit) -> Option<String> {
    match hit {
        Hit::All => None,
        Hit::Share { ppm } => Some(field("share", share_text(ppm))),
        Hit::Nth { number } => Some(field("nth", number)),
        Hit::First { count } => Some(field("count", count)),
    }
}

fn action(action: &Action) -> String {
    match action {
        Action::Partition { groups: cut } => field("partition", groups(cut)),
        Action::PartitionOneWay { from, to } => field("partition_one_way", map(ends(from, to))),
        Action::Isolate { node: which } => field("isolate", map([node(*which)])),
        Action::SlowLink { from, to, latency: slow } => {
            field("slow_link", map(ends(from, to).into_iter().chain([field("latency", latency(*slow))])))
        }
        Action::Network { latency: slow, loss_ppm, duplicate_ppm } => {
            let slow = slow.map(|slow| field("latency", latency(slow)));
            let loss = loss_ppm.map(|ppm| field("loss", share_text(ppm)));
            let duplicate = duplicate_ppm.map(|ppm| field("duplicate", share_text(ppm)));
            field("network", map(slow.into_iter().chain(loss).chain(duplicate)))
        }
        Action::Messages { verdict, message, from, to, hit: share } => {
            let (key, slow) = match verdict {
                MessageVerdict::Drop => ("drop", None),
                MessageVerdict::Duplicate => ("duplicate", None),
                MessageVerdict::Corrupt => ("corrupt", None),
                MessageVerdict::Delay(by) => ("delay", Some(field("latency", latency(*by)))),
            };
            let side = |key, members: &[Member]| (!members.is_empty()).then(|| field(key, list(members)));
            let message = message.map(|message| field("message", message));
            let fields = [message, side("from", from), side("to", to), hit(*share), slow];
            field(key, map(fields.into_iter().flatten()))
        }
        Action::Way { verdict, from, to } => {
            let (key, more) = match verdict {
                WayVerdict::Clog => ("clog", None),
                WayVerdict::HalfOpen => ("half_open", None),
                WayVerdict::Capacity { bytes_per_second } => ("capacity", Some(speed(*bytes_per_second))),
                WayVerdict::Drip { every_micros } => ("drip", Some(field("every", time_text(*every_micros)))),
            };
            field(key, map(ends(from, to).into_iter().chain(more)))
        }
        Action::Bridge { node: which } => field("bridge", map([node(*which)])),
        Action::MajoritiesRing => field("majorities_ring", "{}"),
        Action::Flapping { groups: cut_off, cut, whole } => {
            field("flapping", map([field("groups", groups(cut_off)), field("cut", cut), field("whole", whole)]))
        }
        Action::Disk { .. }
        | Action::FullDisk { .. }
        | Action::ReadOnlyDisk { .. }
        | Action::StalledDisk { .. }
        | Action::ThrottledDisk { .. }
        | Action::SlowDisk { .. }
        | Action::BitRot { .. }
        | Action::Wipe { .. }
        | Action::RestoreBackup { .. } => disk(action),
        Action::Crash { .. }
        | Action::RollingRestart { .. }
        | Action::Pause { .. }
        | Action::Freeze { .. }
        | Action::SlowNode { .. }
        | Action::ClockStep { .. }
        | Action::ClockSkew { .. }
        | Action::ClockDrift { .. }
        | Action::ClockStrobe { .. } => machine(action),
    }
}

fn speed(bytes_per_second: u64) -> String {
    field("bytes_per_second", bytes_per_second)
}

fn disk(action: &Action) -> String {
    match action {
        Action::Disk { node: which, fault, file, hit: share } => disk_calls(*which, *fault, *file, *share),
        Action::FullDisk { node: which, room_bytes } => {
            field("full_disk", map([node(*which), field("room_bytes", room_bytes)]))
        }
        Action::ReadOnlyDisk { node: which } => field("read_only_disk", map([node(*which)])),
        Action::StalledDisk { node: which } => field("stalled_disk", map([node(*which)])),
        Action::ThrottledDisk { node: which, bytes_per_second } => {
            field("throttled_disk", map([node(*which), speed(*bytes_per_second)]))
        }
        Action::SlowDisk { node: which, factor } => field("slow_disk", map([node(*which), field("by", factor)])),
        Action::BitRot { node: which, file, bytes } => {
            let file = file.map(|file| field("file", file));
            field("bit_rot", map([node(*which)].into_iter().chain(file).chain([field("bytes", bytes)])))
        }
        Action::Wipe { node: which, down } => field("wipe", map([node(*which), field("down", down)])),
        Action::RestoreBackup { node: which, taken_micros, down } => {
            let taken = field("taken", time_text(*taken_micros));
            field("restore_backup", map([node(*which), taken, field("down", down)]))
        }
        _ => unreachable!("every fault of a disk is named above"),
    }
}

fn disk_calls(which: NodeChoice, fault: DiskFault, file: Option<FileKind>, share: Hit) -> String {
    let (key, operation) = match fault {
        DiskFault::ReadError => ("disk_error", Some(FileOperation::Read)),
        DiskFault::AppendError => ("disk_error", Some(FileOperation::Append)),
        DiskFault::SyncError => ("disk_error", Some(FileOperation::Sync)),
        DiskFault::ShortRead => ("short_read", None),
        DiskFault::MisdirectedRead => ("misdirected_read", None),
        DiskFault::LostWrite => ("lost_write", None),
        DiskFault::MisdirectedWrite => ("misdirected_write", None),
        DiskFault::LyingSync | DiskFault::LyingSyncDir => ("lying_sync", None),
    };
    let file = match fault {
        DiskFault::LyingSyncDir => Some(field("file", "folders")),
        _ => file.map(|file| field("file", file)),
    };
    let operation = operation.map(|operation| field("operation", operation));
    field(key, map([Some(node(which)), operation, file, hit(share)].into_iter().flatten()))
}

fn machine(action: &Action) -> String {
    match action {
        Action::Crash { victims, power: of, down, again } => {
            let victims = match victims {
                Victims::One(which) => node(*which),
                Victims::All => field("node", "all"),
            };
            let again =
                again.map(|Again { after, times }| field("again", map([field("after", after), field("times", times)])));
            field("crash", map([victims, power(*of), field("down", down)].into_iter().chain(again)))
        }
        Action::RollingRestart { power: of, down, between } => {
            field("rolling_restart", map([power(*of), field("down", down), field("between", between)]))
        }
        Action::Pause { node: which } => field("pause", map([node(*which)])),
        Action::Freeze { node: which } => field("freeze", map([node(*which)])),
        Action::SlowNode { node: which, factor } => field("slow_node", map([node(*which), field("by", factor)])),
        Action::ClockStep { node: which, by_micros } => clock("clock_step", *which, time_signed_text(*by_micros)),
        Action::ClockSkew { node: which, by_micros } => clock("clock_skew", *which, time_signed_text(*by_micros)),
        Action::ClockDrift { node: which, by_ppm } => clock("clock_drift", *which, format!("{by_ppm}ppm")),
        Action::ClockStrobe { node: which, by_micros, every_micros } => {
            let (by, every) = (time_signed_text(*by_micros), time_text(*every_micros));
            field("clock_strobe", map([node(*which), field("by", by), field("every", every)]))
        }
        _ => unreachable!("every fault of a machine is named above"),
    }
}

fn clock(key: &str, which: NodeChoice, by: String) -> String {
    field(key, map([node(which), field("by", by)]))
}
