//! One change of the database's tables, as the manifest holds it.
//!
//! ```text
//!   payload      field ...                                   field: tag u8 │ length u32 │ bytes
//!   1 removed    level u32 │ table number u64
//!   2 added      level u32 │ place u8 │ table ...           place: 0 newest, 1 in place of the removed, 2 oldest
//!   table        number u64 │ facts (below) │ set-hash u64
//!   3 log        segment u32 │ its predecessor u32 │ predecessor's bytes u64 │ next sequence u64
//!   4 numbers    next table u64 │ last sequence in tables u64
//!   5 keyspace   number u16 │ name                           6 keyspace dropped   number u16
//!   facts        bytes, entries, tombstones, expiring, min sequence, max sequence, max expires, created: u64 each
//!                │ smallest length u32 │ smallest │ end length u32 │ end
//! ```
//!
//! The first edit of a manifest says everything; the others what changed. A field of an unknown tag makes the manifest one
//! of a newer program: it is refused, for what it says cannot be left out.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes};

use crate::format::segment::Start;
use crate::format::{Fault, Sequence};
use crate::limits::MAX_INTERNAL_KEY_BYTES;
use crate::shape::{Added, Edit, HasFacts, LEVELS_MOST, Place, TableFacts};
use crate::wal::LogStart;

const REMOVED: u8 = 1;
const ADDED: u8 = 2;
const LOG: u8 = 3;
const NUMBERS: u8 = 4;
const KEYSPACE: u8 = 5;
const KEYSPACE_DROPPED: u8 = 6;

/// A table as the manifest knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableRecord {
    pub(crate) facts: TableFacts,
    /// The set-hash of the table's entries.
    pub(crate) set_hash: u64,
}

impl HasFacts for TableRecord {
    fn facts(&self) -> &TableFacts {
        &self.facts
    }
}

/// A change of the database's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VersionEdit {
    pub(crate) tables: Edit<TableRecord>,
    pub(crate) log: Option<LogStart>,
    pub(crate) next_table: Option<u64>,
    pub(crate) last_sequence: Option<Sequence>,
    pub(crate) keyspaces: BTreeMap<u16, String>,
    pub(crate) keyspaces_dropped: Vec<u16>,
}

impl Default for VersionEdit {
    fn default() -> Self {
        Self {
            tables: Edit::none(),
            log: None,
            next_table: None,
            last_sequence: None,
            keyspaces: BTreeMap::new(),
            keyspaces_dropped: Vec::new(),
        }
    }
}

impl VersionEdit {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut buffer = Vec::new();
        for (level, number) in &self.tables.removed {
            put_field(&mut buffer, REMOVED, |field| {
                field.put_u32_le(*level as u32);
                field.put_u64_le(*number);
            });
        }
        for Added { level, place, tables } in &self.tables.added {
            put_field(&mut buffer, ADDED, |field| {
                field.put_u32_le(*level as u32);
                field.put_u8(PLACES.iter().position(|known| known == place).expect("every place is listed") as u8);
                tables.iter().for_each(|table| put_table(field, table));
            });
        }
        if let Some(log) = &self.log {
            put_field(&mut buffer, LOG, |field| {
                field.put_u32_le(log.number);
                field.put_u32_le(log.previous.previous_number);
                field.put_u64_le(log.previous.previous_bytes);
                field.put_u64_le(log.next_sequence.0);
            });
        }
        if let (Some(next_table), Some(last_sequence)) = (self.next_table, self.last_sequence) {
            put_field(&mut buffer, NUMBERS, |field| {
                field.put_u64_le(next_table);
                field.put_u64_le(last_sequence.0);
            });
        }
        for (number, name) in &self.keyspaces {
            put_field(&mut buffer, KEYSPACE, |field| {
                field.put_u16_le(*number);
                field.put_slice(name.as_bytes());
            });
        }
        for number in &self.keyspaces_dropped {
            put_field(&mut buffer, KEYSPACE_DROPPED, |field| field.put_u16_le(*number));
        }
        buffer
    }

    pub(crate) fn decode(mut payload: &[u8]) -> Result<Self, Fault> {
        let mut edit = Self::default();
        while !payload.is_empty() {
            let head = payload.split_off(..5).ok_or(Fault::MalformedPayload)?;
            let length = (&head[1..]).get_u32_le() as usize;
            let field = payload.split_off(..length).ok_or(Fault::MalformedPayload)?;
            edit.take_field(head[0], Fields(field))?;
        }
        Ok(edit)
    }

    fn take_field(&mut self, tag: u8, mut field: Fields<'_>) -> Result<(), Fault> {
        match tag {
            REMOVED => self.tables.removed.push((take_level(&mut field)?, field.u64()?)),
            ADDED => {
                let level = take_level(&mut field)?;
                let [place] = field.take::<1>()?;
                let place = *PLACES.get(usize::from(place)).ok_or(Fault::MalformedPayload)?;
                let mut tables = Vec::new();
                while !field.0.is_empty() {
                    tables.push(take_table(&mut field)?);
                }
                self.tables.added.push(Added { level, place, tables });
            }
            LOG => {
                let (number, previous_number) = (field.u32()?, field.u32()?);
                let previous = Start { previous_number, previous_bytes: field.u64()? };
                let next_sequence = Sequence(field.u64()?);
                // The first write has sequence 1, the first segment number 1.
                if next_sequence == Sequence::ZERO || number == 0 {
                    return Err(Fault::MalformedPayload);
                }
                self.log = Some(LogStart { number, previous, next_sequence });
            }
            NUMBERS => {
                self.next_table = Some(field.u64()?);
                self.last_sequence = Some(Sequence(field.u64()?));
            }
            KEYSPACE => {
                let number = field.u16()?;
                let name = std::str::from_utf8(std::mem::take(&mut field.0)).map_err(|_| Fault::MalformedPayload)?;
                self.keyspaces.insert(number, name.to_string());
            }
            KEYSPACE_DROPPED => self.keyspaces_dropped.push(field.u16()?),
            kind => return Err(Fault::UnknownType { kind }),
        }
        if field.0.is_empty() { Ok(()) } else { Err(Fault::MalformedPayload) }
    }
}

