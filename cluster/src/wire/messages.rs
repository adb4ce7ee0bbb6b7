//! Every message, field by field. Tags are never reused; a field that goes away leaves its number empty.
//!
//! Levels travel as `0` quorum, `u32::MAX` all, otherwise a number of replicas. Times are microseconds. A version is
//! `time` (hybrid) and `node`; `time` 0 means none.

use bytes::Bytes;

/// What every frame carries.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Envelope {
    /// [`super::SPEAK_VERSION`] of the sender.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Chosen by the asker, repeated in the answer.
    #[prost(fixed64, tag = "2")]
    pub request: u64,
    /// The sender's placement epoch.
    #[prost(uint64, tag = "3")]
    pub epoch: u64,
    /// The message itself.
    #[prost(oneof = "Body", tags = "10, 11, 12, 13, 14, 19, 20, 21, 22, 29")]
    pub body: Option<Body>,
}

/// The kinds of messages.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Body {
    /// Client to node.
    #[prost(message, tag = "10")]
    ClientGet(ClientGet),
    /// Client to node.
    #[prost(message, tag = "11")]
    ClientPut(ClientPut),
    /// Client to node.
    #[prost(message, tag = "12")]
    ClientDelete(ClientDelete),
    /// Client to node.
    #[prost(message, tag = "13")]
    ClientScan(ClientScan),
    /// Client to node.
    #[prost(message, tag = "14")]
    ClientStatus(ClientStatus),
    /// Node to client.
    #[prost(message, tag = "19")]
    ClientReply(ClientReply),
    /// Coordinator to replica.
    #[prost(message, tag = "20")]
    ReplicaGet(ReplicaGet),
    /// Coordinator to replica.
    #[prost(message, tag = "21")]
    ReplicaPut(ReplicaPut),
    /// Coordinator to replica.
    #[prost(message, tag = "22")]
    ReplicaScan(ReplicaScan),
    /// Replica to coordinator.
    #[prost(message, tag = "29")]
    ReplicaReply(ReplicaReply),
}

/// Reads one key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ClientGet {
    /// The user key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The level asked for.
    #[prost(uint32, tag = "2")]
    pub level: u32,
    /// How long the coordinator may try, in microseconds.
    #[prost(uint64, tag = "3")]
    pub timeout_micros: u64,
}

/// Writes one key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ClientPut {
    /// The user key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The value.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
    /// The level asked for.
    #[prost(uint32, tag = "3")]
    pub level: u32,
    /// How long the coordinator may try, in microseconds.
    #[prost(uint64, tag = "4")]
    pub timeout_micros: u64,
    /// The client's token: the newest version it has seen, which this write must exceed.
    #[prost(message, optional, tag = "5")]
    pub token: Option<Version>,
}

/// Deletes one key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ClientDelete {
    /// The user key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The level asked for.
    #[prost(uint32, tag = "2")]
    pub level: u32,
    /// How long the coordinator may try, in microseconds.
    #[prost(uint64, tag = "3")]
    pub timeout_micros: u64,
    /// The client's token: the newest version it has seen, which this deletion must exceed.
    #[prost(message, optional, tag = "4")]
    pub token: Option<Version>,
}

/// Reads a page of keys in order, from `from` (inclusive) to `until` (exclusive; empty for no end).
#[derive(Clone, PartialEq, prost::Message)]
pub struct ClientScan {
    /// First key of interest.
    #[prost(bytes = "bytes", tag = "1")]
    pub from: Bytes,
    /// First key not of interest; empty for no end.
    #[prost(bytes = "bytes", tag = "2")]
    pub until: Bytes,
    /// Most rows in the page.
    #[prost(uint32, tag = "3")]
    pub limit: u32,
    /// The level asked for, for each key.
    #[prost(uint32, tag = "4")]
    pub level: u32,
    /// How long the coordinator may try, in microseconds.
    #[prost(uint64, tag = "5")]
    pub timeout_micros: u64,
}

/// Asks a node how it is.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ClientStatus {}

/// The answer to any client message.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ClientReply {
    /// `None` when the operation succeeded.
    #[prost(message, optional, tag = "1")]
    pub failure: Option<Failure>,
    /// Get: the value, when there is one.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub value: Option<Bytes>,
    /// Get: the version read; put and delete: the version written.
    #[prost(message, optional, tag = "3")]
    pub version: Option<Version>,
    /// Who was asked and who answered.
    #[prost(message, optional, tag = "4")]
    pub report: Option<Report>,
    /// Scan: the rows.
    #[prost(message, repeated, tag = "5")]
    pub rows: Vec<KeyValue>,
    /// Scan: where the next page begins; empty when this was the last.
    #[prost(bytes = "bytes", tag = "6")]
    pub next: Bytes,
    /// Status: facts about the node.
    #[prost(message, repeated, tag = "7")]
    pub facts: Vec<Fact>,
}

