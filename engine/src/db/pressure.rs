//! Back-pressure: what a write has to wait for, so that the work it causes is never further behind than memory and disk
//! can bear.
//!
//! ```text
//!   pressure p   0 while one memtable waits and level 0 is near its trigger; 1 at four memtables, or far over the trigger
//!   rate         what flushes were seen to drain, times (1.25 - p), never below a sixteenth of it
//!   a write      waits until the bytes before it have passed at that rate: microseconds for small ones
//! ```
//!
//! There is no point at which writers stop: the price rises with the debt, and each write waits for 32 ms at the most.
//! Waits below a millisecond are saved up, for timers are coarse. All arithmetic is in integers: the simulated world must
//! get the same waits on every machine.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::core::Core;
use crate::world::{Clock, Instant, World};

/// The longest that a write waits, in nanoseconds.
const WAIT_NANOS_MAX: u64 = 32_000_000;

/// Waits below this are left to the next write, in nanoseconds.
const WAIT_NANOS_MIN: u64 = 1_000_000;

/// Bytes a second that flushes are taken to drain before one was seen.
const DRAIN_BYTES_FIRST: u64 = 64 * 1024 * 1024;

/// A thousand is the pressure at which writes get a quarter of what drains.
const FULL: u64 = 1_000;

/// The price of writing, and who has been promised which time.
#[derive(Debug)]
pub(super) struct Pressure {
    /// Bytes a second that may pass; 0 for any.
    rate_bytes: AtomicU64,
    drain_bytes: AtomicU64,
    /// When the bytes that have passed so far are paid for.
    paid_until: Mutex<Instant>,
}

impl Pressure {
    pub(super) fn new() -> Self {
        Self {
            rate_bytes: AtomicU64::new(0),
            drain_bytes: AtomicU64::new(DRAIN_BYTES_FIRST),
            paid_until: Mutex::new(Instant::default()),
        }
    }

    /// Notes how fast a flush drained.
    pub(super) fn flushed(&self, bytes: u64, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        if bytes < 4096 {
            return;
        }
        let seen = (u128::from(bytes) * 1_000_000_000 / u128::from(nanos)).min(1 << 40) as u64;
        let before = self.drain_bytes.load(Ordering::Relaxed);
        self.drain_bytes.store((before * 3 + seen.max(1024)) / 4, Ordering::Relaxed);
    }

    /// Looks at the debt again.
    pub(super) fn update<W: World>(&self, core: &Core<W>) {
        let view = core.view.load();
        let memtable_bytes = core.options.memtable_bytes.max(1) as u64;
        let by_memory = over(core.frozen_bytes(), memtable_bytes * 5 / 4, memtable_bytes * 4);
        let debt = core.debt(&view.shape);
        let by_runs = over(debt.runs, debt.runs_allowed * 2, debt.runs_allowed * 8);
        let by_bytes = over(debt.bytes, debt.bytes_allowed, debt.bytes_allowed.saturating_mul(4));
        let pressure = by_memory.max(by_runs).max(by_bytes);
        let drain = self.drain_bytes.load(Ordering::Relaxed);
        let rate = match pressure {
            0 => 0,
            pressure => (drain / FULL * (FULL * 5 / 4).saturating_sub(pressure)).max(drain / 16).max(1024),
        };
        self.rate_bytes.store(rate, Ordering::Relaxed);
    }

    /// How long a write of `bytes` waits; `None` for not at all.
    pub(super) fn wait(&self, bytes: usize, clock: &impl Clock) -> Option<Instant> {
        let rate = self.rate_bytes.load(Ordering::Relaxed);
        if rate == 0 {
            return None;
        }
        let now = clock.now();
        let cost = Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000) / rate);
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = (*paid_until).max(now);
        let latest = now + Duration::from_nanos(WAIT_NANOS_MAX);
        *paid_until = (begins + cost).min(latest);
        let until = *paid_until;
        drop(paid_until);
        (until.saturating_since(now) >= Duration::from_nanos(WAIT_NANOS_MIN)).then_some(until)
    }
}

/// How far `amount` is on the way from `from` to `to`, in thousandths; beyond a thousand when it is past `to`.
fn over(amount: u64, from: u64, to: u64) -> u64 {
    if amount <= from || to <= from {
        return 0;
    }
    (u128::from(amount - from) * u128::from(FULL) / u128::from(to - from)).min(u128::from(FULL * 2)) as u64
}

/// What is to be done before everything is in shape, as far as writes must wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Debt {
    /// Runs that every read must ask, and how many there may be without any price.
    pub(super) runs: u64,
    pub(super) runs_allowed: u64,
    /// Bytes to rewrite.
    pub(super) bytes: u64,
    pub(super) bytes_allowed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::WallTime;

    #[derive(Clone)]
    struct Still(u64);

    impl Clock for Still {
        fn now(&self) -> Instant {
            Instant::from_nanos(self.0)
        }

        fn wall(&self) -> WallTime {
            WallTime::default()
        }

        async fn sleep_until(&self, _deadline: Instant) {}
    }

    #[test]
    fn small_waits_are_saved_up_and_none_is_longer_than_the_most() {
        let pressure = Pressure::new();
        let clock = Still(5);
        assert_eq!(pressure.wait(1 << 20, &clock), None, "there is no price");
        pressure.rate_bytes.store(1_000_000, Ordering::Relaxed);
        assert_eq!(pressure.wait(400, &clock), None);
        assert_eq!(pressure.wait(400, &clock), None);
        assert_eq!(pressure.wait(400, &clock), Some(Instant::from_nanos(1_200_005)));
        for _ in 0..100 {
            let until = pressure.wait(1 << 20, &clock).expect("a wait");
            assert!(until <= Instant::from_nanos(5 + WAIT_NANOS_MAX));
        }
    }

    #[test]
    fn the_way_to_full_pressure_has_no_step() {
        assert_eq!((over(5, 5, 10), over(7, 5, 9), over(9, 5, 9), over(100, 5, 9)), (0, 500, 1_000, 2_000));
    }
}
