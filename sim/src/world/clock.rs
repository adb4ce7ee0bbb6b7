//! Simulated clocks: every machine has its own, and each is wrong in its own way.
//!
//! ```text
//!   now  = anchor + (true time since the anchor) x (1,000,000 + drift) / 1,000,000       never steps
//!   wall = anchor + (the same)                                     + skew, stepped at will
//! ```
//!
//! A change of drift sets a new anchor, so that `now` goes on from where it was. True virtual time starts at zero, which
//! every honest wall clock calls 2026-01-01; the zero of `now` differs from machine to machine, so that code which compares
//! two machines' `now` is wrong at once and not only some day.

use std::future::Future;
use std::sync::Arc;

use engine::world::{Clock, Instant, WallTime};

use super::events::{END_OF_TIME_MICROS, Wait};
use super::state::{Identity, SeatIndex, Shared};

/// 2026-01-01T00:00:00Z: what an honest wall clock says at true time zero, in microseconds since 1970.
pub const WALL_ZERO_MICROS: u64 = 1_767_225_600_000_000;

const MILLION: i128 = 1_000_000;

/// The fastest and slowest a clock may run, in parts per million.
const MAX_DRIFT_PPM: i64 = 900_000;

/// One machine's clocks.
#[derive(Debug, Clone)]
pub(super) struct ClockState {
    anchor_true_micros: u64,
    anchor_now_nanos: u64,
    anchor_wall_nanos: i128,
    drift_ppm: i64,
}

impl ClockState {
    /// A clock whose `now` is `zero_nanos` at true time zero and whose wall clock is `skew_micros` fast.
    pub(super) fn new(zero_nanos: u64, skew_micros: i64, drift_ppm: i64) -> Self {
        let wall_micros = i128::from(WALL_ZERO_MICROS) + i128::from(skew_micros);
        Self {
            anchor_true_micros: 0,
            anchor_now_nanos: zero_nanos,
            anchor_wall_nanos: wall_micros * 1_000,
            drift_ppm: drift_ppm.clamp(-MAX_DRIFT_PPM, MAX_DRIFT_PPM),
        }
    }

    /// Nanoseconds of this machine since the anchor.
    fn elapsed_nanos(&self, true_micros: u64) -> u64 {
        let elapsed = true_micros - self.anchor_true_micros;
        if self.drift_ppm == 0 {
            return elapsed * 1_000;
        }
        // Micros times parts per million, over a thousand, are nanos.
        let scaled = i128::from(elapsed) * (MILLION + i128::from(self.drift_ppm)) / 1_000;
        u64::try_from(scaled).expect("a clock never runs backwards, nor for centuries")
    }

    pub(super) fn now(&self, true_micros: u64) -> Instant {
        Instant::from_nanos(self.anchor_now_nanos + self.elapsed_nanos(true_micros))
    }

    pub(super) fn wall(&self, true_micros: u64) -> WallTime {
        let nanos = self.anchor_wall_nanos + i128::from(self.elapsed_nanos(true_micros));
        WallTime { micros: u64::try_from((nanos / 1_000).max(0)).unwrap_or(u64::MAX) }
    }

    /// The first true microsecond at which `now` has reached `deadline`; `None` when no run lasts that long.
    pub(super) fn due_micros(&self, deadline: Instant) -> Option<u64> {
        let nanos = deadline.as_nanos().saturating_sub(self.anchor_now_nanos);
        let rate = MILLION + i128::from(self.drift_ppm);
        let elapsed = (i128::from(nanos) * 1_000 + rate - 1) / rate;
        let due = u64::try_from(i128::from(self.anchor_true_micros) + elapsed).ok()?;
        (due < END_OF_TIME_MICROS).then_some(due)
    }

    /// Takes out the time from `since_micros`, or from the last change of the clock, until now.
    fn stood_still(&mut self, since_micros: u64, now_micros: u64) {
        self.anchor_at(since_micros.max(self.anchor_true_micros));
        self.anchor_true_micros = now_micros;
    }

    fn anchor_at(&mut self, true_micros: u64) {
        let elapsed = self.elapsed_nanos(true_micros);
        self.anchor_now_nanos += elapsed;
        self.anchor_wall_nanos += i128::from(elapsed);
        self.anchor_true_micros = true_micros;
    }
}

/// A process's view of its machine's clocks.
#[derive(Debug, Clone)]
pub struct SimulatedClock {
    identity: Arc<Identity>,
}

