//! From a backup to a data directory, or to the sentence that says why not.
//!
//! ```text
//!   the backup's file, whole? ─▶ every table there, with its length? ─▶ copy, sync, read back: checksums, sums, set-hash
//!         ─▶ log, manifest, CURRENT ─▶ the marker last: before it, the folder is no data directory
//! ```
//!
//! A refusal leaves the new folder empty, so that the next attempt can have it.

use std::path::{Path, PathBuf};

use super::folder::{self, backup_number, stored_name};
use super::{ADVICE, Backup, COPY_BYTES, described, read, records};
use crate::db::seal;
use crate::error::Error;
use crate::format::Fault;
use crate::table::table_name;
use crate::version::{TableRecord, VersionState, check_table};
use crate::world::{Access, Directory, Disk, DiskError, DiskErrorKind, File};

/// Makes the data directory `directory` of backup `number`, of the latest without. The directory must be missing (its
/// parent must exist) or empty.
///
/// # Errors
///
/// `Corrupt`, naming file and offset, when anything of the backup is damaged or missing; `NotThis` when there is no such
/// backup; `NotOurs` when the directory is not empty; `Disk`.
pub async fn restore<D: Disk>(
    disk: &D,
    backups: &Path,
    number: Option<u32>,
    directory: &Path,
) -> Result<Backup, Error> {
    let (backup, state) = find(disk, backups, number).await?;
    match disk.list(directory).await {
        Ok(entries) => {
            if let Some(entry) = entries.first() {
                return Err(Error::NotOurs { directory: directory.to_path_buf(), file: entry.name.clone() });
            }
        }
        Err(error) if error.kind == DiskErrorKind::NotFound => disk.create_dir(directory).await?,
        Err(error) => return Err(error.into()),
    }
    let mut made = Vec::new();
    for record in records(&state) {
        let target = directory.join(table_name(record.facts.number));
        made.push(target.clone());
        if let Err(error) = restore_table(disk, backups, record, &target).await {
            undo(disk, &made).await?;
            return Err(error);
        }
    }
    disk.sync_dir(directory).await?;
    seal(disk, directory, state).await?;
    Ok(backup)
}

/// Reads every byte of backup `number`, of the latest without, as restoring does.
///
/// # Errors
///
/// Those of [`restore`], but for the directory's.
pub async fn verify<D: Disk>(disk: &D, backups: &Path, number: Option<u32>) -> Result<Backup, Error> {
    let (backup, state) = find(disk, backups, number).await?;
    for record in records(&state) {
        check_table(disk, &backups.join(stored_name(record)), record).await.map_err(for_backups)?;
    }
    Ok(backup)
}

/// The backup, all of whose tables are there with their lengths.
async fn find<D: Disk>(disk: &D, backups: &Path, number: Option<u32>) -> Result<(Backup, VersionState), Error> {
    let entries = folder::check(disk, backups).await?;
    let mut numbers = entries.iter().filter_map(|entry| backup_number(&entry.name));
    let found = match number {
        Some(number) => numbers.find(|found| *found == number),
        None => numbers.max(),
    };
    let Some(found) = found else {
        let path = number.map_or(backups.to_path_buf(), |number| backups.join(folder::backup_name(number)));
        return Err(Error::NotThis { path, what: if number.is_some() { "a backup" } else { "a folder with backups" } });
    };
    let (state, created_micros) = read(disk, backups, found).await?;
    for record in records(&state) {
        is_there(backups, &entries, record)?;
    }
    Ok((described(found, &state, created_micros), state))
}

fn is_there(backups: &Path, entries: &Directory, record: &TableRecord) -> Result<(), Error> {
    let name = stored_name(record);
    let corrupt =
        |length, fault| Err(Error::Corrupt { file: backups.join(&name), offset: 0, length, fault, advice: ADVICE });
    match entries.iter().find(|entry| entry.name == name) {
        None => corrupt(record.facts.bytes, Fault::FileMissing),
        Some(entry) if entry.length_bytes != record.facts.bytes => {
            corrupt(entry.length_bytes, Fault::NotTheTable { what: "its length" })
        }
        Some(_) => Ok(()),
    }
}

/// Copies a table and reads the copy back. Where the copy is damaged, the stored table is looked at: it is what has to be
/// told when it is damaged, too.
async fn restore_table<D: Disk>(disk: &D, backups: &Path, record: &TableRecord, target: &Path) -> Result<(), Error> {
    let stored = backups.join(stored_name(record));
    copy(disk, &stored, record.facts.bytes, target).await?;
    if let Err(error) = check_table(disk, target, record).await {
        check_table(disk, &stored, record).await.map_err(for_backups)?;
        return Err(error);
    }
    Ok(())
}

async fn copy<D: Disk>(disk: &D, from: &Path, bytes: u64, to: &Path) -> Result<(), Error> {
    let source = disk.open(from, Access::Read).await?;
    let copy = disk.create(to).await?;
    let mut offset = 0;
    while offset < bytes {
        let wanted = usize::try_from(bytes - offset).unwrap_or(COPY_BYTES).min(COPY_BYTES);
        let chunk = source.read_at(offset, wanted).await?;
        if chunk.is_empty() {
            return Err(DiskError::new(DiskErrorKind::InputOutput, "read", from).into());
        }
        offset += chunk.len() as u64;
        copy.append(vec![chunk]).await?;
    }
    Ok(copy.sync().await?)
}

/// The advice that fits a damaged file of a backup.
fn for_backups(error: Error) -> Error {
    match error {
        Error::Corrupt { file, offset, length, fault, .. } => {
            Error::Corrupt { file, offset, length, fault, advice: ADVICE }
        }
        other => other,
    }
}

async fn undo<D: Disk>(disk: &D, made: &[PathBuf]) -> Result<(), DiskError> {
    for path in made {
        disk.remove(path).await.or_else(|error| match error.kind {
            DiskErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
    }
    Ok(())
}
