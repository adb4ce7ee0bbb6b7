//! The operating system's clocks.
//!
//! `now` counts from the first reading in the process, so all of a process's instants compare. `wall` is whatever the
//! machine believes, and steps when an administrator or NTP steps it. Sleeping is tokio's timer: a wheel of
//! milliseconds, so a sleep may end up to a millisecond after its deadline, never before.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where the real clocks come in")]

use std::sync::OnceLock;
use std::time::{Instant as SystemInstant, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;

use super::standalone_runtime;
use crate::world::{Clock, Instant, WallTime};

/// The process's real clocks. All values are the same clocks.
#[derive(Debug, Clone, Copy)]
pub struct RealClock;

/// The zero of `now`: the first reading in this process.
fn zero() -> SystemInstant {
    static ZERO: OnceLock<SystemInstant> = OnceLock::new();
    *ZERO.get_or_init(SystemInstant::now)
}

impl Clock for RealClock {
    fn now(&self) -> Instant {
        let zero = zero();
        // 2^64 nanoseconds are 584 years of uptime.
        Instant::from_nanos(SystemInstant::now().saturating_duration_since(zero).as_nanos() as u64)
    }

    fn wall(&self) -> WallTime {
        // A machine that believes to live before 1970 reads as 1970.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime { micros: since_epoch.as_micros() as u64 }
    }

    async fn sleep_until(&self, deadline: Instant) {
        loop {
            let remaining = deadline.saturating_since(self.now());
            if remaining.is_zero() {
                return;
            }
            let timer = {
                // A thread without a runtime has no timer: it borrows that of the standalone world.
                let _runtime = Handle::try_current().is_err().then(|| standalone_runtime().enter());
                tokio::time::sleep(remaining)
            };
            timer.await;
        }
    }
}
