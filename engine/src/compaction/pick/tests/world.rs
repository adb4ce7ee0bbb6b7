//! A tree of tables that are sets of entries: random flushes, jobs that run at once and end in any order, and a map that
//! knows what every read must find.
//!
//! The merge here is naive on purpose: it shares no code with the engine's.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::compaction::{
    Added, Context, Cursors, Edit, Job, Kind, Place, Shape, Strategy, TableFacts, apply, debt, pick,
};
use crate::format::Sequence;
use crate::world::Rng;

pub(super) const ENTRY_BYTES: u64 = 100;

/// A version of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: u32,
    pub(super) sequence: u64,
    pub(super) put: bool,
    /// 0 for never.
    pub(super) expires: u64,
}

impl Entry {
    fn lives(&self, now: u64) -> bool {
        self.put && (self.expires == 0 || self.expires > now)
    }
}

/// What is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workload {
    pub(super) keys: u64,
    pub(super) flush_entries: u64,
    pub(super) delete_percent: u64,
    pub(super) expire_percent: u64,
}

struct Running {
    job: Job,
    snapshot: u64,
}

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) shape: Shape<TableFacts>,
    pub(super) strategy: Strategy,
    pub(super) flushed_entries: u64,
    pub(super) merged_entries: u64,
    pub(super) jobs: BTreeMap<String, u64>,
    pub(super) now: u64,
    workload: Workload,
    tables: BTreeMap<u64, Vec<Entry>>,
    newest: BTreeMap<u32, Entry>,
    /// A snapshot's sequence, and what it must go on to read.
    snapshot: Option<(u64, BTreeMap<u32, Entry>)>,
    /// Fifo has dropped data: a key may be missing, but never be older than it was.
    pub(super) lossy: bool,
    running: Vec<Running>,
    cursors: Cursors,
    sequence: u64,
    number: u64,
}

fn kept(entries: &[Entry], snapshot: u64, drop_tombstones: bool, now: u64) -> Vec<Entry> {
    let mut sorted = entries.to_vec();
    sorted.sort_by_key(|entry| (entry.key, std::cmp::Reverse(entry.sequence)));
    let mut kept: Vec<Entry> = Vec::new();
    let mut covered = None;
    for mut entry in sorted {
        if covered == Some(entry.key) {
            continue;
        }
        if entry.sequence <= snapshot {
            covered = Some(entry.key);
            if !entry.lives(now) {
                if drop_tombstones {
                    continue;
                }
                (entry.put, entry.expires) = (false, 0);
            }
        }
        kept.push(entry);
    }
    kept
}

impl World {
    pub(super) fn new(seed: u64, strategy: Strategy, workload: Workload) -> Self {
        assert_eq!(strategy.validate(), Ok(()));
        Self {
            rng: Rng::from_seed(seed),
            shape: Shape::new(),
            lossy: matches!(strategy, Strategy::Fifo(_)),
            strategy,
            flushed_entries: 0,
            merged_entries: 0,
            jobs: BTreeMap::new(),
            now: 1_000,
            workload,
            tables: BTreeMap::new(),
            newest: BTreeMap::new(),
            snapshot: None,
            running: Vec::new(),
            cursors: Cursors::default(),
            sequence: 0,
            number: 0,
        }
    }

    /// A table of entries in order, and its facts.
    fn table(&mut self, entries: Vec<Entry>) -> TableFacts {
        self.number += 1;
        let key = |key: u32| Bytes::copy_from_slice(&key.to_be_bytes());
        let sequences = || entries.iter().map(|entry| entry.sequence);
        let forever = entries.iter().any(|entry| entry.expires == 0);
        let facts = TableFacts {
            number: self.number,
            bytes: entries.len() as u64 * ENTRY_BYTES,
            entries: entries.len() as u64,
            tombstones: entries.iter().filter(|entry| !entry.put).count() as u64,
            expiring: entries.iter().filter(|entry| entry.expires != 0).count() as u64,
            smallest: key(entries[0].key),
            end: key(entries[entries.len() - 1].key + 1),
            min_sequence: Sequence(sequences().min().unwrap()),
            max_sequence: Sequence(sequences().max().unwrap()),
            max_expires_micros: if forever { 0 } else { entries.iter().map(|entry| entry.expires).max().unwrap() },
            created_micros: self.now,
        };
        self.tables.insert(self.number, entries);
        facts
    }

