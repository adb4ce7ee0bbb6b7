//! What a key, a value and a batch may measure.
//!
//! The limits are checked where a write enters the engine, before anything is queued, so that no length on the disk can
//! be larger; the decoder refuses what is.

/// The longest key, in bytes. An empty key is refused as well.
pub const MAX_KEY_BYTES: usize = 65_535;

/// The longest value, in bytes: 8 MiB.
pub const MAX_VALUE_BYTES: usize = 8 * 1024 * 1024;

/// The largest atomic batch, in encoded bytes: 16 MiB.
pub const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of the keyspace's number in front of every key inside the engine.
pub(crate) const KEYSPACE_BYTES: usize = 2;

/// The longest key inside the engine. A range may end one byte behind the longest key.
pub(crate) const MAX_INTERNAL_KEY_BYTES: usize = KEYSPACE_BYTES + MAX_KEY_BYTES + 1;
