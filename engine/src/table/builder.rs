//! Builds a table from entries in order, without waiting for the disk at each.
//!
//! ```text
//!   add ──▶ data block ── full ──▶ sealed into the buffer ── the next key gives its separator ──▶ partition
//!           partition  ── full ──▶ sealed into the buffer behind its data blocks ──▶ top index
//!   write_buffered ──▶ one append of all that is sealed           finish ──▶ the rest, and a sync
//! ```
//!
//! A block's separator lies between its last key and the first key of the next block, so a block waits for that key
//! before it enters the index. The file's name becomes durable by its folder's sync, which is the caller's.

use bytes::{Bytes, BytesMut};

use super::TableOptions;
use crate::format::block::BlockBuilder;
use crate::format::entry::{EntryRef, RangeTombstone, key_hash};
use crate::format::index::{self, IndexBuilder};
use crate::format::partition::PartitionBuilder;
use crate::format::properties::Properties;
use crate::format::seal::{Handle, Sealer};
use crate::format::table::{FOOTER_BYTES, FORMAT_VERSION, Footer};
use crate::format::{Compression, tombstones};
use crate::world::{DiskError, File};

/// The writer of one table.
pub(crate) struct Builder<F> {
    file: F,
    options: TableOptions,
    sealer: Sealer,
    /// What is sealed and not written.
    buffer: BytesMut,
    written_bytes: u64,
    block: BlockBuilder,
    /// The last data block, until the next key gives its separator.
    waiting: Option<Handle>,
    /// The hash of the key added last.
    last_hash: u64,
    partition: PartitionBuilder,
    top: IndexBuilder,
    tombstones: Vec<RangeTombstone>,
    properties: Properties,
    /// A partition or another uncompressed block, while it is put together.
    scratch: BytesMut,
}

impl<F: File> Builder<F> {
    /// A builder of table `number` into an empty file.
    pub(crate) fn new(file: F, number: u64, created_micros: u64, options: TableOptions) -> Self {
        let properties = Properties {
            number,
            created_micros,
            compression: options.compression,
            block_bytes: options.block_bytes as u64,
            filter_millibits_per_key: u64::from(options.filter_millibits_per_key),
            ..Properties::default()
        };
        Self {
            file,
            options,
            sealer: Sealer::new(number),
            buffer: BytesMut::new(),
            written_bytes: 0,
            block: BlockBuilder::default(),
            waiting: None,
            last_hash: 0,
            partition: PartitionBuilder::default(),
            top: IndexBuilder::default(),
            tombstones: Vec::new(),
            properties,
            scratch: BytesMut::new(),
        }
    }

    /// Adds the next entry in order.
    pub(crate) fn add(&mut self, entry: EntryRef<'_>) {
        let (last_key, last_sequence) = self.block.last();
        let is_first = self.properties.tally.entries == 0;
        let key_order = entry.key.cmp(last_key);
        assert!(
            is_first || key_order.is_gt() || (key_order.is_eq() && entry.sequence < last_sequence),
            "entries come in order, each once: key {} at sequence {} came too late",
            entry.key.escape_ascii(),
            entry.sequence
        );
        if is_first {
            self.properties.smallest = Bytes::copy_from_slice(entry.key);
        }
        if self.block.count() > 0 && self.block.bytes_with(&entry) > self.options.block_bytes {
            self.close_block();
        }
        if let Some(handle) = self.waiting.take() {
            self.partition.index.add(index::separator(self.block.last().0, entry.key), handle);
            if self.partition.is_full() {
                self.close_partition();
            }
        }
        let is_new_here = is_first || key_order.is_gt() || self.partition.hashes.is_empty();
        if is_first || key_order.is_gt() {
            self.last_hash = key_hash(entry.key);
        }
        if is_new_here {
            self.partition.hashes.push(self.last_hash);
        }
        self.block.add(&entry, self.last_hash);
        self.properties.tally.add(&entry);
    }

    /// Adds a range tombstone; their order does not matter. One that covers nothing is none.
    pub(crate) fn add_range_tombstone(&mut self, tombstone: RangeTombstone) {
        if tombstone.start < tombstone.end {
            self.tombstones.push(tombstone);
        }
    }

