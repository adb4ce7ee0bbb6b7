//! One machine's file system: files, folders, names, handles and locks, as the living see them.
//!
//! ```text
//!   folder   now      name ─▶ inode       what every call sees
//!            durable  name ─▶ inode       what the medium certainly holds
//!   changes  [ link x ] [ rename x ▶ y ] [ unlink z ] ...      in call order, not yet synced: see `durability`
//! ```
//!
//! An inode lives while any name, durable or not, or any open handle of a living process holds it. Folders cannot be
//! renamed or removed: no storage engine here does.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use bytes::Bytes;
use engine::world::{Directory, DirectoryEntry, DiskErrorKind, EntryKind, Rng};

use super::content::Content;
use super::durability::{Change, ChangeKind, PendingSync};
use super::faults::Faults;
use super::image::Recording;
use super::rules::{DiskFault, Landing, Struck};
use super::settings::DiskSettings;
use crate::world::predicate::FileOperation;

/// A file or a folder, whatever its names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::world) struct Inode(pub(super) u64);

/// The folder that has no name.
pub(super) const ROOT: Inode = Inode(0);

pub(super) type Names = BTreeMap<String, Inode>;

/// What an inode is.
#[derive(Debug)]
pub(super) enum Thing {
    File(Content),
    Folder { now: Names, durable: Names },
}

/// A machine's files, names and locks.
#[derive(Debug)]
pub(in crate::world) struct FileSystem {
    pub(in crate::world) settings: DiskSettings,
    pub(super) rng: Rng,
    pub(super) things: BTreeMap<Inode, Thing>,
    pub(super) next_number: u64,
    pub(super) changes: Vec<Change>,
    pub(super) syncs: BTreeMap<u64, PendingSync>,
    pub(super) open: BTreeMap<Inode, u64>,
    pub(super) locks: BTreeMap<Inode, u64>,
    pub(super) used_bytes: u64,
    pub(super) faults: Faults,
    pub(super) recording: Option<Recording>,
}

impl FileSystem {
    pub(in crate::world) fn new(settings: DiskSettings, rng: Rng) -> Self {
        let root = Thing::Folder { now: Names::new(), durable: Names::new() };
        Self {
            settings,
            rng,
            things: BTreeMap::from([(ROOT, root)]),
            next_number: 1,
            changes: Vec::new(),
            syncs: BTreeMap::new(),
            open: BTreeMap::new(),
            locks: BTreeMap::new(),
            used_bytes: 0,
            faults: Faults::default(),
            recording: None,
        }
    }

    /// A number never given before: inodes, changes, syncs and locks share the sequence.
    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    pub(in crate::world) fn names(&self, folder: Inode) -> Result<&Names, DiskErrorKind> {
        match &self.things[&folder] {
            Thing::Folder { now, .. } => Ok(now),
            Thing::File(_) => Err(DiskErrorKind::NotADirectory),
        }
    }

    fn names_mut(&mut self, folder: Inode) -> &mut Names {
        match self.things.get_mut(&folder) {
            Some(Thing::Folder { now, .. }) => now,
            _ => unreachable!("a folder that was found is a folder"),
        }
    }

    /// What stands at `path`.
    pub(in crate::world) fn find(&self, path: &Path) -> Result<Inode, DiskErrorKind> {
        let mut at = ROOT;
        for component in path.components() {
            if let Some(name) = name_of(component)? {
                at = *self.names(at)?.get(name).ok_or(DiskErrorKind::NotFound)?;
            }
        }
        Ok(at)
    }

