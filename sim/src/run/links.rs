//! Changes of links, several at a time: each holds while it is in force, and when it ends the others go on.
//!
//! ```text
//!   plan's links        ─────────────────────────────────────────────
//!   loss 30%                 ├───────────┤
//!   n1 -> n2 slow                  ├───────────────┤
//!   in force            plan │ loss │ both │ slow  │ plan            always: the plan, then each change in order
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use cluster::world::Peer;

use super::nodes::plan_links;
use crate::scenario::Plan;
use crate::world::{Laboratory, Latency, LinkSettings};

/// What a change makes different; `None` leaves it as it is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Change {
    pub(super) latency: Option<Latency>,
    pub(super) loss_ppm: Option<u32>,
    pub(super) duplicate_ppm: Option<u32>,
}

/// Where a change holds.
#[derive(Debug, Clone)]
pub(super) enum Scope {
    /// Everywhere.
    Network,
    /// From each of the ones to each of the others.
    Links(Vec<Peer>, Vec<Peer>),
}

/// Every change in force. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct LinkChanges {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// The network without any change.
    default: LinkSettings,
    own: BTreeMap<(Peer, Peer), LinkSettings>,
    /// In the order in which they began.
    changes: Vec<(u64, Scope, Change)>,
    next: u64,
}

impl LinkChanges {
    pub(super) fn new(laboratory: &Laboratory, plan: &Plan) -> Self {
        let default = laboratory.network().default_link();
        let state = State { default, own: plan_links(plan, default), changes: Vec::new(), next: 0 };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Puts a change in force; returns its number.
    pub(super) fn begin(&self, laboratory: &Laboratory, scope: Scope, change: Change) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = state.next;
        state.next += 1;
        state.changes.push((number, scope, change));
        state.apply(laboratory);
        number
    }

    /// Ends a change; returns how many frames were sent over the links that it named.
    pub(super) fn end(&self, laboratory: &Laboratory, number: u64) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = state.changes.iter().position(|(other, ..)| *other == number) else { return 0 };
        let (_, scope, _) = state.changes.remove(place);
        let network = laboratory.network();
        let met = ways(&scope).into_iter().map(|(from, to)| network.clear_link(from, to)).sum();
        state.apply(laboratory);
        met
    }
}

impl State {
    /// Gives every link what the plan and the changes in force make of it.
    fn apply(&self, laboratory: &Laboratory) {
        let network = laboratory.network();
        network.set_default_link(self.settings(None));
        let named = self.changes.iter().flat_map(|(_, scope, _)| ways(scope));
        let links: BTreeSet<(Peer, Peer)> = self.own.keys().copied().chain(named).collect();
        for (from, to) in links {
            network.set_link(from, to, self.settings(Some((from, to))));
        }
    }

    fn settings(&self, way: Option<(Peer, Peer)>) -> LinkSettings {
        let own = way.and_then(|way| self.own.get(&way).copied());
        let mut settings = own.unwrap_or(self.default);
        for (_, scope, change) in &self.changes {
            let holds = match (scope, way) {
                (Scope::Network, _) => true,
                (Scope::Links(..), None) => false,
                (Scope::Links(from, to), Some((one, other))) => from.contains(&one) && to.contains(&other),
            };
            if holds {
                settings.latency = change.latency.unwrap_or(settings.latency);
                settings.loss_ppm = change.loss_ppm.unwrap_or(settings.loss_ppm);
                settings.duplicate_ppm = change.duplicate_ppm.unwrap_or(settings.duplicate_ppm);
            }
        }
        settings
    }
}

fn ways(scope: &Scope) -> Vec<(Peer, Peer)> {
    match scope {
        Scope::Network => Vec::new(),
        Scope::Links(from, to) => from.iter().flat_map(|from| to.iter().map(|to| (*from, *to))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use cluster::world::NodeId;

    use super::*;
    use crate::world::run_sealed;

    #[test]
    fn overlapping_changes_end_one_by_one_and_leave_the_network_as_it_was() {
        run_sealed(1, async |laboratory: Laboratory| {
            let text = "name: x\nabout: x\nexpect: { lost_writes: 0 }\n";
            let plan = crate::scenario::parse("x.yaml", text).unwrap();
            let network = laboratory.network();
            let before = network.default_link();
            let changes = LinkChanges::new(&laboratory, &plan);
            let loss = |ppm| Change { loss_ppm: Some(ppm), ..Change::default() };
            let first = changes.begin(&laboratory, Scope::Network, loss(1_000_000));
            let second = changes.begin(&laboratory, Scope::Network, loss(5));
            let (n1, n2) = (Peer::Node(NodeId(1)), Peer::Node(NodeId(2)));
            let third = changes.begin(&laboratory, Scope::Links(vec![n1], vec![n2]), loss(7));
            assert_eq!(network.default_link().loss_ppm, 5);
            changes.end(&laboratory, first);
            assert_eq!(network.default_link().loss_ppm, 5);
            changes.end(&laboratory, second);
            assert_eq!(network.default_link(), before);
            let way = network.set_link(n1, n2, before).unwrap();
            assert_eq!(way.loss_ppm, 7, "the link's own change goes on");
            changes.end(&laboratory, third);
            assert_eq!(network.set_link(n1, n2, before), None, "nothing is left of it");
        });
    }
}
