//! Blocks against a sorted list of the same entries, and against bytes that nobody wrote.

use proptest::prelude::*;

use super::*;
use crate::format::entry::key_hash;

type Owned = (Vec<u8>, u64, Option<Vec<u8>>, u64);

fn entry(owned: &Owned) -> EntryRef<'_> {
    let (key, sequence, value, expires_micros) = owned;
    EntryRef { key, sequence: Sequence(*sequence), value: value.as_deref(), expires_micros: *expires_micros }
}

fn block(entries: &[Owned]) -> Vec<u8> {
    let mut builder = BlockBuilder::default();
    entries.iter().for_each(|owned| builder.add(&entry(owned), key_hash(&owned.0)));
    let announced = builder.bytes();
    let bytes = builder.finish().to_vec();
    assert_eq!(bytes.len(), announced);
    bytes
}

fn view(bytes: &[u8]) -> Block<'_> {
    Layout::of(bytes).expect("a block").view(bytes)
}

/// Keys over two letters, so that they share prefixes, are prefixes of each other, and have many versions.
fn entries() -> impl Strategy<Value = Vec<Owned>> {
    let key = proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b')], 0..6);
    let value = proptest::option::weighted(0.8, proptest::collection::vec(any::<u8>(), 0..20));
    let versions = proptest::collection::btree_map((key, 1_u64..40), (value, prop_oneof![Just(0), 1_u64..900]), 0..90);
    versions.prop_map(|versions| {
        let mut entries: Vec<Owned> =
            versions.into_iter().map(|((key, sequence), (value, expires))| (key, sequence, value, expires)).collect();
        entries.sort_by(|left, right| entry(left).order(&entry(right)));
        entries
    })
}

proptest! {
    #[test]
    fn every_key_is_found_at_every_sequence(entries in entries(), extra in proptest::collection::vec(b'a'..=b'c', 0..7)) {
        let bytes = block(&entries);
        let keys = entries.iter().map(|(key, ..)| key.clone()).chain([extra, b"b".to_vec()]);
        for key in keys {
            for at in 0..41 {
                let lookup = view(&bytes).lookup(&key, key_hash(&key), Sequence(at)).expect("a block");
                let wanted = entries.iter().find(|(found, sequence, ..)| *found == key && *sequence <= at);
                let found = lookup.entry.map(|raw| (raw.sequence.0, raw.has_value.then(|| bytes[raw.value_begin..raw.end].to_vec()), raw.expires_micros));
                prop_assert_eq!(found, wanted.map(|(_, sequence, value, expires)| (*sequence, value.clone(), *expires)));
                let all_before = entries.iter().all(|(found, sequence, ..)| *found < key || (*found == key && *sequence > at));
                // What is not in the block at all need not be told from what lies behind it.
                let is_here = entries.iter().any(|(found, ..)| *found == key);
                prop_assert!(lookup.ended == all_before || (!is_here && !lookup.ended));
            }
        }
    }

    #[test]
    fn a_position_moves_both_ways_from_everywhere(entries in entries(), target in proptest::collection::vec(b'a'..=b'c', 0..7)) {
        let bytes = block(&entries);
        let mut position = Position::default();
        let mut found = position.first(view(&bytes)).expect("a block");
        for owned in &entries {
            prop_assert!(found);
            prop_assert_eq!(position.entry(&bytes), entry(owned));
            found = position.next(view(&bytes)).expect("a block");
        }
        prop_assert!(!found);
        let mut found = position.last(view(&bytes)).expect("a block");
        for owned in entries.iter().rev() {
            prop_assert!(found);
            prop_assert_eq!(position.entry(&bytes), entry(owned));
            found = position.previous(view(&bytes)).expect("a block");
        }
        prop_assert!(!found);
        let wanted = entries.iter().find(|(key, ..)| *key >= target);
        prop_assert_eq!(position.seek(view(&bytes), &target).expect("a block"), wanted.is_some());
        if let Some(owned) = wanted {
            prop_assert_eq!(position.entry(&bytes), entry(owned));
        }
    }

    #[test]
    fn bytes_that_nobody_wrote_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), entries in entries(), at in any::<prop::sample::Index>(), flip in 1..=255_u8, key in proptest::collection::vec(b'a'..=b'c', 0..4)) {
        let mut damaged = block(&entries);
        let place = at.index(damaged.len());
        damaged[place] ^= flip;
        // Half of the invented blocks get a plausible count.
        if let Some(count) = bytes.last_chunk_mut::<4>() {
            *count = u32::from(flip % 5).to_le_bytes();
        }
        for bytes in [bytes, damaged] {
            let Ok(layout) = Layout::of(&bytes) else { continue };
            let _ = layout.view(&bytes).lookup(&key, key_hash(&key), Sequence(7));
            let mut position = Position::default();
            let _ = position.seek(layout.view(&bytes), &key);
            let mut moved = position.first(layout.view(&bytes));
            while moved == Ok(true) {
                position.entry(&bytes);
                moved = position.next(layout.view(&bytes));
            }
            let mut moved = position.last(layout.view(&bytes));
            for _ in 0..200 {
                if moved == Ok(true) {
                    moved = position.previous(layout.view(&bytes));
                }
            }
        }
    }
}

#[test]
fn a_block_cut_anywhere_is_refused_or_says_less() {
    let entries: Vec<Owned> = (0..40).map(|n| (format!("key {n:02}").into_bytes(), 1, Some(vec![n; 9]), 0)).collect();
    let bytes = block(&entries);
    for length in 0..bytes.len() {
        let _ = Layout::of(&bytes[..length])
            .map(|layout| layout.view(&bytes[..length]).lookup(b"key 20", key_hash(b"key 20"), Sequence(1)));
    }
}
