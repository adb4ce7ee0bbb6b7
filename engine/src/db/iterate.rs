//! Ordered reads: every source of a view merged, and of each key the one version that the reader sees.
//!
//! ```text
//!   merged     a9 a3†  b7     c4† c2     d8        († tombstone)
//!   at 8          a3†  b7     c4†        d8        the newest at or below 8, one a key
//!   yields             b7                d8
//! ```
//!
//! Range tombstones of all sources are collected once, when the iteration begins; nearly always there are none. An
//! iteration keeps its view: what it reads does not change, and files that were removed meanwhile stay readable.

use std::ops::Bound;

use bytes::Bytes;

use super::Entry;
use super::core::{FileOf, View};
use crate::cost::ReadCost;
use crate::cursor::{At, Cursor, Seek};
use crate::error::Error;
use crate::format::Sequence;
use crate::format::entry::{EntryRef, RangeTombstone};
use crate::limits::KEYSPACE_BYTES;
use crate::merge::{Fragments, MergeCursor};
use crate::table::CursorSettings;
use crate::version::{RunCursor, Source};
use crate::world::{WallTime, World};

/// Versions that are looked at before anything else gets a turn.
const STEP_ENTRIES: usize = 1024;

/// Which way an ordered read goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// From the first key to the last.
    #[default]
    Forward,
    /// From the last key to the first.
    Backward,
}

/// How an ordered read reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IterateOptions {
    /// Whether the blocks that it read stay in the cache. A read of everything, once, had better leave the cache alone.
    pub fill_cache: bool,
    /// Bytes that it reads at once from each run; 0 for one block.
    pub readahead_bytes: usize,
}

impl Default for IterateOptions {
    /// Keeps what it reads, block by block.
    fn default() -> Self {
        Self { fill_cache: true, readahead_bytes: 0 }
    }
}

impl IterateOptions {
    pub(super) fn settings(self) -> CursorSettings {
        let Self { fill_cache, readahead_bytes } = self;
        CursorSettings { fill_cache, readahead_bytes }
    }
}

/// What an ordered read looks at and how.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The first internal key.
    pub(super) start: Bytes,
    /// The first internal key behind the range.
    pub(super) end: Bytes,
    pub(super) direction: Direction,
    /// The newest sequence to see.
    pub(super) at: Sequence,
    /// Expired is what expires at or before this.
    pub(super) wall: WallTime,
    pub(super) settings: CursorSettings,
}

/// An ordered read under way.
pub(super) struct Iteration<W: World> {
    merged: MergeCursor<Source<FileOf<W>>>,
    fragments: Fragments,
    plan: Plan,
    is_begun: bool,
    is_done: bool,
    /// The key whose versions are being passed, and the version of it to yield.
    key: Vec<u8>,
    best: Option<(Sequence, Option<Bytes>, u64)>,
    cost: ReadCost,
}

impl<W: World> Iteration<W> {
    pub(super) fn new(view: &View<W>, plan: Plan) -> Self {
        let mut cost = ReadCost::default();
        let is_empty = plan.start >= plan.end;
        let sources = if is_empty { Vec::new() } else { sources(view, &plan, &mut cost) };
        let fragments = if is_empty { Fragments::default() } else { fragments(view, &plan) };
        let merged = MergeCursor::new(sources);
        Self { merged, fragments, plan, is_begun: false, is_done: is_empty, key: Vec::new(), best: None, cost }
    }

