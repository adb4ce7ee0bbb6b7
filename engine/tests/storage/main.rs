//! The engine from outside: what it promises to those who hold a `Db`, through crashes and bad disks.
//!
//! ```text
//!   model       any sequence of operations and reopenings against an ordered map
//!   commit      durability, group commit, poison, preconditions, intervals, snapshots
//!   directory   whose folder is it: lock, marker, foreign files, limits
//!   torn        logs cut at every length, bytes flipped one by one, records inside values
//!   crash       power lost or a call failed at every single disk call, also while recovering
//!   inspect     the dump, and the bytes of the format written down
//!   real        the same engine on the real disk
//! ```

#![allow(clippy::disallowed_methods, reason = "tests bring their own threads, runtime and files")]

mod commit;
mod crash;
mod directory;
mod inspect;
mod model;
mod real;
mod support;
mod torn;
