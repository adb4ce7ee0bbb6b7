//! What a table says of itself: enough to place it, to choose it for compaction and to check it, without reading it.
//!
//! ```text
//!   tag varint │ length varint │ u64, eight bytes, or bytes of that length      ... one after the other
//! ```
//!
//! Each property has a tag for ever. A later format may add some: a tag that this program does not know is skipped. One
//! that every table has and that is missing is a fault. Where a table has nothing to say (no expiry), the number is that
//! of an empty set, so that merging two tables' properties needs no special case.
//!
//! Deletions are counted by windows of 128 consecutive entries, by the share of tombstones in each: a table whose deletes
//! lie together is worth compacting when one with as many, spread out, is not (after RocksDB's
//! `CompactOnDeletionCollector`).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::entry::{EntryRef, RangeTombstone};
use super::operation::Sequence;
use super::seal::Compression;
use super::{Fault, varint};

/// Entries of one window.
const WINDOW_ENTRIES: u64 = 128;

/// What the entries of a table add up to. Builder and verifier count with the same code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Entries, tombstones included, range tombstones not.
    pub(crate) entries: u64,
    /// Of them, tombstones.
    pub(crate) tombstones: u64,
    /// Of them, values that expire.
    pub(crate) expiring: u64,
    /// Range tombstones.
    pub(crate) range_tombstones: u64,
    /// Bytes of all keys, before prefixes are shared.
    pub(crate) raw_key_bytes: u64,
    /// Bytes of all values.
    pub(crate) raw_value_bytes: u64,
    /// The smallest sequence, range tombstones included; the largest number when there is nothing.
    pub(crate) min_sequence: Sequence,
    /// The largest sequence, range tombstones included; zero when there is nothing.
    pub(crate) max_sequence: Sequence,
    /// The earliest expiry of an expiring value; the largest number when nothing expires.
    pub(crate) min_expires_micros: u64,
    /// The latest expiry of an expiring value; zero when nothing expires.
    pub(crate) max_expires_micros: u64,
    /// The wrapping sum of `EntryRef::set_hash` over the entries.
    pub(crate) set_hash: u64,
    /// Windows of 128 entries with up to a quarter, half, three quarters and all of them tombstones; those without
    /// any are not counted, nor is a window that the end of the table cut short.
    pub(crate) tombstone_windows: [u64; 4],
    window_tombstones: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            entries: 0,
            tombstones: 0,
            expiring: 0,
            range_tombstones: 0,
            raw_key_bytes: 0,
            raw_value_bytes: 0,
            min_sequence: Sequence(u64::MAX),
            max_sequence: Sequence::ZERO,
            min_expires_micros: u64::MAX,
            max_expires_micros: 0,
            set_hash: 0,
            tombstone_windows: [0; 4],
            window_tombstones: 0,
        }
    }
}

impl Tally {
    /// Counts an entry.
    pub(crate) fn add(&mut self, entry: &EntryRef<'_>) {
        self.entries += 1;
        self.raw_key_bytes += entry.key.len() as u64;
        self.raw_value_bytes += entry.value.map_or(0, <[u8]>::len) as u64;
        self.add_sequence(entry.sequence);
        if entry.value.is_none() {
            self.tombstones += 1;
            self.window_tombstones += 1;
        } else if entry.expires_micros != 0 {
            self.expiring += 1;
            self.min_expires_micros = self.min_expires_micros.min(entry.expires_micros);
            self.max_expires_micros = self.max_expires_micros.max(entry.expires_micros);
        }
        self.set_hash = self.set_hash.wrapping_add(entry.set_hash());
        if self.entries.is_multiple_of(WINDOW_ENTRIES) {
            if self.window_tombstones > 0 {
                let quarter = (4 * self.window_tombstones).div_ceil(WINDOW_ENTRIES) as usize - 1;
                self.tombstone_windows[quarter] += 1;
            }
            self.window_tombstones = 0;
        }
    }

    /// Counts a range tombstone.
    pub(crate) fn add_range(&mut self, tombstone: &RangeTombstone) {
        self.range_tombstones += 1;
        self.add_sequence(tombstone.sequence);
    }

    /// Forgets what only the counting needed, as the properties of a finished table do.
    pub(crate) fn finished(mut self) -> Self {
        self.window_tombstones = 0;
        self
    }

    fn add_sequence(&mut self, sequence: Sequence) {
        self.min_sequence = self.min_sequence.min(sequence);
        self.max_sequence = self.max_sequence.max(sequence);
    }
}

