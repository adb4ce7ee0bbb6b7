//! What the clients do: which keys they choose, which operations they send, and when.
//!
//! Everything here follows from the plan and the seed. Nothing looks at an answer in order to decide what to ask next, so
//! that a workload is the same for a right and for a wrong database.

pub mod keys;
