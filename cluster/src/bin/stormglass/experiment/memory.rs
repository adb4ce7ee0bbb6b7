//! `experiment memory`: much more data than memory, and what stays resident.
//!
//! ```text
//!   budget   [ memtable ][ indexes ][ block cache: what the others leave ]      Options::memory_bytes
//!   process  budget + code + stacks + merges under way + what the allocator keeps    VmRSS, VmHWM
//! ```
//!
//! Loading and reading both count. The kernel's page cache holds pages of the files as well, but gives them up for
//! others: they are not part of the process.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use engine::compaction::{Leveled, Strategy};
use engine::world::Rng;
use engine::{Compression, Durability, Options, ReadCost};

use super::measure::{Resident, Spread, between, forget_pages};
use super::table::{Cell, Column, Table};
use super::{Common, Database, Workplace, data, open, parse_bytes};
use crate::output::Failed;

#[derive(Debug, Args)]
#[command(
    after_help = "An engine that keeps something for every key fails when there are too many of them. This one has \
    a budget for memtables, indexes and cached blocks, however much data there is. The experiment loads far more than \
    that in random order, reopens, and reads at random over all of it. Every 64th read is looked at closely: how many \
    tables it asked, how many blocks it looked into, how often it went to the disk.\n\nThe process is more than the \
    budget: code, stacks, buffers of merges, and what the allocator keeps for later.\n\nClaim: resident memory never \
    exceeds --limit, neither while loading nor while reading."
)]
pub(crate) struct Memory {
    /// GiB of data, in values of 1 KiB.
    #[arg(long, value_name = "N", default_value = "4", value_parser = gibibytes)]
    gib: f64,
    /// The engine's memory budget.
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = parse_bytes)]
    memory: usize,
    /// The memtable's part of it.
    #[arg(long, value_name = "BYTES", default_value = "8MiB", value_parser = parse_bytes)]
    memtable: usize,
    /// What the process may have resident at the most.
    #[arg(long, value_name = "BYTES", default_value = "128MiB", value_parser = parse_bytes)]
    limit: usize,
    /// How long to read.
    #[arg(long, value_name = "N", default_value_t = 20)]
    seconds: u64,
    #[command(flatten)]
    common: Common,
}

const VALUE_BYTES: usize = 1024;
/// Rows of each phase.
const LOOKS: u64 = 8;
/// One read of so many is looked at closely.
const SAMPLE: u64 = 64;
const COLUMNS: &[Column] = &[
    ("phase", "phase", 5),
    ("seconds", "s", 5),
    ("resident_bytes", "resident/MiB", 8),
    ("resident_bytes_most", "at most/MiB", 7),
    ("table_bytes", "tables/MiB", 8),
    ("operations_per_second", "a second", 9),
    ("tables_a_read", "tables/min mean max", 14),
    ("blocks_a_read", "blocks/min mean max", 14),
];

/// What sampled reads touched.
#[derive(Default)]
struct Touched {
    tables: Spread,
    blocks: Spread,
    disk_reads: Spread,
}

pub(super) fn run(arguments: &Memory, json: bool) -> Result<ExitCode, Failed> {
    let workplace = Workplace::new(&arguments.common)?;
    let directory = workplace.data("data");
    let keys = (arguments.gib * (1 << 30) as f64 / VALUE_BYTES as f64).max(1.0) as u64;
    let about = "More data than memory: what is resident while it is loaded, and read at random.";
    let table = Table::new(about, COLUMNS, json);
    let database = open(&directory, options(arguments))?;
    load(arguments, &database, keys, &table)?;
    database.close()?;
    drop(database);
    let loaded = Resident::now()?;
    forget_pages(&directory)?;
    let database = open(&directory, options(arguments))?;
    let (reads, touched) = read(arguments, &database, keys, &table)?;
    database.close()?;
    let most = Resident::now()?.most;
    let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
    let text = format!(
        "With a budget of {:.0} MiB over {:.1} GiB of data the process had {:.1} MiB resident at the most ({:.1} when it \
         had loaded), under {:.0}; it read {:.0} keys a second, each out of {:.2} tables, {:.2} blocks and {:.2} disk \
         reads.",
        mib(arguments.memory as u64),
        arguments.gib,
        mib(most),
        mib(loaded.most),
        mib(arguments.limit as u64),
        reads,
        touched.tables.mean(),
        touched.blocks.mean(),
        touched.disk_reads.mean(),
    );
    Ok(table.conclude(most <= arguments.limit as u64, &text))
}

