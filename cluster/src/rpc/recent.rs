//! At most once between nodes: a replica runs the first copy of a put and drops every other.
//!
//! Storing a stamped row twice would do no harm. Answering twice would: a late copy may be refused "for certain" (the engine
//! has stopped, the slots are taken, a clock was set) although the first copy was stored, and the refusal may overtake the
//! first answer. So there is one answer a request; when it is lost, the outcome is unknown, which is true.
//!
//! The last 65,536 puts are remembered. Copies arrive within the network's longest delay, and never across a restart.

use std::collections::{BTreeSet, VecDeque};

use crate::world::NodeId;

const REMEMBERED_MAX: usize = 65_536;

/// The puts of coordinators that were seen lately.
#[derive(Debug, Default)]
pub(crate) struct RecentRequests {
    seen: BTreeSet<(NodeId, u64)>,
    oldest_first: VecDeque<(NodeId, u64)>,
}

impl RecentRequests {
    /// Whether this is the first copy of a request; from now on it is not.
    pub(crate) fn is_first(&mut self, from: NodeId, request: u64) -> bool {
        if !self.seen.insert((from, request)) {
            return false;
        }
        self.oldest_first.push_back((from, request));
        if self.oldest_first.len() > REMEMBERED_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_copy_of_a_request_is_first_and_askers_are_told_apart() {
        let mut recent = RecentRequests::default();
        assert!(recent.is_first(NodeId(1), 7) && recent.is_first(NodeId(2), 7));
        assert!(!recent.is_first(NodeId(1), 7) && !recent.is_first(NodeId(2), 7));
    }

    #[test]
    fn memory_is_bounded_and_the_latest_are_kept() {
        let mut recent = RecentRequests::default();
        for request in 0..REMEMBERED_MAX as u64 + 10 {
            assert!(recent.is_first(NodeId(1), request));
        }
        assert_eq!(recent.seen.len(), REMEMBERED_MAX);
        assert!(!recent.is_first(NodeId(1), 10), "the oldest that is kept");
    }
}
