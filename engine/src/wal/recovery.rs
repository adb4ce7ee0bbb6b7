//! Recovery: what of the log holds after a crash, and how the log is made fit for new writes.
//!
//! ```text
//!   read     all segments in order, changing nothing; corruption ends it here, with every byte where it was
//!   repair   1 copy the torn tail to `wal-N.log.tail-X.tmp`, sync, rename to `wal-N.log.tail-X`, sync the folder
//!            2 cut the segment at X, sync: everything recovered is durable before anything new is written
//!   then     a new segment begins, which says how long this one is: from now on that is proven
//! ```
//!
//! Every step may be the last before the next crash: the tail is complete before it is cut, an existing copy is never
//! replaced, and a repeated recovery finds either the state before a step or after it. A segment that tore before it
//! had begun holds nothing and is set aside whole.
//!
//! It does not mistrust the page cache: after a failed sync *and* a restart of the process alone, the kernel may show
//! bytes that never reached the disk (Rebello, ATC 2020).

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::judge::{ADVICE, Damage, Ending};
use super::names::{is_temporary, next_number, segment_name, segment_number, tail_name, temporary_path};
use super::reader::{Reader, Record};
use super::walk::{Chain, walk};
use crate::error::Error;
use crate::format::operation::OperationRef;
use crate::format::record::Body;
use crate::format::segment::Start;
use crate::format::{Fault, Sequence};
use crate::world::{Access, Directory, Disk, DiskError, DiskErrorKind, File};

const COPY_BYTES: usize = 1024 * 1024;

/// What opening a data directory found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The last write that was recovered; [`Sequence::ZERO`] when there is none.
    pub sequence: Sequence,
    /// Log segments that were read.
    pub segments: u64,
    /// Bytes of log that were read.
    pub log_bytes: u64,
    /// Tables that were opened.
    pub tables: u64,
    /// Whether the engine had been closed (or never used): then every write ever acknowledged is there, at any
    /// durability. Otherwise writes behind `sequence` may be missing that had been acknowledged without being durable.
    pub closed_cleanly: bool,
    /// The torn end of the log, if it had one: the usual trace of a crash in the middle of a write.
    pub torn_tail: Option<TornTail>,
}

/// The end of a log that a crash left unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: PathBuf,
    /// Where its readable part ends, in bytes; it was cut here. 0: the segment held nothing and was set aside whole.
    pub offset: u64,
    /// Bytes that were cut off.
    pub length: u64,
    /// What was wrong with them.
    pub fault: Fault,
    /// Where they are kept; `None` when they were all zero or there were none.
    pub kept_in: Option<PathBuf>,
    /// Writes from this sequence on may be missing. None of them had been acknowledged as durable, unless the disk
    /// lied.
    pub missing_from: Sequence,
}

/// Where the log begins that recovery must read: everything before it is in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogStart {
    /// The first segment.
    pub(crate) number: u32,
    /// What it says of its predecessor.
    pub(crate) previous: Start,
    /// The sequence of its first write.
    pub(crate) next_sequence: Sequence,
}

/// A log that was read whole.
#[derive(Debug)]
pub(crate) struct Log {
    /// The sequence of the next write.
    pub(crate) next_sequence: Sequence,
    /// The number of the next segment.
    pub(crate) next_number: u32,
    /// What the next segment says of its predecessor, once the log was repaired.
    pub(crate) start: Start,
    /// Segments that will be left, without the next.
    pub(crate) segments: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    segments_read: u64,
    bytes_read: u64,
    last: Option<(u32, Ending)>,
    temporaries: Vec<String>,
}

