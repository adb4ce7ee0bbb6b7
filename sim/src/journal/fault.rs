//! What can be wrong with a history, and what to do about it. Whoever reads the file adds line and column.
//!
//! ```text
//!   histories/a.edn:4711:23: process 3 calls again while its call of line 4702 is in flight; ...
//! ```

use super::{Function, ModelName};

/// Why a history is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Something else than a map stands where an event should.
    #[error(
        "expected an event, a map such as {{:process 0, :type :invoke, :f :read, ...}} or {{\"process\":0,\"type\":\"invoke\",...}}; found {found}"
    )]
    NotAnEvent {
        /// What stands there.
        found: String,
    },
    /// The text is not well-formed.
    #[error("{what}")]
    Malformed {
        /// What is not.
        what: &'static str,
    },
    /// Forms within forms, too many.
    #[error("brackets are nested more than {most} deep")]
    TooDeep {
        /// The most that is read.
        most: usize,
    },
    /// One event that would need too much memory.
    #[error("an event begins here and does not end within {most_bytes} bytes")]
    TooLong {
        /// The most that is read.
        most_bytes: usize,
    },
    /// The end of the file is not the end of the history.
    #[error(
        "the file ends in the middle of what begins here: it was cut off; write it again, or remove its last event"
    )]
    Truncated,
    /// There are no events at all.
    #[error("the file holds no events")]
    Empty,
    /// A field that every event needs.
    #[error("an event needs the field `{field}`")]
    MissingField {
        /// Its name.
        field: &'static str,
    },
    /// A field that holds something it cannot.
    #[error("`{field}` must be {what}; found {found}")]
    WrongField {
        /// Its name.
        field: &'static str,
        /// What it must be.
        what: &'static str,
        /// What it is.
        found: String,
    },
    /// A function that no object has, or not this one.
    #[error("the model `{model}` has no function `{function}`; it has {}", functions(*model))]
    NoSuchFunction {
        /// The model asked for.
        model: ModelName,
        /// What was called.
        function: String,
    },
    /// A completion that completes nothing.
    #[error(
        "process {process} completes a call that it never began; every ok, fail and info needs an invoke before it"
    )]
    CompletionWithoutInvocation {
        /// The process.
        process: i64,
    },
    /// A call begun while another is in flight.
    #[error(
        "process {process} calls again while its call of line {line} is in flight; give every concurrent call its own process"
    )]
    TwoInFlight {
        /// The process.
        process: i64,
        /// The line of its call in flight.
        line: u32,
    },
    /// A completion that differs from its invocation.
    #[error("process {process} completes `{completed}`, but its call of line {line} was `{invoked}`")]
    AnotherCall {
        /// The process.
        process: i64,
        /// What it completes.
        completed: String,
        /// What it had begun.
        invoked: String,
        /// The line of that.
        line: u32,
    },
    /// Some events have the key in the value, some have not.
    #[error(
        "the value must be `[key value]`, as in the first event; found {found} (`--keys none` reads values as they are)"
    )]
    NotATuple {
        /// What it is.
        found: String,
    },
    /// More than can be numbered.
    #[error("more than {most} {what}: split the history by key")]
    TooMany {
        /// The most.
        most: u64,
        /// Of what.
        what: &'static str,
    },
}

fn functions(model: ModelName) -> String {
    let names: Vec<&str> = model.functions().iter().copied().map(Function::name).collect();
    names.join(", ")
}
