//! Frames in a stream of bytes: pure, no I/O.
//!
//! ```text
//!   0         4         8                    8 + length
//!   ├─────────┼─────────┼────────────────────┤
//!   │ length  │ crc32   │ payload            │   next frame ...
//!   └─────────┴─────────┴────────────────────┘
//!     u32 LE    u32 LE    `length` bytes, at most MAX_FRAME_BYTES; the checksum is the payload's
//! ```
//!
//! The decoder takes bytes as they come, in any pieces. It never holds more than what has arrived and one read's room,
//! whatever a header announces, and an announcement beyond the limit is an error at once. After an error the place of the
//! next frame is unknown: the stream is over. TCP's own checksum is 16 bits and misses one damaged packet in some ten
//! million (Stone and Partridge, SIGCOMM 2000), hence the 32 bits here.
//!
//! What a frame means is not known here; encryption and authentication are not here either.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::world::MAX_FRAME_BYTES;

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 8;

/// Room for one read. A payload up to this long is copied out of the buffer, so that a small value that is kept for long
/// does not keep a large buffer; a longer one takes its part of the buffer along.
const READ_BYTES: usize = 64 * 1024;

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// The header announces more than any frame may have.
    #[error("a frame of {announced_bytes} bytes was announced, the limit is {MAX_FRAME_BYTES}")]
    TooLong {
        /// What the header says.
        announced_bytes: usize,
    },
    /// The payload is not the one that was sent.
    #[error("a frame's checksum is {found:08x} where {announced:08x} was announced")]
    Checksum {
        /// The payload's checksum.
        found: u32,
        /// The header's.
        announced: u32,
    },
    /// The stream ended within a frame.
    #[error("the connection ended within a frame, after {arrived_bytes} bytes of it")]
    Truncated {
        /// How much of the frame had come, its header included.
        arrived_bytes: usize,
    },
}

/// The header of a payload of at most [`MAX_FRAME_BYTES`].
pub(super) fn header(payload: &[u8]) -> [u8; HEADER_BYTES] {
    assert!(payload.len() <= MAX_FRAME_BYTES, "a frame of {} bytes was about to be sent", payload.len());
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[4..].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    header
}

/// Cuts a stream of bytes into frames.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    arrived: BytesMut,
}

