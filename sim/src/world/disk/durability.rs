//! What of a file system is durable, and what a death of the process or of the machine leaves of it.
//!
//! ```text
//!   changes  [ link x ] [ rename x ▶ y ] [ unlink z ] ...
//!                 each is kept or lost at a power loss, independently; a rename is one change: old or new, never neither
//!   bytes    see `content`
//! ```
//!
//! `sync_dir` makes the changes of its folder durable that were made before it was called, in order. A rename from one
//! folder into another ties the two together: syncing either syncs both, as the one transaction of a journalling file
//! system would. A sync of a process that died before it was reported has no effect.

use std::collections::BTreeSet;
use std::path::Path;

use engine::world::DiskErrorKind;

use super::content::View;
use super::file_system::{FileSystem, Inode, Names, ROOT, Thing};
use super::rules::DiskFault;
use super::settings::{PowerLoss, Survival};
use crate::world::predicate::FileOperation;

/// A change of names that was not synced yet.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) sequence: u64,
    pub(super) kind: ChangeKind,
}

#[derive(Debug, Clone)]
pub(super) enum ChangeKind {
    Link { folder: Inode, name: String, inode: Inode },
    Unlink { folder: Inode, name: String, inode: Inode },
    Rename { from_folder: Inode, from_name: String, to_folder: Inode, to_name: String, inode: Inode },
}

impl ChangeKind {
    fn folders(&self) -> (Inode, Inode) {
        match self {
            Self::Link { folder, .. } | Self::Unlink { folder, .. } => (*folder, *folder),
            Self::Rename { from_folder, to_folder, .. } => (*from_folder, *to_folder),
        }
    }

    /// The name that this removes, if it is one of `inode`.
    pub(super) fn unlinked(&self, inode: Inode) -> Option<(Inode, &str)> {
        match self {
            Self::Unlink { folder, name, inode: of } if *of == inode => Some((*folder, name)),
            _ => None,
        }
    }

    fn inode(&self) -> Inode {
        match self {
            Self::Link { inode, .. } | Self::Unlink { inode, .. } | Self::Rename { inode, .. } => *inode,
        }
    }
}

/// A sync under way.
#[derive(Debug)]
pub(super) enum PendingSync {
    File {
        inode: Inode,
        view: View,
    },
    /// Changes of the folder numbered below `before`.
    Folder {
        folder: Inode,
        before: u64,
    },
    /// The disk says Ok and does nothing.
    Lie,
}

impl FileSystem {
    /// Begins a sync of a file as it is now; returns its number for [`FileSystem::complete_sync`].
    pub(in crate::world) fn begin_sync(&mut self, inode: Inode) -> Result<u64, DiskErrorKind> {
        let view = self.content(inode)?.view();
        if self.settings.read_only && self.content(inode)?.unsynced_bytes() > 0 {
            self.content_mut(inode)?.doom();
            self.check_mounted_for_writing()?;
        }
        let struck = self.struck(FileOperation::Sync, inode).map(|struck| struck.fault);
        if self.sync_fails() || struck == Some(DiskFault::SyncError) {
            self.content_mut(inode)?.doom();
            return Err(DiskErrorKind::InputOutput);
        }
        let sync = self.number();
        let lies_of =
            |prefix: &str| self.path_of(inode, false).rsplit('/').next().is_some_and(|name| name.starts_with(prefix));
        let lies = self.settings.sync_lies || self.settings.sync_lies_of.is_some_and(lies_of) || struck.is_some();
        self.syncs.insert(sync, if lies { PendingSync::Lie } else { PendingSync::File { inode, view } });
        Ok(sync)
    }

    /// Begins a sync of a folder's names as they are now.
    pub(in crate::world) fn begin_sync_dir(&mut self, path: &Path) -> Result<u64, DiskErrorKind> {
        let folder = self.find(path)?;
        self.names(folder)?;
        let sync = self.number();
        let lies = self.settings.sync_dir_lies || self.struck(FileOperation::SyncDir, folder).is_some();
        self.syncs.insert(sync, if lies { PendingSync::Lie } else { PendingSync::Folder { folder, before: sync } });
        Ok(sync)
    }

    /// A sync is done: what it covers is durable. False, and nothing, when its process has died meanwhile.
    pub(in crate::world) fn complete_sync(&mut self, sync: u64) -> bool {
        match self.syncs.remove(&sync) {
            Some(PendingSync::File { inode, view }) => {
                if let Ok(content) = self.content_mut(inode) {
                    content.make_durable(view, sync);
                    self.boundary("sync", Some(inode), 0..0);
                }
            }
            Some(PendingSync::Folder { folder, before }) => {
                self.make_names_durable(folder, before);
                self.boundary("sync_dir", Some(folder), 0..0);
            }
            Some(PendingSync::Lie) => {}
            None => return false,
        }
        true
    }

