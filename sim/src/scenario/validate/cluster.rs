//! The sections `cluster`, `network`, `disk` and `clocks`: what there is before anything goes wrong.
//!
//! What is left out gets the safe setting (three replicas, sync before acknowledge) on ordinary hardware: a network of
//! one millisecond, a disk that syncs in 80 microseconds, clocks in step.

use std::ops::RangeInclusive;

use super::super::contradiction::Contradiction;
use super::super::errors::Flaw;
use super::super::link::Latency;
use super::super::path::FieldPath;
use super::super::plan::{ClockPlan, ClusterPlan, DiskPlan, Durability, LinkPlan, NetworkPlan, Survival};
use super::super::raw;
use super::super::units;
use super::{Checker, word};
use ::cluster::config::{MEMTABLE_BYTES_MIN, WAL_SEGMENT_BYTES_MIN};

/// A scenario's cluster has no more nodes.
const NODES_MAX: u16 = 100;

const NODES_DEFAULT: u64 = 3;
const REPLICATION_DEFAULT: u64 = 3;
const PARTITIONS_DEFAULT: u64 = 64;
const PARTITIONS_MAX: u64 = 65_536;
const MAX_CLOCK_OFFSET_MICROS_DEFAULT: u64 = 500_000;
const COORDINATOR_TIMEOUT_MICROS_DEFAULT: u64 = 1_000_000;
const WAL_SEGMENT_BYTES: RangeInclusive<u64> = WAL_SEGMENT_BYTES_MIN..=1 << 30;
const WAL_SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;
const MEMTABLE_BYTES: RangeInclusive<u64> = MEMTABLE_BYTES_MIN as u64..=1 << 30;
/// Small, so that every scenario flushes and compacts.
const MEMTABLE_BYTES_DEFAULT: u64 = 16 << 10;
const NETWORK_LATENCY_DEFAULT: Latency = Latency { median_micros: 1_000, p99_micros: 5_000 };
const DISK_LATENCY_DEFAULT: Latency = Latency { median_micros: 80, p99_micros: 2_000 };

impl Checker {
    pub(super) fn cluster(&mut self, raw: &raw::Cluster) -> ClusterPlan {
        let path = FieldPath::root().key("cluster");
        let nodes_max = u64::from(NODES_MAX);
        let nodes = self.measure(&raw.nodes, NODES_DEFAULT, nodes_max, |text| units::whole_number(text, 1, nodes_max));
        let replication = self
            .value(&raw.replication, REPLICATION_DEFAULT.min(nodes), |text| units::whole_number(text, 1, nodes_max));
        if replication > nodes {
            self.refuse(path.key("replication"), Contradiction::ReplicationExceedsNodes { replication, nodes });
        }
        let partitions =
            self.value(&raw.partitions, PARTITIONS_DEFAULT, |text| units::whole_number(text, 1, PARTITIONS_MAX));
        if !partitions.is_power_of_two() {
            self.refuse(path.key("partitions"), Contradiction::PartitionsNotAPowerOfTwo { partitions });
        }
        ClusterPlan {
            node_count: nodes as u16,
            replication: replication as u16,
            partition_count: partitions as u32,
            durability: self.value(&raw.durability, Durability::Always, durability),
            max_clock_offset_micros: self.positive_time(&raw.max_clock_offset, MAX_CLOCK_OFFSET_MICROS_DEFAULT),
            coordinator_timeout_micros: self.positive_time(&raw.timeout, COORDINATOR_TIMEOUT_MICROS_DEFAULT),
            wal_segment_bytes: self.value(&raw.wal_segment_bytes, WAL_SEGMENT_BYTES_DEFAULT, |text| {
                units::whole_number(text, *WAL_SEGMENT_BYTES.start(), *WAL_SEGMENT_BYTES.end())
            }),
            memtable_bytes: self.value(&raw.memtable_bytes, MEMTABLE_BYTES_DEFAULT, |text| {
                units::whole_number(text, *MEMTABLE_BYTES.start(), *MEMTABLE_BYTES.end())
            }),
        }
    }

