//! Histories on disk: one JSON object a line, two lines an operation, in the shape of Jepsen's events.
//!
//! ```text
//!   {"type":"invoke","process":3,"f":"write","key":"k1","value":"v17","time_micros":120,"node":"n1","consistency":"quorum"}
//!   {"type":"ok","process":3,"f":"write","key":"k1","value":"v17","time_micros":340,"node":"n1","consistency":"quorum"}
//!   {"type":"invoke","process":4,"f":"read","key":"k1","value":null,"time_micros":350,"node":"n2","consistency":"one"}
//!   {"type":"info","process":4,"f":"read","key":"k1","value":null,"time_micros":950,...,"error":"deadline passed"}
//! ```
//!
//! `type` is `invoke`, then `ok`, `fail` (it did not happen) or `info` (nobody knows); an invocation without a second line
//! never completed. `value` is what a write writes or a read returned, and null for an absent key. A completion is joined
//! to its invocation by `process`, and must repeat `f` and `key`. Fields that are not listed here are ignored, so that
//! other tools may add their own; `node` and `consistency` may be missing.
//!
//! The reader refuses what the checks could not judge, with the line's number: see [`LineFault`]. EDN, and whatever is not ours, is read by `journal`.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::{History, HistoryFault, Invocation, Operation, OperationKind, Outcome, Recorder};

/// A history that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryReadError {
    /// The file could not be read.
    #[error("line {line}: {source}")]
    Io {
        /// The line, counted from 1.
        line: usize,
        /// The cause.
        source: io::Error,
    },
    /// A line that must be corrected.
    #[error("line {line}: {fault}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineFault {
    /// It is not a JSON object with the fields of an event.
    #[error("not an event: {0}")]
    NotAnEvent(#[from] serde_json::Error),
    /// A completion of a process that has nothing in flight.
    #[error("process {process} completes an operation that it did not invoke")]
    CompletionWithoutInvocation {
        /// The process.
        process: u32,
    },
    /// A completion that differs from its invocation.
    #[error("process {process} invoked `{invoked}` and completes `{completed}`")]
    AnotherOperation {
        /// The process.
        process: u32,
        /// Kind, key and written value as invoked.
        invoked: String,
        /// The same as completed.
        completed: String,
    },
    /// The history could not have happened, or not be judged.
    #[error(transparent)]
    Impossible(#[from] HistoryFault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EventType {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    event_type: EventType,
    process: u32,
    f: OperationKind,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Option<Cow<'a, str>>,
    time_micros: u64,
    #[serde(borrow, default)]
    node: Cow<'a, str>,
    #[serde(borrow, default)]
    consistency: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
}

/// Writes a history, its events in the order of their times (at equal times completions first, so that a session's next
/// operation follows its last).
pub fn write_json_lines(history: &History, output: &mut impl Write) -> io::Result<()> {
    let mut completions = BinaryHeap::new();
    for operation in &history.operations {
        while let Some(&Reverse((micros, id))) = completions.peek()
            && micros <= operation.invoked_micros
        {
            completions.pop();
            write_event(output, &completion_event(&history.operations[id as usize], micros))?;
        }
        write_event(output, &invocation_event(operation))?;
        if let Some(micros) = operation.completed_micros {
            completions.push(Reverse((micros, operation.id)));
        }
    }
    while let Some(Reverse((micros, id))) = completions.pop() {
        write_event(output, &completion_event(&history.operations[id as usize], micros))?;
    }
    Ok(())
}

fn write_event(output: &mut impl Write, event: &Event<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *output, event)?;
    output.write_all(b"\n")
}

fn invocation_event(operation: &Operation) -> Event<'_> {
    Event {
        event_type: EventType::Invoke,
        process: operation.session,
        f: operation.kind,
        key: Cow::Borrowed(&operation.key),
        value: operation.written.as_deref().map(Cow::Borrowed),
        time_micros: operation.invoked_micros,
        node: Cow::Borrowed(&operation.coordinator),
        consistency: Cow::Borrowed(&operation.consistency),
        error: None,
    }
}

fn completion_event(operation: &Operation, micros: u64) -> Event<'_> {
    let (event_type, read, error) = match &operation.outcome {
        Outcome::Ok { value } => (EventType::Ok, value.as_deref(), None),
        Outcome::Fail { reason } => (EventType::Fail, None, Some(reason)),
        Outcome::Unknown { reason } => (EventType::Info, None, Some(reason)),
    };
    Event {
        event_type,
        value: operation.written.as_deref().or(read).map(Cow::Borrowed),
        time_micros: micros,
        error: error.map(|reason| Cow::Borrowed(reason.as_str())),
        ..invocation_event(operation)
    }
}

/// Reads a history; empty lines are skipped.
pub fn read_json_lines(mut input: impl BufRead) -> Result<History, HistoryReadError> {
    let mut recorder = Recorder::new();
    let mut text = String::new();
    for line in 1.. {
        text.clear();
        if input.read_line(&mut text).map_err(|source| HistoryReadError::Io { line, source })? == 0 {
            break;
        }
        if !text.trim().is_empty() {
            read_event(&mut recorder, &text).map_err(|fault| HistoryReadError::Line { line, fault })?;
        }
    }
    Ok(recorder.finish())
}

fn read_event(recorder: &mut Recorder, line: &str) -> Result<(), LineFault> {
    let event: Event<'_> = serde_json::from_str(line)?;
    let reason = || event.error.as_deref().unwrap_or("no reason given").to_string();
    let outcome = match event.event_type {
        EventType::Invoke => return invoke(recorder, event),
        EventType::Ok if event.f == OperationKind::Read => {
            Outcome::Ok { value: event.value.as_deref().map(str::to_string) }
        }
        EventType::Ok => Outcome::acknowledged(),
        EventType::Fail => Outcome::Fail { reason: reason() },
        EventType::Info => Outcome::Unknown { reason: reason() },
    };
    let process = event.process;
    let id = recorder.in_flight(process).ok_or(LineFault::CompletionWithoutInvocation { process })?;
    let invoked = recorder.operation(id);
    let same_value = event.f == OperationKind::Read || invoked.written.as_deref() == event.value.as_deref();
    if invoked.kind != event.f || invoked.key != event.key || !same_value {
        let spell = |kind, key: &str, value: Option<&str>| format!("{kind} {key} {}", value.unwrap_or("null"));
        return Err(LineFault::AnotherOperation {
            process,
            invoked: spell(invoked.kind, &invoked.key, invoked.written.as_deref()),
            completed: spell(event.f, &event.key, event.value.as_deref()),
        });
    }
    Ok(recorder.try_complete(id, event.time_micros, outcome)?)
}

fn invoke(recorder: &mut Recorder, event: Event<'_>) -> Result<(), LineFault> {
    recorder.try_invoke(Invocation {
        session: event.process,
        coordinator: event.node.into_owned(),
        key: event.key.into_owned(),
        kind: event.f,
        written: event.value.map(Cow::into_owned),
        consistency: event.consistency.into_owned(),
        invoked_micros: event.time_micros,
    })?;
    Ok(())
}
