//! The rules of the house as functions from source text to violations, so that each can be shown a planted one.
//!
//! ```text
//!   Source { path, text } ──▶ rule ──▶ [Violation { path, line, remedy }]
//!   source.rs   what is code, what is comment, string or test; what a file imports
//!   layers.rs   which crate may name which, who may name the real world, rooms that import each other
//!   files.rs    headers, lengths, maps
//!   words.rs    what production code may not contain
//! ```
//!
//! Rules read text, not syntax trees: quick, and free of dependencies. What they cannot see (a path built by a macro) the
//! compiler's lints see.

pub(crate) mod files;
pub(crate) mod layers;
pub(crate) mod source;
pub(crate) mod words;

use std::fmt;

/// A broken rule: where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// The file, from the root of the repository.
    pub(crate) path: String,
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// What is wrong and how to cure it, in one sentence.
    pub(crate) remedy: String,
}

impl Violation {
    /// A violation at a line of a file.
    pub(crate) fn new(path: &str, line: usize, remedy: impl Into<String>) -> Self {
        Self { path: path.to_string(), line, remedy: remedy.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.remedy)
    }
}
