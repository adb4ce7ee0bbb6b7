//! The blocks of a shard: slots in one array, found by an index, chained into queues.
//!
//! ```text
//!   index   hash ──▶ slot number                       hashbrown, never iterated
//!   slots   │ key │ block │ frequency │ queue │ newer │ older │ ...      free ones chained through `older`
//!   queue   newest ◀─▶ ... ◀─▶ oldest, and the sum of the charges
//! ```
//!
//! Numbers instead of pointers: half the size, and no `unsafe`.

use bytes::Bytes;
use hashbrown::HashTable;

use super::{BLOCK_OVERHEAD_BYTES, BlockKey};

/// No slot.
const NONE: u32 = u32::MAX;

/// The queue that a block is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// New blocks.
    Small,
    /// Blocks that were read again.
    Main,
}

struct Slot {
    key: BlockKey,
    block: Bytes,
    newer: u32,
    older: u32,
    queue: Queue,
    frequency: u8,
}

#[derive(Clone, Copy)]
struct Ends {
    newest: u32,
    oldest: u32,
    bytes: usize,
}

/// The blocks of a shard.
pub(super) struct Slots {
    index: HashTable<u32>,
    slots: Vec<Slot>,
    free: u32,
    queues: [Ends; 2],
}

/// What a block is charged.
pub(super) fn charge(block: &Bytes) -> usize {
    block.len() + BLOCK_OVERHEAD_BYTES
}

impl Slots {
    pub(super) fn new() -> Self {
        let empty = Ends { newest: NONE, oldest: NONE, bytes: 0 };
        Self { index: HashTable::new(), slots: Vec::new(), free: NONE, queues: [empty; 2] }
    }

    /// Blocks that are here.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The sum of all charges.
    pub(super) fn bytes(&self) -> usize {
        self.queues[0].bytes + self.queues[1].bytes
    }

    /// The sum of the charges of a queue.
    pub(super) fn queue_bytes(&self, queue: Queue) -> usize {
        self.queues[queue as usize].bytes
    }

    /// The slot of a key.
    pub(super) fn find(&self, hash: u64, key: BlockKey) -> Option<u32> {
        self.index.find(hash, |number| self.slots[*number as usize].key == key).copied()
    }

    /// The oldest slot of a queue.
    pub(super) fn oldest(&self, queue: Queue) -> Option<u32> {
        let number = self.queues[queue as usize].oldest;
        (number != NONE).then_some(number)
    }

    pub(super) fn block(&self, number: u32) -> &Bytes {
        &self.slots[number as usize].block
    }

    /// How often the block was read since it came into its queue, or was spared; counted up to what the policy says.
    pub(super) fn frequency(&mut self, number: u32) -> &mut u8 {
        &mut self.slots[number as usize].frequency
    }

    /// Takes in a block whose key is not here, as the newest of a queue.
    pub(super) fn insert(&mut self, hash: u64, key: BlockKey, block: Bytes, queue: Queue) {
        let slot = Slot { key, block, newer: NONE, older: NONE, queue, frequency: 0 };
        let number = if self.free == NONE {
            self.slots.push(slot);
            u32::try_from(self.slots.len() - 1).expect("4 billion blocks do not fit into memory")
        } else {
            let number = self.free;
            self.free = self.slots[number as usize].older;
            self.slots[number as usize] = slot;
            number
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, number, |number| slots[*number as usize].key.hash());
        self.link(number, queue);
    }

    /// Puts another block into a slot, which keeps its place.
    pub(super) fn replace(&mut self, number: u32, block: Bytes) {
        let slot = &mut self.slots[number as usize];
        let ends = &mut self.queues[slot.queue as usize];
        ends.bytes = ends.bytes - charge(&slot.block) + charge(&block);
        slot.block = block;
    }

    /// Makes a block the newest of a queue.
    pub(super) fn renew(&mut self, number: u32, queue: Queue) {
        self.unlink(number);
        self.link(number, queue);
    }

    /// Lets a block go.
    pub(super) fn remove(&mut self, number: u32) -> BlockKey {
        self.unlink(number);
        let key = self.slots[number as usize].key;
        match self.index.find_entry(key.hash(), |found| *found == number) {
            Ok(entry) => _ = entry.remove(),
            Err(_) => panic!("slot {number} is in a queue and not in the index"),
        }
        let slot = &mut self.slots[number as usize];
        slot.block = Bytes::new();
        slot.older = self.free;
        self.free = number;
        key
    }

    fn link(&mut self, number: u32, queue: Queue) {
        let ends = &mut self.queues[queue as usize];
        let slot = &mut self.slots[number as usize];
        (slot.queue, slot.newer, slot.older) = (queue, NONE, ends.newest);
        ends.bytes += charge(&slot.block);
        let second = std::mem::replace(&mut ends.newest, number);
        if second == NONE {
            ends.oldest = number;
        } else {
            self.slots[second as usize].newer = number;
        }
    }

    fn unlink(&mut self, number: u32) {
        let slot = &self.slots[number as usize];
        let (newer, older) = (slot.newer, slot.older);
        let ends = &mut self.queues[slot.queue as usize];
        ends.bytes -= charge(&slot.block);
        match newer {
            NONE => ends.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
        match older {
            NONE => ends.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
    }
}
