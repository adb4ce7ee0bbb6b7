//! A disk in memory that keeps apart what was written and what is durable.
//!
//! ```text
//!   file     data       what every reader sees          ── sync ──▶  durable data
//!   names    names      what every lookup sees          ── sync_dir ──▶  durable names
//!   crash    durable state, plus none, all or an arbitrary part of what was never synced
//! ```
//!
//! Every call is numbered and noted down. A test says which call shall fail, or at which the power goes: from then on
//! nothing succeeds, and `after_power_loss` gives the disk that the next incarnation finds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use engine::world::{Access, Directory, DirectoryEntry, Disk, DiskError, DiskErrorKind, EntryKind, File, Rng, Space};

/// One call, as it was noted down: the operation, on what, and the file's length afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Call number `.0` fails, whatever it is.
    FailCall(u64),
    /// The power goes at call number `.0`.
    PowerLoss(u64),
    /// Every call of this operation fails.
    FailEvery(&'static str),
    /// Every call of these operations fails like this, on files whose names begin like this.
    FailNamed { operations: &'static [&'static str], prefix: &'static str, kind: DiskErrorKind },
}

/// What a power loss leaves of what was not synced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keep {
    Nothing,
    Everything,
    /// An arbitrary part, drawn from this seed.
    Part(u64),
}

#[derive(Debug, Clone, Default)]
struct FileState {
    data: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

#[derive(Debug, Default)]
struct State {
    files: Vec<FileState>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    unsynced_names: Vec<NameChange>,
    folders: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    calls: Vec<Call>,
    trouble: Option<Trouble>,
}

#[derive(Debug, Clone)]
pub(crate) struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

impl MemoryDisk {
    /// A disk with one empty folder, `/data`.
    pub(crate) fn new() -> Self {
        let folders = BTreeSet::from([PathBuf::from("/"), PathBuf::from("/data")]);
        Self { state: Arc::new(Mutex::new(State { folders, ..State::default() })) }
    }

    /// What will go wrong from now on. Calls are numbered from the disk's beginning.
    pub(crate) fn arrange(&self, trouble: Trouble) {
        self.lock_state().trouble = Some(trouble);
    }

    /// Everything works again, for new handles.
    pub(crate) fn heal(&self) {
        self.lock_state().trouble = None;
    }

    /// All calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.lock_state().calls.clone()
    }

    /// How many calls of an operation there were so far.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.lock_state().calls.iter().filter(|call| call.operation == operation).count()
    }

    /// The disk that is found after the power went now.
    pub(crate) fn after_power_loss(&self, keep: Keep) -> Self {
        let state = self.lock_state();
        let mut rng = Rng::from_seed(if let Keep::Part(seed) = keep { seed } else { 0 });
        let mut names = state.durable_names.clone();
        for change in &state.unsynced_names {
            let kept = match keep {
                Keep::Nothing => false,
                Keep::Everything => true,
                Keep::Part(_) => rng.chance(1, 2),
            };
            if kept {
                apply(&mut names, change);
            }
        }
        let survives = |file: &FileState, rng: &mut Rng| match keep {
            Keep::Nothing => file.durable.clone(),
            Keep::Everything => file.data.clone(),
            Keep::Part(_) => part_of(file, rng),
        };
        let data: Vec<Vec<u8>> = state.files.iter().map(|file| survives(file, &mut rng)).collect();
        let files = data.into_iter().map(|data| FileState { durable: data.clone(), data }).collect();
        let folders = state.folders.clone();
        let state = State { files, durable_names: names.clone(), names, folders, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The disk as another process finds it after this one was killed: nothing is lost but its locks.
    pub(crate) fn after_kill(&self) -> Self {
        self.after_power_loss(Keep::Everything)
    }

    /// A file's bytes, as readers see them.
    pub(crate) fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock_state();
        state.names.get(path).map(|file| state.files[*file].data.clone())
    }

    /// How much of a file is durable.
    pub(crate) fn durable_bytes(&self, path: &Path) -> usize {
        let state = self.lock_state();
        state.durable_names.get(path).map_or(0, |file| state.files[*file].durable.len())
    }

    /// Puts a file there, durable, whatever was there before.
    pub(crate) fn plant(&self, path: &Path, content: &[u8]) {
        let mut state = self.lock_state();
        state.files.push(FileState { data: content.to_vec(), durable: content.to_vec() });
        let file = state.files.len() - 1;
        state.names.insert(path.to_path_buf(), file);
        state.durable_names.insert(path.to_path_buf(), file);
        let mut folder = path.parent();
        while let Some(path) = folder {
            state.folders.insert(path.to_path_buf());
            folder = path.parent();
        }
    }

    /// Takes a file away, durably.
    pub(crate) fn unplant(&self, path: &Path) {
        let mut state = self.lock_state();
        state.names.remove(path);
        state.durable_names.remove(path);
    }

    /// All names, and what is in them.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.lock_state();
        state.names.iter().map(|(name, file)| (name.clone(), state.files[*file].data.clone())).collect()
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked with it")
    }

    fn call(&self, operation: &'static str, path: &Path) -> Result<MutexGuard<'_, State>, DiskError> {
        let mut state = self.lock_state();
        let number = state.calls.len() as u64;
        state.calls.push(Call { operation, path: path.to_path_buf(), length: 0 });
        let fails = match state.trouble {
            None => false,
            Some(Trouble::FailCall(call)) => number == call,
            Some(Trouble::PowerLoss(call)) => number >= call,
            Some(Trouble::FailEvery(failing)) => operation == failing,
            Some(Trouble::FailNamed { operations, prefix, .. }) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                operations.contains(&operation) && name.starts_with(prefix)
            }
        };
        let kind = match state.trouble {
            Some(Trouble::FailNamed { kind, .. }) => kind,
            _ => DiskErrorKind::InputOutput,
        };
        if fails { Err(DiskError::new(kind, operation, path)) } else { Ok(state) }
    }
}

