//! First in, first out: tables are dropped whole, the oldest first, by size and by age.
//!
//! ```text
//!   newest run ▪ ▪ ▪ ▪ ▪ ▪ ▪ oldest run      a table goes only when nothing older lies in its range
//! ```
//!
//! Otherwise the older version of a key would be seen again after the newer one was dropped.

use super::Context;
use super::selection::gather;
use crate::compaction::job::{Job, Reason};
use crate::compaction::strategy::Fifo;
use crate::shape::{HasFacts, Run, Shape};

/// Tables of a run that are tried at a time.
const TRIED_MOST: usize = 16;

pub(super) fn pick<T: HasFacts + Clone>(shape: &Shape<T>, options: &Fifo, context: &Context) -> Option<Job> {
    by_age(shape, options, context).or_else(|| by_bytes(shape, options, context))
}

fn by_age<T: HasFacts + Clone>(shape: &Shape<T>, options: &Fifo, context: &Context) -> Option<Job> {
    let born_last = context.now_micros.checked_sub(options.max_age_micros)?;
    if options.max_age_micros == 0 {
        return None;
    }
    let reason = Reason::FifoAge { most_micros: options.max_age_micros };
    oldest_first(shape).find_map(|(level, index, run)| {
        let old = run.wanted(TRIED_MOST, |totals| totals.created_min_micros <= born_last);
        old.into_iter().find_map(|table| drop_one(shape, context, (level, index), table, &reason))
    })
}

fn by_bytes<T: HasFacts + Clone>(shape: &Shape<T>, options: &Fifo, context: &Context) -> Option<Job> {
    let bytes: u64 = (0..shape.depth()).map(|level| context.free_bytes(shape, level)).sum();
    if options.max_bytes == 0 || bytes <= options.max_bytes {
        return None;
    }
    let reason = Reason::FifoBytes { bytes, most_bytes: options.max_bytes };
    // Nothing is older than the oldest run, so nothing can be seen again; the runs behind it wait for their turn.
    let (level, index, run) = oldest_first(shape).find(|(_, _, run)| context.is_free(run))?;
    let oldest = run.totals().created_min_micros;
    let tables = run.wanted(TRIED_MOST, |totals| totals.created_min_micros <= oldest);
    let tables = tables.into_iter().chain(run.iter().take(TRIED_MOST));
    tables.into_iter().find_map(|table| drop_one(shape, context, (level, index), table, &reason))
}

fn drop_one<T: HasFacts + Clone>(
    shape: &Shape<T>,
    context: &Context,
    position: (usize, usize),
    table: &T,
    reason: &Reason,
) -> Option<Job> {
    let facts = table.facts();
    let selection = gather(shape, position, position, (facts.smallest.clone(), facts.end.clone()));
    selection.drop_job(shape, context, reason.clone())
}

fn oldest_first<T: HasFacts + Clone>(shape: &Shape<T>) -> impl Iterator<Item = (usize, usize, &Run<T>)> {
    (0..shape.depth()).rev().flat_map(|level| {
        let runs = shape.runs(level).iter().enumerate().rev();
        runs.map(move |(index, run)| (level, index, run))
    })
}
