//! Tables as they are held open, and cursors over runs of them.
//!
//! ```text
//!   run       [ table ][ table ][ table ]        disjoint, in key order: one cursor walks from one into the next
//!   source    a memtable or a run: what a merge reads from
//! ```

use std::fmt;
use std::sync::Arc;

use super::edit::TableRecord;
use crate::cost::ReadCost;
use crate::cursor::{At, Cursor, Seek};
use crate::error::Error;
use crate::format::entry::EntryRef;
use crate::format::properties::Properties;
use crate::memtable::MemtableCursor;
use crate::shape::{HasFacts, Shape, TableFacts};
use crate::table::{CursorSettings, Table, TableCursor};
use crate::world::File;

/// A table that is part of the database, open.
pub(crate) struct OpenTable<F: File> {
    pub(crate) facts: TableFacts,
    pub(crate) table: Arc<Table<F>>,
}

/// All tables of a version, in levels and runs.
pub(crate) type TableShape<F> = Shape<Arc<OpenTable<F>>>;

impl<F: File> OpenTable<F> {
    pub(crate) fn new(table: Table<F>) -> Self {
        Self { facts: facts_of(table.properties()), table: Arc::new(table) }
    }
}

impl<F: File> OpenTable<F> {
    /// Whether it holds range tombstones.
    pub(crate) fn covers_ranges(&self) -> bool {
        !self.table.range_tombstones().is_empty()
    }

    /// What the manifest holds of it.
    pub(crate) fn record(&self) -> TableRecord {
        TableRecord { facts: self.facts.clone(), set_hash: self.table.properties().tally.set_hash }
    }
}

impl<F: File> fmt::Debug for OpenTable<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OpenTable").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl<F: File> HasFacts for OpenTable<F> {
    fn facts(&self) -> &TableFacts {
        &self.facts
    }
}

/// What picking needs to know of a table.
pub(crate) fn facts_of(properties: &Properties) -> TableFacts {
    let tally = &properties.tally;
    let all_expire = tally.expiring == tally.entries && tally.range_tombstones == 0;
    TableFacts {
        number: properties.number,
        bytes: properties.file_bytes,
        entries: tally.entries,
        tombstones: tally.tombstones + tally.range_tombstones,
        expiring: tally.expiring,
        smallest: properties.smallest.clone(),
        end: properties.end.clone(),
        min_sequence: tally.min_sequence,
        max_sequence: tally.max_sequence,
        max_expires_micros: if all_expire { tally.max_expires_micros } else { 0 },
        created_micros: properties.created_micros,
    }
}

/// A cursor over some neighbouring tables of a run.
pub(crate) struct RunCursor<F: File> {
    tables: Vec<Arc<OpenTable<F>>>,
    settings: CursorSettings,
    /// The table the cursor is in, and its place among the tables.
    current: Option<(usize, TableCursor<F>)>,
    cost: ReadCost,
    forward: bool,
}

impl<F: File> RunCursor<F> {
    pub(crate) fn new(tables: Vec<Arc<OpenTable<F>>>, settings: CursorSettings) -> Self {
        Self { tables, settings, current: None, cost: ReadCost::default(), forward: true }
    }

    /// What was read since the last time this was asked.
    pub(crate) fn take_cost(&mut self) -> ReadCost {
        let mut cost = std::mem::take(&mut self.cost);
        if let Some((_, cursor)) = &mut self.current {
            cost.add(&cursor.take_cost());
        }
        cost
    }

    fn enter(&mut self, index: usize, target: Seek<'_>) {
        match &mut self.current {
            Some((current, cursor)) if *current == index => cursor.seek(target),
            _ => {
                let mut cursor = self.tables[index].table.cursor(self.settings);
                cursor.seek(target);
                if let Some((_, mut left)) = self.current.replace((index, cursor)) {
                    self.cost.add(&left.take_cost());
                }
            }
        }
    }

