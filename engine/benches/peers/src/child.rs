//! One engine in a process of its own, so that memory and bytes written are its alone.
//!
//! ```text
//!   parent ── job (JSON, an argument) ──▶ child: load                               one folder for later copies
//!                                         child: open, (warm, measure, settle) each row, close
//!   parent ◀── an outcome a row (JSON lines on standard output) ──┘
//! ```
//!
//! Before a row that only reads, the engine's cache is warmed: once a child by reading every key if the cache holds
//! them all, and then by the row itself for a quarter of its time. Bytes written are counted until the engine has settled, so
//! that a row also answers for the flushes and compactions that it leaves behind.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::data::{self, Data};
use crate::engines::{Engine, Failure, Name};
use crate::process;
use crate::settings::Settings;
use crate::workloads::{self, Course, Measured, Row, Shape, Work};
use crate::zipf::Zipf;

/// What a child is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// On which engine.
    pub(crate) engine: Name,
    /// In which folder.
    pub(crate) folder: PathBuf,
    /// How the engine is opened.
    pub(crate) settings: Settings,
    /// The data.
    pub(crate) shape: Shape,
    /// Keys asked for; the shape makes them more.
    pub(crate) keys: u64,
    /// Time of a row.
    pub(crate) seconds: f64,
    /// Of keys and values, in every round.
    pub(crate) seed: u64,
    /// The round, from 0.
    pub(crate) round: u64,
    /// The rows to run; none means to load the data.
    pub(crate) rows: Vec<String>,
}

/// What a row came to on one engine in one round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The engine.
    pub(crate) engine: Name,
    /// The row.
    pub(crate) row: String,
    /// The round, from 0.
    pub(crate) round: u64,
    /// Keys written, or requests answered.
    pub(crate) operations: u64,
    /// How long that took.
    pub(crate) seconds: f64,
    /// Half were faster.
    pub(crate) p50_nanos: u64,
    /// 99 of 100 were faster.
    pub(crate) p99_nanos: u64,
    /// 999 of 1,000 were faster.
    pub(crate) p999_nanos: u64,
    /// The slowest.
    pub(crate) longest_nanos: u64,
    /// Bytes of keys and values that the row wrote.
    pub(crate) user_bytes: u64,
    /// Bytes that the engine wrote for it.
    pub(crate) written_bytes: u64,
    /// Bytes that its files take afterwards.
    pub(crate) disk_bytes: u64,
    /// Most memory resident at once.
    pub(crate) memory_bytes: u64,
    /// How long it took to settle afterwards.
    pub(crate) settle_seconds: f64,
}

/// Does a job; prints an outcome a row.
pub(crate) fn run(job: &Job) -> Result<(), Failure> {
    let data = Data::new(job.shape.keys(job.keys), job.shape.value_bytes(), job.settings.compression, job.seed);
    let engine = job.engine.open(&job.folder, &job.settings)?;
    if job.rows.is_empty() {
        workloads::load(engine.as_ref(), &data, job.seed)?;
        engine.settle()?;
    } else {
        run_rows(job, engine.as_ref(), &data)?;
    }
    engine.close()
}

fn run_rows(job: &Job, engine: &dyn Engine, data: &Data) -> Result<(), Failure> {
    let groups = workloads::catalogue();
    let all_rows = groups.iter().flat_map(|group| &group.rows);
    let rows: Vec<&Row> = all_rows.filter(|row| job.rows.contains(&row.name)).collect();
    let has_mix = rows.iter().any(|row| matches!(row.work, Work::Ycsb(_)));
    let course = Course {
        engine,
        data,
        zipf: has_mix.then(|| Zipf::new(data.keys())),
        inserts_begun: AtomicU64::new(0),
        inserts_done: AtomicU64::new(0),
        seed: data::mix(job.seed ^ data::mix(job.round + 1)),
    };
    let cache_holds_all = job.settings.cache_bytes >= job.shape.data_bytes(job.keys) * 2;
    if cache_holds_all && rows.iter().any(|row| row.only_reads()) {
        read_all(engine, data)?;
    }
    for row in rows {
        let outcome = run_row(job, row, &course)?;
        println!("{}", serde_json::to_string(&outcome)?);
    }
    Ok(())
}

fn read_all(engine: &dyn Engine, data: &Data) -> Result<(), Failure> {
    for index in 0..data.keys() {
        if engine.get(&data::key(data.loaded(index)))?.is_none() {
            return Err(format!("loaded key {index} is not there").into());
        }
    }
    Ok(())
}

fn run_row(job: &Job, row: &Row, course: &Course<'_>) -> Result<Outcome, Failure> {
    let time = Duration::from_secs_f64(job.seconds);
    if row.only_reads() {
        workloads::measure(row, &other_keys(course), time / 4)?;
    }
    process::forget_peak_memory()?;
    let written_before = process::written_bytes()?;
    let measured = workloads::measure(row, course, time)?;
    let settling = Instant::now();
    course.engine.settle()?;
    let settle_seconds = settling.elapsed().as_secs_f64();
    let written_bytes = process::written_bytes()? - written_before;
    let Measured { operations, user_bytes, elapsed, latencies } = measured;
    Ok(Outcome {
        engine: job.engine,
        row: row.name.clone(),
        round: job.round,
        operations,
        seconds: elapsed.as_secs_f64(),
        p50_nanos: latencies.value_at_quantile(0.5),
        p99_nanos: latencies.value_at_quantile(0.99),
        p999_nanos: latencies.value_at_quantile(0.999),
        longest_nanos: latencies.max(),
        user_bytes,
        written_bytes,
        disk_bytes: process::disk_bytes(&job.folder)?,
        memory_bytes: process::peak_memory_bytes()?,
        settle_seconds,
    })
}

/// The same course with other keys drawn, for rows that only read.
fn other_keys<'a>(course: &Course<'a>) -> Course<'a> {
    Course {
        engine: course.engine,
        data: course.data,
        zipf: course.zipf.clone(),
        inserts_begun: AtomicU64::new(0),
        inserts_done: AtomicU64::new(0),
        seed: !course.seed,
    }
}
