//! Names on the real file system.
//!
//! Every call here is a system call that may touch the medium, so each runs on an I/O thread (tokio's blocking pool, about
//! 8 microseconds a call). Names are rare: files live long. The bytes inside files take the short ways of `file.rs`.
//!
//! ```text
//!   create     open(O_CREAT | O_EXCL)          link      lstat, then link
//!   open       open, then fstat                 remove    unlink
//!   rename     lstat, then rename               list      readdir, stat each, ordered
//!   sync_dir   open(O_DIRECTORY), fsync         lock      open(O_CREAT), flock(LOCK_EX | LOCK_NB)
//! ```
//!
//! A lock is flock's: it belongs to the open file, so it also excludes a second holder in the same process, and it ends
//! with the process, whatever way that ends. A program that the process starts holds it too until it has replaced the
//! copy of this one, so that a lock let go just then is free a moment later. It does not hold across NFS clients on old
//! kernels.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where the real file system comes in")]

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags};
use tokio::runtime::Handle;

use super::file::RealFile;
use crate::world::{Access, Directory, DirectoryEntry, Disk, DiskError, DiskErrorKind, EntryKind, Space};

/// The real file system, with the I/O threads of one tokio runtime.
#[derive(Debug, Clone)]
pub struct RealDisk {
    threads: Handle,
}

/// A lock held by an open file; dropping it lets go.
#[derive(Debug)]
pub struct RealLock {
    _file: fs::File,
}

impl RealDisk {
    pub(super) fn new(threads: Handle) -> Self {
        Self { threads }
    }

    /// Runs one system call, or a few, on an I/O thread.
    async fn call<T, F>(&self, operation: &'static str, path: &Path, call: F) -> Result<T, DiskError>
    where
        T: Send + 'static,
        F: FnOnce(&Path) -> io::Result<T> + Send + 'static,
    {
        let owned = path.to_path_buf();
        let result = on_io_thread(&self.threads, move || call(&owned)).await;
        result.map_err(|error| DiskError::from_io(&error, operation, path))
    }
}

/// Runs `call` on an I/O thread of the runtime. The call runs to its end also when this future is dropped. A thread that
/// belongs to no runtime holds nobody up: it makes the call itself, and saves two switches.
pub(super) async fn on_io_thread<T, F>(threads: &Handle, call: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    if Handle::try_current().is_err() {
        return call();
    }
    match threads.spawn_blocking(call).await {
        Ok(result) => result,
        Err(end) => match end.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(io::Error::other("the process is shutting down")),
        },
    }
}

impl Disk for RealDisk {
    type File = RealFile;
    type Lock = RealLock;

    async fn create(&self, path: &Path) -> Result<RealFile, DiskError> {
        let create = |path: &Path| fs::OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = self.call("create", path, create).await?;
        Ok(RealFile::new(file, path, Access::Append, 0, self.threads.clone()))
    }

    async fn open(&self, path: &Path, access: Access) -> Result<RealFile, DiskError> {
        let open = move |path: &Path| {
            let file = fs::OpenOptions::new().read(true).write(access == Access::Append).open(path)?;
            let metadata = file.metadata()?;
            // Opening a folder for reading succeeds; only reading from it would fail.
            if metadata.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok((file, metadata.len()))
        };
        let (file, length_bytes) = self.call("open", path, open).await?;
        Ok(RealFile::new(file, path, access, length_bytes, self.threads.clone()))
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let target = to.to_path_buf();
        let rename = move |from: &Path| {
            refuse_folder(from)?;
            fs::rename(from, target)
        };
        let renamed = self.call("rename", from, rename).await;
        renamed.map_err(|error| DiskError { detail: format!("to {}: {}", to.display(), error.detail), ..error })
    }

    async fn link(&self, existing: &Path, link: &Path) -> Result<(), DiskError> {
        let source = existing.to_path_buf();
        let make_link = move |link: &Path| {
            refuse_folder(&source)?;
            fs::hard_link(source, link)
        };
        let linked = self.call("link", link, make_link).await;
        linked.map_err(|error| DiskError { detail: format!("to {}: {}", existing.display(), error.detail), ..error })
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.call("remove", path, |path| fs::remove_file(path)).await
    }

    async fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.call("create folder", path, |path| fs::create_dir(path)).await
    }

    async fn list(&self, path: &Path) -> Result<Directory, DiskError> {
        self.call("list", path, list).await
    }

    async fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        let sync = |path: &Path| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = rustix::fs::open(path, flags, rustix::fs::Mode::empty())?;
            fs::File::from(folder).sync_all()
        };
        self.call("sync folder", path, sync).await
    }

    async fn space(&self, path: &Path) -> Result<Space, DiskError> {
        let space = |path: &Path| {
            let system = rustix::fs::statvfs(path)?;
            Ok(Space {
                total_bytes: system.f_blocks.saturating_mul(system.f_frsize),
                available_bytes: system.f_bavail.saturating_mul(system.f_frsize),
            })
        };
        self.call("measure space", path, space).await
    }

    async fn lock(&self, path: &Path) -> Result<RealLock, DiskError> {
        let lock = |path: &Path| {
            let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => Ok(Some(RealLock { _file: file })),
                Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        let held = self.call("lock", path, lock).await?;
        held.ok_or_else(|| DiskError::new(DiskErrorKind::Locked, "lock", path))
    }
}

/// The system would rename a folder, and refuse to link one as if it were a matter of rights.
fn refuse_folder(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => Ok(()),
    }
}

/// The content of a folder. What disappears while we look is not in it.
fn list(path: &Path) -> io::Result<Directory> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let metadata = match fs::metadata(path.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        let kind = if metadata.is_dir() { EntryKind::Directory } else { EntryKind::File };
        let length_bytes = if metadata.is_dir() { 0 } else { metadata.len() };
        entries.push(DirectoryEntry { name, kind, length_bytes });
    }
    entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    Ok(entries)
}