/// What a table says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Properties {
    /// The table's number.
    pub(crate) number: u64,
    /// Bytes of the whole file.
    pub(crate) file_bytes: u64,
    /// What its entries add up to.
    pub(crate) tally: Tally,
    /// Bytes of its data blocks in the file.
    pub(crate) data_bytes: u64,
    /// Bytes of its partitions and its top index in the file, filters not included.
    pub(crate) index_bytes: u64,
    /// Bytes of its filters.
    pub(crate) filter_bytes: u64,
    /// Data blocks.
    pub(crate) data_blocks: u64,
    /// Partitions.
    pub(crate) partitions: u64,
    /// The first key that it holds or covers.
    pub(crate) smallest: Bytes,
    /// The first key behind all that it holds or covers.
    pub(crate) end: Bytes,
    /// Wall time at which it was begun, in microseconds.
    pub(crate) created_micros: u64,
    /// How its data blocks were to be compressed.
    pub(crate) compression: Compression,
    /// How large its data blocks were to be.
    pub(crate) block_bytes: u64,
    /// Bits of filter a key, in thousandths.
    pub(crate) filter_millibits_per_key: u64,
}

/// A property that is a number.
struct Number {
    tag: u64,
    name: &'static str,
    field: fn(&mut Properties) -> &mut u64,
}

const fn number(tag: u64, name: &'static str, field: fn(&mut Properties) -> &mut u64) -> Number {
    Number { tag, name, field }
}

/// All numbers but the compression. Tags are for ever.
const NUMBERS: [Number; 25] = [
    number(1, "the table number", |properties| &mut properties.number),
    number(2, "the file length", |properties| &mut properties.file_bytes),
    number(3, "the count of entries", |properties| &mut properties.tally.entries),
    number(4, "the count of tombstones", |properties| &mut properties.tally.tombstones),
    number(5, "the count of expiring values", |properties| &mut properties.tally.expiring),
    number(6, "the count of range tombstones", |properties| &mut properties.tally.range_tombstones),
    number(7, "the bytes of keys", |properties| &mut properties.tally.raw_key_bytes),
    number(8, "the bytes of values", |properties| &mut properties.tally.raw_value_bytes),
    number(9, "the smallest sequence", |properties| &mut properties.tally.min_sequence.0),
    number(10, "the largest sequence", |properties| &mut properties.tally.max_sequence.0),
    number(11, "the earliest expiry", |properties| &mut properties.tally.min_expires_micros),
    number(12, "the latest expiry", |properties| &mut properties.tally.max_expires_micros),
    number(13, "the set-hash", |properties| &mut properties.tally.set_hash),
    number(14, "the windows with few tombstones", |properties| &mut properties.tally.tombstone_windows[0]),
    number(15, "the windows with up to half tombstones", |properties| &mut properties.tally.tombstone_windows[1]),
    number(16, "the windows with over half tombstones", |properties| &mut properties.tally.tombstone_windows[2]),
    number(17, "the windows of mostly tombstones", |properties| &mut properties.tally.tombstone_windows[3]),
    number(18, "the bytes of data blocks", |properties| &mut properties.data_bytes),
    number(19, "the bytes of indexes", |properties| &mut properties.index_bytes),
    number(20, "the bytes of filters", |properties| &mut properties.filter_bytes),
    number(21, "the count of data blocks", |properties| &mut properties.data_blocks),
    number(22, "the count of partitions", |properties| &mut properties.partitions),
    number(23, "the time of its creation", |properties| &mut properties.created_micros),
    number(24, "the block size", |properties| &mut properties.block_bytes),
    number(25, "the bits of its filter", |properties| &mut properties.filter_millibits_per_key),
];

const COMPRESSION: u64 = 40;
const SMALLEST: u64 = 41;
const END: u64 = 42;

impl Properties {
    /// Appends the properties. Their length does not depend on the numbers.
    pub(crate) fn encode(&self, buffer: &mut BytesMut) {
        let mut copy = self.clone();
        for number in &NUMBERS {
            put(buffer, number.tag, &(number.field)(&mut copy).to_le_bytes());
        }
        put(buffer, COMPRESSION, &u64::from(self.compression.kind()).to_le_bytes());
        put(buffer, SMALLEST, &self.smallest);
        put(buffer, END, &self.end);
    }

