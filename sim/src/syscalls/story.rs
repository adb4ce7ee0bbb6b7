//! What was asked of the program and what it said, and what must therefore be found after a power loss.
//!
//! ```text
//!   sent<TAB>7<TAB>key<TAB>value       `stormglass bench --acked`: asked for; several keys are one batch
//!   acked<TAB>7<TAB>42                 durable, with the sequence of its last key
//!   put, delete                        asked for when the program begins, durable when it has ended
//! ```
//!
//! What was sent when a state of the disk came to its end may be in it; what was acknowledged by then must. Sequences say
//! the order: what is found is a prefix of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::replay::Note;

/// When something happened: the number of the program's run, and the line of its trace.
pub(super) type Stamp = (usize, u32);

/// Before the first run of the program.
const LONG_AGO: Stamp = (0, 0);

/// When a run of the program has ended, and before the state of the disk that it left.
fn end_of(run: usize) -> Stamp {
    (run, u32::MAX - 1)
}

/// Every key that has a value, with the sequence that wrote it.
pub(super) type Held = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

/// Keys with their new values; `None` deletes.
type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// One atomic write.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Write {
    changes: Changes,
    asked_at: Stamp,
    /// The sequence of its last change.
    sequence: u64,
    acked_at: Stamp,
}

/// A copy of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    /// Its folder, below the root.
    pub(super) path: String,
    asked_at: Stamp,
    made_at: Stamp,
    /// The last write in it.
    pub(super) sequence: u64,
}

/// What must hold of one state of the disk, in writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// All of these were acknowledged.
    pub(super) at_least: usize,
    /// More were not asked for.
    pub(super) at_most: usize,
}

/// All writes, in the order in which they take effect.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    writes: Vec<Write>,
    /// What is held after each write.
    held: Vec<Arc<Held>>,
    copies: Vec<Copy>,
}

impl Story {
    /// The first `count` writes, as a recovery found them. All were asked for long ago; what had been acknowledged by then
    /// is owed from the beginning, the others when a run has shown them and ended.
    pub(super) fn recovered(&self, count: usize, until: Stamp) -> Self {
        let acked = self.bounds(until).at_least;
        let old = |(place, write): (usize, &Write)| {
            let acked_at = if place < acked { LONG_AGO } else { end_of(1) };
            Write { asked_at: LONG_AGO, acked_at, ..write.clone() }
        };
        let writes = self.writes[..count].iter().enumerate().map(old).collect();
        Self { writes, held: self.held[..count].to_vec(), copies: Vec::new() }
    }

    fn last_sequence(&self) -> u64 {
        self.writes.last().map_or(0, |write| write.sequence)
    }

    fn push(&mut self, write: Write) {
        let mut held = self.held.last().map(|held| Held::clone(held)).unwrap_or_default();
        let first = write.sequence + 1 - write.changes.len() as u64;
        for ((key, value), sequence) in write.changes.iter().zip(first..) {
            match value {
                Some(value) => drop(held.insert(key.clone(), (value.clone(), sequence))),
                None => drop(held.remove(key)),
            }
        }
        self.held.push(Arc::new(held));
        self.writes.push(write);
    }

    /// The program opens the directory: the first time it claims it, by a write of its own.
    pub(super) fn opens(&mut self, at: Stamp) {
        if self.writes.is_empty() {
            self.push(Write { changes: Vec::new(), asked_at: at, sequence: 1, acked_at: (usize::MAX, 0) });
        }
    }

    /// One write by a run of the program, from its beginning to its end.
    pub(super) fn writes(&mut self, key: Vec<u8>, value: Option<Vec<u8>>, run: usize) {
        let sequence = self.last_sequence() + 1;
        self.push(Write { changes: vec![(key, value)], asked_at: (run, 0), sequence, acked_at: end_of(run) });
    }

    /// A run of the program made a copy, and said up to which sequence it goes.
    pub(super) fn copies(&mut self, path: String, sequence: u64, run: usize) {
        self.copies.push(Copy { path, asked_at: (run, 0), made_at: end_of(run), sequence });
    }

