//! Replication: a Dynamo-style cluster over the storage engine, generic over the world it runs in.
//!
//! The rooms, from the outside in:
//!
//! ```text
//!   bin/stormglass   the production program: wires the real world
//!   node             one node wired out of everything below; client: the other end of its wire
//!   coordinator      asks replicas, decides, reports          replica   one node's rows: newest stamp wins
//!   ring             key -> token -> partition -> nodes       versioning  stamps and rows
//!   rpc              matching, deduplication                  wire      the messages
//!   embedded         the engine without a cluster             world     the seam's fourth side: the network
//!   config, limits, metrics, status
//! ```
//!
//! The path of one write: `client` → `wire` → `node` (first copy?) → `coordinator` stamps it and asks all N replicas of the
//! key's partition → `replica` on each: read, compare stamps, one conditional batch → engine: log, sync, memtable → W
//! acknowledgements → `ClientReply` with its report.
//!
//! The path of one read: the same way to all N replicas → the newest of R answers → written back until max(majority,
//! N - R + 1) replicas hold it → `ClientReply` → replicas that answered late with something older are repaired.
//!
//! What is absent: no clock, file, socket, thread or entropy outside `world/real`; no knowledge of the simulator.

#![warn(missing_docs, unreachable_pub)]

pub mod client;
pub mod config;
pub mod coordinator;
pub mod embedded;
pub mod limits;
pub mod metrics;
pub mod node;
pub mod replica;
pub mod ring;
mod rpc;
mod status;
pub mod versioning;
pub mod wire;
pub mod world;
