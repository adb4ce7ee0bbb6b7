//! How fast the database answered: percentiles of acknowledged operations, in microseconds of true time.
//!
//! Counted by HdrHistogram with three significant digits, so that a percentile is at most a thousandth too high; the
//! maximum is exact. An operation belongs to the phase of its invocation. What was not acknowledged has no latency and is
//! left to `availability`: read the two together, since a database that refuses whatever is slow looks fast here.
//!
//! ```text
//!   read     p50 1_204   p90 3_011   p99 9_870   p99.9 14_300   max 21_377     of 5_012
//! ```

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Phase;
use crate::history::{History, OperationKind};

/// Percentiles count what is slower as this slow.
const DAY_MICROS: u64 = 24 * 3_600 * 1_000_000;

/// Percentiles of one kind of operation, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Acknowledged operations.
    pub count: u64,
    /// Half were at most this.
    pub micros_p50: u64,
    /// Nine in ten were at most this.
    pub micros_p90: u64,
    /// 99 in a hundred were at most this.
    pub micros_p99: u64,
    /// 999 in a thousand were at most this.
    pub micros_p999: u64,
    /// The slowest.
    pub micros_max: u64,
}

/// Percentiles by kind; kinds without acknowledged operations are missing.
pub type ByKind = BTreeMap<OperationKind, Percentiles>;

/// Latency of a whole run, and of its phases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// All acknowledged operations.
    pub overall: ByKind,
    /// Those invoked in each phase, in the order given.
    pub by_phase: Vec<PhaseLatency>,
}

/// Latency in one phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhaseLatency {
    /// The phase.
    pub phase: Phase,
    /// The acknowledged operations invoked in it.
    pub by_kind: ByKind,
}

/// Measures the acknowledged operations of a history.
pub fn measure(history: &History, phases: &[Phase]) -> Latency {
    let whole = Phase { name: String::new(), from_micros: 0, until_micros: u64::MAX };
    let by_phase = phases
        .iter()
        .map(|phase| PhaseLatency { phase: phase.clone(), by_kind: measure_phase(history, phase) })
        .collect();
    Latency { overall: measure_phase(history, &whole), by_phase }
}

fn measure_phase(history: &History, phase: &Phase) -> ByKind {
    let mut counted: BTreeMap<OperationKind, (Histogram<u64>, u64)> = BTreeMap::new();
    for operation in history.operations.iter().filter(|operation| phase.contains(operation.invoked_micros)) {
        let Some(completed) = operation.completed_micros.filter(|_| operation.outcome.is_ok()) else { continue };
        let micros = completed.saturating_sub(operation.invoked_micros);
        let (histogram, slowest) = counted
            .entry(operation.kind)
            .or_insert_with(|| (Histogram::new_with_max(DAY_MICROS, 3).expect("three digits are allowed"), 0));
        histogram.saturating_record(micros);
        *slowest = micros.max(*slowest);
    }
    counted.into_iter().map(|(kind, (histogram, slowest))| (kind, percentiles(&histogram, slowest))).collect()
}

fn percentiles(histogram: &Histogram<u64>, micros_max: u64) -> Percentiles {
    // A bucket is named by its highest value, which may lie beyond the slowest operation.
    let at = |quantile| histogram.value_at_quantile(quantile).min(micros_max);
    Percentiles {
        count: histogram.len(),
        micros_p50: at(0.5),
        micros_p90: at(0.9),
        micros_p99: at(0.99),
        micros_p999: at(0.999),
        micros_max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::{Draft, UNKNOWN};

    fn history() -> History {
        let mut draft = Draft::default();
        for micros in 1..=1_000 {
            draft.read(1, "k", None, micros * 2_000..micros * 2_001);
        }
        draft.write(2, "k", "v1", 5..1_234_572);
        draft.write(3, "k", "v2", 5..9).ended(UNKNOWN);
        draft.finish()
    }

    #[test]
    fn percentiles_are_of_acknowledged_operations_by_kind() {
        let overall = measure(&history(), &[]).overall;
        let read = overall[&OperationKind::Read];
        assert_eq!((read.count, read.micros_p50, read.micros_p90, read.micros_p99), (1_000, 500, 900, 990));
        assert_eq!((read.micros_p999, read.micros_max), (999, 1_000));
        let write = overall[&OperationKind::Write];
        assert_eq!((write.count, write.micros_p50, write.micros_max), (1, 1_234_567, 1_234_567));
        assert!(!overall.contains_key(&OperationKind::Delete));
    }

    #[test]
    fn a_phase_counts_what_was_invoked_in_it() {
        let phase = Phase { name: "slow".into(), from_micros: 2_000, until_micros: 22_000 };
        let by_phase = measure(&history(), std::slice::from_ref(&phase)).by_phase;
        assert_eq!(by_phase[0].phase, phase);
        assert_eq!(by_phase[0].by_kind[&OperationKind::Read].count, 10);
        assert_eq!(by_phase[0].by_kind[&OperationKind::Read].micros_max, 10);
        assert!(!by_phase[0].by_kind.contains_key(&OperationKind::Write));
    }
}
