//! A scenario as it stands in the file: which keys there are, and what shape their values have.
//!
//! Every field is optional here and every scalar is text, so that reading never stops at the first thing that is wrong;
//! values, defaults and contradictions are judged in `validate`. The fields below are the lists of keys that errors show.
//!
//! ```yaml
//! name, about: text         # required          seed: 1
//! cluster:     { nodes: 3, replication: 3, partitions: 64, durability: always | interval 10ms | none,
//!                max_clock_offset: 500ms, timeout: 1s,                     # timeout: the coordinator's
//!                wal_segment_bytes: 67108864, memtable_bytes: 16384 }
//! network:     { latency: 1ms | { median: 1ms, p99: 5ms }, loss: 0.1%, duplicate: 0.1%,
//!                links: [{ from: [n1, c0], to: [n2], latency, loss, duplicate }] }
//! disk:        { latency, nodes: [{ node: n3, latency }], survival: random | nothing | everything }
//! clocks:      [{ node: n1, skew: -200ms, drift: 100ppm }]
//! workload:    { clients: 4, duration: 10s, rate: 100/s, timeout: 2s, coordinators: any | owners | outsiders,
//!                keys: { count: 16, distribution: uniform | { zipf: 0.99 } }, value_bytes: 16..100,
//!                mix: { read: 50, write: 50, delete: 0 }, consistency: { read, write, delete: one | quorum | all | 2 },
//!                operations: [{ at: 5ms, client: c0, kind: write, key: k3, bytes: 40, through: n2 }] }   # nothing is drawn
//! faults:      - at: 5s                        # or: every: 4s..8s, from: 0s, until: 25s; or: when: ..., from: 0s
//!                for: 10s                      # a range or one time; without it, until the workload ends
//!                                              # one action: see `fault`
//! expect:      { lost_writes, stale_reads, resurrections, monotonic_reads, read_your_writes, monotonic_writes,
//!                writes_follow_reads: 0 | ">= 1", linearizable: true | false, converged: true,
//!                availability: ">= 60%" | [{ during: 6s..14s, through: [n1], kind: read, is: ">= 60%" }],
//!                latency: [{ kind: read, percentile: p99, during, through, is: "<= 30ms" }] }
//! at_least:    { read: 100, write: 100, delete: 100,         # ok results; of each kind in the mix, unless said
//!                torn_tails: 0, interrupted_recoveries: 0 }  # what recoveries met, all nodes together
//! ```

mod fault;

use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub(super) use self::fault::*;
use super::path::FieldPath;

/// A scalar as written, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) path: FieldPath,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextAndPath;
        impl<'de> Visitor<'de> for TextAndPath {
            type Value = Text;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a single value")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Text, A::Error> {
                let missing = || de::Error::custom("a single value comes with its path");
                let text: String = access.next_element()?.ok_or_else(missing)?;
                let path: String = access.next_element()?.ok_or_else(missing)?;
                Ok(Text { text: text.trim().to_string(), path: FieldPath::from_text(path) })
            }
        }
        deserializer.deserialize_tuple_struct("Text", 2, TextAndPath)
    }
}

/// A value that is written short, as one scalar, or at length.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TextOrMap<T> {
    Text(Text),
    Map(T),
}

/// One name, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TextOrList {
    Text(Text),
    List(Vec<Text>),
}

/// One demand, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum MapOrList<T> {
    Map(T),
    List(Vec<T>),
}

/// One demand, short or at length, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TextMapOrList<T> {
    Text(Text),
    Map(T),
    List(Vec<T>),
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Scenario {
    pub(super) name: Option<Text>,
    pub(super) about: Option<Text>,
    pub(super) seed: Option<Text>,
    pub(super) cluster: Option<Cluster>,
    pub(super) network: Option<Network>,
    pub(super) disk: Option<Disk>,
    pub(super) clocks: Option<Vec<Clock>>,
    pub(super) workload: Option<Workload>,
    pub(super) faults: Option<Vec<Fault>>,
    pub(super) expect: Option<Expect>,
    pub(super) at_least: Option<AtLeast>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Cluster {
    pub(super) nodes: Option<Text>,
    pub(super) replication: Option<Text>,
    pub(super) partitions: Option<Text>,
    pub(super) durability: Option<Text>,
    pub(super) max_clock_offset: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) wal_segment_bytes: Option<Text>,
    pub(super) memtable_bytes: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Network {
    pub(super) latency: Option<TextOrMap<Latency>>,
    pub(super) loss: Option<Text>,
    pub(super) duplicate: Option<Text>,
    pub(super) links: Option<Vec<Link>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Latency {
    pub(super) median: Option<Text>,
    pub(super) p99: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Link {
    pub(super) from: Option<Vec<Text>>,
    pub(super) to: Option<Vec<Text>>,
    pub(super) latency: Option<TextOrMap<Latency>>,
    pub(super) loss: Option<Text>,
    pub(super) duplicate: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Disk {
    pub(super) latency: Option<TextOrMap<Latency>>,
    pub(super) nodes: Option<Vec<DiskOfNode>>,
    pub(super) survival: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct DiskOfNode {
    pub(super) node: Option<Text>,
    pub(super) latency: Option<TextOrMap<Latency>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Clock {
    pub(super) node: Option<Text>,
    pub(super) skew: Option<Text>,
    pub(super) drift: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Workload {
    pub(super) clients: Option<Text>,
    pub(super) duration: Option<Text>,
    pub(super) rate: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) keys: Option<Keys>,
    pub(super) mix: Option<PerKind>,
    pub(super) consistency: Option<PerKind>,
    pub(super) value_bytes: Option<Text>,
    pub(super) coordinators: Option<Text>,
    pub(super) operations: Option<Vec<Operation>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Operation {
    pub(super) at: Option<Text>,
    pub(super) client: Option<Text>,
    pub(super) kind: Option<Text>,
    pub(super) key: Option<Text>,
    pub(super) bytes: Option<Text>,
    pub(super) through: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Keys {
    pub(super) count: Option<Text>,
    pub(super) distribution: Option<TextOrMap<Distribution>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Distribution {
    pub(super) zipf: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct PerKind {
    pub(super) read: Option<Text>,
    pub(super) write: Option<Text>,
    pub(super) delete: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct AtLeast {
    pub(super) read: Option<Text>,
    pub(super) write: Option<Text>,
    pub(super) delete: Option<Text>,
    pub(super) torn_tails: Option<Text>,
    pub(super) interrupted_recoveries: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Expect {
    pub(super) lost_writes: Option<Text>,
    pub(super) stale_reads: Option<Text>,
    pub(super) resurrections: Option<Text>,
    pub(super) monotonic_reads: Option<Text>,
    pub(super) read_your_writes: Option<Text>,
    pub(super) monotonic_writes: Option<Text>,
    pub(super) writes_follow_reads: Option<Text>,
    pub(super) linearizable: Option<Text>,
    pub(super) converged: Option<Text>,
    pub(super) availability: Option<TextMapOrList<Availability>>,
    pub(super) latency: Option<MapOrList<LatencyDemand>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Availability {
    pub(super) during: Option<Text>,
    pub(super) through: Option<Vec<Text>>,
    pub(super) kind: Option<Text>,
    pub(super) is: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct LatencyDemand {
    pub(super) during: Option<Text>,
    pub(super) through: Option<Vec<Text>>,
    pub(super) kind: Option<Text>,
    pub(super) percentile: Option<Text>,
    pub(super) is: Option<Text>,
}
