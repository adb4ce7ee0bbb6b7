//! Gathers a job's inputs by the one rule, and makes the job.
//!
//! ```text
//!   from   run │      [ ■■■■ ]        the range that is to move
//!          run │   [■■■][■■]          what overlaps it is older and in the way: it comes along, the range grows
//!          run │           [ ]        not in the way
//!     to   run │ [■■■■■■][■■■]        joined: what overlaps is merged with
//! ```
//!
//! Downwards only: tables above the first run are newer than all that moves and may stay.

use bytes::Bytes;

use super::Context;
use crate::compaction::job::{Input, Job, Kind, Reason};
use crate::shape::{HasFacts, Place, Run, Shape};

/// A level, and a run of it counted from the newest.
pub(super) type Position = (usize, usize);

/// Behind the last run of a level.
pub(super) const LAST_RUN: usize = usize::MAX;

/// A table of the output may overlap so many times its own size in the level below.
const OVERLAP_TABLES_MOST: u64 = 10;

/// Tables that go into a job together.
pub(super) struct Selection<'a, T> {
    inputs: Vec<(Position, Vec<&'a T>)>,
    pub(super) smallest: Bytes,
    pub(super) end: Bytes,
}

/// Where a job's output goes, and why.
pub(super) struct Goal {
    pub(super) level: usize,
    pub(super) place: Place,
    pub(super) reason: Reason,
    pub(super) table_bytes: u64,
}

/// The key range of runs; `None` when there are none.
pub(super) fn hull<T: HasFacts + Clone>(runs: &[Run<T>]) -> Option<(Bytes, Bytes)> {
    let smallest = runs.iter().filter_map(Run::smallest).min()?.clone();
    let end = runs.iter().filter_map(Run::end).max()?.clone();
    Some((smallest, end))
}

/// All that overlaps a range, and what is below and in the way of that, in the runs `from..=to`.
pub(super) fn gather<T: HasFacts + Clone>(
    shape: &Shape<T>,
    from: Position,
    to: Position,
    (mut smallest, mut end): (Bytes, Bytes),
) -> Selection<'_, T> {
    let mut inputs = Vec::new();
    for level in from.0..=to.0.min(shape.depth().saturating_sub(1)) {
        for (index, run) in shape.runs(level).iter().enumerate() {
            if (level, index) < from || (level, index) > to {
                continue;
            }
            let tables: Vec<&T> = run.overlapping(&smallest, &end).collect();
            if let (Some(first), Some(last)) = (tables.first(), tables.last()) {
                smallest = smallest.min(first.facts().smallest.clone());
                end = end.max(last.facts().end.clone());
                inputs.push(((level, index), tables));
            }
        }
    }
    Selection { inputs, smallest, end }
}

