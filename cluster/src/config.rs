//! `node.yaml`: what one node is told before it starts. The only place that reads YAML.
//!
//! ```yaml
//! node: n1                      # who this is; also its part of every version stamp
//! data: ./data/n1               # its directory, its alone
//! nodes:                        # every member and where it listens
//!   n1: 127.0.0.1:7101
//!   n2: 127.0.0.1:7102
//!   n3: 127.0.0.1:7103
//! replication: 3                # N: replicas of each key, on distinct nodes        (default 3, or all when fewer)
//! partitions: 64                # equal arcs of the ring, a power of two; for ever  (default 64)
//! durability: always            # always | interval 10ms | none                     (default always)
//! wal_segment_bytes: 67108864   # the log goes on in a new file at about this length (default 64 MiB, at least 1024)
//! memory_bytes: 268435456       # memtables, cached blocks, filters and indexes together   (default 256 MiB)
//! memtable_bytes: 67108864      # a memtable of this size is written to a table            (default 64 MiB, at least 4096)
//! compaction: leveled           # leveled | tiered | lazy_leveled                          (default leveled)
//! max_clock_offset: 500ms       # a new version further in the future is refused    (default 500ms)
//! request_timeout: 1s           # for requests that bring no timeout of their own   (default 1s)
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::compaction::{LazyLeveled, Leveled, Strategy, Tiered};
use engine::{Durability, Options};
use serde::Deserialize;

use crate::ring::{Placement, PlacementError};
use crate::world::NodeId;

/// The shortest file that a log may be cut into: below it, a file would hold hardly more than its own beginning.
pub const WAL_SEGMENT_BYTES_MIN: u64 = 1024;

/// The smallest memtable that makes sense.
pub const MEMTABLE_BYTES_MIN: usize = 4096;

/// A validated `node.yaml`.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Who this node is.
    pub node: NodeId,
    /// Its data directory.
    pub data: PathBuf,
    /// Every member, and the `host:port` where it listens.
    pub nodes: BTreeMap<NodeId, String>,
    /// N.
    pub replication: usize,
    /// Arcs of the ring, a power of two.
    pub partitions: u32,
    /// When a write is acknowledged.
    pub durability: Durability,
    /// Length at which the log goes on in a new file, in bytes; at least [`WAL_SEGMENT_BYTES_MIN`].
    pub wal_segment_bytes: u64,
    /// The engine's memory, in bytes.
    pub memory_bytes: usize,
    /// Size at which a memtable is written to a table, in bytes; at least [`MEMTABLE_BYTES_MIN`].
    pub memtable_bytes: usize,
    /// How tables are compacted.
    pub compaction: Strategy,
    /// How far a new version may lie in the future of this node's clock.
    pub max_clock_offset: Duration,
    /// Timeout of requests that bring none of their own.
    pub request_timeout: Duration,
}

/// A `node.yaml` that cannot be used; says where and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {reason}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ConfigError {
    /// The file.
    pub file: String,
    /// The line, where it is known.
    pub line: Option<usize>,
    /// What is wrong, and with which field.
    pub reason: String,
}

const KEYS: [&str; 12] = [
    "node",
    "data",
    "nodes",
    "replication",
    "partitions",
    "durability",
    "wal_segment_bytes",
    "memory_bytes",
    "memtable_bytes",
    "compaction",
    "max_clock_offset",
    "request_timeout",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    node: String,
    data: PathBuf,
    nodes: BTreeMap<String, String>,
    replication: Option<usize>,
    partitions: Option<u32>,
    durability: Option<String>,
    wal_segment_bytes: Option<u64>,
    memory_bytes: Option<usize>,
    memtable_bytes: Option<usize>,
    compaction: Option<String>,
    max_clock_offset: Option<String>,
    request_timeout: Option<String>,
}

