//! Makes the checksums of arbitrary bytes hold. A fuzzer cannot guess a crc32; without this, none of its mutations would
//! get past the first check, and nothing that lies behind would ever be tried.
//!
//! ```text
//!   log, manifest   preamble │ header, payload │ header, payload │ ...          each checksum as its place asks for
//!   table           footer ─▶ its blocks ─▶ partitions ─▶ data blocks           then the sums in the properties
//! ```
//!
//! The decoders themselves say which checksum they expect. What the bytes claim, true or not, stays as it is.

use std::path::Path;

use bytes::{Bytes, BytesMut};

use super::memory::{Content, now};
use crate::format::Fault;
use crate::format::index::Index;
use crate::format::partition::Partition;
use crate::format::properties::{Properties, Tally};
use crate::format::record::{HEADER_BYTES, Header, Place};
use crate::format::seal::{self, Handle, TRAILER_BYTES};
use crate::format::segment::{Magic, PREAMBLE_BYTES, decode_preamble};
use crate::format::table::{FOOTER_BYTES, Footer, MAGIC};
use crate::table::{PartKind, survey};

/// Blocks that are mended: enough for every honest file of a fuzzer's size.
const BLOCKS_MAX: usize = 512;

/// Where the checksum of a footer stands in it.
const FOOTER_CHECKSUM: usize = FOOTER_BYTES - MAGIC.len() - 4;

/// Puts the checksum at `offset` that a decoder computed.
fn put<T>(bytes: &mut [u8], offset: usize, decoded: Result<T, Fault>) {
    if let Err(Fault::BadChecksum { computed, .. }) = decoded
        && let Some(stored) = bytes.get_mut(offset..offset + 4)
    {
        stored.copy_from_slice(&computed.to_le_bytes());
    }
}

/// A file of records, whose number is `number`.
pub(super) fn framed(magic: Magic, number: u32, bytes: &[u8]) -> Bytes {
    let mut bytes = bytes.to_vec();
    let preamble = decode_preamble(magic, number, &bytes);
    put(&mut bytes, PREAMBLE_BYTES - 4, preamble);
    let mut offset = PREAMBLE_BYTES;
    while let Some(record_bytes) = record(&mut bytes, Place { log_number: number, offset: offset as u64 }) {
        offset += record_bytes;
    }
    Bytes::from(bytes)
}

/// The record at a place; returns its length, when it ends within the bytes.
fn record(bytes: &mut [u8], place: Place) -> Option<usize> {
    let offset = usize::try_from(place.offset).ok()?;
    let (head, rest) = bytes.get(offset..)?.split_first_chunk::<HEADER_BYTES>()?;
    let header = Header::read(head);
    let payload = rest.get(..header.payload_bytes as usize)?;
    let checked = header.check_sum(head, payload, place);
    put(bytes, offset, checked);
    usize::try_from(header.record_bytes()).ok()
}

/// A table file; the number is the one that its footer claims.
pub(super) fn table(bytes: &[u8]) -> Bytes {
    let mut bytes = bytes.to_vec();
    let Some(footer) = mended_footer(&mut bytes) else { return Bytes::from(bytes) };
    blocks(&footer, &mut bytes);
    sums(&footer, &mut bytes);
    Bytes::from(bytes)
}

/// The number that the footer of a table claims; 0 when the file has no room for one.
pub(super) fn table_number(bytes: &[u8]) -> u64 {
    let footer = bytes.len().checked_sub(FOOTER_BYTES).map(|begin| Footer::claimed(&bytes[begin..]));
    footer.and_then(Result::ok).map_or(0, |footer| footer.number)
}

fn mended_footer(bytes: &mut [u8]) -> Option<Footer> {
    let begin = bytes.len().checked_sub(FOOTER_BYTES)?;
    bytes[begin + FOOTER_CHECKSUM + 4..].copy_from_slice(&MAGIC);
    let number = table_number(bytes);
    let decoded = Footer::decode(number, begin as u64, &bytes[begin..]);
    put(bytes, begin + FOOTER_CHECKSUM, decoded);
    Footer::decode(number, begin as u64, &bytes[begin..]).ok()
}

