//! A dump of a table: what it says of itself, where its parts are, every damaged one, and its rows on request.
//!
//! ```text
//!   data/table-00000000000000000003.sst, 48120 bytes, table 3
//!     entries       1000: 12 tombstones, 0 expiring; 1 range tombstones
//!     keys          data/0/a to data/0/z                          ...
//!     part                   count         bytes
//!     data                      12         44102                  ...
//!       sequence  operation     value bytes  key
//!             17  put                     5  data/0/a
//!              9  put                     4  data/0/a  (old version)
//!   CORRUPT in data/table-00000000000000000003.sst at offset 4120, 4088 bytes, data: bad checksum: ...
//! ```
//!
//! Every block that can be reached is looked at, whatever else is damaged. When none is, the table is also held against
//! itself: order, separators, filters, sums. Rows of damaged blocks are left out up to where they can be read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::wal::readable;
use super::{RowKind, key_range};
use crate::cache::{BlockCache, CachePolicy};
use crate::error::Error;
use crate::format::entry::{EntryRef, RangeTombstone};
use crate::format::properties::Properties;
use crate::format::table::{self, FOOTER_BYTES, Footer};
use crate::format::{Compression, Sequence};
use crate::table::{ADVICE, PartKind, Survey, Table, survey, table_number};
use crate::world::{Access, Disk, File};

/// What a table says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableProperties {
    /// Versions in it, tombstones included.
    pub entries: u64,
    /// Tombstones of single keys.
    pub tombstones: u64,
    /// Values that expire some day.
    pub expiring: u64,
    /// Tombstones of ranges.
    pub range_tombstones: u64,
    /// Bytes of keys and of values, as they were written.
    pub raw_key_bytes: u64,
    /// Bytes of values, as they were written.
    pub raw_value_bytes: u64,
    /// The first key, and the last or the one behind it.
    pub keys: String,
    /// The oldest write.
    pub min_sequence: Sequence,
    /// The newest write.
    pub max_sequence: Sequence,
    /// Data blocks.
    pub data_blocks: u64,
    /// Uncompressed bytes at which one was full.
    pub block_bytes: u64,
    /// How they are compressed.
    pub compression: &'static str,
    /// Thousandths of a bit of filter a key.
    pub filter_millibits_per_key: u64,
    /// Bytes of the filters.
    pub filter_bytes: u64,
    /// The sum of the hashes of its entries, in hexadecimal.
    pub set_hash: String,
    /// Wall time at which it was begun, in microseconds since 1970.
    pub created_micros: u64,
}

/// A line of the dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum TableLine {
    /// A file begins.
    Table {
        /// Its path.
        file: PathBuf,
        /// Its length.
        length_bytes: u64,
        /// The number of the table.
        number: u64,
    },
    /// What it says of itself, when that can be read.
    Properties(TableProperties),
    /// The parts of one kind that can be reached.
    Parts {
        /// Which kind.
        part: &'static str,
        /// How many.
        count: u64,
        /// Their bytes in the file.
        bytes: u64,
    },
    /// The names of the columns of the rows that follow.
    Columns,
    /// A version of a key, or a range tombstone.
    Entry {
        /// When it was written.
        sequence: Sequence,
        /// What it is.
        operation: RowKind,
        /// Bytes of the value.
        value_bytes: Option<u64>,
        /// Wall time from which it has expired, in microseconds; 0 for never.
        expires_micros: u64,
        /// The key, or the range.
        key: String,
        /// Whether the table holds a newer version of the key.
        is_old: bool,
    },
    /// Bytes that are not what they should be.
    Damage {
        /// The file.
        file: PathBuf,
        /// Where they begin.
        offset: u64,
        /// How many.
        length_bytes: u64,
        /// What they should be.
        part: &'static str,
        /// What is wrong.
        what: String,
        /// What to do.
        advice: &'static str,
    },
}

/// The end of the dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableSummary {
    /// Parts that were looked at.
    pub parts: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Versions that could be read.
    pub entries: u64,
    /// Of them, tombstones.
    pub tombstones: u64,
    /// Of them, versions older than another one of their key.
    pub old_versions: u64,
    /// Damaged parts, and contradictions between whole ones.
    pub damages: u64,
}

