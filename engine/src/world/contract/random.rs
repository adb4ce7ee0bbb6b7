//! Any sequence of calls, performed: two disks that keep the contract give the same answers to it.
//!
//! ```text
//!   operations, drawn by whoever tests ──▶ perform(disk, root) ──▶ answers
//!                                      ╰─▶ perform(other disk, root) ──▶ answers     equal, one by one
//! ```
//!
//! The other parts of the suite say what each promise is; here nothing is said but that two worlds agree, on values and on
//! kinds of errors, whatever was called before. Names are few, so that most calls meet what others left: files where folders
//! are needed, files that were renamed or removed while they are open, two names of one file.
//!
//! What the contract leaves open is not drawn: no file has two appending handles at a time (the older one is closed), and
//! a call that is dropped while pending may have happened in part, so that its file is looked at and then brought to one
//! state. That takes a disk whose later calls wait for a dropped one: a real one needs a runtime with a single I/O thread.
//! Paths with `..`, names longer than a file system takes, and full disks are left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;

use ::bytes::Bytes;

use super::interruption::poll_once;
use super::{must, must_refuse};
use crate::world::{Access, Directory, Disk, DiskError, DiskErrorKind, File};

/// A path below the root, as the numbers of its names; none for the root itself.
pub type Name = Vec<u8>;

/// One call. Handles and locks are kept in numbered slots; what was in a slot is closed when another takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the calls are those of `Disk` and `File`")]
pub enum Operation {
    Create {
        name: Name,
        slot: usize,
    },
    Open {
        name: Name,
        access: Access,
        slot: usize,
    },
    Rename {
        from: Name,
        to: Name,
    },
    Link {
        existing: Name,
        link: Name,
    },
    Remove(Name),
    CreateDir(Name),
    List(Name),
    SyncDir(Name),
    Space(Name),
    Lock {
        name: Name,
        slot: usize,
    },
    Unlock(usize),
    Close(usize),
    Read {
        slot: usize,
        offset: u64,
        length: usize,
    },
    Append {
        slot: usize,
        chunks: Vec<usize>,
    },
    Length(usize),
    Truncate {
        slot: usize,
        length: u64,
    },
    Sync(usize),
    /// Polled once, then dropped; the handle is closed.
    DroppedAppend {
        slot: usize,
        chunks: Vec<usize>,
    },
    /// The same.
    DroppedTruncate {
        slot: usize,
        length: u64,
    },
    /// The same.
    DroppedSync(usize),
    /// Polled once, then dropped.
    DroppedRename {
        from: Name,
        to: Name,
    },
}

/// What a call gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It succeeded, and there is nothing to tell.
    Done,
    /// An append's offset, or a length.
    Number(u64),
    /// What was read.
    Read(Bytes),
    /// What is in a folder.
    Listed(Directory),
    /// An error of this kind.
    Refused(DiskErrorKind),
    /// It was not called: there is nothing in its slot, or the contract leaves its outcome open.
    NotCalled,
}

impl<T> From<Result<T, DiskError>> for Answer
where
    Self: From<T>,
{
    fn from(result: Result<T, DiskError>) -> Self {
        result.map_or_else(|error| Self::Refused(error.kind), Self::from)
    }
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::Done
    }
}

impl From<u64> for Answer {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Bytes> for Answer {
    fn from(read: Bytes) -> Self {
        Self::Read(read)
    }
}

impl From<Directory> for Answer {
    fn from(listed: Directory) -> Self {
        Self::Listed(listed)
    }
}

/// Performs the calls one after the other below `root`, an existing, empty folder; returns an answer for each.
///
/// # Panics
///
/// Where a dropped call leaves what the contract forbids.
pub async fn perform<D: Disk>(disk: &D, root: &Path, operations: &[Operation]) -> Vec<Answer> {
    let mut performer = Performer {
        disk,
        root,
        handles: BTreeMap::new(),
        locks: BTreeMap::new(),
        files: BTreeMap::new(),
        files_made: 0,
        bytes_made: 0,
    };
    let mut answers = Vec::with_capacity(operations.len());
    for operation in operations {
        answers.push(performer.call(operation).await);
    }
    answers
}

struct Handle<F> {
    file: F,
    number: u64,
    access: Access,
}

struct Performer<'a, D: Disk> {
    disk: &'a D,
    root: &'a Path,
    handles: BTreeMap<usize, Handle<D::File>>,
    locks: BTreeMap<usize, D::Lock>,
    /// Which file each name means, as far as calls that succeeded tell: files are numbered as they are made.
    files: BTreeMap<Name, u64>,
    files_made: u64,
    bytes_made: usize,
}

