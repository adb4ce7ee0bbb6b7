//! The engine from outside: what it promises to those who hold a `Db`, through crashes and bad disks.
//!
//! ```text
//!   model       any sequence of operations and reopenings against an ordered map
//!   backup      backups: incremental, complete or absent, refused when damaged
//!   metamorphic the same operations under other options
//!   commit      durability, group commit, poison, preconditions, intervals, snapshots
//!   directory   whose folder is it: lock, marker, foreign files, limits
//!   snapshots   the past while the tree is rebuilt beneath it
//!   torn        logs cut at every length, bytes flipped one by one, records inside values
//!   crash       power lost or a call failed at every single disk call, also while recovering
//!   inspect     the dump of a log
//!   damage      tables and manifests flipped, missing, swapped; orphans
//!   faults      disks that fail while tables are made
//!   formats     the bytes of every format written down; older ones open
//!   operator    dumps of tables, manifests, trees; the verdict over a directory
//!   real        the same engine on the real disk
//! ```

#![allow(clippy::disallowed_methods, reason = "tests bring their own threads, runtime and files")]

mod backup;
mod commit;
mod crash;
mod damage;
mod directory;
mod faults;
mod formats;
mod inspect;
mod metamorphic;
mod model;
mod operator;
mod real;
mod snapshots;
mod support;
mod torn;
