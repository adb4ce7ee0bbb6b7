//! What shape the tree should have: what reads, writes and space cost follows from it.
//!
//! ```text
//!   leveled        one run a level, each `fanout` times the one above     cheap reads and space, dear writes
//!   tiered         up to `runs` runs a level, then merged into one below   cheap writes, dear reads and space
//!   lazy leveled   tiered, but one run in the last level                   between them: most data lies in that run
//!   fifo           nothing is merged; the oldest tables are dropped        for data that ages
//! ```
//!
//! After LevelDB and RocksDB (leveled, dynamic level sizes, universal, FIFO) and Dostoevsky (Dayan and Idreos, SIGMOD
//! 2018: lazy leveling). Every strategy copes with the shape that another one left.

use serde::{Deserialize, Serialize};

use crate::shape::LEVELS_MOST;

const MIB: u64 = 1 << 20;

/// Which shape is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Strategy {
    /// One run a level.
    Leveled(Leveled),
    /// Several runs a level.
    Tiered(Tiered),
    /// Several runs a level, one in the last.
    LazyLeveled(LazyLeveled),
    /// No merging; the oldest goes.
    Fifo(Fifo),
}

/// One run a level below level 0. The sizes are taken from the bottom up: the last level is as large as it is, every
/// level above it a `fanout`-th of the next, up to the base level, which level 0 is merged into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Leveled {
    /// Levels, level 0 included. Default 7.
    pub levels: usize,
    /// Runs of level 0 from which they are merged into the base level. Default 4.
    pub level0_runs: usize,
    /// Most bytes of the base level. Default 256 MiB.
    pub base_bytes: u64,
    /// How many times larger each level is than the one above. Default 10.
    pub fanout: u64,
    /// Bytes of a table that a merge writes. Default 64 MiB.
    pub table_bytes: u64,
}

/// Up to `runs` runs a level; a full level becomes one run of the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tiered {
    /// Levels, level 0 included; the last one is merged within itself. Default 7.
    pub levels: usize,
    /// Runs from which a level is full. Default 4.
    pub runs: usize,
    /// Bytes of a table that a merge writes. Default 64 MiB.
    pub table_bytes: u64,
}

/// Tiered in all levels but the last used, which is one run. The tree grows a level when that run is larger than a
/// memtable times `runs` to the power of the level's number and one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LazyLeveled {
    /// Levels, level 0 included. Default 7.
    pub levels: usize,
    /// Runs from which a level is full. Default 4.
    pub runs: usize,
    /// Bytes of a table that a merge writes. Default 64 MiB.
    pub table_bytes: u64,
}

/// Tables are dropped as a whole: the oldest data first, also data that a snapshot could still read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fifo {
    /// Bytes beyond which the oldest tables go; 0 for no bound. Default 1 GiB.
    pub max_bytes: u64,
    /// Age in microseconds at which a table goes; 0 for never. Default 0.
    pub max_age_micros: u64,
}

impl Default for Leveled {
    fn default() -> Self {
        Self { levels: 7, level0_runs: 4, base_bytes: 256 * MIB, fanout: 10, table_bytes: 64 * MIB }
    }
}

impl Default for Tiered {
    fn default() -> Self {
        Self { levels: 7, runs: 4, table_bytes: 64 * MIB }
    }
}

impl Default for LazyLeveled {
    fn default() -> Self {
        Self { levels: 7, runs: 4, table_bytes: 64 * MIB }
    }
}

impl Default for Fifo {
    fn default() -> Self {
        Self { max_bytes: 1024 * MIB, max_age_micros: 0 }
    }
}

impl Default for Strategy {
    fn default() -> Self {
        Self::Leveled(Leveled::default())
    }
}

/// A strategy that cannot work, with the bounds that hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// A field outside its bounds.
    #[error("`{field}` is {value}; it must be between {least} and {most}")]
    OutOfBounds {
        /// The field.
        field: &'static str,
        /// What it is.
        value: u64,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
}

impl Strategy {
    /// Bytes of a table that a merge of everything writes.
    pub fn table_bytes(&self) -> u64 {
        match self {
            Self::Leveled(Leveled { table_bytes, .. })
            | Self::Tiered(Tiered { table_bytes, .. })
            | Self::LazyLeveled(LazyLeveled { table_bytes, .. }) => *table_bytes,
            Self::Fifo(_) => 64 * MIB,
        }
    }

    /// The level that a merge of everything goes to, unless data lies deeper.
    pub fn last_level(&self) -> usize {
        match self {
            Self::Leveled(Leveled { levels, .. }) => levels - 1,
            Self::Tiered(_) | Self::LazyLeveled(_) => 1,
            Self::Fifo(_) => 0,
        }
    }

    /// Refuses what cannot work.
    pub fn validate(&self) -> Result<(), StrategyError> {
        match self {
            Self::Leveled(options) => {
                levels(options.levels)?;
                within("level0_runs", options.level0_runs as u64, 1, 1_000)?;
                within("base_bytes", options.base_bytes, 1, 1 << 50)?;
                within("fanout", options.fanout, 2, 1_000)?;
                within("table_bytes", options.table_bytes, 1, 1 << 40)
            }
            Self::Tiered(Tiered { levels: count, runs, table_bytes })
            | Self::LazyLeveled(LazyLeveled { levels: count, runs, table_bytes }) => {
                levels(*count)?;
                within("runs", *runs as u64, 2, 1_000)?;
                within("table_bytes", *table_bytes, 1, 1 << 40)
            }
            Self::Fifo(_) => Ok(()),
        }
    }
}

fn levels(levels: usize) -> Result<(), StrategyError> {
    within("levels", levels as u64, 2, LEVELS_MOST as u64)
}

fn within(field: &'static str, value: u64, least: u64, most: u64) -> Result<(), StrategyError> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(StrategyError::OutOfBounds { field, value, least, most }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_what_cannot_work_is_refused_by_name() {
        for strategy in [
            Strategy::default(),
            Strategy::Tiered(Tiered::default()),
            Strategy::LazyLeveled(LazyLeveled::default()),
            Strategy::Fifo(Fifo::default()),
        ] {
            assert_eq!(strategy.validate(), Ok(()));
        }
        let refused = Strategy::Tiered(Tiered { runs: 1, ..Tiered::default() }).validate();
        assert_eq!(
            refused.map_err(|error| error.to_string()),
            Err("`runs` is 1; it must be between 2 and 1000".into())
        );
        assert!(Strategy::Leveled(Leveled { fanout: 1, ..Leveled::default() }).validate().is_err());
        assert!(Strategy::Leveled(Leveled { levels: 1, ..Leveled::default() }).validate().is_err());
    }
}
