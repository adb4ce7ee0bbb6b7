//! One run a level, the sizes taken from the bottom up.
//!
//! ```text
//!   level 0    ▪ ▪ ▪ ▪                 4 runs start a merge into the base level
//!   level 1..  (empty)                 above the base level nothing should lie
//!   base       ▬▬                      at most base_bytes
//!   ...        ▬▬▬▬▬▬▬▬▬               fanout times as much
//!   last       ▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬   as much as there is
//! ```
//!
//! With sizes taken from the bottom up (RocksDB's dynamic level bytes) nine tenths of the data lie in the last level
//! whatever there is of it, so obsolete versions take a tenth of the space at most. Within a level the tables take turns
//! in key order (LevelDB): every key range gets down in time, and the next table is found in O(log tables).

use super::Context;
use super::selection::{Goal, LAST_RUN, gather, hull};
use crate::compaction::job::{Job, Reason};
use crate::compaction::strategy::Leveled;
use crate::shape::{HasFacts, Place, Shape};

/// Tables of a level that are tried when running jobs are in the way of the first.
const TRIED_MOST: usize = 8;

/// What each level should hold.
pub(super) struct Targets {
    /// The level that level 0 is merged into.
    pub(super) base: usize,
    /// The last level.
    pub(super) last: usize,
    bytes: Vec<u64>,
}

impl Targets {
    pub(super) fn of<T: HasFacts + Clone>(shape: &Shape<T>, options: &Leveled) -> Self {
        let last = (options.levels - 1).max(shape.depth().saturating_sub(1));
        let largest = (1..=last).map(|level| shape.bytes(level)).max().unwrap_or_default();
        let (mut base, mut target, mut bytes) = (last, largest, vec![0; last + 1]);
        bytes[last] = u64::MAX;
        while target > options.base_bytes && base > 1 {
            base -= 1;
            target /= options.fanout;
            bytes[base] = target.max(1);
        }
        Self { base, last, bytes }
    }

    /// The most a level may hold: nothing above the base level, anything in the last.
    pub(super) fn bytes(&self, level: usize) -> u64 {
        self.bytes[level]
    }
}

#[derive(Clone, Copy)]
enum Want {
    Level0,
    OneRun(usize),
    Down(usize),
}

pub(super) fn pick<T: HasFacts + Clone>(shape: &Shape<T>, options: &Leveled, context: &Context) -> Option<Job> {
    let targets = Targets::of(shape, options);
    let mut level0_waits = false;
    for (_, want) in wants(shape, options, context, &targets) {
        let job = match want {
            Want::Level0 => {
                let job = level0(shape, options, context, targets.base);
                level0_waits = job.is_none();
                job.or_else(|| level0_crowded(shape, options, context))
            }
            Want::OneRun(level) => one_run(shape, options, context, level),
            // Level 0 waits for the base level to fall quiet; whatever starts there now lets it wait longer.
            Want::Down(level) if level == targets.base && level0_waits => None,
            Want::Down(level) => down(shape, options, context, level, &targets),
        };
        if job.is_some() {
            return job;
        }
    }
    None
}

/// What is wrong with the shape, with a score in thousandths of what is right, the worst first.
fn wants<T: HasFacts + Clone>(
    shape: &Shape<T>,
    options: &Leveled,
    context: &Context,
    targets: &Targets,
) -> Vec<(u64, Want)> {
    let mut wants = Vec::new();
    let runs = context.free_runs(shape, 0);
    if runs >= options.level0_runs {
        wants.push((runs as u64 * 1_000 / options.level0_runs as u64, Want::Level0));
    }
    for level in 1..=targets.last.min(shape.depth().saturating_sub(1)) {
        let runs = shape.runs(level).len();
        let bytes = context.free_bytes(shape, level);
        if runs > 1 {
            wants.push((runs as u64 * 1_000, Want::OneRun(level)));
        } else if level < targets.base && bytes > 0 {
            wants.push((1_001, Want::Down(level)));
        } else if level >= targets.base && bytes > targets.bytes(level) {
            let score = u128::from(bytes) * 1_000 / u128::from(targets.bytes(level));
            wants.push((u64::try_from(score).unwrap_or(u64::MAX), Want::Down(level)));
        }
    }
    wants.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    wants
}

fn level0<T: HasFacts + Clone>(shape: &Shape<T>, options: &Leveled, context: &Context, base: usize) -> Option<Job> {
    let reason = Reason::Level0Runs { runs: shape.runs(0).len(), trigger: options.level0_runs };
    let selection = gather(shape, (0, 0), (base, LAST_RUN), hull(shape.runs(0))?);
    let goal = Goal { level: base, place: Place::Oldest, reason, table_bytes: options.table_bytes };
    selection.job(shape, context, goal)
}

/// The newest runs of level 0, as one: as many as no job uses, unless the next is larger than all before it, which would
/// be written again and again.
fn level0_crowded<T: HasFacts + Clone>(shape: &Shape<T>, options: &Leveled, context: &Context) -> Option<Job> {
    let (mut runs, mut bytes) = (0, 0);
    for run in shape.runs(0).iter().take_while(|run| context.is_free(run)) {
        if runs >= options.level0_runs && run.bytes() > bytes {
            break;
        }
        runs += 1;
        bytes += run.bytes();
    }
    if runs < options.level0_runs.max(2) {
        return None;
    }
    let selection = gather(shape, (0, 0), (0, runs - 1), hull(&shape.runs(0)[..runs])?);
    let reason = Reason::Level0Crowded { runs };
    selection.job(shape, context, Goal { level: 0, place: Place::InPlace, reason, table_bytes: options.table_bytes })
}

/// A level that another strategy left with several runs.
fn one_run<T: HasFacts + Clone>(shape: &Shape<T>, options: &Leveled, context: &Context, level: usize) -> Option<Job> {
    let reason = Reason::LevelRuns { level, runs: shape.runs(level).len(), runs_most: 1 };
    let selection = gather(shape, (level, 0), (level, LAST_RUN), hull(shape.runs(level))?);
    selection.job(shape, context, Goal { level, place: Place::InPlace, reason, table_bytes: options.table_bytes })
}

/// The table whose turn it is, into the next level.
fn down<T: HasFacts + Clone>(
    shape: &Shape<T>,
    options: &Leveled,
    context: &Context,
    level: usize,
    targets: &Targets,
) -> Option<Job> {
    let run = shape.runs(level).first()?;
    let cursor = context.cursors.of(level);
    let behind = run.from(cursor);
    let turns = behind.chain(run.iter().take_while(|table| table.facts().smallest[..] < *cursor)).take(TRIED_MOST);
    turns.filter(|table| !context.is_busy(table.facts().number)).find_map(|table| {
        let facts = table.facts();
        let bytes = shape.bytes(level);
        let (output, reason) = if level < targets.base {
            (targets.base, Reason::AboveBase { level, bytes, base: targets.base })
        } else {
            (level + 1, Reason::LevelBytes { level, bytes, target_bytes: targets.bytes(level) })
        };
        let selection = gather(shape, (level, 0), (output, LAST_RUN), (facts.smallest.clone(), facts.end.clone()));
        let goal = Goal { level: output, place: Place::Oldest, reason, table_bytes: options.table_bytes };
        let mut job = selection.job(shape, context, goal)?;
        job.cursor = Some((level, facts.end.clone()));
        Some(job)
    })
}
