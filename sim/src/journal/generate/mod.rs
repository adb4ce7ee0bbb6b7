//! Histories that are linearizable because a real object made them, or that have one violation planted in them: what the
//! checks are measured and tried on, and what anybody can make again from the same numbers.
//!
//! ```text
//!   client 0   ──[ invoke ··· ● effect ··· ok ]──[ ... ]──▶     effects are applied to the objects in the order of their
//!   client 1   ────[ invoke · ● effect ······· ok ]───────▶     times; what they return is what is written down
//!   client 2   ──[ invoke ······ info ] ····· ● effect          unknown: within ten times its duration, or never
//! ```
//!
//! The history is written while it happens: memory does not grow with its length. A client whose call ends as unknown goes on
//! as a new process, as in Jepsen. The planted violation is one answer that is changed: a read that returns what was certainly
//! overwritten, an element or amount that is certainly missing, a value dequeued twice, a lock held twice.

mod object;
mod plant;
mod write;

pub use write::Format;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use engine::world::Rng;

use self::object::{Object, Written};
use self::plant::Plant;
use self::write::{Line, write};
use super::{Function, ModelName};

/// What to generate.
#[derive(Debug, Clone, Copy)]
pub struct Specification {
    /// The object.
    pub model: ModelName,
    /// Calls in all.
    pub operations: u64,
    /// Clients, each with one call in flight.
    pub clients: u32,
    /// Keys, each as likely as the next.
    pub keys: u32,
    /// The seed: the same specification gives the same bytes.
    pub seed: u64,
    /// Whether to plant a violation.
    pub illegal: bool,
    /// How to write it.
    pub format: Format,
    /// Reads in a hundred calls, of objects that can be read.
    pub reads_percent: u64,
    /// Calls in a thousand whose outcome is unknown.
    pub unknowns_permille: u64,
    /// Calls in a thousand that fail.
    pub fails_permille: u64,
    /// So many different values are written to registers; 0: every write has one of its own.
    pub values: u64,
}

impl Specification {
    /// What is usual for the model: half reads (few for sets, whose reads are long), one call in a thousand unknown, one in a
    /// hundred failed, unique values but for cas.
    pub fn usual(model: ModelName) -> Self {
        Self {
            model,
            operations: 10_000,
            clients: 8,
            keys: 1,
            seed: 1,
            illegal: false,
            format: Format::Edn,
            reads_percent: if model == ModelName::Set { 2 } else { 50 },
            unknowns_permille: 1,
            fails_permille: 10,
            values: if model == ModelName::CasRegister { 5 } else { 0 },
        }
    }
}

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// It could not be written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// No answer could be changed so that it is certainly wrong.
    #[error("no place for a violation came up: give it more operations, or fewer keys")]
    NoPlaceToPlant,
}

/// What was generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Generated {
    /// Calls that ended as ok.
    pub ok: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls of unknown outcome.
    pub unknown: u64,
    /// The line of the planted violation.
    pub planted_line: Option<u64>,
}

/// What happens at a time; of what happens at one, the earlier of these comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Effect { call: usize },
    End { client: u32 },
    Begin { client: u32 },
}

/// How a call will end, whatever the object says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fortune {
    Ok,
    Fail,
    Unknown,
}

/// A call in flight, or unknown and still to take effect.
#[derive(Debug)]
struct Flying {
    process: u64,
    key: u32,
    function: Function,
    given: Written,
    fortune: Fortune,
    invoked_micros: u64,
    /// What the object returned.
    returned: Option<Written>,
}

#[derive(Debug)]
struct Client {
    process: u64,
    call: usize,
    /// The key of the lock that it holds.
    holds: Option<u32>,
}

struct Generator<'w, W: Write> {
    specification: Specification,
    output: &'w mut W,
    rng: Rng,
    objects: Vec<Object>,
    clients: Vec<Client>,
    /// Calls in flight; places are used again.
    flying: Vec<Option<Flying>>,
    free: Vec<usize>,
    agenda: BinaryHeap<Reverse<(u64, Happening)>>,
    begun: u64,
    lines: u64,
    plant: Option<Plant>,
    generated: Generated,
}

