//! What the engine counts as it goes, cheap enough for every read.
//!
//! ```text
//!   read of a key ─▶ stripe (by its hash) ─▶ relaxed additions: no two processors pass one cache line back and forth
//!   statistics    ◀─ sum over the stripes
//! ```
//!
//! The numbers are for people and reports: nothing is decided by them, and they are not of one moment.

use std::sync::atomic::{AtomicU64, Ordering};

use super::statistics::MergeStatistics;
use crate::compaction::Books;
use crate::cost::ReadCost;

/// Stripes that reads are spread over.
const STRIPES: usize = 16;

/// One cache line's worth of what reads count, so that readers on two processors do not pass it back and forth.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    gets: AtomicU64,
    found: AtomicU64,
    memtables: AtomicU64,
    tables: AtomicU64,
    filters_asked: AtomicU64,
    filters_negative: AtomicU64,
    filters_false_positive: AtomicU64,
    blocks: AtomicU64,
    blocks_cached: AtomicU64,
    bytes_cached: AtomicU64,
    bytes_read: AtomicU64,
    disk_reads: AtomicU64,
}

/// What merges of one kind did.
#[derive(Debug, Default)]
pub(super) struct Merges {
    pub(super) jobs: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) entries_in: AtomicU64,
    pub(super) entries_dropped: AtomicU64,
}

impl Merges {
    pub(super) fn statistics(&self) -> MergeStatistics {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MergeStatistics {
            jobs: load(&self.jobs),
            bytes_in: load(&self.bytes_in),
            bytes_out: load(&self.bytes_out),
            entries_in: load(&self.entries_in),
            entries_dropped: load(&self.entries_dropped),
        }
    }

    pub(super) fn add(&self, bytes_in: u64, books: &Books) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes_in, Ordering::Relaxed);
        self.bytes_out.fetch_add(books.bytes_out, Ordering::Relaxed);
        self.entries_in.fetch_add(books.entries_in, Ordering::Relaxed);
        self.entries_dropped.fetch_add(books.entries_in - books.entries_out, Ordering::Relaxed);
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    stripes: [Stripe; STRIPES],
    pub(super) scans: AtomicU64,
    pub(super) scan_entries: AtomicU64,
    pub(super) batches_committed: AtomicU64,
    pub(super) batches_refused: AtomicU64,
    pub(super) operations_committed: AtomicU64,
    /// Bytes of keys and values that callers wrote.
    pub(super) user_bytes: AtomicU64,
    /// The oldest segment of the log that change streams can read.
    pub(super) oldest_segment: AtomicU64,
    pub(super) wal_segments: AtomicU64,
    pub(super) wal_bytes: AtomicU64,
    pub(super) wal_bytes_written: AtomicU64,
    pub(super) wal_syncs: AtomicU64,
    pub(super) wal_appends: AtomicU64,
    pub(super) manifest_bytes_written: AtomicU64,
    pub(super) flushes: Merges,
    pub(super) compactions: Merges,
    pub(super) trivial_moves: AtomicU64,
    pub(super) tables_dropped: AtomicU64,
    pub(super) jobs_failed: AtomicU64,
    pub(super) jobs_running: AtomicU64,
    pub(super) pinned_bytes: AtomicU64,
    pub(super) delayed_writes: AtomicU64,
    pub(super) delayed_micros: AtomicU64,
    pub(super) delay_micros_max: AtomicU64,
}

impl Counters {
    /// Counts a point read of the key with this hash.
    pub(super) fn get(&self, hash: u64, found: bool, cost: &ReadCost) {
        let stripe = &self.stripes[(hash as usize >> 7) % STRIPES];
        stripe.gets.fetch_add(1, Ordering::Relaxed);
        let add = |counter: &AtomicU64, count: u64| {
            if count > 0 {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        };
        add(&stripe.found, u64::from(found));
        add(&stripe.memtables, cost.memtables);
        add(&stripe.tables, cost.tables);
        add(&stripe.filters_asked, cost.filters_asked);
        add(&stripe.filters_negative, cost.filters_negative);
        add(&stripe.filters_false_positive, cost.filters_false_positive);
        add(&stripe.blocks, cost.blocks);
        add(&stripe.blocks_cached, cost.blocks_cached);
        add(&stripe.bytes_cached, cost.bytes_cached);
        add(&stripe.bytes_read, cost.bytes_read);
        add(&stripe.disk_reads, cost.disk_reads);
    }

    /// Counts a scan's reads.
    pub(super) fn scan(&self, entries: u64, cost: &ReadCost) {
        self.scans.fetch_add(1, Ordering::Relaxed);
        self.scan_entries.fetch_add(entries, Ordering::Relaxed);
        let stripe = &self.stripes[0];
        stripe.blocks.fetch_add(cost.blocks, Ordering::Relaxed);
        stripe.blocks_cached.fetch_add(cost.blocks_cached, Ordering::Relaxed);
        stripe.bytes_cached.fetch_add(cost.bytes_cached, Ordering::Relaxed);
        stripe.bytes_read.fetch_add(cost.bytes_read, Ordering::Relaxed);
        stripe.disk_reads.fetch_add(cost.disk_reads, Ordering::Relaxed);
    }

    /// Point reads, those that found a value, and what all reads touched.
    pub(super) fn reads(&self) -> (u64, u64, ReadCost) {
        let sum = |field: fn(&Stripe) -> &AtomicU64| -> u64 {
            self.stripes.iter().map(|stripe| field(stripe).load(Ordering::Relaxed)).sum()
        };
        let cost = ReadCost {
            memtables: sum(|stripe| &stripe.memtables),
            tables: sum(|stripe| &stripe.tables),
            filters_asked: sum(|stripe| &stripe.filters_asked),
            filters_negative: sum(|stripe| &stripe.filters_negative),
            filters_false_positive: sum(|stripe| &stripe.filters_false_positive),
            blocks: sum(|stripe| &stripe.blocks),
            blocks_cached: sum(|stripe| &stripe.blocks_cached),
            bytes_cached: sum(|stripe| &stripe.bytes_cached),
            bytes_read: sum(|stripe| &stripe.bytes_read),
            disk_reads: sum(|stripe| &stripe.disk_reads),
        };
        (sum(|stripe| &stripe.gets), sum(|stripe| &stripe.found), cost)
    }
}