/// Dumps the table at `path` to `sink`; with `rows`, every entry of it. `name_key` makes a key readable.
///
/// # Errors
///
/// `NotThis` for a file that is no table by its name and by its last bytes; `Disk`, `NewerFormat`. Damage is no error.
pub async fn table<D: Disk>(
    disk: &D,
    path: &Path,
    rows: bool,
    name_key: fn(&[u8]) -> String,
    mut sink: impl FnMut(TableLine) + Send,
) -> Result<TableSummary, Error> {
    let (number, length_bytes) = identify(disk, path).await?;
    sink(TableLine::Table { file: path.to_path_buf(), length_bytes, number });
    let mut counter = Counter::default();
    let file = disk.open(path, Access::Read).await?;
    let found = survey(file, path, number, |entry| counter.add(&entry)).await?;
    if let Some(properties) = &found.properties {
        sink(TableLine::Properties(described(properties, name_key)));
    }
    for (part, count, bytes) in parts(&found) {
        sink(TableLine::Parts { part, count, bytes });
    }
    if rows {
        sink(TableLine::Columns);
        let mut last = Vec::new();
        let file = disk.open(path, Access::Read).await?;
        survey(file, path, number, |entry| sink(row(&entry, &mut last, name_key))).await?;
        found.range_tombstones.iter().for_each(|tombstone| sink(range_row(tombstone, name_key)));
    }
    let mut damages: Vec<(u64, u64, &'static str, String)> = found
        .damages
        .iter()
        .map(|damage| {
            let part = damage.part;
            (part.offset, part.length_bytes, part_name(part.kind), damage.fault.to_string())
        })
        .collect();
    if damages.is_empty() {
        damages.extend(contradiction(disk, path, number).await?);
    }
    for (offset, length_bytes, part, what) in &damages {
        let (file, part, what) = (path.to_path_buf(), *part, what.clone());
        sink(TableLine::Damage { file, offset: *offset, length_bytes: *length_bytes, part, what, advice: ADVICE });
    }
    let Counter { entries, tombstones, old_versions, .. } = counter;
    let (parts, damages) = (found.layout.len() as u64, damages.len() as u64);
    Ok(TableSummary { parts, bytes: length_bytes, entries, tombstones, old_versions, damages })
}

/// The number and the length of a table, which may be a copy under any name: its number is then what its footer claims.
async fn identify<D: Disk>(disk: &D, path: &Path) -> Result<(u64, u64), Error> {
    let file = disk.open(path, Access::Read).await?;
    let length = file.len().await?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // In a folder of backups the number stands at the same place.
    let named = table_number(&name).or_else(|| table_number(&format!("{}.sst", name.get(..26)?)));
    let footer = file.read_at(length.saturating_sub(FOOTER_BYTES as u64), FOOTER_BYTES).await?;
    let is_table = footer.ends_with(&table::MAGIC);
    let claimed = Footer::claimed(&footer).map(|footer| footer.number);
    match (named, claimed) {
        (Some(number), _) => Ok((number, length)),
        (None, Ok(number)) if is_table => Ok((number, length)),
        _ => Err(Error::NotThis { path: path.to_path_buf(), what: "a table" }),
    }
}

/// What whole parts contradict each other in, if they do.
async fn contradiction<D: Disk>(
    disk: &D,
    path: &Path,
    number: u64,
) -> Result<Option<(u64, u64, &'static str, String)>, Error> {
    let file = disk.open(path, Access::Read).await?;
    let cache = Arc::new(BlockCache::new(CachePolicy::Lru, 0));
    let checked = match Table::open(file, path.to_path_buf(), number, cache).await {
        Ok(table) => table.verify(|_| ()).await.map(|_| ()),
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => Ok(None),
        Err(Error::Corrupt { offset, length, fault, .. }) => Ok(Some((offset, length, "contents", fault.to_string()))),
        Err(error) => Err(error),
    }
}

#[derive(Default)]
struct Counter {
    entries: u64,
    tombstones: u64,
    old_versions: u64,
    last: Vec<u8>,
}

impl Counter {
    fn add(&mut self, entry: &EntryRef<'_>) {
        self.entries += 1;
        self.tombstones += u64::from(entry.value.is_none());
        self.old_versions += u64::from(is_old(&mut self.last, entry));
    }
}

/// Whether the entry before was of the same key; remembers this one.
fn is_old(last: &mut Vec<u8>, entry: &EntryRef<'_>) -> bool {
    if last[..] == *entry.key {
        return true;
    }
    last.clear();
    last.extend_from_slice(entry.key);
    false
}

fn row(entry: &EntryRef<'_>, last: &mut Vec<u8>, name_key: fn(&[u8]) -> String) -> TableLine {
    TableLine::Entry {
        sequence: entry.sequence,
        operation: if entry.value.is_some() { RowKind::Put } else { RowKind::Delete },
        value_bytes: entry.value.map(|value| value.len() as u64),
        expires_micros: entry.expires_micros,
        key: readable(entry.key, name_key),
        is_old: is_old(last, entry),
    }
}

fn range_row(tombstone: &RangeTombstone, name_key: fn(&[u8]) -> String) -> TableLine {
    TableLine::Entry {
        sequence: tombstone.sequence,
        operation: RowKind::DeleteRange,
        value_bytes: None,
        expires_micros: 0,
        key: key_range(&tombstone.start, &tombstone.end, name_key),
        is_old: false,
    }
}

fn parts(survey: &Survey) -> Vec<(&'static str, u64, u64)> {
    let mut sums: BTreeMap<PartKind, (u64, u64)> = BTreeMap::new();
    for part in &survey.layout {
        let sum = sums.entry(part.kind).or_default();
        *sum = (sum.0 + 1, sum.1.saturating_add(part.length_bytes));
    }
    sums.into_iter().map(|(kind, (count, bytes))| (part_name(kind), count, bytes)).collect()
}

/// A part as the dumps call it.
pub(super) fn part_name(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Data => "data block",
        PartKind::Partition => "partition",
        PartKind::RangeTombstones => "range tombstones",
        PartKind::TopIndex => "top index",
        PartKind::Properties => "properties",
        PartKind::Footer => "footer",
    }
}

