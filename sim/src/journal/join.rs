//! Events become calls: each completion is joined to the invocation of its process.
//!
//! ```text
//!   process 3   invoke read ──────────▶ ok read 5        one call, from one place in the order of events to another
//!   process 4   invoke write 7 ──▶ info                  unknown: it may have happened, and may still
//!   process 5   invoke cas [1 2] ·····                   the history ends: unknown as well
//! ```
//!
//! What could not have happened is refused: an ok without an invoke, two calls of one process at a time, a completion of
//! something else. So is what the model has no meaning for. Keys are found in the field `key`, or in the value as Jepsen's
//! independent keys are (`[k v]`), or there is one object: the first invocation decides, and the rest must agree.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::read::{KeyStyle, Options};
use super::scan::{Dialect, Event, Form, FormKind, Phase, Who, items, show};
use super::words::{WordKind, Words, hash};
use super::{Call, Ending, Function, Journal, ModelName, NEVER, Times, Value};

/// Processes below this number are found by index.
const PROCESSES_DENSE: i64 = 1 << 20;
/// Keys that are integers below this number are found by index.
const KEYS_DENSE: u32 = 1 << 22;
/// No call in flight.
const IDLE: u32 = u32::MAX;

/// Where the key of a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    Undecided,
    Field,
    Tuple,
    None,
}

/// A table from small numbers to the numbers that were given to them, with a map for large ones.
#[derive(Debug, Default)]
struct Numbering {
    dense: Vec<u32>,
    sparse: BTreeMap<i64, u32>,
}

impl Numbering {
    /// The number given to `from`; `next` when it is new.
    fn number(&mut self, from: i64, dense_most: i64, next: u32) -> u32 {
        if !(0..dense_most).contains(&from) {
            return *self.sparse.entry(from).or_insert(next);
        }
        let at = from as usize;
        if at >= self.dense.len() {
            self.dense.resize((at + 1).next_power_of_two(), u32::MAX);
        }
        if self.dense[at] == u32::MAX {
            self.dense[at] = next;
        }
        self.dense[at]
    }
}

/// A value of an event, with the first parts of it if it is a sequence.
#[derive(Clone, Copy)]
struct Payload {
    form: Form,
    first: [Form; 2],
    length: u32,
}

/// Joins events, in the order of the file.
pub(super) struct Joiner {
    model: ModelName,
    keys: Keys,
    dialect: Dialect,
    journal: Journal,
    key_of_word: Vec<u32>,
    key_of_integer: Numbering,
    process_numbers: Numbering,
    /// By process: its call in flight.
    in_flight: Vec<u32>,
    /// Client events so far.
    position: u32,
    events_with_time: u32,
    micros: bool,
}

impl Joiner {
    pub(super) fn new(options: &Options, dialect: Dialect) -> Self {
        let keys = match options.keys {
            KeyStyle::Auto => Keys::Undecided,
            KeyStyle::Field => Keys::Field,
            KeyStyle::Tuple => Keys::Tuple,
            KeyStyle::None => Keys::None,
        };
        let journal = Journal {
            model: options.model,
            calls: Vec::new(),
            times: Vec::new(),
            keys: Vec::new(),
            processes: Vec::new(),
            failed_cas_differed: options.failed_cas_differed,
            words: Words::new(),
            elements: Vec::new(),
            lists: vec![0],
        };
        Self {
            model: options.model,
            keys,
            dialect,
            journal,
            key_of_word: Vec::new(),
            key_of_integer: Numbering::default(),
            process_numbers: Numbering::default(),
            in_flight: Vec::new(),
            position: 0,
            events_with_time: 0,
            micros: false,
        }
    }

    /// Takes one event of `text`, which stands in this line.
    pub(super) fn event(&mut self, text: &[u8], event: &Event, line: u32) -> Result<(), Fault> {
        let process = match event.who {
            Who::Process(process) => process,
            Who::Other => return Ok(()),
            Who::Missing => return Err(Fault::MissingField { field: "process" }),
        };
        let next = self.journal.processes.len() as u32;
        let number = self.process_numbers.number(process, PROCESSES_DENSE, next);
        if number == next {
            self.journal.processes.push(process);
            self.in_flight.push(IDLE);
        }
        match event.phase {
            Phase::Missing => return Err(Fault::MissingField { field: "type" }),
            Phase::Invoke => self.invoke(text, event, number, line)?,
            Phase::Ok => self.complete(text, event, number, line, Ending::Ok)?,
            Phase::Fail => self.complete(text, event, number, line, Ending::Fail)?,
            Phase::Info => self.complete(text, event, number, line, Ending::Unknown)?,
        }
        self.position += 1;
        self.events_with_time += u32::from(event.time.is_some());
        self.micros |= event.micros;
        if self.position >= NEVER - 1 {
            return Err(Fault::TooMany { most: u64::from(NEVER - 1), what: "events" });
        }
        Ok(())
    }

