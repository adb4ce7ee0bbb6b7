//! One node's storage: a log-structured merge tree behind a seam to the outside world. It knows no cluster, no protocol
//! and no simulator, and everything it does is the same in production and in the laboratory. It serves by itself too, as
//! a library: [`Db`] for asynchronous callers, [`blocking::BlockingDb`] for others.
//!
//! ```text
//!   world       the seam: clock, disk, tasks, randomness, as traits; `world::real` is the only door to the operating system
//!   format      bytes: records, batches, segments, blocks, filters, tables, the marker. Pure, no I/O
//!   cursor      ordered iteration without an await a row
//!   cache       blocks of tables that were read before
//!   memtable    the newest writes, in memory; the only `unsafe`
//!   wal         the log: writer, reader, recovery; torn tail or corruption
//!   table       immutable sorted files: builder, reader, cursor, survey of damage
//!   shape       which tables lie in which run of which level, as a value
//!   merge       many cursors as one; which versions somebody can still read
//!   compaction  what to merge and why: a pure choice; and the merging, with its books balanced
//!   version     the manifest: what the database consists of; tables held open
//!   db          what callers hold: `Db`, batches, snapshots, transactions, scans, changes
//!   blocking    the same for callers without an asynchronous runtime
//!   backup      copies of a running database into a folder, each table once; restored only when every byte is right
//!   verify      everything of a data directory read and held against itself
//!   inspect     dumps that a person can read: log, table, manifest, tree
//!   fuzzing     every decoder, handed bytes from anywhere; only with the feature of that name
//!   error       what can go wrong and what to do about it;  limits: what a key and a value may measure;  cost: of a read
//! ```
//!
//! The path of one write: `db::Db::write` checks its limits, waits for `db::pressure` and queues it; whoever finds the
//! committer idle drives it (`db::commit`); `db::group` holds preconditions against the state and gives out sequences;
//! `wal::writer` encodes the group (`format::record`), appends it once and syncs it once; it enters the `memtable` and is
//! published; only then is the caller answered. A full memtable is frozen, `db::flush` writes it to a table, `db::compact`
//! merges tables as `compaction::pick` says, and `version` makes each change hold.
//!
//! The path of one read: `db::Db::get` takes the view, a value that never changes, and asks the memtables and then, from
//! the newest to the oldest, the one table of each run that may hold the key (`db::read`): its filter first, then one
//! block, which the `cache` nearly always has. No lock that a writer holds, no queue, no await unless the disk is needed.
//!
//! The path of one crash: `db::directory` claims the folder, `version` reads the manifest that `CURRENT` names, every table
//! is opened and held against it, `wal::recovery` reads the log from where the tables end into a memtable, `wal::judge`
//! decides whether the end is torn or corrupt; nothing was changed so far. The torn tail is set aside, a new segment and a
//! new manifest begin, what nothing names is removed (`db::open`).

#![warn(missing_docs, unreachable_pub)]

pub mod backup;
pub mod blocking;
mod cache;
pub mod compaction;
mod cost;
mod cursor;
pub mod db;
mod error;
mod format;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod inspect;
pub mod limits;
mod memtable;
mod merge;
mod shape;
mod table;
pub mod verify;
mod version;
mod wal;
pub mod world;

pub use cache::{CachePolicy, CacheStatistics};
pub use cost::ReadCost;
pub use db::{
    Batch, Change, ChangeKind, Changes, Db, Direction, Durability, Entry, Expected, ExplainStep, Explanation,
    Isolation, Iter, IterateOptions, JobReport, Keyspace, LatencyStatistics, LevelStatistics, MergeStatistics, Options,
    ScanLimits, ScanPage, Snapshot, Statistics, Transaction, all_keys, prefix_range,
};
pub use error::{Error, Outcome};
pub use format::{Compression, Fault, Sequence};
pub use wal::{Recovery, TornTail};
