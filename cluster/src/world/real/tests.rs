//! TCP on the loopback: the contract of a network, and everything strangers can do to a port.

#![allow(clippy::unwrap_used, reason = "a test that fails to unwrap has failed")]

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::handshake::Greeting;
use super::*;
use crate::world::contract::network_conforms;
use crate::world::{ClientId, Network, NodeId, Peer};

const CLUSTER: u64 = 77;
const FIRST: NodeId = NodeId(1);
const SECOND: NodeId = NodeId(2);
const CLIENT: ClientId = ClientId(0xc11e);

fn settings() -> TcpSettings {
    let mut settings = TcpSettings::new(CLUSTER, Rng::from_seed(1));
    settings.backoff_least = Duration::from_millis(1);
    settings.backoff_most = Duration::from_millis(20);
    settings
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn at(node: NodeId, network: &TcpNetwork) -> BTreeMap<NodeId, String> {
    BTreeMap::from([(node, network.listening().unwrap().to_string())])
}

/// A node whose one peer, beside itself, has an address at which nobody needs to be.
async fn lone_node(settings: TcpSettings) -> TcpNetwork {
    let peers = BTreeMap::from([FIRST, SECOND].map(|node| (node, "127.0.0.1:9".to_string())));
    TcpNetwork::listen(FIRST, any_port(), peers, settings).await.unwrap()
}

/// An address that was free a moment ago.
async fn free_address() -> SocketAddr {
    TcpListener::bind(any_port()).await.unwrap().local_addr().unwrap()
}

/// The second node at this address, which another test may hold for a while.
async fn second_node(address: SocketAddr, first: &TcpNetwork) -> TcpNetwork {
    let listening = async {
        loop {
            if let Ok(second) = TcpNetwork::listen(SECOND, address, at(FIRST, first), settings()).await {
                return second;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(20), listening).await.expect("the address becomes free")
}

/// Two nodes that know each other.
async fn two_nodes() -> (TcpNetwork, TcpNetwork) {
    let address = free_address().await;
    let peers = BTreeMap::from([(SECOND, address.to_string())]);
    let first = TcpNetwork::listen(FIRST, any_port(), peers, settings()).await.unwrap();
    let second = second_node(address, &first).await;
    (first, second)
}

async fn recv(network: &TcpNetwork) -> (Peer, Bytes) {
    timeout(Duration::from_secs(20), network.recv()).await.expect("a frame arrives")
}

/// Sends until something arrives; frames may be lost while a peer restarts.
async fn send_until_received(from: &TcpNetwork, to: &TcpNetwork, frame: &'static [u8]) -> (Peer, Bytes) {
    for _ in 0..200 {
        from.send(to.identity(), Bytes::from_static(frame));
        if let Ok(arrived) = timeout(Duration::from_millis(100), to.recv()).await {
            return arrived;
        }
    }
    panic!("nothing arrived in 20 s: {:?}", from.statistics());
}

/// Waits until the network's statistics are like this.
async fn must_become(network: &TcpNetwork, what: &str, reached: impl Fn(&NetworkStatistics) -> bool) {
    let becoming = async {
        while !reached(&network.statistics()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let became = timeout(Duration::from_secs(20), becoming).await;
    assert!(became.is_ok(), "{what}: {:?}", network.statistics());
}

/// Waits until this kind of ending was counted.
async fn must_count(network: &TcpNetwork, kind: &str) {
    must_become(network, kind, |statistics| statistics.endings.contains_key(kind)).await;
}

/// Greets as this peer, by hand, and takes the answer (bytes left unread would make the end a reset).
async fn greet_as(network: &TcpNetwork, identity: Peer, cluster: u64, version: u16) -> TcpStream {
    let mut stream = TcpStream::connect(network.listening().unwrap()).await.unwrap();
    stream.write_all(&Greeting { identity, cluster }.encode(version)).await.unwrap();
    let mut answer = [0; 27];
    let _ = stream.read_exact(&mut answer).await;
    stream
}

/// The node still works.
async fn must_serve(network: &TcpNetwork) {
    let client = TcpNetwork::client(ClientId(1), at(FIRST, network), settings());
    client.send(network.identity(), Bytes::from_static(b"still there?"));
    assert_eq!(recv(network).await, (Peer::Client(ClientId(1)), Bytes::from_static(b"still there?")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_keeps_the_contract_of_a_network() {
    let (first, second) = two_nodes().await;
    let client = TcpNetwork::client(CLIENT, at(FIRST, &first), settings());
    network_conforms(RealWorld::new().clock(), &first, &second, &client).await;
}

#[tokio::test]
async fn tcp_keeps_the_contract_of_a_network_on_one_thread() {
    let (first, second) = two_nodes().await;
    let client = TcpNetwork::client(CLIENT, at(FIRST, &first), settings());
    network_conforms(RealWorld::new().clock(), &first, &second, &client).await;
}

#[tokio::test]
async fn a_client_that_knows_only_an_address_learns_who_answers() {
    let node = lone_node(settings()).await;
    let client = TcpNetwork::client(CLIENT, BTreeMap::new(), settings());
    assert_eq!(client.dial(&node.listening().unwrap().to_string()).await, Ok(FIRST));
    client.send(Peer::Node(FIRST), Bytes::from_static(b"hello"));
    assert_eq!(recv(&node).await, (Peer::Client(CLIENT), Bytes::from_static(b"hello")));
    node.send(Peer::Client(CLIENT), Bytes::from_static(b"and welcome"));
    assert_eq!(recv(&client).await, (Peer::Node(FIRST), Bytes::from_static(b"and welcome")));
    assert_eq!(client.statistics().links[&FIRST].connections, 1, "the connection that asked is the one that is used");
}

#[tokio::test]
async fn dialling_where_nobody_listens_says_so() {
    let nobody = free_address().await;
    let client = TcpNetwork::client(CLIENT, BTreeMap::new(), settings());
    let ending = client.dial(&nobody.to_string()).await.unwrap_err();
    assert!(matches!(&ending, Ending::InputOutput(words) if words.contains("refused")), "{ending}");
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let node = lone_node(settings()).await;
    let second = TcpNetwork::listen(SECOND, node.listening().unwrap(), BTreeMap::new(), settings()).await;
    assert_eq!(second.err().map(|error| error.kind()), Some(std::io::ErrorKind::AddrInUse));
}

#[tokio::test]
async fn what_is_sent_to_oneself_arrives() {
    let node = lone_node(settings()).await;
    node.send(Peer::Node(FIRST), Bytes::from_static(b"note"));
    assert_eq!(recv(&node).await, (Peer::Node(FIRST), Bytes::from_static(b"note")));
}

#[tokio::test]
async fn a_restarted_peer_is_reached_again() {
    let (first, second) = two_nodes().await;
    assert_eq!(send_until_received(&first, &second, b"before").await.1, b"before"[..]);
    let address = second.listening().unwrap();
    second.close().await;
    drop(second);
    must_become(&first, "it notices", |statistics| !statistics.links[&SECOND].connected).await;
    let second = second_node(address, &first).await;
    assert_eq!(send_until_received(&first, &second, b"after").await, (Peer::Node(FIRST), Bytes::from_static(b"after")));
    assert!(first.statistics().links[&SECOND].connections >= 2);
}

#[tokio::test]
async fn frames_too_old_at_a_reconnect_are_dropped() {
    let address = free_address().await;
    let mut impatient = settings();
    impatient.queue.age_max = Duration::ZERO;
    let peers = BTreeMap::from([(SECOND, address.to_string())]);
    let first = TcpNetwork::listen(FIRST, any_port(), peers, impatient).await.unwrap();
    first.send(Peer::Node(SECOND), Bytes::from_static(b"stale"));
    must_become(&first, "it tries", |statistics| statistics.links[&SECOND].attempts_failed > 0).await;
    let second = second_node(address, &first).await;
    assert_eq!(send_until_received(&first, &second, b"fresh").await.1, b"fresh"[..]);
    assert!(first.statistics().links[&SECOND].queue.frames_stale >= 1);
}

#[tokio::test]
async fn a_full_queue_drops_frames_and_never_blocks() {
    let mut small = settings();
    small.queue.frames_max = 10;
    let node = lone_node(small).await;
    for _ in 0..1_000 {
        node.send(Peer::Node(SECOND), Bytes::from_static(b"nobody is there"));
    }
    let queue = node.statistics().links[&SECOND].queue;
    assert_eq!((queue.frames_queued, queue.frames_dropped), (10, 990));
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_a_bounded_queue() {
    let mut small = settings();
    small.queue.bytes_max = 1_048_576;
    let node = lone_node(small).await;
    let deaf = greet_as(&node, Peer::Client(CLIENT), CLUSTER, PROTOCOL_VERSION).await;
    must_become(&node, "the client is known", |statistics| statistics.clients_connected == 1).await;
    let frame = Bytes::from(vec![0; 262_144]);
    // More than the queue and all that the kernel may buffer; in steps, so that the connection can write.
    for _ in 0..400 {
        node.send(Peer::Client(CLIENT), frame.clone());
        tokio::task::yield_now().await;
    }
    let queues = node.statistics().client_queues;
    assert!(queues.frames_dropped > 0 && queues.bytes_queued <= 1_048_576, "{queues:?}");
    must_serve(&node).await;
    drop(deaf);
}

#[tokio::test]
async fn the_latest_connection_of_a_client_gets_the_replies() {
    let node = lone_node(settings()).await;
    let older = TcpNetwork::client(CLIENT, BTreeMap::new(), settings());
    older.dial(&node.listening().unwrap().to_string()).await.unwrap();
    older.send(Peer::Node(FIRST), Bytes::from_static(b"older"));
    recv(&node).await;
    let newer = TcpNetwork::client(CLIENT, at(FIRST, &node), settings());
    newer.send(Peer::Node(FIRST), Bytes::from_static(b"newer"));
    recv(&node).await;
    node.send(Peer::Client(CLIENT), Bytes::from_static(b"reply"));
    assert_eq!(recv(&newer).await.1, b"reply"[..]);
    must_count(&node, "replaced").await;
    assert_eq!(node.statistics().clients_connected, 1);
}

#[tokio::test]
async fn a_client_that_left_is_forgotten() {
    let node = lone_node(settings()).await;
    must_serve(&node).await;
    must_count(&node, "closed").await;
    assert_eq!(node.statistics().clients_connected, 0);
    node.send(Peer::Client(ClientId(1)), Bytes::from_static(b"too late"));
    assert_eq!(node.statistics().frames_unsent, 1);
}

#[tokio::test]
async fn a_frame_beyond_the_limit_is_not_sent() {
    let node = lone_node(settings()).await;
    node.send(Peer::Node(SECOND), Bytes::from(vec![0; crate::world::MAX_FRAME_BYTES + 1]));
    assert_eq!(node.statistics().frames_unsent, 1);
    assert_eq!(node.statistics().links[&SECOND].queue.frames_queued, 0);
}

#[tokio::test]
async fn garbage_is_turned_away_and_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut listening = settings();
    let log = Arc::clone(&told);
    listening.on_event = Some(Arc::new(move |event| log.lock().unwrap().push(event.to_string())));
    let node = lone_node(listening).await;
    let mut stranger = TcpStream::connect(node.listening().unwrap()).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    must_count(&node, "bad_magic").await;
    assert!(told.lock().unwrap()[0].contains("does not speak this protocol"), "{:?}", told.lock().unwrap());
    // The end of the connection, after the node's own greeting; a reset is an end too.
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(20), stranger.read_to_end(&mut answer)).await.expect("the connection ends");
    must_serve(&node).await;
}

#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let mut impatient = settings();
    impatient.handshake_timeout = Duration::from_millis(20);
    let node = lone_node(impatient).await;
    let silent = TcpStream::connect(node.listening().unwrap()).await.unwrap();
    must_count(&node, "handshake_timeout").await;
    drop(silent);
    must_serve(&node).await;
}

#[tokio::test]
async fn another_version_another_cluster_and_unknown_nodes_are_refused() {
    let node = lone_node(settings()).await;
    let client = Peer::Client(CLIENT);
    let _version = greet_as(&node, client, CLUSTER, PROTOCOL_VERSION + 1).await;
    must_count(&node, "other_version").await;
    let _cluster = greet_as(&node, client, CLUSTER + 1, PROTOCOL_VERSION).await;
    must_count(&node, "other_cluster").await;
    let _stranger = greet_as(&node, Peer::Node(NodeId(9)), CLUSTER, PROTOCOL_VERSION).await;
    must_count(&node, "unknown_node").await;
    let _ourselves = greet_as(&node, Peer::Node(FIRST), CLUSTER, PROTOCOL_VERSION).await;
    must_become(&node, "its own name is refused too", |statistics| statistics.endings["unknown_node"] == 2).await;
    must_serve(&node).await;
}

#[tokio::test]
async fn somebody_else_at_a_peers_address_gets_no_frames() {
    let node = lone_node(settings()).await;
    let client = TcpNetwork::client(CLIENT, at(SECOND, &node), settings());
    client.send(Peer::Node(SECOND), Bytes::from_static(b"for the second"));
    must_count(&client, "unexpected_identity").await;
    must_serve(&node).await;
}

#[tokio::test]
async fn a_truncated_a_damaged_and_an_endless_frame_end_their_connection_only() {
    let node = lone_node(settings()).await;
    let cases: [(&[u8], &str); 3] = [
        (b"\x10\0\0\0\0\0\0\0half", "frame_truncated"),
        (b"\x04\0\0\0\0\0\0\0four", "frame_damaged"),
        (b"\xff\xff\xff\xff\0\0\0\0", "frame_too_long"),
    ];
    for (bytes, kind) in cases {
        let mut stream = greet_as(&node, Peer::Client(CLIENT), CLUSTER, PROTOCOL_VERSION).await;
        stream.write_all(bytes).await.unwrap();
        drop(stream);
        must_count(&node, kind).await;
    }
    must_serve(&node).await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed() {
    let mut small = settings();
    small.connections_max = 1;
    let node = lone_node(small).await;
    let only = greet_as(&node, Peer::Client(CLIENT), CLUSTER, PROTOCOL_VERSION).await;
    let _second = TcpStream::connect(node.listening().unwrap()).await.unwrap();
    must_count(&node, "too_many_connections").await;
    drop(only);
    must_count(&node, "closed").await;
    must_serve(&node).await;
}

#[tokio::test]
async fn a_closed_network_is_silent_and_its_port_free() {
    let node = lone_node(settings()).await;
    let address = node.listening().unwrap();
    node.close().await;
    node.send(Peer::Node(SECOND), Bytes::from_static(b"into the void"));
    assert_eq!(node.statistics().links[&SECOND].attempts_failed, 0);
    let received = poll_fn(|context| Poll::Ready(pin!(node.recv()).poll(context).is_ready())).await;
    assert!(!received);
    drop(TcpListener::bind(address).await.expect("the port is free"));
}
