//! Iteration over a memtable: all versions of all keys, in both directions, over bytes that stay where they are.
//!
//! ```text
//!   run 0     a   d │ k   m   n         │ the gap: what is before it is smaller than the present key, what is behind
//!   run 1     c   f │ g                 │ it is not
//!                     ▲ the present key: the smallest of those right behind a gap
//!   forward   its run's gap moves behind it; then the smallest behind a gap
//!   back      the largest before a gap; then that run's gap moves before it
//!   versions  newest ─▶ older ─▶ oldest   chained one way: going back, those that are newer wait in a list
//! ```
//!
//! A cursor sees every key that was inserted before it was made, and of each key the versions that were there when it
//! came to the key. Keys of later inserts it does not see.

use std::future::{Future, ready};
use std::sync::Arc;

use crate::cursor::{At, Cursor, Seek};
use crate::error::Error;
use crate::format::entry::EntryRef;

use super::arena::{Arena, NodePointer, VersionPointer};
use super::ordered::{self, Element, Runs};
use super::store::Memtable;

/// A cursor over one memtable, which it keeps alive.
#[derive(Debug)]
pub(crate) struct MemtableCursor {
    memtable: Arc<Memtable>,
    runs: Runs,
    /// One gap for each run.
    gaps: Vec<usize>,
    /// The smallest key behind a gap, those of the present run aside: while the present run stays below it, moving forward
    /// looks at no other run.
    rival: Rival,
    place: Option<Place>,
    /// While `newer_known`: the versions of the present key that are newer than the present one, newest first.
    newer: Vec<VersionPointer>,
    newer_known: bool,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    run: usize,
    node: NodePointer,
    version: VersionPointer,
    /// The newest version when the cursor came to the key.
    newest: VersionPointer,
}

#[derive(Debug, Clone, Copy)]
enum Rival {
    Unknown,
    Nowhere,
    In(usize),
}

impl MemtableCursor {
    pub(super) fn new(memtable: Arc<Memtable>) -> Self {
        let runs = memtable.runs();
        let gaps = vec![0; runs.len()];
        Self { memtable, runs, gaps, rival: Rival::Unknown, place: None, newer: Vec::new(), newer_known: false }
    }

    fn arena(&self) -> &Arena {
        self.memtable.arena()
    }

    /// The element right behind the gap of a run.
    fn behind(&self, run: usize) -> Option<Element> {
        self.runs[run].get(self.gaps[run]).copied()
    }

    /// The element right before the gap of a run.
    fn before(&self, run: usize) -> Option<Element> {
        self.gaps[run].checked_sub(1).map(|index| self.runs[run][index])
    }

    /// The run with the smallest element behind its gap, `except` one.
    fn smallest_behind(&self, except: Option<usize>) -> Option<usize> {
        let candidates = (0..self.gaps.len()).filter(|run| Some(*run) != except);
        let candidates = candidates.filter_map(|run| Some((run, self.behind(run)?)));
        candidates.min_by(|(_, left), (_, right)| left.order(*right, self.arena())).map(|(run, _)| run)
    }

    /// The run with the largest element before its gap.
    fn largest_before(&self) -> Option<usize> {
        let candidates = (0..self.gaps.len()).filter_map(|run| Some((run, self.before(run)?)));
        candidates.max_by(|(_, left), (_, right)| left.order(*right, self.arena())).map(|(run, _)| run)
    }

    /// Goes to the newest version of the smallest key behind the gaps, which is in this run.
    fn enter_forward(&mut self, run: Option<usize>) {
        self.newer.clear();
        self.newer_known = false;
        self.place = run.and_then(|run| Some((run, self.behind(run)?))).map(|(run, element)| {
            let newest = element.node(self.arena()).newest().pointer();
            Place { run, node: element.pointer(), version: newest, newest }
        });
    }

    /// Goes to the oldest version of the largest key before the gaps.
    fn enter_backward(&mut self) {
        self.newer.clear();
        self.rival = Rival::Unknown;
        let Some(run) = self.largest_before() else {
            self.place = None;
            return;
        };
        self.gaps[run] -= 1;
        let element = self.runs[run][self.gaps[run]];
        let newest = element.node(self.memtable.arena()).newest();
        let mut version = newest;
        while let Some(older) = version.older() {
            self.newer.push(version.pointer());
            version = older;
        }
        self.newer_known = true;
        self.place = Some(Place { run, node: element.pointer(), version: version.pointer(), newest: newest.pointer() });
    }

    fn leave_forward(&mut self, run: usize) {
        self.gaps[run] += 1;
        if matches!(self.rival, Rival::Unknown) {
            self.rival = self.smallest_behind(Some(run)).map_or(Rival::Nowhere, Rival::In);
        }
        let Rival::In(other) = self.rival else {
            self.enter_forward(Some(run));
            return;
        };
        let rival = self.behind(other).expect("a rival lies behind a gap");
        if self.behind(run).is_some_and(|element| element.order(rival, self.arena()).is_lt()) {
            self.enter_forward(Some(run));
        } else {
            self.rival = Rival::Unknown;
            self.enter_forward(Some(other));
        }
    }

    /// Fills `newer` with what lies between the newest version and the present one.
    fn learn_newer(&mut self, place: Place) {
        self.newer.clear();
        let mut version = place.newest.of(self.memtable.arena());
        while version.pointer() != place.version {
            self.newer.push(version.pointer());
            version = version.older().expect("the present version is in the chain of the newest");
        }
        self.newer_known = true;
    }

    fn present(&self) -> Place {
        self.place.expect("a cursor moves from an entry")
    }

    fn set_gaps(&mut self, gap: impl Fn(&ordered::Run, &Arena) -> usize) {
        let arena = self.memtable.arena();
        for (run, place) in self.runs.iter().zip(&mut self.gaps) {
            *place = gap(run, arena);
        }
        self.rival = Rival::Unknown;
    }
}

impl Cursor for MemtableCursor {
    fn at(&self) -> At {
        if self.place.is_some() { At::Entry } else { At::End }
    }

    fn entry(&self) -> EntryRef<'_> {
        let place = self.place.expect("an entry is asked for while the cursor stands at one");
        let version = place.version.of(self.arena());
        EntryRef {
            key: place.node.of(self.arena()).key(),
            sequence: version.sequence(),
            value: version.value(),
            expires_micros: version.expires_micros(),
        }
    }

    fn seek(&mut self, target: Seek<'_>) {
        match target {
            Seek::First => self.set_gaps(|_, _| 0),
            Seek::Last => self.set_gaps(|run, _| run.len()),
            Seek::AtOrBehind(key) | Seek::Before(key) => self.set_gaps(|run, arena| ordered::rank(run, key, arena)),
        }
        match target {
            Seek::First | Seek::AtOrBehind(_) => self.enter_forward(self.smallest_behind(None)),
            Seek::Last | Seek::Before(_) => self.enter_backward(),
        }
    }

    fn next(&mut self) {
        let place = self.present();
        let Some(older) = place.version.of(self.memtable.arena()).older() else {
            self.leave_forward(place.run);
            return;
        };
        if self.newer_known {
            self.newer.push(place.version);
        }
        self.place = Some(Place { version: older.pointer(), ..place });
    }

    fn previous(&mut self) {
        let place = self.present();
        if !self.newer_known {
            self.learn_newer(place);
        }
        match self.newer.pop() {
            Some(version) => self.place = Some(Place { version, ..place }),
            None => self.enter_backward(),
        }
    }

    fn load(&mut self) -> impl Future<Output = Result<(), Error>> + Send {
        ready(Ok(()))
    }
}
