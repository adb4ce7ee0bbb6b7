//! From what the file says to what can be run, collecting everything that is wrong on the way.
//!
//! Every reader here returns a value in any case: the one in the file, the default where there is none, and a harmless
//! stand-in where the file's is wrong (which is noted). So one flaw hides no other, and a plan is handed out only when
//! nothing was noted. This file has the checker and the small readers; its neighbours have one section of the format each.

mod cluster;
mod disk_faults;
mod expect;
mod faults;
mod machine_faults;
mod network_faults;
mod operations;
mod owners;
mod trigger;
mod workload;

pub use operations::with_operations;

use super::contradiction::Contradiction;
use super::errors::{Flaw, nearest};
use super::fault::NodeChoice;
use super::link::{Latency, Member};
use super::path::FieldPath;
use super::plan::Plan;
use super::raw::{self, Text, TextOrMap};
use super::tree::Note;
use super::units;
use super::workload::Window;
use crate::history::OperationKind;
use ::cluster::world::NodeId;

const NAME_PURPOSE: &str = "the property or the bug it shows, as a sentence";
const ABOUT_PURPOSE: &str = "what a reader learns from it, in a few sentences";
const EXPECT_PURPOSE: &str = "what the verdict demands, as in `expect: { linearizable: true }`";

/// Makes the plan, or says everything that is in its way.
pub(super) fn plan(file: &str, raw: &raw::Scenario) -> Result<Plan, Vec<Note>> {
    let mut checker = Checker::default();
    let root = FieldPath::root();
    let name = checker.required(&raw.name, &root, "name", NAME_PURPOSE);
    let about = checker.required(&raw.about, &root, "about", ABOUT_PURPOSE);
    let seed = checker.value(&raw.seed, 1, |text| units::whole_number(text, 0, u64::MAX));

    let cluster = checker.cluster(&raw.cluster.clone().unwrap_or_default());
    let raw_workload = raw.workload.clone().unwrap_or_default();
    let mut workload = checker.workload(&raw_workload, cluster.replication, cluster.node_count);
    checker.node_count = cluster.node_count;
    checker.client_count = workload.client_count;
    checker.duration_micros = workload.duration_micros;
    checker.list_operations(&raw_workload, &mut workload);

    let network = checker.network(&raw.network.clone().unwrap_or_default());
    let disk = checker.disk(&raw.disk.clone().unwrap_or_default());
    let clocks = checker.clocks(raw.clocks.as_deref().unwrap_or_default());
    let faults = checker.faults(raw.faults.as_deref().unwrap_or_default());
    let at_least = raw.at_least.clone().unwrap_or_default();
    let at_least_recoveries = checker.at_least_recoveries(&at_least);
    let at_least = checker.at_least(&at_least, &workload);
    let expect = match &raw.expect {
        Some(expect) => checker.expect(expect, &workload),
        None => {
            checker.refuse(root, Flaw::Missing { key: "expect", purpose: EXPECT_PURPOSE });
            Vec::new()
        }
    };

    if !checker.notes.is_empty() {
        return Err(checker.notes);
    }
    let file = file.to_string();
    Ok(Plan {
        name,
        about,
        file,
        seed,
        cluster,
        network,
        disk,
        clocks,
        workload,
        faults,
        expect,
        at_least,
        at_least_recoveries,
    })
}

/// What was found so far, and what the sections need to know of each other.
#[derive(Default)]
struct Checker {
    notes: Vec<Note>,
    node_count: u16,
    client_count: u32,
    duration_micros: u64,
}

impl Checker {
    fn refuse(&mut self, path: FieldPath, flaw: impl Into<Flaw>) {
        self.notes.push((path, flaw.into()));
    }

    /// The value of a field; `default` where it is missing or wrong.
    fn value<T>(&mut self, text: &Option<Text>, default: T, parse: impl FnOnce(&str) -> Result<T, Flaw>) -> T {
        self.optional(text, parse).unwrap_or(default)
    }

