//! Immutable sorted files: built once from front to back, then read by many at once.
//!
//! ```text
//!   entries in order ──▶ Builder ──▶ file ──▶ Table ── get      top index (in memory) ▶ partition ▶ data block
//!                                               ├───── cursor   forwards, backwards, with or without reading ahead
//!                                               ├───── verify   every byte, against what the table says of itself
//!                                               └───── survey   every damaged block of a file, whatever else is damaged
//! ```
//!
//! Nothing here knows whether a table is in use, nor which tables hold newer versions. A block is looked for in the cache
//! first. What comes from the disk is checked before it is believed: an error names file, offset and length.

mod builder;
mod cursor;
mod fragments;
mod reader;
mod source;
mod survey;
mod top;
mod verify;

pub(crate) use builder::Builder;
pub(crate) use cursor::{CursorSettings, TableCursor};
pub(crate) use reader::Table;
pub(crate) use survey::{PartKind, Survey, survey};

use crate::format::Compression;

/// What can be done about a damaged table.
pub(crate) const ADVICE: &str = "nothing was changed; restore this file from a backup, or move the data directory away and \
                                 let the other replicas fill a new one (`stormglass inspect table` shows what is readable)";

/// How a table is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableOptions {
    /// Bytes after which a data block is full, before compression. An entry that is larger has a block of its own.
    pub(crate) block_bytes: usize,
    /// How data blocks are compressed.
    pub(crate) compression: Compression,
    /// Bits of filter a key, in thousandths; 0 for no filter.
    pub(crate) filter_millibits_per_key: u32,
}

impl Default for TableOptions {
    /// Blocks of 4 KiB, LZ4, ten bits a key.
    fn default() -> Self {
        Self { block_bytes: 4096, compression: Compression::default(), filter_millibits_per_key: 10_000 }
    }
}

/// The name of the file of table `number`.
pub(crate) fn table_name(number: u64) -> String {
    format!("table-{number:020}.sst")
}

/// The number of the table whose file has this name; `None` for the names of other things.
pub(crate) fn table_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("table-")?.strip_suffix(".sst")?;
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    (digits.len() == 20).then_some(number)
}

#[cfg(test)]
mod tests;
