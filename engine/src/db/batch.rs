//! Atomic batches: writes that happen together or not at all, on conditions.
//!
//! ```text
//!   Batch::new().require("balance", Expected::At(sequence)).put("balance", "90").put("audit/7", "-10")
//!                └── compare ──────────────────────────────┘ └── and set ────────────────────────────┘
//! ```
//!
//! All preconditions look at the state before the batch. Of two writes to one key in a batch the later one holds. A batch
//! may span keyspaces: [`Batch::within`] says which one the calls behind it mean. Writes are encoded as they are added,
//! in the form in which the log will hold them.

use std::ops::Bound;

use bytes::Bytes;

use super::keyspace::{Keyspace, internal_key};
use crate::error::Error;
use crate::format::Sequence;
use crate::format::operation::{self, OperationRef};
use crate::limits::{MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::world::WallTime;

/// What a precondition expects of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It has no value.
    Absent,
    /// It has some value.
    Present,
    /// Its value is the one written at this sequence.
    At(Sequence),
    /// It was not written, deleted or re-created after this sequence. A live snapshot must hold it: without one, a key
    /// that nobody remembers counts as changed.
    UnchangedSince(Sequence),
}

/// A precondition. Keys are internal.
#[derive(Debug, Clone)]
pub(super) enum Requirement {
    /// About one key.
    Key { key: Bytes, expected: Expected },
    /// Nothing in the range was written or deleted after `since`.
    RangeUnchanged { start: Bytes, end: Bytes, since: Sequence },
}

/// Writes that are applied together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The operations as the log will hold them.
    encoded: Vec<u8>,
    count: u32,
    keyspace: Keyspace,
    pub(super) requirements: Vec<Requirement>,
    /// The first thing beyond a limit that was added: told when the batch is written.
    refused: Option<Error>,
    scratch: Vec<u8>,
}

impl Batch {
    /// No writes, no preconditions; keys mean the default keyspace.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keys given from now on mean this keyspace.
    #[must_use]
    pub fn within(mut self, keyspace: Keyspace) -> Self {
        self.keyspace = keyspace;
        self
    }

    /// Also writes `value` to `key`.
    #[must_use]
    pub fn put(mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.add_put(key.as_ref(), value.as_ref(), 0);
        self
    }

    /// Also writes `value` to `key`, which counts as deleted from `expires` on, as this node's wall clock tells.
    #[must_use]
    pub fn put_until(mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, expires: WallTime) -> Self {
        self.add_put(key.as_ref(), value.as_ref(), expires.micros.max(1));
        self
    }

    /// Also deletes `key`, whether it exists or not.
    #[must_use]
    pub fn delete(mut self, key: impl AsRef<[u8]>) -> Self {
        self.add_delete(key.as_ref());
        self
    }

    /// Also deletes every key from `start` on that is before `end` (every one behind `start` for `None`). An empty range
    /// deletes nothing.
    #[must_use]
    pub fn delete_range(mut self, start: impl AsRef<[u8]>, end: Option<&[u8]>) -> Self {
        let start = internal_key(self.keyspace, start.as_ref());
        let end = end.map_or_else(|| self.keyspace.end(), |end| internal_key(self.keyspace, end));
        if end > start {
            OperationRef::DeleteRange { start: &start, end: &end }.encode(&mut self.encoded);
            self.count += 1;
        }
        self
    }

    /// Only if `key` is as expected.
    #[must_use]
    pub fn require(mut self, key: impl AsRef<[u8]>, expected: Expected) -> Self {
        self.check_key(key.as_ref());
        let key = internal_key(self.keyspace, key.as_ref());
        self.requirements.push(Requirement::Key { key, expected });
        self
    }

    /// Only if nothing in the range was written or deleted after `since`. A live snapshot must hold it: without one, the
    /// range counts as changed.
    #[must_use]
    pub fn require_range(mut self, range: (Bound<Bytes>, Bound<Bytes>), since: Sequence) -> Self {
        let (start, end) = self.keyspace.range(&range);
        self.requirements.push(Requirement::RangeUnchanged { start, end, since });
        self
    }

    /// Adds a put in place; see [`Batch::put`].
    pub fn add_put(&mut self, key: &[u8], value: &[u8], expires_micros: u64) {
        self.check_key(key);
        if value.len() > MAX_VALUE_BYTES {
            self.refuse(Error::ValueTooLong { length_bytes: value.len() });
            return;
        }
        self.keyspace.write_internal_key(key, &mut self.scratch);
        OperationRef::Put { key: &self.scratch, value, expires_micros }.encode(&mut self.encoded);
        self.count += 1;
    }

    /// Adds a delete in place; see [`Batch::delete`].
    pub fn add_delete(&mut self, key: &[u8]) {
        self.check_key(key);
        self.keyspace.write_internal_key(key, &mut self.scratch);
        OperationRef::Delete { key: &self.scratch }.encode(&mut self.encoded);
        self.count += 1;
    }

    /// How many writes it has.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it writes nothing.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that the batch takes in the log; at most [`MAX_BATCH_BYTES`].
    pub fn encoded_bytes(&self) -> usize {
        operation::payload_bytes(self.count, self.encoded.len())
    }

    pub(super) fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Its writes, in order.
    pub(super) fn operations(&self) -> impl Iterator<Item = OperationRef<'_>> {
        operation::iterate(&self.encoded)
    }

    /// Refuses what is beyond the limits; returns the encoded bytes.
    pub(super) fn check(&self) -> Result<usize, Error> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        match self.encoded_bytes() {
            length_bytes if length_bytes > MAX_BATCH_BYTES => Err(Error::BatchTooLarge { length_bytes }),
            length_bytes => Ok(length_bytes),
        }
    }

    fn check_key(&mut self, key: &[u8]) {
        match key.len() {
            0 => self.refuse(Error::EmptyKey),
            1..=MAX_KEY_BYTES => {}
            length_bytes => self.refuse(Error::KeyTooLong { length_bytes }),
        }
    }

    fn refuse(&mut self, error: Error) {
        self.refused.get_or_insert(error);
    }
}
