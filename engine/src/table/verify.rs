//! Reads a whole table and holds it against what it says of itself.
//!
//! ```text
//!   each block      checksum, decompression
//!   each entry      order; inside its block's separators and the table's range; filter and buckets lead to it
//!   the sum         entries, tombstones, bytes, sequences, expiries, set-hash: as the properties say
//! ```
//!
//! It asks no cache: what is checked is the disk.

use bytes::Bytes;

use super::Table;
use crate::cost::ReadCost;
use crate::error::Error;
use crate::format::block::{Layout, Position};
use crate::format::entry::{EntryRef, key_hash};
use crate::format::partition::Partition;
use crate::format::properties::Tally;
use crate::format::seal::Handle;
use crate::format::{Fault, Sequence, filter};
use crate::world::File;

/// What was checked so far.
struct Progress {
    tally: Tally,
    data_blocks: u64,
    data_bytes: u64,
    filter_bytes: u64,
    first_key: Option<Vec<u8>>,
    last_key: Vec<u8>,
    last_hash: u64,
    last_sequence: Sequence,
    /// No key so far was behind it, all from now on are.
    last_separator: Vec<u8>,
}

impl<F: File> Table<F> {
    /// Checks all of the table, and shows each entry to `visit`.
    pub(crate) async fn verify(&self, mut visit: impl FnMut(EntryRef<'_>) + Send) -> Result<ReadCost, Error> {
        let mut cost = ReadCost::default();
        let mut progress = Progress {
            tally: Tally::default(),
            data_blocks: 0,
            data_bytes: 0,
            filter_bytes: 0,
            first_key: None,
            last_key: Vec::new(),
            last_hash: 0,
            last_sequence: Sequence::ZERO,
            last_separator: Vec::new(),
        };
        let mut number = 0;
        while let Some(handle) = self.top().handle(number) {
            let bytes = self.source.load(handle, &mut cost).await?;
            self.verify_partition(handle, &bytes, &mut progress, &mut cost, &mut visit).await?;
            let separator = self.top().separator(number);
            let separator = separator.map_err(|fault| self.source.corrupt(self.footer.top, fault))?;
            if separator != progress.last_separator {
                let fault = Fault::TableContradiction { what: "the separator of a partition" };
                return Err(self.source.corrupt(self.footer.top, fault));
            }
            number += 1;
        }
        self.verify_sum(progress)
            .map_err(|what| self.source.corrupt(self.footer.properties, Fault::TableContradiction { what }))?;
        Ok(cost)
    }

    async fn verify_partition(
        &self,
        handle: Handle,
        bytes: &Bytes,
        progress: &mut Progress,
        cost: &mut ReadCost,
        visit: &mut (impl FnMut(EntryRef<'_>) + Send),
    ) -> Result<(), Error> {
        let corrupt = |fault| self.source.corrupt(handle, fault);
        let partition = Partition::parse(bytes).map_err(corrupt)?;
        progress.filter_bytes += partition.filter.len() as u64;
        for number in 0..partition.index.count() {
            let block_handle = partition.index.handle(number).map_err(corrupt)?;
            let block = self.source.load(block_handle, cost).await?;
            let separator = partition.index.separator(number).map_err(corrupt)?;
            let checked = progress.block(&block, partition.filter, &separator, visit);
            checked.map_err(|fault| self.source.corrupt(block_handle, fault))?;
            progress.data_blocks += 1;
            progress.data_bytes += u64::from(block_handle.length_bytes);
            progress.last_separator = separator;
        }
        Ok(())
    }

    fn verify_sum(&self, mut progress: Progress) -> Result<(), &'static str> {
        let properties = self.properties();
        self.range_tombstones().iter().for_each(|tombstone| progress.tally.add_range(tombstone));
        if progress.tally.finished() != properties.tally {
            return Err("what its entries add up to");
        }
        let counted = (progress.data_blocks, progress.data_bytes, progress.filter_bytes);
        if counted != (properties.data_blocks, properties.data_bytes, properties.filter_bytes) {
            return Err("the counts and bytes of its blocks");
        }
        let covered = self.range_tombstones().iter().map(|tombstone| (&tombstone.start[..], &tombstone.end[..]));
        let outside = |(start, end): (&[u8], &[u8])| *start < properties.smallest[..] || *end > properties.end[..];
        let ends_behind = properties.tally.entries > 0 && progress.last_key[..] >= properties.end[..];
        let begins_before = progress.first_key.is_some_and(|first| first[..] < properties.smallest[..]);
        if covered.into_iter().any(outside) || ends_behind || begins_before {
            return Err("the range of its keys");
        }
        Ok(())
    }
}

impl Progress {
    fn block(
        &mut self,
        bytes: &Bytes,
        filter: &[u8],
        separator: &[u8],
        visit: &mut impl FnMut(EntryRef<'_>),
    ) -> Result<(), Fault> {
        let layout = Layout::of(bytes)?;
        let mut position = Position::default();
        let mut found = position.first(layout.view(bytes))?;
        if !found {
            return Err(Fault::TableContradiction { what: "a data block without entries" });
        }
        while found {
            let entry = position.entry(bytes);
            self.entry(&entry, filter, separator)?;
            let looked_up = layout.view(bytes).lookup(entry.key, self.last_hash, entry.sequence)?.entry;
            if looked_up.is_none_or(|found| found.sequence != entry.sequence) {
                return Err(Fault::TableContradiction { what: "a bucket that denies a key" });
            }
            visit(entry);
            found = position.next(layout.view(bytes))?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &EntryRef<'_>, filter: &[u8], separator: &[u8]) -> Result<(), Fault> {
        let contradiction = |what| Err(Fault::TableContradiction { what });
        let last = EntryRef { key: &self.last_key, sequence: self.last_sequence, value: None, expires_micros: 0 };
        let is_first = self.tally.entries == 0;
        if !is_first && !entry.order(&last).is_gt() {
            return contradiction("the order of its entries");
        }
        // A separator equals the first key behind it only when it equals the last key before it, too; and where a key's
        // versions go on behind it, it must, for a lookup goes on only then.
        let goes_on = entry.key == self.last_key && entry.key == self.last_separator;
        let behind_last = *entry.key > self.last_separator[..] || goes_on;
        if *entry.key > *separator || !(is_first || behind_last) {
            return contradiction("a separator of its index");
        }
        let is_new = entry.key != self.last_key || is_first;
        if is_new {
            self.last_hash = key_hash(entry.key);
        }
        // A key whose versions go on in the next partition is asked for there, too.
        if (is_new || goes_on) && !filter::may_contain(filter, self.last_hash) {
            return contradiction("a filter that denies a key");
        }
        if is_first {
            self.first_key = Some(entry.key.to_vec());
        }
        if is_new {
            self.last_key.clear();
            self.last_key.extend_from_slice(entry.key);
        }
        self.last_sequence = entry.sequence;
        self.tally.add(entry);
        Ok(())
    }
}