    /// The value of a field that others are compared with: `missing` where it is missing, and `stand_in`, which nothing
    /// contradicts, where it is wrong.
    fn measure<T>(
        &mut self,
        text: &Option<Text>,
        missing: T,
        stand_in: T,
        parse: impl FnOnce(&str) -> Result<T, Flaw>,
    ) -> T {
        self.value(text, if text.is_some() { stand_in } else { missing }, parse)
    }

    /// The value of a field; `None` where it is missing or wrong.
    fn optional<T>(&mut self, text: &Option<Text>, parse: impl FnOnce(&str) -> Result<T, Flaw>) -> Option<T> {
        let text = text.as_ref()?;
        match parse(&text.text) {
            Ok(value) => Some(value),
            Err(flaw) => {
                self.refuse(text.path.clone(), flaw);
                None
            }
        }
    }

    /// The text of a field that every scenario has; empty where it is missing.
    fn required(
        &mut self,
        text: &Option<Text>,
        around: &FieldPath,
        key: &'static str,
        purpose: &'static str,
    ) -> String {
        match text {
            Some(text) if !text.text.is_empty() => text.text.clone(),
            _ => {
                self.refuse(around.clone(), Flaw::Missing { key, purpose });
                String::new()
            }
        }
    }

    /// A time that must not be 0.
    fn positive_time(&mut self, text: &Option<Text>, default_micros: u64) -> u64 {
        self.value(text, default_micros, positive_time)
    }

    fn latency(&mut self, raw: &Option<TextOrMap<raw::Latency>>, path: &FieldPath) -> Option<Latency> {
        let (median, p99) = match raw.as_ref()? {
            TextOrMap::Text(text) => {
                let micros = self.optional(&Some(text.clone()), units::time)?;
                return Some(Latency { median_micros: micros, p99_micros: micros });
            }
            TextOrMap::Map(latency) => (&latency.median, &latency.p99),
        };
        for (field, key) in [(median, "median"), (p99, "p99")] {
            if field.is_none() {
                self.refuse(path.clone(), Flaw::Missing { key, purpose: "write { median: 1ms, p99: 10ms }, or 1ms" });
            }
        }
        let (median_micros, p99_micros) = (self.optional(median, units::time)?, self.optional(p99, units::time)?);
        if p99_micros < median_micros {
            let (median, p99) = (units::time_text(median_micros), units::time_text(p99_micros));
            self.refuse(path.clone(), Contradiction::PercentileBelowMedian { median, p99 });
        }
        Some(Latency { median_micros, p99_micros })
    }

    /// A node's name; `None` where it is wrong.
    fn node(&mut self, text: &Text) -> Option<NodeId> {
        let count = self.node_count;
        self.optional(&Some(text.clone()), |name| node_name(name, count))
    }

    /// A node's name that must be there.
    fn node_required(&mut self, text: &Option<Text>, path: &FieldPath) -> Option<NodeId> {
        match text {
            Some(text) => self.node(text),
            None => {
                self.refuse(path.clone(), Flaw::Missing { key: "node", purpose: "which node, as in n1" });
                None
            }
        }
    }

    /// A node's name, or `any`; the latter where it is wrong.
    fn node_choice(&mut self, text: &Option<Text>, path: &FieldPath) -> NodeChoice {
        match text {
            Some(text) if text.text == "any" => NodeChoice::Any,
            Some(text) => self.node(text).map_or(NodeChoice::Any, NodeChoice::Named),
            None => {
                self.refuse(path.clone(), Flaw::Missing { key: "node", purpose: "which node, as in n1, or any" });
                NodeChoice::Any
            }
        }
    }

    /// The members of groups that may not overlap.
    fn groups(&mut self, groups: &[(&[Text], FieldPath)]) -> Vec<Vec<Member>> {
        let mut seen = Vec::new();
        let mut read = Vec::new();
        for (texts, path) in groups {
            if texts.is_empty() {
                self.refuse(path.clone(), Contradiction::GroupEmpty);
            }
            let mut members = Vec::new();
            for text in *texts {
                let Some(member) = self.member(text) else { continue };
                if seen.contains(&member) {
                    let member = member.to_string();
                    self.refuse(text.path.clone(), Contradiction::GroupsOverlap { member });
                }
                seen.push(member);
                members.push(member);
            }
            read.push(members);
        }
        read
    }