/// Why an operation did not succeed, and whether it may have happened all the same.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Failure {
    /// True: it certainly was not applied and will not be. False, also when missing: it may have been, or may yet be.
    #[prost(bool, tag = "1")]
    pub certainly_not_applied: bool,
    /// [`crate::coordinator::FailureKind`] as a number.
    #[prost(uint32, tag = "2")]
    pub kind: u32,
    /// For people: what happened and what to do.
    #[prost(string, tag = "3")]
    pub reason: String,
}

/// A version stamp.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Version {
    /// Hybrid time.
    #[prost(fixed64, tag = "1")]
    pub time: u64,
    /// Number of the node that made it.
    #[prost(uint32, tag = "2")]
    pub node: u32,
}

/// A row of a scan.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyValue {
    /// The user key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// Its value.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// One named fact of a status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Fact {
    /// What it is, units last.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What it is now.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// The consistency report of one operation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Report {
    /// The level asked for.
    #[prost(uint32, tag = "1")]
    pub level: u32,
    /// How many replicas that level needs.
    #[prost(uint32, tag = "2")]
    pub required: u32,
    /// The node that coordinated.
    #[prost(uint32, tag = "3")]
    pub coordinator: u32,
    /// Every replica asked, in preference order.
    #[prost(message, repeated, tag = "4")]
    pub asked: Vec<Asked>,
    /// Time from the request's arrival at the coordinator to its decision, in microseconds.
    #[prost(uint64, tag = "5")]
    pub took_micros: u64,
}

/// One replica in a report.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Asked {
    /// The replica.
    #[prost(uint32, tag = "1")]
    pub node: u32,
    /// When its answer came, after the request's arrival at the coordinator; absent when none had come.
    #[prost(uint64, optional, tag = "2")]
    pub after_micros: Option<u64>,
    /// [`crate::coordinator::Said`] as a number.
    #[prost(uint32, tag = "3")]
    pub said: u32,
    /// The version it holds, where it said so.
    #[prost(message, optional, tag = "4")]
    pub version: Option<Version>,
    /// Whether it was brought up to date before the answer.
    #[prost(bool, tag = "5")]
    pub repaired: bool,
    /// Why it refused.
    #[prost(string, tag = "6")]
    pub reason: String,
}

/// Reads one row of a replica.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReplicaGet {
    /// The user key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
}

/// Stores a row unless a newer one is there.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReplicaPut {
    /// The user key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The row, encoded.
    #[prost(bytes = "bytes", tag = "2")]
    pub row: Bytes,
    /// 1: a new write, whose stamp is judged by the replica's clock; 2: write-back or repair, which is not. Anything else is
    /// refused.
    #[prost(uint32, tag = "3")]
    pub origin: u32,
}

/// Reads a page of rows of all partitions that the replica holds, in key order, deletions included.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReplicaScan {
    /// First key of interest.
    #[prost(bytes = "bytes", tag = "1")]
    pub from: Bytes,
    /// First key not of interest; empty for no end.
    #[prost(bytes = "bytes", tag = "2")]
    pub until: Bytes,
    /// Most rows.
    #[prost(uint32, tag = "3")]
    pub limit: u32,
}

/// A replica's answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReplicaReply {
    /// Set when the replica refused; then nothing else is.
    #[prost(message, optional, tag = "1")]
    pub refused: Option<Failure>,
    /// Get: the row, when there is one.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub row: Option<Bytes>,
    /// Put: the version that the replica holds now.
    #[prost(message, optional, tag = "3")]
    pub version: Option<Version>,
    /// Scan: rows in key order.
    #[prost(message, repeated, tag = "4")]
    pub rows: Vec<ReplicaRow>,
    /// Scan: every row before this key is in the page; empty when the page reaches the end.
    #[prost(bytes = "bytes", tag = "5")]
    pub complete_until: Bytes,
    /// What the replica's wall clock said when it answered, in microseconds since 1970.
    #[prost(fixed64, tag = "6")]
    pub wall_micros: u64,
}

/// A row of a replica's page.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReplicaRow {
    /// The user key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The row, encoded.
    #[prost(bytes = "bytes", tag = "2")]
    pub row: Bytes,
}
