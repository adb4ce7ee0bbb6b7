//! The section `faults`: what goes wrong, when, and for how long.
//!
//! A fault that might never fire is refused here, because a run without it would be `vacuous`. So is one that overlaps
//! itself: ending the first occurrence would end the second.

use super::super::contradiction::Contradiction;
use super::super::errors::Flaw;
use super::super::fault::{Action, Again, FaultPlan, Power, Times, Victims};
use super::super::link::Member;
use super::super::path::FieldPath;
use super::super::raw::{self, Text};
use super::super::units::{self, TimeRange};
use super::{Checker, word};

const OCCURRENCES_MAX: u64 = 100_000;
const EVERY_MICROS_LEAST: u64 = 1_000;
const DOWN_DEFAULT: TimeRange = TimeRange { least_micros: 1_000_000, most_micros: 3_000_000 };
const AGAIN_TIMES_MAX: u64 = 100;
const FACTOR_MAX: u64 = 1_000_000;

const CRASH_LASTS: &str = "a crash lasts as long as its own `down` says";
const STEP_LASTS: &str = "a clock step is not undone";
const DOWN_LASTS: &str = "it lasts as long as its own `down` says";
const ROT_LASTS: &str = "what has rotted is not undone";

impl Checker {
    pub(super) fn faults(&mut self, raw: &[raw::Fault]) -> Vec<FaultPlan> {
        let path = FieldPath::root().key("faults");
        let read: Vec<(usize, FaultPlan)> = raw
            .iter()
            .enumerate()
            .filter_map(|(position, fault)| Some((position, self.fault(fault, &path.index(position))?)))
            .collect();
        self.one_owner_a_setting(&read);
        self.events_happen(&read, raw.len());
        read.into_iter().map(|(_, fault)| fault).collect()
    }

    fn fault(&mut self, raw: &raw::Fault, path: &FieldPath) -> Option<FaultPlan> {
        let times = self.times(raw, path);
        let action = self.action(raw, path);
        let lasts = self.optional(&raw.r#for, units::time_range);
        if let (Some(text), Some(TimeRange { least_micros: 0, .. })) = (&raw.r#for, lasts) {
            self.refuse(text.path.clone(), Contradiction::ChangesNothing);
        }
        let (times, action) = (times?, action?);
        let reason = match action {
            Action::Crash { .. } => Some(CRASH_LASTS),
            Action::ClockStep { .. } => Some(STEP_LASTS),
            Action::Wipe { .. } | Action::RestoreBackup { .. } | Action::RollingRestart { .. } => Some(DOWN_LASTS),
            Action::BitRot { .. } => Some(ROT_LASTS),
            _ => None,
        };
        match (reason, times, lasts) {
            (Some(reason), _, Some(_)) => self.refuse(path.key("for"), Contradiction::ForMeansNothing { reason }),
            (None, Times::Every { .. }, None) if raw.r#for.is_none() => {
                self.refuse(path.clone(), Contradiction::EveryNeedsFor);
            }
            (None, Times::Every { every, .. }, Some(lasts)) if lasts.most_micros > every.least_micros => {
                let longest = units::time_text(lasts.most_micros);
                let shortest = units::time_text(every.least_micros);
                self.refuse(path.key("for"), Contradiction::OverlapsItself { longest, shortest });
            }
            _ => {}
        }
        if let Action::RestoreBackup { taken_micros, .. } = action {
            self.taken_before(taken_micros, times, path);
        }
        Some(FaultPlan { times, lasts, action })
    }

    /// A copy must be there before it can be put back.
    fn taken_before(&mut self, taken_micros: u64, times: Times, path: &FieldPath) {
        let first_micros = match times {
            Times::At { micros } => micros,
            Times::Every { every, from_micros, .. } => from_micros + every.least_micros,
            Times::When(trigger) => trigger.from_micros,
        };
        if taken_micros >= first_micros {
            let (taken, at) = (units::time_text(taken_micros), units::time_text(first_micros));
            let path = path.key("restore_backup").key("taken");
            self.refuse(path, Contradiction::BackupFromTheFuture { taken, at });
        }
    }

    fn times(&mut self, raw: &raw::Fault, path: &FieldPath) -> Option<Times> {
        match (&raw.at, &raw.every, &raw.when) {
            (None, None, Some(when)) => {
                if let Some(text) = &raw.until {
                    self.refuse(text.path.clone(), Contradiction::OnlyWithEvery { key: "until" });
                }
                let from_micros = self.value(&raw.from, 0, units::time);
                if let Some(text) = &raw.from {
                    self.before_the_end(from_micros, text);
                }
                self.trigger(when, from_micros, &path.key("when")).map(Times::When)
            }
            (Some(at), None, None) => {
                for (field, key) in [(&raw.from, "from"), (&raw.until, "until")] {
                    if let Some(text) = field {
                        self.refuse(text.path.clone(), Contradiction::OnlyWithEvery { key });
                    }
                }
                let micros = self.optional(&raw.at, units::time)?;
                self.before_the_end(micros, at);
                Some(Times::At { micros })
            }
            (None, Some(every), None) => self.times_every(raw, every),
            _ => {
                self.refuse(path.clone(), Contradiction::OneOfAtAndEvery);
                None
            }
        }
    }