    fn invoke(&mut self, text: &[u8], event: &Event, process: u32, line: u32) -> Result<(), Fault> {
        let in_flight = self.in_flight[process as usize];
        if in_flight != IDLE {
            let line = self.journal.calls[in_flight as usize].line;
            return Err(Fault::TwoInFlight { process: self.journal.processes[process as usize], line });
        }
        let function = self.function(text, event)?;
        let (key, payload) = self.key_and_payload(text, event)?;
        let (argument, second) = self.arguments(text, function, event.sign, payload)?;
        let key = self.key_number(key)?;
        self.in_flight[process as usize] = self.journal.calls.len() as u32;
        self.journal.calls.push(Call {
            key,
            process,
            function,
            ending: Ending::Unknown,
            argument,
            second,
            invoked: self.position,
            completed: NEVER,
            line,
            completed_line: 0,
        });
        self.journal.times.push(Times { invoked: nanos(event), completed: 0 });
        Ok(())
    }

    fn complete(&mut self, text: &[u8], event: &Event, process: u32, line: u32, ending: Ending) -> Result<(), Fault> {
        let number = std::mem::replace(&mut self.in_flight[process as usize], IDLE);
        if number == IDLE {
            let process = self.journal.processes[process as usize];
            return Err(Fault::CompletionWithoutInvocation { process });
        }
        let function = self.function(text, event)?;
        let whole = Payload { form: event.value, first: event.parts.first, length: event.parts.length };
        let (key, payload) = match self.key_and_payload(text, event) {
            Ok((key, payload)) => (Some(key), payload),
            // What did not succeed may have lost its key; what succeeded says of what.
            Err(Fault::NotATuple { .. }) if ending != Ending::Ok => (None, whole),
            Err(fault) => return Err(fault),
        };
        let key = key.filter(|_| self.keys != Keys::Field || event.key.kind != FormKind::Missing);
        let invoked = self.journal.calls[number as usize];
        let other_key = match key {
            Some(key) => self.key_number(key)? != invoked.key,
            None => false,
        };
        if function != invoked.function || other_key {
            return Err(self.another(text, event, &invoked, payload));
        }
        let mut call = Call { ending, completed: self.position, completed_line: line, ..invoked };
        if function.returns() {
            if ending == Ending::Ok {
                call.second = self.returned(text, function, payload)?;
            }
        } else if payload.form.kind != FormKind::Nil && payload.form.kind != FormKind::Missing && ending == Ending::Ok {
            // Clients may return more than they were given (the new sum of a counter), but no other value than they wrote.
            let same = match self.arguments(text, function, event.sign, payload) {
                Ok((argument, second)) => (argument, second) == (invoked.argument, invoked.second),
                Err(_) => false,
            };
            let must_be_same =
                matches!(function, Function::Write | Function::Cas | Function::Append | Function::Enqueue);
            if !same && must_be_same {
                return Err(self.another(text, event, &invoked, payload));
            }
        }
        if ending == Ending::Unknown {
            call.completed = NEVER;
        }
        self.journal.calls[number as usize] = call;
        self.journal.times[number as usize].completed = nanos(event);
        Ok(())
    }

    fn another(&self, text: &[u8], event: &Event, invoked: &Call, payload: Payload) -> Fault {
        let name = String::from_utf8_lossy(event.name.text(text)).into_owned();
        let key = if event.key.kind == FormKind::Missing { String::new() } else { show(text, &event.key) + " " };
        Fault::AnotherCall {
            process: self.journal.processes[invoked.process as usize],
            completed: format!("{name} {key}{}", show(text, &payload.form)),
            invoked: format!("{} on {}", self.journal.show_call(invoked), self.journal.show_key(invoked.key)),
            line: invoked.line,
        }
    }