    fn member(&mut self, text: &Text) -> Option<Member> {
        let (node_count, client_count) = (self.node_count, self.client_count);
        self.optional(&Some(text.clone()), |name| member_name(name, node_count, client_count))
    }

    /// Senders and receivers, as two groups that do not overlap.
    fn senders_and_receivers(
        &mut self,
        from: &Option<Vec<Text>>,
        to: &Option<Vec<Text>>,
        path: &FieldPath,
    ) -> (Vec<Member>, Vec<Member>) {
        for (field, key, purpose) in [(from, "from", "who sends, as in [n1]"), (to, "to", "who receives, as in [n2]")] {
            if field.is_none() {
                self.refuse(path.clone(), Flaw::Missing { key, purpose });
            }
        }
        let (Some(from), Some(to)) = (from, to) else { return (Vec::new(), Vec::new()) };
        let mut groups = self.groups(&[(from, path.key("from")), (to, path.key("to"))]).into_iter();
        (groups.next().unwrap_or_default(), groups.next().unwrap_or_default())
    }

    /// A window of the workload's time.
    fn window(&mut self, text: &Option<Text>) -> Option<Window> {
        let range = self.optional(text, units::time_range)?;
        let window = Window { from_micros: range.least_micros, until_micros: range.most_micros };
        if window.from_micros == window.until_micros || window.until_micros > self.duration_micros {
            let path = text.as_ref().map(|text| text.path.clone()).unwrap_or_default();
            let end = units::time_text(self.duration_micros);
            self.refuse(path, Contradiction::WindowOutside { window: window.to_string(), end });
        }
        Some(window)
    }

    fn kind(&mut self, text: &Option<Text>) -> Option<OperationKind> {
        self.optional(text, |text| word(text, &OperationKind::ALL.map(|kind| (kind.name(), kind))))
    }
}

/// The meaning of one of a few words.
fn word<T: Copy>(text: &str, meanings: &[(&'static str, T)]) -> Result<T, Flaw> {
    if let Some((_, meaning)) = meanings.iter().find(|(word, _)| *word == text) {
        return Ok(*meaning);
    }
    let valid = || meanings.iter().map(|(word, _)| *word);
    Err(Flaw::UnknownWord {
        word: text.to_string(),
        nearest: nearest(text, valid()),
        valid: valid().map(str::to_string).collect(),
    })
}

fn positive_time(text: &str) -> Result<u64, Flaw> {
    units::within_bounds(text, units::time(text)?, 1, units::TIME_MICROS_MAX, units::time_text)
}

fn truth(text: &str) -> Result<bool, Flaw> {
    word(text, &[("true", true), ("false", false)])
}

fn node_name(name: &str, count: u16) -> Result<NodeId, Flaw> {
    match name.parse::<NodeId>() {
        Ok(node) if (1..=count).contains(&node.0) => Ok(node),
        Ok(_) => Err(Flaw::UnknownNode { node: name.to_string(), count: u64::from(count) }),
        Err(_) => Err(Flaw::NotUnderstood { text: name.to_string(), expected: "a node's name, as in n1" }),
    }
}

fn member_name(name: &str, node_count: u16, client_count: u32) -> Result<Member, Flaw> {
    let expected = "the name of a node or of a client, as in n1 or c0";
    let not_understood = Flaw::NotUnderstood { text: name.to_string(), expected };
    let Some(digits) = name.strip_prefix('c') else {
        return match node_name(name, node_count) {
            Ok(node) => Ok(Member::Node(node)),
            Err(Flaw::NotUnderstood { .. }) => Err(not_understood),
            Err(flaw) => Err(flaw),
        };
    };
    match units::whole_number(digits, 0, u64::from(u32::MAX)) {
        // `c01` and `c1` must not both be names of one client.
        Ok(number) if number.to_string() != digits => Err(not_understood),
        Ok(number) if number < u64::from(client_count) => Ok(Member::Client(number as u32)),
        Ok(_) => Err(Flaw::UnknownClient { client: name.to_string(), count: u64::from(client_count) }),
        Err(_) => Err(not_understood),
    }
}
