//! Replication.

#![warn(missing_docs, unreachable_pub)]

pub mod world;
