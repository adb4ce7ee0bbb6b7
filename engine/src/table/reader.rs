//! An open table: what it says of itself in memory, the rest in the cache or in the file.
//!
//! ```text
//!   get   top index (memory) ──▶ partition (cache) ── filter: "certainly not" ──▶ done
//!                                     └─ index ──▶ data block (cache) ──▶ newest version at or before the sequence
//! ```
//!
//! A lookup is one synchronous search that stops where a block is missing. `try_get` gives up there; `get` reads the block
//! and goes on where the search stopped. Versions of one key may fill several blocks, even partitions: a separator that is
//! the key itself says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::fragments::Fragments;
use super::source::Source;
use super::top::TopIndex;
use crate::cache::BlockCache;
use crate::cost::ReadCost;
use crate::error::Error;
use crate::format::block::Layout;
use crate::format::entry::{RangeTombstone, Version};
use crate::format::filter;
use crate::format::partition::Partition;
use crate::format::properties::Properties;
use crate::format::seal::Handle;
use crate::format::table::{FOOTER_BYTES, FORMAT_VERSION, Footer};
use crate::format::{Fault, Sequence, tombstones};
use crate::world::{DiskError, File};

/// An open table.
pub(crate) struct Table<F> {
    pub(super) source: Source<F>,
    pub(super) footer: Footer,
    properties: Properties,
    top: TopIndex,
    tombstones: Vec<RangeTombstone>,
    fragments: Fragments,
}

/// A lookup under way.
struct Search<'a> {
    key: &'a [u8],
    hash: u64,
    at: Sequence,
    /// The number of the partition.
    partition: usize,
    /// The partition, once it was there and its filter said "perhaps".
    held: Option<Bytes>,
    /// The number of the data block in it.
    block: usize,
    filter_said_perhaps: bool,
    key_seen: bool,
}

/// How far a search got.
enum Step {
    Done(Option<Version>),
    Needs(Handle),
}

impl<F: File> Table<F> {
    /// Opens table `number`: reads footer, properties, top index and range tombstones.
    pub(crate) async fn open(file: F, path: PathBuf, number: u64, cache: Arc<BlockCache>) -> Result<Self, Error> {
        let file_bytes = file.len().await?;
        let source = Source { file, path, number, file_bytes, cache };
        let footer = read_footer(&source).await?;
        let mut cost = ReadCost::default();
        let corrupt = |handle| move |fault| (handle, fault);
        let properties_bytes = source.load(footer.properties, &mut cost).await?;
        let top_bytes = source.load(footer.top, &mut cost).await?;
        let tombstone_bytes = match footer.tombstones.length_bytes {
            0 => Bytes::from_static(&[0]),
            _ => source.load(footer.tombstones, &mut cost).await?,
        };
        let decoded = || {
            let properties = Properties::decode(&properties_bytes).map_err(corrupt(footer.properties))?;
            check_properties(&properties, number, file_bytes).map_err(corrupt(footer.properties))?;
            let top = TopIndex::decode(&top_bytes).map_err(corrupt(footer.top))?;
            let tombstones = tombstones::decode(&tombstone_bytes).map_err(corrupt(footer.tombstones))?;
            if top.count() as u64 != properties.partitions {
                return Err((footer.top, Fault::TableContradiction { what: "the count of partitions" }));
            }
            if tombstones.len() as u64 != properties.tally.range_tombstones {
                return Err((footer.tombstones, Fault::TableContradiction { what: "the count of range tombstones" }));
            }
            Ok((properties, top, tombstones))
        };
        let (properties, top, tombstones) = decoded().map_err(|(handle, fault)| source.corrupt(handle, fault))?;
        let fragments = Fragments::of(&tombstones);
        Ok(Self { source, footer, properties, top, tombstones, fragments })
    }

    /// What the table says of itself.
    pub(crate) fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Up to `length` bytes of the file as they are, checked by nobody: for copies.
    pub(crate) async fn read_raw(&self, offset: u64, length: usize) -> Result<Bytes, DiskError> {
        self.source.file.read_at(offset, length).await
    }

    /// The table's file.
    pub(crate) fn path(&self) -> &Path {
        &self.source.path
    }

    /// Memory that the table takes while it is open, about.
    pub(crate) fn pinned_bytes(&self) -> usize {
        let keys =
            |tombstone: &RangeTombstone| size_of::<RangeTombstone>() + tombstone.start.len() + tombstone.end.len();
        let tombstones: usize = self.tombstones.iter().map(keys).sum();
        size_of::<Self>() + self.top.memory_bytes() + tombstones + self.fragments.bytes()
    }

    /// Its range tombstones, ordered by start, end and sequence.
    pub(crate) fn range_tombstones(&self) -> &[RangeTombstone] {
        &self.tombstones
    }

    /// The sequence of its newest range tombstone at or before `at` that covers `key`.
    pub(crate) fn covering(&self, key: &[u8], at: Sequence) -> Option<Sequence> {
        self.fragments.covering(key, at)
    }

    /// The newest version of `key` at or before `at`; its range tombstones have no say. `hash` is the key's
    /// (`entry::key_hash`).
    pub(crate) async fn get(
        &self,
        key: &[u8],
        hash: u64,
        at: Sequence,
        cost: &mut ReadCost,
    ) -> Result<Option<Version>, Error> {
        cost.tables += 1;
        let mut search = self.search(key, hash, at)?;
        let mut loaded = None;
        loop {
            match self.step(&mut search, loaded.take(), cost)? {
                Step::Done(version) => return Ok(version),
                Step::Needs(handle) => {
                    let block = self.source.load(handle, cost).await?;
                    self.source.keep(handle, block.clone());
                    loaded = Some(block);
                }
            }
        }
    }

