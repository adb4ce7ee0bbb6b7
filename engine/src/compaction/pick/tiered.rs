//! Several runs a level: a full level becomes one run of the next. Lazy leveled keeps the last level as one run.
//!
//! ```text
//!              tiered                     lazy leveled
//!   level 0    ▪ ▪ ▪ ▪ ─┐ one run         ▪ ▪ ▪ ▪ ─┐ one run
//!   level 1    ▬ ▬ ▬ ◀──┘                 ▬ ▬ ▬ ◀──┘
//!   level 2    ▬▬▬▬ ▬▬▬▬                  ▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬   a full level 1 is merged into it
//! ```
//!
//! All runs of a level go together, so none is passed by another. When the last run of lazy leveled outgrows its level it
//! is moved one deeper, which costs no reading, and the levels above get room.

use super::Context;
use super::selection::{Goal, LAST_RUN, gather, hull};
use crate::compaction::job::{Job, Reason};
use crate::compaction::strategy::{LazyLeveled, Tiered};
use crate::shape::{HasFacts, Place, Shape};

pub(super) fn pick<T: HasFacts + Clone>(shape: &Shape<T>, options: &Tiered, context: &Context) -> Option<Job> {
    let last = (options.levels - 1).max(shape.depth().saturating_sub(1));
    (0..shape.depth()).find_map(|level| {
        if context.free_runs(shape, level) < options.runs {
            return None;
        }
        let (output, place) = if level < last { (level + 1, Place::Newest) } else { (level, Place::InPlace) };
        whole(shape, context, level, (output, place), (options.runs - 1, options.table_bytes))
    })
}

/// The last level of a lazily leveled tree.
pub(super) fn lazy_last<T: HasFacts + Clone>(shape: &Shape<T>) -> usize {
    shape.depth().saturating_sub(1).max(1)
}

/// The most that the last level holds before the tree grows.
pub(super) fn lazy_last_bytes_most(options: &LazyLeveled, memtable_bytes: u64, last: usize) -> u64 {
    let runs = (0..=last).fold(1_u64, |product, _| product.saturating_mul(options.runs as u64));
    memtable_bytes.max(1 << 10).saturating_mul(runs)
}

pub(super) fn pick_lazy<T: HasFacts + Clone>(
    shape: &Shape<T>,
    options: &LazyLeveled,
    context: &Context,
) -> Option<Job> {
    let last = lazy_last(shape);
    let full = (0..last).find_map(|level| {
        if context.free_runs(shape, level) < options.runs {
            return None;
        }
        let place = if level + 1 == last { Place::Oldest } else { Place::Newest };
        whole(shape, context, level, (level + 1, place), (options.runs - 1, options.table_bytes))
    });
    full.or_else(|| {
        if shape.runs(last).len() > 1 {
            whole(shape, context, last, (last, Place::InPlace), (1, options.table_bytes))
        } else {
            lazy_deeper(shape, options, context, last)
        }
    })
}

/// The last level outgrew its place: one deeper.
fn lazy_deeper<T: HasFacts + Clone>(
    shape: &Shape<T>,
    options: &LazyLeveled,
    context: &Context,
    last: usize,
) -> Option<Job> {
    let (bytes, most_bytes) = (shape.bytes(last), lazy_last_bytes_most(options, context.memtable_bytes, last));
    if last + 1 >= options.levels || bytes <= most_bytes {
        return None;
    }
    let reason = Reason::LastLevelBytes { level: last, bytes, most_bytes };
    let selection = gather(shape, (last, 0), (last, LAST_RUN), hull(shape.runs(last))?);
    let goal = Goal { level: last + 1, place: Place::Oldest, reason, table_bytes: options.table_bytes };
    selection.job(shape, context, goal)
}

/// All runs of a level, to a place in it or in the next.
fn whole<T: HasFacts + Clone>(
    shape: &Shape<T>,
    context: &Context,
    level: usize,
    (output, place): (usize, Place),
    (runs_most, table_bytes): (usize, u64),
) -> Option<Job> {
    let reason = Reason::LevelRuns { level, runs: shape.runs(level).len(), runs_most };
    let to = if place == Place::Oldest { output } else { level };
    let selection = gather(shape, (level, 0), (to, LAST_RUN), hull(shape.runs(level))?);
    selection.job(shape, context, Goal { level: output, place, reason, table_bytes })
}
