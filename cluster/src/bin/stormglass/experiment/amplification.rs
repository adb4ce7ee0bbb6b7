//! `experiment amplification`: what one written byte, one live byte and one read cost, and whether the engine's counters
//! can be believed.
//!
//! ```text
//!   load all keys ─▶ overwrite as many, evenly or unevenly ─▶ settle ─▶ read at random
//!        └──────────── /proc/self/io before and after ──────────┘
//!
//!   writes   bytes written to files / bytes that were put        log, manifest, flushes, compactions
//!   space    bytes of tables / bytes of live keys and values     when everything has settled
//!   reads    tables asked and blocks looked into, a read         of keys that exist, drawn as the overwrites were
//! ```

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use engine::compaction::{LazyLeveled, Leveled, Strategy, Tiered};
use engine::world::Rng;
use engine::{Compression, Durability, Options, Statistics};

use super::data::Zipf;
use super::measure::{Written, between, progress, ratio};
use super::table::{Cell, Column, Table};
use super::{Common, Database, Workplace, data, open, parse_bytes, remove};
use crate::output::Failed;

#[derive(Debug, Args)]
#[command(
    after_help = "An LSM tree writes a byte more than once, keeps more bytes than are alive, and looks in more than \
    one place: no strategy wins at all three. Leveled keeps one run a level (cheap reads and space, dear writes), tiered \
    several (the opposite), lazy leveled several but one in the last level.\n\nThe engine's own counters are held against \
    the kernel's. `wchar` counts bytes handed to write calls: it must agree within 1%. `write_bytes` counts pages when \
    they become dirty, whole pages, again after each sync, and those of directories as well; a file that is removed \
    before it was stored has been counted by then. It must agree within 5%, where there is enough to measure: from 100 \
    times the memtable on, unless the folder lies in memory, where nothing is counted. With smaller tables the pages that \
    are counted whole weigh more: a memtable of 64 KiB has shown 11%. Writes are not synced one by one; there is one sync \
    at the end of the load, tables are synced as always.\n\nClaim: both agree in every run."
)]
pub(crate) struct Amplification {
    /// The memtable; the levels' sizes follow from it.
    #[arg(long, value_name = "BYTES", default_value = "256KiB", value_parser = parse_bytes)]
    memtable: usize,
    /// Sizes of the data, in memtables.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [10, 100],
        value_parser = clap::value_parser!(u64).range(1..=100_000))]
    sizes: Vec<u64>,
    /// Add the size of 1,000 memtables.
    #[arg(long)]
    large: bool,
    /// Bytes of each value; keys have 16.
    #[arg(long, value_name = "BYTES", default_value = "100", value_parser = parse_bytes)]
    value_bytes: usize,
    /// Point reads.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    reads: u64,
    #[command(flatten)]
    common: Common,
}

/// Sizes from which on the kernel's pages are held against the engine's bytes.
const PAGES_COUNT_FROM: u64 = 100;
const COLUMNS: &[Column] = &[
    ("strategy", "strategy", 12),
    ("memtables", "size", 5),
    ("distribution", "keys", 7),
    ("write_amplification", "write/amp", 6),
    ("space_amplification", "space/amp", 6),
    ("tables_a_read", "tables/a read", 6),
    ("blocks_a_read", "blocks/a read", 6),
    ("bytes_written", "written/MiB", 8),
    ("wchar_difference_percent", "wchar", 7),
    ("write_bytes_difference_percent", "write_/bytes", 7),
];

/// One run of the experiment.
struct Trial {
    strategy: &'static str,
    size: u64,
    is_uneven: bool,
    keys: u64,
}

/// What came of it.
struct Measured {
    statistics: Statistics,
    kernel: Written,
    tables_a_read: f64,
    blocks_a_read: f64,
}

pub(super) fn run(arguments: &Amplification, json: bool) -> Result<ExitCode, Failed> {
    let workplace = Workplace::new(&arguments.common)?;
    let about = "Load, overwrite as much, settle, read; the engine's counts against the kernel's.";
    let table = Table::new(about, COLUMNS, json);
    let mut sizes = arguments.sizes.clone();
    sizes.extend(arguments.large.then_some(1_000));
    let (mut worst_handed, mut worst_dirtied) = (0.0_f64, None::<f64>);
    for strategy in ["leveled", "tiered", "lazy-leveled"] {
        for &size in &sizes {
            for is_uneven in [false, true] {
                let entry_bytes = (16 + arguments.value_bytes) as u64;
                let keys = (size * arguments.memtable as u64 / entry_bytes).max(1);
                let trial = Trial { strategy, size, is_uneven, keys };
                let directory = workplace.data(&format!("{strategy}-{size}-{is_uneven}"));
                let measured = measure(arguments, &trial, &directory, json)?;
                remove(&directory)?;
                let (handed, dirtied) = show(&table, arguments, &trial, &measured);
                worst_handed = worst_handed.max(handed.abs());
                if let Some(dirtied) = dirtied.filter(|_| size >= PAGES_COUNT_FROM) {
                    worst_dirtied = Some(worst_dirtied.unwrap_or(0.0).max(dirtied.abs()));
                }
            }
        }
    }
    let text = format!(
        "The engine's count of written bytes differs from the kernel's wchar by {:.2}% at the most{}.",
        worst_handed * 100.0,
        worst_dirtied.map_or("; its write_bytes were not held against it".to_string(), |worst| {
            format!(", and from its write_bytes by {:.1}% (from {PAGES_COUNT_FROM} memtables on)", worst * 100.0)
        })
    );
    Ok(table.conclude(worst_handed <= 0.01 && worst_dirtied.is_none_or(|worst| worst <= 0.05), &text))
}

