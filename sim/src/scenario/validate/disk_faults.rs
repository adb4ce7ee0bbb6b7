//! Faults of disks: calls that go wrong, a disk that is full, slow or gone.
//! What is refused is told with the field's path and, for a name, the nearest one that exists.

use super::super::contradiction::Contradiction;
use super::super::errors::Flaw;
use super::super::fault::{Action, NodeChoice};
use super::super::path::FieldPath;
use super::super::raw::{self, Text};
use super::super::units::{self, WHOLE_PPM};
use super::{Checker, word};
use crate::world::{DiskFault, FileKind, FileOperation, Hit};

const ROOM_BYTES_MAX: u64 = 1 << 40;
const BYTES_PER_SECOND_MAX: u64 = 1 << 40;
const ROTTEN_BYTES_MAX: u64 = 1_000_000;
const HITS_MAX: u64 = 1_000_000_000;

const ONLY_ERRORS: &str = "this fault says by its name which call it is about";

impl Checker {
    /// The action of a fault that has one of those read here.
    pub(super) fn disk_action(&mut self, raw: &raw::Fault, path: &FieldPath) -> Option<Action> {
        if let Some(error) = &raw.disk_error {
            return Some(self.disk_error(error, path));
        }
        if let Some(lies) = &raw.lying_sync {
            return Some(self.lying_sync(lies, path));
        }
        let calls = [
            (&raw.short_read, DiskFault::ShortRead),
            (&raw.misdirected_read, DiskFault::MisdirectedRead),
            (&raw.misdirected_write, DiskFault::MisdirectedWrite),
            (&raw.lost_write, DiskFault::LostWrite),
        ];
        for (calls, fault) in calls {
            if let Some(calls) = calls {
                return Some(self.disk_calls(calls, fault, path));
            }
        }
        if let Some(full) = &raw.full_disk {
            let room_bytes = self.value(&full.room_bytes, 0, |text| units::whole_number(text, 0, ROOM_BYTES_MAX));
            return Some(Action::FullDisk { node: self.node_choice(&full.node, path), room_bytes });
        }
        if let Some(throttled) = &raw.throttled_disk {
            let bytes_per_second = self.speed(&throttled.bytes_per_second, path);
            return Some(Action::ThrottledDisk { node: self.node_choice(&throttled.node, path), bytes_per_second });
        }
        if let Some(read_only) = &raw.read_only_disk {
            return Some(Action::ReadOnlyDisk { node: self.node_choice(&read_only.node, path) });
        }
        if let Some(stalled) = &raw.stalled_disk {
            return Some(Action::StalledDisk { node: self.node_choice(&stalled.node, path) });
        }
        self.disk_lost(raw, path)
    }

    /// Faults that destroy what was stored.
    fn disk_lost(&mut self, raw: &raw::Fault, path: &FieldPath) -> Option<Action> {
        if let Some(rot) = &raw.bit_rot {
            let bytes = self.value(&rot.bytes, 1, |text| units::whole_number(text, 1, ROTTEN_BYTES_MAX));
            let file = self.optional(&rot.file, file_kind);
            return Some(Action::BitRot { node: self.node_choice(&rot.node, path), file, bytes });
        }
        if let Some(wipe) = &raw.wipe {
            return Some(Action::Wipe { node: self.node_choice(&wipe.node, path), down: self.down(&wipe.down) });
        }
        let restore = raw.restore_backup.as_ref()?;
        if restore.taken.is_none() {
            let purpose = "when the copy is taken, as in 2s";
            self.refuse(path.clone(), Flaw::Missing { key: "taken", purpose });
        }
        let taken_micros = self.value(&restore.taken, 0, units::time);
        let node = self.node_choice(&restore.node, path);
        Some(Action::RestoreBackup { node, taken_micros, down: self.down(&restore.down) })
    }

