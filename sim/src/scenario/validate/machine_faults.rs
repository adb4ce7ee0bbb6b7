//! Faults of clocks and of whole machines.
//! What is refused is told with the field's path and, for a name, the nearest one that exists.

use super::super::contradiction::Contradiction;
use super::super::errors::Flaw;
use super::super::fault::{Action, Power};
use super::super::path::FieldPath;
use super::super::raw;
use super::super::units::{self, TimeRange};
use super::Checker;

const STROBE_MICROS_LEAST: u64 = 1_000;
const BETWEEN_DEFAULT: TimeRange = TimeRange { least_micros: 500_000, most_micros: 500_000 };

impl Checker {
    /// The action of a fault that has one of those read here.
    pub(super) fn machine_action(&mut self, raw: &raw::Fault, path: &FieldPath) -> Option<Action> {
        if let Some(skew) = &raw.clock_skew {
            let node = self.node_choice(&skew.node, path);
            return Some(Action::ClockSkew { node, by_micros: self.step(&skew.by, path) });
        }
        if let Some(drift) = &raw.clock_drift {
            if drift.by.is_none() {
                self.refuse(path.clone(), Flaw::Missing { key: "by", purpose: "how much too fast, as in 500ppm" });
            }
            let by_ppm = self.value(&drift.by, 1, units::drift);
            if by_ppm == 0 {
                self.refuse(path.key("by"), Contradiction::ChangesNothing);
            }
            return Some(Action::ClockDrift { node: self.node_choice(&drift.node, path), by_ppm });
        }
        if let Some(strobe) = &raw.clock_strobe {
            return Some(self.strobe(strobe, path));
        }
        if let Some(freeze) = &raw.freeze {
            return Some(Action::Freeze { node: self.node_choice(&freeze.node, path) });
        }
        if let Some(slow) = &raw.slow_node {
            let node = self.node_choice(&slow.node, path);
            return Some(Action::SlowNode { node, factor: self.factor(&slow.by, path) });
        }
        let rolling = raw.rolling_restart.as_ref()?;
        Some(Action::RollingRestart {
            power: self.power(&rolling.power, Power::Kept),
            down: self.down(&rolling.down),
            between: self.value(&rolling.between, BETWEEN_DEFAULT, units::time_range),
        })
    }

    fn strobe(&mut self, raw: &raw::ClockStrobe, path: &FieldPath) -> Action {
        if raw.every.is_none() {
            let purpose = "how often it jumps, as in 10ms";
            self.refuse(path.clone(), Flaw::Missing { key: "every", purpose });
        }
        let every_micros = self.value(&raw.every, STROBE_MICROS_LEAST, |text| {
            let most = units::TIME_MICROS_MAX;
            units::within_bounds(text, units::time(text)?, STROBE_MICROS_LEAST, most, units::time_text)
        });
        let by_micros = self.step(&raw.by, path);
        Action::ClockStrobe { node: self.node_choice(&raw.node, path), by_micros, every_micros }
    }
}
