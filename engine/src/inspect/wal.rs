//! A dump of the write-ahead log, line by line, in bounded memory.
//!
//! ```text
//!   wal-00000000000000000001.log, 171 bytes
//!       offset    sequence  operation  value bytes      synced  key
//!           16           1  start                            0  (no segment before it)
//!           60           1  put                  5          60  storm
//!          139           2  seal                           139
//!   CORRUPT at offset 60, 79 bytes: bad checksum: stored 0x9f3c11d2, computed 0x51a0b7e4
//! ```
//!
//! It sees what recovery sees: both read through `wal::walk`. Behind damage it goes on with the next whole record,
//! without holding that one against what is missing.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::Error;
use crate::format::operation::OperationRef;
use crate::format::record::Body;
use crate::format::segment::is_segment;
use crate::format::{Fault, Sequence};
use crate::version::{VersionState, manifest_name, read_current};
use crate::wal::{ADVICE, Chain, Damage, Ending, LogStart, Reader, Record, segment_name, segment_number, walk};
use crate::world::{Disk, DiskErrorKind, File};

const TORN_ADVICE: &str = "nothing to do: opening keeps these bytes aside and cuts them off (in a directory in use it may be a write in \
                           progress)";

/// What a row of the dump shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// The first record of a segment.
    Start,
    /// A value was written.
    Put,
    /// A key was deleted.
    Delete,
    /// A range of keys was deleted.
    DeleteRange,
    /// The segment was ended on purpose.
    Seal,
}

/// One operation, or a record without operations. Rows with the same offset are one atomic batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Where the record begins in its file.
    pub offset: u64,
    /// Bytes of the record.
    pub record_bytes: u64,
    /// The sequence of the operation; of the next one, for a record without.
    pub sequence: Sequence,
    /// What it is.
    pub operation: RowKind,
    /// The key, as the caller names keys; for a start, its predecessor.
    pub key: String,
    /// Bytes of the value.
    pub value_bytes: Option<u64>,
    /// How much of the file was known synced when the record was written.
    pub synced_offset: u64,
}

/// Whether damage is the trace of a crash or of a failing disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing proves these bytes synced: a torn write, which opening cuts off.
    TornTail,
    /// They had been synced, or contradict the log: opening refuses.
    Corrupt,
}

/// A line of the dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum WalLine {
    /// A file begins.
    Segment {
        /// Its path.
        file: PathBuf,
        /// Its length.
        length_bytes: u64,
    },
    /// A record or an operation of it.
    Row(Row),
    /// Bytes that cannot be read.
    Damage {
        /// The file.
        file: PathBuf,
        /// Where they begin.
        offset: u64,
        /// How many, up to the next whole record or the end.
        length_bytes: u64,
        /// What is wrong.
        what: String,
        /// Torn or corrupt.
        verdict: Verdict,
        /// What to do.
        advice: &'static str,
    },
}

/// The end of the dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WalSummary {
    /// Segments that were read.
    pub segments: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Atomic batches.
    pub batches: u64,
    /// Values written.
    pub puts: u64,
    /// Keys deleted.
    pub deletes: u64,
    /// The first sequence.
    pub first_sequence: Option<Sequence>,
    /// The last sequence.
    pub last_sequence: Option<Sequence>,
    /// Whether the log ends with a seal: the engine was closed.
    pub closed_cleanly: bool,
    /// Whether its end is torn.
    pub torn_tail: bool,
    /// Damaged ranges that make opening refuse.
    pub corruptions: u64,
}

/// A key as it is: printable ASCII, other bytes escaped. For callers of [`wal`] whose keys have no inner layout.
pub fn escaped_key(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}

/// An internal key as people know it: the user's key, behind the number of its keyspace unless that is the default.
pub(super) fn readable(internal: &[u8], name_key: fn(&[u8]) -> String) -> String {
    let Some((keyspace, key)) = internal.split_first_chunk::<2>() else { return name_key(internal) };
    match u16::from_be_bytes(*keyspace) {
        0 => name_key(key),
        number => format!("keyspace {number}: {}", name_key(key)),
    }
}

