//! Histories of any database, by any client library: what was called, when it began and ended, and what came back.
//!
//! ```text
//!   {:process 9, :type :invoke, :f :append, :key "0", :value "x"}      EDN, as Jepsen and its friends write it
//!   {"type":"ok","process":3,"f":"write","key":"k1","value":17}         JSON lines, ours among them
//!        │ read      blocks of the file, on all cores
//!        │ scan      text ─▶ events, without an allocation for each
//!        │ join      invocation and completion ─▶ call; refuses what could not have happened, with its line
//!        ▼
//!   Journal    calls of 40 bytes; keys and values are numbers, their texts are kept once
//! ```
//!
//! The rooms beside: `words` keeps the texts, `generate` makes journals of a real linearizable object. `history` is the
//! laboratory's own, narrower record of a run: strings, microseconds, unique values. A journal judges nothing either; that is
//! `check::order`, and what the calls mean is `check::models`.
//!
//! Order is that of the events in the file. Where they carry `time_micros`, as ours do, it is that of the times, and events
//! of the same microsecond overlap.

mod fault;
pub mod generate;
mod join;
mod read;
mod scan;
#[cfg(test)]
mod tests;
mod words;

pub use fault::Fault;
pub use read::{KeyStyle, Options, ReadError, Reading, read, read_file};

use std::fmt;

use words::Words;

/// The position of a completion that never came.
pub const NEVER: u32 = u32::MAX;

/// The objects whose histories can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelName {
    /// One value: read, write, delete.
    Register,
    /// A register with compare-and-set.
    CasRegister,
    /// A text: read, write, append, delete.
    Kv,
    /// Elements: add, remove, read them all.
    Set,
    /// A sum: add to it, read it.
    Counter,
    /// First in, first out: enqueue, dequeue.
    Queue,
    /// Held by one process at a time: acquire, release.
    Lock,
}

impl ModelName {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 7] =
        [Self::Register, Self::CasRegister, Self::Kv, Self::Set, Self::Counter, Self::Queue, Self::Lock];

    /// As the command line spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::Kv => "kv",
            Self::Set => "set",
            Self::Counter => "counter",
            Self::Queue => "queue",
            Self::Lock => "lock",
        }
    }

    /// What can be called on it.
    pub const fn functions(self) -> &'static [Function] {
        use Function::{Acquire, Add, Append, Cas, Delete, Dequeue, Enqueue, Read, Release, Remove, Write};
        match self {
            Self::Register => &[Read, Write, Delete],
            Self::CasRegister => &[Read, Write, Delete, Cas],
            Self::Kv => &[Read, Write, Append, Delete],
            Self::Set => &[Read, Add, Remove],
            Self::Counter => &[Read, Add],
            Self::Queue => &[Enqueue, Dequeue],
            Self::Lock => &[Acquire, Release],
        }
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Function {
    /// Returns what the object holds. Also spelled `get`, `r`.
    Read,
    /// Gives it a value. Also `put`, `set`, `w`.
    Write,
    /// Makes it absent.
    Delete,
    /// Gives it a value if it holds another: `[old new]`.
    Cas,
    /// Adds a text at the end.
    Append,
    /// Puts an element into a set, or an amount on a counter. Also `increment`, `inc`; `decrement` and `dec` take away.
    Add,
    /// Takes an element out of a set.
    Remove,
    /// Also `push`.
    Enqueue,
    /// Also `pop`. Returns nil when the queue is empty.
    Dequeue,
    /// Also `lock`.
    Acquire,
    /// Also `unlock`.
    Release,
}

impl Function {
    /// As this tool writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Cas => "cas",
            Self::Append => "append",
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Enqueue => "enqueue",
            Self::Dequeue => "dequeue",
            Self::Acquire => "acquire",
            Self::Release => "release",
        }
    }

    /// Whether its completion brings the value, and not its invocation.
    pub(crate) const fn returns(self) -> bool {
        matches!(self, Self::Read | Self::Dequeue)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How a call ended, as its client knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ending {
    /// It happened.
    Ok,
    /// It did not happen, and never will.
    Fail,
    /// It may have happened, and may still.
    Unknown,
}

/// A value, as a number that is equal for equal values: small integers are themselves, other texts have the top bit set
/// and are kept by the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(pub u32);

impl Value {
    /// No value: nil, null, absent.
    pub const NIL: Self = Self(u32::MAX);
    /// What is not smaller is a text.
    const FIRST_WORD: u32 = 1 << 31;

    /// An integer that needs no text.
    const fn integer(number: u32) -> Option<Self> {
        if number < Self::FIRST_WORD { Some(Self(number)) } else { None }
    }

    const fn word(number: u32) -> Self {
        Self(Self::FIRST_WORD | number)
    }

    fn as_word(self) -> Option<u32> {
        (self != Self::NIL && self.0 >= Self::FIRST_WORD).then_some(self.0 & !Self::FIRST_WORD)
    }
}

/// One call: invocation and completion, joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The number of its key.
    pub key: u32,
    /// The number of its process: one call in flight at a time.
    pub process: u32,
    /// What was called.
    pub function: Function,
    /// How it ended.
    pub ending: Ending,
    /// What it was given: the value to write, add, append, enqueue; the value that cas compares with.
    pub argument: Value,
    /// What cas writes; what a read or dequeue returned. For a read of a set, the number of its list of elements.
    pub second: Value,
    /// The place of its invocation among all events.
    pub invoked: u32,
    /// The place of its completion, or [`NEVER`].
    pub completed: u32,
    /// The line of its invocation.
    pub line: u32,
    /// The line of its completion; 0 when there is none.
    pub completed_line: u32,
}

