//! What the solo world promises: the engine's seam, and the same run for the same seed.

use std::path::Path;

use engine::world::contract;

use super::*;

#[test]
fn the_solo_world_keeps_every_promise_of_the_engines_seam() {
    for seed in 0..20 {
        // In every other one polls take time.
        let machine = SoloMachine::new(DiskSettings::default(), seed).with_polls_of(seed % 2 * 300);
        machine.run(seed, |world| async move { contract::conforms(&world, Path::new("/")).await });
    }
}
