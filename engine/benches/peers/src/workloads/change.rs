//! Keys that are there get new values, or go.

use super::drive::{Course, Done, Share, Worker};
use crate::data::{self, Key, Random};
use crate::engines::Failure;

/// Gives random keys new values.
pub(super) struct Overwrite<'a> {
    course: &'a Course<'a>,
    random: Random,
    value: Vec<u8>,
}

impl<'a> Overwrite<'a> {
    pub(super) fn new(course: &'a Course<'a>, random: Random) -> Self {
        Self { course, random, value: Vec::new() }
    }
}

impl Worker for Overwrite<'_> {
    fn step(&mut self) -> Result<Option<Done>, Failure> {
        let data = self.course.data;
        let number = data.loaded(self.random.below(data.keys()));
        data.value(number, &mut self.random, &mut self.value);
        self.course.engine.put(&data::key(number), &self.value)?;
        Ok(Some(Done::written(data.pair_bytes())))
    }
}

/// Deletes the keys of its share in random order.
pub(super) struct Delete<'a> {
    course: &'a Course<'a>,
    next: u64,
    stride: u64,
}

impl<'a> Delete<'a> {
    pub(super) fn new(course: &'a Course<'a>, share: Share) -> Self {
        Self { course, next: share.thread, stride: share.threads }
    }
}

impl Worker for Delete<'_> {
    fn step(&mut self) -> Result<Option<Done>, Failure> {
        let data = self.course.data;
        if self.next >= data.keys() {
            return Ok(None);
        }
        self.course.engine.delete(&data::key(data.loaded(data.permuted(self.next))))?;
        self.next += self.stride;
        Ok(Some(Done::written(size_of::<Key>() as u64)))
    }
}