    pub(super) fn network(&mut self, raw: &raw::Network) -> NetworkPlan {
        let path = FieldPath::root().key("network");
        let mut links = Vec::new();
        for (position, link) in raw.links.as_deref().unwrap_or_default().iter().enumerate() {
            links.push(self.link(link, &path.key("links").index(position)));
        }
        NetworkPlan {
            latency: self.latency(&raw.latency, &path.key("latency")).unwrap_or(NETWORK_LATENCY_DEFAULT),
            loss_ppm: self.value(&raw.loss, 0, units::share),
            duplicate_ppm: self.value(&raw.duplicate, 0, units::share),
            links,
        }
    }

    fn link(&mut self, raw: &raw::Link, path: &FieldPath) -> LinkPlan {
        if raw.latency.is_none() && raw.loss.is_none() && raw.duplicate.is_none() {
            self.refuse(path.clone(), Contradiction::ChangesNothing);
        }
        let (from, to) = self.senders_and_receivers(&raw.from, &raw.to, path);
        LinkPlan {
            from,
            to,
            latency: self.latency(&raw.latency, &path.key("latency")),
            loss_ppm: self.optional(&raw.loss, units::share),
            duplicate_ppm: self.optional(&raw.duplicate, units::share),
        }
    }

    pub(super) fn disk(&mut self, raw: &raw::Disk) -> DiskPlan {
        let path = FieldPath::root().key("disk");
        let mut nodes = Vec::new();
        for (position, of_node) in raw.nodes.as_deref().unwrap_or_default().iter().enumerate() {
            let path = path.key("nodes").index(position);
            let node = self.node_required(&of_node.node, &path);
            if of_node.latency.is_none() {
                let purpose = "how long a sync takes there, as in { median: 50ms, p99: 200ms }";
                self.refuse(path.clone(), Flaw::Missing { key: "latency", purpose });
            }
            let latency = self.latency(&of_node.latency, &path.key("latency"));
            let (Some(node), Some(latency)) = (node, latency) else { continue };
            if nodes.iter().any(|(known, _)| *known == node) {
                self.refuse(path.key("node"), Contradiction::NodeDescribedTwice { node: node.to_string() });
            }
            nodes.push((node, latency));
        }
        let survivals =
            [("random", Survival::Random), ("nothing", Survival::Nothing), ("everything", Survival::Everything)];
        DiskPlan {
            latency: self.latency(&raw.latency, &path.key("latency")).unwrap_or(DISK_LATENCY_DEFAULT),
            nodes,
            survival: self.value(&raw.survival, Survival::Random, |text| word(text, &survivals)),
        }
    }

    pub(super) fn clocks(&mut self, raw: &[raw::Clock]) -> Vec<ClockPlan> {
        let mut clocks: Vec<ClockPlan> = Vec::new();
        for (position, clock) in raw.iter().enumerate() {
            let path = FieldPath::root().key("clocks").index(position);
            if clock.skew.is_none() && clock.drift.is_none() {
                self.refuse(path.clone(), Contradiction::ChangesNothing);
            }
            let node = self.node_required(&clock.node, &path);
            let skew_micros = self.value(&clock.skew, 0, units::time_signed);
            let drift_ppm = self.value(&clock.drift, 0, units::drift);
            let Some(node) = node else { continue };
            if clocks.iter().any(|known| known.node == node) {
                self.refuse(path.key("node"), Contradiction::NodeDescribedTwice { node: node.to_string() });
            }
            clocks.push(ClockPlan { node, skew_micros, drift_ppm });
        }
        clocks
    }
}

fn durability(text: &str) -> Result<Durability, Flaw> {
    match text {
        "always" => return Ok(Durability::Always),
        "none" => return Ok(Durability::None),
        _ => {}
    }
    if let Some(micros) = text.strip_prefix("interval ").and_then(|time| units::time(time.trim()).ok()) {
        let micros = units::within_bounds(text, micros, 1, units::TIME_MICROS_MAX, units::time_text)?;
        return Ok(Durability::Interval { micros });
    }
    Err(Flaw::NotUnderstood { text: text.to_string(), expected: "a durability: write always, interval 10ms or none" })
}
