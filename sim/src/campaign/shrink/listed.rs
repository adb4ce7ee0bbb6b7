//! The operations of a run, as a list that a plan can hold: once they are listed, each can be left out by itself.
//!
//! ```text
//!   history  c3 [ write k1 v17 ] through n2    ──▶   { at: 5.1s, client: c3, kind: write, key: k1, bytes: 58, through: n2 }
//! ```
//!
//! A history does not say how long a value was; the middle of what the plan draws from stands for it.

use std::collections::BTreeMap;

use crate::history::{History, OperationKind};
use crate::scenario::{ListedOperation, Plan, near_node};

/// What the run of `plan` with this history sent, in order. What was sent after the workload's end, or cannot be named, is
/// left out.
pub(super) fn operations_of(plan: &Plan, history: &History) -> Vec<ListedOperation> {
    let workload = &plan.workload;
    let value_bytes = (workload.value_bytes_least + workload.value_bytes_most) / 2;
    // What is listed has its own lengths: the n-th write is that of the n-th operation that the list has.
    let lengths: BTreeMap<String, u32> = workload
        .operations
        .iter()
        .zip(1..)
        .map(|(listed, number)| (format!("v{number}"), listed.value_bytes))
        .collect();
    let listed = history.operations.iter().filter_map(|operation| {
        let coordinator = operation.coordinator.parse().ok()?;
        let near = near_node(operation.session, plan.cluster.node_count);
        let length = operation.written.as_ref().and_then(|value| lengths.get(value)).copied();
        Some(ListedOperation {
            at_micros: operation.invoked_micros,
            client: operation.session,
            kind: operation.kind,
            key: operation.key.strip_prefix('k')?.parse().ok()?,
            value_bytes: if operation.kind == OperationKind::Write { length.unwrap_or(value_bytes) } else { 0 },
            through: (coordinator != near).then_some(coordinator),
        })
    });
    listed.filter(|operation| operation.at_micros < workload.duration_micros).collect()
}

/// The operations with the keys that they use numbered from 0, and how many there are.
pub(super) fn with_dense_keys(operations: &[ListedOperation]) -> (Vec<ListedOperation>, u32) {
    let mut names: BTreeMap<u32, u32> = BTreeMap::new();
    for operation in operations {
        let next = names.len() as u32;
        names.entry(operation.key).or_insert(next);
    }
    let renamed = operations.iter().map(|operation| ListedOperation { key: names[&operation.key], ..*operation });
    (renamed.collect(), (names.len() as u32).max(1))
}

/// The operations sent by as few clients as near the same nodes can be: with `merged`, all those near one node are one.
/// What asked the node near its client goes on doing so.
pub(super) fn with_fewer_clients(
    operations: &[ListedOperation],
    node_count: u16,
    merged: bool,
) -> Vec<ListedOperation> {
    let node_count = u32::from(node_count);
    let mut names: BTreeMap<u32, u32> = BTreeMap::new();
    let mut renamed = Vec::new();
    for operation in operations {
        let near = operation.client % node_count;
        let known = names.keys().filter(|client| **client % node_count == near).count() as u32;
        let place = if merged { 0 } else { known };
        let client = *names.entry(operation.client).or_insert(near + place * node_count);
        renamed.push(ListedOperation { client, ..*operation });
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::specimen::plan;
    use crate::scenario::{is_valid, with_operations, write};

    fn operation(client: u32, key: u32) -> ListedOperation {
        ListedOperation { at_micros: 5, client, kind: OperationKind::Read, key, value_bytes: 0, through: None }
    }

    #[test]
    fn keys_and_clients_are_numbered_without_gaps_and_clients_stay_near_their_nodes() {
        let operations = [operation(7, 9), operation(4, 3), operation(7, 3), operation(1, 9), operation(5, 9)];
        let (dense, count) = with_dense_keys(&operations);
        assert_eq!((dense.iter().map(|operation| operation.key).collect::<Vec<_>>(), count), (vec![0, 1, 1, 0, 0], 2));
        let clients = |merged| -> Vec<u32> {
            with_fewer_clients(&operations, 3, merged).iter().map(|operation| operation.client).collect()
        };
        // 7, 4 and 1 are near n2 of three nodes, 5 is near n3.
        assert_eq!(clients(false), [1, 4, 1, 7, 2]);
        assert_eq!(clients(true), [1, 1, 1, 1, 2]);
    }

    #[test]
    fn a_run_of_the_listed_operations_sends_them_again() {
        let lines = "workload: { duration: 2s, rate: 50/s, value_bytes: 40, mix: { read: 5, write: 4, delete: 1 } }\n\
                     at_least: { read: 1, write: 1, delete: 1 }\n";
        let drawn = plan("x.yaml", lines);
        let first = crate::run::run(&drawn, 3);
        let operations = operations_of(&drawn, &first.history);
        assert!(operations.len() > 50);
        let listed = with_operations(&drawn, operations.clone());
        assert!(is_valid(&listed), "{}", write(&listed, &[]));
        let second = crate::run::run(&listed, 3);
        assert_eq!(operations_of(&listed, &second.history), operations);
        // The same sessions, keys and moments are the same run, but for what waits after the last operation.
        let outcomes = |run: &crate::run::Run| -> Vec<bool> {
            run.history.operations.iter().map(|operation| operation.outcome.is_ok()).collect()
        };
        assert_eq!(outcomes(&first), outcomes(&second));
    }
}