    /// The next key with its value; `None` behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<(Bytes, Entry)>, Error> {
        if self.is_done {
            return Ok(None);
        }
        if !self.is_begun {
            self.is_begun = true;
            match self.plan.direction {
                Direction::Forward => self.merged.seek(Seek::AtOrBehind(&self.plan.start)),
                Direction::Backward => self.merged.seek(Seek::Before(&self.plan.end)),
            }
        }
        loop {
            let moved = match self.plan.direction {
                Direction::Forward => self.step_forward(),
                Direction::Backward => self.step_backward(),
            };
            match moved {
                Moved::Yield(key, entry) => return Ok(Some((key, entry))),
                Moved::Load => self.merged.load().await?,
                Moved::Look => {}
                Moved::End => {
                    self.is_done = true;
                    return Ok(None);
                }
            }
        }
    }

    /// What was read since the last time this was asked.
    pub(super) fn take_cost(&mut self) -> ReadCost {
        let mut cost = std::mem::take(&mut self.cost);
        for source in self.merged.sources_mut() {
            cost.add(&source.take_cost());
        }
        cost
    }

    fn step_forward(&mut self) -> Moved {
        for _ in 0..STEP_ENTRIES {
            match self.merged.at() {
                At::Unloaded => return Moved::Load,
                At::End => return Moved::End,
                At::Entry => {}
            }
            let entry = self.merged.entry();
            if entry.key >= &self.plan.end[..] {
                return Moved::End;
            }
            // The newest visible version of a key decides; older ones are passed.
            let is_passed = entry.sequence > self.plan.at || (!self.key.is_empty() && self.key == entry.key);
            if is_passed {
                self.merged.next();
                continue;
            }
            self.key.clear();
            self.key.extend_from_slice(entry.key);
            let yielded = self.visible(&entry);
            self.merged.next();
            if let Some((key, entry)) = yielded {
                return Moved::Yield(key, entry);
            }
        }
        Moved::Look
    }

    fn step_backward(&mut self) -> Moved {
        for _ in 0..STEP_ENTRIES {
            let at = self.merged.at();
            if at == At::Unloaded {
                return Moved::Load;
            }
            let in_range = at == At::Entry && self.merged.entry().key >= &self.plan.start[..];
            if !in_range || self.merged.entry().key != &self.key[..] {
                // All versions of the last key are behind us: the newest visible one was the last of them.
                if let Some(found) = self.take_best() {
                    return found;
                }
                if !in_range {
                    return Moved::End;
                }
                self.key.clear();
                self.key.extend_from_slice(self.merged.entry().key);
            }
            let entry = self.merged.entry();
            if entry.sequence <= self.plan.at {
                let value = entry.value.map(Bytes::copy_from_slice);
                self.best = Some((entry.sequence, value, entry.expires_micros));
            }
            self.merged.previous();
        }
        Moved::Look
    }

    fn take_best(&mut self) -> Option<Moved> {
        let (sequence, value, expires_micros) = self.best.take()?;
        let entry = EntryRef { key: &self.key, sequence, value: value.as_deref(), expires_micros };
        self.visible(&entry).map(|(key, entry)| Moved::Yield(key, entry))
    }

    /// The user's key and the value of a version that is neither a tombstone nor deleted otherwise.
    fn visible(&self, entry: &EntryRef<'_>) -> Option<(Bytes, Entry)> {
        let value = entry.value?;
        if entry.expires_micros != 0 && entry.expires_micros <= self.plan.wall.micros {
            return None;
        }
        let is_deleted = !self.fragments.is_empty()
            && self.fragments.newest_covering(entry.key, self.plan.at).is_some_and(|deleted| deleted > entry.sequence);
        if is_deleted {
            return None;
        }
        let key = Bytes::copy_from_slice(&entry.key[KEYSPACE_BYTES..]);
        Some((key, Entry { value: Bytes::copy_from_slice(value), sequence: entry.sequence }))
    }
}

enum Moved {
    Yield(Bytes, Entry),
    Load,
    Look,
    End,
}

/// A cursor over each memtable and each run that overlaps the plan's range.
fn sources<W: World>(view: &View<W>, plan: &Plan, cost: &mut ReadCost) -> Vec<Source<FileOf<W>>> {
    let memtables = std::iter::once(&view.memtable).chain(view.frozen.iter().map(|frozen| &frozen.memtable));
    let mut sources: Vec<Source<FileOf<W>>> = Vec::with_capacity(8);
    for memtable in memtables.filter(|memtable| !memtable.usage().is_empty()) {
        cost.memtables += 1;
        sources.push(Source::Memtable(memtable.cursor()));
    }
    for (_, run) in view.shape.newest_first() {
        let tables: Vec<_> = run.overlapping(&plan.start, &plan.end).cloned().collect();
        if !tables.is_empty() {
            sources.push(Source::Run(RunCursor::new(tables, plan.settings)));
        }
    }
    sources
}

