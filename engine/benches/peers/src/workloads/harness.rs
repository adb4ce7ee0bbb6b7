//! What the harness itself costs: a row on an engine that does nothing.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::{Course, Row, Work, measure};
use crate::data::{Data, Key, Seen};
use crate::engines::{Engine, Failure, Visit};
use crate::settings::Compression;

/// Long enough to know it to the nanosecond.
const TIME: Duration = Duration::from_millis(100);

/// Nanoseconds of each operation that are not the engine's: a key drawn, the clock read, the latency recorded.
pub(crate) fn harness_nanos() -> Result<f64, Failure> {
    let data = Data::new(1_000_000, 100, Compression::None, 1);
    let course = Course {
        engine: &Nothing,
        data: &data,
        zipf: None,
        inserts_begun: AtomicU64::new(0),
        inserts_done: AtomicU64::new(0),
        seed: 1,
    };
    let row = Row { name: String::new(), about: String::new(), work: Work::Missing, threads: 1 };
    let measured = measure(&row, &course, TIME)?;
    Ok(measured.elapsed.as_nanos() as f64 / measured.operations as f64)
}

/// Holds no key.
struct Nothing;

impl Engine for Nothing {
    fn put(&self, _key: &Key, _value: &[u8]) -> Result<(), Failure> {
        Ok(())
    }

    fn write_batch(&self, _pairs: &[(Key, Vec<u8>)]) -> Result<(), Failure> {
        Ok(())
    }

    fn delete(&self, _key: &Key) -> Result<(), Failure> {
        Ok(())
    }

    fn get(&self, _key: &Key) -> Result<Option<Seen>, Failure> {
        Ok(None)
    }

    fn scan(&self, _from: &Key, _entries: usize, _visit: Visit<'_>) -> Result<usize, Failure> {
        Ok(0)
    }

    fn settle(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(())
    }
}
