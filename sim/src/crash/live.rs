//! One life of an engine, in whatever world: opens it, takes the plan's steps, and tells the ledger what was asked and said.
//!
//! ```text
//!   step ──▶ ledger: issued ──▶ Db ──▶ ledger: acknowledged, durable
//! ```
//!
//! A wrong answer ends the life with a sentence; an error of the engine ends it with that error, and whoever planned no
//! fault takes it for a wrong answer too.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use engine::world::{Clock, TaskHandle, Tasks, WallTime, World};
use engine::{Batch, Db, Direction, Durability, Error, Outcome, ScanLimits, Snapshot, all_keys};

use super::ledger::{Held, Ledger};
use super::plan::{Action, Change, End, Key, Plan, SPACES, Step};

/// The engine's directory.
pub(super) const DIRECTORY: &str = "/node";

/// A wall time that no run reaches: 2096.
const NEVER_MICROS: u64 = 4_000_000_000_000_000;

/// How a life went on until it ended.
#[derive(Debug)]
pub(super) enum Lived {
    /// As planned.
    Well,
    /// Until the engine refused to go on.
    Until(Error),
}

/// An open engine, with a handle to each of the keyspaces that are written.
pub(super) struct Handles<W: World> {
    of_spaces: Vec<Db<W>>,
}

impl<W: World> Handles<W> {
    /// Opens every keyspace, or makes it.
    pub(super) async fn of(db: Db<W>) -> Result<Self, Error> {
        let mut of_spaces = Vec::with_capacity(SPACES.len());
        for name in SPACES {
            of_spaces.push(match name {
                Some(name) => db.keyspace(name).await?,
                None => db.clone(),
            });
        }
        Ok(Self { of_spaces })
    }

    /// The engine as a whole.
    pub(super) fn db(&self) -> &Db<W> {
        &self.of_spaces[0]
    }

    /// What a point read finds.
    pub(super) async fn get(&self, (space, key): &Key) -> Result<Option<(Bytes, u64)>, Error> {
        let found = self.of_spaces[*space].get(key).await?;
        Ok(found.map(|entry| (entry.value, entry.sequence.0)))
    }

    /// What a point read finds at a snapshot.
    async fn get_at(&self, (space, key): &Key, snapshot: &Snapshot) -> Result<Option<(Bytes, u64)>, Error> {
        let found = self.of_spaces[*space].get_at(key, snapshot).await?;
        Ok(found.map(|entry| (entry.value, entry.sequence.0)))
    }

    /// Everything in the engine, page by page.
    pub(super) async fn scan(&self, snapshot: &Snapshot) -> Result<Held, Error> {
        let mut held = Held::new();
        let limits = ScanLimits { entries: 5, ..ScanLimits::default() };
        for (space, db) in self.of_spaces.iter().enumerate() {
            let mut from = Bound::Unbounded;
            loop {
                let page = db.scan((from, Bound::Unbounded), limits, snapshot).await?;
                held.extend(
                    page.entries.into_iter().map(|(key, entry)| ((space, key), (entry.value, entry.sequence.0))),
                );
                match page.next {
                    Some(next) => from = Bound::Included(next),
                    None => break,
                }
            }
        }
        Ok(held)
    }

    /// Everything in the engine, from the last key to the first.
    pub(super) async fn scan_backward(&self, snapshot: &Snapshot) -> Result<Held, Error> {
        let mut held = Held::new();
        for (space, db) in self.of_spaces.iter().enumerate() {
            let mut iteration = db.iterate(all_keys(), Direction::Backward, snapshot)?;
            while let Some((key, entry)) = iteration.next().await? {
                held.insert((space, key), (entry.value, entry.sequence.0));
            }
        }
        Ok(held)
    }

    /// The batch of these changes.
    pub(super) fn batch(&self, changes: &[Change]) -> Batch {
        let never = WallTime { micros: NEVER_MICROS };
        changes.iter().fold(Batch::new(), |batch, ((space, key), action)| {
            let batch = batch.within(self.of_spaces[*space].own_keyspace());
            match action {
                Action::Put(value) => batch.put(key, value),
                Action::PutUntil(value) => batch.put_until(key, value, never),
                Action::Delete => batch.delete(key),
                Action::DeleteRange(end) => batch.delete_range(key, Some(end)),
            }
        })
    }
}

