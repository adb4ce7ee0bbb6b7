//! What a power loss can leave: every legal combination of kept and lost changes while they are few, a sample beyond.
//!
//! ```text
//!   names, not synced     each kept or lost              also in order: the first k of them, as a journal has them
//!   bytes, not synced     each file for itself:
//!     lost │ kept │ the first k writes │ all but one write │ the length without the bytes │
//!     cut in the middle │ all but one sector │ each sector kept, lost or torn
//! ```
//!
//! A rename is one change: the old name or the new one, never neither. Nothing else is promised: a renamed file may be
//! empty, a file may be long and hold zeros, the second of two files may be there and the first not.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use engine::world::Rng;
use xxhash_rust::xxh3::Xxh3;

use super::model::{ByteChange, Content, Model, Node, Tree, tree};

/// What a disk writes in one piece, if at all.
const SECTOR_BYTES: usize = 512;

/// Prefixes and holes of one file that are tried, at most, of each kind: the last writes, which are the newest.
const WRITES_MOST: usize = 6;

/// Places at which one file is cut, and tears of it, that are drawn.
const DRAWN: usize = 3;

/// What becomes of one file's unsynced bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// None reached the medium.
    Lost,
    /// All did.
    Kept,
    /// The length did, the bytes did not.
    Zeros,
    /// The first so many changes did.
    First(usize),
    /// All did but this one.
    Without(usize),
    /// Those before this offset did, and the file ends there.
    Cut(usize),
    /// All did but for one sector.
    Hole(usize),
    /// Each sector for itself: kept, lost or torn, drawn from this seed.
    Torn(u64),
}

/// One way in which a power loss can end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Survivor {
    /// Whether each change of names was kept.
    pub(super) names: Vec<bool>,
    /// What became of each file with unsynced bytes.
    pub(super) files: Vec<Fate>,
}

/// Everything that may survive of a moment.
pub(super) struct Choices {
    names: usize,
    files: Vec<(u64, Vec<Fate>)>,
}

impl Choices {
    /// What may become of each change of names, and of each file that can be reached.
    pub(super) fn of(model: &Model, rng: &mut Rng) -> Self {
        let reachable = model.reachable();
        let unsynced =
            model.files.iter().filter(|(file, content)| reachable.contains(file) && !content.changes.is_empty());
        let files = unsynced.map(|(file, content)| (*file, fates(content, rng))).collect();
        Self { names: model.changes.len(), files }
    }

