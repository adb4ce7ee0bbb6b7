//! A file system as its promises describe it: what is on the medium for certain, and what a power loss may take.
//!
//! ```text
//!   names    now      path ─▶ file or folder         what every process sees
//!            durable  path ─▶ file or folder         what the medium certainly holds
//!            changes  [ make x ] [ rename x ▶ y ] [ remove z ]      in call order, until their folder is synced
//!   bytes    durable  ████████                       what the medium certainly holds
//!            changes  [ write 8..20 ] [ cut 12 ] [ write 12..40 ]   in call order, until the file is synced
//! ```
//!
//! A sync covers the changes that had ended when it began, of its file or folder and of nothing else (POSIX promises no more:
//! Pillai et al., OSDI 2014, list what file systems do beyond it, and who relied on that). Folders keep their names, and
//! files their folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Files and folders by their path below the root, with `/` between names; folders have no bytes.
pub(super) type Tree = BTreeMap<String, Option<Arc<Vec<u8>>>>;

/// What a name stands for: a folder, or a file by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    File(u64),
}

/// A change of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NameChange {
    Make { path: String, node: Node },
    Remove { path: String, node: Node },
    Rename { from: String, to: String, node: Node },
}

impl fmt::Display for NameChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make { path, .. } => write!(formatter, "the name {path}"),
            Self::Remove { path, .. } => write!(formatter, "the removal of {path}"),
            Self::Rename { from, to, .. } => write!(formatter, "the renaming of {from} to {to}"),
        }
    }
}

impl NameChange {
    fn folder(&self) -> &str {
        let (Self::Make { path, .. } | Self::Remove { path, .. } | Self::Rename { to: path, .. }) = self;
        folder_of(path)
    }

    fn node(&self) -> Node {
        let (Self::Make { node, .. } | Self::Remove { node, .. } | Self::Rename { node, .. }) = self;
        *node
    }

    /// Makes the change, where what it takes away is still there.
    pub(super) fn apply(&self, names: &mut BTreeMap<String, Node>) {
        let (gone, made) = match self {
            Self::Make { path, .. } => (None, Some(path)),
            Self::Remove { path, .. } => (Some(path), None),
            Self::Rename { from, to, .. } => (Some(from), Some(to)),
        };
        if let Some(path) = gone
            && names.get(path) == Some(&self.node())
        {
            names.remove(path);
        }
        if let Some(path) = made {
            names.insert(path.clone(), self.node());
        }
    }
}

/// A change of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ByteChange {
    Write {
        offset: usize,
        bytes: Arc<Vec<u8>>,
    },
    /// Cuts the file to a length, or makes it longer with zeros.
    Length(usize),
}

impl ByteChange {
    /// Makes the change, with its bytes or only with its effect on the length.
    pub(super) fn apply(&self, content: &mut Vec<u8>, with_bytes: bool) {
        match self {
            Self::Length(length) => content.resize(*length, 0),
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                content.resize(content.len().max(end), 0);
                if with_bytes {
                    content[*offset..end].copy_from_slice(bytes);
                }
            }
        }
    }
}

/// A file's bytes. Changes have numbers, in call order.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub(super) durable: Arc<Vec<u8>>,
    pub(super) changes: Vec<(u64, ByteChange)>,
}

impl Content {
    /// What every process sees.
    fn now(&self) -> Vec<u8> {
        let mut bytes = self.durable.to_vec();
        self.changes.iter().for_each(|(_, change)| change.apply(&mut bytes, true));
        bytes
    }
}

/// What is synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Synced {
    File(u64),
    Folder(String),
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) now: BTreeMap<String, Node>,
    pub(super) durable: BTreeMap<String, Node>,
    pub(super) changes: Vec<(u64, NameChange)>,
    pub(super) files: BTreeMap<u64, Content>,
    numbers: u64,
}

