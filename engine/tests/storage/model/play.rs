//! Does each step to the engine and to the model, and compares what both say.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use engine::world::{Clock, WallTime};
use engine::{
    Batch, ChangeKind, Changes, Db, Direction, Error, Expected, Options, ScanLimits, Sequence, Snapshot, Transaction,
};

use super::oracle::{Found, KeyRange, Model, Pending, Space, State, Write, is_empty};
use super::steps::{Demand, End, KEYS, Step, key_of, value_of};
use crate::support::{DIRECTORY, Keep, MemoryWorld, settle};

const ALL: KeyRange = (Bound::Unbounded, Bound::Unbounded);
const HOUR_MICROS: u64 = 3_600_000_000;

struct Player {
    world: MemoryWorld,
    spaces: [Db<MemoryWorld>; 2],
    options: Options,
    model: Model,
    snapshots: Vec<(Snapshot, State)>,
    transaction: Option<(Transaction<MemoryWorld>, Pending)>,
    stream: Changes<MemoryWorld>,
    followed: usize,
    copies: usize,
}

/// Plays a whole case.
pub(super) async fn play(options: Options, steps: Vec<Step>) {
    let world = MemoryWorld::new();
    world.clock.leap();
    // What expires at hour 0 has expired.
    world.clock.advance(Duration::from_secs(1));
    let mut player = Player::open(world, options).await;
    for step in steps {
        player.step(step).await;
    }
    for space in [0, 1] {
        player.compare(&player.spaces[space], space, &player.model.state).await;
        for key in (0..KEYS).map(key_of) {
            player.get(space, &key).await;
        }
    }
    for index in 0..player.snapshots.len() {
        for (space, backward) in [(0, false), (1, false), (0, true), (1, true)] {
            player.read_snapshot(index, space, &ALL, backward).await;
        }
    }
    player.follow().await;
    player.follow_from_the_beginning().await;
}

async fn spaces_of(world: &MemoryWorld, directory: &Path, options: &Options) -> Result<[Db<MemoryWorld>; 2], Error> {
    let (db, _) = Db::open(world.clone(), directory, options.clone()).await?;
    let other = db.keyspace("other").await?;
    Ok([db, other])
}

impl Player {
    async fn open(world: MemoryWorld, options: Options) -> Self {
        let spaces = spaces_of(&world, Path::new(DIRECTORY), &options).await.expect("an engine");
        let stream = spaces[0].changes(Sequence(1));
        Self {
            world,
            spaces,
            options,
            model: Model::default(),
            snapshots: Vec::new(),
            transaction: None,
            stream,
            followed: 0,
            copies: 0,
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Write { writes, demand } => self.write(writes, demand).await,
            Step::Fill { space, from, count, bytes } => self.fill(space, from, count, bytes).await,
            Step::Get { space, key } => self.get(space, &key_of(key)).await,
            Step::Scan { space, range, entries } => self.scan(space, &range, entries).await,
            Step::Iterate { space, range, backward } => {
                let snapshot = self.spaces[space].snapshot();
                let found = iterate(&self.spaces[space], &range, backward, &snapshot).await;
                same(&found, &expected(&self.model.state, space, &range, backward), "an iteration");
            }
            Step::Snapshot => self.snapshots.push((self.spaces[0].snapshot(), self.model.state.clone())),
            Step::Release(index) if !self.snapshots.is_empty() => {
                let index = usize::from(index) % self.snapshots.len();
                drop(self.snapshots.swap_remove(index));
            }
            Step::ReadSnapshot { index, space, range, backward } if !self.snapshots.is_empty() => {
                let index = usize::from(index) % self.snapshots.len();
                self.read_snapshot(index, space, &range, backward).await;
            }
            Step::Begin { space, isolation } if self.transaction.is_none() => {
                let transaction = self.spaces[space].transaction(isolation);
                self.transaction = Some((transaction, Pending::begin(&self.model, space, isolation)));
            }
            Step::Flush => self.spaces[0].flush().await.expect("a flush"),
            Step::Compact => self.spaces[0].compact().await.expect("a merge"),
            Step::Follow => self.follow().await,
            Step::Checkpoint => self.checkpoint().await,
            Step::ReadOnly => self.read_only().await,
            Step::NextHour => {
                self.model.state.hour += 1;
                let next = Duration::from_micros(self.model.state.hour * HOUR_MICROS);
                self.world
                    .clock
                    .advance(next.saturating_sub(Duration::from_micros(self.world.clock.now().as_micros())));
            }
            Step::Settle => settle().await,
            Step::Reopen { end, options } => self.reopen(end, *options).await,
            step => self.transaction_step(step).await,
        }
    }

