//! One write, and the payload of an atomic batch of writes.
//!
//! ```text
//!   payload     count varint | operation ...
//!   put         0x01 | key length varint | key | value length varint | value
//!   delete      0x02 | key length varint | key
//! ```
//!
//! The operations of a batch have consecutive sequence numbers; the first stands in the record's header. Preconditions
//! are not written: what they allowed is.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::{Fault, varint};
use crate::limits::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

const PUT: u8 = 1;
const DELETE: u8 = 2;

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

/// One write: a key with its new value, or a tombstone (`None`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// The key, 1 to [`MAX_KEY_BYTES`] long.
    pub(crate) key: Bytes,
    /// The value, at most [`MAX_VALUE_BYTES`] long; `None` deletes.
    pub(crate) value: Option<Bytes>,
}

impl Operation {
    /// Bytes it takes in a payload.
    pub(crate) fn encoded_bytes(&self) -> usize {
        let value_bytes = self.value.as_ref().map_or(0, sized_bytes);
        1 + sized_bytes(&self.key) + value_bytes
    }
}

/// Bytes of the payload of a batch of `operations`.
pub(crate) fn encoded_bytes(operations: &[Operation]) -> usize {
    let count_bytes = varint::encoded_bytes(length_u32(operations.len()));
    count_bytes + operations.iter().map(Operation::encoded_bytes).sum::<usize>()
}

/// Appends the payload of a batch of `operations`.
pub(crate) fn encode(operations: &[Operation], buffer: &mut BytesMut) {
    varint::put(buffer, length_u32(operations.len()));
    for operation in operations {
        buffer.put_u8(if operation.value.is_some() { PUT } else { DELETE });
        put_sized(buffer, &operation.key);
        if let Some(value) = &operation.value {
            put_sized(buffer, value);
        }
    }
}

/// The operations of a payload. They share its buffer: whoever keeps them longer than it copies them.
pub(crate) fn decode(payload: &Bytes) -> Result<Vec<Operation>, Fault> {
    let mut rest: &[u8] = payload;
    let count = varint::take(&mut rest)?;
    // An operation takes at least three bytes, so a count beyond that is a lie, and is not given memory for.
    if count == 0 || count as usize > rest.len() / 3 {
        return Err(Fault::MalformedPayload);
    }
    let mut operations = Vec::with_capacity(count as usize);
    for _ in 0..count {
        if !rest.has_remaining() {
            return Err(Fault::MalformedPayload);
        }
        let kind = rest.get_u8();
        let key = take_sized(payload, &mut rest, MAX_KEY_BYTES)?;
        let value = match kind {
            PUT => Some(take_sized(payload, &mut rest, MAX_VALUE_BYTES)?),
            DELETE => None,
            _ => return Err(Fault::MalformedPayload),
        };
        if key.is_empty() {
            return Err(Fault::MalformedPayload);
        }
        operations.push(Operation { key, value });
    }
    if rest.is_empty() { Ok(operations) } else { Err(Fault::MalformedPayload) }
}

fn sized_bytes(bytes: &Bytes) -> usize {
    varint::encoded_bytes(length_u32(bytes.len())) + bytes.len()
}

fn put_sized(buffer: &mut BytesMut, bytes: &Bytes) {
    varint::put(buffer, length_u32(bytes.len()));
    buffer.put_slice(bytes);
}

fn take_sized(payload: &Bytes, rest: &mut &[u8], longest: usize) -> Result<Bytes, Fault> {
    let length = varint::take(rest)? as usize;
    if length > longest || length > rest.len() {
        return Err(Fault::MalformedPayload);
    }
    let (taken, behind) = rest.split_at(length);
    *rest = behind;
    Ok(payload.slice_ref(taken))
}

fn length_u32(length: usize) -> u32 {
    u32::try_from(length).expect("limits keep every length far below 2^32")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations() -> Vec<Operation> {
        vec![
            Operation { key: Bytes::from_static(b"a"), value: Some(Bytes::from_static(b"storm")) },
            Operation { key: Bytes::from(vec![b'k'; 300]), value: Some(Bytes::new()) },
            Operation { key: Bytes::from_static(b"b"), value: None },
        ]
    }

    fn encoded(operations: &[Operation]) -> Bytes {
        let mut buffer = BytesMut::new();
        encode(operations, &mut buffer);
        buffer.freeze()
    }

    #[test]
    fn a_batch_comes_back_and_takes_the_bytes_announced() {
        let payload = encoded(&operations());
        assert_eq!(payload.len(), encoded_bytes(&operations()));
        assert_eq!(decode(&payload), Ok(operations()));
    }

    #[test]
    fn a_payload_cut_anywhere_or_with_bytes_behind_it_is_refused() {
        let payload = encoded(&operations());
        for length in 0..payload.len() {
            assert_eq!(decode(&payload.slice(..length)), Err(Fault::MalformedPayload), "cut at {length}");
        }
        let mut longer = BytesMut::from(&payload[..]);
        longer.put_u8(0);
        assert_eq!(decode(&longer.freeze()), Err(Fault::MalformedPayload));
    }

    #[test]
    fn impossible_counts_kinds_and_keys_are_refused() {
        for bytes in [
            &[0][..],                                    // no operation
            &[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1, b'a'], // a count that no payload holds
            &[1, 3, 1, b'a'],                            // a kind that does not exist
            &[1, 2, 0],                                  // an empty key
        ] {
            assert_eq!(decode(&Bytes::copy_from_slice(bytes)), Err(Fault::MalformedPayload), "{bytes:?}");
        }
    }
}
