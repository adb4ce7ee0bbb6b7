//! What was asked of the engine and what it said, and what must therefore be found after a crash.
//!
//! ```text
//!   boundary   ... 41 ──────────── 42 ────────────── 43 ...
//!   write 7         issued (42)         acknowledged, durable (43)
//!   crash in state 41: it may be there or not      in state 42: it must be there, and all before it
//! ```
//!
//! A state of the disk lasts from its boundary to the next. What happens meanwhile is stamped with the number of boundaries
//! so far, and binds that state: it is judged at the end of its time, when most was promised.
//!
//! The ledger never reads the database: sequences come from acknowledgements.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::plan::{Action, Change, Key};

/// Every key that has a value, with the sequence that wrote it.
pub(super) type Held = BTreeMap<Key, (Bytes, u64)>;

/// One atomic write.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) changes: Vec<Change>,
    /// Boundaries that had passed when it was issued.
    pub(super) issued_at: u64,
    /// The sequence of its last change, once it was acknowledged.
    pub(super) sequence: Option<u64>,
    /// Boundaries that had passed when a power loss could no longer take it.
    pub(super) durable_at: Option<u64>,
    /// The engine said no, and that it never will be there.
    pub(super) is_refused: bool,
}

/// A copy of the database that was asked for.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    pub(super) path: PathBuf,
    /// The sequence of the last write that was acknowledged when it was asked for: the copy holds it.
    pub(super) at_least: u64,
    /// Boundaries that had passed when it was asked for.
    pub(super) issued_at: u64,
    /// Boundaries that had passed when it was said to be made, and the last write that is said to be in it.
    pub(super) made: Option<(u64, u64)>,
}

/// The writes of a run, as they happen. Clones are the same ledger.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    boundaries: Arc<AtomicU64>,
    writes: Arc<Mutex<Vec<Write>>>,
    copies: Arc<Mutex<Vec<Copy>>>,
}

impl Ledger {
    /// An empty ledger of a disk whose boundaries are counted there.
    pub(super) fn new(boundaries: Arc<AtomicU64>) -> Self {
        Self { boundaries, writes: Arc::default(), copies: Arc::default() }
    }

    /// Boundaries that have passed.
    pub(super) fn now(&self) -> u64 {
        self.boundaries.load(Ordering::Relaxed)
    }

    fn writes(&self) -> MutexGuard<'_, Vec<Write>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write is about to be asked for. Returns its number.
    pub(super) fn issue(&self, changes: Vec<Change>) -> usize {
        let mut writes = self.writes();
        writes.push(Write { changes, issued_at: self.now(), sequence: None, durable_at: None, is_refused: false });
        writes.len() - 1
    }

    /// The engine said yes, and whether by its durability that is for good.
    pub(super) fn acknowledge(&self, number: usize, sequence: u64, is_durable: bool) {
        let write = &mut self.writes()[number];
        write.sequence = Some(sequence);
        write.durable_at = is_durable.then(|| self.now());
    }

    /// The engine said no.
    pub(super) fn refuse(&self, number: usize) {
        self.writes()[number].is_refused = true;
    }

    /// The writes that are acknowledged now, for [`Ledger::synced`].
    pub(super) fn acknowledged(&self) -> Vec<usize> {
        let writes = self.writes();
        (0..writes.len()).filter(|number| writes[*number].sequence.is_some()).collect()
    }

    /// A sync that began when those were acknowledged has ended well.
    pub(super) fn synced(&self, covered: &[usize]) {
        let (now, mut writes) = (self.now(), self.writes());
        for number in covered {
            writes[*number].durable_at.get_or_insert(now);
        }
    }

    fn copies(&self) -> MutexGuard<'_, Vec<Copy>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy is about to be asked for. Returns where it is to be.
    pub(super) fn issue_copy(&self) -> PathBuf {
        let at_least = self.writes().iter().filter_map(|write| write.sequence).max().unwrap_or(0);
        let mut copies = self.copies();
        let path = PathBuf::from(format!("/copy-{}", copies.len()));
        copies.push(Copy { path: path.clone(), at_least, issued_at: self.now(), made: None });
        path
    }

    /// The copy that was asked for last is made, and ends with the write of this sequence.
    pub(super) fn copied(&self, sequence: u64) {
        let now = self.now();
        self.copies().last_mut().expect("a copy is asked for before it is made").made = Some((now, sequence));
    }

    /// The acknowledged writes in the order of their sequences; then the others in the order in which they were asked
    /// for, which is right when each waited for the one before. What was refused is left out.
    pub(super) fn log(&self) -> Log {
        let mut writes = self.writes().clone();
        writes.retain(|write| !write.is_refused);
        writes.sort_by_key(|write| write.sequence.unwrap_or(u64::MAX));
        let mut log = Log { copies: self.copies().clone(), ..Log::default() };
        writes.into_iter().for_each(|write| log.push(write));
        log
    }
}

