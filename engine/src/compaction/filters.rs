//! How filter memory is divided over the levels.
//!
//! ```text
//!   uniform    every level the same bits a key: most of the memory serves the last level, most lookups pass the others
//!   Monkey     false positive rate proportional to the size of the level: the same memory, fewer false positives in sum
//! ```
//!
//! Dayan, Athanassoulis and Idreos: Monkey, SIGMOD 2017. A Bloom filter with m bits a key has a rate of exp(-m ln²2). The
//! least sum of rates for a given memory has every rate proportional to its level's size, and 1 (no filter) where that
//! would be more.

/// ln²2, which a rate's logarithm falls by for each bit a key.
const LN2_SQUARED: f64 = 0.480_453_013_918_201_4;
/// No level gets more: 32 bits a key, one false positive in five million lookups.
const MILLIBITS_MOST: u64 = 32_000;

/// Thousandths of a bit a key for each level's filters, when all together may take `budget_millibits` a key on average.
/// `level_sizes` are the keys of each level (or bytes, when entries are alike), from the newest level on. A level
/// without keys gets the average.
pub fn filter_millibits(level_sizes: &[u64], budget_millibits: u64) -> Vec<u64> {
    let mut filtered: Vec<usize> = (0..level_sizes.len()).filter(|level| level_sizes[*level] > 0).collect();
    let keys: f64 = level_sizes.iter().map(|size| *size as f64).sum();
    // Rates are exp(scale) * size, and the memory they take is that of the budget: one equation for the scale.
    let memory = budget_millibits as f64 / 1_000.0 * keys * LN2_SQUARED;
    loop {
        let weight: f64 = filtered.iter().map(|level| level_sizes[*level] as f64).sum();
        let entropy: f64 =
            filtered.iter().map(|level| level_sizes[*level] as f64 * libm::log(level_sizes[*level] as f64)).sum();
        let scale = -(memory + entropy) / weight;
        let rate_log = |level: usize| scale + libm::log(level_sizes[level] as f64);
        let before = filtered.len();
        filtered.retain(|level| rate_log(*level) < 0.0);
        if filtered.len() == before {
            return (0..level_sizes.len())
                .map(|level| match level_sizes[level] {
                    0 => budget_millibits.min(MILLIBITS_MOST),
                    _ if filtered.contains(&level) => {
                        ((-rate_log(level) / LN2_SQUARED * 1_000.0) as u64).min(MILLIBITS_MOST)
                    }
                    _ => 0,
                })
                .collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(millibits: &[u64]) -> f64 {
        millibits.iter().map(|bits| libm::exp(-(*bits as f64) / 1_000.0 * LN2_SQUARED)).sum()
    }

    #[test]
    fn for_the_same_memory_the_rates_sum_up_to_less_than_with_the_same_bits_everywhere() {
        for sizes in [vec![1_000, 10_000, 100_000, 1_000_000], vec![7, 7_000, 70], vec![3, 4, 5, 1 << 40]] {
            for budget in [2_000, 5_000, 10_000, 16_000] {
                let divided = filter_millibits(&sizes, budget);
                let memory: u128 =
                    sizes.iter().zip(&divided).map(|(size, bits)| u128::from(*size) * u128::from(*bits)).sum();
                let uniform: u128 = sizes.iter().map(|size| u128::from(*size) * u128::from(budget)).sum();
                assert!(memory <= uniform, "{sizes:?} {budget} {divided:?}");
                let (divided_sum, uniform_sum) = (rates(&divided), rates(&vec![budget; sizes.len()]));
                assert!(divided_sum < uniform_sum * 0.95, "{sizes:?} {budget}: {divided_sum} {uniform_sum}");
            }
        }
    }

    #[test]
    fn rates_are_proportional_to_sizes_and_the_memory_is_used() {
        let divided = filter_millibits(&[1_000, 10_000, 100_000], 10_000);
        // A tenth of the size, a tenth of the rate: ln 10 / ln²2 = 4.7925 bits more.
        assert!(divided.windows(2).all(|pair| (4_792..=4_793).contains(&(pair[0] - pair[1]))), "{divided:?}");
        let memory = divided[0] * 1_000 + divided[1] * 10_000 + divided[2] * 100_000;
        assert!((9_990 * 111_000..=10_000 * 111_000).contains(&memory), "{divided:?}");
    }

    #[test]
    fn with_little_memory_the_largest_level_goes_without() {
        let divided = filter_millibits(&[100, 1_000, 1_000_000], 10);
        assert!(divided[2] == 0 && divided[0] > divided[1] && divided[1] > 5_000, "{divided:?}");
    }

    #[test]
    fn nothing_and_extremes_are_divided_without_surprise() {
        assert_eq!(filter_millibits(&[], 10_000), [0; 0]);
        assert_eq!(filter_millibits(&[0, 0], 10_000), [10_000, 10_000]);
        assert_eq!(filter_millibits(&[5, 5], 10_000), [10_000, 10_000]);
        assert_eq!(filter_millibits(&[0, 5, 0], 0), [0, 0, 0]);
        assert_eq!(filter_millibits(&[u64::MAX, 1], 1_000_000), [32_000, 32_000]);
    }
}
