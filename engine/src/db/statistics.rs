//! What the engine has done and holds, as numbers.
//!
//! Amplification comes out of these: bytes written to files over bytes that users wrote, bytes on the disk over bytes of
//! live data, blocks and files touched over reads.

use std::sync::atomic::Ordering;

use serde::Serialize;

use super::compact::JobReport;
use super::core::Core;
use super::latency::LatencyStatistics;
use crate::cache::CacheStatistics;
use crate::cost::ReadCost;
use crate::format::Sequence;
use crate::world::World;

/// One level of tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LevelStatistics {
    /// Its number; 0 takes the flushed memtables.
    pub level: u32,
    /// Sorted runs: a point read asks at most one table of each.
    pub runs: u64,
    /// Tables.
    pub tables: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Versions in them, tombstones included.
    pub entries: u64,
    /// Tombstones in them, those of ranges included.
    pub tombstones: u64,
}

/// Merges of one kind since the engine was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MergeStatistics {
    /// Jobs that were done.
    pub jobs: u64,
    /// Bytes of their input tables.
    pub bytes_in: u64,
    /// Bytes of their output tables.
    pub bytes_out: u64,
    /// Versions that went in.
    pub entries_in: u64,
    /// Versions that did not come out: superseded, deleted, expired.
    pub entries_dropped: u64,
}

/// What an engine has done since it was opened, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statistics {
    /// The newest published write.
    pub sequence: Sequence,
    /// Keys in the memtables, deleted ones included.
    pub memtable_keys: u64,
    /// Versions of them.
    pub memtable_entries: u64,
    /// Memory they take, in bytes.
    pub memtable_bytes: u64,
    /// Memtables that wait to be written to a table.
    pub memtables_frozen: u64,
    /// Snapshots that are alive.
    pub snapshots: u64,
    /// What the oldest of them reads at.
    pub oldest_snapshot: Option<Sequence>,
    /// Segments of the log.
    pub wal_segments: u64,
    /// Bytes in them.
    pub wal_bytes: u64,
    /// Syncs of segments.
    pub wal_syncs: u64,
    /// Appends, one for each group of batches that was committed together.
    pub wal_appends: u64,
    /// Bytes appended to the log.
    pub wal_bytes_written: u64,
    /// Bytes appended to manifests.
    pub manifest_bytes_written: u64,
    /// Batches that were committed; over `wal_appends`, the mean size of a group.
    pub batches_committed: u64,
    /// Batches that were refused by a precondition.
    pub batches_refused: u64,
    /// Writes in the committed batches.
    pub operations_committed: u64,
    /// Bytes of keys and values in them, two bytes of keyspace a key included.
    pub user_bytes_written: u64,
    /// Memtables written to tables.
    pub flushes: MergeStatistics,
    /// Compactions.
    pub compactions: MergeStatistics,
    /// Tables that moved to another level without being rewritten.
    pub trivial_moves: u64,
    /// Tables that were dropped whole.
    pub tables_dropped: u64,
    /// The last compactions, the newest last, each with its reason.
    pub recent_jobs: Vec<JobReport>,
    /// Jobs that failed and are tried again.
    pub jobs_failed: u64,
    /// Why the last of them failed.
    pub last_failure: Option<String>,
    /// The levels that hold tables.
    pub levels: Vec<LevelStatistics>,
    /// Point reads.
    pub gets: u64,
    /// Point reads that found a value.
    pub gets_found: u64,
    /// Ordered reads, and keys that they gave.
    pub scans: u64,
    /// Keys that ordered reads gave.
    pub scan_entries: u64,
    /// What all reads touched.
    pub reads: ReadCost,
    /// How long point reads took.
    pub get_latency: LatencyStatistics,
    /// How long writes took, back-pressure included.
    pub write_latency: LatencyStatistics,
    /// How long ordered reads lived, their callers' own time included.
    pub scan_latency: LatencyStatistics,
    /// The block cache.
    pub cache: CacheStatistics,
    /// Memory for the indexes of open tables, in bytes.
    pub pinned_bytes: u64,
    /// Writes that had to wait for back-pressure, and for how long in all and at the most, in microseconds.
    pub delayed_writes: u64,
    /// All their waits together, in microseconds.
    pub delayed_micros: u64,
    /// The longest of their waits, in microseconds.
    pub delay_micros_max: u64,
    /// Why the engine accepts no writes, if it does not.
    pub poisoned: Option<String>,
}

