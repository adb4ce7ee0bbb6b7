//! Reads histories of transactions: Jepsen's EDN, and JSON lines of the same shape.
//!
//! ```text
//!   {:type :invoke, :f :txn, :value [[:append 1 2] [:r 3 nil]],   :process 0, :time 1, :index 0}
//!   {:type :ok,     :f :txn, :value [[:append 1 2] [:r 3 [4 5]]], :process 0, :time 9, :index 1}
//!   {"type":"invoke","f":"txn","value":[["w",1,2],["r",3,null]],"process":0}
//! ```
//!
//! `:type` is `:invoke`, then `:ok`, `:fail` (it did not happen) or `:info` (nobody knows); an invocation without a second
//! event is unknown too. A completion is joined to its invocation by `:process`, and must repeat its functions, keys and
//! written values. Events follow each other in time as they do in the file; `:time` and `:index` are not needed. Events of
//! a process that is no number, like `:nemesis`, are passed over, as are fields that are not named here.
//!
//! What the checks could not judge is refused, with its line.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use super::edn::{EdnFault, EdnReader, FORM_BYTES_MAX};
use super::form::Form;
use super::{Step, TransactionFault, TransactionHistory, TransactionOutcome};

/// A history that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct TransactionReadError {
    /// The line, counted from 1.
    pub line: u32,
    /// What is wrong with it.
    pub fault: ReadFault,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// It is not EDN.
    #[error(transparent)]
    Edn(#[from] EdnFault),
    /// It is not JSON.
    #[error("not an event in JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line without an end.
    #[error("a line of more than {} MiB: this is no history", FORM_BYTES_MAX >> 20)]
    TooLong,
    /// Something else than a map or an object.
    #[error("not an event: a map of `type`, `f`, `value` and `process` is wanted")]
    NotAnEvent,
    /// A field that is not there, or not what it should be.
    #[error("`{field}` {wanted}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// A read or write that is none.
    #[error("operation {place} of the transaction {wanted}")]
    Operation {
        /// Its place in the transaction, from 1.
        place: usize,
        /// What it should be.
        wanted: &'static str,
    },
    /// A second invocation of a process.
    #[error(
        "process {process} begins a transaction while the one of line {line} is under way; give every concurrent transaction \
         its own process"
    )]
    TwoInFlight {
        /// The process.
        process: u64,
        /// The line of the first.
        line: u32,
    },
    /// A completion without an invocation.
    #[error("process {process} completes a transaction that it did not begin")]
    CompletionWithoutInvocation {
        /// The process.
        process: u64,
    },
    /// A completion that differs from its invocation.
    #[error("process {process} completes other operations than it began on line {line}")]
    AnotherTransaction {
        /// The process.
        process: u64,
        /// The line of the invocation.
        line: u32,
    },
    /// The history could not be judged.
    #[error(transparent)]
    Impossible(#[from] TransactionFault),
}

/// Reads a history, in whichever notation it is.
///
/// # Errors
///
/// The first thing that is wrong with it.
pub fn read_transactions(mut input: impl BufRead) -> Result<TransactionHistory, TransactionReadError> {
    let is_json = match input.fill_buf() {
        Ok(start) => begins_as_json(start),
        Err(error) => return Err(TransactionReadError { line: 1, fault: error.into() }),
    };
    let mut joiner = Joiner::default();
    if is_json {
        read_json(&mut joiner, input)?
    } else {
        read_edn(&mut joiner, input)?
    }
    joiner.finish()
}

/// A map whose first key is a string is an object.
fn begins_as_json(start: &[u8]) -> bool {
    let mut visible = start.iter().filter(|byte| !byte.is_ascii_whitespace());
    visible.next() == Some(&b'{') && visible.next() == Some(&b'"')
}

fn read_edn(joiner: &mut Joiner, input: impl Read) -> Result<(), TransactionReadError> {
    let mut reader = EdnReader::new(input);
    loop {
        let event = reader.next_event();
        match event.map_err(|fault| TransactionReadError { line: reader.line, fault: fault.into() })? {
            Some((line, event)) => {
                joiner.add(line, &event).map_err(|fault| TransactionReadError { line, fault })?;
            }
            None => return Ok(()),
        }
    }
}

