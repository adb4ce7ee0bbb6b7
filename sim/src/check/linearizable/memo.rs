//! The configurations that a search has visited, compared exactly: a hash only says where to look.
//!
//! ```text
//!   arena   [3][ first word · value ][ used ][ 0b…0111_1011 ] [4][ ... ]        first the number of words, then the words
//!   table   ── hash ──▶ place in the arena, or 0
//! ```
//!
//! A configuration is (steps placed, value of the register, optional installs used). The set of placed steps is everything
//! below the lowest step that is not placed, and a window of bits above it, which is short as long as few operations are
//! in flight: only the words of the window are kept (Lowe 2017, section 4).

/// A set of word sequences.
#[derive(Debug, Default)]
pub(super) struct Memo {
    arena: Vec<u64>,
    /// Places in the arena plus one; a power of two of them, at most half full.
    table: Vec<usize>,
    length: usize,
}

impl Memo {
    /// Adds a configuration; false when it was there already.
    pub(super) fn insert(&mut self, words: &[u64]) -> bool {
        if 2 * (self.length + 1) > self.table.len() {
            self.grow();
        }
        let at = self.find(words);
        if self.table[at] != 0 {
            return false;
        }
        self.table[at] = self.arena.len() + 1;
        self.arena.push(words.len() as u64);
        self.arena.extend_from_slice(words);
        self.length += 1;
        true
    }

    /// Where the configuration is, or belongs.
    fn find(&self, words: &[u64]) -> usize {
        let mask = self.table.len() - 1;
        let mut at = hash(words) as usize & mask;
        while self.table[at] != 0 && self.at(self.table[at] - 1) != words {
            at = (at + 1) & mask;
        }
        at
    }

    fn at(&self, place: usize) -> &[u64] {
        let length = self.arena[place] as usize;
        &self.arena[place + 1..place + 1 + length]
    }

    fn grow(&mut self) {
        self.table = vec![0; (4 * self.length).next_power_of_two().max(64)];
        let mut place = 0;
        while place < self.arena.len() {
            let length = self.arena[place] as usize;
            let at = self.find(&self.arena[place + 1..place + 1 + length]);
            self.table[at] = place + 1;
            place += 1 + length;
        }
    }
}

fn hash(words: &[u64]) -> u64 {
    let mut hash = 0x9e37_79b9_7f4a_7c15_u64;
    for &word in words {
        hash = (hash ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^= hash >> 32;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_new_once_however_many_there_are() {
        let mut memo = Memo::default();
        for round in 0..2 {
            for one in 0..1_000_u64 {
                assert_eq!(memo.insert(&[one]), round == 0);
                assert_eq!(memo.insert(&[one, 0]), round == 0, "a longer configuration is another one");
            }
        }
    }
}
