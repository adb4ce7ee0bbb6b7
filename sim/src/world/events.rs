//! The one heap of things to come, and the one task that makes them happen.
//!
//! ```text
//!   sleeps, frames, disk completions ──▶ heap by (due micros, sequence)
//!                                           │ earliest time, all its entries, in order
//!   driver:  idle ──▶ fire ──▶ wake ──▶ idle ──▶ ...
//!                                 └──▶ every woken task runs, in madsim's random order, until none is ready
//! ```
//!
//! madsim moves its own clock only when no task is ready. The driver sleeps on that clock, so it runs exactly when
//! everything that could happen at this virtual moment has happened, and then makes the next moment the present. Virtual
//! time is therefore ours alone: entries may be a microsecond or a year apart at the same cost, an entry made while the
//! driver sleeps needs no re-arming, and a moment that wakes nobody is stepped over without a turn of the executor.
//!
//! A wait that was dropped leaves its entry in the heap; it is skipped, and changes neither time nor trace.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use madsim::time::TimeHandle;

use super::state::{ProcessIndex, Shared};

/// How far madsim's own clock moves at each turn of the driver. Each poll of a task moves it by less than 100
/// nanoseconds, so that a virtual moment ends by itself only after ten million polls: what loops without ever waiting
/// slows the run down but does not stop virtual time.
const IDLE_STEP: Duration = Duration::from_secs(1);

/// The end of time, in microseconds: 292 years on. What would be due later is due then, so that no clock overflows.
pub(super) const END_OF_TIME_MICROS: u64 = u64::MAX / 2_000;

/// What happens at an entry's time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    /// A wait is over.
    Wake { slot: u32 },
    /// A frame arrives; the index of the network's table of frames in flight.
    Deliver { flight: u32 },
    /// A disk's sync is done; the disk's own number for it.
    Synced { seat: u32, sync: u64 },
    /// A watch has fired; its number.
    Watched { watch: u32 },
}

/// A thing to come.
#[derive(Debug)]
struct Entry {
    due_micros: u64,
    sequence: u64,
    action: Action,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The earliest is the greatest, which is what a `BinaryHeap` gives first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due_micros, other.sequence).cmp(&(self.due_micros, self.sequence))
    }
}

/// Someone who waits. A slot is used again after its wait is over or dropped; the sequence tells the uses apart.
#[derive(Debug)]
struct WaitSlot {
    sequence: u64,
    done: bool,
    waker: Option<Waker>,
}

/// The sequence of a slot that nobody uses.
const UNUSED: u64 = u64::MAX;

/// Everything that is to come.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    now_micros: u64,
    next_sequence: u64,
    heap: BinaryHeap<Entry>,
    slots: Vec<WaitSlot>,
    free_slots: Vec<u32>,
}

impl Schedule {
    /// True virtual time.
    #[inline]
    pub(super) fn now_micros(&self) -> u64 {
        self.now_micros
    }

    /// Lets `action` happen at `due_micros`, after everything else already due then.
    pub(super) fn push(&mut self, due_micros: u64, action: Action) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let due_micros = due_micros.clamp(self.now_micros, END_OF_TIME_MICROS);
        self.heap.push(Entry { due_micros, sequence, action });
        sequence
    }

    /// Makes the next moment the present; `None` when nothing is left to come.
    pub(super) fn advance(&mut self) -> Option<u64> {
        while let Some(entry) = self.heap.peek() {
            if self.is_stale(entry) {
                self.heap.pop();
                continue;
            }
            assert!(entry.due_micros >= self.now_micros, "virtual time went back");
            self.now_micros = entry.due_micros;
            return Some(self.now_micros);
        }
        None
    }

    /// The next thing that is due at the present moment.
    pub(super) fn pop_due(&mut self) -> Option<Action> {
        while self.heap.peek().is_some_and(|entry| entry.due_micros == self.now_micros) {
            let entry = self.heap.pop().expect("an entry was seen");
            if !self.is_stale(&entry) {
                return Some(entry.action);
            }
        }
        None
    }

    fn is_stale(&self, entry: &Entry) -> bool {
        match entry.action {
            Action::Wake { slot } => self.slots[slot as usize].sequence != entry.sequence,
            Action::Deliver { .. } | Action::Synced { .. } | Action::Watched { .. } => false,
        }
    }

    /// Ends the wait in `slot` and hands out its waker.
    pub(super) fn finish(&mut self, slot: u32) -> Option<Waker> {
        let slot = &mut self.slots[slot as usize];
        slot.done = true;
        slot.waker.take()
    }

    fn begin(&mut self, due_micros: u64, waker: Waker) -> u32 {
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(WaitSlot { sequence: UNUSED, done: false, waker: None });
            u32::try_from(self.slots.len() - 1).expect("fewer than four billion tasks wait at once")
        });
        let sequence = self.push(due_micros, Action::Wake { slot });
        self.slots[slot as usize] = WaitSlot { sequence, done: false, waker: Some(waker) };
        slot
    }

    fn release(&mut self, slot: u32) -> Option<Waker> {
        let waiting = &mut self.slots[slot as usize];
        waiting.sequence = UNUSED;
        self.free_slots.push(slot);
        waiting.waker.take()
    }
}

/// Waits until true virtual time has reached `due_micros`; for ever, once its process is dead.
#[must_use = "a wait does nothing until it is awaited"]
pub(super) struct Wait {
    shared: Arc<Shared>,
    process: Option<ProcessIndex>,
    due_micros: u64,
    slot: Option<u32>,
}

impl Wait {
    /// A wait of `process`, or of the laboratory itself.
    pub(super) fn until(shared: &Arc<Shared>, process: Option<ProcessIndex>, due_micros: u64) -> Self {
        Self { shared: Arc::clone(shared), process, due_micros, slot: None }
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut state = this.shared.lock();
        if this.process.is_some_and(|process| !state.is_alive(process)) {
            return Poll::Pending;
        }
        let Some(slot) = this.slot else {
            if this.due_micros <= state.schedule.now_micros {
                return Poll::Ready(());
            }
            this.slot = Some(state.schedule.begin(this.due_micros, context.waker().clone()));
            return Poll::Pending;
        };
        let waiting = &mut state.schedule.slots[slot as usize];
        if waiting.done {
            this.slot = None;
            state.schedule.release(slot);
            return Poll::Ready(());
        }
        let outdated = match &mut waiting.waker {
            Some(waker) if waker.will_wake(context.waker()) => None,
            waker => waker.replace(context.waker().clone()),
        };
        drop(state);
        drop(outdated);
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            // The waker may be the last thing that holds a task: it is dropped outside the lock.
            let waker = self.shared.lock().schedule.release(slot);
            drop(waker);
        }
    }
}

/// Makes one moment after the other happen, for as long as it is polled.
///
/// Panics when every task waits for something that nothing will ever bring.
pub(super) async fn drive(shared: Arc<Shared>) {
    let time = TimeHandle::current();
    let mut wakers = Vec::new();
    loop {
        time.sleep(IDLE_STEP).await;
        while wakers.is_empty() {
            let went_on = shared.lock().fire_next_moment(&mut wakers);
            assert!(went_on, "nothing is left to happen: every task waits for something that will never come");
        }
        for waker in wakers.drain(..) {
            waker.wake();
        }
    }
}
