//! `stormglass serve`: a production node, from its configuration file to the signal that ends it.

use std::path::Path;
use std::process::ExitCode;

use cluster::config::NodeConfig;
use cluster::node::Node;
use cluster::world::real::RealClusterWorld;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Serve;
use crate::output::Failed;

/// Reads and validates a node.yaml.
pub(crate) fn load_config(file: &Path) -> Result<NodeConfig, Failed> {
    let text =
        std::fs::read_to_string(file).map_err(|error| Failed::usage(format!("{}: {error}", file.display())))?;
    NodeConfig::parse(file, &text).map_err(|error| Failed::usage(error.to_string()))
}

pub(crate) async fn serve(serve: &Serve) -> Result<ExitCode, Failed> {
    let config = load_config(&serve.config)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(no_signals)?;
    let address = config.nodes[&config.node].clone();
    // The port first: a node that cannot be reached has no business with its data.
    let world = RealClusterWorld::listen(config.node, &config.nodes)
        .await
        .map_err(|error| Failed::environment(format!("cannot listen on {address}: {error}")))?;
    let (name, data) = (config.node, config.data.clone());
    let node = Node::start(world, config).await?;
    eprintln!("stormglass: {name} serves on {address}, data in {}; {}", data.display(), node.recovery());
    tokio::select! {
        biased;
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
        () = node.serve() => {}
    }
    node.close().await?;
    eprintln!("stormglass: {name} has closed its data");
    Ok(ExitCode::SUCCESS)
}

fn no_signals(error: std::io::Error) -> Failed {
    Failed::environment(format!("signals cannot be received: {error}"))
}
