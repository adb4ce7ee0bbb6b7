//! Backups of a running database into one folder, each table in it once.
//!
//! ```text
//!   STORMGLASS-BACKUPS                                       whose folder this is
//!   backup-00000000000000000001.log                          preamble │ all tables, as one edit │ when
//!   backup-00000000000000000002.log
//!   table-00000000000000000007-00f3…9c-48120.sst             number, set-hash and length: what a table is known by
//!
//!   backup    hold the tables ─▶ copy those that are not here, read each copy back ─▶ sync ─▶ the backup's file last
//!   restore   read the backup's file ─▶ copy its tables, check every byte ─▶ log, manifest, marker last
//!   remove    the backup's file first ─▶ sync ─▶ tables that no other backup names
//! ```
//!
//! Tables never change and their numbers are never given twice within a database, so the second backup copies what is new
//! since the first. A restored database goes on counting where the old one stood: set-hash and length keep their tables
//! apart. A backup counts once its file has its name, and everything it names was synced before. One process at a time
//! works on a folder of backups.

mod folder;
mod restore;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::db::{Db, Held};
use crate::error::Error;
use crate::format::segment::BACKUP_MAGIC;
use crate::format::{Fault, Sequence};
use crate::table::Table;
use crate::version::{self, OpenTable, Piece, TableRecord, VersionEdit, VersionState, check_table, look};
use crate::world::{Clock, Directory, Disk, DiskError, DiskErrorKind, File, World};
use folder::{backup_name, backup_number, claim, stored_name, temporary};
pub use restore::{restore, verify};

/// Bytes that are copied at once.
const COPY_BYTES: usize = 1024 * 1024;

/// What an operator does about a damaged backup.
const ADVICE: &str = "this backup cannot be restored; another one may (`stormglass backups` lists them), and the next backup \
                      copies what is missing";

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Its number, in order of time.
    pub number: u32,
    /// The newest write in it.
    pub sequence: Sequence,
    /// Its tables.
    pub tables: u64,
    /// Bytes of its tables, shared ones included.
    pub bytes: u64,
    /// Wall time at which it was made, in microseconds since 1970.
    pub created_micros: u64,
}

/// A backup in a list, with what is wrong with its file, if anything is.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its number.
    pub number: u32,
    /// The backup, or why it cannot be read.
    pub backup: Result<Backup, Error>,
}

/// What making a backup did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// The backup.
    pub backup: Backup,
    /// Tables that had to be copied.
    pub tables_copied: u64,
    /// Bytes of them.
    pub bytes_copied: u64,
}

/// What removing a backup freed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Tables that no other backup names.
    pub tables: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// Backs up all that was committed before this call into the folder `backups`, which is made if it is missing (its parent
/// must exist). The database goes on meanwhile.
///
/// # Errors
///
/// `NotOurs`, `InUse` for the folder; `Corrupt` when a table of the database is damaged; those of `Db::flush`.
pub async fn backup<W: World>(db: &Db<W>, backups: &Path) -> Result<Made, Error> {
    let disk = db.world().disk();
    let _lock = claim(disk, backups).await?;
    let entries = disk.list(backups).await?;
    for entry in entries.iter().filter(|entry| folder::is_temporary(&entry.name)) {
        disk.remove(&backups.join(&entry.name)).await?;
    }
    let Held { state, tables } = db.hold_tables().await?;
    let (mut tables_copied, mut bytes_copied) = (0, 0);
    for table in &tables {
        let record = table.record();
        if !is_stored(&entries, &record) {
            store(disk, backups, table, &record).await?;
            tables_copied += 1;
            bytes_copied += record.facts.bytes;
        }
    }
    // Every table has its name for good before anything names it.
    disk.sync_dir(backups).await?;
    let last = entries.iter().filter_map(|entry| backup_number(&entry.name)).max().unwrap_or(0);
    let number = last.checked_add(1).ok_or_else(|| numbers_used_up(backups))?;
    let created_micros = db.world().clock().wall().micros;
    write(disk, backups, number, &state, created_micros).await?;
    Ok(Made { backup: described(number, &state, created_micros), tables_copied, bytes_copied })
}

/// The backups in a folder, the oldest first. One whose file is damaged is listed with what is wrong.
///
/// # Errors
///
/// `NotThis` for what is no folder of backups; `NewerFormat`, `MarkerDamaged`, `Disk`.
pub async fn list<D: Disk>(disk: &D, backups: &Path) -> Result<Vec<Listed>, Error> {
    let entries = folder::check(disk, backups).await?;
    let mut listed = Vec::new();
    for number in entries.iter().filter_map(|entry| backup_number(&entry.name)) {
        let read = read(disk, backups, number).await;
        let backup = match read {
            Ok((state, created_micros)) => Ok(described(number, &state, created_micros)),
            Err(error @ Error::Corrupt { .. }) => Err(error),
            Err(error) => return Err(error),
        };
        listed.push(Listed { number, backup });
    }
    Ok(listed)
}

