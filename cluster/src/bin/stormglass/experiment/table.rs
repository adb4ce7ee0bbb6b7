//! What an experiment prints: a table whose rows appear as they are known, and one sentence; or a JSON object for each.
//!
//! ```text
//!                    disk
//!   filters         reads     p99          {"line":"row","filters":"none","disk_reads":5.1,...}
//!   none             5.10   31 us
//!   Filters cut disk reads by 80%.         {"line":"conclusion","holds":true,"text":"Filters cut ..."}
//! ```

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::measure::Spread;
use crate::output::print;

/// One value of a row: for people, and for programs.
pub(super) struct Cell {
    text: String,
    value: Value,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { value: Value::from(text.clone()), text }
    }

    pub(super) fn count(count: u64) -> Self {
        Self { text: grouped(count), value: count.into() }
    }

    pub(super) fn number(number: f64, decimals: usize) -> Self {
        let factor = [1.0, 10.0, 100.0, 1_000.0][decimals.min(3)];
        Self { text: format!("{number:.decimals$}"), value: json!((number * factor).round() / factor) }
    }

    pub(super) fn percent(part: f64, decimals: usize) -> Self {
        Self { text: format!("{:.decimals$}%", part * 100.0), value: json!((part * 100_000.0).round() / 1_000.0) }
    }

    /// Bytes, which people read in MiB.
    pub(super) fn mib(bytes: u64) -> Self {
        Self { text: format!("{:.1}", bytes as f64 / (1 << 20) as f64), value: bytes.into() }
    }

    /// The least, the mean and the most; none of nothing.
    pub(super) fn spread(spread: &Spread) -> Self {
        let Some(least) = spread.least else { return Self { text: "-".to_string(), value: Value::Null } };
        let (mean, most) = (spread.mean(), spread.most);
        Self { text: format!("{least} {mean:.2} {most:3}"), value: json!({ "min": least, "mean": mean, "max": most }) }
    }

    /// Nothing to tell.
    pub(super) fn none() -> Self {
        Self { text: "-".to_string(), value: Value::Null }
    }

    /// Microseconds out of nanoseconds.
    pub(super) fn micros(nanos: u64) -> Self {
        Self::number(nanos as f64 / 1_000.0, 1)
    }
}

/// A column: its name for programs, its heading (`/` between the lines), its width.
pub(super) type Column = (&'static str, &'static str, usize);

/// Rows that appear one by one.
pub(super) struct Table<'a> {
    columns: &'a [Column],
    json: bool,
}

impl<'a> Table<'a> {
    /// Says what is measured, and prints the heading.
    pub(super) fn new(about: &str, columns: &'a [Column], json: bool) -> Self {
        if !json {
            print(about);
            print("");
            let depth = columns.iter().map(|(_, heading, _)| heading.split('/').count()).max().unwrap_or(0);
            for line in 0..depth {
                let words = columns.iter().map(|(_, heading, _)| {
                    let words: Vec<&str> = heading.split('/').collect();
                    (line + words.len()).checked_sub(depth).map_or("", |word| words[word])
                });
                print(&aligned(columns, words));
            }
        }
        Self { columns, json }
    }

    pub(super) fn row(&self, cells: &[Cell]) {
        assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        if !self.json {
            return print(&aligned(self.columns, cells.iter().map(|cell| &cell.text[..])));
        }
        let mut facts = Map::new();
        facts.insert("line".to_string(), "row".into());
        for ((name, ..), cell) in self.columns.iter().zip(cells) {
            facts.insert((*name).to_string(), cell.value.clone());
        }
        print(&Value::Object(facts).to_string());
    }

    /// The last line: whether what was claimed holds, with figures.
    pub(super) fn conclude(&self, holds: bool, text: &str) -> ExitCode {
        if self.json {
            print(&json!({ "line": "conclusion", "holds": holds, "text": text }).to_string());
        } else {
            print("");
            for line in wrapped(&if holds { text.to_string() } else { format!("DOES NOT HOLD: {text}") }) {
                print(&line);
            }
        }
        if holds { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }
}

/// The first column to the left, the others to the right.
fn aligned<'t>(columns: &[Column], texts: impl Iterator<Item = &'t str>) -> String {
    let mut line = String::new();
    for (place, ((.., width), text)) in columns.iter().zip(texts).enumerate() {
        line.push_str(&if place == 0 { format!("{text:width$}") } else { format!(" {text:>width$}") });
    }
    line.trim_end().to_string()
}

/// Lines of at most 80 characters.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is always a line");
        if last.len() + word.len() >= 80 {
            lines.push(word.to_string());
        } else {
            last.push_str(if last.is_empty() { "" } else { " " });
            last.push_str(word);
        }
    }
    lines
}

/// Digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
