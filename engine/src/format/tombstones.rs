//! The range tombstones of a table, in one block: few, and read when the table is opened.
//!
//! ```text
//!   count varint │ tombstone ...        ordered by start, end, sequence
//!   tombstone    start length varint │ start │ end length varint │ end │ sequence varint
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use super::entry::RangeTombstone;
use super::operation::Sequence;
use super::{Fault, varint};

/// The fewest bytes that a tombstone takes.
const TOMBSTONE_BYTES_MIN: usize = 3;

/// Appends the block of `tombstones`.
pub(crate) fn encode(tombstones: &[RangeTombstone], buffer: &mut BytesMut) {
    varint::put_u64(buffer, tombstones.len() as u64);
    for tombstone in tombstones {
        for key in [&tombstone.start, &tombstone.end] {
            varint::put_u64(buffer, key.len() as u64);
            buffer.put_slice(key);
        }
        varint::put_u64(buffer, tombstone.sequence.0);
    }
}

/// The tombstones of a block. They own their keys: the block can go.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<RangeTombstone>, Fault> {
    let mut position = 0;
    let decoded = take_all(bytes, &mut position).filter(|_| position == bytes.len());
    let ordered = decoded.filter(|tombstones| {
        tombstones.is_sorted() && tombstones.iter().all(|tombstone| tombstone.start < tombstone.end)
    });
    ordered.ok_or(Fault::MalformedBlock { what: "its range tombstones" })
}

fn take_all(bytes: &[u8], position: &mut usize) -> Option<Vec<RangeTombstone>> {
    let count = usize::try_from(varint::read_u64(bytes, position)?).ok()?;
    if count > bytes.len() / TOMBSTONE_BYTES_MIN {
        return None;
    }
    (0..count)
        .map(|_| {
            let (start, end) = (take_key(bytes, position)?, take_key(bytes, position)?);
            Some(RangeTombstone { start, end, sequence: Sequence(varint::read_u64(bytes, position)?) })
        })
        .collect()
}

fn take_key(bytes: &[u8], position: &mut usize) -> Option<Bytes> {
    let length = varint::read_u32(bytes, position)? as usize;
    let end = position.checked_add(length)?;
    let key = Bytes::copy_from_slice(bytes.get(*position..end)?);
    *position = end;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tombstones_come_back_and_a_block_cut_anywhere_is_refused() {
        let tombstone = |start: &'static str, end: &'static str, sequence| RangeTombstone {
            start: Bytes::from(start),
            end: Bytes::from(end),
            sequence: Sequence(sequence),
        };
        let tombstones = vec![tombstone("", "b", 9), tombstone("a", "c", 4), tombstone("a", "c", 900)];
        let mut buffer = BytesMut::new();
        encode(&tombstones, &mut buffer);
        assert_eq!(decode(&buffer), Ok(tombstones));
        for length in 0..buffer.len() {
            assert!(decode(&buffer[..length]).is_err(), "cut at {length}");
        }
        buffer.put_u8(0);
        assert!(decode(&buffer).is_err());
        for lie in [&[0xff, 0xff, 0xff, 0x7f][..], &[1, 1, b'b', 1, b'a', 1], &[1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]] {
            assert!(decode(lie).is_err(), "{lie:?}");
        }
    }
}
