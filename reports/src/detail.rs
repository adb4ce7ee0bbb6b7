//! What the page of a run shows beyond its facts: every operation with its consistency report, and some of the messages.
//!
//! ```text
//!   facts.anomalies[..].operations ──ids──▶ detail.operations ── report ──▶ who was asked, who answered when, with what
//! ```
//!
//! It is many times the size of the facts, so `report.json` does not hold it and a campaign never makes it. Times are
//! virtual microseconds since the workload began, as in the facts.

use serde::{Deserialize, Serialize};

/// The detail of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDetail {
    /// The nodes, in the order in which they are to be shown.
    pub nodes: Vec<String>,
    /// Every operation, ordered by invocation.
    pub operations: Vec<OperationFact>,
    /// The messages that are to be shown.
    pub messages: MessagesFact,
}

/// One operation of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationFact {
    /// What anomalies name it by.
    pub id: u64,
    /// The session that asked; one operation in flight at a time.
    pub session: u64,
    /// The node that was asked.
    pub coordinator: String,
    /// The key.
    pub key: String,
    /// `read`, `write`, `delete`, ...
    pub kind: String,
    /// The level asked for.
    pub consistency: String,
    /// What it wrote.
    pub written: Option<String>,
    /// How it ended.
    pub outcome: OutcomeFact,
    /// When it began.
    pub invoked_micros: u64,
    /// When it ended; `None` when it never did.
    pub completed_micros: Option<u64>,
    /// What the coordinator told of it; `None` when it told nothing (the client gave up first).
    pub report: Option<ConsistencyFact>,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeFact {
    /// Acknowledged.
    Ok {
        /// What a read returned; `None` when the key was absent, and for whatever reads nothing.
        value: Option<String>,
    },
    /// Refused without effect.
    Fail {
        /// Why.
        reason: String,
    },
    /// Neither.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl OutcomeFact {
    /// The outcome in one lower-case word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ok { .. } => "ok",
            Self::Fail { .. } => "fail",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// The consistency report of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyFact {
    /// How many replicas had to answer.
    pub required: u64,
    /// From the request's arrival at the coordinator to its decision.
    pub took_micros: u64,
    /// Every replica that was asked, in order.
    pub answers: Vec<AnswerFact>,
}

/// One replica's part in an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerFact {
    /// The replica.
    pub node: String,
    /// What it said, in words: `holds`, `stored`, `nothing in time`, ...
    pub said: String,
    /// The version that it spoke of.
    pub version: Option<String>,
    /// When, after the request's arrival at the coordinator; `None` while it has said nothing.
    pub after_micros: Option<u64>,
    /// Whether it was brought up to date before the client got its answer.
    pub repaired: bool,
}

/// Some of a run's messages between nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagesFact {
    /// Those that are to be shown, ordered by when they were sent.
    pub shown: Vec<MessageFact>,
    /// How many there were in all.
    pub total: u64,
    /// Which are shown, as the end of a sentence: `those sent from 5 s to 5.2 s, around the first fault`.
    pub chosen: String,
}

/// One message between two nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageFact {
    /// The sender.
    pub from: String,
    /// The receiver.
    pub to: String,
    /// What it was: `replica put`.
    pub what: String,
    /// When it was sent.
    pub sent_micros: u64,
    /// When it arrived, or was lost; `None` when it was still under way at the end.
    pub ended_micros: Option<u64>,
    /// Why it was lost; `None` when it was not.
    pub lost: Option<String>,
}
