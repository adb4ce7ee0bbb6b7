//! What clients saw of transactions: several reads and writes that shall happen together, and how each ended.
//!
//! ```text
//!   T1   ──[ append k1 7, read k2 = [3 4], commit ]───────────     committed
//!   T2   ─────[ read k1 = [], append k2 5, commit ]───             aborted: it did not happen, and never will
//!   T3   ──────────[ append k1 8, commit ··················        unknown: it may have happened, and may still
//!          ▲ invoked                          ▲ completed          places among all events, one after the other ─▶
//! ```
//!
//! Two kinds of object, as in Elle (Kingsbury & Alvaro, VLDB 2020): a *list* to which values are appended, and which reads
//! return whole; and a *register* that writes overwrite. In both, no value is written to a key twice, so that a read names
//! the write that it saw. Keys and values are numbers here; [`TransactionHistory::key_name`] gives back what they stand for.
//!
//! Order in time is the order of the events themselves, as Jepsen writes them down: what completes before another begins
//! stands before it. `read` reads Jepsen's EDN and JSON lines, `write` writes the latter.

mod edn;
mod form;
mod names;
mod read;
pub mod specimen;
#[cfg(test)]
mod tests;
mod write;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use edn::EdnFault;
use names::Names;
pub use read::{ReadFault, TransactionReadError, read_transactions};
pub use write::write_transactions;

/// What kind of object the keys name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransactionModel {
    /// A list that grows by one value at its end; reads return all of it.
    ListAppend,
    /// A register that holds the value written last.
    RwRegister,
}

impl TransactionModel {
    /// As Jepsen and the command line spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ListAppend => "list-append",
            Self::RwRegister => "rw-register",
        }
    }
}

/// How a transaction ended, as its client knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionOutcome {
    /// Its commit was acknowledged.
    Committed,
    /// It was refused, or given up before its commit was asked for.
    Aborted,
    /// Its commit was asked for, and nobody knows what became of it.
    Unknown,
}

/// One read or write of a transaction. Keys and values are numbers: see
/// [`TransactionHistory::key_name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MicroOperation {
    /// Adds a value to the end of a list.
    Append {
        /// The key.
        key: u32,
        /// The value, which nothing else appends to this key.
        value: u32,
    },
    /// Gives a register a value.
    Write {
        /// The key.
        key: u32,
        /// The value, which nothing else writes to this key.
        value: u32,
    },
    /// A read of a list: its values are `first..end` of the history's elements.
    ReadList {
        /// The key.
        key: u32,
        /// Where its values begin.
        first: u32,
        /// Where they end.
        end: u32,
    },
    /// A read of a register that had been written.
    ReadValue {
        /// The key.
        key: u32,
        /// What it held.
        value: u32,
    },
    /// A read of what nobody had written: an empty list, or a register without a value.
    ReadNothing {
        /// The key.
        key: u32,
    },
    /// A read of which nobody knows what it returned.
    ReadUnknown {
        /// The key.
        key: u32,
    },
}

impl MicroOperation {
    /// The key that it reads or writes.
    pub const fn key(&self) -> u32 {
        match *self {
            Self::Append { key, .. }
            | Self::Write { key, .. }
            | Self::ReadList { key, .. }
            | Self::ReadValue { key, .. }
            | Self::ReadNothing { key }
            | Self::ReadUnknown { key } => key,
        }
    }

    /// The value that it writes or appends.
    pub const fn written(&self) -> Option<u32> {
        match *self {
            Self::Append { value, .. } | Self::Write { value, .. } => Some(value),
            _ => None,
        }
    }
}

/// A read or write as it is handed to [`TransactionHistory::push`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Appends a value to a key.
    Append(u32, u32),
    /// Writes a value to a key.
    Write(u32, u32),
    /// Read a list.
    ReadList(u32, Vec<u32>),
    /// Read a value.
    ReadValue(u32, u32),
    /// Read a key that held nothing.
    ReadNothing(u32),
    /// Read a key; what it held is not known.
    ReadUnknown(u32),
}

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The process that ran it: one transaction at a time.
    pub process: u64,
    /// How it ended.
    pub outcome: TransactionOutcome,
    /// The place of its invocation among all events.
    pub invoked: u64,
    /// The place of its completion; `None` when it never completed, or nobody knows how.
    pub completed: Option<u64>,
    /// The line of its invocation in the file that it was read from; 0 when it was read from none.
    pub line: u32,
    first: u32,
    end: u32,
}

/// A history whose transactions could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionFault {
    /// Lists and registers in one history.
    #[error("`{found}` is an operation of {}, and those before it are of {}; a history has one model", .found_model.name(), .model.name())]
    TwoModels {
        /// The operation.
        found: &'static str,
        /// Its model.
        found_model: TransactionModel,
        /// The model of the operations before.
        model: TransactionModel,
    },
    /// A value that two operations write to one key.
    #[error(
        "value {value} is written to key {key} twice, also by the transaction that begins on line {other_line}; values must \
         be unique for a read to name the write it saw"
    )]
    WrittenTwice {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// The line of the transaction that wrote it before.
        other_line: u32,
    },
    /// More than the checks can number.
    #[error("the history has more than {} operations or values read", u32::MAX)]
    TooLarge,
}

