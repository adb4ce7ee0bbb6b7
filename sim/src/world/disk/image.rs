//! What a power loss can leave of a disk: an image of one moment, and every state that may survive it.
//!
//! ```text
//!   recording   boundary 0 ── create ── 1 ── append ── 2 ── sync done ── 3 ── rename ── 4 ...
//!                  image       image         image          image           each shares the bytes that did not change
//!   survivors   names changed, not synced:   each kept or lost
//!               files with unsynced bytes:   each lost │ kept │ zeros │ cut at a sector │ one sector missing │ torn
//! ```
//!
//! Boundaries are taken where a call changes what is on the disk or what of it is durable: at the effect of an append, a
//! truncation or a change of names, and at the completion of a sync. Between two boundaries the disk does not change, so
//! that other moments (a read, an append that is reported, a sync that begins) give no further states.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::world::Rng;
use xxhash_rust::xxh3::Xxh3;

use super::content::{Content, FileImage, SECTOR_BYTES};
use super::durability::Change;
use super::file_system::{FileSystem, Inode, Names, ROOT, Thing};
use super::settings::{DiskSettings, PowerLoss};

/// Places in one file at which the explorer cuts it, beside those it draws.
const CUTS_MOST: usize = 4;

/// Boundaries, from when recording began.
#[derive(Debug, Default)]
pub(super) struct Recording {
    boundaries: Vec<Boundary>,
    count: Arc<AtomicU64>,
}

/// A moment at which the disk changed.
#[derive(Debug, Clone)]
pub struct Boundary {
    /// The call whose effect or completion it is.
    pub operation: &'static str,
    /// The number of the file, if it concerns one; it is never used twice on a disk.
    pub file: Option<u64>,
    /// The name of that file, or of the folder that was synced, from the root on; the name it had, if it was removed.
    pub path: String,
    /// The bytes that an append added or a truncation took.
    pub bytes: Range<u64>,
    /// The disk after it.
    pub image: DiskImage,
}

/// A disk at one moment. Bytes are shared with the disk and with other images.
#[derive(Debug, Clone)]
pub struct DiskImage {
    files: BTreeMap<Inode, FileImage>,
    folders: BTreeMap<Inode, Names>,
    changes: Vec<Change>,
    next_number: u64,
}

/// What becomes of one file's unsynced bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// None reached the medium.
    Lost,
    /// All did.
    Kept,
    /// The length did, the bytes did not.
    Zeros,
    /// Those before this offset did, and the file ends there.
    Cut(u64),
    /// All did but those of the sector with this number.
    Hole(u64),
    /// Each sector for itself: kept, lost or torn with garbage, drawn from this seed.
    Torn(u64),
}

/// One way in which a power loss can end: an answer for each unsynced change of names and each unsynced file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Whether each change of names was kept, in the order of the changes.
    pub names: Vec<bool>,
    /// What became of each file with unsynced bytes, in the order of their numbers.
    pub files: Vec<Fate>,
}

impl DiskImage {
    /// Changes of names that are not durable.
    pub fn unsynced_names(&self) -> usize {
        self.changes.len()
    }

    /// Files with bytes that are not durable.
    pub fn unsynced_files(&self) -> usize {
        self.files.values().filter(|file| !file.is_durable()).count()
    }

    /// What a process sees: a power loss that everything survived.
    pub fn everything(&self) -> Survivor {
        Survivor { names: vec![true; self.unsynced_names()], files: vec![Fate::Kept; self.unsynced_files()] }
    }

    /// For each of these files, by number, the fates to try: the first two are `Lost` and `Kept`; `draws` of them are
    /// cuts and `draws` are tears at random.
    pub fn fates(&self, draws: usize, rng: &mut Rng) -> Vec<Vec<Fate>> {
        self.files.values().filter(|file| !file.is_durable()).map(|file| fates(file, draws, rng)).collect()
    }

