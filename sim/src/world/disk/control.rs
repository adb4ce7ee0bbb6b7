//! The laboratory's hand on one machine's disk: its speed, its faults, and a look at what it holds.
//!
//! Faults that strike at a rate are settings; those that strike once are asked for here (see `faults`). What a power loss
//! does is asked for at the power loss itself (`SimulatedNode::power_loss`).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use engine::world::Rng;

use super::backup::DiskCopy;
use super::image::{Boundary, DiskImage};
use super::rules::{DiskRule, DiskRuleId};
use super::settings::DiskSettings;
use crate::world::predicate::FileKind;
use crate::world::state::{SeatIndex, Shared};

/// The laboratory's hand on one machine's disk.
#[derive(Debug, Clone)]
pub struct DiskControl {
    shared: Arc<Shared>,
    seat: SeatIndex,
}

impl DiskControl {
    pub(in crate::world) fn new(shared: Arc<Shared>, seat: SeatIndex) -> Self {
        Self { shared, seat }
    }

    /// How the disk behaves now.
    pub fn settings(&self) -> DiskSettings {
        self.shared.lock().seat(self.seat).files.settings
    }

    /// Lets operations called from now on behave otherwise. A quota below what the files take up makes the disk full.
    pub fn set(&self, settings: DiskSettings) {
        self.shared.lock().seat_mut(self.seat).files.settings = settings;
    }

    /// Makes the next `count` syncs of files fail. What they should have written counts as clean: it is gone at the next
    /// power loss, whatever later syncs say.
    pub fn fail_next_syncs(&self, count: u32) {
        self.shared.lock().seat_mut(self.seat).files.faults.syncs_to_fail = count;
    }

    /// Makes the append that comes after `count` further ones fail. Any part of its bytes has landed.
    pub fn fail_append_after(&self, count: u64) {
        self.shared.lock().seat_mut(self.seat).files.fail_append_after(count);
    }

    /// Makes the sync of a file that comes after `count` further ones fail, as [`DiskControl::fail_next_syncs`] does.
    pub fn fail_sync_after(&self, count: u64) {
        self.shared.lock().seat_mut(self.seat).files.fail_sync_after(count);
    }

    /// Lets the next append, whatever the file, land at `offset` of the file at `path`, as far as that reaches; where it
    /// should be are zeros. False when there is no such file.
    pub fn misdirect_next_append(&self, path: &Path, offset: u64) -> bool {
        self.shared.lock().seat_mut(self.seat).files.misdirect_next_append(path, offset)
    }

    /// Flips the bits of `mask` in one byte of a file, on the medium. False when there is no such byte.
    pub fn rot(&self, path: &Path, offset: u64, mask: u8) -> bool {
        self.shared.lock().seat_mut(self.seat).files.rot(path, offset, mask)
    }

    /// Puts up a rule for calls from now on; `rng` is what it draws from.
    pub fn put_up(&self, rule: DiskRule, rng: Rng) -> DiskRuleId {
        self.shared.lock().seat_mut(self.seat).files.put_up(rule, rng)
    }

    /// Takes a rule down. Returns how many calls it struck.
    pub fn take_down(&self, id: DiskRuleId) -> u64 {
        self.shared.lock().seat_mut(self.seat).files.take_down(id)
    }

    /// Flips one bit in each of `bytes` bytes, drawn from `rng`, of the files of a kind; of any of the engine's for
    /// `None`. Returns how many there were.
    pub fn rot_kind(&self, kind: Option<FileKind>, bytes: u64, rng: &mut Rng) -> u64 {
        let mut state = self.shared.lock();
        let flipped = state.seat_mut(self.seat).files.rot_kind(kind, bytes, rng);
        let peer = state.seat(self.seat).peer;
        state.record("rot", peer, &[flipped]);
        flipped
    }

    /// A copy of the whole disk as a process sees it now. Not an event: nobody notices.
    pub fn copy(&self) -> DiskCopy {
        self.shared.lock().seat(self.seat).files.copy()
    }

    /// Puts a copy in the place of everything, or nothing for `None`. Returns how many files are gone or changed. Panics
    /// while a process runs here: nobody pulls a disk from under one.
    pub fn replace(&self, copy: Option<&DiskCopy>) -> u64 {
        let mut state = self.shared.lock();
        let seat = state.seat_mut(self.seat);
        assert!(seat.process.is_none(), "the disk of {} is replaced while a process runs", seat.peer);
        let lost = match copy {
            Some(copy) => seat.files.restore(copy),
            None => seat.files.wipe(),
        };
        let peer = seat.peer;
        state.record("disk replaced", peer, &[lost, u64::from(copy.is_some())]);
        lost
    }

    /// Holds up every call that is made before `micros` of true time have passed from now until then.
    pub fn stall_micros(&self, micros: u64) {
        let mut state = self.shared.lock();
        let until = state.now_micros().saturating_add(micros);
        state.seat_mut(self.seat).files.faults.stall_until(until);
    }

    /// Leaves `bytes` of room, as if something else had filled the rest.
    pub fn leave_room(&self, bytes: u64) {
        let mut state = self.shared.lock();
        let files = &mut state.seat_mut(self.seat).files;
        files.settings.quota_bytes = files.used_bytes().saturating_add(bytes);
    }

    /// Takes an image of the disk at every boundary from now on: see [`Boundary`]. Returns the number of boundaries so
    /// far, which goes on counting.
    pub fn record(&self) -> Arc<AtomicU64> {
        self.shared.lock().seat_mut(self.seat).files.record()
    }

    /// The boundaries since recording began, which ends.
    pub fn take_recording(&self) -> Vec<Boundary> {
        self.shared.lock().seat_mut(self.seat).files.take_recording()
    }

    /// The disk as it is now. Not an event: nobody notices.
    pub fn image(&self) -> DiskImage {
        self.shared.lock().seat(self.seat).files.image()
    }

    /// What a process would read from the file at `path`; `None` when there is no such file. Not an event: nobody notices.
    pub fn content(&self, path: &Path) -> Option<Bytes> {
        let state = self.shared.lock();
        let files = &state.seat(self.seat).files;
        let content = files.content(files.find(path).ok()?).ok()?;
        Some(Bytes::copy_from_slice(content.bytes()))
    }
}
