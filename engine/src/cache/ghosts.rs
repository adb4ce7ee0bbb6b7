//! Keys of blocks that left the small queue unread: one that is asked for again soon was worth keeping.
//!
//! ```text
//!   queue   serial 17: (hash, charge) │ 18: ... │ 19: ...      oldest first; leaves when the charges exceed the bound
//!   index   hash ──▶ serial                                    a ghost that came back leaves the index only
//! ```
//!
//! Hashes stand for keys: two keys of one hash cost a wrong guess of the policy, never a wrong block.

use std::collections::VecDeque;

use hashbrown::HashTable;

/// Keys that were here.
pub(super) struct Ghosts {
    queue: VecDeque<(u64, u32)>,
    index: HashTable<u64>,
    first_serial: u64,
    bytes: usize,
}

impl Ghosts {
    pub(super) fn new() -> Self {
        Self { queue: VecDeque::new(), index: HashTable::new(), first_serial: 0, bytes: 0 }
    }

    /// Remembers a key whose block was charged so much, and forgets the oldest beyond `bytes_max` of charges.
    pub(super) fn remember(&mut self, hash: u64, charge: usize, bytes_max: usize) {
        self.forget(hash);
        let serial = self.first_serial + self.queue.len() as u64;
        let charge = u32::try_from(charge).unwrap_or(u32::MAX);
        self.queue.push_back((hash, charge));
        self.bytes += charge as usize;
        let (queue, first) = (&self.queue, self.first_serial);
        self.index.insert_unique(hash, serial, |serial| queue[(serial - first) as usize].0);
        self.limit(bytes_max);
    }

    /// Whether the key was remembered; it no longer is.
    pub(super) fn forget(&mut self, hash: u64) -> bool {
        let (queue, first) = (&self.queue, self.first_serial);
        let found = self.index.find_entry(hash, |serial| queue[(serial - first) as usize].0 == hash);
        found.map(|entry| entry.remove()).is_ok()
    }

    /// Forgets the oldest beyond `bytes_max` of charges.
    pub(super) fn limit(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max
            && let Some((hash, charge)) = self.queue.pop_front()
        {
            let serial = self.first_serial;
            self.first_serial += 1;
            self.bytes -= charge as usize;
            if let Ok(entry) = self.index.find_entry(hash, |found| *found == serial) {
                entry.remove();
            }
        }
    }
}