fn put_field(buffer: &mut Vec<u8>, tag: u8, put: impl FnOnce(&mut Vec<u8>)) {
    buffer.put_u8(tag);
    let at = buffer.len();
    buffer.put_u32_le(0);
    put(buffer);
    let length = u32::try_from(buffer.len() - at - 4).expect("a edit names far fewer tables than fill 4 GiB");
    buffer[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// The places, by the number that stands for each.
const PLACES: [Place; 3] = [Place::Newest, Place::InPlace, Place::Oldest];

fn put_table(buffer: &mut Vec<u8>, TableRecord { facts, set_hash }: &TableRecord) {
    let TableFacts { number, bytes, entries, tombstones, expiring, max_expires_micros, created_micros, .. } = *facts;
    let (min, max) = (facts.min_sequence.0, facts.max_sequence.0);
    for number in [number, bytes, entries, tombstones, expiring, min, max, max_expires_micros, created_micros] {
        buffer.put_u64_le(number);
    }
    for key in [&facts.smallest, &facts.end] {
        buffer.put_u32_le(u32::try_from(key.len()).expect("keys are far shorter than 2^32"));
        buffer.put_slice(key);
    }
    buffer.put_u64_le(*set_hash);
}

fn take_level(field: &mut Fields<'_>) -> Result<usize, Fault> {
    let level = field.u32()? as usize;
    if level < LEVELS_MOST { Ok(level) } else { Err(Fault::MalformedPayload) }
}

fn take_table(field: &mut Fields<'_>) -> Result<TableRecord, Fault> {
    let facts = TableFacts {
        number: field.u64()?,
        bytes: field.u64()?,
        entries: field.u64()?,
        tombstones: field.u64()?,
        expiring: field.u64()?,
        min_sequence: Sequence(field.u64()?),
        max_sequence: Sequence(field.u64()?),
        max_expires_micros: field.u64()?,
        created_micros: field.u64()?,
        smallest: field.key()?,
        end: field.key()?,
    };
    if facts.smallest >= facts.end || facts.number == 0 {
        return Err(Fault::MalformedPayload);
    }
    Ok(TableRecord { facts, set_hash: field.u64()? })
}

/// Bytes of a field that numbers are taken off.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Fault::MalformedPayload)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u16(&mut self) -> Result<u16, Fault> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        self.take().map(u64::from_le_bytes)
    }

    fn key(&mut self) -> Result<Bytes, Fault> {
        let length = self.u32()? as usize;
        if length > MAX_INTERNAL_KEY_BYTES + 1 {
            return Err(Fault::MalformedPayload);
        }
        let key = self.0.split_off(..length).ok_or(Fault::MalformedPayload)?;
        Ok(Bytes::copy_from_slice(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit() -> VersionEdit {
        let facts = TableFacts {
            number: 9,
            bytes: 4096,
            entries: 10,
            tombstones: 2,
            expiring: 1,
            smallest: Bytes::from_static(b"\0\0a"),
            end: Bytes::from_static(b"\0\0b\0"),
            min_sequence: Sequence(3),
            max_sequence: Sequence(14),
            max_expires_micros: 0,
            created_micros: 1_700_000_000_000_000,
        };
        let previous = Start { previous_number: 4, previous_bytes: 777 };
        VersionEdit {
            tables: Edit {
                removed: vec![(0, 7), (1, 8)],
                added: vec![Added {
                    level: 1,
                    place: Place::Oldest,
                    tables: vec![TableRecord { facts, set_hash: 0xfeed }],
                }],
            },
            log: Some(LogStart { number: 5, previous, next_sequence: Sequence(15) }),
            next_table: Some(10),
            last_sequence: Some(Sequence(14)),
            keyspaces: BTreeMap::from([(3, "users".to_string())]),
            keyspaces_dropped: vec![2],
        }
    }

    #[test]
    fn an_edit_comes_back() {
        assert_eq!(VersionEdit::decode(&edit().encode()), Ok(edit()));
        assert_eq!(VersionEdit::decode(&[]), Ok(VersionEdit::default()));
    }

    #[test]
    fn an_edit_cut_anywhere_says_less_or_is_refused_and_an_unknown_field_is_refused() {
        let whole = edit().encode();
        for length in 0..whole.len() {
            assert_ne!(VersionEdit::decode(&whole[..length]), Ok(edit()), "cut at {length}");
        }
        assert_eq!(VersionEdit::decode(&[99, 0, 0, 0, 0]), Err(Fault::UnknownType { kind: 99 }));
        assert_eq!(VersionEdit::decode(&[REMOVED, 255, 255, 255, 255, 1]), Err(Fault::MalformedPayload));
    }
}
