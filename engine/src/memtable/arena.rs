//! The memtable's memory, and the only file with `unsafe` in it.
//!
//! ```text
//!   arena     chunk 16 KiB │ chunk 32 KiB │ ... │ chunk 1 MiB │ a large entry's own chunk │ ...
//!   chunk     node, version │ node, version │ version │ node, version │ ...                    each at a multiple of 8
//!   node      newest ─▶ version │ next ─▶ node │ hash u64 │ key bytes u32 │ key                a key, once
//!   version   sequence u64 │ older ─▶ version │ expires u64 │ value bytes u32 │ value          u32::MAX: a tombstone
//!   order     first ─▶ node ─▶ node ─▶ ... ─▶ the node inserted last
//! ```
//!
//! A new key's first version lies right behind its node, so that a lookup of a key that was never overwritten reads one
//! stretch of memory.
//!
//! # Why it is sound
//!
//! 1. *Nothing moves and nothing is freed* before the arena is dropped. [`NodeRef`] and [`VersionRef`] carry the
//!    lifetime of a borrow of the arena, so none outlives it. [`NodePointer`] and [`VersionPointer`] carry none: they
//!    are kept beside the arena they came from, and are only turned into references by naming it.
//! 2. *Bytes are written once, before they are published.* A node or version is complete before its address is stored
//!    with `Release` into a place that readers load with `Acquire`: `first`, a node's `next`, a node's `newest`, a slot
//!    of the table, or a lock. Afterwards only the atomics in the node change.
//! 3. *One writer.* Whatever is written is written through [`Writer`], which holds the arena's lock.
//! 4. *Pointers keep the provenance of their chunk*, so reading a key behind its node stays within one allocation.

#![allow(unsafe_code, reason = "entries are reached through published pointers: see `Why it is sound` above")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;

use crate::format::Sequence;
use crate::format::entry::EntryRef;

use super::atomics::{AtomicPtr, Mutex, MutexGuard, Ordering, Witness};

/// The largest chunk that entries share, and the smallest.
const CHUNK_BYTES_MAX: usize = 1 << 20;
const CHUNK_BYTES_MIN: usize = 1 << 14;
/// Entries from this size on get a chunk of their own, so that no more than a quarter of a chunk is ever left unused.
const LARGE_BYTES: usize = CHUNK_BYTES_MAX / 4;
/// Where nodes and versions begin.
const ALIGNMENT: usize = 8;
/// The length of a value that is none.
const TOMBSTONE: u32 = u32::MAX;
/// Addresses of user memory are smaller on every 64-bit system this runs on; the bits above carry a tag.
const ADDRESS_BITS: u32 = 48;

#[repr(C)]
struct Node {
    newest: AtomicPtr<Stored>,
    next: AtomicPtr<Node>,
    hash: u64,
    key_bytes: u32,
    witness: Witness,
}

#[repr(C)]
struct Stored {
    sequence: u64,
    older: *const Stored,
    expires_micros: u64,
    value_bytes: u32,
    witness: Witness,
}

const _: () = assert!(align_of::<Node>() <= ALIGNMENT && align_of::<Stored>() <= ALIGNMENT && size_of::<usize>() == 8);

/// Memory that only grows, and the nodes in it in the order in which they were inserted.
#[derive(Debug)]
pub(super) struct Arena {
    first: AtomicPtr<Node>,
    inner: Mutex<Inner>,
    allocated_bytes: AtomicUsize,
}

#[derive(Debug)]
struct Inner {
    chunks: Vec<(NonNull<u8>, Layout)>,
    /// The unused rest of the chunk that is being filled.
    free: *mut u8,
    free_bytes: usize,
    chunk_bytes_next: usize,
    last: *mut Node,
}

// SAFETY: the pointers lead into chunks that the arena owns and that no thread-local state knows of.
unsafe impl Send for Inner {}

/// The right to write, held by one thread at a time.
pub(super) struct Writer<'a> {
    arena: &'a Arena,
    inner: MutexGuard<'a, Inner>,
}

impl Arena {
    /// An empty arena for about this many bytes; any number may follow.
    pub(super) fn new(capacity_bytes: usize) -> Self {
        let chunk_bytes_next = (capacity_bytes / 64).next_power_of_two().clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
        let inner =
            Inner { chunks: Vec::new(), free: ptr::null_mut(), free_bytes: 0, chunk_bytes_next, last: ptr::null_mut() };
        Self { first: AtomicPtr::new(ptr::null_mut()), inner: Mutex::new(inner), allocated_bytes: AtomicUsize::new(0) }
    }

