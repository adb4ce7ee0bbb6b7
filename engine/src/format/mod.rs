//! Bytes: how everything on the disk is laid out. Pure and synchronous: no I/O, no decisions about what to do.
//!
//! ```text
//!   operation   sequence numbers, one write, a batch's payload
//!   record      the 32-byte header in front of every payload of a log
//!   segment     the preamble of a log file, and the record that ties it to its predecessor
//!   entry       one version of one key; range tombstones
//!   block       the entries of a table, sorted, prefixes shared;  seal: what stands around each block of a table
//!   filter      "is this key perhaps here?";  index: which block holds it;  partition: both, in one block
//!   properties  what a table says of itself;  table: its footer;  tombstones: its range tombstones
//!   marker      the file that says "this folder is a Stormglass data directory"
//!   checksum    masked crc32, seeded with the place the bytes belong to
//!   varint      lengths
//!   fault       every way in which bytes can be wrong
//! ```
//!
//! Decoders take bytes from anywhere: they return a [`Fault`], never panic and never allocate what a length only
//! claims.

pub(crate) mod block;
pub(crate) mod checksum;
pub(crate) mod entry;
pub(crate) mod fault;
pub(crate) mod filter;
pub(crate) mod index;
pub(crate) mod marker;
pub(crate) mod operation;
pub(crate) mod partition;
pub(crate) mod properties;
pub(crate) mod record;
pub(crate) mod seal;
pub(crate) mod segment;
pub(crate) mod table;
pub(crate) mod tombstones;
pub(crate) mod varint;

pub use fault::Fault;
pub use operation::Sequence;
pub use seal::Compression;
