//! Where the frames of all connections meet, bounded in number and in bytes.
//!
//! ```text
//!   connection 1 ──put, waits for room──┐
//!   connection 2 ──put, waits for room──┼──▶ [ (from, frame) ... ] ──recv──▶ the node's one receiving task
//!   to ourselves ──offer, never waits───┘      room in bytes comes back as frames are received
//! ```

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};

use crate::world::{MAX_FRAME_BYTES, Peer};

struct Arrived {
    from: Peer,
    frame: Bytes,
    /// Gives the frame's room back when dropped.
    _room: OwnedSemaphorePermit,
}

/// The connections' end.
#[derive(Clone)]
pub(super) struct InboxSender {
    frames: mpsc::Sender<Arrived>,
    room_bytes: Arc<Semaphore>,
}

/// The node's end.
pub(super) struct Inbox {
    frames: Mutex<mpsc::Receiver<Arrived>>,
}

/// An inbox for at most so many frames of at most so many bytes in all; never less than the longest frame.
pub(super) fn inbox(frames_max: usize, bytes_max: usize) -> (InboxSender, Inbox) {
    let (sender, receiver) = mpsc::channel(frames_max.max(1));
    let room_bytes = Arc::new(Semaphore::new(bytes_max.clamp(MAX_FRAME_BYTES, Semaphore::MAX_PERMITS)));
    (InboxSender { frames: sender, room_bytes }, Inbox { frames: Mutex::new(receiver) })
}

impl InboxSender {
    /// Adds a frame, once there is room. Lost when nobody will receive any more.
    pub(super) async fn put(&self, from: Peer, frame: Bytes) {
        let room = Arc::clone(&self.room_bytes).acquire_many_owned(frame.len() as u32).await;
        if let Ok(room) = room {
            let _ = self.frames.send(Arrived { from, frame, _room: room }).await;
        }
    }

    /// Adds a frame if there is room now; tells whether it did.
    pub(super) fn offer(&self, from: Peer, frame: Bytes) -> bool {
        let room = Arc::clone(&self.room_bytes).try_acquire_many_owned(frame.len() as u32);
        room.is_ok_and(|room| self.frames.try_send(Arrived { from, frame, _room: room }).is_ok())
    }
}

impl Inbox {
    /// The next frame. Dropping the future loses none.
    pub(super) async fn recv(&self) -> (Peer, Bytes) {
        match self.frames.lock().await.recv().await {
            Some(arrived) => (arrived.from, arrived.frame),
            // Every sender is gone: this end of the network was closed, and nothing will ever arrive.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;
    use crate::world::NodeId;

    const FROM: Peer = Peer::Node(NodeId(1));

    #[tokio::test]
    async fn a_full_inbox_makes_connections_wait_and_refuses_offers() {
        let (sender, inbox) = inbox(10, 0);
        sender.put(FROM, Bytes::from(vec![0; MAX_FRAME_BYTES])).await;
        assert!(!sender.offer(FROM, Bytes::from_static(b"no room")));
        let mut put = pin!(sender.put(FROM, Bytes::from_static(b"waits")));
        poll_fn(|context| {
            assert!(put.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        assert_eq!(inbox.recv().await.1.len(), MAX_FRAME_BYTES);
        put.await;
        assert_eq!(inbox.recv().await, (FROM, Bytes::from_static(b"waits")));
    }

    #[tokio::test]
    async fn frames_are_bounded_in_number_too() {
        let (sender, _inbox) = inbox(2, 0);
        let offered: Vec<bool> = (0..3).map(|_| sender.offer(FROM, Bytes::new())).collect();
        assert_eq!(offered, [true, true, false]);
    }
}
