//! Messages that are framed well and make no sense, sent to a real node: each is refused or ignored, and the node goes on.
//! What a network may do to frames themselves is tested beside `world::real`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a failed step is a failed test")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cluster::client::Client;
use cluster::coordinator::{FailureKind, Level};
use cluster::wire::{self, Body, Version};
use cluster::world::real::{RealClusterWorld, TcpNetwork, TcpSettings};
use cluster::world::{ClientId, ClusterWorld, Network, Peer};
use engine::world::World;
use engine::world::real::RealWorld;
use support::{ClusterFiles, stormglass};

const TIMEOUT: Duration = Duration::from_secs(5);

fn put(token: Option<Version>, level: u32, timeout_micros: u64) -> Body {
    let (key, value) = (Bytes::from_static(b"k"), Bytes::from_static(b"v"));
    Body::ClientPut(wire::ClientPut { key, value, level, timeout_micros, token })
}

#[tokio::test]
async fn messages_with_odd_fields_are_refused_for_certain_and_the_node_goes_on_serving() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = ClusterFiles::new(folder.path(), 1, "");
    let mut server = cluster.serve(1);
    let world = RealWorld::new();
    let network = TcpNetwork::client(ClientId(7), BTreeMap::new(), TcpSettings::new(0, world.rng("jitter")));
    let node = network.dial(&cluster.address(1)).await.unwrap();
    let world = RealClusterWorld::new(world, network);
    let send = |frame: Bytes| world.network().send(Peer::Node(node), frame);

    // Nothing answers these: they are no messages.
    send(Bytes::new());
    send(Bytes::from_static(b"\xff\xff not a message"));

    let (from, until) = (Bytes::new(), Bytes::new());
    let far_future = |time| Some(Version { time, node: 1 });
    let odd = [
        put(far_future(u64::MAX), 0, 0),
        put(far_future(u64::MAX - 1), 0, 0),
        put(Some(Version { time: 1, node: 70_000 }), 0, 0),
        put(None, 300, 0),
        put(None, 2, u64::MAX),
        Body::ClientGet(wire::ClientGet { key: Bytes::new(), level: 0, timeout_micros: 0 }),
        Body::ClientScan(wire::ClientScan { from, until, limit: 0, level: 0, timeout_micros: 0 }),
        Body::ReplicaPut(wire::ReplicaPut { key: Bytes::from_static(b"k"), row: Bytes::new(), origin: 7 }),
        Body::ReplicaReply(wire::ReplicaReply::default()),
        Body::ClientReply(wire::ClientReply::default()),
    ];
    for (request, body) in (10..).zip(odd) {
        send(wire::encode(request, 0, body.clone()));
        let (_, frame) = tokio::time::timeout(TIMEOUT, world.network().recv()).await.unwrap();
        let message = wire::decode(frame).unwrap();
        let Body::ClientReply(reply) = message.body else { panic!("{body:?} was answered by {:?}", message.body) };
        let failure = reply.failure.unwrap_or_else(|| panic!("{body:?} was accepted"));
        assert!(failure.certainly_not_applied && message.request == request, "{body:?}: {failure:?}");
    }

    // None of this has moved the node's clock or taken its slots.
    let mut client = Client::new(world, node);
    let refused = client.get(Bytes::from_static(b"k"), Level::Number(9), TIMEOUT).await.result.unwrap_err();
    assert_eq!(refused.kind, FailureKind::BadRequest);
    let written = stormglass(&["put", "k", "v", "--node", &cluster.address(1)]);
    assert_eq!(written.code, 0, "{written:?}");
    let read = stormglass(&["get", "k", "--node", &cluster.address(1)]);
    assert_eq!((read.code, read.out.trim()), (0, "v"), "{read:?}");
    assert!(server.is_running());
}
