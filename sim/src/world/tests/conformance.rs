//! The conformance suites that the real world passes too.

use super::*;
use cluster::world::ClusterWorld;
use engine::world::World;

#[test]
fn the_sealed_world_keeps_every_promise_of_the_engines_seam() {
    for seed in 0..10 {
        run_sealed(seed, async |laboratory: Laboratory| {
            let world = probe(&laboratory, 1);
            engine::world::contract::conforms(&world, path("/")).await;
        });
    }
}

#[test]
fn the_sealed_network_keeps_every_promise_of_the_clusters_seam() {
    for seed in 0..10 {
        run_sealed(seed, async |laboratory: Laboratory| {
            let link = LinkSettings { loss_ppm: 20_000, duplicate_ppm: 20_000, ..LinkSettings::default() };
            laboratory.network().set_default_link(link);
            let worlds = [N1, N2].map(|node| {
                let (sender, world) = std::sync::mpsc::channel();
                drop(laboratory.node(node, NodeSettings::default()).start(move |world| async move {
                    sender.send(world).unwrap();
                }));
                world
            });
            laboratory.sleep_micros(10).await;
            let [first, second] = worlds.map(|world| world.recv().unwrap());
            let client = probe(&laboratory, 1);
            let (first, second) = (first.network(), second.network());
            cluster::world::contract::network_conforms(client.clock(), first, second, client.network()).await;
        });
    }
}
