//! Reports: facts about a run become words, tables and pictures. The crate knows no other crate of the house.
//!
//! The rooms, in the order in which facts pass through them:
//!
//! ```text
//!   facts      what is known of a run: plain serde structs, defined here, filled by whoever ran it; also report.json
//!   detail     its operations, their consistency reports and some messages: too much for report.json
//!     ├─ numbers   how a number is written for a person: 1.24 ms, 12,000, 99.2%
//!     ├─ band      which faults share a row of the timeline, and where; the same for text and pictures
//!     ├─ tables    rows of words, folded for a terminal or in Markdown
//!     ├─ rows      the tables that both have
//!     │
//!     ├─▶ text      80 columns for a terminal; the last line is the speed
//!     ├─▶ markdown  report.md, which shows the two pictures
//!     ├─▶ svg       timeline.svg and latency.svg
//!     └─▶ run_page  report.html, of facts and detail; page is what all pages have in common
//!   campaign    results.jsonl in, causes, coverage and speed out
//!   cap         runs of every cell in, the CAP report out; statistics has the intervals
//!   history     a page of its own: a history without an order, from facts of its own, with a picture
//!   files       puts files into a directory; error says why it could not
//! ```
//!
//! Nothing here judges: verdicts come in as facts. Nothing here reads a clock or draws a random number, so the same facts
//! give the same bytes. Charts use floats; decisions of the laboratory never depend on them.

#![warn(missing_docs, unreachable_pub)]

mod band;
pub mod campaign;
pub mod cap;
pub mod detail;
mod error;
pub mod facts;
mod files;
pub mod history;
mod markdown;
mod numbers;
mod page;
mod rows;
mod run_page;
pub mod statistics;
mod svg;
mod tables;
mod text;

pub use detail::RunDetail;
pub use error::ReportError;
pub use facts::RunFacts;
pub use files::{Written, write, write_campaign, write_cap, write_page};
pub use markdown::markdown;
pub use run_page::run_page;
pub use svg::{latency_svg, timeline_svg};
pub use text::{Style, text};
