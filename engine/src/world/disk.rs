//! Durable storage: files that are appended to, names that must be synced, and errors that say which of them failed.
//!
//! What is durable after power loss, and what makes it so:
//!
//! ```text
//!   bytes of a file          File::sync        covers exactly what was appended or truncated before it was called
//!   a name (create, rename,  Disk::sync_dir    of the folder that holds the name; a synced file whose name
//!     link, remove)                            was never synced may be gone
//! ```
//!
//! Until then each of these may survive, vanish or survive in part, independently of every other. A killed *process*
//! loses nothing that a call reported done.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// What a caller can tell apart, and act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiskErrorKind {
    /// The path, or a folder on the way to it, does not exist.
    NotFound,
    /// `create`, `create_dir`, `link`: something has that name already.
    AlreadyExists,
    /// A folder was given where a file is needed.
    IsADirectory,
    /// A file was given where a folder is needed.
    NotADirectory,
    /// The process may not do that here.
    PermissionDenied,
    /// The disk, or the quota, is full.
    NoSpace,
    /// `lock`: another process holds it.
    Locked,
    /// An earlier append, truncate or sync of this handle failed or was dropped while pending: nothing is known of the
    /// file's end, and the handle accepts no more writes. Close it and recover.
    Poisoned,
    /// The handle was opened for reading only.
    ReadOnly,
    /// The medium failed, or anything else that the caller can only report.
    InputOutput,
}

/// A failed disk operation: what was tried, on what, and how it failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation} {}: {detail}", .path.display())]
pub struct DiskError {
    /// What a caller can act on.
    pub kind: DiskErrorKind,
    /// The operation as a verb: `create`, `read`, `sync`, ...
    pub operation: &'static str,
    /// The file or folder it was tried on.
    pub path: PathBuf,
    /// The cause, in the words of the system below.
    pub detail: String,
}

impl DiskError {
    /// An error of `kind`, described by the kind's own words.
    pub fn new(kind: DiskErrorKind, operation: &'static str, path: &Path) -> Self {
        Self { kind, operation, path: path.to_path_buf(), detail: kind.to_string() }
    }

    /// The error of a real system call.
    pub fn from_io(error: &io::Error, operation: &'static str, path: &Path) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => DiskErrorKind::NotFound,
            io::ErrorKind::AlreadyExists => DiskErrorKind::AlreadyExists,
            // A folder in which the renamed file lies is told of as not empty.
            io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => DiskErrorKind::IsADirectory,
            io::ErrorKind::NotADirectory => DiskErrorKind::NotADirectory,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => DiskErrorKind::PermissionDenied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                DiskErrorKind::NoSpace
            }
            _ => DiskErrorKind::InputOutput,
        };
        Self { kind, operation, path: path.to_path_buf(), detail: error.to_string() }
    }
}

impl fmt::Display for DiskErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotFound => "no such file or directory",
            Self::AlreadyExists => "already exists",
            Self::IsADirectory => "is a directory",
            Self::NotADirectory => "is not a directory",
            Self::PermissionDenied => "permission denied",
            Self::NoSpace => "no space left on the disk",
            Self::Locked => "locked by another process",
            Self::Poisoned => "an earlier write or sync of this file failed; reopen and recover",
            Self::ReadOnly => "opened for reading only",
            Self::InputOutput => "input/output error",
        })
    }
}

/// What an opened file may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only `read_at` and `len`; everything else is refused with `ReadOnly`.
    Read,
    /// Reads, appends, truncation and sync.
    Append,
}

/// What kind of thing a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name, without its folder.
    pub name: String,
    /// File or folder.
    pub kind: EntryKind,
    /// Bytes in the file; 0 for a folder.
    pub length_bytes: u64,
}

/// The content of a folder, ordered by name. Names that are not UTF-8 cannot be ours and are left out.
pub type Directory = Vec<DirectoryEntry>;

/// Room on the disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Capacity of the file system or quota.
    pub total_bytes: u64,
    /// What this process may still write.
    pub available_bytes: u64,
}

