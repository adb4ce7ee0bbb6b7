//! What a node says of itself when asked: facts by name, in a fixed order, so that newer nodes can say more and older clients
//! still show it.

use engine::world::World;
use engine::{Db, Durability};

use crate::config::NodeConfig;
use crate::metrics::Metrics;
use crate::ring::Placement;
use crate::wire::Fact;

/// The facts of `stormglass status`, in the order in which they are shown.
pub(crate) fn facts<W: World>(config: &NodeConfig, placement: &Placement, db: &Db<W>, metrics: &Metrics) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut say = |name: &str, value: String| facts.push(Fact { name: name.to_string(), value });
    let engine = db.statistics();
    say("node", config.node.to_string());
    say("epoch", placement.epoch().to_string());
    say("members", placement.members().iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    say("replication", placement.replication().to_string());
    say("partitions", placement.partitions().to_string());
    say("partitions_owned", placement.owned_by(config.node).count().to_string());
    say("partitions_held", placement.held_by(config.node).count().to_string());
    say("engine_state", engine.poisoned.clone().unwrap_or_else(|| "healthy".to_string()));
    say(
        "durability",
        match config.durability {
            Durability::Always => "always".to_string(),
            Durability::Interval(interval) => format!("interval {interval:?}"),
            Durability::None => "none".to_string(),
        },
    );
    say("sequence", engine.sequence.to_string());
    say("memtable_entries", engine.memtable_entries.to_string());
    say("memtable_bytes", engine.memtable_bytes.to_string());
    say("wal_segments", engine.wal_segments.to_string());
    say("wal_bytes", engine.wal_bytes.to_string());
    say("wal_appends", engine.wal_appends.to_string());
    say("wal_syncs", engine.wal_syncs.to_string());
    for (name, value) in metrics.all() {
        say(name, value.to_string());
    }
    facts
}