/// When a call began and ended, in nanoseconds, where the file says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Of its invocation.
    pub invoked: u64,
    /// Of its completion; 0 when there is none.
    pub completed: u64,
}

/// A history, read.
#[derive(Debug)]
pub struct Journal {
    /// The object that was called.
    pub model: ModelName,
    /// By invocation, in the order of the file.
    pub calls: Vec<Call>,
    /// One for each call, or none at all when the file has no times.
    pub times: Vec<Times>,
    /// The name of each key; NIL where the history has only one object and does not name it.
    pub keys: Vec<Value>,
    /// The name of each process, as the file numbers them.
    pub processes: Vec<i64>,
    /// Whether a `:fail` of cas means that the register held something else (and not only that nothing happened).
    pub failed_cas_differed: bool,
    words: Words,
    /// The elements of all reads of sets, each read's sorted and without repetition.
    elements: Vec<Value>,
    /// Where each list begins in `elements`, and a last one where they all end.
    lists: Vec<usize>,
}

impl Journal {
    /// The elements that a read of a set returned.
    pub fn list(&self, read: Value) -> &[Value] {
        if read == Value::NIL {
            return &[];
        }
        let number = read.0 as usize;
        &self.elements[self.lists[number]..self.lists[number + 1]]
    }

    /// The bytes of a text; empty for nil. Integers that are no text have none.
    pub fn text(&self, value: Value) -> &[u8] {
        value.as_word().map_or(&[], |word| self.words.text(word))
    }

    /// The value as a whole number.
    pub fn integer(&self, value: Value) -> Option<i64> {
        match value.as_word() {
            Some(word) => std::str::from_utf8(self.words.text(word)).ok()?.parse().ok(),
            None if value == Value::NIL => None,
            None => Some(i64::from(value.0)),
        }
    }

    /// The value for a person, cut where it is long.
    pub fn show(&self, value: Value) -> String {
        const CHARACTERS_MAX: usize = 60;
        match value.as_word() {
            _ if value == Value::NIL => "nil".to_string(),
            None => value.0.to_string(),
            Some(word) => {
                let text = self.words.text(word);
                // A cut in the middle of a character shows as a replacement character; both halves of a long text matter.
                if text.len() <= CHARACTERS_MAX {
                    return String::from_utf8_lossy(text).into_owned();
                }
                let (head, tail) = (&text[..CHARACTERS_MAX / 2], &text[text.len() - CHARACTERS_MAX / 2..]);
                format!("{}…{} ({} bytes)", String::from_utf8_lossy(head), String::from_utf8_lossy(tail), text.len())
            }
        }
    }

    /// The name of a key for a person.
    pub fn show_key(&self, key: u32) -> String {
        match self.keys[key as usize] {
            Value::NIL => "the object".to_string(),
            name => format!("key {}", self.show(name)),
        }
    }

    /// `write 5`, `read 5`, `cas 3 to 5`, `acquire`: what was called, and what came back.
    pub fn show_call(&self, call: &Call) -> String {
        let function = call.function;
        match function {
            Function::Read | Function::Dequeue if call.ending != Ending::Ok => function.to_string(),
            Function::Read if self.model == ModelName::Set => format!("read {}", self.show_list(call.second)),
            Function::Dequeue if call.second == Value::NIL => "dequeue nothing".to_string(),
            Function::Read | Function::Dequeue => format!("{function} {}", self.show(call.second)),
            Function::Cas => format!("cas {} to {}", self.show(call.argument), self.show(call.second)),
            Function::Delete | Function::Acquire | Function::Release => function.to_string(),
            _ => format!("{function} {}", self.show(call.argument)),
        }
    }

    /// The elements of a list, some of them.
    pub fn show_list(&self, read: Value) -> String {
        const NAMED_MAX: usize = 12;
        let list = self.list(read);
        let mut named: Vec<String> = list.iter().take(NAMED_MAX).map(|&element| self.show(element)).collect();
        if list.len() > NAMED_MAX {
            named.push(format!("… {} more", list.len() - NAMED_MAX));
        }
        format!("{{{}}}", named.join(" "))
    }
}
