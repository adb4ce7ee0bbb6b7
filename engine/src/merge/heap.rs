//! Several cursors as one: a heap of sources by the entry each stands at.
//!
//! ```text
//!   memtable   a9      c4            ┐
//!   run        a3  b7          d2    ├─▶  a9 a3 b7 c4 d2        (key, newest version first)
//!   run                c1            ┘             c1
//! ```
//!
//! A source that must load is loaded before anything else is told: as long as one source cannot say where it stands, the
//! merge cannot either. Moving on compares the top with its two children only, which is all it takes while one source
//! gives many entries in a row. A merge walks the way of its last `seek` and does not turn round.

use std::cmp::Ordering;

use crate::cursor::{At, Cursor, Seek};
use crate::error::Error;
use crate::format::entry::EntryRef;

/// A cursor over the union of its sources' entries. No entry may be in two sources.
pub(crate) struct MergeCursor<C> {
    sources: Vec<C>,
    /// Indexes of the sources that stand at an entry, as a binary heap: the first entry in the direction comes first.
    heap: Vec<u32>,
    /// Sources that wait to be loaded, the last one first.
    unloaded: Vec<u32>,
    direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

impl<C: Cursor> MergeCursor<C> {
    pub(crate) fn new(sources: Vec<C>) -> Self {
        Self { heap: Vec::with_capacity(sources.len()), sources, unloaded: Vec::new(), direction: Direction::Forward }
    }

    /// The sources, to ask what they have read.
    pub(crate) fn sources_mut(&mut self) -> &mut [C] {
        &mut self.sources
    }

    fn is_before(&self, one: u32, other: u32) -> bool {
        let (one, other) = (self.sources[one as usize].entry(), self.sources[other as usize].entry());
        match self.direction {
            Direction::Forward => one.order(&other) == Ordering::Less,
            Direction::Backward => one.order(&other) == Ordering::Greater,
        }
    }

    /// Puts a source that has moved where it belongs: into the heap, among the unloaded, or nowhere.
    fn place(&mut self, source: u32) {
        match self.sources[source as usize].at() {
            At::Entry => {
                self.heap.push(source);
                self.sift_up(self.heap.len() - 1);
            }
            At::Unloaded => self.unloaded.push(source),
            At::End => {}
        }
    }

    fn sift_up(&mut self, mut index: usize) {
        while index > 0 {
            let parent = (index - 1) / 2;
            if !self.is_before(self.heap[index], self.heap[parent]) {
                return;
            }
            self.heap.swap(index, parent);
            index = parent;
        }
    }

    fn sift_down(&mut self, mut index: usize) {
        loop {
            let (left, right) = (2 * index + 1, 2 * index + 2);
            if left >= self.heap.len() {
                return;
            }
            let first = match right < self.heap.len() && self.is_before(self.heap[right], self.heap[left]) {
                true => right,
                false => left,
            };
            if !self.is_before(self.heap[first], self.heap[index]) {
                return;
            }
            self.heap.swap(index, first);
            index = first;
        }
    }

    /// The top source has moved on.
    fn settle_top(&mut self) {
        let top = self.heap[0];
        match self.sources[top as usize].at() {
            At::Entry => self.sift_down(0),
            at => {
                self.heap.swap_remove(0);
                self.sift_down(0);
                if at == At::Unloaded {
                    self.unloaded.push(top);
                }
            }
        }
    }

    fn seek_all(&mut self, target: Seek<'_>, direction: Direction) {
        self.direction = direction;
        self.heap.clear();
        self.unloaded.clear();
        for source in 0..self.sources.len() {
            self.sources[source].seek(target);
            self.place(source as u32);
        }
    }
}

impl<C: Cursor> Cursor for MergeCursor<C> {
    fn at(&self) -> At {
        match (self.unloaded.is_empty(), self.heap.is_empty()) {
            (false, _) => At::Unloaded,
            (true, false) => At::Entry,
            (true, true) => At::End,
        }
    }

    fn entry(&self) -> EntryRef<'_> {
        self.sources[self.heap[0] as usize].entry()
    }

    fn seek(&mut self, target: Seek<'_>) {
        let direction = match target {
            Seek::First | Seek::AtOrBehind(_) => Direction::Forward,
            Seek::Last | Seek::Before(_) => Direction::Backward,
        };
        self.seek_all(target, direction);
    }

    fn next(&mut self) {
        assert_eq!(self.direction, Direction::Forward, "a merge does not turn: seek again");
        self.sources[self.heap[0] as usize].next();
        self.settle_top();
    }

    fn previous(&mut self) {
        assert_eq!(self.direction, Direction::Backward, "a merge does not turn: seek again");
        self.sources[self.heap[0] as usize].previous();
        self.settle_top();
    }

    async fn load(&mut self) -> Result<(), Error> {
        while let Some(&source) = self.unloaded.last() {
            self.sources[source as usize].load().await?;
            if self.sources[source as usize].at() != At::Unloaded {
                self.unloaded.pop();
                self.place(source);
            }
        }
        Ok(())
    }
}
