//! Tables, for a terminal of 80 columns and for Markdown, and the folding of sentences.
//!
//! ```text
//!   held  expectation  demanded  observed  examined      numbers stand right and are never folded,
//!   yes   lost_writes  0         0            1,204      words stand left and fold within their column
//! ```
//!
//! Widths are counted in characters: everything that we write ourselves is one column wide each. Control characters in
//! what scenarios and errors say (a line break, an escape) are shown as spaces, so no fact can break the layout.

use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table};

/// How wide a terminal report may be.
pub(crate) const COLUMNS: usize = 80;

/// A column's heading, and whether it holds words or numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// Stands left; may fold.
    Words(&'static str),
    /// Stands right; keeps its width.
    Number(&'static str),
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Self::Words(heading) | Self::Number(heading) => heading,
        }
    }
}

/// A table: its columns, and rows of as many cells.
pub(crate) struct Rows {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Rows {
    /// A table without rows.
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row, which must have a cell for each column.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.columns.len(), "a row has one cell a column");
        self.rows.push(row);
    }

    /// The headings, each with whether its column holds numbers.
    pub(crate) fn headings(&self) -> impl Iterator<Item = (&'static str, bool)> {
        self.columns.iter().map(|column| (column.heading(), matches!(column, Column::Number(_))))
    }

    /// The cells, row by row, as they were pushed.
    pub(crate) fn cells(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// The lines of the table for a terminal, indented by two, at most [`COLUMNS`] wide; none when it has no rows.
    pub(crate) fn terminal(&self) -> Vec<String> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let mut table = self.build(plain);
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(COLUMNS as u16);
        for (built, column) in table.column_iter_mut().zip(&self.columns) {
            built.set_padding((2, 0));
            if matches!(column, Column::Number(_)) {
                built.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        table.lines().map(|line| line.trim_end().to_string()).collect()
    }

    /// The table in Markdown, one line a row, with a line break at its end.
    pub(crate) fn markdown(&self) -> String {
        let mut table = self.build(escape);
        table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
        let mut lines: Vec<String> = table.lines().collect();
        // The style knows no alignment: a colon at the right end of the rule makes a renderer set numbers right.
        if let Some(rule) = lines.get_mut(1) {
            let mut parts: Vec<String> = rule.split('|').map(str::to_string).collect();
            for (part, column) in parts.iter_mut().skip(1).zip(&self.columns) {
                if matches!(column, Column::Number(_)) && part.ends_with('-') {
                    part.replace_range(part.len() - 1.., ":");
                }
            }
            *rule = parts.join("|");
        }
        lines.join("\n") + "\n"
    }

    fn build(&self, cell: impl Fn(&str) -> String) -> Table {
        let mut table = Table::new();
        table.set_header(self.columns.iter().map(|column| column.heading()).collect::<Vec<_>>());
        table.add_rows(self.rows.iter().map(|row| row.iter().map(|text| cell(text)).collect::<Vec<_>>()));
        for (built, column) in table.column_iter_mut().zip(&self.columns) {
            if matches!(column, Column::Number(_)) {
                built.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

/// Text without control characters: each is a space.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect::<String>().trim().to_string()
}

/// Text of at most `characters`; where it is cut, an ellipsis says so.
pub(crate) fn shortened(text: &str, characters: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= characters {
        return text;
    }
    text.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

/// Text that Markdown shows as it stands, on one line.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in plain(text).chars() {
        if matches!(char, '\\' | '|' | '<' | '>' | '*' | '`' | '[' | ']') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

/// Folds a sentence into lines of at most `width` characters, between words where it can.
pub(crate) fn fold(text: &str, width: usize) -> Vec<String> {
    assert!(width > 0, "a line holds at least one character");
    let text = plain(text);
    let (mut lines, mut line, mut length) = (Vec::new(), String::new(), 0);
    for word in text.split_whitespace() {
        let mut letters: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + letters.len() > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        while letters.len() > width {
            let rest = letters.split_off(width);
            lines.push(letters.into_iter().collect());
            letters = rest;
        }
        length += letters.len();
        line.extend(letters);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Folds a sentence behind a label: the label on the first line, the rest of the sentence in line with its beginning.
pub(crate) fn labelled(label: &str, indent: usize, text: &str) -> Vec<String> {
    let folded = fold(text, COLUMNS - indent);
    let mut lines = Vec::with_capacity(folded.len());
    for (index, part) in folded.iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        lines.push(format!("{label:indent$}{part}").trim_end().to_string());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_folds_between_words_and_a_word_too_long_for_a_line_is_cut() {
        assert_eq!(fold("every write is read again", 10), ["every", "write is", "read again"]);
        assert_eq!(fold("aa bbbbbbbbbbbb c", 5), ["aa", "bbbbb", "bbbbb", "bb c"]);
        assert_eq!(fold("", 5), [""]);
    }

    #[test]
    fn a_terminal_table_folds_its_words_but_never_its_numbers() {
        let mut rows = Rows::new(vec![Column::Words("what"), Column::Number("count")]);
        rows.push(vec!["word ".repeat(40), "1,234,567".to_string()]);
        let lines = rows.terminal();
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "{lines:#?}");
        assert!(lines[1].ends_with(" 1,234,567"), "{lines:#?}");
        assert!(lines.len() > 3, "the words fold: {lines:#?}");
    }

    #[test]
    fn what_a_fact_says_cannot_break_a_markdown_table() {
        let mut rows = Rows::new(vec![Column::Words("what"), Column::Number("count")]);
        rows.push(vec!["a|b\n<c>".to_string(), "1".to_string()]);
        let table = rows.markdown();
        assert_eq!(table.lines().count(), 3, "{table}");
        assert!(table.contains(r"a\|b \<c\>"), "{table}");
        assert!(table.lines().nth(1).is_some_and(|rule| rule.ends_with(":|")), "{table}");
    }

    #[test]
    fn text_that_is_cut_says_so() {
        assert_eq!(shortened("partition", 9), "partition");
        assert_eq!(shortened("partition", 5), "part…");
    }
}
