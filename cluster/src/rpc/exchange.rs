//! Matching replies to what was asked. One exchange may ask many nodes; its replies arrive in one queue, and are forgotten
//! with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::wire::ReplicaReply;
use crate::world::NodeId;

type Reply = (NodeId, ReplicaReply);

/// Every exchange that a node has open.
#[derive(Debug, Clone)]
pub(crate) struct Exchanges {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug)]
struct Open {
    next: u64,
    replies_to: BTreeMap<u64, mpsc::UnboundedSender<Reply>>,
}

/// One question, asked of one node or of many. Dropping it forgets it.
#[derive(Debug)]
pub(crate) struct Exchange {
    number: u64,
    exchanges: Exchanges,
    replies: mpsc::UnboundedReceiver<Reply>,
}

impl Exchanges {
    /// `first` must be random: a reply to an earlier incarnation of this node must not match a number of this one.
    pub(crate) fn new(first: u64) -> Self {
        Self { open: Arc::new(Mutex::new(Open { next: first, replies_to: BTreeMap::new() })) }
    }

    /// Opens an exchange with a number of its own.
    pub(crate) fn open(&self) -> Exchange {
        let (sender, replies) = mpsc::unbounded_channel();
        let mut open = self.lock();
        let number = open.next;
        open.next = open.next.wrapping_add(1);
        let earlier = open.replies_to.insert(number, sender);
        assert!(earlier.is_none(), "an exchange number was used twice");
        drop(open);
        Exchange { number, exchanges: self.clone(), replies }
    }

    /// Hands a reply to its exchange; false when nobody waits for it any more.
    pub(crate) fn deliver(&self, number: u64, from: NodeId, reply: ReplicaReply) -> bool {
        let open = self.lock();
        open.replies_to.get(&number).is_some_and(|sender| sender.send((from, reply)).is_ok())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it holds the lock; a map that was left by a panic elsewhere is still whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    /// What the asked must repeat in their replies.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next reply. Never ends by itself: pair it with a deadline. Dropping the future loses nothing.
    pub(crate) async fn reply(&mut self) -> Reply {
        match self.replies.recv().await {
            Some(reply) => reply,
            // The sender lives in the table until this exchange is dropped.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.exchanges.lock().replies_to.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_reaches_its_own_exchange_and_none_after_it_was_dropped() {
        let exchanges = Exchanges::new(u64::MAX);
        let first = exchanges.open();
        let mut second = exchanges.open();
        assert!(exchanges.deliver(second.number(), NodeId(3), ReplicaReply::default()));
        assert_eq!(second.replies.try_recv().unwrap().0, NodeId(3));
        let number = first.number();
        drop(first);
        assert!(!exchanges.deliver(number, NodeId(3), ReplicaReply::default()));
    }
}
