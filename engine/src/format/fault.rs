//! Every way in which the bytes of a log or a table can be wrong, in words that an operator can act on.
//!
//! ```text
//!   unreadable   the bytes are not a record: a torn write or a damaged one; which of them, the log decides (`wal`). A
//!                table is synced before anything names it, so there it is always damage
//!   impossible   the checksum holds, so the bytes are what was written, yet they contradict the format, the log so far or
//!                the rest of the table
//! ```
//!
//! A fault says what is wrong, not whose fault it is nor what to do: that takes the evidence around it.

use super::operation::Sequence;

/// What is wrong with the bytes at some place of a log or a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file is shorter than its preamble.
    #[error("the file ends inside its preamble, after {available} of {needed} bytes")]
    ShortPreamble {
        /// Bytes there are.
        available: u64,
        /// Bytes a preamble has.
        needed: u64,
    },
    /// The file does not begin like a log.
    #[error("the preamble is not that of a log")]
    WrongMagic,
    /// Fewer bytes are left than a header has.
    #[error("the log ends inside a record header, after {available} of {needed} bytes")]
    ShortHeader {
        /// Bytes that are left.
        available: u64,
        /// Bytes a header has.
        needed: u64,
    },
    /// A header of zeros: space that was allocated and never written.
    #[error("zeros where a record header should be")]
    ZeroHeader,
    /// The payload would end behind the end of the file, or is longer than any record.
    #[error("impossible length: the header says {length} bytes of payload, {available} are left")]
    ImpossibleLength {
        /// What the header says.
        length: u32,
        /// Bytes left behind the header.
        available: u64,
    },
    /// The checksum does not match.
    #[error("bad checksum: stored {stored:#010x}, computed {computed:#010x}")]
    BadChecksum {
        /// The checksum in the header.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// The checksum holds, the type is none of ours.
    #[error("a record of unknown type {kind}")]
    UnknownType {
        /// The type byte.
        kind: u8,
    },
    /// The checksum holds, fields of the header contradict each other or the file.
    #[error("a header that contradicts its place: {what}")]
    ImpossibleHeader {
        /// Which field.
        what: &'static str,
    },
    /// The checksum holds, the payload cannot be decoded.
    #[error("a payload that cannot be decoded")]
    MalformedPayload,
    /// The sequence numbers do not go on where the log so far ended.
    #[error("the record begins with sequence {found}, the log so far calls for {expected}")]
    SequenceBreak {
        /// The sequence that had to come.
        expected: Sequence,
        /// The sequence that came.
        found: Sequence,
    },
    /// A later segment names this one as its predecessor, and it is not there.
    #[error("the segment is missing; what refers to it says it had {length_bytes} bytes")]
    SegmentMissing {
        /// Its length, as its successor says.
        length_bytes: u64,
    },
    /// A later segment says that this one had another length.
    #[error("the segment ends at {found_bytes}, the next one says it had {expected_bytes} bytes")]
    SegmentLength {
        /// What the successor says.
        expected_bytes: u64,
        /// Where it ends.
        found_bytes: u64,
    },
    /// Something refers to a file that is not there.
    #[error("the file is missing")]
    FileMissing,
    /// The manifest and a table contradict each other.
    #[error("the table is not the one that the manifest names: {what}")]
    NotTheTable {
        /// What differs.
        what: &'static str,
    },
    /// A block or the footer of a table would end behind the end of the file.
    #[error("the file ends inside a block, after {available} of {needed} bytes")]
    ShortBlock {
        /// Bytes there are.
        available: u64,
        /// Bytes the block has.
        needed: u64,
    },
    /// The file does not end like a table.
    #[error("the end of the file is not the footer of a table")]
    WrongFooter,
    /// The footer is whole, and belongs to another table.
    #[error("the footer is that of table {found}, not of table {expected}")]
    WrongTable {
        /// The number in the footer.
        found: u64,
        /// The number that the file goes by.
        expected: u64,
    },
    /// The checksum holds, the block is compressed in a way that this program does not know.
    #[error("a block with unknown compression {kind}")]
    UnknownCompression {
        /// The compression byte.
        kind: u8,
    },
    /// The checksum holds, the block claims to be longer than any block when decompressed.
    #[error("impossible length: a block of {length} bytes when decompressed")]
    ImpossibleBlock {
        /// What the block says.
        length: u64,
    },
    /// The checksum holds, the block cannot be decoded.
    #[error("a block that cannot be decoded: {what}")]
    MalformedBlock {
        /// Which part of it.
        what: &'static str,
    },
    /// The properties of a table lack one that every table has.
    #[error("the properties lack {what}")]
    MissingProperty {
        /// Which.
        what: &'static str,
    },
    /// What a table holds is not what the rest of it says.
    #[error("the table contradicts itself: {what}")]
    TableContradiction {
        /// What is contradicted.
        what: &'static str,
    },
}

impl Fault {
    /// True when the bytes are unreadable, which a write torn by a crash would explain. Otherwise they are as they were
    /// written, or a neighbour's are, and no crash explains them.
    pub(crate) fn may_be_a_torn_write(&self) -> bool {
        match self {
            Self::ShortPreamble { .. }
            | Self::WrongMagic
            | Self::ShortHeader { .. }
            | Self::ZeroHeader
            | Self::ImpossibleLength { .. }
            | Self::BadChecksum { .. }
            | Self::ShortBlock { .. }
            | Self::WrongFooter => true,
            Self::UnknownType { .. }
            | Self::ImpossibleHeader { .. }
            | Self::MalformedPayload
            | Self::SequenceBreak { .. }
            | Self::SegmentMissing { .. }
            | Self::SegmentLength { .. }
            | Self::FileMissing
            | Self::NotTheTable { .. }
            | Self::WrongTable { .. }
            | Self::UnknownCompression { .. }
            | Self::ImpossibleBlock { .. }
            | Self::MalformedBlock { .. }
            | Self::MissingProperty { .. }
            | Self::TableContradiction { .. } => false,
        }
    }
}
