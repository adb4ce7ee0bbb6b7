//! Table files: opened, read in both directions, looked up, verified and surveyed.
//!
//! ```text
//!   any bytes       survey ends; open refuses, or cursors and lookups answer or refuse, and end
//!   verify said yes cursor forwards = cursor backwards = survey, ordered, within the range; get and seek find every entry;
//!                   what it holds, built anew, verifies too
//! ```

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::memory::{Content, Memory, now};
use super::mend;
use super::parts::{Owned, is_ordered};
use crate::cache::{BlockCache, CachePolicy};
use crate::cost::ReadCost;
use crate::cursor::{At, Cursor, Seek};
use crate::error::Error;
use crate::format::Sequence;
use crate::format::entry::key_hash;
use crate::inspect;
use crate::table::{Builder, CursorSettings, Table, TableCursor, TableOptions, survey, table_name};

/// Entries that a cursor is followed for: an invented table may name one block many times.
const ENTRIES_MAX: usize = 4096;

/// Entries that are looked up.
const LOOKUPS_MAX: usize = 64;

/// A table file.
pub fn table(bytes: &[u8]) -> bool {
    driven(mend::table(bytes));
    driven(Bytes::copy_from_slice(bytes))
}

fn driven(bytes: Bytes) -> bool {
    let number = mend::table_number(&bytes);
    let name = table_name(number);
    let path = Path::new(&name);
    let mut surveyed = Vec::new();
    let visit = |entry: crate::format::entry::EntryRef<'_>| {
        if surveyed.len() < ENTRIES_MAX {
            surveyed.push(Owned::of(&entry));
        }
    };
    let found = now(survey(Content::of(bytes.clone()), path, number, visit)).expect("only a disk fails a survey");
    dump(&bytes, path);
    let cache = Arc::new(BlockCache::new(CachePolicy::S3Fifo, 1 << 20));
    let table = match now(Table::open(Content::of(bytes.clone()), path.to_path_buf(), number, cache)) {
        Ok(table) => Arc::new(table),
        Err(Error::Corrupt { offset, .. }) => {
            assert!(!found.damages.is_empty() || offset <= bytes.len() as u64);
            return false;
        }
        Err(Error::NewerFormat { .. }) => return false,
        Err(error) => panic!("memory does not fail: {error}"),
    };
    let mut verified = Vec::new();
    let sound = now(table.verify(|entry| verified.push(Owned::of(&entry)))).is_ok() && verified.len() < ENTRIES_MAX;
    let ahead = CursorSettings { fill_cache: false, readahead_bytes: 700 };
    let forwards = [CursorSettings::default(), ahead].map(|settings| walked(&table, settings, true));
    let backwards = [CursorSettings::default(), ahead].map(|settings| walked(&table, settings, false));
    if !sound {
        let [seen, _] = &forwards;
        seen.iter().flatten().chain(&verified).take(LOOKUPS_MAX).for_each(|entry| touched(&table, entry));
        return false;
    }
    assert!(found.damages.is_empty(), "what verifies has no damage: {:?}", found.damages);
    assert!(is_ordered(&verified), "the entries of a table are ordered");
    assert_eq!(surveyed, verified, "a survey sees what is verified");
    for entries in forwards.into_iter().chain(backwards) {
        assert_eq!(entries.as_ref(), Some(&verified), "a cursor moves over what is verified");
    }
    let properties = table.properties();
    for entry in &verified {
        let within = properties.smallest[..] <= entry.key[..] && entry.key[..] < properties.end[..];
        assert!(within, "every entry is in the range that the table says");
    }
    verified.iter().take(LOOKUPS_MAX).for_each(|entry| found_again(&table, entry, &verified));
    built_anew(&table, &verified);
    true
}

fn dump(bytes: &Bytes, path: &Path) {
    let disk = Memory::default().with(path, bytes.clone());
    let dumped = now(inspect::table(&disk, path, true, inspect::escaped_key, |_| ()));
    assert!(!matches!(dumped, Err(Error::Corrupt { .. })), "damage is what a dump is for");
}