/// The file system, as far as a storage engine needs one.
///
/// Promised: what an operation reported done is seen by every later operation of the same process, also through other
/// handles; `create` never opens an existing file; `rename` replaces its target atomically (seen at any moment, also after
/// power loss: one or the other, never neither, once the target's name was durable); `remove` takes the name, handles
/// that are open go on; `list` is ordered by name.
///
/// Not promised: that any name survives power loss before `sync_dir` of its folder; that names become durable in the order
/// of the calls.
///
/// Dropping a pending call neither stops nor undoes it.
pub trait Disk: Clone + Send + Sync + 'static {
    /// An open file.
    type File: File;
    /// A held lock; dropping it, or the end of the process, lets go.
    type Lock: Send + Sync + 'static;

    /// Creates an empty file, open for `Access::Append`. `AlreadyExists` when the name is taken.
    fn create(&self, path: &Path) -> impl Future<Output = Result<Self::File, DiskError>> + Send;
    /// Opens an existing file.
    fn open(&self, path: &Path, access: Access) -> impl Future<Output = Result<Self::File, DiskError>> + Send;
    /// Gives the file `from` the name `to`, replacing what had it. `IsADirectory` when `from` or `to` is a folder: folders
    /// keep their names.
    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = Result<(), DiskError>> + Send;
    /// Gives the file `existing` a second name. `AlreadyExists` when `link` is taken, `IsADirectory` when `existing` is a
    /// folder.
    fn link(&self, existing: &Path, link: &Path) -> impl Future<Output = Result<(), DiskError>> + Send;
    /// Removes a file's name.
    fn remove(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>> + Send;
    /// Creates a folder; its parent must exist. `AlreadyExists` when the name is taken.
    fn create_dir(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>> + Send;
    /// What is in a folder.
    fn list(&self, path: &Path) -> impl Future<Output = Result<Directory, DiskError>> + Send;
    /// Makes every earlier change of names in this folder durable.
    fn sync_dir(&self, path: &Path) -> impl Future<Output = Result<(), DiskError>> + Send;
    /// Room left where `path` is.
    fn space(&self, path: &Path) -> impl Future<Output = Result<Space, DiskError>> + Send;
    /// Takes an exclusive lock on `path` (created when missing) without waiting; `Locked` when anyone holds it, in this
    /// process or another.
    fn lock(&self, path: &Path) -> impl Future<Output = Result<Self::Lock, DiskError>> + Send;
}

/// An open file: read anywhere, written only at its end.
///
/// Promised: appends through one handle land in the order of the calls and without gaps; a read sees every append that
/// was reported done before it began; `sync` that returned `Ok` makes exactly what was appended and truncated before it
/// was called durable.
///
/// Not promised: anything about a file whose append, truncate or sync failed, or was dropped while pending. The handle is
/// then poisoned: later writes and syncs are refused with `Poisoned`, and nobody retries (the page may have been marked
/// clean: a second sync would say `Ok` for data that is gone). Therefore only tasks that nothing but a crash cancels own
/// writers.
///
/// At most one handle appends to a file at a time.
#[expect(clippy::len_without_is_empty, reason = "`len` asks the disk and may fail; emptiness is the caller's question")]
pub trait File: Send + Sync + 'static {
    /// Reads up to `length` bytes at `offset`; fewer only where the file ends.
    fn read_at(&self, offset: u64, length: usize) -> impl Future<Output = Result<Bytes, DiskError>> + Send;
    /// Writes the chunks one after the other at the end; returns the offset of the first byte.
    fn append(&self, chunks: Vec<Bytes>) -> impl Future<Output = Result<u64, DiskError>> + Send;
    /// Bytes in the file.
    fn len(&self) -> impl Future<Output = Result<u64, DiskError>> + Send;
    /// Cuts the file to `length` bytes; longer than it is, is refused with `InputOutput`, which touches nothing and poisons
    /// nothing.
    fn truncate(&self, length: u64) -> impl Future<Output = Result<(), DiskError>> + Send;
    /// Makes what was appended or truncated before this call durable.
    fn sync(&self) -> impl Future<Output = Result<(), DiskError>> + Send;
}