    pub(super) fn flush(&mut self) {
        let Workload { keys, flush_entries, delete_percent, expire_percent } = self.workload;
        // Some memtables hold a narrow range, so that tables can be moved and ranges be disjoint.
        let (first, width) = if self.rng.chance(1, 4) { (self.rng.below(keys), keys / 8 + 1) } else { (0, keys) };
        let mut batch: BTreeMap<u32, Entry> = BTreeMap::new();
        for _ in 0..flush_entries {
            self.sequence += 1;
            let key = ((first + self.rng.below(width)) % keys) as u32;
            let put = !self.rng.chance(delete_percent, 100);
            let expires = if put && self.rng.chance(expire_percent, 100) { self.now + self.rng.below(400) } else { 0 };
            let entry = Entry { key, sequence: self.sequence, put, expires };
            batch.insert(key, entry);
            self.newest.insert(key, entry);
        }
        self.flushed_entries += batch.len() as u64;
        let entries: Vec<Entry> = batch.into_values().collect();
        let parts = entries.chunks(entries.len().div_ceil(1 + self.rng.below(2) as usize)).map(<[Entry]>::to_vec);
        let tables = parts.collect::<Vec<_>>().into_iter().map(|part| self.table(part)).collect();
        apply(&mut self.shape, &Edit::flush(tables)).unwrap();
    }

    pub(super) fn take_snapshot(&mut self) {
        self.snapshot = Some((self.sequence, self.newest.clone()));
    }

    pub(super) fn release_snapshot(&mut self) {
        self.snapshot = None;
    }

    pub(super) fn context(&self) -> Context {
        Context {
            now_micros: self.now,
            oldest_snapshot: Sequence(self.snapshot.as_ref().map_or(self.sequence, |(sequence, _)| *sequence)),
            memtable_bytes: self.workload.flush_entries * ENTRY_BYTES,
            running: self.running.iter().map(|running| running.job.claim()).collect(),
            cursors: self.cursors.clone(),
        }
    }

    /// Starts a job if there is one.
    pub(super) fn start(&mut self) -> bool {
        let context = self.context();
        let Some(job) = pick(&self.shape, &self.strategy, &context) else { return false };
        assert!(context.running.iter().all(|running| !running.conflicts(&job.claim())), "{job:?}");
        self.cursors.advance(&job);
        let name = format!("{:?} {:?}", job.kind, job.reason);
        *self.jobs.entry(name.split(" {").next().unwrap().to_string()).or_default() += 1;
        self.running.push(Running { job, snapshot: context.oldest_snapshot.0 });
        true
    }

    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// Ends one of the running jobs.
    pub(super) fn finish_any(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let index = self.rng.below(self.running.len() as u64) as usize;
        let Running { job, snapshot } = self.running.swap_remove(index);
        let removed = job.removed();
        let inputs: Vec<(u64, Vec<Entry>)> =
            removed.iter().map(|(_, number)| (*number, self.tables[number].clone())).collect();
        let facts = |number: &u64| self.shape.table(*number).expect("an input is there").1.clone();
        let tables: Vec<TableFacts> = match job.kind {
            Kind::TrivialMove => removed.iter().map(|(_, number)| facts(number)).collect(),
            Kind::Drop => Vec::new(),
            Kind::Merge => {
                let entries: Vec<Entry> = inputs.iter().flat_map(|(_, entries)| entries.clone()).collect();
                self.outputs(&job, kept(&entries, snapshot, job.drop_tombstones, self.now))
            }
        };
        if job.kind != Kind::TrivialMove {
            removed.iter().for_each(|(_, number)| _ = self.tables.remove(number));
        }
        let added = Added { level: job.output_level, place: job.place, tables };
        let added = if added.tables.is_empty() && job.place == Place::InPlace { Vec::new() } else { vec![added] };
        apply(&mut self.shape, &Edit { removed, added }).unwrap_or_else(|misfit| panic!("{misfit}: {job:?}"));
    }

