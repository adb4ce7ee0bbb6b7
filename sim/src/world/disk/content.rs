//! The bytes of one file: what the process sees, what would survive, and what a power loss makes of the difference.
//!
//! ```text
//!   bytes      ████████████████████████████████         what everyone reads (the page cache)
//!              ├─ common ──────────┤
//!   durable    █████████████████████ + tail              what the medium certainly holds
//!                                   ╰──▶ the unsynced range: sector by sector kept, lost or torn
//! ```
//!
//! A file is only ever appended to and cut, so every earlier state of it is a prefix of the present bytes plus a tail that
//! was cut off since: a [`View`]. The durable state is one; each sync under way holds another, of the moment it was called.
//!
//! A failed sync *dooms* the range it should have written: the page stays readable and counts as clean, so later syncs
//! report success without ever writing it (Rebello et al., ATC 2020).
//!
//! The bytes are shared with images of the disk (see `image`): who changes them copies them first, if anyone looks.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use engine::world::Rng;

use super::settings::{PowerLoss, Survival};

/// What a disk writes in one piece, if at all.
pub(super) const SECTOR_BYTES: usize = 512;

/// An earlier state of a file, told by its difference from the present one.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// How many bytes from the start are still the same.
    common: usize,
    /// What followed them.
    tail: Vec<u8>,
}

impl View {
    /// Keeps this view as it is while the file is cut to `length`.
    fn before_cut(&mut self, bytes: &[u8], length: usize) {
        if length < self.common {
            self.tail.splice(0..0, bytes[length..self.common].iter().copied());
            self.common = length;
        }
    }

    fn len(&self) -> usize {
        self.common + self.tail.len()
    }
}

/// One file's bytes.
#[derive(Debug, Default)]
pub(in crate::world) struct Content {
    bytes: Arc<Vec<u8>>,
    durable: View,
    /// The number of the latest sync that made `durable`: an older one that ends later must not undo it.
    durable_sync: u64,
    /// Ranges that no sync will ever write.
    doomed: Vec<Range<usize>>,
    /// Appends that were not yet reported done: when they will be, and where they began.
    unreported: VecDeque<(u64, usize)>,
    /// Writes of this file are done one after the other; the last one is done then.
    pub(super) busy_until_micros: u64,
}

impl Content {
    /// What everyone reads.
    pub(in crate::world) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that a power loss now may take.
    pub(super) fn unsynced_bytes(&self) -> usize {
        self.bytes.len() - self.durable.common
    }

    /// A file of which every byte is durable.
    pub(super) fn all_durable(bytes: Arc<Vec<u8>>) -> Self {
        let durable = View { common: bytes.len(), tail: Vec::new() };
        Self { bytes, durable, ..Self::default() }
    }

    /// What of it is durable and what is not, as it is now.
    pub(super) fn image(&self) -> FileImage {
        let (bytes, durable) = (Arc::clone(&self.bytes), self.durable.clone());
        FileImage { bytes, durable, doomed: self.doomed.clone() }
    }

    /// Adds a chunk at the end.
    pub(super) fn extend(&mut self, chunk: &[u8]) {
        Arc::make_mut(&mut self.bytes).extend_from_slice(chunk);
    }

    /// Changes bytes in place, as no process can: both what is read and what is durable. Returns how many there were.
    pub(super) fn change(&mut self, offset: u64, length: usize, change: impl Fn(usize, u8) -> u8) -> usize {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let end = start.saturating_add(length).min(self.bytes.len());
        for (index, byte) in Arc::make_mut(&mut self.bytes)[start..end].iter_mut().enumerate() {
            *byte = change(index, *byte);
        }
        // What was cut off since is only on the medium.
        let tail = self.durable.common;
        for (index, byte) in self.durable.tail.iter_mut().enumerate() {
            let at = tail + index;
            if (start..start.saturating_add(length)).contains(&at) {
                *byte = change(at - start, *byte);
            }
        }
        end - start
    }

    /// Notes that what was appended from `start` on is reported done at `due_micros`.
    pub(super) fn reported_at(&mut self, now_micros: u64, due_micros: u64, start: usize) {
        while self.unreported.front().is_some_and(|(due, _)| *due <= now_micros) {
            self.unreported.pop_front();
        }
        self.unreported.push_back((due_micros, start));
    }

