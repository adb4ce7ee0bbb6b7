//! Triggers: moments that are named by what happens rather than by when, and whoever waits for them.
//!
//! ```text
//!   watch(n2's third sync of a log, after a heal)
//!      ... heal ... sync 1 ... sync 2 ... sync 3 ─▶ fired, at this very moment ─▶ the laboratory's task runs before time goes on
//!                                            ╰ has taken effect in the page cache, is not reported done: every call takes
//!                                              at least a microsecond
//! ```
//!
//! A call is seen when it takes effect, a message when it is handed to the network. Watching draws nothing and changes
//! nothing; with nobody watching, no frame is decoded.

use std::future::{Future, poll_fn};
use std::path::Path;
use std::sync::Arc;
use std::task::{Poll, Waker};

use bytes::Bytes;
use cluster::world::{NodeId, Peer};

use super::events::Action;
use super::predicate::{FileKind, FileOperation, MessageKind};
use super::state::{Shared, State};

/// What a watch waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// A call of a node's disk.
    Operation {
        /// Whose; `None` for any node's.
        node: Option<NodeId>,
        /// Which call.
        operation: FileOperation,
        /// Only of files of this kind; `None` for every file and folder.
        file: Option<FileKind>,
    },
    /// A message.
    Message {
        /// Which; `None` for every kind.
        message: Option<MessageKind>,
        /// Its sender; `None` for anyone.
        from: Option<Peer>,
        /// Its receiver; `None` for anyone.
        to: Option<Peer>,
    },
    /// Something that the laboratory itself did.
    Mark(Mark),
}

/// Something that the laboratory did, and says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A fault of the network ended.
    Heal,
    /// A process was started again after a crash: of this node, or, asked for as `None`, of any.
    Restart(Option<NodeId>),
}

impl Mark {
    /// Whether what happened is what was asked for.
    fn answers(self, asked: Self) -> bool {
        self == asked || matches!((self, asked), (Self::Restart(_), Self::Restart(None)))
    }
}

/// A trigger: the `count`-th of what is watched, after the first of a mark if one is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// What is counted.
    pub what: Watched,
    /// Which of them fires; at least 1.
    pub count: u64,
    /// Nothing is counted before this has happened, since the watch was set.
    pub after: Option<Mark>,
}

/// A watch that was set.
#[derive(Debug)]
struct Waiting {
    watch: Watch,
    armed: bool,
    seen: u64,
    fired_micros: Option<u64>,
    waker: Option<Waker>,
    active: bool,
}

/// Every watch of a run.
#[derive(Debug, Default)]
pub(super) struct Watches {
    waiting: Vec<Waiting>,
    /// Watches of calls and of messages that have not fired.
    operations: usize,
    messages: usize,
}

impl Watches {
    fn set(&mut self, watch: Watch) -> usize {
        *self.counter(watch.what) += 1;
        let armed = watch.after.is_none();
        self.waiting.push(Waiting { watch, armed, seen: 0, fired_micros: None, waker: None, active: true });
        self.waiting.len() - 1
    }

    fn counter(&mut self, what: Watched) -> &mut usize {
        match what {
            Watched::Message { .. } => &mut self.messages,
            // A mark's watch counts as one of calls: nothing is decoded for it.
            Watched::Operation { .. } | Watched::Mark(_) => &mut self.operations,
        }
    }

    fn end(&mut self, place: usize) -> Option<Waker> {
        let waiting = &mut self.waiting[place];
        let waker = waiting.waker.take();
        if std::mem::replace(&mut waiting.active, false) {
            let what = waiting.watch.what;
            *self.counter(what) -= 1;
        }
        waker
    }
}

impl State {
    /// Counts what has happened for every watch that `is_about` it; those whose turn it is fire now.
    fn seen(&mut self, is_about: impl Fn(Watched) -> bool) {
        let now = self.now_micros();
        let mut fired = Vec::new();
        for (place, waiting) in self.watches.waiting.iter_mut().enumerate() {
            if waiting.active && waiting.armed && is_about(waiting.watch.what) {
                waiting.seen += 1;
                if waiting.seen == waiting.watch.count {
                    waiting.fired_micros = Some(now);
                    fired.push(place);
                }
            }
        }
        for place in fired {
            let waker = self.watches.end(place);
            self.watches.waiting[place].waker = waker;
            let watch = u32::try_from(place).expect("fewer than four billion watches");
            self.schedule.push(now, Action::Watched { watch });
            self.record_laboratory("trigger", &[place as u64]);
        }
    }

    /// A call has taken effect. `other` is its second path, if it has one.
    pub(super) fn watch_operation(&mut self, peer: Peer, operation: &'static str, path: &Path, other: Option<&Path>) {
        if self.watches.operations == 0 {
            return;
        }
        let (Peer::Node(node), Some(operation)) = (peer, FileOperation::of_call(operation)) else { return };
        let kinds = [FileKind::of(path), other.and_then(FileKind::of)];
        self.seen(|watched| match watched {
            Watched::Operation { node: whose, operation: wanted, file } => {
                whose.is_none_or(|whose| whose == node)
                    && wanted == operation
                    && file.is_none_or(|file| kinds.contains(&Some(file)))
            }
            _ => false,
        });
    }

    /// A frame was handed to the network.
    pub(super) fn watch_message(&mut self, from: Peer, to: Peer, frame: &Bytes) {
        if self.watches.messages == 0 {
            return;
        }
        let kind = MessageKind::of_frame(frame);
        self.seen(|watched| match watched {
            Watched::Message { message, from: sender, to: receiver } => {
                message.is_none_or(|message| Some(message) == kind)
                    && sender.is_none_or(|sender| sender == from)
                    && receiver.is_none_or(|receiver| receiver == to)
            }
            _ => false,
        });
    }

    /// The laboratory did something. Watches that wait for it count from now on, or fire.
    pub(super) fn mark(&mut self, mark: Mark) {
        if self.watches.waiting.is_empty() {
            return;
        }
        self.seen(|watched| matches!(watched, Watched::Mark(asked) if mark.answers(asked)));
        for waiting in &mut self.watches.waiting {
            waiting.armed |= waiting.watch.after.is_some_and(|asked| mark.answers(asked));
        }
    }

    /// The waker of whoever waits for a watch that has fired.
    pub(super) fn watch_fired(&mut self, watch: u32) -> Option<Waker> {
        self.watches.waiting[watch as usize].waker.take()
    }
}

/// A watch that is set until it is dropped.
#[derive(Debug)]
pub struct WatchHandle {
    shared: Arc<Shared>,
    place: usize,
}

impl WatchHandle {
    pub(super) fn set(shared: &Arc<Shared>, watch: Watch) -> Self {
        assert!(watch.count >= 1, "a trigger waits for the first or a later one");
        let place = shared.lock().watches.set(watch);
        Self { shared: Arc::clone(shared), place }
    }

    /// Waits until it fires; returns the moment at which it did.
    pub fn fired(&self) -> impl Future<Output = u64> + Send {
        poll_fn(|context| {
            let mut state = self.shared.lock();
            let waiting = &mut state.watches.waiting[self.place];
            if let Some(micros) = waiting.fired_micros {
                return Poll::Ready(micros);
            }
            let outdated = waiting.waker.replace(context.waker().clone());
            drop(state);
            drop(outdated);
            Poll::Pending
        })
    }
}

impl Drop for WatchHandle {
    fn drop(&mut self) {
        // The waker may hold a task: it is dropped outside the lock.
        let waker = self.shared.lock().watches.end(self.place);
        drop(waker);
    }
}
