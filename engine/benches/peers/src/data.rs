//! The keys and values that all engines get: the same from the same seed.
//!
//! ```text
//!   key     16 hexadecimal digits of a number       a loaded key    index × 4
//!                                                   one inserted    index × 4 + 1   next to a loaded one
//!                                                   one missing     index × 4 + 2   never written, inside the range
//!   value   | tag: 8 bytes of the number, mixed | a slice of a pool of random bytes, as long as the value needs |
//! ```
//!
//! Random order is a permutation of the indices (a Feistel network walked until it lands inside), so that every key
//! comes once and nothing is kept in memory for it. The tag tells a reader that it got the value of its key.

use crate::settings::Compression;

/// A key as it is written.
pub(crate) type Key = [u8; 16];

/// Bytes of a value that say whose it is.
pub(crate) const TAG_BYTES: usize = 8;

const POOL_BYTES: usize = 1024 * 1024;
const PIECE_BYTES: usize = 100;

/// A fast source of random numbers (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// A number from 0 to 1, without 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Spreads a number over all bits.
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The key of a number.
pub(crate) fn key(number: u64) -> Key {
    std::array::from_fn(|digit| b"0123456789abcdef"[(number >> (60 - 4 * digit)) as usize & 15])
}

/// The number of a key; `None` for what is no key of ours.
pub(crate) fn number(key: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(key).ok()?, 16).ok()
}

/// The keys and values of one run.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    keys: u64,
    value_bytes: usize,
    half_bits: u32,
    seed: u64,
    pool: Vec<u8>,
}

impl Data {
    /// `keys` keys with values of `value_bytes` that compress well or not at all.
    pub(crate) fn new(keys: u64, value_bytes: usize, compression: Compression, seed: u64) -> Self {
        assert!(keys > 0 && value_bytes >= TAG_BYTES, "a run has keys, and values that hold their tag");
        let bits = u64::BITS - (keys - 1).leading_zeros();
        let mut random = Random::new(mix(seed));
        let mut pool = Vec::with_capacity(POOL_BYTES + PIECE_BYTES);
        while pool.len() < POOL_BYTES.max(value_bytes * 2) {
            let mut piece: Vec<u8> = (0..PIECE_BYTES).map(|_| random.next() as u8).collect();
            if compression == Compression::Lz4 {
                piece.copy_within(..PIECE_BYTES / 2, PIECE_BYTES / 2);
            }
            pool.extend(piece);
        }
        Self { keys, value_bytes, half_bits: bits.div_ceil(2).max(1), seed, pool }
    }

    /// How many keys are loaded.
    pub(crate) fn keys(&self) -> u64 {
        self.keys
    }

    /// Bytes of a value.
    pub(crate) fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// Bytes of a key and its value.
    pub(crate) fn pair_bytes(&self) -> u64 {
        (size_of::<Key>() + self.value_bytes) as u64
    }

    /// The index at this position of the random order.
    pub(crate) fn permuted(&self, position: u64) -> u64 {
        debug_assert!(position < self.keys);
        let mask = (1 << self.half_bits) - 1;
        let mut index = position;
        loop {
            let (mut left, mut right) = (index >> self.half_bits, index & mask);
            for round in 0..4 {
                (left, right) = (right, left ^ (mix(right ^ self.seed.rotate_left(round * 16)) & mask));
            }
            index = left << self.half_bits | right;
            if index < self.keys {
                return index;
            }
        }
    }

    /// The number of the loaded key at this index.
    pub(crate) fn loaded(&self, index: u64) -> u64 {
        index * 4
    }

    /// The number of the `count`-th key that a workload inserts; they begin again once there is one beside each loaded.
    pub(crate) fn inserted(&self, count: u64) -> u64 {
        self.permuted(count % self.keys) * 4 + 1
    }

    /// The number of a key that was never written.
    pub(crate) fn missing(&self, index: u64) -> u64 {
        index * 4 + 2
    }

    /// Makes `value` one of the key with this number; `random` picks which.
    pub(crate) fn value(&self, number: u64, random: &mut Random, value: &mut Vec<u8>) {
        let rest = self.value_bytes - TAG_BYTES;
        let start = random.below((self.pool.len() - rest) as u64) as usize;
        value.clear();
        value.extend_from_slice(&mix(number).to_le_bytes());
        value.extend_from_slice(&self.pool[start..start + rest]);
    }

    /// Whether a value of this length, beginning with this tag, belongs to the key with this number.
    pub(crate) fn belongs(&self, number: u64, seen: Seen) -> bool {
        seen == Seen { length_bytes: self.value_bytes, tag: mix(number) }
    }
}

/// What a reader looks at of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The value's length.
    pub(crate) length_bytes: usize,
    /// Its first bytes.
    pub(crate) tag: u64,
}

impl Seen {
    /// Looks at a value.
    pub(crate) fn of(value: &[u8]) -> Self {
        let tag = value.first_chunk::<TAG_BYTES>().map_or(0, |tag| u64::from_le_bytes(*tag));
        Self { length_bytes: value.len(), tag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_random_order_has_every_index_once() {
        for keys in [1, 2, 3, 1000, 1025] {
            let data = Data::new(keys, 100, Compression::None, 7);
            let mut indices: Vec<u64> = (0..keys).map(|position| data.permuted(position)).collect();
            indices.sort_unstable();
            assert!(indices.into_iter().eq(0..keys));
        }
    }

    #[test]
    fn keys_keep_the_order_of_their_numbers() {
        assert!(key(0x1f) < key(0x20));
        assert_eq!(number(&key(0x1234)), Some(0x1234));
    }

    #[test]
    fn the_value_of_another_key_is_told_apart() {
        let data = Data::new(10, 100, Compression::Lz4, 7);
        let mut value = Vec::new();
        data.value(data.loaded(3), &mut Random::new(1), &mut value);
        assert!(data.belongs(data.loaded(3), Seen::of(&value)));
        assert!(!data.belongs(data.loaded(4), Seen::of(&value)));
        assert!(!data.belongs(data.loaded(3), Seen::of(&value[1..])));
    }
}
