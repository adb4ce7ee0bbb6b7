//! Reads one log file, record after record, in bounded memory, and gathers evidence where it cannot go on.
//!
//! ```text
//!   file     ═══════════════════════════════════════════
//!   window          [·········]                            256 KiB, or one record when that is longer
//!   position            ▲
//! ```
//!
//! The length is taken once, when the file is opened: on a file in use, reading ends there. The end of the log is where
//! the bytes end, never where reading fails: a failed read is an error (RocksDB once took one for the end, and lost
//! what followed).

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::judge::Evidence;
use super::names::segment_name;
use crate::error::Error;
use crate::format::Fault;
use crate::format::record::{Body, HEADER_BYTES, Header, Place};
use crate::format::segment::{self, BEGINNING_BYTES, FORMAT_VERSION, PREAMBLE_BYTES, WAL_MAGIC};
use crate::world::{Access, Disk, DiskError, DiskErrorKind, File};

const WINDOW_BYTES: usize = 256 * 1024;

/// A valid record.
#[derive(Debug)]
pub(crate) struct Record {
    /// Where its header begins.
    pub(crate) offset: u64,
    /// Its header.
    pub(crate) header: Header,
    /// What it says. The operations share the buffer of the whole record.
    pub(crate) body: Body,
}

/// What is found at the reader's position.
#[derive(Debug)]
pub(crate) enum Step {
    /// A record; the position is now behind it.
    Record(Record),
    /// The end of the file.
    End,
    /// Bytes that are no valid record; the position stays in front of them.
    Unreadable(Fault),
}

/// A reader of one segment.
#[derive(Debug)]
pub(crate) struct Reader<F> {
    file: F,
    path: PathBuf,
    number: u32,
    /// The format that the preamble says.
    version: u32,
    file_bytes: u64,
    position: u64,
    window: Bytes,
    window_offset: u64,
}

impl<F: File> Reader<F> {
    /// Opens segment `number` of `directory`.
    pub(crate) async fn open<D: Disk<File = F>>(disk: &D, directory: &Path, number: u32) -> Result<Self, DiskError> {
        Self::open_file(disk, directory.join(segment_name(number)), number).await
    }

    /// Opens a segment by its path.
    pub(crate) async fn open_file<D: Disk<File = F>>(disk: &D, path: PathBuf, number: u32) -> Result<Self, DiskError> {
        let file = disk.open(&path, Access::Read).await?;
        let file_bytes = file.len().await?;
        let version = FORMAT_VERSION;
        Ok(Self { file, path, number, version, file_bytes, position: 0, window: Bytes::new(), window_offset: 0 })
    }

    /// The number of the segment.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// The length of the file when it was opened.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Whether nothing was read yet.
    pub(crate) fn is_at_the_beginning(&self) -> bool {
        self.position == 0
    }

    /// Where the next record begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Goes on behind a damaged range; false when nothing is left there.
    pub(crate) fn skip_to(&mut self, offset: u64) -> bool {
        self.position = self.position.max(offset);
        self.position < self.file_bytes
    }

    /// Reads what is at the position.
    pub(crate) async fn step(&mut self) -> Result<Step, Error> {
        if self.position == 0 {
            let head = self.read(0, PREAMBLE_BYTES.min(self.remaining())).await?;
            match segment::decode_preamble(WAL_MAGIC, self.number, &head) {
                Err(fault) => return Ok(Step::Unreadable(fault)),
                Ok(version @ 1..=FORMAT_VERSION) => {
                    self.version = version;
                    self.position = PREAMBLE_BYTES as u64;
                }
                Ok(found) => {
                    let path = self.path.clone();
                    return Err(Error::NewerFormat { path, found, supported: FORMAT_VERSION });
                }
            }
        } else if self.remaining() == 0 {
            return Ok(Step::End);
        }
        let (offset, available) = (self.position, self.remaining());
        if available < HEADER_BYTES {
            let (available, needed) = (available as u64, HEADER_BYTES as u64);
            return Ok(Step::Unreadable(Fault::ShortHeader { available, needed }));
        }
        let checked = self.record_at(offset).await?;
        let place = self.place(offset);
        match checked.and_then(|(header, payload)| Ok((header, header.body(&payload, place, self.version)?))) {
            Err(fault) => Ok(Step::Unreadable(fault)),
            Ok((header, body)) => {
                self.position += header.record_bytes();
                Ok(Step::Record(Record { offset, header, body }))
            }
        }
    }