    async fn transaction_step(&mut self, step: Step) {
        let Some((transaction, pending)) = &mut self.transaction else { return };
        match step {
            Step::TransactionGet(key) => {
                let found = transaction.get(&key_of(key)).await.expect("a read");
                assert_eq!(found.map(Vec::from), pending.get(&key_of(key)));
            }
            Step::TransactionScan { range, limit } => {
                let found = transaction.scan(shared(&range), limit).await.expect("a scan");
                let found: Vec<_> = found.into_iter().map(|(key, value)| (Vec::from(key), Vec::from(value))).collect();
                assert_eq!(found, pending.scan(&range, limit));
            }
            Step::TransactionWrite { key, value } => {
                let (key, value) = (key_of(key), value.map(value_of));
                match &value {
                    Some(value) => transaction.put(&key, value),
                    None => transaction.delete(&key),
                }
                pending.writes.insert(key, value);
            }
            Step::Commit => {
                let (transaction, pending) = self.transaction.take().expect("it was there above");
                let conflicts = self.model.conflicts(&pending);
                match (transaction.commit().await, conflicts) {
                    (Ok(sequence), false) => {
                        for (key, value) in pending.writes {
                            let put = |value| Write::Put { key: key.clone(), value, expires_hour: None };
                            let write = value.map_or_else(|| Write::Delete { key: key.clone() }, put);
                            self.model.write(pending.space, write);
                        }
                        assert_eq!(sequence, self.model.sequence());
                    }
                    (Err(Error::Conflict { .. }), true) => {}
                    (other, conflicts) => panic!("a commit whose conflict is {conflicts} came to {other:?}"),
                }
            }
            _ => {}
        }
    }

    async fn write(&mut self, writes: Vec<(Space, Write)>, demand: Option<Demand>) {
        let mut batch = self.spaces[0].batch();
        if let Some(demand) = demand {
            batch = self.demand(batch, demand);
        }
        let mut applied = Vec::new();
        for (space, write) in writes {
            batch = batch.within(self.spaces[space].own_keyspace());
            let mut is_applied = true;
            batch = match &write {
                Write::Put { key, value, expires_hour: None } => batch.put(key, value),
                Write::Put { key, value, expires_hour: Some(hour) } => {
                    batch.put_until(key, value, WallTime { micros: hour * HOUR_MICROS })
                }
                Write::Delete { key } => batch.delete(key),
                Write::DeleteRange { start, end } => {
                    is_applied = end.as_ref().is_none_or(|end| end > start);
                    batch.delete_range(start, end.as_deref())
                }
            };
            if is_applied {
                applied.push((space, write));
            }
        }
        let holds = demand.is_none_or(|demand| demand.holds);
        match (self.spaces[0].write(batch).await, holds) {
            (Ok(sequence), true) => {
                applied.into_iter().for_each(|(space, write)| self.model.write(space, write));
                assert_eq!(sequence, self.model.sequence());
            }
            (Err(Error::PreconditionFailed { key }), false) => {
                assert_eq!(key, key_of(demand.expect("it failed").key));
            }
            (other, holds) => panic!("a batch whose demand is {holds} came to {other:?}"),
        }
    }

    /// Adds a precondition that holds, or does not, as wanted.
    fn demand(&self, batch: Batch, demand: Demand) -> Batch {
        let Demand { space, key, holds, exact } = demand;
        let current = self.model.state.get(space, &key_of(key)).map(|(_, sequence)| sequence);
        let expected = match (current, holds, exact) {
            (Some(current), true, true) => Expected::At(current),
            (Some(_), true, false) => Expected::Present,
            (Some(current), false, true) => Expected::At(Sequence(current.0 + 1)),
            (Some(_), false, false) | (None, true, _) => Expected::Absent,
            (None, false, true) => Expected::At(Sequence(1)),
            (None, false, false) => Expected::Present,
        };
        batch.within(self.spaces[space].own_keyspace()).require(key_of(key), expected)
    }

