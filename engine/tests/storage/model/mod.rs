//! Any sequence of operations on the whole API, with flushes, merges, reopenings under other options, kills and power
//! losses between them, against an ordered map that knows every version.
//!
//! ```text
//!   steps    what may be done, as values: proptest makes them up and shrinks what fails
//!   oracle   what must come of it
//!   play     does both, and compares after every step what that step read, at the end everything
//! ```
//!
//! `MODEL_CASES=5000 cargo test -p engine` plays more than the 512 of every day.

pub(crate) mod oracle;
mod play;
pub(crate) mod steps;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::run;

fn cases() -> u32 {
    std::env::var("MODEL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(512)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_behaves_like_an_ordered_map_that_remembers_every_version(
        options in steps::options(),
        steps in vec(steps::step(), 1..160),
    ) {
        run(play::play(options, steps));
    }
}
