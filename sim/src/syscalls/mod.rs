//! The crash states of real system calls: what the real program asked of the kernel, expanded into everything that a power
//! loss may leave of it, each opened by the real engine on a real disk (ALICE: Pillai et al., OSDI 2014).
//!
//! ```text
//!   record    scripts for `stormglass`, under strace      strace   its text, as calls
//!   replay    calls, on the model                         model    names and bytes, durable or not yet
//!   legal     what may survive of a moment                story    what was asked and acknowledged by then
//!   judge     one state, opened and read                  explore  all states of a seed
//! ```
//!
//! The crash explorer (`crash`) takes the simulated disk's word for what the engine asks of a disk. Here nothing of the
//! simulated world takes part: the calls are those of the production program, and a name or a sync that the real world
//! forgets shows. What the kernel makes of the calls is the model's word still.
//!
//! Only where a program is wired is the real world named, so the engine's world comes from outside ([`Reality`]).

mod explore;
mod judge;
mod legal;
mod model;
mod record;
mod replay;
mod story;
mod strace;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use self::explore::{Exploration, explore};
pub use self::judge::Reality;

/// How far the explorer goes, and where it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Survivors that are tried of each state of the disk, at most.
    pub survivors_most: usize,
    /// One crash state in so many is opened by the program as well.
    pub program_one_in: u64,
    /// A folder for recordings and states; in memory is fastest. Everything in it is removed again.
    pub scratch: PathBuf,
    /// A folder for the states that were wrong.
    pub kept: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        let temporary = std::env::temp_dir().join("storm-syscalls");
        Self { survivors_most: 24, program_one_in: 64, scratch: temporary.join("scratch"), kept: temporary }
    }
}

/// Why a seed could not be explored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Strace, or a folder to work in.
    #[error("{0}")]
    Environment(String),
    /// The program did not do what the script asked, or in a way that is not understood.
    #[error("{0}")]
    Program(String),
}

/// A crash state that holds less, more or other than it must.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The seed.
    pub seed: u64,
    /// The number of the crash state within its seed.
    pub state: u64,
    /// How the life began in which power was lost: with nothing, with a recovery, or where another process was killed.
    pub phase: &'static str,
    /// When power was lost.
    pub moment: String,
    /// What became of everything unsynced.
    pub survivor: String,
    /// Writes that must be there, and that may.
    pub expected: (usize, usize),
    /// What was found instead.
    pub message: String,
    /// Where the state is kept: what `data` below it holds is as the power loss left it.
    pub kept: Option<PathBuf>,
}
