//! What can be typed, and the help that teaches it. Values are parsed here as far as they can be without looking at the world;
//! clap refuses the rest with exit code 2.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use cluster::config::parse_duration;
use cluster::coordinator::Level;

use crate::bench::Workload;
use crate::engine_arguments::{EngineArguments, parse_bytes};
use crate::operator_arguments::{
    Backup, Backups, Checkpoint, ExplainKey, Inspect, Maintain, Restore, Statistics, Verify,
};

/// A Dynamo-style database node, and its operator's tools.
#[derive(Debug, Parser)]
#[command(
    name = "stormglass",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done; 1 a check failed, or the \
    key has no value; 2 bad input or usage; 3 the environment failed (disk full, port taken, nobody there); 4 unknown \
    whether it happened: read to find out."
)]
pub(crate) struct Arguments {
    /// Print JSON, one value a line, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node until it is interrupted.
    Serve(Serve),
    /// Read a key's value.
    Get(Get),
    /// Store a value under a key.
    Put(Put),
    /// Delete a key.
    Delete(Delete),
    /// List keys in order.
    Scan(Scan),
    /// Ask a node how it is.
    Status(Status),
    /// Explain where keys live.
    #[command(subcommand)]
    Ring(Ring),
    /// Look at files on disk, damage pointed at. Reads only; works beside a running node.
    #[command(subcommand)]
    Inspect(Inspect),
    /// Read everything of a data directory, and say whether it is sound.
    Verify(Verify),
    /// Say why reading a key costs what it costs, source by source.
    Explain(ExplainKey),
    /// Tell what a data directory holds: levels, memory, amplification, cache, filters.
    #[command(visible_alias = "stats")]
    Statistics(Statistics),
    /// Write everything that is only in the log to a table.
    Flush(Maintain),
    /// Merge everything into the last level: no old version, no tombstone is left.
    Compact(Maintain),
    /// Make a copy of a data directory by links.
    Checkpoint(Checkpoint),
    /// Copy what is new in a data directory into a folder of backups.
    Backup(Backup),
    /// List the backups in a folder, verify or remove them.
    Backups(Backups),
    /// Make a data directory of a backup, every byte checked.
    Restore(Restore),
    /// Generate load, note what was acknowledged, and verify it later.
    Bench(Bench),
    /// Show on this machine what the engine promises: each experiment's --help says what it teaches.
    #[command(subcommand)]
    Experiment(crate::experiment::Experiment),
}

#[derive(Debug, Args)]
#[command(after_help = "A node.yaml:\n\n  node: n1\n  data: ./data/n1\n  nodes:\n    n1: 127.0.0.1:7101\n    n2: \
    127.0.0.1:7102\n    n3: 127.0.0.1:7103\n  replication: 3          # replicas of each key\n  partitions: 64          # a \
    power of two; for ever\n  durability: always      # always | interval 10ms | none\n  wal_segment_bytes: \
    67108864  # the log goes on in a new file at about this length\n  max_clock_offset: 500ms # newer \
    versions from further in the future are refused\n  request_timeout: 1s")]
