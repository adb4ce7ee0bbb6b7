//! `experiment cache`: a hot set that fits the cache is read at a steady rate, and somebody scans everything.
//!
//! ```text
//!   reader   r r r r r r r r r r r r r r r r r r r r r     every hot block again and again
//!   scan               [════ every block once ════]
//!            before    │         during           │ after: as many reads as the hot set has blocks
//! ```
//!
//! An LRU cache takes each scanned block for the best it has, and throws out the hot ones. S3-FIFO keeps what was read
//! again; a scan that does not fill the cache never asks for room.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use engine::world::Rng;
use engine::{CachePolicy, Compression, Direction, Durability, IterateOptions, Options, all_keys};

use super::measure::{Latencies, between, forget_pages, progress, ratio};
use super::table::{Cell, Column, Table};
use super::{Common, Database, Workplace, data, open, parse_bytes};
use crate::output::Failed;

#[derive(Debug, Args)]
#[command(
    after_help = "One backup, one report, one `count(*)`: a scan of everything runs through the block cache while \
    others need what is in it. Under LRU the hot blocks are gone afterwards, and every reader pays for it until they are \
    back. Two mitigations are measured: S3-FIFO, which keeps a block only when it is read a second time (Yang et al., \
    SOSP 2023), and a scan that asks not to fill the cache (`Db::iterate_with`).\n\nThe reader is paced: at full speed it \
    would touch its hot blocks so often that even LRU kept them. Before each phase the kernel is asked to forget the \
    files' pages, so that a miss is a read of the disk.\n\nClaim: with either mitigation the hit rate stays within five \
    points of what it was, during the scan and after; with LRU it falls by more than ten."
)]
pub(crate) struct Cache {
    /// Bytes of data, in values of 1 KiB.
    #[arg(long, value_name = "BYTES", default_value = "256MiB", value_parser = parse_bytes)]
    data: usize,
    /// The block cache.
    #[arg(long, value_name = "BYTES", default_value = "16MiB", value_parser = parse_bytes)]
    cache: usize,
    /// The hot set, which should fit the cache.
    #[arg(long, value_name = "BYTES", default_value = "8MiB", value_parser = parse_bytes)]
    hot: usize,
    /// Reads a second.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    rate: u64,
    #[command(flatten)]
    common: Common,
}

const VALUE_BYTES: usize = 1024;
const COLUMNS: &[Column] = &[
    ("mitigation", "cache and scan", 20),
    ("phase", "phase", 7),
    ("reads", "reads", 8),
    ("hit_rate_percent", "hit/rate", 7),
    ("disk_reads", "disk/reads", 7),
    ("p50_micros", "p50/us", 7),
    ("p99_micros", "p99/us", 8),
];

/// What the reader met in one phase.
struct Phase {
    name: &'static str,
    reads: u64,
    hit_rate: f64,
    disk_reads: u64,
    latencies: Latencies,
}

pub(super) fn run(arguments: &Cache, json: bool) -> Result<ExitCode, Failed> {
    if arguments.hot > arguments.data {
        return Err(Failed::usage("--hot is more than --data: the hot set is a part of it"));
    }
    let workplace = Workplace::new(&arguments.common)?;
    let directory = workplace.data("data");
    load(arguments, &directory, json)?;
    let about = "Random reads of a hot set, while a scan of everything runs through.";
    let table = Table::new(about, COLUMNS, json);
    let mut falls = Vec::new();
    for (name, policy, fill_cache) in [
        ("LRU", CachePolicy::Lru, true),
        ("S3-FIFO", CachePolicy::S3Fifo, true),
        ("S3-FIFO, no fill", CachePolicy::S3Fifo, false),
    ] {
        let phases = measure(arguments, &directory, policy, fill_cache)?;
        for phase in &phases {
            table.row(&[
                Cell::text(name),
                Cell::text(phase.name),
                Cell::count(phase.reads),
                Cell::percent(phase.hit_rate, 1),
                Cell::count(phase.disk_reads),
                Cell::micros(phase.latencies.nanos(0.5)),
                Cell::micros(phase.latencies.nanos(0.99)),
            ]);
        }
        let [before, during, after] = phases.map(|phase| phase.hit_rate);
        falls.push((before - after).max(before - during) * 100.0);
    }
    let (lru, s3fifo, no_fill) = (falls[0], falls[1], falls[2]);
    let text = format!(
        "The scan cost readers up to {lru:.1} points of hit rate under LRU, {s3fifo:.1} under S3-FIFO, {no_fill:.1} when \
         it did not fill the cache."
    );
    Ok(table.conclude(lru > 10.0 && s3fifo < 5.0 && no_fill < 5.0, &text))
}