impl NodeConfig {
    /// Reads and validates the text of a `node.yaml`. A relative `data` is relative to the file's folder.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let at = |line, reason| ConfigError { file: file.display().to_string(), line, reason };
        let raw: RawConfig = serde_yaml::from_str(text).map_err(|error| {
            let line = error.location().map(|location| location.line());
            at(line, with_nearest_key(&error.to_string()))
        })?;
        let field = |name: &str, reason: String| at(line_of(text, name), format!("{name}: {reason}"));
        let node: NodeId = raw.node.parse().map_err(|error| field("node", format!("{error}")))?;
        let mut nodes = BTreeMap::new();
        for (name, address) in raw.nodes {
            let member: NodeId = name.parse().map_err(|error| field("nodes", format!("{error}")))?;
            check_address(&address).map_err(|reason| field(&name, reason))?;
            nodes.insert(member, address);
        }
        if !nodes.contains_key(&node) {
            let known = nodes.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(field("node", format!("{node} is not among nodes ({known}): add its address there")));
        }
        let duration = |name: &str, text: Option<String>, default: Duration| match text {
            None => Ok(default),
            Some(text) => parse_duration(&text).map_err(|reason| field(name, reason)),
        };
        let durability = match raw.durability {
            None => Durability::Always,
            Some(text) => parse_durability(&text).map_err(|reason| field("durability", reason))?,
        };
        let wal_segment_bytes = raw.wal_segment_bytes.unwrap_or(Options::default().segment_bytes);
        if wal_segment_bytes < WAL_SEGMENT_BYTES_MIN {
            let reason = format!("{wal_segment_bytes} bytes are too few: at least {WAL_SEGMENT_BYTES_MIN}");
            return Err(field("wal_segment_bytes", reason));
        }
        let defaults = Options::default();
        let memory_bytes = raw.memory_bytes.unwrap_or(defaults.memory_bytes);
        let memtable_bytes = raw.memtable_bytes.unwrap_or(defaults.memtable_bytes.min(memory_bytes));
        if memtable_bytes < MEMTABLE_BYTES_MIN || memtable_bytes > memory_bytes {
            let reason = format!(
                "{memtable_bytes} bytes: it must be at least {MEMTABLE_BYTES_MIN} and fit memory_bytes, {memory_bytes}"
            );
            return Err(field("memtable_bytes", reason));
        }
        let compaction = match raw.compaction {
            None => defaults.strategy,
            Some(text) => parse_compaction(&text).map_err(|reason| field("compaction", reason))?,
        };
        let folder = file.parent().unwrap_or(Path::new(""));
        let config = Self {
            node,
            data: folder.join(raw.data),
            replication: raw.replication.unwrap_or(nodes.len().min(3)),
            nodes,
            partitions: raw.partitions.unwrap_or(64),
            durability,
            wal_segment_bytes,
            memory_bytes,
            memtable_bytes,
            compaction,
            max_clock_offset: duration("max_clock_offset", raw.max_clock_offset, Duration::from_millis(500))?,
            request_timeout: duration("request_timeout", raw.request_timeout, Duration::from_secs(1))?,
        };
        config.placement().map_err(|error| {
            let name = match error {
                PlacementError::MoreReplicasThanNodes { .. } | PlacementError::NoReplicas => "replication",
                _ => "partitions",
            };
            field(name, error.to_string())
        })?;
        Ok(config)
    }

    /// The placement that these members, replication and partitions give.
    pub fn placement(&self) -> Result<Placement, PlacementError> {
        let members: Vec<NodeId> = self.nodes.keys().copied().collect();
        Placement::new(1, &members, self.replication, self.partitions)
    }

    /// What all nodes of a cluster must agree on: members, replication and partitions. Nodes that differ refuse each other.
    pub fn fingerprint(&self) -> String {
        let members: Vec<String> = self.nodes.keys().map(ToString::to_string).collect();
        format!("{} replication {} partitions {}", members.join(" "), self.replication, self.partitions)
    }

    /// How the engine is opened.
    pub fn engine_options(&self) -> Options {
        Options {
            durability: self.durability,
            segment_bytes: self.wal_segment_bytes,
            memory_bytes: self.memory_bytes,
            memtable_bytes: self.memtable_bytes,
            strategy: self.compaction.clone(),
            ..Options::default()
        }
    }
}

/// Reads `always`, `interval DURATION` or `none`.
pub fn parse_durability(text: &str) -> Result<Durability, String> {
    match text.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["always"] => Ok(Durability::Always),
        ["none"] => Ok(Durability::None),
        ["interval", interval] => Ok(Durability::Interval(parse_duration(interval)?)),
        _ => Err(format!("`{text}` is not a durability: use always, interval 10ms, or none")),
    }
}

/// Reads the name of a compaction strategy.
pub fn parse_compaction(text: &str) -> Result<Strategy, String> {
    match text.trim() {
        "leveled" => Ok(Strategy::Leveled(Leveled::default())),
        "tiered" => Ok(Strategy::Tiered(Tiered::default())),
        "lazy_leveled" => Ok(Strategy::LazyLeveled(LazyLeveled::default())),
        _ => Err(format!("`{text}` is no strategy: use leveled, tiered or lazy_leveled")),
    }
}

