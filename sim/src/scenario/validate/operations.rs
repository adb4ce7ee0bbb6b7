//! The list `workload.operations`: what is sent, one by one, where nothing is drawn.
//!
//! Whatever would be drawn (rate, mix, keys, lengths, coordinators) is refused beside the list rather than ignored. The
//! mix of such a workload counts the operations of each kind, so that all that asks for the mix still has its answer.

use super::super::contradiction::Contradiction;
use super::super::errors::Flaw;
use super::super::link::Member;
use super::super::path::FieldPath;
use super::super::plan::Plan;
use super::super::raw::{self, Text};
use super::super::units;
use super::super::workload::{ListedOperation, PerKind, WorkloadPlan};
use super::workload::{VALUE_BYTES_LEAST, VALUE_BYTES_MOST};
use super::{Checker, member_name, node_name};
use crate::history::OperationKind;

/// The plan with these operations, in the order of time, instead of what it draws or lists. There must be one at least.
pub fn with_operations(plan: &Plan, operations: Vec<ListedOperation>) -> Plan {
    let drawn = Checker::default().workload(&raw::Workload::default(), 1, 1);
    let clients = operations.iter().map(|operation| operation.client + 1).max().unwrap_or(1);
    let workload = WorkloadPlan {
        client_count: plan.workload.client_count.max(clients),
        operations_per_second: drawn.operations_per_second,
        distribution: drawn.distribution,
        mix: mix(&operations),
        value_bytes_least: drawn.value_bytes_least,
        value_bytes_most: drawn.value_bytes_most,
        coordinators: drawn.coordinators,
        operations,
        ..plan.workload.clone()
    };
    Plan { workload, ..plan.clone() }
}

fn mix(operations: &[ListedOperation]) -> PerKind<u32> {
    let count = |kind| operations.iter().filter(|operation| operation.kind == kind).count() as u32;
    PerKind {
        read: count(OperationKind::Read),
        write: count(OperationKind::Write),
        delete: count(OperationKind::Delete),
    }
}

impl Checker {
    /// Reads the list into the workload, where there is one.
    pub(super) fn list_operations(&mut self, raw: &raw::Workload, workload: &mut WorkloadPlan) {
        let Some(listed) = &raw.operations else { return };
        let path = FieldPath::root().key("workload").key("operations");
        let keys = raw.keys.clone().unwrap_or_default();
        for (key, given) in [
            ("rate", raw.rate.is_some()),
            ("mix", raw.mix.is_some()),
            ("keys.distribution", keys.distribution.is_some()),
            ("value_bytes", raw.value_bytes.is_some()),
            ("coordinators", raw.coordinators.is_some()),
        ] {
            if given {
                self.refuse(FieldPath::root().key("workload").key(key), Contradiction::DrawnBesideListed { key });
            }
        }
        if listed.is_empty() {
            self.refuse(path.clone(), Contradiction::OperationsEmpty);
        }
        let mut before_micros = 0;
        for (position, operation) in listed.iter().enumerate() {
            let path = path.index(position);
            let Some(operation) = self.listed_operation(operation, &path, workload) else { continue };
            if operation.at_micros < before_micros {
                let (at, before) = (units::time_text(operation.at_micros), units::time_text(before_micros));
                self.refuse(path.key("at"), Contradiction::OperationsOutOfOrder { at, before });
            }
            before_micros = operation.at_micros;
            workload.operations.push(operation);
        }
        // An operation that is wrong must not raise complaints about kinds that are missing.
        if workload.operations.len() == listed.len() {
            workload.mix = mix(&workload.operations);
        }
    }

    fn listed_operation(
        &mut self,
        raw: &raw::Operation,
        path: &FieldPath,
        workload: &WorkloadPlan,
    ) -> Option<ListedOperation> {
        for (field, key, purpose) in [
            (&raw.at, "at", "when it is sent, as in 5ms"),
            (&raw.client, "client", "who sends it, as in c0"),
            (&raw.kind, "kind", "read, write or delete"),
            (&raw.key, "key", "which key it is about, as in k0"),
        ] {
            if field.is_none() {
                self.refuse(path.clone(), Flaw::Missing { key, purpose });
            }
        }
        let at_micros = self.optional(&raw.at, units::time);
        if let (Some(micros), Some(text)) = (at_micros, &raw.at) {
            self.before_the_end(micros, text);
        }
        let (nodes, clients) = (self.node_count, self.client_count);
        let client = self.optional(&raw.client, |text| client_number(text, nodes, clients));
        let kind = self.kind(&raw.kind);
        let key = self.optional(&raw.key, |text| key_number(text, workload.key_count));
        let through = self.optional(&raw.through, |text| node_name(text, nodes));
        let kind = kind?;
        let value_bytes = self.listed_bytes(kind, &raw.bytes);
        Some(ListedOperation { at_micros: at_micros?, client: client?, kind, key: key?, value_bytes, through })
    }

    fn listed_bytes(&mut self, kind: OperationKind, bytes: &Option<Text>) -> u32 {
        if let (Some(text), OperationKind::Read | OperationKind::Delete) = (bytes, kind) {
            self.refuse(text.path.clone(), Contradiction::BytesOfNoWrite { kind: kind.name() });
        }
        let default = if kind == OperationKind::Write { VALUE_BYTES_LEAST } else { 0 };
        self.value(bytes, default, |text| units::whole_number(text, VALUE_BYTES_LEAST, VALUE_BYTES_MOST)) as u32
    }
}

fn client_number(text: &str, node_count: u16, client_count: u32) -> Result<u32, Flaw> {
    match member_name(text, node_count, client_count) {
        Ok(Member::Client(number)) => Ok(number),
        Err(flaw @ Flaw::UnknownClient { .. }) => Err(flaw),
        Ok(Member::Node(_)) | Err(_) => {
            Err(Flaw::NotUnderstood { text: text.to_string(), expected: "the name of a client, as in c0" })
        }
    }
}

fn key_number(text: &str, key_count: u32) -> Result<u32, Flaw> {
    let expected = "the name of a key, as in k0";
    let not_understood = || Flaw::NotUnderstood { text: text.to_string(), expected };
    let digits = text.strip_prefix('k').ok_or_else(not_understood)?;
    let number = units::whole_number(digits, 0, u64::from(u32::MAX)).map_err(|_| not_understood())?;
    // `k01` and `k1` must not both be names of one key.
    if number.to_string() != digits {
        return Err(not_understood());
    }
    let describe = |key| format!("k{key}");
    units::within_bounds(text, number, 0, u64::from(key_count) - 1, describe).map(|number| number as u32)
}
