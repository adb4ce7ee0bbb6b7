//! Work over all cores, its results in the order of the work.
//!
//! ```text
//!   items ──▶ worker │ worker │ worker ──▶ early results wait ──▶ taken one after the other, as the items stand
//!             never more than WINDOW items ahead of the first that is not taken yet
//! ```
//!
//! Results in order make a campaign's file a prefix of the whole at every moment, which is all that resuming needs; and
//! the window bounds what waits, however slow one run is. Threads live here and nowhere else in this room.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// So many items may be under way or done before the first of them is taken.
const WINDOW: u64 = 1_024;

/// What workers share.
struct Desk<I, Item, Result> {
    items: I,
    /// The number of the next item.
    next: u64,
    /// The number of the next result to be taken.
    taken: u64,
    early: BTreeMap<u64, (Item, Result)>,
    /// Items that were begun and whose results are not here.
    under_way: usize,
    /// No further item is begun.
    closed: bool,
}

/// Runs `make` on every item, `jobs` at a time, and hands the results to `take` in the order of the items, on this thread.
/// Ends early when `take` breaks, or when `goes_on` says no before an item; what was begun is still taken in that case.
pub(super) fn drive<Item: Copy + Send, Result: Send>(
    items: impl Iterator<Item = Item> + Send,
    jobs: usize,
    goes_on: &(dyn Fn() -> bool + Sync),
    make: &(dyn Fn(Item) -> Result + Sync),
    mut take: impl FnMut(Item, Result) -> ControlFlow<()>,
) {
    let desk = Desk { items, next: 0, taken: 0, early: BTreeMap::new(), under_way: 0, closed: false };
    let (desk, changed) = (Mutex::new(desk), Condvar::new());
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| work(&desk, &changed, goes_on, make));
        }
        // Whatever ends this, no worker waits for it.
        let _closing = Closing { desk: &desk, changed: &changed };
        let mut state = lock(&desk);
        loop {
            let next = state.taken;
            if let Some((item, result)) = state.early.remove(&next) {
                state.taken += 1;
                drop(state);
                changed.notify_all();
                let flow = take(item, result);
                state = lock(&desk);
                if flow.is_break() {
                    return;
                }
            } else if state.closed && state.under_way == 0 {
                return;
            } else {
                state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    });
}

fn work<Item: Copy, Result>(
    desk: &Mutex<Desk<impl Iterator<Item = Item>, Item, Result>>,
    changed: &Condvar,
    goes_on: &(dyn Fn() -> bool + Sync),
    make: &(dyn Fn(Item) -> Result + Sync),
) {
    loop {
        let mut state = lock(desk);
        while !state.closed && state.next >= state.taken + WINDOW {
            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let item = if state.closed || !goes_on() { None } else { state.items.next() };
        let Some(item) = item else {
            state.closed = true;
            changed.notify_all();
            return;
        };
        let number = state.next;
        state.next += 1;
        state.under_way += 1;
        drop(state);
        // A panic in `make` must not leave the others waiting for its result.
        let under_way = UnderWay { desk, changed };
        let result = make(item);
        lock(desk).early.insert(number, (item, result));
        drop(under_way);
    }
}

/// Lets no further item begin once dropped.
struct Closing<'d, I, Item, Result> {
    desk: &'d Mutex<Desk<I, Item, Result>>,
    changed: &'d Condvar,
}

impl<I, Item, Result> Drop for Closing<'_, I, Item, Result> {
    fn drop(&mut self) {
        lock(self.desk).closed = true;
        self.changed.notify_all();
    }
}

/// Counts an item as over, and says so, when dropped.
struct UnderWay<'d, I, Item, Result> {
    desk: &'d Mutex<Desk<I, Item, Result>>,
    changed: &'d Condvar,
}

impl<I, Item, Result> Drop for UnderWay<'_, I, Item, Result> {
    fn drop(&mut self) {
        let mut state = lock(self.desk);
        state.under_way -= 1;
        if thread::panicking() {
            state.closed = true;
        }
        drop(state);
        self.changed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn spin(turns: u64) -> u64 {
        (0..turns * 1_000).fold(turns, |sum, turn| std::hint::black_box(sum.wrapping_mul(31).wrapping_add(turn)))
    }

    #[test]
    fn results_come_in_the_order_of_the_items_however_many_work_at_them() {
        for jobs in [1, 2, 8] {
            let mut taken = Vec::new();
            let slow_first = |item: u64| if item.is_multiple_of(7) { spin(50) } else { spin(1) };
            drive(0..200_u64, jobs, &|| true, &slow_first, |item, _| {
                taken.push(item);
                ControlFlow::Continue(())
            });
            assert!(taken.iter().copied().eq(0..200), "{jobs} jobs: {taken:?}");
        }
    }

    #[test]
    fn no_more_than_the_window_is_begun_before_the_first_result_is_taken() {
        let (begun, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let taken = AtomicU64::new(0);
        let make = |item: u64| {
            let ahead = begun.fetch_add(1, Ordering::SeqCst) + 1 - taken.load(Ordering::SeqCst);
            most.fetch_max(ahead, Ordering::SeqCst);
            // The first takes until the window is full, and a while longer.
            while item == 0 && begun.load(Ordering::SeqCst) < WINDOW {
                thread::yield_now();
            }
            (0..if item == 0 { 1_000 } else { 0 }).for_each(|_| thread::yield_now());
        };
        drive(0..5_000_u64, 4, &|| true, &make, |_, _| {
            taken.fetch_add(1, Ordering::SeqCst);
            ControlFlow::Continue(())
        });
        let most = most.load(Ordering::SeqCst);
        // What is taken is counted here a moment after it was taken there.
        assert!((WINDOW..=WINDOW + 1).contains(&most), "{most} were under way at once");
    }

    #[test]
    fn after_a_break_nothing_is_begun_and_nothing_taken() {
        let mut taken = 0;
        drive(0..u64::MAX, 4, &|| true, &spin_little, |_, _| {
            taken += 1;
            if taken == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(taken, 10);
    }

    fn spin_little(_: u64) -> u64 {
        spin(1)
    }

    #[test]
    fn when_time_is_up_what_was_begun_is_still_taken() {
        let begun = AtomicU64::new(0);
        let mut taken = Vec::new();
        let goes_on = || begun.load(Ordering::SeqCst) < 50;
        let make = |item: u64| (begun.fetch_add(1, Ordering::SeqCst), spin(item % 5));
        drive(0..u64::MAX, 3, &goes_on, &make, |item, _| {
            taken.push(item);
            ControlFlow::Continue(())
        });
        assert_eq!(taken.len() as u64, begun.load(Ordering::SeqCst));
        assert!(taken.iter().copied().eq(0..taken.len() as u64), "{taken:?}");
    }
}