/// Generates a history.
///
/// # Panics
/// When there are no clients or no keys.
pub fn generate(specification: &Specification, output: &mut impl Write) -> Result<Generated, GenerateError> {
    let Specification { model, clients, keys, seed, illegal, .. } = *specification;
    assert!(clients > 0 && keys > 0, "a history needs clients and keys");
    let mut rng = Rng::from_seed(seed);
    let agenda = (0..clients).map(|client| Reverse((rng.below(1_000), Happening::Begin { client }))).collect();
    let mut generator = Generator {
        specification: *specification,
        output,
        rng,
        objects: (0..keys).map(|_| Object::new(model)).collect(),
        clients: (0..clients).map(|client| Client { process: u64::from(client), call: 0, holds: None }).collect(),
        flying: Vec::new(),
        free: Vec::new(),
        agenda,
        begun: 0,
        lines: 0,
        plant: illegal.then(|| Plant::new(specification)),
        generated: Generated::default(),
    };
    generator.run()?;
    if illegal && generator.generated.planted_line.is_none() {
        return Err(GenerateError::NoPlaceToPlant);
    }
    Ok(generator.generated)
}

impl<W: Write> Generator<'_, W> {
    fn run(&mut self) -> io::Result<()> {
        while let Some(Reverse((now, happening))) = self.agenda.pop() {
            match happening {
                Happening::Begin { client } if self.begun < self.specification.operations => self.begin(client, now)?,
                Happening::Begin { .. } => {}
                Happening::Effect { call } => self.take_effect(call),
                Happening::End { client } => self.end(client, now)?,
            }
        }
        Ok(())
    }

    fn begin(&mut self, client: u32, now: u64) -> io::Result<()> {
        let Client { process, holds, .. } = self.clients[client as usize];
        let key = holds.unwrap_or_else(|| self.rng.below(u64::from(self.specification.keys)) as u32);
        let (function, given) = self.choose(holds.is_some());
        self.begun += 1;
        let duration = self.rng.within(100..2_000);
        let (fortune, effect) = self.fortune(function, now, duration);
        let call = self.free.pop().unwrap_or_else(|| {
            self.flying.push(None);
            self.flying.len() - 1
        });
        if let Some(micros) = effect {
            self.agenda.push(Reverse((micros, Happening::Effect { call })));
        }
        self.agenda.push(Reverse((now + duration, Happening::End { client })));
        let is_returned = function.returns();
        let value = if is_returned { &Written::Nil } else { &given };
        let line = Line { process, event_type: "invoke", function, key, value, micros: now };
        write(self.output, self.specification.format, &line)?;
        self.lines += 1;
        if let Some(plant) = &mut self.plant {
            plant.begins(process, key, function);
        }
        let flying = Flying { process, key, function, given, fortune, invoked_micros: now, returned: None };
        self.flying[call] = Some(flying);
        self.clients[client as usize].call = call;
        Ok(())
    }

    /// How a call will end, and when it takes effect.
    fn fortune(&mut self, function: Function, now: u64, duration: u64) -> (Fortune, Option<u64>) {
        let Specification { unknowns_permille, fails_permille, .. } = self.specification;
        let die = self.rng.below(1_000);
        let late = now + self.rng.below(10 * duration);
        let never = self.rng.chance(1, 2);
        let effect = now + self.rng.below(duration + 1);
        match function {
            _ if die < fails_permille => (Fortune::Fail, None),
            // A lock whose holder has gone would stay locked for ever: only its release may be unknown, and then it happens.
            Function::Acquire => (Fortune::Ok, Some(effect)),
            Function::Release if die < fails_permille + unknowns_permille => (Fortune::Unknown, Some(late)),
            _ if die < fails_permille + unknowns_permille => (Fortune::Unknown, (!never).then_some(late)),
            _ => (Fortune::Ok, Some(effect)),
        }
    }

    fn choose(&mut self, holds: bool) -> (Function, Written) {
        let Specification { model, reads_percent, values, .. } = self.specification;
        // Drawn in every case, so that the object does not change what is drawn later.
        let reads = self.rng.below(100) < reads_percent;
        let die = self.rng.below(100);
        let unique = self.begun as i64;
        let mut value = || if values == 0 { unique } else { self.rng.below(values) as i64 };
        match model {
            ModelName::Lock if holds => (Function::Release, Written::Nil),
            ModelName::Lock => (Function::Acquire, Written::Nil),
            ModelName::Queue if die < 50 => (Function::Dequeue, Written::Nil),
            ModelName::Queue => (Function::Enqueue, Written::Number(unique)),
            _ if reads => (Function::Read, Written::Nil),
            ModelName::CasRegister if die < 60 => (Function::Cas, Written::Pair(value(), value())),
            ModelName::Register | ModelName::CasRegister => (Function::Write, Written::Number(value())),
            ModelName::Kv if die < 10 => (Function::Write, Written::Text(format!("{unique} "))),
            ModelName::Kv => (Function::Append, Written::Text(format!("{unique} "))),
            ModelName::Set => (Function::Add, Written::Number(unique)),
            ModelName::Counter => (Function::Add, Written::Number(1 + (die % 5) as i64)),
        }
    }

    fn take_effect(&mut self, call: usize) {
        let Some(flying) = &mut self.flying[call] else { return };
        let object = &mut self.objects[flying.key as usize];
        if let Some(plant) = &mut self.plant {
            plant.takes_effect(flying, object);
        }
        flying.returned = object.apply(flying.function, &flying.given, flying.process);
        let is_waited_for = |client: &Client| client.call == call && client.process == flying.process;
        if flying.fortune == Fortune::Unknown && !self.clients.iter().any(is_waited_for) {
            self.flying[call] = None;
            self.free.push(call);
        }
    }

    fn end(&mut self, client: u32, now: u64) -> io::Result<()> {
        let call = self.clients[client as usize].call;
        let Some(mut flying) = self.flying[call].take() else { return Ok(()) };
        self.lines += 1;
        let refused = flying.returned.is_none();
        if let Some(plant) = &mut self.plant
            && flying.fortune == Fortune::Ok
            && 2 * self.begun > self.specification.operations
            && self.generated.planted_line.is_none()
            && plant.changes(&mut flying)
        {
            self.generated.planted_line = Some(self.lines);
        }
        let event_type = match (flying.fortune, &flying.returned) {
            (Fortune::Ok, Some(_)) => "ok",
            (Fortune::Ok, None) | (Fortune::Fail, _) => "fail",
            (Fortune::Unknown, _) => "info",
        };
        match event_type {
            "ok" => self.generated.ok += 1,
            "fail" => self.generated.failed += 1,
            _ => self.generated.unknown += 1,
        }
        let Flying { process, key, function, .. } = flying;
        let value = match (&flying.returned, event_type) {
            (Some(returned), "ok") => returned,
            _ if function.returns() => &Written::Nil,
            _ => &flying.given,
        };
        let line = Line { process, event_type, function, key, value, micros: now };
        write(self.output, self.specification.format, &line)?;
        if let (Some(plant), "ok") = (&mut self.plant, event_type) {
            plant.ends(&flying, now);
        }
        let clients = u64::from(self.specification.clients);
        let state = &mut self.clients[client as usize];
        match (function, flying.fortune) {
            (Function::Acquire, Fortune::Ok) if !refused => state.holds = Some(key),
            (Function::Release, Fortune::Ok | Fortune::Unknown) => state.holds = None,
            _ => {}
        }
        if flying.fortune == Fortune::Unknown {
            state.process += clients;
            if flying.returned.is_none() {
                // It may still take effect; if it never does, its place is lost, and there are few of those.
                self.flying[call] = Some(flying);
            } else {
                self.free.push(call);
            }
        } else {
            self.free.push(call);
        }
        // A lock is held for a while.
        let most = if state.holds.is_some() { 4_000 } else { 200 };
        let pause = self.rng.within(1..most);
        self.agenda.push(Reverse((now + pause, Happening::Begin { client })));
        Ok(())
    }
}
