//! Bytes: how everything on the disk is laid out. Pure and synchronous: no I/O, no decisions about what to do.
//!
//! ```text
//!   operation   sequence numbers, one write, a batch's payload
//!   record      the 32-byte header in front of every payload of a log
//!   segment     the preamble of a log file, and the record that ties it to its predecessor
//!   marker      the file that says "this folder is a Stormglass data directory"
//!   checksum    masked crc32, seeded with the place the bytes belong to
//!   varint      lengths
//!   fault       every way in which bytes can be wrong
//! ```
//!
//! Decoders take bytes from anywhere: they return a [`Fault`], never panic and never allocate what a length only
//! claims.

pub(crate) mod checksum;
pub(crate) mod fault;
pub(crate) mod marker;
pub(crate) mod operation;
pub(crate) mod record;
pub(crate) mod segment;
pub(crate) mod varint;

pub use fault::Fault;
pub use operation::Sequence;
