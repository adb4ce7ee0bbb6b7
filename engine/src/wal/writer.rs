//! Appends to the log. The committer owns the writer (`db::commit`); nothing but a crash cancels it.
//!
//! ```text
//!   append(group)   [rotate when the group does not fit]  encode all batches into one buffer ─▶ one append
//!   sync            what was appended is durable, and the next record says so
//!   rotate          sync ─▶ seal ─▶ sync ─▶ create next, its start says how long this one is ─▶ sync ─▶ sync_dir
//! ```
//!
//! After any error the writer is done for: what reached the disk is unknown, and the next sync might say "fine" about
//! bytes that are gone. It is dropped, and recovery decides.

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::names::segment_name;
use super::recovery::{Log, LogStart};
use crate::format::Sequence;
use crate::format::operation;
use crate::format::record::{self, HEADER_BYTES, Kind, Place};
use crate::format::segment::{self, BEGINNING_BYTES, Start};
use crate::world::{Disk, DiskError, DiskErrorKind, File};

/// An atomic batch, ready to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Append<'a> {
    /// The sequence of its first operation.
    pub(crate) first_sequence: Sequence,
    /// How many operations it has, at least one.
    pub(crate) count: u32,
    /// The operations, encoded.
    pub(crate) encoded: &'a [u8],
}

/// What a log has done since it was opened, and how large it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Segments there are.
    pub(crate) segments: u64,
    /// Bytes in them.
    pub(crate) bytes: u64,
    /// Bytes written since it was opened.
    pub(crate) bytes_written: u64,
    /// Appends of groups.
    pub(crate) appends: u64,
    /// Syncs of segments.
    pub(crate) syncs: u64,
}

/// The end of the log.
#[derive(Debug)]
pub(crate) struct Writer<D: Disk> {
    disk: D,
    directory: PathBuf,
    segment_bytes: u64,
    number: u32,
    file: D::File,
    length: u64,
    synced: u64,
    began: LogStart,
    counters: Counters,
}

impl<D: Disk> Writer<D> {
    /// Begins the next segment of `log`, which was repaired: it is durable whole. Segments are about `segment_bytes`
    /// long.
    pub(crate) async fn begin(disk: D, directory: PathBuf, segment_bytes: u64, log: &Log) -> Result<Self, DiskError> {
        let number = log.next_number;
        let (file, length) = create_segment(&disk, &directory, number, log.start, log.next_sequence).await?;
        let counters = Counters {
            segments: log.segments + 1,
            bytes: log.bytes + length,
            bytes_written: length,
            appends: 0,
            syncs: 1,
        };
        let began = LogStart { number, previous: log.start, next_sequence: log.next_sequence };
        Ok(Self { disk, directory, segment_bytes, number, file, length, synced: length, began, counters })
    }

    /// Appends a group of batches, each as one record. None of them is durable before [`Writer::sync`].
    pub(crate) async fn append(&mut self, group: &[Append<'_>]) -> Result<(), DiskError> {
        let Some(first) = group.first() else { return Ok(()) };
        let group_bytes: usize = group.iter().map(Append::record_bytes).sum();
        if self.length > BEGINNING_BYTES && self.length + group_bytes as u64 > self.segment_bytes {
            self.rotate(first.first_sequence).await?;
        }
        let mut buffer = BytesMut::with_capacity(group_bytes);
        for batch in group {
            assert!(batch.count > 0, "a batch without operations has no place in the log");
            let place = self.place(buffer.len());
            record::encode(&mut buffer, place, Kind::Batch, batch.first_sequence, self.synced, |buffer| {
                operation::put_payload(buffer, batch.count, batch.encoded);
            });
        }
        assert_eq!(buffer.len(), group_bytes, "a record took other bytes than announced");
        self.append_bytes(buffer.freeze()).await?;
        self.counters.appends += 1;
        Ok(())
    }

    /// Makes everything appended durable. Does nothing when it is.
    pub(crate) async fn sync(&mut self) -> Result<(), DiskError> {
        if self.is_synced() {
            return Ok(());
        }
        let length = self.length;
        self.file.sync().await?;
        self.synced = length;
        self.counters.syncs += 1;
        Ok(())
    }

    /// Whether everything appended is durable.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced == self.length
    }

    /// Ends the segment: everything in it is durable, and its last record says so.
    pub(crate) async fn seal(&mut self, next_sequence: Sequence) -> Result<(), DiskError> {
        self.sync().await?;
        let mut buffer = BytesMut::with_capacity(HEADER_BYTES);
        record::encode(&mut buffer, self.place(0), Kind::Seal, next_sequence, self.synced, |_| {});
        self.append_bytes(buffer.freeze()).await?;
        self.sync().await
    }

    /// How the present segment began: a log that is read from here on goes on where its predecessors ended.
    pub(crate) fn began(&self) -> LogStart {
        self.began
    }

    /// What was done so far.
    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    /// Ends the segment and begins the next, which the caller's next write will be in.
    pub(crate) async fn rotate(&mut self, next_sequence: Sequence) -> Result<(), DiskError> {
        self.seal(next_sequence).await?;
        let number = self.number.checked_add(1).ok_or_else(|| self.error("create", "all log numbers are used up"))?;
        let start = Start { previous_number: self.number, previous_bytes: self.length };
        let (file, length) = create_segment(&self.disk, &self.directory, number, start, next_sequence).await?;
        (self.number, self.file, self.length, self.synced) = (number, file, length, length);
        self.began = LogStart { number, previous: start, next_sequence };
        self.counters.segments += 1;
        self.counters.bytes += length;
        self.counters.bytes_written += length;
        self.counters.syncs += 1;
        Ok(())
    }

    async fn append_bytes(&mut self, bytes: Bytes) -> Result<(), DiskError> {
        let appended = bytes.len() as u64;
        let offset = self.file.append(vec![bytes]).await?;
        if offset != self.length {
            // Checksums are seeded with the offset: these records would be unreadable.
            return Err(self.error("append", "somebody else wrote to the log"));
        }
        self.length += appended;
        self.counters.bytes += appended;
        self.counters.bytes_written += appended;
        Ok(())
    }

    fn place(&self, bytes_before: usize) -> Place {
        Place { log_number: self.number, offset: self.length + bytes_before as u64 }
    }

    fn error(&self, operation: &'static str, detail: &str) -> DiskError {
        let path = self.directory.join(segment_name(self.number));
        let mut error = DiskError::new(DiskErrorKind::InputOutput, operation, &path);
        error.detail = detail.to_string();
        error
    }
}

impl Append<'_> {
    /// Bytes that its record takes.
    fn record_bytes(&self) -> usize {
        HEADER_BYTES + operation::payload_bytes(self.count, self.encoded.len())
    }
}

/// Makes a log that holds nothing and goes on where another one ended.
pub(crate) async fn begin_empty<D: Disk>(disk: &D, directory: &Path, log: LogStart) -> Result<(), DiskError> {
    create_segment(disk, directory, log.number, log.previous, log.next_sequence).await.map(|_segment| ())
}

/// Creates a segment that is durable with its name and its beginning. Its predecessor must be durable whole.
async fn create_segment<D: Disk>(
    disk: &D,
    directory: &Path,
    number: u32,
    start: Start,
    next_sequence: Sequence,
) -> Result<(D::File, u64), DiskError> {
    let beginning = segment::encode_beginning(number, start, next_sequence);
    let length = beginning.len() as u64;
    let file = disk.create(&directory.join(segment_name(number))).await?;
    file.append(vec![beginning]).await?;
    file.sync().await?;
    disk.sync_dir(directory).await?;
    Ok((file, length))
}
