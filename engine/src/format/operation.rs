//! One write, and the payload of an atomic batch of writes.
//!
//! ```text
//!   payload      count varint | operation ...
//!   put          0x01 | key length varint | key | value length varint | value
//!   delete       0x02 | key length varint | key
//!   put, expires 0x03 | key length varint | key | value length varint | value | expires u64, wall microseconds
//!   delete range 0x04 | start length varint | start | end length varint | end
//! ```
//!
//! Keys are internal: two bytes of keyspace, then the user's key. Logs of format 1 know only the first two operations,
//! and keys of the default keyspace without its prefix; they are read by [`Operations::decode`] all the same. The
//! operations of a batch have consecutive sequence numbers; the first stands in the record's header. Preconditions are
//! not written: what they allowed is.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::{Fault, varint};
use crate::limits::{KEYSPACE_BYTES, MAX_INTERNAL_KEY_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES};

const PUT: u8 = 1;
const DELETE: u8 = 2;
const PUT_EXPIRING: u8 = 3;
const DELETE_RANGE: u8 = 4;

/// The place of a write in the order of all writes of one engine. The first write has sequence 1; 0 is before all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Before every write.
    pub const ZERO: Sequence = Sequence(0);

    /// The sequence `count` writes later; `None` beyond the last number, which only invented bytes can claim.
    pub(crate) fn checked_plus(self, count: u64) -> Option<Sequence> {
        self.0.checked_add(count).map(Sequence)
    }

    /// The sequence `count` writes later, of a sequence that this engine counted up to itself.
    pub(crate) fn plus(self, count: u64) -> Sequence {
        self.checked_plus(count).expect("2^64 writes take longer than the hardware lasts")
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One write, borrowed from the payload that it stands in. Keys are internal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperationRef<'a> {
    /// A value.
    Put {
        /// The key.
        key: &'a [u8],
        /// Its value.
        value: &'a [u8],
        /// From when on it counts as deleted, in wall microseconds; 0 for never.
        expires_micros: u64,
    },
    /// A tombstone.
    Delete {
        /// The key.
        key: &'a [u8],
    },
    /// A tombstone for every key of a range.
    DeleteRange {
        /// The first key.
        start: &'a [u8],
        /// The first key behind the range.
        end: &'a [u8],
    },
}

impl OperationRef<'_> {
    /// Its key, or the first of its range.
    pub(crate) fn key(&self) -> &[u8] {
        match self {
            Self::Put { key, .. } | Self::Delete { key } | Self::DeleteRange { start: key, .. } => key,
        }
    }

    /// Appends the operation to the operations of a payload.
    pub(crate) fn encode(&self, buffer: &mut Vec<u8>) {
        match *self {
            Self::Put { key, value, expires_micros: 0 } => put_parts(buffer, PUT, key, Some(value)),
            Self::Put { key, value, expires_micros } => {
                put_parts(buffer, PUT_EXPIRING, key, Some(value));
                buffer.put_u64_le(expires_micros);
            }
            Self::Delete { key } => put_parts(buffer, DELETE, key, None),
            Self::DeleteRange { start, end } => put_parts(buffer, DELETE_RANGE, start, Some(end)),
        }
    }
}

fn put_parts(buffer: &mut Vec<u8>, kind: u8, first: &[u8], second: Option<&[u8]>) {
    buffer.reserve(11 + first.len() + second.map_or(0, <[u8]>::len));
    buffer.push(kind);
    varint::put(buffer, length_u32(first.len()));
    buffer.extend_from_slice(first);
    if let Some(second) = second {
        varint::put(buffer, length_u32(second.len()));
        buffer.extend_from_slice(second);
    }
}

/// The operations of a batch, as they stand in a payload behind their count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operations {
    encoded: Bytes,
    count: u32,
}

