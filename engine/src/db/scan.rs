//! Ordered pages: a range of keys as a snapshot saw them, some at a time.
//!
//! ```text
//!   memtable   a  b† c  d† e† f  ...        († deleted)
//!   page       a     c        f  | next: the first key that was not looked at
//! ```
//!
//! A page is gathered in short steps, so that a long run of deleted keys never keeps the memtable's lock from a writer.

use std::ops::Bound;

use bytes::Bytes;

use super::Entry;
use super::shared::Shared;
use crate::format::Sequence;

/// Keys that are looked at under one lock.
const STEP_KEYS: usize = 256;

/// When a page is full. It holds at least one entry if there is one, whatever the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanLimits {
    /// Entries of a page.
    pub entries: usize,
    /// Bytes of keys and values at which a page ends; its last entry may exceed it.
    pub bytes: usize,
}

impl Default for ScanLimits {
    /// 1,000 entries or 1 MiB.
    fn default() -> Self {
        Self { entries: 1_000, bytes: 1024 * 1024 }
    }
}

/// Keys in order, with their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanPage {
    /// The entries.
    pub entries: Vec<(Bytes, Entry)>,
    /// Where the next page begins, included; `None` when the range is done.
    pub next: Option<Bytes>,
}

pub(super) fn page(
    shared: &Shared,
    mut range: (Bound<Bytes>, Bound<Bytes>),
    limits: ScanLimits,
    at: Sequence,
) -> ScanPage {
    let mut page = ScanPage::default();
    let mut bytes = 0;
    loop {
        let entries_left = limits.entries.saturating_sub(page.entries.len()).clamp(1, STEP_KEYS);
        let chunk = shared.memtable().range(&range, at, entries_left, limits.bytes.saturating_sub(bytes));
        for (key, sequence, value) in chunk.entries {
            if let Some(value) = value {
                bytes += key.len() + value.len();
                page.entries.push((key, Entry { value, sequence }));
            }
        }
        let is_full = !page.entries.is_empty() && (page.entries.len() >= limits.entries || bytes >= limits.bytes);
        match chunk.next {
            Some(next) if !is_full => range.0 = Bound::Included(next),
            next => {
                page.next = next;
                return page;
            }
        }
    }
}
