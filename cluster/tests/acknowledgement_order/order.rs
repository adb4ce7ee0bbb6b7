//! What must have happened before what, judged over the calls of a node: a pure function.
//!
//! ```text
//!   reply to a put                    its key was appended to the log, and a sync of that file which began after the
//!                                     append had ended has returned
//!   append of data to a segment       every name made so far is durable: its folder was synced after it was made
//!   creation of a segment             the same: a segment in a folder without a marker makes it nobody's
//!   cutting a file                    the same: what is cut off must be found under its other name
//!   renaming or linking a file        its content is synced: a durable name must not lead to bytes that are lost
//!   end of the trace                  no name is left that was never made durable
//! ```
//!
//! Names are made by create, rename, link and mkdir. A client has one put in flight and every put has its own key, so the
//! reply on a socket belongs to the key that came in on it. Reads, scans and deletes are not for this test, and replies to nothing
//! (greetings) are nobody's acknowledgement. The rules are ALICE's (Pillai et al., OSDI 2014), cut down to a log.

use std::collections::{BTreeMap, BTreeSet};

use crate::trace::Call;

/// What begins every key of the load.
const KEY: &str = "bench-";

/// A rule that was broken, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The line of the trace.
    pub(crate) line: usize,
    /// What was done too early, and before what.
    pub(crate) what: String,
}

/// What was looked at; a check that saw nothing proves nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) acknowledgements: usize,
    pub(crate) segments_created: usize,
    pub(crate) renames: usize,
    pub(crate) links: usize,
    pub(crate) folders_made: usize,
    pub(crate) cuts: usize,
}

/// A call that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    Request { socket: String, key: String },
    Reply { socket: String },
    Append { file: String, keys: BTreeSet<String>, begins_it: bool },
    Sync { path: String },
    Create { path: String },
    Rename { from: String, to: String },
    Link { existing: String, link: String },
    MakeFolder { path: String },
    Cut { file: String },
}

/// Judges the calls of a node. `existing` are the files that were there before; other files than those under `root` are nobody's
/// business.
pub(crate) fn check(calls: &[Call], root: &str, existing: &BTreeSet<String>) -> (Seen, Vec<Violation>) {
    let mut known = existing.clone();
    let mut actions = Vec::new();
    for call in calls {
        let action = action(call, root, &known);
        if let Some(Action::Create { path }) = &action {
            known.insert(path.clone());
        }
        actions.push(action);
    }
    // Beginnings and ends in the order of the trace; of a call on one line, the beginning first.
    let mut moments = Vec::new();
    for (index, (call, action)) in calls.iter().zip(&actions).enumerate() {
        if action.is_some() {
            moments.push((call.begun, false, index));
            moments.extend(call.ended.map(|line| (line, true, index)));
        }
    }
    moments.sort_unstable();
    let mut judge = Judge::default();
    for (line, is_end, index) in moments {
        let Some(action) = &actions[index] else { continue };
        if !is_end {
            judge.begins(line, index, action);
        } else if calls[index].returned().is_some() || calls[index].opened().is_some() {
            judge.succeeds(index, action);
        } else {
            judge.fails(index, action);
        }
    }
    judge.ends();
    (judge.seen, judge.violations)
}

fn action(call: &Call, root: &str, known: &BTreeSet<String>) -> Option<Action> {
    let ours = |path: &str| Some(path.to_string()).filter(|path| path.starts_with(root));
    let named = |index: usize| call.quoted().get(index).and_then(|path| ours(path));
    let socket = || call.descriptor().filter(|target| target.starts_with("socket:")).map(str::to_string);
    match call.name.as_str() {
        "recvfrom" | "recvmsg" | "read" | "readv" => {
            Some(Action::Request { socket: socket()?, key: keys(&call.quoted()).pop_first()? })
        }
        "sendto" | "sendmsg" => Some(Action::Reply { socket: socket()? }),
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => match socket() {
            Some(socket) => Some(Action::Reply { socket }),
            None => {
                let file = ours(call.descriptor()?)?;
                let begins_it = call.arguments.ends_with(", 0");
                Some(Action::Append { file, keys: keys(&call.quoted()), begins_it })
            }
        },
        "fsync" | "fdatasync" => Some(Action::Sync { path: ours(call.descriptor()?)? }),
        "open" | "openat" | "creat" => {
            let path = ours(call.opened()?)?;
            let makes = call.name == "creat" || call.arguments.contains("O_CREAT");
            (makes && !known.contains(&path)).then_some(Action::Create { path })
        }
        "mkdir" | "mkdirat" => Some(Action::MakeFolder { path: named(0)? }),
        "rename" | "renameat" | "renameat2" => Some(Action::Rename { from: named(0)?, to: named(1)? }),
        "link" | "linkat" => Some(Action::Link { existing: named(0)?, link: named(1)? }),
        "ftruncate" => Some(Action::Cut { file: ours(call.descriptor()?)? }),
        _ => None,
    }
}

/// The keys of the load in what was read or written: `bench-RUN-0000000042`, whatever stands around it.
fn keys(buffers: &[&str]) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for buffer in buffers {
        for (at, _) in buffer.match_indices(KEY) {
            let rest = &buffer[at + KEY.len()..];
            let run = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
            if let Some(number) = rest[run..].strip_prefix('-').and_then(|rest| rest.get(..10)) {
                keys.insert(format!("{KEY}{}-{number}", &rest[..run]));
            }
        }
    }
    keys
}

