//! What the network and its faults are described by: the ends of links, and how long something takes.
//!
//! A link is directed, from one [`Member`] to another. A time that varies is given by two points of its distribution,
//! which is what people know of their networks and disks; the simulated world draws the rest of the curve through them.

use std::fmt;

use cluster::world::NodeId;

/// How long something takes: half of the cases the median or less, 99 of 100 cases `p99` or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Microseconds.
    pub median_micros: u64,
    /// Microseconds; not below the median, and equal to it where the time is always the same.
    pub p99_micros: u64,
}

/// An end of a link: a node or a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// `n1`.
    Node(NodeId),
    /// `c0`: the session with that number.
    Client(u32),
}

impl fmt::Display for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(formatter),
            Self::Client(number) => write!(formatter, "c{number}"),
        }
    }
}
