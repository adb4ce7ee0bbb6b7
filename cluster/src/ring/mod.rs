//! The ring: which nodes hold a key.
//!
//! The 64-bit token ring is cut into 2^k equal partitions (the third strategy of the Dynamo paper, section 6.2). A key's
//! token is the XXH3 hash of its bytes; the token's highest k bits are its partition; a partition's replicas are the
//! owners met when walking the ring clockwise from it until N distinct nodes are found.
//!
//! ```text
//!   key ──XXH3──▶ token 0x5c1f… ──top k bits──▶ partition 23 ──▶ preference list [n4, n1, n3]
//!
//!        partition   22    23    24    25    26            owner: the node whose virtual node it is
//!        owner     … n2 │ n4  │ n1  │ n4  │ n3  …          replicas of 23 for N = 3: n4, n1, n3
//! ```
//!
//! A node's virtual nodes are the partitions it owns. A partition is the unit of placement, movement, repair and
//! statistics. Here the placement is computed from a fixed member list; nothing in the interface says so, and requests
//! carry its epoch.

mod placement;
mod token;

pub use placement::{KeyPlacement, MAX_PARTITIONS, Placement, PlacementError};
pub use token::{PartitionId, Token};
