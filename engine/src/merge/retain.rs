//! Which versions somebody can still read. The one place where data is forgotten, as a pure decision per entry.
//!
//! ```text
//!   snapshots        4        8                  now
//!   versions   2 ●   3 ●   6 ●   7 ●   9 ●
//!   kept           ● 3 (for 4)   ● 7 (for 8)  ● 9 (for now)         2 and 6 nobody can read
//! ```
//!
//! A tombstone is an answer too: it goes only where nothing older can lie below, and when no snapshot older than it is
//! alive. Entries come in cursor order: key ascending, newest version first.

use super::Fragments;
use crate::format::Sequence;
use crate::format::entry::EntryRef;

/// Who reads, and what lies below.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readers {
    /// The sequences at which snapshots read, ascending.
    pub(crate) snapshots: Vec<Sequence>,
    /// Whether no older version of the keys at hand can lie anywhere else.
    pub(crate) is_bottom: bool,
    /// Entries that expire at or before this wall time have expired for every reader; 0 for none.
    pub(crate) expired_until_micros: u64,
}

/// Why an entry was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// A newer version hides it from every reader.
    Superseded,
    /// A range tombstone hides it from every reader.
    RangeDeleted,
    /// A tombstone with nothing left to hide.
    Tombstone,
    /// It expired, and hides nothing.
    Expired,
}

impl Readers {
    /// The first reader at or behind `sequence`: a snapshot's sequence, or the end of all sequences for those to come.
    fn first_reader(&self, sequence: Sequence) -> Sequence {
        let index = self.snapshots.partition_point(|snapshot| *snapshot < sequence);
        self.snapshots.get(index).copied().unwrap_or(Sequence(u64::MAX))
    }

    /// Whether everybody who reads `sequence` at all also reads `newer`.
    pub(crate) fn is_hidden(&self, sequence: Sequence, newer: Sequence) -> bool {
        self.first_reader(sequence) >= newer
    }

    /// Whether a tombstone of this sequence may go, with nothing below it.
    pub(crate) fn is_tombstone_done(&self, sequence: Sequence) -> bool {
        self.is_bottom && self.snapshots.first().is_none_or(|oldest| sequence <= *oldest)
    }
}

/// Decides entry after entry.
#[derive(Debug)]
pub(crate) struct Retain<'a> {
    readers: &'a Readers,
    fragments: &'a Fragments,
    key: Vec<u8>,
    /// The version of `key` that came last.
    newer: Option<Sequence>,
}

impl<'a> Retain<'a> {
    pub(crate) fn new(readers: &'a Readers, fragments: &'a Fragments) -> Self {
        Self { readers, fragments, key: Vec::new(), newer: None }
    }

    /// Whether `entry`, the next in cursor order, is kept; if not, why.
    pub(crate) fn decide(&mut self, entry: &EntryRef<'_>) -> Option<Dropped> {
        let newer = if self.key == entry.key { self.newer } else { None };
        if newer.is_none() {
            self.key.clear();
            self.key.extend_from_slice(entry.key);
        }
        assert!(newer.is_none_or(|newer| newer > entry.sequence), "versions of a key came out of order");
        self.newer = Some(entry.sequence);
        if newer.is_some_and(|newer| self.readers.is_hidden(entry.sequence, newer)) {
            return Some(Dropped::Superseded);
        }
        if !self.fragments.is_empty() {
            let covering = self.fragments.covering(entry.key);
            let oldest_newer = covering.iter().rev().find(|tombstone| **tombstone > entry.sequence);
            if oldest_newer.is_some_and(|tombstone| self.readers.is_hidden(entry.sequence, *tombstone)) {
                return Some(Dropped::RangeDeleted);
            }
        }
        if !self.readers.is_tombstone_done(entry.sequence) {
            return None;
        }
        let expired = entry.expires_micros != 0 && entry.expires_micros <= self.readers.expired_until_micros;
        match entry.value {
            None => Some(Dropped::Tombstone),
            Some(_) if expired => Some(Dropped::Expired),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(readers: &Readers, fragments: &Fragments, entries: &[(&str, u64, Option<&str>)]) -> Vec<Option<Dropped>> {
        let mut retain = Retain::new(readers, fragments);
        let decide = |(key, sequence, value): &(&str, u64, Option<&str>)| {
            let (key, value) = (key.as_bytes(), value.map(str::as_bytes));
            retain.decide(&EntryRef { key, sequence: Sequence(*sequence), value, expires_micros: 0 })
        };
        entries.iter().map(decide).collect()
    }

    fn readers(snapshots: &[u64], is_bottom: bool) -> Readers {
        Readers {
            snapshots: snapshots.iter().map(|sequence| Sequence(*sequence)).collect(),
            is_bottom,
            expired_until_micros: 0,
        }
    }

    #[test]
    fn every_snapshot_keeps_the_version_it_reads_and_no_other() {
        let entries = [("a", 9, Some("")), ("a", 7, Some("")), ("a", 6, Some("")), ("a", 3, Some("")), ("a", 2, None)];
        let found = decide(&readers(&[4, 8], false), &Fragments::default(), &entries);
        let gone = Some(Dropped::Superseded);
        assert_eq!(found, [None, None, gone, None, gone]);
    }

    #[test]
    fn a_tombstone_goes_only_at_the_bottom_and_only_when_no_older_snapshot_lives() {
        let entries = [("a", 5, None)];
        let gone = vec![Some(Dropped::Tombstone)];
        assert_eq!(decide(&readers(&[], false), &Fragments::default(), &entries), [None]);
        assert_eq!(decide(&readers(&[], true), &Fragments::default(), &entries), gone);
        assert_eq!(decide(&readers(&[4], true), &Fragments::default(), &entries), [None], "a snapshot reads below it");
        assert_eq!(decide(&readers(&[5], true), &Fragments::default(), &entries), gone);
    }

    #[test]
    fn a_snapshot_below_a_tombstone_keeps_the_value_and_the_tombstone() {
        let entries = [("a", 5, None), ("a", 3, Some("x"))];
        assert_eq!(decide(&readers(&[4], true), &Fragments::default(), &entries), [None, None]);
        let found = decide(&readers(&[6], true), &Fragments::default(), &entries);
        assert_eq!(found, [Some(Dropped::Tombstone), Some(Dropped::Superseded)]);
    }
}