fn described(properties: &Properties, name_key: fn(&[u8]) -> String) -> TableProperties {
    let tally = &properties.tally;
    TableProperties {
        entries: tally.entries,
        tombstones: tally.tombstones,
        expiring: tally.expiring,
        range_tombstones: tally.range_tombstones,
        raw_key_bytes: tally.raw_key_bytes,
        raw_value_bytes: tally.raw_value_bytes,
        keys: key_range(&properties.smallest, &properties.end, name_key),
        min_sequence: tally.min_sequence,
        max_sequence: tally.max_sequence,
        data_blocks: properties.data_blocks,
        block_bytes: properties.block_bytes,
        compression: match properties.compression {
            Compression::None => "none",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        },
        filter_millibits_per_key: properties.filter_millibits_per_key,
        filter_bytes: properties.filter_bytes,
        set_hash: format!("{:016x}", tally.set_hash),
        created_micros: properties.created_micros,
    }
}

impl fmt::Display for TableProperties {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, tombstones, expiring, range_tombstones, .. } = self;
        writeln!(
            formatter,
            "  entries     {entries}: {tombstones} tombstones, {expiring} expiring; {range_tombstones} range tombstones"
        )?;
        writeln!(formatter, "  written     {} bytes of keys, {} of values", self.raw_key_bytes, self.raw_value_bytes)?;
        writeln!(formatter, "  keys        {}", self.keys)?;
        writeln!(formatter, "  sequences   {} to {}", self.min_sequence, self.max_sequence)?;
        writeln!(
            formatter,
            "  blocks      {} of about {} bytes, {}",
            self.data_blocks, self.block_bytes, self.compression
        )?;
        let (bits, thousandths) = (self.filter_millibits_per_key / 1000, self.filter_millibits_per_key % 1000);
        writeln!(formatter, "  filter      {bits}.{thousandths:03} bits a key, {} bytes", self.filter_bytes)?;
        writeln!(formatter, "  set-hash    {}", self.set_hash)?;
        write!(formatter, "  {:<20}{:>8}{:>14}", "part", "count", "bytes")
    }
}

impl fmt::Display for TableLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table { file, length_bytes, number } => {
                write!(formatter, "{}, {length_bytes} bytes, table {number}", file.display())
            }
            Self::Properties(properties) => properties.fmt(formatter),
            Self::Parts { part, count, bytes } => write!(formatter, "  {part:<20}{count:>8}{bytes:>14}"),
            Self::Columns => write!(formatter, "{:>12}  {:<9}{:>13}  key", "sequence", "operation", "value bytes"),
            Self::Entry { sequence, operation, value_bytes, expires_micros, key, is_old } => {
                let value_bytes = value_bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
                write!(formatter, "{:>12}  {operation:<9}{value_bytes:>13}  {key}", sequence.0)?;
                if *is_old {
                    formatter.write_str("  (old version)")?;
                }
                if *expires_micros > 0 {
                    write!(formatter, "  (expires at {expires_micros} us)")?;
                }
                Ok(())
            }
            Self::Damage { file, offset, length_bytes, part, what, advice } => {
                let file = file.display();
                write!(
                    formatter,
                    "CORRUPT in {file} at offset {offset}, {length_bytes} bytes, {part}: {what}\n  {advice}"
                )
            }
        }
    }
}

impl fmt::Display for TableSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parts, bytes, entries, tombstones, old_versions, damages } = self;
        write!(
            formatter,
            "{parts} parts, {bytes} bytes, {entries} entries, {tombstones} tombstones, {old_versions} old versions; "
        )?;
        match damages {
            0 => formatter.write_str("whole"),
            1 => formatter.write_str("CORRUPT in 1 place"),
            damages => write!(formatter, "CORRUPT in {damages} places"),
        }
    }
}
