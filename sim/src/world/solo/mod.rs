//! A machine by itself: the simulated disk under a plain executor, for code that is run a hundred thousand times.
//!
//! ```text
//!   SoloMachine ── run(seed, main) ──▶ one process: main and its tasks, on this thread, in an order drawn from the seed
//!        │                             SoloWorld: clock (moves when nothing else can), disk, tasks, rng
//!        ╰─ disk: what the process left; record, damage, power loss ──▶ run again
//! ```
//!
//! It has no network, no latencies and no trace. A disk call takes effect when it is first polled and is reported at the
//! task's next turn; a sync is durable then. When `main` returns, every other task of the process is dropped, as by a
//! kill. The same seed and disk give the same run.

mod disk;
mod executor;
mod world;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use engine::world::Rng;

use self::executor::Executor;
pub use self::world::SoloWorld;
use super::disk::file_system::FileSystem;
use super::disk::{Boundary, DiskImage, DiskSettings, PowerLoss, Survival, Survivor};

/// The file system that the processes of one machine share.
type Files = Arc<Mutex<FileSystem>>;

fn lock(files: &Files) -> MutexGuard<'_, FileSystem> {
    // Every change under it is made by one call, and a panic ends the run.
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A machine and its disk.
#[derive(Debug)]
pub struct SoloMachine {
    files: Files,
    poll_nanos: u64,
}

impl SoloMachine {
    /// A machine with an empty disk.
    pub fn new(settings: DiskSettings, seed: u64) -> Self {
        Self::of(FileSystem::new(settings, Rng::from_seed(seed).fork("disk")))
    }

    /// The machine that is found after a power loss.
    pub fn found(image: &DiskImage, survivor: &Survivor, settings: DiskSettings, seed: u64) -> Self {
        Self::of(image.found(survivor, settings, Rng::from_seed(seed).fork("disk")))
    }

    fn of(files: FileSystem) -> Self {
        Self { files: Arc::new(Mutex::new(files)), poll_nanos: 0 }
    }

    /// Lets every poll of a task take so long, where it takes no time otherwise.
    #[must_use]
    pub fn with_polls_of(self, nanos: u64) -> Self {
        Self { poll_nanos: nanos, ..self }
    }

    /// Runs a process to the end of `main`. Panics when every task waits for something that nothing will bring.
    pub fn run<T, F: Future<Output = T>>(&self, seed: u64, main: impl FnOnce(SoloWorld) -> F) -> T {
        let rng = Rng::from_seed(seed);
        let executor = Executor::new(rng.fork("order"), self.poll_nanos);
        let value = {
            let world = SoloWorld::new(&self.files, executor.handle(), rng.fork("process"));
            executor.run(main(world))
        };
        lock(&self.files).process_died(0);
        value
    }

    /// How the disk behaves from now on.
    pub fn set(&self, settings: DiskSettings) {
        lock(&self.files).settings = settings;
    }

    /// Leaves `bytes` of room, as if something else had filled the rest.
    pub fn leave_room(&self, bytes: u64) {
        let mut files = lock(&self.files);
        files.settings.quota_bytes = files.used_bytes().saturating_add(bytes);
    }

    /// Makes the append that comes after `count` further ones fail: see `DiskControl`.
    pub fn fail_append_after(&self, count: u64) {
        lock(&self.files).fail_append_after(count);
    }

    /// Makes the sync of a file that comes after `count` further ones fail: see `DiskControl`.
    pub fn fail_sync_after(&self, count: u64) {
        lock(&self.files).fail_sync_after(count);
    }

    /// Lets the next append land at `offset` of the file at `path`. False when there is no such file.
    pub fn misdirect_next_append(&self, path: &Path, offset: u64) -> bool {
        lock(&self.files).misdirect_next_append(path, offset)
    }

    /// Flips the bits of `mask` in one byte of a file, on the medium. False when there is no such byte.
    pub fn rot(&self, path: &Path, offset: u64, mask: u8) -> bool {
        lock(&self.files).rot(path, offset, mask)
    }

    /// Writes `bytes` over those at `offset` of a file, as far as it reaches, on the medium. Returns how many were.
    pub fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> usize {
        lock(&self.files).overwrite(path, offset, bytes)
    }

    /// Faults that have struck since somebody asked.
    pub fn faults_struck(&self) -> u64 {
        lock(&self.files).faults_struck()
    }

    /// Takes the power: what was not synced survives as `survival` says.
    pub fn power_loss(&self, survival: Survival) -> PowerLoss {
        lock(&self.files).power_loss(survival)
    }

    /// Takes an image of the disk at every boundary from now on. Returns the number of boundaries so far, which goes on
    /// counting.
    pub fn record(&self) -> Arc<AtomicU64> {
        lock(&self.files).record()
    }

    /// The boundaries since recording began, which ends.
    pub fn take_recording(&self) -> Vec<Boundary> {
        lock(&self.files).take_recording()
    }

    /// The disk as it is now.
    pub fn image(&self) -> DiskImage {
        lock(&self.files).image()
    }

    /// The hash of every name and every byte on the disk.
    pub fn hash(&self) -> u128 {
        lock(&self.files).hash()
    }

    /// Every name on the disk, indented below its folder, with the length of its file.
    pub fn listing(&self) -> Vec<(String, Option<u64>)> {
        lock(&self.files).listing()
    }

    /// What a process would read from the file at `path`; `None` when there is no such file.
    pub fn content(&self, path: &Path) -> Option<Bytes> {
        let files = lock(&self.files);
        let content = files.content(files.find(path).ok()?).ok()?;
        Some(Bytes::copy_from_slice(content.bytes()))
    }

    /// Every file in a folder: its path, the number by which boundaries name it, and its length. None when there is no
    /// such folder.
    pub fn files_in(&self, folder: &Path) -> Vec<(PathBuf, u64, u64)> {
        let files = lock(&self.files);
        let entries = files.list(folder).unwrap_or_default().into_iter();
        let found = entries.filter_map(|entry| {
            let path = folder.join(entry.name);
            let number = files.number_of(&path)?;
            Some((path, number, entry.length_bytes))
        });
        found.collect()
    }
}
