//! The network of a production process: framed TCP between identities.
//!
//! ```text
//!              send(node)    ──▶ Link (queue, connection that we made)      ──▶ that node
//!   protocols  send(client)  ──▶ the connection that the client made        ──▶ that client
//!              send(ourself) ──▶ inbox
//!              recv          ◀── inbox ◀── every connection, made or accepted
//! ```
//!
//! Two nodes hold two connections, each used in one direction; a client's one is used in both. `send` never waits and never
//! tells: a full queue, a missing route or a broken connection loses the frame, and a counter shows it. TCP keeps order
//! within a connection, but nobody may build on that: the contract is that of datagrams.
//!
//! Not here: encryption, authentication, compression, and changing the peers while running.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use engine::world::Rng;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::ending::{Ending, EventHook, NetworkEvent};
use super::handshake::Greeting;
use super::inbox::{Inbox, InboxSender, inbox};
use super::link::{Link, LinkStatistics, dial};
use super::listener::{ClientRoute, accept};
use super::queue::{QueueLimits, QueueStatistics, locked};
use crate::world::{ClientId, MAX_FRAME_BYTES, Network, NodeId, Peer};

/// How a [`TcpNetwork`] behaves. [`TcpSettings::new`] has the defaults.
#[derive(Clone)]
pub struct TcpSettings {
    /// A hash of the cluster's name (see [`cluster_hash`]); 0 speaks to any cluster.
    pub cluster: u64,
    /// Spreads reconnects in time.
    pub jitter: Rng,
    /// How long connecting, and then greeting, may take. 5 s.
    pub handshake_timeout: Duration,
    /// Inbound connections at a time. 1,024.
    pub connections_max: usize,
    /// What may wait for one connection. 4,096 frames, 64 MiB, 3 s.
    pub queue: QueueLimits,
    /// Frames that arrived and were not received yet. 4,096.
    pub inbox_frames_max: usize,
    /// Bytes in them; at least [`MAX_FRAME_BYTES`]. 64 MiB.
    pub inbox_bytes_max: usize,
    /// The wait after the first failed attempt to connect. 50 ms.
    pub backoff_least: Duration,
    /// The wait that repeated doubling ends at. 2 s.
    pub backoff_most: Duration,
    /// Told of every connection that ended or was refused.
    pub on_event: Option<EventHook>,
}

impl TcpSettings {
    /// The defaults, for one cluster.
    pub fn new(cluster: u64, jitter: Rng) -> Self {
        Self {
            cluster,
            jitter,
            handshake_timeout: Duration::from_secs(5),
            connections_max: 1_024,
            queue: QueueLimits { frames_max: 4_096, bytes_max: 64 * 1024 * 1024, age_max: Duration::from_secs(3) },
            inbox_frames_max: 4_096,
            inbox_bytes_max: 64 * 1024 * 1024,
            backoff_least: Duration::from_millis(50),
            backoff_most: Duration::from_secs(2),
            on_event: None,
        }
    }
}

/// What a cluster's name is in a handshake: never 0, which stands for any cluster.
pub fn cluster_hash(name: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(name.as_bytes()).max(1)
}

/// What a network has seen since it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkStatistics {
    /// Every node that this process may send to.
    pub links: BTreeMap<NodeId, LinkStatistics>,
    /// Greeted connections that others made, now.
    pub inbound_connections: usize,
    /// Clients that replies can reach, now.
    pub clients_connected: usize,
    /// The queues to these clients, summed.
    pub client_queues: QueueStatistics,
    /// Ended and refused connections and failed attempts, by [`Ending::kind`].
    pub endings: BTreeMap<&'static str, u64>,
    /// Frames lost because nobody had the address, because they were too long, or because our own inbox was full.
    pub frames_unsent: u64,
}

/// What the tasks of one network share.
pub(super) struct Shared {
    pub(super) identity: Peer,
    pub(super) settings: TcpSettings,
    pub(super) inbox: InboxSender,
    pub(super) links: Mutex<BTreeMap<NodeId, Arc<Link>>>,
    pub(super) clients: Mutex<BTreeMap<ClientId, ClientRoute>>,
    pub(super) inbound: AtomicUsize,
    pub(super) next_serial: AtomicU64,
    endings: Mutex<BTreeMap<&'static str, u64>>,
    frames_unsent: AtomicU64,
}

impl Shared {
    pub(super) fn greeting(&self) -> Greeting {
        Greeting { identity: self.identity, cluster: self.settings.cluster }
    }

    /// Counts an ended connection, and tells the hook.
    pub(super) fn tell(&self, address: &str, peer: Option<Peer>, ending: &Ending) {
        *locked(&self.endings).entry(ending.kind()).or_default() += 1;
        if let Some(hook) = &self.settings.on_event {
            hook(&NetworkEvent { address: address.to_string(), peer, ending: ending.clone() });
        }
    }

    fn lose(&self) {
        self.frames_unsent.fetch_add(1, Ordering::Relaxed);
    }
}

/// One process's end of a TCP network. Clones are the same end; dropping the last one closes it.
#[derive(Clone)]
pub struct TcpNetwork {
    end: Arc<End>,
}