    fn times_every(&mut self, raw: &raw::Fault, every_text: &Text) -> Option<Times> {
        let end_micros = self.duration_micros;
        let every = self.optional(&raw.every, |text| {
            let every = units::time_range(text)?;
            let most = units::TIME_MICROS_MAX;
            units::within_bounds(text, every.least_micros, EVERY_MICROS_LEAST, most, units::time_text)?;
            Ok(every)
        })?;
        let from_micros = self.value(&raw.from, 0, units::time);
        let until_micros = self.value(&raw.until, end_micros, units::time);
        if let Some(until) = raw.until.as_ref().filter(|_| until_micros > end_micros) {
            self.refuse(until.path.clone(), Contradiction::AfterTheEnd { end: units::time_text(end_micros) });
        }
        let first_micros_most = from_micros + every.most_micros;
        if first_micros_most > until_micros || first_micros_most >= end_micros {
            let (first, until) = (units::time_text(first_micros_most), units::time_text(until_micros.min(end_micros)));
            self.refuse(every_text.path.clone(), Contradiction::MayNeverFire { first, until });
        }
        let times = until_micros.saturating_sub(from_micros) / every.least_micros;
        if times > OCCURRENCES_MAX {
            self.refuse(every_text.path.clone(), Contradiction::TooOften { times, times_max: OCCURRENCES_MAX });
        }
        Some(Times::Every { every, from_micros, until_micros })
    }

    pub(super) fn before_the_end(&mut self, micros: u64, text: &Text) {
        if micros >= self.duration_micros {
            let end = units::time_text(self.duration_micros);
            self.refuse(text.path.clone(), Contradiction::AfterTheEnd { end });
        }
    }

    fn action(&mut self, raw: &raw::Fault, path: &FieldPath) -> Option<Action> {
        let found: Vec<&str> = actions_named(raw).into_iter().filter_map(|(key, given)| given.then_some(key)).collect();
        let [key] = found[..] else {
            let valid = actions_named(raw).map(|(key, _)| key).join(", ");
            let found = if found.is_empty() { "none".to_string() } else { found.join(" and ") };
            self.refuse(path.clone(), Contradiction::OneAction { valid, found });
            return None;
        };
        let path = &path.key(key);
        self.simple_action(raw, path)
            .or_else(|| self.disk_action(raw, path))
            .or_else(|| self.network_action(raw, path))
            .or_else(|| self.machine_action(raw, path))
    }

    /// The action of a fault that has one of those read here; its neighbours read the others.
    fn simple_action(&mut self, raw: &raw::Fault, path: &FieldPath) -> Option<Action> {
        if let Some(groups) = &raw.partition {
            return Some(Action::Partition { groups: self.partition(groups, path) });
        }
        if let Some(one_way) = &raw.partition_one_way {
            let (from, to) = self.senders_and_receivers(&one_way.from, &one_way.to, path);
            return Some(Action::PartitionOneWay { from, to });
        }
        if let Some(isolate) = &raw.isolate {
            if self.node_count == 1 {
                self.refuse(path.clone(), Contradiction::NobodyToIsolateFrom);
            }
            return Some(Action::Isolate { node: self.node_choice(&isolate.node, path) });
        }
        if let Some(pause) = &raw.pause {
            return Some(Action::Pause { node: self.node_choice(&pause.node, path) });
        }
        if let Some(crash) = &raw.crash {
            return Some(self.crash(crash, path));
        }
        if let Some(slow) = &raw.slow_disk {
            let node = self.node_choice(&slow.node, path);
            return Some(Action::SlowDisk { node, factor: self.factor(&slow.by, path) });
        }
        if let Some(step) = &raw.clock_step {
            let node = self.node_choice(&step.node, path);
            return Some(Action::ClockStep { node, by_micros: self.step(&step.by, path) });
        }
        if let Some(slow) = &raw.slow_link {
            return self.slow_link(slow, path);
        }
        raw.network.as_ref().map(|weather| self.weather(weather, path))
    }

    /// The groups of a partition.
    pub(super) fn partition(&mut self, groups: &[Vec<Text>], path: &FieldPath) -> Vec<Vec<Member>> {
        if groups.len() < 2 {
            self.refuse(path.clone(), Contradiction::PartitionOfOneGroup);
        }
        let placed: Vec<_> =
            groups.iter().enumerate().map(|(position, group)| (group.as_slice(), path.index(position))).collect();
        self.groups(&placed)
    }
    fn crash(&mut self, raw: &raw::Crash, path: &FieldPath) -> Action {
        let victims = match &raw.node {
            Some(text) if text.text == "all" => Victims::All,
            _ => Victims::One(self.node_choice(&raw.node, path)),
        };
        let again = raw.again.as_ref().map(|again| {
            if again.after.is_none() {
                let purpose = "how long after its restart it crashes again, as in 100us..5ms";
                self.refuse(path.key("again"), Flaw::Missing { key: "after", purpose });
            }
            Again {
                after: self.value(&again.after, TimeRange::fixed(0), units::time_range),
                times: self.value(&again.times, 1, |text| units::whole_number(text, 1, AGAIN_TIMES_MAX)) as u32,
            }
        });
        Action::Crash { victims, power: self.power(&raw.power, Power::Lost), down: self.down(&raw.down), again }
    }