/// Removes a backup, damaged or not, and the tables that no other one names.
///
/// # Errors
///
/// `NotThis` when there is none of this number; `Corrupt` when another backup cannot be read, so that nobody knows what it
/// names: nothing was removed; `InUse`, `Disk`.
pub async fn remove<D: Disk>(disk: &D, backups: &Path, number: u32) -> Result<Removed, Error> {
    folder::check(disk, backups).await?;
    let _lock = claim(disk, backups).await?;
    let entries = disk.list(backups).await?;
    let path = backups.join(backup_name(number));
    if !entries.iter().any(|entry| entry.name == backup_name(number)) {
        return Err(Error::NotThis { path, what: "a backup" });
    }
    let mut named = Vec::new();
    for other in entries.iter().filter_map(|entry| backup_number(&entry.name)).filter(|other| *other != number) {
        let (state, _) = read(disk, backups, other).await?;
        named.extend(records(&state).map(stored_name));
    }
    named.sort_unstable();
    disk.remove(&path).await?;
    // Were a table to go first, a crash would leave a backup without it.
    disk.sync_dir(backups).await?;
    let mut removed = Removed::default();
    for entry in &entries {
        if folder::is_stored_table(&entry.name) && named.binary_search(&entry.name).is_err() {
            disk.remove(&backups.join(&entry.name)).await?;
            removed.tables += 1;
            removed.bytes += entry.length_bytes;
        }
    }
    disk.sync_dir(backups).await?;
    Ok(removed)
}

fn is_stored(entries: &Directory, record: &TableRecord) -> bool {
    let name = stored_name(record);
    entries.iter().any(|entry| entry.name == name && entry.length_bytes == record.facts.bytes)
}

/// Copies a table, reads the copy back, and gives it its name.
async fn store<D: Disk>(
    disk: &D,
    backups: &Path,
    table: &Arc<OpenTable<D::File>>,
    record: &TableRecord,
) -> Result<(), Error> {
    let path = backups.join(stored_name(record));
    let half = temporary(&path);
    let copy = disk.create(&half).await?;
    copy_table(&table.table, record.facts.bytes, &copy).await?;
    copy.sync().await?;
    drop(copy);
    if let Err(error) = check_table(disk, &half, record).await {
        disk.remove(&half).await?;
        // Where the table itself is damaged, that is what has to be told.
        table.table.verify(|_| ()).await?;
        return Err(error);
    }
    Ok(disk.rename(&half, &path).await?)
}

async fn copy_table<F: File>(table: &Table<F>, bytes: u64, copy: &F) -> Result<(), Error> {
    let mut offset = 0;
    while offset < bytes {
        let wanted = usize::try_from(bytes - offset).unwrap_or(COPY_BYTES).min(COPY_BYTES);
        let chunk = table.read_raw(offset, wanted).await?;
        if chunk.is_empty() {
            return Err(DiskError::new(DiskErrorKind::InputOutput, "read", table.path()).into());
        }
        offset += chunk.len() as u64;
        copy.append(vec![chunk]).await?;
    }
    Ok(())
}

/// Writes the file of a backup, whose tables are all here for good.
async fn write<D: Disk>(
    disk: &D,
    backups: &Path,
    number: u32,
    state: &VersionState,
    created_micros: u64,
) -> Result<(), DiskError> {
    let everything = VersionState { log: None, ..state.clone() }.everything().encode();
    let content = version::encode(BACKUP_MAGIC, number, &[&everything, &created_micros.to_le_bytes()]);
    let path = backups.join(backup_name(number));
    let half = temporary(&path);
    let file = disk.create(&half).await?;
    file.append(vec![content]).await?;
    file.sync().await?;
    disk.rename(&half, &path).await?;
    disk.sync_dir(backups).await
}

/// What a backup's file says: its tables, and when it was made. It was written whole, so whatever is wrong is damage.
async fn read<D: Disk>(disk: &D, backups: &Path, number: u32) -> Result<(VersionState, u64), Error> {
    let path = backups.join(backup_name(number));
    let corrupt =
        |(offset, length), fault| Error::Corrupt { file: path.clone(), offset, length, fault, advice: ADVICE };
    let found = look(disk, &path, number, BACKUP_MAGIC).await?;
    let mut payloads: Vec<(u64, Bytes)> = Vec::new();
    for piece in found.pieces {
        match piece {
            Piece::Edit { offset, payload } => payloads.push((offset, payload)),
            Piece::Damage { offset, length, fault, .. } => return Err(corrupt((offset, length), fault)),
        }
    }
    let [(offset, everything), (when_offset, when)] = &payloads[..] else {
        return Err(corrupt((0, found.length), Fault::MalformedPayload));
    };
    let mut state = VersionState::default();
    let applied = VersionEdit::decode(everything).and_then(|edit| state.apply(&edit));
    applied.map_err(|fault| corrupt((*offset, everything.len() as u64), fault))?;
    let micros: [u8; 8] =
        when[..].try_into().map_err(|_| corrupt((*when_offset, when.len() as u64), Fault::MalformedPayload))?;
    Ok((state, u64::from_le_bytes(micros)))
}

fn records(state: &VersionState) -> impl Iterator<Item = &TableRecord> {
    state.shape.newest_first().flat_map(|(_, run)| run.iter())
}

fn described(number: u32, state: &VersionState, created_micros: u64) -> Backup {
    Backup {
        number,
        sequence: state.last_sequence,
        tables: state.shape.tables(),
        bytes: state.shape.bytes_total(),
        created_micros,
    }
}

fn numbers_used_up(backups: &Path) -> DiskError {
    let mut error = DiskError::new(DiskErrorKind::InputOutput, "create", backups);
    error.detail = "all numbers of backups are used up".to_string();
    error
}
