//! Runs one row: its threads start together, each does operation after operation until the time is up or there is
//! nothing left to do, and every operation's time is recorded.
//!
//! ```text
//!   thread   | draw key, call engine, check | draw key, call engine, check | ...
//!            t0                             t1                             t2      t1 - t0 is one latency
//! ```
//!
//! The clock is read once an operation, so that a latency includes drawing the key (some tens of nanoseconds): the
//! same for all engines. A batch is one latency and as many operations as it has keys. An operation that outlives the
//! time is finished, and the row then lasts as long as it did.

use std::sync::Barrier;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{Mix, Row, Work, change, fill, read, ycsb};
use crate::data::{Data, Random};
use crate::engines::{Engine, Failure};
use crate::zipf::Zipf;

/// Slower operations count as this slow, in nanoseconds.
const LATENCY_NANOS_MAX: u64 = 600_000_000_000;

/// What the rows of a group run over.
pub(crate) struct Course<'a> {
    /// The engine.
    pub(crate) engine: &'a dyn Engine,
    /// Its keys and values.
    pub(crate) data: &'a Data,
    /// Popularity; needed by YCSB only.
    pub(crate) zipf: Option<Zipf>,
    /// Keys that a thread has begun to insert.
    pub(crate) inserts_begun: AtomicU64,
    /// Keys that were inserted.
    pub(crate) inserts_done: AtomicU64,
    /// Tells the rounds apart: other keys are drawn in each.
    pub(crate) seed: u64,
}

/// What one operation has done.
pub(super) struct Done {
    /// Keys written, or requests answered.
    pub(super) operations: u64,
    /// Bytes of keys and values written.
    pub(super) user_bytes: u64,
}

impl Done {
    /// An operation that only read.
    pub(super) const READ: Self = Self { operations: 1, user_bytes: 0 };

    /// An operation that wrote this much.
    pub(super) fn written(user_bytes: u64) -> Self {
        Self { operations: 1, user_bytes }
    }
}

/// One thread's share of a row.
pub(super) trait Worker: Send {
    /// Does one operation; `None` when there is nothing left to do.
    fn step(&mut self) -> Result<Option<Done>, Failure>;
}

/// What a row came to.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Keys written, or requests answered.
    pub(crate) operations: u64,
    /// Bytes of keys and values written.
    pub(crate) user_bytes: u64,
    /// From the start of the first thread to the end of the last.
    pub(crate) elapsed: Duration,
    /// Nanoseconds of each operation.
    pub(crate) latencies: Histogram<u64>,
}

/// Runs a row for at most `time`.
pub(crate) fn measure(row: &Row, course: &Course<'_>, time: Duration) -> Result<Measured, Failure> {
    let barrier = Barrier::new(row.threads);
    let started = |thread| {
        let mut worker = worker(row, course, thread);
        barrier.wait();
        run(worker.as_mut(), time)
    };
    let ended: Vec<Result<Thread, Failure>> = thread::scope(|scope| {
        let started = &started;
        let threads: Vec<_> = (0..row.threads).map(|thread| scope.spawn(move || started(thread))).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|ended| ended.unwrap_or_else(|_| Err("a workload's thread panicked".into()))).collect()
    });
    let ended = ended.into_iter().collect::<Result<Vec<Thread>, Failure>>()?;
    let start = ended.iter().map(|thread| thread.start).min().ok_or("a row has a thread")?;
    let end = ended.iter().map(|thread| thread.end).max().ok_or("a row has a thread")?;
    let mut latencies = histogram()?;
    for thread in &ended {
        latencies.add(&thread.latencies)?;
    }
    Ok(Measured {
        operations: ended.iter().map(|thread| thread.total.operations).sum(),
        user_bytes: ended.iter().map(|thread| thread.total.user_bytes).sum(),
        elapsed: end - start,
        latencies,
    })
}

struct Thread {
    start: Instant,
    end: Instant,
    total: Done,
    latencies: Histogram<u64>,
}

fn run(worker: &mut dyn Worker, time: Duration) -> Result<Thread, Failure> {
    let mut latencies = histogram()?;
    let mut total = Done { operations: 0, user_bytes: 0 };
    let start = Instant::now();
    let mut end = start;
    while let Some(done) = worker.step()? {
        let now = Instant::now();
        latencies.saturating_record((now - end).as_nanos().max(1) as u64);
        end = now;
        total.operations += done.operations;
        total.user_bytes += done.user_bytes;
        if end - start >= time {
            break;
        }
    }
    Ok(Thread { start, end, total, latencies })
}

fn histogram() -> Result<Histogram<u64>, Failure> {
    Ok(Histogram::new_with_bounds(1, LATENCY_NANOS_MAX, 3)?)
}

fn worker<'a>(row: &Row, course: &'a Course<'_>, thread: usize) -> Box<dyn Worker + 'a> {
    let random = Random::new(crate::data::mix(course.seed ^ crate::data::mix(thread as u64 + 1)));
    let share = Share { thread: thread as u64, threads: row.threads as u64 };
    match row.work {
        Work::FillSequential(batch) => Box::new(fill::Fill::new(course, share, random, batch, fill::Order::Sequential)),
        Work::FillRandom(batch) => Box::new(fill::Fill::new(course, share, random, batch, fill::Order::Random)),
        Work::Overwrite => Box::new(change::Overwrite::new(course, random)),
        Work::Delete => Box::new(change::Delete::new(course, share)),
        Work::Read => Box::new(read::Read::new(course, random)),
        Work::Missing => Box::new(read::Missing::new(course, random)),
        Work::Seek(next) => Box::new(read::Seek::new(course, random, next)),
        Work::Ycsb(mix) => Box::new(ycsb::Ycsb::new(course, random, mix, row.threads == 1)),
    }
}

impl Row {
    /// Whether it leaves the engine as it was, so that it can be run before it is measured.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(self.work, Work::Read | Work::Missing | Work::Seek(_) | Work::Ycsb(Mix::C))
    }
}

/// Which positions are a thread's: every so many-th.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    /// The thread, from 0.
    pub(super) thread: u64,
    /// How many there are.
    pub(super) threads: u64,
}
