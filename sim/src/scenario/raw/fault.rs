//! The keys of one fault: when, how long, and one action.
//!
//! ```yaml
//! - at: 5s | every: 4s..8s, from: 0s, until: 25s | when: WHEN, from: 0s
//!   for: 10s                                            # a range or one time; without it, until the workload ends
//!   # the network
//!   partition: [[n1, n2], [n3, c0]]                     partition_one_way: { from: [n1], to: [n2] }
//!   isolate: { node: n1 | any }                         bridge: { node }         majorities_ring: {}
//!   flapping: { groups: [[n1], [n2]], cut: 100ms..300ms, whole: 100ms..300ms }
//!   slow_link: { from, to, latency }                    network: { latency, loss, duplicate }
//!   drop | delay | duplicate | corrupt: { message: write_back, from: n1 | [n1, c0] | any, to: any, HIT, latency (of delay) }
//!   clog: { from: [n1], to: [n2] }                      half_open: { from, to }
//!   capacity: { from, to, bytes_per_second: 20000 }     drip: { from, to, every: 20ms }
//!   # disks
//!   disk_error: { node, operation: read | append | sync, file: FILE, HIT }
//!   short_read | misdirected_read | misdirected_write | lost_write: { node, file: FILE, HIT }
//!   lying_sync: { node, file: FILE | folders, HIT }
//!   full_disk: { node, room_bytes: 0 }                  throttled_disk: { node, bytes_per_second: 100000 }
//!   slow_disk: { node, by: 50 }                         stalled_disk | read_only_disk: { node }
//!   bit_rot: { node, file: FILE, bytes: 1 }
//!   wipe: { node, down: 1s..3s }                        restore_backup: { node, taken: 2s, down: 1s..3s }
//!   # clocks and processes
//!   clock_step | clock_skew: { node, by: -300ms }       clock_drift: { node, by: 500ppm }
//!   clock_strobe: { node, by: 200ms, every: 10ms }      pause | freeze: { node }
//!   crash: { node: n1 | any | all, power: lost | kept, down: 1s..3s, again: { after: 1ms..5ms, times: 1 } }
//!   slow_node: { node, by: 20 }                         rolling_restart: { power: kept, down: 1s, between: 500ms }
//! # FILE: wal | table | manifest | current; without it, any           HIT: share: 5% | nth: 3 | count: 2; without it, all
//! # WHEN: { node: n2 | any, operation: sync, file: FILE, count: 3, after: heal | restart }
//! #     | { message: write_back | any, from: n1 | any, to: any, count: 1, after } | { event: heal | restart, node, count, after }
//! ```

use serde::Deserialize;