/// The folder that holds a path; the root is empty.
pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Model {
    /// A file system of which everything is durable.
    pub(super) fn of(tree: &Tree) -> Self {
        let mut model = Self::default();
        for (path, bytes) in tree {
            let node = match bytes {
                None => Node::Folder,
                Some(bytes) => {
                    let number = model.number();
                    model.files.insert(number, Content { durable: Arc::clone(bytes), changes: Vec::new() });
                    Node::File(number)
                }
            };
            model.now.insert(path.clone(), node);
        }
        model.durable.clone_from(&model.now);
        model
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn change(&mut self, change: NameChange) -> u64 {
        change.apply(&mut self.now);
        let number = self.number();
        self.changes.push((number, change));
        number
    }

    /// The file that has this name.
    pub(super) fn file(&self, path: &str) -> Option<u64> {
        match self.now.get(path) {
            Some(Node::File(number)) => Some(*number),
            _ => None,
        }
    }

    /// Whether there is a folder of this name; the root is one.
    pub(super) fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.now.get(path) == Some(&Node::Folder)
    }

    /// Creates an empty file; returns the change and the file.
    pub(super) fn create(&mut self, path: &str) -> (u64, u64) {
        let file = self.number();
        self.files.insert(file, Content::default());
        (self.change(NameChange::Make { path: path.to_string(), node: Node::File(file) }), file)
    }

    /// Creates a folder.
    pub(super) fn make_folder(&mut self, path: &str) -> u64 {
        self.change(NameChange::Make { path: path.to_string(), node: Node::Folder })
    }

    /// Gives a file another name; `None` when there is no such file.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Option<u64> {
        let node = Node::File(self.file(from)?);
        Some(self.change(NameChange::Rename { from: from.to_string(), to: to.to_string(), node }))
    }

    /// Gives a file a second name.
    pub(super) fn link(&mut self, existing: &str, link: &str) -> Option<u64> {
        let node = Node::File(self.file(existing)?);
        Some(self.change(NameChange::Make { path: link.to_string(), node }))
    }

    /// Takes a name.
    pub(super) fn remove(&mut self, path: &str) -> Option<u64> {
        let node = *self.now.get(path)?;
        Some(self.change(NameChange::Remove { path: path.to_string(), node }))
    }

    /// Changes a file's bytes.
    pub(super) fn write(&mut self, file: u64, change: ByteChange) -> Option<u64> {
        let number = self.number();
        self.files.get_mut(&file)?.changes.push((number, change));
        Some(number)
    }

    /// Bytes in a file, as every process sees it.
    pub(super) fn length(&self, file: u64) -> usize {
        self.files.get(&file).map_or(0, |content| content.now().len())
    }

    /// The numbers of the changes that a sync which begins now would cover, if all of them had ended.
    pub(super) fn unsynced(&self, of: &Synced) -> BTreeSet<u64> {
        match of {
            Synced::File(file) => self
                .files
                .get(file)
                .into_iter()
                .flat_map(|content| &content.changes)
                .map(|(number, _)| *number)
                .collect(),
            Synced::Folder(folder) => {
                let inside = self.changes.iter().filter(|(_, change)| change.folder() == folder);
                inside.map(|(number, _)| *number).collect()
            }
        }
    }

    /// A sync has ended well: what it covered is durable.
    pub(super) fn make_durable(&mut self, of: &Synced, covered: &BTreeSet<u64>) {
        match of {
            Synced::File(file) => {
                let Some(content) = self.files.get_mut(file) else { return };
                let mut bytes = content.durable.to_vec();
                for (_, change) in content.changes.extract_if(.., |(number, _)| covered.contains(number)) {
                    change.apply(&mut bytes, true);
                }
                content.durable = Arc::new(bytes);
            }
            Synced::Folder(_) => {
                for (_, change) in self.changes.extract_if(.., |(number, _)| covered.contains(number)) {
                    change.apply(&mut self.durable);
                }
            }
        }
    }

    /// Files that any name leads to, or may lead to after a power loss.
    pub(super) fn reachable(&self) -> BTreeSet<u64> {
        let named = self.now.values().chain(self.durable.values()).copied();
        let nodes = named.chain(self.changes.iter().map(|(_, change)| change.node()));
        nodes.filter_map(|node| if let Node::File(file) = node { Some(file) } else { None }).collect()
    }

    /// What every process sees.
    pub(super) fn tree(&self) -> Tree {
        tree(&self.now, |file| Arc::new(self.files[&file].now()))
    }
}

/// Names that can be reached from the root, with the bytes of their files.
pub(super) fn tree(names: &BTreeMap<String, Node>, bytes: impl Fn(u64) -> Arc<Vec<u8>>) -> Tree {
    let mut tree = Tree::new();
    // A folder stands before what is in it.
    for (path, node) in names {
        let folder = folder_of(path);
        if folder.is_empty() || tree.get(folder).is_some_and(Option::is_none) {
            let bytes = match node {
                Node::Folder => None,
                Node::File(file) => Some(bytes(*file)),
            };
            tree.insert(path.clone(), bytes);
        }
    }
    tree
}
