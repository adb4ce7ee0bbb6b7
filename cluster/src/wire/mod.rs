//! The messages between processes: protobuf by derive, so that fields can be added without breaking older nodes.
//!
//! ```text
//!   frame (world::network) = Envelope { version, request, epoch, body }
//!
//!   client ──ClientGet/Put/Delete/Scan/Status──▶ node ──ReplicaGet/Put/Scan──▶ node
//!   client ◀───────────ClientReply────────────── node ◀──────ReplicaReply───── node
//! ```
//!
//! `request` is chosen by the asker and repeated in the answer. `epoch` is the asker's placement. Decoding trusts nothing:
//! a frame that is no envelope, an envelope of another version or one without a body is an error, never a panic.

mod messages;

use bytes::Bytes;
use prost::Message as _;

pub use messages::*;

/// The version of the messages that this build speaks.
pub const SPEAK_VERSION: u32 = 1;

/// A frame that is not a message of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedMessage {
    /// Not protobuf of the expected shape.
    #[error("the frame is not a message: {0}")]
    NotAMessage(String),
    /// From a build that speaks another version.
    #[error("the message has version {0}, this build speaks {SPEAK_VERSION}: run the same build on both ends")]
    OtherVersion(u32),
    /// A message kind that this build does not know.
    #[error("the message has no body that this build knows")]
    UnknownBody,
}

/// Writes a message for the network.
pub fn encode(request: u64, epoch: u64, body: Body) -> Bytes {
    Bytes::from(Envelope { version: SPEAK_VERSION, request, epoch, body: Some(body) }.encode_to_vec())
}

/// A message as received.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Chosen by the asker, repeated in the answer.
    pub request: u64,
    /// The sender's placement epoch.
    pub epoch: u64,
    /// What it says.
    pub body: Body,
}

/// Reads a message from the network; byte fields share the frame's memory.
pub fn decode(frame: Bytes) -> Result<Message, MalformedMessage> {
    let envelope = Envelope::decode(frame).map_err(|error| MalformedMessage::NotAMessage(error.to_string()))?;
    if envelope.version != SPEAK_VERSION {
        return Err(MalformedMessage::OtherVersion(envelope.version));
    }
    let body = envelope.body.ok_or(MalformedMessage::UnknownBody)?;
    Ok(Message { request: envelope.request, epoch: envelope.epoch, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_wire() {
        let body = Body::ReplicaGet(ReplicaGet { key: Bytes::from_static(b"key") });
        let message = decode(encode(7, 3, body.clone())).unwrap();
        assert_eq!(message, Message { request: 7, epoch: 3, body });
    }

    #[test]
    fn another_version_garbage_and_an_empty_envelope_are_refused() {
        let other = Envelope { version: 9, request: 1, epoch: 1, body: None }.encode_to_vec();
        assert_eq!(decode(Bytes::from(other)), Err(MalformedMessage::OtherVersion(9)));
        let empty = Envelope { version: SPEAK_VERSION, request: 1, epoch: 1, body: None }.encode_to_vec();
        assert_eq!(decode(Bytes::from(empty)), Err(MalformedMessage::UnknownBody));
        assert!(matches!(decode(Bytes::from_static(b"\xff\x01garbage")), Err(MalformedMessage::NotAMessage(_))));
    }

    #[test]
    fn a_truncated_message_never_panics() {
        let row = Bytes::from(vec![1; 40]);
        let whole = encode(u64::MAX, 1, Body::ReplicaPut(ReplicaPut { key: row.clone(), row, origin: 1 }));
        for length in 0..whole.len() {
            let _ = decode(whole.slice(..length));
        }
    }
}
