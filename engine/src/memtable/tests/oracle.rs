//! The memtable against the simplest thing that must answer the same: an ordered map of all versions.
//!
//! ```text
//!   key, newest first ─▶ value, expiry        get = the first at or behind (key, at); a cursor = an iterator
//! ```

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

type Oracle = BTreeMap<(Vec<u8>, Reverse<u64>), (Option<Vec<u8>>, u64)>;

#[derive(Debug, Clone)]
enum Step {
    Insert { key: Vec<u8>, value: Option<Vec<u8>>, expires_micros: u64 },
    Get { key: Vec<u8>, at: u64 },
    Walk { target: Target, moves: Vec<bool> },
}

#[derive(Debug, Clone)]
enum Target {
    First,
    Last,
    AtOrBehind(Vec<u8>),
    Before(Vec<u8>),
}

impl Target {
    fn seek(&self) -> Seek<'_> {
        match self {
            Target::First => Seek::First,
            Target::Last => Seek::Last,
            Target::AtOrBehind(key) => Seek::AtOrBehind(key),
            Target::Before(key) => Seek::Before(key),
        }
    }
}

/// Few keys, so that they meet; some that differ late, some that differ only in trailing zeros.
fn keys() -> impl Strategy<Value = Vec<u8>> {
    let keyspace = prop_oneof![Just([0, 0]), Just([0, 1]), Just([1, 0]), Just([255, 255])];
    let user_key = prop_oneof![
        4 => vec(prop_oneof![Just(0_u8), Just(1), Just(255)], 0..3),
        2 => (0_usize..4, 0_u8..3).prop_map(|(length, last)| [&vec![7; length * 8][..], &[last]].concat()),
        1 => (0_usize..12).prop_map(|zeros| vec![0; zeros]),
        1 => any::<u64>().prop_map(|number| number.to_be_bytes().to_vec()),
        1 => (60_usize..90).prop_map(|length| vec![3; length]),
    ];
    (keyspace, user_key).prop_map(|(keyspace, user_key)| [&keyspace[..], &user_key].concat())
}

fn values() -> impl Strategy<Value = Option<Vec<u8>>> {
    let length = prop_oneof![20 => 0_usize..40, 1 => 1_000_usize..20_000, 1 => 262_000_usize..262_300];
    prop_oneof![1 => Just(None), 4 => (length, any::<u8>()).prop_map(|(length, byte)| Some(vec![byte; length]))]
}

fn steps() -> impl Strategy<Value = Step> {
    let targets = prop_oneof![
        1 => Just(Target::First),
        1 => Just(Target::Last),
        3 => keys().prop_map(Target::AtOrBehind),
        3 => keys().prop_map(Target::Before),
        1 => vec(any::<u8>(), 0..2).prop_map(Target::AtOrBehind),
    ];
    prop_oneof![
        6 => (keys(), values(), 0_u64..3).prop_map(|(key, value, expires_micros)| Step::Insert { key, value, expires_micros }),
        2 => (keys(), 0_u64..300).prop_map(|(key, at)| Step::Get { key, at }),
        2 => (targets, vec(prop::bool::weighted(0.6), 0..40)).prop_map(|(target, moves)| Step::Walk { target, moves }),
    ]
}

fn expected_get(oracle: &Oracle, key: &[u8], at: u64) -> Option<(u64, Option<Bytes>)> {
    let (found, (value, _)) = oracle.range((key.to_vec(), Reverse(at))..).next()?;
    (found.0 == key).then(|| (found.1.0, value.clone().map(Bytes::from)))
}

/// The index of the entry a seek leads to, among all in order.
fn expected_seek(entries: &[(&[u8], u64)], target: &Target) -> Option<usize> {
    let rank = |key: &[u8]| entries.iter().filter(|(other, _)| *other < key).count();
    match target {
        Target::First => (!entries.is_empty()).then_some(0),
        Target::Last => entries.len().checked_sub(1),
        Target::AtOrBehind(key) => Some(rank(key)).filter(|index| *index < entries.len()),
        Target::Before(key) => rank(key).checked_sub(1),
    }
}

