//! What experiments write and ask for: the same from the same seed.
//!
//! ```text
//!   key      16 hexadecimal digits: the number's bits, mixed, so that neighbouring numbers lie far apart
//!            numbers below N are written; N and above lie between them and are not there
//!   value    pseudo-random bytes, which no compression shortens
//! ```

use engine::world::Rng;

use super::Database;
use crate::output::Failed;

/// Writes that are committed together.
const BATCH_WRITES: u64 = 64;

/// The key with this number, in no order. Different numbers have different keys.
pub(super) fn scattered_key(number: u64) -> [u8; 16] {
    // The finalizer of splitmix64: every step can be undone, so no two numbers meet.
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ordered_key(mixed ^ (mixed >> 31))
}

/// The key with this number, in the numbers' order.
pub(super) fn ordered_key(number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    for (place, digit) in key.iter_mut().enumerate() {
        let four_bits = (number >> (60 - 4 * place)) as usize & 15;
        *digit = b"0123456789abcdef"[four_bits];
    }
    key
}

/// Fills a value.
pub(super) fn fill(value: &mut [u8], random: &mut Rng) {
    for chunk in value.chunks_mut(8) {
        chunk.copy_from_slice(&random.next_u64().to_le_bytes()[..chunk.len()]);
    }
}

/// Writes a new value to each of the keys, in batches.
pub(super) fn write<K: AsRef<[u8]>>(
    database: &Database,
    keys: impl IntoIterator<Item = K>,
    value_bytes: usize,
    random: &mut Rng,
    mut written: impl FnMut(u64),
) -> Result<(), Failed> {
    let mut value = vec![0; value_bytes];
    let mut batch = database.batch();
    let mut count = 0;
    for key in keys {
        fill(&mut value, random);
        batch = batch.put(key, &value);
        count += 1;
        if count == BATCH_WRITES {
            database.write(std::mem::replace(&mut batch, database.batch()))?;
            written(count);
            count = 0;
        }
    }
    if count > 0 {
        database.write(batch)?;
        written(count);
    }
    Ok(())
}

/// Draws numbers that are as uneven as words in a text: the second half as often as the first, the third a third.
pub(super) struct Zipf {
    /// Up to each rank, the sum of all weights.
    sums: Vec<u64>,
}

impl Zipf {
    /// For numbers below `count`, which is at most 2^32.
    pub(super) fn new(count: u64) -> Self {
        let mut sum = 0;
        let sums = (1..=count)
            .map(|rank| {
                sum += (1 << 40) / rank;
                sum
            })
            .collect();
        Self { sums }
    }

    pub(super) fn draw(&self, random: &mut Rng) -> u64 {
        let Some(&total) = self.sums.last() else { return 0 };
        let drawn = random.below(total);
        self.sums.partition_point(|sum| *sum <= drawn) as u64
    }
}

/// No experiment uses more bytes of anything: 1 TiB.
const BYTES_MOST: usize = 1 << 40;

/// Parses a number of bytes: `4096`, `64KiB`, `8MiB`, `1GiB`.
pub(super) fn parse_bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|char: char| !char.is_ascii_digit());
    let unit = match text[digits.len()..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => return Err(format!("`{other}` is no unit of bytes; use KiB, MiB or GiB")),
    };
    let number: usize = digits.parse().map_err(|_| format!("`{text}` is no number of bytes, like 4096 or 64MiB"))?;
    let bytes = number.checked_mul(unit).filter(|bytes| *bytes <= BYTES_MOST);
    bytes.ok_or_else(|| format!("`{text}` is too much for an experiment; the most is 1024GiB"))
}
