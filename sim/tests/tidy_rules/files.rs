//! Every file says why it is there, and fits into a reader's head.
//!
//! ```text
//!   *.rs               opens with `//!`: two lines at least, one in tests and benches; 600 lines at most
//!   src/lib.rs         opens with the crate's map: its rooms, and the path of one write through them
//!   scenarios/*.yaml   says in `about` what it teaches
//! ```
//!
//! That a header is a good one is for a reader to judge.

use super::Violation;
use super::source::Source;

/// No file is longer.
pub(crate) const LINES_MOST: usize = 600;

/// A file that does not open with a header.
pub(crate) fn header(source: &Source) -> Option<Violation> {
    let needed = if source.is_test_file() { 1 } else { 2 };
    let written = header_lines(&source.text).filter(|line| !line.trim_start_matches("//!").trim().is_empty()).count();
    (written < needed).then(|| {
        let remedy = format!(
            "the file opens with {written} header lines; say in `//!` lines at its top (here at least {needed}) what it is \
             for, what its bytes or messages look like, and what it does not do"
        );
        Violation::new(&source.path, 1, remedy)
    })
}

/// A file that is too long.
pub(crate) fn length(source: &Source) -> Option<Violation> {
    let lines = source.text.lines().count();
    (lines > LINES_MOST).then(|| {
        let remedy = format!(
            "the file has {lines} lines, and {LINES_MOST} is the most: one room or two? Split it by what it does"
        );
        Violation::new(&source.path, LINES_MOST + 1, remedy)
    })
}

/// A crate's `lib.rs` that opens without its map.
pub(crate) fn map(source: &Source) -> Option<Violation> {
    if !source.path.ends_with("/src/lib.rs") {
        return None;
    }
    let sign = if source.house_crate() == "reports" { "rooms" } else { "path of one write" };
    let header: Vec<&str> = header_lines(&source.text).map(|line| line.trim_start_matches("//!").trim()).collect();
    let found = header.join(" ").to_lowercase().contains(sign);
    (!found).then(|| {
        let remedy =
            format!("the header has no map of the crate: list its rooms in order, and tell the {sign} (those words)");
        Violation::new(&source.path, 1, remedy)
    })
}

fn header_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take_while(|line| line.starts_with("//!"))
}

/// A scenario that does not say what it teaches.
pub(crate) fn about(path: &str, text: &str) -> Option<Violation> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("about:"));
    let said = lines.next().is_some_and(|line| {
        let here = line.trim_start_matches("about:").trim();
        let folded = matches!(here, "" | ">" | "|" | ">-" | "|-");
        !folded || lines.next().is_some_and(|next| next.starts_with(' ') && !next.trim().is_empty())
    });
    (!said).then(|| {
        Violation::new(path, 1, "the scenario does not say what it teaches; add `about:` with a sentence or two")
    })
}
