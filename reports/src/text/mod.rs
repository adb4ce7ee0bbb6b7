//! The report for a terminal of 80 columns.
//!
//! ```text
//!   HOLDS  quorum reads stay fresh ...        the verdict comes first
//!   Expectations / Timeline / Anomalies / Operations / Latency / Counters
//!   trace 5e0d...                             two runs of a seed agree on this line
//!   60.0 s in 0.41 s: 146 x real time         the speed comes last
//! ```
//!
//! Words carry everything; colours, where asked for, only stress. A section without facts is left out.

mod timeline;

use crate::facts::{Held, RunFacts, Verdict};
use crate::numbers::{count, moment, seconds_short, seconds_to_tenths};
use crate::rows;
use crate::tables::{COLUMNS, fold, labelled, plain, shortened};

/// How many anomalies are told one by one.
const ANOMALIES_SHOWN: usize = 10;

/// Characters of one counter with its value; two stand beside each other.
const COUNTER: usize = 36;

/// How a terminal report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Whether verdicts, headings and bands are coloured with ANSI escapes. Off by default.
    pub colours: bool,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// Bold; the others are bold and one of the colours that differ for every eye.
const BOLD: &str = "1";
const BOLD_BLUE: &str = "1;34";
const BOLD_RED: &str = "1;31";
const BOLD_YELLOW: &str = "1;33";

/// The report of a run as text, ending in a line break.
pub fn text(facts: &RunFacts, style: Style) -> String {
    let mut lines = opening(facts, style);
    let sections = [
        ("Expectations", expectations(facts, style)),
        ("Timeline", timeline::lines(facts, style)),
        ("Phases", rows::phases(facts).terminal()),
        ("Anomalies", anomalies(facts)),
        ("Operations", rows::operations(facts).terminal()),
        ("Latency of acknowledged operations", rows::latencies(facts).terminal()),
        ("Counters", counters(facts)),
    ];
    for (heading, body) in sections {
        if !body.is_empty() {
            lines.push(String::new());
            lines.push(style.paint(BOLD, heading));
            lines.extend(body);
        }
    }
    lines.push(String::new());
    lines.push(format!("trace {}", plain(&facts.trace)));
    lines.push(speed(facts));
    lines.join("\n") + "\n"
}

/// The last line: virtual time, wall time, and how many times faster the first went.
pub(crate) fn speed(facts: &RunFacts) -> String {
    let digits = if facts.speed_ratio < 9.95 { 1 } else { 0 };
    let (inside, outside) = (seconds_to_tenths(facts.virtual_micros), seconds_short(facts.wall_micros));
    format!("{inside} s in {outside} s: {:.digits$} x real time", facts.speed_ratio)
}

fn opening(facts: &RunFacts, style: Style) -> Vec<String> {
    let word = facts.verdict.word().to_uppercase();
    let code = match facts.verdict {
        Verdict::Holds => BOLD_BLUE,
        Verdict::Fails => BOLD_RED,
        Verdict::Vacuous | Verdict::Undecided => BOLD_YELLOW,
    };
    let indent = word.len() + 2;
    let mut lines = labelled(&word, indent, &facts.scenario);
    if let Some(first) = lines.first_mut() {
        *first = first.replacen(&word, &style.paint(code, &word), 1);
    }
    lines.extend(labelled("", indent, &format!("seed {}, {}", facts.seed, facts.file)));
    lines.extend(labelled("", indent, &facts.cluster));
    if let Some(failure) = &facts.failure {
        lines.extend(labelled("", indent, failure));
    }
    lines.push(String::new());
    lines.extend(labelled("", 2, &facts.about));
    lines
}

fn expectations(facts: &RunFacts, style: Style) -> Vec<String> {
    let mut lines = rows::expectations(facts).terminal();
    for line in &mut lines {
        for (held, code) in [(Held::No, BOLD_RED), (Held::Vacuous, BOLD_YELLOW), (Held::Undecided, BOLD_YELLOW)] {
            if let Some(rest) = line.strip_prefix(&format!("  {} ", held.word())) {
                *line = format!("  {} {rest}", style.paint(code, held.word()));
                break;
            }
        }
    }
    for fact in facts.expectations.iter().filter(|fact| !fact.note.is_empty()) {
        lines.extend(hanging(&format!("{}: {}", fact.name, fact.note)));
    }
    lines
}

/// A sentence that begins at column 2 and goes on at column 4.
fn hanging(sentence: &str) -> Vec<String> {
    let folded = fold(sentence, COLUMNS - 4);
    let indented = |(index, line): (usize, &String)| format!("{}{line}", if index == 0 { "  " } else { "    " });
    folded.iter().enumerate().map(indented).collect()
}

fn anomalies(facts: &RunFacts) -> Vec<String> {
    let mut lines = Vec::new();
    for anomaly in facts.anomalies.iter().take(ANOMALIES_SHOWN) {
        let label = format!("{:>12}  ", moment(anomaly.at_micros));
        lines.extend(labelled(&label, label.chars().count(), &format!("{}: {}", anomaly.kind, anomaly.sentence)));
    }
    let rest = facts.anomalies.len().saturating_sub(ANOMALIES_SHOWN);
    if rest > 0 {
        lines.push(format!("  and {} more", count(rest as u64)));
    }
    lines
}

/// The counters in two columns, read downwards.
fn counters(facts: &RunFacts) -> Vec<String> {
    let entries: Vec<String> = facts
        .counters
        .iter()
        .map(|counter| {
            let value = count(counter.value);
            let name = shortened(&counter.name, COUNTER - 1 - value.len());
            let gap = COUNTER - name.chars().count() - value.len();
            format!("{name}{}{value}", " ".repeat(gap))
        })
        .collect();
    let rows = entries.len().div_ceil(2);
    let (left, right) = entries.split_at(rows);
    let pair = |(index, entry): (usize, &String)| match right.get(index) {
        Some(other) => format!("  {entry}    {other}"),
        None => format!("  {entry}"),
    };
    left.iter().enumerate().map(pair).collect()
}