    async fn fill(&mut self, space: Space, from: u8, count: u8, bytes: u16) {
        for index in from..from.saturating_add(count) {
            let (key, value) = (key_of(index % KEYS), vec![index; usize::from(bytes)]);
            let sequence = self.spaces[space].put(&key, &value).await.expect("a write");
            self.model.write(space, Write::Put { key, value, expires_hour: None });
            assert_eq!(sequence, self.model.sequence());
        }
    }

    async fn get(&self, space: Space, key: &[u8]) {
        let found = self.spaces[space].get(key).await.expect("a read");
        let expected = self.model.state.get(space, key);
        assert_eq!(found.map(|entry| (Vec::from(entry.value), entry.sequence)), expected, "{}", key.escape_ascii());
        let explained = self.spaces[space].explain(key).await.expect("an explanation");
        assert_eq!(explained.found, expected.is_some(), "{explained}");
        assert_eq!(explained.value_bytes, expected.as_ref().map(|(value, _)| value.len() as u64));
        if let Some((_, sequence)) = expected {
            assert_eq!(explained.sequence, Some(sequence));
        }
    }

    async fn scan(&self, space: Space, range: &KeyRange, entries: usize) {
        let snapshot = self.spaces[space].snapshot();
        let (mut found, mut rest) = (Vec::new(), shared(range));
        loop {
            let limits = ScanLimits { entries, bytes: 1_000 };
            let page = self.spaces[space].scan(rest.clone(), limits, &snapshot).await.expect("a page");
            assert!(page.entries.len() <= entries);
            found.extend(
                page.entries.into_iter().map(|(key, entry)| (Vec::from(key), Vec::from(entry.value), entry.sequence)),
            );
            match page.next {
                Some(next) => rest.0 = Bound::Included(next),
                None => break,
            }
        }
        same(&found, &expected(&self.model.state, space, range, false), "a scan");
    }

    async fn read_snapshot(&self, index: usize, space: Space, range: &KeyRange, backward: bool) {
        let (snapshot, state) = &self.snapshots[index];
        let found = iterate(&self.spaces[space], range, backward, snapshot).await;
        same(&found, &expected(state, space, range, backward), "a snapshot");
        for key in (index as u8..KEYS).step_by(7).map(key_of) {
            let found = self.spaces[space].get_at(&key, snapshot).await.expect("a read");
            let found = found.map(|entry| (Vec::from(entry.value), entry.sequence));
            assert_eq!(found, state.get(space, &key), "{} at {}", key.escape_ascii(), snapshot.sequence());
        }
    }

    /// Everything, in both directions, from an engine that may be another than the player's.
    async fn compare(&self, db: &Db<MemoryWorld>, space: Space, state: &State) {
        let snapshot = db.snapshot();
        for backward in [false, true] {
            let found = iterate(db, &ALL, backward, &snapshot).await;
            same(&found, &expected(state, space, &ALL, backward), "everything");
        }
    }

    /// Reads on in the stream that was begun when the engine was opened.
    async fn follow(&mut self) {
        loop {
            let changes = self.stream.next(7).await.expect("changes");
            if changes.is_empty() {
                break;
            }
            for change in changes {
                self.followed += 1;
                self.check_change(&change, self.followed);
            }
        }
        assert_eq!(self.followed, self.model.history.len(), "the stream stopped early");
    }

    async fn follow_from_the_beginning(&self) {
        let mut stream = self.spaces[0].changes(Sequence(1));
        let (mut count, most) = (0, 1_000);
        while count < self.model.history.len() {
            let changes = stream.next(most).await.expect("changes");
            assert!(!changes.is_empty(), "the stream stopped after {count} of {}", self.model.history.len());
            for change in changes {
                count += 1;
                self.check_change(&change, count);
            }
        }
        assert_eq!(stream.next(most).await.expect("changes"), []);
    }

    fn check_change(&self, change: &engine::Change, number: usize) {
        let (space, write) = &self.model.history[number - 1];
        assert_eq!((change.sequence, change.keyspace), (Sequence(number as u64), self.spaces[*space].own_keyspace()));
        let found = match &change.what {
            ChangeKind::Put { key, value, expires_micros } => {
                // A batch takes an expiry at hour zero for one at the first microsecond.
                let expires_hour = (*expires_micros != 0).then_some(expires_micros / HOUR_MICROS);
                Write::Put { key: key.to_vec(), value: value.to_vec(), expires_hour }
            }
            ChangeKind::Delete { key } => Write::Delete { key: key.to_vec() },
            ChangeKind::DeleteRange { start, end } => {
                Write::DeleteRange { start: start.to_vec(), end: end.as_ref().map(|end| end.to_vec()) }
            }
        };
        assert_eq!(&found, write);
    }