impl SimulatedClock {
    pub(super) fn new(identity: Arc<Identity>) -> Self {
        Self { identity }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Instant {
        let state = self.identity.shared.lock();
        state.seat(self.identity.seat).clock.now(state.now_micros())
    }

    fn wall(&self) -> WallTime {
        let state = self.identity.shared.lock();
        state.seat(self.identity.seat).clock.wall(state.now_micros())
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send {
        let identity = Arc::clone(&self.identity);
        async move {
            let mut waited = false;
            loop {
                let due = {
                    let mut state = identity.shared.lock();
                    let clock = &state.seat(identity.seat).clock;
                    // The clock may have been slowed down while this slept.
                    if state.is_alive(identity.process) && clock.now(state.now_micros()) >= deadline {
                        if waited {
                            state.counters.timers_fired += 1;
                            state.record("timer", identity.peer, &[]);
                        }
                        return;
                    }
                    clock.due_micros(deadline)
                };
                match due {
                    Some(due) => Wait::until(&identity.shared, Some(identity.process), due).await,
                    None => std::future::pending().await,
                }
                waited = true;
            }
        }
    }
}

/// The laboratory's hand on one machine's clocks.
#[derive(Debug, Clone)]
pub struct ClockControl {
    shared: Arc<Shared>,
    seat: SeatIndex,
}

impl ClockControl {
    pub(super) fn new(shared: Arc<Shared>, seat: SeatIndex) -> Self {
        Self { shared, seat }
    }

    /// Moves the wall clock by `micros`, forward or back. `now` does not notice.
    pub fn step_micros(&self, micros: i64) {
        self.change("clock step", micros, |clock| clock.anchor_wall_nanos += i128::from(micros) * 1_000);
    }

    /// Lets both clocks run fast (positive) or slow from now on, by parts per million of true time; at most nine tenths.
    pub fn set_drift_ppm(&self, drift_ppm: i64) {
        let drift_ppm = drift_ppm.clamp(-MAX_DRIFT_PPM, MAX_DRIFT_PPM);
        self.change("clock drift", drift_ppm, |clock| clock.drift_ppm = drift_ppm);
    }

    /// Lets both clocks run faster (positive) or slower than they do, by parts per million of true time.
    pub fn add_drift_ppm(&self, drift_ppm: i64) {
        self.change("clock drift", drift_ppm, |clock| {
            clock.drift_ppm = (clock.drift_ppm + drift_ppm).clamp(-MAX_DRIFT_PPM, MAX_DRIFT_PPM);
        });
    }

    /// Takes the time that has passed since true time `since_micros` from both clocks, as if they had stood still. Only
    /// for a machine whose process has stood still as well: `now` must not be seen to go back.
    pub fn stood_still_since(&self, since_micros: u64) {
        let mut state = self.shared.lock();
        let now = state.now_micros();
        let seat = state.seat_mut(self.seat);
        let peer = seat.peer;
        seat.clock.stood_still(since_micros, now);
        state.record("clock stood still", peer, &[now - since_micros]);
    }

    /// What the machine's clocks say now.
    pub fn read(&self) -> (Instant, WallTime) {
        let state = self.shared.lock();
        let clock = &state.seat(self.seat).clock;
        (clock.now(state.now_micros()), clock.wall(state.now_micros()))
    }

    /// How far the wall clock is ahead of true time, in microseconds.
    pub fn skew_micros(&self) -> i64 {
        let state = self.shared.lock();
        let wall = i128::from(state.seat(self.seat).clock.wall(state.now_micros()).micros);
        let honest = i128::from(WALL_ZERO_MICROS) + i128::from(state.now_micros());
        i64::try_from(wall - honest).unwrap_or(if wall < honest { i64::MIN } else { i64::MAX })
    }

    fn change(&self, kind: &'static str, amount: i64, change: impl FnOnce(&mut ClockState)) {
        let mut state = self.shared.lock();
        let now = state.now_micros();
        let seat = state.seat_mut(self.seat);
        seat.clock.anchor_at(now);
        change(&mut seat.clock);
        let peer = seat.peer;
        state.record(kind, peer, &[amount as u64]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails to unwrap has failed")]

    use super::*;

    #[test]
    fn a_deadline_is_due_at_the_first_microsecond_at_which_now_has_reached_it() {
        for drift_ppm in [-900_000, -200, -1, 0, 1, 333, 900_000] {
            let mut clock = ClockState::new(5_000, 0, drift_ppm);
            clock.anchor_at(1_234);
            for nanos in [6_000, 7_777_777, 123_456_789_000] {
                let deadline = Instant::from_nanos(nanos);
                let due = clock.due_micros(deadline).unwrap().max(1_234);
                assert!(clock.now(due) >= deadline);
                assert!(due == 1_234 || clock.now(due - 1) < deadline, "drift {drift_ppm}, deadline {nanos}");
            }
        }
    }

    #[test]
    fn a_change_of_drift_does_not_move_the_clocks() {
        let mut clock = ClockState::new(0, 500, 100_000);
        let before = (clock.now(1_000_000), clock.wall(1_000_000));
        clock.anchor_at(1_000_000);
        clock.drift_ppm = -100_000;
        assert_eq!(before, (clock.now(1_000_000), clock.wall(1_000_000)));
        assert_eq!(clock.now(2_000_000).as_micros(), 2_000_000);
        assert_eq!(clock.wall(2_000_000).micros, WALL_ZERO_MICROS + 500 + 2_000_000);
    }
}
