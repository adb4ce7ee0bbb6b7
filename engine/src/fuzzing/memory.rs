//! Files in memory: what the decoders that read files are given. Nothing waits, so a future is done when it is first asked.
//!
//! ```text
//!   Memory   path ─▶ bytes          opened and listed; the rest of a disk is refused
//!   Content  bytes                  read, and appended to while a sample is built
//! ```

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::world::{Access, Directory, DirectoryEntry, Disk, DiskError, DiskErrorKind, EntryKind, File, Space};

/// The result of a future that waits for nothing.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("files in memory never make anyone wait"),
    }
}

/// A folder of files that can be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Vec<(PathBuf, Bytes)>);

/// One file.
#[derive(Debug, Clone, Default)]
pub(super) struct Content(Arc<Mutex<Bytes>>);

impl Memory {
    /// The same folder with another file.
    pub(super) fn with(mut self, path: impl Into<PathBuf>, content: impl Into<Bytes>) -> Self {
        self.0.push((path.into(), content.into()));
        self
    }
}

impl Content {
    pub(super) fn of(bytes: Bytes) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }

    /// What is in it.
    pub(super) fn bytes(&self) -> Bytes {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn refused(operation: &'static str, path: &Path) -> DiskError {
    DiskError::new(DiskErrorKind::ReadOnly, operation, path)
}

impl Disk for Memory {
    type File = Content;
    type Lock = ();

    async fn create(&self, path: &Path) -> Result<Content, DiskError> {
        Err(refused("create", path))
    }

    async fn open(&self, path: &Path, _access: Access) -> Result<Content, DiskError> {
        let found = self.0.iter().find(|(name, _)| name == path);
        let missing = || DiskError::new(DiskErrorKind::NotFound, "open", path);
        found.map(|(_, bytes)| Content::of(bytes.clone())).ok_or_else(missing)
    }

    async fn rename(&self, from: &Path, _to: &Path) -> Result<(), DiskError> {
        Err(refused("rename", from))
    }

    async fn link(&self, existing: &Path, _link: &Path) -> Result<(), DiskError> {
        Err(refused("link", existing))
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        Err(refused("remove", path))
    }

    async fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        Err(refused("create_dir", path))
    }

    async fn list(&self, path: &Path) -> Result<Directory, DiskError> {
        if self.0.iter().any(|(name, _)| name == path) {
            return Err(DiskError::new(DiskErrorKind::NotADirectory, "list", path));
        }
        let entry = |(path, bytes): &(PathBuf, Bytes)| DirectoryEntry {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            kind: EntryKind::File,
            length_bytes: bytes.len() as u64,
        };
        Ok(self.0.iter().map(entry).collect())
    }

    async fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        Err(refused("sync_dir", path))
    }

    async fn space(&self, path: &Path) -> Result<Space, DiskError> {
        Err(refused("space", path))
    }

    async fn lock(&self, path: &Path) -> Result<(), DiskError> {
        Err(refused("lock", path))
    }
}

impl File for Content {
    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, DiskError> {
        let bytes = self.bytes();
        let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = begin.saturating_add(length).min(bytes.len());
        Ok(bytes.slice(begin..end))
    }

    async fn append(&self, chunks: Vec<Bytes>) -> Result<u64, DiskError> {
        let before = self.bytes();
        let after = [std::slice::from_ref(&before), &chunks[..]].concat().concat();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Bytes::from(after);
        Ok(before.len() as u64)
    }

    async fn len(&self) -> Result<u64, DiskError> {
        Ok(self.bytes().len() as u64)
    }

    async fn truncate(&self, _length: u64) -> Result<(), DiskError> {
        Err(refused("truncate", Path::new("memory")))
    }

    async fn sync(&self) -> Result<(), DiskError> {
        Ok(())
    }
}
