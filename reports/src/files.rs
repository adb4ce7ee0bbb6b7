//! Puts a report into a directory.
//!
//! ```text
//!   DIRECTORY/report.md      the report to read, shows the two pictures
//!             report.json    the facts as they stand; `trace` and `speed_ratio` are keys of it
//!             timeline.svg   operations over virtual time, with the faults above them
//!             latency.svg    the 99th percentile over virtual time, and the percentiles of each kind
//! ```
//!
//! Files that are there already are replaced. A report is not data: nothing is synced, and after a failure some of the
//! files may be there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::ReportError;
use crate::facts::RunFacts;
use crate::markdown::markdown;
use crate::svg::{latency_svg, timeline_svg};

/// Where the four files of a report are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The report to read.
    pub markdown: PathBuf,
    /// The facts.
    pub json: PathBuf,
    /// The picture of operations and faults.
    pub timeline: PathBuf,
    /// The picture of latencies.
    pub latency: PathBuf,
}

/// Writes the report of a run into `directory`, which is created with its parents when it is missing.
pub fn write(directory: &Path, facts: &RunFacts) -> Result<Written, ReportError> {
    let json = serde_json::to_string_pretty(facts)? + "\n";
    let (timeline, latency) = (timeline_svg(facts)?, latency_svg(facts)?);
    fs::create_dir_all(directory)
        .map_err(|source| ReportError::CreateDirectory { path: directory.to_path_buf(), source })?;
    Ok(Written {
        markdown: write_file(directory, "report.md", &markdown(facts))?,
        json: write_file(directory, "report.json", &json)?,
        timeline: write_file(directory, "timeline.svg", &timeline)?,
        latency: write_file(directory, "latency.svg", &latency)?,
    })
}

fn write_file(directory: &Path, name: &str, content: &str) -> Result<PathBuf, ReportError> {
    let path = directory.join(name);
    fs::write(&path, content).map_err(|source| ReportError::WriteFile { path: path.clone(), source })?;
    Ok(path)
}
