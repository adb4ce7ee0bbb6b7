//! A text: read returns the whole of it, append adds to its end, write replaces it. This is Porcupine's model of a key-value
//! store, after the laboratories of MIT's 6.824.
//!
//! ```text
//!   "" ── append x ──▶ "x" ── append y ──▶ "xy" ── read "xy" ──▶ "xy" ── write z ──▶ "z"
//! ```
//!
//! A state is the text's length and its value as a polynomial at two points modulo 2^61 - 1 (Karp and Rabin 1987), which the
//! hash of an appended text extends without the text itself. Two different texts of n bytes are taken for one with a
//! probability of about n^2 / 2^122. An absent key is the empty text.
//!
//! A text with which no read begins is dead: until the next write, no read can be explained from it, whatever is appended. All
//! dead texts are one state, so that the search need not try every order of appends that nobody saw apart.

use super::{Fate, Model, mix};
use crate::journal::{Call, Ending, Function, Journal, Value};

const MODULUS: u64 = (1 << 61) - 1;
/// Where the polynomials are evaluated: two numbers without a pattern.
const POINTS: [u64; 2] = [0x1a2b_93c7_54de_f061, 0x0f3d_6a95_18c4_7b2d];

/// The text of a key.
#[derive(Debug)]
pub struct Kv {
    /// What each read returned, ordered by value.
    reads: Vec<(Value, Text)>,
    /// Everything with which some read begins: an open-addressing hash table, at most half full. Where two texts have the same
    /// 64 bits, a dead one may be taken for alive, which costs time and changes no verdict.
    beginnings: Vec<u64>,
    /// The reads with which no other begins: what none of them contains, no read contains.
    longest: Vec<Value>,
}

impl Kv {
    /// What the texts hash to, and all their beginnings. They are given in order: each shares its beginning with the one before.
    fn of_texts(texts: &[(&[u8], Value)]) -> Self {
        let shared = |one: &[u8], other: &[u8]| one.iter().zip(other).take_while(|(one, other)| one == other).count();
        let (mut before, mut found): (&[u8], Vec<u64>) = (&[], Vec::new());
        let (mut stack, mut reads) = (vec![Text::EMPTY], Vec::with_capacity(texts.len()));
        for &(text, value) in texts {
            stack.truncate(1 + shared(before, text));
            for &byte in &text[stack.len() - 1..] {
                let longer = stack[stack.len() - 1].with(byte);
                found.push(longer.short());
                stack.push(longer);
            }
            reads.push((value, stack[text.len()]));
            before = text;
        }
        let mut beginnings = vec![0; (2 * found.len() + 2).next_power_of_two()];
        for bits in found {
            let at = place(&beginnings, bits);
            beginnings[at] = bits;
        }
        reads.sort_unstable_by_key(|&(value, _)| value);
        let is_longest = |pair: &&[(&[u8], Value)]| !pair.get(1).is_some_and(|next| next.0.starts_with(pair[0].0));
        let behind = (0..texts.len()).map(|at| &texts[at..texts.len().min(at + 2)]);
        let longest = behind.filter(is_longest).map(|pair| pair[0].1).collect();
        Self { reads, beginnings, longest }
    }

    /// The text, or the dead one.
    fn alive(&self, text: Text) -> Text {
        let bits = text.short();
        if text == Text::EMPTY || self.beginnings[place(&self.beginnings, bits)] == bits { text } else { Text::DEAD }
    }

    fn read(&self, value: Value) -> Option<Text> {
        self.reads.binary_search_by_key(&value, |&(value, _)| value).ok().map(|place| self.reads[place].1)
    }
}

/// Where these bits are in a table, or belong.
fn place(table: &[u64], bits: u64) -> usize {
    let mask = table.len() - 1;
    let mut at = (bits >> 20) as usize & mask;
    while table[at] != 0 && table[at] != bits {
        at = (at + 1) & mask;
    }
    at
}

/// A text, as far as it can be told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text {
    bytes: u64,
    hash: [u64; 2],
}

/// What a call does to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It was this.
    Read(Text),
    /// It is this from now on.
    Write(Text),
    /// This is added, of which the points to the power of its length are kept.
    Append(Text, [u64; 2]),
}

fn times(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    reduce((product as u64 & MODULUS) + (product >> 61) as u64)
}

fn reduce(number: u64) -> u64 {
    if number >= MODULUS { number - MODULUS } else { number }
}

impl Text {
    const EMPTY: Self = Self { bytes: 0, hash: [0, 0] };
    const DEAD: Self = Self { bytes: u64::MAX, hash: [0, 0] };

    fn with(self, byte: u8) -> Self {
        let side = |side: usize| reduce(times(self.hash[side], POINTS[side]) + u64::from(byte) + 1);
        Self { bytes: self.bytes + 1, hash: [side(0), side(1)] }
    }

    /// 64 bits of it, never 0.
    fn short(self) -> u64 {
        ((self.hash[0] << 3) ^ self.hash[1].rotate_left(17) ^ self.bytes) | 1
    }

    /// The text, and the points to the power of its length.
    fn of(text: &[u8]) -> (Self, [u64; 2]) {
        let power = |side: usize| text.iter().fold(1, |power, _| times(power, POINTS[side]));
        (text.iter().fold(Self::EMPTY, |text, &byte| text.with(byte)), [power(0), power(1)])
    }

