//! The workload as a plan has it: kinds of operation, how many of each, on which keys, through whom, at which level.
//!
//! Arrivals come at one total rate. One that finds no idle session opens a new one, so that slow operations never make the
//! workload lighter (no coordinated omission); a session whose operation ended as `unknown` is closed. A scenario may also
//! list its operations one by one, as those that `storm shrink` writes do; then nothing is drawn. This file only has the
//! numbers; the clients that live by them are in the laboratory's `workload` room.

use std::fmt;

use cluster::coordinator::Level;
use cluster::world::NodeId;

use super::units::time_text;
use crate::history::OperationKind;

/// What the clients do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadPlan {
    /// Sessions that are open from the start, `c0` to `c<count - 1>`; client *n* is near node `n mod nodes`.
    pub client_count: u32,
    /// How long operations are sent.
    pub duration_micros: u64,
    /// Arrivals in all.
    pub operations_per_second: u64,
    /// How long a client waits before it calls the outcome unknown.
    pub client_timeout_micros: u64,
    /// Different keys.
    pub key_count: u32,
    /// How often each is used.
    pub distribution: KeyDistribution,
    /// Relative weights; not all 0.
    pub mix: PerKind<u32>,
    /// How many replicas must answer.
    pub consistency: PerKind<Level>,
    /// The shortest value.
    pub value_bytes_least: u32,
    /// The longest value.
    pub value_bytes_most: u32,
    /// Which node is asked.
    pub coordinators: Coordinators,
    /// Exactly what is sent, in the order of time; empty where rate, keys and mix are drawn from. The mix then counts the
    /// operations of each kind.
    pub operations: Vec<ListedOperation>,
}

/// An operation that a scenario lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedOperation {
    /// When its client gets it, before the workload's end. A client that still waits for an answer sends it afterwards; one
    /// that was closed never does.
    pub at_micros: u64,
    /// The session, below `client_count`.
    pub client: u32,
    /// What is asked for.
    pub kind: OperationKind,
    /// The key's number, below `key_count`.
    pub key: u32,
    /// The length of what a write writes; 0 for other kinds.
    pub value_bytes: u32,
    /// The node that is asked; `None` for the one near the client.
    pub through: Option<NodeId>,
}

/// One value for each kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerKind<T> {
    /// For reads.
    pub read: T,
    /// For writes.
    pub write: T,
    /// For deletes.
    pub delete: T,
}

impl<T: Copy> PerKind<T> {
    /// The value for `kind`.
    pub fn of(&self, kind: OperationKind) -> T {
        match kind {
            OperationKind::Read => self.read,
            OperationKind::Write => self.write,
            OperationKind::Delete => self.delete,
        }
    }
}

/// How often each key is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDistribution {
    /// Each as often as the next.
    Uniform,
    /// The k-th key proportionally to k to the power of minus this exponent.
    Zipf {
        /// 990 is 0.99; from 1 to 5,000.
        exponent_thousandths: u32,
    },
}

/// Which node a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinators {
    /// The one near it, whatever it holds.
    Any,
    /// A node that holds the key.
    Owners,
    /// A node that does not hold the key.
    Outsiders,
}

/// The node that a client sits at: client *n* at node `n mod nodes`, counted from the first.
pub fn near_node(client: u32, node_count: u16) -> NodeId {
    NodeId((client % u32::from(node_count)) as u16 + 1)
}

/// Part of the workload's time: from (inclusive) until (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Microseconds.
    pub from_micros: u64,
    /// Microseconds; more than `from_micros`.
    pub until_micros: u64,
}

impl Window {
    /// Whether an operation invoked at this time belongs to the window.
    pub fn contains(self, micros: u64) -> bool {
        (self.from_micros..self.until_micros).contains(&micros)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}..{}", time_text(self.from_micros), time_text(self.until_micros))
    }
}
