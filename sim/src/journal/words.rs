//! Texts, kept once each: equal texts of the same kind get the same number.
//!
//! ```text
//!   slots     [ hash, number ][ empty ][ hash, number ] ...     open addressing; a power of two of them, at most half full
//!   entries   [ begin, length, kind ]  by number
//!   arena     k1v17hello...
//! ```
//!
//! A table of its own, since a journal of millions of values must not allocate for each of them, and since the hash is
//! computed where the text is scanned, on another core.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What kind of form a text was: `"5"`, `:5` and `5` are different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum WordKind {
    /// Between quotation marks.
    String,
    /// A number that is not a small integer.
    Number,
    /// A keyword or symbol.
    Name,
    /// A vector, map, list or set, compared by its text.
    Compound,
}

/// The hash of a text; 32 bits of it find its slot.
pub(super) fn hash(kind: WordKind, text: &[u8]) -> u32 {
    xxh3_64_with_seed(text, kind as u64) as u32
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    begin: u64,
    length: u32,
    kind: WordKind,
}

/// The texts.
#[derive(Debug)]
pub(super) struct Words {
    /// Hash above, number plus one below; 0 is empty.
    slots: Vec<u64>,
    entries: Vec<Entry>,
    arena: Vec<u8>,
}

impl Words {
    pub(super) fn new() -> Self {
        Self { slots: vec![0; 1024], entries: Vec::new(), arena: Vec::new() }
    }

    /// The number of a text with this hash; `None` when there are too many to number.
    pub(super) fn intern(&mut self, kind: WordKind, hash: u32, text: &[u8]) -> Option<u32> {
        const WORDS_MAX: usize = (1 << 31) - 2;
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                break;
            }
            let number = slot as u32 - 1;
            if (slot >> 32) as u32 == hash && self.is(number, kind, text) {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
        if self.entries.len() >= WORDS_MAX {
            return None;
        }
        let number = self.entries.len() as u32;
        self.entries.push(Entry { begin: self.arena.len() as u64, length: text.len() as u32, kind });
        self.arena.extend_from_slice(text);
        self.slots[at] = (u64::from(hash) << 32) | u64::from(number + 1);
        if 2 * self.entries.len() > self.slots.len() {
            self.grow();
        }
        Some(number)
    }

    fn is(&self, number: u32, kind: WordKind, text: &[u8]) -> bool {
        self.entries[number as usize].kind == kind && self.text(number) == text
    }

    /// The bytes of a text.
    pub(super) fn text(&self, number: u32) -> &[u8] {
        let Entry { begin, length, .. } = self.entries[number as usize];
        &self.arena[begin as usize..begin as usize + length as usize]
    }

    fn grow(&mut self) {
        let mask = 2 * self.slots.len() - 1;
        let mut slots = vec![0; mask + 1];
        for &slot in self.slots.iter().filter(|&&slot| slot != 0) {
            let mut at = (slot >> 32) as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = slot;
        }
        self.slots = slots;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_of_one_kind_have_one_number_however_many_there_are() {
        let mut words = Words::new();
        for round in 0..2 {
            for number in 0..10_000_u32 {
                let text = format!("v{number}");
                let found = words.intern(WordKind::String, hash(WordKind::String, text.as_bytes()), text.as_bytes());
                assert_eq!(found, Some(number), "round {round}");
                assert_eq!(words.text(number), text.as_bytes());
            }
        }
        let name = words.intern(WordKind::Name, hash(WordKind::Name, b"v1"), b"v1");
        assert_eq!(name, Some(10_000), "a name is not the string of the same letters");
    }
}
