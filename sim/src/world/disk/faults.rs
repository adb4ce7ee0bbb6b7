//! What a running disk does wrong, one struct of it: calls that fail, bytes that land or are read elsewhere, bits that flip,
//! a device that is slow.
//!
//! ```text
//!   append   fails: any prefix has landed │ misdirected: the bytes land elsewhere, zeros where they should be
//!   sync     fails: what it covers is doomed (see `content`) │ lies: says Ok and does nothing
//!   read     fails │ returns fewer bytes than there are │ returns those of another place of the file
//!   at rest  a bit flips, a range is overwritten: both what is read and what is durable
//!   device   one queue: transfers at so many bytes a second wait for each other; a stall holds up everything
//! ```
//!
//! Faults of certain files or certain calls are in `rules`. A fault that is off draws nothing from the stream, so that runs without it stay as they were.

use std::path::Path;

use bytes::Bytes;
use engine::world::DiskErrorKind;

use super::file_system::{FileSystem, Inode};
use super::rules::{DiskFault, Rules};
use super::settings::DiskSettings;
use crate::world::predicate::FileOperation;

const MILLION: u64 = 1_000_000;

/// Faults that wait for their call, and the state of the device.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Syncs of files that fail, from the next on.
    pub(super) syncs_to_fail: u32,
    /// Appends that go well before one fails.
    append_fails_after: Option<u64>,
    /// Syncs of files that go well before one fails.
    sync_fails_after: Option<u64>,
    /// Where the next append lands instead of where it should.
    pub(super) misdirected_append: Option<(Inode, u64)>,
    /// Operations failed or spoilt since somebody counted.
    pub(super) injected: u64,
    /// What is wrong with certain calls.
    pub(super) rules: Rules,
    /// When the device has transferred all that it was given.
    free_micros: u64,
    /// Nothing is reported before.
    stalled_until_micros: u64,
}

/// Whether the call that a countdown waits for has come.
fn has_come(countdown: &mut Option<u64>) -> bool {
    match countdown {
        None => false,
        Some(0) => countdown.take().is_some(),
        Some(left) => {
            *left -= 1;
            false
        }
    }
}

impl Faults {
    /// The earliest moment at which a call that transfers `bytes` may be reported, before its own latency.
    pub(super) fn transfer(&mut self, now_micros: u64, bytes: u64, bytes_per_second: u64) -> u64 {
        if let Some(micros) = bytes.saturating_mul(MILLION).checked_div(bytes_per_second) {
            self.free_micros = self.free_micros.max(now_micros).saturating_add(micros);
        }
        now_micros.max(self.free_micros)
    }

    /// Holds up every report until then.
    pub(super) fn stall_until(&mut self, micros: u64) {
        self.stalled_until_micros = self.stalled_until_micros.max(micros);
    }

    /// When a call that would be reported at `due_micros` is.
    pub(super) fn not_while_stalled(&self, due_micros: u64) -> u64 {
        due_micros.max(self.stalled_until_micros)
    }
}

impl FileSystem {
    /// See `DiskControl`.
    pub(in crate::world) fn fail_append_after(&mut self, count: u64) {
        self.faults.append_fails_after = Some(count);
    }

    /// See `DiskControl`.
    pub(in crate::world) fn fail_sync_after(&mut self, count: u64) {
        self.faults.sync_fails_after = Some(count);
    }

    /// Faults that have struck since this was asked.
    pub(in crate::world) fn faults_struck(&mut self) -> u64 {
        std::mem::take(&mut self.faults.injected)
    }

    fn strikes(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.rng.chance(u64::from(ppm), MILLION)
    }

    /// Reads, in the way of this disk.
    pub(in crate::world) fn read(&mut self, inode: Inode, offset: u64, length: usize) -> Result<Bytes, DiskErrorKind> {
        let DiskSettings { read_error_ppm, short_read_ppm, misdirected_read_ppm, .. } = self.settings;
        if self.strikes(read_error_ppm) {
            self.faults.injected += 1;
            return Err(DiskErrorKind::InputOutput);
        }
        let whole = self.content(inode)?.bytes().len();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(whole);
        let (mut start, mut length) = (start, length.min(whole - start));
        if length > 0 && self.strikes(short_read_ppm) {
            self.faults.injected += 1;
            length = self.rng.below(length as u64) as usize;
        }
        if length > 0 && self.strikes(misdirected_read_ppm) {
            self.faults.injected += 1;
            start = self.rng.below((whole - length) as u64 + 1) as usize;
        }
        if let Some(struck) = self.struck(FileOperation::Read, inode) {
            match struck.fault {
                DiskFault::ShortRead => length = struck.below(length as u64) as usize,
                DiskFault::MisdirectedRead => start = struck.below((whole - length) as u64 + 1) as usize,
                _ => return Err(DiskErrorKind::InputOutput),
            }
        }
        Ok(Bytes::copy_from_slice(&self.content(inode)?.bytes()[start..start + length]))
    }

    /// Whether this append is to fail.
    pub(super) fn append_fails(&mut self) -> bool {
        let fails = has_come(&mut self.faults.append_fails_after) || self.strikes(self.settings.append_error_ppm);
        self.faults.injected += u64::from(fails);
        fails
    }

    /// Whether this sync of a file is to fail.
    pub(super) fn sync_fails(&mut self) -> bool {
        let is_next = self.faults.syncs_to_fail > 0;
        self.faults.syncs_to_fail -= u32::from(is_next);
        let fails =
            is_next || has_come(&mut self.faults.sync_fails_after) || self.strikes(self.settings.sync_error_ppm);
        self.faults.injected += u64::from(fails);
        fails
    }

    /// Refuses what would change a disk that is mounted for reading only.
    pub(super) fn check_mounted_for_writing(&mut self) -> Result<(), DiskErrorKind> {
        if self.settings.read_only {
            self.faults.injected += 1;
            return Err(DiskErrorKind::PermissionDenied);
        }
        Ok(())
    }

    /// Flips the bits of `mask` in the byte at `offset` of a file, on the medium and in the page cache. False when there
    /// is no such byte.
    pub(in crate::world) fn rot(&mut self, path: &Path, offset: u64, mask: u8) -> bool {
        let Ok(inode) = self.find(path) else { return false };
        self.content_mut(inode).is_ok_and(|content| content.change(offset, 1, |_, byte| byte ^ mask) == 1)
    }

    /// Writes `bytes` over those at `offset` of a file, as far as it reaches, on the medium and in the page cache.
    /// Returns how many were.
    pub(in crate::world) fn overwrite(&mut self, path: &Path, offset: u64, bytes: &[u8]) -> usize {
        let Ok(inode) = self.find(path) else { return 0 };
        self.overwrite_inode(inode, offset, bytes)
    }

    pub(super) fn overwrite_inode(&mut self, inode: Inode, offset: u64, bytes: &[u8]) -> usize {
        let change = |index: usize, _| bytes[index];
        self.content_mut(inode).map_or(0, |content| content.change(offset, bytes.len(), change))
    }

    /// Lets the next append land at `offset` of the file at `path`. False when there is no such file.
    pub(in crate::world) fn misdirect_next_append(&mut self, path: &Path, offset: u64) -> bool {
        let Ok(inode) = self.find(path) else { return false };
        self.faults.misdirected_append = Some((inode, offset));
        true
    }
}
