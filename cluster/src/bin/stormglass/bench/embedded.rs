//! `stormglass bench --data DIR`: load on an engine in this process, without a server.
//!
//! ```text
//!   keys there? ── no ─▶ load them, close, open again: what follows is counted from zero
//!     └─▶ tasks, each with one operation in flight ─▶ flush, close ─▶ statistics, /proc/self/io ─▶ what lives, by reading it all
//! ```

use std::ops::Bound;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cluster::embedded::{Embedded, key_in_partition};
use engine::world::Rng;
use engine::world::real::RealWorld;
use engine::{Db, Direction, Options, ScanLimits};
use hdrhistogram::Histogram;

use super::measured::{Measured, ProcessBytes};
use super::notes::Notes;
use super::workload::{Chooser, Operation, Workload};
use crate::arguments::Bench;
use crate::output::Failed;

/// Latencies above a quarter of an hour count as that.
const LONGEST_NANOS: u64 = 900_000_000_000;

/// Keys that are loaded in a batch.
const LOADED_TOGETHER: u64 = 500;

/// Random bytes that values are cut from.
const POOL_BYTES: usize = 1 << 20;

/// Operations of a workload that makes no keys, unless something else is said.
const OPERATIONS: u64 = 100_000;

/// Different keys, unless something else is said.
const KEYS: u64 = 100_000;

/// What all tasks share.
struct Load {
    chooser: Chooser,
    workload: Workload,
    values: Values,
    next: AtomicU64,
    operations: u64,
    until: Option<Instant>,
    batch: u64,
    scan: u64,
    notes: Option<Notes>,
    progress: indicatif::ProgressBar,
}

/// What one task saw.
pub(super) struct Tally {
    pub(super) latency_nanos: Histogram<u64>,
    pub(super) operations: u64,
    pub(super) reads: u64,
    pub(super) found: u64,
    pub(super) rows: u64,
}

/// Values of one length, cut from a pool.
struct Values {
    pool: Vec<u8>,
    /// Of letters only.
    are_readable: bool,
    random_bytes: usize,
    value_bytes: usize,
}

pub(crate) async fn bench(data: &Path, bench: &Bench, json: bool) -> Result<ExitCode, Failed> {
    let asked = &bench.embedded;
    if asked.threads == 0 || asked.batch == 0 || asked.scan == 0 {
        return Err(Failed::usage("--threads, --batch and --scan must be at least 1"));
    }
    if asked.batch > 1 && !asked.workload.batches() {
        return Err(Failed::usage(format!("--batch: {} writes one key at a time", asked.workload.name())));
    }
    if bench.value_bytes > cluster::limits::MAX_VALUE_BYTES {
        return Err(Failed::usage(format!("--value-bytes: at most {}", cluster::limits::MAX_VALUE_BYTES)));
    }
    let mut options = asked.engine.options(true);
    options.segment_bytes = asked.segment.map_or(options.segment_bytes, |bytes| bytes as u64);
    let keys = if bench.keys == 0 { KEYS } else { bench.keys };
    let mut database = Embedded::open(RealWorld::new(), data, options.clone()).await?;
    let random = Rng::from_seed(asked.seed);
    let notes = bench.acked.as_deref().map(Notes::create).transpose()?;
    let mut values = Values::new(bench.value_bytes, asked.compressible, random.fork("values"));
    values.are_readable = notes.is_some();
    let mut loaded = None;
    if !asked.workload.fills() && !is_loaded(database.db(), keys).await? {
        loaded = Some(load(database.db(), keys, &values, notes.as_ref()).await?);
        database.close().await?;
        drop(database);
        database = Embedded::open(RealWorld::new(), data, options.clone()).await?;
    }
    let operations = match (bench.operations, asked.time) {
        (Some(operations), _) => operations,
        (None, Some(_)) => u64::MAX,
        (None, None) if asked.workload.fills() => keys,
        (None, None) => OPERATIONS,
    };
    let load = Load {
        chooser: Chooser::new(asked.workload, keys),
        workload: asked.workload,
        values,
        next: AtomicU64::new(0),
        operations,
        until: asked.time.map(|time| Instant::now() + time),
        batch: asked.batch,
        scan: asked.scan,
        notes,
        progress: super::progress(if operations == u64::MAX { 0 } else { operations }, json),
    };
    let (before, said_before) = (ProcessBytes::now(), database.db().statistics().bytes_written());
    let (tally, took) = run(database.db(), Arc::new(load), asked.threads, &random).await?;
    let flushing = Instant::now();
    database.db().flush().await?;
    database.close().await?;
    let settled = flushing.elapsed();
    let statistics = database.db().statistics();
    let bytes_written = statistics.bytes_written().saturating_sub(said_before);
    let process = ProcessBytes::now().zip(before).map(|(now, before)| now.since(&before));
    let live_bytes = live_bytes(data, options).await?;
    let measured = Measured {
        workload: asked.workload,
        threads: asked.threads,
        loaded,
        tally,
        took,
        settled,
        statistics,
        bytes_written,
        process,
        live_bytes,
    };
    measured.show(json);
    Ok(ExitCode::SUCCESS)
}

