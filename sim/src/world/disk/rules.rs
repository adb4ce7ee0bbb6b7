//! What a running disk does wrong to certain calls while a rule is up: predicate (which file, how often) plus verdict.
//!
//! ```text
//!   read     error │ fewer bytes than there are │ the bytes of another place of the file
//!   append   error, any prefix has landed │ lost: Ok, and zeros where it should be │ misdirected: lost, and over another file
//!   sync     error, and the page counts as clean: gone for good │ lies: Ok, and nothing is durable
//!   sync_dir lies
//! ```
//!
//! A lost append is what a disk does that acknowledges a write and drops it: what is read there later is stale, in a file
//! that is only appended to that is zeros. Rules draw from streams of their own, so that what they are asked changes nobody
//! else's draws. Of several rules about one call the first that strikes counts.

use engine::world::Rng;

use super::file_system::{FileSystem, Inode};
use crate::world::predicate::{Aim, FileKind, FileOperation, Hit};

/// A rule's number; never used twice on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiskRuleId(u64);

/// Which calls a rule is about, and what becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskRule {
    /// What becomes of them; it also says which call is meant.
    pub fault: DiskFault,
    /// Only of files of this kind; `None` for every file.
    pub file: Option<FileKind>,
    /// How many of these.
    pub hit: Hit,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// A read fails.
    ReadError,
    /// A read returns fewer bytes than there are.
    ShortRead,
    /// A read returns the bytes of another place of the file.
    MisdirectedRead,
    /// An append fails; any prefix of it has landed.
    AppendError,
    /// An append says Ok, and zeros are where its bytes should be.
    LostWrite,
    /// An append says Ok, and its bytes land over those of another file of the kind; zeros are where they should be.
    MisdirectedWrite,
    /// A sync fails, and what it should have written counts as clean.
    SyncError,
    /// A sync says Ok and does nothing.
    LyingSync,
    /// A sync of a folder says Ok and does nothing.
    LyingSyncDir,
}

impl DiskFault {
    /// The call that it is about.
    pub fn operation(self) -> FileOperation {
        match self {
            Self::ReadError | Self::ShortRead | Self::MisdirectedRead => FileOperation::Read,
            Self::AppendError | Self::LostWrite | Self::MisdirectedWrite => FileOperation::Append,
            Self::SyncError | Self::LyingSync => FileOperation::Sync,
            Self::LyingSyncDir => FileOperation::SyncDir,
        }
    }
}

/// Every rule in force.
#[derive(Debug, Default)]
pub(super) struct Rules {
    in_force: Vec<(DiskRuleId, DiskRule, Aim)>,
    next: u64,
}

/// A call that a rule struck, and a number that decides what its fault leaves open.
pub(super) struct Struck {
    pub(super) fault: DiskFault,
    pub(super) draw: u64,
}

impl Struck {
    /// A number below `bound`; 0 where there is none.
    pub(super) fn below(&self, bound: u64) -> u64 {
        self.draw.checked_rem(bound).unwrap_or(0)
    }
}

/// Where the bytes of an append land.
pub(super) enum Landing {
    /// Where they should.
    Here,
    /// Nowhere.
    Nowhere,
    /// Over another file, at this offset.
    Over(Inode, u64),
}

impl FileSystem {
    /// Puts up a rule for calls from now on.
    pub(in crate::world) fn put_up(&mut self, rule: DiskRule, rng: Rng) -> DiskRuleId {
        let rules = &mut self.faults.rules;
        let id = DiskRuleId(rules.next);
        rules.next += 1;
        rules.in_force.push((id, rule, Aim::new(rule.hit, rng)));
        id
    }

    /// Takes a rule down. Returns how many calls it struck.
    pub(in crate::world) fn take_down(&mut self, id: DiskRuleId) -> u64 {
        let rules = &mut self.faults.rules.in_force;
        let place = rules.iter().position(|(other, ..)| *other == id);
        place.map_or(0, |place| rules.remove(place).2.struck)
    }

    /// What a rule makes of a call on this file or folder.
    pub(super) fn struck(&mut self, operation: FileOperation, inode: Inode) -> Option<Struck> {
        if self.faults.rules.in_force.is_empty() {
            return None;
        }
        let kind = self.kind_of(inode);
        let (fault, draw) = self.faults.rules.in_force.iter_mut().find_map(|(_, rule, aim)| {
            let is_about = rule.fault.operation() == operation && rule.file.is_none_or(|file| Some(file) == kind);
            (is_about && aim.strikes()).then(|| (rule.fault, aim.stream().next_u64()))
        })?;
        self.faults.injected += 1;
        Some(Struck { fault, draw })
    }

    /// The kind of the file that has this number.
    fn kind_of(&self, inode: Inode) -> Option<FileKind> {
        self.path_of(inode, false).rsplit('/').next().and_then(FileKind::of_name)
    }

    /// A place in another file of the same kind; `None` when there is none with any bytes.
    pub(super) fn elsewhere(&self, inode: Inode, struck: &Struck) -> Option<(Inode, u64)> {
        let kind = self.kind_of(inode);
        let others: Vec<(Inode, u64)> = self
            .files_of(kind)
            .into_iter()
            .filter(|(other, length_bytes)| *other != inode && *length_bytes > 0)
            .collect();
        let (victim, length_bytes) = *others.get(struck.below(others.len() as u64) as usize)?;
        Some((victim, (struck.draw >> 32) % length_bytes))
    }

    /// Every file of a kind, with its length, in the order of their numbers.
    pub(super) fn files_of(&self, kind: Option<FileKind>) -> Vec<(Inode, u64)> {
        let mut files: Vec<(Inode, u64)> = self
            .things
            .keys()
            .filter_map(|inode| Some((*inode, self.content(*inode).ok()?.bytes().len() as u64)))
            .filter(|(inode, _)| self.kind_of(*inode) == kind)
            .collect();
        files.sort_unstable();
        files
    }

    /// Flips one bit in each of `bytes` places of files of a kind (of any of the engine's for `None`). Returns how many
    /// there were.
    pub(in crate::world) fn rot_kind(&mut self, kind: Option<FileKind>, bytes: u64, rng: &mut Rng) -> u64 {
        let kinds: Vec<FileKind> = kind.map_or(FileKind::ALL.to_vec(), |kind| vec![kind]);
        let mut files: Vec<(Inode, u64)> = kinds.into_iter().flat_map(|kind| self.files_of(Some(kind))).collect();
        files.retain(|(_, length_bytes)| *length_bytes > 0);
        let whole: u64 = files.iter().map(|(_, length_bytes)| length_bytes).sum();
        let mut flipped = 0;
        for _ in 0..if whole == 0 { 0 } else { bytes } {
            // Each byte of the kind is as likely as the next, whichever file it is in.
            let mut offset = rng.below(whole);
            let mask = 1_u8 << rng.below(8);
            for (inode, length_bytes) in &files {
                if offset < *length_bytes {
                    let change = |_: usize, byte: u8| byte ^ mask;
                    flipped += self.content_mut(*inode).map_or(0, |content| content.change(offset, 1, change)) as u64;
                    break;
                }
                offset -= length_bytes;
            }
        }
        self.faults.injected += flipped;
        flipped
    }
}
