//! Why connections end, counted and told.
//!
//! ```text
//!   connection ends ──▶ Ending ──▶ counter of its kind (statistics, `stormglass status`)
//!                                └▶ EventHook(address, ending): one line in the node's log
//! ```
//!
//! A connection never ends in a panic and never silently: whatever a stranger, a broken peer or a broken wire does, it is one
//! of these.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::frame::FrameError;
use crate::world::Peer;

/// Why a connection ended, or never came about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// The other side closed it, between two frames.
    #[error("closed by the other side")]
    Closed,
    /// A newer connection of the same client took its place.
    #[error("replaced by a newer connection of the same client")]
    Replaced,
    /// The other side does not speak this protocol.
    #[error("the other side does not speak this protocol (wrong port?)")]
    BadMagic,
    /// The other side speaks another version: one of the two builds is too old.
    #[error("the other side speaks version {theirs} of the protocol, this build version {}", super::PROTOCOL_VERSION)]
    OtherVersion {
        /// The version it speaks.
        theirs: u16,
    },
    /// The greeting is damaged or makes no sense.
    #[error("the other side's greeting is damaged")]
    BadGreeting,
    /// The other side belongs to another cluster.
    #[error("the other side belongs to another cluster")]
    OtherCluster,
    /// A node that is not a member dialled in.
    #[error("{0} is not a peer of this node")]
    UnknownNode(Peer),
    /// Somebody else answers at a peer's address.
    #[error("{found} answers where {expected} was expected")]
    UnexpectedIdentity {
        /// Who was dialled.
        expected: Peer,
        /// Who answered.
        found: Peer,
    },
    /// The other side did not finish its greeting in time.
    #[error("the other side did not greet in time")]
    HandshakeTimeout,
    /// This node has as many connections as it may.
    #[error("too many connections")]
    TooManyConnections,
    /// A frame longer than any may be.
    #[error("{0}")]
    FrameTooLong(String),
    /// A frame whose checksum is wrong.
    #[error("{0}")]
    FrameDamaged(String),
    /// The connection ended within a frame.
    #[error("{0}")]
    FrameTruncated(String),
    /// The operating system's words: refused, reset, unreachable, ...
    #[error("{0}")]
    InputOutput(String),
}

impl Ending {
    /// The name of this kind of ending, under which it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Replaced => "replaced",
            Self::BadMagic => "bad_magic",
            Self::OtherVersion { .. } => "other_version",
            Self::BadGreeting => "bad_greeting",
            Self::OtherCluster => "other_cluster",
            Self::UnknownNode(_) => "unknown_node",
            Self::UnexpectedIdentity { .. } => "unexpected_identity",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::TooManyConnections => "too_many_connections",
            Self::FrameTooLong(_) => "frame_too_long",
            Self::FrameDamaged(_) => "frame_damaged",
            Self::FrameTruncated(_) => "frame_truncated",
            Self::InputOutput(_) => "input_output",
        }
    }
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::InputOutput(error.to_string()),
        }
    }
}

impl From<FrameError> for Ending {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLong { .. } => Self::FrameTooLong(error.to_string()),
            FrameError::Checksum { .. } => Self::FrameDamaged(error.to_string()),
            FrameError::Truncated { .. } => Self::FrameTruncated(error.to_string()),
        }
    }
}

/// One ended connection, for a log.
#[derive(Debug, Clone)]
pub struct NetworkEvent {
    /// The socket address, or the configured `host:port`, of the other side.
    pub address: String,
    /// Who it said it was, as far as it came to that.
    pub peer: Option<Peer>,
    /// What happened.
    pub ending: Ending,
}

impl fmt::Display for NetworkEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Some(peer) => write!(formatter, "connection with {peer} at {}: {}", self.address, self.ending),
            None => write!(formatter, "connection with {}: {}", self.address, self.ending),
        }
    }
}

/// Called at every ended or refused connection, on the thread that noticed: it must be quick, and must not block.
pub type EventHook = Arc<dyn Fn(&NetworkEvent) + Send + Sync>;