impl<W: World> Clone for Handles<W> {
    fn clone(&self) -> Self {
        Self { of_spaces: self.of_spaces.clone() }
    }
}

/// Compares what was found with what must be, key by key. `Err` names the first key that differs.
pub(super) fn compare(found: &Held, expected: &Held) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let show = |value: Option<&(Bytes, u64)>| match value {
        None => "nothing".to_string(),
        Some((value, sequence)) => format!("`{}` of sequence {sequence}", value[..value.len().min(60)].escape_ascii()),
    };
    let key = found.keys().chain(expected.keys()).filter(|key| found.get(*key) != expected.get(*key)).min();
    let key = key.expect("maps that differ differ at a key");
    let (expected, found) = (show(expected.get(key)), show(found.get(key)));
    Err(format!("{}: expected {expected}, found {found}", words(key)))
}

/// A key, for people.
pub(super) fn words((space, key): &Key) -> String {
    format!("{} in keyspace {space}", key.escape_ascii())
}

/// A batch that is being written.
type Writing<W> = <<W as World>::Tasks as Tasks>::Handle<Result<(), Error>>;

/// One process's view of a run.
pub(super) struct Process<W: World> {
    world: W,
    handles: Handles<W>,
    ledger: Ledger,
    durability: Durability,
    snapshots: Vec<(Snapshot, Held)>,
}

/// Lives life number `life` of the plan. `Err` is a wrong answer.
pub(super) async fn live<W: World>(world: W, plan: Arc<Plan>, life: usize, ledger: Ledger) -> Result<Lived, String> {
    match open(world, &plan, life, ledger).await {
        Ok(mut process) => process.live(&plan.lives[life].steps, plan.lives[life].end).await,
        Err(error) => Ok(Lived::Until(error)),
    }
}

async fn open<W: World>(world: W, plan: &Plan, life: usize, ledger: Ledger) -> Result<Process<W>, Error> {
    let options = plan.options_of(life);
    let durability = options.durability;
    let (db, _) = Db::open(world.clone(), Path::new(DIRECTORY), options).await?;
    let handles = Handles::of(db).await?;
    Ok(Process { world, handles, ledger, durability, snapshots: Vec::new() })
}

impl<W: World> Process<W> {
    async fn live(&mut self, steps: &[Step], end: End) -> Result<Lived, String> {
        for step in steps {
            if let Err(error) = self.take(step).await? {
                self.read_on().await?;
                self.nothing_is_taken_after(&error).await?;
                return Ok(Lived::Until(error));
            }
        }
        self.read().await?;
        self.snapshots.clear();
        if end == End::Closed {
            let acknowledged = self.ledger.acknowledged();
            if let Err(error) = self.handles.db().close().await {
                return Ok(Lived::Until(error));
            }
            self.ledger.synced(&acknowledged);
        }
        Ok(Lived::Well)
    }

    async fn take(&mut self, step: &Step) -> Result<Result<(), Error>, String> {
        let db = self.handles.db();
        match step {
            Step::Write(batches) => return Ok(self.write_all(batches).await),
            Step::Sync => return Ok(self.make_durable(db.sync()).await),
            Step::Flush => return Ok(self.make_durable(db.flush()).await),
            Step::Compact => return Ok(self.make_durable(db.compact()).await),
            Step::Checkpoint(batches) => {
                let path = self.ledger.issue_copy();
                let writers = self.begin_writing(batches);
                let copied = self.make_durable(self.copy(&path)).await;
                let written = end_writing(writers).await;
                return Ok(copied.and(written));
            }
            Step::TakeSnapshot => {
                let snapshot = db.snapshot();
                match self.handles.scan(&snapshot).await {
                    Ok(held) => self.snapshots.push((snapshot, held)),
                    Err(error) => return Ok(Err(error)),
                }
            }
            Step::Read => self.read().await?,
            Step::DropSnapshots => self.snapshots.clear(),
            Step::Wait(duration) => {
                let clock = self.world.clock();
                clock.sleep_until(clock.now() + *duration).await;
            }
        }
        Ok(Ok(()))
    }

