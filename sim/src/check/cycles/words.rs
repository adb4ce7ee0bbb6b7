//! Sentences about transactions and circles of them, for people.
//!
//! ```text
//!   T3 read key 1 as [] before T7 appended 4 to it        rw          T7's append of 4 to key 1 was seen by T3      wr
//!   T3's write of 5 to key 1 came before T7's write of 6  ww          T3 ended before T7 began                      time
//! ```

use super::evidence::Anomaly;
use super::graph::{Edge, EdgeKind, Graph, NOTHING};
use super::level::{AnomalyKind, Order, Phenomenon};
use super::search::Cycle;
use crate::history::transactions::{MicroOperation, TransactionHistory, TransactionModel, TransactionOutcome};

/// Values of a list that are spelled out at each end.
const VALUES_AT_ENDS: usize = 6;

/// A list as it is read; of a long one only the ends.
pub(super) fn list(history: &TransactionHistory, values: &[u32]) -> String {
    let spell = |values: &[u32]| values.iter().map(|value| history.value_name(*value)).collect::<Vec<_>>().join(" ");
    if values.len() <= VALUES_AT_ENDS * 2 + 1 {
        return format!("[{}]", spell(values));
    }
    let (from, to) = (spell(&values[..VALUES_AT_ENDS]), spell(&values[values.len() - VALUES_AT_ENDS..]));
    format!("[{from} .. {to}] ({} values)", values.len())
}

/// What a transaction did, and how it ended.
pub(super) fn transaction(history: &TransactionHistory, number: u32) -> String {
    let one = &history.transactions()[number as usize];
    let done: Vec<String> =
        history.operations_of(one).iter().map(|operation| self::operation(history, operation)).collect();
    let outcome = match one.outcome {
        TransactionOutcome::Committed => "committed",
        TransactionOutcome::Aborted => "aborted",
        TransactionOutcome::Unknown => "unknown",
    };
    let line = if one.line == 0 { String::new() } else { format!(", line {}", one.line) };
    format!("T{number}: {}; {outcome}, process {}{line}", done.join(", "), one.process)
}

fn operation(history: &TransactionHistory, operation: &MicroOperation) -> String {
    let key = history.key_name(operation.key());
    match *operation {
        MicroOperation::Append { value, .. } => format!("append {key} {}", history.value_name(value)),
        MicroOperation::Write { value, .. } => format!("w {key} {}", history.value_name(value)),
        MicroOperation::ReadList { first, end, .. } => {
            format!("r {key} {}", list(history, history.elements(first, end)))
        }
        MicroOperation::ReadValue { value, .. } => format!("r {key} {}", history.value_name(value)),
        MicroOperation::ReadNothing { .. } => format!("r {key} nothing"),
        MicroOperation::ReadUnknown { .. } => format!("r {key} ?"),
    }
}

/// A cycle as an anomaly.
pub(super) fn circle(history: &TransactionHistory, graph: &Graph, cycle: &Cycle) -> Anomaly {
    let mut transactions = Vec::new();
    let mut steps = Vec::new();
    let mut ended: Option<u32> = None;
    for number in &cycle.edges {
        let edge = graph.edge(*number);
        let is_transaction = |node: u32| (node as usize) < history.transactions().len();
        if is_transaction(edge.from) {
            transactions.push(edge.from);
        }
        match edge.kind {
            EdgeKind::Ended => ended = Some(edge.from),
            EdgeKind::Began if !is_transaction(edge.to) => {}
            EdgeKind::Began => {
                let from = ended.take().expect("a way through moments begins with an end");
                steps.push(format!("T{from} ended before T{} began", edge.to));
            }
            _ => steps.push(step(history, edge)),
        }
    }
    let mut in_circle = transactions.clone();
    in_circle.dedup();
    let explanation = format!("{}: {}", lead(cycle.kind, &in_circle), steps.join("; "));
    let mut anomaly = Anomaly::new(history, cycle.kind, transactions, explanation);
    anomaly.steps = steps;
    anomaly
}

fn step(history: &TransactionHistory, edge: &Edge) -> String {
    let Edge { from, to, kind, key, before, after } = *edge;
    if kind == EdgeKind::Session {
        return format!("T{from} came before T{to} in process {}", history.transactions()[from as usize].process);
    }
    let is_list = history.model() != Some(TransactionModel::RwRegister);
    let (noun, verb) = if is_list { ("append", "appended") } else { ("write", "wrote") };
    let (key, before_name) =
        (history.key_name(key), if before == NOTHING { "nothing" } else { history.value_name(before) });
    match kind {
        EdgeKind::WriteWrite => {
            let after = history.value_name(after);
            format!("T{from}'s {noun} of {before_name} to key {key} came before T{to}'s {noun} of {after}")
        }
        EdgeKind::WriteRead => format!("T{to} saw T{from}'s {noun} of {before_name} to key {key}"),
        _ => {
            let held = match (before == NOTHING, is_list) {
                (true, _) => "while nothing was in it".to_string(),
                (false, true) => format!("when it ended with {before_name}"),
                (false, false) => format!("when it was {before_name}"),
            };
            format!("T{from} read key {key} {held}, before T{to} {verb} {}", history.value_name(after))
        }
    }
}

/// What a circle means.
fn lead(kind: AnomalyKind, circle: &[u32]) -> String {
    let names: Vec<String> = circle.iter().map(|number| format!("T{number}")).collect();
    let (names, all) = match &names[..] {
        [one, other] => (format!("{one} and {other}"), "both"),
        [others @ .., last] => (format!("{} and {last}", others.join(", ")), "all"),
        [] => (String::new(), "all"),
    };
    let first = circle.first().copied().unwrap_or_default();
    let despite = match kind.order {
        Order::Any => "",
        Order::Session => ", in the order of their processes",
        Order::RealTime => ", in the order of time",
    };
    match kind.phenomenon {
        Phenomenon::G0 => format!("the writes of {names} are interleaved, each of them came first{despite}"),
        Phenomenon::G1c => format!("information went round in a circle between {names}{despite}"),
        Phenomenon::GSingle => {
            format!("T{first} saw the world as it was before another of {names} and also as it was after it{despite}")
        }
        Phenomenon::G2Item => {
            format!(
                "{names} {all} committed, and each read what another of them then wrote over, so that none can be the first{despite}"
            )
        }
        _ => format!("{names} can be put in no order{despite}"),
    }
}
