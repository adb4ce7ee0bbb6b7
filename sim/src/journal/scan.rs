//! Text becomes events: a scanner for the part of EDN and JSON that histories are written in.
//!
//! ```text
//!   {:process 9, :type :invoke, :f :append, :key "0", :value "x", :time 17}        EDN: commas are blanks, keys keywords
//!   #jepsen.history.Op{:index 3, :process :nemesis, :value #{1 2}}                 tags are skipped, with metadata none
//!   {"process":9,"type":"invoke","f":"append","key":"0","value":"x"}               JSON: colons are blanks as well
//!   [ {...} {...} ]   ( {...} )                                                    one pair of brackets around all of them
//! ```
//!
//! An event holds places in the text and hashes, no copies, so that scanning allocates nothing but the list of events. What
//! is scanned is a block of the file: what is not complete at its end is left for the next one. JSON is read leniently:
//! commas and colons may be missing. Nothing is understood here but the names of fields, types and functions.

use memchr::{memchr_iter, memchr2};

use super::Function;
use super::fault::Fault;
use super::words::{WordKind, hash};

/// Brackets within brackets, at most.
const DEPTH_MAX: usize = 64;

/// How a history is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Edn,
    Json,
}

/// What kind of form stands somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormKind {
    /// There is none.
    Missing,
    Nil,
    /// A whole number below 2^31, kept in `begin`.
    Small,
    /// A text, from `begin` to `end`, with its hash.
    Word(WordKind),
    /// A string with escapes, from `begin` to `end`, quotation marks included.
    Escaped,
    /// A vector, list or set, brackets included.
    Sequence,
    /// A map, brackets included.
    Map,
}

/// A form: what it is and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) kind: FormKind,
    pub(super) begin: u32,
    pub(super) end: u32,
    pub(super) hash: u32,
}

impl Form {
    pub(super) const MISSING: Self = Self { kind: FormKind::Missing, begin: 0, end: 0, hash: 0 };

    pub(super) fn text<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        match self.kind {
            FormKind::Missing | FormKind::Nil | FormKind::Small => &[],
            _ => &text[self.begin as usize..self.end as usize],
        }
    }
}

/// The first two forms of a sequence, and how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) first: [Form; 2],
    pub(super) length: u32,
}

/// Whose event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Missing,
    Process(i64),
    /// The nemesis, or whatever else is no client.
    Other,
}

/// What an event says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Missing,
    Invoke,
    Ok,
    Fail,
    Info,
}

/// One map of the history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    /// Where it begins.
    pub(super) at: u32,
    /// Lines before it, in the same block.
    pub(super) line: u32,
    pub(super) who: Who,
    pub(super) phase: Phase,
    pub(super) function: Option<Function>,
    /// 1 for `increment`, -1 for `decrement`.
    pub(super) sign: i8,
    /// Whether the time is in microseconds: our own format.
    pub(super) micros: bool,
    pub(super) name: Form,
    pub(super) key: Form,
    pub(super) value: Form,
    pub(super) parts: Parts,
    /// As written.
    pub(super) time: Option<u64>,
}

/// How a block ended.
#[derive(Debug)]
pub(super) enum End {
    Complete,
    /// What begins here is not complete.
    Incomplete {
        at: usize,
    },
    Bad {
        at: usize,
        fault: Fault,
    },
}

/// What a block of text held.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) events: Vec<Event>,
    /// Brackets outside of events.
    pub(super) opened: u32,
    pub(super) closed: u32,
    pub(super) end: End,
}

/// Why a scan stopped.
enum Stop {
    /// The text ended.
    Incomplete,
    Bad(usize, Fault),
}

type Scan<T> = Result<T, Stop>;

/// Scans a block.
pub(super) fn scan(text: &[u8], dialect: Dialect, events: Vec<Event>) -> Scanned {
    let mut scanner = Scanner { text, at: 0, depth: 0, dialect };
    let mut scanned = Scanned { events, opened: 0, closed: 0, end: End::Complete };
    let (mut counted_until, mut line) = (0, 0);
    loop {
        let blanks = scanner.skip_blanks();
        let begins = scanner.at;
        match blanks.and_then(|()| scanner.top(&mut scanned)) {
            Ok(Some(mut event)) => {
                line += memchr_iter(b'\n', &text[counted_until..begins]).count() as u32;
                counted_until = begins;
                event.line = line;
                scanned.events.push(event);
            }
            Ok(None) if scanner.at < text.len() => {}
            Ok(None) => return scanned,
            Err(stop) => {
                scanned.end = match stop {
                    Stop::Incomplete => End::Incomplete { at: begins },
                    Stop::Bad(at, fault) => End::Bad { at, fault },
                };
                return scanned;
            }
        }
    }
}

