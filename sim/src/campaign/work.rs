//! Which runs a campaign consists of, in which order, and which of them are one shard's.
//!
//! ```text
//!   seed      1            2            3          ...      scenarios a b c, every seed of the first before the second:
//!   work      a1 b1 c1     a2 b2 c2     a3 b3 c3            a campaign that is cut short has seen all scenarios
//!   shard     1  2  1      2  1  2      1  2  1             of two: place + seed, so that each shard gets every scenario
//! ```
//!
//! Everything here is a function of the numbers alone. So a matrix of a CI, an Indexed Job of Kubernetes or an array of
//! Slurm needs no code of ours to spread a campaign: the shards are disjoint, and together they are the whole.

use std::fmt;
use std::str::FromStr;

/// One run to make: a scenario, by its place among the campaign's, and a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The scenario's place.
    pub place: usize,
    /// The seed.
    pub seed: u64,
}

/// One of several equal parts of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    number: u64,
    /// Of how many.
    count: u64,
}

impl Shard {
    /// All of a campaign.
    pub const WHOLE: Self = Self { number: 1, count: 1 };

    /// Whether a run is this shard's.
    pub fn has(self, item: Item) -> bool {
        let place = item.place as u64 % self.count;
        (place + item.seed % self.count) % self.count == self.number - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.number, self.count)
    }
}

/// A shard that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a shard: write its number and how many there are, as in 1/4 (the first) or 4/4 (the last)")]
pub struct InvalidShard(pub String);

impl FromStr for Shard {
    type Err = InvalidShard;

    fn from_str(text: &str) -> Result<Self, InvalidShard> {
        let invalid = || InvalidShard(text.to_string());
        let (number, count) = text.split_once('/').ok_or_else(invalid)?;
        let (number, count) = (number.parse().map_err(|_| invalid())?, count.parse().map_err(|_| invalid())?);
        // Two numbers below it can be added.
        if (1..=count).contains(&number) && count <= u64::from(u32::MAX) {
            Ok(Self { number, count })
        } else {
            Err(invalid())
        }
    }
}

/// The runs of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// How many scenarios.
    pub scenarios: usize,
    /// The first seed and the last.
    pub seeds: (u64, u64),
    /// Which of the runs are ours.
    pub shard: Shard,
}

impl Work {
    /// All runs, in their order.
    pub fn items(self) -> impl Iterator<Item = Item> + Send {
        let (first, last) = self.seeds;
        let of_seed = move |seed| (0..self.scenarios).map(move |place| Item { place, seed });
        (first..=last).flat_map(of_seed).filter(move |item| self.shard.has(*item))
    }

    /// How many runs there are; as many as can be counted when there are more.
    pub fn count(self) -> u64 {
        (0..self.scenarios).map(|place| self.count_of(place)).fold(0, u64::saturating_add)
    }

    /// How many runs of one scenario there are.
    pub fn count_of(self, place: usize) -> u64 {
        let (first, last) = self.seeds;
        let Shard { number, count } = self.shard;
        // The first seed from `first` on that is ours, and every `count`-th after it.
        let wanted = (number - 1 + count - place as u64 % count) % count;
        let ahead = (wanted + count - first % count) % count;
        match last.checked_sub(first).and_then(|span| span.checked_sub(ahead)) {
            None => 0,
            Some(span) => (span / count).saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().expect("a shard")
    }

    #[test]
    fn a_seed_of_all_scenarios_comes_before_the_next_seed() {
        let work = Work { scenarios: 2, seeds: (3, 4), shard: Shard::WHOLE };
        let items: Vec<(usize, u64)> = work.items().map(|item| (item.place, item.seed)).collect();
        assert_eq!(items, [(0, 3), (1, 3), (0, 4), (1, 4)]);
    }

    #[test]
    fn a_shard_is_named_by_its_number_and_how_many_there_are() {
        assert_eq!(shard("2/3").to_string(), "2/3");
        for text in ["0/3", "4/3", "1", "1/0", "1/x", "-1/3", "1/3/5", "", "1/99999999999"] {
            assert_eq!(text.parse::<Shard>(), Err(InvalidShard(text.to_string())), "{text}");
        }
    }

    #[test]
    fn the_last_possible_seed_is_counted_without_overflow() {
        let work = Work { scenarios: 3, seeds: (0, u64::MAX), shard: Shard::WHOLE };
        assert_eq!(work.count(), u64::MAX);
        let work = Work { scenarios: 3, seeds: (u64::MAX, u64::MAX), shard: shard("2/2") };
        assert_eq!(work.items().count() as u64, work.count());
    }

    proptest! {
        #[test]
        fn the_shards_are_disjoint_and_together_they_are_the_whole(
            scenarios in 0_usize..7, first in 0_u64..50, length in 0_u64..40, count in 1_u64..9,
        ) {
            let seeds = (first, first + length);
            let mut owners: BTreeMap<Item, u64> = BTreeMap::new();
            for number in 1..=count {
                let work = Work { scenarios, seeds, shard: shard(&format!("{number}/{count}")) };
                prop_assert_eq!(work.items().count() as u64, work.count());
                for item in work.items() {
                    prop_assert_eq!(owners.insert(item, number), None);
                }
            }
            let whole = Work { scenarios, seeds, shard: Shard::WHOLE };
            let mut all: Vec<Item> = owners.keys().copied().collect();
            all.sort_by_key(|item| (item.seed, item.place));
            prop_assert!(whole.items().eq(all));
        }

        #[test]
        fn every_shard_gets_its_share_of_every_scenario(scenarios in 1_usize..6, count in 1_u64..6) {
            for number in 1..=count {
                let work = Work { scenarios, seeds: (1, 60), shard: shard(&format!("{number}/{count}")) };
                for place in 0..scenarios {
                    prop_assert_eq!(work.count_of(place), 60 / count);
                }
            }
        }
    }
}