fn apply(names: &mut BTreeMap<PathBuf, usize>, change: &NameChange) {
    match change {
        NameChange::Add(path, file) => {
            names.insert(path.clone(), *file);
        }
        NameChange::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        NameChange::Remove(path) => {
            names.remove(path);
        }
    }
}

/// Some length between the two, and behind the durable part some runs of bytes there and some not.
fn part_of(file: &FileState, rng: &mut Rng) -> Vec<u8> {
    let (short, long) = (file.durable.len().min(file.data.len()), file.durable.len().max(file.data.len()));
    let length = rng.within(short as u64..long as u64 + 1) as usize;
    let source = if file.data.len() >= file.durable.len() { &file.data } else { &file.durable };
    let mut kept = source[..length].to_vec();
    for run in kept[short..].chunks_mut(32) {
        if rng.chance(1, 4) {
            run.fill(0);
        }
    }
    kept
}

pub(crate) struct MemoryFile {
    disk: MemoryDisk,
    path: PathBuf,
    file: usize,
    access: Access,
    poisoned: AtomicBool,
}

impl MemoryFile {
    fn change(
        &self,
        operation: &'static str,
        change: impl FnOnce(&mut FileState) -> Result<(), DiskErrorKind>,
    ) -> Result<(), DiskError> {
        let error = |kind| DiskError::new(kind, operation, &self.path);
        if self.access == Access::Read {
            return Err(error(DiskErrorKind::ReadOnly));
        }
        if self.poisoned.load(Ordering::Relaxed) {
            return Err(error(DiskErrorKind::Poisoned));
        }
        let result = self.disk.call(operation, &self.path).and_then(|mut state| {
            change(&mut state.files[self.file]).map_err(error)?;
            let length = state.files[self.file].data.len() as u64;
            state.calls.last_mut().expect("just noted").length = length;
            Ok(())
        });
        self.poisoned.fetch_or(result.is_err(), Ordering::Relaxed);
        result
    }
}

impl File for MemoryFile {
    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, DiskError> {
        let state = self.disk.call("read", &self.path)?;
        let data = &state.files[self.file].data;
        let start = data.len().min(offset as usize);
        Ok(Bytes::copy_from_slice(&data[start..data.len().min(start + length)]))
    }

    async fn append(&self, chunks: Vec<Bytes>) -> Result<u64, DiskError> {
        let mut offset = 0;
        let result = self.change("append", |file| {
            offset = file.data.len() as u64;
            chunks.iter().for_each(|chunk| file.data.extend_from_slice(chunk));
            Ok(())
        });
        if result.is_err() && self.access == Access::Append {
            // A failed write may have written something.
            let mut state = self.disk.lock_state();
            let written = chunks.first().map_or(0, |chunk| chunk.len() / 2);
            chunks.iter().take(1).for_each(|chunk| state.files[self.file].data.extend_from_slice(&chunk[..written]));
        }
        result.map(|()| offset)
    }

    async fn len(&self) -> Result<u64, DiskError> {
        Ok(self.disk.call("len", &self.path)?.files[self.file].data.len() as u64)
    }

    async fn truncate(&self, length: u64) -> Result<(), DiskError> {
        self.change("truncate", |file| {
            if length > file.data.len() as u64 {
                return Err(DiskErrorKind::InputOutput);
            }
            file.data.truncate(length as usize);
            Ok(())
        })
    }