fn is_segment(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with("wal-") && name.ends_with(".log"))
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The state of files and names as the trace goes by.
#[derive(Default)]
struct Judge {
    /// Which put is in flight on a socket.
    in_flight: BTreeMap<String, String>,
    /// Keys that are in the log, with the file; and those that a sync made durable.
    appended: BTreeMap<String, String>,
    durable: BTreeSet<String>,
    /// Appends to a file that no sync covers, by their call.
    unsynced: BTreeMap<String, BTreeMap<usize, BTreeSet<String>>>,
    /// Names that no sync of their folder covers, by the call that made them.
    loose: BTreeMap<usize, String>,
    /// What a sync in progress covers: appends and names, by their calls.
    covered: BTreeMap<usize, BTreeSet<usize>>,
    seen: Seen,
    violations: Vec<Violation>,
}

impl Judge {
    fn begins(&mut self, line: usize, call: usize, action: &Action) {
        match action {
            Action::Reply { socket } => self.replies(line, socket),
            Action::Append { file, keys, begins_it } => {
                if is_segment(file) && !begins_it {
                    self.names_must_be_durable(line, &format!("data is appended to {file}"));
                }
                // In the kernel's hands from here on: a sync that begins before it has ended need not cover it.
                let appends = self.unsynced.entry(file.clone()).or_default();
                appends.insert(call, keys.clone());
            }
            Action::Sync { path } => {
                let appends = self.unsynced.get(path).into_iter().flatten().map(|(append, _)| *append);
                let names = self.loose.iter().filter(|(_, name)| folder_of(name) == path).map(|(made, _)| *made);
                let covered = appends.chain(names).collect();
                self.covered.insert(call, covered);
            }
            Action::Create { path } if is_segment(path) => {
                self.names_must_be_durable(line, &format!("{path} is created"));
            }
            Action::Rename { from, to } => self.content_must_be_durable(line, from, &format!("renamed to {to}")),
            Action::Link { existing, link } => {
                self.content_must_be_durable(line, existing, &format!("linked as {link}"));
            }
            Action::Cut { file } => self.names_must_be_durable(line, &format!("{file} is cut")),
            Action::Request { .. } | Action::Create { .. } | Action::MakeFolder { .. } => {}
        }
    }

    fn succeeds(&mut self, call: usize, action: &Action) {
        match action {
            Action::Request { socket, key } => {
                self.in_flight.insert(socket.clone(), key.clone());
            }
            Action::Append { file, keys, .. } => {
                self.appended.extend(keys.iter().map(|key| (key.clone(), file.clone())));
                // A sync that is under way began before this append had ended.
                self.covered.values_mut().for_each(|covered| {
                    covered.remove(&call);
                });
            }
            Action::Sync { path } => {
                for covered in self.covered.remove(&call).unwrap_or_default() {
                    self.loose.remove(&covered);
                    let keys = self.unsynced.get_mut(path).and_then(|appends| appends.remove(&covered));
                    self.durable.extend(keys.unwrap_or_default());
                }
            }
            Action::Create { path } => {
                self.seen.segments_created += usize::from(is_segment(path));
                self.loose.insert(call, path.clone());
            }
            Action::Rename { from, to } => {
                self.seen.renames += 1;
                // The old name is gone, and with it the need to make it durable.
                self.loose.retain(|_, name| name != from);
                self.loose.insert(call, to.clone());
            }
            Action::Link { link, .. } => {
                self.seen.links += 1;
                self.loose.insert(call, link.clone());
            }
            Action::MakeFolder { path } => {
                self.seen.folders_made += 1;
                self.loose.insert(call, path.clone());
            }
            Action::Cut { .. } => self.seen.cuts += 1,
            Action::Reply { .. } => {}
        }
    }

    /// A failed sync covers nothing, a failed append left nothing to cover.
    fn fails(&mut self, call: usize, action: &Action) {
        self.covered.remove(&call);
        if let Action::Append { file, .. } = action
            && let Some(appends) = self.unsynced.get_mut(file)
        {
            appends.remove(&call);
        }
    }

    fn replies(&mut self, line: usize, socket: &str) {
        let Some(key) = self.in_flight.remove(socket) else { return };
        self.seen.acknowledgements += 1;
        if self.durable.contains(&key) {
            return;
        }
        let what = match self.appended.get(&key) {
            None => format!("{key} is acknowledged before it is in the log"),
            Some(file) => format!("{key} is acknowledged before a sync of {file} that began after its append returned"),
        };
        self.violations.push(Violation { line, what });
    }

    fn names_must_be_durable(&mut self, line: usize, too_early: &str) {
        let broken = self.loose.values().map(|name| Violation {
            line,
            what: format!("{too_early} before {} was synced for the name {name}", folder_of(name)),
        });
        self.violations.extend(broken);
    }

    fn content_must_be_durable(&mut self, line: usize, file: &str, done: &str) {
        if self.unsynced.get(file).is_some_and(|appends| !appends.is_empty()) {
            self.violations.push(Violation { line, what: format!("{file} is {done} before its content was synced") });
        }
    }

    fn ends(&mut self) {
        let never = self.loose.values().map(|name| Violation {
            line: 0,
            what: format!("{} was never synced for the name {name}", folder_of(name)),
        });
        self.violations.extend(never);
    }
}

#[path = "order_tests.rs"]
mod tests;
