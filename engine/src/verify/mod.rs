//! Reads everything of a data directory and says whether it is sound. Nothing is changed, and nobody need have it open.
//!
//! ```text
//!   marker ─▶ CURRENT ─▶ manifest ─▶ tables: there, their length, every checksum, order, filters, sums,
//!                            │                against their properties and against the manifest; runs disjoint
//!                            └─────▶ log: every record, from where the manifest says it begins
//!   what nothing names is listed as harmless: opening removes it
//! ```
//!
//! It goes on behind damage, so that one look shows all of it. Beside a running node a table may go while it is looked
//! at; it counts as missing only while the manifest still names it.

mod report;

use std::path::{Path, PathBuf};

use crate::db::check_directory;
use crate::error::Error;
use crate::format::Fault;
use crate::format::segment::MANIFEST_MAGIC;
use crate::inspect::{self, WalLine};
use crate::shape::Shape;
use crate::table::{ADVICE as TABLE_ADVICE, survey, table_name, table_number};
use crate::version::{
    self, CURRENT, CURRENT_TEMPORARY, Piece, TableRecord, VersionEdit, VersionState, check_table, current_number, look,
    manifest_name, manifest_number,
};
use crate::wal::{read_log, segment_number};
use crate::world::{Access, Directory, Disk};
pub use report::{Harmless, Problem, Report};

