//! Isolation levels, anomalies, and which rules out which.
//!
//! ```text
//!   read committed ◀─ snapshot ◀─ serializable          what may be seen           each also with an order of its own:
//!     G0 G1a G1b G1c    G-single      G2-item           what rules it out          strong session ◀─ strong (strict)
//!     thin air          G-nonadjacent
//!     ...               lost update, internal
//! ```
//!
//! After Adya's thesis (MIT, 1999) for G0 to G2, Cerone and Gotsman (PODC 2016) for snapshot isolation: it forbids every
//! cycle in which no two anti-dependencies follow each other. A cycle that also needs the order of a session or of time is
//! named after it, and rules out only the levels that promise that order.

use std::fmt;

use serde::Serialize;

/// What a level promises about what may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Only what was committed, in its final form.
    ReadCommitted,
    /// What was committed at one moment, and no write over another that was not seen.
    Snapshot,
    /// As if one transaction ran after the other.
    Serializable,
}

/// Whose order a level keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Nobody's.
    Any,
    /// That of each session's transactions.
    Session,
    /// That of time: what ended before another began comes first.
    RealTime,
}

/// What a history is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Level {
    /// What may be seen.
    pub isolation: Isolation,
    /// In whose order.
    pub order: Order,
}

impl Level {
    /// Every level, the weaker ones first.
    pub const ALL: [Self; 7] = [
        Self { isolation: Isolation::ReadCommitted, order: Order::Any },
        Self { isolation: Isolation::Snapshot, order: Order::Any },
        Self { isolation: Isolation::Serializable, order: Order::Any },
        Self { isolation: Isolation::Snapshot, order: Order::Session },
        Self { isolation: Isolation::Serializable, order: Order::Session },
        Self::STRONG_SNAPSHOT,
        Self::STRICT_SERIALIZABLE,
    ];
    /// Snapshots are of the present.
    pub const STRONG_SNAPSHOT: Self = Self { isolation: Isolation::Snapshot, order: Order::RealTime };
    /// One transaction after the other, in the order of time.
    pub const STRICT_SERIALIZABLE: Self = Self { isolation: Isolation::Serializable, order: Order::RealTime };

    /// As the command line spells it.
    pub const fn name(self) -> &'static str {
        match (self.isolation, self.order) {
            (Isolation::ReadCommitted, _) => "read-committed",
            (Isolation::Snapshot, Order::Any) => "snapshot",
            (Isolation::Snapshot, Order::Session) => "strong-session-snapshot",
            (Isolation::Snapshot, Order::RealTime) => "strong-snapshot",
            (Isolation::Serializable, Order::Any) => "serializable",
            (Isolation::Serializable, Order::Session) => "strong-session-serializable",
            (Isolation::Serializable, Order::RealTime) => "strict-serializable",
        }
    }

    /// The level of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Whether it promises that this does not happen.
    pub fn forbids(self, kind: AnomalyKind) -> bool {
        kind.phenomenon.isolation() <= self.isolation && kind.order <= self.order
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// What went wrong, whoever's order it took to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phenomenon {
    /// A read returned what nobody had written.
    ThinAir,
    /// A read of a list returned a value twice.
    DuplicateElements,
    /// Two reads of a list agree on no order of its values.
    IncompatibleOrder,
    /// No order of a register's values fits what was read and when.
    CyclicVersions,
    /// Writes of several transactions overwrite each other in a circle.
    G0,
    /// A committed transaction read what an aborted one wrote.
    G1a,
    /// A transaction read what another wrote and then wrote over.
    G1b,
    /// Information flowed in a circle.
    G1c,
    /// A transaction did not see what it had itself read or written.
    Internal,
    /// Two transactions read the same version of a key and both wrote over it.
    LostUpdate,
    /// A circle with one anti-dependency: a transaction saw the world both before and after another.
    GSingle,
    /// A circle with several, no two of which follow each other.
    GNonadjacent,
    /// A circle with two that follow each other: write skew, for one.
    G2Item,
}

impl Phenomenon {
    /// The weakest isolation that forbids it.
    pub const fn isolation(self) -> Isolation {
        match self {
            Self::ThinAir
            | Self::DuplicateElements
            | Self::IncompatibleOrder
            | Self::G0
            | Self::G1a
            | Self::G1b
            | Self::G1c => Isolation::ReadCommitted,
            Self::CyclicVersions | Self::Internal | Self::LostUpdate | Self::GSingle | Self::GNonadjacent => {
                Isolation::Snapshot
            }
            Self::G2Item => Isolation::Serializable,
        }
    }

    /// As the literature names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ThinAir => "thin air",
            Self::DuplicateElements => "duplicate elements",
            Self::IncompatibleOrder => "incompatible order",
            Self::CyclicVersions => "cyclic versions",
            Self::G0 => "G0",
            Self::G1a => "G1a",
            Self::G1b => "G1b",
            Self::G1c => "G1c",
            Self::Internal => "internal",
            Self::LostUpdate => "lost update",
            Self::GSingle => "G-single",
            Self::GNonadjacent => "G-nonadjacent",
            Self::G2Item => "G2-item",
        }
    }
}

/// A phenomenon, and the order it takes to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnomalyKind {
    /// What went wrong.
    pub phenomenon: Phenomenon,
    /// Whose order shows it.
    pub order: Order,
}

impl AnomalyKind {
    pub(super) const fn plain(phenomenon: Phenomenon) -> Self {
        Self { phenomenon, order: Order::Any }
    }
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.phenomenon.name())?;
        match self.order {
            Order::Any => Ok(()),
            Order::Session => formatter.write_str("-session"),
            Order::RealTime => formatter.write_str("-realtime"),
        }
    }
}

impl Serialize for AnomalyKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_forbids_what_the_weaker_ones_do_and_is_found_by_its_name() {
        let kinds = |order| {
            [Phenomenon::G0, Phenomenon::LostUpdate, Phenomenon::G2Item]
                .map(|phenomenon| AnomalyKind { phenomenon, order })
        };
        let forbidden = |name: &str, order| {
            let level = Level::named(name).expect("a level");
            kinds(order).map(|kind| level.forbids(kind))
        };
        assert_eq!(forbidden("read-committed", Order::Any), [true, false, false]);
        assert_eq!(forbidden("snapshot", Order::Any), [true, true, false]);
        assert_eq!(forbidden("serializable", Order::Any), [true, true, true]);
        assert_eq!(forbidden("serializable", Order::RealTime), [false, false, false]);
        assert_eq!(forbidden("strong-session-serializable", Order::Session), [true, true, true]);
        assert_eq!(forbidden("strong-snapshot", Order::RealTime), [true, true, false]);
        assert_eq!(forbidden("strict-serializable", Order::RealTime), [true, true, true]);
        assert_eq!(Level::named("repeatable"), None);
    }
}
