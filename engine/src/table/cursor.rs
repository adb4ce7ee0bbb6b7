//! Moves over a table in both directions, one data block in hand, and says when it needs another.
//!
//! ```text
//!   seek ──▶ route: (partition, block, place in the block) ──▶ settle: partition there? block there? ──▶ position
//!                          ▲                                      │ no: At::Unloaded, load() reads and settles again
//!                          └── next / previous leave the block ───┘
//!
//!   reading ahead   one read of `readahead_bytes` from the block on (backwards: up to its end): the window
//!                   [═ block ═ block ═ partition ═ block ═]    blocks are taken from it before the cache is asked
//! ```
//!
//! A movement inside a block allocates nothing but what the key's buffer grows by. A fault that a synchronous movement
//! meets is kept: the cursor stands at `Unloaded`, and `load` returns it.

use std::sync::Arc;

use bytes::Bytes;

use super::Table;
use crate::cost::ReadCost;
use crate::cursor::{At, Cursor, Seek};
use crate::error::Error;
use crate::format::Fault;
use crate::format::block::{Layout, Position};
use crate::format::entry::EntryRef;
use crate::format::partition::Partition;
use crate::format::seal::Handle;
use crate::world::File;

/// The most that is read ahead, whatever was asked for.
const READAHEAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How a cursor reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CursorSettings {
    /// Whether blocks that it read stay in the cache.
    pub(crate) fill_cache: bool,
    /// Bytes that it reads at once; 0 for one block.
    pub(crate) readahead_bytes: usize,
}

impl Default for CursorSettings {
    /// Keeps what it reads, block by block.
    fn default() -> Self {
        Self { fill_cache: true, readahead_bytes: 0 }
    }
}

/// Which data block of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// The one that may hold the target.
    Holding,
    Last,
    Number(usize),
}

/// Where in a data block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Last,
    /// The first entry at or behind the target.
    AtOrBehind,
    /// The last entry before the target.
    Before,
}

/// Where a movement leads.
#[derive(Debug, Clone, Copy)]
struct Route {
    partition: usize,
    choice: Choice,
    place: Place,
}

/// The data block in hand.
#[derive(Debug, Default)]
struct Held {
    partition: usize,
    block: usize,
    bytes: Bytes,
    layout: Layout,
}

enum State {
    Entry,
    End,
    /// The movement goes on when this block is there.
    Waiting(Route, Handle),
    Failed(Error),
}

/// A cursor over the entries of a table; range tombstones are none.
pub(crate) struct TableCursor<F> {
    table: Arc<Table<F>>,
    settings: CursorSettings,
    state: State,
    held: Held,
    position: Position,
    /// The partition in hand, and its number.
    partition: Option<(usize, Bytes)>,
    /// The target of the last `seek`.
    target: Vec<u8>,
    /// What was read ahead, and where it begins in the file.
    window: Bytes,
    window_offset: u64,
    cost: ReadCost,
}

impl<F: File> Table<F> {
    /// A cursor over all its entries.
    pub(crate) fn cursor(self: &Arc<Self>, settings: CursorSettings) -> TableCursor<F> {
        TableCursor {
            table: Arc::clone(self),
            settings,
            state: State::End,
            held: Held::default(),
            position: Position::default(),
            partition: None,
            target: Vec::new(),
            window: Bytes::new(),
            window_offset: 0,
            cost: ReadCost { tables: 1, ..ReadCost::default() },
        }
    }
}

impl<F: File> Cursor for TableCursor<F> {
    fn at(&self) -> At {
        match self.state {
            State::Entry => At::Entry,
            State::End => At::End,
            State::Waiting(..) | State::Failed(_) => At::Unloaded,
        }
    }

    #[inline]
    fn entry(&self) -> EntryRef<'_> {
        assert!(matches!(self.state, State::Entry), "there is an entry only where the cursor stands at one");
        self.position.entry(&self.held.bytes)
    }

    fn seek(&mut self, target: Seek<'_>) {
        let route = self.route_to(target);
        self.follow(route);
    }

    #[inline]
    fn next(&mut self) {
        assert!(matches!(self.state, State::Entry), "only from an entry there is a next one");
        match self.position.next(self.held.layout.view(&self.held.bytes)) {
            Ok(true) => {}
            moved => self.leave(moved, true),
        }
    }

    fn previous(&mut self) {
        assert!(matches!(self.state, State::Entry), "only from an entry there is a previous one");
        match self.position.previous(self.held.layout.view(&self.held.bytes)) {
            Ok(true) => {}
            moved => self.leave(moved, false),
        }
    }

    async fn load(&mut self) -> Result<(), Error> {
        loop {
            match &self.state {
                State::Entry | State::End => return Ok(()),
                State::Failed(error) => return Err(error.clone()),
                State::Waiting(route, handle) => {
                    let (route, handle) = (*route, *handle);
                    let block = self.read(handle, route).await?;
                    self.settle(route, Some(block));
                }
            }
        }
    }
}

