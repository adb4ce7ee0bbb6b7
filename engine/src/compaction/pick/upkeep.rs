//! Tables that are worth a compaction although their level is not full: half tombstones, or all expired.
//!
//! ```text
//!   nothing older in its range     expired: dropped unread          tombstones: written again without them
//!   something older below          both: merged with the first level below that has some
//! ```
//!
//! Tombstones and expired values go only together with all that they hide, or as long as there is nothing. Each job gets
//! them a level deeper or rid of them, so this comes to an end. Level 0 is left alone but for drops: it moves by itself.

use super::Context;
use super::selection::{Goal, LAST_RUN, Position, gather};
use crate::compaction::job::{Job, Reason};
use crate::shape::{HasFacts, Place, Shape};

/// Tables of a run that are tried at a time.
const TRIED_MOST: usize = 16;

pub(super) fn pick<T: HasFacts + Clone>(shape: &Shape<T>, table_bytes: u64, context: &Context) -> Option<Job> {
    let positions = || {
        (0..shape.depth()).flat_map(|level| {
            let runs = shape.runs(level).iter().enumerate();
            runs.map(move |(index, run)| ((level, index), run))
        })
    };
    let now = context.now_micros;
    let expired = positions().find_map(|(position, run)| {
        let tables = run.wanted(TRIED_MOST, |totals| totals.expires_min_micros <= now);
        tables.into_iter().find_map(|table| {
            let reason = Reason::Expired { table: table.facts().number };
            shed(shape, context, position, table, (reason, table_bytes))
        })
    });
    expired.or_else(|| {
        positions().find_map(|(position, run)| {
            let tables = run.wanted(TRIED_MOST, |totals| totals.dense_sequence_min <= context.oldest_snapshot.0);
            tables.into_iter().find_map(|table| {
                let facts = table.facts();
                let (tombstones, entries) = (facts.tombstones, facts.entries);
                let reason = Reason::Tombstones { table: facts.number, tombstones, entries };
                shed(shape, context, position, table, (reason, table_bytes))
            })
        })
    })
}

fn shed<T: HasFacts + Clone>(
    shape: &Shape<T>,
    context: &Context,
    position: Position,
    table: &T,
    (reason, table_bytes): (Reason, u64),
) -> Option<Job> {
    let (facts, level) = (table.facts(), position.0);
    let range = (facts.smallest.clone(), facts.end.clone());
    let within = gather(shape, position, (level, LAST_RUN), range.clone());
    let below = (level + 1..shape.depth()).find(|below| {
        shape.runs(*below).iter().any(|run| run.overlapping(&within.smallest, &within.end).next().is_some())
    });
    if facts.is_expired(context.now_micros) && within.len() == 1 && below.is_none() {
        return within.drop_job(shape, context, reason);
    }
    if level == 0 || facts.max_sequence > context.oldest_snapshot {
        return None;
    }
    let output = below.unwrap_or(level);
    let selection = gather(shape, position, (output, LAST_RUN), range);
    selection.job(shape, context, Goal { level: output, place: Place::Oldest, reason, table_bytes })
}