    /// Waits until no other thread writes.
    pub(super) fn writer(&self) -> Writer<'_> {
        // A panic while it was held left the arena whole: nothing is published before it is complete.
        Writer { arena: self, inner: self.inner.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// The key that was inserted first.
    pub(super) fn first(&self) -> Option<NodeRef<'_>> {
        NonNull::new(self.first.load(Ordering::Acquire)).map(NodeRef::new)
    }

    /// The bytes of all chunks.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.allocated_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for (chunk, layout) in inner.chunks.drain(..) {
            // SAFETY: it was allocated with this layout, and by 1 no reference into it is left. What lies in it has
            // nothing to drop.
            unsafe { dealloc(chunk.as_ptr(), layout) };
        }
    }
}

impl<'a> Writer<'a> {
    /// Writes a key with its first version, and puts it at the end of the insert order.
    pub(super) fn insert_node(&mut self, entry: EntryRef<'_>, hash: u64) -> NodeRef<'a> {
        let key_place_bytes = (size_of::<Node>() + entry.key.len()).next_multiple_of(ALIGNMENT);
        let place = self.inner.allocate(key_place_bytes + version_bytes(&entry), self.arena);
        let node = place.cast::<Node>();
        let header = Node {
            newest: AtomicPtr::new(ptr::null_mut()),
            next: AtomicPtr::new(ptr::null_mut()),
            hash,
            key_bytes: u32::try_from(entry.key.len()).expect("a key is far shorter than 4 GiB"),
            witness: Witness::new(),
        };
        // SAFETY: `place` is aligned, has room for node, key and version, and nobody else knows of it (2, 3).
        let version = unsafe {
            node.write(header);
            place.add(size_of::<Node>()).copy_from_nonoverlapping(NonNull::from(entry.key).cast(), entry.key.len());
            write_version(place.add(key_place_bytes), &entry, ptr::null())
        };
        let node = NodeRef::new(node);
        node.header().newest.store(version, Ordering::Release);
        node.header().witness.written();
        match NonNull::new(self.inner.last) {
            None => self.arena.first.store(node.node.as_ptr(), Ordering::Release),
            Some(last) => NodeRef::new(last).header().next.store(node.node.as_ptr(), Ordering::Release),
        }
        self.inner.last = node.node.as_ptr();
        node
    }

    /// Writes a newer version of a key that is there. Its sequence must be greater than that of the newest.
    pub(super) fn insert_version(&mut self, node: NodeRef<'a>, entry: EntryRef<'_>) {
        let newest = node.newest();
        assert!(entry.sequence > newest.sequence(), "versions of a key must come in order");
        let place = self.inner.allocate(version_bytes(&entry), self.arena);
        // SAFETY: `place` is aligned, has room for the version, and nobody else knows of it (2, 3).
        let version = unsafe { write_version(place, &entry, newest.version.as_ptr()) };
        node.header().newest.store(version, Ordering::Release);
    }
}

impl Inner {
    /// Room for this many bytes, aligned. Nobody else knows of it.
    fn allocate(&mut self, bytes: usize, arena: &Arena) -> NonNull<u8> {
        let bytes = bytes.next_multiple_of(ALIGNMENT);
        if bytes >= LARGE_BYTES {
            return self.add_chunk(bytes, arena);
        }
        if bytes > self.free_bytes {
            let chunk_bytes = self.chunk_bytes_next.max(bytes.next_power_of_two());
            self.free = self.add_chunk(chunk_bytes, arena).as_ptr();
            self.free_bytes = chunk_bytes;
            self.chunk_bytes_next = (chunk_bytes * 2).min(CHUNK_BYTES_MAX);
        }
        let place = NonNull::new(self.free).expect("there is a chunk by now");
        // SAFETY: `bytes <= free_bytes`, so the result lies in the chunk or right behind it.
        self.free = unsafe { self.free.add(bytes) };
        self.free_bytes -= bytes;
        place
    }

