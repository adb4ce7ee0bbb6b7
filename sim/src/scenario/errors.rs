//! What can be wrong with a scenario file, and how it is told: file, line, field, what is wrong, what to write instead.
//!
//! ```text
//!   scenarios/x.yaml:14: faults[0].partition[1][0]: node n9 does not exist; the cluster has n1 to n5
//!   └─────file─────┘ line └─────────path─────────┘  └──────────────────flaw─────────────────────────┘
//! ```
//!
//! Every flaw that validation finds is reported, not only the first: whoever writes a scenario mends all of it at once.
//! Whatever is wrong here is the author's to mend: exit code 2.

use std::fmt;
use std::io;

use super::contradiction::Contradiction;
use super::path::FieldPath;

/// More are counted, and not shown.
pub const PROBLEMS_SHOWN_MAX: usize = 50;

/// Why a scenario cannot be run. Mend the file, or name another.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file, or the folder, cannot be read.
    #[error("{file}: cannot be read: {source}")]
    Unreadable {
        /// As it was named on the command line.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file was read and is not a scenario.
    #[error("{0}")]
    Refused(Problems),
}

/// Everything that is wrong with one file, in the order of its lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// As it was named on the command line.
    pub file: String,
    /// At most [`PROBLEMS_SHOWN_MAX`].
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub hidden_count: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1; `None` where the file as a whole is meant.
    pub line: Option<usize>,
    /// The field.
    pub path: FieldPath,
    /// What is wrong with it.
    pub flaw: Flaw,
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.problems.iter().enumerate() {
            let separator = if position == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{}:", self.file)?;
            if let Some(line) = problem.line {
                write!(formatter, "{line}:")?;
            }
            // A flaw that names its own place needs no path before it.
            if !problem.path.is_root() && !matches!(problem.flaw, Flaw::UnknownKey { .. }) {
                write!(formatter, " {}:", problem.path)?;
            }
            write!(formatter, " {}", problem.flaw)?;
        }
        if self.hidden_count > 0 {
            write!(formatter, "\n{}: and {} more", self.file, self.hidden_count)?;
        }
        Ok(())
    }
}

/// What is wrong with one place of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not YAML, in the words of the YAML reader.
    #[error("not YAML: {message}")]
    Syntax {
        /// Without its position.
        message: String,
    },
    /// `stale_reads: >= 1`.
    #[error("not YAML: text cannot begin with `>`; write the comparison in quotes, as in \">= 1\"")]
    ComparisonUnquoted,
    /// Nothing in it.
    #[error("the file is empty; a scenario begins with `name: ...`")]
    Empty,
    /// Not text.
    #[error("the file is not UTF-8 text")]
    NotText,
    /// Beyond any scenario that a person would write.
    #[error("the file has {bytes} bytes; a scenario has at most {bytes_max}")]
    TooBig {
        /// What it has.
        bytes: usize,
        /// What it may have.
        bytes_max: usize,
    },
    /// The same key twice in one map.
    #[error("the key '{key}' stands twice in one map; keep one of them")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A number, list or map where a key is needed.
    #[error("a key must be a word")]
    KeyIsNoWord,
    /// `!tag value`.
    #[error("YAML tags (!...) mean nothing in a scenario; write the plain value")]
    Tagged,
    /// A key that the format does not know.
    #[error("unknown key '{key}' in {place};{} the keys there are {}", did_you_mean(.nearest), .valid.join(", "))]
    UnknownKey {
        /// As written.
        key: String,
        /// The map it stands in.
        place: String,
        /// The valid key that looks most like it.
        nearest: Option<String>,
        /// All valid keys.
        valid: Vec<String>,
    },
    /// A list where a map is needed, and the like.
    #[error("{expected} is needed here, and this is {found}")]
    WrongShape {
        /// In words.
        expected: String,
        /// In words.
        found: &'static str,
    },
    /// The reader below refused what the shape allowed.
    #[error("cannot be read: {message}")]
    Unshaped {
        /// In the words of serde.
        message: String,
    },
    /// A field that every scenario needs.
    #[error("'{key}' is missing: {purpose}")]
    Missing {
        /// The field.
        key: &'static str,
        /// What it would say.
        purpose: &'static str,
    },
    /// A word outside the list.
    #[error("'{word}' is not one of {};{} mend the word", .valid.join(", "), did_you_mean(.nearest))]
    UnknownWord {
        /// As written.
        word: String,
        /// The valid word that looks most like it.
        nearest: Option<String>,
        /// All valid words.
        valid: Vec<String>,
    },
    /// A value that cannot be read as what the field holds.
    #[error("'{text}' is not {expected}")]
    NotUnderstood {
        /// As written.
        text: String,
        /// What the field holds, with an example.
        expected: &'static str,
    },
    /// A number, time or share outside its bounds.
    #[error("'{text}' is out of bounds: at least {least} and at most {most} is possible here")]
    OutOfBounds {
        /// As written.
        text: String,
        /// The lower bound, with its unit.
        least: String,
        /// The upper bound, with its unit.
        most: String,
    },
    /// `3s..1s`.
    #[error("the range '{text}' ends before it begins")]
    RangeBackwards {
        /// As written.
        text: String,
    },
    /// `n9` of five nodes.
    #[error("node {node} does not exist; the cluster has {}", span("n", 1, *.count))]
    UnknownNode {
        /// As written.
        node: String,
        /// How many nodes there are.
        count: u64,
    },
    /// `c9` of six clients.
    #[error("client {client} does not exist; the workload has {}", span("c", 0, *.count))]
    UnknownClient {
        /// As written.
        client: String,
        /// How many clients there are.
        count: u64,
    },
    /// Each value is possible, and together they are not.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}

/// `n1 to n5`, or `n1 alone`.
fn span(letter: &str, first: u64, count: u64) -> String {
    match count {
        0 => "none".to_string(),
        1 => format!("{letter}{first} alone"),
        _ => format!("{letter}{first} to {letter}{}", first + count - 1),
    }
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |nearest| format!(" did you mean '{nearest}'?"))
}

/// The candidate that `word` was probably meant to be: few letters away, or the beginning of it.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    let letters_wrong_max = (word.chars().count() / 3).clamp(1, 4);
    let distance = |candidate: &str| match candidate.starts_with(&word) && word.len() >= 3 {
        true => 1,
        false => strsim::damerau_levenshtein(&word, candidate),
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(letters_wrong, _)| *letters_wrong <= letters_wrong_max)
        .min()
        .map(|(_, candidate)| candidate.to_string())
}
