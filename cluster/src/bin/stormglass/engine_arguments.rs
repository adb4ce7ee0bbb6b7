//! How an embedded engine is opened, as it can be typed: one set of options for every command that opens a directory.
//!
//! ```text
//!   --strategy leveled            the defaults of a strategy
//!   --strategy tiered,runs=6      one field of it changed: the names and units are those of the engine's documentation
//!   --memory 256MiB               bytes, or KiB, MiB, GiB
//! ```

use clap::{Args, ValueEnum};
use cluster::config::parse_durability;
use engine::compaction::Strategy;
use engine::{CachePolicy, Compression, Durability, Options};

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionName {
    None,
    Lz4,
    Zstd,
}

/// How the block cache chooses what to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CacheName {
    S3Fifo,
    Lru,
}

/// How the engine is opened. What is not said keeps the engine's default.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Engine, with --data")]
pub(crate) struct EngineArguments {
    /// leveled, tiered, lazy-leveled or fifo; fields may follow, as in leveled,fanout=8,table_bytes=33554432.
    #[arg(long, requires = "data", value_name = "NAME", value_parser = parse_strategy)]
    pub(crate) strategy: Option<Strategy>,
    /// Memory for memtables, cache, filters and indexes together.
    #[arg(long, requires = "data", value_name = "SIZE", value_parser = parse_bytes)]
    pub(crate) memory: Option<usize>,
    /// Memory at which a memtable is written to a table.
    #[arg(long, requires = "data", value_name = "SIZE", value_parser = parse_bytes)]
    pub(crate) memtable: Option<usize>,
    /// Uncompressed bytes of a data block.
    #[arg(long, requires = "data", value_name = "SIZE", value_parser = parse_bytes)]
    pub(crate) block: Option<usize>,
    /// How blocks are compressed.
    #[arg(long, requires = "data", value_name = "NAME")]
    pub(crate) compression: Option<CompressionName>,
    /// Bits of filter a key, such as 10 or 7.5; 0 for no filters.
    #[arg(long, requires = "data", value_name = "BITS", value_parser = parse_bits)]
    pub(crate) filter_bits: Option<u32>,
    /// How the block cache chooses what to keep.
    #[arg(long, requires = "data", value_name = "NAME")]
    pub(crate) cache: Option<CacheName>,
    /// When a write is on the disk: always, "interval 10ms", none.
    #[arg(long, requires = "data", value_name = "WHEN", value_parser = parse_durability)]
    pub(crate) durability: Option<Durability>,
    /// Compactions that run at once; 0 for none but what compact asks for.
    #[arg(long, requires = "data", value_name = "N")]
    pub(crate) compaction_jobs: Option<usize>,
}

impl EngineArguments {
    /// The engine's options.
    pub(crate) fn options(&self, create_if_missing: bool) -> Options {
        let default = Options::default();
        let memtable_bytes = self.memtable.unwrap_or(default.memtable_bytes);
        // A small memory alone is enough to say: the memtable then takes a quarter, as it does by default.
        let memtable_bytes = match (self.memory, self.memtable) {
            (Some(memory), None) => memtable_bytes.min(memory / 4),
            _ => memtable_bytes,
        };
        Options {
            create_if_missing,
            durability: self.durability.unwrap_or(default.durability),
            memory_bytes: self.memory.unwrap_or(default.memory_bytes),
            memtable_bytes,
            block_bytes: self.block.unwrap_or(default.block_bytes),
            compression: match self.compression {
                None => default.compression,
                Some(CompressionName::None) => Compression::None,
                Some(CompressionName::Lz4) => Compression::Lz4,
                Some(CompressionName::Zstd) => Compression::Zstd,
            },
            filter_millibits_per_key: self.filter_bits.unwrap_or(default.filter_millibits_per_key),
            cache_policy: match self.cache {
                None => default.cache_policy,
                Some(CacheName::S3Fifo) => CachePolicy::S3Fifo,
                Some(CacheName::Lru) => CachePolicy::Lru,
            },
            strategy: self.strategy.clone().unwrap_or_default(),
            compaction_jobs: self.compaction_jobs.unwrap_or(default.compaction_jobs),
            ..default
        }
    }
}

/// Reads a strategy's name, and fields of it behind commas.
pub(crate) fn parse_strategy(text: &str) -> Result<Strategy, String> {
    let mut parts = text.split(',').map(str::trim);
    let kind = parts.next().unwrap_or_default().replace('-', "_");
    if !["leveled", "tiered", "lazy_leveled", "fifo"].contains(&kind.as_str()) {
        return Err(format!("`{kind}` is no strategy: use leveled, tiered, lazy-leveled or fifo"));
    }
    let mut fields = serde_json::Map::from_iter([("kind".to_string(), serde_json::Value::from(kind))]);
    for part in parts {
        let (name, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not FIELD=NUMBER"))?;
        let value = parse_bytes(value)? as u64;
        fields.insert(name.trim().to_string(), serde_json::Value::from(value));
    }
    let strategy: Strategy = serde_json::from_value(fields.into()).map_err(|error| error.to_string())?;
    strategy.validate().map_err(|error| error.to_string())?;
    Ok(strategy)
}

/// Reads a number of bytes such as `4096`, `64KiB`, `256MiB`, `1GiB`.
pub(crate) fn parse_bytes(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).trim_end();
    let unit: usize = match text[digits.len()..].trim() {
        "" | "B" => 1,
        "KiB" | "k" | "K" => 1 << 10,
        "MiB" | "m" | "M" => 1 << 20,
        "GiB" | "g" | "G" => 1 << 30,
        unit => return Err(format!("`{unit}` is no unit of bytes: use KiB, MiB or GiB")),
    };
    let number: usize = digits.parse().map_err(|_| format!("`{text}` is not a number of bytes such as 64MiB"))?;
    number.checked_mul(unit).ok_or_else(|| format!("`{text}` is more than there can be"))
}

/// Reads bits a key, as thousandths.
fn parse_bits(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a number of bits between 0 and 32, with at most three decimals");
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let thousandths: u32 = format!("{decimals:0<3}").parse().map_err(|_| wrong())?;
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    whole.checked_mul(1000).map(|bits| bits + thousandths).filter(|bits| *bits <= 32_000).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_nonsense_is_refused() {
        assert_eq!(parse_bytes("4096"), Ok(4096));
        assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
        assert_eq!(parse_bytes("1 GiB"), Ok(1 << 30));
        for text in ["", "MiB", "-1", "12MB", "1.5MiB", "99999999999999999999", "99999999999GiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
        assert_eq!(parse_bits("7.5"), Ok(7_500));
        assert_eq!(parse_bits("10"), Ok(10_000));
        for text in ["", "x", "33", "32.001", "1.2345", "-1"] {
            assert!(parse_bits(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_strategy_takes_fields_and_refuses_others_by_name() {
        let Ok(Strategy::Tiered(tiered)) = parse_strategy("tiered,runs=6,table_bytes=1MiB") else {
            panic!("no tiered")
        };
        assert_eq!((tiered.runs, tiered.table_bytes, tiered.levels), (6, 1 << 20, 7));
        assert!(matches!(parse_strategy("lazy-leveled"), Ok(Strategy::LazyLeveled(_))));
        let unknown = parse_strategy("leveled,fanuot=8").map_err(|error| error.contains("fanuot"));
        assert_eq!(unknown, Err(true));
        assert!(parse_strategy("leveled,fanout=1").is_err() && parse_strategy("tired").is_err());
    }
}
