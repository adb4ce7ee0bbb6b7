//! The scenario library: what `storm list` shows of a folder of scenario files, one line each.
//!
//! ```text
//!   scenarios/a-cut-off-minority-refuses.yaml   a node cut off ... refuses quorum operations   With three nodes and ...
//!   └──────────────────file───────────────┘     └────────────────name───────────────────┘     └──about, sentence 1──▶
//! ```
//!
//! A file that is no scenario is listed with its errors and hides no other.

use std::fs;
use std::path::Path;

use super::errors::ScenarioError;

/// One scenario of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryEntry {
    /// The file, with the folder as it was named.
    pub file: String,
    /// The scenario's name.
    pub name: String,
    /// The first sentence of its `about`, on one line.
    pub summary: String,
}

/// Every file of the folder that ends in `.yaml`, ordered by name: what it shows, or why it cannot be run. An error when
/// the folder cannot be read.
pub fn library(folder: &Path) -> Result<Vec<Result<LibraryEntry, ScenarioError>>, ScenarioError> {
    let unreadable = |source| ScenarioError::Unreadable { file: folder.display().to_string(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files.iter().map(|path| entry(path)).collect())
}

fn entry(path: &Path) -> Result<LibraryEntry, ScenarioError> {
    let plan = super::load(path)?;
    Ok(LibraryEntry { summary: first_sentence(&plan.about), file: plan.file, name: plan.name })
}

/// Up to the first full stop (or other end of a sentence) that a blank or the end follows.
fn first_sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let ends = text.char_indices().filter(|(_, letter)| matches!(letter, '.' | '!' | '?'));
    let end =
        ends.map(|(position, _)| position + 1).find(|end| text[*end..].is_empty() || text[*end..].starts_with(' '));
    text[..end.unwrap_or(text.len())].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_ends_at_a_full_stop_before_a_blank_and_not_inside_a_number() {
        assert_eq!(first_sentence("Loss of 0.1%\n  is little. More follows."), "Loss of 0.1% is little.");
        assert_eq!(first_sentence("No end"), "No end");
        assert_eq!(first_sentence("Ärger! Und é. x"), "Ärger!");
    }

    #[test]
    fn a_broken_file_is_listed_as_broken_beside_the_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let good = "name: a\nabout: One thing. Two things.\nexpect: { linearizable: true }\n";
        fs::write(folder.path().join("a-good.yaml"), good).expect("written");
        fs::write(folder.path().join("b-broken.yaml"), "name: [\n").expect("written");
        fs::write(folder.path().join("notes.txt"), "nothing").expect("written");
        let listed = library(folder.path()).expect("the folder is there");
        assert_eq!(listed.len(), 2);
        assert_eq!(listed[0].as_ref().map(|entry| entry.summary.as_str()).ok(), Some("One thing."));
        assert!(matches!(listed[1], Err(ScenarioError::Refused(_))));
        assert!(matches!(library(&folder.path().join("none")), Err(ScenarioError::Unreadable { .. })));
    }
}
