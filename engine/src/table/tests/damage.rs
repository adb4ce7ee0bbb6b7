//! Damage anywhere in a file: an error that names file and place, never a wrong answer, never a panic.

use bytes::BytesMut;

use super::*;
use crate::cost::ReadCost;
use crate::cursor::{At, Cursor, Seek};
use crate::format::Fault;
use crate::format::entry::key_hash;
use crate::format::seal::{self, Sealer};
use crate::format::table::{FOOTER_BYTES, Footer};
use crate::table::survey::Part;

/// A table of three partitions or so, with everything that a table can have.
async fn small_table() -> (MemoryFile, Vec<Owned>) {
    let entries: Vec<Owned> = (0..60_u32)
        .map(|number| Owned {
            key: format!("\0\x01city {:03}", number / 2).into_bytes(),
            sequence: 500 - u64::from(number),
            value: (number % 7 != 3).then(|| format!("rain rain rain rain {number}").into_bytes()),
            expires_micros: if number % 5 == 0 { 9_000 + u64::from(number) } else { 0 },
        })
        .collect();
    let options = TableOptions { block_bytes: 256, compression: Compression::Lz4, filter_millibits_per_key: 10_000 };
    let tombstones = [range("\0\x01city 005", "\0\x01city 009", 700), range("\0\x01a", "\0\x01b", 3)];
    let (file, _) = build(options, &entries, &tombstones).await;
    (file, entries)
}

/// Asks a table everything: the entries that it gives, or the first error.
async fn read_all(file: &MemoryFile, entries: &[Owned]) -> Result<Vec<Owned>, Error> {
    let table = open(file, &cache()).await?;
    for entry in entries {
        let (key, hash, at) = (&entry.key[..], key_hash(&entry.key), Sequence(entry.sequence));
        let found = table.get(key, hash, at, &mut ReadCost::default()).await?;
        let found = found.expect("a table that opens and reads without an error holds what it held");
        assert_eq!((found.sequence, found.value.as_deref()), (at, entry.value.as_deref()));
        assert_eq!(found.expires_micros, entry.expires_micros);
    }
    let mut cursor = table.cursor(CursorSettings { fill_cache: false, readahead_bytes: 600 });
    cursor.seek(Seek::First);
    let mut read = Vec::new();
    loop {
        match cursor.at() {
            At::End => break,
            At::Unloaded => cursor.load().await?,
            At::Entry => {
                read.push(Owned::of(cursor.entry()));
                cursor.next();
            }
        }
    }
    table.verify(|_| {}).await?;
    Ok(read)
}

/// The place that an error names; it must lie in the file that the test knows.
fn place(error: &Error, file_bytes: u64) -> (u64, u64, Fault) {
    let Error::Corrupt { file, offset, length, fault, advice } = error else { panic!("not corrupt: {error}") };
    assert!(file.ends_with(table_name(NUMBER)) && !advice.is_empty());
    assert!(*offset <= file_bytes, "{error}");
    (*offset, *length, fault.clone())
}

#[test]
fn every_flipped_byte_is_an_error_that_names_the_block_it_is_in() {
    run(async {
        let (whole, entries) = small_table().await;
        assert_eq!(read_all(&whole, &entries).await.expect("a whole table"), entries);
        let bytes = whole.bytes();
        for index in 0..bytes.len() {
            for bits in [0x01, 0x80, 0xff] {
                let file = MemoryFile::of(&bytes);
                file.flip(index, bits);
                let error = read_all(&file, &entries).await.expect_err("damage is seen");
                let (offset, length, _) = place(&error, bytes.len() as u64);
                let index = index as u64;
                assert!((offset..offset + length).contains(&index), "byte {index} is not in {error}");
            }
        }
    });
}

