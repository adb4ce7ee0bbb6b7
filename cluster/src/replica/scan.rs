//! One replica's page of a scan: the rows of all its partitions, merged in user key order, deletions included.
//!
//! ```text
//!   partition 3   a    f k          each read up to `limit` rows deep
//!   partition 7     c  g   q        merged, cut at `limit`; every row before `complete_until` is in the page
//! ```

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use engine::ScanLimits;
use engine::world::World;

use super::keys::PREFIX_BYTES;
use super::{DATA_KEYSPACE, Refusal, Replica, engine_key};
use crate::ring::PartitionId;

/// Bytes after which a page ends early, so that it fits a frame.
pub(crate) const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Rows in key order, and how far they are all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplicaPage {
    /// User keys with encoded rows.
    pub(crate) rows: Vec<(Bytes, Bytes)>,
    /// Every row before this key is in the page; `None` when the page reaches the end of the range.
    pub(crate) complete_until: Option<Bytes>,
}

impl<W: World> Replica<W> {
    /// Up to `limit` rows from `from` (inclusive) to `until` (exclusive; empty for no end).
    pub(crate) async fn scan(&self, from: &[u8], until: &[u8], limit: usize) -> Result<ReplicaPage, Refusal> {
        if limit == 0 || limit > crate::limits::MAX_SCAN_ROWS {
            let most = crate::limits::MAX_SCAN_ROWS;
            return Err(Refusal::definite(format!("a page of {limit} rows: ask for 1 to {most}")));
        }
        let mut merged = BTreeMap::new();
        let mut complete_until: Option<Bytes> = None;
        let snapshot = self.db.snapshot();
        let held = self.placement.held_by(self.node).count();
        // All partitions together fill about one page; each gives at least one row.
        let bytes = (PAGE_BYTES / held.max(1)).max(1);
        for partition in self.placement.held_by(self.node) {
            let limits = ScanLimits { entries: limit, bytes };
            let page = self.db.scan(partition_range(partition, from, until), limits, &snapshot).await;
            let page = page.map_err(|error| Refusal::of_read(&error))?;
            if let Some(next) = page.next {
                cut(&mut complete_until, next.slice(PREFIX_BYTES..));
            }
            for (key, entry) in page.entries {
                merged.insert(key.slice(PREFIX_BYTES..), entry.value);
            }
        }
        let mut rows = Vec::with_capacity(limit.min(merged.len()));
        let mut bytes = 0;
        for (key, row) in merged {
            if complete_until.as_ref().is_some_and(|end| key >= *end) {
                break;
            }
            if rows.len() == limit || bytes > PAGE_BYTES {
                cut(&mut complete_until, key);
                break;
            }
            bytes += key.len() + row.len();
            rows.push((key, row));
        }
        Ok(ReplicaPage { rows, complete_until })
    }
}

fn cut(complete_until: &mut Option<Bytes>, at: Bytes) {
    if complete_until.as_ref().is_none_or(|end| at < *end) {
        *complete_until = Some(at);
    }
}

fn partition_range(partition: PartitionId, from: &[u8], until: &[u8]) -> (Bound<Bytes>, Bound<Bytes>) {
    let start = Bound::Included(engine_key(DATA_KEYSPACE, partition, from));
    let end = if !until.is_empty() {
        engine_key(DATA_KEYSPACE, partition, until)
    } else if partition.0 == u16::MAX {
        engine_key(DATA_KEYSPACE + 1, PartitionId(0), &[])
    } else {
        engine_key(DATA_KEYSPACE, PartitionId(partition.0 + 1), &[])
    };
    (start, Bound::Excluded(end))
}
