//! What one read touched: counted as it happens, summed up in the statistics, shown by `explain`.
//!
//! ```text
//!   memtables ─▶ tables considered ─▶ filters asked ─▶ blocks: from the cache, or from the disk
//! ```

use serde::Serialize;

/// What a read, or all reads so far, touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ReadCost {
    /// Memtables that were asked.
    pub memtables: u64,
    /// Tables whose key range holds the key, or overlaps the scan.
    pub tables: u64,
    /// Filters that were asked.
    pub filters_asked: u64,
    /// Filters that said "not here", which saved a block.
    pub filters_negative: u64,
    /// Filters that said "perhaps" of a table that turned out not to hold the key.
    pub filters_false_positive: u64,
    /// Blocks that were looked into: data blocks and partitions (filter and index).
    pub blocks: u64,
    /// Of them, those that came from the cache.
    pub blocks_cached: u64,
    /// Bytes of blocks that came from the cache, uncompressed.
    pub bytes_cached: u64,
    /// Bytes that were read from files.
    pub bytes_read: u64,
    /// Read calls to the disk.
    pub disk_reads: u64,
}

impl ReadCost {
    /// Adds another read's.
    pub fn add(&mut self, other: &ReadCost) {
        self.memtables += other.memtables;
        self.tables += other.tables;
        self.filters_asked += other.filters_asked;
        self.filters_negative += other.filters_negative;
        self.filters_false_positive += other.filters_false_positive;
        self.blocks += other.blocks;
        self.blocks_cached += other.blocks_cached;
        self.bytes_cached += other.bytes_cached;
        self.bytes_read += other.bytes_read;
        self.disk_reads += other.disk_reads;
    }
}
