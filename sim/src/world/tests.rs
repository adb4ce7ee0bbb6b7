//! What the sealed world promises, as sentences.
//!
//! Time and tasks, network, disk, processes and determinism each have a file. Properties that chance must not decide are
//! tried over many seeds; each test can fail, and was seen to.

#![allow(clippy::unwrap_used, reason = "a test that fails to unwrap has failed")]

mod conformance;
mod determinism;
mod disk;
mod disk_faults;
mod disk_rules;
mod network;
mod network_rules;
mod parity;
mod processes;
mod time;
mod watches;

use std::path::Path;

use bytes::Bytes;
use cluster::world::{ClientId, NodeId, Peer};

use super::*;

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

fn peer(node: NodeId) -> Peer {
    Peer::Node(node)
}

fn frame(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn path(text: &str) -> &Path {
    Path::new(text)
}

/// A client that measures and probes.
fn probe(laboratory: &Laboratory, number: u64) -> ClientWorld {
    laboratory.client(ClientId(number), None)
}