    fn make_names_durable(&mut self, folder: Inode, before: u64) {
        // Folders tied to this one by a rename between them, and those tied to these.
        let mut folders = BTreeSet::from([folder]);
        loop {
            let known = folders.len();
            for change in self.changes.iter().filter(|change| change.sequence < before) {
                let (one, other) = change.kind.folders();
                if folders.contains(&one) || folders.contains(&other) {
                    folders.extend([one, other]);
                }
            }
            if folders.len() == known {
                break;
            }
        }
        let covered = |change: &mut Change| change.sequence < before && folders.contains(&change.kind.folders().0);
        let changes: Vec<Change> = self.changes.extract_if(.., covered).collect();
        let mut freed = false;
        for change in changes {
            freed |= !matches!(change.kind, ChangeKind::Link { .. });
            self.apply(&change.kind);
        }
        if freed {
            self.collect_garbage();
        }
    }

    fn durable_names(&mut self, folder: Inode) -> Option<&mut Names> {
        match self.things.get_mut(&folder) {
            Some(Thing::Folder { durable, .. }) => Some(durable),
            _ => None,
        }
    }

    /// Makes a change of names durable.
    pub(super) fn apply(&mut self, change: &ChangeKind) {
        let (removed, added) = match change {
            ChangeKind::Link { folder, name, inode } => (None, Some((*folder, name, *inode))),
            ChangeKind::Unlink { folder, name, inode } => (Some((*folder, name, *inode)), None),
            ChangeKind::Rename { from_folder, from_name, to_folder, to_name, inode } => {
                (Some((*from_folder, from_name, *inode)), Some((*to_folder, to_name, *inode)))
            }
        };
        if let Some((folder, name, inode)) = removed
            && let Some(names) = self.durable_names(folder)
            && names.get(name) == Some(&inode)
        {
            names.remove(name);
        }
        if let Some((folder, name, inode)) = added
            && let Some(names) = self.durable_names(folder)
        {
            names.insert(name.clone(), inode);
        }
    }

    /// The process is gone; the page cache stays. What it had under way may have happened or not.
    pub(in crate::world) fn process_died(&mut self, now_micros: u64) {
        self.syncs.clear();
        self.locks.clear();
        self.open.clear();
        for thing in self.things.values_mut() {
            if let Thing::File(content) = thing {
                content.process_died(now_micros, &mut self.rng);
            }
        }
        self.collect_garbage();
        self.boundary("kill", None, 0..0);
    }

    /// The machine lost power: files and names are what the medium holds.
    pub(in crate::world) fn power_loss(&mut self, survival: Survival) -> PowerLoss {
        let mut report = PowerLoss::default();
        for change in std::mem::take(&mut self.changes) {
            let kept = match survival {
                Survival::Random => self.rng.chance(1, 2),
                Survival::Nothing => false,
                Survival::Everything => true,
            };
            if kept {
                report.names_kept += 1;
                self.apply(&change.kind);
            } else {
                report.names_lost += 1;
            }
        }
        for thing in self.things.values_mut() {
            match thing {
                Thing::File(content) => content.power_loss(survival, &mut self.rng, &mut report),
                Thing::Folder { now, durable } => now.clone_from(durable),
            }
        }
        self.collect_garbage();
        report
    }

    /// Bytes that a power loss now may take.
    pub(in crate::world) fn bytes_unsynced(&self) -> u64 {
        let contents = self.things.values().filter_map(|thing| match thing {
            Thing::File(content) => Some(content.unsynced_bytes() as u64),
            Thing::Folder { .. } => None,
        });
        contents.sum()
    }

    /// Drops every file that neither a name, nor a change of names, nor an open handle holds.
    pub(super) fn collect_garbage(&mut self) {
        let mut reached = BTreeSet::from([ROOT]);
        let mut to_visit = vec![ROOT];
        to_visit.extend(self.changes.iter().map(|change| change.kind.inode()));
        to_visit.extend(self.open.keys());
        while let Some(inode) = to_visit.pop() {
            reached.insert(inode);
            if let Some(Thing::Folder { now, durable }) = self.things.get(&inode) {
                to_visit.extend(now.values().chain(durable.values()).filter(|inode| !reached.contains(inode)));
            }
        }
        self.things.retain(|inode, _| reached.contains(inode));
        self.used_bytes = self
            .things
            .values()
            .map(|thing| match thing {
                Thing::File(content) => content.bytes().len() as u64,
                Thing::Folder { .. } => 0,
            })
            .sum();
    }
}