    /// The properties in a block.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        const MALFORMED: Fault = Fault::MalformedBlock { what: "a property" };
        let mut properties = Self::default();
        let mut seen = [false; 64];
        let mut position = 0;
        while position < bytes.len() {
            let (tag, value) = take(bytes, &mut position).ok_or(MALFORMED)?;
            properties.set(tag, value)?;
            if let Some(seen) = usize::try_from(tag).ok().and_then(|tag| seen.get_mut(tag)) {
                *seen = true;
            }
        }
        let others = [(COMPRESSION, "the compression"), (SMALLEST, "the smallest key"), (END, "the end of the keys")];
        let required = NUMBERS.iter().map(|number| (number.tag, number.name)).chain(others);
        match required.into_iter().find(|(tag, _)| !seen[*tag as usize]) {
            Some((_, what)) => Err(Fault::MissingProperty { what }),
            None => Ok(properties),
        }
    }

    fn set(&mut self, tag: u64, mut value: &[u8]) -> Result<(), Fault> {
        let mut take_number = || match value.len() {
            8 => Ok(value.get_u64_le()),
            _ => Err(Fault::MalformedBlock { what: "a property" }),
        };
        if let Some(number) = NUMBERS.iter().find(|number| number.tag == tag) {
            *(number.field)(self) = take_number()?;
        } else if tag == COMPRESSION {
            let kind = take_number()?;
            self.compression = Compression::of_kind(u8::try_from(kind).unwrap_or(u8::MAX))?;
        } else if tag == SMALLEST {
            self.smallest = Bytes::copy_from_slice(value);
        } else if tag == END {
            self.end = Bytes::copy_from_slice(value);
        }
        Ok(())
    }
}

fn put(buffer: &mut BytesMut, tag: u64, value: &[u8]) {
    varint::put_u64(buffer, tag);
    varint::put_u64(buffer, value.len() as u64);
    buffer.put_slice(value);
}

fn take<'a>(bytes: &'a [u8], position: &mut usize) -> Option<(u64, &'a [u8])> {
    let tag = varint::read_u64(bytes, position)?;
    let length = varint::read_u32(bytes, position)? as usize;
    let end = position.checked_add(length)?;
    let value = bytes.get(*position..end)?;
    *position = end;
    Some((tag, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Properties that differ in every number, so that no two can be mixed up.
    fn properties() -> Properties {
        let mut properties = Properties { compression: Compression::Zstd, ..Properties::default() };
        for (index, number) in NUMBERS.iter().enumerate() {
            *(number.field)(&mut properties) = 1000 + index as u64;
        }
        Properties { smallest: Bytes::from_static(b"a"), end: Bytes::from_static(b"b\0"), ..properties }
    }

    fn encoded(properties: &Properties) -> BytesMut {
        let mut buffer = BytesMut::new();
        properties.encode(&mut buffer);
        buffer
    }

    #[test]
    fn properties_come_back_and_an_unknown_one_is_skipped() {
        let mut bytes = encoded(&properties());
        assert_eq!(Properties::decode(&bytes), Ok(properties()));
        put(&mut bytes, 999, b"what a later program adds");
        put(&mut bytes, 50, b"");
        assert_eq!(Properties::decode(&bytes), Ok(properties()));
    }

    #[test]
    fn a_missing_property_is_named() {
        assert_eq!(Properties::decode(&[]), Err(Fault::MissingProperty { what: "the table number" }));
        let bytes = encoded(&properties());
        for length in 0..bytes.len() {
            assert!(Properties::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        let mut wrong = BytesMut::new();
        put(&mut wrong, 1, b"seven b");
        assert_eq!(Properties::decode(&wrong), Err(Fault::MalformedBlock { what: "a property" }));
    }

    #[test]
    fn tombstones_are_counted_by_how_close_they_lie() {
        let mut tally = Tally::default();
        for number in 0..5 * WINDOW_ENTRIES + 7 {
            let deleted = match number / WINDOW_ENTRIES {
                0 => false,
                1 => number % 4 == 0,
                2 => number % 2 == 0,
                3 => number % 4 != 0,
                _ => true,
            };
            let value = (!deleted).then_some(&b"x"[..]);
            tally.add(&EntryRef { key: b"k", sequence: Sequence(number + 1), value, expires_micros: 0 });
        }
        assert_eq!(tally.tombstone_windows, [1, 1, 1, 1]);
        assert_eq!((tally.min_sequence, tally.max_sequence), (Sequence(1), Sequence(647)));
        assert_eq!(tally.tombstones, 32 + 64 + 96 + 128 + 7);
    }
}
