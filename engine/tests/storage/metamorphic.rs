//! The same operations under any options give the same answers, byte for byte: block size, memtable, strategy, filters,
//! compression, cache and jobs decide how fast an answer is, never what it is.
//!
//! ```text
//!   seed ─▶ 2,000 operations ─┬─ options A ─▶ answers ─┐
//!                             └─ options B ─▶ answers ─┴─▶ equal
//! ```

use std::ops::Bound;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use engine::world::{Rng, WallTime};
use engine::{Batch, Db, Direction, Entry, Options, ScanLimits, Snapshot, all_keys};
use proptest::prelude::*;

use crate::model::steps::options;
use crate::support::{DIRECTORY, MemoryWorld, run};

const OPERATIONS: usize = 2_000;
const KEYS: u64 = 300;

struct Player {
    world: MemoryWorld,
    db: Db<MemoryWorld>,
    snapshots: Vec<Snapshot>,
    answers: Vec<String>,
}

fn key(rng: &mut Rng) -> Vec<u8> {
    let number = rng.within(0..KEYS);
    let length = [0, 1, 7, 90][number as usize % 4];
    [format!("key {number:03}").as_bytes(), &vec![b'.'; length]].concat()
}

fn brief(found: Option<(&[u8], Entry)>) -> String {
    match found {
        None => "nothing".to_string(),
        Some((key, Entry { value, sequence })) => {
            format!("{} @{sequence} {} bytes {:08x}", key.escape_ascii(), value.len(), crc32fast::hash(&value))
        }
    }
}

/// The answers to the operations of `seed` under `options`.
async fn answers(seed: u64, options: Options) -> Vec<String> {
    let world = MemoryWorld::new();
    world.clock.leap();
    world.clock.advance(Duration::from_secs(1));
    let (db, _) = world.open(options.clone()).await.expect("an engine");
    let mut player = Player { world, db, snapshots: Vec::new(), answers: Vec::new() };
    let mut rng = Rng::from_seed(seed);
    for operation in 0..OPERATIONS {
        if operation % 700 == 699 {
            player.snapshots.clear();
            player.db.close().await.expect("closing");
            let opened = Db::open(player.world.clone(), Path::new(DIRECTORY), options.clone()).await;
            player.db = opened.expect("reopening").0;
        }
        player.operate(&mut rng).await;
    }
    player.iterate(all_keys(), Direction::Forward, None).await;
    player.iterate(all_keys(), Direction::Backward, None).await;
    player.answers
}

impl Player {
    async fn operate(&mut self, rng: &mut Rng) {
        match rng.within(0..100) {
            0..45 => self.write(rng).await,
            45..60 => {
                let key = key(rng);
                let found = self.db.get(&key).await.expect("a read");
                self.answers.push(brief(found.map(|entry| (&key[..], entry))));
            }
            60..70 if !self.snapshots.is_empty() => {
                let (key, index) = (key(rng), rng.within(0..self.snapshots.len() as u64) as usize);
                let found = self.db.get_at(&key, &self.snapshots[index]).await.expect("a read");
                self.answers.push(brief(found.map(|entry| (&key[..], entry))));
            }
            70..80 => {
                let range = (Bound::Included(Bytes::from(key(rng))), Bound::Excluded(Bytes::from(key(rng))));
                let direction = if rng.chance(1, 2) { Direction::Forward } else { Direction::Backward };
                let index = rng.within(0..4) as usize;
                self.iterate(range, direction, Some(index)).await;
            }
            80..85 => self.scan(rng).await,
            85..90 => self.snapshots.push(self.db.snapshot()),
            90..93 if !self.snapshots.is_empty() => drop(self.snapshots.remove(0)),
            93..96 => self.db.flush().await.expect("a flush"),
            96 => self.db.compact().await.expect("a merge"),
            97 => self.world.clock.advance(Duration::from_secs(3600)),
            _ => {}
        }
    }

    async fn write(&mut self, rng: &mut Rng) {
        let mut batch = Batch::new();
        for _ in 0..rng.within(1..4) {
            let mut value = vec![0; rng.within(0..400) as usize];
            let seed = rng.next_u64();
            value.iter_mut().enumerate().for_each(|(index, byte)| *byte = (seed >> (index % 8)) as u8);
            batch = match rng.within(0..20) {
                0..12 => batch.put(key(rng), value),
                12..15 => {
                    let expires = WallTime { micros: rng.within(0..100) * 3_600_000_000 };
                    batch.put_until(key(rng), value, expires)
                }
                15..19 => batch.delete(key(rng)),
                _ => batch.delete_range(key(rng), Some(&key(rng))),
            };
        }
        let written = self.db.write(batch).await.expect("a write");
        self.answers.push(format!("written @{written}"));
    }

    async fn iterate(&mut self, range: (Bound<Bytes>, Bound<Bytes>), direction: Direction, index: Option<usize>) {
        let now = self.db.snapshot();
        let snapshot = index.and_then(|index| self.snapshots.get(index)).unwrap_or(&now);
        let mut iteration = self.db.iterate(range, direction, snapshot).expect("an iteration");
        while let Some((key, entry)) = iteration.next().await.expect("a key") {
            self.answers.push(brief(Some((&key[..], entry))));
        }
    }

    async fn scan(&mut self, rng: &mut Rng) {
        let limits = ScanLimits { entries: 5, bytes: 600 };
        let range = (Bound::Excluded(Bytes::from(key(rng))), Bound::Unbounded);
        let page = self.db.scan(range, limits, &self.db.snapshot()).await.expect("a page");
        let found = page.entries.into_iter().map(|(key, entry)| brief(Some((&key[..], entry))));
        self.answers.extend(found);
        self.answers.push(format!("next {:?}", page.next));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn options_change_how_fast_an_answer_is_and_never_what_it_is(seed: u64, one in options(), other in options()) {
        let safe = Options { strategy: one.strategy.clone(), ..Options::default() };
        let expected = run(answers(seed, safe));
        for options in [one, other] {
            let found = run(answers(seed, options.clone()));
            let first = expected.iter().zip(&found).position(|(expected, found)| expected != found);
            if let Some(first) = first {
                panic!("answer {first}: {} instead of {}, with {options:?}", found[first], expected[first]);
            }
            assert_eq!(expected.len(), found.len());
        }
    }
}