fn options(cache: usize, cache_policy: CachePolicy) -> Options {
    let memtable_bytes = 256 * 1024;
    Options {
        durability: Durability::None,
        memory_bytes: memtable_bytes + cache,
        memtable_bytes,
        compression: Compression::None,
        compaction_jobs: 0,
        cache_policy,
        ..Options::default()
    }
}

fn keys(bytes: usize) -> u64 {
    (bytes / VALUE_BYTES).max(1) as u64
}

fn load(arguments: &Cache, directory: &std::path::Path, json: bool) -> Result<(), Failed> {
    let memtable_bytes = 16 * 1024 * 1024;
    let database = open(
        directory,
        Options {
            memtable_bytes,
            memory_bytes: memtable_bytes * 6,
            compaction_jobs: 1,
            ..options(0, CachePolicy::S3Fifo)
        },
    )?;
    let count = keys(arguments.data);
    let bar = progress("load", count, json);
    let mut random = Rng::from_seed(arguments.common.seed).fork("values");
    data::write(&database, (0..count).map(data::ordered_key), VALUE_BYTES, &mut random, |count| bar.inc(count))?;
    database.compact()?;
    bar.finish_and_clear();
    Ok(database.close()?)
}

fn measure(
    arguments: &Cache,
    directory: &std::path::Path,
    policy: CachePolicy,
    fill_cache: bool,
) -> Result<[Phase; 3], Failed> {
    let database = open(directory, options(arguments.cache, policy))?;
    let hot = keys(arguments.hot);
    let mut reader =
        Reader { database: &database, hot, rate: arguments.rate, random: Rng::from_seed(arguments.common.seed) };
    // The hot set comes in, and each block is seen to be read again.
    for number in (0..hot).chain(0..hot) {
        database.get(&data::ordered_key(number))?;
    }
    forget_pages(directory)?;
    let before = reader.phase("before", |reads| reads < hot.div_ceil(4))?;
    forget_pages(directory)?;
    let is_over = AtomicBool::new(false);
    let during = thread::scope(|scope| {
        let scan = scope.spawn(|| {
            let scanned = scan(&database, fill_cache);
            is_over.store(true, Ordering::Release);
            scanned
        });
        let during = reader.phase("during", |reads| reads == 0 || !is_over.load(Ordering::Acquire));
        // What the scan touched is counted when its iterator goes, which is here: not among what the reader touched.
        let scanned = scan.join().expect("the scan does not panic")?;
        drop(scanned);
        during
    })?;
    forget_pages(directory)?;
    let after = reader.phase("after", |reads| reads < hot.div_ceil(4))?;
    database.close()?;
    Ok([before, during, after])
}

/// Reads everything once, and returns the iterator that did.
fn scan(
    database: &Database,
    fill_cache: bool,
) -> Result<engine::blocking::BlockingIter<engine::world::real::RealWorld>, Failed> {
    let snapshot = database.snapshot();
    let options = IterateOptions { fill_cache, readahead_bytes: 256 * 1024 };
    let mut rows = database.iterate_with(all_keys(), Direction::Forward, &snapshot, options)?;
    for row in rows.by_ref() {
        row?;
    }
    Ok(rows)
}

/// Reads the hot set at a steady rate.
struct Reader<'a> {
    database: &'a Database,
    hot: u64,
    rate: u64,
    random: Rng,
}

impl Reader<'_> {
    fn phase(&mut self, name: &'static str, goes_on: impl Fn(u64) -> bool) -> Result<Phase, Failed> {
        let before = self.database.statistics().reads;
        let (mut latencies, mut reads, begun) = (Latencies::new(), 0, Instant::now());
        while goes_on(reads) {
            let key = data::ordered_key(self.random.below(self.hot));
            let found = latencies.time(|| self.database.get(&key))?;
            if found.is_none() {
                return Err(Failed::check(format!("a key is gone: {}", String::from_utf8_lossy(&key))));
            }
            reads += 1;
            let due = Duration::from_nanos(reads * 1_000_000_000 / self.rate);
            // Timers are coarse: short waits are saved up.
            let early = due.saturating_sub(begun.elapsed());
            if early > Duration::from_millis(2) {
                thread::sleep(early);
            }
        }
        let cost = between(&before, &self.database.statistics().reads);
        let hit_rate = ratio(cost.blocks_cached, cost.blocks);
        Ok(Phase { name, reads, hit_rate, disk_reads: cost.disk_reads, latencies })
    }
}
