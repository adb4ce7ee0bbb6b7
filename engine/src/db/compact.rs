//! Merging tables into fewer tables, in the background, several jobs at once where they share nothing.
//!
//! ```text
//!   pick ─▶ claim ─▶ rewrite, or move, or drop ─▶ manifest edit ─▶ view ─▶ input files removed ─▶ claim given back, pick again
//! ```
//!
//! What to merge is decided by `compaction::pick`, a pure function; here it is done. Until its edit holds a job has
//! changed nothing: a failure removes its outputs, a crash leaves orphans that the next opening removes. Input files are
//! removed as soon as the edit holds; reads that still need them hold them open.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use super::core::{Core, FileOf, View, Working};
use super::flush::{Job as Making, open_outputs, recorded};
use super::pressure::Debt;
use crate::compaction::{
    Books, Claim, Context, Cursors, HasFacts, Input, Job, JobInput, Kind, Place, Reason, Strategy, debt,
    filter_millibits, pick, rewrite,
};
use crate::error::Error;
use crate::format::Sequence;
use crate::merge::retain::Readers;
use crate::merge::{Fragments, MergeCursor};
use crate::shape::{Added, Edit};
use crate::table::{CursorSettings, table_name};
use crate::version::{OpenTable, RunCursor, Source, TableShape, VersionEdit};
use crate::world::{Clock, Disk, Tasks, World};

/// Bytes that a merge reads from a table at once.
const READAHEAD_BYTES: usize = 256 * 1024;

/// Jobs that are remembered for the statistics.
const RECENT_JOBS: usize = 32;

/// What is being compacted, and what was asked for.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    running: Vec<(u64, Claim)>,
    cursors: Cursors,
    jobs_begun: u64,
    /// Requests to merge everything.
    pub(super) full_wanted: u64,
    /// How many of them the merge that runs answers: who asks later may have flushed what it does not see.
    full_begun: u64,
    /// How many of them are done, and the last one's failure.
    pub(super) full_done: u64,
    pub(super) full_failure: Option<Error>,
    /// The last jobs that were done, the newest last.
    pub(super) recent: VecDeque<JobReport>,
}

/// One compaction that was done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobReport {
    /// Why it was picked, in words.
    pub reason: String,
    /// Whether tables were merged, moved or dropped.
    pub kind: &'static str,
    /// The levels that it read from.
    pub levels: Vec<usize>,
    /// The level that it wrote to.
    pub output_level: usize,
    /// Bytes of the input tables.
    pub bytes_in: u64,
    /// Bytes of the output tables; 0 when nothing was rewritten.
    pub bytes_out: u64,
    /// Versions that went in.
    pub entries_in: u64,
    /// Of them, those that a newer version hides from every reader.
    pub superseded: u64,
    /// Of them, those that a range tombstone hides from every reader.
    pub range_deleted: u64,
    /// Of them, tombstones with nothing left to hide.
    pub tombstones: u64,
    /// Of them, those that expired.
    pub expired: u64,
    /// How long it took, in microseconds.
    pub micros: u64,
}

