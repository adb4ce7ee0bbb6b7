//! The tree as the manifest leaves it: what lies in which level, how much of the next level it overlaps, how far the shape
//! is from what a strategy wants.
//!
//! ```text
//!   level  runs  tables         bytes     entries  tombstones   overlaps below
//!       0     2       2         61440        1200          14           48120
//!       1     1       3         96240        3000           0               0
//!   debt of leveled compaction: 0 bytes, 0 runs too many in level 0
//!   alive: 2900 keys of 90123 bytes; 1286 old versions, 14 tombstones      (read from the tables, on request)
//! ```
//!
//! Only the manifest is read, unless what lives is asked for: that reads every table. The log's writes are not in it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::key_range;
use crate::cache::{BlockCache, CachePolicy};
use crate::compaction::{Debt, Strategy, debt};
use crate::cursor::{At, Cursor, Seek};
use crate::error::Error;
use crate::format::Sequence;
use crate::limits::KEYSPACE_BYTES;
use crate::merge::{Fragments, MergeCursor};
use crate::shape::{HasFacts, Run, Shape};
use crate::table::{CursorSettings, Table, table_name};
use crate::version::{OpenTable, RunCursor, TableRecord, VersionState, manifest_name, read_current};
use crate::wal::segment_number;
use crate::world::{Access, Disk};

/// Bytes that counting reads at once.
const READAHEAD_BYTES: usize = 256 * 1024;

/// A table of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TreeTable {
    /// Its number.
    pub number: u64,
    /// The run it is in, 0 for the newest of its level.
    pub run: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Its versions, tombstones included.
    pub entries: u64,
    /// Its tombstones, those of ranges included.
    pub tombstones: u64,
    /// The oldest write in it.
    pub min_sequence: Sequence,
    /// The newest write in it.
    pub max_sequence: Sequence,
    /// Its keys.
    pub keys: String,
}

/// A level of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TreeLevel {
    /// Its number; 0 takes the flushed memtables.
    pub level: u64,
    /// Sorted runs.
    pub runs: u64,
    /// Bytes of its tables.
    pub bytes: u64,
    /// Versions in them.
    pub entries: u64,
    /// Tombstones in them.
    pub tombstones: u64,
    /// Its keys.
    pub keys: String,
    /// Bytes of the tables of the next level that overlap one of its tables: what merging all of it would rewrite.
    pub overlap_bytes: u64,
    /// Its tables, the newest run first.
    pub tables: Vec<TreeTable>,
}

/// What a reader of all tables would see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Living {
    /// Keys that have a value. Expiry is not looked at.
    pub keys: u64,
    /// Bytes of those keys and values, as they were written.
    pub bytes: u64,
    /// Versions that a newer one, or a deletion, hides.
    pub old_versions: u64,
    /// Tombstones of single keys.
    pub tombstones: u64,
}

/// The tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TreeReport {
    /// The manifest that says so.
    pub manifest: PathBuf,
    /// Levels with tables.
    pub levels: Vec<TreeLevel>,
    /// Bytes of all tables.
    pub table_bytes: u64,
    /// The newest write that is in tables.
    pub last_sequence: Sequence,
    /// Segments of the log, and bytes in them.
    pub log_segments: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// The strategy that the debt is about.
    pub strategy: Strategy,
    /// How far the tree is from what it wants.
    pub debt: Debt,
    /// What lives, if that was asked for.
    pub living: Option<Living>,
}

/// Describes the tree of a data directory; `count` reads every table to say what lives.
///
/// # Errors
///
/// `NotThis` for a folder without a manifest; `Corrupt`, `Disk`, `NewerFormat`.
pub async fn tree<D: Disk>(
    disk: &D,
    directory: &Path,
    strategy: &Strategy,
    count: bool,
    name_key: fn(&[u8]) -> String,
) -> Result<TreeReport, Error> {
    let entries = disk.list(directory).await?;
    let nothing = || Error::NotThis { path: directory.to_path_buf(), what: "a folder with a manifest" };
    let content = read_current(disk, directory).await?.ok_or_else(nothing)?;
    let manifest = directory.join(manifest_name(content.number));
    let state = VersionState::of(&content, &manifest)?;
    let shape = &state.shape;
    let segments = entries.iter().filter(|entry| segment_number(&entry.name).is_some());
    let living = if count { Some(living(disk, directory, shape).await?) } else { None };
    let levels = (0..shape.depth()).filter(|level| !shape.runs(*level).is_empty());
    Ok(TreeReport {
        manifest,
        levels: levels.map(|level| describe(shape, level, name_key)).collect(),
        table_bytes: shape.bytes_total(),
        last_sequence: state.last_sequence,
        log_segments: segments.clone().count() as u64,
        log_bytes: segments.map(|entry| entry.length_bytes).sum(),
        strategy: strategy.clone(),
        debt: debt(shape, strategy),
        living,
    })
}

fn describe(shape: &Shape<TableRecord>, level: usize, name_key: fn(&[u8]) -> String) -> TreeLevel {
    let runs = shape.runs(level);
    let numbered = runs.iter().enumerate().flat_map(|(number, run)| run.iter().map(move |table| (number, table)));
    let tables: Vec<TreeTable> = numbered
        .map(|(run, TableRecord { facts, .. })| TreeTable {
            number: facts.number,
            run: run as u64,
            bytes: facts.bytes,
            entries: facts.entries,
            tombstones: facts.tombstones,
            min_sequence: facts.min_sequence,
            max_sequence: facts.max_sequence,
            keys: key_range(&facts.smallest, &facts.end, name_key),
        })
        .collect();
    let smallest = runs.iter().filter_map(Run::smallest).min();
    let end = runs.iter().filter_map(Run::end).max();
    TreeLevel {
        level: level as u64,
        runs: runs.len() as u64,
        bytes: shape.bytes(level),
        entries: tables.iter().map(|table| table.entries).fold(0, u64::saturating_add),
        tombstones: tables.iter().map(|table| table.tombstones).fold(0, u64::saturating_add),
        keys: smallest.zip(end).map(|(smallest, end)| key_range(smallest, end, name_key)).unwrap_or_default(),
        overlap_bytes: overlap(shape, level),
        tables,
    }
}

