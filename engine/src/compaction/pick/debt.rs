//! How far the shape is from what the strategy wants: what writers are slowed down by.
//!
//! ```text
//!   leveled   too much in a level goes down, with what it overlaps there, and may be too much for the next
//!   tiered    the runs of full levels        lazy   and the last level they are merged into        fifo   what is too much
//! ```
//!
//! It grows with what was written and falls with every job that is done. It is 0 when the shape is right. Tombstones and
//! expired tables are no debt: nobody need wait for them.

use super::leveled::Targets;
use super::tiered::lazy_last;
use crate::compaction::strategy::{LazyLeveled, Leveled, Strategy};
use crate::shape::{HasFacts, Shape};

/// How far a shape is from right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Debt {
    /// Bytes to read and write again until the shape is right, as an estimate.
    pub bytes: u64,
    /// Runs of level 0 from the one on that starts a merge.
    pub level0_runs_over: u64,
    /// Runs of all levels: what a read may have to look into.
    pub runs: u64,
}

/// How far the shape is from what the strategy wants.
pub fn debt<T: HasFacts + Clone>(shape: &Shape<T>, strategy: &Strategy) -> Debt {
    let over = |trigger: usize| (shape.runs(0).len() + 1).saturating_sub(trigger) as u64;
    let (bytes, level0_runs_over) = match strategy {
        Strategy::Leveled(options) => (leveled(shape, options, over(options.level0_runs)), over(options.level0_runs)),
        Strategy::Tiered(options) => (full(shape, options.runs, shape.depth()), over(options.runs)),
        Strategy::LazyLeveled(options) => (lazy(shape, options), over(options.runs)),
        Strategy::Fifo(options) if options.max_bytes == 0 => (0, 0),
        Strategy::Fifo(options) => (shape.bytes_total().saturating_sub(options.max_bytes), 0),
    };
    Debt { bytes, level0_runs_over, runs: shape.newest_first().count() as u64 }
}

fn leveled<T: HasFacts + Clone>(shape: &Shape<T>, options: &Leveled, level0_runs_over: u64) -> u64 {
    let targets = Targets::of(shape, options);
    let runs = shape.runs(0).len() as u64;
    // What is over the trigger comes down, with as much of the base level as it overlaps: all of it, for its share.
    let mut arriving = share(shape.bytes(0), level0_runs_over, runs);
    let mut debt = arriving.saturating_add(share(shape.bytes(targets.base), level0_runs_over, runs));
    for level in 1..=targets.last {
        let bytes = shape.bytes(level);
        if shape.runs(level).len() > 1 {
            debt = debt.saturating_add(bytes);
        }
        if level < targets.base {
            debt = debt.saturating_add(bytes);
            continue;
        }
        let held = bytes.saturating_add(arriving);
        arriving = held.saturating_sub(targets.bytes(level));
        let below = if level < targets.last { shape.bytes(level + 1) } else { 0 };
        debt = debt.saturating_add(arriving).saturating_add(share(below, arriving, held));
    }
    debt
}

/// The runs of the full levels above a level.
fn full<T: HasFacts + Clone>(shape: &Shape<T>, runs: usize, levels: usize) -> u64 {
    (0..levels).filter(|level| shape.runs(*level).len() >= runs).map(|level| shape.bytes(level)).sum()
}

fn lazy<T: HasFacts + Clone>(shape: &Shape<T>, options: &LazyLeveled) -> u64 {
    let last = lazy_last(shape);
    let merged = shape.runs(last).len() > 1 || shape.runs(last - 1).len() >= options.runs;
    full(shape, options.runs, last).saturating_add(if merged { shape.bytes(last) } else { 0 })
}

/// `bytes * part / whole`; nothing of nothing.
fn share(bytes: u64, part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    u64::try_from(u128::from(bytes) * u128::from(part.min(whole)) / u128::from(whole)).unwrap_or(u64::MAX)
}