#[test]
fn every_truncation_and_extension_is_an_error() {
    run(async {
        let (whole, entries) = small_table().await;
        let bytes = whole.bytes();
        for length in 0..bytes.len() {
            let error = read_all(&MemoryFile::of(&bytes[..length]), &entries).await.expect_err("a cut is seen");
            let (_, _, fault) = place(&error, length as u64);
            assert!(
                matches!(fault, Fault::ShortBlock { .. } | Fault::WrongFooter | Fault::BadChecksum { .. }),
                "cut at {length}: {error}"
            );
        }
        for extra in [&b"\0"[..], &[0; 60], &bytes[bytes.len() - FOOTER_BYTES..]] {
            let file = MemoryFile::of(&[&bytes[..], extra].concat());
            place(&read_all(&file, &entries).await.expect_err("more bytes are seen"), u64::MAX);
        }
    });
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_open_is_an_error_that_names_the_range() {
    run(async {
        let (whole, entries) = small_table().await;
        let file = MemoryFile::of(&whole.bytes());
        let table = open(&file, &cache()).await.expect("a whole table");
        file.cut(100);
        let last = entries.last().expect("there are entries");
        let at = Sequence(u64::MAX);
        let error = table.get(&last.key, key_hash(&last.key), at, &mut ReadCost::default()).await;
        let (offset, length, fault) = place(&error.expect_err("the block is gone"), u64::MAX);
        assert!(offset >= 100 && matches!(fault, Fault::ShortBlock { available: 0, needed } if needed == length));
    });
}

#[test]
fn a_block_of_another_place_or_another_file_is_caught() {
    run(async {
        let (whole, entries) = small_table().await;
        let bytes = whole.bytes();
        let survey = survey(whole, "/data/x".as_ref(), NUMBER, |_| ()).await.expect("memory does not fail");
        let data: Vec<Part> = survey.layout.iter().copied().filter(|part| part.kind == PartKind::Data).collect();
        let range_of = |part: &Part| part.offset as usize..(part.offset + part.length_bytes) as usize;
        let mut moved = 0;
        let pairs = data.iter().flat_map(|from| data.iter().map(move |to| (from, to)));
        for (from, to) in pairs.filter(|(from, to)| from.offset != to.offset && from.length_bytes == to.length_bytes) {
            let mut copied = bytes.clone();
            copied.copy_within(range_of(from), to.offset as usize);
            let error = read_all(&MemoryFile::of(&copied), &entries).await.expect_err("a misplaced block is seen");
            assert_eq!(place(&error, u64::MAX).0, to.offset);
            moved += 1;
        }
        assert!(moved > 0, "some blocks have the same length");

        let other = MemoryFile::default();
        let mut builder = Builder::new(
            other.clone(),
            NUMBER + 1,
            1_000_000,
            TableOptions { block_bytes: 256, ..TableOptions::default() },
        );
        entries.iter().for_each(|entry| builder.add(entry.borrow()));
        builder.finish().await.expect("memory does not fail");
        let mut copied = bytes.clone();
        copied[range_of(&data[0])].copy_from_slice(&other.bytes()[range_of(&data[0])]);
        let error = read_all(&MemoryFile::of(&copied), &entries).await.expect_err("a foreign block is seen");
        assert_eq!(place(&error, u64::MAX).0, 0);
        let error = open(&other, &cache()).await.map(|_| ()).expect_err("the whole file is another's");
        assert_eq!(place(&error, u64::MAX).2, Fault::WrongTable { found: NUMBER + 1, expected: NUMBER });
    });
}

/// The same table with other properties, and checksums that hold.
fn with_properties(bytes: &[u8], change: impl Fn(&mut Properties)) -> MemoryFile {
    let footer = Footer::claimed(&bytes[bytes.len() - FOOTER_BYTES..]).expect("a footer");
    let begin = footer.properties.offset as usize;
    let end = begin + footer.properties.length_bytes as usize;
    let sealed = Bytes::copy_from_slice(&bytes[begin..end]);
    let opened = seal::open(NUMBER, begin as u64, &sealed).expect("a whole block");
    let mut properties = Properties::decode(&opened).expect("properties");
    change(&mut properties);
    let (mut payload, mut changed) = (BytesMut::new(), BytesMut::from(&bytes[..begin]));
    properties.encode(&mut payload);
    Sealer::new(NUMBER).seal(&payload, Compression::None, begin as u64, &mut changed);
    changed.extend_from_slice(&bytes[end..]);
    MemoryFile::of(&changed)
}

#[test]
fn a_table_that_does_not_hold_what_its_properties_say_is_found_by_verifying() {
    run(async {
        let bytes = small_table().await.0.bytes();
        let lies: [fn(&mut Properties); 6] = [
            |properties| properties.tally.set_hash ^= 1,
            |properties| properties.tally.entries += 1,
            |properties| properties.tally.max_expires_micros += 1,
            |properties| properties.tally.tombstone_windows[3] += 1,
            |properties| properties.data_blocks -= 1,
            |properties| properties.filter_bytes += 1,
        ];
        for (number, lie) in lies.into_iter().enumerate() {
            let table = open(&with_properties(&bytes, lie), &cache()).await.expect("opening does not read it all");
            let error = table.verify(|_| {}).await.map(|_| ()).expect_err("a lie is found");
            assert!(matches!(place(&error, u64::MAX).2, Fault::TableContradiction { .. }), "lie {number}: {error}");
        }
        let at_once: [fn(&mut Properties); 5] = [
            |properties| properties.number += 1,
            |properties| properties.file_bytes += 1,
            |properties| properties.partitions += 1,
            |properties| properties.tally.range_tombstones += 1,
            |properties| std::mem::swap(&mut properties.smallest, &mut properties.end),
        ];
        for lie in at_once {
            let opened = open(&with_properties(&bytes, lie), &cache()).await.map(|_| ());
            place(&opened.expect_err("opening sees it"), u64::MAX);
        }
    });
}

#[test]
fn a_table_of_a_newer_format_is_called_that() {
    run(async {
        let (whole, _) = small_table().await;
        let bytes = whole.bytes();
        let offset = bytes.len() - FOOTER_BYTES;
        let footer = Footer::claimed(&bytes[offset..]).expect("a footer");
        let newer = Footer { version: 2, ..footer }.encode(offset as u64);
        let file = MemoryFile::of(&[&bytes[..offset], &newer].concat());
        let error = open(&file, &cache()).await.map(|_| ()).expect_err("this program is older");
        assert!(matches!(error, Error::NewerFormat { found: 2, supported: 1, .. }), "{error}");
    });
}

#[test]
fn a_failing_disk_is_no_damage_and_an_error_met_while_moving_is_kept() {
    run(async {
        let (whole, entries) = small_table().await;
        let file = MemoryFile::of(&whole.bytes());
        let table = open(&file, &cache()).await.expect("a whole table");
        file.fail();
        let mut cursor = table.cursor(CursorSettings { fill_cache: true, readahead_bytes: 0 });
        cursor.seek(Seek::First);
        assert!(matches!(cursor.load().await, Err(Error::Disk(_))));
        assert_eq!(cursor.at(), At::Unloaded);
        let key = &entries[0].key;
        let found = table.get(key, key_hash(key), Sequence(600), &mut ReadCost::default()).await;
        assert!(matches!(found, Err(Error::Disk(_))));
    });
}

#[test]
fn a_survey_shows_the_whole_layout_and_every_damaged_part_at_once() {
    run(async {
        let (whole, _) = small_table().await;
        let bytes = whole.bytes();
        let sound = survey(whole, "/data/x".as_ref(), NUMBER, |_| ()).await.expect("memory does not fail");
        assert_eq!(sound.damages, []);
        assert!(sound.properties.is_some());
        let mut end = 0;
        for part in &sound.layout {
            assert_eq!(part.offset, end, "parts leave no gap");
            end += part.length_bytes;
        }
        assert_eq!(end, bytes.len() as u64);

        // All but those that name others: each damaged, each found.
        let leaves = |part: &&Part| !matches!(part.kind, PartKind::Partition | PartKind::TopIndex);
        let damaged: Vec<Part> = sound.layout.iter().filter(leaves).copied().collect();
        let file = MemoryFile::of(&bytes);
        for part in &damaged {
            // In the footer, the table's number: what it names is still found.
            let within = if part.kind == PartKind::Footer { 37 } else { 1 };
            file.flip(part.offset as usize + within, 4);
        }
        let found = survey(file, "/data/x".as_ref(), NUMBER, |_| ()).await.expect("memory does not fail");
        assert_eq!(found.layout, sound.layout);
        assert_eq!(found.damages.iter().map(|damage| damage.part).collect::<Vec<_>>(), damaged);
        assert_eq!(found.properties, None);
    });
}

#[test]
fn a_survey_follows_a_footer_whose_last_bytes_are_damaged() {
    run(async {
        let (whole, _) = small_table().await;
        let sound = survey(MemoryFile::of(&whole.bytes()), "/data/x".as_ref(), NUMBER, |_| ()).await.expect("memory");
        let length = whole.bytes().len();
        for behind_handles in 36..FOOTER_BYTES {
            let file = MemoryFile::of(&whole.bytes());
            file.flip(length - FOOTER_BYTES + behind_handles, 0x42);
            let found = survey(file, "/data/x".as_ref(), NUMBER, |_| ()).await.expect("memory does not fail");
            assert_eq!(found.layout, sound.layout);
            assert_eq!(found.damages.len(), 1);
        }
    });
}

#[test]
fn a_survey_of_any_damage_ends_and_finds_something() {
    run(async {
        let (whole, _) = small_table().await;
        let bytes = whole.bytes();
        for index in 0..bytes.len() {
            let file = MemoryFile::of(&bytes);
            file.flip(index, 0x55);
            let found = survey(file, "/data/x".as_ref(), NUMBER, |_| ()).await.expect("memory does not fail");
            assert!(!found.damages.is_empty(), "byte {index}");
            let cut = MemoryFile::of(&bytes[..index]);
            let found = survey(cut, "/data/x".as_ref(), NUMBER, |_| ()).await.expect("memory does not fail");
            assert!(!found.damages.is_empty(), "cut at {index}");
        }
    });
}
