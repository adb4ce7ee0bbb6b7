//! Reads one segment against the log so far. Recovery and `inspect` see the same log because both see it through here.
//!
//! ```text
//!   chain before ──▶ start: names its predecessor, and its exact length
//!                    batch: begins with the sequence that comes next     ──▶ each handed to the visitor
//!                    seal:  ends the file
//!                    ?      judged: torn, or corrupt                     ──▶ chain after, Ending
//! ```
//!
//! Checksums catch bytes that changed. The chain catches what checksums cannot: a file that is missing, cut at a
//! record's boundary or put back from a backup, and records that are skipped or come twice.

use super::judge::{Damage, Ending, judge};
use super::reader::{Reader, Record, Step};
use crate::error::Error;
use crate::format::record::Body;
use crate::format::segment::Start;
use crate::format::{Fault, Sequence};
use crate::world::File;

/// What the log so far says about what must come next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    /// What the next segment must say of its predecessor; `None` when it was not read.
    previous: Option<Start>,
    /// The sequence that must come next; `None` when what came before was not read.
    next_sequence: Option<Sequence>,
}

impl Chain {
    /// In front of an engine's first segment.
    pub(crate) const BEGINNING: Chain = Chain { previous: Some(Start::FIRST), next_sequence: Some(Sequence(1)) };
    /// In front of a segment whose predecessors are gone, because all they held is in tables.
    pub(crate) fn at(previous: Start, next_sequence: Sequence) -> Self {
        Self { previous: Some(previous), next_sequence: Some(next_sequence) }
    }

    /// In front of a segment that is read on its own.
    pub(crate) const UNKNOWN: Chain = Chain { previous: None, next_sequence: None };

    /// The sequence of the next write; 1 while nothing is known.
    pub(crate) fn next_sequence(&self) -> Sequence {
        self.next_sequence.unwrap_or(Sequence(1))
    }

    /// What the next segment must say of its predecessor, as far as segments were read whole.
    pub(crate) fn previous(&self) -> Start {
        self.previous.unwrap_or(Start::FIRST)
    }

    fn accept(&mut self, number: u32, record: &Record, is_first: bool) -> Result<(), Damage> {
        let damage = |fault| Damage { number, offset: record.offset, length: record.header.record_bytes(), fault };
        let impossible = |what| damage(Fault::ImpossibleHeader { what });
        let found = record.header.first_sequence;
        let count = match &record.body {
            Body::SegmentStart(start) if is_first => {
                self.accept_start(number, *start).map_err(|other| other.unwrap_or_else(impossible))?;
                0
            }
            Body::SegmentStart(_) => return Err(impossible("a segment's start in the middle of a segment")),
            _ if is_first => return Err(impossible("a segment that does not begin with its start")),
            Body::Edit(_) => return Err(impossible("a change of the manifest in a log")),
            Body::Batch(operations) => operations.len(),
            Body::Seal => 0,
        };
        if let Some(expected) = self.next_sequence.filter(|expected| *expected != found) {
            return Err(damage(Fault::SequenceBreak { expected, found }));
        }
        let next = found.checked_plus(count).ok_or_else(|| impossible("the sequence is beyond all sequences"))?;
        self.next_sequence = Some(next);
        Ok(())
    }

    /// Compares a segment's start with its predecessor. The damage may be to the predecessor; what is impossible about
    /// the start itself is only named.
    fn accept_start(&self, number: u32, start: Start) -> Result<(), Result<Damage, &'static str>> {
        let Some(previous) = self.previous.filter(|previous| *previous != start) else { return Ok(()) };
        let (expected_bytes, found_bytes) = (start.previous_bytes, previous.previous_bytes);
        if start.previous_number == previous.previous_number {
            let fault = Fault::SegmentLength { expected_bytes, found_bytes };
            let (offset, length) = (expected_bytes.min(found_bytes), expected_bytes.abs_diff(found_bytes));
            return Err(Ok(Damage { number: start.previous_number, offset, length, fault }));
        }
        if start.previous_number < previous.previous_number || start.previous_number >= number {
            return Err(Err("a segment that names the wrong predecessor"));
        }
        let fault = Fault::SegmentMissing { length_bytes: expected_bytes };
        Err(Ok(Damage { number: start.previous_number, offset: 0, length: expected_bytes, fault }))
    }
}

