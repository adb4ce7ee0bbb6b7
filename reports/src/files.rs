//! Puts a report into a directory.
//!
//! ```text
//!   DIRECTORY/report.md      the report to read, shows the two pictures
//!             report.json    the facts as they stand; `trace` and `speed_ratio` are keys of it
//!             timeline.svg   operations over virtual time, with the faults above them
//!             latency.svg    the 99th percentile over virtual time, and the percentiles of each kind
//!             report.html    all of it and every operation, in one page
//!
//!   campaign.html, campaign.md, coverage.svg, speed.svg
//!   cap.html, cap.md, cap.csv, cap-unanswered.svg, cap-stale.svg, cap-lost.svg, cap-latency.svg
//! ```
//!
//! Files that are there already are replaced. A report is not data: nothing is synced, and after a failure some of the
//! files may be there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::campaign::{self, CampaignFacts};
use crate::cap::{self, CapFacts, Picture};
use crate::detail::RunDetail;
use crate::error::ReportError;
use crate::facts::RunFacts;
use crate::markdown::markdown;
use crate::run_page::run_page;
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
    create(directory)?;
    Ok(Written {
        markdown: write_file(directory, "report.md", &markdown(facts))?,
        json: write_file(directory, "report.json", &json)?,
        timeline: write_file(directory, "timeline.svg", &timeline)?,
        latency: write_file(directory, "latency.svg", &latency)?,
    })
}

/// Writes the page of a run into `directory`; returns where it is.
pub fn write_page(directory: &Path, facts: &RunFacts, detail: &RunDetail) -> Result<PathBuf, ReportError> {
    let page = run_page(facts, detail)?;
    create(directory)?;
    write_file(directory, "report.html", &page)
}

/// Writes the report of a campaign into `directory`; returns where its page is.
pub fn write_campaign(directory: &Path, facts: &CampaignFacts) -> Result<PathBuf, ReportError> {
    let page = campaign::campaign_page(facts)?;
    create(directory)?;
    write_file(directory, "campaign.md", &campaign::campaign_markdown(facts))?;
    for (name, svg) in [("coverage.svg", campaign::coverage_svg(facts)), ("speed.svg", campaign::speed_svg(facts))] {
        if let Some(svg) = svg {
            write_file(directory, name, &svg?)?;
        }
    }
    write_file(directory, "campaign.html", &page)
}

/// Writes the CAP report into `directory`; returns where its page is.
pub fn write_cap(directory: &Path, facts: &CapFacts) -> Result<PathBuf, ReportError> {
    create(directory)?;
    write_file(directory, "cap.md", &cap::cap_markdown(facts))?;
    write_file(directory, "cap.csv", &cap::cap_csv(facts))?;
    for picture in Picture::ALL {
        write_file(directory, picture.file(), &cap::cap_svg(facts, picture))?;
    }
    write_file(directory, "cap.html", &cap::cap_page(facts))
}

fn create(directory: &Path) -> Result<(), ReportError> {
    fs::create_dir_all(directory)
        .map_err(|source| ReportError::CreateDirectory { path: directory.to_path_buf(), source })
}

fn write_file(directory: &Path, name: &str, content: &str) -> Result<PathBuf, ReportError> {
    let path = directory.join(name);
    fs::write(&path, content).map_err(|source| ReportError::WriteFile { path: path.clone(), source })?;
    Ok(path)
}