impl Decoder {
    /// Where the next bytes of the stream are to be appended; has room for some.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        if self.arrived.capacity() == self.arrived.len() {
            self.arrived.reserve(READ_BYTES);
        }
        &mut self.arrived
    }

    /// The next whole frame, or `None` until more has arrived.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some((header, rest)) = self.arrived.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let mut header = &header[..];
        let length = header.get_u32_le() as usize;
        let announced = header.get_u32_le();
        if length > MAX_FRAME_BYTES {
            return Err(FrameError::TooLong { announced_bytes: length });
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let found = crc32fast::hash(payload);
        if found != announced {
            return Err(FrameError::Checksum { found, announced });
        }
        if length <= READ_BYTES {
            let frame = Bytes::copy_from_slice(payload);
            self.arrived.advance(HEADER_BYTES + length);
            return Ok(Some(frame));
        }
        self.arrived.advance(HEADER_BYTES);
        Ok(Some(self.arrived.split_to(length).freeze()))
    }

    /// To be asked when the stream has ended: an error when it ended within a frame.
    pub(super) fn finish(&self) -> Result<(), FrameError> {
        match self.arrived.len() {
            0 => Ok(()),
            arrived_bytes => Err(FrameError::Truncated { arrived_bytes }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails to unwrap has failed")]

    use proptest::prelude::*;

    use super::*;

    fn encode(payloads: &[Vec<u8>]) -> Vec<u8> {
        payloads.iter().flat_map(|payload| header(payload).into_iter().chain(payload.iter().copied())).collect()
    }

    /// Feeds a stream in pieces of these lengths (repeated), and returns the frames and how it ended.
    fn decode(stream: &[u8], pieces: &[usize]) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        let mut remaining = stream;
        for piece in pieces.iter().cycle() {
            if remaining.is_empty() {
                break;
            }
            let (now, later) = remaining.split_at((*piece).min(remaining.len()));
            decoder.room().extend_from_slice(now);
            remaining = later;
            loop {
                match decoder.next() {
                    Ok(Some(frame)) => frames.push(frame.to_vec()),
                    Ok(None) => break,
                    Err(error) => return (frames, Err(error)),
                }
            }
        }
        (frames, decoder.finish())
    }

    #[test]
    fn the_bytes_of_a_frame_are_length_checksum_payload() {
        assert_eq!(encode(&[b"123456789".to_vec()]), *b"\x09\0\0\0\x26\x39\xf4\xcb123456789");
    }

    #[test]
    fn an_announced_length_beyond_the_limit_is_refused_at_the_header() {
        let mut stream = (MAX_FRAME_BYTES as u32 + 1).to_le_bytes().to_vec();
        stream.extend([0; 4]);
        let (frames, end) = decode(&stream, &[1]);
        assert!(frames.is_empty());
        assert_eq!(end, Err(FrameError::TooLong { announced_bytes: MAX_FRAME_BYTES + 1 }));
    }

    #[test]
    fn an_announcement_alone_takes_no_memory() {
        let mut decoder = Decoder::default();
        decoder.room().extend_from_slice(&(MAX_FRAME_BYTES as u32).to_le_bytes());
        decoder.room().extend_from_slice(&[0; 4]);
        assert_eq!(decoder.next(), Ok(None));
        decoder.room();
        assert!(decoder.arrived.capacity() <= READ_BYTES, "{} bytes", decoder.arrived.capacity());
    }

    #[test]
    fn the_longest_frame_passes() {
        let payload = vec![7; MAX_FRAME_BYTES];
        let (frames, end) = decode(&encode(std::slice::from_ref(&payload)), &[1_000_003]);
        assert_eq!(end, Ok(()));
        assert!(frames == [payload]);
    }

    fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let long = (READ_BYTES - 2..READ_BYTES + 3, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]);
        prop::collection::vec(prop_oneof![6 => prop::collection::vec(any::<u8>(), 0..40), 1 => long], 0..6)
    }

    proptest! {
        #[test]
        fn any_frames_in_any_pieces_come_out_whole(
            payloads in payloads(),
            pieces in prop::collection::vec(1..40_usize, 1..5),
        ) {
            let (frames, end) = decode(&encode(&payloads), &pieces);
            prop_assert_eq!(end, Ok(()));
            prop_assert!(frames == payloads);
        }

        #[test]
        fn a_cut_stream_gives_the_frames_before_the_cut_and_says_so(
            payloads in payloads(),
            cut in any::<prop::sample::Index>(),
        ) {
            let stream = encode(&payloads);
            prop_assume!(!stream.is_empty());
            let cut = cut.index(stream.len());
            let (frames, end) = decode(&stream[..cut], &[4_099]);
            prop_assert!(payloads.starts_with(&frames));
            let whole = encode(&frames).len();
            let expected = if whole == cut { Ok(()) } else { Err(FrameError::Truncated { arrived_bytes: cut - whole }) };
            prop_assert_eq!(end, expected);
        }

        #[test]
        fn a_flipped_bit_never_gives_another_frame(
            payloads in payloads(),
            place in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let mut stream = encode(&payloads);
            prop_assume!(!stream.is_empty());
            let place = place.index(stream.len());
            stream[place] ^= 1 << bit;
            let (frames, end) = decode(&stream, &[8_191]);
            prop_assert!(end.is_err(), "the damage went unnoticed");
            prop_assert!(payloads.starts_with(&frames));
        }

        #[test]
        fn garbage_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..300), piece in 1..20_usize) {
            let (_, _) = decode(&garbage, &[piece]);
        }
    }
}