fn walk(memtable: &Arc<Memtable>, oracle: &Oracle, target: &Target, moves: &[bool]) {
    let entries: Vec<(&[u8], u64)> = oracle.keys().map(|(key, sequence)| (&key[..], sequence.0)).collect();
    let mut cursor = memtable.cursor();
    cursor.seek(target.seek());
    let mut place = expected_seek(&entries, target);
    let mut moves = moves.iter();
    loop {
        let Some(index) = place else {
            assert_eq!(cursor.at(), At::End);
            return;
        };
        let (entry, (key, sequence)) = (cursor.entry(), entries[index]);
        assert_eq!((entry.key, entry.sequence.0), (key, sequence));
        let (value, expires_micros) = &oracle[&(key.to_vec(), Reverse(sequence))];
        assert_eq!((entry.value, entry.expires_micros), (value.as_deref(), *expires_micros));
        match moves.next() {
            None => return,
            Some(true) => {
                cursor.next();
                place = Some(index + 1).filter(|index| *index < entries.len());
            }
            Some(false) => {
                cursor.previous();
                place = index.checked_sub(1);
            }
        }
    }
}

fn take(memtable: &Arc<Memtable>, oracle: &mut Oracle, sequence: u64, step: Step) {
    match step {
        Step::Insert { key, value, expires_micros } => {
            let entry = EntryRef { key: &key, sequence: Sequence(sequence), value: value.as_deref(), expires_micros };
            memtable.insert(entry, key_hash(&key));
            oracle.insert((key, Reverse(sequence)), (value, expires_micros));
        }
        Step::Get { key, at } => {
            assert_eq!(get(memtable, &key, at), expected_get(oracle, &key, at));
            let newest = newest_sequence(memtable, &key, key_hash(&key)).map(|sequence| sequence.0);
            assert_eq!(newest, expected_get(oracle, &key, u64::MAX).map(|(sequence, _)| sequence));
        }
        Step::Walk { target, moves } => walk(memtable, oracle, &target, &moves),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_answers_as_an_ordered_map_does(steps in vec(steps(), 1..300), slots in prop_oneof![Just(1_usize), Just(16)]) {
        let memtable = Arc::new(Memtable::with_slots(0, slots));
        let mut oracle = Oracle::new();
        for (sequence, step) in steps.into_iter().enumerate() {
            take(&memtable, &mut oracle, sequence as u64, step);
        }
        let everything = oracle.len() + 1;
        walk(&memtable, &oracle, &Target::First, &vec![true; everything]);
        walk(&memtable, &oracle, &Target::Last, &vec![false; everything]);
        prop_assert_eq!(memtable.usage().entries, oracle.len() as u64);
    }

    /// Thousands of keys in one sort, with words that are equal at every depth.
    #[test]
    fn a_large_sort_of_keys_alike_is_in_order(words in vec(vec(0_u8..3, 0..14), 200..800)) {
        let memtable = Arc::new(Memtable::new(0));
        let mut keys: Vec<Vec<u8>> = words.iter().map(|word| word.iter().flat_map(|byte| [*byte; 7]).collect()).collect();
        keys.sort();
        keys.dedup();
        for index in 0..keys.len() {
            // Another order than that of the keys, which visits each once: 7,919 is prime and larger than their number.
            let key = &keys[(index * 7_919) % keys.len()];
            put(&memtable, key, index as u64, key);
        }
        let mut cursor = memtable.cursor();
        cursor.seek(Seek::First);
        let found: Vec<Vec<u8>> = rest(&mut cursor, |cursor| cursor.next()).into_iter().map(|(key, _)| key).collect();
        prop_assert_eq!(found, keys);
    }
}