    pub(super) fn power(&mut self, raw: &Option<Text>, default: Power) -> Power {
        self.value(raw, default, |text| word(text, &[("lost", Power::Lost), ("kept", Power::Kept)]))
    }

    /// How long a node is gone.
    pub(super) fn down(&mut self, raw: &Option<Text>) -> TimeRange {
        self.value(raw, DOWN_DEFAULT, units::time_range)
    }

    pub(super) fn factor(&mut self, by: &Option<Text>, path: &FieldPath) -> u32 {
        if by.is_none() {
            self.refuse(path.clone(), Flaw::Missing { key: "by", purpose: "how many times as slow, as in 50" });
        }
        self.value(by, 2, |text| units::whole_number(text, 2, FACTOR_MAX)) as u32
    }

    pub(super) fn step(&mut self, by: &Option<Text>, path: &FieldPath) -> i64 {
        if by.is_none() {
            self.refuse(path.clone(), Flaw::Missing { key: "by", purpose: "how far, as in -300ms" });
        }
        let by_micros = self.value(by, 1, units::time_signed);
        if by_micros == 0 {
            self.refuse(path.key("by"), Contradiction::ChangesNothing);
        }
        by_micros
    }

    fn slow_link(&mut self, raw: &raw::SlowLink, path: &FieldPath) -> Option<Action> {
        if raw.latency.is_none() {
            self.refuse(path.clone(), Flaw::Missing { key: "latency", purpose: "how slow, as in 100ms" });
        }
        let (from, to) = self.senders_and_receivers(&raw.from, &raw.to, path);
        let latency = self.latency(&raw.latency, &path.key("latency"))?;
        Some(Action::SlowLink { from, to, latency })
    }

    fn weather(&mut self, raw: &raw::Weather, path: &FieldPath) -> Action {
        if raw.latency.is_none() && raw.loss.is_none() && raw.duplicate.is_none() {
            self.refuse(path.clone(), Contradiction::ChangesNothing);
        }
        Action::Network {
            latency: self.latency(&raw.latency, &path.key("latency")),
            loss_ppm: self.optional(&raw.loss, units::share),
            duplicate_ppm: self.optional(&raw.duplicate, units::share),
        }
    }
}

/// The keys that are actions, and whether this fault has them.
fn actions_named(raw: &raw::Fault) -> [(&'static str, bool); 39] {
    [
        ("partition", raw.partition.is_some()),
        ("partition_one_way", raw.partition_one_way.is_some()),
        ("isolate", raw.isolate.is_some()),
        ("bridge", raw.bridge.is_some()),
        ("majorities_ring", raw.majorities_ring.is_some()),
        ("flapping", raw.flapping.is_some()),
        ("slow_link", raw.slow_link.is_some()),
        ("network", raw.network.is_some()),
        ("drop", raw.drop.is_some()),
        ("delay", raw.delay.is_some()),
        ("duplicate", raw.duplicate.is_some()),
        ("corrupt", raw.corrupt.is_some()),
        ("clog", raw.clog.is_some()),
        ("half_open", raw.half_open.is_some()),
        ("capacity", raw.capacity.is_some()),
        ("drip", raw.drip.is_some()),
        ("disk_error", raw.disk_error.is_some()),
        ("short_read", raw.short_read.is_some()),
        ("misdirected_read", raw.misdirected_read.is_some()),
        ("misdirected_write", raw.misdirected_write.is_some()),
        ("lost_write", raw.lost_write.is_some()),
        ("lying_sync", raw.lying_sync.is_some()),
        ("full_disk", raw.full_disk.is_some()),
        ("throttled_disk", raw.throttled_disk.is_some()),
        ("slow_disk", raw.slow_disk.is_some()),
        ("stalled_disk", raw.stalled_disk.is_some()),
        ("read_only_disk", raw.read_only_disk.is_some()),
        ("bit_rot", raw.bit_rot.is_some()),
        ("wipe", raw.wipe.is_some()),
        ("restore_backup", raw.restore_backup.is_some()),
        ("clock_step", raw.clock_step.is_some()),
        ("clock_skew", raw.clock_skew.is_some()),
        ("clock_drift", raw.clock_drift.is_some()),
        ("clock_strobe", raw.clock_strobe.is_some()),
        ("pause", raw.pause.is_some()),
        ("freeze", raw.freeze.is_some()),
        ("crash", raw.crash.is_some()),
        ("slow_node", raw.slow_node.is_some()),
        ("rolling_restart", raw.rolling_restart.is_some()),
    ]
}