fn strategy(name: &str, memtable_bytes: u64) -> Strategy {
    let table_bytes = memtable_bytes;
    match name {
        "leveled" => Strategy::Leveled(Leveled { base_bytes: memtable_bytes * 4, table_bytes, ..Leveled::default() }),
        "tiered" => Strategy::Tiered(Tiered { table_bytes, ..Tiered::default() }),
        _ => Strategy::LazyLeveled(LazyLeveled { table_bytes, ..LazyLeveled::default() }),
    }
}

fn measure(arguments: &Amplification, trial: &Trial, directory: &Path, json: bool) -> Result<Measured, Failed> {
    let kernel = Written::now()?;
    let database = open(
        directory,
        Options {
            durability: Durability::None,
            memtable_bytes: arguments.memtable,
            memory_bytes: arguments.memtable * 16,
            compression: Compression::None,
            strategy: strategy(trial.strategy, arguments.memtable as u64),
            ..Options::default()
        },
    )?;
    let random = Rng::from_seed(arguments.common.seed);
    let zipf = trial.is_uneven.then(|| Zipf::new(trial.keys));
    let draw = |random: &mut Rng| match &zipf {
        Some(zipf) => data::scattered_key(zipf.draw(random)),
        None => data::scattered_key(random.below(trial.keys)),
    };
    let bar = progress(trial.strategy, trial.keys * 2, json);
    let mut values = random.fork("values");
    let load = (0..trial.keys).map(data::scattered_key);
    data::write(&database, load, arguments.value_bytes, &mut values, |count| bar.inc(count))?;
    let mut keys = random.fork("overwrites");
    let overwrites = (0..trial.keys).map(|_| draw(&mut keys));
    data::write(&database, overwrites, arguments.value_bytes, &mut values, |count| bar.inc(count))?;
    database.settle()?;
    database.sync()?;
    bar.finish_and_clear();
    let (kernel, statistics) = (Written::now()?.since(kernel), database.statistics());
    let (tables_a_read, blocks_a_read) = read(arguments, &database, || draw(&mut keys))?;
    database.close()?;
    Ok(Measured { statistics, kernel, tables_a_read, blocks_a_read })
}

/// Tables asked and blocks looked into, a read.
fn read(
    arguments: &Amplification,
    database: &Database,
    mut draw: impl FnMut() -> [u8; 16],
) -> Result<(f64, f64), Failed> {
    let before = database.statistics().reads;
    for _ in 0..arguments.reads {
        let key = draw();
        if database.get(&key)?.is_none() {
            return Err(Failed::check(format!("a key is gone: {}", String::from_utf8_lossy(&key))));
        }
    }
    let cost = between(&before, &database.statistics().reads);
    Ok((ratio(cost.tables, arguments.reads), ratio(cost.blocks, arguments.reads)))
}

/// Prints a run, and returns how far the kernel's two counts are from the engine's, where it has them.
fn show(table: &Table<'_>, arguments: &Amplification, trial: &Trial, measured: &Measured) -> (f64, Option<f64>) {
    let Measured { statistics, kernel, .. } = measured;
    let written = statistics.bytes_written();
    // The engine counts the two bytes of keyspace of each key as the user's.
    let user_bytes = statistics.user_bytes_written - 2 * statistics.operations_committed;
    let live_bytes = trial.keys * (16 + arguments.value_bytes) as u64;
    let difference = |counted: u64| ratio(counted, written) - 1.0;
    // A file system in memory makes no pages dirty: there is nothing to compare.
    let dirtied = (kernel.dirtied > 0).then(|| difference(kernel.dirtied));
    let handed = difference(kernel.handed);
    table.row(&[
        Cell::text(trial.strategy),
        Cell::text(format!("{}x", trial.size)),
        Cell::text(if trial.is_uneven { "zipf" } else { "uniform" }),
        Cell::number(ratio(written, user_bytes), 2),
        Cell::number(ratio(statistics.table_bytes(), live_bytes), 2),
        Cell::number(measured.tables_a_read, 2),
        Cell::number(measured.blocks_a_read, 2),
        Cell::mib(written),
        Cell::percent(handed, 2),
        dirtied.map_or_else(Cell::none, |dirtied| Cell::percent(dirtied, 1)),
    ]);
    (handed, dirtied)
}
