//! What the engine writes, small: the files that a fuzzer's corpus begins with, and that must always be accepted.
//!
//! ```text
//!   tables (no compression, LZ4, zstd, versions over several partitions, range tombstones only) ─▶ their parts
//!   a log ─▶ its records, their operations         a manifest, a backup ─▶ its edits         texts
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};

use super::files::NUMBER;
use super::memory::{Content, now};
use super::parts::{BLOCK, PLACE};
use crate::format::checksum::Checksum;
use crate::format::entry::{EntryRef, RangeTombstone};
use crate::format::marker::{BACKUPS, DATA, encode_of};
use crate::format::operation::{self, OperationRef};
use crate::format::partition::Partition;
use crate::format::record::{self, Kind, Place};
use crate::format::seal::{self, Compression, Sealer};
use crate::format::segment::{BACKUP_MAGIC, MANIFEST_MAGIC, Start, encode_beginning};
use crate::format::table::{FOOTER_BYTES, Footer};
use crate::format::{Sequence, varint};
use crate::shape::{Added, Edit, Place as TablePlace, TableFacts};
use crate::table::{Builder, PartKind, TableOptions, survey};
use crate::version::{self, TableRecord, VersionEdit, manifest_name};
use crate::wal::LogStart;

/// A file to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The target that accepts it.
    pub target: &'static str,
    /// What it is an example of.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

fn sample(target: &'static str, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Sample {
    Sample { target, name: name.into(), bytes: bytes.into() }
}

/// All samples: the same whenever and wherever they are made.
pub fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for (name, bytes) in tables() {
        samples.extend(parts_of_table(name, &bytes));
        samples.push(sample("table", name, bytes));
    }
    samples.extend(logs());
    samples.extend(manifests());
    samples.push(sample("current", "first", current(1)));
    samples.push(sample("current", "last", current(u32::MAX)));
    samples.push(sample("marker", "data", encode_of(DATA, 2)));
    samples.push(sample("marker", "backups", encode_of(BACKUPS, 1)));
    for number in [0, 127, 128, u64::from(u32::MAX), u64::MAX] {
        let mut encoded = Vec::new();
        varint::put_u64(&mut encoded, number);
        samples.push(sample("varint", number.to_string(), encoded));
    }
    samples
}

/// The content of `CURRENT`, written without the code that is tried.
pub(super) fn current(number: u32) -> Vec<u8> {
    let line = format!("{}\n", manifest_name(number));
    let mut checksum = Checksum::seeded(0, 0);
    checksum.update(line.as_bytes());
    format!("{line}checksum {:08x}\n", checksum.finish()).into_bytes()
}

const TABLE: u64 = BLOCK.0;

fn built(options: TableOptions, add: impl FnOnce(&mut Builder<Content>)) -> Vec<u8> {
    let file = Content::default();
    let mut builder = Builder::new(file.clone(), TABLE, 1_700_000_000_000_000, options);
    add(&mut builder);
    now(builder.finish()).expect("memory does not fail");
    file.bytes().to_vec()
}

fn range(start: &'static [u8], end: &'static [u8], sequence: u64) -> RangeTombstone {
    RangeTombstone { start: Bytes::from_static(start), end: Bytes::from_static(end), sequence: Sequence(sequence) }
}

