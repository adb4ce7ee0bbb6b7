//! What every engine is asked for. An engine that has no such thing says so in its `SETUP`.
//!
//! ```text
//!   cache_bytes      blocks or pages in the engine's own memory; the operating system's page cache comes on top
//!   memtable_bytes   one write buffer of a log-structured engine
//!   filter_bits      a key
//!   block_bytes      before compression
//!   compression      none, or lz4 where an engine has it
//!   durability       whether a write is on the disk before it is acknowledged
//! ```

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// One write buffer of a log-structured engine, in bytes.
pub(crate) const MEMTABLE_BYTES: usize = 64 * 1024 * 1024;
/// Bits of a filter for each key.
pub(crate) const FILTER_BITS: u32 = 10;
/// A block before compression, in bytes; what redb and LMDB call a page is as large.
pub(crate) const BLOCK_BYTES: usize = 4 * 1024;

/// How an engine is opened.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Memory for blocks or pages.
    pub(crate) cache_bytes: usize,
    /// Blocks on the disk.
    pub(crate) compression: Compression,
    /// When a write is acknowledged.
    pub(crate) durability: Durability,
}

/// What blocks are packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Compression {
    /// Nothing; values do not compress.
    None,
    /// LZ4, in RocksDB and fjall; values compress to about a half.
    Lz4,
}

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Durability {
    /// Once `fdatasync` has returned.
    Always,
    /// Once the engine has taken it.
    None,
}
