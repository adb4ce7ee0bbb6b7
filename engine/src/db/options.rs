//! How an engine is opened. The defaults are the safe ones: nothing is acknowledged that a power loss could take, and a
//! caller who wants more speed says what may be lost for it.

use std::time::Duration;

/// When a write is on the disk, relative to its acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Before it. A power loss takes no acknowledged write.
    #[default]
    Always,
    /// At the latest this long after it. A power loss takes the acknowledged writes of that time. Writes that arrive
    /// while the log is synced wait for it.
    Interval(Duration),
    /// Whenever the operating system sees fit. A power loss takes any number of acknowledged writes, though always the
    /// last ones; the death of the process alone takes none.
    None,
}

/// How an engine is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// When a write is on the disk.
    pub durability: Durability,
    /// Length at which the log goes on in a new segment, in bytes. One group of writes may exceed it.
    pub segment_bytes: u64,
    /// Encoded bytes of writes that are committed together; one batch may exceed it.
    pub group_bytes_max: usize,
    /// Whether a missing directory (its parent must exist), or an empty one, becomes a new data directory.
    pub create_if_missing: bool,
}

impl Default for Options {
    /// Sync before acknowledging, segments of 64 MiB, groups of 4 MiB, create what is missing.
    fn default() -> Self {
        Self {
            durability: Durability::Always,
            segment_bytes: 64 * 1024 * 1024,
            group_bytes_max: 4 * 1024 * 1024,
            create_if_missing: true,
        }
    }
}
