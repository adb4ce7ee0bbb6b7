//! Choosing a compaction: a pure function of the shape, the strategy and what is going on.
//!
//! ```text
//!   leveled.rs       scores of levels, the fullest first          fifo.rs        the oldest tables
//!   tiered.rs        full levels, tiered and lazy leveled          upkeep.rs      tombstones and expired tables
//!   selection.rs     gathers inputs by the rule, makes the job     debt.rs        how far the shape is from what it should be
//! ```
//!
//! A choice costs O(levels x runs) and O(log tables) for each table of the job, never a walk over a level. Ages and
//! expiries are compared with the caller's clock: one that jumps ahead lets data expire early, here as in reads.

mod debt;
mod fifo;
mod leveled;
mod selection;
#[cfg(test)]
mod tests;
mod tiered;
mod upkeep;

use bytes::Bytes;

use super::job::{Claim, Job};
use super::strategy::Strategy;
use crate::format::Sequence;
use crate::shape::{HasFacts, Run, Shape};

pub use debt::{Debt, debt};

/// What a choice depends on beside the shape and the strategy.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Wall time in microseconds.
    pub now_micros: u64,
    /// The oldest sequence that a reader may read at: of the oldest snapshot, or else the newest write that is published.
    pub oldest_snapshot: Sequence,
    /// Bytes at which a memtable is flushed.
    pub memtable_bytes: u64,
    /// Of the jobs that are running.
    pub running: Vec<Claim>,
    /// Where the rounds through the levels stand.
    pub cursors: Cursors,
}

/// Where the rounds through the levels stand: a level is compacted table by table in key order. Kept in memory only.
#[derive(Debug, Clone, Default)]
pub struct Cursors {
    by_level: Vec<Bytes>,
}

impl Cursors {
    /// Moves on behind what a job that is about to run compacts.
    pub fn advance(&mut self, job: &Job) {
        if let Some((level, key)) = &job.cursor {
            if self.by_level.len() <= *level {
                self.by_level.resize_with(level + 1, Bytes::new);
            }
            self.by_level[*level] = key.clone();
        }
    }

    fn of(&self, level: usize) -> &[u8] {
        self.by_level.get(level).map_or(&[], |key| &key[..])
    }
}

impl Context {
    fn is_busy(&self, number: u64) -> bool {
        self.running.iter().any(|claim| claim.uses(number))
    }

    /// Bytes of a level that no running job takes away or rewrites.
    fn free_bytes<T: HasFacts + Clone>(&self, shape: &Shape<T>, level: usize) -> u64 {
        let claims = self.running.iter().flat_map(|claim| &claim.bytes_by_level);
        let claimed: u64 = claims.filter(|(of, _)| *of == level).map(|(_, bytes)| bytes).sum();
        shape.bytes(level).saturating_sub(claimed)
    }

    /// Runs of a level that no running job has begun with.
    fn free_runs<T: HasFacts + Clone>(&self, shape: &Shape<T>, level: usize) -> usize {
        shape.runs(level).iter().filter(|run| self.is_free(run)).count()
    }

    fn is_free<T: HasFacts + Clone>(&self, run: &Run<T>) -> bool {
        run.iter().next().is_none_or(|table| !self.is_busy(table.facts().number))
    }
}

/// The next compaction to do; `None` when the shape is as the strategy wants it, or as near as running jobs allow.
/// Whoever runs the job puts its claim into the context first, and lets the cursors advance.
pub fn pick<T: HasFacts + Clone>(shape: &Shape<T>, strategy: &Strategy, context: &Context) -> Option<Job> {
    match strategy {
        Strategy::Leveled(options) => {
            leveled::pick(shape, options, context).or_else(|| upkeep::pick(shape, options.table_bytes, context))
        }
        Strategy::Tiered(options) => {
            tiered::pick(shape, options, context).or_else(|| upkeep::pick(shape, options.table_bytes, context))
        }
        Strategy::LazyLeveled(options) => {
            tiered::pick_lazy(shape, options, context).or_else(|| upkeep::pick(shape, options.table_bytes, context))
        }
        Strategy::Fifo(options) => fifo::pick(shape, options, context),
    }
}