    /// The writes of a load, by what it noted.
    pub(super) fn notes(
        &mut self,
        notes: &[Note],
        run: usize,
        key_of: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Result<(), String> {
        let mut sent: BTreeMap<String, (Changes, Stamp)> = BTreeMap::new();
        let mut writes = Vec::new();
        for (line, text) in notes {
            let refused = || format!("line {line} of the trace: the ledger says {:?}", String::from_utf8_lossy(text));
            let text = std::str::from_utf8(text).map_err(|_| refused())?;
            let fields: Vec<&str> = text.trim_end_matches('\n').split('\t').collect();
            match fields.as_slice() {
                ["sent", number, changes @ ..] if changes.len() >= 2 && changes.len().is_multiple_of(2) => {
                    let change = |pair: &[&str]| (key_of(pair[0].as_bytes()), Some(pair[1].as_bytes().to_vec()));
                    let changes = changes.chunks(2).map(change).collect();
                    sent.insert((*number).to_string(), (changes, (run, *line)));
                }
                ["acked", number, sequence] => {
                    let (changes, asked_at) = sent.remove(*number).ok_or_else(refused)?;
                    let sequence = sequence.parse().map_err(|_| refused())?;
                    writes.push(Write { changes, asked_at, sequence, acked_at: (run, *line) });
                }
                _ => return Err(refused()),
            }
        }
        if let Some((number, _)) = sent.first_key_value() {
            return Err(format!("the load ended well, and write {number} was never acknowledged"));
        }
        writes.sort_by_key(|write| write.sequence);
        for write in writes {
            let expected = self.last_sequence() + write.changes.len() as u64;
            if write.sequence != expected {
                return Err(format!(
                    "a write was acknowledged at sequence {}, {expected} is its place",
                    write.sequence
                ));
            }
            self.push(write);
        }
        Ok(())
    }

    /// What must hold of a state of the disk that lasted until then.
    pub(super) fn bounds(&self, until: Stamp) -> Bounds {
        let at_least = self.writes.iter().rposition(|write| write.acked_at < until).map_or(0, |last| last + 1);
        let at_most = self.writes.iter().take_while(|write| write.asked_at < until).count();
        Bounds { at_least, at_most }
    }

    /// The copies that had been asked for by then, and whether each was made.
    pub(super) fn copies_at(&self, until: Stamp) -> impl Iterator<Item = (&Copy, bool)> {
        let asked = self.copies.iter().filter(move |copy| copy.asked_at < until);
        asked.map(move |copy| (copy, copy.made_at < until))
    }

    /// How many writes make up everything to `sequence`; `None` when that is in the middle of one, or behind the last.
    pub(super) fn count_to(&self, sequence: u64) -> Option<usize> {
        match sequence {
            0 => Some(0),
            _ => self.writes.binary_search_by_key(&sequence, |write| write.sequence).ok().map(|index| index + 1),
        }
    }

    /// The last sequence of the first `count` writes.
    pub(super) fn sequence_after(&self, count: usize) -> u64 {
        count.checked_sub(1).map_or(0, |last| self.writes[last].sequence)
    }

    /// What is held after the first `count` writes.
    pub(super) fn held_after(&self, count: usize) -> Arc<Held> {
        count.checked_sub(1).map_or_else(Arc::default, |last| Arc::clone(&self.held[last]))
    }

    /// Every key that was ever written.
    pub(super) fn keys(&self) -> std::collections::BTreeSet<&[u8]> {
        self.writes.iter().flat_map(|write| &write.changes).map(|(key, _)| key.as_slice()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(lines: &[(u32, &str)]) -> Vec<Note> {
        lines.iter().map(|(line, text)| (*line, text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_write_may_be_there_when_it_was_sent_and_must_be_when_it_was_acknowledged() {
        let mut story = Story::default();
        story.opens((0, 0));
        let said =
            [(10, "sent\t0\ta\t1\n"), (12, "sent\t1\tb\t2\tc\t3\n"), (20, "acked\t1\t4\n"), (30, "acked\t0\t2\n")];
        story.notes(&notes(&said), 0, <[u8]>::to_vec).unwrap();
        story.writes(b"a".to_vec(), None, 1);
        let bounds = |until| {
            let Bounds { at_least, at_most } = story.bounds(until);
            (at_least, at_most)
        };
        assert_eq!(bounds((0, 10)), (0, 1), "the claim");
        assert_eq!(bounds((0, 12)), (0, 2), "one was sent");
        assert_eq!(bounds((0, 21)), (3, 3), "the later one is acknowledged, and all before it");
        assert_eq!((bounds((1, 7)), bounds((2, 1))), ((3, 4), (4, 4)));
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6].map(|sequence| story.count_to(sequence)),
            [Some(0), Some(1), Some(2), None, Some(3), Some(4), None]
        );
        assert_eq!(story.held_after(3).get(&b"c"[..]), Some(&(b"3".to_vec(), 4)));
        assert_eq!(story.held_after(4).keys().collect::<Vec<_>>(), [b"b", b"c"]);
    }

    #[test]
    fn a_ledger_that_contradicts_itself_is_refused() {
        let refused = |lines: &[(u32, &str)]| Story::default().notes(&notes(lines), 0, <[u8]>::to_vec).is_err();
        assert!(refused(&[(1, "acked\t0\t1\n")]), "acknowledged and never sent");
        assert!(refused(&[(1, "sent\t0\ta\t1\n")]), "never acknowledged");
        assert!(refused(&[(1, "sent\t0\ta\n")]), "a key without a value");
        assert!(refused(&[(1, "sent\t0\ta\t1\n"), (2, "acked\t0\t7\n")]), "a sequence that is not its place");
        assert!(!refused(&[(1, "sent\t0\ta\t1\n"), (2, "acked\t0\t1\n")]));
    }
}
