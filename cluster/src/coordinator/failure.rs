//! Failures, as a client must tell them apart: what certainly did not happen, and what may have. A timeout is always of the
//! second kind.

use crate::wire;

/// Why an operation did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The request itself cannot be: an empty key, an impossible level, a value above the limit.
    BadRequest,
    /// Too few answers in time.
    Timeout,
    /// Replicas answered, and refused.
    Refused,
    /// The node has too much to do; nothing was begun.
    Overloaded,
    /// A kind that this build does not know.
    Other,
}

/// An operation that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", if *.unknown { "unknown whether applied" } else { "not applied" })]
pub struct Failure {
    /// True: it may have been applied, or may yet be. False: it certainly was not and will not be.
    pub unknown: bool,
    /// Why.
    pub kind: FailureKind,
    /// For people: what happened and what to do.
    pub reason: String,
}

impl Failure {
    /// It certainly was not applied and will not be.
    pub fn not_applied(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self { unknown: false, kind, reason: reason.into() }
    }

    /// It may have been applied, or may yet be.
    pub fn unknown(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self { unknown: true, kind, reason: reason.into() }
    }

    /// The request cannot be.
    pub fn bad_request(reason: impl ToString) -> Self {
        Self::not_applied(FailureKind::BadRequest, reason.to_string())
    }

    /// The failure as a message.
    pub fn to_wire(&self) -> wire::Failure {
        let kind = match self.kind {
            FailureKind::Other => 0,
            FailureKind::BadRequest => 1,
            FailureKind::Timeout => 2,
            FailureKind::Refused => 3,
            FailureKind::Overloaded => 4,
        };
        wire::Failure { certainly_not_applied: !self.unknown, kind, reason: self.reason.clone() }
    }

    /// The failure of a message.
    pub fn from_wire(failure: wire::Failure) -> Self {
        let kind = match failure.kind {
            1 => FailureKind::BadRequest,
            2 => FailureKind::Timeout,
            3 => FailureKind::Refused,
            4 => FailureKind::Overloaded,
            _ => FailureKind::Other,
        };
        Self { unknown: !failure.certainly_not_applied, kind, reason: failure.reason }
    }
}