    fn disk_error(&mut self, raw: &raw::DiskCalls, path: &FieldPath) -> Action {
        let operations = [
            (FileOperation::Read.name(), DiskFault::ReadError),
            (FileOperation::Append.name(), DiskFault::AppendError),
            (FileOperation::Sync.name(), DiskFault::SyncError),
        ];
        if raw.operation.is_none() {
            self.refuse(path.clone(), Flaw::Missing { key: "operation", purpose: "which call fails, as in sync" });
        }
        let fault = self.value(&raw.operation, DiskFault::SyncError, |text| word(text, &operations));
        let file = self.optional(&raw.file, file_kind);
        let hit = self.hit(&raw.share, &raw.nth, &raw.count, path);
        Action::Disk { node: self.node_choice(&raw.node, path), fault, file, hit }
    }

    fn lying_sync(&mut self, raw: &raw::DiskCalls, path: &FieldPath) -> Action {
        self.no_operation(raw);
        let of_folders = raw.file.as_ref().is_some_and(|text| text.text == "folders");
        let mut kinds: Vec<(&'static str, Option<FileKind>)> =
            FileKind::ALL.iter().map(|kind| (kind.name(), Some(*kind))).collect();
        kinds.push(("folders", None));
        let file = self.value(&raw.file, None, |text| word(text, &kinds));
        let fault = if of_folders { DiskFault::LyingSyncDir } else { DiskFault::LyingSync };
        let hit = self.hit(&raw.share, &raw.nth, &raw.count, path);
        Action::Disk { node: self.node_choice(&raw.node, path), fault, file, hit }
    }

    fn disk_calls(&mut self, raw: &raw::DiskCalls, fault: DiskFault, path: &FieldPath) -> Action {
        self.no_operation(raw);
        let file = self.optional(&raw.file, file_kind);
        let hit = self.hit(&raw.share, &raw.nth, &raw.count, path);
        let node: NodeChoice = self.node_choice(&raw.node, path);
        Action::Disk { node, fault, file, hit }
    }

    fn no_operation(&mut self, raw: &raw::DiskCalls) {
        if let Some(text) = &raw.operation {
            let key = "operation";
            self.refuse(text.path.clone(), Contradiction::MeansNothing { key, reason: ONLY_ERRORS });
        }
    }

    /// How many of those that a predicate is about.
    pub(super) fn hit(
        &mut self,
        share: &Option<Text>,
        nth: &Option<Text>,
        count: &Option<Text>,
        path: &FieldPath,
    ) -> Hit {
        if [share, nth, count].iter().filter(|text| text.is_some()).count() > 1 {
            self.refuse(path.clone(), Contradiction::OneHit);
        }
        let share = self.optional(share, |text| {
            let ppm = units::share(text)?;
            units::within_bounds(text, u64::from(ppm), 1, u64::from(WHOLE_PPM), |ppm| units::share_text(ppm as u32))
        });
        let number = |text: &str| units::whole_number(text, 1, HITS_MAX);
        let (nth, count) = (self.optional(nth, number), self.optional(count, number));
        match (share, nth, count) {
            (Some(ppm), ..) => Hit::Share { ppm: ppm as u32 },
            (None, Some(number), _) => Hit::Nth { number },
            (None, None, Some(count)) => Hit::First { count },
            (None, None, None) => Hit::All,
        }
    }

    /// Bytes a second, of a disk or of a link.
    pub(super) fn speed(&mut self, raw: &Option<Text>, path: &FieldPath) -> u64 {
        if raw.is_none() {
            let purpose = "how many bytes pass in a second, as in 100000";
            self.refuse(path.clone(), Flaw::Missing { key: "bytes_per_second", purpose });
        }
        self.value(raw, 1, |text| units::whole_number(text, 1, BYTES_PER_SECOND_MAX))
    }
}

/// A kind of file.
pub(super) fn file_kind(text: &str) -> Result<FileKind, Flaw> {
    word(text, &FileKind::ALL.map(|kind| (kind.name(), kind)))
}
