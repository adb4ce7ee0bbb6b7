//! How long a thing takes: a distribution with a tail, drawn by integers alone.
//!
//! ```text
//!   micros
//!   4 x p99 ┤                                            ╭ the slowest in a thousand: 2 to 4 times p99
//!   2 x p99 ┤                                           ╭╯
//!       p99 ┤                                       ╭───╯
//!    median ┤                  ╭────────────────────╯
//!  median/2 ┼──────────────────╯
//!           0                 50%                 90% 99% 99.9%
//! ```
//!
//! A draw picks a point of the horizontal axis evenly and interpolates between the corners. No logarithm, no float: the
//! same seed draws the same latencies on every machine. It has the shape of a log-normal, not its formula.

use engine::world::Rng;

/// A distribution of durations, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Micros at each of [`CORNERS`].
    corners: [u64; CORNERS.len()],
}

/// The share of draws below each corner, in parts per million.
const CORNERS: [u64; 6] = [0, 500_000, 900_000, 990_000, 999_000, 1_000_000];

impl Latency {
    /// Always the same.
    pub const fn fixed(micros: u64) -> Self {
        Self { corners: [micros; CORNERS.len()] }
    }

    /// Half of all draws below `median_micros`, 99 of 100 below `p99_micros` (which is taken to be at least the median),
    /// none below half the median or above four times the 99th percentile.
    pub const fn quantiles(median_micros: u64, p99_micros: u64) -> Self {
        let p99 = if p99_micros > median_micros { p99_micros } else { median_micros };
        let p90 = median_micros + (p99 - median_micros) / 4;
        Self { corners: [median_micros / 2, median_micros, p90, p99, p99 * 2, p99 * 4] }
    }

    /// The same shape, `factor` times as long.
    pub fn times(self, factor: u64) -> Self {
        Self { corners: self.corners.map(|micros| micros.saturating_mul(factor)) }
    }

    /// The median, in microseconds.
    pub fn median_micros(&self) -> u64 {
        self.corners[1]
    }

    /// One draw, in microseconds. A fixed latency draws nothing from the stream.
    #[inline]
    pub(super) fn draw(&self, rng: &mut Rng) -> u64 {
        if self.corners[0] == self.corners[CORNERS.len() - 1] {
            return self.corners[0];
        }
        let position = rng.below(1_000_000);
        let upper = CORNERS.iter().position(|corner| position < *corner).expect("the last corner is above every draw");
        let (from, to) = (CORNERS[upper - 1], CORNERS[upper]);
        let (low, high) = (self.corners[upper - 1], self.corners[upper]);
        low + (high - low) * (position - from) / (to - from)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails to unwrap has failed")]

    use super::*;

    #[test]
    fn draws_have_the_asked_median_and_99th_percentile_and_a_tail_of_four_times_that() {
        let latency = Latency::quantiles(1_000, 10_000);
        let mut rng = Rng::from_seed(1);
        let mut draws: Vec<u64> = (0..100_000).map(|_| latency.draw(&mut rng)).collect();
        draws.sort_unstable();
        assert!((980..=1_020).contains(&draws[50_000]), "median {}", draws[50_000]);
        assert!((9_500..=10_500).contains(&draws[99_000]), "p99 {}", draws[99_000]);
        assert!(draws[0] >= 500 && *draws.last().unwrap() <= 40_000);
        assert!(*draws.last().unwrap() > 30_000, "no tail: {:?}", draws.last());
    }

    #[test]
    fn a_fixed_latency_is_always_the_same_and_draws_nothing() {
        let mut rng = Rng::from_seed(1);
        assert_eq!(Latency::fixed(7).draw(&mut rng), 7);
        assert_eq!(rng.next_u64(), Rng::from_seed(1).next_u64());
    }
}