/// Writes in the order in which they take effect, and what the engine holds after each.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    writes: Vec<Arc<Write>>,
    /// The sequence of each write's last change.
    sequences: Vec<u64>,
    /// What is held after each write.
    held: Vec<Arc<Held>>,
    /// In the order in which they were asked for.
    copies: Vec<Copy>,
}

/// What a crash in one state of the disk must leave, in writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// All of these were durable.
    pub(super) at_least: usize,
    /// More were not asked for.
    pub(super) at_most: usize,
    /// Boundaries that have passed at the end of the state's time: by these copies are judged.
    pub(super) end: u64,
}

impl Log {
    /// Adds the next write.
    pub(super) fn push(&mut self, write: Write) {
        let mut sequence = self.sequences.last().copied().unwrap_or(0);
        let mut held = self.held.last().map(|held| Held::clone(held)).unwrap_or_default();
        for (key, action) in &write.changes {
            sequence += 1;
            match action {
                Action::Put(value) | Action::PutUntil(value) => {
                    drop(held.insert(key.clone(), (value.clone(), sequence)));
                }
                Action::Delete => drop(held.remove(key)),
                Action::DeleteRange(end) => held.retain(|held, _| held < key || *held >= (key.0, end.clone())),
            }
        }
        self.sequences.push(sequence);
        self.held.push(Arc::new(held));
        self.writes.push(Arc::new(write));
    }

    /// The first `count` writes, as a recovery found them after `end` boundaries: asked for long ago, and what was
    /// promised of them is another disk's affair. Copies are not.
    pub(super) fn recovered(&self, count: usize, end: u64) -> Self {
        let old = |write: &Arc<Write>| Arc::new(Write { issued_at: 0, durable_at: None, ..Write::clone(write) });
        let writes = self.writes[..count].iter().map(old).collect();
        let copies = self.copies_at(end).map(|(copy, is_made)| {
            let made = copy.made.filter(|_| is_made).map(|(_, sequence)| (0, sequence));
            Copy { issued_at: 0, made, ..copy.clone() }
        });
        let (sequences, held) = (self.sequences[..count].to_vec(), self.held[..count].to_vec());
        Self { writes, sequences, held, copies: copies.collect() }
    }

    /// The copies that were asked for when `end` boundaries had passed, and whether each was made.
    pub(super) fn copies_at(&self, end: u64) -> impl Iterator<Item = (&Copy, bool)> {
        let copies = self.copies.iter().filter(move |copy| copy.issued_at <= end);
        copies.map(move |copy| (copy, copy.made.is_some_and(|(at, _)| at <= end)))
    }

    /// How many writes there are.
    pub(super) fn len(&self) -> usize {
        self.writes.len()
    }

    /// Write number `index`, from 0.
    pub(super) fn write(&self, index: usize) -> &Write {
        &self.writes[index]
    }

    /// The sequence after the first `count` writes.
    pub(super) fn sequence_after(&self, count: usize) -> u64 {
        count.checked_sub(1).map_or(0, |last| self.sequences[last])
    }

    /// How many writes make up everything to `sequence`; `None` when that is in the middle of one, or behind the last.
    pub(super) fn count_to(&self, sequence: u64) -> Option<usize> {
        match sequence {
            0 => Some(0),
            _ => self.sequences.binary_search(&sequence).ok().map(|index| index + 1),
        }
    }

    /// What the engine holds after the first `count` writes.
    pub(super) fn held_after(&self, count: usize) -> Arc<Held> {
        count.checked_sub(1).map_or_else(Arc::default, |last| Arc::clone(&self.held[last]))
    }

    /// Every key that was ever written.
    pub(super) fn keys(&self) -> std::collections::BTreeSet<Key> {
        self.writes.iter().flat_map(|write| &write.changes).map(|(key, _)| key.clone()).collect()
    }

    /// What must hold of a disk between boundary number `boundary` and the next.
    pub(super) fn bounds(&self, boundary: usize) -> Bounds {
        let end = boundary as u64 + 1;
        let durable = |write: &Arc<Write>| write.durable_at.is_some_and(|at| at <= end);
        let at_least = self.writes.iter().rposition(durable).map_or(0, |last| last + 1);
        let at_most = self.writes.iter().take_while(|write| write.issued_at <= end).count();
        Bounds { at_least, at_most, end }
    }

    /// How many writes were durable when boundary number `boundary` was not yet passed: what is written there proves them.
    pub(super) fn durable_before(&self, boundary: usize) -> usize {
        let durable = |write: &Arc<Write>| write.durable_at.is_some_and(|at| at <= boundary as u64);
        self.writes.iter().rposition(durable).map_or(0, |last| last + 1)
    }

    /// Whether the sequences that were acknowledged are those that the order of the writes gives.
    pub(super) fn check_sequences(&self) -> Result<(), String> {
        for (write, sequence) in self.writes.iter().zip(&self.sequences) {
            if write.sequence.is_some_and(|acknowledged| acknowledged != *sequence) {
                return Err(format!("a write was acknowledged at {:?} that should be at {sequence}", write.sequence));
            }
        }
        Ok(())
    }
}
