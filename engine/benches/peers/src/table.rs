//! What is printed: the header, then a table a figure, a row a workload, a column an engine.
//!
//! ```text
//!   operations a second   median of the rounds      ratios: ours to the faster of RocksDB and fjall, to the fastest
//!   p99, p99.9            median of the rounds      longest: the slowest operation of all rounds
//!   bytes written         a byte of user data       disk, peak memory: median of the rounds
//! ```
//!
//! Nothing is wider than 80 columns.

use crate::arguments::Arguments;
use crate::child::Outcome;
use crate::engines::Name;
use crate::machine::{Machine, versions};
use crate::rounds::Load;
use crate::settings::{BLOCK_BYTES, Compression, Durability, FILTER_BITS, MEMTABLE_BYTES};
use crate::workloads::{Group, Row, Shape};

const WIDTH: usize = 80;
const NAME_WIDTH: usize = 17;
const CELL_WIDTH: usize = 10;
const RATIO_WIDTH: usize = 6;

/// Prints the rows.
pub(crate) fn list(groups: &[Group]) {
    for row in groups.iter().flat_map(|group| &group.rows) {
        println!("{:<NAME_WIDTH$}  {}", row.name, row.about);
    }
}

/// Prints what is measured, on what, and how each engine is set up.
pub(crate) fn header(arguments: &Arguments, machine: &Machine, groups: &[Group], harness_nanos: f64) {
    let memory = bytes(machine.memory_bytes as f64);
    let Machine { kernel, processor, cores, file_system, .. } = machine;
    wrapped("machine", &format!("{kernel}; {processor}, {cores} cores, {memory} of memory; {file_system}"));
    let Arguments { seconds, rounds, .. } = arguments;
    wrapped(
        "rows",
        &format!(
            "{seconds} s of measured work at most, rounds: {rounds}, the engines in turn; a fill or a delete ends early \
             once it has no keys left; the harness's own {harness_nanos:.0} ns are part of each operation"
        ),
    );
    let compression = match arguments.compression {
        Compression::None => "no compression, values of random bytes",
        Compression::Lz4 => "LZ4 where there is compression, values that pack to a half",
    };
    let (memtable, block) = (bytes(MEMTABLE_BYTES as f64), bytes(BLOCK_BYTES as f64));
    wrapped(
        "all engines",
        &format!(
            "memtables of {memtable}, filters of {FILTER_BITS} bits a key, blocks of {block}, {compression}; the page \
             cache is never dropped, a copied folder is synced before its rows begin"
        ),
    );
    data(arguments, groups);
    for engine in &arguments.engines {
        wrapped(engine.text(), &format!("{}: {}", versions(*engine), engine.setup()));
        for (durability, rows) in [(Durability::None, "not synced"), (Durability::Always, "durable")] {
            if groups.iter().any(|group| group.durability == durability) {
                wrapped("", &format!("{rows}: {}", engine.durability(durability)));
            }
        }
    }
}

fn data(arguments: &Arguments, groups: &[Group]) {
    let keys = arguments.keys;
    let mut told = Vec::new();
    for group in groups {
        let shape = group.shape;
        let kind = (shape, group.is_loaded, group.settings(keys, arguments.compression).cache_bytes);
        if told.contains(&kind) {
            continue;
        }
        told.push(kind);
        let loaded =
            if group.is_loaded { "loaded at random, 1,000 a batch, and settled" } else { "an empty folder filled" };
        wrapped(
            shape.text(),
            &format!(
                "{} keys of 16 B with values of {} ({}), {loaded}; cache of {}",
                shape.keys(keys),
                bytes(shape.value_bytes() as f64),
                bytes(shape.data_bytes(keys) as f64),
                bytes(kind.2 as f64)
            ),
        );
    }
}

/// Prints the tables.
pub(crate) fn figures(engines: &[Name], groups: &[Group], outcomes: &[Outcome]) {
    let rows: Vec<&Row> = groups.iter().flat_map(|group| &group.rows).collect();
    let table = Table { engines, rows: &rows, outcomes };
    table.speeds();
    table.one("p99 of an operation", median, &duration, &|outcome| Some(outcome.p99_nanos as f64));
    table.one("p99.9 of an operation", median, &duration, &|outcome| Some(outcome.p999_nanos as f64));
    table.one("longest operation", longest, &duration, &|outcome| Some(outcome.longest_nanos as f64));
    table.one("bytes written per byte of user data", median, &|ratio| format!("{ratio:.2}"), &|outcome| {
        (outcome.user_bytes > 0).then(|| outcome.written_bytes as f64 / outcome.user_bytes as f64)
    });
    table.one("space on the disk", median, &bytes, &|outcome| Some(outcome.disk_bytes as f64));
    table.one("peak memory", median, &bytes, &|outcome| Some(outcome.memory_bytes as f64));
}

/// Prints how long each load took: not a row, and not to be compared as one.
pub(crate) fn loads(engines: &[Name], loads: &[Load]) {
    if loads.is_empty() {
        return;
    }
    let table = Table { engines, rows: &[], outcomes: &[] };
    table.title("loaded before the rows (not measured as a row), in seconds", &[]);
    for shape in [Shape::Small, Shape::Large, Shape::Wide] {
        let of_shape = || loads.iter().filter(|load| load.shape == shape);
        if of_shape().next().is_some() {
            let seconds = |engine| of_shape().find(|load| load.engine == engine).map(|load| load.seconds);
            println!("{}", table.line(shape.text(), &|engine| seconds(engine).map(|seconds| format!("{seconds:.1}"))));
        }
    }
}

