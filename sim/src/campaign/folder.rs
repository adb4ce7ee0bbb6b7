//! The folder of a campaign: what it is, what it has found so far, and how it goes on after it was interrupted.
//!
//! ```text
//!   DIR/campaign.json     which campaign: scenarios, seeds, shard, program; a folder of another one is refused
//!   DIR/results.jsonl     a line a run, in the order of the work: always a prefix of the whole
//!   DIR/junit.xml         the same for a CI, written when the campaign ends
//!   DIR/failures/         a scenario file a cause, as found and shrunk
//! ```
//!
//! Whatever ends a campaign, the file holds the first runs of its work and perhaps half a line, which is cut off. Each line
//! is held against the run that stands there, so that nothing of another campaign is believed. Reading goes line by line:
//! neither a long campaign nor a garbage file costs memory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::outcome::Outcome;

/// No line of results is longer.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// What makes two campaigns the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Which program ran it, so that the results of two builds are not mixed.
    pub program: String,
    /// Its scenarios, as they were named.
    pub scenarios: Vec<String>,
    /// A hash of what the scenarios say.
    pub fingerprint: String,
    /// The first seed and the last.
    pub seeds: String,
    /// Which part of the whole it is.
    pub shard: String,
}

/// Why a folder cannot serve a campaign.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It belongs to another campaign. Name another folder, or remove this one.
    #[error("{folder}: belongs to another campaign ({difference}); name another directory, or remove this one")]
    OtherCampaign {
        /// The folder.
        folder: String,
        /// What differs.
        difference: String,
    },
    /// A file in it is not one of a campaign. Name another folder, or remove this one.
    #[error("{file}:{line}: {problem}; name another directory, or remove this one")]
    NotResults {
        /// The file.
        file: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// Another process uses it.
    #[error("{folder}: another campaign is running there; wait for it, or name another directory")]
    InUse {
        /// The folder.
        folder: String,
    },
    /// The system refuses.
    #[error("{path}: {source}")]
    System {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl FolderError {
    /// Whether the user named the wrong folder; otherwise the environment failed.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::System { .. })
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> FolderError + use<> {
    let path = path.display().to_string();
    move |source| FolderError::System { path: path.clone(), source }
}

/// A campaign's folder, held by this process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    results: File,
}

impl Folder {
    /// Opens or makes the folder of this campaign.
    pub fn open(path: &Path, identity: &Identity) -> Result<Self, FolderError> {
        fs::create_dir_all(path).map_err(at(path))?;
        let results_path = path.join("results.jsonl");
        let results = OpenOptions::new().read(true).append(true).create(true).open(&results_path);
        let results = results.map_err(at(&results_path))?;
        match results.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse { folder: path.display().to_string() }),
            Err(TryLockError::Error(source)) => return Err(at(&results_path)(source)),
        }
        let folder = Self { path: path.to_path_buf(), results };
        folder.identify(identity)?;
        Ok(folder)
    }

    /// Compares the campaign with the one that is written down, or writes it down.
    fn identify(&self, identity: &Identity) -> Result<(), FolderError> {
        let path = self.path.join("campaign.json");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let other = || FolderError::OtherCampaign {
                    folder: self.path.display().to_string(),
                    difference: "its campaign.json cannot be read".to_string(),
                };
                let found: Identity = serde_json::from_str(&text).map_err(|_| other())?;
                match difference(identity, &found) {
                    None => Ok(()),
                    Some(difference) => {
                        let folder = self.path.display().to_string();
                        Err(FolderError::OtherCampaign { folder, difference })
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.results.metadata().map_err(at(&path))?.len() > 0 {
                    let difference = "it has results, and no campaign.json says of what".to_string();
                    return Err(FolderError::OtherCampaign { folder: self.path.display().to_string(), difference });
                }
                let text = serde_json::to_string_pretty(identity).expect("plain values");
                self.write_whole("campaign.json", |file| writeln!(file, "{text}"))
            }
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// Tells `each` every result that is there, cuts off half a line, and returns how many there are. `each` says what is
    /// wrong with a result that does not belong where it stands.
    pub fn resume(&mut self, mut each: impl FnMut(u64, Outcome) -> Result<(), String>) -> Result<u64, FolderError> {
        let path = self.path.join("results.jsonl");
        let (mut whole_bytes, mut lines) = (0, 0);
        let problem = |line: u64, problem: String| FolderError::NotResults {
            file: path.display().to_string(),
            line: line + 1,
            problem,
        };
        self.results.seek(SeekFrom::Start(0)).map_err(at(&path))?;
        let mut reader = BufReader::new(&self.results);
        let mut line = Vec::new();
        loop {
            line.clear();
            reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(at(&path))?;
            if line.last() != Some(&b'\n') {
                if line.len() as u64 == LINE_BYTES_MAX {
                    return Err(problem(lines, "the line is too long for a result".to_string()));
                }
                break;
            }
            let outcome: Outcome =
                serde_json::from_slice(&line).map_err(|error| problem(lines, format!("not a result: {error}")))?;
            each(lines, outcome).map_err(|wrong| problem(lines, wrong))?;
            whole_bytes += line.len() as u64;
            lines += 1;
        }
        drop(reader);
        self.results.set_len(whole_bytes).map_err(at(&path))?;
        Ok(lines)
    }

    /// The results that are there, one after the other.
    pub fn outcomes(&self) -> Result<impl Iterator<Item = io::Result<Outcome>> + use<>, FolderError> {
        let path = self.path.join("results.jsonl");
        let lines = BufReader::new(File::open(&path).map_err(at(&path))?).lines();
        Ok(lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::other)))
    }

    /// Adds a result.
    pub fn add(&mut self, outcome: &Outcome) -> Result<(), FolderError> {
        let mut line = serde_json::to_vec(outcome).expect("plain values");
        line.push(b'\n');
        // One write: what kills this process leaves at most half a line.
        self.results.write_all(&line).map_err(at(&self.path.join("results.jsonl")))
    }

    /// Writes a file of this folder anew, or leaves the old one as it was.
    pub fn write_whole(
        &self,
        name: &str,
        write: impl FnOnce(&mut io::BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), FolderError> {
        let path = self.path.join(name);
        let mut new = path.clone().into_os_string();
        new.push(".new");
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
            let mut file = io::BufWriter::new(File::create(&new)?);
            write(&mut file)?;
            file.flush()?;
            fs::rename(&new, &path)
        });
        written.map_err(at(&path))
    }

    /// Writes a text file of this folder anew.
    pub fn write_text(&self, name: &str, text: &str) -> Result<(), FolderError> {
        self.write_whole(name, |file| file.write_all(text.as_bytes()))
    }

    /// The path of a file of this folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// The first thing in which two campaigns differ.
