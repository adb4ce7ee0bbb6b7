//! What a scenario expects of a run: one value per verdict line, and comparisons that decide without a float.
//!
//! ```text
//!   lost_writes: 0                     exactly that many
//!   stale_reads: ">= 1"                an anomaly that is demanded: the library shows what weak settings cost
//!   availability: ">= 60%"             ok results of all that were asked, compared as 100 x ok >= 60 x all
//!   latency: [{ kind: read, percentile: p99, is: "<= 30ms" }]
//! ```

use std::fmt;

use cluster::world::NodeId;

use super::errors::Flaw;
use super::units::{self, WHOLE_PPM};
use super::workload::Window;
use crate::history::OperationKind;

/// How a measured number is compared with the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `0` or `= 0`.
    Equal,
    /// `>= 1`.
    AtLeast,
    /// `<= 3`.
    AtMost,
    /// `> 0`.
    MoreThan,
    /// `< 5`.
    LessThan,
}

/// What the number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things: lost writes, stale reads.
    Count,
    /// Parts per million of a whole, written as a percentage.
    Share,
    /// Microseconds, written as a time.
    Time,
}

/// `>= 60%`: a demand on one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// How to compare.
    pub operator: Operator,
    /// With what, in `unit`s.
    pub bound: u64,
    /// What is compared.
    pub unit: Unit,
}

impl Comparison {
    /// Reads `0`, `= 0`, `>= 1`, `<= 3`, `> 0` or `< 5`, with the unit's own way to write numbers.
    pub fn parse(text: &str, unit: Unit) -> Result<Self, Flaw> {
        let operators = [
            (">=", Operator::AtLeast),
            ("<=", Operator::AtMost),
            ("==", Operator::Equal),
            (">", Operator::MoreThan),
            ("<", Operator::LessThan),
            ("=", Operator::Equal),
        ];
        let found = operators.iter().find_map(|(sign, operator)| Some((text.strip_prefix(sign)?, *operator)));
        let (number, operator) = found.unwrap_or((text, Operator::Equal));
        let number = number.trim();
        let expected = match unit {
            Unit::Count => "a comparison with a count: write 0, or \">= 1\" (in quotes)",
            Unit::Share => "a comparison with a share: write \">= 60%\" (in quotes)",
            Unit::Time => "a comparison with a time: write \"<= 30ms\" (in quotes)",
        };
        let bound = match unit {
            Unit::Count => units::whole_number(number, 0, u64::from(u32::MAX)),
            Unit::Share => units::share(number).map(u64::from),
            Unit::Time => units::time(number),
        };
        let bound = bound.map_err(|flaw| match flaw {
            Flaw::NotUnderstood { .. } => Flaw::NotUnderstood { text: text.to_string(), expected },
            other => other,
        })?;
        Ok(Self { operator, bound, unit })
    }

    /// Whether `value`, a count or a number of microseconds, is what is demanded.
    pub fn holds(self, value: u64) -> bool {
        self.compare(u128::from(value), u128::from(self.bound))
    }

    /// Whether `part` of `whole` is the share that is demanded: exactly, so that one success in ten million is more than
    /// 0%. A share of nothing holds for no comparison.
    pub fn holds_for_share(self, part: u64, whole: u64) -> bool {
        assert!(part <= whole, "a part is never more than its whole");
        whole > 0 && self.compare(u128::from(part) * u128::from(WHOLE_PPM), u128::from(whole) * u128::from(self.bound))
    }

    fn compare(self, value: u128, bound: u128) -> bool {
        match self.operator {
            Operator::Equal => value == bound,
            Operator::AtLeast => value >= bound,
            Operator::AtMost => value <= bound,
            Operator::MoreThan => value > bound,
            Operator::LessThan => value < bound,
        }
    }

    /// `Some(true)` when every possible number holds, `Some(false)` when none does.
    pub(super) fn trivial(self) -> Option<bool> {
        let most = if self.unit == Unit::Share { u64::from(WHOLE_PPM) } else { u64::MAX };
        match self.operator {
            Operator::AtLeast if self.bound == 0 => Some(true),
            Operator::AtMost if self.bound >= most => Some(true),
            Operator::LessThan if self.bound == 0 => Some(false),
            Operator::MoreThan if self.bound >= most => Some(false),
            _ => None,
        }
    }

    /// True when nothing but a number above 0 holds.
    pub(super) fn demands_some(self) -> bool {
        !self.holds(0)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.operator {
            Operator::Equal => "",
            Operator::AtLeast => ">= ",
            Operator::AtMost => "<= ",
            Operator::MoreThan => "> ",
            Operator::LessThan => "< ",
        })?;
        match self.unit {
            Unit::Count => write!(formatter, "{}", self.bound),
            Unit::Share => formatter.write_str(&units::share_text(self.bound as u32)),
            Unit::Time => formatter.write_str(&units::time_text(self.bound)),
        }
    }
}

/// Which operations a demand is about: those that meet every condition given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Only operations of this kind; `None` for all.
    pub kind: Option<OperationKind>,
    /// Only operations invoked in this window of the workload; `None` for all of it.
    pub during: Option<Window>,
    /// Only operations that one of these nodes coordinated; empty for any.
    pub through: Vec<NodeId>,
}

impl fmt::Display for Selection {
    /// ` of reads through n1 during 6s..14s`, with a blank before each condition; nothing for all operations.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind {
            write!(formatter, " of {kind}s")?;
        }
        for (position, node) in self.through.iter().enumerate() {
            write!(formatter, "{} {node}", if position == 0 { " through" } else { " or" })?;
        }
        match self.during {
            Some(window) => write!(formatter, " during {window}"),
            None => Ok(()),
        }
    }
}