use super::{Latency, Text, TextOrList, TextOrMap};

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct Fault {
    pub(in crate::scenario) at: Option<Text>,
    pub(in crate::scenario) every: Option<Text>,
    pub(in crate::scenario) from: Option<Text>,
    pub(in crate::scenario) until: Option<Text>,
    pub(in crate::scenario) when: Option<When>,
    pub(in crate::scenario) r#for: Option<Text>,
    pub(in crate::scenario) partition: Option<Vec<Vec<Text>>>,
    pub(in crate::scenario) partition_one_way: Option<OneWay>,
    pub(in crate::scenario) isolate: Option<OfNode>,
    pub(in crate::scenario) crash: Option<Crash>,
    pub(in crate::scenario) pause: Option<OfNode>,
    pub(in crate::scenario) slow_disk: Option<ByNode>,
    pub(in crate::scenario) slow_link: Option<SlowLink>,
    pub(in crate::scenario) network: Option<Weather>,
    pub(in crate::scenario) clock_step: Option<ByNode>,
    pub(in crate::scenario) disk_error: Option<DiskCalls>,
    pub(in crate::scenario) short_read: Option<DiskCalls>,
    pub(in crate::scenario) misdirected_read: Option<DiskCalls>,
    pub(in crate::scenario) misdirected_write: Option<DiskCalls>,
    pub(in crate::scenario) lost_write: Option<DiskCalls>,
    pub(in crate::scenario) lying_sync: Option<DiskCalls>,
    pub(in crate::scenario) full_disk: Option<FullDisk>,
    pub(in crate::scenario) read_only_disk: Option<OfNode>,
    pub(in crate::scenario) stalled_disk: Option<OfNode>,
    pub(in crate::scenario) throttled_disk: Option<ThrottledDisk>,
    pub(in crate::scenario) bit_rot: Option<BitRot>,
    pub(in crate::scenario) wipe: Option<Wipe>,
    pub(in crate::scenario) restore_backup: Option<RestoreBackup>,
    pub(in crate::scenario) drop: Option<Messages>,
    pub(in crate::scenario) delay: Option<Messages>,
    pub(in crate::scenario) duplicate: Option<Messages>,
    pub(in crate::scenario) corrupt: Option<Messages>,
    pub(in crate::scenario) clog: Option<Way>,
    pub(in crate::scenario) capacity: Option<Way>,
    pub(in crate::scenario) drip: Option<Way>,
    pub(in crate::scenario) half_open: Option<Way>,
    pub(in crate::scenario) bridge: Option<OfNode>,
    pub(in crate::scenario) majorities_ring: Option<Empty>,
    pub(in crate::scenario) flapping: Option<Flapping>,
    pub(in crate::scenario) clock_skew: Option<ByNode>,
    pub(in crate::scenario) clock_drift: Option<ByNode>,
    pub(in crate::scenario) clock_strobe: Option<ClockStrobe>,
    pub(in crate::scenario) freeze: Option<OfNode>,
    pub(in crate::scenario) slow_node: Option<ByNode>,
    pub(in crate::scenario) rolling_restart: Option<RollingRestart>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct OneWay {
    pub(in crate::scenario) from: Option<Vec<Text>>,
    pub(in crate::scenario) to: Option<Vec<Text>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct OfNode {
    pub(in crate::scenario) node: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct ByNode {
    pub(in crate::scenario) node: Option<Text>,
    pub(in crate::scenario) by: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct Crash {
    pub(in crate::scenario) node: Option<Text>,
    pub(in crate::scenario) power: Option<Text>,
    pub(in crate::scenario) down: Option<Text>,
    pub(in crate::scenario) again: Option<Again>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct Again {
    pub(in crate::scenario) after: Option<Text>,
    pub(in crate::scenario) times: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct SlowLink {
    pub(in crate::scenario) from: Option<Vec<Text>>,
    pub(in crate::scenario) to: Option<Vec<Text>>,
    pub(in crate::scenario) latency: Option<TextOrMap<Latency>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct Weather {
    pub(in crate::scenario) latency: Option<TextOrMap<Latency>>,
    pub(in crate::scenario) loss: Option<Text>,
    pub(in crate::scenario) duplicate: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct When {
    pub(in crate::scenario) node: Option<Text>,
    pub(in crate::scenario) operation: Option<Text>,
    pub(in crate::scenario) file: Option<Text>,
    pub(in crate::scenario) message: Option<Text>,
    pub(in crate::scenario) from: Option<Text>,
    pub(in crate::scenario) to: Option<Text>,
    pub(in crate::scenario) event: Option<Text>,
    pub(in crate::scenario) count: Option<Text>,
    pub(in crate::scenario) after: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct DiskCalls {
    pub(in crate::scenario) node: Option<Text>,
    pub(in crate::scenario) operation: Option<Text>,
    pub(in crate::scenario) file: Option<Text>,
    pub(in crate::scenario) share: Option<Text>,
    pub(in crate::scenario) nth: Option<Text>,
    pub(in crate::scenario) count: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct FullDisk {
    pub(in crate::scenario) node: Option<Text>,
    pub(in crate::scenario) room_bytes: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct ThrottledDisk {
    pub(in crate::scenario) node: Option<Text>,
    pub(in crate::scenario) bytes_per_second: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct BitRot {
    pub(in crate::scenario) node: Option<Text>,
    pub(in crate::scenario) file: Option<Text>,
    pub(in crate::scenario) bytes: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct Wipe {
    pub(in crate::scenario) node: Option<Text>,
    pub(in crate::scenario) down: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct RestoreBackup {
    pub(in crate::scenario) node: Option<Text>,
    pub(in crate::scenario) taken: Option<Text>,
    pub(in crate::scenario) down: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct Messages {
    pub(in crate::scenario) message: Option<Text>,
    pub(in crate::scenario) from: Option<TextOrList>,
    pub(in crate::scenario) to: Option<TextOrList>,
    pub(in crate::scenario) share: Option<Text>,
    pub(in crate::scenario) nth: Option<Text>,
    pub(in crate::scenario) count: Option<Text>,
    pub(in crate::scenario) latency: Option<TextOrMap<Latency>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct Way {
    pub(in crate::scenario) from: Option<Vec<Text>>,
    pub(in crate::scenario) to: Option<Vec<Text>>,
    pub(in crate::scenario) bytes_per_second: Option<Text>,
    pub(in crate::scenario) every: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct Flapping {
    pub(in crate::scenario) groups: Option<Vec<Vec<Text>>>,
    pub(in crate::scenario) cut: Option<Text>,
    pub(in crate::scenario) whole: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct ClockStrobe {
    pub(in crate::scenario) node: Option<Text>,
    pub(in crate::scenario) by: Option<Text>,
    pub(in crate::scenario) every: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct RollingRestart {
    pub(in crate::scenario) power: Option<Text>,
    pub(in crate::scenario) down: Option<Text>,
    pub(in crate::scenario) between: Option<Text>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::scenario) struct Empty {}