    fn function(&self, text: &[u8], event: &Event) -> Result<Function, Fault> {
        match event.function {
            Some(function) if self.model.functions().contains(&function) => Ok(function),
            None if event.name.kind == FormKind::Missing => Err(Fault::MissingField { field: "f" }),
            _ => {
                let function = String::from_utf8_lossy(event.name.text(text)).into_owned();
                Err(Fault::NoSuchFunction { model: self.model, function })
            }
        }
    }

    /// Takes the key out of the field or the value.
    fn key_and_payload(&mut self, text: &[u8], event: &Event) -> Result<(Value, Payload), Fault> {
        if self.keys == Keys::Undecided {
            self.keys = self.style(event);
        }
        let payload = Payload { form: event.value, first: event.parts.first, length: event.parts.length };
        match self.keys {
            Keys::None | Keys::Undecided => Ok((Value::NIL, payload)),
            Keys::Field => Ok((self.value(text, &event.key)?, payload)),
            Keys::Tuple => {
                if event.value.kind != FormKind::Sequence || event.parts.length != 2 {
                    return Err(Fault::NotATuple { found: show(text, &event.value) });
                }
                let [key, form] = event.parts.first;
                let mut payload = Payload { form, first: [Form::MISSING; 2], length: 0 };
                if form.kind == FormKind::Sequence {
                    let items = items(text, form, self.dialect);
                    payload.length = items.len() as u32;
                    for (place, item) in payload.first.iter_mut().zip(items) {
                        *place = item;
                    }
                }
                Ok((self.value(text, &key)?, payload))
            }
        }
    }

    /// Where the key stands, by the first invocation.
    fn style(&self, event: &Event) -> Keys {
        if event.key.kind != FormKind::Missing {
            return Keys::Field;
        }
        let pair = event.value.kind == FormKind::Sequence && event.parts.length == 2;
        let of_cas = event.function == Some(Function::Cas);
        let nested = event.parts.first[1].kind == FormKind::Sequence;
        if pair && (!of_cas || nested) { Keys::Tuple } else { Keys::None }
    }

    fn key_number(&mut self, name: Value) -> Result<u32, Fault> {
        let next = self.journal.keys.len() as u32;
        let number = match name.as_word() {
            Some(word) => {
                let at = word as usize;
                if at >= self.key_of_word.len() {
                    self.key_of_word.resize((at + 1).next_power_of_two(), u32::MAX);
                }
                if self.key_of_word[at] == u32::MAX {
                    self.key_of_word[at] = next;
                }
                self.key_of_word[at]
            }
            None => {
                let integer = if name == Value::NIL { -1 } else { i64::from(name.0) };
                self.key_of_integer.number(integer, i64::from(KEYS_DENSE), next)
            }
        };
        if number == next {
            self.journal.keys.push(name);
        }
        Ok(number)
    }

    /// What a call is given.
    fn arguments(
        &mut self,
        text: &[u8],
        function: Function,
        sign: i8,
        payload: Payload,
    ) -> Result<(Value, Value), Fault> {
        let nothing = Value::NIL;
        match function {
            Function::Read | Function::Dequeue | Function::Acquire | Function::Release | Function::Delete => {
                Ok((nothing, nothing))
            }
            Function::Cas => {
                if payload.form.kind != FormKind::Sequence || payload.length != 2 {
                    let found = show(text, &payload.form);
                    return Err(Fault::WrongField { field: "value", what: "[old new] for cas", found });
                }
                Ok((self.value(text, &payload.first[0])?, self.value(text, &payload.first[1])?))
            }
            Function::Add if self.model == ModelName::Counter => Ok((self.amount(text, sign, &payload.form)?, nothing)),
            Function::Write if matches!(payload.form.kind, FormKind::Nil) => Ok((nothing, nothing)),
            _ if matches!(payload.form.kind, FormKind::Nil | FormKind::Missing) => {
                let found = show(text, &payload.form);
                Err(Fault::WrongField { field: "value", what: "what the call is given", found })
            }
            _ => Ok((self.value(text, &payload.form)?, nothing)),
        }
    }

    /// What a counter is given: `increment` and `decrement` may leave it out.
    fn amount(&mut self, text: &[u8], sign: i8, form: &Form) -> Result<Value, Fault> {
        let bare = matches!(form.kind, FormKind::Nil | FormKind::Missing) && sign != 0;
        let amount = if bare { Value(1) } else { self.value(text, form)? };
        let number = self.journal.integer(amount).filter(|number| number.unsigned_abs() < 1 << 40);
        let Some(number) = number else {
            let found = show(text, form);
            return Err(Fault::WrongField { field: "value", what: "a whole number below 2^40", found });
        };
        if sign >= 0 {
            return Ok(amount);
        }
        let text = (-number).to_string();
        match Value::integer(u32::try_from(-number).unwrap_or(u32::MAX)) {
            Some(small) => Ok(small),
            None => self.word(WordKind::Number, hash(WordKind::Number, text.as_bytes()), text.as_bytes()),
        }
    }

