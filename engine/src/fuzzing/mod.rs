//! What a fuzzer drives: every decoder of the engine, handed bytes from anywhere, and what must hold of its answer. Behind
//! the feature `fuzzing`, which only `engine/fuzz` and the engine's own tests turn on.
//!
//! ```text
//!   bytes ──┬────────────────────────▶ decoder ──▶ refused: fine.  accepted: encoded again it says the same,
//!           └─▶ mend: checksums that                                entries are ordered, `get` agrees with the cursor
//!               hold ────────────────▶ decoder ──▶ the same
//!
//!   parts    decoders of a slice: varint, record, operations, edit, block, index, partition, ...
//!   files    decoders of whole files: log, manifest, CURRENT, markers, backup      tables   table files
//!   mend     makes checksums hold, so that mutations reach what lies behind them   memory   files in memory
//!   samples  what the engine writes, for a fuzzer to begin with
//! ```
//!
//! A decoder that panics, loops or takes memory without end is found by the fuzzer itself; everything else that is wrong
//! is an assertion here. Each function says whether it accepted the bytes as they are.

mod files;
mod memory;
mod mend;
mod parts;
mod samples;
mod tables;

pub use files::{backup, current, log, manifest, marker};
pub use parts::{
    block, edit, filter, footer, index, operations, partition, properties, record, sealed, tombstones, varint,
};
pub use samples::{Sample, samples};
pub use tables::table;

/// Drives one decoder; true when it accepts the bytes.
pub type Target = fn(&[u8]) -> bool;

/// Every target by the name that its corpus has, too.
pub const TARGETS: [(&str, Target); 18] = [
    ("backup", backup),
    ("block", block),
    ("current", current),
    ("edit", edit),
    ("filter", filter),
    ("footer", footer),
    ("index", index),
    ("log", log),
    ("manifest", manifest),
    ("marker", marker),
    ("operations", operations),
    ("partition", partition),
    ("properties", properties),
    ("record", record),
    ("sealed", sealed),
    ("table", table),
    ("tombstones", tombstones),
    ("varint", varint),
];