impl<D: Disk> Performer<'_, D> {
    async fn call(&mut self, operation: &Operation) -> Answer {
        match operation {
            Operation::Create { name, slot } => {
                let made = self.disk.create(&self.path(name)).await;
                if made.is_ok() {
                    self.made(name);
                }
                self.keep(name, *slot, Access::Append, made)
            }
            Operation::Open { name, access, slot } => {
                let opened = self.disk.open(&self.path(name), *access).await;
                self.keep(name, *slot, *access, opened)
            }
            Operation::Rename { from, to } => {
                let renamed = self.disk.rename(&self.path(from), &self.path(to)).await;
                if renamed.is_ok() {
                    self.renamed(from, to);
                }
                renamed.into()
            }
            Operation::Link { existing, link } => {
                let linked = self.disk.link(&self.path(existing), &self.path(link)).await;
                if let (Ok(()), Some(number)) = (&linked, self.files.get(existing)) {
                    self.files.insert(link.clone(), *number);
                }
                linked.into()
            }
            Operation::Remove(name) => {
                let removed = self.disk.remove(&self.path(name)).await;
                if removed.is_ok() {
                    self.files.remove(name);
                }
                removed.into()
            }
            Operation::CreateDir(name) => self.disk.create_dir(&self.path(name)).await.into(),
            Operation::List(name) => self.disk.list(&self.path(name)).await.into(),
            Operation::SyncDir(name) => self.disk.sync_dir(&self.path(name)).await.into(),
            Operation::Space(name) => {
                let space = self.disk.space(&self.path(name)).await;
                space.map(|space| assert!(space.available_bytes <= space.total_bytes, "violated: {space:?}")).into()
            }
            Operation::Lock { name, slot } => self.lock(name, *slot).await,
            Operation::Unlock(slot) => self.locks.remove(slot).map_or(Answer::NotCalled, |_lock| Answer::Done),
            Operation::DroppedRename { from, to } => self.drop_rename(from, to).await,
            Operation::Close(slot) => self.handles.remove(slot).map_or(Answer::NotCalled, |_handle| Answer::Done),
            of_a_handle => self.call_handle(of_a_handle).await,
        }
    }

    async fn call_handle(&mut self, operation: &Operation) -> Answer {
        let (Operation::Read { slot, .. }
        | Operation::Append { slot, .. }
        | Operation::Length(slot)
        | Operation::Truncate { slot, .. }
        | Operation::Sync(slot)
        | Operation::DroppedAppend { slot, .. }
        | Operation::DroppedTruncate { slot, .. }
        | Operation::DroppedSync(slot)) = operation
        else {
            return Answer::NotCalled;
        };
        let chunks = match operation {
            Operation::Append { chunks, .. } | Operation::DroppedAppend { chunks, .. } => self.bytes(chunks),
            _ => Vec::new(),
        };
        let Some(Handle { file, .. }) = self.handles.get(slot) else { return Answer::NotCalled };
        match operation {
            Operation::Read { offset, length, .. } => file.read_at(*offset, *length).await.into(),
            Operation::Append { .. } => file.append(chunks).await.into(),
            Operation::Length(_) => file.len().await.into(),
            Operation::Truncate { length, .. } => file.truncate(*length).await.into(),
            Operation::Sync(_) => file.sync().await.into(),
            dropped => self.drop_write(*slot, dropped, chunks).await,
        }
    }

    fn path(&self, name: &Name) -> PathBuf {
        name.iter().fold(self.root.to_path_buf(), |path, part| path.join(char::from(b'a' + part % 26).to_string()))
    }

    /// Chunks of these lengths, of bytes that were never made before, or nearly.
    fn bytes(&mut self, lengths: &[usize]) -> Vec<Bytes> {
        let mut chunk = |length: &usize| {
            let start = self.bytes_made;
            self.bytes_made += length;
            (start..start + length).map(|index| (index.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
        };
        lengths.iter().map(&mut chunk).collect()
    }

    fn made(&mut self, name: &Name) {
        self.files.insert(name.clone(), self.files_made);
        self.files_made += 1;
    }

    fn renamed(&mut self, from: &Name, to: &Name) {
        // Two names of one file stay as they are.
        if self.files.get(from) != self.files.get(to)
            && let Some(number) = self.files.remove(from)
        {
            self.files.insert(to.clone(), number);
        }
    }

    fn keep(&mut self, name: &Name, slot: usize, access: Access, opened: Result<D::File, DiskError>) -> Answer {
        match opened {
            Err(error) => Answer::Refused(error.kind),
            Ok(file) => {
                let number = self.files.get(name).copied();
                let number = number.expect("what could be opened was made by a call that succeeded");
                if access == Access::Append {
                    self.handles.retain(|_, handle| handle.number != number || handle.access == Access::Read);
                }
                self.handles.insert(slot, Handle { file, number, access });
                Answer::Done
            }
        }
    }

    async fn lock(&mut self, name: &Name, slot: usize) -> Answer {
        match self.disk.lock(&self.path(name)).await {
            Err(error) => Answer::Refused(error.kind),
            Ok(lock) => {
                if !self.files.contains_key(name) {
                    self.made(name);
                }
                self.locks.insert(slot, lock);
                Answer::Done
            }
        }
    }

    async fn drop_rename(&mut self, from: &Name, to: &Name) -> Answer {
        let (old, new) = (self.path(from), self.path(to));
        drop(poll_once(pin!(self.disk.rename(&old, &new))).await);
        // Dropping stops nothing: by the time of the next call it has happened, or was refused.
        let is_gone =
            self.disk.open(&old, Access::Read).await.is_err_and(|error| error.kind == DiskErrorKind::NotFound);
        if is_gone {
            self.renamed(from, to);
        }
        Answer::Done
    }

    /// Drops a write while it is pending, holds what it left against the contract, and brings the file to one state.
    async fn drop_write(&mut self, slot: usize, operation: &Operation, chunks: Vec<Bytes>) -> Answer {
        let Some(Handle { file, number, access }) = self.handles.remove(&slot) else { return Answer::NotCalled };
        let name = self.files.iter().find(|(_, of)| **of == number).map(|(name, _)| name.clone());
        let (Some(name), Access::Append) = (name, access) else { return Answer::NotCalled };
        let before = must(file.len().await, "an open file has a length");
        let appended = chunks.concat();
        let outcome = match operation {
            Operation::DroppedAppend { .. } => {
                poll_once(pin!(file.append(chunks))).await.map(|appended| appended.map(|_offset| ()))
            }
            Operation::DroppedTruncate { length, .. } if *length > before => return Answer::NotCalled,
            Operation::DroppedTruncate { length, .. } => poll_once(pin!(file.truncate(*length))).await,
            _ => poll_once(pin!(file.sync())).await,
        };
        match outcome {
            Some(Err(error)) => return Answer::Refused(error.kind),
            Some(Ok(())) => {}
            None => {
                let (kind, promise) = (DiskErrorKind::Poisoned, "a handle whose write was dropped accepts no other");
                must_refuse(file.append(Vec::new()).await, kind, promise);
                must_refuse(file.truncate(0).await, kind, promise);
                must_refuse(file.sync().await, kind, promise);
            }
        }
        drop(file);
        let file = must(self.disk.open(&self.path(&name), Access::Append).await, "a poisoned file can be reopened");
        let after = must(file.len().await, "an open file has a length");
        let (least, kept) = match operation {
            Operation::DroppedTruncate { length, .. } => (*length, *length),
            _ => (before, before),
        };
        let rest = must(file.read_at(before, appended.len() + 1).await, "an open file can be read");
        assert!(
            after >= least && appended.starts_with(&rest),
            "violated: a dropped write leaves {after} of {before} bytes"
        );
        must(file.truncate(kept).await, "a reopened file can be cut");
        Answer::Done
    }
}
