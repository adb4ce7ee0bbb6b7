//! The first bytes of a connection, sent by both sides at once: who speaks, in which language.
//!
//! ```text
//!   0      4         6      7              15             23      27
//!   ├──────┼─────────┼──────┼──────────────┼──────────────┼───────┤
//!   │ SGNT │ version │ role │ identity     │ cluster      │ crc32 │
//!   └──────┴─────────┴──────┴──────────────┴──────────────┴───────┘
//!     magic  u16 LE    1 node   u64 LE: node   u64 LE: hash of   of the 23 bytes before it
//!                      2 client   or client      its name, or 0
//! ```
//!
//! Magic and version are read and judged before the rest, so that a lost HTTP client is sent away after four bytes, and so
//! that a later version may lengthen what follows. A cluster of 0 fits every other: it is what a client says that was only
//! given an address. The handshake guards against mistakes (wrong port, wrong cluster, wrong build), not against
//! malice: it authenticates nobody.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ending::Ending;
use crate::world::{ClientId, NodeId, Peer};

/// The version of handshake and frames that this build speaks.
pub const PROTOCOL_VERSION: u16 = 1;

const MAGIC: [u8; 4] = *b"SGNT";
const OPENING_BYTES: usize = 6;
const GREETING_BYTES: usize = 27;
const ROLE_NODE: u8 = 1;
const ROLE_CLIENT: u8 = 2;

/// What one side says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Who it is.
    pub(super) identity: Peer,
    /// A hash of the cluster's name, or 0 for any cluster.
    pub(super) cluster: u64,
}

impl Greeting {
    pub(super) fn encode(self, version: u16) -> [u8; GREETING_BYTES] {
        let (role, identity) = match self.identity {
            Peer::Node(NodeId(number)) => (ROLE_NODE, u64::from(number)),
            Peer::Client(ClientId(number)) => (ROLE_CLIENT, number),
        };
        let mut bytes = [0; GREETING_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&version.to_le_bytes());
        bytes[6] = role;
        bytes[7..15].copy_from_slice(&identity.to_le_bytes());
        bytes[15..23].copy_from_slice(&self.cluster.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..23]);
        bytes[23..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Judges the first six bytes.
    fn check_opening(bytes: &[u8; GREETING_BYTES]) -> Result<(), Ending> {
        if bytes[..4] != MAGIC {
            return Err(Ending::BadMagic);
        }
        match u16::from_le_bytes([bytes[4], bytes[5]]) {
            PROTOCOL_VERSION => Ok(()),
            theirs => Err(Ending::OtherVersion { theirs }),
        }
    }

    /// Reads a whole greeting.
    pub(super) fn decode(bytes: &[u8; GREETING_BYTES]) -> Result<Self, Ending> {
        Self::check_opening(bytes)?;
        let number = |range: std::ops::Range<usize>| {
            bytes[range].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        if number(23..27) != u64::from(crc32fast::hash(&bytes[..23])) {
            return Err(Ending::BadGreeting);
        }
        let identity = match bytes[6] {
            ROLE_NODE => Peer::Node(NodeId(u16::try_from(number(7..15)).map_err(|_| Ending::BadGreeting)?)),
            ROLE_CLIENT => Peer::Client(ClientId(number(7..15))),
            _ => return Err(Ending::BadGreeting),
        };
        Ok(Self { identity, cluster: number(15..23) })
    }
}

/// Greets the other side and returns who it is, within the time given. Whether its identity is welcome is for the caller
/// to judge; its version and cluster have been.
pub(super) async fn greet(stream: &mut TcpStream, ours: Greeting, within: Duration) -> Result<Peer, Ending> {
    let exchange = async {
        stream.write_all(&ours.encode(PROTOCOL_VERSION)).await?;
        let mut bytes = [0; GREETING_BYTES];
        // Four bytes tell a stranger; it may never send more.
        stream.read_exact(&mut bytes[..4]).await?;
        if bytes[..4] != MAGIC {
            return Err(Ending::BadMagic);
        }
        stream.read_exact(&mut bytes[4..OPENING_BYTES]).await?;
        Greeting::check_opening(&bytes)?;
        stream.read_exact(&mut bytes[OPENING_BYTES..]).await?;
        let theirs = Greeting::decode(&bytes)?;
        if ours.cluster != 0 && theirs.cluster != 0 && ours.cluster != theirs.cluster {
            return Err(Ending::OtherCluster);
        }
        Ok(theirs.identity)
    };
    timeout(within, exchange).await.unwrap_or(Err(Ending::HandshakeTimeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Greeting = Greeting { identity: Peer::Node(NodeId(3)), cluster: 0x0102_0304_0506_0708 };

    #[test]
    fn the_bytes_of_a_greeting_are_as_drawn() {
        let bytes = NODE.encode(PROTOCOL_VERSION);
        assert_eq!(bytes[..23], *b"SGNT\x01\0\x01\x03\0\0\0\0\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01");
        assert_eq!(bytes[23..], crc32fast::hash(&bytes[..23]).to_le_bytes());
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        let client = Greeting { identity: Peer::Client(ClientId(u64::MAX)), cluster: 0 };
        for greeting in [NODE, client] {
            assert_eq!(Greeting::decode(&greeting.encode(PROTOCOL_VERSION)), Ok(greeting));
        }
    }

    #[test]
    fn a_greeting_with_a_flipped_bit_is_refused() {
        for place in 0..GREETING_BYTES * 8 {
            let mut bytes = NODE.encode(PROTOCOL_VERSION);
            bytes[place / 8] ^= 1 << (place % 8);
            assert!(Greeting::decode(&bytes).is_err(), "bit {place}");
        }
    }

    #[test]
    fn another_version_is_named() {
        assert_eq!(Greeting::decode(&NODE.encode(9)), Err(Ending::OtherVersion { theirs: 9 }));
    }

    #[test]
    fn a_node_number_that_no_node_has_is_refused() {
        let mut bytes = NODE.encode(PROTOCOL_VERSION);
        bytes[10] = 1;
        let checksum = crc32fast::hash(&bytes[..23]);
        bytes[23..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(Greeting::decode(&bytes), Err(Ending::BadGreeting));
    }
}
