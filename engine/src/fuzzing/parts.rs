//! Decoders of a slice: what one record, one block or one field is made of.
//!
//! ```text
//!   bytes ─▶ decode ─▶ value ─▶ encode ─▶ decode ─▶ the same value
//!   blocks and indexes, whose decoders believe the order: their entries, where ordered, built anew and looked up
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use crate::format::block::{BlockBuilder, Layout, Position};
use crate::format::entry::{EntryRef, key_hash};
use crate::format::index::{Index, IndexBuilder};
use crate::format::operation::{self, OperationRef, Operations};
use crate::format::partition::Partition;
use crate::format::properties::Properties;
use crate::format::record::{self, Body, HEADER_BYTES, Header, Kind, Place};
use crate::format::seal::{self, Compression, Handle, Sealer};
use crate::format::table::{FOOTER_BYTES, Footer};
use crate::format::{Fault, Sequence};
use crate::version::{VersionEdit, VersionState};

/// Where a record and a block stand that are read on their own.
pub(super) const PLACE: Place = Place { log_number: 1, offset: 16 };

/// The table of a block that is read on its own, and its offset.
pub(super) const BLOCK: (u64, u64) = (7, 100);

/// Numbers of variable length, at every position of the bytes.
pub fn varint(bytes: &[u8]) -> bool {
    use crate::format::varint;
    for begin in 0..=bytes.len() {
        let (mut rest, mut position) = (&bytes[begin..], begin);
        let read = varint::read_u64(bytes, &mut position);
        if let Some(number) = read {
            assert!(position > begin && position <= bytes.len(), "a number ends within the bytes");
            let mut encoded = Vec::new();
            varint::put_u64(&mut encoded, number);
            assert!(encoded.len() <= 10, "a number takes seven bits a byte");
            assert_eq!(varint::read_u64(&encoded, &mut 0), Some(number), "a number comes back");
        } else {
            assert_eq!(position, begin, "what is no number moves nothing");
        }
        if let Ok(number) = varint::take(&mut rest) {
            assert_eq!(read, Some(u64::from(number)), "both readers read the same");
            assert_eq!(varint::read_u32(bytes, &mut { begin }), Some(number));
            let mut encoded = Vec::new();
            varint::put(&mut encoded, number);
            assert_eq!(encoded.len(), varint::encoded_bytes(number));
            assert_eq!(rest.len(), bytes.len() - position, "both readers read as much");
        }
    }
    varint::read_u64(bytes, &mut 0).is_some()
}

/// One record of a log, as it is and with a checksum that holds.
pub fn record(bytes: &[u8]) -> bool {
    let Some((head, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return false };
    let header = Header::read(head);
    if header.check_length(head, rest.len() as u64).is_err() {
        return false;
    }
    let payload = Bytes::copy_from_slice(&rest[..header.payload_bytes as usize]);
    let checked = header.check_sum(head, &payload, PLACE);
    for version in [1, 2] {
        if let Ok(body) = header.body(&payload, PLACE, version) {
            let encoded = record_again(&header, &body, &payload);
            assert_eq!(encoded[4..HEADER_BYTES], head[4..], "a header that is believed is written the same");
            assert_eq!(checked.is_ok(), encoded[..4] == head[..4], "one checksum holds and no other");
            let available = encoded.len() as u64;
            assert!(header.is_plausible(PLACE, available), "a record that is believed is plausible");
        }
    }
    checked.is_ok() && header.body(&payload, PLACE, 2).is_ok()
}

fn record_again(header: &Header, body: &Body, payload: &[u8]) -> BytesMut {
    let kind = match body {
        Body::SegmentStart(_) => Kind::SegmentStart,
        Body::Batch(_) => Kind::Batch,
        Body::Seal => Kind::Seal,
        Body::Edit(_) => Kind::Edit,
    };
    let mut encoded = BytesMut::new();
    record::encode(&mut encoded, PLACE, kind, header.first_sequence, header.synced_offset, |buffer| {
        buffer.put_slice(payload);
    });
    encoded
}

/// The operations of a batch, in both formats of the log.
pub fn operations(bytes: &[u8]) -> bool {
    let payload = Bytes::copy_from_slice(bytes);
    let decoded = [1, 2].map(|version| Operations::decode(&payload, version));
    for operations in decoded.iter().flatten() {
        let (mut encoded, mut count) = (Vec::new(), 0);
        for operation in operations.iter() {
            operation.encode(&mut encoded);
            count += 1;
        }
        assert_eq!(u64::from(count), operations.len(), "there are as many operations as the payload counts");
        let mut again = BytesMut::new();
        operation::put_payload(&mut again, count, &encoded);
        assert_eq!(again.len(), operation::payload_bytes(count, encoded.len()));
        let again = Operations::decode(&again.freeze(), 2).expect("what was decoded can be encoded and decoded");
        let (before, after): (Vec<OperationRef<'_>>, Vec<OperationRef<'_>>) =
            (operations.iter().collect(), again.iter().collect());
        assert_eq!(before, after, "operations come back");
    }
    decoded[1].is_ok()
}

/// A change of the manifest, and the state that it leaves.
pub fn edit(bytes: &[u8]) -> bool {
    let Ok(edit) = VersionEdit::decode(bytes) else { return false };
    assert_eq!(VersionEdit::decode(&edit.encode()).as_ref(), Ok(&edit), "an edit comes back");
    let mut state = VersionState::default();
    if state.apply(&edit).is_ok() {
        state_comes_back(&state);
    }
    true
}

/// A state, written down as one edit, comes back.
pub(super) fn state_comes_back(state: &VersionState) {
    let everything = state.everything();
    let mut again = VersionState::default();
    let applied = VersionEdit::decode(&everything.encode()).and_then(|edit| again.apply(&edit));
    assert_eq!(applied, Ok(()), "what holds can be written down");
    assert_eq!(again.everything(), everything, "a state comes back");
    assert!(state.log.is_none_or(|log| log.next_sequence > Sequence::ZERO), "no write has sequence 0");
}

/// A block with what stands around it: with its checksum, and with one that holds.
pub fn sealed(bytes: &[u8]) -> bool {
    let (number, offset) = BLOCK;
    let sealed = Bytes::copy_from_slice(bytes);
    let opened = seal::open(number, offset, &sealed);
    let mut mended = bytes.to_vec();
    if let (Err(Fault::BadChecksum { computed, .. }), Some(begin)) = (&opened, bytes.len().checked_sub(4)) {
        mended[begin..].copy_from_slice(&computed.to_le_bytes());
    }
    if let Ok(payload) = seal::open(number, offset, &Bytes::from(mended)) {
        for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
            let mut again = BytesMut::new();
            Sealer::new(number).seal(&payload, compression, offset, &mut again);
            assert_eq!(seal::open(number, offset, &again.freeze()).as_ref(), Ok(&payload), "a block comes back");
        }
    }
    opened.is_ok()
}

