//! Requests and answers over a network that promises nothing: matching, deadlines' raw material, deduplication.
//!
//! ```text
//!   coordinator ── Exchange 17: ReplicaGet ──▶ n2, n3, n4        every reply that repeats 17 lands in the exchange;
//!               ◀── 17: ReplicaReply (n3), (n2) ──               one that comes after it was dropped is ignored
//!
//!   client c7 ── request 41 ──▶ node          the first copy runs; [`Duplicates`] drops every other copy
//! ```
//!
//! A request between nodes may be executed twice without harm (rows are stamped); one from a client may not, because each
//! execution would give it a new stamp.

mod duplicates;
mod exchange;

pub(crate) use duplicates::Duplicates;
pub(crate) use exchange::{Exchange, Exchanges};
