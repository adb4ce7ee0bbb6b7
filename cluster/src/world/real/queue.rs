//! The frames that wait for one connection: bounded in number, bytes and age.
//!
//! ```text
//!   send ──▶ push: full? oldest stale ones out ── still full? ──▶ the frame is lost, and counted
//!                │
//!                ▼
//!            [ oldest ... newest ]  ──▶ take: a batch for one write
//!                │
//!                └── drop_stale at a reconnect: nobody waits any more for the answers to these
//! ```
//!
//! A frame leaves the queue once: what was taken for a connection that then broke is lost, never sent twice.

use std::collections::VecDeque;
use std::iter::Sum;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How much may wait, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    /// Frames.
    pub frames_max: usize,
    /// Bytes in them.
    pub bytes_max: usize,
    /// How old a frame may get while there is no connection.
    pub age_max: Duration,
}

#[derive(Debug)]
pub(super) struct Queue {
    limits: QueueLimits,
    waiting: Mutex<Waiting>,
    /// Something was pushed, or the queue was closed.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    closed: bool,
    statistics: QueueStatistics,
}

/// What a queue has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStatistics {
    /// Frames that wait now.
    pub frames_queued: usize,
    /// Bytes that wait now.
    pub bytes_queued: usize,
    /// Frames handed to a connection, since the start.
    pub frames_sent: u64,
    /// Frames lost because the queue was full, since the start.
    pub frames_dropped: u64,
    /// Frames lost because they became too old without a connection, since the start.
    pub frames_stale: u64,
}

impl Sum for QueueStatistics {
    fn sum<I: Iterator<Item = Self>>(queues: I) -> Self {
        queues.fold(Self::default(), |sum, queue| Self {
            frames_queued: sum.frames_queued + queue.frames_queued,
            bytes_queued: sum.bytes_queued + queue.bytes_queued,
            frames_sent: sum.frames_sent + queue.frames_sent,
            frames_dropped: sum.frames_dropped + queue.frames_dropped,
            frames_stale: sum.frames_stale + queue.frames_stale,
        })
    }
}

/// The lock's content, also after a panic elsewhere: every change below is complete before anything can panic.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self { limits, waiting: Mutex::default(), changed: Notify::new() }
    }

    /// Adds a frame, or loses it when the queue is full or closed.
    pub(super) fn push(&self, frame: Bytes) {
        let mut waiting = locked(&self.waiting);
        if !self.has_room(&waiting, frame.len()) {
            waiting.drop_older_than(self.limits.age_max);
        }
        if waiting.closed || !self.has_room(&waiting, frame.len()) {
            waiting.statistics.frames_dropped += 1;
            return;
        }
        waiting.bytes += frame.len();
        waiting.frames.push_back((Instant::now(), frame));
        drop(waiting);
        self.changed.notify_one();
    }

    /// A frame longer than all the room passes alone, so that the limit on bytes never forbids a legal frame.
    fn has_room(&self, waiting: &Waiting, length: usize) -> bool {
        let frames = waiting.frames.len();
        frames == 0 || (frames < self.limits.frames_max && waiting.bytes + length <= self.limits.bytes_max)
    }

    /// Waits until there is something to take or the queue is closed; takes nothing.
    pub(super) async fn wait(&self) {
        loop {
            let waiting = {
                let waiting = locked(&self.waiting);
                waiting.frames.is_empty() && !waiting.closed
            };
            if !waiting {
                return;
            }
            self.changed.notified().await;
        }
    }

    /// Takes the oldest frames, at least one and then up to about `bytes` in all, once there are any; `None` when the
    /// queue is closed. One task takes. Dropping the future loses nothing.
    pub(super) async fn take(&self, bytes: usize) -> Option<Vec<Bytes>> {
        loop {
            self.wait().await;
            let mut waiting = locked(&self.waiting);
            if waiting.closed {
                return None;
            }
            let mut taken = Vec::new();
            let mut taken_bytes = 0;
            while taken_bytes < bytes {
                let Some((_, frame)) = waiting.frames.pop_front() else { break };
                taken_bytes += frame.len();
                taken.push(frame);
            }
            waiting.bytes -= taken_bytes;
            waiting.statistics.frames_sent += taken.len() as u64;
            if !taken.is_empty() {
                return Some(taken);
            }
        }
    }

    /// Loses the frames that waited too long.
    pub(super) fn drop_stale(&self) {
        locked(&self.waiting).drop_older_than(self.limits.age_max);
    }

    /// Takes and accepts nothing any more.
    pub(super) fn close(&self) {
        locked(&self.waiting).closed = true;
        self.changed.notify_one();
    }

    pub(super) fn statistics(&self) -> QueueStatistics {
        let waiting = locked(&self.waiting);
        QueueStatistics { frames_queued: waiting.frames.len(), bytes_queued: waiting.bytes, ..waiting.statistics }
    }
}

