//! A change stream: every write from a sequence on, in order, read from the log.
//!
//! ```text
//!   wal-7 (kept for streams)  wal-8  wal-9 (being written)
//!          └ next() ─▶ changes ─▶ changes ─▶ none yet ─▶ ...      up to what is published
//! ```
//!
//! The log is kept as long as recovery needs it, and for `Options::change_retention_bytes` beyond. A stream that asks for
//! what is gone is told so: read everything once, and follow from the snapshot's sequence.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::core::{Core, FileOf};
use super::keyspace::{Keyspace, user_key};
use crate::error::Error;
use crate::format::Sequence;
use crate::format::operation::OperationRef;
use crate::format::record::Body;
use crate::wal::{self, Reader, Record, Step};
use crate::world::{Disk, DiskErrorKind, World};

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub sequence: Sequence,
    /// In which keyspace.
    pub keyspace: Keyspace,
    /// What.
    pub what: ChangeKind,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// A value.
    Put {
        /// The key.
        key: Bytes,
        /// The value.
        value: Bytes,
        /// From when on it counts as deleted, in wall microseconds; 0 for never.
        expires_micros: u64,
    },
    /// A deletion.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// A deletion of a range.
    DeleteRange {
        /// The first key.
        start: Bytes,
        /// The first key behind it; `None` for the keyspace's end.
        end: Option<Bytes>,
    },
}

/// A segment's number, its reader while one is open, and where in it the next record begins.
type Reading<F> = (u32, Option<Reader<F>>, u64);

/// A place in the log from which changes are read.
pub struct Changes<W: World> {
    core: Arc<Core<W>>,
    next: Sequence,
    /// The segment that is being read, and where in it.
    reading: Option<Reading<FileOf<W>>>,
    /// Whether its reader was opened by this call of `next`, and so sees all that is published.
    is_fresh: bool,
}

impl<W: World> Changes<W> {
    pub(super) fn new(core: Arc<Core<W>>, from: Sequence) -> Self {
        Self { core, next: from.max(Sequence(1)), reading: None, is_fresh: false }
    }

    /// The sequence of the next change.
    pub fn position(&self) -> Sequence {
        self.next
    }

    /// The next changes, whole batches, about `most` of them; none when there are none yet.
    ///
    /// # Errors
    ///
    /// `ChangesGone`: the log from here on is not kept any more. `Corrupt`, `Disk`, `Closed`.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Change>, Error> {
        self.core.check_open()?;
        let published = self.core.published();
        self.is_fresh = false;
        let mut changes = Vec::new();
        while self.next <= published && changes.len() < most {
            if self.reading.is_none() {
                self.find().await?;
            }
            let Some(record) = self.record().await? else { return Ok(changes) };
            if let Body::Batch(operations) = record.body {
                let first = record.header.first_sequence;
                let wanted = operations.iter().enumerate().filter(|(index, _)| first.plus(*index as u64) >= self.next);
                changes.extend(wanted.map(|(index, operation)| change(first.plus(index as u64), &operation)));
                self.next = self.next.max(first.plus(operations.len()));
            }
        }
        Ok(changes)
    }

    /// Finds the segment that holds the next change: the last that does not begin behind it.
    async fn find(&mut self) -> Result<(), Error> {
        let (disk, directory) = (self.core.world.disk(), &self.core.directory);
        let oldest_kept = self.core.counters.oldest_segment.load(Ordering::Relaxed);
        let entries = disk.list(directory).await?;
        let numbers = entries.iter().filter_map(|entry| wal::segment_number(&entry.name));
        let mut oldest = None;
        let mut found = None;
        for number in numbers.filter(|number| u64::from(*number) >= oldest_kept) {
            let mut reader = match Reader::open(disk, directory, number).await {
                Ok(reader) => reader,
                // Removed while we looked.
                Err(error) if error.kind == DiskErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let Step::Record(start) = reader.step().await? else { break };
            oldest.get_or_insert(start.header.first_sequence);
            if start.header.first_sequence > self.next {
                break;
            }
            let position = reader.position();
            found = Some((number, Some(reader), position));
        }
        let oldest = oldest.unwrap_or(self.core.published());
        self.reading = Some(found.ok_or(Error::ChangesGone { from: self.next, oldest })?);
        self.is_fresh = true;
        Ok(())
    }

    /// The next record, which is published; `None` when the log does not have it.
    async fn record(&mut self) -> Result<Option<Record>, Error> {
        loop {
            let Some((number, reader, position)) = &mut self.reading else { return Ok(None) };
            let Some(reader) = reader else {
                self.reopen().await?;
                continue;
            };
            match reader.step().await? {
                Step::Record(record) if matches!(record.body, Body::Seal) => {
                    self.reading = Some((*number + 1, None, 0))
                }
                Step::Record(record) => {
                    *position = reader.position();
                    return Ok(Some(record));
                }
                // What an older reader does not see may be there by now.
                Step::End | Step::Unreadable(_) if !self.is_fresh => self.reading = Some((*number, None, *position)),
                // The segment was not sealed: the engine had not been closed. A later one goes on.
                Step::End => {
                    let ended = *number;
                    self.find().await?;
                    if self.reading.as_ref().is_none_or(|(found, _, _)| *found <= ended) {
                        return Ok(None);
                    }
                }
                Step::Unreadable(fault) => {
                    let (file, offset) = (self.core.directory.join(wal::segment_name(*number)), *position);
                    return Err(Error::Corrupt { file, offset, length: 0, fault, advice: wal::ADVICE });
                }
            }
        }
    }

    /// Opens the segment that is read where it was left.
    async fn reopen(&mut self) -> Result<(), Error> {
        let Some((number, _, position)) = self.reading.take() else { return Ok(()) };
        match Reader::open(self.core.world.disk(), &self.core.directory, number).await {
            Ok(mut opened) => {
                if position > 0 {
                    // The beginning says in which format the rest is.
                    opened.step().await?;
                    opened.skip_to(position);
                }
                self.is_fresh = true;
                self.reading = Some((number, Some(opened), position));
                Ok(())
            }
            // Removed, or a number that was skipped.
            Err(error) if error.kind == DiskErrorKind::NotFound => self.find().await,
            Err(error) => Err(error.into()),
        }
    }
}

fn change(sequence: Sequence, operation: &OperationRef<'_>) -> Change {
    let split = |internal: &[u8]| {
        let internal = Bytes::copy_from_slice(internal);
        let number = internal.first_chunk().map_or(0, |number| u16::from_be_bytes(*number));
        (Keyspace(number), user_key(&internal))
    };
    let (keyspace, what) = match *operation {
        OperationRef::Put { key, value, expires_micros } => {
            let ((keyspace, key), value) = (split(key), Bytes::copy_from_slice(value));
            (keyspace, ChangeKind::Put { key, value, expires_micros })
        }
        OperationRef::Delete { key } => {
            let (keyspace, key) = split(key);
            (keyspace, ChangeKind::Delete { key })
        }
        OperationRef::DeleteRange { start, end } => {
            let ((keyspace, start), (of_end, end)) = (split(start), split(end));
            let end = (of_end == keyspace).then_some(end);
            (keyspace, ChangeKind::DeleteRange { start, end })
        }
    };
    Change { sequence, keyspace, what }
}
