//! What a fault or a trigger can be about: which kind of file, which call, which message, and how often of those.
//!
//! ```text
//!   file       wal-….log = wal │ table-….sst = table │ manifest-….log = manifest │ CURRENT, CURRENT.tmp = current
//!   operation  read │ append │ sync │ sync_dir │ create │ rename │ remove
//!   message    the kind that the frame decodes to; a put of a repair or of a read is a write_back
//!   hit        all │ a share of them │ the n-th │ the first n          counted from when the predicate was put up
//! ```
//!
//! Frames are decoded here, by whoever watches, and never in the code under test. A predicate draws from a stream of its
//! own: what it is asked changes nobody else's draws.

use std::fmt;
use std::path::Path;

use bytes::Bytes;
use cluster::wire::{self, Body};
use engine::world::Rng;

const MILLION: u64 = 1_000_000;

/// What a replica's put says when it repairs (see `cluster::wire::ReplicaPut`).
const ORIGIN_REPAIR: u32 = 2;

/// A kind of file of the engine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A segment of the write-ahead log, or a tail that was cut off one.
    Wal,
    /// A table.
    Table,
    /// A manifest.
    Manifest,
    /// The pointer to the manifest.
    Current,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Wal, Self::Table, Self::Manifest, Self::Current];

    /// As a scenario names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wal => "wal",
            Self::Table => "table",
            Self::Manifest => "manifest",
            Self::Current => "current",
        }
    }

    /// The kind of the file with this name; `None` for the marker, the lock and what is not the engine's.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "CURRENT" | "CURRENT.tmp" => Some(Self::Current),
            name if name.starts_with("wal-") => Some(Self::Wal),
            name if name.starts_with("table-") => Some(Self::Table),
            name if name.starts_with("manifest-") => Some(Self::Manifest),
            _ => None,
        }
    }

    /// The kind of the file at this path.
    pub fn of(path: &Path) -> Option<Self> {
        path.file_name().and_then(|name| name.to_str()).and_then(Self::of_name)
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A call of the disk that a trigger can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // The names are those of the calls.
pub enum FileOperation {
    Read,
    Append,
    Sync,
    SyncDir,
    Create,
    Rename,
    Remove,
}

impl FileOperation {
    /// Every one.
    pub const ALL: [Self; 7] =
        [Self::Read, Self::Append, Self::Sync, Self::SyncDir, Self::Create, Self::Rename, Self::Remove];

    /// As the disk and a scenario name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Append => "append",
            Self::Sync => "sync",
            Self::SyncDir => "sync_dir",
            Self::Create => "create",
            Self::Rename => "rename",
            Self::Remove => "remove",
        }
    }

    pub(super) fn of_call(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }
}

impl fmt::Display for FileOperation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // The names are those of the messages.
pub enum MessageKind {
    ClientGet,
    ClientPut,
    ClientDelete,
    ClientScan,
    ClientStatus,
    ClientReply,
    ReplicaGet,
    ReplicaPut,
    WriteBack,
    ReplicaScan,
    ReplicaReply,
}

