//! Which block holds a key: separators and handles, in order, searched in place.
//!
//! ```text
//!   ┌────────┬─────────┬─────────┬─────┬────────────────┬───────────────┬────────────┬───────────┐
//!   │ prefix │ entry 0 │ entry 1 │ ... │ begin u32 each │ base offset   │ prefix     │ count u32 │
//!   │        │         │         │     │ (of the entry) │ u64           │ length u32 │           │
//!   └────────┴─────────┴─────────┴─────┴────────────────┴───────────────┴────────────┴───────────┘
//!   entry = suffix length varint │ suffix │ block offset - base varint │ block length varint
//!
//!   last key of a block  <=  separator = prefix + suffix  <  first key of the next block
//! ```
//!
//! The block of a key is the first one whose separator is not before it. When two neighbours hold versions of the same
//! key, that key is the separator, and the right side of the rule is an equality. A partition holds the index of its data
//! blocks; the top index, which stays in memory, has the same form and names the partitions.

use std::ops::Range;

use bytes::{Buf, BufMut, BytesMut};

use super::Fault;
use super::seal::Handle;
use super::varint;

const FOOTER_BYTES: usize = 16;

/// Gathers separators and handles.
#[derive(Debug, Default)]
pub(crate) struct IndexBuilder {
    /// All separators, one behind the other.
    separators: Vec<u8>,
    /// Where each ends, and its block.
    entries: Vec<(usize, Handle)>,
}

impl IndexBuilder {
    /// Adds the next block.
    pub(crate) fn add(&mut self, separator: &[u8], handle: Handle) {
        self.separators.extend_from_slice(separator);
        self.entries.push((self.separators.len(), handle));
    }

    /// Blocks so far.
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    /// About how long it will be, with the shared prefix counted each time.
    pub(crate) fn estimated_bytes(&self) -> usize {
        self.separators.len() + 10 * self.entries.len() + FOOTER_BYTES
    }

    /// The separator of the last block.
    pub(crate) fn last_separator(&self) -> &[u8] {
        match self.entries.len() {
            0 => &[],
            count => self.separator(count - 1),
        }
    }

    /// Appends the index and begins a new one.
    pub(crate) fn finish(&mut self, buffer: &mut BytesMut) {
        let begin = buffer.len();
        let prefix = shared_bytes(self.separator(0), self.last_separator());
        buffer.put_slice(&self.separator(0)[..prefix]);
        let base = self.entries.first().map_or(0, |(_, handle)| handle.offset);
        let mut begins = Vec::with_capacity(self.entries.len());
        for (number, &(_, handle)) in self.entries.iter().enumerate() {
            begins.push(u32::try_from(buffer.len() - begin).expect("an index stays far below 4 GiB"));
            let suffix = &self.separator(number)[prefix..];
            varint::put_u64(buffer, suffix.len() as u64);
            buffer.put_slice(suffix);
            varint::put_u64(buffer, handle.offset - base);
            varint::put_u64(buffer, u64::from(handle.length_bytes));
        }
        let count = begins.len() as u32;
        begins.into_iter().for_each(|begin| buffer.put_u32_le(begin));
        buffer.put_u64_le(base);
        buffer.put_u32_le(prefix as u32);
        buffer.put_u32_le(count);
        self.separators.clear();
        self.entries.clear();
    }

    fn separator(&self, number: usize) -> &[u8] {
        let begin = if number == 0 { 0 } else { self.entries[number - 1].0 };
        let end = self.entries.get(number).map_or(begin, |(end, _)| *end);
        &self.separators[begin..end]
    }
}

