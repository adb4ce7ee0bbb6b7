//! What can be typed, and the help that teaches it. Values are parsed here as far as they can be without looking at the world;
//! clap refuses the rest with exit code 2.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use cluster::config::parse_duration;
use cluster::coordinator::Level;

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
    /// Generate load, note what was acknowledged, and verify it later.
    Bench(Bench),
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
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The key.
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The key: 1 to 32,768 bytes.
    pub(crate) key: String,
    /// The value: at most 4 MiB.
    #[arg(required_unless_present = "file")]
    pub(crate) value: Option<String>,
    /// Take the value from this file instead; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "value")]
    pub(crate) file: Option<PathBuf>,
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
pub(crate) struct Scan {
    /// The first key of interest.
    #[arg(long, value_name = "KEY", default_value = "")]
    pub(crate) from: String,
    /// The first key not of interest; empty for no end.
    #[arg(long, value_name = "KEY", default_value = "")]
    pub(crate) until: String,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Inspect {
    /// Dump a write-ahead log record by record.
    Wal(Wal),
}

#[derive(Debug, Args)]
pub(crate) struct Wal {
    /// A log segment, or a data directory for all of its segments.
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stormglass bench --node 127.0.0.1:7101 --operations 10000 --acked acked.tsv\n  \
    stormglass bench --node 127.0.0.1:7101 --verify acked.tsv")]
pub(crate) struct Bench {
    /// The nodes to ask, as HOST:PORT; give it several times to spread the clients over them.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7101")]
    pub(crate) node: Vec<String>,
    /// How many operations in all.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) operations: u64,
    /// Clients, each with one operation in flight.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) clients: u64,
    /// Different keys; 0 gives every write a key of its own.
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
    /// Note here every key that is sent, and every one that is acknowledged (needs --keys 0).
    #[arg(long, value_name = "FILE", conflicts_with = "keys")]
    pub(crate) acked: Option<PathBuf>,
    /// Do not write: check that everything acknowledged in this file is there, and nothing that was never sent.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["acked", "history"])]
    pub(crate) verify: Option<PathBuf>,
    /// Write the history of all operations as JSON lines, in the laboratory's format.
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
}
