//! A scan of the cluster: partitions merged in key order, each key at the asked level, without a snapshot.
//!
//! Every node is asked for its next page. When each partition has R replicas among those that answered, the pages are
//! merged up to the first key that some answered page does not reach. A key on which replicas differ is read again by
//! itself at the level asked for, which writes the newest version back: a scan promises per key what a read does.
//!
//! ```text
//!   n1  a=5  c=2      k=1 | complete until m
//!   n2  a=5  c=3  f=9     | complete until g        merged up to g: a=5, c (read again), f=9
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use engine::world::Clock;

use super::read::ReadOperation;
use super::{Coordinator, Failure, FailureKind, Level, Page};
use crate::limits::MAX_SCAN_ROWS;
use crate::replica::PAGE_BYTES;
use crate::ring::Placement;
use crate::versioning::Row;
use crate::wire::{Body, ReplicaReply, ReplicaScan};
use crate::world::{ClusterWorld, NodeId};

/// One node's page, decoded.
#[derive(Debug, Clone)]
struct NodePage {
    rows: BTreeMap<Bytes, Row>,
    complete_until: Option<Bytes>,
}

/// What is known of one key after merging.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Merged {
    /// Every replica that answered holds this version.
    Agreed(Bytes, Option<Bytes>),
    /// They differ, or fewer hold it than must.
    Differs(Bytes),
}

impl<W: ClusterWorld> Coordinator<W> {
    /// One page of up to `limit` rows from `from` to `until` (exclusive; empty for no end).
    pub(crate) async fn scan(
        &self,
        from: Bytes,
        until: Bytes,
        limit: usize,
        level: Level,
        timeout: Duration,
    ) -> Result<Page, Failure> {
        if limit == 0 || limit > MAX_SCAN_ROWS {
            return Err(Failure::bad_request(format!("a page of {limit} rows: ask for 1 to {MAX_SCAN_ROWS}")));
        }
        let required = level.required(self.placement.replication()).map_err(Failure::bad_request)?;
        let started = self.world.clock().now();
        let pages = self.gather(from, until, limit, required, timeout).await?;
        let (merged, mut next) = merge(&self.placement, &pages, required, limit);
        let mut rows = Vec::new();
        for key in merged {
            match key {
                Merged::Agreed(key, Some(value)) => rows.push((key, value)),
                Merged::Agreed(_, None) => {}
                Merged::Differs(key) => {
                    let elapsed = self.world.clock().now().saturating_since(started);
                    let (read, late) = self.get(key.clone(), level, timeout.saturating_sub(elapsed)).await;
                    drop(late);
                    rows.extend(read.result?.and_then(|row| row.value).map(|value| (key, value)));
                }
            }
        }
        if let Some(cut) = fitting(&rows, limit) {
            next = Some(rows[cut].0.clone());
            rows.truncate(cut);
        }
        Ok(Page { rows, next })
    }

    /// Pages of enough nodes that every partition has `required` replicas among them.
    async fn gather(
        &self,
        from: Bytes,
        until: Bytes,
        limit: usize,
        required: usize,
        timeout: Duration,
    ) -> Result<BTreeMap<NodeId, NodePage>, Failure> {
        let mut exchange = self.exchanges.open();
        let members = self.placement.members().to_vec();
        self.ask(&exchange, &members, &Body::ReplicaScan(ReplicaScan { from, until, limit: limit as u32 }));
        let deadline = self.world.clock().sleep_until(self.world.clock().now() + timeout);
        tokio::pin!(deadline);
        let mut pages = BTreeMap::new();
        let mut refused = BTreeMap::new();
        loop {
            let (node, reply) = tokio::select! {
                biased;
                reply = exchange.reply() => reply,
                () = &mut deadline => {
                    let silent: Vec<NodeId> =
                        members.iter().filter(|node| !pages.contains_key(*node)).copied().collect();
                    let silent = super::write::join(&silent);
                    let reason = format!("no page in time from {silent}, and some keys need them: try a lower level");
                    return Err(Failure::unknown(FailureKind::Timeout, reason));
                }
            };
            match decode_page(reply) {
                Ok(page) => _ = pages.insert(node, page),
                Err(reason) => _ = refused.insert(node, reason),
            }
            if covers(&self.placement, &pages, required) {
                return Ok(pages);
            }
            if pages.len() + refused.len() == members.len() {
                let reasons: Vec<String> = refused.iter().map(|(node, reason)| format!("{node}: {reason}")).collect();
                return Err(Failure::not_applied(FailureKind::Refused, reasons.join("; ")));
            }
        }
    }
}

/// How many rows fit a page, when not all of them do. One row always does.
fn fitting(rows: &[(Bytes, Bytes)], limit: usize) -> Option<usize> {
    let mut bytes = 0;
    rows.iter().enumerate().position(|(place, (key, value))| {
        bytes += key.len() + value.len();
        place >= limit || (place > 0 && bytes > PAGE_BYTES)
    })
}

