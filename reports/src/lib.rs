//! Reports: facts about a run become words, tables and pictures. The crate knows no other crate of the house.
//!
//! The rooms, in the order in which facts pass through them:
//!
//! ```text
//!   facts      what is known of a run: plain serde structs, defined here, filled by whoever ran it; also report.json
//!     ├─ numbers   how a number is written for a person: 1.24 ms, 12,000, 99.2%
//!     ├─ band      which faults share a row of the timeline, and where; the same for text and pictures
//!     ├─ tables    rows of words, folded for a terminal or in Markdown
//!     ├─ rows      the tables that both have
//!     │
//!     ├─▶ text      80 columns for a terminal; the last line is the speed
//!     ├─▶ markdown  report.md, which shows the two pictures
//!     └─▶ svg       timeline.svg and latency.svg
//!   files      puts all four files into a directory; error says why it could not
//! ```
//!
//! Nothing here judges: verdicts come in as facts. Nothing here reads a clock or draws a random number, so the same facts
//! give the same bytes. Charts use floats; decisions of the laboratory never depend on them.

#![warn(missing_docs, unreachable_pub)]

mod band;
mod error;
pub mod facts;
mod files;
mod markdown;
mod numbers;
mod rows;
mod svg;
mod tables;
mod text;

pub use error::ReportError;
pub use facts::RunFacts;
pub use files::{Written, write};
pub use markdown::markdown;
pub use svg::{latency_svg, timeline_svg};
pub use text::{Style, text};