    async fn sync(&self) -> Result<(), DiskError> {
        // Covers what was there when it was called, and takes a while.
        let covered = self.disk.lock_state().files[self.file].data.clone();
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        self.change("sync", |file| {
            file.durable = covered;
            Ok(())
        })
    }
}

pub(crate) struct MemoryLock {
    disk: MemoryDisk,
    path: PathBuf,
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.disk.lock_state().locks.remove(&self.path);
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;
    type Lock = MemoryLock;

    async fn create(&self, path: &Path) -> Result<MemoryFile, DiskError> {
        let mut state = self.call("create", path)?;
        if state.names.contains_key(path) || state.folders.contains(path) {
            return Err(DiskError::new(DiskErrorKind::AlreadyExists, "create", path));
        }
        state.files.push(FileState::default());
        let file = state.files.len() - 1;
        state.names.insert(path.to_path_buf(), file);
        state.unsynced_names.push(NameChange::Add(path.to_path_buf(), file));
        drop(state);
        let poisoned = AtomicBool::new(false);
        Ok(MemoryFile { disk: self.clone(), path: path.to_path_buf(), file, access: Access::Append, poisoned })
    }

    async fn open(&self, path: &Path, access: Access) -> Result<MemoryFile, DiskError> {
        let found = self.call("open", path)?.names.get(path).copied();
        let file = found.ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, "open", path))?;
        let poisoned = AtomicBool::new(false);
        Ok(MemoryFile { disk: self.clone(), path: path.to_path_buf(), file, access, poisoned })
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let mut state = self.call("rename", to)?;
        let file = state.names.remove(from).ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, "rename", from))?;
        state.names.insert(to.to_path_buf(), file);
        state.unsynced_names.push(NameChange::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    async fn link(&self, existing: &Path, link: &Path) -> Result<(), DiskError> {
        let mut state = self.call("link", link)?;
        let file = state.names.get(existing).copied();
        let file = file.ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, "link", existing))?;
        state.names.insert(link.to_path_buf(), file);
        state.unsynced_names.push(NameChange::Add(link.to_path_buf(), file));
        Ok(())
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.call("remove", path)?;
        state.names.remove(path).ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, "remove", path))?;
        state.unsynced_names.push(NameChange::Remove(path.to_path_buf()));
        Ok(())
    }

    async fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.call("create_dir", path)?;
        if !path.parent().is_some_and(|parent| state.folders.contains(parent)) {
            return Err(DiskError::new(DiskErrorKind::NotFound, "create_dir", path));
        }
        if !state.folders.insert(path.to_path_buf()) {
            return Err(DiskError::new(DiskErrorKind::AlreadyExists, "create_dir", path));
        }
        Ok(())
    }

    async fn list(&self, path: &Path) -> Result<Directory, DiskError> {
        let state = self.call("list", path)?;
        if !state.folders.contains(path) {
            let is_file = state.names.contains_key(path);
            let kind = if is_file { DiskErrorKind::NotADirectory } else { DiskErrorKind::NotFound };
            return Err(DiskError::new(kind, "list", path));
        }
        let inside = state.names.iter().filter(|(name, _)| name.parent() == Some(path));
        Ok(inside
            .map(|(name, file)| DirectoryEntry {
                name: name.file_name().expect("a file has a name").to_string_lossy().into_owned(),
                kind: EntryKind::File,
                length_bytes: state.files[*file].data.len() as u64,
            })
            .collect())
    }

    async fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.call("sync_dir", path)?;
        let is_inside = |change: &NameChange| match change {
            NameChange::Add(name, _) | NameChange::Rename(name, _) | NameChange::Remove(name) => {
                name.parent() == Some(path)
            }
        };
        let State { unsynced_names, durable_names, .. } = &mut *state;
        unsynced_names.retain(|change| {
            if is_inside(change) {
                apply(durable_names, change);
            }
            !is_inside(change)
        });
        Ok(())
    }

    async fn space(&self, path: &Path) -> Result<Space, DiskError> {
        drop(self.call("space", path)?);
        Ok(Space { total_bytes: u64::MAX, available_bytes: u64::MAX })
    }

    async fn lock(&self, path: &Path) -> Result<MemoryLock, DiskError> {
        let mut state = self.call("lock", path)?;
        if !state.locks.insert(path.to_path_buf()) {
            return Err(DiskError::new(DiskErrorKind::Locked, "lock", path));
        }
        if !state.names.contains_key(path) {
            state.files.push(FileState::default());
            let file = state.files.len() - 1;
            state.names.insert(path.to_path_buf(), file);
        }
        drop(state);
        Ok(MemoryLock { disk: self.clone(), path: path.to_path_buf() })
    }
}
