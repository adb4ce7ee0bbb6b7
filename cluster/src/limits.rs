//! How large things may be, in one place, so that every door refuses the same.
//!
//! A key or value that passes these checks also fits the engine's own limits (with the row's header and the key's
//! prefix) and one network frame.

/// Longest user key, in bytes. The engine's key adds 6 bytes of keyspace and partition.
pub const MAX_KEY_BYTES: usize = 32 * 1024;

/// Longest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 4 * 1024 * 1024;

/// Most rows that one page of a scan may ask for.
pub const MAX_SCAN_ROWS: usize = 1_000;

/// Longest time a request may ask a coordinator to keep trying, in microseconds.
pub const MAX_TIMEOUT_MICROS: u64 = 60_000_000;

/// Why a key or value was refused before anything was sent or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Keys have at least one byte.
    #[error("the key is empty: give a key of 1 to {MAX_KEY_BYTES} bytes")]
    EmptyKey,
    /// The key is too long.
    #[error("the key has {0} bytes; at most {MAX_KEY_BYTES} are allowed: store the long part in the value")]
    KeyTooLong(usize),
    /// The value is too long.
    #[error("the value has {0} bytes; at most {MAX_VALUE_BYTES} are allowed: split it over several keys")]
    ValueTooLong(usize),
}

/// Checks a user key.
pub fn check_key(key: &[u8]) -> Result<(), LimitError> {
    match key.len() {
        0 => Err(LimitError::EmptyKey),
        length if length > MAX_KEY_BYTES => Err(LimitError::KeyTooLong(length)),
        _ => Ok(()),
    }
}

/// Checks a value.
pub fn check_value(value: &[u8]) -> Result<(), LimitError> {
    if value.len() > MAX_VALUE_BYTES { Err(LimitError::ValueTooLong(value.len())) } else { Ok(()) }
}

// One value with its key and headers always fits one frame.
const _: () = assert!(MAX_VALUE_BYTES + MAX_KEY_BYTES + 4096 < crate::world::MAX_FRAME_BYTES);
