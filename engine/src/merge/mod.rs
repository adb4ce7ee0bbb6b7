//! Many ordered sources as one.
//!
//! ```text
//!   heap        a cursor over the union of cursors
//!   fragments   range tombstones of many sources, one lookup a key
//!   retain      which versions somebody can still read: what a flush or a compaction keeps
//! ```

mod fragments;
mod heap;
pub(crate) mod retain;

pub(crate) use fragments::Fragments;
pub(crate) use heap::MergeCursor;
