//! Where a table's blocks come from: the cache, or the file; and the errors that say what is wrong with them.
//!
//! ```text
//!   handle ──▶ cache ── hit ──▶ payload
//!                └─ miss ──▶ file ──▶ length, checksum, decompression ──▶ payload ──▶ cache, if wanted
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::ADVICE;
use crate::cache::{BlockCache, BlockKey};
use crate::cost::ReadCost;
use crate::error::Error;
use crate::format::Fault;
use crate::format::seal::{self, Handle};
use crate::world::File;

/// The file of a table, and what is needed to read blocks of it.
pub(super) struct Source<F> {
    pub(super) file: F,
    pub(super) path: PathBuf,
    pub(super) number: u64,
    pub(super) file_bytes: u64,
    pub(super) cache: Arc<BlockCache>,
}

impl<F: File> Source<F> {
    /// The error that a fault in these bytes of the file is.
    pub(super) fn corrupt(&self, handle: Handle, fault: Fault) -> Error {
        let (file, length) = (self.path.clone(), u64::from(handle.length_bytes));
        Error::Corrupt { file, offset: handle.offset, length, fault, advice: ADVICE }
    }

    /// A block, if it is cached.
    pub(super) fn cached(&self, handle: Handle, cost: &mut ReadCost) -> Option<Bytes> {
        let block = self.cache.get(BlockKey { table: self.number, offset: handle.offset })?;
        cost.blocks += 1;
        cost.blocks_cached += 1;
        cost.bytes_cached += block.len() as u64;
        Some(block)
    }

    /// Keeps a block in the cache.
    pub(super) fn keep(&self, handle: Handle, block: Bytes) {
        self.cache.insert(BlockKey { table: self.number, offset: handle.offset }, block);
    }

    /// Reads a block from the file; the cache is neither asked nor filled.
    pub(super) async fn load(&self, handle: Handle, cost: &mut ReadCost) -> Result<Bytes, Error> {
        let sealed = self.read(handle, cost).await?;
        cost.blocks += 1;
        self.open(handle, &sealed)
    }

    /// The payload of a block whose bytes are these.
    pub(super) fn open(&self, handle: Handle, sealed: &Bytes) -> Result<Bytes, Error> {
        seal::open(self.number, handle.offset, sealed).map_err(|fault| self.corrupt(handle, fault))
    }

    /// Exactly these bytes of the file.
    pub(super) async fn read(&self, handle: Handle, cost: &mut ReadCost) -> Result<Bytes, Error> {
        let needed = u64::from(handle.length_bytes);
        let available = self.file_bytes.saturating_sub(handle.offset);
        // A handle that leaves the file is not worth a read, nor the memory that it asks for.
        if available < needed {
            return Err(self.corrupt(handle, Fault::ShortBlock { available, needed }));
        }
        let bytes = self.file.read_at(handle.offset, handle.length_bytes as usize).await?;
        cost.disk_reads += 1;
        cost.bytes_read += bytes.len() as u64;
        if (bytes.len() as u64) < needed {
            let available = bytes.len() as u64;
            return Err(self.corrupt(handle, Fault::ShortBlock { available, needed }));
        }
        Ok(bytes)
    }
}
