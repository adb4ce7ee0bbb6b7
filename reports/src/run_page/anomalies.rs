//! Every anomaly with its sentence, and the smallest sub-history that shows it: a picture, a table, and what each replica
//! said to each of its operations.
//!
//! ```text
//!   stale read   read of k3 at 6.2 s returned v12; v19 had been acknowledged at 5.6 s
//!                #41 write v12  ▬▬▬
//!                #57 write v19        ▬▬▬▬
//!                #60 read = v12             ▬▬      ◀ the one that is wrong
//! ```

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::timeline::{seconds, when};
use crate::detail::{ConsistencyFact, OperationFact, OutcomeFact, RunDetail};
use crate::facts::{AnomalyFact, RunFacts};
use crate::numbers::{count, duration, moment};
use crate::tables::{Column, Rows, plain, shortened};

/// Anomalies told with their sub-histories, and of those, how many are unfolded at first.
const TOLD_MOST: usize = 100;
const OPEN: usize = 3;

/// Anomalies told by their sentence alone, after those.
const SENTENCES_MOST: usize = 1_000;

/// Operations drawn of one sub-history.
const OPERATIONS_MOST: usize = 24;

/// Pixels of a picture.
const NAMES: u64 = 230;
const PLOT: u64 = 620;
const ROW: u64 = 24;

pub(super) fn anomalies(facts: &RunFacts, detail: &RunDetail) -> Markup {
    let known: BTreeMap<u64, &OperationFact> =
        detail.operations.iter().map(|operation| (operation.id, operation)).collect();
    let mut by_kind: BTreeMap<&str, u64> = BTreeMap::new();
    for anomaly in &facts.anomalies {
        *by_kind.entry(&anomaly.kind).or_default() += 1;
    }
    let mut kinds = Rows::new(vec![Column::Words("kind"), Column::Number("seen")]);
    for (kind, seen) in by_kind {
        kinds.push(vec![kind.to_string(), count(seen)]);
    }
    let all = facts.anomalies.len();
    html! {
        (crate::page::table(&kinds))
        @for (place, anomaly) in facts.anomalies.iter().take(TOLD_MOST).enumerate() {
            details.anomaly open[place < OPEN] {
                summary {
                    span.kind { (plain(&anomaly.kind)) } " at " (moment(anomaly.at_micros)) ": " (plain(&anomaly.sentence))
                }
                (sub_history(anomaly, &known))
            }
        }
        @if all > TOLD_MOST {
            details {
                summary { "And " (count((all - TOLD_MOST) as u64)) " more" }
                ul.sentences {
                    @for anomaly in facts.anomalies.iter().skip(TOLD_MOST).take(SENTENCES_MOST) {
                        li { span.kind { (plain(&anomaly.kind)) } ": " (plain(&anomaly.sentence)) }
                    }
                }
                @if all > TOLD_MOST + SENTENCES_MOST {
                    p.note { (count((all - TOLD_MOST - SENTENCES_MOST) as u64)) " are left out here: report.json has them all." }
                }
            }
        }
    }
}

/// The operations in order of time; the first that the anomaly names is the one that is wrong.
fn sub_history(anomaly: &AnomalyFact, known: &BTreeMap<u64, &OperationFact>) -> Markup {
    let wrong = anomaly.operations.first().copied();
    let named = anomaly.operations.iter().filter_map(|id| known.get(id).copied());
    let mut operations: Vec<&OperationFact> = named.take(OPERATIONS_MOST).collect();
    operations.sort_by_key(|operation| (operation.invoked_micros, operation.id));
    if operations.is_empty() {
        return html! { p.note { "No operation of the history is to blame." } };
    }
    html! {
        (picture(&operations, wrong))
        @if let Some(wrong) = wrong { a.goto href=(format!("#op-{wrong}")) { "show it in the timeline" } }
        @if anomaly.operations.len() > operations.len() {
            p.note { "Of " (anomaly.operations.len()) " operations, " (operations.len()) " are shown." }
        }
        @for operation in &operations { (told(operation, wrong)) }
    }
}

