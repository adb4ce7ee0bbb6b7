//! The conformance suite that every world must pass.
//!
//! The seam's documentation promises; this suite checks the promises on a running world, the same code for the real one
//! and the simulated one. Code that was proven in the simulated world may be trusted in the real one only as far as both
//! keep one contract (turmoil's parity tests and openraft's `Suite::test_all` do the same).
//!
//! ```text
//!   conforms(world, root)                       everything that both worlds can do, one after the other
//!     bytes::*         append, read, truncate, handles          names::*   create, rename, link, remove, list, lock
//!     interruption::*  dropped appends and syncs, ordering      sides::*   clock, tasks, randomness
//!   random::perform(disk, root, calls)          any sequence of calls, for whoever holds two disks against each other
//! ```
//!
//! Each part is a function that can be called by itself; it makes a folder of its own below `root`, an existing empty folder of the world's
//! disk. A violation panics with the sentence that was violated. All parts together sleep for less than
//! 20 milliseconds, start tasks only through the world, and touch nothing but its sides.
//!
//! What is not here: durability (which needs a crash, so it is tested where crashes are), injected faults, and timing.

pub mod bytes;
pub mod interruption;
pub mod names;
pub mod random;
pub mod sides;

use std::path::{Path, PathBuf};

use ::bytes::Bytes;

use super::{Disk, DiskError, DiskErrorKind, File, World};

/// Runs every part that all worlds must pass, below the existing, empty folder `root`.
///
/// # Panics
///
/// With the violated promise.
pub async fn conforms<W: World>(world: &W, root: &Path) {
    let disk = world.disk();
    bytes::conform(disk, root).await;
    names::conform(disk, root).await;
    interruption::conform(disk, root).await;
    sides::conform(world).await;
}

/// A fresh folder for one part.
async fn folder<D: Disk>(disk: &D, root: &Path, name: &str) -> PathBuf {
    let path = root.join(name);
    must(disk.create_dir(&path).await, "a folder can be created in an existing one");
    path
}

/// A fresh file with this content.
async fn file_with<D: Disk>(disk: &D, path: &Path, content: &'static [u8]) -> D::File {
    let file = must(disk.create(path).await, "a file can be created under a free name");
    must(file.append(vec![Bytes::from_static(content)]).await, "a new file can be appended to");
    file
}

/// Everything in the file.
async fn content<F: File>(file: &F) -> Bytes {
    let length = must(file.len().await, "an open file has a length");
    must(file.read_at(0, length as usize).await, "an open file can be read")
}

/// The result of an operation that a conforming world does not fail.
#[track_caller]
fn must<T>(result: Result<T, DiskError>, promise: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("violated: {promise}; but: {error} ({:?})", error.kind),
    }
}

/// Demands that an operation was refused in exactly this way.
#[track_caller]
fn must_refuse<T>(result: Result<T, DiskError>, kind: DiskErrorKind, promise: &str) {
    match result {
        Ok(_) => panic!("violated: {promise}; but it succeeded"),
        Err(error) if error.kind == kind => {}
        Err(error) => panic!("violated: {promise} with {kind:?}; but: {error} ({:?})", error.kind),
    }
}
