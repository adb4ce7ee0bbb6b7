//! A dump of a manifest, edit by edit.
//!
//! ```text
//!   data/manifest-00000000000000000007.log, 812 bytes
//!         16  log from segment 3, next sequence 101; next table 5, tables up to sequence 100
//!             + table 4, level 1, oldest run: 48120 bytes, 1000 entries, data/0/a to data/0/z
//!        240  - table 4, level 1
//!   torn at offset 431, 20 bytes: ...
//! ```
//!
//! Behind damage it goes on with the next whole edit. Edits that contradict those before them are damage too.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Verdict, key_range};
use crate::error::Error;
use crate::format::segment::MANIFEST_MAGIC;
use crate::format::{Fault, Sequence};
use crate::shape::{HasFacts, Place};
use crate::version::{ADVICE, Piece, VersionEdit, VersionState, current_number, look, manifest_name, manifest_number};
use crate::world::{Access, Disk, DiskErrorKind, File};

const TORN_ADVICE: &str = "nothing to do: the edit never happened, opening begins a new manifest (in a directory in use it may \
                           be a write in progress)";

/// A line of the dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum ManifestLine {
    /// A file begins.
    Manifest {
        /// Its path.
        file: PathBuf,
        /// Its length.
        length_bytes: u64,
    },
    /// An edit begins; the lines of its tables follow.
    Edit {
        /// Where it begins in the file.
        offset: u64,
        /// The segment with which the log goes on, and the sequence that comes next in it.
        log: Option<(u32, Sequence)>,
        /// The number of the next table.
        next_table: Option<u64>,
        /// The newest write that is in tables.
        last_sequence: Option<Sequence>,
        /// Keyspaces that come, number and name.
        keyspaces: Vec<(u16, String)>,
        /// Keyspaces that go.
        keyspaces_dropped: Vec<u16>,
    },
    /// A table comes.
    Added {
        /// Its number.
        table: u64,
        /// The level it comes into.
        level: u64,
        /// Where in the level: a new run, in place of those that go, or the oldest run.
        place: &'static str,
        /// Bytes of its file.
        bytes: u64,
        /// Its versions.
        entries: u64,
        /// Its keys.
        keys: String,
    },
    /// A table goes.
    Removed {
        /// Its number.
        table: u64,
        /// The level it goes from.
        level: u64,
    },
    /// Bytes that are no edit, or an edit that cannot be.
    Damage {
        /// The file.
        file: PathBuf,
        /// Where they begin.
        offset: u64,
        /// How many.
        length_bytes: u64,
        /// What is wrong.
        what: String,
        /// Torn or corrupt.
        verdict: Verdict,
        /// What to do.
        advice: &'static str,
    },
}

/// The end of the dump: what the edits add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ManifestSummary {
    /// Edits that could be read.
    pub edits: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Tables that are left.
    pub tables: u64,
    /// Bytes of them.
    pub table_bytes: u64,
    /// Keyspaces with names.
    pub keyspaces: u64,
    /// Whether its end is torn.
    pub torn: bool,
    /// Damaged places that make opening refuse.
    pub corruptions: u64,
}

/// Dumps the manifest at `path`, or the one that holds in the data directory `path`, to `sink`.
///
/// # Errors
///
/// `NotThis` for a file that is no manifest and a folder without one; `Corrupt` when the pointer to it is
/// damaged; `Disk`, `NewerFormat`. Damage in the manifest is no error.
pub async fn manifest<D: Disk>(
    disk: &D,
    path: &Path,
    name_key: fn(&[u8]) -> String,
    mut sink: impl FnMut(ManifestLine) + Send,
) -> Result<ManifestSummary, Error> {
    let (file, number) = find(disk, path).await?;
    let found = look(disk, &file, number, MANIFEST_MAGIC).await?;
    sink(ManifestLine::Manifest { file: file.clone(), length_bytes: found.length });
    let mut summary = ManifestSummary { bytes: found.length, ..ManifestSummary::default() };
    let mut state = VersionState::default();
    let mut damage =
        |sink: &mut dyn FnMut(ManifestLine), (offset, length_bytes): (u64, u64), fault: &Fault, torn: bool| {
            summary.torn |= torn;
            summary.corruptions += u64::from(!torn);
            let verdict = if torn { Verdict::TornTail } else { Verdict::Corrupt };
            let advice = if torn { TORN_ADVICE } else { ADVICE };
            sink(ManifestLine::Damage {
                file: file.clone(),
                offset,
                length_bytes,
                what: fault.to_string(),
                verdict,
                advice,
            });
        };
    let mut edits = 0;
    for piece in &found.pieces {
        match piece {
            Piece::Damage { offset, length, fault, torn } => damage(&mut sink, (*offset, *length), fault, *torn),
            Piece::Edit { offset, payload } => {
                edits += 1;
                let applied = VersionEdit::decode(payload).and_then(|edit| {
                    show(&edit, *offset, name_key, &mut sink);
                    state.apply(&edit)
                });
                if let Err(fault) = applied {
                    damage(&mut sink, (*offset, payload.len() as u64), &fault, false);
                }
            }
        }
    }
    summary.edits = edits;
    summary.tables = state.shape.tables();
    summary.table_bytes = state.shape.bytes_total();
    summary.keyspaces = state.keyspaces.len() as u64;
    Ok(summary)
}

