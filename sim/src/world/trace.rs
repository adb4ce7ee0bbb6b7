//! The trace: one number that says whether two runs were the same run.
//!
//! Every event of the sealed world (message, disk operation, timer, crash, client operation) is folded, in order, into a
//! 64-bit hash:
//!
//! ```text
//!   virtual micros │ kind (its letters) │ who │ words...        each as a 64-bit little-endian word
//! ```
//!
//! Two runs whose hashes agree did the same things at the same times; the first event that differs changes everything
//! after it. For debugging, the last events can also be kept and read as text, and each can be handed to an [`EventSink`]
//! as it happens. As FoundationDB's "unseed" and s2's meta-test. Not cryptographic: it guards against accidents, not
//! against enemies.

use std::collections::VecDeque;
use std::fmt;

/// The hash of a whole run; displayed as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceHash(pub u64);

impl fmt::Display for TraceHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// One event, as it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'e> {
    /// True virtual time.
    pub micros: u64,
    /// What happened, in one word.
    pub kind: &'static str,
    /// Whose event it is.
    who: u64,
    /// The rest of what enters the hash; what it means depends on the kind.
    pub words: &'e [u64],
}

/// Takes every event of a run, as it happens, inside the world: it must not look at what differs between runs.
pub type EventSink = Box<dyn FnMut(&Event<'_>) + Send>;

impl Event<'_> {
    /// Whose event it is: `n1`, `c0` or `lab`.
    pub fn who(&self) -> String {
        Who(self.who).to_string()
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:>12} {} {}", self.micros, Who(self.who), self.kind)?;
        self.words.iter().try_for_each(|word| write!(formatter, " {word:x}"))
    }
}

/// What becomes of the events of a run, beside their place in its hash.
#[derive(Default)]
pub struct Recording {
    /// So many of the last are kept as text.
    pub last: usize,
    /// Who is told of each.
    pub each: Option<EventSink>,
}

impl Recording {
    /// Keeps the last events.
    pub fn last(last: usize) -> Self {
        Self { last, each: None }
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Recording {{ last: {}, each: {} }}", self.last, self.each.is_some())
    }
}

/// How many words of an event are kept as text; all of them enter the hash.
const WORDS_KEPT: usize = 4;

/// One remembered event.
#[derive(Debug, Clone, Copy)]
struct TraceEvent {
    micros: u64,
    kind: &'static str,
    who: u64,
    words: [u64; WORDS_KEPT],
    word_count: usize,
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = &self.words[..self.word_count];
        Event { micros: self.micros, kind: self.kind, who: self.who, words }.fmt(formatter)
    }
}

/// The word that stands for the laboratory itself, where nodes and clients have their own.
pub(super) const WHO_LABORATORY: u64 = u64::MAX;

/// The bit that tells a client's word from a node's.
pub(super) const WHO_CLIENT: u64 = 1 << 63;

/// Writes the word that stands for someone as people know them.
struct Who(u64);

impl fmt::Display for Who {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            WHO_LABORATORY => formatter.write_str("lab"),
            client if client & WHO_CLIENT != 0 => write!(formatter, "c{:x}", client & !WHO_CLIENT),
            node => write!(formatter, "n{node}"),
        }
    }
}

/// The running hash of a run.
#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    events: u64,
    tail: VecDeque<TraceEvent>,
    recording: Recording,
    /// Whether anything is recorded.
    records: bool,
}

impl Trace {
    /// An empty trace.
    pub(super) fn new(recording: Recording) -> Self {
        let records = recording.last > 0 || recording.each.is_some();
        Self { hash: 0x5354_4f52_4d47_4c53, events: 0, tail: VecDeque::new(), recording, records }
    }

    /// Folds one event in.
    #[inline]
    pub(super) fn record(&mut self, micros: u64, kind: &'static str, who: u64, words: &[u64]) {
        self.events += 1;
        self.mix(micros);
        self.mix_text(kind);
        self.mix(who);
        self.mix(words.len() as u64);
        for word in words {
            self.mix(*word);
        }
        if self.records {
            self.remember(micros, kind, who, words);
        }
    }