impl JobReport {
    fn of(job: &Job, books: &Books, took: Duration) -> Self {
        Self {
            reason: job.reason.to_string(),
            kind: match job.kind {
                Kind::Merge => "merge",
                Kind::TrivialMove => "move",
                Kind::Drop => "drop",
            },
            levels: job.bytes_by_level.iter().map(|(level, _)| *level).collect(),
            output_level: job.output_level,
            bytes_in: job.input_bytes(),
            bytes_out: books.bytes_out,
            entries_in: books.entries_in,
            superseded: books.superseded,
            range_deleted: books.range_deleted,
            tombstones: books.tombstones,
            expired: books.expired,
            micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

impl Schedule {
    fn remember(&mut self, report: JobReport) {
        if self.recent.len() == RECENT_JOBS {
            self.recent.pop_front();
        }
        self.recent.push_back(report);
    }
}

/// Runs compactions until the engine ends.
pub(super) async fn run<W: World>(core: Arc<Core<W>>) {
    let _working = core.working();
    while !core.is_stopping() {
        let bell = core.compaction_bell.notified();
        match next(&core) {
            Some((number, job)) => {
                // At work from now on, not from when the task first runs: closing must wait for it.
                let task = run_job(core.working(), Arc::clone(&core), number, job);
                core.world.tasks().spawn_background("compact", task);
            }
            None => bell.await,
        }
    }
}

/// The next job, claimed; `None` when there is nothing to do, or as much is being done as may be.
fn next<W: World>(core: &Arc<Core<W>>) -> Option<(u64, Job)> {
    let mut schedule = core.schedule();
    let schedule = &mut *schedule;
    // Looked at while the claims are held: a table of an older view may be gone, and its claim with it.
    let view = core.view.load_full();
    if core.is_poisoned() {
        // No result could be made to hold. Who waits for one is told.
        core.done_bell.notify_waiters();
        return None;
    }
    let job = if schedule.full_wanted > schedule.full_done {
        // A full merge runs alone: it waits for those that run, and keeps others from beginning.
        if !schedule.running.is_empty() {
            return None;
        }
        match full(&view.shape, &core.options.strategy) {
            Some(job) => {
                schedule.full_begun = schedule.full_wanted;
                job
            }
            None => {
                schedule.full_done = schedule.full_wanted;
                core.done_bell.notify_waiters();
                return None;
            }
        }
    } else if schedule.running.len() >= core.options.compaction_jobs {
        return None;
    } else {
        let context = core.context(schedule);
        let job = pick(&view.shape, &core.options.strategy, &context)?;
        // First in, first out looks at no snapshot: what one may still read waits for its end.
        if matches!(core.options.strategy, Strategy::Fifo(_)) && core.registry.count().0 > 0 {
            return None;
        }
        job
    };
    schedule.cursors.advance(&job);
    schedule.jobs_begun += 1;
    schedule.running.push((schedule.jobs_begun, job.claim()));
    Some((schedule.jobs_begun, job))
}

async fn run_job<W: World>(_working: Working<W>, core: Arc<Core<W>>, number: u64, job: Job) {
    let began = core.world.clock().now();
    let done = match job.kind {
        Kind::Merge => merge(&core, &job).await,
        Kind::TrivialMove => relocate(&core, &job).await.map(|()| Books::default()),
        Kind::Drop => drop_tables(&core, &job).await.map(|()| Books::default()),
    };
    if let Ok(books) = &done {
        let took = core.world.clock().now().saturating_since(began);
        core.schedule().remember(JobReport::of(&job, books, took));
    }
    let rests = match &done {
        Ok(_) => false,
        Err(error) => {
            core.note_failure(error);
            job.reason != Reason::Asked && !core.is_stopping()
        }
    };
    if job.reason == Reason::Asked {
        // Who asked hears of a failure at once.
        let mut schedule = core.schedule();
        schedule.full_done = schedule.full_begun;
        schedule.full_failure = done.err();
        core.done_bell.notify_waiters();
    }
    if rests {
        core.rest(&core.rest_bell).await;
    }
    core.schedule().running.retain(|(running, _)| *running != number);
    core.pressure.update(&core);
    core.done_bell.notify_waiters();
    core.compaction_bell.notify_one();
}

/// Reads the inputs, writes the outputs, and lets these take the place of those.
async fn merge<W: World>(core: &Arc<Core<W>>, job: &Job) -> Result<Books, Error> {
    let view = core.view.load_full();
    let inputs = inputs(&view, job);
    let tables = || inputs.iter().flatten();
    let clock = core.world.clock();
    let horizon = core.registry.horizon(clock.now());
    let readers = Readers {
        snapshots: horizon.sequences,
        is_bottom: job.drop_tombstones,
        expired_until_micros: horizon.oldest_wall.unwrap_or(clock.wall()).min(clock.wall()).micros,
    };
    let fragments = Fragments::new(tables().flat_map(|table| table.table.range_tombstones().iter().cloned()).collect());
    let mut plan = core.output_plan(job.output_level, job.target_table_bytes);
    plan.cut_at = job.cut_at.clone();
    let oldest = tables().map(|table| table.facts.created_micros).min();
    plan.created_micros = oldest.unwrap_or(plan.created_micros);
    let settings = CursorSettings { fill_cache: false, readahead_bytes: READAHEAD_BYTES };
    let sources = inputs.iter().map(|run| Source::Run(RunCursor::new(run.clone(), settings))).collect();
    let cursor: MergeCursor<Source<FileOf<W>>> = MergeCursor::new(sources);
    let mut making = Making::new(core);
    let input = Input { cursor, fragments: &fragments, readers: &readers, plan: &plan };
    let made = rewrite(core.world.disk(), input, &mut making).await;
    let (outputs, books) = match made {
        Ok(Some(made)) => made,
        Ok(None) => {
            making.undo().await?;
            return Err(Error::Closed);
        }
        Err(error) => {
            making.undo().await?;
            return Err(error);
        }
    };
    let entries_in = tables().map(|table| table.facts.entries).sum();
    let hash_in = tables().fold(0_u64, |sum, table| sum.wrapping_add(table.table.properties().tally.set_hash));
    let opened = match books.check(entries_in, hash_in) {
        Ok(()) => open_outputs(core, outputs).await,
        Err(error) => Err(error),
    };
    match opened {
        Ok(outputs) => {
            let added = if outputs.is_empty() { Vec::new() } else { vec![place(job, outputs)] };
            replace(core, Edit { removed: job.removed(), added }).await?;
        }
        Err(error) => {
            making.undo().await?;
            return Err(error);
        }
    }
    core.counters.compactions.add(job.input_bytes(), &books);
    remove_inputs(core, job).await;
    Ok(books)
}

/// Lets tables change their place without touching them.
async fn relocate<W: World>(core: &Arc<Core<W>>, job: &Job) -> Result<(), Error> {
    let view = core.view.load_full();
    let tables: Vec<_> = inputs(&view, job).into_iter().flatten().collect();
    core.counters.trivial_moves.fetch_add(tables.len() as u64, Ordering::Relaxed);
    replace(core, Edit { removed: job.removed(), added: vec![place(job, tables)] }).await
}

/// Drops tables unread.
async fn drop_tables<W: World>(core: &Arc<Core<W>>, job: &Job) -> Result<(), Error> {
    replace(core, Edit { removed: job.removed(), added: Vec::new() }).await?;
    core.counters.tables_dropped.fetch_add(job.removed().len() as u64, Ordering::Relaxed);
    remove_inputs(core, job).await;
    Ok(())
}

/// The inputs, a list a run.
fn inputs<W: World>(view: &View<W>, job: &Job) -> Vec<Vec<Arc<OpenTable<FileOf<W>>>>> {
    let open = |number: &u64| {
        let (_, table) = view.shape.table(*number).expect("a claimed table stays until its job is done");
        Arc::clone(table)
    };
    job.inputs.iter().map(|input| input.tables.iter().map(open).collect()).collect()
}

fn place<T>(job: &Job, tables: Vec<T>) -> Added<T> {
    Added { level: job.output_level, place: job.place, tables }
}

async fn replace<W: World>(core: &Arc<Core<W>>, tables: Edit<Arc<OpenTable<FileOf<W>>>>) -> Result<(), Error> {
    let edit = VersionEdit {
        tables: recorded(&tables),
        next_table: Some(core.next_table.load(Ordering::Relaxed)),
        last_sequence: Some(Sequence::ZERO),
        ..VersionEdit::default()
    };
    let mut manifest = core.manifest.lock().await;
    core.commit_edit(&mut manifest, &edit).await?;
    core.install(|view| view.change_tables(&tables));
    Ok(())
}

/// Removes the files of inputs that nothing names any more. Failing is no harm: the next opening removes them.
async fn remove_inputs<W: World>(core: &Arc<Core<W>>, job: &Job) {
    // Whoever makes links of all tables holds the manifest meanwhile.
    let _manifest = core.manifest.lock().await;
    for (_, number) in job.removed() {
        let _ = core.world.disk().remove(&core.directory.join(table_name(number))).await;
    }
}

/// Merges everything, and waits for it.
pub(super) async fn everything<W: World>(core: &Arc<Core<W>>) -> Result<(), Error> {
    let wanted = {
        let mut schedule = core.schedule();
        schedule.full_wanted += 1;
        schedule.full_failure = None;
        schedule.full_wanted
    };
    core.compaction_bell.notify_one();
    loop {
        let done = core.done_bell.notified();
        {
            let mut schedule = core.schedule();
            if schedule.full_done >= wanted {
                return schedule.full_failure.take().map_or(Ok(()), Err);
            }
        }
        core.check_writable()?;
        done.await;
    }
}

/// Waits until nothing is being compacted, and nothing is left to be.
pub(super) async fn until_settled<W: World>(core: &Arc<Core<W>>) -> Result<(), Error> {
    loop {
        let done = core.done_bell.notified();
        core.check_writable()?;
        let is_settled = {
            let view = core.view.load_full();
            let schedule = core.schedule();
            let context = core.context(&schedule);
            let is_idle = schedule.running.is_empty() && schedule.full_wanted == schedule.full_done;
            is_idle
                && (core.options.compaction_jobs == 0 || pick(&view.shape, &core.options.strategy, &context).is_none())
        };
        if is_settled {
            return Ok(());
        }
        core.compaction_bell.notify_one();
        done.await;
    }
}

/// The job that merges all tables into one run of the last level; `None` when there is nothing to merge.
fn full<T: HasFacts + Clone>(shape: &crate::shape::Shape<T>, strategy: &Strategy) -> Option<Job> {
    if matches!(strategy, Strategy::Fifo(_)) {
        return None;
    }
    let runs: Vec<_> = shape.newest_first().collect();
    let inputs: Vec<JobInput> = runs
        .iter()
        .map(|(level, run)| JobInput { level: *level, tables: run.iter().map(|table| table.facts().number).collect() })
        .collect();
    let smallest = runs.iter().filter_map(|(_, run)| run.smallest()).min()?.clone();
    let end = runs.iter().filter_map(|(_, run)| run.end()).max()?.clone();
    let mut bytes_by_level: Vec<(usize, u64)> = Vec::new();
    for (level, run) in &runs {
        bytes_by_level.push((*level, run.bytes()));
    }
    let output_level = (shape.depth() - 1).max(strategy.last_level());
    let place = if shape.runs(output_level).is_empty() { Place::Newest } else { Place::InPlace };
    Some(Job {
        inputs,
        output_level,
        place,
        reason: Reason::Asked,
        kind: Kind::Merge,
        target_table_bytes: strategy.table_bytes(),
        cut_at: Vec::new(),
        drop_tombstones: true,
        smallest,
        end,
        bytes_by_level,
        cursor: None,
    })
}

impl<W: World> Core<W> {
    fn context(&self, schedule: &Schedule) -> Context {
        let clock = self.world.clock();
        let horizon = self.registry.horizon(clock.now());
        let oldest = horizon.sequences.first().copied();
        // What has expired for every reader: a snapshot judges by the time when it was taken.
        let now = horizon.oldest_wall.unwrap_or(clock.wall()).min(clock.wall());
        Context {
            now_micros: now.micros,
            oldest_snapshot: oldest.unwrap_or_else(|| self.published()),
            memtable_bytes: self.options.memtable_bytes as u64,
            running: schedule.running.iter().map(|(_, claim)| claim.clone()).collect(),
            cursors: schedule.cursors.clone(),
        }
    }

    /// What back-pressure asks about.
    pub(super) fn debt(&self, shape: &TableShape<FileOf<W>>) -> Debt {
        let debt = debt(shape, &self.options.strategy);
        let memtable_bytes = self.options.memtable_bytes as u64;
        Debt {
            runs: debt.level0_runs_over,
            runs_allowed: 4,
            bytes: debt.bytes,
            bytes_allowed: (memtable_bytes * 64).max(shape.bytes_total() / 2),
        }
    }

    /// The filter bits of a new table of a level, in thousandths.
    pub(super) fn filter_millibits(&self, level: usize) -> u32 {
        let average = self.options.filter_millibits_per_key;
        if average == 0 || !self.options.filter_by_level {
            return average;
        }
        let shape = &self.view.load().shape;
        let depth = shape.depth().max(level + 1);
        let keys = |level: usize| shape.runs(level).iter().map(|run| run.entries()).sum();
        let sizes: Vec<u64> = (0..depth).map(keys).collect();
        let bits = filter_millibits(&sizes, u64::from(average));
        u32::try_from(bits[level]).unwrap_or(average)
    }
}
