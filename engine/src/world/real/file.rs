//! Bytes in real files.
//!
//! ```text
//!   read_at   preadv2(RWF_NOWAIT) ── all of it cached ──▶ done, no thread involved (0.45 microseconds)
//!                  └── a page is missing ──▶ I/O thread: pread until full or end of file
//!   append    up to 256 KiB ──▶ pwritev into the page cache, at once;   more ──▶ I/O thread: the same
//!   sync      I/O thread: fdatasync          truncate   I/O thread: ftruncate
//! ```
//!
//! A cold page must never hold up the thread that also sends heartbeats, and a cached one is not worth a thread switch
//! (8 microseconds). Appends are positional, at an end that the handle keeps, one after the other in the order in which
//! they were first polled. Syncs of one handle are serialised too: the kernel reports a failed write-back once to each
//! open file, so of two syncs at the same time only one would learn of it.
//!
//! Poisoning (see the contract in `world::disk`): every write and sync arms a guard that poisons the handle when it is
//! dropped, and disarms it only after success. It is what PostgreSQL learned about fsync in 2018: after a failure nothing is
//! known about the pages, and a retry lies. Refusals (`ReadOnly`, `Poisoned`, a truncation beyond the end) touch nothing
//! and poison nothing.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where the real file system comes in")]

use std::fs;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::disk::on_io_thread;
use crate::world::{Access, DiskError, DiskErrorKind, File};

/// An append of at most this many bytes is copied into the page cache on the caller's thread.
const INLINE_APPEND_BYTES_MAX: usize = 256 * 1024;

/// A read of at most this many bytes gets its buffer unseen; a longer one asks for the file's length first, so that a
/// nonsensical length cannot ask for nonsensical memory.
const UNMEASURED_READ_BYTES_MAX: usize = 64 * 1024;

/// The most buffers that one system call takes (IOV_MAX on Linux).
const BUFFERS_A_CALL_MAX: usize = 1024;

/// An open file.
#[derive(Debug)]
pub struct RealFile {
    file: Arc<fs::File>,
    path: PathBuf,
    access: Access,
    threads: Handle,
    /// Where the next append goes. Holding it is the right to change the file.
    end: Mutex<u64>,
    /// Holding it is the right to sync.
    sync_turn: Mutex<()>,
    poisoned: AtomicBool,
    /// The file system knows no `RWF_NOWAIT`: not worth asking again.
    always_waits: AtomicBool,
}

/// Poisons its file when dropped, unless the write or sync that it accompanies succeeded. Declared after the turn that
/// it comes with, so that it is dropped first: whoever gets the turn next finds the file poisoned.
struct PoisonUnlessDone<'a>(Option<&'a AtomicBool>);

impl PoisonUnlessDone<'_> {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for PoisonUnlessDone<'_> {
    fn drop(&mut self) {
        if let Some(poisoned) = self.0 {
            poisoned.store(true, Ordering::Release);
        }
    }
}

impl RealFile {
    pub(super) fn new(file: fs::File, path: &Path, access: Access, length_bytes: u64, threads: Handle) -> Self {
        Self {
            file: Arc::new(file),
            path: path.to_path_buf(),
            access,
            threads,
            end: Mutex::new(length_bytes),
            sync_turn: Mutex::new(()),
            poisoned: AtomicBool::new(false),
            always_waits: AtomicBool::new(false),
        }
    }

    fn error(&self, error: &io::Error, operation: &'static str) -> DiskError {
        DiskError::from_io(error, operation, &self.path)
    }

    fn refuse_when_read_only(&self, operation: &'static str) -> Result<(), DiskError> {
        match self.access {
            Access::Read => Err(DiskError::new(DiskErrorKind::ReadOnly, operation, &self.path)),
            Access::Append => Ok(()),
        }
    }

    fn refuse_when_poisoned(&self, operation: &'static str) -> Result<(), DiskError> {
        match self.poisoned.load(Ordering::Acquire) {
            true => Err(DiskError::new(DiskErrorKind::Poisoned, operation, &self.path)),
            false => Ok(()),
        }
    }

    /// Waits for `turn`, and for the handle to be fit for writing. A caller who gives up while waiting poisons it.
    async fn take_turn<'a, T>(
        &'a self,
        turn: &'a Mutex<T>,
        operation: &'static str,
    ) -> Result<(tokio::sync::MutexGuard<'a, T>, PoisonUnlessDone<'a>), DiskError> {
        self.refuse_when_read_only(operation)?;
        self.refuse_when_poisoned(operation)?;
        let guard = PoisonUnlessDone(Some(&self.poisoned));
        let turn = turn.lock().await;
        // Whoever was before us may have failed; then the guard poisons what is poisoned already.
        self.refuse_when_poisoned(operation)?;
        Ok((turn, guard))
    }
}