impl<F: File> TableCursor<F> {
    /// What its movements touched since the last time this was asked.
    pub(crate) fn take_cost(&mut self) -> ReadCost {
        std::mem::take(&mut self.cost)
    }

    fn route_to(&mut self, target: Seek<'_>) -> Result<Option<Route>, Error> {
        let count = self.table.top().count();
        let last = |place| count.checked_sub(1).map(|partition| Route { partition, choice: Choice::Last, place });
        let (key, place) = match target {
            Seek::First => {
                return Ok(Some(Route { partition: 0, choice: Choice::Number(0), place: Place::First }));
            }
            Seek::Last => return Ok(last(Place::Last)),
            Seek::AtOrBehind(key) => (key, Place::AtOrBehind),
            Seek::Before(key) => (key, Place::Before),
        };
        self.target.clear();
        self.target.extend_from_slice(key);
        let partition = self.table.partition_of(key)?;
        if partition == count && place == Place::Before {
            return Ok(last(Place::Last));
        }
        Ok(Some(Route { partition, choice: Choice::Holding, place }))
    }

    /// The block ended, or could not be read on.
    fn leave(&mut self, moved: Result<bool, Fault>, forward: bool) {
        let Held { partition, block, .. } = self.held;
        let route = match moved {
            Err(fault) => self.handle_of_held().and_then(|handle| Err(self.table.source.corrupt(handle, fault))),
            Ok(_) if forward => Ok(Some(behind(partition, block))),
            Ok(_) => Ok(before(partition, block)),
        };
        self.follow(route);
    }

    fn handle_of_held(&self) -> Result<Handle, Error> {
        let Some((number, bytes)) = &self.partition else { return Ok(Handle::default()) };
        let handle = self.table.top().handle(*number).unwrap_or_default();
        let held = Partition::parse(bytes).and_then(|partition| partition.index.handle(self.held.block));
        held.map_err(|fault| self.table.source.corrupt(handle, fault))
    }

    fn follow(&mut self, route: Result<Option<Route>, Error>) {
        match route {
            Ok(Some(route)) => self.settle(route, None),
            Ok(None) => self.state = State::End,
            Err(error) => self.state = State::Failed(error),
        }
    }

    /// Follows a route as far as it goes without waiting; `loaded` is the block that it waited for.
    fn settle(&mut self, route: Route, loaded: Option<Bytes>) {
        self.state = self.try_settle(route, loaded).unwrap_or_else(State::Failed);
    }

    fn try_settle(&mut self, mut route: Route, mut loaded: Option<Bytes>) -> Result<State, Error> {
        loop {
            let Some(partition_handle) = self.table.top().handle(route.partition) else { return Ok(State::End) };
            if self.partition.as_ref().is_none_or(|(number, _)| *number != route.partition) {
                let Some(bytes) = self.take(partition_handle, &mut loaded)? else {
                    return Ok(State::Waiting(route, partition_handle));
                };
                self.partition = Some((route.partition, bytes));
            }
            let chosen = self.choose(route).map_err(|fault| self.table.source.corrupt(partition_handle, fault))?;
            let Some((block, handle)) = chosen else {
                // Behind the last block of the partition.
                route = Route { partition: route.partition + 1, choice: Choice::Number(0), place: Place::First };
                continue;
            };
            let in_hand = self.held.partition == route.partition && self.held.block == block;
            if !in_hand || self.held.bytes.is_empty() {
                let Some(bytes) = self.take(handle, &mut loaded)? else { return Ok(State::Waiting(route, handle)) };
                let layout = Layout::of(&bytes).map_err(|fault| self.table.source.corrupt(handle, fault))?;
                self.held = Held { partition: route.partition, block, bytes, layout };
            }
            let found = self.place(route.place).map_err(|fault| self.table.source.corrupt(handle, fault))?;
            let next = match (found, route.place) {
                (true, _) => return Ok(State::Entry),
                (false, Place::First | Place::AtOrBehind) => Some(behind(route.partition, block)),
                (false, Place::Last | Place::Before) => before(route.partition, block),
            };
            match next {
                Some(next) => route = next,
                None => return Ok(State::End),
            }
        }
    }