/// An entry that owns what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) key: Vec<u8>,
    pub(super) sequence: Sequence,
    pub(super) value: Option<Vec<u8>>,
    pub(super) expires_micros: u64,
}

impl Owned {
    pub(super) fn of(entry: &EntryRef<'_>) -> Self {
        let (key, value) = (entry.key.to_vec(), entry.value.map(<[u8]>::to_vec));
        Self { key, sequence: entry.sequence, value, expires_micros: entry.expires_micros }
    }

    pub(super) fn entry(&self) -> EntryRef<'_> {
        let Self { key, sequence, value, expires_micros } = self;
        EntryRef { key, sequence: *sequence, value: value.as_deref(), expires_micros: *expires_micros }
    }
}

/// Whether entries are in the order of all cursors, each once.
pub(super) fn is_ordered(entries: &[Owned]) -> bool {
    entries.windows(2).all(|pair| pair[0].entry().order(&pair[1].entry()).is_lt())
}

/// The entries of a data block: read as they are, and then as the engine would have written them.
pub fn block(bytes: &[u8]) -> bool {
    let Ok(layout) = Layout::of(bytes) else { return false };
    let entries = forward(layout, bytes);
    let _ = backward(layout, bytes);
    let mut position = Position::default();
    for target in entries.iter().flatten().map(|entry| &entry.key[..]).take(64).chain([&b""[..], bytes]) {
        let view = layout.view(bytes);
        let _ = position.seek(view, target).map(|found| found.then(|| position.previous(view)));
        for sequence in [0, 1, u64::MAX] {
            let _ = view.lookup(target, key_hash(target), Sequence(sequence));
        }
    }
    let Ok(entries) = entries else { return false };
    if is_ordered(&entries) && !entries.is_empty() {
        rebuilt(&entries);
    }
    true
}

fn forward(layout: Layout, bytes: &[u8]) -> Result<Vec<Owned>, Fault> {
    let (mut position, mut entries) = (Position::default(), Vec::new());
    let mut found = position.first(layout.view(bytes))?;
    while found {
        entries.push(Owned::of(&position.entry(bytes)));
        found = position.next(layout.view(bytes))?;
    }
    Ok(entries)
}

fn backward(layout: Layout, bytes: &[u8]) -> Result<Vec<Owned>, Fault> {
    let (mut position, mut entries) = (Position::default(), Vec::new());
    let mut found = position.last(layout.view(bytes))?;
    while found {
        entries.push(Owned::of(&position.entry(bytes)));
        found = position.previous(layout.view(bytes))?;
    }
    Ok(entries)
}

