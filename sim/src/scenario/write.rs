//! A plan as the YAML of a scenario file that loads to an equal plan: how the laboratory hands on what it found or made.
//!
//! ```text
//!   # comment lines: seed, signature, how to replay
//!   name, about, seed
//!   cluster, network, disk, clocks                 a line each; every value stated, none left to a default
//!   workload, operations, faults, expect           a line for each item
//!   at_least
//! ```
//!
//! Every `match` here names every variant: an action, an expectation or a setting that is new to the format does not
//! compile until it can be written. Its tests hold the two directions against each other.
//!
//! It is the text of a machine: it does not know what a person had left out, nor what they had commented.

use std::fmt::{Display, Write};

use super::expectation::{Comparison, Expectation, Operator, Selection, Unit};
use super::link::{Latency, Member};
use super::plan::{ClockPlan, ClusterPlan, DiskPlan, Durability, NetworkPlan, Plan, Recoveries, Survival};
use super::units::{WHOLE_PPM, decimal_text, share_text, time_signed_text, time_text};
use super::workload::{Coordinators, KeyDistribution, ListedOperation, PerKind, WorkloadPlan};
use super::write_fault::fault_text;
use crate::history::OperationKind;

#[cfg(test)]
mod tests;

/// Lines of running text are broken here.
const LINE_LETTERS_MAX: usize = 110;

/// The scenario file of a plan, with these lines as comments at its top. Loading it gives an equal plan, but for the name
/// of the file that it is read from.
pub fn write(plan: &Plan, comments: &[String]) -> String {
    // The file's name is where it is read from.
    let Plan {
        name,
        about,
        file: _,
        seed,
        cluster,
        network,
        disk,
        clocks,
        workload,
        faults,
        expect,
        at_least: PerKind { read, write, delete },
        at_least_recoveries: Recoveries { torn_tails, interrupted },
    } = plan;
    let mut text = String::new();
    for line in comments.iter().flat_map(|comment| comment.lines()) {
        let line: String = line.chars().map(|letter| if is_plain(letter) { letter } else { '?' }).collect();
        let _ = writeln!(text, "# {line}");
    }
    let _ = writeln!(text, "name: {}", quoted(name));
    let _ = writeln!(text, "about: {}", running_text(about));
    let _ = writeln!(text, "seed: {seed}");
    let _ = writeln!(text, "cluster: {}", self::cluster(cluster));
    let _ = writeln!(text, "network: {}", self::network(network));
    let _ = writeln!(text, "disk: {}", self::disk(disk));
    if !clocks.is_empty() {
        let _ = writeln!(text, "clocks: {}", list(clocks.iter().map(clock)));
    }
    let _ = writeln!(text, "workload:{}", self::workload(workload));
    if !faults.is_empty() {
        text.push_str("faults:\n");
        for planned in faults {
            let _ = writeln!(text, "  - {}", fault_text(planned));
        }
    }
    text.push_str("expect:\n");
    for line in self::expect(expect) {
        let _ = writeln!(text, "  {line}");
    }
    let at_least = [
        field("read", read),
        field("write", write),
        field("delete", delete),
        field("torn_tails", torn_tails),
        field("interrupted_recoveries", interrupted),
    ];
    let _ = writeln!(text, "at_least: {}", map(at_least));
    text
}

/// `{ a: 1, b: 2 }`.
pub(super) fn map(fields: impl IntoIterator<Item = String>) -> String {
    let fields: Vec<String> = fields.into_iter().collect();
    if fields.is_empty() { "{}".to_string() } else { format!("{{ {} }}", fields.join(", ")) }
}

/// `[a, b]`.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

pub(super) fn field(key: &str, value: impl Display) -> String {
    format!("{key}: {value}")
}