impl File for RealFile {
    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, DiskError> {
        let mut wanted = length;
        let no_file_is_that_long = offset > i64::MAX as u64 - UNMEASURED_READ_BYTES_MAX as u64;
        if wanted > UNMEASURED_READ_BYTES_MAX || no_file_is_that_long {
            let file_length = self.file.metadata().map_err(|error| self.error(&error, "read"))?.len();
            wanted = wanted.min(usize::try_from(file_length.saturating_sub(offset)).unwrap_or(usize::MAX));
        }
        let mut buffer = vec![0; wanted];
        let cached = self.read_cached(&mut buffer, offset).map_err(|error| self.error(&error, "read"))?;
        let filled = match cached {
            Cached::All(filled) => filled,
            Cached::Part(filled) => {
                let file = Arc::clone(&self.file);
                let read = on_io_thread(&self.threads, move || {
                    let filled = read_waiting(&file, &mut buffer, filled, offset)?;
                    Ok((buffer, filled))
                });
                let (read_buffer, filled) = read.await.map_err(|error| self.error(&error, "read"))?;
                buffer = read_buffer;
                filled
            }
        };
        buffer.truncate(filled);
        Ok(Bytes::from(buffer))
    }

    async fn append(&self, chunks: Vec<Bytes>) -> Result<u64, DiskError> {
        let (mut end, guard) = self.take_turn(&self.end, "append").await?;
        let offset = *end;
        let length: usize = chunks.iter().map(Bytes::len).sum();
        let written = if length <= INLINE_APPEND_BYTES_MAX {
            write_all_at(&self.file, &chunks, offset)
        } else {
            let file = Arc::clone(&self.file);
            on_io_thread(&self.threads, move || write_all_at(&file, &chunks, offset)).await
        };
        written.map_err(|error| self.error(&error, "append"))?;
        *end = offset + length as u64;
        guard.done();
        Ok(offset)
    }

    async fn len(&self) -> Result<u64, DiskError> {
        let metadata = self.file.metadata().map_err(|error| self.error(&error, "measure"))?;
        Ok(metadata.len())
    }

    async fn truncate(&self, length: u64) -> Result<(), DiskError> {
        let (mut end, guard) = self.take_turn(&self.end, "truncate").await?;
        if length > *end {
            guard.done();
            let beyond = io::Error::other(format!("cannot cut to {length} bytes: the file has {}", *end));
            return Err(self.error(&beyond, "truncate"));
        }
        let file = Arc::clone(&self.file);
        let cut = on_io_thread(&self.threads, move || file.set_len(length)).await;
        cut.map_err(|error| self.error(&error, "truncate"))?;
        *end = length;
        guard.done();
        Ok(())
    }

    async fn sync(&self) -> Result<(), DiskError> {
        let (_turn, guard) = self.take_turn(&self.sync_turn, "sync").await?;
        let file = Arc::clone(&self.file);
        let synced = on_io_thread(&self.threads, move || file.sync_data()).await;
        synced.map_err(|error| self.error(&error, "sync"))?;
        guard.done();
        Ok(())
    }
}

/// How much of a read the page cache gave.
enum Cached {
    /// Everything there is: the buffer is full, or the file ends after these bytes.
    All(usize),
    /// These bytes; the next one must be waited for.
    Part(usize),
}

impl RealFile {
    /// Reads what needs no waiting.
    #[cfg(target_os = "linux")]
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> io::Result<Cached> {
        use rustix::io::{Errno, ReadWriteFlags};

        if self.always_waits.load(Ordering::Relaxed) {
            return Ok(Cached::Part(0));
        }
        let mut filled = 0;
        while filled < buffer.len() {
            let slices = &mut [io::IoSliceMut::new(&mut buffer[filled..])];
            match rustix::io::preadv2(&*self.file, slices, offset + filled as u64, ReadWriteFlags::NOWAIT) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Cached::Part(filled)),
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                    self.always_waits.store(true, Ordering::Relaxed);
                    return Ok(Cached::Part(filled));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Cached::All(filled))
    }

    /// Other systems cannot tell whether a read waits: each goes to an I/O thread.
    #[cfg(not(target_os = "linux"))]
    fn read_cached(&self, buffer: &mut [u8], _offset: u64) -> io::Result<Cached> {
        self.always_waits.store(true, Ordering::Relaxed);
        Ok(if buffer.is_empty() { Cached::All(0) } else { Cached::Part(0) })
    }
}

/// Reads until the buffer is full or the file ends; returns how many bytes of the buffer are filled.
fn read_waiting(file: &fs::File, buffer: &mut [u8], mut filled: usize, offset: u64) -> io::Result<usize> {
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes all chunks at `offset`, however short the single writes fall.
fn write_all_at(file: &fs::File, chunks: &[Bytes], offset: u64) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> =
        chunks.iter().filter(|chunk| !chunk.is_empty()).map(|chunk| IoSlice::new(chunk)).collect();
    let mut remaining = slices.as_mut_slice();
    let mut position = offset;
    while !remaining.is_empty() {
        let batch = &remaining[..remaining.len().min(BUFFERS_A_CALL_MAX)];
        match rustix::io::pwritev(file, batch, position) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                position += written as u64;
                IoSlice::advance_slices(&mut remaining, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