    async fn checkpoint(&mut self) {
        self.copies += 1;
        let path = PathBuf::from(format!("/data/copy-{}", self.copies));
        let sequence = self.spaces[0].checkpoint(&path).await.expect("a copy");
        assert_eq!(sequence, self.model.sequence());
        let copy = spaces_of(&self.world, &path, &self.options).await.expect("a copy opens");
        for space in [0, 1] {
            self.compare(&copy[space], space, &self.model.state).await;
        }
        assert_eq!(copy[0].put("only in", "the copy").await.expect("a write"), Sequence(sequence.0 + 1));
        copy[0].close().await.expect("closing");
        assert_eq!(self.spaces[0].get(b"only in").await.expect("a read"), None);
    }

    async fn read_only(&self) {
        let opened = Db::open_read_only(self.world.clone(), Path::new(DIRECTORY), self.options.clone()).await;
        let (db, _) = opened.expect("an engine beside");
        let other = db.keyspace("other").await.expect("it is known");
        self.compare(&db, 0, &self.model.state).await;
        self.compare(&other, 1, &self.model.state).await;
        assert!(matches!(db.put("a", "b").await, Err(Error::ReadOnly)));
    }

    async fn reopen(&mut self, end: End, options: Options) {
        self.snapshots.clear();
        self.transaction = None;
        let clock = self.world.clock.clone();
        let disk = match end {
            End::Closed => {
                self.spaces[0].close().await.expect("closing");
                self.world.disk.clone()
            }
            End::Killed => self.world.disk.after_kill(),
            End::PowerLost(seed) => self.world.disk.after_power_loss(Keep::Part(seed)),
        };
        let world = MemoryWorld { clock, ..MemoryWorld::on(disk) };
        let (db, recovery) = Db::open(world.clone(), Path::new(DIRECTORY), options.clone()).await.expect("reopening");
        assert_eq!(recovery.sequence, self.model.sequence());
        assert_eq!(recovery.closed_cleanly, matches!(end, End::Closed));
        assert_eq!(recovery.torn_tail, None);
        let number = self.spaces[1].own_keyspace();
        let other = db.keyspace("other").await.expect("a keyspace");
        assert_eq!(other.own_keyspace(), number, "a keyspace got another number");
        let from = self.model.sequence().0 / 2;
        (self.stream, self.followed) = (db.changes(Sequence(from + 1)), from as usize);
        (self.world, self.spaces, self.options) = (world, [db, other], options);
    }
}

fn shared(range: &KeyRange) -> (Bound<Bytes>, Bound<Bytes>) {
    let share = |bound: &Bound<Vec<u8>>| bound.as_ref().map(|key| Bytes::copy_from_slice(key));
    (share(&range.0), share(&range.1))
}

fn expected(state: &State, space: Space, range: &KeyRange, backward: bool) -> Vec<Found> {
    let mut found = if is_empty(range) { Vec::new() } else { state.range(space, range) };
    if backward {
        found.reverse();
    }
    found
}

/// Compares, and shows what differs without the values' bytes.
fn same(found: &[Found], expected: &[Found], what: &str) {
    let brief = |all: &[Found]| -> Vec<String> {
        let brief =
            |(key, value, sequence): &Found| format!("{} @{sequence}, {} bytes", key.escape_ascii(), value.len());
        all.iter().map(brief).collect()
    };
    assert_eq!(brief(found), brief(expected), "{what}");
    assert!(found == expected, "{what}: a value is another");
}

async fn iterate(db: &Db<MemoryWorld>, range: &KeyRange, backward: bool, snapshot: &Snapshot) -> Vec<Found> {
    let direction = if backward { Direction::Backward } else { Direction::Forward };
    let mut iteration = db.iterate(shared(range), direction, snapshot).expect("an iteration");
    let mut found = Vec::new();
    while let Some((key, entry)) = iteration.next().await.expect("a key") {
        found.push((Vec::from(key), Vec::from(entry.value), entry.sequence));
    }
    found
}