    fn followed_by(&self, text: &Self, powers: &[u64; 2]) -> Self {
        let side = |side: usize| reduce(times(self.hash[side], powers[side]) + text.hash[side]);
        Self { bytes: self.bytes + text.bytes, hash: [side(0), side(1)] }
    }
}

impl Model for Kv {
    type State = Text;
    type Action = Action;

    fn of(journal: &Journal, calls: &[Call]) -> Self {
        let reads = calls.iter().filter(|call| call.function == Function::Read && call.ending == Ending::Ok);
        let mut values: Vec<Value> = reads.map(|call| call.second).collect();
        values.sort_unstable();
        values.dedup();
        let texts: Vec<_> = values.into_iter().map(|value| (integer_or_text(journal, value), value)).collect();
        let mut texts: Vec<(&[u8], Value)> = texts.iter().map(|(text, value)| (text.as_ref(), *value)).collect();
        texts.sort_unstable();
        Self::of_texts(&texts)
    }

    fn action(&self, journal: &Journal, call: &Call) -> Option<Action> {
        match (call.function, call.ending) {
            (_, Ending::Fail) | (Function::Read, Ending::Unknown) => None,
            (Function::Read, Ending::Ok) => self.read(call.second).map(Action::Read),
            (Function::Append, _) => {
                let (text, powers) = text(journal, call.argument);
                Some(Action::Append(text, powers))
            }
            (_, _) => Some(Action::Write(text(journal, call.argument).0)),
        }
    }

    fn initial(&self) -> Text {
        Text::EMPTY
    }

    fn step(&self, state: &Text, action: &Action) -> Option<Text> {
        match action {
            Action::Read(text) => (text == state).then_some(*state),
            Action::Write(text) => Some(self.alive(*text)),
            Action::Append(..) if *state == Text::DEAD => Some(Text::DEAD),
            Action::Append(text, powers) => Some(self.alive(state.followed_by(text, powers))),
        }
    }

    fn only_shows(&self, action: &Action) -> bool {
        matches!(action, Action::Read(_))
    }

    /// What keeps the text alive comes before what kills it.
    fn likely_at(&self, _: &Action, next: &Text, middle: u64) -> u64 {
        if *next == Text::DEAD { middle.saturating_add(1 << 40) } else { middle }
    }

    fn fingerprint(&self, state: &Text) -> u128 {
        mix(state.hash[0]) ^ mix(state.hash[1] ^ (state.bytes << 40)).rotate_left(32)
    }

    fn leaves(&self, action: &Action) -> Option<Text> {
        match action {
            Action::Read(text) => Some(*text),
            Action::Write(text) => Some(self.alive(*text)),
            Action::Append(..) => None,
        }
    }

    /// What is appended or written stays in the text until the next write, so that a read in between contains it: what no
    /// read contains was seen by none.
    fn fates(&self, journal: &Journal, calls: &[Call]) -> Vec<(usize, Fate)> {
        let unknown = calls.iter().enumerate().filter(|(_, call)| call.ending == Ending::Unknown);
        let fate = |(number, call): (usize, &Call)| {
            if !matches!(call.function, Function::Append | Function::Write) {
                return (number, Fate::Perhaps);
            }
            let written = integer_or_text(journal, call.argument);
            // To write nothing is to delete: every read of the empty text may have seen it.
            let finder = memchr::memmem::Finder::new(&written);
            let sees = |&read: &Value| finder.find(&integer_or_text(journal, read)).is_some();
            (number, if self.longest.iter().any(sees) { Fate::Perhaps } else { Fate::Unseen })
        };
        unknown.map(fate).collect()
    }

    fn describe(&self, journal: &Journal, calls: &[Call], state: &Text) -> String {
        if *state == Text::EMPTY {
            return "nothing".to_string();
        }
        if *state == Text::DEAD {
            return "a text with which no read begins".to_string();
        }
        let shown = self.reads.iter().find(|(_, text)| text == state).map(|&(value, _)| value);
        let writes = |call: &&Call| call.function == Function::Write && text(journal, call.argument).0 == *state;
        match shown.or_else(|| calls.iter().find(writes).map(|call| call.argument)) {
            Some(value) => journal.show(value),
            None => format!("the first {} bytes of what some read returned", state.bytes),
        }
    }
}

/// A number is the text of its digits.
fn integer_or_text(journal: &Journal, value: Value) -> std::borrow::Cow<'_, [u8]> {
    match journal.text(value) {
        [] => journal.integer(value).map_or_else(Vec::new, |number| number.to_string().into_bytes()).into(),
        text => text.into(),
    }
}

fn text(journal: &Journal, value: Value) -> (Text, [u64; 2]) {
    Text::of(&integer_or_text(journal, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_pieces_is_the_text_in_one() {
        let whole = b"x 0 0 yx 0 1 yx 1 0 y";
        for cut in 0..=whole.len() {
            let (head, (tail, powers)) = (Text::of(&whole[..cut]).0, Text::of(&whole[cut..]));
            assert_eq!(head.followed_by(&tail, &powers), Text::of(whole).0, "cut at {cut}");
        }
        assert_ne!(Text::of(b"ab").0, Text::of(b"ba").0);
        assert_ne!(Text::of(b"\0").0, Text::of(b"\0\0").0);
    }
}
