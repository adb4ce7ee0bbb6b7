//! Requests and answers over a network that promises nothing: matching, deadlines' raw material, deduplication.
//!
//! ```text
//!   coordinator ── Exchange 17: ReplicaGet ──▶ n2, n3, n4        every reply that repeats 17 lands in the exchange;
//!               ◀── 17: ReplicaReply (n3), (n2) ──               one that comes after it was dropped is ignored
//!
//!   client c7 ── request 41 ──▶ node          the first copy runs; [`Duplicates`] drops every other copy
//! ```
//!
//! A request between nodes may be executed twice without harm (rows are stamped), but one that was refused for certain must
//! not be accepted in a later copy ([`Refused`]). One from a client may run only once, because each execution would give it a
//! new stamp. Work in progress is bounded ([`Slots`]). Nothing is retried here: whoever asked knows whether that is right.

mod duplicates;
mod exchange;
mod refused;
mod slots;

pub(crate) use duplicates::Duplicates;
pub(crate) use exchange::{Exchange, Exchanges};
pub(crate) use refused::Refused;
pub(crate) use slots::Slots;
