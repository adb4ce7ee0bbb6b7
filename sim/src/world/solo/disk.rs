//! A solo process's disk: the simulated file system, without latencies, counters and trace.
//!
//! ```text
//!   first poll: the call takes effect      next turn of the task: it is reported; a sync is durable
//! ```
//!
//! Between the two, other tasks run and power may go. A call that is dropped in between has happened.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use bytes::Bytes;
use engine::world::{Access, Directory, Disk, DiskError, DiskErrorKind, File, Space};

use super::{Files, lock};
use crate::world::disk::file_system::{FileSystem, Inode};

/// See the module.
#[derive(Debug, Clone)]
pub struct SoloDisk {
    files: Files,
}

/// Lets every other task that is ready go first, perhaps.
async fn turn() {
    let mut is_over = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Performs a call: its effect now, its report at the next turn.
async fn call<T>(
    files: &Files,
    operation: &'static str,
    path: &Path,
    act: impl FnOnce(&mut FileSystem) -> Result<T, DiskErrorKind>,
) -> Result<T, DiskError> {
    let result = act(&mut lock(files));
    turn().await;
    result.map_err(|kind| DiskError::new(kind, operation, path))
}

/// A sync that has begun. It is done when this is dropped, whoever drops it.
struct Sync<'a> {
    files: &'a Files,
    number: u64,
}

impl Drop for Sync<'_> {
    fn drop(&mut self) {
        lock(self.files).complete_sync(self.number);
    }
}

async fn sync(
    files: &Files,
    operation: &'static str,
    path: &Path,
    begin: impl FnOnce(&mut FileSystem) -> Result<u64, DiskErrorKind>,
) -> Result<(), DiskError> {
    let begun = begin(&mut lock(files));
    let begun = begun.map(|number| Sync { files, number });
    turn().await;
    begun.map(drop).map_err(|kind| DiskError::new(kind, operation, path))
}

impl SoloDisk {
    pub(super) fn new(files: &Files) -> Self {
        Self { files: Arc::clone(files) }
    }

    fn file(&self, inode: Inode, path: &Path, access: Access) -> SoloFile {
        let poisoned = AtomicBool::new(false);
        SoloFile { files: Arc::clone(&self.files), inode, path: path.to_path_buf(), access, poisoned }
    }
}

impl Disk for SoloDisk {
    type File = SoloFile;
    type Lock = SoloLock;

    async fn create(&self, path: &Path) -> Result<SoloFile, DiskError> {
        call(&self.files, "create", path, |files| Ok(self.file(files.create(path)?, path, Access::Append))).await
    }

    async fn open(&self, path: &Path, access: Access) -> Result<SoloFile, DiskError> {
        call(&self.files, "open", path, |files| Ok(self.file(files.open(path)?, path, access))).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        call(&self.files, "rename", from, |files| files.rename(from, to)).await
    }

    async fn link(&self, existing: &Path, link: &Path) -> Result<(), DiskError> {
        call(&self.files, "link", existing, |files| files.link(existing, link)).await
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        call(&self.files, "remove", path, |files| files.remove(path)).await
    }

    async fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        call(&self.files, "create_dir", path, |files| files.create_dir(path)).await
    }

    async fn list(&self, path: &Path) -> Result<Directory, DiskError> {
        call(&self.files, "list", path, |files| files.list(path)).await
    }

    async fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        sync(&self.files, "sync_dir", path, |files| files.begin_sync_dir(path)).await
    }

    async fn space(&self, path: &Path) -> Result<Space, DiskError> {
        call(&self.files, "space", path, |files| {
            files.find(path)?;
            Ok(Space { total_bytes: files.settings.quota_bytes, available_bytes: files.available_bytes() })
        })
        .await
    }

    async fn lock(&self, path: &Path) -> Result<SoloLock, DiskError> {
        call(&self.files, "lock", path, |files| {
            let (inode, number) = files.lock(path)?;
            Ok(SoloLock { files: Arc::clone(&self.files), inode, number })
        })
        .await
    }
}

/// A held lock.
#[derive(Debug)]
pub struct SoloLock {
    files: Files,
    inode: Inode,
    number: u64,
}

impl Drop for SoloLock {
    fn drop(&mut self) {
        lock(&self.files).unlock(self.inode, self.number);
    }
}

/// An open file.
#[derive(Debug)]
pub struct SoloFile {
    files: Files,
    inode: Inode,
    path: PathBuf,
    access: Access,
    poisoned: AtomicBool,
}

impl SoloFile {
    /// Performs a write; the handle is poisoned until it has ended well.
    async fn write<T>(
        &self,
        operation: &'static str,
        write: impl Future<Output = Result<T, DiskError>>,
    ) -> Result<T, DiskError> {
        if self.access == Access::Read {
            return Err(DiskError::new(DiskErrorKind::ReadOnly, operation, &self.path));
        }
        if self.poisoned.load(Ordering::Relaxed) {
            return Err(DiskError::new(DiskErrorKind::Poisoned, operation, &self.path));
        }
        let mut guard = PoisonUnlessDone { poisoned: &self.poisoned, done: false };
        let result = write.await;
        guard.done = result.is_ok();
        result
    }
}

/// Poisons a handle whose write failed or was dropped while pending.
struct PoisonUnlessDone<'a> {
    poisoned: &'a AtomicBool,
    done: bool,
}

impl Drop for PoisonUnlessDone<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.poisoned.store(true, Ordering::Relaxed);
        }
    }
}

impl File for SoloFile {
    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, DiskError> {
        call(&self.files, "read", &self.path, |files| files.read(self.inode, offset, length)).await
    }

    async fn append(&self, chunks: Vec<Bytes>) -> Result<u64, DiskError> {
        self.write("append", call(&self.files, "append", &self.path, |files| files.append(self.inode, &chunks))).await
    }

    async fn len(&self) -> Result<u64, DiskError> {
        call(&self.files, "length", &self.path, |files| Ok(files.content(self.inode)?.bytes().len() as u64)).await
    }

    async fn truncate(&self, length: u64) -> Result<(), DiskError> {
        let cut = call(&self.files, "truncate", &self.path, |files| files.truncate(self.inode, length));
        // A refusal has touched nothing, and leaves no poison.
        match self.write("truncate", cut).await? {
            true => Ok(()),
            false => Err(DiskError::new(DiskErrorKind::InputOutput, "truncate", &self.path)),
        }
    }

    async fn sync(&self) -> Result<(), DiskError> {
        self.write("sync", sync(&self.files, "sync", &self.path, |files| files.begin_sync(self.inode))).await
    }
}

impl Drop for SoloFile {
    fn drop(&mut self) {
        lock(&self.files).close(self.inode);
    }
}
