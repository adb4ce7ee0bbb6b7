//! The way to one node: a queue, and a task that keeps a connection for it.
//!
//! ```text
//!   first send ──▶ task: wait for a frame ──▶ dial, greet ──▶ drop stale frames ──▶ run the connection
//!                    ▲                             │ failed                            │ ended
//!                    └──────── wait 50 ms, doubling to 2 s, and a random part ◀────────┘
//! ```
//!
//! Who has nothing to send does not dial. The wait starts again at its least once a connection has lasted: a
//! peer that greets and then hangs up at once must not be dialled in a tight loop. The random part keeps the peers of a
//! restarted node from all dialling in the same millisecond (AWS, "Exponential Backoff And Jitter").

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::world::Rng;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::connection;
use super::ending::Ending;
use super::handshake::greet;
use super::network::Shared;
use super::queue::{Queue, QueueStatistics, locked};
use crate::world::{NodeId, Peer};

/// What one link has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatistics {
    /// The configured `host:port`.
    pub address: String,
    /// There is a greeted connection now.
    pub connected: bool,
    /// Connections that were established, since the start.
    pub connections: u64,
    /// Attempts that failed, since the start.
    pub attempts_failed: u64,
    /// Why the last connection or attempt ended, while there is none.
    pub last_ending: Option<Ending>,
    /// What waits, and what became of what waited.
    pub queue: QueueStatistics,
}

/// The way to one node.
pub(super) struct Link {
    pub(super) node: NodeId,
    pub(super) address: String,
    pub(super) queue: Queue,
    /// A task runs for it, or did.
    pub(super) started: AtomicBool,
    connected: AtomicBool,
    connections: AtomicU64,
    attempts_failed: AtomicU64,
    last_ending: Mutex<Option<Ending>>,
}

impl Link {
    pub(super) fn new(node: NodeId, address: String, shared: &Shared) -> Self {
        Self {
            node,
            address,
            queue: Queue::new(shared.settings.queue),
            started: AtomicBool::new(false),
            connected: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            attempts_failed: AtomicU64::new(0),
            last_ending: Mutex::new(None),
        }
    }

    pub(super) fn statistics(&self) -> LinkStatistics {
        LinkStatistics {
            address: self.address.clone(),
            connected: self.connected.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            attempts_failed: self.attempts_failed.load(Ordering::Relaxed),
            last_ending: locked(&self.last_ending).clone(),
            queue: self.queue.statistics(),
        }
    }

    /// Keeps a connection for the queue, for ever; `greeted` is one to begin with.
    pub(super) async fn run(self: Arc<Self>, shared: Arc<Shared>, greeted: Option<TcpStream>) {
        let mut backoff = Backoff::new(&shared, self.node);
        let mut next = greeted;
        loop {
            let began = Instant::now();
            let ending = match next.take() {
                Some(stream) => self.run_connection(stream, &shared).await,
                None => {
                    self.queue.wait().await;
                    match dial(&self.address, Some(self.node), &shared).await {
                        Ok((stream, _)) => self.run_connection(stream, &shared).await,
                        Err(ending) => {
                            self.attempts_failed.fetch_add(1, Ordering::Relaxed);
                            ending
                        }
                    }
                }
            };
            shared.tell(&self.address, Some(Peer::Node(self.node)), &ending);
            *locked(&self.last_ending) = Some(ending);
            sleep(backoff.next(began.elapsed())).await;
        }
    }

    async fn run_connection(&self, stream: TcpStream, shared: &Shared) -> Ending {
        self.queue.drop_stale();
        *locked(&self.last_ending) = None;
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.connected.store(true, Ordering::Relaxed);
        let ending = connection::run(stream, Peer::Node(self.node), &self.queue, &shared.inbox).await;
        self.connected.store(false, Ordering::Relaxed);
        ending
    }
}

/// Connects to an address and greets; returns the connection and the node that answered, which must be `expected` if
/// that is given.
pub(super) async fn dial(
    address: &str,
    expected: Option<NodeId>,
    shared: &Shared,
) -> Result<(TcpStream, NodeId), Ending> {
    let within = shared.settings.handshake_timeout;
    let mut stream = timeout(within, TcpStream::connect(address)).await.map_err(|_| Ending::HandshakeTimeout)??;
    connection::prepare(&stream);
    let found = greet(&mut stream, shared.greeting(), within).await?;
    match (found, expected) {
        (Peer::Node(node), None) => Ok((stream, node)),
        (Peer::Node(node), Some(expected)) if node == expected => Ok((stream, node)),
        (found, Some(expected)) => Err(Ending::UnexpectedIdentity { expected: Peer::Node(expected), found }),
        // A client listens to nobody.
        (Peer::Client(_), None) => Err(Ending::BadGreeting),
    }
}

/// How long to wait before the next attempt.
struct Backoff {
    least: Duration,
    most: Duration,
    current: Duration,
    jitter: Rng,
}

impl Backoff {
    fn new(shared: &Shared, node: NodeId) -> Self {
        let (least, most) = (shared.settings.backoff_least, shared.settings.backoff_most);
        Self { least, most, current: least, jitter: shared.settings.jitter.fork(&node.to_string()) }
    }

    /// The wait after an attempt or connection that lasted `lasted`: between half and all of the current backoff.
    fn next(&mut self, lasted: Duration) -> Duration {
        if lasted > self.most {
            self.current = self.least;
        }
        let half_micros = self.current.as_micros() as u64 / 2;
        self.current = (self.current * 2).min(self.most);
        Duration::from_micros(half_micros + self.jitter.below(half_micros + 1))
    }
}
