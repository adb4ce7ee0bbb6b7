//! The history of a load as JSON lines, in the shape that the laboratory reads (Jepsen's events): two lines an operation,
//! so that real nodes are judged by the same checks as simulated ones.
//!
//! ```text
//!   {"type":"invoke","process":3,"f":"write","key":"k","value":"v","time_micros":123,"node":"n1", ...}
//!   {"type":"ok" | "fail" | "info", ...}
//! ```

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cluster::coordinator::{Failure, Level};
use cluster::world::NodeId;
use serde_json::json;

use crate::output::Failed;

/// Writes the history.
pub(super) struct Recorder {
    file: Mutex<BufWriter<File>>,
}

/// What is the same in both lines of an operation.
pub(super) struct Event {
    pub(super) process: u64,
    pub(super) kind: Kind,
    pub(super) key: String,
    pub(super) node: NodeId,
    pub(super) level: Level,
}

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Read,
    Write,
}

impl Recorder {
    pub(super) fn create(path: &Path) -> Result<Self, Failed> {
        let file = File::create(path).map_err(|error| Failed::environment(format!("{}: {error}", path.display())))?;
        Ok(Self { file: Mutex::new(BufWriter::new(file)) })
    }

    pub(super) fn invoked(&self, event: &Event, value: Option<&str>, at: Duration) {
        self.line(event, "invoke", value, None, at);
    }

    pub(super) fn completed(&self, event: &Event, value: Option<&str>, result: &Result<(), Failure>, at: Duration) {
        let (kind, error) = match result {
            Ok(()) => ("ok", None),
            Err(failure) if failure.unknown => ("info", Some(failure.reason.as_str())),
            Err(failure) => ("fail", Some(failure.reason.as_str())),
        };
        self.line(event, kind, value, error, at);
    }

    fn line(&self, event: &Event, kind: &str, value: Option<&str>, error: Option<&str>, at: Duration) {
        let function = match event.kind {
            Kind::Read => "read",
            Kind::Write => "write",
        };
        let line = json!({
            "type": kind, "process": event.process, "f": function, "key": event.key, "value": value,
            "time_micros": u64::try_from(at.as_micros()).unwrap_or(u64::MAX), "node": event.node.to_string(),
            "consistency": event.level.to_string(), "error": error,
        });
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writeln!(file, "{line}") {
            panic!("the history cannot be written: {error}");
        }
    }
}
