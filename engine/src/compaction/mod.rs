//! Compaction: which tables to merge, into which level, and why; and the merging. Choosing is not doing: `pick` knows
//! sizes and ranges, no bytes, no files and no clock.
//!
//! ```text
//!   shape + strategy + context ── pick ──▶ job ── rewrite ──▶ edit ── apply ──▶ shape
//!                              └─ debt ──▶ a number that writers are slowed down by
//! ```
//!
//! The engine merges tables, the compaction simulator only adds up their sizes; both call the same functions.
//!
//! **The rule that everything rests on**: for one key, a newer version lies above an older one (in a lower level, or in a
//! newer run of its level). So whatever a job moves takes along all that it would pass: every overlapping table between
//! its newest input and its output. `pick` asserts it of every job.
//!
//! `strategy` says what shape is wanted, `job` what is to be done, `pick` chooses, `filters` divides filter memory, and
//! `rewrite` runs a merge and balances its books.

mod filters;
mod job;
mod pick;
mod rewrite;
mod strategy;

pub use crate::shape::{Added, Edit, HasFacts, LEVELS_MOST, Misfit, Place, Run, Shape, TableFacts, apply};
pub use filters::filter_millibits;
pub use job::{Claim, Input as JobInput, Job, Kind, Reason};
pub use pick::{Context, Cursors, Debt, debt, pick};
pub(crate) use rewrite::{Books, Input, Output, OutputPlan, Surroundings, rewrite};
pub use strategy::{Fifo, LazyLeveled, Leveled, Strategy, StrategyError, Tiered};
