//! A copy of the database by links: tables are never changed, so a second name is a second copy.
//!
//! ```text
//!   flush ─▶ hold the manifest (no table comes or goes) ─▶ new folder: link every table, sync
//!         ─▶ an empty log, a manifest, CURRENT ─▶ the marker last: without it the folder is no data directory
//! ```
//!
//! The copy holds what is in tables when the manifest is held: a prefix of all writes, at least up to the flush.

use std::path::Path;
use std::sync::Arc;

use super::core::{Core, FileOf};
use super::directory;
use crate::error::Error;
use crate::format::Sequence;
use crate::format::segment::Start;
use crate::table::table_name;
use crate::version::{ManifestState, OpenTable, VersionState};
use crate::wal::{self, LogStart};
use crate::world::{Disk, World};

/// The number of the copy's first segment and manifest.
const FIRST: u32 = 1;

/// Makes the copy; returns the last write that is in it.
pub(super) async fn checkpoint<W: World>(core: &Arc<Core<W>>, directory: &Path) -> Result<Sequence, Error> {
    core.check_writable()?;
    let disk = core.world.disk();
    disk.create_dir(directory).await?;
    let held = core.manifest.lock().await;
    let state = held.as_ref().ok_or(Error::ReadOnly)?.state.clone();
    for table in state.shape.newest_first().flat_map(|(_, run)| run.iter()) {
        let name = table_name(table.facts.number);
        disk.link(&core.directory.join(&name), &directory.join(&name)).await?;
    }
    drop(held);
    seal(disk, directory, state).await
}

/// The tables of a moment: what the manifest says of them, and they themselves, held open so that they can be read also
/// when compaction has removed their names.
pub(crate) struct Held<W: World> {
    pub(crate) state: VersionState,
    pub(crate) tables: Vec<Arc<OpenTable<FileOf<W>>>>,
}

/// Holds the tables of this moment.
pub(super) async fn hold<W: World>(core: &Arc<Core<W>>) -> Result<Held<W>, Error> {
    core.check_writable()?;
    let manifest = core.manifest.lock().await;
    let state = manifest.as_ref().ok_or(Error::ReadOnly)?.state.clone();
    // Views are replaced while the manifest is held, so this one is what the state says.
    let tables = core.view.load_full().tables().cloned().collect();
    Ok(Held { state, tables })
}

/// Makes a data directory of a folder that holds the tables of `state`: log, manifest, marker.
pub(crate) async fn seal<D: Disk>(disk: &D, directory: &Path, mut state: VersionState) -> Result<Sequence, Error> {
    let last = state.last_sequence;
    let log = LogStart { number: FIRST, previous: Start::FIRST, next_sequence: last.plus(1) };
    wal::begin_empty(disk, directory, log).await?;
    state.log = Some(log);
    ManifestState::begin(disk.clone(), directory.to_path_buf(), FIRST, state, u64::MAX).await?;
    directory::mark(disk, directory).await?;
    Ok(last)
}
