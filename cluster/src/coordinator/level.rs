//! Consistency levels: how many replicas must answer before the client does get its answer. Reads at R and writes at W meet
//! when R + W > N (Dynamo, section 4.5).

use std::fmt;
use std::str::FromStr;

/// How many of a key's N replicas an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Level {
    /// A majority of them. The default, because it is safe: with it on both sides every read meets every write.
    #[default]
    Quorum,
    /// Every one of them.
    All,
    /// Exactly this many; `one` is 1.
    Number(u8),
}

/// A level that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// Not a level's name.
    #[error("`{0}` is not a consistency level: use one, quorum, all or a number of replicas")]
    Unknown(String),
    /// More replicas than there are.
    #[error("the level asks for {asked} replicas, but each key has {replication}: use at most that many")]
    TooMany {
        /// What was asked for.
        asked: u8,
        /// N.
        replication: usize,
    },
}

impl Level {
    /// One replica.
    pub const ONE: Self = Self::Number(1);

    /// How many replicas this level needs of `replication`.
    pub fn required(self, replication: usize) -> Result<usize, LevelError> {
        match self {
            Self::Quorum => Ok(majority(replication)),
            Self::All => Ok(replication),
            Self::Number(0) => Err(LevelError::Unknown("0".to_string())),
            Self::Number(asked) if usize::from(asked) > replication => Err(LevelError::TooMany { asked, replication }),
            Self::Number(asked) => Ok(usize::from(asked)),
        }
    }

    /// The level as messages carry it.
    pub fn to_wire(self) -> u32 {
        match self {
            Self::Quorum => 0,
            Self::All => u32::MAX,
            Self::Number(number) => u32::from(number),
        }
    }

    /// The level of a message.
    pub fn from_wire(number: u32) -> Result<Self, LevelError> {
        match number {
            0 => Ok(Self::Quorum),
            u32::MAX => Ok(Self::All),
            _ => u8::try_from(number).map(Self::Number).map_err(|_| LevelError::Unknown(number.to_string())),
        }
    }
}

/// The smallest number of `replication` replicas that any two sets of share one.
pub fn majority(replication: usize) -> usize {
    replication / 2 + 1
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quorum => formatter.write_str("quorum"),
            Self::All => formatter.write_str("all"),
            Self::Number(1) => formatter.write_str("one"),
            Self::Number(number) => number.fmt(formatter),
        }
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "one" => Ok(Self::ONE),
            "quorum" => Ok(Self::Quorum),
            "all" => Ok(Self::All),
            _ => match text.parse() {
                Ok(0) | Err(_) => Err(LevelError::Unknown(text.to_string())),
                Ok(number) => Ok(Self::Number(number)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_they_are_written() {
        for text in ["one", "quorum", "all", "2", "5"] {
            let level: Level = text.parse().unwrap();
            assert_eq!(level.to_string(), text);
            assert_eq!(Level::from_wire(level.to_wire()), Ok(level));
        }
        for text in ["", "0", "two", "-1", "256"] {
            assert!(text.parse::<Level>().is_err(), "{text:?} was taken for a level");
        }
    }

    #[test]
    fn two_quorums_always_share_a_replica() {
        for replication in 1..=7 {
            assert!(2 * Level::Quorum.required(replication).unwrap() > replication);
        }
    }

    #[test]
    fn a_level_above_the_replication_is_refused() {
        assert_eq!(Level::Number(4).required(3), Err(LevelError::TooMany { asked: 4, replication: 3 }));
    }
}