/// Bytes that both begin with: eight at a time, for searches ask this of every key that they pass.
#[inline]
pub(crate) fn shared_bytes(left: &[u8], right: &[u8]) -> usize {
    let (left_words, left_rest) = left.as_chunks::<8>();
    let (right_words, right_rest) = right.as_chunks::<8>();
    let mut shared = 0;
    for (left, right) in left_words.iter().zip(right_words) {
        let difference = u64::from_le_bytes(*left) ^ u64::from_le_bytes(*right);
        if difference != 0 {
            return shared + difference.trailing_zeros() as usize / 8;
        }
        shared += 8;
    }
    // One of them has no words left: what both still have is short.
    let left_rest = if left_words.len() > right_words.len() { &left[shared..] } else { left_rest };
    let right_rest = if right_words.len() > left_words.len() { &right[shared..] } else { right_rest };
    shared + left_rest.iter().zip(right_rest).take_while(|(left, right)| left == right).count()
}

/// The shortest separator this finds: at or behind `last`, before `next`. Equal keys are their own.
pub(crate) fn separator<'a>(last: &'a [u8], next: &'a [u8]) -> &'a [u8] {
    // A prefix of `next` that is longer than what both share lies behind `last`, and before `next` unless it is all of it.
    let shorter = &next[..(shared_bytes(last, next) + 1).min(next.len())];
    if shorter.len() < last.len() && shorter > last && shorter < next { shorter } else { last }
}

/// An index, in place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Index<'a> {
    prefix: &'a [u8],
    /// Prefix and entries.
    entries: &'a [u8],
    begins: &'a [u8],
    base: u64,
}