/// Dumps one segment, or all segments of a data directory, to `sink`. A single segment is judged without its
/// neighbours. `name_key` makes a key readable: the engine does not know what its users' keys are made of.
///
/// # Errors
///
/// `Disk` when reading fails, `NewerFormat`. Damage is no error: it is what the dump is for.
pub async fn wal<D: Disk>(
    disk: &D,
    path: &Path,
    name_key: fn(&[u8]) -> String,
    mut sink: impl FnMut(WalLine) + Send,
) -> Result<WalSummary, Error> {
    let entries = match disk.list(path).await {
        Ok(entries) => entries,
        Err(error) if error.kind == DiskErrorKind::NotADirectory => {
            let mut dump = Dump::new(&mut sink, name_key, Chain::UNKNOWN);
            let reader = open_single(disk, path).await?;
            dump.segment(reader, path, false).await?;
            return Ok(dump.summary);
        }
        Err(error) => return Err(error.into()),
    };
    let numbers: Vec<u32> = entries.iter().filter_map(|entry| segment_number(&entry.name)).collect();
    let (chain, needed) = beginning(disk, path).await?;
    let mut dump = Dump::new(&mut sink, name_key, chain);
    let is_missing = |needed: &LogStart| !numbers.contains(&needed.number);
    let missing = needed.filter(is_missing);
    if let Some(LogStart { number, .. }) = missing {
        dump.summary.corruptions += 1;
        let fault = Fault::SegmentMissing { length_bytes: 0 };
        dump.damage(path.join(segment_name(number)), (0, 0), &fault, Verdict::Corrupt);
    }
    for (index, number) in numbers.iter().enumerate() {
        if let Some(needed) = needed.filter(|needed| needed.number == *number) {
            dump.chain = Chain::at(needed.previous, needed.next_sequence);
        }
        let reader = Reader::open(disk, path, *number).await?;
        dump.segment(reader, &path.join(segment_name(*number)), index + 1 < numbers.len()).await?;
    }
    Ok(dump.summary)
}

/// In front of which chain the segments of a data directory stand, and where the log begins that recovery needs. With
/// tables beside it a log does not begin at the beginning any more: the manifest says where. Nothing is known when that
/// cannot be read.
async fn beginning<D: Disk>(disk: &D, directory: &Path) -> Result<(Chain, Option<LogStart>), Error> {
    let content = match read_current(disk, directory).await {
        Ok(None) => return Ok((Chain::BEGINNING, None)),
        Ok(Some(content)) => content,
        Err(Error::Disk(error)) => return Err(error.into()),
        Err(_) => return Ok((Chain::UNKNOWN, None)),
    };
    let state = VersionState::of(&content, &directory.join(manifest_name(content.number)));
    Ok((Chain::UNKNOWN, state.ok().and_then(|state| state.log)))
}

/// Opens a segment that may be a copy under any name: its number is then the one that its first record claims.
async fn open_single<D: Disk>(disk: &D, path: &Path) -> Result<Reader<D::File>, Error> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let number = match segment_number(&name) {
        Some(number) => number,
        None => {
            let file = disk.open(path, crate::world::Access::Read).await?;
            let beginning = file.read_at(0, 32).await?;
            if !is_segment(&beginning) {
                return Err(Error::NotALog { path: path.to_path_buf() });
            }
            beginning.iter().skip(28).rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
        }
    };
    Ok(Reader::open_file(disk, path.to_path_buf(), number).await?)
}

struct Dump<'a, S> {
    sink: &'a mut S,
    name_key: fn(&[u8]) -> String,
    chain: Chain,
    summary: WalSummary,
}

impl<'a, S: FnMut(WalLine) + Send> Dump<'a, S> {
    fn new(sink: &'a mut S, name_key: fn(&[u8]) -> String, chain: Chain) -> Self {
        Self { sink, name_key, chain, summary: WalSummary::default() }
    }

