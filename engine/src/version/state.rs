//! What the manifest says as a whole, kept beside the manifest so that the next one can begin with it.
//!
//! ```text
//!   edit ─▶ checked against the state ─▶ appended and synced ─▶ the state follows
//!                                            └ the manifest has grown long? the next one begins with the state
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::edit::{TableRecord, VersionEdit};
use super::manifest::{ADVICE, ManifestContent, ManifestWriter};
use super::names::manifest_name;
use crate::error::Error;
use crate::format::{Fault, Sequence};
use crate::shape::{Added, Edit, HasFacts, Place, Shape, apply};
use crate::wal::LogStart;
use crate::world::{Disk, DiskError};

/// What the database consists of, by its manifest.
#[derive(Debug, Clone, Default)]
pub(crate) struct VersionState {
    pub(crate) shape: Shape<TableRecord>,
    pub(crate) log: Option<LogStart>,
    pub(crate) next_table: u64,
    /// The newest write that is in tables.
    pub(crate) last_sequence: Sequence,
    pub(crate) keyspaces: BTreeMap<u16, String>,
}

impl VersionState {
    /// The state that the edits of a manifest add up to.
    pub(crate) fn of(content: &ManifestContent, path: &Path) -> Result<Self, Error> {
        let mut state = Self::default();
        for (offset, payload) in &content.edits {
            let applied = VersionEdit::decode(payload).and_then(|edit| state.apply(&edit));
            applied.map_err(|fault| {
                let length = payload.len() as u64;
                Error::Corrupt { file: path.to_path_buf(), offset: *offset, length, fault, advice: ADVICE }
            })?;
        }
        Ok(state)
    }

    /// Lets an edit happen; one that contradicts the state is refused, and the state is then not to be used.
    pub(crate) fn apply(&mut self, edit: &VersionEdit) -> Result<(), Fault> {
        if apply(&mut self.shape, &edit.tables).is_err() {
            return Err(Fault::ImpossibleHeader { what: "it does not fit the tables that the edits before it leave" });
        }
        self.log = edit.log.or(self.log);
        self.next_table = self.next_table.max(edit.next_table.unwrap_or(0));
        self.last_sequence = self.last_sequence.max(edit.last_sequence.unwrap_or_default());
        self.keyspaces.extend(edit.keyspaces.iter().map(|(number, name)| (*number, name.clone())));
        for number in &edit.keyspaces_dropped {
            self.keyspaces.remove(number);
        }
        Ok(())
    }

    /// One edit that says everything.
    pub(crate) fn everything(&self) -> VersionEdit {
        VersionEdit {
            tables: placing_all(&self.shape),
            log: self.log,
            next_table: Some(self.next_table),
            last_sequence: Some(self.last_sequence),
            keyspaces: self.keyspaces.clone(),
            ..VersionEdit::default()
        }
    }
}

/// The edit that makes `shape` out of nothing: the oldest run of a level first.
pub(crate) fn placing_all<T: HasFacts + Clone>(shape: &Shape<T>) -> Edit<T> {
    let runs = shape.newest_first().collect::<Vec<_>>().into_iter().rev();
    let added = runs.map(|(level, run)| Added { level, place: Place::Newest, tables: run.iter().cloned().collect() });
    Edit { removed: Vec::new(), added: added.collect() }
}

/// The manifest, with what it says.
pub(crate) struct ManifestState<D: Disk> {
    disk: D,
    directory: PathBuf,
    writer: ManifestWriter<D>,
    pub(crate) state: VersionState,
    /// Length at which the next manifest begins.
    rotate_at_bytes: u64,
    /// The shortest manifest that is replaced.
    rotate_bytes_min: u64,
    bytes_before: u64,
}

impl<D: Disk> ManifestState<D> {
    /// Begins manifest `number` with `state`.
    pub(crate) async fn begin(
        disk: D,
        directory: PathBuf,
        number: u32,
        state: VersionState,
        rotate_bytes_min: u64,
    ) -> Result<Self, DiskError> {
        let writer = ManifestWriter::begin(&disk, &directory, number, &state.everything().encode()).await?;
        let rotate_at_bytes = rotate_at(writer.length(), rotate_bytes_min);
        Ok(Self { disk, directory, writer, state, rotate_at_bytes, rotate_bytes_min, bytes_before: 0 })
    }

    /// Makes an edit hold. After an error nobody knows whether it does: the engine must be reopened.
    pub(crate) async fn commit(&mut self, edit: &VersionEdit) -> Result<(), DiskError> {
        self.state.apply(edit).expect("an edit of our own fits what the manifest says");
        self.writer.append(&edit.encode()).await?;
        if self.writer.length() < self.rotate_at_bytes {
            return Ok(());
        }
        let everything = self.state.everything().encode();
        let number = self.writer.number();
        let next = number.checked_add(1).expect("a manifest a second takes a century to use up the numbers");
        self.bytes_before += self.writer.length();
        self.writer = ManifestWriter::begin(&self.disk, &self.directory, next, &everything).await?;
        self.rotate_at_bytes = rotate_at(self.writer.length(), self.rotate_bytes_min);
        // Nothing names it any more. Failing is no harm: the next opening removes it.
        let _ = self.disk.remove(&self.directory.join(manifest_name(number))).await;
        Ok(())
    }

    /// Bytes written to manifests since the engine was opened.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.bytes_before + self.writer.length()
    }
}

/// A manifest is replaced when its edits outweigh what they add up to.
fn rotate_at(length: u64, rotate_bytes_min: u64) -> u64 {
    rotate_bytes_min.max(length * 4)
}