/// One line of the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// Acknowledged writes and deletes that no replica set remembers after healing.
    LostWrites(Comparison),
    /// Reads that returned less than what had been acknowledged before they began.
    StaleReads(Comparison),
    /// Values that came back after they had been deleted, to readers or in the end.
    Resurrections(Comparison),
    /// Reads of a session that returned something older than the same session had read.
    MonotonicReads(Comparison),
    /// Reads of a session that returned something older than the same session had written.
    ReadYourWrites(Comparison),
    /// Reads of a session that had seen a write, and returned something older than its writer had written before.
    MonotonicWrites(Comparison),
    /// Reads of a session that had seen a write, and returned something older than its writer had read before.
    WritesFollowReads(Comparison),
    /// Whether each key's history is that of one register that changes at one instant per operation.
    Linearizable(bool),
    /// All replicas of every key hold equal rows after healing.
    Converged,
    /// The share of selected operations that had an ok result.
    Availability {
        /// Which operations.
        of: Selection,
        /// The demanded share.
        is: Comparison,
    },
    /// How long selected operations with an ok result took.
    Latency {
        /// Which operations; always of one kind.
        of: Selection,
        /// Which of them, in parts per million below it: 990,000 is the 99th percentile, 1,000,000 the slowest.
        percentile_ppm: u32,
        /// The demanded time.
        is: Comparison,
    },
}

impl fmt::Display for Expectation {
    /// The demand in the words of the file: `stale_reads: >= 1`, `availability through n1 during 6s..14s: <= 0%`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LostWrites(is) => write!(formatter, "lost_writes: {is}"),
            Self::StaleReads(is) => write!(formatter, "stale_reads: {is}"),
            Self::Resurrections(is) => write!(formatter, "resurrections: {is}"),
            Self::MonotonicReads(is) => write!(formatter, "monotonic_reads: {is}"),
            Self::ReadYourWrites(is) => write!(formatter, "read_your_writes: {is}"),
            Self::MonotonicWrites(is) => write!(formatter, "monotonic_writes: {is}"),
            Self::WritesFollowReads(is) => write!(formatter, "writes_follow_reads: {is}"),
            Self::Linearizable(is) => write!(formatter, "linearizable: {is}"),
            Self::Converged => write!(formatter, "converged: true"),
            Self::Availability { of, is } => write!(formatter, "availability{of}: {is}"),
            Self::Latency { of, percentile_ppm, is } => match *percentile_ppm {
                WHOLE_PPM => write!(formatter, "latency max{of}: {is}"),
                ppm => write!(formatter, "latency p{}{of}: {is}", units::decimal_text(u64::from(ppm), 10_000)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Comparison {
        Comparison::parse(text, Unit::Count).expect("a comparison")
    }

    #[test]
    fn each_operator_holds_on_its_side_of_the_bound_and_on_no_other() {
        for (text, below, equal, above) in [
            ("3", false, true, false),
            ("= 3", false, true, false),
            (">= 3", false, true, true),
            ("<= 3", true, true, false),
            ("> 3", false, false, true),
            ("<3", true, false, false),
        ] {
            let comparison = count(text);
            assert_eq!(
                (comparison.holds(2), comparison.holds(3), comparison.holds(4)),
                (below, equal, above),
                "{text}"
            );
        }
    }

    #[test]
    fn shares_are_compared_exactly_and_a_share_of_nothing_never_holds() {
        let none = Comparison::parse("<= 0%", Unit::Share).expect("a comparison");
        assert!(none.holds_for_share(0, 10) && !none.holds_for_share(1, 100_000_000) && !none.holds_for_share(0, 0));
        let third = Comparison::parse(">= 33.3333%", Unit::Share).expect("a comparison");
        assert!(third.holds_for_share(1, 3));
        let more = Comparison::parse(">= 33.3334%", Unit::Share).expect("a comparison");
        assert!(!more.holds_for_share(1, 3));
    }

    #[test]
    fn comparisons_are_written_as_they_are_read() {
        for (text, unit) in [
            ("0", Unit::Count),
            (">= 1", Unit::Count),
            (">= 60%", Unit::Share),
            ("<= 30ms", Unit::Time),
            ("< 1.5s", Unit::Time),
        ] {
            assert_eq!(Comparison::parse(text, unit).map(|comparison| comparison.to_string()), Ok(text.to_string()));
        }
        assert!(Comparison::parse("60", Unit::Share).is_err());
        assert!(Comparison::parse("at least 1", Unit::Count).is_err());
        assert!(Comparison::parse(">= -1", Unit::Count).is_err());
    }

    #[test]
    fn comparisons_that_always_or_never_hold_are_known() {
        assert_eq!(count(">= 0").trivial(), Some(true));
        assert_eq!(count("< 0").trivial(), Some(false));
        assert_eq!(count(">= 1").trivial(), None);
        assert_eq!(Comparison::parse("<= 100%", Unit::Share).map(Comparison::trivial), Ok(Some(true)));
        assert_eq!(Comparison::parse("> 100%", Unit::Share).map(Comparison::trivial), Ok(Some(false)));
    }

    #[test]
    fn an_expectation_says_what_it_selects() {
        let window = Window { from_micros: 6_000_000, until_micros: 14_000_000 };
        let of =
            Selection { kind: Some(OperationKind::Read), during: Some(window), through: vec![NodeId(1), NodeId(2)] };
        let is = Comparison::parse("<= 30ms", Unit::Time).expect("a comparison");
        let latency = Expectation::Latency { of, percentile_ppm: 999_000, is };
        assert_eq!(latency.to_string(), "latency p99.9 of reads through n1 or n2 during 6s..14s: <= 30ms");
    }
}