impl<'a> Index<'a> {
    /// Takes an index apart.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        const WHAT: Fault = Fault::MalformedBlock { what: "its index" };
        let (body, mut footer) =
            bytes.split_last_chunk::<FOOTER_BYTES>().map(|(body, footer)| (body, &footer[..])).ok_or(WHAT)?;
        let base = footer.get_u64_le();
        let prefix_bytes = footer.get_u32_le() as usize;
        let begins_bytes = (footer.get_u32_le() as usize).checked_mul(4).ok_or(WHAT)?;
        let entries_bytes = body.len().checked_sub(begins_bytes).ok_or(WHAT)?;
        let (entries, begins) = body.split_at(entries_bytes);
        let prefix = entries.get(..prefix_bytes).ok_or(WHAT)?;
        Ok(Self { prefix, entries, begins, base })
    }

    /// Blocks it names.
    pub(crate) fn count(&self) -> usize {
        self.begins.len() / 4
    }

    /// The number of the first block whose separator is not before `key`; the count when all are.
    pub(crate) fn find(&self, key: &[u8]) -> Result<usize, Fault> {
        let (head, rest) = key.split_at(key.len().min(self.prefix.len()));
        match head.cmp(self.prefix) {
            std::cmp::Ordering::Less => return Ok(0),
            std::cmp::Ordering::Greater => return Ok(self.count()),
            std::cmp::Ordering::Equal => {}
        }
        self.find_between(0..self.count(), rest)
    }

    /// The same among some blocks, for what a key has behind the shared prefix; the end when all are before it.
    pub(crate) fn find_between(&self, blocks: Range<usize>, rest: &[u8]) -> Result<usize, Fault> {
        let (mut low, mut high) = (blocks.start, blocks.end);
        while low < high {
            let middle = low.midpoint(high);
            if self.suffix(middle)? < rest { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// What all separators begin with.
    pub(crate) fn prefix(&self) -> &'a [u8] {
        self.prefix
    }

    /// What the separator of block `number` has behind the prefix.
    pub(crate) fn suffix(&self, number: usize) -> Result<&'a [u8], Fault> {
        Ok(self.suffix_and_end(number)?.0)
    }

    /// Where block `number` stands. Its end is a number.
    pub(crate) fn handle(&self, number: usize) -> Result<Handle, Fault> {
        let mut position = self.suffix_and_end(number)?.1;
        let relative = varint::read_u64(self.entries, &mut position);
        let length_bytes = varint::read_u32(self.entries, &mut position);
        let handle = relative.and_then(|relative| self.base.checked_add(relative)).zip(length_bytes);
        let handle = handle.map(|(offset, length_bytes)| Handle { offset, length_bytes });
        handle.filter(|handle| handle.end().is_some()).ok_or(Fault::MalformedBlock { what: "a handle of its index" })
    }

    /// Whether `key` is the separator of block `number`: then versions of it may go on in the next block.
    pub(crate) fn separator_is(&self, number: usize, key: &[u8]) -> Result<bool, Fault> {
        Ok(key.strip_prefix(self.prefix) == Some(self.suffix(number)?))
    }

    /// The separator of block `number`, in one piece.
    pub(crate) fn separator(&self, number: usize) -> Result<Vec<u8>, Fault> {
        Ok([self.prefix, self.suffix(number)?].concat())
    }

    /// The suffix of a separator, and where the handle behind it begins.
    fn suffix_and_end(&self, number: usize) -> Result<(&'a [u8], usize), Fault> {
        let read = || {
            let mut begin = self.begins.get(4 * number..)?;
            let mut position = begin.try_get_u32_le().ok()? as usize;
            let length = usize::try_from(varint::read_u64(self.entries, &mut position)?).ok()?;
            let end = position.checked_add(length)?;
            Some((self.entries.get(position..end)?, end))
        };
        read().ok_or(Fault::MalformedBlock { what: "an entry of its index" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_is_short_and_parts_its_neighbours() {
        for (last, next, expected) in [
            ("storm glass", "storm warning", "storm w"),
            ("abc", "abd", "abc"),
            ("abcdef", "abd", "abcdef"),
            ("abcdef", "abdz", "abd"),
            ("abc", "abcd", "abc"),
            ("same", "same", "same"),
            ("a", "b", "a"),
        ] {
            assert_eq!(separator(last.as_bytes(), next.as_bytes()), expected.as_bytes(), "{last} {next}");
        }
    }

    #[test]
    fn every_key_finds_the_first_block_that_may_hold_it() {
        let separators = ["storm", "storm", "stormglass", "stormz", "str"];
        let mut builder = IndexBuilder::default();
        for (number, separator) in separators.iter().enumerate() {
            builder.add(separator.as_bytes(), Handle { offset: 1000 + 70 * number as u64, length_bytes: 70 });
        }
        let mut buffer = BytesMut::new();
        builder.finish(&mut buffer);
        assert_eq!(builder.count(), 0);
        let index = Index::parse(&buffer).expect("an index");
        for key in ["", "a", "st", "storm", "stormg", "stormglass", "stormglasz", "stormz", "str", "stra", "z"] {
            let expected = separators.iter().filter(|separator| **separator < key).count();
            assert_eq!(index.find(key.as_bytes()), Ok(expected), "{key}");
        }
        for (number, separator) in separators.iter().enumerate() {
            assert_eq!(index.handle(number), Ok(Handle { offset: 1000 + 70 * number as u64, length_bytes: 70 }));
            assert_eq!(index.separator(number).as_deref(), Ok(separator.as_bytes()));
            assert_eq!(index.separator_is(number, b"storm"), Ok(*separator == "storm"));
        }
        assert!(index.handle(5).is_err());
    }

    #[test]
    fn an_empty_index_finds_nothing_and_invented_bytes_never_panic() {
        let mut buffer = BytesMut::new();
        IndexBuilder::default().finish(&mut buffer);
        assert_eq!(Index::parse(&buffer).expect("an index").find(b"rain"), Ok(0));
        for seed in 0..2_000_u64 {
            let bytes: Vec<u8> = (0..seed % 60).map(|at| (seed.wrapping_mul(at * 7 + 3) >> 5) as u8 % 5).collect();
            let Ok(index) = Index::parse(&bytes) else { continue };
            let _ = (index.find(&[0, 1]), index.handle(0), index.separator(1), index.separator_is(2, &[1]));
        }
    }
}
