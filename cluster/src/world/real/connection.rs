//! One greeted connection: frames out of a queue onto the wire, frames off the wire into the inbox.
//!
//! ```text
//!   queue ──take a batch──▶ [ header payload header payload ... ] ──one write──▶ socket
//!   inbox ◀──waits for room── decoder ◀──────────────read───────────────────── socket
//! ```
//!
//! Both directions are one task, and end together. The writing comes first and steps back after every batch, so that a
//! flood in one direction cannot use up the turns of the other. A full inbox stops the reading, not the writing: TCP then slows the
//! sender down, whose queue fills, whose frames are lost there. Since no send ever waits, nodes cannot block each other
//! in a circle.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::ending::Ending;
use super::frame::{Decoder, HEADER_BYTES, header};
use super::inbox::InboxSender;
use super::queue::Queue;
use crate::world::Peer;

/// Frames are gathered up to about this many bytes a write.
const BATCH_BYTES: usize = 64 * 1024;

/// A payload longer than this is written from where it is rather than copied into the batch.
const COPIED_PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// The other side is taken for dead when it has not acknowledged for this long what was sent, or answered a probe: a
/// machine that lost power says nothing, and the kernel alone would retry for a quarter of an hour.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Sets up a fresh socket. Failing to is no reason to do without the connection.
pub(super) fn prepare(stream: &TcpStream) {
    // Small frames are requests that someone waits for.
    let _ = stream.set_nodelay(true);
    let _ = sockopt::set_socket_keepalive(stream, true);
    #[cfg(target_os = "linux")]
    {
        let _ = sockopt::set_tcp_keepidle(stream, SILENCE_MAX / 2);
        let _ = sockopt::set_tcp_keepintvl(stream, SILENCE_MAX / 5);
        let _ = sockopt::set_tcp_keepcnt(stream, 3);
        let _ = sockopt::set_tcp_user_timeout(stream, SILENCE_MAX.as_millis() as u32);
    }
}

/// Moves frames both ways until the connection ends, and says why it did.
pub(super) async fn run(mut stream: TcpStream, peer: Peer, outgoing: &Queue, inbox: &InboxSender) -> Ending {
    let (reader, writer) = stream.split();
    tokio::select! {
        biased;
        ending = write_frames(writer, outgoing) => ending,
        ending = read_frames(reader, peer, inbox) => ending,
    }
}

async fn read_frames(mut reader: impl AsyncRead + Unpin, peer: Peer, inbox: &InboxSender) -> Ending {
    let mut decoder = Decoder::default();
    loop {
        match reader.read_buf(decoder.room()).await {
            Ok(0) => return decoder.finish().err().map_or(Ending::Closed, Ending::from),
            Ok(_) => {}
            Err(error) => return error.into(),
        }
        loop {
            match decoder.next() {
                Ok(Some(frame)) => inbox.put(peer, frame).await,
                Ok(None) => break,
                Err(error) => return error.into(),
            }
        }
    }
}

async fn write_frames(mut writer: impl AsyncWrite + Unpin, outgoing: &Queue) -> Ending {
    let mut batch = BytesMut::with_capacity(BATCH_BYTES);
    while let Some(frames) = outgoing.take(BATCH_BYTES).await {
        if let Err(error) = write_batch(&mut writer, &mut batch, &frames).await {
            return error.into();
        }
        tokio::task::yield_now().await;
    }
    Ending::Replaced
}

async fn write_batch(
    writer: &mut (impl AsyncWrite + Unpin),
    batch: &mut BytesMut,
    frames: &[Bytes],
) -> std::io::Result<()> {
    batch.clear();
    batch.reserve(HEADER_BYTES);
    for frame in frames {
        batch.put_slice(&header(frame));
        if frame.len() <= COPIED_PAYLOAD_BYTES_MAX {
            batch.put_slice(frame);
        } else {
            writer.write_all(batch).await?;
            batch.clear();
            writer.write_all(frame).await?;
        }
    }
    writer.write_all(batch).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails to unwrap has failed")]

    use super::*;

    #[tokio::test]
    async fn short_and_long_frames_of_a_batch_keep_their_order() {
        let lengths = [3, COPIED_PAYLOAD_BYTES_MAX, COPIED_PAYLOAD_BYTES_MAX + 1, 0, 5];
        let frames: Vec<Bytes> = lengths.iter().map(|length| Bytes::from(vec![*length as u8; *length])).collect();
        let mut written = Vec::new();
        write_batch(&mut written, &mut BytesMut::new(), &frames).await.unwrap();
        let mut decoder = Decoder::default();
        decoder.room().extend_from_slice(&written);
        for frame in frames {
            assert_eq!(decoder.next(), Ok(Some(frame)));
        }
        assert_eq!(decoder.finish(), Ok(()));
    }
}
