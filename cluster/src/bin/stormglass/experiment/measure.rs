//! How experiments measure: what the kernel says of this process, latencies, and what the engine's reads touched.
//!
//! ```text
//!   /proc/self/io       wchar         bytes handed to write calls
//!                       write_bytes   bytes of pages that this process made dirty: a page that is written twice before
//!                                     the kernel stores it counts once, a page of which one byte changes counts whole
//!   /proc/self/status   VmRSS, VmHWM  resident memory now, and at its most
//! ```

use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use engine::ReadCost;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Failed;

/// What the kernel counts of this process's writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// Bytes handed to write calls.
    pub(super) handed: u64,
    /// Bytes of pages made dirty.
    pub(super) dirtied: u64,
}

impl Written {
    pub(super) fn now() -> Result<Self, Failed> {
        let text = proc("io")?;
        Ok(Self { handed: field(&text, "wchar:")?, dirtied: field(&text, "write_bytes:")? })
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self { handed: self.handed - before.handed, dirtied: self.dirtied.saturating_sub(before.dirtied) }
    }
}

/// Resident memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resident {
    /// Bytes now.
    pub(super) now: u64,
    /// Bytes at the most.
    pub(super) most: u64,
}

impl Resident {
    pub(super) fn now() -> Result<Self, Failed> {
        let text = proc("status")?;
        Ok(Self { now: field(&text, "VmRSS:")? * 1024, most: field(&text, "VmHWM:")? * 1024 })
    }
}

fn proc(name: &str) -> Result<String, Failed> {
    std::fs::read_to_string(format!("/proc/self/{name}"))
        .map_err(|error| Failed::environment(format!("this experiment needs Linux's /proc/self/{name}: {error}")))
}

fn field(text: &str, name: &str) -> Result<u64, Failed> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| Failed::environment(format!("the kernel does not tell `{name}` of this process")))
}

/// How long things took.
pub(super) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(super) fn new() -> Self {
        Self(Histogram::new_with_max(60_000_000_000, 3).expect("three significant digits are allowed"))
    }

    /// Does something and notes how long it took.
    pub(super) fn time<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = act();
        self.0.saturating_record(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1));
        done
    }

    pub(super) fn nanos(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }
}

/// What was touched between two looks at the engine's counters.
pub(super) fn between(before: &ReadCost, after: &ReadCost) -> ReadCost {
    ReadCost {
        memtables: after.memtables - before.memtables,
        tables: after.tables - before.tables,
        filters_asked: after.filters_asked - before.filters_asked,
        filters_negative: after.filters_negative - before.filters_negative,
        filters_false_positive: after.filters_false_positive - before.filters_false_positive,
        blocks: after.blocks - before.blocks,
        blocks_cached: after.blocks_cached - before.blocks_cached,
        bytes_cached: after.bytes_cached - before.bytes_cached,
        bytes_read: after.bytes_read - before.bytes_read,
        disk_reads: after.disk_reads - before.disk_reads,
    }
}

/// A part of a whole; 0 of nothing.
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The least, the mean and the most of something.
#[derive(Default)]
pub(super) struct Spread {
    pub(super) least: Option<u64>,
    pub(super) most: u64,
    sum: u64,
    count: u64,
}

impl Spread {
    pub(super) fn add(&mut self, value: u64) {
        self.least = Some(self.least.map_or(value, |least| least.min(value)));
        self.most = self.most.max(value);
        self.sum += value;
        self.count += 1;
    }

    pub(super) fn mean(&self) -> f64 {
        ratio(self.sum, self.count)
    }
}

/// Asks the kernel to forget what it keeps of a folder's files, so that reads go to the disk again. Other kernels than
/// Linux keep it.
pub(super) fn forget_pages(folder: &Path) -> Result<(), Failed> {
    let failed = |error: std::io::Error| Failed::environment(format!("{}: {error}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let file = std::fs::File::open(entry.map_err(failed)?.path()).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_file() {
            // Dirty pages cannot be forgotten.
            file.sync_data().map_err(failed)?;
            #[cfg(target_os = "linux")]
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).map_err(|error| failed(error.into()))?;
        }
    }
    Ok(())
}

/// A bar on a terminal, nothing in a pipe.
pub(super) fn progress(what: &'static str, length: u64, json: bool) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta}").expect("the template is fixed");
    let bar = ProgressBar::new(length).with_style(style).with_message(what);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