/// Letters that YAML takes as they are, in comments and in running text: no control letters, no line breaks of any kind,
/// no byte order mark.
fn is_plain(letter: char) -> bool {
    matches!(letter, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

/// Text in double quotes, whatever it contains.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if is_plain(letter) => quoted.push(letter),
            letter => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(letter));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Longer text, broken into lines between its words where that changes nothing: single blanks, and no letter that YAML
/// would take for anything but itself.
fn running_text(text: &str) -> String {
    let foldable = !text.is_empty() && text.chars().all(is_plain) && !text.split(' ').any(str::is_empty);
    if !foldable {
        return quoted(text);
    }
    let mut folded = String::from(">-");
    let mut room = 0;
    for word in text.split(' ') {
        let letters = word.chars().count();
        if room < letters + 1 {
            folded.push_str("\n  ");
            room = LINE_LETTERS_MAX;
        } else {
            folded.push(' ');
        }
        folded.push_str(word);
        room = room.saturating_sub(letters + 1);
    }
    folded
}

fn cluster(cluster: &ClusterPlan) -> String {
    let ClusterPlan {
        node_count,
        replication,
        partition_count,
        durability,
        max_clock_offset_micros,
        coordinator_timeout_micros,
        wal_segment_bytes,
        memtable_bytes,
    } = cluster;
    let durability = match durability {
        Durability::Always => "always".to_string(),
        Durability::Interval { micros } => format!("interval {}", time_text(*micros)),
        Durability::None => "none".to_string(),
    };
    map([
        field("nodes", node_count),
        field("replication", replication),
        field("partitions", partition_count),
        field("durability", durability),
        field("max_clock_offset", time_text(*max_clock_offset_micros)),
        field("timeout", time_text(*coordinator_timeout_micros)),
        field("wal_segment_bytes", wal_segment_bytes),
        field("memtable_bytes", memtable_bytes),
    ])
}

pub(super) fn latency(latency: Latency) -> String {
    let Latency { median_micros, p99_micros } = latency;
    if median_micros == p99_micros {
        return time_text(median_micros);
    }
    map([field("median", time_text(median_micros)), field("p99", time_text(p99_micros))])
}

/// What a link or the whole network may change, where it does.
pub(super) fn weather(
    latency_given: Option<Latency>,
    loss_ppm: Option<u32>,
    duplicate_ppm: Option<u32>,
) -> Vec<String> {
    let fields = [
        latency_given.map(|given| field("latency", latency(given))),
        loss_ppm.map(|ppm| field("loss", share_text(ppm))),
        duplicate_ppm.map(|ppm| field("duplicate", share_text(ppm))),
    ];
    fields.into_iter().flatten().collect()
}

pub(super) fn members(members: &[Member]) -> String {
    list(members.iter().map(Member::to_string))
}

pub(super) fn ends(from: &[Member], to: &[Member]) -> Vec<String> {
    vec![field("from", members(from)), field("to", members(to))]
}

fn network(network: &NetworkPlan) -> String {
    let NetworkPlan { latency, loss_ppm, duplicate_ppm, links } = network;
    let mut fields = weather(Some(*latency), Some(*loss_ppm), Some(*duplicate_ppm));
    if !links.is_empty() {
        let links = links.iter().map(|link| {
            map(ends(&link.from, &link.to).into_iter().chain(weather(link.latency, link.loss_ppm, link.duplicate_ppm)))
        });
        fields.push(field("links", list(links)));
    }
    map(fields)
}

fn disk(disk: &DiskPlan) -> String {
    let DiskPlan { latency: own, nodes, survival } = disk;
    let survival = match survival {
        Survival::Random => "random",
        Survival::Nothing => "nothing",
        Survival::Everything => "everything",
    };
    let mut fields = vec![field("latency", latency(*own)), field("survival", survival)];
    if !nodes.is_empty() {
        let nodes = nodes.iter().map(|(node, own)| map([field("node", node), field("latency", latency(*own))]));
        fields.push(field("nodes", list(nodes)));
    }
    map(fields)
}

fn clock(clock: &ClockPlan) -> String {
    let ClockPlan { node, skew_micros, drift_ppm } = clock;
    let (skew, drift) = (time_signed_text(*skew_micros), format!("{drift_ppm}ppm"));
    map([field("node", node), field("skew", skew), field("drift", drift)])
}

/// The lines below `workload:`.
fn workload(workload: &WorkloadPlan) -> String {
    let WorkloadPlan {
        client_count,
        duration_micros,
        operations_per_second,
        client_timeout_micros,
        key_count,
        distribution,
        mix,
        consistency,
        value_bytes_least,
        value_bytes_most,
        coordinators,
        operations,
    } = workload;
    let levels = ["read", "write", "delete"].into_iter().zip([consistency.read, consistency.write, consistency.delete]);
    let mut fields = vec![
        field("clients", client_count),
        field("duration", time_text(*duration_micros)),
        field("timeout", time_text(*client_timeout_micros)),
        field("consistency", map(levels.map(|(kind, level)| field(kind, level)))),
    ];
    // What is drawn has no meaning beside operations that are listed, and is refused there.
    if operations.is_empty() {
        let distribution = match distribution {
            KeyDistribution::Uniform => "uniform".to_string(),
            KeyDistribution::Zipf { exponent_thousandths } => {
                map([field("zipf", decimal_text(u64::from(*exponent_thousandths), 1_000))])
            }
        };
        let coordinators = match coordinators {
            Coordinators::Any => "any",
            Coordinators::Owners => "owners",
            Coordinators::Outsiders => "outsiders",
        };
        let weights = [field("read", mix.read), field("write", mix.write), field("delete", mix.delete)];
        fields.extend([
            field("rate", format!("{operations_per_second}/s")),
            field("keys", map([field("count", key_count), field("distribution", distribution)])),
            field("mix", map(weights)),
            field("value_bytes", format!("{value_bytes_least}..{value_bytes_most}")),
            field("coordinators", coordinators),
        ]);
    } else {
        fields.push(field("keys", map([field("count", key_count)])));
        fields.push("operations:".to_string());
    }
    let mut text = String::new();
    for field in fields {
        let _ = write!(text, "\n  {field}");
    }
    for operation in operations {
        let _ = write!(text, "\n    - {}", listed(operation));
    }
    text
}

fn listed(operation: &ListedOperation) -> String {
    let ListedOperation { at_micros, client, kind, key, value_bytes, through } = operation;
    let mut fields = vec![
        field("at", time_text(*at_micros)),
        field("client", format!("c{client}")),
        field("kind", kind.name()),
        field("key", format!("k{key}")),
    ];
    if *kind == OperationKind::Write {
        fields.push(field("bytes", value_bytes));
    }
    fields.extend(through.map(|node| field("through", node)));
    map(fields)
}

/// The lines below `expect:`. Demands of one name are one list.
fn expect(expectations: &[Expectation]) -> Vec<String> {
    let (mut lines, mut availability, mut latencies) = (Vec::new(), Vec::new(), Vec::new());
    for expectation in expectations {
        match expectation {
            Expectation::LostWrites(is) => lines.push(field("lost_writes", comparison(*is))),
            Expectation::StaleReads(is) => lines.push(field("stale_reads", comparison(*is))),
            Expectation::Resurrections(is) => lines.push(field("resurrections", comparison(*is))),
            Expectation::MonotonicReads(is) => lines.push(field("monotonic_reads", comparison(*is))),
            Expectation::ReadYourWrites(is) => lines.push(field("read_your_writes", comparison(*is))),
            Expectation::MonotonicWrites(is) => lines.push(field("monotonic_writes", comparison(*is))),
            Expectation::WritesFollowReads(is) => lines.push(field("writes_follow_reads", comparison(*is))),
            Expectation::Linearizable(is) => lines.push(field("linearizable", is)),
            Expectation::Converged => lines.push(field("converged", true)),
            Expectation::Availability { of, is } => {
                availability.push(map(selection(of).into_iter().chain([field("is", comparison(*is))])));
            }
            Expectation::Latency { of, percentile_ppm, is } => {
                let percentile = match *percentile_ppm {
                    WHOLE_PPM => "max".to_string(),
                    ppm => format!("p{}", decimal_text(u64::from(ppm), 10_000)),
                };
                let demand = [field("percentile", percentile), field("is", comparison(*is))];
                latencies.push(map(selection(of).into_iter().chain(demand)));
            }
        }
    }
    for (name, demands) in [("availability", availability), ("latency", latencies)] {
        if !demands.is_empty() {
            lines.push(field(name, list(demands)));
        }
    }
    lines
}

fn selection(of: &Selection) -> Vec<String> {
    let Selection { kind, during, through } = of;
    let mut fields: Vec<String> = kind.iter().map(|kind| field("kind", kind.name())).collect();
    fields.extend(during.map(|window| field("during", window)));
    if !through.is_empty() {
        fields.push(field("through", list(through.iter().map(ToString::to_string))));
    }
    fields
}

/// In quotes, but for a plain number: `>` begins something else in YAML.
fn comparison(is: Comparison) -> String {
    match (is.operator, is.unit) {
        (Operator::Equal, Unit::Count) => is.to_string(),
        (Operator::Equal | Operator::AtLeast | Operator::AtMost | Operator::MoreThan | Operator::LessThan, _) => {
            quoted(&is.to_string())
        }
    }
}
