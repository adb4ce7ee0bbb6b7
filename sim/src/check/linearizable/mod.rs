//! Each key behaves like one register: every operation seems to happen at one moment between its invocation and its
//! completion (Herlihy and Wing 1990).
//!
//! ```text
//!   write v1 ├────────┤                    one order that explains it:   write v1 · read v1 · write v2 · read v2
//!   write v2      ├───────────┤
//!   read v1        ├────┤
//!   read v2                      ├────┤    a later read of v1 would fit nowhere
//! ```
//!
//! | file | does |
//! |---|---|
//! | `problem.rs` | one key's operations, up to a moment: what must be placed, what may be, what nobody can tell from absence |
//! | `../timeline.rs` | invocations and completions in time order, as a list that operations can be lifted out of |
//! | `search.rs` | Wing and Gong's search (1993) as Lowe (2017) improved it, with rules that spare it the branching |
//! | `memo.rs` | the configurations that were visited, compared exactly |
//!
//! Keys are independent (linearizability is local), so each is judged alone, as in Porcupine. The verdict is exact, or
//! `Undecided` when the search took more steps than allowed; where values are unique it never branches, and that does not
//! happen. Unknown writes and deletes may take effect at any time after their invocation, or never.
//!
//! A violation is explained by the first moment at which it was one: a prefix of a linearizable history is linearizable, so
//! the completion that breaks it is found by bisection. Only the first violation of a key is reported.

mod memo;
mod problem;
mod search;
#[cfg(test)]
mod tests;

use serde::Serialize;

use self::problem::{Moment, Problem};
use self::search::{Verdict, search};
use super::index::{Index, KeyIndex, NEVER, Role};
use super::words::{asked, interval, seconds, seen};
use super::{Anomaly, AnomalyKind, Findings};
use crate::history::{Operation, OperationKind};

/// Enough for any history with unique values, and about a second for one without.
pub const DEFAULT_STEPS_PER_KEY: u64 = 50_000_000;

/// At most so many overlapping operations are named in an explanation.
const MAX_OVERLAPPING: usize = 6;

/// A key that could not be judged within the steps allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undecided {
    /// The key.
    pub key: String,
    /// The steps that were not enough.
    pub steps: u64,
}

/// What was found about linearizability.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Linearizability {
    /// The first violation of each key. Its operations are: the one whose completion nothing explains, the last one of
    /// the order up to then (if there is one), and those that overlap the first. Examined are ok reads of keys that
    /// anybody wrote or deleted.
    pub findings: Findings,
    /// Keys without a verdict, by order of their first operation.
    pub undecided: Vec<Undecided>,
}

/// Judges every key, with at most `steps_per_key` steps of search each.
pub fn check(index: &Index<'_>, steps_per_key: u64) -> Linearizability {
    let mut result = Linearizability::default();
    for key in &index.keys {
        if key.entries.iter().any(|entry| entry.role == Role::Install) {
            result.findings.examined += key.entries.iter().filter(|entry| entry.role == Role::Read).count() as u64;
        }
        match search(&Problem::of(key, Moment::END), steps_per_key) {
            Verdict::Linearizable { .. } => {}
            Verdict::Violated => result.findings.anomalies.push(explain(index, key, steps_per_key)),
            Verdict::Undecided => {
                result.undecided.push(Undecided { key: key.key.to_string(), steps: steps_per_key });
            }
        }
    }
    result.findings = result.findings.sorted();
    result
}

/// Whether one key's operations are those of a register; `None` when that would take more than `steps`.
pub(crate) fn decide(key: &KeyIndex<'_>, steps: u64) -> Option<bool> {
    match search(&Problem::of(key, Moment::END), steps) {
        Verdict::Linearizable { .. } => Some(true),
        Verdict::Violated => Some(false),
        Verdict::Undecided => None,
    }
}

/// Finds the completion at which a violated key stopped being linearizable, and what was going on around it.
fn explain(index: &Index<'_>, key: &KeyIndex<'_>, steps: u64) -> Anomaly {
    let mut completions: Vec<Moment> = key
        .entries
        .iter()
        .filter(|entry| entry.completed != NEVER)
        .map(|entry| Moment { micros: entry.completed, id: entry.id })
        .collect();
    completions.sort_unstable();
    // Where the search runs out of steps the prefix counts as fine: the culprit is then later than it need be.
    let fine =
        completions.partition_point(|&moment| !matches!(search(&Problem::of(key, moment), steps), Verdict::Violated));
    let culprit = *completions.get(fine).or(completions.last()).expect("nothing completed, so nothing was violated");
    let order = match fine.checked_sub(1).map(|last| search(&Problem::of(key, completions[last]), steps)) {
        Some(Verdict::Linearizable { order }) => order,
        _ => Vec::new(),
    };
    let operation = index.operation(culprit.id);
    let last = order.last().map(|&id| index.operation(id));
    let overlapping = overlapping(index, key, operation, last);
    Anomaly {
        kind: AnomalyKind::NotLinearizable,
        key: key.key.to_string(),
        operations: [culprit.id]
            .into_iter()
            .chain(last.into_iter().chain(overlapping.iter().copied()).map(|o| o.id))
            .collect(),
        at_micros: culprit.micros,
        behind_micros: None,
        explanation: sentence(operation, culprit.micros, last, &overlapping),
    }
}

/// What overlaps the culprit in time, other than itself and `last`: the latest-invoked ones, in the order of invocation.
fn overlapping<'h>(
    index: &Index<'h>,
    key: &KeyIndex<'_>,
    culprit: &Operation,
    last: Option<&Operation>,
) -> Vec<&'h Operation> {
    let until = culprit.completed_micros.unwrap_or(NEVER);
    let mut overlapping: Vec<&Operation> = key
        .entries
        .iter()
        .rev()
        .filter(|entry| entry.invoked <= until && entry.completed >= culprit.invoked_micros)
        .filter(|entry| entry.id != culprit.id && last.is_none_or(|last| last.id != entry.id))
        .take(MAX_OVERLAPPING)
        .map(|entry| index.operation(entry.id))
        .collect();
    overlapping.reverse();
    overlapping
}

fn sentence(culprit: &Operation, micros: u64, last: Option<&Operation>, overlapping: &[&Operation]) -> String {
    let what = match culprit.kind {
        OperationKind::Read => format!("{} {}", asked(culprit), seen(culprit)),
        OperationKind::Write | OperationKind::Delete => format!("{}: {}", asked(culprit), interval(culprit)),
    };
    let before = match last {
        Some(last) => format!("what had completed until then has an order, which ends with {}", interval(last)),
        None => "nothing had to be placed before it".into(),
    };
    let around = if overlapping.is_empty() {
        "nothing overlaps it".to_string()
    } else {
        let named: Vec<String> = overlapping.iter().map(|operation| interval(operation)).collect();
        format!("overlapping it: {}", named.join(", "))
    };
    format!(
        "{what}, and with its completion at {} no order explains the key any more; {before}; {around}",
        seconds(micros)
    )
}