    /// Gathers what the file itself says about the unreadable bytes at the position.
    pub(crate) async fn evidence(&mut self, fault: Fault, has_successor: bool) -> Result<Evidence, Error> {
        let offset = self.position;
        // A segment that never began is judged as a whole.
        let zeros = self.is_zero_from(if offset < BEGINNING_BYTES { 0 } else { offset }).await?;
        let mut evidence = Evidence {
            offset,
            file_bytes: self.file_bytes,
            fault,
            has_successor,
            proven_by_record: false,
            next_record: None,
            zeros,
        };
        if zeros {
            return Ok(evidence);
        }
        let mut from = offset + 1;
        while from + HEADER_BYTES as u64 <= self.file_bytes && !evidence.proven_by_record {
            let length = WINDOW_BYTES.min(usize_of(self.file_bytes - from));
            let chunk = self.read(from, length).await?;
            for candidate in plausible_headers(&chunk, self.place(from), self.file_bytes) {
                if let Ok((header, _)) = self.record_at(candidate).await? {
                    evidence.next_record.get_or_insert(candidate);
                    evidence.proven_by_record |= header.synced_offset > offset;
                }
            }
            from += (length - HEADER_BYTES + 1) as u64;
        }
        Ok(evidence)
    }

    async fn is_zero_from(&mut self, mut offset: u64) -> Result<bool, DiskError> {
        while offset < self.file_bytes {
            let chunk = self.read(offset, WINDOW_BYTES.min(usize_of(self.file_bytes - offset))).await?;
            if chunk.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            offset += chunk.len() as u64;
        }
        Ok(true)
    }

    /// Header and payload of the record at `offset`, if its length is possible and its checksum holds. At least a
    /// header's bytes must be there.
    async fn record_at(&mut self, offset: u64) -> Result<Result<(Header, Bytes), Fault>, DiskError> {
        let head = header_bytes(&self.read(offset, HEADER_BYTES).await?);
        let header = Header::read(&head);
        let available = self.file_bytes - offset - HEADER_BYTES as u64;
        if let Err(fault) = header.check_length(&head, available) {
            return Ok(Err(fault));
        }
        let payload = self.read(offset + HEADER_BYTES as u64, header.payload_bytes as usize).await?;
        Ok(header.check_sum(&head, &payload, self.place(offset)).map(|()| (header, payload)))
    }

    /// Exactly `length` bytes at `offset`, which must be within the file.
    async fn read(&mut self, offset: u64, length: usize) -> Result<Bytes, DiskError> {
        let end = offset + length as u64;
        assert!(end <= self.file_bytes, "the reader looked behind the end of the file");
        if offset < self.window_offset || end > self.window_offset + self.window.len() as u64 {
            let wanted = length.max(WINDOW_BYTES).min(usize_of(self.file_bytes - offset));
            self.window = self.fill(offset, wanted).await?;
            self.window_offset = offset;
        }
        let start = usize_of(offset - self.window_offset);
        Ok(self.window.slice(start..start + length))
    }

    async fn fill(&self, offset: u64, wanted: usize) -> Result<Bytes, DiskError> {
        let first = self.file.read_at(offset, wanted).await?;
        if first.len() == wanted {
            return Ok(first);
        }
        let mut filled = BytesMut::from(&first[..]);
        while filled.len() < wanted {
            let more = self.file.read_at(offset + filled.len() as u64, wanted - filled.len()).await?;
            if more.is_empty() {
                let mut error = DiskError::new(DiskErrorKind::InputOutput, "read", &self.path);
                error.detail = format!("the file became shorter than {} bytes while it was read", self.file_bytes);
                return Err(error);
            }
            filled.extend_from_slice(&more);
        }
        Ok(filled.freeze())
    }

    fn place(&self, offset: u64) -> Place {
        Place { log_number: self.number, offset }
    }

    fn remaining(&self) -> usize {
        usize_of(self.file_bytes - self.position)
    }
}

/// The places in `chunk`, which begins at `start`, where a header of this file could stand.
fn plausible_headers(chunk: &Bytes, start: Place, file_bytes: u64) -> impl Iterator<Item = u64> + Send + '_ {
    chunk.windows(HEADER_BYTES).enumerate().filter_map(move |(index, window)| {
        let place = Place { offset: start.offset + index as u64, ..start };
        let available = file_bytes - place.offset - HEADER_BYTES as u64;
        Header::read(&header_bytes(window)).is_plausible(place, available).then_some(place.offset)
    })
}

fn header_bytes(bytes: &[u8]) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header.copy_from_slice(bytes);
    header
}

fn usize_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
