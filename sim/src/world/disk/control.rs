//! The laboratory's hand on one machine's disk: its speed, its faults, and a look at what it holds.
//!
//! Faults of a running disk so far: the next syncs fail, reads fail at a rate, the disk is full. Each is a number in the
//! file system that the operation looks at, so that a further fault is one more number and one more look. What a power loss
//! does is asked for at the power loss itself (`SimulatedNode::power_loss`).

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::settings::DiskSettings;
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
        self.shared.lock().seat_mut(self.seat).files.syncs_to_fail = count;
    }

    /// Leaves `bytes` of room, as if something else had filled the rest.
    pub fn leave_room(&self, bytes: u64) {
        let mut state = self.shared.lock();
        let files = &mut state.seat_mut(self.seat).files;
        files.settings.quota_bytes = files.used_bytes().saturating_add(bytes);
    }

    /// What a process would read from the file at `path`; `None` when there is no such file. Not an event: nobody notices.
    pub fn content(&self, path: &Path) -> Option<Bytes> {
        let state = self.shared.lock();
        let files = &state.seat(self.seat).files;
        let content = files.content(files.find(path).ok()?).ok()?;
        Some(Bytes::copy_from_slice(content.bytes()))
    }
}
