//! The configurations that a search has visited, as 128 bits each, within a bound of memory.
//!
//! ```text
//!   slots   [ 128 bits ][ 0 ][ 128 bits ] ...    open addressing; a power of two of them, at most two thirds full
//! ```
//!
//! A configuration is the set of calls that were placed, and the state they left. The bits are the exclusive or of a number
//! for each call (Zobrist 1970) with those of the state, so that to place a call costs no walk over a bitset, whatever the
//! length of the history. Two configurations of n are taken for one with a probability below n^2 / 2^129: of a thousand
//! million, once in 10^20 searches.

/// No more may be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// A set of configurations.
#[derive(Debug)]
pub(super) struct Visited {
    slots: Vec<u128>,
    length: usize,
    bytes_most: u64,
}

const SLOT_BYTES: u64 = 16;
const SLOTS_FIRST: usize = 256;

impl Visited {
    pub(super) fn new(bytes_most: u64) -> Self {
        Self { slots: Vec::new(), length: 0, bytes_most }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.length = 0;
    }

    /// Adds a configuration; false when it was there already.
    pub(super) fn insert(&mut self, configuration: u128) -> Result<bool, Full> {
        // 0 marks what is empty.
        let configuration = configuration.max(1);
        if 3 * (self.length + 1) > 2 * self.slots.len() {
            self.grow()?;
        }
        let mask = self.slots.len() - 1;
        let mut at = configuration as usize & mask;
        while self.slots[at] != 0 {
            if self.slots[at] == configuration {
                return Ok(false);
            }
            at = (at + 1) & mask;
        }
        self.slots[at] = configuration;
        self.length += 1;
        Ok(true)
    }

    /// The old table is there while the new one is filled: both count.
    fn grow(&mut self) -> Result<(), Full> {
        let doubled = (2 * self.slots.len()).max(SLOTS_FIRST);
        if (doubled + self.slots.len()) as u64 * SLOT_BYTES > self.bytes_most {
            return Err(Full);
        }
        let mut slots = vec![0; doubled];
        for &configuration in self.slots.iter().filter(|&&configuration| configuration != 0) {
            let mut at = configuration as usize & (doubled - 1);
            while slots[at] != 0 {
                at = (at + 1) & (doubled - 1);
            }
            slots[at] = configuration;
        }
        self.slots = slots;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::models::mix;

    #[test]
    fn a_configuration_is_new_once_and_memory_has_an_end() {
        let mut visited = Visited::new(100_000);
        for round in 0..2 {
            for number in 0..2_000 {
                assert_eq!(visited.insert(mix(number)), Ok(round == 0));
            }
        }
        assert_eq!(visited.insert(0), Ok(true));
        assert_eq!(visited.insert(0), Ok(false));
        let full = (2_000..10_000).map(|number| visited.insert(mix(number))).find(Result::is_err);
        assert_eq!(full, Some(Err(Full)));
    }
}
