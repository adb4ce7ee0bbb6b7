//! The seam's fourth side: the network. See `engine::world` for the other three; a cluster node, and a client of one, need
//! all four.

pub mod contract;
pub mod network;
pub mod real;

pub use network::{ClientId, MAX_FRAME_BYTES, Network, NodeId, Peer};

/// A world with a network: what a cluster node, or a client of one, runs in.
pub trait ClusterWorld: engine::world::World {
    /// Frames to and from other processes.
    type Network: Network;

    /// This process's end of the network.
    fn network(&self) -> &Self::Network;
}
