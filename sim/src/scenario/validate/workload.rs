//! The sections `workload` and `at_least`: what the clients do, and how much of it must have succeeded.
//!
//! A workload that could not reach `at_least` even if every operation succeeded is refused: its verdict would be `vacuous`
//! for every seed.

use super::super::contradiction::Contradiction;
use super::super::errors::Flaw;
use super::super::path::FieldPath;
use super::super::plan::Recoveries;
use super::super::raw::{self, Text, TextOrMap};
use super::super::units;
use super::super::workload::{Coordinators, KeyDistribution, PerKind, WorkloadPlan};
use super::{Checker, positive_time, word};
use crate::history::OperationKind;
use cluster::coordinator::Level;

const CLIENTS_DEFAULT: u64 = 4;
const CLIENTS_MAX: u64 = 10_000;
const DURATION_MICROS_DEFAULT: u64 = 10_000_000;
const RATE_DEFAULT: u64 = 100;
const CLIENT_TIMEOUT_MICROS_DEFAULT: u64 = 2_000_000;
const KEYS_DEFAULT: u64 = 16;
const KEYS_MAX: u64 = 1_000_000;
const ZIPF_THOUSANDTHS_MAX: u64 = 5_000;
const WEIGHT_MAX: u64 = 1_000_000;
/// A value must hold the number that makes it unique.
pub(super) const VALUE_BYTES_LEAST: u64 = 16;
pub(super) const VALUE_BYTES_MOST: u64 = 1024 * 1024;
const VALUE_BYTES_DEFAULT: (u64, u64) = (16, 100);
/// Ok results demanded of each kind in the mix, unless the scenario says otherwise.
const AT_LEAST_DEFAULT: u64 = 100;

impl Checker {
    pub(super) fn workload(&mut self, raw: &raw::Workload, replication: u16, node_count: u16) -> WorkloadPlan {
        let path = FieldPath::root().key("workload");
        let (value_bytes_least, value_bytes_most) = self.value(&raw.value_bytes, VALUE_BYTES_DEFAULT, |text| {
            units::size_range(text, VALUE_BYTES_LEAST, VALUE_BYTES_MOST)
        });
        let coordinators =
            [("any", Coordinators::Any), ("owners", Coordinators::Owners), ("outsiders", Coordinators::Outsiders)];
        let coordinators = self.value(&raw.coordinators, Coordinators::Any, |text| word(text, &coordinators));
        if coordinators == Coordinators::Outsiders && replication >= node_count {
            self.refuse(path.key("coordinators"), Contradiction::NoOutsiders);
        }
        let keys = raw.keys.clone().unwrap_or_default();
        WorkloadPlan {
            client_count: self
                .measure(&raw.clients, CLIENTS_DEFAULT, CLIENTS_MAX, |text| units::whole_number(text, 1, CLIENTS_MAX))
                as u32,
            duration_micros: self.measure(
                &raw.duration,
                DURATION_MICROS_DEFAULT,
                units::TIME_MICROS_MAX,
                positive_time,
            ),
            operations_per_second: self.measure(&raw.rate, RATE_DEFAULT, units::RATE_MAX, units::rate),
            client_timeout_micros: self.positive_time(&raw.timeout, CLIENT_TIMEOUT_MICROS_DEFAULT),
            key_count: self.value(&keys.count, KEYS_DEFAULT, |text| units::whole_number(text, 1, KEYS_MAX)) as u32,
            distribution: self.distribution(&keys.distribution, &path.key("keys").key("distribution")),
            mix: self.mix(&raw.mix, &path.key("mix")),
            consistency: self.consistency(&raw.consistency.clone().unwrap_or_default(), u64::from(replication)),
            value_bytes_least: value_bytes_least as u32,
            value_bytes_most: value_bytes_most as u32,
            coordinators,
            operations: Vec::new(),
        }
    }

    fn distribution(&mut self, raw: &Option<TextOrMap<raw::Distribution>>, path: &FieldPath) -> KeyDistribution {
        let zipf = match raw {
            None => return KeyDistribution::Uniform,
            Some(TextOrMap::Text(text)) => {
                let words = [("uniform", KeyDistribution::Uniform)];
                return self.value(&Some(text.clone()), KeyDistribution::Uniform, |text| word(text, &words));
            }
            Some(TextOrMap::Map(distribution)) => &distribution.zipf,
        };
        if zipf.is_none() {
            let purpose = "its exponent, as in { zipf: 0.99 }";
            self.refuse(path.clone(), Flaw::Missing { key: "zipf", purpose });
        }
        match self.optional(zipf, |text| units::exponent_thousandths(text, ZIPF_THOUSANDTHS_MAX)) {
            Some(exponent) => KeyDistribution::Zipf { exponent_thousandths: exponent as u32 },
            None => KeyDistribution::Uniform,
        }
    }

