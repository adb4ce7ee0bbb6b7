//! What was refused stays refused: a replica that has said "certainly not applied" to a request must say so to every copy of it
//! that the network delivers later, although its clock, or its load, would by then allow it.
//!
//! The last 65,536 refusals are remembered. A copy older than that would be judged anew; copies arrive within the network's
//! longest delay, and never across a restart.

use std::collections::{BTreeSet, VecDeque};

use crate::world::NodeId;

const REFUSALS_MAX: usize = 65_536;

/// The requests of coordinators that were refused for certain.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    requests: BTreeSet<(NodeId, u64)>,
    oldest_first: VecDeque<(NodeId, u64)>,
}

impl Refused {
    pub(crate) fn contains(&self, from: NodeId, request: u64) -> bool {
        self.requests.contains(&(from, request))
    }

    pub(crate) fn insert(&mut self, from: NodeId, request: u64) {
        if !self.requests.insert((from, request)) {
            return;
        }
        self.oldest_first.push_back((from, request));
        if self.oldest_first.len() > REFUSALS_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.requests.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_remembered_by_asker_and_number_up_to_a_bound() {
        let mut refused = Refused::default();
        for request in 0..REFUSALS_MAX as u64 + 1 {
            refused.insert(NodeId(1), request);
            refused.insert(NodeId(1), request);
        }
        assert!(!refused.contains(NodeId(1), 0), "the oldest was forgotten");
        assert!(refused.contains(NodeId(1), 1) && !refused.contains(NodeId(2), 1));
        assert_eq!(refused.requests.len(), REFUSALS_MAX);
    }
}