async fn run(db: &Db<RealWorld>, load: Arc<Load>, threads: u64, random: &Rng) -> Result<(Tally, Duration), Failed> {
    let started = Instant::now();
    let tasks: Vec<_> = (0..threads)
        .map(|thread| {
            let (db, load, random) = (db.clone(), Arc::clone(&load), random.fork(&format!("task {thread}")));
            tokio::spawn(async move { work(&db, &load, random).await })
        })
        .collect();
    let mut total = Tally::new();
    for task in tasks {
        let tally = task.await.map_err(|error| Failed::environment(format!("a task ended early: {error}")))?;
        total.add(&tally?);
    }
    let took = started.elapsed();
    load.progress.finish_and_clear();
    Ok((total, took))
}

async fn work(db: &Db<RealWorld>, load: &Load, mut random: Rng) -> Result<Tally, engine::Error> {
    let mut tally = Tally::new();
    loop {
        let number = load.next.fetch_add(load.batch, Ordering::Relaxed);
        let begun = Instant::now();
        if number >= load.operations || load.until.is_some_and(|until| begun >= until) {
            return Ok(tally);
        }
        let count = load.batch.min(load.operations - number);
        if count > 1 || load.workload.batches() {
            let mut changes = Vec::new();
            for number in number..number + count {
                if let Operation::Write(key) = load.chooser.next(number, &mut random) {
                    changes.push((key, load.values.draw(&mut random)));
                }
            }
            write(db, changes, load.notes.as_ref()).await?;
        } else {
            let operation = load.chooser.next(number, &mut random);
            perform(db, load, operation, &mut random, &mut tally).await?;
        }
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        tally.latency_nanos.saturating_record(nanos.max(1));
        tally.operations += count;
        // The bar takes a lock: now and then is often enough.
        if tally.operations.is_multiple_of(256) {
            load.progress.set_position(number);
        }
    }
}

/// Writes a batch, noted before and after if it is to be.
async fn write(db: &Db<RealWorld>, changes: Vec<(u64, Vec<u8>)>, notes: Option<&Notes>) -> Result<(), engine::Error> {
    let noted = notes.map(|notes| (notes, notes.sent(changes.iter().map(|(key, value)| (name_of(*key), &value[..])))));
    let batch = changes.into_iter().fold(db.batch(), |batch, (key, value)| batch.put(key_of(key), value));
    let sequence = db.write(batch).await?;
    if let Some((notes, number)) = noted {
        notes.acked(number, sequence);
    }
    Ok(())
}

/// Writes one key.
async fn put(db: &Db<RealWorld>, load: &Load, key: u64, random: &mut Rng) -> Result<(), engine::Error> {
    let value = load.values.draw(random);
    match &load.notes {
        None => db.put(key_of(key), value).await.map(|_sequence| ()),
        notes => write(db, vec![(key, value)], notes.as_ref()).await,
    }
}

