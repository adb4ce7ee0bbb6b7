//! What must hold of a history, one invariant a file.
//!
//! | invariant | file | follows | needs |
//! |---|---|---|---|
//! | each key behaves like one register | `linearizable/` | Herlihy & Wing 1990; Wing & Gong 1993; Lowe 2017; Porcupine | history |
//! | each object of any database behaves like its model | `order/`, `models/` | the same; Gibbons & Korach 1997; Henzinger et al. 2013 | journal |
//! | no acknowledged write is lost | `lost_writes.rs` | Jepsen's set and register tests | history, value of each key after healing |
//! | reads are not older than what was acknowledged | `stale_reads.rs` | Golab et al. 2011 (delta-atomicity) | history |
//! | reads return what was written | `stale_reads.rs` | Adya 1999 (G1a, thin air) | history |
//! | what was deleted stays deleted | `resurrection.rs` | Cassandra's zombies; LevelDB 178 | history, value of each key after healing |
//! | a session does not go back in time | `sessions.rs` | Terry et al. 1994 (monotonic reads) | history |
//! | a session sees its own writes | `sessions.rs` | Terry et al. 1994 (read your writes) | history |
//! | a session sees the writes of others with what came before them | `causality.rs` | Terry et al. 1994 (monotonic writes, writes follow reads) | history |
//! | transactions are isolated: snapshot, serializable, strict | `cycles/` | Adya 1999; Cerone & Gotsman 2016; Elle 2020 | transactional history |
//! | replicas end up equal | `convergence.rs` | Dynamo (DeCandia et al. 2007) | rows of each replica after healing |
//! | each node's files are sound | `soundness.rs` | RocksDB's and TigerBeetle's invariant checks | an image of each disk at rest |
//! | how often it answered | `availability.rs` | | history, phases |
//! | how fast it answered | `latency.rs` | HdrHistogram | history, phases |
//!
//! All of them order operations by true time, and by that alone: *a is older than b* means that a completed strictly
//! before b was invoked. What overlaps, or meets in the same microsecond, has no order, and no check complains about it.
//! Nothing here reads the database's own stamps: an oracle that believes the accused is none.
//!
//! A check says how much it examined. Nothing examined is nothing proven, and the verdict is then `vacuous`.
//!
//! ```text
//!   History ──▶ Index (per key, integers) ──▶ linearizable, stale_reads, sessions, lost_writes ──▶ Findings
//! ```

pub mod availability;
pub mod causality;
pub mod convergence;
pub mod cycles;
mod index;
pub mod latency;
pub mod linearizable;
pub mod lost_writes;
pub mod models;
pub mod order;
pub mod resurrection;
pub mod sessions;
pub mod soundness;
pub mod stale_reads;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

pub use index::Index;

use std::fmt;

use serde::Serialize;

/// What kind of wrong an anomaly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyKind {
    /// No order of the key's operations explains what clients saw.
    NotLinearizable,
    /// An acknowledged write or delete left no trace.
    LostWrite,
    /// The key ended with a value that nobody wrote to it.
    PhantomFinalValue,
    /// A read returned what had been superseded before it began.
    StaleRead,
    /// A value that had been deleted came back.
    Resurrection,
    /// A read returned a value that nobody had written.
    PhantomRead,
    /// A session read something older than it had read before.
    NonMonotonicRead,
    /// A session read something older than its own acknowledged write.
    MissedOwnWrite,
    /// A session saw a write, and then something older than its writer had written before.
    NonMonotonicWrite,
    /// A session saw a write, and then something older than its writer had read before.
    WriteBeforeItsRead,
    /// Replicas hold different rows.
    DivergedReplicas,
    /// A node's files are damaged, although nothing damaged them.
    UnsoundFiles,
    /// A final read failed, or final reads disagree with each other or with the replicas.
    DisagreeingReads,
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotLinearizable => "not linearizable",
            Self::LostWrite => "lost write",
            Self::PhantomFinalValue => "phantom final value",
            Self::StaleRead => "stale read",
            Self::Resurrection => "resurrection",
            Self::PhantomRead => "phantom read",
            Self::NonMonotonicRead => "non-monotonic read",
            Self::MissedOwnWrite => "missed own write",
            Self::NonMonotonicWrite => "non-monotonic write",
            Self::WriteBeforeItsRead => "write before its read",
            Self::DivergedReplicas => "diverged replicas",
            Self::UnsoundFiles => "unsound files",
            Self::DisagreeingReads => "disagreeing reads",
        })
    }
}

/// One violation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    /// What kind of wrong it is.
    pub kind: AnomalyKind,
    /// The key it happened to.
    pub key: String,
    /// The operations involved: first the one that is wrong, then those that prove it. Empty where no operation of the
    /// history is to blame.
    pub operations: Vec<u32>,
    /// True time at which it happened, in microseconds since the run began.
    pub at_micros: u64,
    /// For stale reads: how long before the read began the newer write had been acknowledged, in microseconds.
    pub behind_micros: Option<u64>,
    /// One sentence for a person.
    pub explanation: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Findings {
    /// How many operations, pairs or keys could have shown a violation. 0 means that the check proved nothing.
    pub examined: u64,
    /// The violations, ordered by time, then by their first operation.
    pub anomalies: Vec<Anomaly>,
}

impl Findings {
    fn sorted(mut self) -> Self {
        self.anomalies.sort_by(|one, other| {
            (one.at_micros, &one.operations, &one.key).cmp(&(other.at_micros, &other.operations, &other.key))
        });
        self
    }
}

/// A named part of a run: `from_micros` inclusive, `until_micros` exclusive, true time. An operation belongs to the phase
/// in which it was invoked. Phases may overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// What reports call it.
    pub name: String,
    /// Its first microsecond.
    pub from_micros: u64,
    /// The first microsecond after it.
    pub until_micros: u64,
}

impl Phase {
    /// Whether `micros` lies in the phase.
    pub fn contains(&self, micros: u64) -> bool {
        (self.from_micros..self.until_micros).contains(&micros)
    }
}