fn read_json(joiner: &mut Joiner, mut input: impl BufRead) -> Result<(), TransactionReadError> {
    let mut text = Vec::new();
    for line in 1.. {
        let at = |fault: ReadFault| TransactionReadError { line, fault };
        text.clear();
        let most = FORM_BYTES_MAX as u64 + 1;
        let read = input.by_ref().take(most).read_until(b'\n', &mut text).map_err(|error| at(error.into()))?;
        if read == 0 {
            break;
        }
        if read as u64 == most {
            return Err(at(ReadFault::TooLong));
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let event: serde_json::Value = serde_json::from_slice(&text).map_err(|error| at(error.into()))?;
        joiner.add(line, &Form::from(event)).map_err(at)?;
    }
    Ok(())
}

/// A transaction that has begun.
struct Begun {
    line: u32,
    place: u64,
    steps: Vec<Step>,
}

/// Joins events into transactions.
#[derive(Default)]
struct Joiner {
    history: TransactionHistory,
    in_flight: BTreeMap<u64, Begun>,
    events: u64,
}

impl Joiner {
    fn add(&mut self, line: u32, event: &Form) -> Result<(), ReadFault> {
        if !matches!(event, Form::Map(_)) {
            return Err(ReadFault::NotAnEvent);
        }
        let process = match event.field("process") {
            Some(Form::Integer(process)) => {
                let wanted = "is a number from 0 on, or a name for whom no transactions are judged";
                u64::try_from(*process).map_err(|_| ReadFault::Field { field: "process", wanted })?
            }
            Some(Form::Word(_) | Form::Text(_)) => return Ok(()),
            _ => return Err(ReadFault::Field { field: "process", wanted: "is missing" }),
        };
        let place = self.events;
        self.events += 1;
        if event.field("f").and_then(Form::word) != Some("txn") {
            return Err(ReadFault::Field { field: "f", wanted: "is `txn` in a history of transactions" });
        }
        let event_type = event.field("type").and_then(Form::word);
        let outcome = match event_type {
            Some("invoke") => return self.begin(process, line, place, event),
            Some("ok") => TransactionOutcome::Committed,
            Some("fail") => TransactionOutcome::Aborted,
            Some("info") => TransactionOutcome::Unknown,
            _ => return Err(ReadFault::Field { field: "type", wanted: "is one of `invoke`, `ok`, `fail`, `info`" }),
        };
        let Some(begun) = self.in_flight.remove(&process) else {
            return Err(ReadFault::CompletionWithoutInvocation { process });
        };
        // Who did not commit may say nothing of what it read.
        let steps = match (outcome, event.field("value")) {
            (TransactionOutcome::Committed, _) | (_, Some(Form::List(_))) => {
                self.steps(event, outcome == TransactionOutcome::Committed)?
            }
            _ => begun.steps.clone(),
        };
        let is_same = steps.len() == begun.steps.len() && steps.iter().zip(&begun.steps).all(is_same);
        if !is_same {
            return Err(ReadFault::AnotherTransaction { process, line: begun.line });
        }
        Ok(self.history.push(process, begun.line, begun.place..place, outcome, &steps)?)
    }

    fn begin(&mut self, process: u64, line: u32, place: u64, event: &Form) -> Result<(), ReadFault> {
        if let Some(begun) = self.in_flight.get(&process) {
            return Err(ReadFault::TwoInFlight { process, line: begun.line });
        }
        let mut steps = self.steps(event, false)?;
        for step in &mut steps {
            if let Step::ReadList(key, _) | Step::ReadValue(key, _) | Step::ReadNothing(key) = *step {
                *step = Step::ReadUnknown(key);
            }
        }
        self.in_flight.insert(process, Begun { line, place, steps });
        Ok(())
    }

    /// The reads and writes of an event. A read without a value found nothing when the transaction has committed, and is
    /// not known otherwise.
    fn steps(&mut self, event: &Form, is_committed: bool) -> Result<Vec<Step>, ReadFault> {
        let Some(Form::List(operations)) = event.field("value") else {
            let wanted = "is a list of operations, like [[:append 1 2] [:r 3 nil]]";
            return Err(ReadFault::Field { field: "value", wanted });
        };
        let step = |(index, operation): (usize, &Form)| {
            self.step(operation, is_committed).map_err(|wanted| ReadFault::Operation { place: index + 1, wanted })
        };
        operations.iter().enumerate().map(step).collect()
    }

    fn step(&mut self, operation: &Form, is_committed: bool) -> Result<Step, &'static str> {
        let Form::List(parts) = operation else { return Err("is no list of a function, a key and a value") };
        let [function, key, value] = &parts[..] else { return Err("has not three parts: function, key, value") };
        let key = key.spelling().ok_or("has a key with parts; keys are numbers, keywords or strings")?;
        let key = self.history.key(&key);
        let wanted = "has a value with parts; values are numbers, keywords or strings";
        match (function.word(), value) {
            (Some("append" | "w" | "write"), Form::Nil) => Err("writes nil, which a read could not tell from nothing"),
            (Some("append"), value) => Ok(Step::Append(key, self.value(value).ok_or(wanted)?)),
            (Some("w" | "write"), value) => Ok(Step::Write(key, self.value(value).ok_or(wanted)?)),
            (Some("r" | "read"), Form::Nil) if is_committed => Ok(Step::ReadNothing(key)),
            (Some("r" | "read"), Form::Nil) => Ok(Step::ReadUnknown(key)),
            (Some("r" | "read"), Form::List(values)) => {
                let values: Option<Vec<u32>> = values.iter().map(|value| self.value(value)).collect();
                Ok(Step::ReadList(key, values.ok_or(wanted)?))
            }
            (Some("r" | "read"), value) => Ok(Step::ReadValue(key, self.value(value).ok_or(wanted)?)),
            _ => Err("has another function than `append`, `w` and `r`"),
        }
    }

    fn value(&mut self, form: &Form) -> Option<u32> {
        form.spelling().map(|spelling| self.history.value(&spelling))
    }

    fn finish(mut self) -> Result<TransactionHistory, TransactionReadError> {
        for (process, begun) in std::mem::take(&mut self.in_flight) {
            let Begun { line, place, steps } = begun;
            let pushed = self.history.push(process, line, place..place, TransactionOutcome::Unknown, &steps);
            pushed.map_err(|fault| TransactionReadError { line, fault: fault.into() })?;
        }
        self.history.finish().map_err(|(line, fault)| TransactionReadError { line, fault: fault.into() })
    }
}

/// Whether an operation was completed that was begun.
fn is_same((completed, begun): (&Step, &Step)) -> bool {
    let read = |step: &Step| match step {
        Step::ReadList(key, _) | Step::ReadValue(key, _) | Step::ReadNothing(key) | Step::ReadUnknown(key) => {
            Some(*key)
        }
        Step::Append(..) | Step::Write(..) => None,
    };
    match (read(completed), read(begun)) {
        (None, None) => completed == begun,
        (completed, begun) => completed == begun,
    }
}
