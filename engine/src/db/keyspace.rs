//! Keyspaces: separate sets of keys in one engine, which share its log, so that a batch over several is atomic.
//!
//! ```text
//!   internal key    number u16, big-endian │ user's key            each keyspace is one contiguous range
//!   number 0        the default keyspace; the others get theirs from the manifest, and none is given twice
//! ```

use std::ops::Bound;
use std::sync::PoisonError;

use bytes::Bytes;

use super::core::Core;
use crate::error::Error;
use crate::limits::KEYSPACE_BYTES;
use crate::version::VersionEdit;
use crate::world::World;

/// The highest number of a keyspace: one less than the two bytes hold, so that every keyspace has an end.
pub(super) const NUMBER_MAX: u16 = u16::MAX - 1;

/// The longest name of a keyspace, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// A keyspace of an engine: see `Db::keyspace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Keyspace(pub(super) u16);

impl Keyspace {
    /// The keyspace that every engine has.
    pub const DEFAULT: Keyspace = Keyspace(0);

    /// Its number, as dumps show it.
    pub fn number(self) -> u16 {
        self.0
    }

    /// The first internal key behind it.
    pub(super) fn end(self) -> Bytes {
        Bytes::copy_from_slice(&(self.0 + 1).to_be_bytes())
    }

    /// Writes the internal key of `key` into `buffer`, which is emptied first.
    pub(super) fn write_internal_key(self, key: &[u8], buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.extend_from_slice(&self.0.to_be_bytes());
        buffer.extend_from_slice(key);
    }

    /// A range of user keys as a half-open range of internal keys; `start >= end` when it holds nothing.
    pub(super) fn range(self, (start, end): &(Bound<Bytes>, Bound<Bytes>)) -> (Bytes, Bytes) {
        let start = match start {
            Bound::Unbounded => internal_key(self, b""),
            Bound::Included(key) => internal_key(self, key),
            Bound::Excluded(key) => successor(self, key),
        };
        let end = match end {
            Bound::Unbounded => self.end(),
            Bound::Excluded(key) => internal_key(self, key),
            Bound::Included(key) => successor(self, key),
        };
        (start, end)
    }
}

impl<W: World> Core<W> {
    /// The keyspace of a name; made, and written down, if there is none.
    pub(super) async fn keyspace(&self, name: &str) -> Result<Keyspace, Error> {
        let known = || self.keyspaces.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        if let Some(number) = known() {
            return Ok(Keyspace(number));
        }
        let refuse = |why| Err(Error::NoKeyspace { name: name.to_string(), why });
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return refuse("a name has 1 to 255 bytes");
        }
        self.check_writable()?;
        let mut manifest = self.manifest.lock().await;
        // Somebody may have made it while we waited.
        if let Some(number) = known() {
            return Ok(Keyspace(number));
        }
        let last = self.keyspaces.lock().unwrap_or_else(PoisonError::into_inner).values().max().copied().unwrap_or(0);
        if last >= NUMBER_MAX {
            return refuse("all 65,534 are taken");
        }
        let number = last + 1;
        let mut edit = VersionEdit::default();
        edit.keyspaces.insert(number, name.to_string());
        self.commit_edit(&mut manifest, &edit).await?;
        self.keyspaces.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_string(), number);
        Ok(Keyspace(number))
    }
}

/// The internal key of `key`.
pub(super) fn internal_key(keyspace: Keyspace, key: &[u8]) -> Bytes {
    let mut buffer = Vec::with_capacity(KEYSPACE_BYTES + key.len());
    keyspace.write_internal_key(key, &mut buffer);
    Bytes::from(buffer)
}

fn successor(keyspace: Keyspace, key: &[u8]) -> Bytes {
    let mut buffer = Vec::with_capacity(KEYSPACE_BYTES + key.len() + 1);
    keyspace.write_internal_key(key, &mut buffer);
    buffer.push(0);
    Bytes::from(buffer)
}

/// The number of the keyspace that an internal key is of; 0 for what is none.
pub(super) fn number_of(internal: &[u8]) -> u16 {
    internal.first_chunk::<KEYSPACE_BYTES>().map_or(0, |number| u16::from_be_bytes(*number))
}

/// The user's part of an internal key.
pub(super) fn user_key(internal: &Bytes) -> Bytes {
    internal.slice(KEYSPACE_BYTES.min(internal.len())..)
}

/// An internal key on the stack, for lookups: nearly every key is short.
pub(super) struct InternalKey {
    short: [u8; Self::SHORT_BYTES],
    long: Vec<u8>,
    length: usize,
}

impl InternalKey {
    const SHORT_BYTES: usize = 62;

    pub(super) fn new(keyspace: Keyspace, key: &[u8]) -> Self {
        let length = KEYSPACE_BYTES + key.len();
        let mut internal = Self { short: [0; Self::SHORT_BYTES], long: Vec::new(), length };
        if length <= Self::SHORT_BYTES {
            internal.short[..KEYSPACE_BYTES].copy_from_slice(&keyspace.0.to_be_bytes());
            internal.short[KEYSPACE_BYTES..length].copy_from_slice(key);
        } else {
            keyspace.write_internal_key(key, &mut internal.long);
        }
        internal
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        if self.length <= Self::SHORT_BYTES { &self.short[..self.length] } else { &self.long }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_user_keys_are_half_open_ranges_of_internal_keys() {
        let key = |key: &'static str| Bytes::from_static(key.as_bytes());
        let keyspace = Keyspace(3);
        assert_eq!(keyspace.range(&(Bound::Unbounded, Bound::Unbounded)), (key("\0\x03"), key("\0\x04")));
        let both = keyspace.range(&(Bound::Excluded(key("a")), Bound::Included(key("b"))));
        assert_eq!(both, (key("\0\x03a\0"), key("\0\x03b\0")));
        assert_eq!(user_key(&key("\0\x03a")), key("a"));
    }

    #[test]
    fn an_internal_key_is_the_same_on_the_stack_and_in_a_buffer() {
        for length in [0, 1, 59, 60, 61, 500] {
            let key = vec![7; length];
            assert_eq!(InternalKey::new(Keyspace(258), &key).as_slice(), &internal_key(Keyspace(258), &key)[..]);
        }
    }
}