/// Bytes of the next level's tables that some table of this level overlaps.
fn overlap(shape: &Shape<TableRecord>, level: usize) -> u64 {
    let below = shape.runs(level + 1).iter().flat_map(Run::iter).map(HasFacts::facts);
    let is_overlapped = |smallest: &[u8], end: &[u8]| {
        shape.runs(level).iter().any(|run| run.overlapping(smallest, end).next().is_some())
    };
    below
        .filter(|facts| is_overlapped(&facts.smallest, &facts.end))
        .map(|facts| facts.bytes)
        .fold(0, u64::saturating_add)
}

/// Reads all tables, merged, and counts.
async fn living<D: Disk>(disk: &D, directory: &Path, shape: &Shape<TableRecord>) -> Result<Living, Error> {
    let cache = Arc::new(BlockCache::new(CachePolicy::Lru, 0));
    let settings = CursorSettings { fill_cache: false, readahead_bytes: READAHEAD_BYTES };
    let (mut sources, mut tombstones) = (Vec::new(), Vec::new());
    for (_, run) in shape.newest_first() {
        let mut tables = Vec::new();
        for record in run.iter() {
            let number = record.facts.number;
            let path = directory.join(table_name(number));
            let file = disk.open(&path, Access::Read).await?;
            let table = Table::open(file, path, number, Arc::clone(&cache)).await?;
            tombstones.extend_from_slice(table.range_tombstones());
            tables.push(Arc::new(OpenTable::new(table)));
        }
        sources.push(RunCursor::new(tables, settings));
    }
    let fragments = Fragments::new(tombstones);
    let mut merged = MergeCursor::new(sources);
    let (mut found, mut last) = (Living::default(), Vec::new());
    merged.seek(Seek::First);
    loop {
        match merged.at() {
            At::End => return Ok(found),
            At::Unloaded => merged.load().await?,
            At::Entry => {
                let entry = merged.entry();
                let is_old = last[..] == *entry.key;
                if !is_old {
                    last.clear();
                    last.extend_from_slice(entry.key);
                }
                let deleted = fragments.newest_covering(entry.key, Sequence(u64::MAX));
                let is_hidden = is_old || deleted.is_some_and(|deleted| deleted > entry.sequence);
                match entry.value {
                    None => found.tombstones += 1,
                    Some(_) if is_hidden => found.old_versions += 1,
                    Some(value) => {
                        found.keys += 1;
                        found.bytes += (entry.key.len().saturating_sub(KEYSPACE_BYTES) + value.len()) as u64;
                    }
                }
                merged.next();
            }
        }
    }
}

impl TreeReport {
    /// The tables one by one, as text, a line each.
    pub fn tables(&self) -> impl Iterator<Item = String> {
        let tables = self.levels.iter().flat_map(|level| level.tables.iter().map(move |table| (level.level, table)));
        tables.map(|(level, table)| {
            let TreeTable { number, run, bytes, entries, keys, .. } = table;
            format!("level {level}, run {run}, table {number}: {bytes} bytes, {entries} entries\n    {keys}")
        })
    }
}

impl fmt::Display for TreeReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.manifest.display();
        writeln!(formatter, "{file}, tables up to sequence {}", self.last_sequence)?;
        writeln!(
            formatter,
            "{:>5}{:>6}{:>8}{:>15}{:>12}{:>12}{:>16}",
            "level", "runs", "tables", "bytes", "entries", "tombstones", "overlaps below"
        )?;
        for level in &self.levels {
            let TreeLevel { level: number, runs, bytes, entries, tombstones, overlap_bytes, keys, tables } = level;
            let tables = tables.len();
            writeln!(
                formatter,
                "{number:>5}{runs:>6}{tables:>8}{bytes:>15}{entries:>12}{tombstones:>12}{overlap_bytes:>16}"
            )?;
            writeln!(formatter, "      {keys}")?;
        }
        let Self { table_bytes, log_segments, log_bytes, debt, .. } = self;
        writeln!(formatter, "{table_bytes} bytes in tables; log: {log_segments} segments, {log_bytes} bytes")?;
        let name = match self.strategy {
            Strategy::Leveled(_) => "leveled",
            Strategy::Tiered(_) => "tiered",
            Strategy::LazyLeveled(_) => "lazy leveled",
            Strategy::Fifo(_) => "first in, first out",
        };
        write!(
            formatter,
            "debt if {name}: {} bytes to rewrite, {} runs too many in level 0, {} runs in all",
            debt.bytes, debt.level0_runs_over, debt.runs
        )?;
        if let Some(Living { keys, bytes, old_versions, tombstones }) = self.living {
            write!(
                formatter,
                "\nalive: {keys} keys of {bytes} bytes; beside them {old_versions} old versions, {tombstones} tombstones"
            )?;
            if let Some(hundredths) = (table_bytes.saturating_mul(100)).checked_div(bytes) {
                write!(formatter, "\nspace: {}.{:02} bytes in tables a live byte", hundredths / 100, hundredths % 100)?;
            }
        }
        Ok(())
    }
}
