//! What is on the disk, for people: dumps that say where each thing is, and point at what is wrong.
//!
//! ```text
//!   wal        segments, records, operations; where the log is torn or corrupt, and what to do
//!   table      properties, parts, rows with their old versions; every damaged block
//!   manifest   edit after edit: tables that come and go, the log, keyspaces; a torn or corrupt end
//!   tree       levels, runs and tables as the manifest leaves them: sizes, ranges, overlap, debt; on request, what lives
//! ```
//!
//! Inspecting only reads. It takes no lock, so it works on a directory in use and on a copy; what is being written
//! while it looks may show as a torn tail.

mod manifest;
mod table;
mod tree;
mod wal;

pub use manifest::{ManifestLine, ManifestSummary, manifest};
pub use table::{TableLine, TableProperties, TableSummary, table};
pub use tree::{Living, TreeLevel, TreeReport, TreeTable, tree};
pub use wal::{Row, RowKind, Verdict, WalLine, WalSummary, escaped_key, wal};

/// A half-open range of internal keys, as people say it. Most end with the successor of the last key.
fn key_range(start: &[u8], end: &[u8], name_key: fn(&[u8]) -> String) -> String {
    let start = wal::readable(start, name_key);
    match end.split_last() {
        Some((0, last)) if last.len() > 2 => format!("{start} to {}", wal::readable(last, name_key)),
        _ => format!("{start} to before {}", wal::readable(end, name_key)),
    }
}
