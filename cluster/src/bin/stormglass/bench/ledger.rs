//! The ledger of a load: what was sent, and what was acknowledged, written line by line as it happens, so that it is whole
//! up to the last line whatever happens to this program or to the nodes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::output::Failed;

/// A ledger that is being written.
pub(super) struct Ledger {
    file: Mutex<File>,
}

/// A key that was sent once: its value, and whether that was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) value: String,
    pub(super) acknowledged: bool,
}

impl Ledger {
    pub(super) fn create(path: &Path) -> Result<Self, Failed> {
        let file = File::create(path).map_err(|error| Failed::environment(format!("{}: {error}", path.display())))?;
        Ok(Self { file: Mutex::new(file) })
    }

    pub(super) fn sent(&self, key: &str, value: &str) {
        self.line("sent", key, value);
    }

    pub(super) fn acked(&self, key: &str, value: &str) {
        self.line("acked", key, value);
    }

    fn line(&self, what: &str, key: &str, value: &str) {
        let line = format!("{what}\t{key}\t{value}\n");
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            // A ledger with holes would accuse the database: stop rather than go on without it.
            panic!("the ledger cannot be written: {error}");
        }
    }
}

/// Reads a ledger back. The last line may be cut short; every other must be whole.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, Sent>, Failed> {
    let refuse = |line: usize, what: &str| Failed::usage(format!("{}:{line}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| Failed::usage(format!("{}: {error}", path.display())))?;
    let mut keys = BTreeMap::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        // The writer died in the middle of its last line: that acknowledgement was not noted.
        let Some(line) = line.strip_suffix('\n') else { break };
        let fields: Vec<&str> = line.split('\t').collect();
        let [what, key, value] = fields.as_slice() else {
            return Err(refuse(number, "a ledger's line has three fields: sent or acked, key, value"));
        };
        match (*what, keys.get_mut(*key)) {
            ("sent", None) => {
                keys.insert((*key).to_string(), Sent { value: (*value).to_string(), acknowledged: false });
            }
            ("acked", Some(sent)) if sent.value == *value => sent.acknowledged = true,
            ("sent", Some(_)) => return Err(refuse(number, "this key was sent before")),
            _ => return Err(refuse(number, "acknowledged without having been sent")),
        }
    }
    Ok(keys)
}
