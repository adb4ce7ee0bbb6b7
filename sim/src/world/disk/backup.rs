//! A disk replaced as a whole while its machine is down: wiped, or an old copy of it put back.
//!
//! ```text
//!   copy      names and bytes as a process sees them at one moment, as a snapshot of a volume has them
//!   wipe      nothing is left, not a name
//!   restore   the copy, all of it durable
//! ```
//!
//! The numbers of files go on, so that no handle or sync of before can mean a file of after.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::content::Content;
use super::file_system::{FileSystem, Inode, Names, ROOT, Thing};

/// A disk as it was.
#[derive(Debug, Clone)]
pub struct DiskCopy {
    files: BTreeMap<Inode, Arc<Vec<u8>>>,
    folders: BTreeMap<Inode, Names>,
}

impl FileSystem {
    /// What a process sees now.
    pub(in crate::world) fn copy(&self) -> DiskCopy {
        let (mut files, mut folders) = (BTreeMap::new(), BTreeMap::new());
        for (inode, thing) in &self.things {
            match thing {
                Thing::File(content) => drop(files.insert(*inode, content.image().shared())),
                Thing::Folder { now, .. } => drop(folders.insert(*inode, now.clone())),
            }
        }
        DiskCopy { files, folders }
    }

    /// Replaces everything by a copy. No process may be there. Returns how many files are gone or other than before.
    pub(in crate::world) fn restore(&mut self, copy: &DiskCopy) -> u64 {
        let before = self.copy();
        let differs = |&(inode, bytes): &(&Inode, &Arc<Vec<u8>>)| copy.files.get(inode) != Some(bytes);
        let lost = before.files.iter().filter(differs).count() as u64;
        let files = copy.files.iter().map(|(inode, bytes)| (*inode, Thing::File(Content::all_durable(bytes.clone()))));
        let folders = copy
            .folders
            .iter()
            .map(|(inode, names)| (*inode, Thing::Folder { now: names.clone(), durable: names.clone() }));
        self.things = files.chain(folders).collect();
        self.changes.clear();
        self.syncs.clear();
        self.open.clear();
        self.locks.clear();
        self.collect_garbage();
        lost
    }

    /// Replaces everything by nothing. No process may be there. Returns how many files are gone.
    pub(in crate::world) fn wipe(&mut self) -> u64 {
        self.restore(&DiskCopy { files: BTreeMap::new(), folders: BTreeMap::from([(ROOT, Names::new())]) })
    }
}