/// All transactions of a run.
#[derive(Debug, Clone, Default)]
pub struct TransactionHistory {
    names: Names,
    model: Option<TransactionModel>,
    transactions: Vec<Transaction>,
    operations: Vec<MicroOperation>,
    elements: Vec<u32>,
}

impl TransactionHistory {
    /// The transactions, ordered by their invocation once [`TransactionHistory::finish`] was called.
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// The reads and writes of a transaction, in order.
    pub fn operations_of(&self, transaction: &Transaction) -> &[MicroOperation] {
        &self.operations[transaction.first as usize..transaction.end as usize]
    }

    /// How many reads and writes there are in all.
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    /// What a read of a list returned: the span of a [`MicroOperation::ReadList`].
    pub fn elements(&self, first: u32, end: u32) -> &[u32] {
        &self.elements[first as usize..end as usize]
    }

    /// How many keys there are; they are numbered from 0.
    pub fn keys(&self) -> u32 {
        self.names.keys.len()
    }

    /// How a key is spelled.
    pub fn key_name(&self, key: u32) -> &str {
        self.names.keys.name(key)
    }

    /// How a value is spelled.
    pub fn value_name(&self, value: u32) -> &str {
        self.names.values.name(value)
    }

    /// The number of a key, by its spelling.
    pub fn key(&mut self, name: &str) -> u32 {
        self.names.keys.number(name)
    }

    /// The number of a value, by its spelling.
    pub fn value(&mut self, name: &str) -> u32 {
        self.names.values.number(name)
    }

    /// The model of its operations; `None` while nothing told.
    pub fn model(&self) -> Option<TransactionModel> {
        self.model
    }

    /// Adds a transaction with the places of its two events.
    ///
    /// # Errors
    ///
    /// `TwoModels`, `TooLarge`.
    pub fn push(
        &mut self,
        process: u64,
        line: u32,
        events: Range<u64>,
        outcome: TransactionOutcome,
        steps: &[Step],
    ) -> Result<(), TransactionFault> {
        let number = |length: usize| u32::try_from(length).map_err(|_| TransactionFault::TooLarge);
        let first = number(self.operations.len())?;
        for step in steps {
            self.note_model(step)?;
            let operation = match step {
                Step::Append(key, value) => MicroOperation::Append { key: *key, value: *value },
                Step::Write(key, value) => MicroOperation::Write { key: *key, value: *value },
                Step::ReadValue(key, value) => MicroOperation::ReadValue { key: *key, value: *value },
                Step::ReadUnknown(key) => MicroOperation::ReadUnknown { key: *key },
                Step::ReadNothing(key) => MicroOperation::ReadNothing { key: *key },
                Step::ReadList(key, values) if values.is_empty() => MicroOperation::ReadNothing { key: *key },
                Step::ReadList(key, values) => {
                    let first = number(self.elements.len())?;
                    self.elements.extend_from_slice(values);
                    MicroOperation::ReadList { key: *key, first, end: number(self.elements.len())? }
                }
            };
            self.operations.push(operation);
        }
        let end = number(self.operations.len())?;
        let completed = (outcome != TransactionOutcome::Unknown).then_some(events.end);
        self.transactions.push(Transaction { process, outcome, invoked: events.start, completed, line, first, end });
        Ok(())
    }

    fn note_model(&mut self, step: &Step) -> Result<(), TransactionFault> {
        let (found, found_model) = match step {
            Step::Append(..) => ("append", TransactionModel::ListAppend),
            Step::ReadList(..) => ("r of a list", TransactionModel::ListAppend),
            Step::Write(..) => ("w", TransactionModel::RwRegister),
            Step::ReadValue(..) => ("r of a value", TransactionModel::RwRegister),
            Step::ReadNothing(_) | Step::ReadUnknown(_) => return Ok(()),
        };
        match *self.model.get_or_insert(found_model) {
            model if model == found_model => Ok(()),
            model => Err(TransactionFault::TwoModels { found, found_model, model }),
        }
    }

    /// Puts the transactions in the order of their invocations.
    ///
    /// # Errors
    ///
    /// `WrittenTwice`, with the line of the second of both transactions.
    pub fn finish(mut self) -> Result<Self, (u32, TransactionFault)> {
        self.transactions.sort_by_key(|transaction| transaction.invoked);
        let mut written: Vec<(u32, u32, u32)> = Vec::new();
        for (number, transaction) in (0_u32..).zip(&self.transactions) {
            let writes = self.operations_of(transaction).iter();
            written.extend(writes.filter_map(|one| one.written().map(|value| (one.key(), value, number))));
        }
        written.sort_unstable();
        let twice = written.windows(2).filter(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1));
        if let Some(pair) = twice.min_by_key(|pair| pair[1].2) {
            let (key, value, number) = pair[1];
            let line_of = |number: u32| self.transactions[number as usize].line;
            let (key, value) = (self.key_name(key).to_string(), self.value_name(value).to_string());
            let fault = TransactionFault::WrittenTwice { key, value, other_line: line_of(pair[0].2) };
            return Err((line_of(number), fault));
        }
        Ok(self)
    }
}
