//! Why a report was not written, and what to do about it.
//!
//! What a user can cure (a directory, a file) names the path; the rest is a bug of ours and says so.

use std::io;
use std::path::PathBuf;

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The directory could not be made: choose another, or free its name.
    #[error("cannot create the report's directory {}: {source}", .path.display())]
    CreateDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be written: see whether the disk is full, or the file protected.
    #[error("cannot write {}: {source}", .path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A picture could not be drawn, which is a bug of ours: please report it with the facts.
    #[error("cannot draw {picture}: {detail}")]
    Draw {
        /// The picture.
        picture: &'static str,
        /// What the chart library said.
        detail: String,
    },
    /// The facts could not be turned into JSON, which is a bug of ours: please report it.
    #[error("cannot turn the facts into JSON: {0}")]
    Json(#[from] serde_json::Error),
}