/// The range tombstones of all sources that the reader sees.
fn fragments<W: World>(view: &View<W>, plan: &Plan) -> Fragments {
    let memtables = std::iter::once(&view.memtable).chain(view.frozen.iter().map(|frozen| &frozen.memtable));
    let mut tombstones: Vec<RangeTombstone> = memtables.flat_map(|memtable| memtable.range_tombstones()).collect();
    for table in &view.covering {
        tombstones.extend_from_slice(table.table.range_tombstones());
    }
    tombstones.retain(|one| one.sequence <= plan.at && one.start < plan.end && plan.start < one.end);
    Fragments::new(tombstones)
}

/// The newest change of any key in `start..end` behind `since` and up to `at`, range tombstones included.
pub(super) async fn newest_change<W: World>(
    view: &View<W>,
    (start, end): (&Bytes, &Bytes),
    since: Sequence,
    at: Sequence,
) -> Result<Option<Sequence>, Error> {
    let plan = Plan {
        start: start.clone(),
        end: end.clone(),
        direction: Direction::Forward,
        at,
        wall: WallTime { micros: 0 },
        settings: CursorSettings::default(),
    };
    let deleted = fragments(view, &plan).iter().flat_map(|fragment| fragment.sequences.first().copied()).max();
    let mut newest = deleted.filter(|sequence| *sequence > since);
    let mut merged = MergeCursor::new(sources(view, &plan, &mut ReadCost::default()));
    merged.seek(Seek::AtOrBehind(start));
    loop {
        match merged.at() {
            At::Unloaded => merged.load().await?,
            At::Entry if merged.entry().key < &end[..] => {
                let sequence = merged.entry().sequence;
                if sequence > since && sequence <= at {
                    newest = newest.max(Some(sequence));
                }
                merged.next();
            }
            _ => return Ok(newest),
        }
    }
}

/// When a page is full. It holds at least one entry if there is one, whatever the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanLimits {
    /// Entries of a page.
    pub entries: usize,
    /// Bytes of keys and values at which a page ends; its last entry may exceed it.
    pub bytes: usize,
}

impl Default for ScanLimits {
    /// 1,000 entries or 1 MiB.
    fn default() -> Self {
        Self { entries: 1_000, bytes: 1024 * 1024 }
    }
}

/// Keys in order, with their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScanPage {
    /// The entries.
    pub entries: Vec<(Bytes, Entry)>,
    /// Where the next page begins, included; `None` when the range is done.
    pub next: Option<Bytes>,
}

/// A page of an iteration from its beginning.
pub(super) async fn page<W: World>(iteration: &mut Iteration<W>, limits: ScanLimits) -> Result<ScanPage, Error> {
    let mut page = ScanPage::default();
    let mut bytes = 0;
    while let Some((key, entry)) = iteration.next().await? {
        let is_full = !page.entries.is_empty() && (page.entries.len() >= limits.entries || bytes >= limits.bytes);
        if is_full {
            page.next = Some(key);
            return Ok(page);
        }
        bytes += key.len() + entry.value.len();
        page.entries.push((key, entry));
    }
    Ok(page)
}

/// A range of keys with both ends, for those who have neither.
pub fn all_keys() -> (Bound<Bytes>, Bound<Bytes>) {
    (Bound::Unbounded, Bound::Unbounded)
}

/// A range that holds exactly the keys that begin with `prefix`.
pub fn prefix_range(prefix: &[u8]) -> (Bound<Bytes>, Bound<Bytes>) {
    let mut end = prefix.to_vec();
    while end.pop_if(|last| *last == u8::MAX).is_some() {}
    let end = match end.last_mut() {
        Some(last) => {
            *last += 1;
            Bound::Excluded(Bytes::from(end))
        }
        None => Bound::Unbounded,
    };
    (Bound::Included(Bytes::copy_from_slice(prefix)), end)
}
