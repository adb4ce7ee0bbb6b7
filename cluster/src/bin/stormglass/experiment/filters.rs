//! `experiment filters`: the same tables, three times: without filters, with the same bits everywhere, with Monkey's
//! division. The same queries go to each, half of them for keys that do not exist.
//!
//! ```text
//!   query ─▶ run 1: filter? no ─▶ run 2: filter? no ─▶ run 3: filter? perhaps ─▶ block
//!            without filters: a block       a block              a block
//! ```
//!
//! Tables are built in steps that wait for each other, so that all three trees have the same shape. Nothing is
//! compressed: what the filters take is what their tables are longer by.

use std::process::ExitCode;

use clap::Args;
use engine::compaction::{Leveled, Strategy};
use engine::world::Rng;
use engine::{Compression, Durability, Options, ReadCost, Statistics};

use super::measure::{Latencies, between, forget_pages, progress, ratio};
use super::table::{Cell, Column, Table};
use super::{Common, Database, Workplace, data, open, parse_bytes};
use crate::output::Failed;

#[derive(Debug, Args)]
#[command(
    after_help = "A point read must ask every sorted run that may hold the key. A filter answers `not here` from \
    memory for all but about 1 in 100 keys at 10 bits a key, and saves the block. The last run is the largest, and most \
    of the memory serves it; Monkey's rule (Dayan, Athanassoulis, Idreos, SIGMOD 2017) takes some bits from there and \
    gives them to the small runs, where a bit a key costs little: the same memory, fewer wasted blocks.\n\nThe engine's \
    disk reads are counted. After the first one of a block, the operating system may answer from its page cache: \
    latencies are those of this machine.\n\nClaim: the same answers, half of the disk reads at the most, and Monkey's \
    false positives are no more than those of even bits."
)]
pub(crate) struct Filters {
    /// Keys that are written, of 16 bytes.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    keys: u64,
    /// Bytes of each value.
    #[arg(long, value_name = "BYTES", default_value = "100", value_parser = parse_bytes)]
    value_bytes: usize,
    /// Point reads.
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(2..=1 << 40))]
    queries: u64,
    /// Bits of filter a key.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=32))]
    bits: u32,
    /// The block cache: enough for filters and indexes, not for the data.
    #[arg(long, value_name = "BYTES", default_value = "8MiB", value_parser = parse_bytes)]
    cache: usize,
    /// The memtable; the levels' sizes follow from it.
    #[arg(long, value_name = "BYTES", default_value = "2MiB", value_parser = parse_bytes)]
    memtable: usize,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column] = &[
    ("filters", "filters", 13),
    ("bits_per_key", "bits/per key", 7),
    ("runs", "sorted/runs", 6),
    ("filters_asked", "filters/asked", 7),
    ("false_positives", "false/positive", 8),
    ("blocks", "blocks", 6),
    ("disk_reads", "disk/reads", 6),
    ("bytes_read", "bytes/read", 7),
    ("p50_micros", "p50/us", 6),
    ("p99_micros", "p99/us", 6),
];

/// What one tree's queries took.
struct Measured {
    cost: ReadCost,
    found: u64,
    latencies: Latencies,
    statistics: Statistics,
}

pub(super) fn run(arguments: &Filters, json: bool) -> Result<ExitCode, Failed> {
    let workplace = Workplace::new(&arguments.common)?;
    let about = "Point reads, half of them for keys that do not exist; what each one touches.";
    let table = Table::new(about, COLUMNS, json);
    let millibits = arguments.bits * 1_000;
    let mut plain_bytes = 0;
    let mut measured = Vec::new();
    for (name, millibits, by_level) in
        [("none", 0, false), ("even bits", millibits, false), ("Monkey's rule", millibits, true)]
    {
        let found = measure(arguments, &workplace, name, (millibits, by_level), json)?;
        if millibits == 0 {
            plain_bytes = found.statistics.table_bytes();
        }
        let filter_bytes = found.statistics.table_bytes().saturating_sub(plain_bytes);
        show(&table, name, &found, filter_bytes, arguments);
        measured.push(found);
    }
    let [none, even, monkey] = &measured[..] else { unreachable!("three trees were measured") };
    let cut = 1.0 - ratio(even.cost.disk_reads, none.cost.disk_reads);
    let expected = arguments.queries.div_ceil(2);
    let is_right = measured.iter().all(|one| one.found == expected);
    let (wasted_even, wasted_monkey) = (even.cost.filters_false_positive, monkey.cost.filters_false_positive);
    // False positives are drawn by hashes: three standard deviations are chance.
    let is_no_worse = wasted_monkey as f64 <= wasted_even as f64 + 3.0 * (wasted_even as f64).sqrt();
    let text = format!(
        "Filters cut disk reads by {:.0}% (even bits were wrong in {:.2}% of answers for keys that are not there); \
         Monkey's division wasted {wasted_monkey} blocks where even bits wasted {wasted_even}; every tree found the \
         {expected} keys that exist and no other.",
        cut * 100.0,
        ratio(wasted_even, wasted_even + even.cost.filters_negative) * 100.0,
    );
    Ok(table.conclude(is_right && cut >= 0.5 && is_no_worse, &text))
}