    /// Up to `most` ways in which a power loss can end. All of them if there are no more; else the simple ones first:
    /// nothing kept, everything kept, the first names of a journal, one against the rest; then what the stream draws.
    pub(super) fn survivors(&self, most: usize, rng: &mut Rng) -> Vec<Survivor> {
        let of_names = 1_usize.checked_shl(u32::try_from(self.names).unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
        let all = self.files.iter().fold(of_names, |product, (_, fates)| product.saturating_mul(fates.len()));
        if all <= most {
            return (0..all).map(|number| self.numbered(number)).collect();
        }
        let mut survivors = vec![self.uniform(false), self.uniform(true)];
        self.journals(&mut survivors);
        self.one_against_the_rest(&mut survivors);
        // Of many simple ones, those at the end are as good as those at the beginning.
        while survivors.len() > most.div_ceil(2).max(2) {
            survivors.remove(2 + rng.below(survivors.len() as u64 - 2) as usize);
        }
        while survivors.len() < most {
            let names = (0..self.names).map(|_| rng.chance(1, 2)).collect();
            let files = self.files.iter().map(|(_, fates)| *rng.pick(fates).expect("a file has fates")).collect();
            survivors.push(Survivor { names, files });
        }
        survivors
    }

    /// Combination number `number`, as digits of mixed bases.
    fn numbered(&self, mut number: usize) -> Survivor {
        let mut digit = |base: usize| {
            let digit = number % base;
            number /= base;
            digit
        };
        let names = (0..self.names).map(|_| digit(2) == 1).collect();
        let files = self.files.iter().map(|(_, fates)| fates[digit(fates.len())]).collect();
        Survivor { names, files }
    }

    fn uniform(&self, kept: bool) -> Survivor {
        let fate = if kept { Fate::Kept } else { Fate::Lost };
        Survivor { names: vec![kept; self.names], files: vec![fate; self.files.len()] }
    }

    /// Names in their order, as a journal keeps them, whatever became of the bytes.
    fn journals(&self, survivors: &mut Vec<Survivor>) {
        for kept in 0..=self.names {
            for fate in [Fate::Lost, Fate::Kept, Fate::Zeros] {
                let names = (0..self.names).map(|place| place < kept).collect();
                survivors.push(Survivor { names, files: vec![fate; self.files.len()] });
            }
        }
    }

    fn one_against_the_rest(&self, survivors: &mut Vec<Survivor>) {
        for kept in [true, false] {
            for name in 0..self.names {
                let mut survivor = self.uniform(kept);
                survivor.names[name] = !kept;
                survivors.push(survivor);
            }
            for (place, (_, fates)) in self.files.iter().enumerate() {
                for fate in fates {
                    let mut survivor = self.uniform(kept);
                    survivor.files[place] = *fate;
                    survivors.push(survivor);
                }
            }
        }
    }

    /// The files and folders that are found after a power loss which ended like this.
    pub(super) fn found(&self, model: &Model, survivor: &Survivor) -> Tree {
        let mut names: BTreeMap<String, Node> = model.durable.clone();
        for ((_, change), _) in model.changes.iter().zip(&survivor.names).filter(|(_, kept)| **kept) {
            change.apply(&mut names);
        }
        let fate_of = |file| self.files.iter().position(|(of, _)| *of == file).map(|place| survivor.files[place]);
        tree(&names, |file| {
            let content = &model.files[&file];
            fate_of(file).map_or_else(|| Arc::clone(&content.durable), |fate| Arc::new(meet(content, fate)))
        })
    }

    /// A way in which a power loss can end, in words.
    pub(super) fn words(&self, model: &Model, survivor: &Survivor) -> String {
        let names = model.changes.iter().zip(&survivor.names);
        let names = names.map(|((_, change), kept)| format!("{change} {}", if *kept { "kept" } else { "lost" }));
        let name_of = |file: &u64| {
            let mut standing = model.now.iter().filter(|(_, node)| **node == Node::File(*file));
            standing.next().map_or_else(|| format!("file {file}"), |(path, _)| path.clone())
        };
        let files = self.files.iter().zip(&survivor.files);
        let files = files.map(|((file, _), fate)| format!("bytes of {} {fate:?}", name_of(file)));
        let told: Vec<String> = names.chain(files).collect();
        if told.is_empty() { "everything was synced".to_string() } else { told.join("; ") }
    }
}

fn fates(content: &Content, rng: &mut Rng) -> Vec<Fate> {
    let mut fates = vec![Fate::Lost, Fate::Kept];
    let changes = content.changes.len();
    fates.extend((changes.saturating_sub(WRITES_MOST).max(1)..changes).map(Fate::First));
    if changes > 1 {
        fates.extend((changes.saturating_sub(WRITES_MOST)..changes - 1).map(Fate::Without));
    }
    if changed(content).is_empty() {
        return fates;
    }
    fates.push(Fate::Zeros);
    let sectors = |bytes: &Range<usize>| (bytes.start / SECTOR_BYTES) as u64..bytes.end.div_ceil(SECTOR_BYTES) as u64;
    let Range { start, end } = sectors(&changed(content));
    if end - start > 1 {
        fates.push(Fate::Hole(rng.within(start..end) as usize));
    }
    let loose = loose(content);
    let Range { start, end } = sectors(&loose);
    if end > start + 1 {
        fates.extend((0..DRAWN).map(|_| Fate::Cut(rng.within(start + 1..end) as usize * SECTOR_BYTES)));
    }
    if !loose.is_empty() {
        fates.extend((0..DRAWN).map(|_| Fate::Cut(rng.within(loose.start as u64..loose.end as u64) as usize)));
    }
    fates.extend((0..DRAWN).map(|_| Fate::Torn(rng.next_u64())));
    fates
}

/// Where the file may end if all of its changes reached the medium but for the last of its length: never before what was
/// durable, unless that was cut off since.
fn loose(content: &Content) -> Range<usize> {
    let cuts = content.changes.iter().filter_map(|(_, change)| match change {
        ByteChange::Length(length) => Some(*length),
        ByteChange::Write { .. } => None,
    });
    let start = cuts.fold(content.durable.len(), usize::min);
    start..with(content, |_| true).len()
}

/// The bytes that unsynced writes cover.
fn changed(content: &Content) -> Range<usize> {
    let mut changed: Option<Range<usize>> = None;
    for (_, change) in &content.changes {
        if let ByteChange::Write { offset, bytes } = change {
            let (start, end) = (*offset, offset + bytes.len());
            let so_far = changed.get_or_insert(start..end);
            *so_far = so_far.start.min(start)..so_far.end.max(end);
        }
    }
    changed.unwrap_or(0..0)
}

fn with(content: &Content, is_kept: impl Fn(usize) -> bool) -> Vec<u8> {
    let mut bytes = content.durable.to_vec();
    for (place, (_, change)) in content.changes.iter().enumerate() {
        if is_kept(place) {
            change.apply(&mut bytes, true);
        }
    }
    bytes
}

fn meet(content: &Content, fate: Fate) -> Vec<u8> {
    let lengths_only = || {
        let mut bytes = content.durable.to_vec();
        content.changes.iter().for_each(|(_, change)| change.apply(&mut bytes, false));
        bytes
    };
    match fate {
        Fate::Lost => content.durable.to_vec(),
        Fate::Kept => with(content, |_| true),
        Fate::Zeros => lengths_only(),
        Fate::First(count) => with(content, |place| place < count),
        Fate::Without(lost) => with(content, |place| place != lost),
        Fate::Cut(offset) => {
            let mut bytes = with(content, |_| true);
            bytes.truncate(offset);
            bytes
        }
        Fate::Hole(sector) => {
            let (mut bytes, old) = (with(content, |_| true), lengths_only());
            let end = bytes.len().min((sector + 1) * SECTOR_BYTES);
            let start = end.min(sector * SECTOR_BYTES);
            bytes[start..end].copy_from_slice(&old[start..end]);
            bytes
        }
        Fate::Torn(seed) => {
            let (new, rng) = (with(content, |_| true), &mut Rng::from_seed(seed));
            let mut bytes = torn(&new, &lengths_only(), changed(content), rng);
            let Range { start, end } = loose(content);
            if start < end && rng.chance(1, 4) {
                bytes.truncate(rng.within(start as u64..end as u64) as usize);
            }
            bytes
        }
    }
}

/// Each changed sector is kept, lost, or written up to any byte, with garbage or what was there behind.
fn torn(new: &[u8], old: &[u8], changed: Range<usize>, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = new.to_vec();
    let changed = changed.start.min(new.len())..changed.end.min(new.len());
    let mut start = changed.start;
    while start < changed.end {
        let end = changed.end.min((start / SECTOR_BYTES + 1) * SECTOR_BYTES);
        match rng.below(4) {
            0 | 1 => {}
            2 => bytes[start..end].copy_from_slice(&old[start..end]),
            _ => {
                let tear = start + rng.below((end - start) as u64) as usize;
                let garbage = rng.chance(1, 2);
                for (byte, old) in bytes[tear..end].iter_mut().zip(&old[tear..end]) {
                    *byte = if garbage { rng.next_u64() as u8 } else { *old };
                }
            }
        }
        start = end;
    }
    bytes
}

/// The hash of every name and every byte.
pub(super) fn hash(tree: &Tree) -> u128 {
    let mut hasher = Xxh3::new();
    for (path, bytes) in tree {
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path.as_bytes());
        match bytes {
            None => hasher.update(&u64::MAX.to_le_bytes()),
            Some(bytes) => {
                hasher.update(&(bytes.len() as u64).to_le_bytes());
                hasher.update(bytes);
            }
        }
    }
    hasher.digest128()
}
