//! The version of a row: hybrid logical time, and the node that gave it out. Comparing two stamps is comparing two numbers;
//! no stamp is ever given out twice.

use std::fmt;

use crate::world::NodeId;

const COUNTER_BITS: u32 = 12;

/// A version. Ordered by time, then counter, then node: two nodes never give out equal stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// 52 bits of microseconds since 1970 (good until 2112), then 12 bits of counter.
    pub time: u64,
    /// The coordinator that made it.
    pub node: NodeId,
}

impl Stamp {
    /// The hybrid time of a wall clock reading with counter 0.
    pub(super) fn time_of_wall(micros: u64) -> u64 {
        micros.min(u64::MAX >> COUNTER_BITS) << COUNTER_BITS
    }

    /// Microseconds since 1970 of the clock that made this stamp (or of the stamp that it had to exceed).
    pub fn wall_micros(self) -> u64 {
        self.time >> COUNTER_BITS
    }

    /// Position among the stamps of one microsecond.
    pub fn counter(self) -> u64 {
        self.time & ((1 << COUNTER_BITS) - 1)
    }
}

impl fmt::Display for Stamp {
    /// `1790000000.123456+2@n3`: seconds since 1970, counter, node.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.wall_micros();
        write!(formatter, "{}.{:06}+{}@{}", micros / 1_000_000, micros % 1_000_000, self.counter(), self.node)
    }
}
