//! The survey behind the CAP report: every choice of N, R and W under every kind of fault, run many times and measured.
//!
//! ```text
//!   cell     N, R, W, fault ──▶ a scenario's text ──▶ plan         the text is what `storm run` replays: nothing else is run
//!   measure  plan, seed ──▶ run ──▶ history ──▶ CapRun             counts and percentiles, no shares yet
//!   survey   cells x runs over all processors; done in turns, so that an interrupted one has as many of each
//!   theory   what must hold of a cell, whatever the seed: quorums that meet, sides too small to answer, ...
//! ```
//!
//! Shares, intervals and pictures are the business of the reports crate.

mod cell;
mod facts;
mod measure;
mod survey;
mod theory;

pub use cell::{Cell, Fault, LEVELS, SIZES, Settings, cells};
pub use facts::facts;
pub use measure::measure;
pub use survey::{Done, survey};
