//! Open files of the simulated disk, and the poison that a failed or abandoned write leaves in a handle.
//!
//! ```text
//!   append ─┐
//!   truncate├─▶ Ok: go on
//!   sync   ─┘   error, or dropped while pending ──▶ poisoned: every later write and sync of this handle is refused
//! ```
//!
//! A refusal (read only, poisoned, a cut beyond the end) touches nothing, and poisons nothing.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use engine::world::{Access, DiskError, DiskErrorKind, File};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::file_system::Inode;
use super::operation::{Begun, Call, Class};
use crate::world::state::{Identity, State};

/// An open file.
#[derive(Debug)]
pub struct SimulatedFile {
    identity: Arc<Identity>,
    inode: Inode,
    path: PathBuf,
    access: Access,
    poisoned: AtomicBool,
}

impl SimulatedFile {
    /// A handle of a file that the file system already counts as open.
    pub(super) fn new(identity: &Arc<Identity>, inode: Inode, path: &Path, access: Access) -> Self {
        let poisoned = AtomicBool::new(false);
        Self { identity: Arc::clone(identity), inode, path: path.to_path_buf(), access, poisoned }
    }

    fn call(&self, operation: &'static str) -> Call<'_> {
        Call { identity: &self.identity, operation, path: &self.path, other: None }
    }

    fn check_writable(&self, operation: &'static str) -> Result<(), DiskError> {
        if self.access == Access::Read {
            return Err(DiskError::new(DiskErrorKind::ReadOnly, operation, &self.path));
        }
        if self.poisoned.load(Ordering::Relaxed) {
            return Err(DiskError::new(DiskErrorKind::Poisoned, operation, &self.path));
        }
        Ok(())
    }

    /// Performs a write to its end; poisons the handle unless it ends well.
    async fn write<T>(
        &self,
        operation: &'static str,
        begin: impl FnOnce(&Call<'_>, &mut State) -> Begun<T>,
    ) -> Result<T, DiskError> {
        self.check_writable(operation)?;
        let mut guard = PoisonUnlessDone { poisoned: &self.poisoned, done: false };
        let result = self.call(operation).perform(begin).await;
        guard.done = result.is_ok();
        result
    }

    fn begin_append(&self, call: &Call<'_>, state: &mut State, chunks: &[Bytes]) -> Begun<u64> {
        let now = state.now_micros();
        let bytes = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let result = call.files(state).append(self.inode, chunks);
        let words = [*result.as_ref().unwrap_or(&0), hash_of(chunks)];
        let begun = call.begun(state, Class::Append { bytes }, Some(self.inode), result, words);
        if let (Ok(offset), Ok(content)) = (&begun.result, call.files(state).content_mut(self.inode)) {
            content.reported_at(now, begun.due_micros, *offset as usize);
        }
        begun
    }

    fn begin_read(&self, call: &Call<'_>, state: &mut State, offset: u64, length: usize) -> Begun<Bytes> {
        let result = call.files(state).read(self.inode, offset, length);
        let bytes = result.as_ref().map_or(0, |read| read.len() as u64);
        call.begun(state, Class::Read { bytes }, None, result, [offset, length as u64])
    }
}

/// The hash of chunks as if they were one.
fn hash_of(chunks: &[Bytes]) -> u64 {
    match chunks {
        [] => 0,
        [chunk] => xxh3_64(chunk),
        chunks => {
            let mut hasher = Xxh3::new();
            chunks.iter().for_each(|chunk| hasher.update(chunk));
            hasher.digest()
        }
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

impl File for SimulatedFile {
    fn read_at(&self, offset: u64, length: usize) -> impl Future<Output = Result<Bytes, DiskError>> + Send {
        self.call("read").perform(move |call, state| self.begin_read(call, state, offset, length))
    }

    async fn append(&self, chunks: Vec<Bytes>) -> Result<u64, DiskError> {
        self.write("append", |call, state| self.begin_append(call, state, &chunks)).await
    }

    fn len(&self) -> impl Future<Output = Result<u64, DiskError>> + Send {
        self.call("length").perform(move |call, state| {
            let result = call.files(state).content(self.inode).map(|content| content.bytes().len() as u64);
            call.begun(state, Class::Metadata, None, result, [0; 2])
        })
    }

    async fn truncate(&self, length: u64) -> Result<(), DiskError> {
        let cut = self.write("truncate", |call, state| {
            let result = call.files(state).truncate(self.inode, length);
            call.begun(state, Class::Metadata, Some(self.inode), result, [length, 0])
        });
        // A refusal has touched nothing, and leaves no poison.
        match cut.await? {
            true => Ok(()),
            false => Err(DiskError::new(DiskErrorKind::InputOutput, "truncate", &self.path)),
        }
    }

    async fn sync(&self) -> Result<(), DiskError> {
        self.write("sync", |call, state| call.begin_sync(state, Some(self.inode), |files| files.begin_sync(self.inode)))
            .await
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        let mut state = self.identity.shared.lock();
        if state.is_alive(self.identity.process) {
            state.seat_mut(self.identity.seat).files.close(self.inode);
        }
    }
}
