//! How a list or a register lies in the engine, and how a transaction reads and writes it there.
//!
//! ```text
//!   whole      key 3              ─▶ "4 9 7"                 one row, put again and again
//!   wandering  key 3/b            ─▶ "4 9 7"                 each write puts it elsewhere and deletes where it was: tombstones
//!   rows       key 3/00001 ─▶ "4 9",  key 3/00002 ─▶ "7"     an append puts the next row; now and then rows are joined
//! ```
//!
//! In each, two writers of one key write a row in common, so that no two of them can both commit from the same snapshot.
//! Wandering objects exist from the beginning: else two first writers would choose different places.

use std::ops::Bound;

use bytes::Bytes;
use engine::world::{Rng, World};
use engine::{Batch, Db, Error, Transaction};
use serde::Serialize;

use crate::history::transactions::TransactionModel;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// One row.
    Whole,
    /// One row of several, now here, now there.
    Wandering,
    /// A row for every few values of a list.
    Rows,
}

/// Places between which an object wanders.
const PLACES: [&str; 3] = ["a", "b", "c"];

/// Rows that a read of a list looks for at most.
const ROWS_MAX: usize = 10_000;

impl Layout {
    pub(super) fn drawn(rng: &mut Rng) -> Self {
        [Self::Whole, Self::Wandering, Self::Rows][rng.below(3) as usize]
    }

    /// A register has one value: it wanders instead of lying in rows.
    pub(super) fn fitting(self, model: TransactionModel) -> Self {
        match (self, model) {
            (Self::Rows, TransactionModel::RwRegister) => Self::Wandering,
            _ => self,
        }
    }

    /// What must be in the engine before anybody works on it.
    pub(super) fn beginning(self, keys: u64) -> Batch {
        match self {
            Self::Whole | Self::Rows => Batch::new(),
            Self::Wandering => (0..keys).fold(Batch::new(), |batch, key| batch.put(place(key, PLACES[0]), "")),
        }
    }
}

/// An object: where it is, and what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) values: Vec<u64>,
    /// Its rows, in order, with what each holds.
    rows: Vec<(Bytes, Bytes)>,
}

/// Why an object could not be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// The engine refused.
    Refused(Error),
    /// It is there, and wrong.
    Wrong(String),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

fn whole(key: u64) -> String {
    format!("{key}")
}

fn place(key: u64, place: &str) -> String {
    format!("{key}/{place}")
}

fn row(key: u64, number: u64) -> String {
    format!("{key}/{number:05}")
}

/// All rows of a key, and no others: `0` follows `/`.
fn rows_of(key: u64) -> (Bound<Bytes>, Bound<Bytes>) {
    (Bound::Included(Bytes::from(format!("{key}/"))), Bound::Excluded(Bytes::from(format!("{key}0"))))
}

fn parse(key: u64, text: &[u8]) -> Result<Vec<u64>, Unread> {
    let wrong = || Unread::Wrong(format!("key {key} holds `{}`, which nobody wrote", text.escape_ascii()));
    let words = std::str::from_utf8(text).map_err(|_| wrong())?.split_ascii_whitespace();
    words.map(|word| word.parse().map_err(|_| wrong())).collect()
}

fn spell(values: &[u64]) -> String {
    values.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

/// One key in the engine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) layout: Layout,
    pub(super) key: u64,
}

impl Place {
    /// Reads the object in a transaction, by gets or by a scan.
    pub(super) async fn read<W: World>(
        self,
        transaction: &mut Transaction<W>,
        rng: &mut Rng,
    ) -> Result<Object, Unread> {
        let key = self.key;
        let mut rows: Vec<(Bytes, Bytes)> = Vec::new();
        match self.layout {
            Layout::Whole => {
                let name = whole(key);
                let found = transaction.get(name.as_bytes()).await?;
                rows.extend(found.map(|value| (Bytes::from(name), value)));
            }
            Layout::Wandering if rng.chance(1, 2) => {
                for name in PLACES.map(|name| place(key, name)) {
                    let found = transaction.get(name.as_bytes()).await?;
                    rows.extend(found.map(|value| (Bytes::from(name), value)));
                }
            }
            Layout::Wandering | Layout::Rows => rows = transaction.scan(rows_of(key), ROWS_MAX).await?,
        }
        if self.layout == Layout::Wandering && rows.len() != 1 {
            let names: Vec<String> = rows.iter().map(|(name, _)| name.escape_ascii().to_string()).collect();
            return Err(Unread::Wrong(format!(
                "key {key} is in {} places ({}), where every writer moves it from one to another",
                rows.len(),
                names.join(", ")
            )));
        }
        self.object(rows)
    }

    /// Reads the object of one row without a transaction.
    pub(super) async fn read_alone<W: World>(self, db: &Db<W>) -> Result<Object, Unread> {
        let name = whole(self.key);
        let found = db.get(name.as_bytes()).await?;
        self.object(found.map(|entry| (Bytes::from(name), entry.value)).into_iter().collect())
    }

    fn object(self, rows: Vec<(Bytes, Bytes)>) -> Result<Object, Unread> {
        let mut values = Vec::new();
        for (_, text) in &rows {
            values.extend(parse(self.key, text)?);
        }
        Ok(Object { values, rows })
    }

    /// Appends a value to the list that was read.
    pub(super) fn append<W: World>(self, object: &Object, value: u64, transaction: &mut Transaction<W>, rng: &mut Rng) {
        match self.layout {
            Layout::Rows => {
                let last = object.rows.last().and_then(|(name, _)| {
                    let number = name.rsplit(|byte| *byte == b'/').next()?;
                    std::str::from_utf8(number).ok()?.parse::<u64>().ok()
                });
                transaction.put(row(self.key, last.unwrap_or(0) + 1), value.to_string());
            }
            Layout::Whole | Layout::Wandering => {
                let values = [&object.values[..], &[value]].concat();
                self.write(object, &values, transaction, rng);
            }
        }
    }

    /// Writes what the object holds from now on, over what was read.
    pub(super) fn write<W: World>(
        self,
        object: &Object,
        values: &[u64],
        transaction: &mut Transaction<W>,
        rng: &mut Rng,
    ) {
        if self.layout == Layout::Whole {
            return transaction.put(whole(self.key), spell(values));
        }
        for (name, _) in &object.rows {
            transaction.delete(name);
        }
        let elsewhere = PLACES.map(|name| place(self.key, name));
        let elsewhere: Vec<&String> =
            elsewhere.iter().filter(|name| object.rows.iter().all(|(row, _)| row != name.as_bytes())).collect();
        let chosen = elsewhere[rng.below(elsewhere.len() as u64) as usize];
        transaction.put(chosen, spell(values));
    }

    /// Joins all rows of a list in its last one, which changes nothing of what it holds.
    pub(super) fn join<W: World>(self, object: &Object, transaction: &mut Transaction<W>) {
        if let (Layout::Rows, [others @ .., (last, _)]) = (self.layout, &object.rows[..]) {
            others.iter().for_each(|(name, _)| transaction.delete(name));
            transaction.put(last, spell(&object.values));
        }
    }

    /// A write of one row that looks at nothing.
    pub(super) async fn write_alone<W: World>(self, db: &Db<W>, value: u64) -> Result<(), Error> {
        db.put(whole(self.key), value.to_string()).await.map(drop)
    }
}
