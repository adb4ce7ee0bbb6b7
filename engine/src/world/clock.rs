//! Time, as a process sees it: one clock that never goes back, and one that may.
//!
//! ```text
//!   now    ──────────────────────────────────────▶   monotonic; its zero is arbitrary; only differences mean something
//!   wall   ───────▶  ◀──┐ ───────▶   ┌───────▶        microseconds since 1970; steps, drifts, differs between nodes
//! ```
//!
//! Deadlines and timeouts use `now`. Only version stamps and what people read use `wall`, and nothing may break when it
//! jumps.

use std::future::Future;
use std::ops::Add;
use std::time::Duration;

/// A point on a process's monotonic clock, in nanoseconds since an arbitrary zero. Never comparable across processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The instant `nanos` nanoseconds after the clock's zero.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `micros` microseconds after the clock's zero.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    /// Nanoseconds since the clock's zero.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole microseconds since the clock's zero.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn saturating_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    /// Saturates at the end of time rather than wrapping: a deadline that far away never comes.
    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// A reading of a wall clock: microseconds since 1970-01-01T00:00:00Z, as this node believes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub micros: u64,
}

/// A process's clocks.
///
/// Promised: `now` never goes back within a process; `sleep_until(t)` completes no earlier than `now() >= t`, at once when
/// `t` has passed, and dropping it cancels it without trace.
///
/// Not promised: that `wall` moves forward, at the rate of `now`, or agrees with any other node's; that a sleep ends soon
/// after its deadline (a paused process wakes late).
pub trait Clock: Clone + Send + Sync + 'static {
    /// The monotonic clock.
    fn now(&self) -> Instant;
    /// The wall clock, which may jump either way.
    fn wall(&self) -> WallTime;
    /// Waits until `now()` has reached `deadline`.
    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send;
}
