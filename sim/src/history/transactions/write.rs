//! Writes histories of transactions as JSON lines, two lines a transaction, for `read` and for anybody else.
//!
//! ```text
//!   {"type":"invoke","process":0,"f":"txn","value":[["append",1,2],["r",3,null]],"index":0}
//!   {"type":"ok","process":0,"f":"txn","value":[["append",1,2],["r",3,[4,5]]],"index":1}
//! ```
//!
//! A transaction that is unknown has its second line last of all: nobody knows when it ended.

use std::io::{self, Write};

use super::{MicroOperation, Transaction, TransactionHistory, TransactionModel, TransactionOutcome};

/// Writes a history, its events in their order.
///
/// # Errors
///
/// Those of the output.
pub fn write_transactions(history: &TransactionHistory, output: &mut impl Write) -> io::Result<()> {
    let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(history.transactions.len() * 2);
    for (number, transaction) in history.transactions.iter().enumerate() {
        events.push((transaction.invoked, false, number));
        events.push((transaction.completed.unwrap_or(u64::MAX), true, number));
    }
    events.sort_unstable();
    for (index, (_, is_completion, number)) in events.into_iter().enumerate() {
        let transaction = &history.transactions[number];
        let event_type = match (is_completion, transaction.outcome) {
            (false, _) => "invoke",
            (true, TransactionOutcome::Committed) => "ok",
            (true, TransactionOutcome::Aborted) => "fail",
            (true, TransactionOutcome::Unknown) => "info",
        };
        write!(output, "{{\"type\":\"{event_type}\",\"process\":{},\"f\":\"txn\",\"value\":[", transaction.process)?;
        write_operations(history, transaction, is_completion, output)?;
        writeln!(output, "],\"index\":{index}}}")?;
    }
    Ok(())
}

fn write_operations(
    history: &TransactionHistory,
    transaction: &Transaction,
    is_completion: bool,
    output: &mut impl Write,
) -> io::Result<()> {
    for (place, operation) in history.operations_of(transaction).iter().enumerate() {
        let function = match operation {
            MicroOperation::Append { .. } => "append",
            MicroOperation::Write { .. } => "w",
            _ => "r",
        };
        let comma = if place == 0 { "" } else { "," };
        write!(output, "{comma}[\"{function}\",{},", Json(history.key_name(operation.key())))?;
        match *operation {
            MicroOperation::Append { value, .. } | MicroOperation::Write { value, .. } => {
                write!(output, "{}", Json(history.value_name(value)))?;
            }
            MicroOperation::ReadValue { value, .. } if is_completion => {
                write!(output, "{}", Json(history.value_name(value)))?;
            }
            MicroOperation::ReadList { first, end, .. } if is_completion => {
                for (place, value) in history.elements(first, end).iter().enumerate() {
                    write!(output, "{}{}", if place == 0 { "[" } else { "," }, Json(history.value_name(*value)))?;
                }
                output.write_all(b"]")?;
            }
            MicroOperation::ReadNothing { .. }
                if is_completion && history.model == Some(TransactionModel::ListAppend) =>
            {
                output.write_all(b"[]")?;
            }
            _ => output.write_all(b"null")?,
        }
        output.write_all(b"]")?;
    }
    Ok(())
}

/// A spelling, as JSON: a number, or a string.
struct Json<'a>(&'a str);

impl std::fmt::Display for Json<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0.parse::<i64>(), serde_json::from_str::<String>(self.0)) {
            (Ok(integer), _) => write!(formatter, "{integer}"),
            // What was a string in JSON or EDN is one again.
            (_, Ok(_)) => formatter.write_str(self.0),
            _ => formatter.write_str(&serde_json::to_string(self.0).map_err(|_| std::fmt::Error)?),
        }
    }
}
