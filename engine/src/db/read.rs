//! Point reads: from the newest source to the oldest, until one knows the key.
//!
//! ```text
//!   memtable ─▶ frozen, newest first ─▶ level 0, newest run first ─▶ level 1 ─▶ ...
//!      └ a range tombstone newer than what is found beside it? then the key is deleted
//!      └ a table's key range holds the key? ─▶ its filter says perhaps? ─▶ its block
//! ```
//!
//! What older sources hold of a key is older than what newer ones hold, so the first answer is the answer, be it a value,
//! a tombstone or a range tombstone. A read first tries without waiting; when a block is not in the cache it starts
//! again, and waits.

use std::sync::Arc;

use bytes::Bytes;

use super::core::{Core, View};
use super::group::KeyState;
use super::iterate;
use super::keyspace::InternalKey;
use crate::cost::ReadCost;
use crate::error::Error;
use crate::format::Sequence;
use crate::format::entry::{Version, key_hash};
use crate::memtable::Memtable;
use crate::version::OpenTable;
use crate::world::{Clock, File, WallTime, World};

use super::core::FileOf;

/// A key to look for, and the newest sequence to see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookup<'a> {
    /// The internal key.
    pub(super) key: &'a [u8],
    hash: u64,
    at: Sequence,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(key: &'a [u8], at: Sequence) -> Self {
        Self { key, hash: key_hash(key), at }
    }

    /// The same for a key whose hash is known.
    pub(super) fn hashed(key: &'a [u8], hash: u64, at: Sequence) -> Self {
        Self { key, hash, at }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }
}

/// The hash that memtables and filters ask for.
pub(super) fn hash_of(internal: &InternalKey) -> u64 {
    key_hash(internal.as_slice())
}

/// The newest version of a key, tombstones included; `None` when no source has heard of it.
pub(super) async fn newest<W: World>(
    view: &View<W>,
    lookup: Lookup<'_>,
    cost: &mut ReadCost,
) -> Result<Option<Version>, Error> {
    let before = *cost;
    if let Some(found) = try_newest(view, lookup, cost) {
        return found;
    }
    *cost = before;
    newest_waiting(view, lookup, cost).await
}

/// The same for a reader that has tried without waiting, in vain.
pub(super) async fn newest_waiting<W: World>(
    view: &View<W>,
    lookup: Lookup<'_>,
    cost: &mut ReadCost,
) -> Result<Option<Version>, Error> {
    if let Some(found) = newest_in_memory(view, lookup, cost) {
        return Ok(Some(found));
    }
    for table in candidates(view, lookup.key) {
        let found = get_in_table(table, lookup, cost).await?;
        if let Some(found) = first(covering_in_table(table, lookup), found) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The same without waiting; `None` when a block must be read from the disk.
pub(super) fn try_newest<W: World>(
    view: &View<W>,
    lookup: Lookup<'_>,
    cost: &mut ReadCost,
) -> Option<Result<Option<Version>, Error>> {
    if let Some(found) = newest_in_memory(view, lookup, cost) {
        return Some(Ok(Some(found)));
    }
    for table in candidates(view, lookup.key) {
        match table.table.try_get(lookup.key, lookup.hash, lookup.at, cost)? {
            Err(error) => return Some(Err(error)),
            Ok(found) => {
                if let Some(found) = first(covering_in_table(table, lookup), found) {
                    return Some(Ok(Some(found)));
                }
            }
        }
    }
    Some(Ok(None))
}

fn newest_in_memory<W: World>(view: &View<W>, lookup: Lookup<'_>, cost: &mut ReadCost) -> Option<Version> {
    let memtables = std::iter::once(&view.memtable).chain(view.frozen.iter().map(|frozen| &frozen.memtable));
    memtables.into_iter().find_map(|memtable| {
        cost.memtables += 1;
        newest_in_memtable(memtable, lookup)
    })
}

/// What one memtable knows of the key.
pub(super) fn newest_in_memtable(memtable: &Memtable, lookup: Lookup<'_>) -> Option<Version> {
    first(memtable.covering(lookup.key, lookup.at), memtable.get(lookup.key, lookup.hash, lookup.at))
}

/// The newest version of the key in one table, range tombstones aside.
pub(super) async fn get_in_table<F: File>(
    table: &OpenTable<F>,
    lookup: Lookup<'_>,
    cost: &mut ReadCost,
) -> Result<Option<Version>, Error> {
    table.table.get(lookup.key, lookup.hash, lookup.at, cost).await
}

/// The range tombstone of a table that covers the key.
pub(super) fn covering_in_table<F: File>(table: &OpenTable<F>, lookup: Lookup<'_>) -> Option<Sequence> {
    table.table.covering(lookup.key, lookup.at)
}

/// The tables whose key range holds `key`, from the newest to the oldest.
pub(super) fn candidates<'a, W: World>(
    view: &'a View<W>,
    key: &'a [u8],
) -> impl Iterator<Item = &'a Arc<OpenTable<FileOf<W>>>> + Send {
    view.shape.newest_first().filter_map(move |(_, run)| run.find(key))
}

/// The newer of a range tombstone and a version of one source.
pub(super) fn first(covering: Option<Sequence>, found: Option<Version>) -> Option<Version> {
    match (covering, found) {
        (Some(covering), Some(found)) if found.sequence > covering => Some(found),
        (Some(sequence), _) => Some(Version { sequence, value: None, expires_micros: 0 }),
        (None, found) => found,
    }
}

/// The value of a version that is neither a tombstone nor expired.
pub(super) fn value_of(version: Version, wall: impl FnOnce() -> WallTime) -> Option<(Bytes, Sequence)> {
    let Version { sequence, value, expires_micros } = version;
    let value = value?;
    (expires_micros == 0 || expires_micros > wall().micros).then_some((value, sequence))
}

/// What a precondition may ask about a key, as of everything that is committed.
pub(super) async fn key_state<W: World>(core: &Core<W>, key: &[u8]) -> Result<KeyState, Error> {
    let (view, published) = core.read_view();
    let view = Arc::clone(&view);
    let found = newest(&view, Lookup::new(key, published), &mut ReadCost::default()).await?;
    let changed = found.as_ref().map(|version| version.sequence);
    let value = found.and_then(|version| value_of(version, || core.world.clock().wall())).map(|(_, sequence)| sequence);
    Ok(KeyState { value, changed })
}

/// The newest change in `start..end` behind `since`, if there is one.
pub(super) async fn newest_change<W: World>(
    core: &Core<W>,
    start: &Bytes,
    end: &Bytes,
    since: Sequence,
) -> Result<Option<Sequence>, Error> {
    if start >= end {
        return Ok(None);
    }
    let (view, published) = core.read_view();
    let view = Arc::clone(&view);
    iterate::newest_change(&view, (start, end), since, published).await
}
