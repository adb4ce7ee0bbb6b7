//! Looks at every block of a table file, whatever is damaged: what `inspect` shows of a table.
//!
//! ```text
//!   footer ──▶ properties, range tombstones, top index ──▶ partitions ──▶ data blocks
//!   damaged: noted, and what it alone names stays unseen; a damaged footer is still followed when it leads somewhere
//! ```
//!
//! Opening a table stops at the first fault. A person who decides what can be saved wants all of them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::source::Source;
use crate::cache::{BlockCache, CachePolicy};
use crate::cost::ReadCost;
use crate::error::Error;
use crate::format::block::{Layout, Position};
use crate::format::entry::{EntryRef, RangeTombstone};
use crate::format::index::Index;
use crate::format::partition::Partition;
use crate::format::properties::Properties;
use crate::format::seal::Handle;
use crate::format::table::{FOOTER_BYTES, Footer};
use crate::format::{Fault, tombstones};
use crate::world::File;

/// What a part of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PartKind {
    /// Entries.
    Data,
    /// Filter and index of some data blocks.
    Partition,
    /// Range tombstones.
    RangeTombstones,
    /// Separators and places of the partitions.
    TopIndex,
    /// What the table says of itself.
    Properties,
    /// The end of the file.
    Footer,
}

/// One part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// What it is.
    pub(crate) kind: PartKind,
    /// Where it begins.
    pub(crate) offset: u64,
    /// Its bytes in the file.
    pub(crate) length_bytes: u64,
}

/// A part that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Which.
    pub(crate) part: Part,
    /// What is wrong with it.
    pub(crate) fault: Fault,
}

/// What was found in a table file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// All parts that are named by whole ones, by offset.
    pub(crate) layout: Vec<Part>,
    /// Those that are damaged, by offset.
    pub(crate) damages: Vec<Damage>,
    /// The properties, when they are whole.
    pub(crate) properties: Option<Properties>,
    /// The range tombstones that can be read.
    pub(crate) range_tombstones: Vec<RangeTombstone>,
}

/// Looks at every part of the file of table `number`, and shows every entry that can be read to `visit`. It fails only
/// when the disk does.
pub(crate) async fn survey<F: File>(
    file: F,
    path: &Path,
    number: u64,
    visit: impl FnMut(EntryRef<'_>) + Send,
) -> Result<Survey, Error> {
    let file_bytes = file.len().await?;
    let cache = Arc::new(BlockCache::new(CachePolicy::Lru, 0));
    let source = Source { file, path: path.to_path_buf(), number, file_bytes, cache };
    let mut surveyor = Surveyor { source, survey: Survey::default(), visit };
    surveyor.walk().await?;
    let mut survey = surveyor.survey;
    survey.layout.sort_by_key(|part| part.offset);
    survey.damages.sort_by_key(|damage| damage.part.offset);
    Ok(survey)
}

struct Surveyor<F, V> {
    source: Source<F>,
    survey: Survey,
    visit: V,
}

impl<F: File, V: FnMut(EntryRef<'_>) + Send> Surveyor<F, V> {
    async fn walk(&mut self) -> Result<(), Error> {
        let Some(footer) = self.footer().await? else { return Ok(()) };
        if let Some(bytes) = self.block(PartKind::Properties, footer.properties).await? {
            let decoded = Properties::decode(&bytes);
            self.survey.properties = self.note(PartKind::Properties, footer.properties, decoded);
        }
        if footer.tombstones.length_bytes > 0
            && let Some(bytes) = self.block(PartKind::RangeTombstones, footer.tombstones).await?
        {
            let decoded = tombstones::decode(&bytes);
            let found = self.note(PartKind::RangeTombstones, footer.tombstones, decoded);
            self.survey.range_tombstones = found.unwrap_or_default();
        }
        let Some(top) = self.block(PartKind::TopIndex, footer.top).await? else { return Ok(()) };
        let partitions = self.note(PartKind::TopIndex, footer.top, Index::parse(&top).and_then(handles));
        for handle in partitions.unwrap_or_default() {
            let Some(bytes) = self.block(PartKind::Partition, handle).await? else { continue };
            let blocks = Partition::parse(&bytes).and_then(|partition| handles(partition.index));
            for handle in self.note(PartKind::Partition, handle, blocks).unwrap_or_default() {
                if let Some(bytes) = self.block(PartKind::Data, handle).await? {
                    let walked = walk_entries(&bytes, &mut self.visit);
                    self.note(PartKind::Data, handle, walked);
                }
            }
        }
        Ok(())
    }

    /// The footer. What a damaged one says is followed when it leads to a whole top index: the blocks have checksums of
    /// their own.
    async fn footer(&mut self) -> Result<Option<Footer>, Error> {
        let length_bytes = self.source.file_bytes.min(FOOTER_BYTES as u64) as u32;
        let handle = Handle { offset: self.source.file_bytes - u64::from(length_bytes), length_bytes };
        self.add(PartKind::Footer, handle);
        let bytes = self.source.read(handle, &mut ReadCost::default()).await?;
        let decoded = Footer::decode(self.source.number, handle.offset, &bytes);
        let footer = self.note(PartKind::Footer, handle, decoded);
        if footer.is_some() {
            return Ok(footer);
        }
        let Ok(claimed) = Footer::claimed(&bytes) else { return Ok(None) };
        match self.source.load(claimed.top, &mut ReadCost::default()).await {
            Ok(_) => Ok(Some(claimed)),
            Err(Error::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds a block to the layout, and reads it; `None` when it is damaged.
    async fn block(&mut self, kind: PartKind, handle: Handle) -> Result<Option<Bytes>, Error> {
        self.add(kind, handle);
        match self.source.load(handle, &mut ReadCost::default()).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Corrupt { fault, .. }) => Ok(self.note(kind, handle, Err(fault))),
            Err(error) => Err(error),
        }
    }

    fn add(&mut self, kind: PartKind, handle: Handle) {
        self.survey.layout.push(part(kind, handle));
    }

    fn note<T>(&mut self, kind: PartKind, handle: Handle, decoded: Result<T, Fault>) -> Option<T> {
        decoded.map_err(|fault| self.survey.damages.push(Damage { part: part(kind, handle), fault })).ok()
    }
}

fn part(kind: PartKind, handle: Handle) -> Part {
    Part { kind, offset: handle.offset, length_bytes: u64::from(handle.length_bytes) }
}

fn handles(index: Index<'_>) -> Result<Vec<Handle>, Fault> {
    (0..index.count()).map(|number| index.handle(number)).collect()
}

fn walk_entries(bytes: &Bytes, visit: &mut impl FnMut(EntryRef<'_>)) -> Result<(), Fault> {
    let block = Layout::of(bytes)?.view(bytes);
    let mut position = Position::default();
    let mut found = position.first(block)?;
    while found {
        visit(position.entry(bytes));
        found = position.next(block)?;
    }
    Ok(())
}