impl Operations {
    /// The operations of a payload in a log of format `version`. What cannot be read in full is refused here, so that
    /// iterating cannot fail.
    pub(crate) fn decode(payload: &Bytes, version: u32) -> Result<Self, Fault> {
        let mut rest: &[u8] = payload;
        let count = varint::take(&mut rest)?;
        // An operation takes at least three bytes, so a count beyond that is a lie.
        if count == 0 || count as usize > rest.len() / 3 {
            return Err(Fault::MalformedPayload);
        }
        let encoded = payload.slice_ref(rest);
        let layout = if version == 1 { Layout::V1 } else { Layout::V2 };
        for _ in 0..count {
            layout.take(&mut rest)?;
        }
        if !rest.is_empty() {
            return Err(Fault::MalformedPayload);
        }
        match layout {
            Layout::V2 => Ok(Self { encoded, count }),
            Layout::V1 => Ok(Self { encoded: with_default_keyspace(&encoded, count)?, count }),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.count)
    }

    /// The operations, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = OperationRef<'_>> {
        iterate(&self.encoded)
    }
}

/// The operations that `encoded` was made of by [`OperationRef::encode`].
pub(crate) fn iterate(encoded: &[u8]) -> impl Iterator<Item = OperationRef<'_>> {
    let mut rest = encoded;
    std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| Layout::V2.take(&mut rest).expect("these operations were encoded or checked before"))
    })
}

/// Bytes of the payload of `count` operations that take `encoded_bytes`.
pub(crate) fn payload_bytes(count: u32, encoded_bytes: usize) -> usize {
    varint::encoded_bytes(count) + encoded_bytes
}

/// Appends the payload of `count` operations.
pub(crate) fn put_payload(buffer: &mut BytesMut, count: u32, encoded: &[u8]) {
    varint::put(buffer, count);
    buffer.put_slice(encoded);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    V1,
    V2,
}

impl Layout {
    /// Takes an operation off the front of `rest`.
    fn take<'a>(self, rest: &mut &'a [u8]) -> Result<OperationRef<'a>, Fault> {
        let (&kind, behind) = rest.split_first().ok_or(Fault::MalformedPayload)?;
        *rest = behind;
        let key = self.take_key(rest)?;
        Ok(match kind {
            PUT => OperationRef::Put { key, value: take_sized(rest, MAX_VALUE_BYTES)?, expires_micros: 0 },
            DELETE => OperationRef::Delete { key },
            PUT_EXPIRING if self == Self::V2 => {
                let value = take_sized(rest, MAX_VALUE_BYTES)?;
                let (expires, behind) = rest.split_first_chunk::<8>().ok_or(Fault::MalformedPayload)?;
                *rest = behind;
                let expires_micros = u64::from_le_bytes(*expires);
                if expires_micros == 0 {
                    return Err(Fault::MalformedPayload);
                }
                OperationRef::Put { key, value, expires_micros }
            }
            DELETE_RANGE if self == Self::V2 => {
                let end = take_sized(rest, MAX_INTERNAL_KEY_BYTES)?;
                if end <= key {
                    return Err(Fault::MalformedPayload);
                }
                OperationRef::DeleteRange { start: key, end }
            }
            _ => return Err(Fault::MalformedPayload),
        })
    }

    fn take_key<'a>(self, rest: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
        let (shortest, longest) = match self {
            Self::V1 => (1, MAX_KEY_BYTES),
            Self::V2 => (KEYSPACE_BYTES, MAX_INTERNAL_KEY_BYTES),
        };
        let key = take_sized(rest, longest)?;
        if key.len() < shortest { Err(Fault::MalformedPayload) } else { Ok(key) }
    }
}

fn with_default_keyspace(encoded: &[u8], count: u32) -> Result<Bytes, Fault> {
    let mut rest = encoded;
    let mut converted = Vec::with_capacity(encoded.len() + count as usize * KEYSPACE_BYTES);
    let prefixed = |key: &[u8]| [&[0; KEYSPACE_BYTES], key].concat();
    for _ in 0..count {
        match Layout::V1.take(&mut rest)? {
            OperationRef::Put { key, value, expires_micros } => {
                OperationRef::Put { key: &prefixed(key), value, expires_micros }.encode(&mut converted);
            }
            OperationRef::Delete { key } => OperationRef::Delete { key: &prefixed(key) }.encode(&mut converted),
            OperationRef::DeleteRange { .. } => return Err(Fault::MalformedPayload),
        }
    }
    Ok(Bytes::from(converted))
}

