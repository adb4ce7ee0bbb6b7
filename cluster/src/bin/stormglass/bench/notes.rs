//! What a load on a directory asked for and was promised, line by line as it happens.
//!
//! ```text
//!   sent<TAB>7<TAB>key<TAB>value        before write 7 is made; a batch has several keys with their values
//!   acked<TAB>7<TAB>42                  when it was acknowledged, with the sequence of its last key
//! ```
//!
//! Each line is one write call, so that whoever watches the process's calls sees what was promised when. Keys and values
//! are text without tabs.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::Sequence;

use crate::output::Failed;

/// Notes that are being written.
pub(super) struct Notes {
    file: File,
    writes: AtomicU64,
}

impl Notes {
    pub(super) fn create(path: &Path) -> Result<Self, Failed> {
        let file = File::create(path).map_err(|error| Failed::environment(format!("{}: {error}", path.display())))?;
        Ok(Self { file, writes: AtomicU64::new(0) })
    }

    /// A write of these keys and values is about to be made. Returns its number.
    pub(super) fn sent<'a>(&self, changes: impl Iterator<Item = (String, &'a [u8])>) -> u64 {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let mut line = format!("sent\t{number}").into_bytes();
        for (key, value) in changes {
            line.extend_from_slice(format!("\t{key}\t").as_bytes());
            line.extend_from_slice(value);
        }
        self.line(line);
        number
    }

    /// It was acknowledged.
    pub(super) fn acked(&self, number: u64, sequence: Sequence) {
        self.line(format!("acked\t{number}\t{}", sequence.0).into_bytes());
    }

    fn line(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        if let Err(error) = (&self.file).write_all(&line) {
            // Notes with holes would accuse the database: stop rather than go on without them.
            panic!("the notes cannot be written: {error}");
        }
    }
}