fn decode_page(reply: ReplicaReply) -> Result<NodePage, String> {
    if let Some(refused) = reply.refused {
        return Err(refused.reason);
    }
    let mut rows = BTreeMap::new();
    for row in reply.rows {
        rows.insert(row.key, Row::decode(row.row).map_err(|error| error.to_string())?);
    }
    let complete_until = (!reply.complete_until.is_empty()).then_some(reply.complete_until);
    Ok(NodePage { rows, complete_until })
}

fn covers(placement: &Placement, pages: &BTreeMap<NodeId, NodePage>, required: usize) -> bool {
    placement.all().all(|partition| {
        let answered = placement.replicas(partition).iter().filter(|node| pages.contains_key(node)).count();
        answered >= required
    })
}

fn merge(
    placement: &Placement,
    pages: &BTreeMap<NodeId, NodePage>,
    required: usize,
    limit: usize,
) -> (Vec<Merged>, Option<Bytes>) {
    let end = pages.values().filter_map(|page| page.complete_until.clone()).min();
    let mut keys: Vec<&Bytes> = pages.values().flat_map(|page| page.rows.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut merged = Vec::new();
    for key in keys {
        if end.as_ref().is_some_and(|end| key >= end) {
            break;
        }
        // Deletions make a page shorter than its limit; the caller asks for the next one.
        if merged.len() == limit {
            return (merged, Some(key.clone()));
        }
        let replicas = placement.replicas(placement.partition_of(key));
        let held: Vec<Option<&Row>> =
            replicas.iter().filter_map(|node| pages.get(node)).map(|page| page.rows.get(key)).collect();
        let newest = held.iter().copied().flatten().max_by_key(|row| row.stamp);
        let holders = held.iter().filter(|row| row.map(|row| row.stamp) == newest.map(|row| row.stamp)).count();
        merged.push(match newest {
            Some(row) if holders >= ReadOperation::holders_required(replicas.len(), required) => {
                Merged::Agreed(key.clone(), row.value.clone())
            }
            _ => Merged::Differs(key.clone()),
        });
    }
    (merged, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versioning::Stamp;

    fn page(rows: &[(&str, u64)], complete_until: Option<&str>) -> NodePage {
        let rows = rows.iter().map(|(key, time)| {
            let stamp = Stamp { time: *time, node: NodeId(1) };
            (Bytes::from(key.to_string()), Row { stamp, value: Some(Bytes::from(time.to_string())) })
        });
        NodePage { rows: rows.collect(), complete_until: complete_until.map(|key| Bytes::from(key.to_string())) }
    }

    fn placement() -> Placement {
        Placement::new(1, &[NodeId(1), NodeId(2), NodeId(3)], 3, 8).unwrap()
    }

    #[test]
    fn pages_are_merged_as_far_as_all_of_them_reach() {
        let pages = BTreeMap::from([
            (NodeId(1), page(&[("a", 5), ("c", 2), ("k", 1)], Some("m"))),
            (NodeId(2), page(&[("a", 5), ("c", 3), ("f", 9)], Some("g"))),
        ]);
        let (merged, next) = merge(&placement(), &pages, 2, 10);
        assert_eq!(
            merged,
            [
                Merged::Agreed(Bytes::from("a"), Some(Bytes::from("5"))),
                Merged::Differs(Bytes::from("c")),
                Merged::Differs(Bytes::from("f")),
            ]
        );
        assert_eq!(next, Some(Bytes::from("g")));
    }

    #[test]
    fn a_scan_is_covered_when_every_partition_has_enough_replicas_among_the_answers() {
        let mut pages = BTreeMap::from([(NodeId(1), page(&[], None))]);
        assert!(covers(&placement(), &pages, 1));
        assert!(!covers(&placement(), &pages, 2));
        pages.insert(NodeId(3), page(&[], None));
        assert!(covers(&placement(), &pages, 2));
    }

    #[test]
    fn rows_that_are_too_many_or_too_large_wait_for_the_next_page() {
        let row = |bytes: usize| (Bytes::from_static(b"k"), Bytes::from(vec![0; bytes]));
        assert_eq!(fitting(&[row(1), row(1), row(1)], 3), None);
        assert_eq!(fitting(&[row(1), row(1), row(1)], 2), Some(2));
        assert_eq!(fitting(&[row(PAGE_BYTES), row(1)], 3), Some(1));
        assert_eq!(fitting(&[row(2 * PAGE_BYTES)], 3), None, "one row always fits");
    }

    #[test]
    fn a_full_page_says_where_the_next_begins() {
        let pages = BTreeMap::from([(NodeId(1), page(&[("a", 5), ("b", 2), ("c", 1)], None))]);
        let (merged, next) = merge(&placement(), &pages, 1, 2);
        assert_eq!(merged.len(), 2);
        assert_eq!(next, Some(Bytes::from("c")));
    }
}
