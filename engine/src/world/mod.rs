//! The seam: everything the database takes from outside itself.
//!
//! The engine and the cluster never call an operating system. They are generic over a [`World`], which hands them
//! time ([`Clock`]), storage ([`Disk`], [`File`]), concurrency ([`Tasks`]) and randomness ([`Rng`]). The cluster adds a
//! fourth side, the network (`cluster::world`). Two worlds exist:
//!
//! ```text
//!   world::real          tokio, the file system, OS entropy          wired in cluster/src/bin/stormglass
//!   sim::world           one thread, virtual time, faults by seed    wired in sim/src/world/node.rs
//! ```
//!
//! Each trait's documentation is a contract: what it promises, and what it does not. [`contract`] turns the promises into
//! a conformance suite that every world must pass, so that code proven in the simulated world may be trusted in the real
//! one. Traits have no default bodies: a world that forgets a method does not compile. Dispatch is static. Functions ask
//! for the narrowest side they need (a function that only reads files is generic over `Disk`, not over `World`).

pub mod clock;
pub mod contract;
pub mod disk;
pub mod real;
pub mod rng;
pub mod tasks;

pub use clock::{Clock, Instant, WallTime};
pub use disk::{Access, Directory, DirectoryEntry, Disk, DiskError, DiskErrorKind, EntryKind, File, Space};
pub use rng::Rng;
pub use tasks::{TaskEnd, TaskHandle, Tasks};

/// One process's view of everything outside it. Cheap to clone; clones are the same world.
pub trait World: Clone + Send + Sync + 'static {
    /// Time.
    type Clock: Clock;
    /// Durable storage.
    type Disk: Disk;
    /// Concurrency.
    type Tasks: Tasks;

    /// The process's clocks.
    fn clock(&self) -> &Self::Clock;
    /// The process's disk.
    fn disk(&self) -> &Self::Disk;
    /// The process's tasks.
    fn tasks(&self) -> &Self::Tasks;
    /// A random stream for the purpose that `label` names. The same label gives the same stream within one run of a
    /// process; different labels give independent streams.
    fn rng(&self, label: &str) -> Rng;
}
