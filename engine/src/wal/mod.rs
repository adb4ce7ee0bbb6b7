//! The write-ahead log: what is acknowledged is here first.
//!
//! ```text
//!   wal-00000000000000000001.log   start | batch | batch | ... | seal
//!   wal-00000000000000000002.log   start | batch | batch | torn
//!        │                           │
//!        │                           └─ says how long file 1 was, to the byte
//!        └─ one writer appends; nothing but recovery cuts a file, and never one that has a successor
//!
//!   names      file names, and numbers that are never used twice
//!   writer     appends records, syncs, rotates
//!   reader     reads records in bounded memory; says what is wrong with the first that it cannot read
//!   judge      torn tail or proven corruption? a pure decision over the evidence
//!   walk       reads one file against the log so far; recovery and `inspect` stand on it
//!   recovery   reads the whole log, then, and only then, sets the torn tail aside
//! ```
//!
//! A record proves what lay before it synced when it was written, a file proves its predecessor (`format`). Behind the
//! last proof damage cannot be told from a torn write: such a tail is kept aside, cut off and reported.

mod judge;
mod names;
mod reader;
mod recovery;
mod walk;
mod writer;

pub(crate) use judge::{ADVICE, Damage, Ending};
pub(crate) use names::{segment_name, segment_number};
pub(crate) use reader::{Reader, Record, Step};
pub(crate) use recovery::{Log, LogStart, read_log, repair};
pub use recovery::{Recovery, TornTail};
pub(crate) use walk::{Chain, walk};
pub(crate) use writer::{Append, Counters, Writer, begin_empty};