fn difference(wanted: &Identity, found: &Identity) -> Option<String> {
    let Identity { program, scenarios, fingerprint, seeds, shard } = found;
    let differ = |what: &str, found: &str, wanted: &str| {
        (found != wanted).then(|| format!("{what} {found} there, {what} {wanted} here"))
    };
    let listed = |scenarios: &[String]| match scenarios {
        [one] => one.clone(),
        several => format!("{} files", several.len()),
    };
    differ("seeds", seeds, &wanted.seeds)
        .or_else(|| differ("shard", shard, &wanted.shard))
        .or_else(|| differ("scenarios", &listed(scenarios), &listed(&wanted.scenarios)))
        .or_else(|| (scenarios != &wanted.scenarios).then(|| "other scenarios".to_string()))
        .or_else(|| (fingerprint != &wanted.fingerprint).then(|| "its scenarios have changed since".to_string()))
        .or_else(|| (program != &wanted.program).then(|| "it was run by another build of storm".to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::outcome::{Judgement, Ran};

    fn identity() -> Identity {
        Identity {
            program: "storm 1".to_string(),
            scenarios: vec!["a.yaml".to_string()],
            fingerprint: "ff".to_string(),
            seeds: "1..9".to_string(),
            shard: "1/1".to_string(),
        }
    }

    fn outcome(seed: u64) -> Outcome {
        let Ran { trace, unmet, .. } = Ran::broken_off("x");
        Outcome {
            scenario: "a.yaml".to_string(),
            seed,
            verdict: Judgement::Holds,
            trace,
            twice: false,
            signature: None,
            unmet,
            virtual_micros: 0,
            wall_micros: 0,
            cpu_micros: 0,
            new_states: 0,
        }
    }

    /// The seeds of the results that are there.
    fn resumed(path: &Path) -> Result<Vec<u64>, FolderError> {
        let mut seeds = Vec::new();
        let count = Folder::open(path, &identity())?.resume(|number, outcome| {
            seeds.push(outcome.seed);
            if outcome.seed == number + 1 { Ok(()) } else { Err(format!("not the run of seed {}", number + 1)) }
        })?;
        assert_eq!(count, seeds.len() as u64);
        Ok(seeds)
    }

    fn filled(path: &Path, seeds: std::ops::RangeInclusive<u64>) {
        let mut folder = Folder::open(path, &identity()).expect("it is ours");
        seeds.for_each(|seed| folder.add(&outcome(seed)).expect("there is room"));
    }

    #[test]
    fn wherever_the_file_was_cut_the_whole_lines_before_the_cut_are_there_again() {
        let scratch = tempfile::tempdir().expect("a folder");
        filled(scratch.path(), 1..=3);
        let file = scratch.path().join("results.jsonl");
        let whole = fs::read(&file).expect("readable");
        for length in 0..=whole.len() {
            fs::write(&file, &whole[..length]).expect("written");
            let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!(resumed(scratch.path()).expect("it goes on"), (1..=lines).collect::<Vec<_>>(), "{length} bytes");
            // What is added now stands on a line of its own.
            filled(scratch.path(), lines + 1..=3);
            assert_eq!(fs::read(&file).expect("readable"), whole, "cut after {length} bytes");
        }
    }

    #[test]
    fn a_folder_of_another_campaign_is_refused_and_the_difference_told() {
        let scratch = tempfile::tempdir().expect("a folder");
        filled(scratch.path(), 1..=1);
        for (other, difference) in [
            (Identity { seeds: "1..10".into(), ..identity() }, "seeds 1..9 there, seeds 1..10 here"),
            (Identity { shard: "1/2".into(), ..identity() }, "shard 1/1 there"),
            (Identity { scenarios: vec!["b.yaml".into()], ..identity() }, "scenarios a.yaml there"),
            (Identity { fingerprint: "00".into(), ..identity() }, "have changed since"),
            (Identity { program: "storm 2".into(), ..identity() }, "another build"),
        ] {
            let error = Folder::open(scratch.path(), &other).expect_err("another campaign");
            assert!(error.is_usage() && error.to_string().contains(difference), "{error}");
        }
        fs::remove_file(scratch.path().join("campaign.json")).expect("it is there");
        let error = Folder::open(scratch.path(), &identity()).expect_err("whose results are these?");
        assert!(error.is_usage() && error.to_string().contains("no campaign.json"), "{error}");
    }

    #[test]
    fn results_of_other_runs_and_garbage_are_refused_with_their_line() {
        let scratch = tempfile::tempdir().expect("a folder");
        filled(scratch.path(), 1..=2);
        filled(scratch.path(), 7..=7);
        let error = resumed(scratch.path()).expect_err("seed 7 stands where 3 should");
        assert!(error.to_string().contains("results.jsonl:3: not the run of seed 3"), "{error}");
        let file = scratch.path().join("results.jsonl");
        fs::write(&file, "garbage\n").expect("written");
        assert!(resumed(scratch.path()).expect_err("garbage").to_string().contains("results.jsonl:1: not a result"));
        fs::write(&file, vec![b'x'; 5 << 20]).expect("written");
        assert!(resumed(scratch.path()).expect_err("garbage").to_string().contains("too long"));
    }

    #[test]
    fn two_campaigns_in_one_folder_are_refused() {
        let scratch = tempfile::tempdir().expect("a folder");
        let first = Folder::open(scratch.path(), &identity()).expect("it is free");
        let error = Folder::open(scratch.path(), &identity()).expect_err("it is not");
        assert!(matches!(error, FolderError::InUse { .. }), "{error}");
        drop(first);
        Folder::open(scratch.path(), &identity()).expect("it is free again");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_the_environments_fault() {
        let error = Folder::open(Path::new("/proc/nowhere/out"), &identity()).expect_err("no such place");
        assert!(!error.is_usage(), "{error}");
    }
}
