//! Runs a merge: entries in, tables out, and the books balanced. A flush is a rewrite of one memtable.
//!
//! ```text
//!   cursor ─▶ retain ─┬─▶ builder ─▶ table, cut at the target size and where the level below would overlap too much
//!                     └─▶ dropped, by reason
//!   set-hash(in) = set-hash(out) + set-hash(dropped), or the outputs are removed and the job fails
//! ```
//!
//! Range tombstones travel beside the entries: each output carries the pieces that lie between its first key and the
//! next output's. Versions of one key never go to two tables. An output that was begun and not finished is removed by the
//! caller, or by the next opening: nothing refers to it yet.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use crate::cursor::{At, Cursor, Seek};
use crate::error::Error;
use crate::format::Sequence;
use crate::format::entry::RangeTombstone;
use crate::format::properties::Properties;
use crate::merge::Fragments;
use crate::merge::retain::{Dropped, Readers, Retain};
use crate::table::{Builder, TableOptions};
use crate::world::{Disk, DiskError, Instant};

/// Bytes of finished blocks that are written in one append, at least and at most. The log waits behind each on a slow
/// device, so appends are as large as the device takes in a short time.
const WRITE_BYTES_MIN: usize = 8 * 1024;
const WRITE_BYTES_MAX: usize = 512 * 1024;

/// How long an append of blocks shall take at most.
const WRITE_TIME_MAX: Duration = Duration::from_millis(4);

/// Entries between two looks at whether the job shall stop.
const STEP_ENTRIES: usize = 4096;

/// Where outputs go and how long they get.
#[derive(Debug, Clone)]
pub(crate) struct OutputPlan {
    /// How tables are built.
    pub(crate) table: TableOptions,
    /// Bytes at which the next output begins.
    pub(crate) table_bytes: u64,
    /// Internal keys in front of which the next output begins whatever its size, ascending.
    pub(crate) cut_at: Vec<Bytes>,
    /// When the job began, for the tables' properties.
    pub(crate) created_micros: u64,
}

/// What went in and out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) entries_in: u64,
    pub(crate) entries_out: u64,
    pub(crate) superseded: u64,
    pub(crate) range_deleted: u64,
    pub(crate) tombstones: u64,
    pub(crate) expired: u64,
    pub(crate) hash_in: u64,
    pub(crate) hash_out: u64,
    pub(crate) hash_dropped: u64,
    pub(crate) bytes_out: u64,
}

impl Books {
    fn drop(&mut self, why: Dropped, hash: u64) {
        self.hash_dropped = self.hash_dropped.wrapping_add(hash);
        match why {
            Dropped::Superseded => self.superseded += 1,
            Dropped::RangeDeleted => self.range_deleted += 1,
            Dropped::Tombstone => self.tombstones += 1,
            Dropped::Expired => self.expired += 1,
        }
    }

    fn dropped(&self) -> u64 {
        self.superseded + self.range_deleted + self.tombstones + self.expired
    }

    /// The conservation law. `hash_in` and `entries_in` are what the inputs say of themselves.
    pub(crate) fn check(&self, entries_in: u64, hash_in: u64) -> Result<(), Error> {
        let entries_balance = self.entries_in == entries_in && entries_in == self.entries_out + self.dropped();
        let hashes_balance = self.hash_in == hash_in && hash_in == self.hash_out.wrapping_add(self.hash_dropped);
        if entries_balance && hashes_balance {
            return Ok(());
        }
        let what = format!("{self:?}, while the inputs say {entries_in} entries with set-hash {hash_in:#018x}");
        Err(Error::NotConserved { what })
    }
}

/// A finished output.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) path: PathBuf,
    pub(crate) properties: Properties,
}

/// What a rewrite reads and obeys.
pub(crate) struct Input<'a, C> {
    /// The entries.
    pub(crate) cursor: C,
    /// The range tombstones that come with them.
    pub(crate) fragments: &'a Fragments,
    /// Who reads, and what lies below.
    pub(crate) readers: &'a Readers,
    /// Where outputs go.
    pub(crate) plan: &'a OutputPlan,
}

