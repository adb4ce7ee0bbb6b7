//! Whose folder is this? A data directory is claimed before anything in it is read, and a foreign one is never touched.
//!
//! ```text
//!   missing            create it, sync its parent, and go on as with an empty one
//!   empty, or only     LOCK ─▶ sync the parent ─▶ write STORMGLASS.tmp, sync, rename to STORMGLASS, sync the folder
//!     our half-made
//!   marker             LOCK ─▶ check the marker
//!   anything else      NotOurs, naming the first file that is not ours
//! ```
//!
//! The marker is the last thing made and the first thing read, so a crash in between leaves a folder that counts as
//! empty.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::error::Error;
use crate::format::marker;
use crate::world::{Access, Directory, Disk, DiskError, DiskErrorKind, File};

const LOCK: &str = "LOCK";
const MARKER: &str = "STORMGLASS";
const MARKER_TEMPORARY: &str = "STORMGLASS.tmp";

/// No marker is longer; more is not read.
const MARKER_BYTES_MAX: usize = 4096;

/// Claims `directory` for one engine, until the lock is dropped. A directory that has no marker becomes a data
/// directory if `create` allows it and nothing foreign is in it.
pub(super) async fn claim<D: Disk>(disk: &D, directory: &Path, create: bool) -> Result<D::Lock, Error> {
    let missing = || Error::Missing { directory: directory.to_path_buf() };
    match disk.list(directory).await {
        // Looked at before the lock is taken, which would leave a file in somebody else's folder.
        Ok(entries) if !has_marker(&entries) => {
            check_nothing_foreign(directory, &entries)?;
            if !create {
                return Err(missing());
            }
        }
        Ok(_) => {}
        Err(error) if error.kind != DiskErrorKind::NotFound => return Err(error.into()),
        Err(_) if !create => return Err(missing()),
        Err(_) => match disk.create_dir(directory).await {
            Err(error) if error.kind != DiskErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        },
    }
    let lock = match disk.lock(&directory.join(LOCK)).await {
        Err(error) if error.kind == DiskErrorKind::Locked => {
            return Err(Error::InUse { directory: directory.to_path_buf() });
        }
        other => other?,
    };
    // Again, now that nobody else can be at it.
    let entries = disk.list(directory).await?;
    if has_marker(&entries) {
        check_marker(disk, &directory.join(MARKER)).await?;
    } else {
        check_nothing_foreign(directory, &entries)?;
        make_marker(disk, directory, &entries).await?;
    }
    Ok(lock)
}

fn has_marker(entries: &Directory) -> bool {
    entries.iter().any(|entry| entry.name == MARKER)
}

fn check_nothing_foreign(directory: &Path, entries: &Directory) -> Result<(), Error> {
    match entries.iter().find(|entry| entry.name != LOCK && entry.name != MARKER_TEMPORARY) {
        None => Ok(()),
        Some(entry) => Err(Error::NotOurs { directory: directory.to_path_buf(), file: entry.name.clone() }),
    }
}

async fn make_marker<D: Disk>(disk: &D, directory: &Path, entries: &Directory) -> Result<(), DiskError> {
    if let Some(parent) = parent(directory) {
        disk.sync_dir(&parent).await?;
    }
    let temporary = directory.join(MARKER_TEMPORARY);
    if entries.iter().any(|entry| entry.name == MARKER_TEMPORARY) {
        disk.remove(&temporary).await?;
        // Gone for good before another file takes its name: else a power loss may keep the renaming alone.
        disk.sync_dir(directory).await?;
    }
    let file = disk.create(&temporary).await?;
    file.append(vec![Bytes::from(marker::encode(marker::FORMAT_VERSION))]).await?;
    file.sync().await?;
    disk.rename(&temporary, &directory.join(MARKER)).await?;
    disk.sync_dir(directory).await
}

/// Checks, without touching anything, that `directory` is a data directory.
pub(crate) async fn check<D: Disk>(disk: &D, directory: &Path) -> Result<(), Error> {
    let missing = || Error::Missing { directory: directory.to_path_buf() };
    let entries = disk.list(directory).await.map_err(|error| match error.kind {
        DiskErrorKind::NotFound => missing(),
        _ => error.into(),
    })?;
    if has_marker(&entries) {
        return check_marker(disk, &directory.join(MARKER)).await.map(|_version| ());
    }
    check_nothing_foreign(directory, &entries)?;
    Err(missing())
}

/// Makes a folder that holds everything else a data directory.
pub(super) async fn mark<D: Disk>(disk: &D, directory: &Path) -> Result<(), Error> {
    let entries = disk.list(directory).await?;
    Ok(make_marker(disk, directory, &entries).await?)
}

/// Lets the marker say the present format, once everything else is in it.
pub(super) async fn finish<D: Disk>(disk: &D, directory: &Path) -> Result<(), Error> {
    if check_marker(disk, &directory.join(MARKER)).await? < marker::FORMAT_VERSION {
        let entries = disk.list(directory).await?;
        make_marker(disk, directory, &entries).await?;
    }
    Ok(())
}

/// The format that the marker says.
async fn check_marker<D: Disk>(disk: &D, path: &Path) -> Result<u32, Error> {
    let content = disk.open(path, Access::Read).await?.read_at(0, MARKER_BYTES_MAX).await?;
    match marker::decode(&content) {
        Ok(version @ 1..=marker::FORMAT_VERSION) => Ok(version),
        Ok(found) => Err(Error::NewerFormat { path: path.to_path_buf(), found, supported: marker::FORMAT_VERSION }),
        Err(marker::Damaged) => Err(Error::MarkerDamaged { path: path.to_path_buf() }),
    }
}

/// The folder that holds the directory's name; `None` for a root.
fn parent(directory: &Path) -> Option<PathBuf> {
    let parent = directory.parent()?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_path_buf() })
}