/// Owns the tasks, none of which owns it: dropping it ends them.
struct End {
    shared: Arc<Shared>,
    inbox: Inbox,
    listening: Option<SocketAddr>,
    runtime: Handle,
    /// `None` once closed.
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl TcpNetwork {
    /// A node's end: listens on `listen` (port 0 for any free one, see [`Self::listening`]) and knows its peers' addresses
    /// as `host:port`; an entry for itself does no harm. Must be called within a tokio runtime with I/O and time.
    ///
    /// # Errors
    ///
    /// The system's, when it cannot listen there: the port is taken, the address is not this machine's.
    pub async fn listen(
        identity: NodeId,
        listen: SocketAddr,
        mut peers: BTreeMap<NodeId, String>,
        settings: TcpSettings,
    ) -> io::Result<Self> {
        // What we send to ourselves needs no connection, and whoever dials in with our name is somebody else.
        peers.remove(&identity);
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let network = Self::new(Peer::Node(identity), peers, settings, Some(address));
        network.end.spawn(accept(listener, Arc::clone(&network.end.shared)));
        Ok(network)
    }

    /// A client's end: dials the nodes it sends to, and listens nowhere. Must be called within a tokio runtime.
    pub fn client(identity: ClientId, targets: BTreeMap<NodeId, String>, settings: TcpSettings) -> Self {
        Self::new(Peer::Client(identity), targets, settings, None)
    }

    fn new(
        identity: Peer,
        targets: BTreeMap<NodeId, String>,
        settings: TcpSettings,
        listening: Option<SocketAddr>,
    ) -> Self {
        let (inbox_sender, inbox) = inbox(settings.inbox_frames_max, settings.inbox_bytes_max);
        let shared = Shared {
            identity,
            settings,
            inbox: inbox_sender,
            links: Mutex::default(),
            clients: Mutex::default(),
            inbound: AtomicUsize::new(0),
            next_serial: AtomicU64::new(0),
            endings: Mutex::default(),
            frames_unsent: AtomicU64::new(0),
        };
        for (node, address) in targets {
            let link = Arc::new(Link::new(node, address, &shared));
            locked(&shared.links).insert(node, link);
        }
        let tasks = Mutex::new(Some(JoinSet::new()));
        let end = End { shared: Arc::new(shared), inbox, listening, runtime: Handle::current(), tasks };
        Self { end: Arc::new(end) }
    }

    /// Where this end listens, if it does.
    pub fn listening(&self) -> Option<SocketAddr> {
        self.end.listening
    }

    /// Connects to `address` (`host:port`) and learns which node answers there. Frames to that node go this way from then on,
    /// unless another way to it is known already.
    ///
    /// # Errors
    ///
    /// Why there is no connection; nothing was changed.
    pub async fn dial(&self, address: &str) -> Result<NodeId, Ending> {
        let shared = &self.end.shared;
        let (stream, node) = dial(address, None, shared).await?;
        let link = {
            let mut links = locked(&shared.links);
            let known = links.entry(node);
            Arc::clone(known.or_insert_with(|| Arc::new(Link::new(node, address.to_string(), shared))))
        };
        self.end.start(&link, Some(stream));
        Ok(node)
    }

    /// What this end has seen.
    pub fn statistics(&self) -> NetworkStatistics {
        let shared = &self.end.shared;
        let links = locked(&shared.links).iter().map(|(node, link)| (*node, link.statistics())).collect();
        let client_queues: Vec<_> = locked(&shared.clients).values().map(|route| route.queue.statistics()).collect();
        NetworkStatistics {
            links,
            inbound_connections: shared.inbound.load(Ordering::Relaxed),
            clients_connected: client_queues.len(),
            client_queues: client_queues.into_iter().sum(),
            endings: locked(&shared.endings).clone(),
            frames_unsent: shared.frames_unsent.load(Ordering::Relaxed),
        }
    }

    /// Closes every connection and the listener, and returns when that is done: the port is free then. Frames that wait are
    /// lost; later sends lead nowhere.
    pub async fn close(&self) {
        let tasks = locked(&self.end.tasks).take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }
}

impl End {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = locked(&self.tasks).as_mut() {
            tasks.spawn_on(task, &self.runtime);
        }
    }

    /// Starts the task of a link, with a connection to begin with if there is one, unless it runs already.
    fn start(&self, link: &Arc<Link>, greeted: Option<TcpStream>) {
        if !link.started.swap(true, Ordering::Relaxed) {
            self.spawn(Arc::clone(link).run(Arc::clone(&self.shared), greeted));
        }
    }

    fn send_to_node(&self, node: NodeId, frame: Bytes) {
        let link = locked(&self.shared.links).get(&node).cloned();
        match link {
            Some(link) => {
                link.queue.push(frame);
                self.start(&link, None);
            }
            None => self.shared.lose(),
        }
    }

    fn send_to_client(&self, client: ClientId, frame: Bytes) {
        match locked(&self.shared.clients).get(&client) {
            Some(route) => route.queue.push(frame),
            None => self.shared.lose(),
        }
    }
}

impl Network for TcpNetwork {
    fn identity(&self) -> Peer {
        self.end.shared.identity
    }

    fn send(&self, to: Peer, frame: Bytes) {
        let shared = &self.end.shared;
        if frame.len() > MAX_FRAME_BYTES {
            shared.lose();
            return;
        }
        match to {
            ourselves if ourselves == shared.identity => {
                if !shared.inbox.offer(ourselves, frame) {
                    shared.lose();
                }
            }
            Peer::Node(node) => self.end.send_to_node(node, frame),
            Peer::Client(client) => self.end.send_to_client(client, frame),
        }
    }

    async fn recv(&self) -> (Peer, Bytes) {
        self.end.inbox.recv().await
    }
}