/// The manifest that is meant, and its number.
async fn find<D: Disk>(disk: &D, path: &Path) -> Result<(PathBuf, u32), Error> {
    match disk.list(path).await {
        Ok(_) => {
            let number = current_number(disk, path).await?;
            let what = "a folder with a manifest";
            let number = number.ok_or_else(|| Error::NotThis { path: path.to_path_buf(), what })?;
            return Ok((path.join(manifest_name(number)), number));
        }
        Err(error) if error.kind != DiskErrorKind::NotADirectory => return Err(error.into()),
        Err(_) => {}
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(number) = manifest_number(&name) {
        return Ok((path.to_path_buf(), number));
    }
    // A copy under another name: the header of its first record claims a number.
    let beginning = disk.open(path, Access::Read).await?.read_at(0, 32).await?;
    if !beginning.starts_with(&MANIFEST_MAGIC) {
        return Err(Error::NotThis { path: path.to_path_buf(), what: "a manifest" });
    }
    Ok((path.to_path_buf(), beginning.iter().skip(28).rev().fold(0, |number, byte| number << 8 | u32::from(*byte))))
}

fn show(edit: &VersionEdit, offset: u64, name_key: fn(&[u8]) -> String, sink: &mut impl FnMut(ManifestLine)) {
    sink(ManifestLine::Edit {
        offset,
        log: edit.log.map(|log| (log.number, log.next_sequence)),
        next_table: edit.next_table,
        last_sequence: edit.last_sequence.filter(|sequence| sequence.0 > 0),
        keyspaces: edit.keyspaces.iter().map(|(number, name)| (*number, name.clone())).collect(),
        keyspaces_dropped: edit.keyspaces_dropped.clone(),
    });
    for (level, number) in &edit.tables.removed {
        sink(ManifestLine::Removed { table: *number, level: *level as u64 });
    }
    for added in &edit.tables.added {
        for table in &added.tables {
            let facts = table.facts();
            sink(ManifestLine::Added {
                table: facts.number,
                level: added.level as u64,
                place: match added.place {
                    Place::Newest => "a new run",
                    Place::InPlace => "in place of those that go",
                    Place::Oldest => "the oldest run",
                },
                bytes: facts.bytes,
                entries: facts.entries,
                keys: key_range(&facts.smallest, &facts.end, name_key),
            });
        }
    }
}

impl fmt::Display for ManifestLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest { file, length_bytes } => write!(formatter, "{}, {length_bytes} bytes", file.display()),
            Self::Edit { offset, log, next_table, last_sequence, keyspaces, keyspaces_dropped } => {
                let mut said = Vec::new();
                said.extend(log.map(|(number, next)| format!("log from segment {number}, sequence {next}")));
                said.extend(next_table.map(|number| format!("next table {number}")));
                said.extend(last_sequence.map(|sequence| format!("in tables up to {sequence}")));
                said.extend(
                    keyspaces.iter().map(|(number, name)| format!("keyspace {number}: {}", name.escape_debug())),
                );
                said.extend(keyspaces_dropped.iter().map(|number| format!("keyspace {number} dropped")));
                write!(formatter, "{offset:>10}  {}", said.join("; "))
            }
            Self::Added { table, level, place, bytes, entries, keys } => write!(
                formatter,
                "{:>10}  + table {table}, level {level}, {place}: {bytes} bytes, {entries} entries\n{:>14}{keys}",
                "", ""
            ),
            Self::Removed { table, level } => write!(formatter, "{:>10}  - table {table}, level {level}", ""),
            Self::Damage { file, offset, length_bytes, what, verdict, advice } => {
                let verdict = if *verdict == Verdict::TornTail { "torn tail" } else { "CORRUPT" };
                let file = file.display();
                write!(formatter, "{verdict} in {file} at offset {offset}, {length_bytes} bytes: {what}\n  {advice}")
            }
        }
    }
}

impl fmt::Display for ManifestSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { edits, bytes, tables, table_bytes, keyspaces, .. } = self;
        write!(
            formatter,
            "{edits} edits, {bytes} bytes; {tables} tables of {table_bytes} bytes, {keyspaces} named keyspaces; "
        )?;
        formatter.write_str(match self {
            Self { corruptions: 1.., .. } => "CORRUPT: opening refuses",
            Self { torn: true, .. } => "torn end: opening goes on without it",
            _ => "whole",
        })
    }
}
