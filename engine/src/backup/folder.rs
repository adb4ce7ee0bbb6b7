//! A folder of backups: names, marker, lock.
//!
//! ```text
//!   missing, or empty    make it, LOCK, marker, sync: ours
//!   marker               LOCK ─▶ check the marker
//!   anything else        NotOurs, naming the first file
//! ```

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::error::Error;
use crate::format::marker;
use crate::table::table_number;
use crate::version::TableRecord;
use crate::world::{Access, Directory, Disk, DiskErrorKind, File};

const LOCK: &str = "LOCK";
const MARKER: &str = "STORMGLASS-BACKUPS";
const TEMPORARY: &str = ".tmp";

/// The format of the folder that this program writes, and the newest that it reads.
const FORMAT_VERSION: u32 = 1;

/// No marker is longer.
const MARKER_BYTES_MAX: usize = 4096;

/// The name of a backup's file.
pub(super) fn backup_name(number: u32) -> String {
    format!("backup-{number:020}.log")
}

/// The number of the backup that `name` names, if it names one.
pub(super) fn backup_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("backup-")?.strip_suffix(".log")?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().filter(|number| *number > 0)
}

/// The name under which a table is stored.
pub(super) fn stored_name(record: &TableRecord) -> String {
    let TableRecord { facts, set_hash } = record;
    format!("table-{:020}-{set_hash:016x}-{}.sst", facts.number, facts.bytes)
}

/// Whether `name` is that of a stored table.
pub(super) fn is_stored_table(name: &str) -> bool {
    let number = name.get(..26).and_then(|start| table_number(&format!("{start}.sst")));
    number.is_some() && name.ends_with(".sst") && name.get(26..27) == Some("-")
}

/// Where a file is written before it gets its name.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(TEMPORARY);
    PathBuf::from(path)
}

/// Whether `name` is that of a file of ours that never got its name.
pub(super) fn is_temporary(name: &str) -> bool {
    name.strip_suffix(TEMPORARY).is_some_and(|name| backup_number(name).is_some() || is_stored_table(name))
}

/// Makes the folder one of backups, or finds that it is one, and keeps others out until the lock is dropped.
pub(super) async fn claim<D: Disk>(disk: &D, backups: &Path) -> Result<D::Lock, Error> {
    match disk.list(backups).await {
        // Looked at before the lock is taken, which would leave a file in somebody else's folder.
        Ok(entries) => check_nothing_foreign(backups, &entries)?,
        Err(error) if error.kind == DiskErrorKind::NotFound => {
            disk.create_dir(backups).await?;
            let parent = backups.parent().filter(|parent| !parent.as_os_str().is_empty());
            disk.sync_dir(parent.unwrap_or(Path::new("."))).await?;
        }
        Err(error) => return Err(error.into()),
    }
    let lock = match disk.lock(&backups.join(LOCK)).await {
        Err(error) if error.kind == DiskErrorKind::Locked => {
            return Err(Error::InUse { directory: backups.to_path_buf() });
        }
        other => other?,
    };
    let entries = disk.list(backups).await?;
    if has_marker(&entries) {
        check_marker(disk, backups).await?;
        return Ok(lock);
    }
    check_nothing_foreign(backups, &entries)?;
    let half = temporary(&backups.join(MARKER));
    if entries.iter().any(|entry| half.ends_with(&entry.name)) {
        disk.remove(&half).await?;
    }
    let file = disk.create(&half).await?;
    file.append(vec![Bytes::from(marker::encode_of(marker::BACKUPS, FORMAT_VERSION))]).await?;
    file.sync().await?;
    disk.rename(&half, &backups.join(MARKER)).await?;
    disk.sync_dir(backups).await?;
    Ok(lock)
}

/// What is in a folder that must be one of backups; changes nothing.
pub(super) async fn check<D: Disk>(disk: &D, backups: &Path) -> Result<Directory, Error> {
    let entries = disk.list(backups).await?;
    if !has_marker(&entries) {
        return Err(Error::NotThis { path: backups.to_path_buf(), what: "a folder with backups" });
    }
    check_marker(disk, backups).await?;
    Ok(entries)
}

fn has_marker(entries: &Directory) -> bool {
    entries.iter().any(|entry| entry.name == MARKER)
}

async fn check_marker<D: Disk>(disk: &D, backups: &Path) -> Result<(), Error> {
    let path = backups.join(MARKER);
    let content = disk.open(&path, Access::Read).await?.read_at(0, MARKER_BYTES_MAX).await?;
    match marker::decode_of(marker::BACKUPS, &content) {
        Ok(FORMAT_VERSION) => Ok(()),
        Ok(found) => Err(Error::NewerFormat { path, found, supported: FORMAT_VERSION }),
        Err(marker::Damaged) => Err(Error::MarkerDamaged { path }),
    }
}

fn check_nothing_foreign(backups: &Path, entries: &Directory) -> Result<(), Error> {
    let half = format!("{MARKER}{TEMPORARY}");
    match entries.iter().find(|entry| entry.name != LOCK && entry.name != half) {
        Some(entry) if !has_marker(entries) => {
            Err(Error::NotOurs { directory: backups.to_path_buf(), file: entry.name.clone() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_their_numbers_back_and_nothing_else_passes_for_one() {
        assert_eq!(backup_number(&backup_name(7)), Some(7));
        for name in ["backup-7.log", "backup-00000000000000000000.log", "backup-00000000004294967296.log", "backup-"] {
            assert_eq!(backup_number(name), None, "{name}");
        }
        assert!(is_stored_table("table-00000000000000000007-00000000000000ff-99.sst"));
        for name in ["table-00000000000000000007.sst", "table-7-0-0.sst", "é", "table-0000000000000000000é-0-1.sst"] {
            assert!(!is_stored_table(name), "{name}");
        }
        assert!(is_temporary("backup-00000000000000000007.log.tmp") && !is_temporary("notes.tmp"));
    }
}
