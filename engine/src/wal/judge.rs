//! Torn tail or proven corruption? The one decision that recovery must not get wrong, as a pure function.
//!
//! ```text
//!   the first bytes that are no record                     a valid record whose synced offset is behind X,
//!        │                                                 or a later file: X had reached the disk
//!        ▼                                                        │
//!   ─────X━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━▼──────    proven: refuse, touch nothing
//!   ─────X━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┤    no proof: nothing here was ever acknowledged
//!                                                                             as durable (or nothing can tell): cut
//! ```
//!
//! Taking corruption for a torn tail loses acknowledged writes without a word (RocksDB's history, ALICE); taking a torn
//! tail for corruption keeps a sound database shut. A record behind X that does *not* prove X synced changes nothing:
//! the disk may write later bytes first, and a log is recovered as a prefix, without holes.

use crate::format::Fault;
use crate::format::segment::BEGINNING_BYTES;

/// What was found at and behind the first place that is not a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Where the valid part ends.
    pub(crate) offset: u64,
    /// Where the file ends.
    pub(crate) file_bytes: u64,
    /// What is wrong there.
    pub(crate) fault: Fault,
    /// Whether a later segment exists: it was created after this one was synced whole.
    pub(crate) has_successor: bool,
    /// Whether a valid record behind `offset` has a synced offset behind `offset`.
    pub(crate) proven_by_record: bool,
    /// The first valid record behind `offset`.
    pub(crate) next_record: Option<u64>,
    /// Whether all bytes from `offset` on are zero; all of the file's, if it never began.
    pub(crate) zeros: bool,
}

/// How a segment ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With its last record.
    Whole {
        /// Whether that record is a seal, so that the end was meant.
        sealed: bool,
    },
    /// In bytes that nothing proves to have been synced.
    Torn {
        /// Where the valid part ends; 0 when the segment never began.
        offset: u64,
        /// Bytes behind it.
        length: u64,
        /// Whether they are all zero, so that there is nothing to keep.
        zeros: bool,
        /// What is wrong with them.
        fault: Fault,
    },
    /// In bytes that were synced, and are damaged.
    Corrupt(Damage),
}

/// A damaged range of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The segment it is in.
    pub(crate) number: u32,
    /// Where it begins.
    pub(crate) offset: u64,
    /// Bytes up to the next whole record, or the end of the file.
    pub(crate) length: u64,
    /// What is wrong.
    pub(crate) fault: Fault,
}

/// What an operator does about a damaged range.
pub(crate) const ADVICE: &str = "nothing was changed; restore this file from a backup, or move the data directory away and \
                                 let the other replicas fill a new one (`stormglass inspect wal` shows what is readable)";

/// Decides how segment `number` ends.
pub(crate) fn judge(number: u32, evidence: Evidence) -> Ending {
    let Evidence { offset, file_bytes, fault, has_successor, proven_by_record, next_record, zeros } = evidence;
    assert!(offset <= file_bytes, "a segment cannot end behind its end");
    if has_successor || proven_by_record || !fault.may_be_a_torn_write() {
        let end = next_record.unwrap_or(file_bytes);
        return Ending::Corrupt(Damage { number, offset, length: end - offset, fault });
    }
    // A segment that never began has no part worth keeping.
    let offset = if offset < BEGINNING_BYTES { 0 } else { offset };
    Ending::Torn { offset, length: file_bytes - offset, zeros, fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        Evidence {
            offset: 100,
            file_bytes: 180,
            fault: Fault::BadChecksum { stored: 1, computed: 2 },
            has_successor: false,
            proven_by_record: false,
            next_record: None,
            zeros: false,
        }
    }

    #[test]
    fn damage_that_nothing_proves_synced_is_a_torn_tail() {
        let torn = Ending::Torn { offset: 100, length: 80, zeros: false, fault: evidence().fault };
        assert_eq!(judge(1, evidence()), torn);
        // A whole record behind it is no proof: the disk may have written it first.
        assert_eq!(judge(1, Evidence { next_record: Some(140), ..evidence() }), torn);
    }

    #[test]
    fn a_segment_that_tore_before_it_had_begun_is_torn_from_its_first_byte() {
        let ending = judge(1, Evidence { offset: 16, file_bytes: 59, ..evidence() });
        assert_eq!(ending, Ending::Torn { offset: 0, length: 59, zeros: false, fault: evidence().fault });
    }

    #[test]
    fn a_later_record_or_segment_or_a_valid_checksum_makes_it_corruption() {
        let damage = |length, fault| Ending::Corrupt(Damage { number: 1, offset: 100, length, fault });
        let fault = evidence().fault;
        let by_record = Evidence { proven_by_record: true, next_record: Some(140), ..evidence() };
        assert_eq!(judge(1, by_record), damage(40, fault.clone()));
        assert_eq!(judge(1, Evidence { has_successor: true, ..evidence() }), damage(80, fault));
        let nonsense = Evidence { fault: Fault::MalformedPayload, ..evidence() };
        assert_eq!(judge(1, nonsense), damage(80, Fault::MalformedPayload));
    }
}