impl Waiting {
    fn drop_older_than(&mut self, age_max: Duration) {
        let now = Instant::now();
        while let Some((since, frame)) = self.frames.front() {
            if now.duration_since(*since) <= age_max {
                break;
            }
            self.bytes -= frame.len();
            self.frames.pop_front();
            self.statistics.frames_stale += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(frames_max: usize, bytes_max: usize, age_max: Duration) -> Queue {
        Queue::new(QueueLimits { frames_max, bytes_max, age_max })
    }

    #[tokio::test]
    async fn a_full_queue_loses_the_newest_and_counts_it() {
        let queue = queue(3, 10, Duration::from_secs(3_600));
        for frame in ["aaaa", "bbbb", "cccc", "d", "e"] {
            queue.push(Bytes::from_static(frame.as_bytes()));
        }
        let statistics = queue.statistics();
        assert_eq!((statistics.frames_queued, statistics.bytes_queued, statistics.frames_dropped), (3, 9, 2));
        assert_eq!(queue.take(100).await, Some(vec!["aaaa".into(), "bbbb".into(), "d".into()]));
        assert_eq!(queue.statistics().bytes_queued, 0);
    }

    #[tokio::test]
    async fn a_frame_longer_than_all_room_passes_alone() {
        let queue = queue(3, 10, Duration::from_secs(3_600));
        queue.push(Bytes::from_static(b"longer than ten"));
        queue.push(Bytes::from_static(b"x"));
        assert_eq!(queue.take(1).await, Some(vec![Bytes::from_static(b"longer than ten")]));
        assert_eq!(queue.statistics().frames_dropped, 1);
    }

    #[tokio::test]
    async fn stale_frames_make_room_for_new_ones() {
        let queue = queue(2, 100, Duration::ZERO);
        queue.push(Bytes::from_static(b"old"));
        queue.push(Bytes::from_static(b"old too"));
        while Instant::now().duration_since(locked(&queue.waiting).frames[1].0).is_zero() {}
        queue.push(Bytes::from_static(b"new"));
        assert_eq!(queue.take(100).await, Some(vec![Bytes::from_static(b"new")]));
        assert_eq!((queue.statistics().frames_stale, queue.statistics().frames_dropped), (2, 0));
    }

    #[tokio::test]
    async fn a_batch_ends_at_the_asked_size_and_the_next_goes_on() {
        let queue = queue(10, 100, Duration::from_secs(3_600));
        for frame in ["aa", "bb", "cc"] {
            queue.push(Bytes::from_static(frame.as_bytes()));
        }
        assert_eq!(queue.take(3).await, Some(vec!["aa".into(), "bb".into()]));
        assert_eq!(queue.take(3).await, Some(vec!["cc".into()]));
    }

    #[tokio::test]
    async fn a_closed_queue_gives_and_takes_nothing() {
        let queue = queue(10, 100, Duration::from_secs(3_600));
        queue.push(Bytes::from_static(b"x"));
        queue.close();
        assert_eq!(queue.take(1).await, None);
        queue.push(Bytes::from_static(b"y"));
        assert_eq!(queue.statistics().frames_dropped, 1);
    }
}
