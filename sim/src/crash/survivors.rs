//! Which of the legal survivors of a crash are tried: all of them while they are few, a seeded sample beyond.
//!
//! ```text
//!   2 fates of a name x 5 fates of a file = 10 <= bound       every combination
//!   more                                                     all lost │ all kept │ one against the rest │ drawn
//! ```

use engine::world::Rng;

use crate::world::{DiskImage, Fate, Survivor};

/// Fates of a file that are not drawn, halved: lost, kept, zeros, a few cuts.
const FATES_FIXED: usize = 4;

/// The survivors to try of an image, at most `most` (and never fewer than two: all lost and all kept).
pub(super) fn survivors(image: &DiskImage, most: usize, rng: &mut Rng) -> Vec<Survivor> {
    let names = image.unsynced_names();
    // A single file is torn in as many ways as the bound allows, several in few each: they multiply.
    let draws = match image.unsynced_files() {
        1 => (most >> names.min(16)) / 2,
        _ => 2,
    };
    let fates = image.fates(draws.saturating_sub(FATES_FIXED).max(1), rng);
    let of_files = fates.iter().fold(1_usize, |product, fates| product.saturating_mul(fates.len()));
    let of_names = 1_usize.checked_shl(u32::try_from(names).unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
    let all = of_names.saturating_mul(of_files);
    if all <= most {
        return (0..all).map(|number| numbered(names, &fates, number)).collect();
    }
    let mut survivors = vec![uniform(names, &fates, false), uniform(names, &fates, true)];
    one_against_the_rest(names, &fates, &mut survivors);
    survivors.truncate(most.div_ceil(2).max(2));
    while survivors.len() < most {
        let names = (0..names).map(|_| rng.chance(1, 2)).collect();
        let files = fates.iter().map(|fates| fates[rng.below(fates.len() as u64) as usize]).collect();
        survivors.push(Survivor { names, files });
    }
    survivors
}

/// Combination number `number`, as digits of mixed bases.
fn numbered(names: usize, fates: &[Vec<Fate>], mut number: usize) -> Survivor {
    let mut digit = |base: usize| {
        let digit = number % base;
        number /= base;
        digit
    };
    let names = (0..names).map(|_| digit(2) == 1).collect();
    let files = fates.iter().map(|fates| fates[digit(fates.len())]).collect();
    Survivor { names, files }
}

/// All kept, or all lost.
pub(super) fn uniform(names: usize, fates: &[Vec<Fate>], kept: bool) -> Survivor {
    Survivor { names: vec![kept; names], files: fates.iter().map(|fates| fates[usize::from(kept)]).collect() }
}

fn one_against_the_rest(names: usize, fates: &[Vec<Fate>], survivors: &mut Vec<Survivor>) {
    for kept in [true, false] {
        for name in 0..names {
            let mut survivor = uniform(names, fates, kept);
            survivor.names[name] = !kept;
            survivors.push(survivor);
        }
        for file in 0..fates.len() {
            let mut survivor = uniform(names, fates, kept);
            survivor.files[file] = fates[file][usize::from(!kept)];
            survivors.push(survivor);
        }
    }
}