/// The entries in order, whichever way they were passed; `None` when there was a fault or no end.
fn walked(table: &Arc<Table<Content>>, settings: CursorSettings, forward: bool) -> Option<Vec<Owned>> {
    let mut cursor = table.cursor(settings);
    let mut entries = Vec::new();
    cursor.seek(if forward { Seek::First } else { Seek::Last });
    while standing(&mut cursor)? {
        entries.push(Owned::of(&cursor.entry()));
        if entries.len() >= ENTRIES_MAX {
            return None;
        }
        if forward { cursor.next() } else { cursor.previous() }
    }
    if !forward {
        entries.reverse();
    }
    Some(entries)
}

/// Loads what a movement waits for; whether it led to an entry. `None` after a fault.
fn standing(cursor: &mut TableCursor<Content>) -> Option<bool> {
    while cursor.at() == At::Unloaded {
        now(cursor.load()).ok()?;
    }
    Some(cursor.at() == At::Entry)
}

/// Asks everything that takes a key, of a table that may answer anything.
fn touched(table: &Arc<Table<Content>>, entry: &Owned) {
    let (key, hash) = (&entry.key[..], key_hash(&entry.key));
    for sequence in [Sequence::ZERO, entry.sequence, Sequence(u64::MAX)] {
        let _ = table.try_get(key, hash, sequence, &mut ReadCost::default());
        let _ = now(table.get(key, hash, sequence, &mut ReadCost::default()));
        let _ = table.covering(key, sequence);
    }
    let mut cursor = table.cursor(CursorSettings::default());
    for target in [Seek::AtOrBehind(key), Seek::Before(key), Seek::Last, Seek::First] {
        cursor.seek(target);
        if standing(&mut cursor) == Some(true) {
            cursor.previous();
            let _ = standing(&mut cursor);
        }
    }
}

fn found_again(table: &Arc<Table<Content>>, entry: &Owned, all: &[Owned]) {
    let hash = key_hash(&entry.key);
    let found = now(table.get(&entry.key, hash, entry.sequence, &mut ReadCost::default())).expect("it was verified");
    let found = found.expect("get finds what the cursor passes");
    let value = found.value.as_deref().map(<[u8]>::to_vec);
    let same = (found.sequence, value, found.expires_micros);
    assert_eq!(same, (entry.sequence, entry.value.clone(), entry.expires_micros), "get agrees with the cursor");
    let cached = table.try_get(&entry.key, hash, entry.sequence, &mut ReadCost::default());
    assert!(cached.is_none_or(|cached| cached.is_ok_and(|again| again.as_ref() == Some(&found))));
    let begin = all.partition_point(|other| other.key < entry.key);
    let mut cursor = table.cursor(CursorSettings::default());
    cursor.seek(Seek::AtOrBehind(&entry.key));
    assert_eq!(standing(&mut cursor), Some(true), "a key is sought and found");
    assert_eq!(Owned::of(&cursor.entry()), all[begin], "the newest version comes first");
    cursor.seek(Seek::Before(&entry.key));
    assert_eq!(standing(&mut cursor), Some(begin > 0), "something is before every key but the first");
    if begin > 0 {
        assert_eq!(Owned::of(&cursor.entry()), all[begin - 1], "what is before a key is sought and found");
    }
}

/// What a table holds, written by the engine, verifies and is the same.
fn built_anew(table: &Arc<Table<Content>>, entries: &[Owned]) {
    let options = TableOptions { block_bytes: 64, ..TableOptions::default() };
    let file = Content::default();
    let mut builder = Builder::new(file.clone(), table.properties().number, table.properties().created_micros, options);
    entries.iter().for_each(|entry| builder.add(entry.entry()));
    table.range_tombstones().iter().for_each(|tombstone| builder.add_range_tombstone(tombstone.clone()));
    if entries.is_empty() && table.range_tombstones().is_empty() {
        return;
    }
    now(builder.finish()).expect("memory does not fail");
    let cache = Arc::new(BlockCache::new(CachePolicy::Lru, 0));
    let again = now(Table::open(file, "again".into(), table.properties().number, cache)).expect("a table of our own");
    let mut verified = Vec::new();
    now(again.verify(|entry| verified.push(Owned::of(&entry)))).expect("a table of our own");
    assert_eq!(verified, entries, "entries come back");
    let (before, after) = (&table.properties().tally, &again.properties().tally);
    assert_eq!((before.entries, before.set_hash), (after.entries, after.set_hash), "and so does their sum");
}
