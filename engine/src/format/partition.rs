//! One partition of a table's filter and index, in one block, so that a point read fetches both at once.
//!
//! ```text
//!   ┌────────────────────────────────┬────────────────────────────────┬──────────────────┐
//!   │ filter of the keys of its data │ index of these blocks          │ filter bytes u32 │
//!   │ blocks (`filter`), or nothing  │ (`index`)                      │                  │
//!   └────────────────────────────────┴────────────────────────────────┴──────────────────┘
//! ```
//!
//! A read asks the filter first and touches the index only when it says "perhaps". A partition follows its data blocks in
//! the file, and is never compressed: a filter does not shrink.

use bytes::{Buf, BufMut, BytesMut};

use super::Fault;
use super::filter;
use super::index::{Index, IndexBuilder};

/// Data blocks after which a partition is full.
const BLOCKS_MAX: usize = 128;

/// Bytes of index after which a partition is full.
const INDEX_BYTES_MAX: usize = 4096;

/// Gathers one partition after the other.
#[derive(Debug, Default)]
pub(crate) struct PartitionBuilder {
    /// The hashes of its keys.
    pub(crate) hashes: Vec<u64>,
    /// Its data blocks.
    pub(crate) index: IndexBuilder,
}

impl PartitionBuilder {
    /// Whether the next data block belongs to another partition.
    pub(crate) fn is_full(&self) -> bool {
        self.index.count() >= BLOCKS_MAX || self.index.estimated_bytes() >= INDEX_BYTES_MAX
    }

    /// Appends the partition and begins a new one; returns the bytes that its filter takes.
    pub(crate) fn finish(&mut self, millibits_per_key: u32, buffer: &mut BytesMut) -> u64 {
        let begin = buffer.len();
        filter::build(&self.hashes, millibits_per_key, buffer);
        let filter_bytes = u32::try_from(buffer.len() - begin).expect("a partition's filter stays far below 4 GiB");
        self.index.finish(buffer);
        buffer.put_u32_le(filter_bytes);
        self.hashes.clear();
        u64::from(filter_bytes)
    }
}

/// A partition, in place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Partition<'a> {
    /// The filter of its keys; empty when there is none.
    pub(crate) filter: &'a [u8],
    /// Its data blocks.
    pub(crate) index: Index<'a>,
}

impl<'a> Partition<'a> {
    /// Takes a partition apart.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        const WHAT: Fault = Fault::MalformedBlock { what: "its filter" };
        let (body, footer) = bytes.split_last_chunk::<4>().ok_or(WHAT)?;
        let filter_bytes = (&footer[..]).get_u32_le() as usize;
        let (filter, index) = body.split_at_checked(filter_bytes).ok_or(WHAT)?;
        filter::check(filter)?;
        Ok(Self { filter, index: Index::parse(index)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::entry::key_hash;
    use crate::format::seal::Handle;

    #[test]
    fn a_partition_holds_filter_and_index_with_any_number_of_bits() {
        for millibits in [0, 10_000] {
            let mut builder = PartitionBuilder::default();
            builder.hashes.extend([key_hash(b"rain"), key_hash(b"hail")]);
            builder.index.add(b"rain", Handle { offset: 5, length_bytes: 9 });
            let mut buffer = BytesMut::new();
            let filter_bytes = builder.finish(millibits, &mut buffer);
            assert_eq!(filter_bytes == 0, millibits == 0);
            let partition = Partition::parse(&buffer).expect("a partition");
            assert!(filter::may_contain(partition.filter, key_hash(b"hail")));
            assert_eq!(filter::may_contain(partition.filter, key_hash(b"snow")), millibits == 0);
            assert_eq!(partition.index.find(b"rain"), Ok(0));
            for length in 0..buffer.len() {
                let _ = Partition::parse(&buffer[..length]).map(|cut| cut.index.find(b"rain"));
            }
        }
    }
}
