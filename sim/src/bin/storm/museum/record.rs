//! What became of each bug, one line of JSON each, so that a museum tour that was interrupted goes on where it was.
//!
//! ```text
//!   results.jsonl   { name, title, patch, source, build_seconds, searches: [...] }      the last line of a name holds
//! ```
//!
//! A line is believed while the patch and everything that decides what the program does have the hashes that it says.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::exhibit::{CONTROL, Exhibit};
use super::finder::Search;
use super::shrink::Shrunk;
use crate::Failed;

/// One bug, looked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) title: String,
    /// The hash of the patch.
    pub(super) patch: String,
    /// The hash of the source tree without it.
    pub(super) source: String,
    pub(super) build_seconds: f64,
    pub(super) searches: Vec<Search>,
    /// How small the failure of the search in the middle becomes.
    #[serde(default)]
    pub(super) shrunk: Option<Shrunk>,
}

impl Record {
    /// The search in the middle, by processor time; one that found nothing took longest of all.
    pub(super) fn median(&self) -> Option<&Search> {
        let mut sorted: Vec<&Search> = self.searches.iter().filter(|search| search.found.is_some()).collect();
        sorted.sort_by(|one, other| one.processor_seconds.total_cmp(&other.processor_seconds));
        sorted.get(self.searches.len() / 2).copied()
    }

    /// Whether what is found must not be: nothing was planted.
    pub(super) fn is_control(&self) -> bool {
        self.name == CONTROL
    }

    /// Any search that found something.
    pub(super) fn first_found(&self) -> Option<&Search> {
        self.searches.iter().find(|search| search.found.is_some())
    }

    /// Whether it says what a museum should: a bug was found, and nothing where there is none.
    pub(super) fn is_as_it_should_be(&self) -> bool {
        if self.is_control() { self.first_found().is_none() } else { self.median().is_some() }
    }
}

/// The file of results.
pub(super) struct Results {
    path: PathBuf,
    records: BTreeMap<String, Record>,
}

impl Results {
    /// Reads a file of results, if it is there. A last line that was cut short is as if it had never been written.
    pub(super) fn read(path: &Path) -> Result<Self, Failed> {
        let mut records = BTreeMap::new();
        if path.exists() {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| Failed::environment(format!("{}: {error}", path.display())))?;
            let lines = text.lines().count();
            for (index, line) in text.lines().enumerate() {
                match serde_json::from_str::<Record>(line) {
                    Ok(record) => drop(records.insert(record.name.clone(), record)),
                    Err(_) if index + 1 == lines && !text.ends_with('\n') => {}
                    Err(error) => {
                        let why = "remove the line, or begin anew with another --out";
                        return Err(Failed::usage(format!("{}:{}: {error}: {why}", path.display(), index + 1)));
                    }
                }
            }
        }
        Ok(Self { path: path.to_path_buf(), records })
    }

    /// The newest record of a name.
    pub(super) fn of(&self, name: &str) -> Option<&Record> {
        self.records.get(name)
    }

    /// The record of an exhibit that still holds.
    pub(super) fn holding(&self, exhibit: &Exhibit, source: &str) -> Option<&Record> {
        self.of(&exhibit.name).filter(|record| record.source == source && record.patch == exhibit.hash())
    }

    /// Writes a record down.
    pub(super) fn add(&mut self, record: Record) -> Result<(), Failed> {
        let line = serde_json::to_string(&record).expect("a record is plain values");
        let written = for_appending(&self.path).and_then(|mut file| writeln!(file, "{line}"));
        written.map_err(|error| Failed::environment(format!("{}: {error}", self.path.display())))?;
        self.records.insert(record.name.clone(), record);
        Ok(())
    }
}

/// Opens the file behind its last whole line.
fn for_appending(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let whole = fs::read(path)?.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last as u64 + 1);
    file.set_len(whole)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::finder::{Finder, Finding};
    use super::*;

    fn search(seconds: f64, is_found: bool) -> Search {
        let finding = || Finding {
            finder: Finder::Library,
            check: "converged".to_string(),
            words: String::new(),
            replay: String::new(),
            failing: None,
            seeds: 3,
        };
        Search { first_seed: 1, found: is_found.then(finding), seeds: 3, processor_seconds: seconds }
    }

    fn record(name: &str, searches: &[(f64, bool)]) -> Record {
        Record {
            name: name.to_string(),
            title: "t".to_string(),
            patch: "p".to_string(),
            source: "s".to_string(),
            build_seconds: 1.0,
            searches: searches.iter().map(|(seconds, is_found)| search(*seconds, *is_found)).collect(),
            shrunk: None,
        }
    }

    #[test]
    fn the_median_takes_a_search_that_found_nothing_for_the_longest() {
        let seconds = |searches: &[(f64, bool)]| record("x", searches).median().map(|search| search.processor_seconds);
        assert_eq!(seconds(&[(9.0, true), (1.0, true), (2.0, true)]), Some(2.0));
        assert_eq!(seconds(&[(9.0, true), (1.0, true), (600.0, false)]), Some(9.0));
        assert_eq!(seconds(&[(9.0, true), (600.0, false), (600.0, false)]), None);
        assert_eq!(seconds(&[(600.0, false), (600.0, false)]), None);
        assert_eq!(seconds(&[]), None);
    }

    #[test]
    fn a_control_is_right_when_nothing_is_found_and_a_bug_when_it_is() {
        assert!(record(CONTROL, &[(600.0, false)]).is_as_it_should_be());
        assert!(!record(CONTROL, &[(600.0, false), (3.0, true)]).is_as_it_should_be());
        assert!(record("x", &[(3.0, true)]).is_as_it_should_be());
        assert!(!record("x", &[(600.0, false)]).is_as_it_should_be());
    }

    #[test]
    fn results_are_read_back_and_a_line_that_was_cut_short_is_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("results.jsonl");
        let mut results = Results::read(&path).expect("no file is no result");
        results.add(record("x", &[(1.0, true)])).expect("written");
        results.add(record("x", &[(2.0, true)])).expect("written");
        let text = fs::read_to_string(&path).expect("a file");
        fs::write(&path, &text[..text.len() - 9]).expect("a file");
        let mut results = Results::read(&path).expect("a file");
        assert_eq!(results.of("x"), Some(&record("x", &[(1.0, true)])));
        results.add(record("y", &[])).expect("written");
        assert!(Results::read(&path).expect("whole lines").of("y").is_some());
        fs::write(&path, format!("nonsense\n{text}")).expect("a file");
        assert!(Results::read(&path).is_err_and(|failed| failed.code == 2 && failed.message.contains(":1:")));
    }

    #[test]
    fn a_record_of_another_source_or_patch_does_not_hold() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut results = Results::read(&folder.path().join("results.jsonl")).expect("no file");
        let exhibit = Exhibit { patch: Some("diff".to_string()), ..Exhibit::control() };
        results.add(Record { patch: exhibit.hash(), ..record(CONTROL, &[]) }).expect("written");
        assert!(results.holding(&exhibit, "s").is_some());
        assert!(results.holding(&exhibit, "another").is_none());
        assert!(results.holding(&Exhibit::control(), "s").is_none());
    }
}
