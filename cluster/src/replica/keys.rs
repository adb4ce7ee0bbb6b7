//! The engine's keys: keyspace, partition, user key, in big-endian order, so that they sort the way people think.

use bytes::{BufMut, Bytes, BytesMut};

use crate::ring::PartitionId;

/// Bytes before the user key.
pub(crate) const PREFIX_BYTES: usize = 6;

/// What the node keeps about itself.
pub(crate) const SYSTEM_KEYSPACE: u32 = 0;

/// What users store.
pub(crate) const DATA_KEYSPACE: u32 = 1;

/// The engine key of a user key.
pub(crate) fn engine_key(keyspace: u32, partition: PartitionId, key: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + key.len());
    bytes.put_u32(keyspace);
    bytes.put_u16(partition.0);
    bytes.put_slice(key);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_one_contiguous_range_in_key_order() {
        let key = |partition, key: &str| engine_key(DATA_KEYSPACE, PartitionId(partition), key.as_bytes());
        assert!(key(1, "z") < key(2, "a"));
        assert!(key(255, "z") < key(256, "a"));
        assert!(key(2, "a") < key(2, "aa"));
        assert_eq!(&key(2, "ab")[..], b"\x00\x00\x00\x01\x00\x02ab");
    }
}
