//! Whether this node's clock is in step with its peers', as far as their answers tell.
//!
//! ```text
//!   question sent ─────────────▶ peer reads its wall clock ─────────────▶ answer received
//!        ╰──────────────────────── round trip ────────────────────────────────╯
//!   peer's clock - own clock at the answer  =  offset, wrong by at most the round trip
//! ```
//!
//! A node whose clock differs from a majority of its peers by more than half of `max_clock_offset` stops coordinating writes:
//! a fast clock's stamps would win against everybody's, a slow one's would lose to everybody's. What was heard longer ago
//! than ten seconds counts no more. It does not set clocks, and it cannot tell who is right: the majority is.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::world::{Instant, WallTime};

use crate::world::NodeId;

/// How long an answer says something about a clock.
const FRESH: Duration = Duration::from_secs(10);

/// What is known of the peers' clocks.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    peers: usize,
    tolerated_micros: u64,
    /// When it was heard, and whether it was out of step for certain.
    heard: BTreeMap<NodeId, (Instant, bool)>,
}

impl ClockWatch {
    /// A watch over `peers` other nodes.
    pub(crate) fn new(peers: usize, max_clock_offset: Duration) -> Self {
        let tolerated_micros = u64::try_from(max_clock_offset.as_micros() / 2).unwrap_or(u64::MAX);
        Self { peers, tolerated_micros, heard: BTreeMap::new() }
    }

    /// A peer's clock said `theirs`, in an answer that arrived `now`, when ours said `ours`, to a question that was sent
    /// `round_trip` before.
    pub(crate) fn hear(&mut self, peer: NodeId, theirs: WallTime, ours: WallTime, round_trip: Duration, now: Instant) {
        let error = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        let certain = theirs.micros.abs_diff(ours.micros).saturating_sub(error);
        self.heard.insert(peer, (now, certain > self.tolerated_micros));
    }

    /// Whether a majority of all peers was heard lately with a clock too far from ours.
    pub(crate) fn out_of_step(&self, now: Instant) -> bool {
        let differs = |(at, differs): &&(Instant, bool)| *differs && now.saturating_since(*at) <= FRESH;
        2 * self.heard.values().filter(differs).count() > self.peers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIP: Duration = Duration::from_millis(10);

    fn wall(millis: u64) -> WallTime {
        WallTime { micros: millis * 1_000 }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    #[test]
    fn a_majority_of_other_clocks_and_no_less_puts_a_node_out_of_step() {
        let mut watch = ClockWatch::new(4, Duration::from_millis(500));
        for (peer, expected) in [(1, false), (2, false), (3, true)] {
            watch.hear(NodeId(peer), wall(1_000), wall(1_400), TRIP, at(0));
            assert_eq!(watch.out_of_step(at(1)), expected, "after {peer} peers");
        }
        watch.hear(NodeId(3), wall(1_000), wall(1_100), TRIP, at(2));
        assert!(!watch.out_of_step(at(3)), "the clock of n3 was set");
    }

    #[test]
    fn a_slow_answer_proves_nothing_and_an_old_one_neither() {
        let mut watch = ClockWatch::new(1, Duration::from_millis(500));
        watch.hear(NodeId(2), wall(1_000), wall(1_400), Duration::from_millis(200), at(0));
        assert!(!watch.out_of_step(at(0)), "the difference may be the way's");
        watch.hear(NodeId(2), wall(1_000), wall(1_400), TRIP, at(0));
        assert!(watch.out_of_step(at(10_000)));
        assert!(!watch.out_of_step(at(10_001)));
    }
}
