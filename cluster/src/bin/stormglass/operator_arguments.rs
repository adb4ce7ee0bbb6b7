//! What can be typed around a data directory: looking into it, checking it, copying it, tidying it up. Each help text ends
//! with examples, and with what the answer means.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use engine::compaction::Strategy;

use crate::engine_arguments::{EngineArguments, parse_strategy};

#[derive(Debug, Subcommand)]
pub(crate) enum Inspect {
    /// Dump a write-ahead log record by record.
    Wal(Wal),
    /// Show a table: what it says of itself, its parts, every damaged block; with --keys its rows.
    Table(TableDump),
    /// Dump a manifest edit by edit: tables that come and go, the log, keyspaces.
    Manifest(ManifestDump),
    /// Show the tree: levels, runs, sizes, key ranges, overlap, debt.
    Tree(TreeDump),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stormglass inspect wal ./data\n  stormglass inspect wal \
    ./data/wal-00000000000000000001.log\n\nA torn tail is what a crash leaves: opening sets it aside. CORRUPT means \
    bytes that had been synced are damaged: opening refuses, and the exit code is 1.")]
pub(crate) struct Wal {
    /// A log segment, or a data directory for all of its segments.
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stormglass inspect table ./data/table-00000000000000000007.sst\n  stormglass inspect \
    table --keys ./data/table-00000000000000000007.sst | grep 'old version'\n\nRows stand in key order, the newest \
    version of a key first. A table under another name is known by its footer. Damaged blocks are named by offset and \
    length, the rows of the others are shown; the exit code is then 1."
)]
pub(crate) struct TableDump {
    /// A table file, of a data directory or of a folder of backups.
    pub(crate) path: PathBuf,
    /// Also show every row: each version of each key, tombstones, range tombstones.
    #[arg(long)]
    pub(crate) keys: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stormglass inspect manifest ./data\n  stormglass inspect manifest \
    ./data/manifest-00000000000000000003.log\n\nThe first edit says everything, the others what changed. A torn end is \
    what a crash leaves; CORRUPT makes opening refuse, and the exit code 1.")]
pub(crate) struct ManifestDump {
    /// A manifest, or a data directory for the one that holds.
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stormglass inspect tree ./data\n  stormglass inspect tree ./data --tables\n  stormglass \
    inspect tree ./data --count --strategy tiered,runs=6\n\nA read looks into at most one table of each run. What overlaps \
    below is what merging the level would rewrite. Debt is how far the tree is from what the strategy wants: 0 when it \
    is right."
)]
pub(crate) struct TreeDump {
    /// The data directory.
    pub(crate) path: PathBuf,
    /// The strategy whose debt to tell: leveled, tiered, lazy-leveled or fifo, with fields as in leveled,fanout=8.
    #[arg(long, value_name = "NAME", default_value = "leveled", value_parser = parse_strategy)]
    pub(crate) strategy: Strategy,
    /// Also list the tables.
    #[arg(long)]
    pub(crate) tables: bool,
    /// Also read every table, and count what lives, old versions and tombstones.
    #[arg(long)]
    pub(crate) count: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stormglass verify ./data\n  stormglass verify ./data --json | jq .problems\n\nReads every \
    byte: manifest, tables (checksums, order, filters, counts, sums against the manifest), log. Nothing is changed. Exit \
    code 0: sound; 1: damaged, each place with file, offset, length and what to do."
)]
pub(crate) struct Verify {
    /// The data directory; nobody need have it open, and somebody may.
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  stormglass checkpoint ./data ./copy && stormglass get k --data ./copy\n\nTables are linked, \
    not copied: it takes no time and no room until the original has changed. For another disk, use backup."
)]
pub(crate) struct Checkpoint {
    /// The data directory, which no node may have open.
    pub(crate) directory: PathBuf,
    /// The copy to make: must not exist, on the same file system.
    pub(crate) new: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stormglass backup ./data /mnt/backups\n  stormglass backups /mnt/backups\n  stormglass \
    restore /mnt/backups ./restored\n\nA folder holds each table once, so the next backup copies only what is new. Every \
    copied table is read back before the backup counts. Use one folder a database."
)]
pub(crate) struct Backup {
    /// The data directory, which no node may have open.
    pub(crate) directory: PathBuf,
    /// The folder of backups; made when missing.
    pub(crate) backups: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stormglass backups /mnt/backups\n  stormglass backups /mnt/backups --verify\n  stormglass \
    backups /mnt/backups --remove 3\n\nExit code 1: a backup is damaged; what is wrong stands in its line."
)]
pub(crate) struct Backups {
    /// The folder of backups.
    pub(crate) backups: PathBuf,
    /// Also read every byte of every backup.
    #[arg(long, conflicts_with = "remove")]
    pub(crate) verify: bool,
    /// Remove this backup, and the tables that no other one names.
    #[arg(long, value_name = "N")]
    pub(crate) remove: Option<u32>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stormglass restore /mnt/backups ./data\n  stormglass restore /mnt/backups ./data \
    --backup 7\n\nEvery byte is checked on the way. A damaged backup is refused with file and offset (exit code 1), and \
    nothing is left in the new directory."
)]
pub(crate) struct Restore {
    /// The folder of backups.
    pub(crate) backups: PathBuf,
    /// The data directory to make: must be missing or empty.
    pub(crate) new: PathBuf,
    /// Which one; the latest without.
    #[arg(long, value_name = "N")]
    pub(crate) backup: Option<u32>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stormglass explain user1 --data ./data\n  stormglass explain user1 --data ./data/n1 \
    --partition 23   # ring explain tells the partition\n\nReads beside a running node. One line a source, in the order in \
    which they were asked, with filters, blocks and bytes; then the reasons that cost most. Exit code 1: no value."
)]
pub(crate) struct ExplainKey {
    /// The key.
    pub(crate) key: String,
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The key's partition, in a node's directory.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) partition: u16,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stormglass statistics --data ./data\n  stormglass statistics --data ./data --count\n\nReads \
    beside a running node, whose own counters it cannot know: for rates and write amplification, see bench. With \
    --count it reads every table and every key: then space amplification, cache and filters have numbers."
)]
pub(crate) struct Statistics {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Read everything, and tell what lives and what reading it took.
    #[arg(long)]
    pub(crate) count: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Maintain {
    /// The data directory, which no node may have open.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
}