impl Statistics {
    /// Bytes of all tables.
    pub fn table_bytes(&self) -> u64 {
        self.levels.iter().map(|level| level.bytes).sum()
    }

    /// Bytes written to files since the engine was opened.
    pub fn bytes_written(&self) -> u64 {
        self.wal_bytes_written + self.manifest_bytes_written + self.flushes.bytes_out + self.compactions.bytes_out
    }
}

/// See [`Statistics`].
pub(super) fn statistics<W: World>(core: &Core<W>) -> Statistics {
    let view = core.view.load_full();
    let mut memtables = vec![&view.memtable];
    memtables.extend(view.frozen.iter().map(|frozen| &frozen.memtable));
    let usages: Vec<_> = memtables.iter().map(|memtable| memtable.usage()).collect();
    let (snapshots, oldest_snapshot) = core.registry.count();
    let (gets, gets_found, reads) = core.counters.reads();
    let trouble = core.trouble();
    let counters = &core.counters;
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    Statistics {
        sequence: core.published(),
        memtable_keys: usages.iter().map(|usage| usage.keys).sum(),
        memtable_entries: usages.iter().map(|usage| usage.entries).sum(),
        memtable_bytes: memtables.iter().map(|memtable| memtable.allocated_bytes() as u64).sum(),
        memtables_frozen: view.frozen.len() as u64,
        snapshots,
        oldest_snapshot,
        wal_segments: load(&counters.wal_segments),
        wal_bytes: load(&counters.wal_bytes),
        wal_syncs: load(&counters.wal_syncs),
        wal_appends: load(&counters.wal_appends),
        wal_bytes_written: load(&counters.wal_bytes_written),
        manifest_bytes_written: load(&counters.manifest_bytes_written),
        batches_committed: load(&counters.batches_committed),
        batches_refused: load(&counters.batches_refused),
        operations_committed: load(&counters.operations_committed),
        user_bytes_written: load(&counters.user_bytes),
        flushes: counters.flushes.statistics(),
        compactions: counters.compactions.statistics(),
        trivial_moves: load(&counters.trivial_moves),
        tables_dropped: load(&counters.tables_dropped),
        recent_jobs: core.schedule().recent.iter().cloned().collect(),
        jobs_failed: load(&counters.jobs_failed),
        last_failure: trouble.last_failure.clone(),
        levels: levels(&view.shape),
        gets,
        gets_found,
        scans: load(&counters.scans),
        scan_entries: load(&counters.scan_entries),
        reads,
        get_latency: core.get_latency.statistics(),
        write_latency: core.write_latency.statistics(),
        scan_latency: core.scan_latency.statistics(),
        cache: core.cache.statistics(),
        pinned_bytes: load(&counters.pinned_bytes),
        delayed_writes: load(&counters.delayed_writes),
        delayed_micros: load(&counters.delayed_micros),
        delay_micros_max: load(&counters.delay_micros_max),
        poisoned: trouble.poisoned.as_ref().map(|cause| cause.to_string()),
    }
}

fn levels<F: crate::world::File>(shape: &crate::version::TableShape<F>) -> Vec<LevelStatistics> {
    let mut levels = Vec::new();
    for number in 0..shape.depth() {
        let mut found =
            LevelStatistics { level: number as u32, runs: 0, tables: 0, bytes: 0, entries: 0, tombstones: 0 };
        for run in shape.runs(number) {
            found.runs += 1;
            for table in run.iter() {
                found.tables += 1;
                found.bytes += table.facts.bytes;
                found.entries += table.facts.entries;
                found.tombstones += table.facts.tombstones;
            }
        }
        if found.tables > 0 {
            levels.push(found);
        }
    }
    levels
}