async fn perform(
    db: &Db<RealWorld>,
    load: &Load,
    operation: Operation,
    random: &mut Rng,
    tally: &mut Tally,
) -> Result<(), engine::Error> {
    match operation {
        Operation::Write(key) => put(db, load, key, random).await?,
        Operation::Read(key) => {
            tally.reads += 1;
            tally.found += u64::from(db.get(&key_of(key)).await?.is_some());
        }
        Operation::ReadMissing(key) => {
            let key = [&key_of(key)[..], b"-"].concat();
            tally.reads += 1;
            tally.found += u64::from(db.get(&key).await?.is_some());
        }
        Operation::ReadModifyWrite(key) => {
            let found = db.get(&key_of(key)).await?;
            tally.reads += 1;
            tally.found += u64::from(found.is_some());
            put(db, load, key, random).await?;
        }
        Operation::Scan(key) => {
            let range = (Bound::Included(key_of(key)), Bound::Unbounded);
            let limits = ScanLimits { entries: load.scan as usize, bytes: usize::MAX };
            let page = db.scan(range, limits, &db.snapshot()).await?;
            tally.reads += 1;
            tally.rows += page.entries.len() as u64;
            tally.found += u64::from(!page.entries.is_empty());
        }
    }
    Ok(())
}

/// Whether the first and the last key are there: then a fill has made those between, too.
async fn is_loaded(db: &Db<RealWorld>, keys: u64) -> Result<bool, engine::Error> {
    Ok(db.get(&key_of(0)).await?.is_some() && db.get(&key_of(keys - 1)).await?.is_some())
}

async fn load(
    db: &Db<RealWorld>,
    keys: u64,
    values: &Values,
    notes: Option<&Notes>,
) -> Result<(u64, Duration), engine::Error> {
    let (started, mut random) = (Instant::now(), Rng::from_seed(0));
    let mut next = 0;
    while next < keys {
        let end = (next + LOADED_TOGETHER).min(keys);
        let mut changes = Vec::new();
        let mut bytes = 0;
        while next < end && bytes < engine::limits::MAX_BATCH_BYTES / 4 {
            changes.push((next, values.draw(&mut random)));
            bytes += values.value_bytes;
            next += 1;
        }
        write(db, changes, notes).await?;
    }
    db.flush().await?;
    Ok((keys, started.elapsed()))
}

/// Bytes of all keys and values that a reader finds.
async fn live_bytes(data: &Path, options: Options) -> Result<u64, Failed> {
    let (db, _) = Db::open_read_only(RealWorld::new(), data, options).await?;
    let mut iteration = db.iterate(engine::all_keys(), Direction::Forward, &db.snapshot())?;
    let mut bytes = 0;
    while let Some((key, entry)) = iteration.next().await? {
        bytes += (key.len() + entry.value.len()) as u64;
    }
    drop(iteration);
    db.close().await?;
    Ok(bytes)
}

/// Key `number`: twenty-two bytes in the engine, sixteen for `stormglass get --data`.
fn key_of(number: u64) -> Bytes {
    key_in_partition(0, name_of(number).as_bytes())
}

fn name_of(number: u64) -> String {
    format!("key{number:013}")
}

impl Values {
    fn new(value_bytes: usize, compressible: u8, mut random: Rng) -> Self {
        let mut pool = Vec::with_capacity(POOL_BYTES + value_bytes);
        while pool.len() < POOL_BYTES + value_bytes {
            pool.extend_from_slice(&random.next_u64().to_le_bytes());
        }
        let random_bytes = value_bytes - value_bytes * usize::from(compressible) / 100;
        Self { pool, are_readable: false, random_bytes, value_bytes }
    }

    fn draw(&self, random: &mut Rng) -> Vec<u8> {
        let start = random.below(POOL_BYTES as u64) as usize;
        let mut value = self.pool[start..start + self.random_bytes].to_vec();
        value.resize(self.value_bytes, b'x');
        if self.are_readable {
            value.iter_mut().for_each(|byte| *byte = b'a' + *byte % 26);
        }
        value
    }
}

impl Tally {
    fn new() -> Self {
        let latency_nanos = Histogram::new_with_max(LONGEST_NANOS, 3).expect("three significant digits are allowed");
        Self { latency_nanos, operations: 0, reads: 0, found: 0, rows: 0 }
    }

    fn add(&mut self, other: &Self) {
        self.latency_nanos += &other.latency_nanos;
        self.operations += other.operations;
        self.reads += other.reads;
        self.found += other.found;
        self.rows += other.rows;
    }
}