    /// The disk that is found after a power loss that ended like this. All of it is durable.
    pub(in crate::world) fn found(&self, survivor: &Survivor, settings: DiskSettings, rng: Rng) -> FileSystem {
        let mut files = FileSystem::new(settings, rng);
        files.next_number = self.next_number;
        let mut fates = survivor.files.iter();
        for (inode, file) in &self.files {
            let bytes = if file.is_durable() {
                file.shared()
            } else {
                meet(file, *fates.next().expect("there is a fate for each unsynced file"))
            };
            files.things.insert(*inode, Thing::File(Content::all_durable(bytes)));
        }
        for (inode, durable) in &self.folders {
            files.things.insert(*inode, Thing::Folder { now: Names::new(), durable: durable.clone() });
        }
        assert_eq!(survivor.names.len(), self.changes.len(), "there is an answer for each change of names");
        for (change, _) in self.changes.iter().zip(&survivor.names).filter(|(_, kept)| **kept) {
            files.apply(&change.kind);
        }
        for thing in files.things.values_mut() {
            if let Thing::Folder { now, durable } = thing {
                now.clone_from(durable);
            }
        }
        files.collect_garbage();
        files
    }
}

fn fates(file: &FileImage, draws: usize, rng: &mut Rng) -> Vec<Fate> {
    let unsynced = file.unsynced();
    let mut fates = vec![Fate::Lost, Fate::Kept];
    if file.written().len() > unsynced.start {
        fates.push(Fate::Zeros);
        let first = unsynced.start / SECTOR_BYTES;
        let sectors = unsynced.end.div_ceil(SECTOR_BYTES) - first;
        let step = sectors.div_ceil(CUTS_MOST).max(1);
        let cuts = (first + 1..first + sectors).step_by(step).map(|sector| Fate::Cut((sector * SECTOR_BYTES) as u64));
        fates.extend(cuts);
        let bytes = unsynced.start as u64..file.written().len() as u64;
        fates.extend((0..draws).map(|_| Fate::Cut(rng.within(bytes.clone()))));
        if sectors > 1 {
            fates.push(Fate::Hole(first as u64 + rng.below(sectors as u64)));
        }
    }
    fates.extend((0..draws).map(|_| Fate::Torn(rng.next_u64())));
    fates
}

fn meet(file: &FileImage, fate: Fate) -> Arc<Vec<u8>> {
    let bytes = match fate {
        Fate::Lost => file.old(),
        Fate::Kept => file.written().to_vec(),
        Fate::Cut(offset) => file.written()[..file.written().len().min(offset as usize)].to_vec(),
        Fate::Zeros => with_old(file, file.unsynced()),
        Fate::Hole(sector) => {
            let sector = sector as usize * SECTOR_BYTES;
            with_old(file, sector.max(file.unsynced().start)..sector + SECTOR_BYTES)
        }
        Fate::Torn(seed) => file.survive(&mut Rng::from_seed(seed), &mut PowerLoss::default()),
    };
    file.doom(bytes)
}

/// The new bytes, but for a range that was not written.
fn with_old(file: &FileImage, range: Range<usize>) -> Vec<u8> {
    let (old, mut bytes) = (file.old(), file.written().to_vec());
    let end = range.end.min(bytes.len());
    for (offset, byte) in bytes.iter_mut().enumerate().take(end).skip(range.start) {
        *byte = old.get(offset).copied().unwrap_or(0);
    }
    bytes
}

impl FileSystem {
    /// Takes an image at every boundary from now on. Returns the number of boundaries so far, which goes on counting.
    pub(in crate::world) fn record(&mut self) -> Arc<AtomicU64> {
        let recording = Recording::default();
        let count = Arc::clone(&recording.count);
        self.recording = Some(recording);
        self.boundary("begin", None, 0..0);
        count
    }

    /// The boundaries since recording began; it ends.
    pub(in crate::world) fn take_recording(&mut self) -> Vec<Boundary> {
        self.recording.take().map(|recording| recording.boundaries).unwrap_or_default()
    }