    /// What a call returned.
    fn returned(&mut self, text: &[u8], function: Function, payload: Payload) -> Result<Value, Fault> {
        match (self.model, function) {
            (ModelName::Set, _) => self.elements(text, payload.form),
            (ModelName::Counter, _) => {
                let value = self.value(text, &payload.form)?;
                match self.journal.integer(value) {
                    Some(_) => Ok(value),
                    None => {
                        let found = show(text, &payload.form);
                        Err(Fault::WrongField { field: "value", what: "a whole number", found })
                    }
                }
            }
            _ => self.value(text, &payload.form),
        }
    }

    /// Keeps the elements of a read set.
    fn elements(&mut self, text: &[u8], form: Form) -> Result<Value, Fault> {
        let from = self.journal.elements.len();
        match form.kind {
            FormKind::Nil | FormKind::Missing => {}
            FormKind::Sequence => {
                for item in items(text, form, self.dialect) {
                    let element = self.value(text, &item)?;
                    self.journal.elements.push(element);
                }
            }
            _ => {
                let found = show(text, &form);
                return Err(Fault::WrongField { field: "value", what: "a list of elements", found });
            }
        }
        self.journal.elements[from..].sort_unstable();
        let mut kept = from;
        for at in from..self.journal.elements.len() {
            if kept == from || self.journal.elements[kept - 1] != self.journal.elements[at] {
                self.journal.elements[kept] = self.journal.elements[at];
                kept += 1;
            }
        }
        self.journal.elements.truncate(kept);
        self.journal.lists.push(kept);
        Ok(Value(self.journal.lists.len() as u32 - 2))
    }

    fn value(&mut self, text: &[u8], form: &Form) -> Result<Value, Fault> {
        match form.kind {
            FormKind::Missing | FormKind::Nil => Ok(Value::NIL),
            FormKind::Small => Ok(Value(form.begin)),
            FormKind::Word(kind) => self.word(kind, form.hash, form.text(text)),
            FormKind::Sequence | FormKind::Map => self.word(WordKind::Compound, form.hash, form.text(text)),
            FormKind::Escaped => {
                let decoded: String = serde_json::from_slice(form.text(text)).map_err(|_| Fault::Malformed {
                    what: "the string has an escape that is not one of \\n \\t \\r \\\" \\\\ \\uXXXX",
                })?;
                self.word(WordKind::String, hash(WordKind::String, decoded.as_bytes()), decoded.as_bytes())
            }
        }
    }

    fn word(&mut self, kind: WordKind, hash: u32, text: &[u8]) -> Result<Value, Fault> {
        let number = self.journal.words.intern(kind, hash, text);
        number.map(Value::word).ok_or(Fault::TooMany { most: 1 << 31, what: "different values" })
    }

    /// The journal, its calls in the order of their invocations.
    pub(super) fn finish(mut self) -> Journal {
        if self.events_with_time < self.position {
            self.journal.times = Vec::new();
        } else if self.micros {
            order_by_time(&mut self.journal);
        }
        self.journal
    }
}

fn nanos(event: &Event) -> u64 {
    let unit = if event.micros { 1_000 } else { 1 };
    event.time.unwrap_or(0).saturating_mul(unit)
}

/// Our own files have true times, of microseconds: what meets in one of them overlaps, so invocations come first.
fn order_by_time(journal: &mut Journal) {
    let mut events: Vec<(u64, bool, u32)> = Vec::with_capacity(2 * journal.calls.len());
    for (number, (call, times)) in journal.calls.iter().zip(&journal.times).enumerate() {
        events.push((times.invoked, false, number as u32));
        if call.completed != NEVER {
            events.push((times.completed.max(times.invoked), true, number as u32));
        }
    }
    events.sort_unstable();
    for (place, (_, completes, number)) in events.into_iter().enumerate() {
        let call = &mut journal.calls[number as usize];
        let end = if completes { &mut call.completed } else { &mut call.invoked };
        *end = place as u32;
    }
}
