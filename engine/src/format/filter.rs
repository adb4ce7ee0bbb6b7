//! "Perhaps" or "certainly not": a Bloom filter in blocks of one cache line, so that a question costs one miss.
//!
//! ```text
//!   ┌──────────┬──────────┬─────┬───────────┐      block   upper half of the hash x blocks >> 32
//!   │ 64 bytes │ 64 bytes │ ... │ probes u8 │      probe   top 9 bits of (lower half x 0x9e3779b9 ^ n): a bit of the block
//!   └──────────┴──────────┴─────┴───────────┘      a filter of no bytes says "perhaps" of everything
//! ```
//!
//! Bits a key come in thousandths, so that levels can share memory by Monkey's rule (Dayan, Athanassoulis, Idreos 2017).
//! Blocked Bloom filters: Putze, Sanders, Singler 2007; number of probes and the multiplication follow RocksDB's
//! `FastLocalBloom`, which measured them. At 10 bits a key about 1% of the absent keys are let through.

use bytes::{BufMut, BytesMut};

use super::Fault;

const BLOCK_BYTES: usize = 64;
const BLOCK_BITS: u64 = 8 * BLOCK_BYTES as u64;
const PROBES_MAX: u8 = 30;
const GOLDEN: u32 = 0x9e37_79b9;

/// Whether the key with this hash may be among those that the filter was built from.
#[inline]
pub(crate) fn may_contain(filter: &[u8], hash: u64) -> bool {
    let Some((&probes, blocks)) = filter.split_last() else { return true };
    let count = blocks.len() / BLOCK_BYTES;
    let begin = block_of(hash, count) * BLOCK_BYTES;
    let Some(block) = blocks.get(begin..begin + BLOCK_BYTES) else { return true };
    let mut bits = hash as u32;
    for _ in 0..probes {
        bits = bits.wrapping_mul(GOLDEN);
        let bit = (bits >> (32 - 9)) as usize;
        if block[bit / 8] & (1 << (bit % 8)) == 0 {
            return false;
        }
    }
    true
}

/// Whether the bytes have the form of a filter.
pub(crate) fn check(filter: &[u8]) -> Result<(), Fault> {
    match filter.split_last() {
        None => Ok(()),
        Some((&probes, blocks))
            if !blocks.is_empty() && blocks.len().is_multiple_of(BLOCK_BYTES) && (1..=PROBES_MAX).contains(&probes) =>
        {
            Ok(())
        }
        Some(_) => Err(Fault::MalformedBlock { what: "its filter" }),
    }
}

/// Appends the filter of the keys with these hashes; nothing when a key gets no bits, or there is none.
pub(crate) fn build(hashes: &[u64], millibits_per_key: u32, buffer: &mut BytesMut) {
    if hashes.is_empty() || millibits_per_key == 0 {
        return;
    }
    let bits = (hashes.len() as u64 * u64::from(millibits_per_key)).div_ceil(1000);
    let count = usize::try_from(bits.div_ceil(BLOCK_BITS)).expect("a partition's filter fits memory");
    let probes = probes(millibits_per_key);
    let begin = buffer.len();
    buffer.put_bytes(0, count * BLOCK_BYTES);
    for &hash in hashes {
        let block = &mut buffer[begin + block_of(hash, count) * BLOCK_BYTES..][..BLOCK_BYTES];
        let mut bits = hash as u32;
        for _ in 0..probes {
            bits = bits.wrapping_mul(GOLDEN);
            let bit = (bits >> (32 - 9)) as usize;
            block[bit / 8] |= 1 << (bit % 8);
        }
    }
    buffer.put_u8(probes);
}

#[inline]
fn block_of(hash: u64, count: usize) -> usize {
    (((hash >> 32) * count as u64) >> 32) as usize
}

/// The number of probes that lets the fewest absent keys through, in blocks of 512 bits.
fn probes(millibits_per_key: u32) -> u8 {
    const UP_TO: [u32; 12] =
        [2_080, 3_580, 5_100, 6_640, 8_300, 10_070, 11_720, 14_001, 16_050, 18_300, 22_001, 25_501];
    let fewer = UP_TO.iter().filter(|limit| millibits_per_key > **limit).count();
    match fewer {
        12 => ((millibits_per_key - 1) / 2000).clamp(12, 24) as u8,
        fewer => fewer as u8 + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::entry::key_hash;

    fn hash(number: u32) -> u64 {
        key_hash(format!("key {number}").as_bytes())
    }

    fn filter(keys: u32, millibits: u32) -> BytesMut {
        let mut buffer = BytesMut::new();
        build(&(0..keys).map(hash).collect::<Vec<_>>(), millibits, &mut buffer);
        buffer
    }

    /// Absent keys that are let through, of a hundred thousand.
    fn let_through(filter: &[u8]) -> usize {
        (1_000_000..1_100_000).filter(|number| may_contain(filter, hash(*number))).count()
    }

    #[test]
    fn every_key_of_the_set_is_let_through() {
        for keys in [1, 2, 50, 4_000] {
            for millibits in [1, 500, 2_345, 10_000, 60_000] {
                let filter = filter(keys, millibits);
                assert_eq!(check(&filter), Ok(()));
                assert!((0..keys).all(|number| may_contain(&filter, hash(number))), "{keys} keys, {millibits}");
            }
        }
    }

    #[test]
    fn ten_bits_a_key_let_at_most_12_of_a_thousand_absent_keys_through() {
        let filter = filter(50_000, 10_000);
        assert!(filter.len() <= 50_000 * 10 / 8 + BLOCK_BYTES + 1);
        let found = let_through(&filter);
        assert!((500..=1_200).contains(&found), "{found} of 100000");
    }

    #[test]
    fn more_bits_let_fewer_through() {
        let rates: Vec<usize> = [500, 1_000, 2_000, 4_000, 6_000, 8_000, 12_000, 16_000]
            .map(|bits| let_through(&filter(20_000, bits)))
            .into();
        assert!(rates.is_sorted_by(|less, more| less > more), "{rates:?}");
    }

    #[test]
    fn no_filter_says_perhaps_and_an_invented_one_never_panics() {
        assert!(may_contain(&[], 5));
        assert!(filter(9, 0).is_empty());
        for length in 1..300 {
            let invented = vec![0xff; length];
            may_contain(&invented, u64::MAX);
            assert!(check(&invented).is_err(), "255 probes are too many");
        }
        assert!(check(&[0; 65]).is_err() && check(&[1; 64]).is_err() && check(&[1; 65]).is_ok());
    }
}
