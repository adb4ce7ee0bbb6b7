//! Tokens and partitions: pure arithmetic on the 64-bit ring. A partition is the highest bits of a token, so its arc is found
//! by a shift and its bounds by a mask.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// A point on the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// One of the 2^k equal arcs of the ring, numbered from token 0 upwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionId(pub u16);

impl Token {
    /// The token of a user key.
    pub fn of(key: &[u8]) -> Self {
        Self(xxh3_64(key))
    }

    /// The partition that this token falls into, on a ring of `partitions` (a power of two).
    pub fn partition(self, partitions: u32) -> PartitionId {
        debug_assert!(partitions.is_power_of_two());
        let bits = partitions.trailing_zeros();
        // A ring of one partition would shift by 64, which is not a shift.
        let partition = if bits == 0 { 0 } else { self.0 >> (64 - bits) };
        PartitionId(partition as u16)
    }
}

impl PartitionId {
    /// First and last token of this arc, on a ring of `partitions`.
    pub fn bounds(self, partitions: u32) -> (Token, Token) {
        let bits = partitions.trailing_zeros();
        if bits == 0 {
            return (Token(0), Token(u64::MAX));
        }
        let first = u64::from(self.0) << (64 - bits);
        (Token(first), Token(first | (u64::MAX >> bits)))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_lies_within_the_bounds_of_its_partition() {
        for partitions in [1, 2, 64, 65_536] {
            for token in [0, 1, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX - 1, u64::MAX] {
                let partition = Token(token).partition(partitions);
                let (first, last) = partition.bounds(partitions);
                assert!(first.0 <= token && token <= last.0, "token {token:x} on a ring of {partitions}");
            }
        }
    }

    #[test]
    fn the_token_of_a_key_never_changes_because_data_on_disk_depends_on_it() {
        assert_eq!(Token::of(b"stormglass").to_string(), "8c036895300b4b0c");
    }
}