    /// What is acknowledged before a call that promises it is durable when it ends well.
    async fn make_durable(&self, call: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
        let acknowledged = self.ledger.acknowledged();
        call.await?;
        self.ledger.synced(&acknowledged);
        Ok(())
    }

    async fn copy(&self, path: &Path) -> Result<(), Error> {
        let sequence = self.handles.db().checkpoint(path).await?;
        self.ledger.copied(sequence.0);
        Ok(())
    }

    async fn write_all(&self, batches: &[Vec<Change>]) -> Result<(), Error> {
        end_writing(self.begin_writing(batches)).await
    }

    /// Writes batches, all at the same time, each in a task of its own.
    fn begin_writing(&self, batches: &[Vec<Change>]) -> Vec<Writing<W>> {
        batches
            .iter()
            .map(|changes| {
                let (handles, ledger, changes) = (self.handles.clone(), self.ledger.clone(), changes.clone());
                let is_durable = self.durability == Durability::Always;
                self.world.tasks().spawn("writer", async move { write(&handles, &ledger, changes, is_durable).await })
            })
            .collect()
    }

    async fn read(&self) -> Result<(), String> {
        for (snapshot, held) in &self.snapshots {
            let sequence = snapshot.sequence().0;
            let failed = |error| format!("the snapshot at {sequence} cannot be read: {error}");
            let changed = |key| format!("the snapshot at {sequence} has changed: {key}");
            compare(&self.handles.scan(snapshot).await.map_err(failed)?, held).map_err(changed)?;
            for key in self.ledger.log().keys() {
                let found = self.handles.get_at(&key, snapshot).await.map_err(failed)?;
                if found.as_ref() != held.get(&key) {
                    return Err(changed(format!("{}: a get finds {found:?}", words(&key))));
                }
            }
        }
        self.read_now().await
    }

    /// Nobody writes: what is there is what was acknowledged.
    async fn read_now(&self) -> Result<(), String> {
        let (log, acknowledged) = (self.ledger.log(), self.ledger.acknowledged().len());
        let found = self.handles.scan(&self.handles.db().snapshot()).await;
        let found = found.map_err(|error| format!("the engine cannot be read: {error}"))?;
        compare(&found, &log.held_after(acknowledged)).map_err(|key| format!("while it lives, {key}"))
    }

    /// After a failure the engine goes on reading, and shows what it had acknowledged.
    async fn read_on(&self) -> Result<(), String> {
        self.read().await.map_err(|message| format!("after a failure, {message}"))
    }

    /// After a commit that failed nothing is taken any more: what is on the disk before it is unknown.
    async fn nothing_is_taken_after(&self, error: &Error) -> Result<(), String> {
        if !matches!(error, Error::CommitFailed { .. } | Error::Poisoned { .. }) {
            return Ok(());
        }
        match self.handles.db().write(Batch::new().put("behind a failure", "")).await {
            Err(Error::Poisoned { .. }) => Ok(()),
            Ok(_) => Err(format!("after `{error}` another write was taken")),
            Err(other) => Err(format!("after `{error}` another write was refused with `{other}`, not as poisoned")),
        }
    }
}

/// Waits for writers; the first error is theirs.
async fn end_writing(writers: Vec<impl TaskHandle<Result<(), Error>>>) -> Result<(), Error> {
    let mut written = Ok(());
    for writer in writers {
        let ended = writer.join().await.expect("nobody cancels a writer");
        written = written.and(ended);
    }
    written
}

async fn write<W: World>(
    handles: &Handles<W>,
    ledger: &Ledger,
    changes: Vec<Change>,
    is_durable: bool,
) -> Result<(), Error> {
    let batch = handles.batch(&changes);
    let number = ledger.issue(changes);
    match handles.db().write(batch).await {
        Ok(sequence) => ledger.acknowledge(number, sequence.0, is_durable),
        Err(error) => {
            if error.outcome() == Outcome::NotApplied {
                ledger.refuse(number);
            }
            return Err(error);
        }
    }
    Ok(())
}
