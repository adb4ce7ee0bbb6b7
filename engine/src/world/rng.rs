//! Randomness: the only source of it in engine and cluster, a ChaCha8 stream that is the same on every platform.
//!
//! Decisions use integers. Where a probability is needed it is a ratio (`chance(1, 1000)`), never a float.

use std::ops::Range;

use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// A seeded random stream. Not cryptographic: whoever knows the seed knows the stream.
#[derive(Debug, Clone)]
pub struct Rng {
    seed: u64,
    stream: ChaCha8Rng,
}

impl Rng {
    /// The stream of `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self { seed, stream: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// An independent stream for the purpose that `label` names: the same parent seed and label give the same stream,
    /// however much was drawn from the parent.
    pub fn fork(&self, label: &str) -> Self {
        // FNV-1a over seed and label: any fixed mixing serves, ChaCha8's key setup does the rest.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in self.seed.to_le_bytes().into_iter().chain(label.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self::from_seed(hash)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// A number below `bound`, each as likely as the next (Lemire's multiplication; the bias is below 2^-64 times the
    /// bound). `bound` must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a number below 0 was asked for");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `range`, which must not be empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        assert!(range.start < range.end, "a number within an empty range was asked for");
        range.start + self.below(range.end - range.start)
    }

    /// True with probability `numerator / denominator`.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// One of the items, each as likely as the next; `None` when there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len() as u64) as usize) }
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_depends_on_seed_and_label_but_not_on_what_was_drawn() {
        let mut parent = Rng::from_seed(7);
        let mut before = parent.fork("disk");
        parent.next_u64();
        let mut after = parent.fork("disk");
        assert_eq!(before.next_u64(), after.next_u64());
        assert_ne!(parent.fork("disk").next_u64(), parent.fork("network").next_u64());
        assert_ne!(Rng::from_seed(8).fork("disk").next_u64(), parent.fork("disk").next_u64());
    }

    #[test]
    fn the_stream_of_a_seed_is_the_same_on_every_platform() {
        let mut rng = Rng::from_seed(42);
        let drawn: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(drawn, [12_578_764_544_318_200_737, 17_529_487_244_874_322_312, 7_886_285_670_807_131_020]);
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_every_value() {
        let mut rng = Rng::from_seed(1);
        let mut seen = [false; 7];
        for _ in 0..1_000 {
            seen[rng.below(7) as usize] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
    }
}