    /// Half reads and half writes where nothing is said; where something is, a kind that is left out is never sent.
    fn mix(&mut self, raw: &Option<raw::PerKind>, path: &FieldPath) -> PerKind<u32> {
        let Some(raw) = raw else { return PerKind { read: 50, write: 50, delete: 0 } };
        let mut weight =
            |text: &Option<Text>| self.measure(text, 0, 1, |text| units::whole_number(text, 0, WEIGHT_MAX)) as u32;
        let mix = PerKind { read: weight(&raw.read), write: weight(&raw.write), delete: weight(&raw.delete) };
        if weight_total(&mix) == 0 {
            self.refuse(path.clone(), Contradiction::MixAllZero);
        }
        mix
    }

    fn consistency(&mut self, raw: &raw::PerKind, replication: u64) -> PerKind<Level> {
        let mut level = |text: &Option<Text>| self.optional(text, |text| level(text, replication));
        let (read, write, delete) = (level(&raw.read), level(&raw.write), level(&raw.delete));
        let write = write.unwrap_or(Level::Quorum);
        PerKind { read: read.unwrap_or(Level::Quorum), write, delete: delete.unwrap_or(write) }
    }

    pub(super) fn at_least_recoveries(&mut self, raw: &raw::AtLeast) -> Recoveries {
        let mut demand = |text| self.value(text, 0, |text| units::whole_number(text, 0, u64::from(u32::MAX)));
        Recoveries { torn_tails: demand(&raw.torn_tails), interrupted: demand(&raw.interrupted_recoveries) }
    }

    pub(super) fn at_least(&mut self, raw: &raw::AtLeast, workload: &WorkloadPlan) -> PerKind<u64> {
        let path = FieldPath::root().key("at_least");
        let mut demand = |text: &Option<Text>, kind: OperationKind| {
            let weight = workload.mix.of(kind);
            // Of operations that are listed, one of each kind must have worked.
            let default = if workload.operations.is_empty() { AT_LEAST_DEFAULT } else { 1 };
            let default = if weight > 0 { default } else { 0 };
            let demanded = self.value(text, default, |text| units::whole_number(text, 0, u64::from(u32::MAX)));
            let sent = expected_operations(workload, weight);
            let refusal = if weight == 0 && demanded > 0 {
                Contradiction::DemandOnAbsentKind { demanded }
            } else if demanded > sent && weight_total(&workload.mix) > 0 {
                Contradiction::DemandExceedsWorkload { demanded, sent }
            } else {
                return demanded;
            };
            self.refuse(text.as_ref().map_or_else(|| path.key(kind.name()), |text| text.path.clone()), refusal);
            demanded
        };
        PerKind {
            read: demand(&raw.read, OperationKind::Read),
            write: demand(&raw.write, OperationKind::Write),
            delete: demand(&raw.delete, OperationKind::Delete),
        }
    }
}

fn weight_total(mix: &PerKind<u32>) -> u64 {
    OperationKind::ALL.iter().map(|kind| u64::from(mix.of(*kind))).sum()
}

/// About how many operations with this weight in the mix a run sends.
fn expected_operations(workload: &WorkloadPlan, weight: u32) -> u64 {
    if !workload.operations.is_empty() {
        return u64::from(weight);
    }
    let operations = u128::from(workload.operations_per_second) * u128::from(workload.duration_micros) / 1_000_000;
    (operations * u128::from(weight) / u128::from(weight_total(&workload.mix).max(1))) as u64
}

fn level(text: &str, replication: u64) -> Result<Level, Flaw> {
    let levels = [("one", Level::ONE), ("quorum", Level::Quorum), ("all", Level::All)];
    match units::whole_number(text, 1, u64::from(u16::MAX)) {
        Ok(level) if level > replication => Err(Contradiction::LevelExceedsReplication { level, replication }.into()),
        // Replication is far below 255.
        Ok(level) => Ok(Level::Number(level as u8)),
        Err(Flaw::OutOfBounds { .. }) => Err(Contradiction::LevelExceedsReplication { level: 0, replication }.into()),
        Err(_) => word(text, &levels),
    }
}
