//! One node's storage.

#![warn(missing_docs, unreachable_pub)]

pub mod world;