/// What a rewrite asks of the engine around it.
pub(crate) trait Surroundings: Send {
    /// The number of the next table, and its path. It is told before the file is created, so that it can be removed.
    fn next_table(&mut self) -> (u64, PathBuf);
    /// Whether the job shall end at once, without a result.
    fn is_stopped(&self) -> bool;
    /// The time, by which appends are found to be slow.
    fn now(&self) -> Instant;
}

/// Rewrites the input. The outputs are synced, their names are not. `None`: it was stopped.
pub(crate) async fn rewrite<D: Disk, C: Cursor, S: Surroundings>(
    disk: &D,
    input: Input<'_, C>,
    surroundings: &mut S,
) -> Result<Option<(Vec<Output>, Books)>, Error> {
    let Input { mut cursor, fragments, readers, plan } = input;
    let mut retain = Retain::new(readers, fragments);
    let mut writer = Writer::<D>::new(plan, fragments, readers);
    let mut books = Books::default();
    cursor.seek(Seek::First);
    loop {
        match step(&mut cursor, &mut retain, &mut writer, &mut books) {
            Step::Load => cursor.load().await?,
            Step::Look if surroundings.is_stopped() => return Ok(None),
            Step::Look => {}
            Step::Begin => writer.begin(disk, surroundings).await?,
            Step::Write => {
                let began = surroundings.now();
                writer.write().await?;
                writer.pace(surroundings.now().saturating_since(began));
            }
            Step::Finish => writer.finish(&mut books).await?,
            Step::End => return Ok(Some((writer.outputs, books))),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The cursor must load.
    Load,
    /// A table must be begun.
    Begin,
    /// There is enough to write.
    Write,
    /// The table is complete.
    Finish,
    /// Time to look whether to stop.
    Look,
    /// Everything is written.
    End,
}

/// Moves entries until something must be awaited.
fn step<D: Disk, C: Cursor>(
    cursor: &mut C,
    retain: &mut Retain<'_>,
    writer: &mut Writer<'_, D>,
    books: &mut Books,
) -> Step {
    for _ in 0..STEP_ENTRIES {
        match cursor.at() {
            At::Unloaded => return Step::Load,
            At::End => return writer.step_at_end(),
            At::Entry => {}
        }
        let entry = cursor.entry();
        if !writer.is_decided {
            let hash = entry.set_hash();
            books.entries_in += 1;
            books.hash_in = books.hash_in.wrapping_add(hash);
            if let Some(why) = retain.decide(&entry) {
                books.drop(why, hash);
                cursor.next();
                continue;
            }
            writer.is_decided = true;
            if writer.must_cut(entry.key) {
                writer.end_tombstones_at(Some(entry.key));
                return Step::Finish;
            }
        }
        let Some((_, builder)) = &mut writer.builder else { return Step::Begin };
        builder.add(entry);
        let buffered_bytes = builder.buffered_bytes();
        writer.added(entry.key);
        cursor.next();
        if buffered_bytes >= writer.write_bytes {
            return Step::Write;
        }
    }
    Step::Look
}

/// The outputs so far, and the one being written.
struct Writer<'a, D: Disk> {
    plan: &'a OutputPlan,
    builder: Option<(PathBuf, Builder<D::File>)>,
    outputs: Vec<Output>,
    /// Whether the entry at hand was already found worth keeping.
    is_decided: bool,
    last_key: Vec<u8>,
    /// Range tombstones that are kept, in key order, and how many of them are written.
    tombstones: Vec<RangeTombstone>,
    tombstones_written: usize,
    /// How many places of `cut_at` are behind us.
    cuts_passed: usize,
    /// Bytes of the next append.
    write_bytes: usize,
}

impl<'a, D: Disk> Writer<'a, D> {
    fn new(plan: &'a OutputPlan, fragments: &Fragments, readers: &Readers) -> Self {
        Self {
            plan,
            builder: None,
            outputs: Vec::new(),
            is_decided: false,
            last_key: Vec::new(),
            tombstones: kept_tombstones(fragments, readers),
            tombstones_written: 0,
            cuts_passed: 0,
            write_bytes: WRITE_BYTES_MIN,
        }
    }

    /// Behind the last entry: the rest of the range tombstones, then the last table, then nothing.
    fn step_at_end(&mut self) -> Step {
        if self.tombstones_written < self.tombstones.len() {
            if self.builder.is_none() {
                return Step::Begin;
            }
            self.end_tombstones_at(None);
        }
        if self.builder.is_some() { Step::Finish } else { Step::End }
    }

    /// Whether the table at hand ends before `key`. A key's versions stay together.
    fn must_cut(&mut self, key: &[u8]) -> bool {
        let passed_before = self.cuts_passed;
        while self.plan.cut_at.get(self.cuts_passed).is_some_and(|cut| cut[..] <= *key) {
            self.cuts_passed += 1;
        }
        let Some((_, builder)) = &self.builder else { return false };
        let is_full = builder.file_bytes() >= self.plan.table_bytes || self.cuts_passed > passed_before;
        is_full && self.last_key != key
    }

    fn added(&mut self, key: &[u8]) {
        self.is_decided = false;
        if self.last_key != key {
            self.last_key.clear();
            self.last_key.extend_from_slice(key);
        }
    }

    /// Hands the table at hand the range tombstones before `key`, cut there; all that are left for `None`.
    fn end_tombstones_at(&mut self, key: Option<&[u8]>) {
        let (_, builder) = self.builder.as_mut().expect("tombstones are ended for a table that was begun");
        let mut rest = Vec::new();
        while let Some(tombstone) = self.tombstones.get(self.tombstones_written) {
            if key.is_some_and(|key| tombstone.start[..] >= *key) {
                break;
            }
            let mut piece = tombstone.clone();
            if let Some(key) = key.filter(|key| tombstone.end[..] > **key) {
                piece.end = Bytes::copy_from_slice(key);
                rest.push(RangeTombstone { start: piece.end.clone(), ..tombstone.clone() });
            }
            builder.add_range_tombstone(piece);
            self.tombstones_written += 1;
        }
        self.tombstones.splice(self.tombstones_written..self.tombstones_written, rest);
    }

    async fn begin<S: Surroundings>(&mut self, disk: &D, surroundings: &mut S) -> Result<(), DiskError> {
        let (number, path) = surroundings.next_table();
        let file = disk.create(&path).await?;
        self.builder = Some((path, Builder::new(file, number, self.plan.created_micros, self.plan.table)));
        Ok(())
    }

    async fn write(&mut self) -> Result<(), DiskError> {
        let (_, builder) = self.builder.as_mut().expect("what is written was begun");
        builder.write_buffered().await
    }

    /// Makes the next append larger or smaller, by how long the last one took.
    fn pace(&mut self, took: Duration) {
        if took > WRITE_TIME_MAX {
            self.write_bytes = (self.write_bytes / 2).max(WRITE_BYTES_MIN);
        } else if took < WRITE_TIME_MAX / 2 {
            self.write_bytes = (self.write_bytes * 2).min(WRITE_BYTES_MAX);
        }
    }

    async fn finish(&mut self, books: &mut Books) -> Result<(), DiskError> {
        let (path, builder) = self.builder.take().expect("what is finished was begun");
        let properties = builder.finish().await?;
        books.bytes_out += properties.file_bytes;
        books.hash_out = books.hash_out.wrapping_add(properties.tally.set_hash);
        books.entries_out += properties.tally.entries;
        self.outputs.push(Output { path, properties });
        Ok(())
    }
}

/// The range tombstones that somebody still needs: of those that cover a fragment, one for each group of readers that
/// sees no difference between them.
fn kept_tombstones(fragments: &Fragments, readers: &Readers) -> Vec<RangeTombstone> {
    let mut kept = Vec::new();
    for fragment in fragments.iter() {
        let mut newer: Option<Sequence> = None;
        for sequence in &fragment.sequences {
            let is_hidden = newer.is_some_and(|newer| readers.is_hidden(*sequence, newer));
            newer = Some(*sequence);
            if !is_hidden && !readers.is_tombstone_done(*sequence) {
                let (start, end) = (fragment.start.clone(), fragment.end.clone());
                kept.push(RangeTombstone { start, end, sequence: *sequence });
            }
        }
    }
    kept
}