fn measure(
    arguments: &Filters,
    workplace: &Workplace,
    name: &str,
    (filter_millibits_per_key, filter_by_level): (u32, bool),
    json: bool,
) -> Result<Measured, Failed> {
    let memtable_bytes = arguments.memtable;
    let options = Options {
        durability: Durability::None,
        memtable_bytes,
        memory_bytes: memtable_bytes * 8,
        compression: Compression::None,
        filter_millibits_per_key,
        filter_by_level,
        compaction_jobs: 1,
        strategy: Strategy::Leveled(Leveled {
            base_bytes: memtable_bytes as u64 * 4,
            fanout: 4,
            table_bytes: memtable_bytes as u64,
            ..Leveled::default()
        }),
        ..Options::default()
    };
    let directory = workplace.data(&name.replace(' ', "-"));
    let database = open(&directory, options.clone())?;
    load(arguments, &database, json)?;
    database.close()?;
    drop(database);
    // A small memtable leaves the cache its share.
    let memtable_bytes = 64 * 1024;
    let asked =
        Options { memtable_bytes, memory_bytes: memtable_bytes + arguments.cache, compaction_jobs: 0, ..options };
    let database = open(&directory, asked)?;
    let mut random = Rng::from_seed(arguments.common.seed).fork("queries");
    let mut latencies = Latencies::new();
    // Filters and indexes come into the cache before anything is counted.
    ask(arguments, &database, arguments.queries / 4, &mut random, &mut Latencies::new(), json)?;
    forget_pages(&directory)?;
    let before = database.statistics().reads;
    let found = ask(arguments, &database, arguments.queries, &mut random, &mut latencies, json)?;
    let statistics = database.statistics();
    database.close()?;
    Ok(Measured { cost: between(&before, &statistics.reads), found, latencies, statistics })
}

/// Writes all keys, in an order that spreads every flush over all of them.
fn load(arguments: &Filters, database: &Database, json: bool) -> Result<(), Failed> {
    let bar = progress("load ", arguments.keys, json);
    let mut random = Rng::from_seed(arguments.common.seed).fork("values");
    let entry_bytes = arguments.value_bytes + 64;
    let step = (arguments.memtable as u64 / 2 / entry_bytes as u64).max(1);
    let mut begin = 0;
    while begin < arguments.keys {
        let end = (begin + step).min(arguments.keys);
        let keys = (begin..end).map(data::scattered_key);
        data::write(database, keys, arguments.value_bytes, &mut random, |count| bar.inc(count))?;
        database.settle()?;
        begin = end;
    }
    bar.finish_and_clear();
    Ok(())
}

/// Asks, every second time for a key that does not exist; returns how many were found.
fn ask(
    arguments: &Filters,
    database: &Database,
    queries: u64,
    random: &mut Rng,
    latencies: &mut Latencies,
    json: bool,
) -> Result<u64, Failed> {
    let bar = progress("query", queries, json);
    let mut found = 0;
    for query in 0..queries {
        let exists = query % 2 == 0;
        let number = random.below(arguments.keys) + if exists { 0 } else { arguments.keys };
        let key = data::scattered_key(number);
        let entry = latencies.time(|| database.get(&key))?;
        if entry.is_some() != exists {
            let what =
                if exists { "a key that was written was not found" } else { "a key was found that nobody wrote" };
            return Err(Failed::check(format!("{what}: {}", String::from_utf8_lossy(&key))));
        }
        found += u64::from(entry.is_some());
        if query % 1_024 == 0 {
            bar.set_position(query);
        }
    }
    bar.finish_and_clear();
    Ok(found)
}

fn show(table: &Table<'_>, name: &str, measured: &Measured, filter_bytes: u64, arguments: &Filters) {
    let Measured { cost, latencies, statistics, .. } = measured;
    let each = |count: u64, decimals| Cell::number(ratio(count, arguments.queries), decimals);
    table.row(&[
        Cell::text(name),
        Cell::number(ratio(filter_bytes * 8, arguments.keys), 2),
        Cell::count(statistics.levels.iter().map(|level| level.runs).sum()),
        each(cost.filters_asked, 2),
        each(cost.filters_false_positive, 3),
        each(cost.blocks, 2),
        each(cost.disk_reads, 2),
        each(cost.bytes_read, 0),
        Cell::micros(latencies.nanos(0.5)),
        Cell::micros(latencies.nanos(0.99)),
    ]);
}
