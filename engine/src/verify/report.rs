//! What verifying found: problems with their place and what to do, what is harmless, and how much was read.
//!
//! ```text
//!   CORRUPT in data/table-00000000000000000003.sst at offset 4120, 4088 bytes: bad checksum: ...
//!     restore this file from a backup ...
//!   harmless: data/table-00000000000000000009.sst: no part of the database: opening removes it
//!   3 tables in 2 runs: 96240 bytes, 14 blocks, 4200 entries; manifest ...; log ...
//!   SOUND
//! ```

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::error::Error;
use crate::format::Fault;

/// Bytes that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Where they begin.
    pub offset: u64,
    /// How many.
    pub length_bytes: u64,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub advice: &'static str,
}

/// Something that is not as usual and does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Harmless {
    /// The file.
    pub file: PathBuf,
    /// What it is.
    pub what: String,
}

/// What verifying found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What is wrong, in the order in which it was found.
    pub problems: Vec<Problem>,
    /// What is unusual and harmless.
    pub harmless: Vec<Harmless>,
    /// Tables that were read.
    pub tables: u64,
    /// Runs they lie in, each of disjoint tables.
    pub runs: u64,
    /// Bytes of the sound ones.
    pub table_bytes: u64,
    /// Their data blocks and partitions.
    pub blocks: u64,
    /// Their versions of keys.
    pub entries: u64,
    /// Edits and damages of the manifest.
    pub edits: u64,
    /// Bytes of the manifest.
    pub manifest_bytes: u64,
    /// Segments of the log that recovery would read.
    pub log_segments: u64,
    /// Bytes of them.
    pub log_bytes: u64,
    /// Writes in them.
    pub log_writes: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// Adds a problem, unless the same place is in the report already.
    pub(super) fn add(&mut self, problem: Problem) {
        let is_same = |known: &Problem| known.file == problem.file && known.offset == problem.offset;
        if !self.problems.iter().any(is_same) {
            self.problems.push(problem);
        }
    }

    pub(super) fn problem(
        &mut self,
        file: PathBuf,
        (offset, length_bytes): (u64, u64),
        fault: &Fault,
        advice: &'static str,
    ) {
        self.add(Problem { file, offset, length_bytes, what: fault.to_string(), advice });
    }

    /// Adds an error that is damage, and gives back any other.
    pub(super) fn note(&mut self, error: Error) -> Result<(), Error> {
        match error {
            Error::Corrupt { file, offset, length, fault, advice } => {
                self.problem(file, (offset, length), &fault, advice);
            }
            Error::MarkerDamaged { path } => self.add(Problem {
                file: path,
                offset: 0,
                length_bytes: 0,
                what: "the marker of the data directory is damaged".to_string(),
                advice: "the data may be sound; restore this file from a backup, or copy it from another directory",
            }),
            other => return Err(other),
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Problem { file, offset, length_bytes, what, advice } in &self.problems {
            let file = file.display();
            writeln!(formatter, "CORRUPT in {file} at offset {offset}, {length_bytes} bytes: {what}\n  {advice}")?;
        }
        for Harmless { file, what } in &self.harmless {
            writeln!(formatter, "harmless: {}: {what}", file.display())?;
        }
        let Self { tables, runs, table_bytes, blocks, entries, .. } = self;
        writeln!(formatter, "{tables} tables in {runs} runs: {table_bytes} bytes, {blocks} blocks, {entries} entries")?;
        let Self { edits, manifest_bytes, log_segments, log_bytes, log_writes, .. } = self;
        writeln!(
            formatter,
            "manifest: {edits} edits, {manifest_bytes} bytes; log: {log_segments} segments, {log_bytes} bytes, {log_writes} writes"
        )?;
        match self.problems.len() {
            0 => formatter.write_str("sound"),
            1 => formatter.write_str("DAMAGED in 1 place"),
            count => write!(formatter, "DAMAGED in {count} places"),
        }
    }
}
