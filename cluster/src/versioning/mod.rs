//! Versions: which of two writes to one key is the newer, without anyone asking anyone.
//!
//! Every mutation of a row carries one [`Stamp`] from a hybrid logical clock ([`HybridClock`], Kulkarni et al. 2014), made
//! by the node that coordinates it. In a last-write-wins keyspace the highest stamp wins, everywhere, always: replicas that
//! hold the same set of mutations hold the same [`Row`].
//!
//! ```text
//!   stamp    63          12 11     0          row     stamp, cells
//!            wall micros   │ counter │ + node         a value is one cell; a deletion is a row without cells,
//!            52 bits         12 bits   16 bits        never an engine tombstone, so that it can win against a write
//! ```
//!
//! What this does not do: detect that two writes were concurrent (one of them silently loses), or survive skewed clocks
//! (a slow node's later write loses to a fast node's earlier one). Scenarios show both.

mod clock_watch;
mod hybrid_clock;
mod row;
mod stamp;

pub(crate) use clock_watch::ClockWatch;
pub use hybrid_clock::{HybridClock, TooFarAhead};
pub use row::{MalformedRow, Row};
pub use stamp::Stamp;
