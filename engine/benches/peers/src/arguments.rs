//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::engines::Name;
use crate::settings::Compression;

/// Runs the same workloads on Stormglass' engine and on its peers, and prints the figures side by side.
///
/// Every row is measured for at most --seconds, in --rounds rounds that take the engines in turn; the tables show
/// medians. All rows on all engines take about fifty minutes, an hour at most.
#[derive(Debug, Parser)]
#[command(name = "cargo peers --", max_term_width = 80, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Rows to run, by name; `*` stands for anything.
    #[arg(long, value_name = "GLOB,...", value_delimiter = ',', default_value = "*")]
    pub(crate) rows: Vec<String>,

    /// Engines to run them on.
    #[arg(long, value_name = "NAME,...", value_enum, value_delimiter = ',', default_values_t = Name::ALL)]
    pub(crate) engines: Vec<Name>,

    /// Rounds; each row's figure is the median of them.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rounds: u64,

    /// Measured time of a row, at most.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,

    /// Keys of a row; the rows that begin with large/ have ten times as many.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub(crate) keys: u64,

    /// What RocksDB and fjall pack blocks with.
    #[arg(long, value_enum, default_value_t = Compression::None)]
    pub(crate) compression: Compression,

    /// Keys and values are drawn from this.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Where the data goes: a folder peers-data is made in it, and removed at the end.
    #[arg(long, default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Also writes every figure of every round to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Prints the rows that would run, with what they do, and ends.
    #[arg(long)]
    pub(crate) list: bool,

    /// One engine's part, in a process of its own; for this program only.
    #[arg(long, hide = true)]
    pub(crate) child: Option<String>,
}

const EXAMPLES: &str = "\
A first look, in about a minute:
  cargo peers --keys 20000 --seconds 0.2 --rounds 1

Ours and RocksDB on what a change is meant to make faster:
  cargo peers --engines stormglass,rocksdb --rows 'read-*,large/read'

What rows there are:
  cargo peers --list

The machine should do nothing else meanwhile. Ratios above 1.00 mean that
Stormglass is the faster one.";
