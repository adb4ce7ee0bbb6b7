//! Decoders of whole files: the log, the manifest and the pointer to it, markers, what a backup consists of.
//!
//! ```text
//!   log        start │ batch │ ... ─▶ records one behind the other; what is no record is torn or corrupt, and all of it
//!   manifest   preamble │ edit │ ... ─▶ pieces that cover the file; edits that add up to a state, or are refused
//!   texts      marker, CURRENT ─▶ accepted only as they are written
//! ```

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::memory::{Memory, now};
use super::mend;
use super::parts::state_comes_back;
use crate::error::Error;
use crate::format::Fault;
use crate::format::marker::{self as markers, BACKUPS, DATA};
use crate::format::record::Body;
use crate::format::segment::{BACKUP_MAGIC, MANIFEST_MAGIC, Magic, PREAMBLE_BYTES, WAL_MAGIC};
use crate::version::{self, CURRENT, Piece, VersionState, manifest_name};
use crate::wal::{Chain, Ending, Reader, Record, segment_name, walk};
use crate::{backup as backups, inspect};

/// The number of every file of records.
pub(super) const NUMBER: u32 = 1;

/// The folder that everything is in.
const FOLDER: &str = "data";

fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// A segment of the write-ahead log, on its own, as the first of all, and as one that has a successor.
pub fn log(bytes: &[u8]) -> bool {
    segment(&mend::framed(WAL_MAGIC, NUMBER, bytes));
    segment(&Bytes::copy_from_slice(bytes))
}

fn segment(bytes: &Bytes) -> bool {
    let disk = Memory::default().with(path(&segment_name(NUMBER)), bytes.clone());
    let alone = walked(&disk, bytes.len() as u64, Chain::UNKNOWN, false);
    let first = walked(&disk, bytes.len() as u64, Chain::BEGINNING, false);
    let followed = walked(&disk, bytes.len() as u64, Chain::BEGINNING, true);
    assert!(!matches!(followed, Some(Ending::Torn { .. })), "a segment with a successor is never torn");
    if matches!(first, Some(Ending::Whole { .. })) {
        assert_eq!(first, alone, "what fits the beginning of a log is whole on its own");
    }
    let dumped = now(inspect::wal(&disk, &path(&segment_name(NUMBER)), inspect::escaped_key, |_| ()));
    if let (Ok(summary), Some(ending)) = (dumped, &alone) {
        let is_whole = matches!(ending, Ending::Whole { .. });
        assert_eq!(is_whole, summary.corruptions == 0 && !summary.torn_tail, "a dump tells what recovery would find");
    }
    matches!(first, Some(Ending::Whole { .. }))
}

/// How a segment ends; `None` when a newer program wrote it.
fn walked(disk: &Memory, file_bytes: u64, mut chain: Chain, has_successor: bool) -> Option<Ending> {
    let mut reader = now(Reader::open(disk, Path::new(FOLDER), NUMBER)).expect("the file is there");
    let mut next = PREAMBLE_BYTES as u64;
    let mut visit = |record: Record| {
        assert_eq!(record.offset, next, "records stand one behind the other");
        next += record.header.record_bytes();
        if let Body::Batch(operations) = record.body {
            assert_eq!(operations.iter().count() as u64, operations.len(), "a batch holds what it counts");
        }
    };
    let ending = match now(walk(&mut reader, has_successor, &mut chain, &mut visit)) {
        Ok(ending) => ending,
        Err(Error::NewerFormat { .. }) => return None,
        Err(error) => panic!("memory does not fail: {error}"),
    };
    match &ending {
        Ending::Whole { .. } => assert_eq!(next, file_bytes, "a whole segment is records to its end"),
        Ending::Torn { offset, length, .. } => {
            assert_eq!(offset + length, file_bytes, "a torn tail goes to the end of the file");
            assert!(*offset == 0 || *offset == next, "a torn tail begins behind the last record");
        }
        Ending::Corrupt(damage) if damage.number == NUMBER => {
            assert!(damage.offset.checked_add(damage.length).is_some_and(|end| end <= file_bytes), "{damage:?}");
        }
        Ending::Corrupt(_) => {}
    }
    Some(ending)
}

/// A manifest, and the state that its edits add up to.
pub fn manifest(bytes: &[u8]) -> bool {
    edits(&mend::framed(MANIFEST_MAGIC, NUMBER, bytes));
    edits(&Bytes::copy_from_slice(bytes))
}