impl MessageKind {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::ClientGet,
        Self::ClientPut,
        Self::ClientDelete,
        Self::ClientScan,
        Self::ClientStatus,
        Self::ClientReply,
        Self::ReplicaGet,
        Self::ReplicaPut,
        Self::WriteBack,
        Self::ReplicaScan,
        Self::ReplicaReply,
    ];

    /// As a scenario names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientGet => "client_get",
            Self::ClientPut => "client_put",
            Self::ClientDelete => "client_delete",
            Self::ClientScan => "client_scan",
            Self::ClientStatus => "client_status",
            Self::ClientReply => "client_reply",
            Self::ReplicaGet => "replica_get",
            Self::ReplicaPut => "replica_put",
            Self::WriteBack => "write_back",
            Self::ReplicaScan => "replica_scan",
            Self::ReplicaReply => "replica_reply",
        }
    }

    /// The kind of the message in a frame; `None` where it is none.
    pub(super) fn of_frame(frame: &Bytes) -> Option<Self> {
        let message = wire::decode(frame.clone()).ok()?;
        Some(match message.body {
            Body::ClientGet(_) => Self::ClientGet,
            Body::ClientPut(_) => Self::ClientPut,
            Body::ClientDelete(_) => Self::ClientDelete,
            Body::ClientScan(_) => Self::ClientScan,
            Body::ClientStatus(_) => Self::ClientStatus,
            Body::ClientReply(_) => Self::ClientReply,
            Body::ReplicaGet(_) => Self::ReplicaGet,
            Body::ReplicaPut(put) if put.origin == ORIGIN_REPAIR => Self::WriteBack,
            Body::ReplicaPut(_) => Self::ReplicaPut,
            Body::ReplicaScan(_) => Self::ReplicaScan,
            Body::ReplicaReply(_) => Self::ReplicaReply,
        })
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Which of those that a predicate is about are struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// Each.
    All,
    /// Each with this chance, in parts per million.
    Share {
        /// Above 0.
        ppm: u32,
    },
    /// This one alone, counted from 1.
    Nth {
        /// At least 1.
        number: u64,
    },
    /// So many, from the first on.
    First {
        /// At least 1.
        count: u64,
    },
}

/// A [`Hit`] at work.
#[derive(Debug, Clone)]
pub(super) struct Aim {
    hit: Hit,
    rng: Rng,
    seen: u64,
    /// How many were struck.
    pub(super) struck: u64,
}

impl Aim {
    pub(super) fn new(hit: Hit, rng: Rng) -> Self {
        Self { hit, rng, seen: 0, struck: 0 }
    }

    /// Whether the next of those that it is about is struck.
    pub(super) fn strikes(&mut self) -> bool {
        self.seen += 1;
        let strikes = match self.hit {
            Hit::All => true,
            Hit::Share { ppm } => self.rng.chance(u64::from(ppm), MILLION),
            Hit::Nth { number } => self.seen == number,
            Hit::First { count } => self.seen <= count,
        };
        self.struck += u64::from(strikes);
        strikes
    }

    /// The stream from which to draw whatever a strike leaves open.
    pub(super) fn stream(&mut self) -> &mut Rng {
        &mut self.rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_files_are_known_by_their_names_and_nothing_else_is() {
        for (path, kind) in [
            ("/data/wal-00000000000000000042.log", Some(FileKind::Wal)),
            ("/data/table-00000000000000000007.sst", Some(FileKind::Table)),
            ("/data/manifest-00000000000000000001.log", Some(FileKind::Manifest)),
            ("/data/CURRENT.tmp", Some(FileKind::Current)),
            ("/data/LOCK", None),
            ("/", None),
        ] {
            assert_eq!(FileKind::of(Path::new(path)), kind, "{path}");
        }
    }

    #[test]
    fn a_hit_strikes_all_a_share_the_nth_or_the_first_few() {
        let struck = |hit| {
            let mut aim = Aim::new(hit, Rng::from_seed(1));
            let struck: Vec<u64> = (1..=1_000).filter(|_| aim.strikes()).collect();
            assert_eq!(struck.len() as u64, aim.struck);
            struck
        };
        assert_eq!(struck(Hit::All).len(), 1_000);
        assert_eq!(struck(Hit::Nth { number: 3 }), [3]);
        assert_eq!(struck(Hit::First { count: 2 }), [1, 2]);
        assert!((60..140).contains(&struck(Hit::Share { ppm: 100_000 }).len()));
    }

    #[test]
    fn a_put_that_repairs_is_a_write_back_and_garbage_is_no_message() {
        let put = |origin| {
            let put = wire::ReplicaPut { key: Bytes::new(), row: Bytes::new(), origin };
            MessageKind::of_frame(&wire::encode(1, 1, Body::ReplicaPut(put)))
        };
        assert_eq!((put(1), put(2)), (Some(MessageKind::ReplicaPut), Some(MessageKind::WriteBack)));
        assert_eq!(MessageKind::of_frame(&Bytes::from_static(b"\xff\x01")), None);
    }
}