    /// Cuts the file; `views` are the syncs of it that are under way.
    pub(super) fn truncate<'a>(&mut self, length: usize, views: impl Iterator<Item = &'a mut View>) {
        assert!(length <= self.bytes.len(), "a file was cut to more than it holds");
        self.durable.before_cut(&self.bytes, length);
        for view in views {
            view.before_cut(&self.bytes, length);
        }
        Arc::make_mut(&mut self.bytes).truncate(length);
        self.doomed.retain_mut(|range| {
            range.end = range.end.min(length);
            range.start < range.end
        });
        self.unreported.clear();
    }

    /// The present state, for a sync to make durable.
    pub(super) fn view(&self) -> View {
        View { common: self.bytes.len(), tail: Vec::new() }
    }

    /// Makes a view durable, unless a sync that was called later has ended before.
    pub(super) fn make_durable(&mut self, view: View, sync: u64) {
        if sync >= self.durable_sync {
            self.durable_sync = sync;
            self.durable = view;
        }
    }

    /// Lets what a sync should have written never be written, while it counts as clean.
    pub(super) fn doom(&mut self) {
        if self.durable.common < self.bytes.len() {
            self.doomed.push(self.durable.common..self.bytes.len());
        }
    }

    /// The process was killed: of an append that was still under way any prefix may have happened.
    pub(super) fn process_died(&mut self, now_micros: u64, rng: &mut Rng) {
        let unreported = std::mem::take(&mut self.unreported);
        self.busy_until_micros = 0;
        let Some((_, start)) = unreported.into_iter().find(|(due, _)| *due > now_micros) else { return };
        if start < self.bytes.len() && rng.chance(1, 2) {
            let length = rng.within(start as u64..self.bytes.len() as u64) as usize;
            self.truncate(length, std::iter::empty());
        }
    }

    /// The power went: what is not durable survives as `survival` says, and what is left is durable.
    pub(super) fn power_loss(&mut self, survival: Survival, rng: &mut Rng, report: &mut PowerLoss) {
        let before = self.bytes.len();
        let image = self.image();
        if !image.is_durable() {
            report.files_unsynced += 1;
            self.bytes = match survival {
                Survival::Nothing => image.doom(image.old()),
                Survival::Everything => image.doom(self.bytes.to_vec()),
                Survival::Random => image.doom(image.survive(rng, report)),
            };
            report.lengths_changed += u64::from(self.bytes.len() != before);
        }
        self.doomed.clear();
        self.durable = self.view();
        self.unreported.clear();
        self.busy_until_micros = 0;
    }
}

/// One file at one moment: what a process would read, and what is durable of it.
#[derive(Debug, Clone)]
pub(super) struct FileImage {
    bytes: Arc<Vec<u8>>,
    durable: View,
    doomed: Vec<Range<usize>>,
}

impl FileImage {
    /// Whether a power loss would change nothing.
    pub(super) fn is_durable(&self) -> bool {
        self.durable.tail.is_empty() && self.durable.common == self.bytes.len() && self.doomed.is_empty()
    }

    /// The whole of what a process would read, for a file of which a power loss takes nothing.
    pub(super) fn shared(&self) -> Arc<Vec<u8>> {
        Arc::clone(&self.bytes)
    }

    /// The bytes that a power loss may take: from where old and new begin to differ, to the end of the longer.
    pub(super) fn unsynced(&self) -> Range<usize> {
        self.durable.common..self.bytes.len().max(self.durable.len())
    }

    /// What a process would read.
    pub(super) fn written(&self) -> &[u8] {
        &self.bytes
    }

    /// What the medium certainly holds.
    pub(super) fn old(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.durable.len());
        bytes.extend_from_slice(&self.bytes[..self.durable.common]);
        bytes.extend_from_slice(&self.durable.tail);
        bytes
    }

    /// One of the many things that a power loss can leave.
    pub(super) fn survive(&self, rng: &mut Rng, report: &mut PowerLoss) -> Vec<u8> {
        survive(self.durable.common, &self.old(), &self.bytes, rng, report)
    }

    /// Takes out what no sync ever wrote.
    pub(super) fn doom(&self, mut bytes: Vec<u8>) -> Arc<Vec<u8>> {
        for range in &self.doomed {
            let end = range.end.min(bytes.len());
            bytes[range.start.min(end)..end].fill(0);
        }
        Arc::new(bytes)
    }
}

