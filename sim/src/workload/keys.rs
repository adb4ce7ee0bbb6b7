//! Which key an operation is about: each as often as the next, or some far more often than others (Zipf).
//!
//! ```text
//!   zipf 0.99 over 4 keys       k0 ████████████████████   k1 ██████████   k2 ██████▋   k3 █████
//!   cumulative weights          0 ───────────────── w0 ────────── w0+w1 ──────── ... ── total
//!   a number below total falls into exactly one of the gaps
//! ```
//!
//! The k-th key's weight is k to the power of minus the exponent, as an integer of 40 fractional bits; choosing is an
//! integer drawn below the total and a binary search, exact for any exponent and count. The power comes from `libm`, so
//! that the table is the same on every machine; no float outlives its making. YCSB's "scrambled" zipf is left out: the
//! ring hashes keys anyway, so that neighbours in this order are no neighbours in the cluster.

use engine::world::Rng;

use crate::scenario::KeyDistribution;

/// Fractional bits of a weight. A million keys of weight 1 still sum up below 2^60.
const WEIGHT_BITS: u32 = 40;

/// Chooses among keys numbered from 0; the lowest numbers are the most used.
#[derive(Debug, Clone)]
pub struct KeyChooser {
    key_count: u32,
    /// The sum of the weights up to and with each key; empty where all are equal.
    cumulative_weights: Vec<u64>,
}

impl KeyChooser {
    /// A chooser among `key_count` keys, which must not be 0.
    pub fn new(key_count: u32, distribution: KeyDistribution) -> Self {
        assert!(key_count > 0, "a workload has at least one key");
        let mut cumulative_weights = Vec::new();
        if let KeyDistribution::Zipf { exponent_thousandths } = distribution {
            let exponent = f64::from(exponent_thousandths) / 1_000.0;
            let mut total = 0_u64;
            cumulative_weights.extend((1..=key_count).map(|rank| {
                let weight = libm::pow(f64::from(rank), -exponent) * (1_u64 << WEIGHT_BITS) as f64;
                // No key is so rare that it is never used.
                total += (weight as u64).max(1);
                total
            }));
        }
        Self { key_count, cumulative_weights }
    }

    /// The number of a key.
    pub fn choose(&self, rng: &mut Rng) -> u32 {
        match self.cumulative_weights.last() {
            None => rng.below(u64::from(self.key_count)) as u32,
            Some(total) => {
                let drawn = rng.below(*total);
                self.cumulative_weights.partition_point(|cumulative| *cumulative <= drawn) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(key_count: u32, distribution: KeyDistribution, draws: u32) -> Vec<u32> {
        let chooser = KeyChooser::new(key_count, distribution);
        let mut rng = Rng::from_seed(3);
        let mut counts = vec![0; key_count as usize];
        for _ in 0..draws {
            counts[chooser.choose(&mut rng) as usize] += 1;
        }
        counts
    }

    #[test]
    fn uniform_keys_are_used_equally() {
        let counts = counts(16, KeyDistribution::Uniform, 160_000);
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn zipf_keys_fall_off_with_their_rank_as_the_exponent_says() {
        let counts = counts(100, KeyDistribution::Zipf { exponent_thousandths: 1_000 }, 1_000_000);
        // The 100th harmonic number is 5.1874: the first key has 1,000,000 / 5.1874 = 192,775 of a million draws.
        for (rank, expected) in [(1_usize, 192_775_u32), (2, 96_388), (4, 48_194), (10, 19_278), (100, 1_928)] {
            let count = counts[rank - 1];
            assert!(count.abs_diff(expected) < expected / 10, "rank {rank}: {count} and not about {expected}");
        }
    }

    #[test]
    fn the_rarest_key_of_a_steep_distribution_is_still_possible() {
        let chooser = KeyChooser::new(1_000_000, KeyDistribution::Zipf { exponent_thousandths: 5_000 });
        assert!(chooser.cumulative_weights.windows(2).all(|pair| pair[0] < pair[1]));
        let mut rng = Rng::from_seed(1);
        assert!((0..1_000).all(|_| chooser.choose(&mut rng) < 1_000_000));
    }

    #[test]
    fn one_key_is_always_chosen() {
        assert_eq!(counts(1, KeyDistribution::Zipf { exponent_thousandths: 990 }, 100), [100]);
        assert_eq!(counts(1, KeyDistribution::Uniform, 100), [100]);
    }

    #[test]
    fn the_table_is_the_same_on_every_platform() {
        let chooser = KeyChooser::new(4, KeyDistribution::Zipf { exponent_thousandths: 990 });
        let weights: Vec<u64> = chooser.cumulative_weights.clone();
        assert_eq!(weights[0], 1 << WEIGHT_BITS);
        assert_eq!(weights, [1_099_511_627_776, 1_653_091_295_746, 2_023_643_827_082, 2_302_358_886_612]);
    }
}
