//! The framing of every log: a 32-byte header in front of each payload.
//!
//! ```text
//!    0          4          8     9        12         16                  24                  32
//!   ┌──────────┬──────────┬─────┬────────┬──────────┬───────────────────┬───────────────────┬─────────┐
//!   │ checksum │ length   │type │ zeros  │ log      │ first sequence    │ synced offset     │ payload │
//!   │ u32      │ u32      │ u8  │ 3      │ number   │ u64               │ u64               │ length  │
//!   └──────────┴──────────┴─────┴────────┴──────────┴───────────────────┴───────────────────┴─────────┘
//!               └─────────────── checksummed, seeded with log number and the record's offset ─────────┘
//! ```
//!
//! The synced offset says how many bytes of this file were known to be synced when the record was written. A valid
//! record is therefore a witness: what lies before its synced offset had reached the disk, so damage there is
//! corruption and not a torn write. The first sequence is that of the payload's first operation; a record without
//! operations carries the sequence that comes next.

use bytes::{BufMut, Bytes, BytesMut};

use super::checksum::Checksum;
use super::operation::Sequence;
use super::{Fault, operation, segment};
use crate::limits::MAX_BATCH_BYTES;

/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = 32;

/// What a record's payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first record of every file: [`segment::Start`].
    SegmentStart = 1,
    /// An atomic batch of writes.
    Batch = 2,
    /// The last record of a file that was ended on purpose: everything before it is synced. No payload.
    Seal = 3,
    /// A change of the manifest; only in manifests. Its payload is `format::edit`'s.
    Edit = 4,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of its file.
    pub(crate) log_number: u32,
    /// The offset of its header in the file.
    pub(crate) offset: u64,
}

/// A header whose fields were read and not yet believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    checksum: u32,
    /// Bytes of payload behind the header.
    pub(crate) payload_bytes: u32,
    kind: u8,
    reserved: [u8; 3],
    log_number: u32,
    /// The sequence of the first operation.
    pub(crate) first_sequence: Sequence,
    /// Bytes of the file that were known synced when the record was written.
    pub(crate) synced_offset: u64,
}

/// The meaning of a valid record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// The file's tie to its predecessor.
    SegmentStart(segment::Start),
    /// An atomic batch.
    Batch(operation::Operations),
    /// The end of the file, on purpose.
    Seal,
    /// A change of the manifest, still encoded.
    Edit(Bytes),
}

impl Header {
    /// Reads the fields. Nothing is checked.
    pub(crate) fn read(bytes: &[u8; HEADER_BYTES]) -> Self {
        Self {
            checksum: u32_at(bytes, 0),
            payload_bytes: u32_at(bytes, 4),
            kind: bytes[8],
            reserved: [bytes[9], bytes[10], bytes[11]],
            log_number: u32_at(bytes, 12),
            first_sequence: Sequence(u64_at(bytes, 16)),
            synced_offset: u64_at(bytes, 24),
        }
    }

    /// Bytes of header and payload.
    pub(crate) fn record_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.payload_bytes)
    }

    /// Refuses a header whose payload cannot be there; `available` bytes follow the header in the file.
    pub(crate) fn check_length(&self, bytes: &[u8; HEADER_BYTES], available: u64) -> Result<(), Fault> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(Fault::ZeroHeader);
        }
        if u64::from(self.payload_bytes) > available || self.payload_bytes as usize > MAX_BATCH_BYTES {
            return Err(Fault::ImpossibleLength { length: self.payload_bytes, available });
        }
        Ok(())
    }

    /// Refuses a record whose checksum does not hold at `place`.
    pub(crate) fn check_sum(&self, bytes: &[u8; HEADER_BYTES], payload: &[u8], place: Place) -> Result<(), Fault> {
        let mut checksum = Checksum::seeded(place.log_number, place.offset);
        checksum.update(&bytes[4..]);
        checksum.update(payload);
        let computed = checksum.finish();
        if computed == self.checksum { Ok(()) } else { Err(Fault::BadChecksum { stored: self.checksum, computed }) }
    }

    /// Decodes the payload of a record whose checksum holds, in a file of format `version`. What is wrong here was written wrongly.
    pub(crate) fn body(&self, payload: &Bytes, place: Place, version: u32) -> Result<Body, Fault> {
        if self.reserved != [0; 3] {
            return Err(Fault::ImpossibleHeader { what: "reserved bytes are not zero" });
        }
        if self.log_number != place.log_number {
            return Err(Fault::ImpossibleHeader { what: "the log number is another file's" });
        }
        if self.synced_offset > place.offset {
            return Err(Fault::ImpossibleHeader { what: "the synced offset is behind the record" });
        }
        match self.kind {
            kind if kind == Kind::SegmentStart as u8 => segment::Start::decode(payload).map(Body::SegmentStart),
            kind if kind == Kind::Batch as u8 => operation::Operations::decode(payload, version).map(Body::Batch),
            kind if kind == Kind::Seal as u8 && !payload.is_empty() => Err(Fault::MalformedPayload),
            kind if kind == Kind::Seal as u8 && self.synced_offset != place.offset => {
                Err(Fault::ImpossibleHeader { what: "a seal over bytes that were not synced" })
            }
            kind if kind == Kind::Seal as u8 => Ok(Body::Seal),
            kind if kind == Kind::Edit as u8 => Ok(Body::Edit(payload.clone())),
            kind => Err(Fault::UnknownType { kind }),
        }
    }

    /// A cheap test that nearly every place which is not a record's fails: whether the fields could be those of a
    /// record at `place` with `available` bytes behind its header.
    pub(crate) fn is_plausible(&self, place: Place, available: u64) -> bool {
        self.log_number == place.log_number
            && self.reserved == [0; 3]
            && (Kind::SegmentStart as u8..=Kind::Edit as u8).contains(&self.kind)
            && self.synced_offset <= place.offset
            && u64::from(self.payload_bytes) <= available
            && self.payload_bytes as usize <= MAX_BATCH_BYTES
    }
}

/// Appends a record to `buffer`, for `place`; `write_payload` appends its payload.
pub(crate) fn encode(
    buffer: &mut BytesMut,
    place: Place,
    kind: Kind,
    first_sequence: Sequence,
    synced_offset: u64,
    write_payload: impl FnOnce(&mut BytesMut),
) {
    assert!(synced_offset <= place.offset, "a record cannot know bytes synced that come after it");
    let start = buffer.len();
    buffer.put_u32_le(0);
    buffer.put_u32_le(0);
    buffer.put_u8(kind as u8);
    buffer.put_slice(&[0; 3]);
    buffer.put_u32_le(place.log_number);
    buffer.put_u64_le(first_sequence.0);
    buffer.put_u64_le(synced_offset);
    write_payload(buffer);
    let payload_bytes = buffer.len() - start - HEADER_BYTES;
    assert!(payload_bytes <= MAX_BATCH_BYTES, "a payload beyond the limit got past the door");
    let length = u32::try_from(payload_bytes).expect("the limit is far below 2^32");
    buffer[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    let mut checksum = Checksum::seeded(place.log_number, place.offset);
    checksum.update(&buffer[start + 4..]);
    let checksum = checksum.finish();
    buffer[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
}

fn u32_at(bytes: &[u8; HEADER_BYTES], offset: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(number)
}

fn u64_at(bytes: &[u8; HEADER_BYTES], offset: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
