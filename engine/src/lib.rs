//! One node's storage: a write-ahead log and a memtable, behind a seam to the outside world. It knows no cluster, no
//! protocol and no simulator, and everything it does is the same in production and in the laboratory.
//!
//! ```text
//!   world      the seam: clock, disk, tasks, randomness, as traits; `world::real` is the only door to the operating system
//!   format     bytes: records, batches, segments, the marker. Pure, no I/O
//!   memtable   the newest writes, ordered, in memory
//!   wal        the log: writer, reader, recovery; torn tail or corruption
//!   db         what callers hold: `Db`, batches, snapshots, scans; one committer task
//!   inspect    a log dump that a person can read
//!   error      what can go wrong and what to do about it;  limits: what a key and a value may measure
//! ```
//!
//! The path of one write: `db::Db::write` checks its limits and queues it; `db::committer`, the one task that writes,
//! takes all that is queued; `db::group` holds preconditions against the state and gives out sequences; `wal::writer`
//! encodes the group (`format::record`), appends it once and syncs it once; `db::shared` inserts it into the `memtable`
//! and publishes its last sequence; only then is the caller answered.
//!
//! The path of one read: `db::Db::get` asks the `memtable` for the newest version of the key, and that is all so far:
//! no await, no queue. A scan asks for a range at a snapshot's sequence.
//!
//! The path of one crash: `db::directory` claims the folder, `wal::recovery` reads every segment through `wal::walk`
//! into a fresh memtable, `wal::judge` decides whether the end is torn or corrupt, the torn tail is set aside, a new
//! segment begins.

#![warn(missing_docs, unreachable_pub)]

pub mod db;
mod error;
mod format;
pub mod inspect;
pub mod limits;
mod memtable;
mod wal;
pub mod world;

pub use db::{Batch, Db, Durability, Entry, Expected, Options, ScanLimits, ScanPage, Snapshot, Statistics};
pub use error::{Error, Outcome};
pub use format::{Fault, Sequence};
pub use wal::{Recovery, TornTail};