    /// The hash so far.
    pub(super) fn hash(&self) -> TraceHash {
        TraceHash(self.hash)
    }

    /// Events so far.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// The last events as text, oldest first.
    pub(super) fn tail(&self) -> Vec<String> {
        self.tail.iter().map(TraceEvent::to_string).collect()
    }

    /// A step that is one-to-one in the hash for each word, so that no event forgets what came before it.
    #[inline]
    fn mix(&mut self, word: u64) {
        let mixed = (self.hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.hash = mixed ^ (mixed >> 32);
    }

    #[inline]
    fn mix_text(&mut self, text: &str) {
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    #[cold]
    fn remember(&mut self, micros: u64, kind: &'static str, who: u64, words: &[u64]) {
        if let Some(each) = &mut self.recording.each {
            each(&Event { micros, kind, who, words });
        }
        if self.recording.last == 0 {
            return;
        }
        if self.tail.len() == self.recording.last {
            self.tail.pop_front();
        }
        let mut kept = [0; WORDS_KEPT];
        let word_count = words.len().min(WORDS_KEPT);
        kept[..word_count].copy_from_slice(&words[..word_count]);
        self.tail.push_back(TraceEvent { micros, kind, who, words: kept, word_count });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(events: &[(u64, &'static str, u64, &[u64])]) -> TraceHash {
        let mut trace = Trace::new(Recording::default());
        for (micros, kind, who, words) in events {
            trace.record(*micros, kind, *who, words);
        }
        trace.hash()
    }

    #[test]
    fn every_part_of_an_event_and_the_order_of_events_change_the_hash() {
        let base = hash_of(&[(1, "send", 1, &[7]), (2, "deliver", 2, &[7])]);
        assert_eq!(base, hash_of(&[(1, "send", 1, &[7]), (2, "deliver", 2, &[7])]));
        assert_ne!(base, hash_of(&[(1, "send", 1, &[7]), (3, "deliver", 2, &[7])]));
        assert_ne!(base, hash_of(&[(1, "send", 1, &[7]), (2, "drop", 2, &[7])]));
        assert_ne!(base, hash_of(&[(1, "send", 1, &[7]), (2, "deliver", 3, &[7])]));
        assert_ne!(base, hash_of(&[(1, "send", 1, &[7]), (2, "deliver", 2, &[8])]));
        assert_ne!(base, hash_of(&[(1, "send", 1, &[7]), (2, "deliver", 2, &[7, 0])]));
        assert_ne!(base, hash_of(&[(2, "deliver", 2, &[7]), (1, "send", 1, &[7])]));
    }

    #[test]
    fn the_tail_keeps_the_last_events_as_text() {
        let mut trace = Trace::new(Recording::last(2));
        trace.record(1, "first", 1, &[]);
        trace.record(2, "second", WHO_CLIENT | 0xab, &[255]);
        trace.record(3, "third", WHO_LABORATORY, &[1, 2]);
        let tail: Vec<String> = trace.tail().iter().map(|line| line.trim().to_string()).collect();
        assert_eq!(tail, ["2 cab second ff", "3 lab third 1 2"]);
        assert_eq!(trace.events(), 3);
    }

    #[test]
    fn each_event_is_told_with_all_its_words() {
        let (sender, told) = std::sync::mpsc::channel();
        let each: EventSink = Box::new(move |event| sender.send(event.to_string()).expect("it is listened to"));
        let mut trace = Trace::new(Recording { last: 0, each: Some(each) });
        trace.record(7, "send", 3, &[1, 2, 3, 4, 5, 255]);
        assert_eq!(told.try_iter().map(|line| line.trim().to_string()).collect::<Vec<_>>(), ["7 n3 send 1 2 3 4 5 ff"]);
        assert!(trace.tail().is_empty());
    }

    #[test]
    fn the_hash_is_written_as_sixteen_digits() {
        assert_eq!(TraceHash(0xab).to_string(), "00000000000000ab");
    }
}