    fn outputs(&mut self, job: &Job, entries: Vec<Entry>) -> Vec<TableFacts> {
        self.merged_entries += entries.len() as u64;
        let mut tables = Vec::new();
        let mut part: Vec<Entry> = Vec::new();
        for entry in entries {
            let key = entry.key.to_be_bytes();
            let new_key = part.last().is_some_and(|last| last.key != entry.key);
            let cut = part.last().is_some_and(|last| {
                job.cut_at.iter().any(|cut| cut[..] > last.key.to_be_bytes()[..] && cut[..] <= key[..])
            });
            if new_key && (cut || part.len() as u64 * ENTRY_BYTES >= job.target_table_bytes) {
                tables.push(self.table(std::mem::take(&mut part)));
            }
            part.push(entry);
        }
        if !part.is_empty() {
            tables.push(self.table(part));
        }
        tables
    }

    /// Everything that must hold at any time.
    pub(super) fn check(&self) {
        let mut versions: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
        let mut tables = 0;
        for (_, run) in self.shape.newest_first() {
            let facts: Vec<&TableFacts> = run.iter().collect();
            assert!(!facts.is_empty() && facts.windows(2).all(|pair| pair[0].end <= pair[1].smallest), "{facts:?}");
            assert_eq!(run.bytes(), facts.iter().map(|facts| facts.bytes).sum::<u64>());
            tables += facts.len();
            for entry in facts.iter().flat_map(|facts| &self.tables[&facts.number]) {
                versions.entry(entry.key).or_default().push(*entry);
            }
        }
        assert_eq!(tables, self.tables.len(), "a table is in no run");
        for (key, versions) in &versions {
            let order = versions.windows(2).all(|pair| pair[0].sequence > pair[1].sequence);
            assert!(order, "key {key} has an older version above a newer one: {versions:?}");
        }
        self.check_reads(&versions, u64::MAX, &self.newest);
        if let Some((sequence, newest)) = &self.snapshot {
            self.check_reads(&versions, *sequence, newest);
        }
    }

    fn check_reads(&self, versions: &BTreeMap<u32, Vec<Entry>>, sequence: u64, newest: &BTreeMap<u32, Entry>) {
        for (key, expected) in newest {
            let found = versions.get(key).and_then(|found| found.iter().find(|entry| entry.sequence <= sequence));
            let found = found.filter(|entry| entry.lives(self.now));
            let expected = Some(expected).filter(|entry| entry.lives(self.now));
            if found.is_some() || !self.lossy {
                assert_eq!(found, expected, "key {key} at {sequence}");
            }
        }
    }

    /// Runs until nothing is left to do, and holds what must then be so.
    pub(super) fn settle(&mut self) {
        for _ in 0..20_000 {
            while self.running.len() < 3 && self.start() {}
            if self.running.is_empty() {
                let owed = debt(&self.shape, &self.strategy);
                assert!(owed.bytes == 0 && owed.level0_runs_over == 0, "{owed:?}");
                return;
            }
            self.finish_any();
            self.check();
        }
        panic!("{:?} never comes to rest: {:?}", self.strategy, self.jobs);
    }

    /// One random step.
    pub(super) fn step(&mut self) {
        self.now += self.rng.below(10);
        match self.rng.below(20) {
            0..5 => self.flush(),
            5..12 if self.running.len() < 4 => _ = self.start(),
            19 if self.rng.chance(1, 4) => self.take_snapshot(),
            18 if self.rng.chance(1, 3) => self.release_snapshot(),
            _ => self.finish_any(),
        }
        self.check();
    }
}
