//! What a page shows of a run beyond its facts: operations with their consistency reports, and some of the messages.
//!
//! ```text
//!   history ─────────────╮
//!   reports, by operation ├─▶ RunDetail        messages: those of a window that was asked for, or those around the first
//!   messages, all of them ╯                    anomalies, or around the beginnings of faults; never more than can be read
//! ```
//!
//! Everything is put into words here, so that the reports crate needs to know nothing of the laboratory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cluster::coordinator::{ConsistencyReport, Said};
use reports::RunDetail;
use reports::detail::{AnswerFact, ConsistencyFact, MessageFact, MessagesFact, OperationFact, OutcomeFact};

use super::Run;
use crate::history::{Operation, Outcome};
use crate::scenario::{Plan, Window, time_text};
use crate::world::{MessageLog, SeenMessage};

/// What coordinators told, by operation.
pub(super) type Reports = Arc<Mutex<BTreeMap<u32, ConsistencyReport>>>;

/// So many messages are kept while a run goes on: 60 bytes each.
pub(super) const MESSAGES_KEPT_MAX: usize = 2_000_000;

/// More messages than this nobody tells apart.
pub const MESSAGES_DRAWN_MAX: usize = 3_000;

/// Of each place that is worth a look, so much time before and after it.
const AROUND_MICROS: u64 = 50_000;

/// Places that are worth a look.
const PLACES_MAX: usize = 6;

/// Which messages are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// Those around the first anomalies, or, without any, around the beginnings of the first faults.
    #[default]
    Telling,
    /// Those sent in this window of the workload.
    Sent(Window),
    /// None.
    Nothing,
}

pub(super) fn detail(
    plan: &Plan,
    run: &Run,
    reports: &Reports,
    messages: &MessageLog,
    zero_micros: u64,
    choice: Choice,
) -> RunDetail {
    let reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
    let operations = run.history.operations.iter().map(|one| operation(one, reports.get(&one.id)));
    RunDetail {
        nodes: plan.cluster.nodes().map(|node| node.to_string()).collect(),
        operations: operations.collect(),
        messages: chosen(run, messages, zero_micros, choice),
    }
}

fn operation(operation: &Operation, report: Option<&ConsistencyReport>) -> OperationFact {
    OperationFact {
        id: u64::from(operation.id),
        session: u64::from(operation.session),
        coordinator: operation.coordinator.clone(),
        key: operation.key.clone(),
        kind: operation.kind.to_string(),
        consistency: operation.consistency.clone(),
        written: operation.written.clone(),
        outcome: match &operation.outcome {
            Outcome::Ok { value } => OutcomeFact::Ok { value: value.clone() },
            Outcome::Fail { reason } => OutcomeFact::Fail { reason: reason.clone() },
            Outcome::Unknown { reason } => OutcomeFact::Unknown { reason: reason.clone() },
        },
        invoked_micros: operation.invoked_micros,
        completed_micros: operation.completed_micros,
        report: report.map(consistency),
    }
}

fn consistency(report: &ConsistencyReport) -> ConsistencyFact {
    let answers = report.answers.iter().map(|(node, answer)| {
        let (said, version) = match &answer.said {
            Said::Nothing => ("nothing by then".to_string(), None),
            Said::Holds(Some(version)) => ("holds".to_string(), Some(version.to_string())),
            Said::Holds(None) => ("has none".to_string(), None),
            Said::Applied => ("stored".to_string(), None),
            Said::Superseded(version) => ("holds something newer".to_string(), Some(version.to_string())),
            Said::Refused(reason) => (format!("refused: {reason}"), None),
        };
        let (after_micros, repaired) = (answer.after_micros, answer.repaired);
        AnswerFact { node: node.to_string(), said, version, after_micros, repaired }
    });
    ConsistencyFact { required: report.required as u64, took_micros: report.took_micros, answers: answers.collect() }
}

fn chosen(run: &Run, log: &MessageLog, zero_micros: u64, choice: Choice) -> MessagesFact {
    let (windows, why) = match choice {
        Choice::Nothing => (Vec::new(), "none were asked for".to_string()),
        Choice::Sent(window) => (vec![window], format!("those sent in {window}, as asked")),
        Choice::Telling => telling(run),
    };
    let in_window = |sent_micros: u64| windows.iter().any(|window| window.contains(sent_micros));
    let sent = |message: &SeenMessage| message.sent_micros.checked_sub(zero_micros);
    let picked: Vec<&SeenMessage> =
        log.messages.iter().filter(|message| sent(message).is_some_and(in_window)).collect();
    let mut shown: Vec<MessageFact> =
        picked.iter().take(MESSAGES_DRAWN_MAX).map(|message| fact(message, zero_micros)).collect();
    shown.sort_by_key(|message| message.sent_micros);
    let mut chosen = why;
    if picked.len() > MESSAGES_DRAWN_MAX {
        chosen = format!("{chosen}, the first {MESSAGES_DRAWN_MAX} of {}", picked.len());
    }
    if log.messages.len() >= MESSAGES_KEPT_MAX {
        chosen = format!("{chosen}; no more than {MESSAGES_KEPT_MAX} were kept");
    }
    MessagesFact { shown, total: log.total, chosen }
}

/// The times worth a look, and why.
fn telling(run: &Run) -> (Vec<Window>, String) {
    let around = |from: u64, until: u64| Window {
        from_micros: from.saturating_sub(AROUND_MICROS),
        until_micros: until.saturating_add(AROUND_MICROS),
    };
    let blamed = run.facts.anomalies.iter().filter_map(|anomaly| anomaly.operations.first());
    let operations = blamed.filter_map(|id| run.history.operations.get(*id as usize));
    let ends = |operation: &Operation| operation.completed_micros.unwrap_or(operation.invoked_micros);
    let windows: Vec<Window> = operations.take(PLACES_MAX).map(|one| around(one.invoked_micros, ends(one))).collect();
    let around_text = time_text(AROUND_MICROS);
    if !windows.is_empty() {
        return (windows, format!("those sent within {around_text} of the first anomalies"));
    }
    let faults = run.facts.faults.iter().take(PLACES_MAX);
    let windows: Vec<Window> = faults.map(|fault| around(fault.at_micros, fault.at_micros)).collect();
    if !windows.is_empty() {
        return (windows, format!("those sent within {around_text} of the beginnings of the first faults"));
    }
    (vec![around(0, 0)], format!("those sent in the first {around_text}"))
}

fn fact(message: &SeenMessage, zero_micros: u64) -> MessageFact {
    MessageFact {
        from: format!("n{}", message.from),
        to: format!("n{}", message.to),
        what: message.what.to_string(),
        sent_micros: message.sent_micros.saturating_sub(zero_micros),
        ended_micros: message.ended_micros.map(|ended| ended.saturating_sub(zero_micros)),
        lost: message.lost.map(str::to_string),
    }
}