/// Reads all of the data directory. `progress` hears of each table before it is read: how many are done, and of how many.
///
/// # Errors
///
/// `Missing`, `NotOurs`: there is no data directory. `NewerFormat`, `Disk`. Damage is no error: the report says it.
pub async fn verify<D: Disk>(
    disk: &D,
    directory: &Path,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Report, Error> {
    let mut report = Report::default();
    if let Err(error) = check_directory(disk, directory).await {
        report.note(error)?;
    }
    let entries = disk.list(directory).await?;
    let state = match manifest(disk, directory, &entries, &mut report).await {
        Ok(state) => state,
        Err(error) => {
            report.note(error)?;
            None
        }
    };
    if let Some(state) = &state {
        let tables: Vec<&TableRecord> = state.shape.newest_first().flat_map(|(_, run)| run.iter()).collect();
        for (index, record) in tables.iter().enumerate() {
            progress(index as u64, tables.len() as u64);
            table(disk, directory, record, &mut report).await?;
        }
        report.runs = state.shape.newest_first().count() as u64;
        orphans(directory, &entries, state, current_number(disk, directory).await.ok().flatten(), &mut report);
    }
    log(disk, directory, &entries, state.as_ref(), &mut report).await?;
    Ok(report)
}

/// What the manifest adds up to; `None` when it cannot be told.
async fn manifest<D: Disk>(
    disk: &D,
    directory: &Path,
    entries: &Directory,
    report: &mut Report,
) -> Result<Option<VersionState>, Error> {
    let Some(number) = current_number(disk, directory).await? else {
        if entries.iter().any(|entry| table_number(&entry.name).is_some()) {
            report.problem(directory.join(CURRENT), (0, 0), &Fault::FileMissing, version::ADVICE);
            return Ok(None);
        }
        return Ok(Some(VersionState::default()));
    };
    let file = directory.join(manifest_name(number));
    if !entries.iter().any(|entry| entry.name == manifest_name(number)) {
        report.problem(file, (0, 0), &Fault::FileMissing, version::ADVICE);
        return Ok(None);
    }
    let found = look(disk, &file, number, MANIFEST_MAGIC).await?;
    report.manifest_bytes = found.length;
    let (mut state, mut is_whole) = (VersionState::default(), true);
    for piece in &found.pieces {
        let (range, fault) = match piece {
            Piece::Damage { offset, torn: true, .. } => {
                let what = format!("a torn end from offset {offset} on: opening goes on without it");
                report.harmless.push(Harmless { file: file.clone(), what });
                continue;
            }
            Piece::Damage { offset, length, fault, .. } => ((*offset, *length), fault.clone()),
            Piece::Edit { offset, payload } => {
                // Behind damage the edits need not fit any more: that says nothing new.
                let applied =
                    if is_whole { VersionEdit::decode(payload).and_then(|edit| state.apply(&edit)) } else { Ok(()) };
                let Err(fault) = applied else { continue };
                ((*offset, payload.len() as u64), fault)
            }
        };
        report.problem(file.clone(), range, &fault, version::ADVICE);
        is_whole = false;
    }
    report.edits = found.pieces.len() as u64;
    Ok(is_whole.then_some(state))
}

async fn table<D: Disk>(disk: &D, directory: &Path, record: &TableRecord, report: &mut Report) -> Result<(), Error> {
    let number = record.facts.number;
    let path = directory.join(table_name(number));
    let error = match check_table(disk, &path, record).await {
        Ok(properties) => {
            report.tables += 1;
            report.table_bytes += properties.file_bytes;
            report.blocks += properties.data_blocks + properties.partitions;
            report.entries += properties.tally.entries;
            return Ok(());
        }
        Err(error) => error,
    };
    if matches!(&error, Error::Corrupt { fault: Fault::FileMissing, .. }) {
        if is_named_now(disk, directory, number).await {
            report.note(error)?;
        }
        return Ok(());
    }
    // Checking stops at the first fault; a person wants them all.
    report.tables += 1;
    let file = disk.open(&path, Access::Read).await?;
    let found = survey(file, &path, number, |_| ()).await?;
    for damage in &found.damages {
        let range = (damage.part.offset, damage.part.length_bytes);
        report.problem(path.clone(), range, &damage.fault, TABLE_ADVICE);
    }
    report.note(error)
}

/// Whether the manifest of this moment names the table.
async fn is_named_now<D: Disk>(disk: &D, directory: &Path, number: u64) -> bool {
    let Ok(Some(content)) = version::read_current(disk, directory).await else { return true };
    let state = VersionState::of(&content, &directory.join(manifest_name(content.number)));
    state.map_or(true, |state| state.shape.table(number).is_some())
}

async fn log<D: Disk>(
    disk: &D,
    directory: &Path,
    entries: &Directory,
    state: Option<&VersionState>,
    report: &mut Report,
) -> Result<(), Error> {
    let from = state.and_then(|state| state.log);
    let mut writes = 0;
    match read_log(disk, directory, entries, from, |_, _| writes += 1).await {
        Ok(log) => {
            report.log_segments = log.recovery().segments;
            report.log_bytes = log.recovery().log_bytes;
        }
        // Without the manifest nobody knows where the log begins.
        Err(Error::Corrupt { .. }) if state.is_none() => {}
        Err(error) => report.note(error)?,
    }
    report.log_writes = writes;
    let first = from.map_or(0, |log| log.number);
    let is_live = |file: &PathBuf| {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        segment_number(&name).is_some_and(|number| number >= first)
    };
    let mut damages = Vec::new();
    inspect::wal(disk, directory, inspect::escaped_key, |line| {
        if let WalLine::Damage { .. } = line {
            damages.push(line);
        }
    })
    .await?;
    for damage in damages {
        let WalLine::Damage { file, offset, length_bytes, what, verdict, advice } = damage else { continue };
        if verdict == inspect::Verdict::TornTail {
            let what = format!("a torn tail of {length_bytes} bytes at offset {offset}: opening sets it aside");
            report.harmless.push(Harmless { file, what });
        } else if is_live(&file) {
            report.add(Problem { file, offset, length_bytes, what, advice });
        } else {
            let what = format!("damaged at offset {offset}, {length_bytes} bytes; all of its writes are in tables");
            report.harmless.push(Harmless { file, what });
        }
    }
    Ok(())
}

/// Lists what nothing names.
fn orphans(directory: &Path, entries: &Directory, state: &VersionState, current: Option<u32>, report: &mut Report) {
    let named = |shape: &Shape<TableRecord>, number| shape.table(number).is_some();
    for entry in entries {
        let what = match (table_number(&entry.name), manifest_number(&entry.name)) {
            (Some(number), _) if !named(&state.shape, number) => "no part of the database: opening removes it",
            (_, Some(number)) if Some(number) != current => "an earlier or half-made manifest: opening removes it",
            _ if entry.name == CURRENT_TEMPORARY => "a half-made pointer to a manifest: opening removes it",
            _ if entry.name.contains(".tail-") => "cut off the log by an earlier recovery, and kept",
            _ => continue,
        };
        report.harmless.push(Harmless { file: directory.join(&entry.name), what: what.to_string() });
    }
}
