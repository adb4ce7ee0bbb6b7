//! What people and programs get to read, and the exit codes: one place where every error of the crates below becomes a
//! number that scripts can rely on.

use std::io::{self, Write};
use std::process::ExitCode;

use cluster::coordinator::{ConsistencyReport, Failure, FailureKind, Said};
use cluster::node::StartError;
use serde_json::{Value, json};

/// A command that did not do what it was asked, with its exit code.
#[derive(Debug)]
pub(crate) struct Failed {
    code: u8,
    message: String,
}

impl Failed {
    /// 1: a check failed, or there is nothing there.
    pub(crate) fn check(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// 2: bad input or usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// 3: the environment failed.
    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// Prints the message and gives the exit code.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        if json {
            print(&json!({ "error": self.message, "exit_code": self.code }).to_string());
        } else {
            // Nothing can be said where even this fails.
            let _ = writeln!(io::stderr(), "stormglass: {}", self.message);
        }
        ExitCode::from(self.code)
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        let code = match failure.kind {
            _ if failure.unknown => 4,
            FailureKind::BadRequest => 2,
            _ => 3,
        };
        Self { code, message: failure.to_string() }
    }
}

impl From<engine::Error> for Failed {
    fn from(error: engine::Error) -> Self {
        use engine::Error;
        let code = match &error {
            Error::Disk(disk) if is_a_wrong_path(disk.kind) => 2,
            Error::NotOurs { .. }
            | Error::NotThis { .. }
            | Error::BadOptions { .. }
            | Error::EmptyKey
            | Error::KeyTooLong { .. }
            | Error::ValueTooLong { .. }
            | Error::BatchTooLarge { .. }
            | Error::Missing { .. }
            | Error::NotALog { .. }
            | Error::NewerFormat { .. } => 2,
            _ if error.outcome() == engine::Outcome::Unknown => 4,
            _ => 3,
        };
        Self { code, message: error.to_string() }
    }
}

/// Whether the path that was given is what is wrong.
fn is_a_wrong_path(kind: engine::world::DiskErrorKind) -> bool {
    use engine::world::DiskErrorKind::{AlreadyExists, IsADirectory, NotADirectory, NotFound};
    matches!(kind, NotFound | NotADirectory | IsADirectory | AlreadyExists)
}

/// The failure of a command that looks for damage, or must not go on with it: finding it is a check that failed.
pub(crate) fn checked(error: engine::Error) -> Failed {
    match error {
        engine::Error::Corrupt { .. } | engine::Error::MarkerDamaged { .. } => Failed::check(error.to_string()),
        other => other.into(),
    }
}

impl From<StartError> for Failed {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Engine(error) => error.into(),
            other => Self::usage(other.to_string()),
        }
    }
}

/// Prints one line; a reader that has gone away (`| head`) is no error.
pub(crate) fn print(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// The report for people: one line a replica.
pub(crate) fn report_text(report: &ConsistencyReport) -> String {
    let mut text = format!(
        "{} through {}: {} of {} replicas needed, {:.1} ms\n",
        report.level,
        report.coordinator,
        report.required,
        report.answers.len(),
        report.took_micros as f64 / 1_000.0
    );
    let decided = report.answers.len() - report.silent().len() >= report.required;
    for (node, answer) in &report.answers {
        let after =
            answer.after_micros.map_or(String::new(), |micros| format!("after {:.1} ms ", micros as f64 / 1_000.0));
        let repaired = if answer.repaired { ", repaired" } else { "" };
        text.push_str(&format!("  {node}  {after}{}{repaired}\n", said_text(&answer.said, decided)));
    }
    text
}

fn said_text(said: &Said, decided: bool) -> String {
    match said {
        Said::Nothing if decided => "was not waited for".to_string(),
        Said::Nothing => "did not answer".to_string(),
        Said::Holds(None) => "holds nothing".to_string(),
        Said::Holds(Some(version)) => format!("holds {version}"),
        Said::Applied => "stored it".to_string(),
        Said::Superseded(version) => format!("holds the newer {version}: this write has lost"),
        Said::Refused(reason) => format!("refused: {reason}"),
    }
}

/// The report for programs.
pub(crate) fn report_json(report: &ConsistencyReport) -> Value {
    let answers = report.answers.iter().map(|(node, answer)| {
        let (said, version) = match &answer.said {
            Said::Nothing => ("nothing", None),
            Said::Holds(version) => ("holds", *version),
            Said::Applied => ("applied", None),
            Said::Superseded(version) => ("superseded", Some(*version)),
            Said::Refused(_) => ("refused", None),
        };
        json!({
            "node": node.to_string(),
            "said": said,
            "version": version.map(|version| version.to_string()),
            "after_micros": answer.after_micros,
            "repaired": answer.repaired,
            "reason": if let Said::Refused(reason) = &answer.said { Some(reason) } else { None },
        })
    });
    json!({
        "level": report.level.to_string(),
        "required": report.required,
        "coordinator": report.coordinator.to_string(),
        "took_micros": report.took_micros,
        "answers": answers.collect::<Vec<_>>(),
    })
}

/// Bytes for people: as they are where they are text, escaped where not.
pub(crate) fn readable(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.escape_ascii().to_string(), str::to_string)
}

/// A number of bytes as people say it.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

/// One of `of` in so many, as in 1.25; nothing without a whole.
pub(crate) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1000.0).round() / 1000.0)
}
