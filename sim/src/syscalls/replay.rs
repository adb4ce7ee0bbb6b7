//! A trace, performed again on the model: which descriptor is which file, what each call changed, what each sync covered.
//!
//! ```text
//!   begin of a write, a rename, ...   may be on the medium from here on
//!   begin of a sync                   covers what had ended by now
//!   end of a sync                     is durable from here on
//!   write to the ledger               what the program says to whoever asked it for writes: a note
//! ```
//!
//! Before the state of the disk changes it is shown: it has lasted from the change before to this one. Calls that would
//! change files in a way that the model does not know are refused with their line, so that nothing is overlooked.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::model::{ByteChange, Model, Synced};
use super::strace::Call;

/// Every call that strace is to show: those that change files, and those that tell which descriptor is which file.
pub(super) const TRACED: &str = "trace=?open,openat,?creat,close,?dup,?dup2,dup3,fcntl,write,writev,pwrite64,pwritev,pwritev2,\
                                 ?truncate,ftruncate,fallocate,fsync,fdatasync,sync_file_range,?rename,?renameat,renameat2,\
                                 ?link,linkat,?symlink,symlinkat,?unlink,unlinkat,?rmdir,?mkdir,mkdirat,copy_file_range,\
                                 sendfile";

/// Where the program worked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The folder that is looked at: absolute, without a slash at its end.
    pub(super) root: &'a str,
    /// The file to which the program writes what was asked and acknowledged; not below the root.
    pub(super) ledger: &'a str,
}

/// A state of the disk that has come to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lasted<'a> {
    pub(super) model: &'a Model,
    /// The line of the trace at which it ends.
    pub(super) until: u32,
    /// The call that had made it.
    pub(super) made_by: &'a str,
}

/// What the program wrote to the ledger, and on which line it began to.
pub(super) type Note = (u32, Vec<u8>);

/// What an open descriptor is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    File { number: u64, position: usize, appends: bool },
    Folder(String),
    Ledger,
}

/// A call of which something is known that matters at its end.
enum Pending {
    Opened(Target),
    Change(u64),
    Sync { of: Synced, covers: BTreeSet<u64> },
}

/// Performs the calls on `model`; `see` is shown every state of the disk, and may end it.
pub(super) fn replay(
    model: &mut Model,
    calls: &[Call],
    place: Place<'_>,
    see: &mut dyn FnMut(Lasted<'_>) -> ControlFlow<()>,
) -> Result<Vec<Note>, String> {
    let mut moments = Vec::new();
    for (index, call) in calls.iter().enumerate().filter(|(_, call)| call.returned.is_some_and(|value| value >= 0)) {
        // Of a call on one line, the beginning first.
        moments.push((call.begun, false, index));
        moments.extend(call.ended.map(|line| (line, true, index)));
    }
    moments.sort_unstable();
    let mut player = Player {
        model,
        place,
        descriptors: BTreeMap::new(),
        pending: BTreeMap::new(),
        notes: Vec::new(),
        made_by: "the beginning".to_string(),
    };
    for (line, is_end, index) in moments {
        let call = &calls[index];
        let changes = if is_end { player.is_changed_by_end(index) } else { player.changed_by(call)? };
        if changes {
            let (model, until, made_by) = (&*player.model, line, player.made_by.as_str());
            if see(Lasted { model, until, made_by }).is_break() {
                return Ok(player.notes);
            }
            player.made_by = format!("line {line}, {}{}", if is_end { "end of " } else { "" }, call.name);
        }
        if is_end { player.ends(index, call)? } else { player.begins(index, call)? }
    }
    let (model, made_by) = (&*player.model, player.made_by.as_str());
    let _ = see(Lasted { model, until: u32::MAX, made_by });
    Ok(player.notes)
}

struct Player<'a> {
    model: &'a mut Model,
    place: Place<'a>,
    descriptors: BTreeMap<i64, Target>,
    pending: BTreeMap<usize, Pending>,
    notes: Vec<Note>,
    made_by: String,
}

