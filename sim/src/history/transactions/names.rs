//! Names as numbers: each spelling of a key or a value gets the next number when it is met first.
//!
//! ```text
//!   "k1" ─▶ 0    "k2" ─▶ 1    "k1" ─▶ 0          all spellings lie behind one another in one string
//! ```
//!
//! The table that finds a spelling again has a fixed hash and is never walked, so that the numbers are the same in every
//! run.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// The keys and values of a history.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub(super) keys: Spellings,
    pub(super) values: Spellings,
}

/// Spellings by number, and numbers by spelling.
#[derive(Debug, Clone, Default)]
pub(super) struct Spellings {
    text: String,
    ends: Vec<usize>,
    numbers: HashTable<u32>,
}

impl Spellings {
    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        // Every spelling was given a number of 32 bits when it was added.
        self.ends.len() as u32
    }

    pub(super) fn name(&self, number: u32) -> &str {
        spelling(&self.text, &self.ends, number)
    }

    pub(super) fn number(&mut self, name: &str) -> u32 {
        let Self { text, ends, numbers } = self;
        let hash = xxh3_64(name.as_bytes());
        if let Some(number) = numbers.find(hash, |number| spelling(text, ends, *number) == name) {
            return *number;
        }
        let number = u32::try_from(ends.len()).expect("four billion names do not fit into memory");
        text.push_str(name);
        ends.push(text.len());
        numbers.insert_unique(hash, number, |number| xxh3_64(spelling(text, ends, *number).as_bytes()));
        number
    }
}

fn spelling<'a>(text: &'a str, ends: &[usize], number: u32) -> &'a str {
    let index = number as usize;
    let from = index.checked_sub(1).map_or(0, |before| ends[before]);
    &text[from..ends[index]]
}