/// Reads a segment from the reader's position to its end, hands every record that fits the chain to `visit`, and says
/// how it ends. After [`Ending::Whole`] the chain calls for the next segment; otherwise it stands where the valid part
/// ends.
pub(crate) async fn walk<F: File>(
    reader: &mut Reader<F>,
    has_successor: bool,
    chain: &mut Chain,
    visit: &mut (impl FnMut(Record) + Send),
) -> Result<Ending, Error> {
    let (mut is_first, mut sealed) = (reader.is_at_the_beginning(), false);
    loop {
        match reader.step().await? {
            Step::Record(record) => {
                if sealed {
                    let fault = Fault::ImpossibleHeader { what: "a record behind the seal" };
                    let (offset, length) = (record.offset, record.header.record_bytes());
                    return Ok(Ending::Corrupt(Damage { number: reader.number(), offset, length, fault }));
                }
                if let Err(damage) = chain.accept(reader.number(), &record, is_first) {
                    return Ok(Ending::Corrupt(damage));
                }
                is_first = false;
                sealed = matches!(record.body, Body::Seal);
                visit(record);
            }
            Step::End => {
                let (previous_number, previous_bytes) = (reader.number(), reader.file_bytes());
                chain.previous = Some(Start { previous_number, previous_bytes });
                return Ok(Ending::Whole { sealed });
            }
            Step::Unreadable(fault) => {
                let evidence = reader.evidence(fault, has_successor).await?;
                return Ok(judge(reader.number(), evidence));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::format::operation::{OperationRef, Operations, put_payload};
    use crate::format::record::{self, HEADER_BYTES, Header, Kind, Place};

    fn start(previous_number: u32, previous_bytes: u64) -> Start {
        Start { previous_number, previous_bytes }
    }

    /// A record as a reader would hand it over.
    fn record(kind: Kind, first_sequence: u64, body: Body) -> Record {
        let mut bytes = BytesMut::new();
        let place = Place { log_number: 1, offset: 60 };
        record::encode(&mut bytes, place, kind, Sequence(first_sequence), 60, |_| {});
        let head: [u8; HEADER_BYTES] = bytes[..].try_into().expect("a header");
        Record { offset: 60, header: Header::read(&head), body }
    }

    fn batch(first_sequence: u64, count: usize) -> Record {
        let (mut encoded, mut payload) = (Vec::new(), BytesMut::new());
        (0..count).for_each(|_| OperationRef::Delete { key: b"\0\0a" }.encode(&mut encoded));
        put_payload(&mut payload, count as u32, &encoded);
        let operations = Operations::decode(&payload.freeze(), 2).expect("a payload");
        record(Kind::Batch, first_sequence, Body::Batch(operations))
    }

    #[test]
    fn sequences_must_go_on_without_gap_or_overlap() {
        let mut chain = Chain { previous: None, next_sequence: Some(Sequence(5)) };
        assert_eq!(chain.accept(1, &batch(5, 3), false), Ok(()));
        assert_eq!(chain.accept(1, &record(Kind::Seal, 8, Body::Seal), false), Ok(()));
        for found in [7, 9] {
            let damage = chain.accept(1, &batch(found, 1), false).expect_err("a break");
            assert_eq!(damage.fault, Fault::SequenceBreak { expected: Sequence(8), found: Sequence(found) });
        }
        let mut chain = Chain::UNKNOWN;
        assert!(chain.accept(1, &batch(u64::MAX, 1), false).is_err(), "an invented sequence is no reason to panic");
    }

    #[test]
    fn a_segment_begins_with_its_start_and_has_no_other() {
        let mut chain = Chain::UNKNOWN;
        assert!(chain.accept(1, &batch(1, 1), true).is_err());
        let start = record(Kind::SegmentStart, 1, Body::SegmentStart(Start::FIRST));
        assert!(chain.accept(1, &start, false).is_err());
        assert_eq!(chain.accept(1, &start, true), Ok(()));
    }

    #[test]
    fn a_start_must_name_the_segment_before_it_and_its_exact_length() {
        let chain = Chain { previous: Some(start(3, 500)), next_sequence: None };
        assert_eq!(chain.accept_start(4, start(3, 500)), Ok(()));
        for (found, number, offset, length) in [
            (start(3, 600), 3, 500, 100), // it was longer: its end is lost
            (start(3, 400), 3, 400, 100), // it was shorter: something was put behind it
            (start(5, 80), 5, 0, 80),     // one in between is missing
        ] {
            let damage = chain.accept_start(6, found).expect_err("a broken chain").expect("the predecessor's damage");
            assert_eq!((damage.number, damage.offset, damage.length), (number, offset, length), "{found:?}");
            assert!(!damage.fault.may_be_a_torn_write());
        }
        for found in [start(0, 0), start(2, 500), start(6, 9)] {
            assert!(chain.accept_start(6, found).expect_err("a broken chain").is_err(), "{found:?}");
        }
        assert_eq!(Chain::UNKNOWN.accept_start(6, start(5, 9)), Ok(()));
    }
}
