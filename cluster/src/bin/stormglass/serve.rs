//! `stormglass serve`: a production node, from its configuration file to the signal that ends it. SIGTERM and SIGINT close the
//! data cleanly; anything harsher is what recovery is for.

use std::path::Path;
use std::process::ExitCode;

use cluster::config::NodeConfig;
use cluster::node::Node;
use engine::Recovery;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Serve;
use crate::output::Failed;

/// Reads and validates a node.yaml.
pub(crate) fn load_config(file: &Path) -> Result<NodeConfig, Failed> {
    let text = std::fs::read_to_string(file).map_err(|error| Failed::usage(format!("{}: {error}", file.display())))?;
    NodeConfig::parse(file, &text).map_err(|error| Failed::usage(error.to_string()))
}

pub(crate) async fn serve(serve: &Serve) -> Result<ExitCode, Failed> {
    let config = load_config(&serve.config)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(no_signals)?;
    let address = config.nodes[&config.node].clone();
    // The port first: a node that cannot be reached has no business with its data.
    let world = crate::wiring::listen(&config).await?;
    let (name, data) = (config.node, config.data.clone());
    let node = Node::start(world, config).await?;
    eprintln!("stormglass: {name} serves on {address}, data in {}; {}", data.display(), recovered(node.recovery()));
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

fn recovered(recovery: &Recovery) -> String {
    let found = match (&recovery.torn_tail, recovery.closed_cleanly) {
        (Some(torn), _) => {
            let kept = torn.kept_in.as_ref().map_or("nothing".to_string(), |file| file.display().to_string());
            format!(
                "a torn tail of {} bytes was cut from {} at offset {} (kept in {kept}); writes from sequence {} on may be \
                 missing, none of them acknowledged as durable",
                torn.length,
                torn.file.display(),
                torn.offset,
                torn.missing_from
            )
        }
        (None, true) => "it had been closed cleanly".to_string(),
        (None, false) => "its log was whole".to_string(),
    };
    if recovery.segments == 0 {
        return "a new directory".to_string();
    }
    format!("recovered up to sequence {}: {found}", recovery.sequence)
}

fn no_signals(error: std::io::Error) -> Failed {
    Failed::environment(format!("signals cannot be received: {error}"))
}
