//! The core workloads of the Yahoo Cloud Serving Benchmark (Cooper et al., 2010), with keys and values of this house
//! instead of YCSB's.
//!
//! ```text
//!   A  50% read   50% update              D  95% read, the newest most often    5% insert
//!   B  95% read    5% update              E  95% scan of 1 to 100 entries       5% insert
//!   C 100% read                           F  50% read   50% read, then update
//! ```
//!
//! D reads by recency: rank 0 is the key inserted last, then the one before, and after those inserted the loaded ones,
//! the last loaded first.

use std::sync::atomic::Ordering;

use super::Mix;
use super::drive::{Course, Done, Worker};
use super::read::{read, scan};
use crate::data::{self, Random};
use crate::engines::Failure;

const SCAN_ENTRIES_MAX: u64 = 100;

/// One thread's share of a mix.
pub(super) struct Ycsb<'a> {
    course: &'a Course<'a>,
    random: Random,
    mix: Mix,
    is_alone: bool,
    value: Vec<u8>,
}

impl<'a> Ycsb<'a> {
    pub(super) fn new(course: &'a Course<'a>, random: Random, mix: Mix, is_alone: bool) -> Self {
        Self { course, random, mix, is_alone, value: Vec::new() }
    }

    fn rank(&mut self) -> u64 {
        self.course.zipf.as_ref().expect("a group with a mix has its popularity").rank(&mut self.random)
    }

    fn popular(&mut self) -> u64 {
        let rank = self.rank();
        self.course.data.permuted(rank)
    }

    fn write(&mut self, number: u64) -> Result<Done, Failure> {
        let data = self.course.data;
        data.value(number, &mut self.random, &mut self.value);
        self.course.engine.put(&data::key(number), &self.value)?;
        Ok(Done::written(data.pair_bytes()))
    }

    fn read_popular(&mut self) -> Result<u64, Failure> {
        let number = self.course.data.loaded(self.popular());
        read(self.course.engine, self.course.data, number)?;
        Ok(number)
    }

    fn read_newest(&mut self) -> Result<(), Failure> {
        let data = self.course.data;
        let newest = data.keys() + self.course.inserts_done.load(Ordering::Acquire);
        let position = newest - 1 - self.rank();
        if position < data.keys() {
            return read(self.course.engine, data, data.loaded(data.permuted(position)));
        }
        let number = data.inserted(position - data.keys());
        match self.course.engine.get(&data::key(number))? {
            Some(seen) if data.belongs(number, seen) => Ok(()),
            // Another thread may have begun this insert and not ended it, while later ones were.
            None if !self.is_alone => Ok(()),
            other => Err(format!("inserted key {number:016x} was read as {other:x?}").into()),
        }
    }

    fn insert(&mut self) -> Result<Done, Failure> {
        let count = self.course.inserts_begun.fetch_add(1, Ordering::Relaxed);
        let done = self.write(self.course.data.inserted(count))?;
        self.course.inserts_done.fetch_add(1, Ordering::Release);
        Ok(done)
    }
}

impl Worker for Ycsb<'_> {
    fn step(&mut self) -> Result<Option<Done>, Failure> {
        let percent = self.random.below(100);
        let done = match self.mix {
            Mix::A if percent >= 50 => {
                let number = self.course.data.loaded(self.popular());
                self.write(number)?
            }
            Mix::B if percent >= 95 => {
                let number = self.course.data.loaded(self.popular());
                self.write(number)?
            }
            Mix::D | Mix::E if percent >= 95 => self.insert()?,
            Mix::F if percent >= 50 => {
                let number = self.read_popular()?;
                self.write(number)?
            }
            Mix::D => {
                self.read_newest()?;
                Done::READ
            }
            Mix::E => {
                let entries = 1 + self.random.below(SCAN_ENTRIES_MAX);
                let index = self.popular();
                scan(self.course.engine, self.course.data, index, entries as usize)?;
                Done::READ
            }
            Mix::A | Mix::B | Mix::C | Mix::F => {
                self.read_popular()?;
                Done::READ
            }
        };
        Ok(Some(done))
    }
}
