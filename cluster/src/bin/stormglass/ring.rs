//! `stormglass ring explain KEY`: hash -> token -> partition -> nodes, from a configuration file alone; no node is asked,
//! because every node and client computes the same table.

use std::process::ExitCode;

use serde_json::json;

use crate::arguments::Explain;
use crate::output::{Failed, print, readable};
use crate::serve::load_config;

pub(crate) fn explain(explain: &Explain, json: bool) -> Result<ExitCode, Failed> {
    cluster::limits::check_key(explain.key.as_bytes()).map_err(|error| Failed::usage(error.to_string()))?;
    let config = load_config(&explain.config)?;
    let placement = config.placement().map_err(|error| Failed::usage(error.to_string()))?;
    let place = placement.explain(explain.key.as_bytes());
    let replicas: Vec<String> = place.replicas.iter().map(ToString::to_string).collect();
    if json {
        let facts = json!({
            "key": explain.key,
            "token": place.token.to_string(),
            "partition": place.partition.0,
            "partitions": placement.partitions(),
            "first_token": place.bounds.0.to_string(),
            "last_token": place.bounds.1.to_string(),
            "replicas": replicas,
            "epoch": placement.epoch(),
        });
        print(&facts.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!("key        {}", readable(explain.key.as_bytes())));
    print(&format!("token      {}  (XXH3 of the key)", place.token));
    print(&format!(
        "partition  {} of {}  ({} to {})",
        place.partition,
        placement.partitions(),
        place.bounds.0,
        place.bounds.1
    ));
    for (rank, node) in place.replicas.iter().enumerate() {
        let address = config.nodes.get(node).map_or("?", String::as_str);
        print(&format!("{}  {node} at {address}", if rank == 0 { "replicas " } else { "         " }));
    }
    Ok(ExitCode::SUCCESS)
}
