//! How anomalies speak of time and operations: short, in seconds, with what a reader needs to find the place.
//!
//! ```text
//!   read of k3 at 6.214 s through n1 returned v12, written at 4.9 s; v19 had been acknowledged at 5.6 s
//! ```

use crate::history::{Operation, OperationKind, Outcome};

/// A point in time or a long duration: `6.214 s`, with as many decimals as it has.
pub(crate) fn seconds(micros: u64) -> String {
    let decimals = format!("{:06}", micros % 1_000_000);
    let decimals = decimals.trim_end_matches('0');
    let decimals = if decimals.is_empty() { "0" } else { decimals };
    format!("{}.{decimals} s", micros / 1_000_000)
}

/// A duration: in seconds from a tenth of one, in milliseconds from one, in microseconds below.
pub(crate) fn duration(micros: u64) -> String {
    match micros {
        100_000.. => seconds(micros),
        1_000.. => {
            let decimals = format!("{:03}", micros % 1_000);
            match decimals.trim_end_matches('0') {
                "" => format!("{} ms", micros / 1_000),
                decimals => format!("{}.{decimals} ms", micros / 1_000),
            }
        }
        _ => format!("{micros} µs"),
    }
}

/// `read of k3 at 6.214 s through n1`, by its invocation.
pub(crate) fn asked(operation: &Operation) -> String {
    let Operation { kind, key, coordinator, invoked_micros, .. } = operation;
    let at = seconds(*invoked_micros);
    if coordinator.is_empty() {
        format!("{kind} of {key} at {at}")
    } else {
        format!("{kind} of {key} at {at} through {coordinator}")
    }
}

/// What a read saw: `returned v12` or `found it absent`.
pub(crate) fn seen(operation: &Operation) -> String {
    match &operation.outcome {
        Outcome::Ok { value: Some(value) } => format!("returned {value}"),
        Outcome::Ok { value: None } => "found it absent".into(),
        Outcome::Fail { reason } | Outcome::Unknown { reason } => format!("ended with `{reason}`"),
    }
}

/// What a write or delete did, as a noun: `v19` or `a delete`.
pub(crate) fn mutation(operation: &Operation) -> &str {
    operation.written.as_deref().unwrap_or("a delete")
}

/// An operation with its effect and its whole interval: `write v19 (5.5 s to 5.6 s, n2)`.
pub(crate) fn interval(operation: &Operation) -> String {
    let effect = match operation.kind {
        OperationKind::Read => match &operation.outcome {
            Outcome::Ok { value } => format!("read {}", value.as_deref().unwrap_or("absent")),
            Outcome::Fail { .. } | Outcome::Unknown { .. } => "read".into(),
        },
        OperationKind::Write => format!("write {}", mutation(operation)),
        OperationKind::Delete => "delete".into(),
    };
    let from = seconds(operation.invoked_micros);
    match (&operation.outcome, operation.completed_micros) {
        (Outcome::Ok { .. }, Some(micros)) => format!("{effect} ({from} to {})", seconds(micros)),
        _ => format!("{effect} (from {from}, outcome unknown)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_decimals_they_need() {
        assert_eq!(seconds(6_214_000), "6.214 s");
        assert_eq!(seconds(5_000_000), "5.0 s");
        assert_eq!(seconds(1), "0.000001 s");
        assert_eq!(duration(600_000), "0.6 s");
        assert_eq!(duration(12_500), "12.5 ms");
        assert_eq!(duration(3_000), "3 ms");
        assert_eq!(duration(340), "340 µs");
    }
}
