//! The hybrid logical clock of one node: close to its wall clock, and never behind what it must exceed.
//!
//! A new stamp exceeds three things: every stamp that this node made before, the version that it knows of the key, and the
//! client's token. It does not learn from unrelated traffic: one node with a fast clock must not drag the whole cluster
//! forward. When more than 4,096 stamps fall into one microsecond, the counter carries into the time.

use std::time::Duration;

use engine::world::WallTime;

use super::Stamp;
use crate::world::NodeId;

/// Makes the stamps of one node.
#[derive(Debug)]
pub struct HybridClock {
    node: NodeId,
    /// Hybrid time of the newest stamp made.
    last: u64,
}

impl HybridClock {
    /// The clock of `node`. Nothing is kept across restarts: a new stamp exceeds the key's known version anyway.
    pub fn new(node: NodeId) -> Self {
        Self { node, last: 0 }
    }

    /// A stamp above the wall clock, above every earlier one of this node, and above `floor`.
    pub fn next(&mut self, wall: WallTime, floor: Option<Stamp>) -> Stamp {
        let floor = floor.map_or(0, |stamp| stamp.time);
        let time = Stamp::time_of_wall(wall.micros).max(self.last + 1).max(floor + 1);
        assert!(time > self.last, "the hybrid clock went back");
        self.last = time;
        Stamp { time, node: self.node }
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

    #[test]
    fn stamps_rise_while_the_wall_clock_stands_still_or_goes_back() {
        let mut clock = HybridClock::new(NodeId(1));
        let first = clock.next(wall(1_000), None);
        let second = clock.next(wall(1_000), None);
        let third = clock.next(wall(10), None);
        assert!(first < second && second < third);
        assert_eq!(first.wall_micros(), 1_000);
    }

    #[test]
    fn a_stamp_exceeds_the_version_known_of_the_key() {
        let mut clock = HybridClock::new(NodeId(1));
        let known = Stamp { time: Stamp::time_of_wall(5_000) + 7, node: NodeId(2) };
        assert!(clock.next(wall(1_000), Some(known)) > known);
    }

    #[test]
    fn only_a_stamp_beyond_the_offset_is_too_far_ahead() {
        let stamp = Stamp { time: Stamp::time_of_wall(1_500), node: NodeId(1) };
        assert!(!HybridClock::too_far_ahead(stamp, wall(1_000), Duration::from_micros(500)));
        assert!(HybridClock::too_far_ahead(stamp, wall(999), Duration::from_micros(500)));
    }

    #[test]
    fn the_counter_carries_into_the_time_rather_than_wrapping() {
        let mut clock = HybridClock::new(NodeId(1));
        let mut last = clock.next(wall(1), None);
        for _ in 0..5_000 {
            let next = clock.next(wall(1), None);
            assert!(next > last);
            last = next;
        }
        assert_eq!(last.wall_micros(), 2);
    }
}