fn blocks(footer: &Footer, bytes: &mut [u8]) {
    let number = footer.number;
    block(number, footer.properties, bytes);
    block(number, footer.tombstones, bytes);
    let top = block(number, footer.top, bytes).unwrap_or_default();
    let mut left = BLOCKS_MAX;
    for partition in handles(Index::parse(&top), &mut left) {
        let partition = block(number, partition, bytes).unwrap_or_default();
        for data in handles(Partition::parse(&partition).map(|partition| partition.index), &mut left) {
            block(number, data, bytes);
        }
    }
}

fn handles(index: Result<Index<'_>, Fault>, left: &mut usize) -> Vec<Handle> {
    let Ok(index) = index else { return Vec::new() };
    let count = index.count().min(*left);
    *left -= count;
    (0..count).filter_map(|number| index.handle(number).ok()).collect()
}

/// Mends a block; returns its payload.
fn block(number: u64, handle: Handle, bytes: &mut [u8]) -> Option<Bytes> {
    let (begin, end) = (usize::try_from(handle.offset).ok()?, usize::try_from(handle.end()?).ok()?);
    let sealed = Bytes::copy_from_slice(bytes.get(begin..end)?);
    let checksum_at = end.checked_sub(4)?;
    put(bytes, checksum_at, seal::open(number, handle.offset, &sealed));
    seal::open(number, handle.offset, &Bytes::copy_from_slice(&bytes[begin..end])).ok()
}

/// Makes the properties say what the rest of the table adds up to. The range of its keys stays as it is claimed.
fn sums(footer: &Footer, bytes: &mut [u8]) {
    let file = Content::of(Bytes::copy_from_slice(bytes));
    let mut tally = Tally::default();
    let Ok(survey) = now(survey(file, Path::new("mended"), footer.number, |entry| tally.add(&entry))) else { return };
    let Some(mut properties) = survey.properties.clone() else { return };
    survey.range_tombstones.iter().for_each(|tombstone| tally.add_range(tombstone));
    let bytes_of = |kind| survey.layout.iter().filter(move |part| part.kind == kind).map(|part| part.length_bytes);
    let partitions = survey.layout.iter().filter(|part| part.kind == PartKind::Partition);
    let filters: u64 =
        partitions.clone().filter_map(|part| filter_bytes(footer.number, part.offset, part.length_bytes, bytes)).sum();
    let index_bytes = bytes_of(PartKind::Partition).chain(bytes_of(PartKind::TopIndex)).fold(0, u64::saturating_add);
    properties = Properties {
        number: footer.number,
        file_bytes: bytes.len() as u64,
        tally: tally.finished(),
        data_bytes: bytes_of(PartKind::Data).fold(0, u64::saturating_add),
        data_blocks: bytes_of(PartKind::Data).count() as u64,
        index_bytes: index_bytes.saturating_sub(filters),
        filter_bytes: filters,
        partitions: partitions.count() as u64,
        ..properties
    };
    let mut encoded = BytesMut::new();
    properties.encode(&mut encoded);
    let Ok(begin) = usize::try_from(footer.properties.offset) else { return };
    if encoded.len() + TRAILER_BYTES == footer.properties.length_bytes as usize {
        bytes[begin..begin + encoded.len()].copy_from_slice(&encoded);
        bytes[begin + encoded.len()] = 0;
        block(footer.number, footer.properties, bytes);
    }
}

/// Bytes of the filter in the partition at `offset`.
fn filter_bytes(number: u64, offset: u64, length_bytes: u64, bytes: &[u8]) -> Option<u64> {
    let (begin, end) = (usize::try_from(offset).ok()?, usize::try_from(offset.checked_add(length_bytes)?).ok()?);
    let payload = seal::open(number, offset, &Bytes::copy_from_slice(bytes.get(begin..end)?)).ok()?;
    Some(Partition::parse(&payload).ok()?.filter.len() as u64)
}