/// The forms of a sequence.
pub(super) fn items(text: &[u8], sequence: Form, dialect: Dialect) -> Vec<Form> {
    let last = sequence.end as usize - 1;
    let begin = sequence.begin as usize + if text[sequence.begin as usize] == b'#' { 2 } else { 1 };
    // The closing bracket stays, as the end of the last item.
    let mut scanner = Scanner { text: &text[..=last], at: begin, depth: 0, dialect };
    let mut items = Vec::new();
    while scanner.skip_blanks().is_ok() && scanner.at < last {
        match scanner.form(None) {
            Ok(form) => items.push(form),
            Err(_) => break,
        }
    }
    items
}

/// `Incomplete` when the form reaches the end of the text, which is then not the whole of it.
struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    dialect: Dialect,
}

/// Blanks, quotation marks and brackets, by their byte.
const ENDS_A_TOKEN: [bool; 256] = {
    let mut ends = [false; 256];
    let bytes = b" \n\t\r,\"{}[]();";
    let mut at = 0;
    while at < bytes.len() {
        ends[bytes[at] as usize] = true;
        at += 1;
    }
    ends
};

const fn ends_a_token(byte: u8) -> bool {
    ENDS_A_TOKEN[byte as usize]
}

impl<'t> Scanner<'t> {
    fn peek(&self) -> Scan<u8> {
        self.text.get(self.at).copied().ok_or(Stop::Incomplete)
    }

    fn bad<T>(&self, fault: Fault) -> Scan<T> {
        Err(Stop::Bad(self.at, fault))
    }

