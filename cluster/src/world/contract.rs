//! The conformance suite of the network. The engine's (`engine::world::contract`) has the other three sides.
//!
//! ```text
//!   client ──▶ first ──▶ second          every arrow in both directions; the client knows `first`,
//!                                        the nodes know each other
//! ```
//!
//! The network promises little, so the suite tolerates much: lost frames are sent again up to a bound, repeated and strange
//! ones are skipped. What it does not tolerate is what would be a lie: a frame that nobody sent, an identity that is not the
//! sender's, a frame that vanishes because a `recv` was dropped, a `send` that panics.
//!
//! It is meant for a network without injected faults that loses fewer than one frame in ten. Sleeps only through
//! the clock it is given, starts no task. Violations panic with the violated sentence.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use engine::world::{Clock, Instant};

use super::{ClientId, Network, NodeId, Peer};

/// How often a frame is sent again before the network is said to be broken.
const ATTEMPTS_MAX: usize = 50;

/// How long one attempt may take, on the clock of the world.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs every part. `first` and `second` are nodes that know each other, `client` is a client that knows `first`; nobody
/// else sends to the three. `clock` is any clock of the world they live in.
///
/// # Panics
///
/// With the violated promise.
pub async fn network_conforms<C: Clock, N: Network>(clock: &C, first: &N, second: &N, client: &N) {
    assert!(matches!(client.identity(), Peer::Client(_)), "a client has a client's identity");
    for (from, to) in [(first, second), (second, first), (client, first)] {
        frames_arrive_intact_from_their_sender(clock, from, to).await;
    }
    replies_reach_a_client(clock, first, client).await;
    sends_to_nobody_do_no_harm(clock, first, second).await;
    a_large_frame_arrives(clock, first, second).await;
    dropping_recv_loses_nothing(clock, first, second).await;
}

/// A frame that is like no other, of the given length (at least 8 bytes).
fn frame(number: u64, length: usize) -> Bytes {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend((8..length).map(|index| (index as u64).wrapping_mul(number | 1).wrapping_mul(0x9e37_79b9) as u8));
    bytes.into()
}

/// The next frame before `deadline`.
async fn recv_before<C: Clock, N: Network>(clock: &C, network: &N, deadline: Instant) -> Option<(Peer, Bytes)> {
    tokio::select! {
        biased;
        arrived = network.recv() => Some(arrived),
        () = clock.sleep_until(deadline) => None,
    }
}

/// Sends `frame` until it arrives, and checks who it came from.
async fn must_arrive<C: Clock, N: Network>(clock: &C, from: &N, to: &N, frame: &Bytes) {
    for _ in 0..ATTEMPTS_MAX {
        from.send(to.identity(), frame.clone());
        let deadline = clock.now() + ATTEMPT_TIMEOUT;
        while let Some((sender, arrived)) = recv_before(clock, to, deadline).await {
            if arrived == *frame {
                let expected = from.identity();
                assert_eq!(sender, expected, "violated: a frame comes from the identity that sent it");
                return;
            }
        }
    }
    let (from, to) = (from.identity(), to.identity());
    panic!("violated: a frame of {} bytes, sent {ATTEMPTS_MAX} times from {from} to {to}, arrives", frame.len());
}

/// Frames of every kind of length arrive exactly as they were sent, with the sender's identity.
pub async fn frames_arrive_intact_from_their_sender<C: Clock, N: Network>(clock: &C, from: &N, to: &N) {
    let lengths = [8, 9, 255, 4_096, 65_535, 65_536, 65_537, 300_000];
    for (number, length) in lengths.into_iter().enumerate() {
        must_arrive(clock, from, to, &frame(number as u64, length)).await;
    }
    must_arrive(clock, from, to, &Bytes::new()).await;
}

/// A reply to the identity that a client's frame came from reaches that client.
pub async fn replies_reach_a_client<C: Clock, N: Network>(clock: &C, node: &N, client: &N) {
    must_arrive(clock, client, node, &frame(100, 64)).await;
    must_arrive(clock, node, client, &frame(101, 64)).await;
    must_arrive(clock, node, client, &frame(102, 200_000)).await;
}

/// Sending to someone who does not exist neither panics nor waits, and everyone else is reached as before.
pub async fn sends_to_nobody_do_no_harm<C: Clock, N: Network>(clock: &C, first: &N, second: &N) {
    for number in 0..10 {
        first.send(Peer::Node(NodeId(u16::MAX)), frame(number, 64));
        first.send(Peer::Client(ClientId(u64::MAX)), frame(number, 64));
    }
    must_arrive(clock, first, second, &frame(200, 64)).await;
}

/// Eight megabytes are one frame.
pub async fn a_large_frame_arrives<C: Clock, N: Network>(clock: &C, first: &N, second: &N) {
    must_arrive(clock, first, second, &frame(300, 8 * 1024 * 1024)).await;
}

/// A receiver that gives up again and again gets the same frames as a patient one.
pub async fn dropping_recv_loses_nothing<C: Clock, N: Network>(clock: &C, first: &N, second: &N) {
    const FRAMES: u64 = 100;
    let mut arrived = BTreeSet::new();
    for number in 0..FRAMES {
        first.send(second.identity(), frame(1_000 + number, 64));
        // Gives up while the frame is on its way.
        for _ in 0..2 {
            let soon = clock.now() + Duration::from_micros(20);
            arrived.extend(recv_before(clock, second, soon).await.map(|(_, frame)| frame));
        }
    }
    let deadline = clock.now() + ATTEMPT_TIMEOUT;
    while (arrived.len() as u64) < FRAMES {
        let Some((_, frame)) = recv_before(clock, second, deadline).await else { break };
        arrived.insert(frame);
    }
    let sent: BTreeSet<Bytes> = (0..FRAMES).map(|number| frame(1_000 + number, 64)).collect();
    let count = arrived.intersection(&sent).count() as u64;
    assert!(count * 10 >= FRAMES * 9, "violated: dropping recv loses no frame; {count} of {FRAMES} arrived");
}
