//! Requests and answers over a network that promises nothing: matching, deadlines' raw material, deduplication.
//!
//! ```text
//!   coordinator ── Exchange 17: ReplicaGet ──▶ n2, n3, n4        every reply that repeats 17 lands in the exchange;
//!               ◀── 17: ReplicaReply (n3), (n2) ──               one that comes after it was dropped is ignored
//!
//!   client c7 ── request 41 ──▶ node          the first copy runs; [`Duplicates`] drops every other copy
//! ```
//!
//! A put between nodes is answered once ([`RecentRequests`]): a later copy's refusal must not pass for the first copy's. A
//! request of a client runs once ([`Duplicates`]), because each execution would give it a new stamp. Work in progress is bounded ([`Slots`]). Nothing is retried here: whoever asked knows whether that is right.

mod duplicates;
mod exchange;
mod recent;
mod slots;

pub(crate) use duplicates::Duplicates;
pub(crate) use exchange::{Exchange, Exchanges};
pub(crate) use recent::RecentRequests;
pub(crate) use slots::Slots;