    fn add_chunk(&mut self, bytes: usize, arena: &Arena) -> NonNull<u8> {
        let layout = Layout::from_size_align(bytes, ALIGNMENT).expect("a chunk is far smaller than the address space");
        // SAFETY: the layout is not empty: every node and version has a header.
        let Some(chunk) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        assert!((chunk.addr().get() + bytes) >> ADDRESS_BITS == 0, "addresses must leave 16 bits for a tag");
        self.chunks.push((chunk, layout));
        arena.allocated_bytes.fetch_add(bytes, Ordering::Relaxed);
        chunk
    }
}

/// What a version occupies.
fn version_bytes(entry: &EntryRef<'_>) -> usize {
    size_of::<Stored>() + entry.value.map_or(0, <[u8]>::len)
}

/// Writes a version.
///
/// # Safety
/// `place` must be aligned, have room for `version_bytes(entry)`, and be known to nobody else.
unsafe fn write_version(place: NonNull<u8>, entry: &EntryRef<'_>, older: *const Stored) -> *mut Stored {
    let value = entry.value.unwrap_or_default();
    let value_bytes = u32::try_from(value.len()).ok().filter(|bytes| *bytes != TOMBSTONE);
    let header = Stored {
        sequence: entry.sequence.0,
        older,
        expires_micros: entry.expires_micros,
        value_bytes: entry.value.map_or(TOMBSTONE, |_| value_bytes.expect("a value is far shorter than 4 GiB")),
        witness: Witness::new(),
    };
    let stored = place.cast::<Stored>();
    // SAFETY: the caller promises room and alignment; the value lies elsewhere, as nobody knows of `place`.
    unsafe {
        stored.write(header);
        place.add(size_of::<Stored>()).copy_from_nonoverlapping(NonNull::from(value).cast(), value.len());
        stored.as_ref().witness.written();
    }
    stored.as_ptr()
}

/// A key in an arena that is borrowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeRef<'a> {
    node: NonNull<Node>,
    arena: PhantomData<&'a Arena>,
}

impl<'a> NodeRef<'a> {
    /// The lifetime is the caller's promise, kept within this file: the node lies in an arena that is borrowed for it.
    fn new(node: NonNull<Node>) -> Self {
        Self { node, arena: PhantomData }
    }

    fn header(self) -> &'a Node {
        // SAFETY: the node lies in a live arena (1) and was complete before its address was published (2).
        unsafe { self.node.as_ref() }
    }

    /// The internal key.
    #[inline]
    pub(super) fn key(self) -> &'a [u8] {
        let header = self.header();
        header.witness.read();
        // SAFETY: the key was written behind the header, `key_bytes` long (2), and lies in the same chunk (4).
        unsafe {
            slice::from_raw_parts(self.node.as_ptr().cast::<u8>().add(size_of::<Node>()), header.key_bytes as usize)
        }
    }

    /// The hash the key was inserted with.
    pub(super) fn hash(self) -> u64 {
        self.header().witness.read();
        self.header().hash
    }

    /// The newest version.
    #[inline]
    pub(super) fn newest(self) -> VersionRef<'a> {
        let newest = NonNull::new(self.header().newest.load(Ordering::Acquire));
        VersionRef { version: newest.expect("a node is published with a version"), arena: PhantomData }
    }

    /// The key that was inserted after it.
    pub(super) fn next_inserted(self) -> Option<NodeRef<'a>> {
        NonNull::new(self.header().next.load(Ordering::Acquire)).map(NodeRef::new)
    }
}

/// A version in an arena that is borrowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct VersionRef<'a> {
    version: NonNull<Stored>,
    arena: PhantomData<&'a Arena>,
}

impl<'a> VersionRef<'a> {
    fn header(self) -> &'a Stored {
        // SAFETY: the version lies in a live arena (1) and was complete before its address was published (2).
        let header: &'a Stored = unsafe { self.version.as_ref() };
        header.witness.read();
        header
    }

    /// When it was written.
    #[inline]
    pub(super) fn sequence(self) -> Sequence {
        Sequence(self.header().sequence)
    }

    /// The value; `None` is a tombstone.
    #[inline]
    pub(super) fn value(self) -> Option<&'a [u8]> {
        let value_bytes = self.header().value_bytes;
        if value_bytes == TOMBSTONE {
            return None;
        }
        // SAFETY: the value was written behind the header, `value_bytes` long (2), and lies in the same chunk (4).
        unsafe {
            let value = self.version.as_ptr().cast::<u8>().add(size_of::<Stored>());
            Some(slice::from_raw_parts(value, value_bytes as usize))
        }
    }

    /// When it counts as deleted; 0 for never.
    pub(super) fn expires_micros(self) -> u64 {
        self.header().expires_micros
    }

    /// The next older version.
    pub(super) fn older(self) -> Option<VersionRef<'a>> {
        NonNull::new(self.header().older.cast_mut()).map(|version| VersionRef { version, arena: PhantomData })
    }

    /// Its place, to be kept beside the arena.
    pub(super) fn pointer(self) -> VersionPointer {
        VersionPointer(self.version)
    }
}