fn edits(bytes: &Bytes) -> bool {
    let name = path(&manifest_name(NUMBER));
    let pointer = super::samples::current(NUMBER);
    let disk = Memory::default().with(name.clone(), bytes.clone()).with(path(CURRENT), pointer);
    let damaged = pieces_cover(&disk, &name, MANIFEST_MAGIC, bytes.len() as u64);
    let dumped = now(inspect::manifest(&disk, &name, inspect::escaped_key, |_| ()));
    let content = match now(version::read_current(&disk, Path::new(FOLDER))) {
        Ok(content) => content.expect("there is a pointer"),
        Err(Error::Corrupt { .. } | Error::NewerFormat { .. }) => return false,
        Err(error) => panic!("memory does not fail: {error}"),
    };
    assert_eq!(damaged, Some(content.torn.is_some()), "what is read and what is looked at is the same");
    assert!(!content.edits.is_empty(), "a manifest says something");
    let state = VersionState::of(&content, &name);
    if let Ok(state) = &state {
        state_comes_back(state);
    }
    if let Ok(summary) = dumped {
        assert_eq!(summary.corruptions == 0, state.is_ok(), "a dump tells what opening would find");
    }
    state.is_ok()
}

/// Looks at a file of edits, whose pieces must cover it; says whether one of them is damaged, and nothing of a newer one.
fn pieces_cover(disk: &Memory, name: &Path, magic: Magic, file_bytes: u64) -> Option<bool> {
    let look = match now(version::look(disk, name, NUMBER, magic)) {
        Ok(look) => look,
        Err(Error::NewerFormat { .. }) => return None,
        Err(error) => panic!("memory does not fail: {error}"),
    };
    let (mut next, mut damaged) = (PREAMBLE_BYTES as u64, false);
    for piece in &look.pieces {
        match piece {
            Piece::Edit { offset, payload } => {
                assert_eq!(*offset, next, "pieces lie one behind the other");
                next += (crate::format::record::HEADER_BYTES + payload.len()) as u64;
            }
            Piece::Damage { offset: 0, length, .. } => {
                assert!(*length <= next);
                damaged = true;
            }
            Piece::Damage { offset, length, .. } => {
                assert_eq!(*offset, next, "pieces lie one behind the other");
                next += length;
                damaged = true;
            }
        }
    }
    assert_eq!(next.min(file_bytes), file_bytes, "pieces cover the file");
    Some(damaged)
}

/// The pointer to the manifest.
pub fn current(bytes: &[u8]) -> bool {
    let read = |content: Bytes| {
        let disk = Memory::default().with(path(CURRENT), content);
        now(version::current_number(&disk, Path::new(FOLDER)))
    };
    match read(Bytes::copy_from_slice(bytes)) {
        Ok(number) => {
            let written = super::samples::current(number.expect("there is a pointer"));
            assert_eq!(written, bytes, "a pointer is accepted only as it is written");
            true
        }
        Err(Error::Corrupt { fault, length, .. }) => {
            assert_eq!(fault, Fault::MalformedPayload);
            assert!(length <= bytes.len() as u64);
            false
        }
        Err(error) => panic!("memory does not fail: {error}"),
    }
}

/// The markers of a data directory and of a folder of backups.
pub fn marker(bytes: &[u8]) -> bool {
    let mut accepted = false;
    for whose in [DATA, BACKUPS] {
        if let Ok(version) = markers::decode_of(whose, bytes) {
            assert_eq!(
                markers::encode_of(whose, version).as_bytes(),
                bytes,
                "a marker is accepted only as it is written"
            );
            accepted = true;
        }
    }
    accepted
}

/// What a backup consists of.
pub fn backup(bytes: &[u8]) -> bool {
    listed(mend::framed(BACKUP_MAGIC, NUMBER, bytes));
    listed(Bytes::copy_from_slice(bytes))
}

fn listed(bytes: Bytes) -> bool {
    let name = path(&format!("backup-{NUMBER:020}.log"));
    let disk = Memory::default()
        .with(name.clone(), bytes.clone())
        .with(path("STORMGLASS-BACKUPS"), markers::encode_of(BACKUPS, 1));
    let damaged = pieces_cover(&disk, &name, BACKUP_MAGIC, bytes.len() as u64);
    let listed = match now(backups::list(&disk, Path::new(FOLDER))) {
        Ok(listed) => listed,
        Err(Error::NewerFormat { .. }) => {
            assert_eq!(damaged, None, "only a newer backup ends the list");
            return false;
        }
        Err(error) => panic!("memory does not fail: {error}"),
    };
    assert_eq!(listed.len(), 1, "a damaged backup is listed, too");
    let accepted = listed.iter().all(|listed| listed.backup.is_ok());
    assert!(!accepted || damaged == Some(false), "a damaged backup is none");
    accepted
}
