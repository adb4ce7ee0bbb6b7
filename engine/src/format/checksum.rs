//! The checksum of everything the engine writes: crc32, seeded with where the bytes belong, and masked.
//!
//! ```text
//!   mask( crc32( log number u32   | offset u64 | bytes ) )      logs
//!   mask( crc32( table number u64 | offset u64 | bytes ) )      tables
//! ```
//!
//! The seed makes a checksum valid in one place only: a block that the disk wrote to the wrong offset, a record of an
//! older file, or the image of a record inside a user's value never counts. The mask (LevelDB's) keeps the crc of data
//! that itself contains crcs from degenerating. All numbers on the disk are little-endian.
//!
//! It detects accidents. It does not authenticate: whoever can write the file can write a valid checksum.

/// LevelDB's constant: any number that makes the mask differ from a plain rotation.
const MASK_DELTA: u32 = 0xa282_ead8;

/// A running checksum.
pub(crate) struct Checksum(crc32fast::Hasher);

impl Checksum {
    /// The checksum of bytes that stand at `offset` of the log file `log_number`.
    pub(crate) fn seeded(log_number: u32, offset: u64) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&log_number.to_le_bytes());
        hasher.update(&offset.to_le_bytes());
        Self(hasher)
    }

    /// The checksum of bytes that stand at `offset` of the table file `table_number`.
    pub(crate) fn of_table(table_number: u64, offset: u64) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&table_number.to_le_bytes());
        hasher.update(&offset.to_le_bytes());
        Self(hasher)
    }

    /// Adds bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The masked checksum of all bytes added.
    pub(crate) fn finish(self) -> u32 {
        self.0.finalize().rotate_right(15).wrapping_add(MASK_DELTA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(log_number: u32, offset: u64, bytes: &[u8]) -> u32 {
        let mut checksum = Checksum::seeded(log_number, offset);
        checksum.update(bytes);
        checksum.finish()
    }

    #[test]
    fn the_same_bytes_elsewhere_have_another_checksum() {
        let here = checksum(1, 60, b"storm");
        assert_eq!(here, checksum(1, 60, b"storm"));
        assert_ne!(here, checksum(1, 61, b"storm"));
        assert_ne!(here, checksum(2, 60, b"storm"));
        assert_ne!(here, checksum(1, 60, b"storn"));
    }
}