    /// Skips blanks, comments and discarded forms; stops at the end of the text as well.
    fn skip_blanks(&mut self) -> Scan<()> {
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\t' | b'\r' | b',' => self.at += 1,
                b':' if self.dialect == Dialect::Json => self.at += 1,
                b';' if self.dialect == Dialect::Edn => {
                    let rest = &self.text[self.at..];
                    self.at += memchr::memchr(b'\n', rest).ok_or(Stop::Incomplete)?;
                }
                b'#' if self.dialect == Dialect::Edn && self.text.get(self.at + 1) == Some(&b'_') => {
                    let from = self.at;
                    if let Err(stop) = self.discard() {
                        self.at = from;
                        return Err(stop);
                    }
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// `#_` and the form behind it.
    fn discard(&mut self) -> Scan<()> {
        self.enter()?;
        self.at += 2;
        self.skip_blanks()?;
        self.form(None)?;
        self.depth -= 1;
        Ok(())
    }

    fn enter(&mut self) -> Scan<()> {
        if self.depth >= DEPTH_MAX {
            return self.bad(Fault::TooDeep { most: DEPTH_MAX });
        }
        self.depth += 1;
        Ok(())
    }

    /// An event, or one of the brackets around all of them.
    fn top(&mut self, scanned: &mut Scanned) -> Scan<Option<Event>> {
        let at = self.at;
        let Some(&byte) = self.text.get(at) else { return Ok(None) };
        match byte {
            b'{' => return self.event(at).map(Some),
            b'#' if self.dialect == Dialect::Edn => {
                self.token()?;
                self.skip_blanks()?;
                if self.peek()? == b'{' {
                    return self.event(at).map(Some);
                }
            }
            b'[' | b'(' if scanned.opened == 0 => {
                scanned.opened += 1;
                self.at += 1;
                return Ok(None);
            }
            b']' | b')' if scanned.closed == 0 => {
                scanned.closed += 1;
                self.at += 1;
                return Ok(None);
            }
            _ => {}
        }
        let end = self.text.len().min(self.at + 20);
        let found = format!("`{}`", String::from_utf8_lossy(&self.text[self.at..end]).escape_debug());
        self.bad(Fault::NotAnEvent { found })
    }

    /// A map with the fields of an event.
    fn event(&mut self, at: usize) -> Scan<Event> {
        let nothing = Parts { first: [Form::MISSING; 2], length: 0 };
        let mut event = Event {
            at: at as u32,
            line: 0,
            who: Who::Missing,
            phase: Phase::Missing,
            function: None,
            sign: 0,
            micros: false,
            name: Form::MISSING,
            key: Form::MISSING,
            value: Form::MISSING,
            parts: nothing,
            time: None,
        };
        self.at += 1;
        loop {
            self.skip_blanks()?;
            let byte = self.peek()?;
            if byte == b'}' {
                self.at += 1;
                return Ok(event);
            }
            let field = match (self.dialect, byte) {
                (Dialect::Edn, b':') => {
                    self.at += 1;
                    self.token()?
                }
                (_, b'"') => self.string()?.text(self.text),
                _ => {
                    return self
                        .bad(Fault::Malformed { what: "the name of a field must stand here, or the end of the map" });
                }
            };
            self.skip_blanks()?;
            match field {
                b"process" => event.who = self.who()?,
                b"type" => event.phase = self.phase()?,
                b"f" => self.function(&mut event)?,
                b"key" => event.key = self.form(None)?,
                b"value" => event.value = self.form(Some(&mut event.parts))?,
                b"time" => event.time = self.time()?,
                b"time_micros" => {
                    event.time = self.time()?;
                    event.micros = true;
                }
                _ => {
                    self.form(None)?;
                }
            }
        }
    }

    fn who(&mut self) -> Scan<Who> {
        let form = self.form(None)?;
        Ok(match form.kind {
            FormKind::Small => Who::Process(i64::from(form.begin)),
            FormKind::Word(WordKind::Number) => match self.whole(&form) {
                Some(number) => Who::Process(number),
                None => return self.wrong("process", "a whole number or the name of the nemesis", &form),
            },
            FormKind::Word(_) | FormKind::Escaped => Who::Other,
            _ => return self.wrong("process", "a whole number or the name of the nemesis", &form),
        })
    }

    fn whole(&self, form: &Form) -> Option<i64> {
        std::str::from_utf8(form.text(self.text)).ok()?.parse().ok()
    }

    fn wrong<T>(&self, field: &'static str, what: &'static str, form: &Form) -> Scan<T> {
        Err(Stop::Bad(self.at, Fault::WrongField { field, what, found: show(self.text, form) }))
    }

    fn phase(&mut self) -> Scan<Phase> {
        let form = self.form(None)?;
        Ok(match form.text(self.text) {
            b"invoke" => Phase::Invoke,
            b"ok" => Phase::Ok,
            b"fail" => Phase::Fail,
            b"info" => Phase::Info,
            _ => return self.wrong("type", "invoke, ok, fail or info", &form),
        })
    }

    fn function(&mut self, event: &mut Event) -> Scan<()> {
        event.name = self.form(None)?;
        event.function = Some(match event.name.text(self.text) {
            b"read" | b"get" | b"r" => Function::Read,
            b"write" | b"put" | b"set" | b"w" => Function::Write,
            b"delete" | b"del" => Function::Delete,
            b"cas" | b"compare-and-set" | b"compare-and-swap" => Function::Cas,
            b"append" => Function::Append,
            b"add" => Function::Add,
            b"increment" | b"inc" => {
                event.sign = 1;
                Function::Add
            }
            b"decrement" | b"dec" => {
                event.sign = -1;
                Function::Add
            }
            b"remove" => Function::Remove,
            b"enqueue" | b"push" => Function::Enqueue,
            b"dequeue" | b"pop" => Function::Dequeue,
            b"acquire" | b"lock" => Function::Acquire,
            b"release" | b"unlock" => Function::Release,
            _ => return Ok(()),
        });
        Ok(())
    }

    fn time(&mut self) -> Scan<Option<u64>> {
        // Nearly always a plain number, and longer than the small ones.
        let digits = self.text[self.at..].iter().take(18).take_while(|byte| byte.is_ascii_digit());
        let (length, number) =
            digits.fold((0, 0), |(length, number), &digit| (length + 1, 10 * number + u64::from(digit - b'0')));
        if length > 0 && self.text.get(self.at + length).is_some_and(|&byte| self.ends_token(byte)) {
            self.at += length;
            return Ok(Some(number));
        }
        let form = self.form(None)?;
        match form.kind {
            FormKind::Small => Ok(Some(u64::from(form.begin))),
            FormKind::Nil => Ok(None),
            // Jepsen's clock may begin a little before 0.
            _ => match self.whole(&form) {
                Some(number) => Ok(Some(number.max(0) as u64)),
                None => self.wrong("time", "a whole number", &form),
            },
        }
    }

    /// Everything up to a blank or bracket.
    fn token(&mut self) -> Scan<&'t [u8]> {
        let from = self.at;
        let length = self.text[from..].iter().position(|&byte| self.ends_token(byte)).ok_or(Stop::Incomplete)?;
        self.at += length;
        Ok(&self.text[from..self.at])
    }

    fn ends_token(&self, byte: u8) -> bool {
        ends_a_token(byte) || (byte == b':' && self.dialect == Dialect::Json)
    }

    /// A string; its form has no quotation marks unless there are escapes in it.
    fn string(&mut self) -> Scan<Form> {
        let begin = self.at + 1;
        let (mut at, mut escaped) = (begin, false);
        loop {
            at += memchr2(b'"', b'\\', self.text.get(at..).unwrap_or_default()).ok_or(Stop::Incomplete)?;
            if self.text[at] == b'"' {
                break;
            }
            escaped = true;
            at += 2;
        }
        self.at = at + 1;
        if escaped {
            return Ok(Form { kind: FormKind::Escaped, begin: begin as u32 - 1, end: self.at as u32, hash: 0 });
        }
        Ok(self.word(WordKind::String, begin, at))
    }

    fn word(&self, kind: WordKind, begin: usize, end: usize) -> Form {
        let hash = hash(kind, &self.text[begin..end]);
        Form { kind: FormKind::Word(kind), begin: begin as u32, end: end as u32, hash }
    }

    /// One form. The first parts of a sequence go to `parts`.
    fn form(&mut self, parts: Option<&mut Parts>) -> Scan<Form> {
        match self.peek()? {
            b'"' => self.string(),
            b'0'..=b'9' | b'-' | b'+' => self.number(),
            b'[' | b'(' => self.collection(FormKind::Sequence, 1, parts),
            b'{' => self.collection(FormKind::Map, 1, None),
            b'#' if self.dialect == Dialect::Edn => match self.text.get(self.at + 1) {
                Some(b'{') => self.collection(FormKind::Sequence, 2, parts),
                Some(b'#') => self.name(),
                Some(_) => {
                    self.enter()?;
                    self.token()?;
                    self.skip_blanks()?;
                    let form = self.form(parts)?;
                    self.depth -= 1;
                    Ok(form)
                }
                None => Err(Stop::Incomplete),
            },
            b':' if self.dialect == Dialect::Edn => {
                self.at += 1;
                let begin = self.at;
                self.token()?;
                Ok(self.word(WordKind::Name, begin, self.at))
            }
            byte if ends_a_token(byte) => self.bad(Fault::Malformed { what: "a value must stand here" }),
            _ => self.name(),
        }
    }

    fn number(&mut self) -> Scan<Form> {
        let begin = self.at;
        let token = self.token()?;
        let digits = token.strip_suffix(b"N").unwrap_or(token);
        if digits.len() <= 9 && digits.iter().all(u8::is_ascii_digit) {
            let number = digits.iter().fold(0, |number, &digit| 10 * number + u32::from(digit - b'0'));
            return Ok(Form { kind: FormKind::Small, begin: number, end: 0, hash: 0 });
        }
        if let Some(Ok(number)) = std::str::from_utf8(digits).ok().map(str::parse::<u32>)
            && number < 1 << 31
        {
            return Ok(Form { kind: FormKind::Small, begin: number, end: 0, hash: 0 });
        }
        let is_number = digits.iter().any(u8::is_ascii_digit)
            && digits.iter().all(|&byte| byte.is_ascii_digit() || b"+-.eEM/xX".contains(&byte));
        match is_number || self.dialect == Dialect::Edn {
            true => Ok(self.word(WordKind::Number, begin, begin + digits.len())),
            false => Err(Stop::Bad(begin, Fault::Malformed { what: "this is not a number" })),
        }
    }

    fn name(&mut self) -> Scan<Form> {
        let begin = self.at;
        let token = self.token()?;
        match token {
            b"nil" | b"null" => Ok(Form { kind: FormKind::Nil, ..Form::MISSING }),
            b"true" | b"false" => Ok(self.word(WordKind::Name, begin, self.at)),
            _ if self.dialect == Dialect::Edn && token[0].is_ascii_graphic() => {
                Ok(self.word(WordKind::Name, begin, self.at))
            }
            _ => Err(Stop::Bad(
                begin,
                Fault::Malformed { what: "a value must stand here: a number, string, keyword, list or nil" },
            )),
        }
    }

    fn collection(&mut self, kind: FormKind, opening: usize, parts: Option<&mut Parts>) -> Scan<Form> {
        self.enter()?;
        let begin = self.at;
        let closing = match self.text[begin + opening - 1] {
            b'[' => b']',
            b'(' => b')',
            _ => b'}',
        };
        self.at += opening;
        let mut found = Parts { first: [Form::MISSING; 2], length: 0 };
        loop {
            self.skip_blanks()?;
            let byte = self.peek()?;
            if byte == closing {
                break;
            }
            if matches!(byte, b']' | b')' | b'}') {
                return self.bad(Fault::Malformed { what: "this bracket closes none that is open" });
            }
            let form = self.form(None)?;
            if let Some(place) = found.first.get_mut(found.length as usize) {
                *place = form;
            }
            found.length = found.length.saturating_add(1);
        }
        self.at += 1;
        self.depth -= 1;
        if let Some(parts) = parts {
            *parts = found;
        }
        let hash = hash(WordKind::Compound, &self.text[begin..self.at]);
        Ok(Form { kind, begin: begin as u32, end: self.at as u32, hash })
    }
}

/// A form for a person, cut where it is long.
pub(super) fn show(text: &[u8], form: &Form) -> String {
    match form.kind {
        FormKind::Missing => "nothing".to_string(),
        FormKind::Nil => "nil".to_string(),
        FormKind::Small => form.begin.to_string(),
        _ => {
            let shown = form.text(text);
            format!("`{}`", String::from_utf8_lossy(&shown[..shown.len().min(60)]).escape_debug())
        }
    }
}