fn rebuilt(entries: &[Owned]) {
    let mut builder = BlockBuilder::default();
    entries.iter().for_each(|entry| builder.add(&entry.entry(), key_hash(&entry.key)));
    let bytes = builder.finish();
    let layout = Layout::of(bytes).expect("a block of our own");
    assert_eq!(forward(layout, bytes).as_deref(), Ok(entries), "entries come back in order");
    let mut reversed = backward(layout, bytes).expect("a block of our own");
    reversed.reverse();
    assert_eq!(reversed, entries, "and in reverse");
    let mut position = Position::default();
    for entry in entries {
        let view = layout.view(bytes);
        let found = view.lookup(&entry.key, key_hash(&entry.key), entry.sequence).expect("a block of our own");
        let found = found.entry.expect("an entry is found by its key and sequence");
        let value = found.has_value.then(|| &bytes[found.value_begin..found.end]);
        assert_eq!(
            (found.sequence, value),
            (entry.sequence, entry.value.as_deref()),
            "a lookup agrees with the cursor"
        );
        let sought = position.seek(view, &entry.key).expect("a block of our own");
        assert!(sought && position.entry(bytes).key == &entry.key[..], "a key is sought and found");
        assert!(position.entry(bytes).sequence >= entry.sequence, "the newest version comes first");
    }
}

/// Separators and handles: read as they are, and then as the engine would have written them.
pub fn index(bytes: &[u8]) -> bool {
    let Ok(index) = Index::parse(bytes) else { return false };
    searched(index)
}

fn searched(index: Index<'_>) -> bool {
    let read = |number| Ok::<_, Fault>((index.separator(number)?, index.handle(number)?));
    for number in 0..index.count().min(64) {
        let separator = index.separator(number).unwrap_or_default();
        assert!(index.find(&separator).is_ok_and(|found| found <= index.count()) || index.find(&separator).is_err());
        let _ = index.separator_is(number, &separator);
        assert!(index.handle(number).is_ok_and(|handle| handle.end().is_some()) || index.handle(number).is_err());
    }
    assert!(index.handle(index.count()).is_err(), "there is no block behind the last");
    let entries: Result<Vec<(Vec<u8>, Handle)>, Fault> = (0..index.count()).map(read).collect();
    let Ok(entries) = entries else { return false };
    let first = entries.first().map_or(0, |(_, handle)| handle.offset);
    if entries.is_sorted_by_key(|(separator, _)| separator) && entries.iter().all(|(_, handle)| handle.offset >= first)
    {
        let mut builder = IndexBuilder::default();
        entries.iter().for_each(|(separator, handle)| builder.add(separator, *handle));
        let mut buffer = BytesMut::new();
        builder.finish(&mut buffer);
        let again = Index::parse(&buffer).expect("an index of our own");
        assert_eq!(again.count(), entries.len(), "blocks come back");
        for (number, entry) in entries.iter().enumerate() {
            let read = (again.separator(number).expect("its own"), again.handle(number).expect("its own"));
            assert_eq!(&read, entry, "separators and handles come back");
            let found = again.find(&entry.0).expect("its own");
            assert_eq!(found, entries.partition_point(|(separator, _)| *separator < entry.0), "the first is found");
        }
    }
    true
}

/// A partition: filter and index.
pub fn partition(bytes: &[u8]) -> bool {
    let Ok(partition) = Partition::parse(bytes) else { return false };
    filter(partition.filter);
    searched(partition.index)
}

/// A filter; and the filter of the hashes that the bytes are taken for.
pub fn filter(bytes: &[u8]) -> bool {
    use crate::format::filter;
    let hashes: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect();
    hashes.iter().for_each(|hash| {
        filter::may_contain(bytes, *hash);
    });
    for millibits_per_key in [1, 10_000, 32_000] {
        let mut built = BytesMut::new();
        filter::build(&hashes, millibits_per_key, &mut built);
        assert_eq!(filter::check(&built), Ok(()), "a filter of our own has the form of one");
        assert!(hashes.iter().all(|hash| filter::may_contain(&built, *hash)), "no key is denied");
    }
    filter::check(bytes).is_ok()
}

/// What a table says of itself.
pub fn properties(bytes: &[u8]) -> bool {
    let Ok(properties) = Properties::decode(bytes) else { return false };
    let mut encoded = BytesMut::new();
    properties.encode(&mut encoded);
    assert_eq!(Properties::decode(&encoded).as_ref(), Ok(&properties), "properties come back");
    true
}

/// The range tombstones of a table.
pub fn tombstones(bytes: &[u8]) -> bool {
    use crate::format::tombstones;
    let Ok(decoded) = tombstones::decode(bytes) else { return false };
    let mut encoded = BytesMut::new();
    tombstones::encode(&decoded, &mut encoded);
    assert_eq!(tombstones::decode(&encoded).as_ref(), Ok(&decoded), "tombstones come back");
    assert!(decoded.iter().all(|tombstone| tombstone.start < tombstone.end));
    true
}

/// The end of a table.
pub fn footer(bytes: &[u8]) -> bool {
    let (number, offset) = BLOCK;
    let decoded = Footer::decode(number, offset, bytes);
    if let Ok(claimed) = Footer::claimed(bytes) {
        let encoded = claimed.encode(offset);
        assert_eq!(encoded.len(), FOOTER_BYTES);
        assert_eq!(Footer::decode(claimed.number, offset, &encoded), Ok(claimed), "a footer comes back");
        assert_eq!(decoded.is_ok(), encoded[..] == *bytes && claimed.number == number, "one footer holds and no other");
    }
    decoded.is_ok()
}
