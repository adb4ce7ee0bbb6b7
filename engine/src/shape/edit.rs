//! What a flush or a compaction changes: some tables go, others come. The engine and the compaction simulator apply the
//! same edits; the manifest holds them.
//!
//! ```text
//!   Edit  removed (level, number) ...     added (level, place, tables) ...
//!
//!   place   Newest    a new run in front of the level's others                     flush, tiered
//!           InPlace   a new run where the removed ones stood, which must be gone   merges inside a level
//!           Oldest    joins the level's oldest run, or becomes its only one        leveled
//! ```
//!
//! Places are relative, so an edit that was decided a while ago still means the same after others were applied.

use super::{HasFacts, Run, Shape, Whereabouts};

/// Where in a level added tables go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A new run in front of the others.
    Newest,
    /// A new run where the runs stood that the same edit empties. There must be one.
    InPlace,
    /// Into the level's oldest run; its only run when it has none.
    Oldest,
}

/// Tables that come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added<T> {
    /// The level they come into.
    pub level: usize,
    /// Where in the level.
    pub place: Place,
    /// The tables, disjoint, in any order.
    pub tables: Vec<T>,
}

/// Tables that go and tables that come, all at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit<T> {
    /// Level and number of those that go.
    pub removed: Vec<(usize, u64)>,
    /// Those that come.
    pub added: Vec<Added<T>>,
}

impl<T> Edit<T> {
    /// Nothing goes and nothing comes.
    pub fn none() -> Self {
        Self { removed: Vec::new(), added: Vec::new() }
    }

    /// What a flush does: a new run in front of level 0.
    pub fn flush(tables: Vec<T>) -> Self {
        Self { removed: Vec::new(), added: vec![Added { level: 0, place: Place::Newest, tables }] }
    }
}

/// Why an edit does not fit a shape. From a manifest it means damage, from a job a bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A table that should go is not there.
    #[error("table {number} is not where it should be removed")]
    Missing {
        /// Its number.
        number: u64,
    },
    /// A table comes whose number is there already.
    #[error("table {number} is there already")]
    Present {
        /// Its number.
        number: u64,
    },
    /// Two tables of one run overlap.
    #[error("tables {number} and {other} of one run overlap")]
    Overlap {
        /// The one that comes.
        number: u64,
        /// The one that is there.
        other: u64,
    },
    /// A table whose range ends before it begins.
    #[error("the key range of table {number} is empty")]
    EmptyRange {
        /// Its number.
        number: u64,
    },
    /// `InPlace` where no run was emptied.
    #[error("no run of level {level} makes place")]
    NoPlace {
        /// The level.
        level: usize,
    },
    /// A level beyond [`LEVELS_MOST`].
    #[error("level {level} is beyond the deepest, {}", LEVELS_MOST - 1)]
    TooDeep {
        /// The level.
        level: usize,
    },
}

/// No shape has more levels; far more than data could fill.
pub const LEVELS_MOST: usize = 32;

/// Applies an edit, or refuses it and leaves the shape as it was. Costs O(log tables) for each table of the edit, and
/// one step for each run of the shape.
pub fn apply<T: HasFacts + Clone>(shape: &mut Shape<T>, edit: &Edit<T>) -> Result<(), Misfit> {
    let mut next = shape.clone();
    for (level, number) in &edit.removed {
        remove(&mut next, *level, *number)?;
    }
    for added in &edit.added {
        add(&mut next, added)?;
    }
    for runs in &mut next.levels {
        runs.retain(|run| !run.is_empty());
    }
    while next.levels.last().is_some_and(Vec::is_empty) {
        next.levels.pop();
    }
    *shape = next;
    Ok(())
}

/// Takes a table out; a run that is empty afterwards keeps its place until the edit is done.
fn remove<T: HasFacts + Clone>(shape: &mut Shape<T>, level: usize, number: u64) -> Result<(), Misfit> {
    let missing = Misfit::Missing { number };
    let smallest = shape.index.get(&number).filter(|place| place.level == level).ok_or(missing)?.smallest.clone();
    let holds = |run: &&mut Run<T>| run.find(&smallest).is_some_and(|table| table.facts().number == number);
    let run = shape.levels.get_mut(level).and_then(|runs| runs.iter_mut().find(holds)).ok_or(missing)?;
    *run = run.without(&smallest);
    shape.index = shape.index.without(&number);
    Ok(())
}

fn add<T: HasFacts + Clone>(shape: &mut Shape<T>, added: &Added<T>) -> Result<(), Misfit> {
    let level = added.level;
    if level >= LEVELS_MOST {
        return Err(Misfit::TooDeep { level });
    }
    for table in &added.tables {
        let facts = table.facts();
        if shape.index.get(&facts.number).is_some() {
            return Err(Misfit::Present { number: facts.number });
        }
        let place = Whereabouts { number: facts.number, level, smallest: facts.smallest.clone() };
        shape.index = shape.index.with(place);
    }
    if shape.levels.len() <= level {
        shape.levels.resize_with(level + 1, Vec::new);
    }
    let runs = &mut shape.levels[level];
    let position = match added.place {
        Place::Newest => {
            runs.insert(0, Run::default());
            0
        }
        Place::InPlace => runs.iter().position(Run::is_empty).ok_or(Misfit::NoPlace { level })?,
        Place::Oldest => {
            if runs.is_empty() {
                runs.push(Run::default());
            }
            runs.len() - 1
        }
    };
    runs[position] = added.tables.iter().cloned().try_fold(runs[position].clone(), |run, table| run.with(table))?;
    Ok(())
}
