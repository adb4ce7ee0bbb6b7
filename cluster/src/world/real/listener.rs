//! The connections that others make to this node.
//!
//! ```text
//!   accept ─▶ one too many? ─▶ greet ─▶ a node that is no peer? ─▶ node:    its frames to the inbox
//!                │                │               │                client:  the same, and a queue for the replies
//!                ▼                ▼               ▼
//!             closed, counted, told
//! ```
//!
//! Replies to a client go out on the connection it made; the latest one, if it made several. Frames to a node never do:
//! they go over this node's own connection to it, so that a half-open one is noticed by the side that needs it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connection;
use super::ending::Ending;
use super::handshake::greet;
use super::network::Shared;
use super::queue::{Queue, locked};
use crate::world::{ClientId, NodeId, Peer};

/// How long to wait when the system has no descriptor left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where the replies to a client go.
pub(super) struct ClientRoute {
    /// Tells this connection from later ones of the same client.
    serial: u64,
    pub(super) queue: Arc<Queue>,
}

/// Accepts for ever. Every connection is a task of this one: they end with it.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(shared.settings.connections_max.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or a connection that was gone again before we took it.
                shared.tell("the listener", None, &error.into());
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            shared.tell(&address.to_string(), None, &Ending::TooManyConnections);
            continue;
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let (peer, ending) = serve(stream, &shared).await;
            shared.tell(&address.to_string(), peer, &ending);
            drop(place);
        });
    }
}

/// Greets and runs one connection; returns who it was and why it ended.
async fn serve(mut stream: TcpStream, shared: &Shared) -> (Option<Peer>, Ending) {
    connection::prepare(&stream);
    let peer = match greet(&mut stream, shared.greeting(), shared.settings.handshake_timeout).await {
        Ok(peer) => peer,
        Err(ending) => return (None, ending),
    };
    shared.inbound.fetch_add(1, Ordering::Relaxed);
    let ending = match peer {
        Peer::Node(node) => serve_node(stream, node, shared).await,
        Peer::Client(client) => serve_client(stream, client, shared).await,
    };
    shared.inbound.fetch_sub(1, Ordering::Relaxed);
    (Some(peer), ending)
}

async fn serve_node(stream: TcpStream, node: NodeId, shared: &Shared) -> Ending {
    let peer = Peer::Node(node);
    if !locked(&shared.links).contains_key(&node) {
        return Ending::UnknownNode(peer);
    }
    let nothing = Queue::new(shared.settings.queue);
    connection::run(stream, peer, &nothing, &shared.inbox).await
}

async fn serve_client(stream: TcpStream, client: ClientId, shared: &Shared) -> Ending {
    let serial = shared.next_serial.fetch_add(1, Ordering::Relaxed);
    let queue = Arc::new(Queue::new(shared.settings.queue));
    let route = ClientRoute { serial, queue: Arc::clone(&queue) };
    if let Some(older) = locked(&shared.clients).insert(client, route) {
        older.queue.close();
    }
    let ending = connection::run(stream, Peer::Client(client), &queue, &shared.inbox).await;
    let mut clients = locked(&shared.clients);
    if clients.get(&client).is_some_and(|route| route.serial == serial) {
        clients.remove(&client);
    }
    ending
}
