//! The row: what a replica stores under a key, stamped.
//!
//! Rows are protobuf messages, so that later data models (documents, wide columns) add cells and fields without a new
//! format. A plain value is the one cell with the empty name; a deletion has no cells and keeps its stamp.

use bytes::Bytes;
use prost::Message;

use super::Stamp;
use crate::world::NodeId;

/// A key's state at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The mutation's version.
    pub stamp: Stamp,
    /// The value; `None` is a deletion.
    pub value: Option<Bytes>,
}

/// Bytes in the engine, or in a message, that are not a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a row: {0}")]
pub struct MalformedRow(pub String);

#[derive(Clone, PartialEq, Message)]
struct StoredRow {
    #[prost(fixed64, tag = "1")]
    time: u64,
    #[prost(uint32, tag = "2")]
    node: u32,
    #[prost(message, repeated, tag = "3")]
    cells: Vec<StoredCell>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredCell {
    #[prost(bytes = "bytes", tag = "1")]
    name: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

impl Row {
    /// The bytes that the engine stores and messages carry.
    pub fn encode(&self) -> Bytes {
        let cells = self.value.iter().map(|value| StoredCell { name: Bytes::new(), value: value.clone() }).collect();
        let stored = StoredRow { time: self.stamp.time, node: u32::from(self.stamp.node.0), cells };
        Bytes::from(stored.encode_to_vec())
    }

    /// Reads [`Row::encode`]'s bytes; the value shares their memory.
    pub fn decode(bytes: Bytes) -> Result<Self, MalformedRow> {
        let stored = StoredRow::decode(bytes).map_err(|error| MalformedRow(error.to_string()))?;
        let node = u16::try_from(stored.node).map_err(|_| MalformedRow(format!("node number {}", stored.node)))?;
        let value = match <[StoredCell; 1]>::try_from(stored.cells) {
            Ok([cell]) if cell.name.is_empty() => Some(cell.value),
            Ok([cell]) => return Err(MalformedRow(format!("unknown cell {:?}", cell.name))),
            Err(cells) if cells.is_empty() => None,
            Err(cells) => return Err(MalformedRow(format!("{} cells where one is expected", cells.len()))),
        };
        Ok(Self { stamp: Stamp { time: stored.time, node: NodeId(node) }, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp { time: 0x0123_4567_89ab_cdef, node: NodeId(3) }
    }

    #[test]
    fn an_empty_value_is_not_a_deletion() {
        for value in [None, Some(Bytes::new()), Some(Bytes::from_static(b"value"))] {
            let row = Row { stamp: stamp(), value };
            assert_eq!(Row::decode(row.encode()).unwrap(), row);
        }
    }

    #[test]
    fn the_bytes_of_a_row_never_change_because_they_are_on_disk() {
        let row = Row { stamp: stamp(), value: Some(Bytes::from_static(b"v")) };
        assert_eq!(
            format!("{:02x?}", &row.encode()[..]),
            "[09, ef, cd, ab, 89, 67, 45, 23, 01, 10, 03, 1a, 03, 12, 01, 76]"
        );
    }

    #[test]
    fn garbage_is_refused() {
        assert!(Row::decode(Bytes::from_static(b"\xff\xff\xff")).is_err());
        assert!(Row::decode(Bytes::from_static(&[0x10, 0xff, 0xff, 0xff, 0x0f])).is_err());
    }
}
