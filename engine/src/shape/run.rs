//! A sorted run: tables that are disjoint in key range, ordered by key.
//!
//! ```text
//!   │ smallest ── end │   │ smallest ───── end │ │ ...        with the sums of bytes and the extremes of dates on the way
//! ```

use bytes::Bytes;

use super::edit::Misfit;
use super::facts::{HasFacts, TableFacts};
use super::tree::{Item, Tree, mixed};
use crate::format::Sequence;

/// What tables amount to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) tables: u64,
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    pub(crate) max_sequence: Sequence,
    /// The smallest newest sequence of a table that is dense with tombstones; `u64::MAX` when none is.
    pub(crate) dense_sequence_min: u64,
    /// When the first table has expired as a whole; `u64::MAX` for never.
    pub(crate) expires_min_micros: u64,
    /// When the oldest table was made.
    pub(crate) created_min_micros: u64,
}

impl Totals {
    const NOTHING: Totals = Totals {
        tables: 0,
        bytes: 0,
        entries: 0,
        max_sequence: Sequence::ZERO,
        dense_sequence_min: u64::MAX,
        expires_min_micros: u64::MAX,
        created_min_micros: u64::MAX,
    };
}

#[derive(Debug, Clone)]
struct Table<T>(T);

impl<T: HasFacts + Clone> Item for Table<T> {
    type Key = [u8];
    type Summary = Totals;

    fn key(&self) -> &[u8] {
        &self.0.facts().smallest
    }

    fn priority(&self) -> u64 {
        mixed(self.0.facts().number)
    }

    fn summary(&self) -> Totals {
        let facts = self.0.facts();
        Totals {
            tables: 1,
            bytes: facts.bytes,
            entries: facts.entries,
            max_sequence: facts.max_sequence,
            dense_sequence_min: if facts.is_dense() { facts.max_sequence.0 } else { u64::MAX },
            expires_min_micros: if facts.max_expires_micros == 0 { u64::MAX } else { facts.max_expires_micros },
            created_min_micros: facts.created_micros,
        }
    }

    fn combined(left: Totals, right: Totals) -> Totals {
        Totals {
            tables: left.tables + right.tables,
            bytes: left.bytes.saturating_add(right.bytes),
            entries: left.entries.saturating_add(right.entries),
            max_sequence: left.max_sequence.max(right.max_sequence),
            dense_sequence_min: left.dense_sequence_min.min(right.dense_sequence_min),
            expires_min_micros: left.expires_min_micros.min(right.expires_min_micros),
            created_min_micros: left.created_min_micros.min(right.created_min_micros),
        }
    }
}

/// A sorted run. A copy is free, an edit costs O(log tables) for each table.
#[derive(Debug, Clone)]
pub struct Run<T: HasFacts + Clone> {
    tables: Tree<Table<T>>,
}

impl<T: HasFacts + Clone> Default for Run<T> {
    fn default() -> Self {
        Self { tables: Tree::default() }
    }
}

impl<T: HasFacts + Clone> Run<T> {
    /// A run of these tables, in any order. Refuses tables that overlap or are empty ranges.
    pub fn of(tables: impl IntoIterator<Item = T>) -> Result<Self, Misfit> {
        tables.into_iter().try_fold(Self::default(), |run, table| run.with(table))
    }

    /// Tables in it.
    pub fn len(&self) -> u64 {
        self.totals().tables
    }

    /// Whether it has no table.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Bytes of its tables.
    pub fn bytes(&self) -> u64 {
        self.totals().bytes
    }

    /// Entries of its tables.
    pub fn entries(&self) -> u64 {
        self.totals().entries
    }

    /// The first key its tables say something about.
    pub fn smallest(&self) -> Option<&Bytes> {
        self.tables.iter().next().map(|table| &table.0.facts().smallest)
    }

    /// The first key behind all that its tables say something about.
    pub fn end(&self) -> Option<&Bytes> {
        self.tables.last().map(|table| &table.0.facts().end)
    }

    /// The one table that may hold a key.
    pub fn find(&self, key: &[u8]) -> Option<&T> {
        let table = &self.tables.at_or_before(key)?.0;
        (*key < table.facts().end[..]).then_some(table)
    }

    /// Its tables in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.tables.iter().map(|table| &table.0)
    }

    /// The tables in order, from the first that begins at or behind a key.
    pub fn from<'a>(&'a self, key: &[u8]) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.tables.from(key).map(|table| &table.0)
    }

    /// The tables that overlap `smallest..end`, in order.
    pub fn overlapping<'a, 'b>(
        &'a self,
        smallest: &[u8],
        end: &'b [u8],
    ) -> impl Iterator<Item = &'a T> + use<'a, 'b, T> {
        let first = self.find(smallest).map_or(smallest, |table| &table.facts().smallest[..]);
        self.tables.from(first).map(|table| &table.0).take_while(move |table| table.facts().smallest[..] < *end)
    }

    /// Bytes of the tables that overlap `smallest..end`.
    pub fn bytes_overlapping(&self, smallest: &[u8], end: &[u8]) -> u64 {
        let first = self.find(smallest).map_or(smallest, |table| &table.facts().smallest[..]);
        let before = |key| self.tables.summary_before(key).map_or(0, |totals| totals.bytes);
        before(end).saturating_sub(before(first))
    }

    /// This run and a table. Refuses one whose range is empty or overlaps another table's.
    pub fn with(&self, table: T) -> Result<Self, Misfit> {
        let facts = table.facts();
        if facts.smallest >= facts.end {
            return Err(Misfit::EmptyRange { number: facts.number });
        }
        if let Some(other) = self.overlapping(&facts.smallest, &facts.end).next() {
            return Err(Misfit::Overlap { number: facts.number, other: other.facts().number });
        }
        Ok(Self { tables: self.tables.with(Table(table)) })
    }

    /// This run without the table that begins at a key.
    pub(super) fn without(&self, smallest: &[u8]) -> Self {
        Self { tables: self.tables.without(smallest) }
    }

    /// This run without the tables that `removed` says, and with others: all in one, or not at all.
    pub fn with_edit(&self, removed: &[&TableFacts], added: impl IntoIterator<Item = T>) -> Result<Self, Misfit> {
        let mut rest = self.clone();
        for facts in removed {
            if self.find(&facts.smallest).is_none_or(|table| table.facts().number != facts.number) {
                return Err(Misfit::Missing { number: facts.number });
            }
            rest = rest.without(&facts.smallest);
        }
        added.into_iter().try_fold(rest, |run, table| run.with(table))
    }

    /// What its tables amount to.
    pub(crate) fn totals(&self) -> Totals {
        self.tables.summary().unwrap_or(Totals::NOTHING)
    }

    /// The first `most` tables, in order, of which `wants` says yes; it must say yes of tables together whenever it does
    /// of one of them. Costs O(log tables) for each, not a walk over all.
    pub(crate) fn wanted(&self, most: usize, wants: impl Fn(&Totals) -> bool) -> Vec<&T> {
        self.tables.wanted(most, &wants).into_iter().map(|table| &table.0).collect()
    }
}
