//! Popularity as YCSB has it: a few keys get most of the requests, and they lie scattered over the key space.
//!
//! ```text
//!   rank r is asked for with a probability of (1 / (r + 1)^0.99) / zeta(ranks)
//! ```
//!
//! The generator is the one of Gray et al., "Quickly generating billion-record synthetic databases" (1994), which YCSB
//! uses; the ranks are scattered by the random order of the keys instead of by YCSB's hash, so that no two ranks meet.

use crate::data::Random;

const THETA: f64 = 0.99;

/// Gives out ranks, the most popular being 0.
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    ranks: f64,
    zeta: f64,
    alpha: f64,
    eta: f64,
}

impl Zipf {
    /// Ranks below `ranks`. Takes a power for each of them.
    pub(crate) fn new(ranks: u64) -> Self {
        let zeta_of = |end: u64| (1..=end).map(|rank| 1.0 / (rank as f64).powf(THETA)).sum::<f64>();
        let zeta = zeta_of(ranks);
        let eta = (1.0 - (2.0 / ranks as f64).powf(1.0 - THETA)) / (1.0 - zeta_of(2.min(ranks)) / zeta);
        Self { ranks: ranks as f64, zeta, alpha: 1.0 / (1.0 - THETA), eta }
    }

    /// The next rank.
    pub(crate) fn rank(&self, random: &mut Random) -> u64 {
        let fraction = random.fraction();
        let scaled = fraction * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5_f64.powf(THETA) {
            return 1.min(self.ranks as u64 - 1);
        }
        let rank = self.ranks * (self.eta * fraction - self.eta + 1.0).powf(self.alpha);
        (rank as u64).min(self.ranks as u64 - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rank_gets_its_share_and_none_is_outside() {
        let zipf = Zipf::new(1000);
        let mut random = Random::new(3);
        let ranks: Vec<u64> = (0..100_000).map(|_| zipf.rank(&mut random)).collect();
        assert!(ranks.iter().all(|rank| *rank < 1000));
        let first = ranks.iter().filter(|rank| **rank == 0).count();
        // zeta(1000, 0.99) is 7.73: one in 7.73.
        assert!((12_000..14_000).contains(&first), "{first}");
    }
}
