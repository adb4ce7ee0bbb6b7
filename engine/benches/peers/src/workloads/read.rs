//! Reads of single keys and of short ranges. Each answer is checked: an engine that returns the wrong thing quickly
//! fails its row.

use super::drive::{Course, Done, Worker};
use crate::data::{self, Data, Random, Seen};
use crate::engines::{Engine, Failure};

/// Reads random keys.
pub(super) struct Read<'a> {
    course: &'a Course<'a>,
    random: Random,
}

impl<'a> Read<'a> {
    pub(super) fn new(course: &'a Course<'a>, random: Random) -> Self {
        Self { course, random }
    }
}

impl Worker for Read<'_> {
    fn step(&mut self) -> Result<Option<Done>, Failure> {
        let data = self.course.data;
        read(self.course.engine, data, data.loaded(self.random.below(data.keys())))?;
        Ok(Some(Done::READ))
    }
}

/// Reads the key with this number, which must be there.
pub(super) fn read(engine: &dyn Engine, data: &Data, number: u64) -> Result<(), Failure> {
    match engine.get(&data::key(number))? {
        Some(seen) if data.belongs(number, seen) => Ok(()),
        other => Err(format!("key {number:016x} was read as {other:x?}").into()),
    }
}

/// Reads keys that are not there.
pub(super) struct Missing<'a> {
    course: &'a Course<'a>,
    random: Random,
}

impl<'a> Missing<'a> {
    pub(super) fn new(course: &'a Course<'a>, random: Random) -> Self {
        Self { course, random }
    }
}

impl Worker for Missing<'_> {
    fn step(&mut self) -> Result<Option<Done>, Failure> {
        let data = self.course.data;
        let number = data.missing(self.random.below(data.keys()));
        match self.course.engine.get(&data::key(number))? {
            None => Ok(Some(Done::READ)),
            Some(seen) => Err(format!("key {number:016x} was never written and was read as {seen:x?}").into()),
        }
    }
}

/// Seeks a random key and goes on from there.
pub(super) struct Seek<'a> {
    course: &'a Course<'a>,
    random: Random,
    entries: usize,
}

impl<'a> Seek<'a> {
    pub(super) fn new(course: &'a Course<'a>, random: Random, next: usize) -> Self {
        Self { course, random, entries: 1 + next }
    }
}

impl Worker for Seek<'_> {
    fn step(&mut self) -> Result<Option<Done>, Failure> {
        let data = self.course.data;
        scan(self.course.engine, data, self.random.below(data.keys()), self.entries)?;
        Ok(Some(Done::READ))
    }
}

/// Scans from the loaded key at this index. It must be there, as must as many after it as the key space has.
pub(super) fn scan(engine: &dyn Engine, data: &Data, index: u64, entries: usize) -> Result<(), Failure> {
    let number = data.loaded(index);
    let mut first = None;
    let mut value_bytes = 0;
    let visited = engine.scan(&data::key(number), entries, &mut |key, value| {
        first.get_or_insert_with(|| (data::number(key), Seen::of(value)));
        value_bytes += value.len();
    })?;
    let is_first = first.is_some_and(|(found, seen)| found == Some(number) && data.belongs(number, seen));
    let entries_min = entries.min((data.keys() - index) as usize);
    if is_first && (entries_min..=entries).contains(&visited) && value_bytes == visited * data.value_bytes() {
        return Ok(());
    }
    Err(format!("a scan of {entries} from {number:016x} saw {visited}, {value_bytes} bytes, first {first:x?}").into())
}