    async fn segment<F: File>(&mut self, mut reader: Reader<F>, file: &Path, has_successor: bool) -> Result<(), Error> {
        let length_bytes = reader.file_bytes();
        self.summary.segments += 1;
        self.summary.bytes += length_bytes;
        (self.sink)(WalLine::Segment { file: file.to_path_buf(), length_bytes });
        loop {
            let Self { sink, name_key, chain, summary } = self;
            let mut show = |record: Record| show_record(record, *name_key, summary, *sink);
            match walk(&mut reader, has_successor, chain, &mut show).await? {
                Ending::Whole { sealed } => {
                    summary.closed_cleanly = sealed;
                    return Ok(());
                }
                Ending::Torn { offset, length, fault, .. } => {
                    summary.torn_tail = true;
                    summary.closed_cleanly = false;
                    self.damage(file.to_path_buf(), (offset, length), &fault, Verdict::TornTail);
                    return Ok(());
                }
                Ending::Corrupt(Damage { number, offset, length, fault }) => {
                    summary.corruptions += 1;
                    summary.closed_cleanly = false;
                    *chain = Chain::UNKNOWN;
                    // The damage may be the predecessor's: this segment then goes on where it was.
                    let is_here = number == reader.number();
                    let damaged = if is_here { file.to_path_buf() } else { file.with_file_name(segment_name(number)) };
                    self.damage(damaged, (offset, length), &fault, Verdict::Corrupt);
                    if !reader.skip_to(if is_here { offset + length } else { 0 }) {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn damage(&mut self, file: PathBuf, (offset, length_bytes): (u64, u64), fault: &Fault, verdict: Verdict) {
        let advice = match verdict {
            Verdict::TornTail => TORN_ADVICE,
            Verdict::Corrupt => ADVICE,
        };
        (self.sink)(WalLine::Damage { file, offset, length_bytes, what: fault.to_string(), verdict, advice });
    }
}

fn show_record(
    record: Record,
    name_key: fn(&[u8]) -> String,
    summary: &mut WalSummary,
    sink: &mut impl FnMut(WalLine),
) {
    let Record { offset, header, body } = record;
    let row = |index: usize, operation, key, value_bytes| {
        WalLine::Row(Row {
            offset,
            record_bytes: header.record_bytes(),
            sequence: header.first_sequence.plus(index as u64),
            operation,
            key,
            value_bytes,
            synced_offset: header.synced_offset,
        })
    };
    match body {
        Body::SegmentStart(start) if start.previous_number == 0 => {
            sink(row(0, RowKind::Start, "(no segment before it)".to_string(), None));
        }
        Body::SegmentStart(start) => {
            let previous = segment_name(start.previous_number);
            sink(row(0, RowKind::Start, format!("(after {previous}, {} bytes)", start.previous_bytes), None));
        }
        Body::Seal | Body::Edit(_) => sink(row(0, RowKind::Seal, String::new(), None)),
        Body::Batch(operations) => {
            summary.batches += 1;
            summary.first_sequence.get_or_insert(header.first_sequence);
            summary.last_sequence = Some(header.first_sequence.plus(operations.len() - 1));
            for (index, operation) in operations.iter().enumerate() {
                match operation {
                    OperationRef::Put { key, value, .. } => {
                        summary.puts += 1;
                        sink(row(index, RowKind::Put, readable(key, name_key), Some(value.len() as u64)));
                    }
                    OperationRef::Delete { key } => {
                        summary.deletes += 1;
                        sink(row(index, RowKind::Delete, readable(key, name_key), None));
                    }
                    OperationRef::DeleteRange { start, end } => {
                        summary.deletes += 1;
                        let range = format!("{} to {}", readable(start, name_key), readable(end, name_key));
                        sink(row(index, RowKind::DeleteRange, range, None));
                    }
                }
            }
        }
    }
}

impl fmt::Display for RowKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Start => "start",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::DeleteRange => "del range",
            Self::Seal => "seal",
        })
    }
}

impl fmt::Display for WalLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment { file, length_bytes } => {
                writeln!(formatter, "{}, {length_bytes} bytes", file.display())?;
                write!(
                    formatter,
                    "{:>12}{:>12}  {:<9}{:>13}{:>12}  key",
                    "offset", "sequence", "operation", "value bytes", "synced"
                )
            }
            Self::Row(row) => {
                let value_bytes = row.value_bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
                let Row { offset, sequence, operation, key, synced_offset, .. } = row;
                let line = format!(
                    "{offset:>12}{:>12}  {operation:<9}{value_bytes:>13}{synced_offset:>12}  {key}",
                    sequence.0
                );
                formatter.write_str(line.trim_end())
            }
            Self::Damage { file, offset, length_bytes, what, verdict, advice } => {
                let verdict = match verdict {
                    Verdict::TornTail => "torn tail",
                    Verdict::Corrupt => "CORRUPT",
                };
                let file = file.display();
                write!(formatter, "{verdict} in {file} at offset {offset}, {length_bytes} bytes: {what}\n  {advice}")
            }
        }
    }
}

impl fmt::Display for WalSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segments, bytes, batches, puts, deletes, .. } = self;
        write!(formatter, "{segments} segments, {bytes} bytes, {batches} batches, {puts} puts, {deletes} deletes")?;
        if let (Some(first), Some(last)) = (self.first_sequence, self.last_sequence) {
            write!(formatter, ", sequences {first} to {last}")?;
        }
        formatter.write_str(match self {
            Self { corruptions: 1.., .. } => "; CORRUPT: opening refuses",
            Self { torn_tail: true, .. } => "; torn tail: opening cuts it off",
            Self { closed_cleanly: true, .. } => "; closed cleanly",
            _ => "; not closed",
        })
    }
}
