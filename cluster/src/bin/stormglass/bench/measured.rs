//! What a load on a directory comes to: rate, latencies, amplification, and the statistics held against the operating system.
//!
//! ```text
//!   write amplification   bytes written (log, manifest, flushes, compactions) over bytes of keys and values written
//!   space amplification   bytes of tables over bytes of keys and values that live
//!   read amplification    blocks and bytes a read looked into
//!   difference            what the statistics say was written, against wchar of /proc/self/io: bytes in write calls
//! ```
//!
//! `write_bytes` is what the process had dirtied or sent to the disk: whole pages, so it differs from both.

use std::time::Duration;

use engine::Statistics;
use serde_json::{Value, json};

use super::embedded::Tally;
use super::workload::Workload;
use crate::output::{print, ratio, size};

/// Less than this says nothing when it is compared.
const COMPARED_BYTES_MIN: u64 = 64 * 1024;

/// Bytes that the operating system counted for this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProcessBytes {
    /// In read and write calls.
    read_calls: u64,
    write_calls: u64,
    /// From and to the disk.
    disk_read: u64,
    disk_written: u64,
}

/// What was measured.
pub(super) struct Measured {
    pub(super) workload: Workload,
    pub(super) threads: u64,
    pub(super) loaded: Option<(u64, Duration)>,
    pub(super) tally: Tally,
    pub(super) took: Duration,
    /// How long flushing and closing took afterwards.
    pub(super) settled: Duration,
    pub(super) statistics: Statistics,
    /// What the statistics say was written since the load began.
    pub(super) bytes_written: u64,
    pub(super) process: Option<ProcessBytes>,
    pub(super) live_bytes: u64,
}

impl ProcessBytes {
    /// The counters of this moment; `None` where there are none.
    pub(super) fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/io").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))?;
            line.trim().parse().ok()
        };
        Some(Self {
            read_calls: number("rchar")?,
            write_calls: number("wchar")?,
            disk_read: number("read_bytes")?,
            disk_written: number("write_bytes")?,
        })
    }

    /// What was added since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            read_calls: self.read_calls.saturating_sub(before.read_calls),
            write_calls: self.write_calls.saturating_sub(before.write_calls),
            disk_read: self.disk_read.saturating_sub(before.disk_read),
            disk_written: self.disk_written.saturating_sub(before.disk_written),
        }
    }
}

impl Measured {
    pub(super) fn show(&self, json: bool) {
        if json {
            return print(&self.json().to_string());
        }
        if let Some((keys, took)) = self.loaded {
            print(&format!("loaded {keys} keys first, in {:.2} s", took.as_secs_f64()));
        }
        let Tally { operations, reads, found, rows, latency_nanos } = &self.tally;
        let seconds = self.took.as_secs_f64();
        print(&format!(
            "{}, {} at once: {operations} operations in {seconds:.2} s: {:.0} a second",
            self.workload.name(),
            self.threads,
            self.rate()
        ));
        let micros = |quantile: f64| latency_nanos.value_at_quantile(quantile) as f64 / 1_000.0;
        print(&format!(
            "latency p50 {:.1} us  p90 {:.1}  p99 {:.1}  p99.9 {:.1}  max {:.1}",
            micros(0.5),
            micros(0.9),
            micros(0.99),
            micros(0.999),
            latency_nanos.max() as f64 / 1_000.0
        ));
        if *reads > 0 {
            let scanned = if *rows > 0 { format!(", {rows} keys in all") } else { String::new() };
            print(&format!("reads: {reads}, {found} found something{scanned}"));
            self.show_reads();
        }
        self.show_writes();
        self.show_space();
    }

    fn show_reads(&self) {
        let (cost, statistics) = (&self.statistics.reads, &self.statistics);
        let reads = statistics.gets + statistics.scans;
        let each = |total| ratio(total, reads).unwrap_or_default();
        print(&format!(
            "a read: {} tables, {} blocks ({} cached), {} calls to the disk for {} bytes",
            each(cost.tables),
            each(cost.blocks),
            each(cost.blocks_cached),
            each(cost.disk_reads),
            cost.bytes_read / reads.max(1)
        ));
        let (asked, no, wrong) = (cost.filters_asked, cost.filters_negative, cost.filters_false_positive);
        print(&format!("filters: {asked} asked, {no} said no, {wrong} said perhaps in vain"));
    }