/// Where a version lies, without a borrow of its arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VersionPointer(NonNull<Stored>);

// SAFETY: it is a place; what lies there is only read, through the arena, which is shared between threads by design.
unsafe impl Send for VersionPointer {}
// SAFETY: as above.
unsafe impl Sync for VersionPointer {}

impl VersionPointer {
    /// The version. `arena` must be the one it came from.
    pub(super) fn of(self, _arena: &Arena) -> VersionRef<'_> {
        VersionRef { version: self.0, arena: PhantomData }
    }
}

/// Where a node lies, without a borrow of its arena, with 16 bits for whoever keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodePointer(NonNull<Node>);

// SAFETY: it is a place; what lies there is only read, through the arena, which is shared between threads by design.
unsafe impl Send for NodePointer {}
// SAFETY: as above.
unsafe impl Sync for NodePointer {}

impl NodePointer {
    /// The place of a node, and a tag.
    pub(super) fn new(node: NodeRef<'_>, tag: u16) -> Self {
        // The address has no bits where the tag goes: `add_chunk` made sure.
        Self(node.node.map_addr(|address| address | (usize::from(tag) << ADDRESS_BITS)))
    }

    /// The tag.
    #[inline]
    pub(super) fn tag(self) -> u16 {
        (self.0.addr().get() >> ADDRESS_BITS) as u16
    }

    /// The node. `arena` must be the one it came from.
    #[inline]
    pub(super) fn of(self, _arena: &Arena) -> NodeRef<'_> {
        let address = self.0.as_ptr().map_addr(|address| address & ((1 << ADDRESS_BITS) - 1));
        NodeRef::new(NonNull::new(address).expect("a node's address is not null"))
    }
}

/// A place for a node that the writer fills once and readers look at.
#[derive(Debug)]
pub(super) struct Slot(AtomicPtr<Node>);

impl Default for Slot {
    fn default() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }
}

impl Slot {
    /// The node in it.
    #[inline]
    pub(super) fn load(&self) -> Option<NodePointer> {
        NonNull::new(self.0.load(Ordering::Acquire)).map(NodePointer)
    }

    /// Publishes a node.
    pub(super) fn store(&self, node: NodePointer) {
        self.0.store(node.0.as_ptr(), Ordering::Release);
    }
}

/// The newest of several values that replaced each other; the replaced ones stay, as readers may still look at them.
#[derive(Debug)]
pub(super) struct Published<T> {
    newest: AtomicPtr<T>,
    all: Mutex<Vec<NonNull<T>>>,
}

// SAFETY: it owns its values as a `Vec<T>` would, and hands out shared references only.
unsafe impl<T: Send> Send for Published<T> {}
// SAFETY: as above; values come in from any thread, so they must be `Send` as well.
unsafe impl<T: Send + Sync> Sync for Published<T> {}

impl<T> Published<T> {
    /// The first value.
    pub(super) fn new(value: T) -> Self {
        let value = NonNull::from(Box::leak(Box::new(value)));
        Self { newest: AtomicPtr::new(value.as_ptr()), all: Mutex::new(vec![value]) }
    }

    /// The newest value.
    #[inline]
    pub(super) fn get(&self) -> &T {
        // SAFETY: the value was complete before it was published, and lives until `self` is dropped.
        unsafe { &*self.newest.load(Ordering::Acquire) }
    }

    /// Replaces the newest value.
    pub(super) fn publish(&self, value: T) {
        let value = NonNull::from(Box::leak(Box::new(value)));
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(value);
        self.newest.store(value.as_ptr(), Ordering::Release);
    }
}

impl<T> Drop for Published<T> {
    fn drop(&mut self) {
        for value in self.all.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // SAFETY: it came out of a box, is in the list once, and nobody borrows `self` any more.
            drop(unsafe { Box::from_raw(value.as_ptr()) });
        }
    }
}