impl<T: HasFacts + Clone> Selection<'_, T> {
    /// Tables in it.
    pub(super) fn len(&self) -> usize {
        self.inputs.iter().map(|(_, tables)| tables.len()).sum()
    }

    /// The job that brings the selection to a place; `None` when a running job is in the way.
    pub(super) fn job(&self, shape: &Shape<T>, context: &Context, goal: Goal) -> Option<Job> {
        let mut job = self.bare(goal, Kind::Merge);
        if !self.is_possible(&job, context) {
            return None;
        }
        job.drop_tombstones = !self.has_older(shape, job.output_level, job.place);
        job.kind = self.kind(&job, context.now_micros);
        if job.kind == Kind::Merge {
            job.cut_at = self.cuts(shape, job.output_level + 1, job.target_table_bytes);
        }
        self.assert_nothing_is_passed(shape, &job);
        Some(job)
    }

    /// The job that deletes the selection unread; `None` when a running job is in the way, or when something older would
    /// be seen again.
    pub(super) fn drop_job(&self, shape: &Shape<T>, context: &Context, reason: Reason) -> Option<Job> {
        let level = self.inputs.last()?.0.0;
        let mut job = self.bare(Goal { level, place: Place::InPlace, reason, table_bytes: 0 }, Kind::Drop);
        job.drop_tombstones = !self.has_older(shape, level, Place::InPlace);
        (job.drop_tombstones && self.is_possible(&job, context)).then_some(job)
    }

    fn bare(&self, goal: Goal, kind: Kind) -> Job {
        let mut bytes_by_level: Vec<(usize, u64)> = Vec::new();
        for ((level, _), tables) in &self.inputs {
            let bytes: u64 = tables.iter().map(|table| table.facts().bytes).sum();
            match bytes_by_level.last_mut() {
                Some((of, sum)) if of == level => *sum += bytes,
                _ => bytes_by_level.push((*level, bytes)),
            }
        }
        let numbers = |tables: &[&T]| tables.iter().map(|table| table.facts().number).collect();
        let inputs = self.inputs.iter().map(|((level, _), tables)| Input { level: *level, tables: numbers(tables) });
        Job {
            inputs: inputs.collect(),
            output_level: goal.level,
            place: goal.place,
            reason: goal.reason,
            kind,
            target_table_bytes: goal.table_bytes,
            cut_at: Vec::new(),
            drop_tombstones: false,
            smallest: self.smallest.clone(),
            end: self.end.clone(),
            bytes_by_level,
            cursor: None,
        }
    }

    fn is_possible(&self, job: &Job, context: &Context) -> bool {
        let claim = job.claim();
        !job.inputs.is_empty() && context.running.iter().all(|running| !running.conflicts(&claim))
    }

    /// Whether a table that is older than the output lies in its range and is no input.
    fn has_older(&self, shape: &Shape<T>, output_level: usize, place: Place) -> bool {
        let last_input = self.inputs.last().map_or((0, 0), |(position, _)| *position);
        let older = |position: Position| match place {
            Place::Newest => position.0 >= output_level,
            Place::InPlace => position > last_input,
            Place::Oldest => position.0 > output_level,
        };
        (0..shape.depth()).any(|level| {
            let runs = shape.runs(level).iter().enumerate();
            runs.filter(|(index, _)| older((level, *index)))
                .any(|(_, run)| run.overlapping(&self.smallest, &self.end).next().is_some())
        })
    }

    /// A move suffices when nothing is merged and nothing would get lost by reading it.
    fn kind(&self, job: &Job, now_micros: u64) -> Kind {
        if matches!(job.reason, Reason::LastLevelBytes { .. }) {
            return Kind::TrivialMove;
        }
        let mut tables: Vec<_> =
            self.inputs.iter().flat_map(|(_, tables)| tables.iter().map(|table| table.facts())).collect();
        tables.sort_unstable_by(|a, b| a.smallest.cmp(&b.smallest));
        let stays = self.inputs.iter().all(|((level, _), _)| *level < job.output_level);
        let disjoint = tables.windows(2).all(|pair| pair[0].end <= pair[1].smallest);
        let sheds =
            job.drop_tombstones && tables.iter().any(|facts| facts.tombstones > 0 || facts.is_expired(now_micros));
        if stays && disjoint && !sheds { Kind::TrivialMove } else { Kind::Merge }
    }

    /// Where the output has to be cut so that no table of it overlaps too much of a level.
    fn cuts(&self, shape: &Shape<T>, level: usize, table_bytes: u64) -> Vec<Bytes> {
        let most = table_bytes.saturating_mul(OVERLAP_TABLES_MOST);
        let Some(run) = shape.runs(level).last() else { return Vec::new() };
        let (mut cuts, mut bytes) = (Vec::new(), 0);
        for table in run.overlapping(&self.smallest, &self.end) {
            let facts = table.facts();
            if bytes > 0 && bytes + facts.bytes > most && facts.smallest > self.smallest {
                cuts.push(facts.smallest.clone());
                bytes = 0;
            }
            bytes += facts.bytes;
        }
        cuts
    }

    /// The rule, asked again of the job as it is: in every run between an input and the output, what overlaps the
    /// inputs above it is an input.
    fn assert_nothing_is_passed(&self, shape: &Shape<T>, job: &Job) {
        let claim = job.claim();
        let last_input = self.inputs.last().map_or((0, 0), |(position, _)| *position);
        let output = match job.place {
            Place::Newest => (job.output_level, 0),
            Place::InPlace => (last_input.0, last_input.1.saturating_add(1)),
            Place::Oldest => (job.output_level + 1, 0),
        };
        let mut moving: Option<(&Bytes, &Bytes)> = None;
        for level in 0..shape.depth() {
            for (index, run) in shape.runs(level).iter().enumerate() {
                if (level, index) >= output {
                    continue;
                }
                if let Some((smallest, end)) = moving {
                    let left = run.overlapping(smallest, end).find(|table| !claim.uses(table.facts().number));
                    assert!(left.is_none(), "a job would pass a newer table of level {level}: {job:?}");
                }
                let own = self.inputs.iter().filter(|(position, _)| *position == (level, index));
                for facts in own.flat_map(|(_, tables)| tables.iter().map(|table| table.facts())) {
                    let (smallest, end) = moving.unwrap_or((&facts.smallest, &facts.end));
                    moving = Some((smallest.min(&facts.smallest), end.max(&facts.end)));
                }
            }
        }
        let below = self.inputs.iter().find(|(position, _)| *position >= output);
        assert!(below.is_none(), "a job would move data up: {job:?}");
    }
}