fn picture(operations: &[&OperationFact], wrong: Option<u64>) -> Markup {
    let from = operations.iter().map(|operation| operation.invoked_micros).min().unwrap_or(0);
    let ends = operations.iter().map(|operation| operation.completed_micros.unwrap_or(operation.invoked_micros));
    let until = ends.max().unwrap_or(from).max(from + 1);
    let pixel = |micros: u64| NAMES + (micros.clamp(from, until) - from).saturating_mul(PLOT) / (until - from);
    let (width, height) = (NAMES + PLOT + 130, ROW * operations.len() as u64 + 24);
    html! {
        figure { svg width=(width) height=(height) viewBox=(format!("0 0 {width} {height}")) role="img"
            aria-label="the operations over time" font-size="13" font-family="system-ui,sans-serif" {
            @for (place, operation) in (0..).zip(operations) {
                @let middle = place * ROW + ROW / 2;
                @let (left, right) = (pixel(operation.invoked_micros), pixel(operation.completed_micros.unwrap_or(until)));
                text x=(NAMES - 8) y=(middle + 4) text-anchor="end" fill="#222" { (shortened(&name(operation), 32)) }
                path.base d=(format!("M{NAMES} {middle}h{PLOT}")) {}
                rect class=(operation.outcome.word()) x=(left) y=(middle - 6) width=((right - left).max(3)) height="12" {}
                @if Some(operation.id) == wrong {
                    text x=(right.max(left + 3) + 8) y=(middle + 4) fill="#cc006e" { "◀ this one" }
                }
            }
            @let foot = ROW * operations.len() as u64 + 16;
            text x=(NAMES) y=(foot) fill="#5b6066" { (seconds(from)) " s" }
            text x=(NAMES + PLOT) y=(foot) fill="#5b6066" text-anchor="end" { (seconds(until)) " s" }
        } }
    }
}

/// `#60 read k3 = v12`.
fn name(operation: &OperationFact) -> String {
    let effect = match (&operation.written, &operation.outcome) {
        (Some(written), _) => format!(" {written}"),
        (None, OutcomeFact::Ok { value: Some(value) }) => format!(" = {value}"),
        (None, OutcomeFact::Ok { value: None }) if operation.kind == "read" => " = absent".to_string(),
        _ => String::new(),
    };
    format!("#{} {} {}{effect}", operation.id, operation.kind, operation.key)
}

fn told(operation: &OperationFact, wrong: Option<u64>) -> Markup {
    let ended = match &operation.outcome {
        OutcomeFact::Ok { .. } => "ok".to_string(),
        OutcomeFact::Fail { reason } | OutcomeFact::Unknown { reason } => {
            format!("{}: {}", operation.outcome.word(), plain(reason))
        }
    };
    html! {
        details open[Some(operation.id) == wrong] {
            summary {
                (plain(&name(operation))) " · c" (operation.session) " through " (plain(&operation.coordinator)) " at "
                (plain(&operation.consistency)) " · " (when(operation.invoked_micros, operation.completed_micros)) " · " (ended)
            }
            @match &operation.report {
                Some(report) => (consistency(report)),
                None => p.note { "The coordinator told nothing of this operation: the client had given up." },
            }
        }
    }
}

fn consistency(report: &ConsistencyFact) -> Markup {
    let columns = [Column::Words("replica"), Column::Words("said"), Column::Words("version"), Column::Number("after")];
    let mut rows = Rows::new(columns.into_iter().chain([Column::Words("repaired")]).collect());
    for answer in &report.answers {
        let after = answer.after_micros.map_or("-".to_string(), duration);
        let repaired = if answer.repaired { "yes" } else { "" };
        let version = answer.version.clone().unwrap_or_default();
        rows.push(vec![answer.node.clone(), answer.said.clone(), version, after, repaired.to_string()]);
    }
    html! {
        p.note {
            (report.required) " of " (report.answers.len()) " replicas had to answer; decided "
            (duration(report.took_micros)) " after the request arrived."
        }
        (crate::page::table(&rows))
    }
}
