//! How long operations take, as percentiles (HDR histograms), of a sample that costs next to nothing.
//!
//! ```text
//!   get     one key in sixteen, chosen by its hash        write   one batch in sixteen
//!   scan    every one
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// One operation in so many is timed.
const SAMPLE: u64 = 16;

/// Longer latencies count as a minute.
const NANOS_MAX: u64 = 60_000_000_000;

/// Percentiles of one kind of operation, in nanoseconds. All zero while nothing was timed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LatencyStatistics {
    /// Operations that were timed: one in sixteen of point reads and writes, every scan.
    pub samples: u64,
    /// Half of them took at most this long.
    pub p50_nanos: u64,
    /// 90 in 100.
    pub p90_nanos: u64,
    /// 99 in 100.
    pub p99_nanos: u64,
    /// 999 in 1,000.
    pub p999_nanos: u64,
    /// The longest.
    pub max_nanos: u64,
}

/// The latencies of one kind of operation.
#[derive(Debug)]
pub(super) struct Latency {
    histogram: Mutex<Histogram<u64>>,
    asked: AtomicU64,
}

impl Latency {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, NANOS_MAX, 2).expect("two digits up to a minute can be had");
        Self { histogram: Mutex::new(histogram), asked: AtomicU64::new(0) }
    }

    /// Whether the operation with this number is timed.
    pub(super) fn is_sampled(number: u64) -> bool {
        number.is_multiple_of(SAMPLE)
    }

    /// Whether the operation that asks is timed: every sixteenth is.
    pub(super) fn is_next_sampled(&self) -> bool {
        Self::is_sampled(self.asked.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn record(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(NANOS_MAX).clamp(1, NANOS_MAX);
        self.histogram.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(nanos);
    }

    pub(super) fn statistics(&self) -> LatencyStatistics {
        let histogram = self.histogram.lock().unwrap_or_else(PoisonError::into_inner);
        if histogram.is_empty() {
            return LatencyStatistics::default();
        }
        let at = |quantile| histogram.value_at_quantile(quantile);
        LatencyStatistics {
            samples: histogram.len(),
            p50_nanos: at(0.5),
            p90_nanos: at(0.9),
            p99_nanos: at(0.99),
            p999_nanos: at(0.999),
            max_nanos: histogram.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_come_from_what_was_recorded() {
        let latency = Latency::new();
        assert_eq!(latency.statistics(), LatencyStatistics::default());
        (1..=1_000).for_each(|micros| latency.record(Duration::from_micros(micros)));
        let found = latency.statistics();
        assert_eq!(found.samples, 1_000);
        let close = |found: u64, expected: u64| found.abs_diff(expected) * 50 <= expected;
        assert!(close(found.p50_nanos, 500_000) && close(found.p99_nanos, 990_000), "{found:?}");
        assert!(close(found.max_nanos, 1_000_000), "{found:?}");
        assert_eq!((0..160).filter(|_| latency.is_next_sampled()).count(), 10);
    }
}