    /// The data block that a route leads to; `None` behind the last of the partition.
    fn choose(&self, route: Route) -> Result<Option<(usize, Handle)>, Fault> {
        let (_, bytes) = self.partition.as_ref().expect("the route's partition was taken in hand");
        let index = Partition::parse(bytes)?.index;
        let last = index.count().checked_sub(1).ok_or(Fault::MalformedBlock { what: "its index" })?;
        let block = match route.choice {
            Choice::Number(number) => number,
            Choice::Last => last,
            Choice::Holding => index.find(&self.target)?,
        };
        if block > last {
            return Ok(None);
        }
        Ok(Some((block, index.handle(block)?)))
    }

    /// Goes to a place in the block in hand; false when it lies outside.
    fn place(&mut self, place: Place) -> Result<bool, Fault> {
        let block = self.held.layout.view(&self.held.bytes);
        match place {
            Place::First => self.position.first(block),
            Place::Last => self.position.last(block),
            Place::AtOrBehind => self.position.seek(block, &self.target),
            Place::Before if self.position.seek(block, &self.target)? => self.position.previous(block),
            Place::Before => self.position.last(block),
        }
    }

    /// A block, if it is there without waiting: the loaded one, from the window, or from the cache.
    fn take(&mut self, handle: Handle, loaded: &mut Option<Bytes>) -> Result<Option<Bytes>, Error> {
        if let Some(block) = loaded.take() {
            return Ok(Some(block));
        }
        if let Some(sealed) = self.in_window(handle) {
            self.cost.blocks += 1;
            let block = self.table.source.open(handle, &sealed)?;
            self.keep(handle, &block);
            return Ok(Some(block));
        }
        Ok(self.table.source.cached(handle, &mut self.cost))
    }

    fn in_window(&self, handle: Handle) -> Option<Bytes> {
        let begin = usize::try_from(handle.offset.checked_sub(self.window_offset)?).ok()?;
        let end = begin.checked_add(handle.length_bytes as usize)?;
        (end <= self.window.len()).then(|| self.window.slice(begin..end))
    }

    fn keep(&self, handle: Handle, block: &Bytes) {
        if self.settings.fill_cache {
            // A block that is a part of the window would keep all of it in memory.
            let own = if self.window.is_empty() { block.clone() } else { Bytes::copy_from_slice(block) };
            self.table.source.keep(handle, own);
        }
    }

    /// Reads a block, and what follows it (moving back: what precedes it) when reading ahead.
    async fn read(&mut self, handle: Handle, route: Route) -> Result<Bytes, Error> {
        let partition_handle = self.table.top().handle(route.partition);
        let readahead = (self.settings.readahead_bytes as u64).min(READAHEAD_BYTES_MAX);
        if partition_handle == Some(handle) || readahead <= u64::from(handle.length_bytes) {
            let table = Arc::clone(&self.table);
            let block = table.source.load(handle, &mut self.cost).await?;
            if self.settings.fill_cache {
                table.source.keep(handle, block.clone());
            }
            return Ok(block);
        }
        let ahead = self.ahead(handle, route.place, readahead);
        let table = Arc::clone(&self.table);
        self.window = table.source.read(ahead, &mut self.cost).await?;
        self.window_offset = ahead.offset;
        self.cost.blocks += 1;
        let sealed = self.in_window(handle).expect("the window was read around the block");
        let block = table.source.open(handle, &sealed)?;
        self.keep(handle, &block);
        Ok(block)
    }

    /// What to read at once when a block is missing: no byte in front of the file, none behind its blocks.
    fn ahead(&self, handle: Handle, place: Place, readahead: u64) -> Handle {
        let end = handle.offset.saturating_add(u64::from(handle.length_bytes));
        let (begin, end) = match place {
            Place::First | Place::AtOrBehind => {
                let behind_blocks = self.table.footer.top.offset.max(end);
                (handle.offset, handle.offset.saturating_add(readahead).min(behind_blocks))
            }
            Place::Last | Place::Before => (end.saturating_sub(readahead), end),
        };
        let length_bytes = u32::try_from(end - begin).expect("what is read ahead has a limit far below 4 GiB");
        Handle { offset: begin, length_bytes }
    }
}

/// The way to the entry behind a block.
fn behind(partition: usize, block: usize) -> Route {
    Route { partition, choice: Choice::Number(block + 1), place: Place::First }
}

/// The way to the entry before a block; `None` before the first.
fn before(partition: usize, block: usize) -> Option<Route> {
    if block > 0 {
        return Some(Route { partition, choice: Choice::Number(block - 1), place: Place::Last });
    }
    let partition = partition.checked_sub(1)?;
    Some(Route { partition, choice: Choice::Last, place: Place::Last })
}
