//! Atomic batches: writes that happen together or not at all, on conditions.
//!
//! ```text
//!   Batch::new().require("balance", Expected::At(sequence)).put("balance", "90").put("audit/7", "-10")
//!                └── compare ──────────────────────────────┘ └── and set ────────────────────────────┘
//! ```
//!
//! All preconditions look at the state before the batch. Of two writes to one key in a batch the later one holds.

use bytes::Bytes;

use crate::error::Error;
use crate::format::Sequence;
use crate::format::operation::{self, Operation};
use crate::limits::{MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// What a precondition expects of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It has no value.
    Absent,
    /// Its value is the one written at this sequence.
    At(Sequence),
}

/// Writes that are applied together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    pub(super) operations: Vec<Operation>,
    pub(super) requirements: Vec<(Bytes, Expected)>,
}

impl Batch {
    /// No writes, no preconditions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also writes `value` to `key`.
    #[must_use]
    pub fn put(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.push(key.as_ref(), Some(Bytes::copy_from_slice(value.as_ref())))
    }

    /// Also deletes `key`, whether it exists or not.
    #[must_use]
    pub fn delete(self, key: impl AsRef<[u8]>) -> Self {
        self.push(key.as_ref(), None)
    }

    /// Only if `key` is as expected.
    #[must_use]
    pub fn require(mut self, key: impl AsRef<[u8]>, expected: Expected) -> Self {
        self.requirements.push((Bytes::copy_from_slice(key.as_ref()), expected));
        self
    }

    /// Bytes that the batch takes in the log; at most [`MAX_BATCH_BYTES`].
    pub fn encoded_bytes(&self) -> usize {
        operation::encoded_bytes(&self.operations)
    }

    /// Refuses what is beyond the limits; returns the encoded bytes.
    pub(super) fn check(&self) -> Result<usize, Error> {
        let keys = self.operations.iter().map(|operation| &operation.key);
        for key in keys.chain(self.requirements.iter().map(|(key, _)| key)) {
            match key.len() {
                0 => return Err(Error::EmptyKey),
                1..=MAX_KEY_BYTES => {}
                length_bytes => return Err(Error::KeyTooLong { length_bytes }),
            }
        }
        for value in self.operations.iter().filter_map(|operation| operation.value.as_ref()) {
            if value.len() > MAX_VALUE_BYTES {
                return Err(Error::ValueTooLong { length_bytes: value.len() });
            }
        }
        match self.encoded_bytes() {
            length_bytes if length_bytes > MAX_BATCH_BYTES => Err(Error::BatchTooLarge { length_bytes }),
            length_bytes => Ok(length_bytes),
        }
    }

    fn push(mut self, key: &[u8], value: Option<Bytes>) -> Self {
        self.operations.push(Operation { key: Bytes::copy_from_slice(key), value });
        self
    }
}
