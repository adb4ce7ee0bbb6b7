//! What is on the disk, for people: dumps that say where each thing is, and point at what is wrong.
//!
//! ```text
//!   wal     segments, records, operations; where the log is torn or corrupt, and what to do
//! ```
//!
//! Inspecting only reads. It takes no lock, so it works on a directory in use and on a copy; what is being written
//! while it looks may show as a torn tail.

mod wal;

pub use wal::{Row, RowKind, Verdict, WalLine, WalSummary, escaped_key, wal};
