//! Ordered iteration, without an await a row: a cursor moves synchronously over what is in memory, and says when it needs
//! a block.
//!
//! ```text
//!   seek / next / previous ──▶ at() == Entry      entry() may be read
//!                          ──▶ at() == End        behind the last entry, or before the first
//!                          ──▶ at() == Unloaded   load().await, then look again
//! ```

use std::future::Future;

use crate::error::Error;
use crate::format::entry::EntryRef;

/// Where a cursor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// At an entry.
    Entry,
    /// Outside the entries: behind the last after moving forward, before the first after moving back.
    End,
    /// It cannot tell before it was loaded.
    Unloaded,
}

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seek<'a> {
    /// The first entry.
    First,
    /// The last entry.
    Last,
    /// The newest version of the first key at or behind this one.
    AtOrBehind(&'a [u8]),
    /// The oldest version of the last key before this one.
    Before(&'a [u8]),
}

/// An ordered set of entries that somebody moves over. A fresh cursor stands at `End` until the first `seek`.
pub(crate) trait Cursor: Send {
    /// Where it stands.
    fn at(&self) -> At;
    /// The entry it stands at. Only while `at()` is `Entry`.
    fn entry(&self) -> EntryRef<'_>;
    /// Goes there, from anywhere.
    fn seek(&mut self, target: Seek<'_>);
    /// Goes to the next entry in order. Only while `at()` is `Entry`.
    fn next(&mut self);
    /// Goes to the previous entry in order. Only while `at()` is `Entry`.
    fn previous(&mut self);
    /// Loads what the last movement waits for and completes that movement; does nothing unless `at()` is `Unloaded`.
    /// Afterwards `at()` may be `Unloaded` again.
    fn load(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
}