impl Player<'_> {
    /// A path below the root; `None` for one elsewhere.
    fn inside(&self, call: &Call, path: &[u8]) -> Result<Option<String>, String> {
        let path = std::str::from_utf8(path).map_err(|_| call.refused("a path that is no UTF-8"))?;
        let Some(inside) = path.strip_prefix(self.place.root) else { return Ok(None) };
        match inside.strip_prefix('/') {
            Some(inside) if inside.split('/').all(|part| !matches!(part, "" | "." | "..")) => {
                Ok(Some(inside.to_string()))
            }
            Some(_) => Err(call.refused("a path with `.`, `..` or two slashes is not modelled")),
            None if inside.is_empty() => Ok(Some(String::new())),
            None => Ok(None),
        }
    }

    /// The paths of a call, all of them below the root or none.
    fn paths(&self, call: &Call) -> Result<Vec<String>, String> {
        let paths = call.strings()?;
        let inside: Vec<_> = paths.iter().map(|path| self.inside(call, path)).collect::<Result<_, _>>()?;
        if inside.iter().any(Option::is_some) && inside.iter().any(Option::is_none) {
            return Err(call.refused("a name from elsewhere, or to there"));
        }
        Ok(inside.into_iter().flatten().collect())
    }

    /// What the call's first argument is, if it is a file or folder that matters.
    fn target(&self, call: &Call) -> Result<Option<&Target>, String> {
        Ok(self.descriptors.get(&call.number(0)?))
    }

    /// Whether the beginning of a call changes the disk.
    fn changed_by(&self, call: &Call) -> Result<bool, String> {
        Ok(match call.name.as_str() {
            "open" | "openat" | "creat" => match self.opened(call)? {
                Some(path) => makes(call) && self.model.file(&path).is_none() || cuts(call),
                None => false,
            },
            "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "ftruncate" | "fallocate" => {
                matches!(self.target(call)?, Some(Target::File { .. }))
            }
            "rename" | "renameat" | "renameat2" | "link" | "linkat" | "unlink" | "unlinkat" | "mkdir" | "mkdirat" => {
                !self.paths(call)?.is_empty()
            }
            _ => false,
        })
    }

    /// Whether the end of a call changes what is durable.
    fn is_changed_by_end(&self, index: usize) -> bool {
        matches!(self.pending.get(&index), Some(Pending::Sync { covers, .. }) if !covers.is_empty())
    }

    /// The path below the root that is opened.
    fn opened(&self, call: &Call) -> Result<Option<String>, String> {
        let paths = call.strings()?;
        let path = paths.first().ok_or_else(|| call.refused("without a path"))?;
        let is_relative = !path.starts_with(b"/");
        if is_relative && call.argument(0).is_none_or(|folder| folder != "AT_FDCWD") {
            return Err(call.refused("a path below an open folder is not modelled"));
        }
        self.inside(call, path)
    }

    fn begins(&mut self, index: usize, call: &Call) -> Result<(), String> {
        match call.name.as_str() {
            "open" | "openat" | "creat" => self.begin_open(index, call),
            // Whoever gets the number again gets it later.
            "close" => {
                self.descriptors.remove(&call.number(0)?);
                Ok(())
            }
            "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => self.begin_write(index, call),
            "ftruncate" | "fallocate" => self.begin_length(index, call),
            "fsync" | "fdatasync" => self.begin_sync(index, call),
            "rename" | "renameat" | "renameat2" | "link" | "linkat" | "unlink" | "unlinkat" | "mkdir" | "mkdirat" => {
                self.begin_names(index, call)
            }
            _ => self.refuse_what_matters(call),
        }
    }

    /// A call that the model does not know may only concern what lies elsewhere.
    fn refuse_what_matters(&self, call: &Call) -> Result<(), String> {
        // Whatever is asked of a descriptor but to copy it changes nothing.
        let is_harmless = call.name == "fcntl" && !call.argument(1).unwrap_or_default().starts_with("F_DUPFD");
        let by_descriptor = match call.name.as_str() {
            "fcntl" | "dup" | "dup2" | "dup3" | "sync_file_range" | "copy_file_range" | "sendfile" => {
                let first = self.target(call)?;
                let second = call.number(2).ok().filter(|_| call.name == "copy_file_range");
                first.or_else(|| self.descriptors.get(&second?))
            }
            _ => None,
        };
        if !is_harmless && (by_descriptor.is_some() || !self.paths(call)?.is_empty()) {
            return Err(call.refused("changes files in a way that is not modelled"));
        }
        Ok(())
    }

    fn begin_open(&mut self, index: usize, call: &Call) -> Result<(), String> {
        if call.strings()?.first().is_some_and(|path| path == self.place.ledger.as_bytes()) {
            self.pending.insert(index, Pending::Opened(Target::Ledger));
            return Ok(());
        }
        let Some(path) = self.opened(call)? else { return Ok(()) };
        let target = match self.model.file(&path) {
            _ if self.model.is_folder(&path) => Target::Folder(path),
            Some(number) => {
                if cuts(call) {
                    self.model.write(number, ByteChange::Length(0));
                }
                Target::File { number, position: 0, appends: has(call, "O_APPEND") }
            }
            None if makes(call) => {
                let (_, number) = self.model.create(&path);
                Target::File { number, position: 0, appends: has(call, "O_APPEND") }
            }
            None => return Err(call.refused("a file is there that nobody made")),
        };
        self.pending.insert(index, Pending::Opened(target));
        Ok(())
    }

    fn begin_write(&mut self, index: usize, call: &Call) -> Result<(), String> {
        let descriptor = call.number(0)?;
        let Some(target) = self.descriptors.get(&descriptor) else { return Ok(()) };
        let mut bytes = call.strings()?.concat();
        bytes.truncate(call.returned.and_then(|written| usize::try_from(written).ok()).unwrap_or(0));
        let (number, position, appends) = match target {
            Target::Ledger => {
                self.notes.push((call.begun, bytes));
                return Ok(());
            }
            Target::Folder(_) => return Err(call.refused("a folder is written to")),
            Target::File { number, position, appends } => (*number, *position, *appends),
        };
        let is_positional = call.name.starts_with('p');
        let offset = match is_positional {
            true => usize::try_from(call.number(3)?).map_err(|_| call.refused("an offset below zero"))?,
            false if appends => self.model.length(number),
            false => position,
        };
        if let Some(Target::File { position, .. }) = self.descriptors.get_mut(&descriptor).filter(|_| !is_positional) {
            *position = offset + bytes.len();
        }
        let change = ByteChange::Write { offset, bytes: Arc::new(bytes) };
        self.change_bytes(index, call, number, change)
    }

    fn begin_length(&mut self, index: usize, call: &Call) -> Result<(), String> {
        let Some(Target::File { number, .. }) = self.target(call)? else { return Ok(()) };
        let (number, length) = (*number, self.model.length(*number));
        let length = match call.name.as_str() {
            "ftruncate" => call.number(1)?,
            // Room that is set aside shows only in the length, if that is to grow.
            _ if call.argument(1) == Some("0") => (call.number(2)? + call.number(3)?).max(length as i64),
            _ if call.argument(1) == Some("FALLOC_FL_KEEP_SIZE") => length as i64,
            _ => return Err(call.refused("changes files in a way that is not modelled")),
        };
        let length = usize::try_from(length).map_err(|_| call.refused("a length below zero"))?;
        self.change_bytes(index, call, number, ByteChange::Length(length))
    }

    fn change_bytes(&mut self, index: usize, call: &Call, file: u64, change: ByteChange) -> Result<(), String> {
        let number = self.model.write(file, change).ok_or_else(|| call.refused("a file that is not known"))?;
        self.pending.insert(index, Pending::Change(number));
        Ok(())
    }

    fn begin_sync(&mut self, index: usize, call: &Call) -> Result<(), String> {
        let of = match self.target(call)? {
            Some(Target::File { number, .. }) => Synced::File(*number),
            Some(Target::Folder(path)) => Synced::Folder(path.clone()),
            Some(Target::Ledger) | None => return Ok(()),
        };
        let mut covers = self.model.unsynced(&of);
        for pending in self.pending.values() {
            // In the kernel's hands still: this sync need not cover it.
            if let Pending::Change(number) = pending {
                covers.remove(number);
            }
        }
        self.pending.insert(index, Pending::Sync { of, covers });
        Ok(())
    }

    fn begin_names(&mut self, index: usize, call: &Call) -> Result<(), String> {
        let paths = self.paths(call)?;
        if paths.is_empty() {
            return Ok(());
        }
        let is_empty = |flags: Option<&str>| flags.is_none_or(|flags| flags == "0");
        let changed = match (call.name.as_str(), paths.as_slice()) {
            ("rename" | "renameat" | "renameat2", [from, to]) if is_empty(call.argument(4)) => {
                if super::model::folder_of(from) != super::model::folder_of(to) {
                    return Err(call.refused("a file that changes its folder is not modelled"));
                }
                self.model.rename(from, to)
            }
            ("link" | "linkat", [existing, link]) if is_empty(call.argument(4)) => self.model.link(existing, link),
            ("unlink" | "unlinkat", [path]) if is_empty(call.argument(2)) => self.model.remove(path),
            ("mkdir" | "mkdirat", [path]) => Some(self.model.make_folder(path)),
            _ => return Err(call.refused("changes names in a way that is not modelled")),
        };
        let changed = changed.ok_or_else(|| call.refused("succeeds on a file that is not known"))?;
        self.pending.insert(index, Pending::Change(changed));
        Ok(())
    }

    fn ends(&mut self, index: usize, call: &Call) -> Result<(), String> {
        match self.pending.remove(&index) {
            Some(Pending::Opened(target)) => {
                let descriptor = call.returned.ok_or_else(|| call.refused("without a result"))?;
                self.descriptors.insert(descriptor, target);
            }
            Some(Pending::Sync { of, covers }) => self.model.make_durable(&of, &covers),
            Some(Pending::Change(_)) | None => {}
        }
        Ok(())
    }
}

fn has(call: &Call, flag: &str) -> bool {
    (1..=2).filter_map(|place| call.argument(place)).any(|flags| flags.split('|').any(|found| found == flag))
}

fn makes(call: &Call) -> bool {
    call.name == "creat" || has(call, "O_CREAT")
}

fn cuts(call: &Call) -> bool {
    call.name == "creat" || has(call, "O_TRUNC")
}