    /// Bytes that wait for `write_buffered`.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes of the file so far, written or not: what a caller who cuts tables by size asks for.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.offset() + self.block.bytes() as u64
    }

    /// Entries so far.
    pub(crate) fn entries(&self) -> u64 {
        self.properties.tally.entries
    }

    /// Appends what is sealed, in one call.
    pub(crate) async fn write_buffered(&mut self) -> Result<(), DiskError> {
        if !self.buffer.is_empty() {
            let chunk = self.buffer.split().freeze();
            let length = chunk.len() as u64;
            let offset = self.file.append(vec![chunk]).await?;
            assert_eq!(offset, self.written_bytes, "a table is written by its builder alone, from an empty file on");
            self.written_bytes += length;
        }
        Ok(())
    }

    /// Writes the rest and syncs the file. There must have been an entry or a range tombstone: a table of nothing has no
    /// place in any order.
    pub(crate) async fn finish(mut self) -> Result<Properties, DiskError> {
        assert!(self.entries() > 0 || !self.tombstones.is_empty(), "a table holds something");
        let footer = self.close();
        self.buffer.extend_from_slice(&footer);
        self.write_buffered().await?;
        assert_eq!(self.written_bytes, self.properties.file_bytes, "the properties announce the length of the file");
        self.file.sync().await?;
        Ok(self.properties)
    }

    /// Seals everything that is left; returns the footer.
    fn close(&mut self) -> Bytes {
        if self.block.count() > 0 {
            self.close_block();
        }
        if let Some(handle) = self.waiting.take() {
            self.partition.index.add(self.block.last().0, handle);
            self.close_partition();
        }
        self.add_up_keys();
        let tombstones = if self.tombstones.is_empty() {
            Handle::default()
        } else {
            tombstones::encode(&self.tombstones, &mut self.scratch);
            self.seal_scratch()
        };
        self.top.finish(&mut self.scratch);
        let top = self.seal_scratch();
        self.properties.index_bytes += u64::from(top.length_bytes);
        let properties = self.seal_properties();
        let number = self.properties.number;
        Footer { top, properties, tombstones, number, version: FORMAT_VERSION }.encode(self.offset())
    }

    /// The key range, and the counts, with the range tombstones in them.
    fn add_up_keys(&mut self) {
        if self.entries() > 0 {
            self.properties.end = [self.block.last().0, &[0]].concat().into();
        }
        self.tombstones.sort();
        self.tombstones.dedup();
        for tombstone in &self.tombstones {
            let nothing_yet = self.properties.tally.entries == 0 && self.properties.tally.range_tombstones == 0;
            if nothing_yet || tombstone.start < self.properties.smallest {
                self.properties.smallest = tombstone.start.clone();
            }
            if nothing_yet || tombstone.end > self.properties.end {
                self.properties.end = tombstone.end.clone();
            }
            self.properties.tally.add_range(tombstone);
        }
        self.properties.tally = self.properties.tally.clone().finished();
    }

    /// The properties hold the length of the file, which holds the properties: their own length does not depend on it.
    fn seal_properties(&mut self) -> Handle {
        self.properties.encode(&mut self.scratch);
        let sealed_bytes = self.scratch.len() + crate::format::seal::TRAILER_BYTES;
        self.properties.file_bytes = self.offset() + (sealed_bytes + FOOTER_BYTES) as u64;
        self.scratch.clear();
        self.properties.encode(&mut self.scratch);
        self.seal_scratch()
    }

    fn close_block(&mut self) {
        let offset = self.offset();
        let payload = self.block.finish();
        let handle = self.sealer.seal(payload, self.options.compression, offset, &mut self.buffer);
        self.block.clear();
        self.properties.data_blocks += 1;
        self.properties.data_bytes += u64::from(handle.length_bytes);
        self.waiting = Some(handle);
    }

    fn close_partition(&mut self) {
        let separator = self.partition.index.last_separator().to_vec();
        let filter_bytes = self.partition.finish(self.options.filter_millibits_per_key, &mut self.scratch);
        let handle = self.seal_scratch();
        self.properties.partitions += 1;
        self.properties.filter_bytes += filter_bytes;
        self.properties.index_bytes += u64::from(handle.length_bytes) - filter_bytes;
        self.top.add(&separator, handle);
    }

    fn seal_scratch(&mut self) -> Handle {
        let offset = self.offset();
        let handle = self.sealer.seal(&self.scratch, Compression::None, offset, &mut self.buffer);
        self.scratch.clear();
        handle
    }

    fn offset(&self) -> u64 {
        self.written_bytes + self.buffer.len() as u64
    }
}