pub(crate) struct Serve {
    /// The node's configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Whom to ask.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// The node to ask, as HOST:PORT; any node serves any key.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7101")]
    pub(crate) node: String,
    /// Work on this directory without a server (created when missing by put).
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// How many replicas must answer: one, quorum, all, or a number.
    #[arg(long, value_name = "LEVEL", default_value = "quorum")]
    pub(crate) consistency: Level,
    /// How long the node may try before it gives up.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
    /// Say who was asked, who answered when with which version, and what was repaired.
    #[arg(long)]
    pub(crate) report: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The key.
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stormglass put user1 '{\"name\": \"Ada\"}'\n  stormglass put user1 --file portrait.png \
    --node 10.0.0.7:7101\n  stormglass put session7 token --ttl 30m --data ./data"
)]
pub(crate) struct Put {
    /// The key: 1 to 32,768 bytes.
    pub(crate) key: String,
    /// The value: at most 4 MiB.
    #[arg(required_unless_present = "file")]
    pub(crate) value: Option<String>,
    /// Take the value from this file instead; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "value")]
    pub(crate) file: Option<PathBuf>,
    /// Let the value expire after this time, such as 10s or 1h (with --data).
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "data")]
    pub(crate) ttl: Option<Duration>,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The key.
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stormglass scan --prefix user/ --limit 10\n  stormglass scan --from b --until d --data \
    ./data\n  stormglass scan --reverse --limit 1 --data ./data   # the last key"
)]
pub(crate) struct Scan {
    /// The first key of interest.
    #[arg(long, value_name = "KEY", default_value = "")]
    pub(crate) from: String,
    /// The first key not of interest; empty for no end.
    #[arg(long, value_name = "KEY", default_value = "")]
    pub(crate) until: String,
    /// Only keys that begin like this.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(crate) prefix: String,
    /// From the last key to the first (with --data).
    #[arg(long, requires = "data")]
    pub(crate) reverse: bool,
    /// Most rows.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The node to ask, as HOST:PORT.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7101")]
    pub(crate) node: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ring {
    /// Show for a key: hash -> token -> partition -> nodes.
    Explain(Explain),
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The key.
    pub(crate) key: String,
    /// A node.yaml of the cluster.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "On nodes:\n  stormglass bench --node 127.0.0.1:7101 --operations 10000 --acked acked.tsv\n  \
    stormglass bench --node 127.0.0.1:7101 --verify acked.tsv\n\nOn a directory, without a server:\n  stormglass bench \
    --data ./b --workload fill-random --keys 1000000\n  stormglass bench --data ./b --workload read-random --keys 1000000 \
    --time 10s --threads 2\n  stormglass bench --data ./b --workload a --keys 1000000 --strategy tiered --memory \
    64MiB\n\nWorkloads: fill-sequential, fill-random, overwrite, read-random, read-missing, seek, and the mixes of YCSB:\n  \
    a half reads, half updates   b 95% reads      c reads only\n  d 95% reads of the newest    e 95% short scans   f half \
    read-modify-writes\nWhat a workload reads is loaded first when it is not there. Values cannot be compressed unless \
    --compressible says so.")]
pub(crate) struct Bench {
    /// The nodes to ask, as HOST:PORT; give it several times to spread the clients over them.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7101")]
    pub(crate) node: Vec<String>,
    /// How many operations in all; 10,000 unless --time is given.
    #[arg(long, value_name = "N")]
    pub(crate) operations: Option<u64>,
    /// Clients, each with one operation in flight.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) clients: u64,
    /// Different keys. On nodes, 0 gives every write a key of its own; on a directory, 0 is 100,000.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) keys: u64,
    /// Bytes of each value.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) value_bytes: usize,
    /// Reads in a hundred operations (needs --keys).
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) reads: u8,
    /// How many replicas must answer: one, quorum, all, or a number.
    #[arg(long, value_name = "LEVEL", default_value = "quorum")]
    pub(crate) consistency: Level,
    /// How long a node may try before it gives up.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
    /// Note here every key that is sent, and every one that is acknowledged. On nodes, each key is its own (--keys 0).
    #[arg(long, value_name = "FILE")]
    pub(crate) acked: Option<PathBuf>,
    /// Do not write: check that everything acknowledged in this file is there, and nothing that was never sent.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["acked", "history"])]
    pub(crate) verify: Option<PathBuf>,
    /// Write the history of all operations as JSON lines, in the laboratory's format.
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) embedded: EmbeddedBench,
}

/// Load on a directory.
#[derive(Debug, Args)]
#[command(next_help_heading = "On a directory, with --data")]
pub(crate) struct EmbeddedBench {
    /// Work on this directory without a server; made when missing.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["node", "verify", "history", "reads"])]
    pub(crate) data: Option<PathBuf>,
    /// What to do.
    #[arg(long, value_name = "NAME", default_value = "fill-random", requires = "data")]
    pub(crate) workload: Workload,
    /// How long, instead of how many operations.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "operations", requires = "data")]
    pub(crate) time: Option<Duration>,
    /// Tasks, each with one operation in flight.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "data")]
    pub(crate) threads: u64,
    /// Writes in a batch, in the fills and in overwrite.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "data")]
    pub(crate) batch: u64,
    /// Keys that seek and workload e read behind the one they look for.
    #[arg(long, value_name = "N", default_value_t = 10, requires = "data")]
    pub(crate) scan: u64,
    /// How much of each value is the same byte, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100), requires = "data")]
    pub(crate) compressible: u8,
    /// Log segments go on in a new file at about this length.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, requires = "data")]
    pub(crate) segment: Option<usize>,
    /// What the keys and values are drawn from.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "data")]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
}