/// Takes a number out of an outcome.
type Figure<'a> = &'a dyn Fn(&Outcome) -> Option<f64>;

struct Table<'a> {
    engines: &'a [Name],
    rows: &'a [&'a Row],
    outcomes: &'a [Outcome],
}

impl Table<'_> {
    fn speeds(&self) {
        let ratios = self.engines.contains(&Name::Stormglass);
        self.title("operations a second", if ratios { &["lsm", "all"] } else { &[] });
        for row in self.rows {
            let speed =
                |engine| self.figure(row, engine, median, &|outcome| Some(outcome.operations as f64 / outcome.seconds));
            let mut line = self.line(&row.name, &|engine| speed(engine).map(count));
            if let (true, Some(ours)) = (ratios, speed(Name::Stormglass)) {
                let lsm = fastest([Name::Rocksdb, Name::Fjall].into_iter().filter_map(&speed));
                let all = fastest(Name::ALL.into_iter().filter(|name| *name != Name::Stormglass).filter_map(&speed));
                for peer in [lsm, all] {
                    let ratio = peer.map_or("-".to_owned(), |peer| format!("{:.2}", ours / peer));
                    line.push_str(&format!("{ratio:>RATIO_WIDTH$}"));
                }
            }
            println!("{line}");
        }
        if ratios {
            println!("lsm: ours to the faster of rocksdb and fjall; all: to the fastest peer");
        }
    }

    fn one(&self, title: &str, middle: Middle, format: &dyn Fn(f64) -> String, figure: Figure<'_>) {
        let is_there =
            |row: &Row| self.engines.iter().any(|engine| self.figure(row, *engine, middle, figure).is_some());
        if !self.rows.iter().any(|row| is_there(row)) {
            return;
        }
        self.title(title, &[]);
        for row in self.rows.iter().filter(|row| is_there(row)) {
            println!("{}", self.line(&row.name, &|engine| self.figure(row, engine, middle, figure).map(format)));
        }
    }

    fn title(&self, title: &str, ratios: &[&str]) {
        println!("\n{title}");
        let mut line = " ".repeat(NAME_WIDTH);
        line.extend(self.engines.iter().map(|engine| format!("{:>CELL_WIDTH$}", short(*engine))));
        line.extend(ratios.iter().map(|ratio| format!("{ratio:>RATIO_WIDTH$}")));
        println!("{line}");
    }

    fn line(&self, name: &str, cell: &dyn Fn(Name) -> Option<String>) -> String {
        let mut line = format!("{name:<NAME_WIDTH$}");
        for engine in self.engines {
            line.push_str(&format!("{:>CELL_WIDTH$}", cell(*engine).unwrap_or_else(|| "-".to_owned())));
        }
        line
    }

    fn figure(&self, row: &Row, engine: Name, middle: Middle, figure: Figure<'_>) -> Option<f64> {
        let of_row = self.outcomes.iter().filter(|outcome| outcome.engine == engine && outcome.row == row.name);
        let mut figures: Vec<f64> = of_row.filter_map(figure).collect();
        figures.sort_by(f64::total_cmp);
        middle(&figures)
    }
}

/// One figure for those of the rounds, which are sorted.
type Middle = fn(&[f64]) -> Option<f64>;

fn median(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[half]),
        _ => Some(f64::midpoint(sorted[half - 1], sorted[half])),
    }
}

fn longest(sorted: &[f64]) -> Option<f64> {
    sorted.last().copied()
}

fn fastest(speeds: impl Iterator<Item = f64>) -> Option<f64> {
    speeds.max_by(f64::total_cmp)
}

fn short(engine: Name) -> &'static str {
    if engine == Name::Stormglass { "ours" } else { engine.text() }
}

fn count(number: f64) -> String {
    scaled(number, &[(1e6, " M"), (1e3, " k"), (1.0, "")])
}

fn duration(nanos: f64) -> String {
    scaled(nanos, &[(1e9, " s"), (1e6, " ms"), (1e3, " µs"), (1.0, " ns")])
}

fn bytes(number: f64) -> String {
    const KIB: f64 = 1024.0;
    scaled(number, &[(KIB * KIB * KIB, " GiB"), (KIB * KIB, " MiB"), (KIB, " KiB"), (1.0, " B")])
}

/// Three or four digits in the largest unit that leaves something before the point.
fn scaled(number: f64, units: &[(f64, &str)]) -> String {
    let fallback = units.last().expect("a scale has units");
    let (unit, name) = units.iter().find(|(unit, _)| number >= *unit).unwrap_or(fallback);
    let scaled = number / unit;
    let digits = match scaled {
        _ if *unit == 1.0 => 0,
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{scaled:.digits$}{name}")
}

/// A label, and text beside it in lines that fit.
fn wrapped(label: &str, text: &str) {
    const INDENT: usize = 12;
    let mut line = format!("{label:<INDENT$}");
    let mut is_first = true;
    for word in text.split_whitespace() {
        if !is_first && line.chars().count() + 1 + word.chars().count() > WIDTH {
            println!("{line}");
            line = " ".repeat(INDENT);
            is_first = true;
        }
        if !is_first {
            line.push(' ');
        }
        line.push_str(word);
        is_first = false;
    }
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        assert_eq!(count(1_234_567.0), "1.23 M");
        assert_eq!(count(999.0), "999");
        assert_eq!(duration(12_345.0), "12.3 µs");
        assert_eq!(bytes(4096.0), "4.00 KiB");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0]), Some(1.5));
        assert_eq!(median(&[]), None);
    }
}
