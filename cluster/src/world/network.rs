//! The network, as the protocols see it: frames between identities, with nothing promised about their arrival.
//!
//! ```text
//!   n1 ── send(n2, frame) ──▶  lost | delayed | duplicated | reordered  ──▶ recv() = (n1, frame) ── n2
//! ```
//!
//! An address is an identity that the two ends agreed on in a versioned handshake, not a socket: a reply goes to the
//! identity its frame came from, also to a client that dialled in. Retries, deadlines and deduplication live in `rpc`.

use std::fmt;
use std::future::Future;
use std::str::FromStr;

use bytes::Bytes;

/// No frame is longer. The longest message carries one value of at most `limits::MAX_VALUE_BYTES` with its key and header.
pub const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;

/// A node's identity: `n1`, `n2`, ... as written in `node.yaml`. It is part of every version stamp that the node gives out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

/// A client's identity, drawn at random when the client starts: two runs of a client are two clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Who a frame came from, or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A member of the cluster.
    Node(NodeId),
    /// A client of it.
    Client(ClientId),
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "n{}", self.0)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "c{:x}", self.0)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(formatter),
            Self::Client(client) => client.fmt(formatter),
        }
    }
}

/// A name that is not `n` and a number from 0 to 65535.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a node's name: write n and a number from 0 to 65535, as in n1")]
pub struct InvalidNodeName(pub String);

impl FromStr for NodeId {
    type Err = InvalidNodeName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('n').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse().ok());
        // `n01` and `n1` must not both be names of one node.
        match number.map(NodeId) {
            Some(node) if node.to_string() == text => Ok(node),
            _ => Err(InvalidNodeName(text.to_string())),
        }
    }
}

/// One process's end of the network.
///
/// Promised: a frame that arrives is exactly a frame that was sent (checksummed), from the identity it says, to this one;
/// no frame that was sent to an earlier incarnation of this process arrives twice across its restart.
///
/// Not promised: that a frame arrives at all, soon, once, or in order; that it works in both directions; or that anyone
/// ever tells. `send` never waits: where the way is blocked longer than a bounded queue, the frame is lost.
pub trait Network: Clone + Send + Sync + 'static {
    /// Who this end is.
    fn identity(&self) -> Peer;
    /// Sends a frame of at most [`MAX_FRAME_BYTES`], as well as can be.
    fn send(&self, to: Peer, frame: Bytes);
    /// The next frame that arrives. One task at a time receives; dropping the future loses no frame.
    fn recv(&self) -> impl Future<Output = (Peer, Bytes)> + Send;
}
