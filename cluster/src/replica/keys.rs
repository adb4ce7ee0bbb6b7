//! The engine's keys: keyspace, partition, user key, in big-endian order, so that they sort the way people think.
//!
//! ```text
//!   0            4           6
//!   ┌────────────┬───────────┬──────────┐
//!   │ keyspace   │ partition │ user key │
//!   └────────────┴───────────┴──────────┘
//! ```

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

/// An engine key for people: `data/23/user key`, with bytes that are not printable escaped.
pub fn readable_key(key: &[u8]) -> String {
    let escape = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let Some((prefix, user_key)) = key.split_at_checked(PREFIX_BYTES) else { return escape(key) };
    let keyspace = u32::from_be_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]);
    let partition = u16::from_be_bytes([prefix[4], prefix[5]]);
    match keyspace {
        SYSTEM_KEYSPACE => format!("system/{partition}/{}", escape(user_key)),
        DATA_KEYSPACE => format!("data/{partition}/{}", escape(user_key)),
        _ => escape(key),
    }
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

    #[test]
    fn keys_are_shown_as_people_think_of_them() {
        assert_eq!(readable_key(&engine_key(DATA_KEYSPACE, PartitionId(23), b"user\n1")), "data/23/user\\n1");
        assert_eq!(readable_key(b"short"), "short");
        assert_eq!(readable_key(b"another keyspace"), "another keyspace");
    }
}
