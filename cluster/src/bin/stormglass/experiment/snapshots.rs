//! `experiment snapshots`: a reader of the past among busy writers.
//!
//! ```text
//!   writers    put put put put put put put put put ... over the same keys
//!   reader     snapshot ─▶ hash of all ─▶ hash of all ─▶ hash of all ─▶ ... ─▶ released
//!   versions   ▁▂▅▇▇▇▇▇▇▇ one kept for the snapshot, one for now, more that no merge has met ─▶ ▁
//! ```

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use engine::compaction::{Leveled, Strategy};
use engine::world::Rng;
use engine::{Direction, Durability, IterateOptions, Options, Snapshot, Statistics, all_keys};
use xxhash_rust::xxh3::Xxh3Default;

use super::measure::progress;
use super::table::{Cell, Column, Table, grouped};
use super::{Common, Database, Workplace, data, open, parse_bytes};
use crate::output::Failed;

#[derive(Debug, Args)]
#[command(
    after_help = "A snapshot shows everything as it was at one moment, without copying and without stopping anybody: \
    an overwritten version simply stays until nobody can see it any more. So a long reader costs space. While the \
    snapshot is held, compactions drop the versions between it and now, and keep one for it; when it is released, the \
    next merges drop that as well.\n\nThe reader hashes every key, value and sequence that it sees, again and again. \
    `merged` is after a merge of everything under the snapshot: what is there twice then is there for it alone. \
    `released` is after the same without it.\n\nClaim: the hash never changes, the versions grow, to two a key at the \
    most once merged, and when the snapshot is released one version a key is left."
)]
pub(crate) struct Snapshots {
    /// How long writers write.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    seconds: u64,
    /// Keys that are overwritten.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    keys: u64,
    /// Bytes of each value.
    #[arg(long, value_name = "BYTES", default_value = "100", value_parser = parse_bytes)]
    value_bytes: usize,
    /// Threads that write.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=256))]
    writers: u64,
    /// The memtable; the levels' sizes follow from it.
    #[arg(long, value_name = "BYTES", default_value = "4MiB", value_parser = parse_bytes)]
    memtable: usize,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column] = &[
    ("state", "state", 9),
    ("seconds", "s", 5),
    ("overwrites", "overwrites", 10),
    ("versions", "versions", 9),
    ("of_them_in_memtables", "in/memtables", 9),
    ("disk_bytes", "disk/MiB", 6),
    ("oldest_snapshot", "oldest/snapshot", 9),
    ("hashes", "hashes", 6),
    ("hash", "hash", 8),
];

/// What writers and reader share with whoever prints.
#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    overwrites: AtomicU64,
    hashes: AtomicU64,
    /// How many of them differed from the first.
    changed: AtomicU64,
}

pub(super) fn run(arguments: &Snapshots, json: bool) -> Result<ExitCode, Failed> {
    let workplace = Workplace::new(&arguments.common)?;
    let directory = workplace.data("data");
    let database = open(&directory, options(arguments))?;
    let mut random = Rng::from_seed(arguments.common.seed).fork("values");
    let bar = progress("load", arguments.keys, json);
    let keys = (0..arguments.keys).map(data::scattered_key);
    data::write(&database, keys, arguments.value_bytes, &mut random, |count| bar.inc(count))?;
    database.compact()?;
    bar.finish_and_clear();
    let about = "Writers overwrite every key; a reader hashes what its snapshot shows.";
    let table = Table::new(about, COLUMNS, json);
    let (shared, began_at) = (Shared::default(), Instant::now());
    let snapshot = database.snapshot();
    let first = hash(&database, &snapshot)?;
    shared.hashes.store(1, Ordering::Relaxed);
    let began = versions(&database.statistics());
    show(&table, "loaded", Duration::ZERO, &database.statistics(), &shared, Some(first));
    let most = watch(arguments, &database, &snapshot, first, &shared, &table)?;
    // What is left now is left for the snapshot, and nothing else.
    database.compact()?;
    look(&database, &snapshot, first, &shared)?;
    let held = database.statistics();
    show(&table, "merged", began_at.elapsed(), &held, &shared, None);
    let newest = hash(&database, &database.snapshot())?;
    drop(snapshot);
    database.compact()?;
    let released = database.statistics();
    show(&table, "released", began_at.elapsed(), &released, &shared, None);
    let is_kept = hash(&database, &database.snapshot())? == newest;
    database.close()?;
    let changed = shared.changed.load(Ordering::Relaxed);
    let (held, ended) = (versions(&held), versions(&released));
    let has_grown = began < held && held <= 2 * arguments.keys;
    let holds = changed == 0 && has_grown && ended == arguments.keys && is_kept && newest != first;
    let text = format!(
        "The snapshot's hash was taken {} times and changed {changed} times; versions grew from {} to {}; a merge of \
         everything left {} while the snapshot was held, and {} when it was released.",
        grouped(shared.hashes.load(Ordering::Relaxed)),
        grouped(began),
        grouped(most.max(held)),
        grouped(held),
        grouped(ended)
    );
    Ok(table.conclude(holds, &text))
}