fn tables() -> Vec<(&'static str, Vec<u8>)> {
    let options = |compression, block_bytes| TableOptions { block_bytes, compression, ..TableOptions::default() };
    let mixed = |builder: &mut Builder<Content>| {
        for number in 0_u64..14 {
            let key = format!("\0\0rain {:02}", number / 2);
            let text = "rain, ".repeat(number as usize);
            let value = (number % 5 != 3).then_some(text.as_bytes());
            let expires_micros = if number % 7 == 2 { 1_800_000_000_000_000 } else { 0 };
            builder.add(EntryRef { key: key.as_bytes(), sequence: Sequence(100 - number), value, expires_micros });
        }
        builder.add_range_tombstone(range(b"\0\0rain 03", b"\0\0rain 05", 60));
        builder.add_range_tombstone(range(b"\0\0rain 04", b"\0\0sun", 70));
    };
    let versions = |builder: &mut Builder<Content>| {
        let long = [b"\0\x01".as_slice(), &[b'k'; 40]].concat();
        for sequence in (1..=140).rev().map(Sequence) {
            builder.add(EntryRef { key: &long, sequence, value: None, expires_micros: 0 });
        }
        builder.add(EntryRef { key: b"\0\x02", sequence: Sequence(3), value: Some(b""), expires_micros: 0 });
    };
    vec![
        ("plain", built(options(Compression::None, 96), mixed)),
        ("lz4", built(options(Compression::Lz4, 512), mixed)),
        ("zstd", built(options(Compression::Zstd, 512), mixed)),
        ("versions", built(options(Compression::None, 64), versions)),
        (
            "unfiltered",
            built(TableOptions { filter_millibits_per_key: 0, ..TableOptions::default() }, |builder| {
                builder.add(EntryRef { key: b"\0\0a", sequence: Sequence(1), value: Some(b"1"), expires_micros: 0 });
            }),
        ),
        ("ranges", built(TableOptions::default(), |builder| builder.add_range_tombstone(range(b"\0\0", b"\0\x01", 9)))),
    ]
}

/// The first part of each kind, as its decoder gets it.
fn parts_of_table(name: &str, bytes: &[u8]) -> Vec<Sample> {
    let mut parts = BTreeMap::new();
    let file = Content::of(Bytes::copy_from_slice(bytes));
    let survey = now(survey(file, Path::new("sample"), TABLE, |_| ())).expect("memory does not fail");
    for part in survey.layout.iter().filter(|part| part.kind != PartKind::Footer) {
        let begin = part.offset as usize;
        let sealed = Bytes::copy_from_slice(&bytes[begin..begin + part.length_bytes as usize]);
        parts.entry(part.kind).or_insert_with(|| seal::open(TABLE, part.offset, &sealed).expect("a block of our own"));
    }
    let mut samples = Vec::new();
    let footer = Footer::claimed(&bytes[bytes.len() - FOOTER_BYTES..]).expect("a footer of our own");
    samples.push(sample("footer", name, footer.encode(BLOCK.1)));
    for (kind, payload) in parts {
        let target = match kind {
            PartKind::Data => "block",
            PartKind::Partition => "partition",
            PartKind::RangeTombstones => "tombstones",
            PartKind::TopIndex => "index",
            PartKind::Properties => "properties",
            PartKind::Footer => continue,
        };
        samples.push(sample(target, name, payload.to_vec()));
        if kind == PartKind::Partition {
            let partition = Partition::parse(&payload).expect("a partition of our own");
            samples.push(sample("filter", name, partition.filter));
        }
        if kind == PartKind::Data {
            for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
                let mut sealed = BytesMut::new();
                let payload = payload.repeat(3);
                Sealer::new(TABLE).seal(&payload, compression, BLOCK.1, &mut sealed);
                samples.push(sample("sealed", format!("{name} {compression:?}").to_lowercase(), sealed));
            }
        }
    }
    samples
}

/// The payload of a batch of every operation there is.
fn batch(is_short: bool) -> (u64, Vec<u8>) {
    let mut operations = vec![OperationRef::Put { key: b"\0\0storm", value: b"glass", expires_micros: 0 }];
    if !is_short {
        operations.push(OperationRef::Delete { key: b"\0\x07rain" });
        operations.push(OperationRef::Put { key: b"\0\0sun", value: b"", expires_micros: 1_800_000_000_000_000 });
        operations.push(OperationRef::DeleteRange { start: b"\0\0a", end: b"\0\0b" });
    }
    let mut encoded = Vec::new();
    operations.iter().for_each(|operation| operation.encode(&mut encoded));
    let mut payload = BytesMut::new();
    operation::put_payload(&mut payload, operations.len() as u32, &encoded);
    (operations.len() as u64, payload.to_vec())
}