    /// Goes on in the neighbouring table while the present one has ended.
    fn pass_on(&mut self) {
        while let Some((index, cursor)) = &self.current {
            if cursor.at() != At::End {
                return;
            }
            let index = *index;
            let neighbour = if self.forward { index.checked_add(1) } else { index.checked_sub(1) };
            match neighbour.filter(|neighbour| *neighbour < self.tables.len()) {
                Some(neighbour) => self.enter(neighbour, if self.forward { Seek::First } else { Seek::Last }),
                None => return,
            }
        }
    }
}

impl<F: File> Cursor for RunCursor<F> {
    fn at(&self) -> At {
        self.current.as_ref().map_or(At::End, |(_, cursor)| cursor.at())
    }

    fn entry(&self) -> EntryRef<'_> {
        let (_, cursor) = self.current.as_ref().expect("a cursor that stands at an entry is in a table");
        cursor.entry()
    }

    fn seek(&mut self, target: Seek<'_>) {
        let behind = |key: &[u8]| self.tables.partition_point(|table| table.facts.smallest[..] < *key);
        let index = match target {
            Seek::First => Some(0),
            Seek::Last => self.tables.len().checked_sub(1),
            // The last table that begins at or before the key, or the first.
            Seek::AtOrBehind(key) => {
                let at_or_before = self.tables.partition_point(|table| table.facts.smallest[..] <= *key);
                Some(at_or_before.saturating_sub(1))
            }
            Seek::Before(key) => behind(key).checked_sub(1),
        };
        self.forward = matches!(target, Seek::First | Seek::AtOrBehind(_));
        match index.filter(|index| *index < self.tables.len()) {
            Some(index) => {
                self.enter(index, target);
                self.pass_on();
            }
            None => {
                if let Some((_, mut left)) = self.current.take() {
                    self.cost.add(&left.take_cost());
                }
            }
        }
    }

    fn next(&mut self) {
        self.forward = true;
        if let Some((_, cursor)) = &mut self.current {
            cursor.next();
        }
        self.pass_on();
    }

    fn previous(&mut self) {
        self.forward = false;
        if let Some((_, cursor)) = &mut self.current {
            cursor.previous();
        }
        self.pass_on();
    }

    async fn load(&mut self) -> Result<(), Error> {
        while self.at() == At::Unloaded {
            if let Some((_, cursor)) = &mut self.current {
                cursor.load().await?;
            }
            self.pass_on();
        }
        Ok(())
    }
}

/// What a merge reads from.
#[expect(clippy::large_enum_variant, reason = "there are few, and one behind a pointer would cost every step")]
pub(crate) enum Source<F: File> {
    Memtable(MemtableCursor),
    Run(RunCursor<F>),
}

impl<F: File> Source<F> {
    /// What was read since the last time this was asked.
    pub(crate) fn take_cost(&mut self) -> ReadCost {
        match self {
            Self::Memtable(_) => ReadCost::default(),
            Self::Run(run) => run.take_cost(),
        }
    }
}

impl<F: File> Cursor for Source<F> {
    fn at(&self) -> At {
        match self {
            Self::Memtable(cursor) => cursor.at(),
            Self::Run(cursor) => cursor.at(),
        }
    }

    fn entry(&self) -> EntryRef<'_> {
        match self {
            Self::Memtable(cursor) => cursor.entry(),
            Self::Run(cursor) => cursor.entry(),
        }
    }

    fn seek(&mut self, target: Seek<'_>) {
        match self {
            Self::Memtable(cursor) => cursor.seek(target),
            Self::Run(cursor) => cursor.seek(target),
        }
    }

    fn next(&mut self) {
        match self {
            Self::Memtable(cursor) => cursor.next(),
            Self::Run(cursor) => cursor.next(),
        }
    }

    fn previous(&mut self) {
        match self {
            Self::Memtable(cursor) => cursor.previous(),
            Self::Run(cursor) => cursor.previous(),
        }
    }

    async fn load(&mut self) -> Result<(), Error> {
        match self {
            Self::Memtable(cursor) => cursor.load().await,
            Self::Run(cursor) => cursor.load().await,
        }
    }
}