fn options(arguments: &Snapshots) -> Options {
    let memtable_bytes = arguments.memtable;
    Options {
        durability: Durability::None,
        memtable_bytes,
        memory_bytes: memtable_bytes * 16,
        segment_bytes: memtable_bytes as u64,
        strategy: Strategy::Leveled(Leveled {
            base_bytes: memtable_bytes as u64 * 4,
            table_bytes: memtable_bytes as u64 * 2,
            ..Leveled::default()
        }),
        ..Options::default()
    }
}

/// Lets writers write and the reader read, prints what becomes of it, and returns the most versions that were seen.
fn watch(
    arguments: &Snapshots,
    database: &Database,
    snapshot: &Snapshot,
    first: u64,
    shared: &Shared,
    table: &Table<'_>,
) -> Result<u64, Failed> {
    thread::scope(|scope| {
        let writers: Vec<_> = (0..arguments.writers)
            .map(|writer| scope.spawn(move || overwrite(arguments, database, writer, shared)))
            .collect();
        let reader = scope.spawn(|| -> Result<(), Failed> {
            while !shared.is_over.load(Ordering::Acquire) {
                look(database, snapshot, first, shared)?;
            }
            Ok(())
        });
        let (begun, mut most) = (Instant::now(), 0);
        let interval = Duration::from_secs(arguments.seconds) / 12;
        for look in 1..=12 {
            thread::sleep((interval * look).saturating_sub(begun.elapsed()));
            let statistics = database.statistics();
            most = most.max(versions(&statistics));
            show(table, "writing", begun.elapsed(), &statistics, shared, None);
        }
        shared.is_over.store(true, Ordering::Release);
        for writer in writers {
            writer.join().expect("a writer does not panic")?;
        }
        reader.join().expect("the reader does not panic")?;
        Ok(most)
    })
}

/// Takes the hash once more, and notes whether it is still the first one.
fn look(database: &Database, snapshot: &Snapshot, first: u64, shared: &Shared) -> Result<(), Failed> {
    let changed = u64::from(hash(database, snapshot)? != first);
    shared.changed.fetch_add(changed, Ordering::Relaxed);
    shared.hashes.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn overwrite(arguments: &Snapshots, database: &Database, writer: u64, shared: &Shared) -> Result<(), Failed> {
    let mut random = Rng::from_seed(arguments.common.seed).fork(&format!("writer {writer}"));
    while !shared.is_over.load(Ordering::Acquire) {
        let keys: Vec<_> = (0..64).map(|_| data::scattered_key(random.below(arguments.keys))).collect();
        data::write(database, keys, arguments.value_bytes, &mut random, |count| {
            shared.overwrites.fetch_add(count, Ordering::Relaxed);
        })?;
    }
    Ok(())
}

/// Everything that a snapshot shows, as one number.
fn hash(database: &Database, snapshot: &Snapshot) -> Result<u64, Failed> {
    let mut hasher = Xxh3Default::new();
    let options = IterateOptions { fill_cache: false, readahead_bytes: 256 * 1024 };
    for row in database.iterate_with(all_keys(), Direction::Forward, snapshot, options)? {
        let (key, entry) = row?;
        hasher.update(&key);
        hasher.update(&entry.value);
        hasher.update(&entry.sequence.0.to_le_bytes());
    }
    Ok(hasher.digest())
}

/// Versions of keys in tables and memtables.
fn versions(statistics: &Statistics) -> u64 {
    statistics.memtable_entries + statistics.levels.iter().map(|level| level.entries).sum::<u64>()
}

fn show(table: &Table<'_>, state: &str, at: Duration, statistics: &Statistics, shared: &Shared, hash: Option<u64>) {
    let changed = shared.changed.load(Ordering::Relaxed);
    let hash = match hash {
        Some(hash) => format!("{:08x}", hash >> 32),
        None if changed == 0 => "the same".to_string(),
        None => "CHANGED".to_string(),
    };
    table.row(&[
        Cell::text(state),
        Cell::number(at.as_secs_f64(), 1),
        Cell::count(shared.overwrites.load(Ordering::Relaxed)),
        Cell::count(versions(statistics)),
        Cell::count(statistics.memtable_entries),
        Cell::mib(statistics.table_bytes() + statistics.wal_bytes),
        statistics.oldest_snapshot.map_or_else(Cell::none, |sequence| Cell::count(sequence.0)),
        Cell::count(shared.hashes.load(Ordering::Relaxed)),
        Cell::text(hash),
    ]);
}
