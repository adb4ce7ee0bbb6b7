//! The shape of the tree: which tables lie in which run of which level. Facts about tables, and no data.
//!
//! ```text
//!   level 0   run │ a ────── m │          newest first: each flush is a run
//!             run │ b ───────── p │
//!   level 1   run │ a ── c │ e ── k │ ...  tables of a run are disjoint and ordered by key
//!   level 2   run │ a ─ b │ c ─── f │ ...
//!
//!   newer above, older below: for one key, a newer version lies in a lower level, or a newer run, than an older one
//! ```
//!
//! A shape is a value: a copy costs a few pointers, an edit of some tables costs O(log tables) and leaves every other
//! copy as it was. So readers keep the shape they began with, and a job is chosen from one that nobody changes.
//!
//! `tree` is the ordered map below it, `run` a sorted run, `edit` what a flush or a compaction changes.

mod edit;
mod facts;
mod run;
#[cfg(test)]
mod tests;
mod tree;

use crate::format::Sequence;
use tree::{Item, Tree};

pub use edit::{Added, Edit, LEVELS_MOST, Misfit, Place, apply};
pub use facts::{HasFacts, TableFacts};
pub use run::Run;

/// Where a table lies: the way from its number to its place in a run.
#[derive(Debug, Clone)]
struct Whereabouts {
    number: u64,
    level: usize,
    smallest: bytes::Bytes,
}

impl Item for Whereabouts {
    type Key = u64;
    type Summary = ();

    fn key(&self) -> &u64 {
        &self.number
    }

    fn priority(&self) -> u64 {
        tree::mixed(self.number)
    }

    fn summary(&self) {}

    fn combined((): (), (): ()) {}
}

/// Levels of runs of tables. `T` is a table: its facts alone, or whatever carries them ([`HasFacts`]).
#[derive(Debug, Clone)]
pub struct Shape<T: HasFacts + Clone> {
    /// By level, newest run first. No run is empty.
    levels: Vec<Vec<Run<T>>>,
    index: Tree<Whereabouts>,
}

impl<T: HasFacts + Clone> Default for Shape<T> {
    fn default() -> Self {
        Self { levels: Vec::new(), index: Tree::default() }
    }
}

impl<T: HasFacts + Clone> Shape<T> {
    /// A shape without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// The runs of a level, newest first; none for a level that nobody wrote to.
    pub fn runs(&self, level: usize) -> &[Run<T>] {
        self.levels.get(level).map_or(&[], Vec::as_slice)
    }

    /// Levels up to the deepest that has a table.
    pub fn depth(&self) -> usize {
        self.levels.len()
    }

    /// All runs with their levels, newest data first.
    pub fn newest_first(&self) -> impl Iterator<Item = (usize, &Run<T>)> {
        self.levels.iter().enumerate().flat_map(|(level, runs)| runs.iter().map(move |run| (level, run)))
    }

    /// Bytes of a level.
    pub fn bytes(&self, level: usize) -> u64 {
        self.runs(level).iter().map(Run::bytes).fold(0, u64::saturating_add)
    }

    /// Bytes of all levels.
    pub fn bytes_total(&self) -> u64 {
        self.newest_first().map(|(_, run)| run.bytes()).fold(0, u64::saturating_add)
    }

    /// Tables of all levels.
    pub fn tables(&self) -> u64 {
        self.newest_first().map(|(_, run)| run.len()).sum()
    }

    /// The level and the table with this number.
    pub fn table(&self, number: u64) -> Option<(usize, &T)> {
        let place = self.index.get(&number)?;
        let found = self
            .runs(place.level)
            .iter()
            .find_map(|run| run.find(&place.smallest).filter(|table| table.facts().number == number));
        found.map(|table| (place.level, table))
    }

    /// The newest sequence in any table.
    pub fn max_sequence(&self) -> Sequence {
        let newest = self.newest_first().map(|(_, run)| run.totals().max_sequence).max();
        newest.unwrap_or(Sequence::ZERO)
    }
}
