//! The top index of an open table, taken apart once, so that a lookup finds its partition within a few cache lines.
//!
//! ```text
//!   separators   ab-storm-00017   ab-storm-00933   ab-storm-02115   ...
//!   heads                 0001             0009             0021       eight bytes behind the shared prefix, as a number
//!   handles          partition        partition        partition
//! ```
//!
//! A search compares numbers that lie side by side. Whole separators, which lie elsewhere, are looked at only where the
//! heads of several are the key's own.

use bytes::Bytes;

use crate::format::Fault;
use crate::format::index::Index;
use crate::format::seal::Handle;

/// Bytes of a separator that its head holds.
const HEAD_BYTES: usize = 8;

/// A top index in memory.
#[derive(Debug)]
pub(super) struct TopIndex {
    /// As it stands in the file.
    bytes: Bytes,
    heads: Box<[u64]>,
    handles: Box<[Handle]>,
}

impl TopIndex {
    /// Takes a top index apart, every entry of it: what comes later cannot fail.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let index = Index::parse(bytes)?;
        let handles = (0..index.count()).map(|number| index.handle(number)).collect::<Result<_, _>>()?;
        let heads = (0..index.count()).map(|number| Ok(head(index.suffix(number)?))).collect::<Result<_, _>>()?;
        // It came with the read buffer it is a part of: it stays for long, so it gets its own.
        Ok(Self { bytes: Bytes::copy_from_slice(bytes), heads, handles })
    }

    /// Partitions it names.
    pub(super) fn count(&self) -> usize {
        self.handles.len()
    }

    /// Memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.heads) + size_of_val(&*self.handles)
    }

    /// Where partition `number` stands; `None` behind the last.
    pub(super) fn handle(&self, number: usize) -> Option<Handle> {
        self.handles.get(number).copied()
    }

    /// The separator of partition `number`, in one piece.
    pub(super) fn separator(&self, number: usize) -> Result<Vec<u8>, Fault> {
        self.index()?.separator(number)
    }

    /// The number of the first partition whose separator is not before `key`; the count when all are.
    pub(super) fn find(&self, key: &[u8]) -> Result<usize, Fault> {
        let index = self.index()?;
        let Some(rest) = key.strip_prefix(index.prefix()) else { return index.find(key) };
        let wanted = head(rest);
        let first = self.heads.partition_point(|head| *head < wanted);
        if self.heads.get(first) != Some(&wanted) {
            return Ok(first);
        }
        let alike = self.heads[first..].partition_point(|head| *head == wanted);
        index.find_between(first..first + alike, rest)
    }

    fn index(&self) -> Result<Index<'_>, Fault> {
        Index::parse(&self.bytes)
    }
}

/// The first bytes as a number that is ordered as they are. Equal heads say nothing: what is short is filled up.
fn head(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<HEAD_BYTES>() {
        Some(chunk) => u64::from_be_bytes(*chunk),
        None => {
            let mut chunk = [0; HEAD_BYTES];
            chunk[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(chunk)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::index::IndexBuilder;
    use bytes::BytesMut;

    #[test]
    fn it_finds_what_the_index_in_the_file_finds_among_keys_with_long_and_equal_heads() {
        let separators: [&[u8]; 9] = [
            b"key",
            b"key\0",
            b"key\0\0",
            b"keystorm",
            b"keystormglass-1",
            b"keystormglass-1",
            b"keystormglass-2",
            b"keystormglaz",
            b"keyz",
        ];
        let mut builder = IndexBuilder::default();
        for (number, separator) in separators.iter().enumerate() {
            builder.add(separator, Handle { offset: 70 * number as u64, length_bytes: 70 });
        }
        let mut buffer = BytesMut::new();
        builder.finish(&mut buffer);
        let top = TopIndex::decode(&buffer).expect("a top index");
        assert_eq!(top.count(), separators.len());
        let nearby = separators.iter().flat_map(|separator| {
            let shorter = separator[..separator.len() - 1].to_vec();
            [shorter, separator.to_vec(), [*separator, b"\0"].concat(), [*separator, b"~"].concat()]
        });
        for key in nearby.chain([Vec::new(), b"a".to_vec(), b"kez".to_vec()]) {
            let expected = separators.iter().filter(|separator| **separator < &key[..]).count();
            assert_eq!(top.find(&key), Ok(expected), "{}", key.escape_ascii());
        }
        assert_eq!(top.handle(8), Some(Handle { offset: 560, length_bytes: 70 }));
        assert_eq!(top.handle(9), None);
        assert_eq!(top.separator(8).as_deref(), Ok(&b"keyz"[..]));
    }

    #[test]
    fn an_index_with_one_bad_entry_is_refused_whole() {
        let mut builder = IndexBuilder::default();
        builder.add(b"rain", Handle { offset: 5, length_bytes: 9 });
        builder.add(b"snow", Handle { offset: 14, length_bytes: 9 });
        let mut buffer = BytesMut::new();
        builder.finish(&mut buffer);
        let begins = buffer.len() - 16 - 8;
        buffer[begins + 4] = 0xff;
        assert!(TopIndex::decode(&buffer).is_err());
    }
}