    /// The disk has changed.
    pub(super) fn boundary(&mut self, operation: &'static str, concerned: Option<Inode>, bytes: Range<u64>) {
        if self.recording.is_none() {
            return;
        }
        let image = self.image();
        let path = concerned.map(|inode| self.path_of(inode, operation == "remove")).unwrap_or_default();
        let file = concerned.filter(|inode| self.content(*inode).is_ok()).map(|inode| inode.0);
        if let Some(recording) = &mut self.recording {
            recording.boundaries.push(Boundary { operation, file, path, bytes, image });
            recording.count.store(recording.boundaries.len() as u64, Ordering::Relaxed);
        }
    }

    /// The path under which an inode stands; the one that it lost last, if that `was_removed`, or it has no other.
    pub(super) fn path_of(&self, inode: Inode, was_removed: bool) -> String {
        let folders = self.things.iter().filter_map(|(folder, thing)| match thing {
            Thing::Folder { now, .. } => Some((folder, now)),
            Thing::File(_) => None,
        });
        // The last of several names is the one that was made last: that of a copy by links.
        let standing = folders.flat_map(|(folder, now)| now.iter().map(move |(name, of)| (*folder, name, *of)));
        let standing = standing.filter(|(_, _, of)| *of == inode).max_by_key(|(folder, _, _)| *folder);
        let gone = || self.changes.iter().rev().find_map(|change| change.kind.unlinked(inode));
        let standing = || standing.map(|(folder, name, _)| (folder, name.as_str()));
        match if was_removed { gone().or_else(standing) } else { standing().or_else(gone) } {
            Some((folder, name)) => format!("{}/{name}", self.path_of(folder, false)),
            None => String::new(),
        }
    }

    /// The disk as it is now.
    pub(in crate::world) fn image(&self) -> DiskImage {
        let (mut files, mut folders) = (BTreeMap::new(), BTreeMap::new());
        for (inode, thing) in &self.things {
            match thing {
                Thing::File(content) => drop(files.insert(*inode, content.image())),
                Thing::Folder { durable, .. } => drop(folders.insert(*inode, durable.clone())),
            }
        }
        DiskImage { files, folders, changes: self.changes.clone(), next_number: self.next_number }
    }

    /// The hash of every name and every byte that is reached from the root, as a process would see them.
    pub(in crate::world) fn hash(&self) -> u128 {
        let mut hasher = Xxh3::new();
        self.visit(ROOT, 0, &mut |depth, name, content| {
            hasher.update(&[depth, u8::from(content.is_some())]);
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            if let Some(content) = content {
                hasher.update(&(content.bytes().len() as u64).to_le_bytes());
                hasher.update(content.bytes());
            }
        });
        hasher.digest128()
    }

    /// Every name and the length of its file, for people.
    pub(in crate::world) fn listing(&self) -> Vec<(String, Option<u64>)> {
        let mut listing = Vec::new();
        self.visit(ROOT, 0, &mut |depth, name, content| {
            let length = content.map(|content| content.bytes().len() as u64);
            listing.push((format!("{}{name}", "  ".repeat(usize::from(depth))), length));
        });
        listing
    }

    /// Shows every name below a folder, in order, with its depth and its content if it is a file's.
    fn visit(&self, folder: Inode, depth: u8, see: &mut impl FnMut(u8, &str, Option<&Content>)) {
        let Some(Thing::Folder { now, .. }) = self.things.get(&folder) else { return };
        for (name, inode) in now {
            let content = self.content(*inode).ok();
            see(depth, name, content);
            if content.is_none() {
                self.visit(*inode, depth + 1, see);
            }
        }
    }

    /// The file that stands at `path`, by its number.
    pub(in crate::world) fn number_of(&self, path: &Path) -> Option<u64> {
        self.find(path).ok().map(|inode| inode.0)
    }
}
