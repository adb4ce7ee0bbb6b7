//! What the load on a directory does: which operation comes next, and on which key.
//!
//! ```text
//!   fills        every key once, in order, or in an order that looks random: nothing is drawn twice
//!   uniform      overwrite, read-random, read-missing, seek
//!   zipfian      the mixes of YCSB (Cooper et al., SoCC 2010): rank r is drawn with weight 1 / r^0.99, ranks are spread over
//!                the keys; in mix d the newest key has rank 1
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use engine::world::Rng;

/// How much more often small ranks are drawn.
const SKEW: f64 = 0.99;

/// A workload by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Every key once, in order.
    FillSequential,
    /// Every key once, in random order.
    FillRandom,
    /// Random keys that are there.
    Overwrite,
    /// Random keys that are there.
    ReadRandom,
    /// Keys between those that are there.
    ReadMissing,
    /// Random places, and some keys behind each.
    Seek,
    /// Half reads, half updates.
    A,
    /// 95% reads, 5% updates.
    B,
    /// Reads only.
    C,
    /// 95% reads of the newest, 5% inserts.
    D,
    /// 95% short scans, 5% inserts.
    E,
    /// Half reads, half read-modify-writes.
    F,
}

/// What to do with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Write(u64),
    Read(u64),
    /// A key between this one and the next.
    ReadMissing(u64),
    Scan(u64),
    ReadModifyWrite(u64),
}

/// Which keys there are, and how they are drawn. Shared by all tasks.
pub(crate) struct Chooser {
    workload: Workload,
    keys: u64,
    /// Keys that were inserted so far, by the mixes that insert.
    inserted: AtomicU64,
    zipf: Zipf,
}

impl Workload {
    /// Its name as it is typed.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
    }

    /// Whether it makes the keys rather than needs them.
    pub(crate) fn fills(self) -> bool {
        matches!(self, Self::FillSequential | Self::FillRandom)
    }

    /// Whether several writes may go into one batch.
    pub(crate) fn batches(self) -> bool {
        self.fills() || self == Self::Overwrite
    }
}

impl Chooser {
    pub(crate) fn new(workload: Workload, keys: u64) -> Self {
        Self { workload, keys, inserted: AtomicU64::new(keys), zipf: Zipf::new(keys) }
    }

    /// Operation `number` of the run.
    pub(crate) fn next(&self, number: u64, random: &mut Rng) -> Operation {
        match self.workload {
            Workload::FillSequential => Operation::Write(number % self.keys),
            Workload::FillRandom => Operation::Write(scattered(number % self.keys, self.keys)),
            Workload::Overwrite => Operation::Write(random.below(self.keys)),
            Workload::ReadRandom => Operation::Read(random.below(self.keys)),
            Workload::ReadMissing => Operation::ReadMissing(random.below(self.keys)),
            Workload::Seek => Operation::Scan(random.below(self.keys)),
            Workload::A if random.chance(1, 2) => Operation::Write(self.popular(random)),
            Workload::B if random.chance(5, 100) => Operation::Write(self.popular(random)),
            Workload::F if random.chance(1, 2) => Operation::ReadModifyWrite(self.popular(random)),
            Workload::A | Workload::B | Workload::C | Workload::F => Operation::Read(self.popular(random)),
            Workload::D | Workload::E if random.chance(5, 100) => {
                Operation::Write(self.inserted.fetch_add(1, Ordering::Relaxed))
            }
            Workload::D => {
                let newest = self.inserted.load(Ordering::Relaxed) - 1;
                Operation::Read(newest - self.zipf.rank(random).min(newest))
            }
            Workload::E => Operation::Scan(self.popular(random)),
        }
    }

    /// A key, some far more often than others.
    fn popular(&self, random: &mut Rng) -> u64 {
        scattered(self.zipf.rank(random), self.keys)
    }
}