    /// The same without waiting; `None` when a block has to be read first. Then nothing is added to `cost`.
    pub(crate) fn try_get(
        &self,
        key: &[u8],
        hash: u64,
        at: Sequence,
        cost: &mut ReadCost,
    ) -> Option<Result<Option<Version>, Error>> {
        let mut own_cost = ReadCost { tables: 1, ..ReadCost::default() };
        let step = self.search(key, hash, at).and_then(|mut search| self.step(&mut search, None, &mut own_cost));
        let found = match step {
            Ok(Step::Needs(_)) => return None,
            Ok(Step::Done(version)) => Ok(version),
            Err(error) => Err(error),
        };
        cost.add(&own_cost);
        Some(found)
    }

    /// The top index.
    pub(super) fn top(&self) -> &TopIndex {
        &self.top
    }

    /// The number of the first partition that may hold `key`.
    pub(super) fn partition_of(&self, key: &[u8]) -> Result<usize, Error> {
        self.top.find(key).map_err(|fault| self.source.corrupt(self.footer.top, fault))
    }

    fn search<'a>(&self, key: &'a [u8], hash: u64, at: Sequence) -> Result<Search<'a>, Error> {
        let partition = self.partition_of(key)?;
        Ok(Search { key, hash, at, partition, held: None, block: 0, filter_said_perhaps: false, key_seen: false })
    }

    /// Goes on with a search, with the block that it needed.
    fn step(&self, search: &mut Search<'_>, mut loaded: Option<Bytes>, cost: &mut ReadCost) -> Result<Step, Error> {
        let mut take = |handle, cost: &mut ReadCost| loaded.take().or_else(|| self.source.cached(handle, cost));
        while let Some(handle) = self.top.handle(search.partition) {
            let corrupt = |fault| self.source.corrupt(handle, fault);
            let held = match search.held.take() {
                Some(held) => held,
                None => {
                    let Some(bytes) = take(handle, cost) else { return Ok(Step::Needs(handle)) };
                    if !search.enter(&bytes, cost).map_err(corrupt)? {
                        return Ok(Step::Done(None));
                    }
                    bytes
                }
            };
            let index = Partition::parse(&held).map_err(corrupt)?.index;
            while search.block < index.count() {
                let handle = index.handle(search.block).map_err(corrupt)?;
                let Some(block) = take(handle, cost) else {
                    search.held = Some(held);
                    return Ok(Step::Needs(handle));
                };
                let found = search.look_into(&block).map_err(|fault| self.source.corrupt(handle, fault))?;
                let goes_on = found.ended && index.separator_is(search.block, search.key).map_err(corrupt)?;
                if found.version.is_some() || !goes_on {
                    if search.filter_said_perhaps && !search.key_seen {
                        cost.filters_false_positive += 1;
                    }
                    return Ok(Step::Done(found.version));
                }
                search.block += 1;
            }
            search.partition += 1;
        }
        Ok(Step::Done(None))
    }
}

/// What one data block said.
struct Found {
    version: Option<Version>,
    ended: bool,
}

impl Search<'_> {
    /// Asks the filter of a partition and, if it says "perhaps", finds the data block. False when the key is not there.
    fn enter(&mut self, bytes: &[u8], cost: &mut ReadCost) -> Result<bool, Fault> {
        let partition = Partition::parse(bytes)?;
        if !partition.filter.is_empty() {
            cost.filters_asked += 1;
            if !filter::may_contain(partition.filter, self.hash) {
                cost.filters_negative += 1;
                return Ok(false);
            }
            self.filter_said_perhaps = true;
        }
        self.block = partition.index.find(self.key)?;
        Ok(true)
    }

    fn look_into(&mut self, block: &Bytes) -> Result<Found, Fault> {
        let lookup = Layout::of(block)?.view(block).lookup(self.key, self.hash, self.at)?;
        self.key_seen |= lookup.key_seen;
        let version = lookup.entry.map(|raw| Version {
            sequence: raw.sequence,
            value: raw.has_value.then(|| block.slice(raw.value_begin..raw.end)),
            expires_micros: raw.expires_micros,
        });
        Ok(Found { version, ended: lookup.ended })
    }
}

/// The footer, if this is a table that this program can read.
async fn read_footer<F: File>(source: &Source<F>) -> Result<Footer, Error> {
    let length_bytes = source.file_bytes.min(FOOTER_BYTES as u64);
    let handle = Handle { offset: source.file_bytes - length_bytes, length_bytes: length_bytes as u32 };
    let bytes = source.read(handle, &mut ReadCost::default()).await?;
    let footer = Footer::decode(source.number, handle.offset, &bytes);
    let footer = footer.map_err(|fault| source.corrupt(handle, fault))?;
    if footer.version != FORMAT_VERSION {
        let path = source.path.clone();
        return Err(Error::NewerFormat { path, found: footer.version, supported: FORMAT_VERSION });
    }
    Ok(footer)
}

fn check_properties(properties: &Properties, number: u64, file_bytes: u64) -> Result<(), Fault> {
    if properties.number != number {
        return Err(Fault::WrongTable { found: properties.number, expected: number });
    }
    if properties.file_bytes != file_bytes {
        return Err(Fault::TableContradiction { what: "the length of the file" });
    }
    if properties.smallest >= properties.end {
        return Err(Fault::TableContradiction { what: "the range of its keys" });
    }
    Ok(())
}