/// Reads the log of `directory`, whose content is `entries`, from `from` on (from its beginning without), and hands
/// every write to `visit`, in order. Changes nothing.
pub(crate) async fn read_log<D: Disk>(
    disk: &D,
    directory: &Path,
    entries: &Directory,
    from: Option<LogStart>,
    mut visit: impl FnMut(Sequence, OperationRef<'_>) + Send,
) -> Result<Log, Error> {
    let first = from.map_or(0, |from| from.number);
    let mut numbers: Vec<u32> = entries.iter().filter_map(|entry| segment_number(&entry.name)).collect();
    numbers.retain(|number| *number >= first);
    let mut chain = from.map_or(Chain::BEGINNING, |from| Chain::at(from.previous, from.next_sequence));
    if from.is_some() && numbers.first() != Some(&first) {
        let fault = Fault::SegmentMissing { length_bytes: 0 };
        return Err(corrupt(directory, Damage { number: first, offset: 0, length: 0, fault }));
    }
    let (mut bytes, mut bytes_read, mut last) = (0, 0, None);
    let mut visit_record = |record: Record| {
        if let Body::Batch(operations) = record.body {
            for (index, operation) in operations.iter().enumerate() {
                visit(record.header.first_sequence.plus(index as u64), operation);
            }
        }
    };
    for (index, number) in numbers.iter().enumerate() {
        let mut reader = Reader::open(disk, directory, *number).await?;
        let has_successor = index + 1 < numbers.len();
        let ending = walk(&mut reader, has_successor, &mut chain, &mut visit_record).await?;
        bytes_read += reader.file_bytes();
        bytes += match &ending {
            Ending::Whole { .. } => reader.file_bytes(),
            // The manifest was told of this segment after its beginning was synced.
            Ending::Torn { offset: 0, length, fault, .. } if from.is_some_and(|from| from.number == *number) => {
                let (length, fault) = ((*length).max(1), fault.clone());
                return Err(corrupt(directory, Damage { number: *number, offset: 0, length, fault }));
            }
            Ending::Torn { offset, .. } => *offset,
            Ending::Corrupt(damage) => return Err(corrupt(directory, damage.clone())),
        };
        last = Some((*number, ending));
    }
    let never_began = matches!(last, Some((_, Ending::Torn { offset: 0, .. })));
    let start = match last {
        Some((previous_number, Ending::Torn { offset, .. })) if !never_began => {
            Start { previous_number, previous_bytes: offset }
        }
        _ => chain.previous(),
    };
    Ok(Log {
        next_sequence: chain.next_sequence(),
        next_number: next_number(entries).ok_or_else(|| numbers_used_up(directory))?,
        start,
        segments: numbers.len() as u64 - u64::from(never_began),
        bytes,
        segments_read: numbers.len() as u64,
        bytes_read,
        last,
        temporaries: entries.iter().map(|entry| entry.name.clone()).filter(|name| is_temporary(name)).collect(),
    })
}

/// Makes everything that was recovered durable, and cuts off what was not. Nothing happens to a log without a last
/// segment.
pub(crate) async fn repair<D: Disk>(disk: &D, directory: &Path, log: &Log) -> Result<Recovery, Error> {
    for name in &log.temporaries {
        disk.remove(&directory.join(name)).await?;
    }
    if !log.temporaries.is_empty() {
        // Gone for good before another copy takes its name: else a power loss may keep the renaming alone, and half a copy
        // would pass for a whole one.
        disk.sync_dir(directory).await?;
    }
    let mut torn_tail = None;
    match &log.last {
        None => {}
        Some((_, Ending::Corrupt(damage))) => return Err(corrupt(directory, damage.clone())),
        Some((number, Ending::Whole { .. })) => {
            disk.open(&directory.join(segment_name(*number)), Access::Append).await?.sync().await?;
        }
        Some((number, Ending::Torn { offset, length, zeros, fault })) => {
            let file = directory.join(segment_name(*number));
            let tail = (!zeros).then(|| directory.join(tail_name(*number, *offset)));
            if *offset == 0 {
                set_aside_whole(disk, &file, tail.as_deref()).await?;
            } else {
                set_aside_tail(disk, directory, &file, *offset, tail.as_deref()).await?;
            }
            torn_tail = Some(TornTail {
                file,
                offset: *offset,
                length: *length,
                fault: fault.clone(),
                kept_in: tail,
                missing_from: log.next_sequence,
            });
        }
    }
    disk.sync_dir(directory).await?;
    Ok(Recovery { torn_tail, ..log.recovery() })
}

impl Log {
    /// What reading the log found, before anything was done about its end.
    pub(crate) fn recovery(&self) -> Recovery {
        Recovery {
            sequence: Sequence(self.next_sequence.0 - 1),
            segments: self.segments_read,
            log_bytes: self.bytes_read,
            tables: 0,
            closed_cleanly: matches!(&self.last, None | Some((_, Ending::Whole { sealed: true }))),
            torn_tail: None,
        }
    }
}

/// Takes a segment that never began out of the log: it becomes its own tail, or goes when there is nothing in it.
async fn set_aside_whole<D: Disk>(disk: &D, file: &Path, tail: Option<&Path>) -> Result<(), DiskError> {
    let Some(tail) = tail else { return disk.remove(file).await };
    disk.open(file, Access::Append).await?.sync().await?;
    disk.rename(file, tail).await
}

/// Copies what is behind `offset` to `tail`, unless an earlier recovery has, and cuts it off.
async fn set_aside_tail<D: Disk>(
    disk: &D,
    directory: &Path,
    file: &Path,
    offset: u64,
    tail: Option<&Path>,
) -> Result<(), DiskError> {
    let segment = disk.open(file, Access::Append).await?;
    if let Some(tail) = tail
        && !exists(disk, tail).await?
    {
        let temporary = temporary_path(tail);
        let copy = disk.create(&temporary).await?;
        let end = segment.len().await?;
        let mut position = offset;
        while position < end {
            let wanted = usize::try_from(end - position).unwrap_or(COPY_BYTES).min(COPY_BYTES);
            let chunk: Bytes = segment.read_at(position, wanted).await?;
            if chunk.is_empty() {
                return Err(DiskError::new(DiskErrorKind::InputOutput, "read", file));
            }
            position += chunk.len() as u64;
            copy.append(vec![chunk]).await?;
        }
        copy.sync().await?;
        disk.rename(&temporary, tail).await?;
    }
    // The copy's name must be durable before the original goes.
    disk.sync_dir(directory).await?;
    segment.truncate(offset).await?;
    segment.sync().await
}

async fn exists<D: Disk>(disk: &D, path: &Path) -> Result<bool, DiskError> {
    match disk.open(path, Access::Read).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind == DiskErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The error for a damaged range of the log in `directory`.
pub(crate) fn corrupt(directory: &Path, damage: Damage) -> Error {
    let Damage { number, offset, length, fault } = damage;
    Error::Corrupt { file: directory.join(segment_name(number)), offset, length, fault, advice: ADVICE }
}

fn numbers_used_up(directory: &Path) -> DiskError {
    let mut error = DiskError::new(DiskErrorKind::NoSpace, "create", directory);
    error.detail = "all 4,294,967,295 log numbers are used up; move the data to a new directory".to_string();
    error
}