fn gibibytes(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number of GiB"))?;
    let is_possible = number > 0.0 && number <= 1024.0;
    is_possible.then_some(number).ok_or_else(|| format!("{text} GiB: it must be more than 0, and at most 1024"))
}

fn options(arguments: &Memory) -> Options {
    let memtable_bytes = arguments.memtable;
    Options {
        durability: Durability::None,
        memtable_bytes,
        memory_bytes: arguments.memory,
        compression: Compression::None,
        strategy: Strategy::Leveled(Leveled {
            base_bytes: memtable_bytes as u64 * 8,
            table_bytes: memtable_bytes as u64 * 4,
            ..Leveled::default()
        }),
        ..Options::default()
    }
}

fn load(arguments: &Memory, database: &Database, keys: u64, table: &Table<'_>) -> Result<(), Failed> {
    let mut random = Rng::from_seed(arguments.common.seed).fork("values");
    let begun = Instant::now();
    let mut last = (begun, 0);
    for look in 0..LOOKS {
        let part = keys * look / LOOKS..keys * (look + 1) / LOOKS;
        let end = part.end;
        data::write(database, part.map(data::scattered_key), VALUE_BYTES, &mut random, |_| {})?;
        if look + 1 == LOOKS {
            database.settle()?;
        }
        let rate = (end - last.1) as f64 / last.0.elapsed().as_secs_f64();
        last = (Instant::now(), end);
        show(table, ("load", begun), database, rate, &Touched::default())?;
    }
    Ok(())
}

/// Reads for a while; returns reads a second, and what the sampled ones touched.
fn read(arguments: &Memory, database: &Database, keys: u64, table: &Table<'_>) -> Result<(f64, Touched), Failed> {
    let mut random = Rng::from_seed(arguments.common.seed).fork("reads");
    let (begun, interval) = (Instant::now(), Duration::from_secs(arguments.seconds) / LOOKS as u32);
    let (mut all, mut reads) = (Touched::default(), 0);
    for look in 1..=LOOKS as u32 {
        let (mut touched, mut count, from) = (Touched::default(), 0, Instant::now());
        while count == 0 || begun.elapsed() < interval * look {
            let key = data::scattered_key(random.below(keys));
            let before = (count % SAMPLE == 0).then(|| database.statistics().reads);
            if database.get(&key)?.is_none() {
                return Err(Failed::check(format!("a key is gone: {}", String::from_utf8_lossy(&key))));
            }
            if let Some(before) = before {
                let cost = between(&before, &database.statistics().reads);
                touched.add(&cost);
                all.add(&cost);
            }
            count += 1;
        }
        reads += count;
        show(table, ("read", begun), database, count as f64 / from.elapsed().as_secs_f64(), &touched)?;
    }
    Ok((reads as f64 / begun.elapsed().as_secs_f64(), all))
}

impl Touched {
    fn add(&mut self, cost: &ReadCost) {
        self.tables.add(cost.tables);
        self.blocks.add(cost.blocks);
        self.disk_reads.add(cost.disk_reads);
    }
}

fn show(
    table: &Table<'_>,
    (phase, begun): (&str, Instant),
    database: &Database,
    rate: f64,
    touched: &Touched,
) -> Result<(), Failed> {
    let resident = Resident::now()?;
    table.row(&[
        Cell::text(phase),
        Cell::number(begun.elapsed().as_secs_f64(), 1),
        Cell::mib(resident.now),
        Cell::mib(resident.most),
        Cell::mib(database.statistics().table_bytes()),
        Cell::count(rate as u64),
        Cell::spread(&touched.tables),
        Cell::spread(&touched.blocks),
    ]);
    Ok(())
}
