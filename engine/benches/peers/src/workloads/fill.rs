//! New keys into an engine, measured as a row or not measured as the load before other rows.

use super::drive::{Course, Done, Share, Worker};
use crate::data::{self, Data, Key, Random};
use crate::engines::{Engine, Failure};

/// Keys of a batch of the load.
const LOAD_BATCH: u64 = 1_000;

/// In which order keys come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Ascending.
    Sequential,
    /// All over the key space, each once.
    Random,
}

/// Writes the keys of its share, in batches.
pub(super) struct Fill<'a> {
    course: &'a Course<'a>,
    random: Random,
    order: Order,
    next: u64,
    stride: u64,
    batch: Vec<(Key, Vec<u8>)>,
}

impl<'a> Fill<'a> {
    pub(super) fn new(course: &'a Course<'a>, share: Share, random: Random, batch: usize, order: Order) -> Self {
        let batch = vec![(data::key(0), Vec::new()); batch];
        Self { course, random, order, next: share.thread, stride: share.threads, batch }
    }
}

impl Worker for Fill<'_> {
    fn step(&mut self) -> Result<Option<Done>, Failure> {
        let data = self.course.data;
        let mut pairs = 0;
        while pairs < self.batch.len() && self.next < data.keys() {
            let index = match self.order {
                Order::Sequential => self.next,
                Order::Random => data.permuted(self.next),
            };
            let (key, value) = &mut self.batch[pairs];
            *key = data::key(data.loaded(index));
            data.value(data.loaded(index), &mut self.random, value);
            self.next += self.stride;
            pairs += 1;
        }
        match &self.batch[..pairs] {
            [] => return Ok(None),
            [(key, value)] => self.course.engine.put(key, value)?,
            pairs => self.course.engine.write_batch(pairs)?,
        }
        Ok(Some(Done { operations: pairs as u64, user_bytes: pairs as u64 * data.pair_bytes() }))
    }
}

/// Writes all keys in random order.
pub(crate) fn load(engine: &dyn Engine, data: &Data, seed: u64) -> Result<(), Failure> {
    let mut random = Random::new(seed);
    let mut batch = Vec::new();
    for start in (0..data.keys()).step_by(LOAD_BATCH as usize) {
        let end = (start + LOAD_BATCH).min(data.keys());
        batch.resize((end - start) as usize, (data::key(0), Vec::new()));
        for (position, (key, value)) in (start..end).zip(&mut batch) {
            let number = data.loaded(data.permuted(position));
            *key = data::key(number);
            data.value(number, &mut random, value);
        }
        engine.write_batch(&batch)?;
    }
    Ok(())
}
