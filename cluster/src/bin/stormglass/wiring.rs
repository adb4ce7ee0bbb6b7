//! The real world, wired: a node's, and a client's. Identity, cluster fingerprint, address and what is logged of connections
//! are decided here and nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::config::NodeConfig;
use cluster::world::real::{Ending, NetworkEvent, RealClusterWorld, TcpNetwork, TcpSettings, cluster_hash};
use cluster::world::{ClientId, NodeId};
use engine::world::World;
use engine::world::real::RealWorld;

use crate::output::Failed;

/// A node's world: listens where the configuration says, and knows its peers.
pub(crate) async fn listen(config: &NodeConfig) -> Result<RealClusterWorld, Failed> {
    let world = RealWorld::new();
    let address = &config.nodes[&config.node];
    let refused = |error: std::io::Error| Failed::environment(format!("cannot listen on {address}: {error}"));
    let mut resolved = tokio::net::lookup_host(address).await.map_err(refused)?;
    let socket = resolved.next().ok_or_else(|| Failed::environment(format!("{address} is the address of nobody")))?;
    let mut settings = TcpSettings::new(cluster_hash(&config.fingerprint()), world.rng("reconnect"));
    settings.on_event = Some(Arc::new(tell));
    let network = TcpNetwork::listen(config.node, socket, config.nodes.clone(), settings).await.map_err(refused)?;
    Ok(RealClusterWorld::new(world, network))
}

/// A client's world, connected to whichever node answers at `address`.
pub(crate) async fn dial(address: &str) -> Result<(RealClusterWorld, NodeId), Failed> {
    let world = RealWorld::new();
    let identity = ClientId(world.rng("client").next_u64());
    let settings = TcpSettings::new(0, world.rng("reconnect"));
    let network = TcpNetwork::client(identity, BTreeMap::new(), settings);
    let node = network
        .dial(address)
        .await
        .map_err(|error| Failed::environment(format!("no node answers at {address}: {error}")))?;
    Ok((RealClusterWorld::new(world, network), node))
}

/// Says why a connection ended, where that is more than a peer that is away or done.
fn tell(event: &NetworkEvent) {
    if !matches!(event.ending, Ending::Closed | Ending::InputOutput(_)) {
        eprintln!("stormglass: {event}");
    }
}
