//! The rows: what is done to an engine, on which data, in which order.
//!
//! ```text
//!   group    one child process an engine and round: one folder, one set of settings
//!     row    one workload in it, at most some seconds of measured work, then the engine settles
//!
//!   shape    small   keys × 1     values of 100 bytes
//!            large   keys × 10    values of 100 bytes
//!            wide    keys × 1     values of 1 KiB
//! ```
//!
//! Rows of a loaded group run in the order given here on one copy of the loaded folder: those that only read come
//! first, the one that deletes comes last.

mod change;
mod drive;
mod fill;
mod harness;
mod read;
mod ycsb;

use serde::{Deserialize, Serialize};

use crate::settings::{Compression, Durability, Settings};
pub(crate) use drive::{Course, Measured, measure};
pub(crate) use fill::load;
pub(crate) use harness::harness_nanos;

/// How many keys, and how long their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Shape {
    /// The keys asked for, values of 100 bytes.
    Small,
    /// Ten times the keys, values of 100 bytes.
    Large,
    /// The keys asked for, values of 1 KiB.
    Wide,
}

impl Shape {
    /// Name of the folder.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
            Self::Wide => "wide",
        }
    }

    /// How many keys, of the number asked for.
    pub(crate) fn keys(self, asked: u64) -> u64 {
        if self == Self::Large { asked * 10 } else { asked }
    }

    /// Bytes of a value.
    pub(crate) fn value_bytes(self) -> usize {
        if self == Self::Wide { 1024 } else { 100 }
    }

    /// Bytes of all keys and values.
    pub(crate) fn data_bytes(self, asked: u64) -> usize {
        self.keys(asked) as usize * (16 + self.value_bytes())
    }
}

/// How large the engine's cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    /// Four times the data: all of it, even in a B-tree's half full pages.
    All,
    /// A quarter of the data.
    Quarter,
    /// A tenth of the data.
    Tenth,
}

/// What one operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// New keys in ascending order, so many a batch.
    FillSequential(usize),
    /// New keys in random order, so many a batch.
    FillRandom(usize),
    /// A new value for a random key.
    Overwrite,
    /// A random key deleted, each once.
    Delete,
    /// The value of a random key.
    Read,
    /// A key that is not there, between keys that are.
    Missing,
    /// A random key and so many after it.
    Seek(usize),
    /// A mix of the Yahoo Cloud Serving Benchmark.
    Ycsb(Mix),
}

/// The core workloads of YCSB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Half reads, half updates.
    A,
    /// 95% reads, 5% updates.
    B,
    /// Reads only.
    C,
    /// 95% reads of what is new, 5% inserts.
    D,
    /// 95% scans of 1 to 100 entries, 5% inserts.
    E,
    /// Half reads, half reads followed by an update of what was read.
    F,
}

/// One workload.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Its name, for `--rows` and the table.
    pub(crate) name: String,
    /// What it does, in a line.
    pub(crate) about: String,
    /// What one operation is.
    pub(crate) work: Work,
    /// How many threads do it at once.
    pub(crate) threads: usize,
}

/// Rows that share a folder and settings.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The data.
    pub(crate) shape: Shape,
    /// Whether the data is there when the rows begin.
    pub(crate) is_loaded: bool,
    /// The engine's cache.
    pub(crate) cache: Cache,
    /// When writes are acknowledged.
    pub(crate) durability: Durability,
    /// In the order in which they run.
    pub(crate) rows: Vec<Row>,
}

impl Group {
    /// The settings, when so many keys were asked for.
    pub(crate) fn settings(&self, asked: u64, compression: Compression) -> Settings {
        let data_bytes = self.shape.data_bytes(asked);
        let cache_bytes = match self.cache {
            Cache::All => (data_bytes * 4).max(64 << 20),
            Cache::Quarter => (data_bytes / 4).max(1 << 20),
            Cache::Tenth => (data_bytes / 10).max(1 << 20),
        };
        Settings { cache_bytes, compression, durability: self.durability }
    }
}

