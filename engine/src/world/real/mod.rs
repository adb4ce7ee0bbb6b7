//! The real world: tokio, the file system, the operating system's clocks and entropy.
//!
//! ```text
//!   RealClock   std's monotonic clock since a process-wide zero, the system's wall clock, tokio's timer
//!   RealDisk    names: one I/O thread a call                                    disk.rs
//!   RealFile    bytes: cached reads and short appends at once, the rest on I/O threads   file.rs
//!   wait        a future's end, on a thread without a runtime                  blocking.rs
//!   RealTasks   tokio tasks; background tasks on threads of their own           tasks.rs
//! ```
//!
//! These are the only files of the engine that may name `std::{time, fs, thread}` or tokio's runtime. The production node
//! is wired here (`cluster/src/bin/stormglass`); everything else is generic over [`World`], so the same
//! code runs in the simulated world. Nothing here decides anything: it passes calls on, and keeps the promises that the
//! operating system does not keep by itself (poisoning, serialised appends, whole reads).

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where the real world comes in")]

mod blocking;
mod clock;
mod disk;
mod file;
mod tasks;

pub use blocking::{block_on, wait};
pub use clock::RealClock;
pub use disk::{RealDisk, RealLock};
pub use file::RealFile;
pub use tasks::{RealTaskHandle, RealTasks};

use std::sync::OnceLock;

use rand::TryRng as _;
use rand::rngs::SysRng;
use tokio::runtime::{Builder, Runtime};

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
        Self::on(tokio::runtime::Handle::current())
    }

    /// The world of a process without an asynchronous runtime: one of its own, shared by all such worlds and never shut
    /// down, has its timers, its I/O threads and the tasks of the foreground.
    ///
    /// # Panics
    ///
    /// Where the operating system gives no threads, or has no entropy to give.
    pub fn standalone() -> Self {
        Self::on(standalone_runtime().handle().clone())
    }

    fn on(runtime: tokio::runtime::Handle) -> Self {
        let seed = SysRng.try_next_u64().expect("the operating system has entropy once it has booted");
        Self {
            clock: RealClock,
            disk: RealDisk::new(runtime.clone()),
            tasks: RealTasks::new(runtime),
            entropy: Rng::from_seed(seed),
        }
    }
}

/// The runtime of all worlds that have no other.
fn standalone_runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        let built = builder.worker_threads(2).thread_name("stormglass").enable_all().build();
        built.expect("an operating system that runs programs gives them threads")
    })
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