/// Number `index` of the numbers below `count`, each once, in an order that looks random.
fn scattered(index: u64, count: u64) -> u64 {
    let bits = u64::BITS - (count - 1).max(1).leading_zeros();
    let (mask, shift) = (u64::MAX >> (u64::BITS - bits), bits.div_ceil(2));
    let mut number = index;
    // A bijection of the numbers with these bits, walked until it is back below `count`.
    loop {
        for factor in [0x9e37_79b9_7f4a_7c15_u64, 0xbf58_476d_1ce4_e5b9] {
            number = number.wrapping_mul(factor) & mask;
            number ^= number >> shift;
        }
        number = number.wrapping_add(0x5851_f42d_4c95_7f2d) & mask;
        if number < count {
            return number;
        }
    }
}

/// Ranks below `count`, drawn by Zipf's law (Gray et al., SIGMOD 1994).
struct Zipf {
    count: f64,
    zeta: f64,
    alpha: f64,
    eta: f64,
}

impl Zipf {
    fn new(count: u64) -> Self {
        // Behind the first ranks the sum is as good as its integral.
        const EXACT: u64 = 10_000;
        let exact: f64 = (1..=count.min(EXACT)).map(|rank| (rank as f64).powf(-SKEW)).sum();
        let integral = |rank: f64| rank.powf(1.0 - SKEW) / (1.0 - SKEW);
        let rest = if count > EXACT { integral(count as f64 + 0.5) - integral(EXACT as f64 + 0.5) } else { 0.0 };
        let (zeta, count) = (exact + rest, count as f64);
        let eta = (1.0 - (2.0 / count).powf(1.0 - SKEW)) / (1.0 - (1.0 + 0.5_f64.powf(SKEW)) / zeta);
        Self { count, zeta, alpha: 1.0 / (1.0 - SKEW), eta }
    }

    fn rank(&self, random: &mut Rng) -> u64 {
        let drawn = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let scaled = drawn * self.zeta;
        let last = self.count as u64 - 1;
        match scaled {
            scaled if scaled < 1.0 => 0,
            scaled if scaled < 1.0 + 0.5_f64.powf(SKEW) => last.min(1),
            _ => ((self.count * (self.eta * drawn - self.eta + 1.0).powf(self.alpha)) as u64).min(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_fill_writes_every_key_once_and_not_in_order() {
        for count in [1, 2, 3, 100, 1024, 1025, 10_000] {
            let drawn: Vec<u64> = (0..count).map(|index| scattered(index, count)).collect();
            let mut sorted = drawn.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..count).collect::<Vec<_>>(), "{count}");
            let in_order = drawn.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count() as u64;
            assert!(count < 100 || in_order < count / 10, "{in_order} of {count} in order");
        }
    }

    #[test]
    fn popular_ranks_are_drawn_as_often_as_the_law_says() {
        let (zipf, mut random) = (Zipf::new(100_000), Rng::from_seed(1));
        let drawn: Vec<u64> = (0..100_000).map(|_| zipf.rank(&mut random)).collect();
        let share = |below: u64| drawn.iter().filter(|rank| **rank < below).count() as f64 / drawn.len() as f64;
        // The sum of 1 / r^0.99 up to 1, and up to 1000, over that up to 100,000.
        assert!((share(1) - 0.078).abs() < 0.01, "{}", share(1));
        assert!((share(1_000) - 0.60).abs() < 0.03, "{}", share(1_000));
        assert!(drawn.iter().all(|rank| *rank < 100_000));
        let (one, mut random) = (Zipf::new(1), Rng::from_seed(1));
        assert!((0..100).all(|_| one.rank(&mut random) == 0));
    }

    #[test]
    fn what_is_inserted_is_read_and_no_key_is_inserted_twice() {
        let (chooser, mut random) = (Chooser::new(Workload::D, 1_000), Rng::from_seed(1));
        let mut inserted = Vec::new();
        for number in 0..10_000 {
            match chooser.next(number, &mut random) {
                Operation::Write(key) => inserted.push(key),
                Operation::Read(key) => assert!(key < 1_000 + inserted.len() as u64),
                other => panic!("{other:?}"),
            }
        }
        let expected: Vec<u64> = (1_000..1_000 + inserted.len() as u64).collect();
        assert_eq!(inserted, expected);
        assert!((300..700).contains(&inserted.len()), "{}", inserted.len());
    }
}
