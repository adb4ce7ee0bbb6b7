//! The newest writes, in memory and in order.
//!
//! ```text
//!   arena      memory that is never moved nor freed before the memtable is       the only `unsafe` of the engine
//!   index      key ─▶ its versions, newest first: an open-address hash table
//!   ordered    keys in order, built when somebody scans
//!   ranges     range tombstones
//!   store      the memtable: one writer, readers who wait for nobody
//!   cursor     all versions, in internal order
//! ```

mod arena;
mod atomics;
mod counters;
mod cursor;
mod index;
mod ordered;
mod ranges;
mod store;

pub(crate) use cursor::MemtableCursor;
pub(crate) use store::Memtable;

#[cfg(test)]
mod tests;
