//! The beginning of a log file: a preamble, and the record that ties the file to its predecessor. Manifests and backups
//! begin with the same preamble, each under a magic of its own.
//!
//! ```text
//!    0           8           12          16                        48                       60
//!   ┌───────────┬───────────┬───────────┬─────────────────────────┬────────────────────────┬───────────────
//!   │ STORMWAL  │ format    │ checksum  │ header of the first     │ previous log number u32│ records ...
//!   │           │ version   │           │ record, `SegmentStart`  │ its length in bytes u64│
//!   └───────────┴───────────┴───────────┴─────────────────────────┴────────────────────────┴───────────────
//! ```
//!
//! A file is created only after its predecessor was synced, so the predecessor's exact length is proven from then on:
//! a file that is shorter, longer or missing is corruption, never a torn write. The first file of an engine names
//! predecessor 0, which does not exist.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Fault;
use super::checksum::Checksum;
use super::operation::Sequence;
use super::record::{self, Kind, Place};

/// What the first eight bytes of a file say it is.
pub(crate) type Magic = [u8; 8];

/// A segment of the write-ahead log.
pub(crate) const WAL_MAGIC: Magic = *b"STORMWAL";

/// A manifest.
pub(crate) const MANIFEST_MAGIC: Magic = *b"STORMMAN";

/// What one backup consists of: a manifest that is written once.
pub(crate) const BACKUP_MAGIC: Magic = *b"STORMBAK";

/// The format of the segments that this program writes. Format 1 knew neither keyspaces nor expiries nor range
/// tombstones.
pub(crate) const FORMAT_VERSION: u32 = 2;

/// Bytes of the preamble.
pub(crate) const PREAMBLE_BYTES: usize = 16;

const START_PAYLOAD_BYTES: usize = 12;

/// Bytes of a file that has begun and holds nothing yet: preamble and first record.
pub(crate) const BEGINNING_BYTES: u64 = (PREAMBLE_BYTES + record::HEADER_BYTES + START_PAYLOAD_BYTES) as u64;

/// What a file says of its predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// The predecessor's number; 0 when there is none.
    pub(crate) previous_number: u32,
    /// The predecessor's exact length in bytes, all of them synced; 0 when there is none.
    pub(crate) previous_bytes: u64,
}

impl Start {
    /// The start of an engine's first file.
    pub(crate) const FIRST: Start = Start { previous_number: 0, previous_bytes: 0 };

    pub(super) fn decode(mut payload: &[u8]) -> Result<Self, Fault> {
        if payload.len() != START_PAYLOAD_BYTES {
            return Err(Fault::MalformedPayload);
        }
        Ok(Self { previous_number: payload.get_u32_le(), previous_bytes: payload.get_u64_le() })
    }
}

/// The bytes that a new file begins with.
pub(crate) fn encode_beginning(log_number: u32, start: Start, next_sequence: Sequence) -> Bytes {
    let mut buffer = BytesMut::new();
    put_preamble(&mut buffer, WAL_MAGIC, log_number, FORMAT_VERSION);
    let place = Place { log_number, offset: PREAMBLE_BYTES as u64 };
    record::encode(&mut buffer, place, Kind::SegmentStart, next_sequence, 0, |buffer| {
        buffer.put_u32_le(start.previous_number);
        buffer.put_u64_le(start.previous_bytes);
    });
    buffer.freeze()
}

/// Appends a preamble.
pub(crate) fn put_preamble(buffer: &mut BytesMut, magic: Magic, log_number: u32, version: u32) {
    let start = buffer.len();
    buffer.put_slice(&magic);
    buffer.put_u32_le(version);
    let checksum = preamble_checksum(log_number, &buffer[start..]);
    buffer.put_u32_le(checksum);
}

/// Whether a file that begins like this may be a segment, whatever its name: a damaged one still begins as one.
pub(crate) fn is_segment(beginning: &[u8]) -> bool {
    beginning.starts_with(&WAL_MAGIC)
}

/// The format version that a file's first bytes say. `bytes` are its first [`PREAMBLE_BYTES`], or all it has.
pub(crate) fn decode_preamble(magic: Magic, log_number: u32, bytes: &[u8]) -> Result<u32, Fault> {
    if bytes.len() < PREAMBLE_BYTES {
        return Err(Fault::ShortPreamble { available: bytes.len() as u64, needed: PREAMBLE_BYTES as u64 });
    }
    let (checked, mut stored) = bytes[..PREAMBLE_BYTES].split_at(PREAMBLE_BYTES - 4);
    if checked[..magic.len()] != magic {
        return Err(Fault::WrongMagic);
    }
    let (stored, computed) = (stored.get_u32_le(), preamble_checksum(log_number, checked));
    if stored != computed {
        return Err(Fault::BadChecksum { stored, computed });
    }
    Ok((&checked[magic.len()..]).get_u32_le())
}

fn preamble_checksum(log_number: u32, bytes: &[u8]) -> u32 {
    let mut checksum = Checksum::seeded(log_number, 0);
    checksum.update(bytes);
    checksum.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preamble_belongs_to_one_file_and_every_flip_in_it_is_seen() {
        let bytes = encode_beginning(2, Start { previous_number: 1, previous_bytes: 777 }, Sequence(5));
        assert_eq!((bytes.len() as u64, BEGINNING_BYTES), (60, 60));
        assert_eq!(decode_preamble(WAL_MAGIC, 2, &bytes), Ok(FORMAT_VERSION));
        assert!(decode_preamble(WAL_MAGIC, 3, &bytes).is_err() && decode_preamble(MANIFEST_MAGIC, 2, &bytes).is_err());
        assert!(decode_preamble(WAL_MAGIC, 2, &bytes[..15]).is_err());
        for index in 0..PREAMBLE_BYTES {
            let mut flipped = bytes.to_vec();
            flipped[index] ^= 0x40;
            assert!(decode_preamble(WAL_MAGIC, 2, &flipped).is_err(), "byte {index}");
        }
    }
}