fn logs() -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut log = BytesMut::from(&encode_beginning(NUMBER, Start::FIRST, Sequence(1))[..]);
    samples.push(sample("log", "begun", log.to_vec()));
    let (mut next, mut synced) = (Sequence(1), 0);
    for (name, is_short) in [("short", true), ("every operation", false), ("short again", true)] {
        let (count, payload) = batch(is_short);
        let write = |buffer: &mut BytesMut| buffer.put_slice(&payload);
        let place = Place { log_number: NUMBER, offset: log.len() as u64 };
        record::encode(&mut log, place, Kind::Batch, next, synced, write);
        let mut alone = BytesMut::new();
        record::encode(&mut alone, PLACE, Kind::Batch, next, 0, write);
        next = next.plus(count);
        synced = log.len() as u64;
        samples.push(sample("record", name, alone));
        samples.push(sample("operations", name, payload));
    }
    samples.push(sample("log", "open", log.to_vec()));
    let place = Place { log_number: NUMBER, offset: log.len() as u64 };
    record::encode(&mut log, place, Kind::Seal, next, place.offset, |_| ());
    samples.push(sample("log", "sealed", log));
    let mut seal = BytesMut::new();
    record::encode(&mut seal, PLACE, Kind::Seal, next, PLACE.offset, |_| ());
    samples.push(sample("record", "seal", seal));
    let beginning = encode_beginning(PLACE.log_number, Start::FIRST, Sequence(1));
    samples.push(sample("record", "start", &beginning[PLACE.offset as usize..]));
    samples
}

fn table_record(number: u64, smallest: &'static str, end: &'static str) -> TableRecord {
    let facts = TableFacts {
        number,
        bytes: 4096,
        entries: 10,
        tombstones: 2,
        expiring: 1,
        smallest: Bytes::from(smallest),
        end: Bytes::from(end),
        min_sequence: Sequence(3),
        max_sequence: Sequence(14),
        max_expires_micros: 0,
        created_micros: 1_700_000_000_000_000,
    };
    TableRecord { facts, set_hash: 0xfeed ^ number }
}

fn manifests() -> Vec<Sample> {
    let added = |level, place, tables| Added { level, place, tables };
    let everything = VersionEdit {
        tables: Edit {
            removed: Vec::new(),
            added: vec![
                added(0, TablePlace::Newest, vec![table_record(3, "\0\0a", "\0\0c")]),
                added(
                    1,
                    TablePlace::Oldest,
                    vec![table_record(1, "\0\0a", "\0\0m"), table_record(2, "\0\0m", "\0\0z")],
                ),
            ],
        },
        log: Some(LogStart { number: 1, previous: Start::FIRST, next_sequence: Sequence(1) }),
        next_table: Some(4),
        last_sequence: Some(Sequence(14)),
        keyspaces: BTreeMap::from([(3, "users".to_string())]),
        keyspaces_dropped: Vec::new(),
    };
    let compaction = VersionEdit {
        tables: Edit {
            removed: vec![(0, 3), (1, 1)],
            added: vec![
                added(0, TablePlace::InPlace, vec![table_record(5, "\0\0a", "\0\0b")]),
                added(1, TablePlace::Oldest, vec![table_record(4, "\0\0a", "\0\0m")]),
            ],
        },
        next_table: Some(6),
        last_sequence: Some(Sequence::ZERO),
        keyspaces_dropped: vec![3],
        ..VersionEdit::default()
    };
    let edits = [everything.encode(), compaction.encode()];
    let created_micros = 1_700_000_000_000_000_u64.to_le_bytes();
    let backup = version::encode(BACKUP_MAGIC, NUMBER, &[&edits[0], &created_micros]);
    vec![
        sample("edit", "everything", edits[0].clone()),
        sample("edit", "compaction", edits[1].clone()),
        sample("manifest", "fresh", version::encode(MANIFEST_MAGIC, NUMBER, &[&edits[0]])),
        sample("manifest", "changed", version::encode(MANIFEST_MAGIC, NUMBER, &[&edits[0], &edits[1]])),
        sample("backup", "whole", backup),
    ]
}