    fn show_writes(&self) {
        let statistics = &self.statistics;
        print(&format!(
            "written: {} by callers; log {}, flushes {}, compactions {}, manifest {}",
            size(statistics.user_bytes_written),
            size(statistics.wal_bytes_written),
            size(statistics.flushes.bytes_out),
            size(statistics.compactions.bytes_out),
            size(statistics.manifest_bytes_written)
        ));
        if let Some(amplification) = self.write_amplification() {
            let (syncs, waited) = (statistics.wal_syncs, statistics.delayed_writes);
            print(&format!(
                "write amplification {amplification:.2}; {syncs} syncs of the log; {waited} writes waited, {:.1} ms in all",
                statistics.delayed_micros as f64 / 1_000.0
            ));
        }
        if let Some(process) = &self.process {
            let (said, wrote) = (self.bytes_written, process.write_calls);
            let difference = match self.difference_percent() {
                Some(percent) => format!("difference {percent:+.2}%"),
                None => "too little to compare".to_string(),
            };
            print(&format!("statistics say {said} bytes, the process wrote {wrote} (wchar), {difference}"));
            print(&format!(
                "the disk: {} written (write_bytes), {} read (read_bytes)",
                size(process.disk_written),
                size(process.disk_read)
            ));
        }
    }

    fn show_space(&self) {
        let tables = self.statistics.table_bytes();
        let space = self.space_amplification().map(|space| format!("{space:.2}")).unwrap_or("none".to_string());
        print(&format!(
            "space: {} in tables, {} alive: amplification {space}; settled in {:.2} s",
            size(tables),
            size(self.live_bytes),
            self.settled.as_secs_f64()
        ));
    }

    fn json(&self) -> Value {
        let at = |quantile: f64| self.tally.latency_nanos.value_at_quantile(quantile);
        json!({
            "workload": self.workload.name(), "threads": self.threads, "operations": self.tally.operations,
            "seconds": self.took.as_secs_f64(), "operations_per_second": self.rate(),
            "loaded_keys": self.loaded.map(|(keys, _)| keys), "settled_seconds": self.settled.as_secs_f64(),
            "latency_nanos": { "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": self.tally.latency_nanos.max() },
            "reads": self.tally.reads, "found": self.tally.found, "rows": self.tally.rows,
            "bytes_written": self.bytes_written, "live_bytes": self.live_bytes,
            "write_amplification": self.write_amplification(), "space_amplification": self.space_amplification(),
            "process": self.process.map(|process| json!({
                "wchar": process.write_calls, "rchar": process.read_calls,
                "write_bytes": process.disk_written, "read_bytes": process.disk_read,
                "difference_percent": self.difference_percent(),
            })),
            "statistics": self.statistics,
        })
    }

    fn rate(&self) -> f64 {
        self.tally.operations as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }

    fn write_amplification(&self) -> Option<f64> {
        ratio(self.statistics.bytes_written(), self.statistics.user_bytes_written)
    }

    fn space_amplification(&self) -> Option<f64> {
        ratio(self.statistics.table_bytes(), self.live_bytes)
    }

    /// How much more the process wrote than the statistics say, in percent of what they say; `None` where that is so
    /// little that waking tasks, which are writes of eight bytes, outweighs it.
    fn difference_percent(&self) -> Option<f64> {
        let (said, wrote) = (self.bytes_written, self.process?.write_calls);
        (said >= COMPARED_BYTES_MIN).then(|| (wrote as f64 - said as f64) / said as f64 * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_the_system_are_found_by_name_or_not_at_all() {
        let text =
            "rchar: 10\nwchar: 20\nsyscr: 1\nsyscw: 2\nread_bytes: 30\nwrite_bytes: 40\ncancelled_write_bytes: 5\n";
        let found = ProcessBytes::parse(text).expect("all are there");
        assert_eq!((found.read_calls, found.write_calls, found.disk_read, found.disk_written), (10, 20, 30, 40));
        assert_eq!(ProcessBytes::parse("rchar: 10\nwchar: many\n"), None);
        assert_eq!(ProcessBytes::parse(""), None);
    }
}