fn take_sized<'a>(rest: &mut &'a [u8], longest: usize) -> Result<&'a [u8], Fault> {
    let length = varint::take(rest)? as usize;
    if length > longest || length > rest.len() {
        return Err(Fault::MalformedPayload);
    }
    let (taken, behind) = rest.split_at(length);
    *rest = behind;
    Ok(taken)
}

fn length_u32(length: usize) -> u32 {
    u32::try_from(length).expect("limits keep every length far below 2^32")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations() -> [OperationRef<'static>; 4] {
        [
            OperationRef::Put { key: b"\0\0a", value: b"storm", expires_micros: 0 },
            OperationRef::Put { key: b"\0\x01b", value: b"", expires_micros: 77 },
            OperationRef::Delete { key: b"\0\0b" },
            OperationRef::DeleteRange { start: b"\0\0c", end: b"\0\x01" },
        ]
    }

    fn payload(operations: &[OperationRef<'_>]) -> Bytes {
        let mut encoded = Vec::new();
        operations.iter().for_each(|operation| operation.encode(&mut encoded));
        let mut buffer = BytesMut::new();
        let count = operations.len() as u32;
        put_payload(&mut buffer, count, &encoded);
        assert_eq!(buffer.len(), payload_bytes(count, encoded.len()));
        buffer.freeze()
    }

    #[test]
    fn a_batch_comes_back() {
        let decoded = Operations::decode(&payload(&operations()), 2).expect("a payload");
        assert_eq!(decoded.iter().collect::<Vec<_>>(), operations());
        assert_eq!(decoded.len(), 4);
    }

    #[test]
    fn a_payload_cut_anywhere_or_with_bytes_behind_it_is_refused() {
        let payload = payload(&operations());
        for length in 0..payload.len() {
            assert_eq!(
                Operations::decode(&payload.slice(..length), 2),
                Err(Fault::MalformedPayload),
                "cut at {length}"
            );
        }
        let mut longer = BytesMut::from(&payload[..]);
        longer.put_u8(0);
        assert_eq!(Operations::decode(&longer.freeze(), 2), Err(Fault::MalformedPayload));
    }

    #[test]
    fn impossible_counts_kinds_keys_and_ranges_are_refused() {
        for bytes in [
            &[0][..],                                          // no operation
            &[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1, b'a'],       // a count that no payload holds
            &[1, 9, 3, 0, 0, b'a'],                            // a kind that does not exist
            &[1, 2, 1, 0],                                     // a key without its keyspace
            &[1, 4, 3, 0, 0, b'b', 3, 0, 0, b'a'],             // a range that ends before it begins
            &[1, 3, 3, 0, 0, b'b', 0, 0, 0, 0, 0, 0, 0, 0, 0], // an expiry that means never
        ] {
            assert_eq!(
                Operations::decode(&Bytes::copy_from_slice(bytes), 2),
                Err(Fault::MalformedPayload),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_batch_of_the_first_format_is_read_into_the_default_keyspace() {
        let old = Bytes::from_static(&[2, 1, 1, b'a', 2, b'h', b'i', 2, 1, b'b']);
        let decoded = Operations::decode(&old, 1).expect("an old payload");
        let expected = [
            OperationRef::Put { key: b"\0\0a", value: b"hi", expires_micros: 0 },
            OperationRef::Delete { key: b"\0\0b" },
        ];
        assert_eq!(decoded.iter().collect::<Vec<_>>(), expected);
        assert_eq!(
            Operations::decode(&Bytes::from_static(&[1, 2, 0]), 1),
            Err(Fault::MalformedPayload),
            "an empty key"
        );
    }
}