    /// The folder that holds the last name of `path`, and that name; `None` for the root.
    fn find_parent<'a>(&self, path: &'a Path) -> Result<Option<(Inode, &'a str)>, DiskErrorKind> {
        let Some(last) = path.components().next_back() else { return Ok(None) };
        let Some(name) = name_of(last)? else { return Ok(None) };
        let folder = self.find(path.parent().unwrap_or(Path::new("")))?;
        self.names(folder)?;
        Ok(Some((folder, name)))
    }

    pub(in crate::world) fn content(&self, inode: Inode) -> Result<&Content, DiskErrorKind> {
        match self.things.get(&inode) {
            Some(Thing::File(content)) => Ok(content),
            Some(Thing::Folder { .. }) => Err(DiskErrorKind::IsADirectory),
            None => Err(DiskErrorKind::NotFound),
        }
    }

    pub(super) fn content_mut(&mut self, inode: Inode) -> Result<&mut Content, DiskErrorKind> {
        match self.things.get_mut(&inode) {
            Some(Thing::File(content)) => Ok(content),
            Some(Thing::Folder { .. }) => Err(DiskErrorKind::IsADirectory),
            None => Err(DiskErrorKind::NotFound),
        }
    }

    fn change(&mut self, kind: ChangeKind) {
        let sequence = self.number();
        self.changes.push(Change { sequence, kind });
    }

    fn add(&mut self, path: &Path, thing: Thing) -> Result<Inode, DiskErrorKind> {
        self.check_mounted_for_writing()?;
        let Some((folder, name)) = self.find_parent(path)? else { return Err(DiskErrorKind::AlreadyExists) };
        if self.names(folder)?.contains_key(name) {
            return Err(DiskErrorKind::AlreadyExists);
        }
        let inode = Inode(self.number());
        self.things.insert(inode, thing);
        self.names_mut(folder).insert(name.to_string(), inode);
        self.change(ChangeKind::Link { folder, name: name.to_string(), inode });
        self.boundary("create", Some(inode), 0..0);
        Ok(inode)
    }

    pub(in crate::world) fn create(&mut self, path: &Path) -> Result<Inode, DiskErrorKind> {
        let inode = self.add(path, Thing::File(Content::default()))?;
        self.hold(inode);
        Ok(inode)
    }

    pub(in crate::world) fn create_dir(&mut self, path: &Path) -> Result<(), DiskErrorKind> {
        self.add(path, Thing::Folder { now: Names::new(), durable: Names::new() }).map(|_inode| ())
    }

    pub(in crate::world) fn open(&mut self, path: &Path) -> Result<Inode, DiskErrorKind> {
        let inode = self.find(path)?;
        self.content(inode)?;
        self.hold(inode);
        Ok(inode)
    }

    fn hold(&mut self, inode: Inode) {
        *self.open.entry(inode).or_insert(0) += 1;
    }

    /// A handle of a living process was closed.
    pub(in crate::world) fn close(&mut self, inode: Inode) {
        let Some(count) = self.open.get_mut(&inode) else { return };
        *count -= 1;
        if *count == 0 {
            self.open.remove(&inode);
            self.collect_garbage();
        }
    }

    pub(in crate::world) fn rename(&mut self, from: &Path, to: &Path) -> Result<(), DiskErrorKind> {
        self.check_mounted_for_writing()?;
        let inode = self.find(from)?;
        self.content(inode)?;
        let (from_folder, from_name) = self.find_parent(from)?.expect("a file has a name");
        let Some((to_folder, to_name)) = self.find_parent(to)? else { return Err(DiskErrorKind::IsADirectory) };
        match self.names(to_folder)?.get(to_name) {
            // Two names of one file: a rename does nothing.
            Some(target) if *target == inode => return Ok(()),
            Some(target) => self.content(*target).map(|_content| ())?,
            None => {}
        }
        self.names_mut(from_folder).remove(from_name);
        self.names_mut(to_folder).insert(to_name.to_string(), inode);
        let (from_name, to_name) = (from_name.to_string(), to_name.to_string());
        self.change(ChangeKind::Rename { from_folder, from_name, to_folder, to_name, inode });
        self.boundary("rename", Some(inode), 0..0);
        Ok(())
    }

    pub(in crate::world) fn link(&mut self, existing: &Path, link: &Path) -> Result<(), DiskErrorKind> {
        self.check_mounted_for_writing()?;
        let inode = self.find(existing)?;
        self.content(inode)?;
        let Some((folder, name)) = self.find_parent(link)? else { return Err(DiskErrorKind::AlreadyExists) };
        if self.names(folder)?.contains_key(name) {
            return Err(DiskErrorKind::AlreadyExists);
        }
        self.names_mut(folder).insert(name.to_string(), inode);
        self.change(ChangeKind::Link { folder, name: name.to_string(), inode });
        self.boundary("link", Some(inode), 0..0);
        Ok(())
    }

    pub(in crate::world) fn remove(&mut self, path: &Path) -> Result<(), DiskErrorKind> {
        self.check_mounted_for_writing()?;
        let inode = self.find(path)?;
        self.content(inode)?;
        let (folder, name) = self.find_parent(path)?.expect("a file has a name");
        self.names_mut(folder).remove(name);
        self.change(ChangeKind::Unlink { folder, name: name.to_string(), inode });
        self.boundary("remove", Some(inode), 0..0);
        Ok(())
    }

    /// What is in a folder, ordered by name.
    pub(in crate::world) fn list(&self, path: &Path) -> Result<Directory, DiskErrorKind> {
        let entries = self.names(self.find(path)?)?.iter().map(|(name, inode)| match self.content(*inode) {
            Ok(content) => (name, EntryKind::File, content.bytes().len() as u64),
            Err(_) => (name, EntryKind::Directory, 0),
        });
        let entry =
            |(name, kind, length_bytes): (&String, _, _)| DirectoryEntry { name: name.clone(), kind, length_bytes };
        Ok(entries.map(entry).collect())
    }

    /// Takes the lock of the file at `path`, which is created when missing. Returns file and lock.
    pub(in crate::world) fn lock(&mut self, path: &Path) -> Result<(Inode, u64), DiskErrorKind> {
        let inode = match self.find(path) {
            Ok(inode) => inode,
            Err(DiskErrorKind::NotFound) => self.add(path, Thing::File(Content::default()))?,
            Err(kind) => return Err(kind),
        };
        self.content(inode)?;
        if self.locks.contains_key(&inode) {
            return Err(DiskErrorKind::Locked);
        }
        let lock = self.number();
        self.locks.insert(inode, lock);
        self.hold(inode);
        Ok((inode, lock))
    }

    /// Lets go of a lock, if it is still held.
    pub(in crate::world) fn unlock(&mut self, inode: Inode, lock: u64) {
        if self.locks.get(&inode) == Some(&lock) {
            self.locks.remove(&inode);
            self.close(inode);
        }
    }

    /// Room within the quota.
    pub(in crate::world) fn available_bytes(&self) -> u64 {
        self.settings.quota_bytes.saturating_sub(self.used_bytes)
    }

    /// Bytes that files take up.
    pub(in crate::world) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// Appends to a file; returns the offset of the first byte.
    pub(in crate::world) fn append(&mut self, inode: Inode, chunks: &[Bytes]) -> Result<u64, DiskErrorKind> {
        self.check_mounted_for_writing()?;
        let length: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        if length > self.available_bytes() {
            self.faults.injected += 1;
            return Err(DiskErrorKind::NoSpace);
        }
        let offset = self.content(inode)?.bytes().len() as u64;
        let struck = self.struck(FileOperation::Append, inode);
        let fault = struck.as_ref().map(|struck| struck.fault);
        let fails = self.append_fails() || fault == Some(DiskFault::AppendError);
        let mut left = match &struck {
            Some(struck) if fails => struck.below(length + 1),
            _ if fails => self.rng.below(length + 1),
            _ => length,
        };
        let end = offset + left;
        let landing = self.landing(inode, struck);
        for chunk in chunks {
            let landed = &chunk[..chunk.len().min(left as usize)];
            left -= landed.len() as u64;
            match landing {
                Landing::Here => self.content_mut(inode)?.extend(landed),
                Landing::Nowhere | Landing::Over(..) => self.content_mut(inode)?.extend(&vec![0; landed.len()]),
            }
        }
        if let Landing::Over(victim, at) = landing {
            self.overwrite_inode(victim, at, &chunks.concat());
        }
        self.used_bytes += end - offset;
        self.boundary("append", Some(inode), offset..end);
        if fails { Err(DiskErrorKind::InputOutput) } else { Ok(offset) }
    }

    /// Where the bytes of an append to a file land.
    fn landing(&mut self, inode: Inode, struck: Option<Struck>) -> Landing {
        if let Some((victim, at)) = self.faults.misdirected_append.take() {
            self.faults.injected += 1;
            return Landing::Over(victim, at);
        }
        match struck {
            Some(struck) if struck.fault == DiskFault::LostWrite => Landing::Nowhere,
            Some(struck) if struck.fault == DiskFault::MisdirectedWrite => {
                self.elsewhere(inode, &struck).map_or(Landing::Nowhere, |(victim, at)| Landing::Over(victim, at))
            }
            _ => Landing::Here,
        }
    }

    /// Cuts a file. False, and nothing, when it is shorter than that.
    pub(in crate::world) fn truncate(&mut self, inode: Inode, length: u64) -> Result<bool, DiskErrorKind> {
        self.check_mounted_for_writing()?;
        let before = self.content(inode)?.bytes().len() as u64;
        if length > before {
            return Ok(false);
        }
        let Some(Thing::File(content)) = self.things.get_mut(&inode) else { return Err(DiskErrorKind::NotFound) };
        let views = self.syncs.values_mut().filter_map(|sync| match sync {
            PendingSync::File { inode: synced, view } if *synced == inode => Some(view),
            _ => None,
        });
        content.truncate(length as usize, views);
        self.used_bytes -= before - length;
        self.boundary("truncate", Some(inode), length..before);
        Ok(true)
    }
}

/// The name a component of a path stands for; `None` for the root and for `.`. What leads upwards, or is not UTF-8, cannot
/// be ours.
fn name_of(component: Component<'_>) -> Result<Option<&str>, DiskErrorKind> {
    match component {
        Component::Normal(name) => name.to_str().map(Some).ok_or(DiskErrorKind::InputOutput),
        Component::RootDir | Component::CurDir => Ok(None),
        Component::ParentDir | Component::Prefix(_) => Err(DiskErrorKind::InputOutput),
    }
}