/// What is left of a file that was `old` on the medium and `new` in the page cache, equal up to `common`.
fn survive(common: usize, old: &[u8], new: &[u8], rng: &mut Rng, report: &mut PowerLoss) -> Vec<u8> {
    let longest = old.len().max(new.len());
    let length = match rng.below(4) {
        0 => old.len(),
        1 => rng.within(common as u64..longest as u64 + 1) as usize,
        _ => new.len(),
    };
    // A sector's fate leans the same way over a whole file, so that "all kept" and "all lost" are seen as well.
    let kept_in_four = rng.below(5);
    let mut result = Vec::with_capacity(length);
    result.extend_from_slice(&new[..common.min(length)]);
    while result.len() < length {
        let start = result.len();
        let end = length.min((start / SECTOR_BYTES + 1) * SECTOR_BYTES);
        let byte = |source: &[u8], offset: usize| source.get(offset).copied().unwrap_or(0);
        if rng.below(4) < kept_in_four {
            report.sectors_kept += 1;
            result.extend((start..end).map(|offset| byte(new, offset)));
        } else if rng.chance(1, 2) {
            report.sectors_lost += 1;
            result.extend((start..end).map(|offset| byte(old, offset)));
        } else {
            report.sectors_torn += 1;
            let cut = rng.within(start as u64..end as u64) as usize;
            result.extend((start..cut).map(|offset| byte(new, offset)));
            let rest = rng.below(3);
            for offset in cut..end {
                result.push(match rest {
                    0 => byte(old, offset),
                    1 => rng.next_u64() as u8,
                    _ if rng.chance(1, 2) => byte(new, offset),
                    _ => byte(old, offset),
                });
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with `synced` durable bytes of 1 and `unsynced` bytes of 2 behind them.
    fn file(synced: usize, unsynced: usize) -> Content {
        let mut content = Content::default();
        content.extend(&vec![1; synced]);
        content.make_durable(content.view(), 1);
        content.extend(&vec![2; unsynced]);
        content
    }

    #[test]
    fn synced_bytes_survive_and_unsynced_ones_are_kept_lost_and_torn() {
        let mut total = PowerLoss::default();
        let (mut short, mut zeros_at_full_length, mut whole) = (0, 0, 0);
        for seed in 0..400 {
            let mut content = file(700, 2_000);
            content.power_loss(Survival::Random, &mut Rng::from_seed(seed), &mut total);
            assert!(content.bytes().len() >= 700 && content.bytes()[..700].iter().all(|byte| *byte == 1));
            let rest = &content.bytes()[700..];
            short += usize::from(rest.len() < 2_000);
            zeros_at_full_length += usize::from(rest.len() == 2_000 && rest.iter().all(|byte| *byte == 0));
            whole += usize::from(rest == [2; 2_000]);
        }
        assert!(short > 0 && zeros_at_full_length > 0 && whole > 0, "{short} {zeros_at_full_length} {whole}");
        assert!(total.sectors_kept > 0 && total.sectors_lost > 0 && total.sectors_torn > 0, "{total:?}");
        assert_eq!(total.files_unsynced, 400);
    }

    #[test]
    fn nothing_and_everything_survive_when_asked_for() {
        let mut content = file(10, 20);
        content.power_loss(Survival::Nothing, &mut Rng::from_seed(1), &mut PowerLoss::default());
        assert_eq!(content.bytes(), [1; 10]);
        let mut content = file(10, 20);
        content.power_loss(Survival::Everything, &mut Rng::from_seed(1), &mut PowerLoss::default());
        assert_eq!(content.bytes().len(), 30);
        assert_eq!(content.unsynced_bytes(), 0);
    }

    #[test]
    fn an_unsynced_truncation_can_come_back() {
        let mut content = file(100, 0);
        content.truncate(40, std::iter::empty());
        content.extend(&[3; 10]);
        content.power_loss(Survival::Nothing, &mut Rng::from_seed(1), &mut PowerLoss::default());
        assert_eq!(content.bytes(), [1; 100]);
    }

    #[test]
    fn a_sync_covers_what_was_there_when_it_was_called_also_when_it_was_cut_meanwhile() {
        let mut content = file(10, 20);
        let mut view = content.view();
        content.truncate(15, std::iter::once(&mut view));
        content.extend(&[3; 50]);
        content.make_durable(view, 2);
        content.power_loss(Survival::Nothing, &mut Rng::from_seed(1), &mut PowerLoss::default());
        assert_eq!(content.bytes(), [[1; 10].as_slice(), [2; 20].as_slice()].concat());
    }

    #[test]
    fn an_older_sync_that_ends_later_takes_nothing_back() {
        let mut content = file(10, 0);
        let older = content.view();
        content.extend(&[2; 5]);
        let newer = content.view();
        content.make_durable(newer, 3);
        content.make_durable(older, 2);
        assert_eq!(content.unsynced_bytes(), 0);
    }

    #[test]
    fn bytes_of_a_failed_sync_read_well_but_are_gone_after_power_loss_though_a_later_sync_says_ok() {
        let mut content = file(4, 4);
        content.doom();
        content.extend(&[3; 2]);
        content.make_durable(content.view(), 2);
        assert_eq!(content.bytes(), [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]);
        content.power_loss(Survival::Everything, &mut Rng::from_seed(1), &mut PowerLoss::default());
        assert_eq!(content.bytes(), [1, 1, 1, 1, 0, 0, 0, 0, 3, 3]);
    }

    #[test]
    fn a_kill_keeps_what_was_reported_and_any_part_of_what_was_not() {
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut content = Content::default();
            content.extend(&[1; 10]);
            content.reported_at(0, 5, 0);
            content.extend(&[2; 10]);
            content.reported_at(0, 9, 10);
            content.process_died(5, &mut Rng::from_seed(seed));
            assert!((10..=20).contains(&content.bytes().len()));
            lengths.insert(content.bytes().len());
        }
        assert!(lengths.len() > 5 && lengths.contains(&20), "{lengths:?}");
    }
}
