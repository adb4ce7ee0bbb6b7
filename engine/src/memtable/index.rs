//! From a key to its node: a hash table that one thread fills while others look things up in it.
//!
//! ```text
//!   hash     tag u16 │ ... │ shard, 4 bits │ slot
//!   slot     tag u16 │ node's address, 48 bits                                  all zero: empty
//!   lookup   slot = hash mod slots, then the next, and so on, until the key is found or a slot is empty
//!   growth   the writer fills a table of twice the size and publishes it; the old one stays as it was for those who
//!            still look at it, until the memtable is dropped
//! ```
//!
//! Slots are filled, never emptied and never changed, so a reader that comes to an empty slot knows that the key was not
//! there when it began, or is being inserted right now. There are sixteen tables, each for a part of the hashes, so that
//! the insert that makes one grow waits for a sixteenth of the keys only.

use std::array;
use std::sync::atomic::AtomicUsize;

use super::arena::{Arena, NodePointer, NodeRef, Published, Slot, Writer};
use super::atomics::Ordering;

/// How many tables there are.
const SHARDS: usize = 16;

/// The hash tables.
#[derive(Debug)]
pub(super) struct Index {
    shards: [Shard; SHARDS],
}

#[derive(Debug)]
struct Shard {
    slots: Published<Box<[Slot]>>,
    /// How many are filled: the writer's own number.
    filled: AtomicUsize,
    allocated_slots: AtomicUsize,
}

impl Index {
    /// Empty tables with this many slots each, a power of two.
    pub(super) fn new(slots: usize) -> Self {
        assert!(slots.is_power_of_two(), "a hash is cut to a slot by a mask");
        let shard = |_| Shard {
            slots: Published::new(empty(slots)),
            filled: AtomicUsize::new(0),
            allocated_slots: AtomicUsize::new(slots),
        };
        Self { shards: array::from_fn(shard) }
    }

    /// The key's node.
    #[inline]
    pub(super) fn find<'a>(&self, arena: &'a Arena, key: &[u8], hash: u64) -> Option<NodeRef<'a>> {
        let slots = self.shard(hash).slots.get();
        let mask = slots.len() - 1;
        let mut index = hash as usize & mask;
        while let Some(pointer) = slots[index].load() {
            if pointer.tag() == tag(hash) {
                let node = pointer.of(arena);
                if node.key() == key {
                    return Some(node);
                }
            }
            index = (index + 1) & mask;
        }
        None
    }

    /// Adds a node whose key is not there yet.
    pub(super) fn insert(&self, _writer: &mut Writer<'_>, arena: &Arena, node: NodeRef<'_>) {
        let hash = node.hash();
        let shard = self.shard(hash);
        let slots = shard.slots.get();
        let filled = shard.filled.load(Ordering::Relaxed) + 1;
        shard.filled.store(filled, Ordering::Relaxed);
        if filled <= slots.len() / 4 * 3 {
            place(slots, NodePointer::new(node, tag(hash)), hash);
            return;
        }
        let larger = empty(slots.len() * 2);
        for pointer in slots.iter().filter_map(Slot::load) {
            place(&larger, pointer, pointer.of(arena).hash());
        }
        place(&larger, NodePointer::new(node, tag(hash)), hash);
        shard.allocated_slots.fetch_add(larger.len(), Ordering::Relaxed);
        shard.slots.publish(larger);
    }

    /// The bytes of these tables and of those that they replaced.
    pub(super) fn allocated_bytes(&self) -> usize {
        let slots: usize = self.shards.iter().map(|shard| shard.allocated_slots.load(Ordering::Relaxed)).sum();
        slots * size_of::<Slot>()
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Shard {
        &self.shards[(hash >> 44) as usize % SHARDS]
    }
}

fn empty(slots: usize) -> Box<[Slot]> {
    (0..slots).map(|_| Slot::default()).collect()
}

/// Puts a node into the first empty slot. There is one: a quarter of them are, or half of two.
fn place(slots: &[Slot], node: NodePointer, hash: u64) {
    let mask = slots.len() - 1;
    let mut index = hash as usize & mask;
    while slots[index].load().is_some() {
        index = (index + 1) & mask;
    }
    slots[index].store(node);
}

#[inline]
fn tag(hash: u64) -> u16 {
    (hash >> 48) as u16
}
