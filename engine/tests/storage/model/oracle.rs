//! What the engine must answer: an ordered map, and the list of everything that was ever written.
//!
//! ```text
//!   history   every operation, in order: the sequence of one is its place, counted from 1
//!   state     key ─▶ value, sequence, expiry      a snapshot keeps a copy, and the hour when it was taken
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeBounds};

use engine::{Isolation, Sequence};

/// A keyspace: 0 is the default one, 1 the other.
pub(crate) type Space = usize;

/// A range of keys within a keyspace.
pub(crate) type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    Put { key: Vec<u8>, value: Vec<u8>, expires_hour: Option<u64> },
    Delete { key: Vec<u8> },
    DeleteRange { start: Vec<u8>, end: Option<Vec<u8>> },
}

impl Write {
    fn touches(&self, key: &[u8]) -> bool {
        match self {
            Self::Put { key: written, .. } | Self::Delete { key: written } => written == key,
            Self::DeleteRange { start, end } => &start[..] <= key && end.as_ref().is_none_or(|end| key < &end[..]),
        }
    }

    fn touches_range(&self, range: &KeyRange) -> bool {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => range.contains(key),
            Self::DeleteRange { start, end } => {
                let ends_before = match (&range.0, end) {
                    (_, None) | (Bound::Unbounded, _) => false,
                    (Bound::Included(from), Some(end)) => end <= from,
                    // The first key behind `from` is `from` with a zero.
                    (Bound::Excluded(from), Some(end)) => *end <= [&from[..], &[0]].concat(),
                };
                let begins_behind = match &range.1 {
                    Bound::Unbounded => false,
                    Bound::Included(until) => start > until,
                    Bound::Excluded(until) => start >= until,
                };
                let is_empty = end.as_ref().is_some_and(|end| end <= start);
                !ends_before && !begins_behind && !is_empty
            }
        }
    }
}

/// Whether a range holds no key at all, whatever was written.
pub(crate) fn is_empty(range: &KeyRange) -> bool {
    match range {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start), Bound::Excluded(end)) => start >= end,
        (Bound::Excluded(start), Bound::Included(end)) => start >= end,
        (Bound::Excluded(start), Bound::Excluded(end)) => [&start[..], &[0]].concat() >= *end,
        _ => false,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    value: Vec<u8>,
    sequence: Sequence,
    expires_hour: Option<u64>,
}

/// What somebody sees who reads at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    spaces: [BTreeMap<Vec<u8>, Kept>; 2],
    pub(crate) hour: u64,
}

/// A key with its value and sequence.
pub(crate) type Found = (Vec<u8>, Vec<u8>, Sequence);

impl State {
    pub(crate) fn get(&self, space: Space, key: &[u8]) -> Option<(Vec<u8>, Sequence)> {
        let kept = self.spaces[space].get(key)?;
        let lives = kept.expires_hour.is_none_or(|hour| hour > self.hour);
        lives.then(|| (kept.value.clone(), kept.sequence))
    }

    pub(crate) fn range(&self, space: Space, range: &KeyRange) -> Vec<Found> {
        if is_empty(range) {
            return Vec::new();
        }
        let keys = self.spaces[space].keys().filter(|key| range.contains(*key));
        keys.filter_map(|key| self.get(space, key).map(|(value, sequence)| (key.clone(), value, sequence))).collect()
    }

    fn apply(&mut self, space: Space, write: &Write, sequence: Sequence) {
        let map = &mut self.spaces[space];
        match write {
            Write::Put { key, value, expires_hour } => {
                let kept = Kept { value: value.clone(), sequence, expires_hour: *expires_hour };
                map.insert(key.clone(), kept);
            }
            Write::Delete { key } => drop(map.remove(key)),
            Write::DeleteRange { .. } => map.retain(|key, _| !write.touches(key)),
        }
    }
}

/// Everything that was written, and what it adds up to.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) history: Vec<(Space, Write)>,
    pub(crate) state: State,
}

impl Model {
    pub(crate) fn sequence(&self) -> Sequence {
        Sequence(self.history.len() as u64)
    }

    pub(crate) fn write(&mut self, space: Space, write: Write) {
        self.history.push((space, write.clone()));
        self.state.apply(space, &write, self.sequence());
    }

    /// Whether a transaction finds that somebody was faster.
    pub(crate) fn conflicts(&self, transaction: &Pending) -> bool {
        let since = transaction.since.0 as usize;
        let writes = || self.history[since..].iter().filter(|(space, _)| *space == transaction.space);
        let mut keys = transaction.writes.keys().chain(&transaction.keys_read);
        let mut ranges = transaction.ranges_read.iter().filter(|range| !is_empty(range));
        keys.any(|key| writes().any(|(_, write)| write.touches(key)))
            || ranges.any(|range| writes().any(|(_, write)| write.touches_range(range)))
    }
}

/// A transaction as the model sees it.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) space: Space,
    pub(crate) state: State,
    pub(crate) since: Sequence,
    pub(crate) isolation: Isolation,
    pub(crate) writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    keys_read: BTreeSet<Vec<u8>>,
    ranges_read: Vec<KeyRange>,
}

impl Pending {
    pub(crate) fn begin(model: &Model, space: Space, isolation: Isolation) -> Self {
        let (state, since) = (model.state.clone(), model.sequence());
        let (writes, keys_read, ranges_read) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        Self { space, state, since, isolation, writes, keys_read, ranges_read }
    }

    pub(crate) fn get(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        if let Some(written) = self.writes.get(key) {
            return written.clone();
        }
        if self.isolation == Isolation::Serializable {
            self.keys_read.insert(key.to_vec());
        }
        self.state.get(self.space, key).map(|(value, _)| value)
    }

    pub(crate) fn scan(&mut self, range: &KeyRange, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        if self.isolation == Isolation::Serializable {
            self.ranges_read.push(range.clone());
        }
        let found = self.state.range(self.space, range);
        let mut merged: BTreeMap<_, _> = found.into_iter().map(|(key, value, _)| (key, Some(value))).collect();
        let own = self.writes.iter().filter(|(key, _)| !is_empty(range) && range.contains(*key));
        merged.extend(own.map(|(key, value)| (key.clone(), value.clone())));
        merged.into_iter().filter_map(|(key, value)| Some((key, value?))).take(limit).collect()
    }
}
