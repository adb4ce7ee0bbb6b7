//! The hybrid logical clock of one node: close to its wall clock, and never behind what it must exceed.
//!
//! ```text
//!   new stamp = the highest of   wall clock │ last own stamp + 1 │ the key's known version + 1 │ the client's token + 1
//!               and refused when that lies more than max_clock_offset beyond the wall clock
//! ```
//!
//! It does not learn from unrelated traffic, and a version from the far future is refused rather than followed: one node
//! with a fast clock must not drag the whole cluster forward. When more than 4,096 stamps fall into one microsecond, the
//! counter carries into the time.

use std::time::Duration;

use engine::world::WallTime;

use super::Stamp;
use crate::world::NodeId;

/// A stamp that would lie too far in the future of this node's clock. Nothing was changed; wait, or set the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a stamp above {floor} would be more than max_clock_offset ({max_offset:?}) ahead of this node's clock: wait, or set \
     the clocks"
)]
pub struct TooFarAhead {
    /// What the stamp had to exceed.
    pub floor: Stamp,
    /// How far stamps may be ahead.
    pub max_offset: Duration,
}

/// Makes the stamps of one node.
#[derive(Debug)]
pub struct HybridClock {
    node: NodeId,
    max_offset: Duration,
    /// Hybrid time of the newest stamp made.
    last: u64,
}

impl HybridClock {
    /// The clock of `node`. Nothing is kept across restarts: should the wall clock have been set back meanwhile, a stamp may
    /// come twice, for keys that this node holds no replica of. Replicas tell such rows apart by their bytes.
    pub fn new(node: NodeId, max_offset: Duration) -> Self {
        Self { node, max_offset, last: 0 }
    }

    /// A stamp above the wall clock, above every earlier one of this node, and above `floor`.
    ///
    /// # Errors
    ///
    /// When that would be too far ahead of the wall clock.
    pub fn next(&mut self, wall: WallTime, floor: Option<Stamp>) -> Result<Stamp, TooFarAhead> {
        let exceed = self.last.max(floor.map_or(0, |stamp| stamp.time));
        let time = Stamp::time_of_wall(wall.micros).max(exceed.saturating_add(1));
        let stamp = Stamp { time, node: self.node };
        if Self::too_far_ahead(stamp, wall, self.max_offset) {
            let floor = Stamp { time: exceed, node: floor.map_or(self.node, |stamp| stamp.node) };
            return Err(TooFarAhead { floor, max_offset: self.max_offset });
        }
        assert!(time > self.last, "the hybrid clock went back");
        self.last = time;
        Ok(stamp)
    }

    /// Whether a new stamp lies further in the future of `wall` than clocks may differ. Such a stamp would win against
    /// every write of the other nodes until their clocks reach it.
    pub fn too_far_ahead(stamp: Stamp, wall: WallTime, max_offset: Duration) -> bool {
        let offset = u64::try_from(max_offset.as_micros()).unwrap_or(u64::MAX);
        stamp.wall_micros() > wall.micros.saturating_add(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(micros: u64) -> WallTime {
        WallTime { micros }
    }

    fn clock() -> HybridClock {
        HybridClock::new(NodeId(1), Duration::from_micros(5_000))
    }

    #[test]
    fn stamps_rise_while_the_wall_clock_stands_still_or_goes_back() {
        let mut clock = clock();
        let first = clock.next(wall(1_000), None).unwrap();
        let second = clock.next(wall(1_000), None).unwrap();
        let third = clock.next(wall(10), None).unwrap();
        assert!(first < second && second < third);
        assert_eq!(first.wall_micros(), 1_000);
    }

    #[test]
    fn a_stamp_exceeds_the_version_known_of_the_key() {
        let known = Stamp { time: Stamp::time_of_wall(5_000) + 7, node: NodeId(2) };
        assert!(clock().next(wall(1_000), Some(known)).unwrap() > known);
    }

    #[test]
    fn a_version_from_the_far_future_is_refused_and_drags_nothing_forward() {
        let mut clock = clock();
        for time in [Stamp::time_of_wall(1_000_000), u64::MAX - 1, u64::MAX] {
            let future = Stamp { time, node: NodeId(2) };
            assert!(clock.next(wall(1_000), Some(future)).is_err());
        }
        assert_eq!(clock.next(wall(1_001), None).unwrap().wall_micros(), 1_001);
    }

    #[test]
    fn only_a_stamp_beyond_the_offset_is_too_far_ahead() {
        let stamp = Stamp { time: Stamp::time_of_wall(1_500), node: NodeId(1) };
        assert!(!HybridClock::too_far_ahead(stamp, wall(1_000), Duration::from_micros(500)));
        assert!(HybridClock::too_far_ahead(stamp, wall(999), Duration::from_micros(500)));
    }

    #[test]
    fn the_counter_carries_into_the_time_rather_than_wrapping() {
        let mut clock = clock();
        let mut last = clock.next(wall(1), None).unwrap();
        for _ in 0..5_000 {
            let next = clock.next(wall(1), None).unwrap();
            assert!(next > last);
            last = next;
        }
        assert_eq!(last.wall_micros(), 2);
    }
}
