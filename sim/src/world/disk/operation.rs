//! One call of the disk, from its effect to its report.
//!
//! ```text
//!   first poll:  alive? ──▶ effect ──▶ count, trace ──▶ done at: the device's turn + latency x slowness,
//!                                                       not before the file's last write, nor while the disk is stalled
//!   that time:   alive? ──▶ result to the caller; a call of the dead is pending for ever
//! ```

use std::future::pending;
use std::path::Path;
use std::sync::Arc;

use engine::world::{DiskError, DiskErrorKind};
use xxhash_rust::xxh3::xxh3_64;

use super::file_system::{FileSystem, Inode};
use super::settings::DiskSettings;
use crate::world::counters::DiskCounters;
use crate::world::events::{Action, Wait};
use crate::world::latency::Latency;
use crate::world::state::{Identity, SeatIndex, State};

/// An operation's family: what it costs and where it is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Class {
    Read { bytes: u64 },
    Append { bytes: u64 },
    Sync,
    Metadata,
}

impl Class {
    fn latency(self, settings: &DiskSettings) -> Latency {
        match self {
            Self::Read { .. } => settings.read,
            Self::Append { .. } => settings.append,
            Self::Sync => settings.sync,
            Self::Metadata => settings.metadata,
        }
    }

    /// Bytes that go through the device, and how many of them do in a second.
    fn transfer(self, settings: &DiskSettings) -> (u64, u64) {
        match self {
            Self::Read { bytes } => (bytes, settings.read_bytes_per_second),
            Self::Append { bytes } => (bytes, settings.append_bytes_per_second),
            // Waits for what is in the queue, and adds nothing to it.
            Self::Sync => (0, settings.append_bytes_per_second),
            Self::Metadata => (0, 0),
        }
    }

    fn count(self, counters: &mut DiskCounters) {
        match self {
            Self::Read { .. } => counters.reads += 1,
            Self::Append { bytes } => {
                counters.appends += 1;
                counters.bytes_appended += bytes;
            }
            Self::Sync => counters.syncs += 1,
            Self::Metadata => counters.metadata += 1,
        }
    }
}

/// A call that has taken effect and is reported later.
pub(super) struct Begun<T> {
    pub(super) result: Result<T, DiskErrorKind>,
    pub(super) due_micros: u64,
}

/// A call that is about to take effect.
pub(super) struct Call<'a> {
    pub(super) identity: &'a Arc<Identity>,
    pub(super) operation: &'static str,
    pub(super) path: &'a Path,
    /// The second path, of a call that has one.
    pub(super) other: Option<&'a Path>,
}

impl Call<'_> {
    /// Lets the call take effect now if its process lives, and waits until it is to be reported.
    pub(super) async fn perform<T>(self, begin: impl FnOnce(&Self, &mut State) -> Begun<T>) -> Result<T, DiskError> {
        let begun = {
            let mut state = self.identity.shared.lock();
            state.is_alive(self.identity.process).then(|| begin(&self, &mut state))
        };
        let Some(Begun { result, due_micros }) = begun else { return pending().await };
        Wait::until(&self.identity.shared, Some(self.identity.process), due_micros).await;
        result.map_err(|kind| DiskError::new(kind, self.operation, self.path))
    }

    /// Counts and traces the call, and draws the moment of its report. Writes of one `file` are reported one after the
    /// other.
    pub(super) fn begun<T>(
        &self,
        state: &mut State,
        class: Class,
        file: Option<Inode>,
        result: Result<T, DiskErrorKind>,
        words: [u64; 2],
    ) -> Begun<T> {
        let now = state.now_micros();
        class.count(&mut state.counters.disk);
        let seat = state.seat_mut(self.identity.seat);
        class.count(&mut seat.counters.disk);
        let files = &mut seat.files;
        let latency = class.latency(&files.settings).draw(&mut files.rng);
        let (bytes, bytes_per_second) = class.transfer(&files.settings);
        let begins = if bytes_per_second > 0 { files.faults.transfer(now, bytes, bytes_per_second) } else { now };
        let mut due_micros = begins.saturating_add(latency.saturating_mul(files.settings.slow_factor).max(1));
        due_micros = files.faults.not_while_stalled(due_micros);
        if let Some(content) = file.and_then(|inode| files.content_mut(inode).ok()) {
            due_micros = due_micros.max(content.busy_until_micros);
            content.busy_until_micros = due_micros;
        }
        let injected = files.faults_struck();
        seat.counters.disk.faults_injected += injected;
        state.counters.disk.faults_injected += injected;
        let outcome = result.as_ref().err().map_or(0, |kind| 1 + *kind as u64);
        state.record(self.operation, self.identity.peer, &[path_hash(self.path), outcome, words[0], words[1]]);
        state.watch_operation(self.identity.peer, self.operation, self.path, self.other);
        Begun { result, due_micros }
    }

    /// Begins a sync: what `begin` numbers becomes durable when it is reported.
    pub(super) fn begin_sync(
        &self,
        state: &mut State,
        file: Option<Inode>,
        begin: impl FnOnce(&mut FileSystem) -> Result<u64, DiskErrorKind>,
    ) -> Begun<()> {
        let result = begin(self.files(state));
        let begun = self.begun(state, Class::Sync, file, result, [*result.as_ref().unwrap_or(&0), 0]);
        if let Ok(sync) = begun.result {
            state.schedule.push(begun.due_micros, Action::Synced { seat: self.identity.seat.0, sync });
        }
        Begun { result: begun.result.map(|_sync| ()), due_micros: begun.due_micros }
    }

    /// The file system the call is made on.
    pub(super) fn files<'s>(&self, state: &'s mut State) -> &'s mut FileSystem {
        &mut state.seat_mut(self.identity.seat).files
    }
}

impl State {
    /// A sync is done.
    pub(in crate::world) fn complete_sync(&mut self, seat: SeatIndex, sync: u64) {
        let place = self.seat_mut(seat);
        if place.files.complete_sync(sync) {
            let peer = place.peer;
            self.record("synced", peer, &[sync]);
        }
    }
}

/// The word that stands for a path in the trace.
pub(super) fn path_hash(path: &Path) -> u64 {
    xxh3_64(path.as_os_str().as_encoded_bytes())
}