/// Reads a duration such as `80us`, `10ms`, `1s 500ms`; zero is refused.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|error| format!("`{text}` is not a duration such as 10ms: {error}"))?;
    if duration.is_zero() { Err(format!("`{text}` is no time at all")) } else { Ok(duration) }
}

fn check_address(address: &str) -> Result<(), String> {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) => Ok(()),
        _ => Err(format!("`{address}` is not an address: write host:port, as in 127.0.0.1:7101")),
    }
}

/// Adds the nearest valid key to serde's message about an unknown one.
fn with_nearest_key(message: &str) -> String {
    let Some(unknown) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) else {
        return message.to_string();
    };
    let nearest = KEYS
        .iter()
        .max_by(|left, right| strsim::jaro_winkler(left, unknown).total_cmp(&strsim::jaro_winkler(right, unknown)));
    format!("unknown key `{unknown}`; did you mean `{}`? Valid keys: {}", nearest.unwrap_or(&"node"), KEYS.join(", "))
}

/// The line on which a key stands, for errors that are found after parsing.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let names_it =
        |line: &str| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'));
    text.lines().position(names_it).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "node: n1\ndata: data/n1\nnodes:\n  n1: 127.0.0.1:7101\n  n2: 127.0.0.1:7102\n";

    fn refused(text: &str) -> String {
        NodeConfig::parse(Path::new("etc/node.yaml"), text).unwrap_err().to_string()
    }

    #[test]
    fn a_short_file_gets_safe_defaults() {
        let config = NodeConfig::parse(Path::new("etc/node.yaml"), GOOD).unwrap();
        assert_eq!(config.replication, 2);
        assert_eq!(config.partitions, 64);
        assert_eq!(config.durability, Durability::Always);
        assert_eq!(config.data, Path::new("etc/data/n1"));
        assert_eq!(config.engine_options(), Options::default());
    }

    #[test]
    fn errors_name_file_line_field_and_remedy() {
        let unknown = refused(&format!("{GOOD}replicaton: 2\n"));
        assert!(
            unknown.starts_with("etc/node.yaml:6: unknown key `replicaton`; did you mean `replication`?"),
            "{unknown}"
        );
        let too_many = refused(&format!("{GOOD}replication: 3\n"));
        assert!(
            too_many.starts_with("etc/node.yaml:6: replication: replication is 3, but the cluster has 2"),
            "{too_many}"
        );
        let stranger = refused(&GOOD.replace("node: n1", "node: n7"));
        assert!(stranger.starts_with("etc/node.yaml:1: node: n7 is not among nodes (n1, n2)"), "{stranger}");
        let address = refused(&GOOD.replace("127.0.0.1:7102", "127.0.0.1"));
        assert!(address.starts_with("etc/node.yaml:5: n2: `127.0.0.1` is not an address"), "{address}");
        let partitions = refused(&format!("{GOOD}partitions: 100\n"));
        assert!(partitions.contains(":6: partitions: 100 partitions"), "{partitions}");
        let durability = refused(&format!("{GOOD}durability: sometimes\n"));
        assert!(durability.contains("use always, interval 10ms, or none"), "{durability}");
        let segment = refused(&format!("{GOOD}wal_segment_bytes: 100\n"));
        assert!(segment.contains(":6: wal_segment_bytes: 100 bytes are too few: at least 1024"), "{segment}");
        let segment = refused(&format!("{GOOD}wal_segment_bytes: -1\n"));
        assert!(segment.starts_with("etc/node.yaml:6: wal_segment_bytes: invalid type"), "{segment}");
    }

    #[test]
    fn the_length_of_log_files_reaches_the_engine() {
        let config = NodeConfig::parse(Path::new("node.yaml"), &format!("{GOOD}wal_segment_bytes: 4096\n")).unwrap();
        assert_eq!(config.engine_options().segment_bytes, 4096);
    }

    #[test]
    fn text_that_is_no_configuration_is_an_error_not_a_panic() {
        for text in ["", "[]", "node: {", "\u{0}", "node: n1\nnode: n2", "- a\n b: :"] {
            assert!(NodeConfig::parse(Path::new("x"), text).is_err(), "{text:?} was taken for a configuration");
        }
    }
}
