//! Who still reads the past, and for how long it is kept for them.
//!
//! ```text
//!   take      note down the published sequence and the time              ─▶ Snapshot
//!   readers   (flush, compaction) the live sequences; what is too old is given up here, and its holder is told
//!   drop      struck off the list
//! ```
//!
//! One lock guards the list. A flush or compaction asks once, when it begins: a snapshot taken later reads at or behind
//! what was published then, and the newest version of a key up to that moment is always kept.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::format::Sequence;
use crate::world::{Instant, WallTime};

/// What the engine held at one moment. Dropping it lets old versions go.
#[derive(Debug)]
pub struct Snapshot {
    place: Place,
    wall: WallTime,
    given_up: Arc<AtomicBool>,
    registry: Arc<Registry>,
}

impl Snapshot {
    /// The newest write it sees.
    pub fn sequence(&self) -> Sequence {
        self.place.sequence
    }

    /// The wall time by which it judges what has expired.
    pub(super) fn wall(&self) -> WallTime {
        self.wall
    }

    /// Refuses when it was held for too long.
    pub(super) fn check(&self, now: Instant) -> Result<(), Error> {
        let age = now.saturating_since(self.place.taken);
        let too_old = self.registry.age_max.is_some_and(|most| age > most);
        if too_old || self.given_up.load(Ordering::Acquire) {
            return Err(Error::SnapshotTooOld { sequence: self.sequence(), age });
        }
        Ok(())
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.place);
    }
}

/// Where a snapshot stands in the list: by sequence, then by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    sequence: Sequence,
    taken: Instant,
    number: u64,
}

#[derive(Debug)]
struct Entry {
    wall: WallTime,
    given_up: Arc<AtomicBool>,
}

/// The live snapshots of an engine.
#[derive(Debug)]
pub(super) struct Registry {
    live: Mutex<BTreeMap<Place, Entry>>,
    taken: AtomicU64,
    age_max: Option<Duration>,
}

/// What a flush or a compaction must keep versions for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Horizon {
    /// The sequences at which snapshots read, ascending, without repetition.
    pub(super) sequences: Vec<Sequence>,
    /// The earliest wall time by which a snapshot judges what has expired.
    pub(super) oldest_wall: Option<WallTime>,
}

impl Registry {
    pub(super) fn new(age_max: Option<Duration>) -> Self {
        Self { live: Mutex::default(), taken: AtomicU64::new(0), age_max }
    }

    /// A snapshot of what `published` says is published while the list is held.
    pub(super) fn take(
        registry: &Arc<Self>,
        published: impl FnOnce() -> Sequence,
        now: Instant,
        wall: WallTime,
    ) -> Snapshot {
        let number = registry.taken.fetch_add(1, Ordering::Relaxed);
        let given_up = Arc::new(AtomicBool::new(false));
        let mut live = registry.lock();
        let place = Place { sequence: published(), taken: now, number };
        live.insert(place, Entry { wall, given_up: Arc::clone(&given_up) });
        drop(live);
        Snapshot { place, wall, given_up, registry: Arc::clone(registry) }
    }

    /// Gives up what is too old, and says what the others read.
    pub(super) fn horizon(&self, now: Instant) -> Horizon {
        let mut live = self.lock();
        if let Some(most) = self.age_max {
            live.retain(|place, entry| {
                let keep = now.saturating_since(place.taken) <= most;
                entry.given_up.fetch_or(!keep, Ordering::Release);
                keep
            });
        }
        let mut sequences: Vec<Sequence> = live.keys().map(|place| place.sequence).collect();
        sequences.dedup();
        Horizon { sequences, oldest_wall: live.values().map(|entry| entry.wall).min() }
    }

    /// How many there are, and the sequence of the oldest.
    pub(super) fn count(&self) -> (u64, Option<Sequence>) {
        let live = self.lock();
        (live.len() as u64, live.keys().next().map(|place| place.sequence))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Entry>> {
        // Every change under it is one insertion or removal: a panic elsewhere leaves it whole.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(registry: &Arc<Registry>, sequence: u64, seconds: u64) -> Snapshot {
        let now = Instant::from_micros(seconds * 1_000_000);
        Registry::take(registry, || Sequence(sequence), now, WallTime { micros: seconds })
    }

    #[test]
    fn a_sequence_is_kept_while_any_snapshot_reads_at_it() {
        let registry = Arc::new(Registry::new(None));
        let (one, other, newer) = (take(&registry, 5, 1), take(&registry, 5, 2), take(&registry, 9, 3));
        let sequences = || registry.horizon(Instant::from_micros(0)).sequences;
        assert_eq!(sequences(), [Sequence(5), Sequence(9)]);
        drop(one);
        assert_eq!(sequences(), [Sequence(5), Sequence(9)]);
        drop(other);
        assert_eq!((sequences(), registry.count()), (vec![Sequence(9)], (1, Some(Sequence(9)))));
        drop(newer);
        assert_eq!(registry.horizon(Instant::from_micros(0)), Horizon::default());
    }

    #[test]
    fn a_snapshot_that_is_too_old_is_given_up_and_says_so() {
        let registry = Arc::new(Registry::new(Some(Duration::from_secs(10))));
        let old = take(&registry, 5, 1);
        let young = take(&registry, 6, 8);
        let later = Instant::from_micros(12_000_000);
        assert!(old.check(Instant::from_micros(11_000_000)).is_ok());
        assert!(matches!(old.check(later), Err(Error::SnapshotTooOld { sequence: Sequence(5), .. })));
        assert_eq!(registry.horizon(later).sequences, [Sequence(6)]);
        assert!(old.check(Instant::from_micros(0)).is_err(), "what was given up stays given up");
        assert!(young.check(later).is_ok());
        drop((old, young));
        assert_eq!(registry.count().0, 0);
    }
}
