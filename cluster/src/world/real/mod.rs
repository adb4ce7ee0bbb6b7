//! The real world of a cluster process: the engine's real world and framed TCP.
//!
//! ```text
//!   network.rs     TcpNetwork: who is where, what a send does, what was counted
//!   link.rs        the way to one node: queue, dialling, backoff        listener.rs   connections that others make
//!   connection.rs  one greeted connection, both directions              inbox.rs      where all frames meet
//!   queue.rs       frames that wait, bounded       handshake.rs, frame.rs   the bytes on the wire
//!   ending.rs      every way a connection can end, counted and told
//! ```
//!
//! Only here does the cluster touch sockets and tokio's timers. Frames are lost rather than waited for, which the
//! protocols must bear anyway: `rpc` retries.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where the real world comes in")]

mod connection;
mod ending;
mod frame;
mod handshake;
mod inbox;
mod link;
mod listener;
mod network;
mod queue;

pub use ending::{Ending, EventHook, NetworkEvent};
pub use handshake::PROTOCOL_VERSION;
pub use link::LinkStatistics;
pub use network::{NetworkStatistics, TcpNetwork, TcpSettings, cluster_hash};
pub use queue::{QueueLimits, QueueStatistics};

use engine::world::real::{RealClock, RealDisk, RealTasks, RealWorld};
use engine::world::{Rng, World};

use super::ClusterWorld;

/// The world of a production node, or of a client of one.
#[derive(Clone)]
pub struct RealClusterWorld {
    world: RealWorld,
    network: TcpNetwork,
}

impl RealClusterWorld {
    /// The process's world and its end of the network.
    pub fn new(world: RealWorld, network: TcpNetwork) -> Self {
        Self { world, network }
    }
}

impl World for RealClusterWorld {
    type Clock = RealClock;
    type Disk = RealDisk;
    type Tasks = RealTasks;

    fn clock(&self) -> &RealClock {
        self.world.clock()
    }

    fn disk(&self) -> &RealDisk {
        self.world.disk()
    }

    fn tasks(&self) -> &RealTasks {
        self.world.tasks()
    }

    fn rng(&self, label: &str) -> Rng {
        self.world.rng(label)
    }
}

impl ClusterWorld for RealClusterWorld {
    type Network = TcpNetwork;

    fn network(&self) -> &TcpNetwork {
        &self.network
    }
}

#[cfg(test)]
mod tests;
