//! Any sequence of operations, batches with preconditions, scans, snapshots and reopenings, against an ordered map.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use engine::{Batch, Db, Durability, Error, Expected, Options, ScanLimits, Sequence, Snapshot};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{MemoryWorld, run, settle};

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Sequence)>;

#[derive(Debug, Clone)]
enum Step {
    Write { puts: Vec<(u8, u8)>, deletes: Vec<u8> },
    Swap { key: u8, value: u8, right: bool },
    Scan { from: u8, to: u8, entries: usize },
    Snapshot,
    Reopen { cleanly: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..12_u8;
    prop_oneof![
        6 => (vec((key.clone(), any::<u8>()), 0..4), vec(key.clone(), 0..3))
            .prop_map(|(puts, deletes)| Step::Write { puts, deletes }),
        3 => (key.clone(), any::<u8>(), any::<bool>()).prop_map(|(key, value, right)| Step::Swap { key, value, right }),
        2 => (key.clone(), key, 1..5_usize).prop_map(|(from, to, entries)| Step::Scan { from, to, entries }),
        1 => Just(Step::Snapshot),
        1 => any::<bool>().prop_map(|cleanly| Step::Reopen { cleanly }),
    ]
}

fn key_of(key: u8) -> Vec<u8> {
    format!("key {key:02}").into_bytes()
}

/// Pages of `entries` until the range is done.
async fn scan_all(
    db: &Db<MemoryWorld>,
    mut range: (Bound<Bytes>, Bound<Bytes>),
    entries: usize,
    snapshot: &Snapshot,
) -> Model {
    let mut found = Model::new();
    loop {
        let page = db.scan(range.clone(), ScanLimits { entries, bytes: 1_000 }, snapshot).await.expect("a page");
        assert!(page.entries.len() <= entries);
        for (key, entry) in page.entries {
            assert!(found.last_key_value().is_none_or(|(last, _)| last[..] < key[..]), "out of order: {key:?}");
            found.insert(key.to_vec(), (entry.value.to_vec(), entry.sequence));
        }
        match page.next {
            Some(next) => range.0 = Bound::Included(next),
            None => return found,
        }
    }
}

async fn play(steps: Vec<Step>, durability: Durability) {
    let mut world = MemoryWorld::new();
    // Small segments, so that the log rotates all the time.
    let options = Options { durability, segment_bytes: 300, ..Options::default() };
    let (mut db, _) = world.open(options.clone()).await.expect("an engine");
    let mut model = Model::new();
    let mut sequence = Sequence::ZERO;
    let mut snapshots: Vec<(Snapshot, Model)> = Vec::new();
    for step in steps {
        match step {
            Step::Write { puts, deletes } => {
                let mut batch = Batch::new();
                for (key, value) in &puts {
                    batch = batch.put(key_of(*key), [*value]);
                    sequence.0 += 1;
                    model.insert(key_of(*key), (vec![*value], sequence));
                }
                for key in &deletes {
                    batch = batch.delete(key_of(*key));
                    sequence.0 += 1;
                    model.remove(&key_of(*key));
                }
                assert_eq!(db.write(batch).await.expect("a write"), sequence);
            }
            Step::Swap { key, value, right } => {
                let current = model.get(&key_of(key)).map(|(_, sequence)| *sequence);
                let expected = match (current, right) {
                    (Some(current), true) => Expected::At(current),
                    (Some(current), false) => Expected::At(Sequence(current.0 + 1)),
                    (None, true) => Expected::Absent,
                    (None, false) => Expected::At(Sequence(1)),
                };
                let batch = Batch::new().require(key_of(key), expected).put(key_of(key), [value]);
                match (db.write(batch).await, right) {
                    (Ok(written), true) => {
                        sequence.0 += 1;
                        assert_eq!(written, sequence);
                        model.insert(key_of(key), (vec![value], sequence));
                    }
                    (Err(Error::PreconditionFailed { key: failed }), false) => assert_eq!(failed, key_of(key)),
                    (other, _) => panic!("a swap that should be {right} was {other:?}"),
                }
            }
            Step::Scan { from, to, entries } => {
                let range = (Bound::Included(Bytes::from(key_of(from))), Bound::Excluded(Bytes::from(key_of(to))));
                let found = scan_all(&db, range, entries, &db.snapshot()).await;
                let expected: Model = model
                    .iter()
                    .filter(|(key, _)| **key >= key_of(from) && **key < key_of(to))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                assert_eq!(found, expected);
            }
            Step::Snapshot => snapshots.push((db.snapshot(), model.clone())),
            Step::Reopen { cleanly } => {
                snapshots.clear();
                if cleanly {
                    db.close().await.expect("closing");
                } else {
                    drop(db);
                    settle().await;
                    world = MemoryWorld::on(world.disk.after_kill());
                }
                let (reopened, recovery) = world.open(options.clone()).await.expect("reopening");
                assert_eq!(
                    (recovery.sequence, recovery.closed_cleanly, &recovery.torn_tail),
                    (sequence, cleanly, &None)
                );
                db = reopened;
            }
        }
        for (snapshot, model) in &snapshots {
            assert_eq!(&scan_all(&db, (Bound::Unbounded, Bound::Unbounded), 3, snapshot).await, model);
        }
    }
    for key in 0..12 {
        let found = db.get(&key_of(key)).await.expect("a read").map(|entry| (entry.value.to_vec(), entry.sequence));
        assert_eq!(found.as_ref(), model.get(&key_of(key)));
    }
    assert_eq!(db.statistics().sequence, sequence);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_behaves_like_an_ordered_map(steps in vec(step(), 1..40), always in any::<bool>()) {
        run(play(steps, if always { Durability::Always } else { Durability::None }));
    }
}
