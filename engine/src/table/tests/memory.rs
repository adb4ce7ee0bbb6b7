//! A file in memory. Clones are handles of the same file; a test may look at the bytes and change them.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use crate::world::{DiskError, DiskErrorKind, File};

#[derive(Debug, Clone, Default)]
pub(super) struct MemoryFile {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    synced_bytes: usize,
    reads: u64,
    appends: u64,
    fails: bool,
}

impl MemoryFile {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let file = Self::default();
        file.lock().bytes = bytes.to_vec();
        file
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    pub(super) fn synced_bytes(&self) -> usize {
        self.lock().synced_bytes
    }

    pub(super) fn reads(&self) -> u64 {
        self.lock().reads
    }

    pub(super) fn appends(&self) -> u64 {
        self.lock().appends
    }

    pub(super) fn flip(&self, index: usize, bits: u8) {
        self.lock().bytes[index] ^= bits;
    }

    pub(super) fn cut(&self, length: usize) {
        self.lock().bytes.truncate(length);
    }

    /// From now on every call fails.
    pub(super) fn fail(&self) {
        self.lock().fails = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked with it")
    }

    fn working(&self, operation: &'static str) -> Result<MutexGuard<'_, State>, DiskError> {
        let state = self.lock();
        match state.fails {
            true => Err(DiskError::new(DiskErrorKind::InputOutput, operation, Path::new("/memory"))),
            false => Ok(state),
        }
    }
}

impl File for MemoryFile {
    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, DiskError> {
        let mut state = self.working("read")?;
        state.reads += 1;
        let begin = (offset as usize).min(state.bytes.len());
        let end = begin.saturating_add(length).min(state.bytes.len());
        Ok(Bytes::copy_from_slice(&state.bytes[begin..end]))
    }

    async fn append(&self, chunks: Vec<Bytes>) -> Result<u64, DiskError> {
        let mut state = self.working("append")?;
        state.appends += 1;
        let offset = state.bytes.len() as u64;
        chunks.iter().for_each(|chunk| state.bytes.extend_from_slice(chunk));
        Ok(offset)
    }

    async fn len(&self) -> Result<u64, DiskError> {
        Ok(self.working("measure")?.bytes.len() as u64)
    }

    async fn truncate(&self, length: u64) -> Result<(), DiskError> {
        self.working("truncate")?.bytes.truncate(length as usize);
        Ok(())
    }

    async fn sync(&self) -> Result<(), DiskError> {
        let mut state = self.working("sync")?;
        state.synced_bytes = state.bytes.len();
        Ok(())
    }
}