/// Every group, in the order in which they run.
pub(crate) fn catalogue() -> Vec<Group> {
    let mut groups = Vec::new();
    for (name, work, threads, durability) in fills() {
        let mut row = row(name, work, threads);
        if durability == Durability::Always {
            row.about.push_str(", each write synced");
        }
        groups.push(Group { shape: Shape::Small, is_loaded: false, cache: Cache::All, durability, rows: vec![row] });
    }
    groups.push(loaded(Shape::Small, Cache::All, small_rows()));
    let cold = [1, 2].map(|threads| row("read-cold", Work::Read, threads));
    groups.push(loaded(Shape::Small, Cache::Tenth, cold.to_vec()));
    for shape in [Shape::Large, Shape::Wide] {
        let named = |name: &str, work| row(&format!("{}/{name}", shape.text()), work, 1);
        let fill = vec![named("fill-random", Work::FillRandom(1))];
        groups.push(Group { is_loaded: false, ..loaded(shape, Cache::Quarter, fill) });
        let rows = vec![
            named("read", Work::Read),
            named("missing", Work::Missing),
            named("seek-50", Work::Seek(50)),
            named("ycsb-a", Work::Ycsb(Mix::A)),
        ];
        groups.push(loaded(shape, Cache::Quarter, rows));
    }
    groups
}

fn fills() -> [(&'static str, Work, usize, Durability); 7] {
    [
        ("fill-seq-1", Work::FillSequential(1), 1, Durability::None),
        ("fill-seq-100", Work::FillSequential(100), 1, Durability::None),
        ("fill-random-1", Work::FillRandom(1), 1, Durability::None),
        ("fill-random-1", Work::FillRandom(1), 2, Durability::None),
        ("fill-random-100", Work::FillRandom(100), 1, Durability::None),
        ("durable", Work::FillRandom(1), 1, Durability::Always),
        ("durable", Work::FillRandom(1), 16, Durability::Always),
    ]
}

fn small_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut both = |name, work| rows.extend([1, 2].map(|threads| row(name, work, threads)));
    both("read-hot", Work::Read);
    both("missing", Work::Missing);
    both("seek-50", Work::Seek(50));
    let mixes = [
        ("ycsb-a", Mix::A),
        ("ycsb-b", Mix::B),
        ("ycsb-c", Mix::C),
        ("ycsb-d", Mix::D),
        ("ycsb-e", Mix::E),
        ("ycsb-f", Mix::F),
    ];
    for (name, mix) in mixes {
        both(name, Work::Ycsb(mix));
    }
    both("overwrite", Work::Overwrite);
    rows.push(row("delete", Work::Delete, 1));
    rows
}

fn loaded(shape: Shape, cache: Cache, rows: Vec<Row>) -> Group {
    Group { shape, is_loaded: true, cache, durability: Durability::None, rows }
}

fn row(name: &str, work: Work, threads: usize) -> Row {
    let (name, doers) = match threads {
        1 => (name.to_owned(), "1 thread".to_owned()),
        _ => (format!("{name}-{threads}t"), format!("{threads} threads")),
    };
    Row { name, about: format!("{}, {doers}", about(work)), work, threads }
}

fn about(work: Work) -> String {
    match work {
        Work::FillSequential(1) => "new keys ascending".to_owned(),
        Work::FillSequential(batch) => format!("new keys ascending, {batch} a batch"),
        Work::FillRandom(1) => "new keys in random order".to_owned(),
        Work::FillRandom(batch) => format!("new keys in random order, {batch} a batch"),
        Work::Overwrite => "new values for random keys".to_owned(),
        Work::Delete => "random keys deleted, each once".to_owned(),
        Work::Read => "values of random keys".to_owned(),
        Work::Missing => "keys that are not there".to_owned(),
        Work::Seek(next) => format!("a random key and {next} after it"),
        Work::Ycsb(Mix::A) => "50% reads, 50% updates".to_owned(),
        Work::Ycsb(Mix::B) => "95% reads, 5% updates".to_owned(),
        Work::Ycsb(Mix::C) => "reads, zipfian".to_owned(),
        Work::Ycsb(Mix::D) => "95% reads of the newest, 5% inserts".to_owned(),
        Work::Ycsb(Mix::E) => "95% scans of 1 to 100, 5% inserts".to_owned(),
        Work::Ycsb(Mix::F) => "50% reads, 50% read-modify-write".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_share_a_name() {
        let mut names: Vec<String> = catalogue().into_iter().flat_map(|group| group.rows).map(|row| row.name).collect();
        let rows = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), rows);
    }
}
