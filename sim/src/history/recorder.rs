//! Writes a history down while it happens, and refuses one that could not have happened.
//!
//! ```text
//!   invoke(session 3, write k1 v17, at 120) ──▶ OperationId(0) ──▶ complete(OperationId(0), at 340, Ok)
//! ```
//!
//! The rules are what the checks stand on: a session has one operation in flight, its time never goes back, no value is
//! written twice, a write has a value and nothing else has. The reader of histories on disk applies the same rules through
//! `try_invoke` and `try_complete`; to a workload, breaking one is a bug, and `invoke` and `complete` panic.

use std::collections::{BTreeMap, BTreeSet};

use super::{History, NEVER_COMPLETED, Operation, OperationKind, Outcome};

/// A recorded operation, until the recorder finishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationId(pub u32);

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The session that asks.
    pub session: u32,
    /// The node it asks.
    pub coordinator: String,
    /// The key.
    pub key: String,
    /// What it asks for.
    pub kind: OperationKind,
    /// The value to write; `None` for reads and deletes.
    pub written: Option<String>,
    /// The level it asks for.
    pub consistency: String,
    /// True time, in microseconds since the run began.
    pub invoked_micros: u64,
}

/// A history that could not have happened, or that the checks could not judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryFault {
    /// A session asked again before its operation had completed.
    #[error(
        "process {session} already has operation {in_flight} in flight; give every concurrent operation its own process"
    )]
    TwoInFlight {
        /// The session.
        session: u32,
        /// Its operation in flight, by order of invocation.
        in_flight: u32,
    },
    /// A session's time went back.
    #[error("process {session} is at {micros} microseconds after it was at {before_micros}; write true time")]
    TimeWentBack {
        /// The session.
        session: u32,
        /// Its latest time so far.
        before_micros: u64,
        /// The time given now.
        micros: u64,
    },
    /// A value that was written before.
    #[error("value `{value}` was written before; values must be unique for a read to name the write it saw")]
    ValueWrittenTwice {
        /// The value.
        value: String,
    },
    /// A write without a value.
    #[error("a write needs a value")]
    WriteWithoutValue,
    /// A read or delete with a value to write.
    #[error("a {kind} writes no value")]
    ValueNotWritten {
        /// What was asked for.
        kind: OperationKind,
    },
    /// A write or delete that returned a value, as only reads do.
    #[error("a {kind} returns no value")]
    ValueNotRead {
        /// What was asked for.
        kind: OperationKind,
    },
    /// A completion of an operation that is not in flight.
    #[error("operation {operation} is not in flight")]
    NotInFlight {
        /// The operation, by order of invocation.
        operation: u32,
    },
}

/// A session's latest time, and its operation in flight.
#[derive(Debug, Clone, Copy)]
struct Session {
    at_micros: u64,
    in_flight: Option<u32>,
}

/// Collects operations into a [`History`].
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    operations: Vec<Operation>,
    sessions: BTreeMap<u32, Session>,
    written: BTreeSet<String>,
}

impl Recorder {
    /// An empty recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that an operation began.
    ///
    /// # Panics
    /// When the invocation breaks a rule of [`HistoryFault`]: a bug of the workload.
    pub fn invoke(&mut self, invocation: Invocation) -> OperationId {
        self.try_invoke(invocation).unwrap_or_else(|fault| panic!("a workload broke the rules of histories: {fault}"))
    }

    /// Records that an operation ended.
    ///
    /// # Panics
    /// When the completion breaks a rule of [`HistoryFault`]: a bug of the workload.
    pub fn complete(&mut self, id: OperationId, micros: u64, outcome: Outcome) {
        if let Err(fault) = self.try_complete(id, micros, outcome) {
            panic!("a workload broke the rules of histories: {fault}");
        }
    }

    /// Records that an operation began, or says which rule forbids it; nothing is recorded then.
    pub fn try_invoke(&mut self, invocation: Invocation) -> Result<OperationId, HistoryFault> {
        let Invocation { session, coordinator, key, kind, written, consistency, invoked_micros } = invocation;
        let known = self.sessions.get(&session).copied().unwrap_or(Session { at_micros: 0, in_flight: None });
        if let Some(in_flight) = known.in_flight {
            return Err(HistoryFault::TwoInFlight { session, in_flight });
        }
        if invoked_micros < known.at_micros {
            let before_micros = known.at_micros;
            return Err(HistoryFault::TimeWentBack { session, before_micros, micros: invoked_micros });
        }
        match (kind, &written) {
            (OperationKind::Write, None) => return Err(HistoryFault::WriteWithoutValue),
            (OperationKind::Write, Some(value)) => {
                if !self.written.insert(value.clone()) {
                    return Err(HistoryFault::ValueWrittenTwice { value: value.clone() });
                }
            }
            (kind, Some(_)) => return Err(HistoryFault::ValueNotWritten { kind }),
            (_, None) => {}
        }
        let id =
            u32::try_from(self.operations.len()).expect("a history of four thousand million operations fits nowhere");
        self.sessions.insert(session, Session { at_micros: invoked_micros, in_flight: Some(id) });
        self.operations.push(Operation {
            id,
            session,
            coordinator,
            key,
            kind,
            written,
            consistency,
            invoked_micros,
            completed_micros: None,
            outcome: Outcome::Unknown { reason: NEVER_COMPLETED.to_string() },
        });
        Ok(OperationId(id))
    }

    /// Records that an operation ended, or says which rule forbids it; nothing is recorded then.
    pub fn try_complete(&mut self, id: OperationId, micros: u64, outcome: Outcome) -> Result<(), HistoryFault> {
        let not_in_flight = HistoryFault::NotInFlight { operation: id.0 };
        let Some(operation) = self.operations.get_mut(id.0 as usize) else { return Err(not_in_flight) };
        let session = operation.session;
        let Some(known) = self.sessions.get_mut(&session).filter(|known| known.in_flight == Some(id.0)) else {
            return Err(not_in_flight);
        };
        if micros < known.at_micros {
            return Err(HistoryFault::TimeWentBack { session, before_micros: known.at_micros, micros });
        }
        if matches!(outcome, Outcome::Ok { value: Some(_) }) && operation.kind != OperationKind::Read {
            return Err(HistoryFault::ValueNotRead { kind: operation.kind });
        }
        *known = Session { at_micros: micros, in_flight: None };
        operation.completed_micros = Some(micros);
        operation.outcome = outcome;
        Ok(())
    }

    /// The operation that a session has in flight.
    pub fn in_flight(&self, session: u32) -> Option<OperationId> {
        self.sessions.get(&session).and_then(|session| session.in_flight).map(OperationId)
    }

    /// The operation as recorded so far.
    ///
    /// # Panics
    /// When the recorder did not give out `id`.
    pub fn operation(&self, id: OperationId) -> &Operation {
        &self.operations[id.0 as usize]
    }

    /// The history. What is in flight never completed. Where invocations were not recorded in the order of their times
    /// (only sessions recorded apart from each other do that), they are put in order and numbered again.
    pub fn finish(mut self) -> History {
        self.operations.sort_by_key(|operation| operation.invoked_micros);
        for (position, operation) in self.operations.iter_mut().enumerate() {
            operation.id = position as u32;
        }
        History { operations: self.operations }
    }
}
