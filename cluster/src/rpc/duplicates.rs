//! At most once: a client's request runs once, however many copies of it the network makes.
//!
//! A client numbers its requests upwards from 1 and never uses a number twice (a restarted client has a new identity). For
//! each client the node remembers the highest number and which of the 128 numbers below it have been seen; a number further
//! below is taken for a copy. Clients that were silent longest are forgotten when there are too many; a copy that is older
//! than that would run again, which is why the bound is generous.

use std::collections::BTreeMap;

use crate::world::ClientId;

const WINDOW: u64 = 128;
const CLIENTS_MAX: usize = 100_000;

#[derive(Debug, Clone, Copy)]
struct Seen {
    highest: u64,
    /// Bit i: `highest - i` was seen.
    window: u128,
    /// When the client was last heard, in requests that this node has seen.
    heard: u64,
}

/// What has been seen of each client.
#[derive(Debug, Default)]
pub(crate) struct Duplicates {
    clients: BTreeMap<ClientId, Seen>,
    heard: u64,
}

impl Duplicates {
    /// Whether this is the first copy of a request; from now on it is not.
    pub(crate) fn is_first(&mut self, client: ClientId, request: u64) -> bool {
        self.heard += 1;
        if self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&client) {
            self.forget_silent();
        }
        let unseen = Seen { highest: 0, window: 0, heard: 0 };
        let seen = self.clients.entry(client).or_insert(unseen);
        seen.heard = self.heard;
        if request > seen.highest {
            let ahead = request - seen.highest;
            seen.window = if ahead >= WINDOW { 0 } else { seen.window << ahead };
            seen.highest = request;
        }
        let behind = seen.highest - request;
        if behind >= WINDOW || seen.window & (1 << behind) != 0 {
            return false;
        }
        seen.window |= 1 << behind;
        true
    }

    /// Forgets the half of the clients that were silent longest.
    fn forget_silent(&mut self) {
        let mut heard: Vec<u64> = self.clients.values().map(|seen| seen.heard).collect();
        heard.sort_unstable();
        let median = heard[heard.len() / 2];
        self.clients.retain(|_, seen| seen.heard > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_runs_once_in_any_order() {
        let mut duplicates = Duplicates::default();
        for request in [1, 3, 2, 100, 50, 200] {
            assert!(duplicates.is_first(ClientId(1), request), "the first copy of {request}");
            assert!(!duplicates.is_first(ClientId(1), request), "the second copy of {request}");
        }
        assert!(duplicates.is_first(ClientId(2), 1), "clients are told apart");
    }

    #[test]
    fn a_number_too_far_below_is_taken_for_a_copy() {
        let mut duplicates = Duplicates::default();
        assert!(duplicates.is_first(ClientId(1), 1_000));
        assert!(!duplicates.is_first(ClientId(1), 1_000 - WINDOW));
        assert!(duplicates.is_first(ClientId(1), 1_000 - WINDOW + 1));
    }

    #[test]
    fn memory_is_bounded_and_the_recent_are_kept() {
        let mut duplicates = Duplicates::default();
        for client in 0..CLIENTS_MAX as u64 + 10 {
            assert!(duplicates.is_first(ClientId(client), 1));
        }
        assert!(duplicates.clients.len() <= CLIENTS_MAX);
        assert!(!duplicates.is_first(ClientId(CLIENTS_MAX as u64 - 1), 1));
    }
}
