//! The real world: tokio, the file system, the operating system's clocks and entropy.
//!
//! ```text
//!   RealClock   std's monotonic clock since a process-wide zero, the system's wall clock, tokio's timer
//!   RealDisk    names: one I/O thread a call                                    disk.rs
//!   RealFile    bytes: cached reads and short appends at once, the rest on I/O threads   file.rs
//!   RealTasks   tokio tasks; background tasks on threads of their own           tasks.rs
//! ```
//!
//! These are the only files of the engine that may name `std::{time, fs, thread}` or tokio's runtime. The production node
//! is wired here (`cluster/src/bin/stormglass`); everything else is generic over [`World`], so the same
//! code runs in the simulated world. Nothing here decides anything: it passes calls on, and keeps the promises that the
//! operating system does not keep by itself (poisoning, serialised appends, whole reads).

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where the real world comes in")]

mod clock;
mod disk;
mod file;
mod tasks;

pub use clock::RealClock;
pub use disk::{RealDisk, RealLock};
pub use file::RealFile;
pub use tasks::{RealTaskHandle, RealTasks};

use rand::TryRng as _;
use rand::rngs::SysRng;

use super::{Rng, World};

/// The world of a production process.
#[derive(Debug, Clone)]
pub struct RealWorld {
    clock: RealClock,
    disk: RealDisk,
    tasks: RealTasks,
    entropy: Rng,
}

impl RealWorld {
    /// The world of the tokio runtime that the caller runs in, with a seed of its own from the operating system.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with a timer, and where the operating system has no entropy to give.
    #[expect(clippy::new_without_default, reason = "a default that panics outside a runtime would surprise")]
    pub fn new() -> Self {
        let runtime = tokio::runtime::Handle::current();
        let seed = SysRng.try_next_u64().expect("the operating system has entropy once it has booted");
        Self {
            clock: RealClock,
            disk: RealDisk::new(runtime.clone()),
            tasks: RealTasks::new(runtime),
            entropy: Rng::from_seed(seed),
        }
    }
}

impl World for RealWorld {
    type Clock = RealClock;
    type Disk = RealDisk;
    type Tasks = RealTasks;

    fn clock(&self) -> &RealClock {
        &self.clock
    }

    fn disk(&self) -> &RealDisk {
        &self.disk
    }

    fn tasks(&self) -> &RealTasks {
        &self.tasks
    }

    fn rng(&self, label: &str) -> Rng {
        self.entropy.fork(label)
    }
}

#[cfg(test)]
mod tests;
