//! The simulated disk: an in-memory file system per machine that forgets what was never synced.
//!
//! ```text
//!   call ──▶ takes effect in the page cache, in call order ──▶ its latency passes ──▶ reported done
//!            (first poll)                                       │
//!                                                               ├─ killed here: an append may have happened in part
//!                                                               └─ power lost here: all of it is unsynced
//!   sync ──▶ marks what is there when called ──▶ its latency passes ──▶ exactly that is durable, and reported
//! ```
//!
//! Writes of one file are reported in the order of their calls; everything else overlaps. Every call takes at least a
//! microsecond, so every call is a point at which a crash, or another task, can come between. A call that fails takes its
//! time as well. Dropping a call that was polled neither stops nor undoes it.
//!
//! What can go wrong while it runs is in `faults` and `rules`, what a power loss can leave in `image`, what becomes of a disk
//! that is replaced in `backup`.

mod backup;
pub(super) mod content;
mod control;
mod durability;
mod faults;
mod file;
pub(super) mod file_system;
mod image;
mod operation;
mod rules;
mod settings;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use engine::world::{Access, Directory, Disk, DiskError, DiskErrorKind, Space};

pub use self::backup::DiskCopy;
pub use self::control::DiskControl;
pub use self::file::SimulatedFile;
use self::file_system::{FileSystem, Inode};
pub use self::image::{Boundary, DiskImage, Fate, Survivor};
use self::operation::{Call, Class, path_hash};
pub use self::rules::{DiskFault, DiskRule, DiskRuleId};
pub use self::settings::{Casualties, DiskSettings, PowerLoss, Survival};
use super::state::Identity;

/// A process's view of its machine's disk.
#[derive(Debug, Clone)]
pub struct SimulatedDisk {
    identity: Arc<Identity>,
}

impl SimulatedDisk {
    pub(super) fn new(identity: Arc<Identity>) -> Self {
        Self { identity }
    }

    /// Performs a call that concerns names. `other` is the second path of the call, if it has one.
    async fn metadata<T>(
        &self,
        operation: &'static str,
        path: &Path,
        other: Option<&Path>,
        act: impl FnOnce(&mut FileSystem) -> Result<T, DiskErrorKind>,
    ) -> Result<T, DiskError> {
        let second = other.map_or(0, path_hash);
        let call = Call { identity: &self.identity, operation, path, other };
        call.perform(|call, state| {
            let result = act(call.files(state));
            call.begun(state, Class::Metadata, None, result, [second, 0])
        })
        .await
    }

    fn file(&self, inode: Inode, path: &Path, access: Access) -> SimulatedFile {
        SimulatedFile::new(&self.identity, inode, path, access)
    }
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;
    type Lock = SimulatedLock;

    fn create(&self, path: &Path) -> impl Future<Output = Result<SimulatedFile, DiskError>> + Send {
        self.metadata("create", path, None, |files| Ok(self.file(files.create(path)?, path, Access::Append)))
    }

    fn open(&self, path: &Path, access: Access) -> impl Future<Output = Result<SimulatedFile, DiskError>> + Send {
        self.metadata("open", path, None, move |files| Ok(self.file(files.open(path)?, path, access)))
    }

    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = Result<(), DiskError>> + Send {
        self.metadata("rename", from, Some(to), |files| files.rename(from, to))
    }

    fn link(&self, existing: &Path, link: &Path) -> impl Future<Output = Result<(), DiskError>> + Send {
        self.metadata("link", existing, Some(link), |files| files.link(existing, link))
    }

    fn remove(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>> + Send {
        self.metadata("remove", path, None, |files| files.remove(path))
    }

    fn create_dir(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>> + Send {
        self.metadata("create_dir", path, None, |files| files.create_dir(path))
    }

    fn list(&self, path: &Path) -> impl Future<Output = Result<Directory, DiskError>> + Send {
        self.metadata("list", path, None, |files| files.list(path))
    }

    async fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        let call = Call { identity: &self.identity, operation: "sync_dir", path, other: None };
        call.perform(|call, state| call.begin_sync(state, None, |files| files.begin_sync_dir(call.path))).await
    }

    fn space(&self, path: &Path) -> impl Future<Output = Result<Space, DiskError>> + Send {
        self.metadata("space", path, None, |files| {
            files.find(path)?;
            Ok(Space { total_bytes: files.settings.quota_bytes, available_bytes: files.available_bytes() })
        })
    }

    fn lock(&self, path: &Path) -> impl Future<Output = Result<SimulatedLock, DiskError>> + Send {
        self.metadata("lock", path, None, |files| {
            let (inode, lock) = files.lock(path)?;
            Ok(SimulatedLock { identity: Arc::clone(&self.identity), inode, lock })
        })
    }
}

/// A held lock.
#[derive(Debug)]
pub struct SimulatedLock {
    identity: Arc<Identity>,
    inode: Inode,
    lock: u64,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        // A lock of the dead was let go when they died; the number keeps it from freeing anyone else's.
        let mut state = self.identity.shared.lock();
        if state.is_alive(self.identity.process) {
            state.seat_mut(self.identity.seat).files.unlock(self.inode, self.lock);
        }
    }
}
