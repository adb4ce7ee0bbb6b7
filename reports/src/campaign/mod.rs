//! A campaign: many runs, one line of `results.jsonl` each, become a page that says what failed and why, and what was reached.
//!
//! ```text
//!   {"scenario":"scenarios/standard.yaml","seed":7,"verdict":"fails","signature":"lost_writes","cpu_micros":21000,...}
//!     └─ read ─▶ [ResultLine] ─ figures ─▶ causes, scenarios, growth, speed ─▶ page, markdown, two pictures
//! ```
//!
//! The reader is lenient about fields (another build may write more of them, or fewer) and strict about lines: one that is no
//! object is refused with its number, except the last, which an interrupted campaign may have left half written.

mod charts;
mod figures;
mod markdown;
mod page;

use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use charts::{coverage_svg, speed_svg};
pub use markdown::campaign_markdown;
pub use page::campaign_page;

/// No line of a campaign is longer.
const LINE_BYTES_MOST: u64 = 1 << 20;

/// One run of a campaign. What a line does not say is empty or 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultLine {
    /// The scenario's file, or its name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// `holds`, `fails`, `vacuous`, `undecided`, or whatever else the campaign calls it.
    pub verdict: String,
    /// The trace hash.
    pub trace: String,
    /// By which failures of one cause are known.
    pub signature: String,
    /// The expectations that were not met.
    pub unmet: Vec<String>,
    /// Time on the wall.
    pub wall_micros: u64,
    /// Processor time.
    pub cpu_micros: u64,
    /// Abstract states that the campaign had reached by then: as the line says, or the sum of `new_states` up to it.
    pub coverage: u64,
}

impl ResultLine {
    /// Whether nothing was wrong.
    pub fn holds(&self) -> bool {
        self.verdict == "holds"
    }

    /// What a line of any build says.
    fn of(value: &Value) -> Option<Self> {
        let fields = value.as_object()?;
        let get = |names: &[&str]| names.iter().find_map(|name| fields.get(*name).filter(|value| !value.is_null()));
        let text = |names: &[&str]| get(names).map(words).unwrap_or_default();
        let number = |names: &[&str]| {
            get(names).and_then(|value| value.as_u64().or_else(|| Some(value.as_array()?.len() as u64))).unwrap_or(0)
        };
        let unmet = match get(&["unmet", "expectations", "not_held", "expectations_not_held", "why"]) {
            Some(Value::Array(items)) => items.iter().map(words).collect(),
            Some(other) => vec![words(other)],
            None => Vec::new(),
        };
        Some(Self {
            scenario: text(&["scenario", "file", "name"]),
            seed: number(&["seed"]),
            verdict: text(&["verdict"]),
            trace: text(&["trace"]),
            signature: text(&["signature"]),
            unmet,
            wall_micros: number(&["wall_micros"]),
            cpu_micros: number(&["cpu_micros"]),
            coverage: number(&["coverage", "coverage_count", "states", "coverage_states"]),
        })
    }
}

/// A value in words: a text as it is, a list joined, an object by its name where it has one.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => fields.get("name").map_or_else(|| value.to_string(), words),
        other => other.to_string(),
    }
}

/// What is known of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignFacts {
    /// What was read, as the user named it.
    pub source: String,
    /// The runs, in the order in which they were written down.
    pub runs: Vec<ResultLine>,
    /// Whether the last line was cut short and left out.
    pub torn: bool,
}

/// A line that is no run.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The file could not be read.
    #[error("line {line}: {source}")]
    Io {
        /// The line, counted from 1.
        line: u64,
        /// The cause.
        source: io::Error,
    },
    /// The line is not a JSON object.
    #[error("line {line} is no result of a run ({reason}): give a results.jsonl of `storm fuzz --out DIR`")]
    Line {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads the lines of a campaign; `source` is what the page calls it.
pub fn read_results(source: &str, mut reader: impl BufRead) -> Result<CampaignFacts, ResultsError> {
    let mut facts = CampaignFacts { source: source.to_string(), ..CampaignFacts::default() };
    let (mut bytes, mut line, mut reached) = (Vec::new(), 0, 0_u64);
    loop {
        line += 1;
        bytes.clear();
        // A line that is too long is cut, and then is no JSON: what it claims is never allocated.
        let read = reader.by_ref().take(LINE_BYTES_MOST).read_until(b'\n', &mut bytes);
        if read.map_err(|source| ResultsError::Io { line, source })? == 0 {
            return Ok(facts);
        }
        let is_whole = bytes.last() == Some(&b'\n');
        let text = bytes.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let parsed = serde_json::from_slice::<Value>(text);
        match parsed.as_ref().ok().and_then(ResultLine::of) {
            Some(mut run) => {
                let new_states = parsed.ok().and_then(|value| value.get("new_states").and_then(Value::as_u64));
                reached = run.coverage.max(new_states.unwrap_or(0).saturating_add(reached));
                run.coverage = reached;
                facts.runs.push(run);
            }
            None if !is_whole && (bytes.len() as u64) < LINE_BYTES_MOST && !facts.runs.is_empty() => facts.torn = true,
            None => {
                let reason = parsed.err().map_or("not an object".to_string(), |error| error.to_string());
                return Err(ResultsError::Line { line, reason });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CampaignFacts, ResultsError> {
        read_results("results.jsonl", text.as_bytes())
    }

    #[test]
    fn fields_may_be_missing_or_more_and_still_a_line_is_read() {
        let text = "{\"seed\":3,\"verdict\":\"holds\",\"new\":{}}\n\n{\"file\":\"a.yaml\",\"verdict\":\"fails\",\
                    \"signature\":[\"lost_writes\",\"converged\"],\"unmet\":[{\"name\":\"x\"},\"y\"],\"coverage\":null}\n";
        let runs = read(text).expect("two runs").runs;
        assert_eq!((runs.len(), runs[0].seed, runs[0].holds()), (2, 3, true));
        assert_eq!((runs[1].scenario.as_str(), runs[1].signature.as_str()), ("a.yaml", "lost_writes; converged"));
        assert_eq!(runs[1].unmet, ["x", "y"]);
    }

    #[test]
    fn new_states_of_each_run_add_up_to_what_was_reached() {
        let text = "{\"new_states\":5}\n{\"seed\":1}\n{\"new_states\":2}\n";
        assert_eq!(read(text).expect("three runs").runs.iter().map(|run| run.coverage).collect::<Vec<_>>(), [5, 5, 7]);
    }

    #[test]
    fn a_line_that_is_no_run_is_refused_with_its_number() {
        let error = read("{\"seed\":1}\nrubbish\n{\"seed\":2}\n").expect_err("line 2").to_string();
        assert!(error.starts_with("line 2 ") && error.contains("results.jsonl"), "{error}");
        assert!(read("[1]\n").is_err() && read("rubbish").is_err());
    }

    #[test]
    fn a_last_line_that_was_cut_short_is_left_out_and_told() {
        let facts = read("{\"seed\":1}\n{\"seed\":2,\"verd").expect("one run");
        assert_eq!((facts.runs.len(), facts.torn), (1, true));
    }

    #[test]
    fn a_line_without_an_end_is_refused_in_bounded_memory() {
        let endless = io::repeat(b'x').take(100 << 20);
        let error = read_results("x", io::BufReader::new(endless)).expect_err("no line");
        assert!(matches!(error, ResultsError::Line { line: 1, .. }), "{error}");
    }
}
