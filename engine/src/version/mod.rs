//! Which tables make up the database: held open in levels and runs, and written down in the manifest.
//!
//! ```text
//!   names        file names of manifests
//!   edit         one change, as bytes
//!   manifest     the log of changes, and the pointer to it
//!   state        what the changes add up to
//!   open_table   tables held open; cursors over runs of them
//!   check        a whole table, read and held against what is written down of it
//! ```

mod check;
mod edit;
mod manifest;
mod names;
mod open_table;
mod state;

pub(crate) use check::check_table;
pub(crate) use edit::{TableRecord, VersionEdit};
pub(crate) use manifest::{ADVICE, ManifestContent, Piece, current_number, encode, look, read_current};
pub(crate) use names::{CURRENT, CURRENT_TEMPORARY, manifest_name, manifest_number};
pub(crate) use open_table::{OpenTable, RunCursor, Source, TableShape};
pub(crate) use state::{ManifestState, VersionState, placing_all};
