//! Names of the log's files.
//!
//! ```text
//!   wal-00000000000000000042.log               a segment
//!   wal-00000000000000000042.log.tail-1337     what recovery cut off segment 42 at offset 1337
//!   wal-00000000000000000042.log.tail-1337.tmp the same, half copied
//! ```
//!
//! A number is used once. A segment that never began is removed or set aside whole; its tail then keeps the number
//! taken.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::world::DirectoryEntry;

const TEMPORARY: &str = ".tmp";
const NUMBERS: RangeInclusive<u64> = 1..=u32::MAX as u64;

/// The name of segment `number`.
pub(crate) fn segment_name(number: u32) -> String {
    format!("wal-{number:020}.log")
}

/// The name under which the tail of segment `number`, cut off at `offset`, is kept.
pub(crate) fn tail_name(number: u32, offset: u64) -> String {
    format!("{}.tail-{offset}", segment_name(number))
}

/// Where `tail` is copied to before it gets its name.
pub(crate) fn temporary_path(tail: &Path) -> PathBuf {
    let mut path = tail.as_os_str().to_owned();
    path.push(TEMPORARY);
    PathBuf::from(path)
}

/// The number of the segment that `name` names, if it names one.
pub(crate) fn segment_number(name: &str) -> Option<u32> {
    split(name).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number)
}

/// Whether `name` is a file of the log, of whatever kind.
pub(crate) fn is_ours(name: &str) -> bool {
    split(name).is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with(".tail-"))
}

/// Whether `name` is a tail that was being copied when the process ended.
pub(crate) fn is_temporary(name: &str) -> bool {
    is_ours(name) && name.ends_with(TEMPORARY)
}

/// The first number that no segment and no tail has had; `None` when they are used up.
pub(crate) fn next_number(entries: &[DirectoryEntry]) -> Option<u32> {
    let last = entries.iter().filter_map(|entry| split(&entry.name)).map(|(number, _)| number).max();
    last.map_or(Some(1), |last| last.checked_add(1))
}

/// The number in a log file's name, and what follows `.log`.
fn split(name: &str) -> Option<(u32, &str)> {
    let (digits, rest) = name.strip_prefix("wal-")?.split_at_checked(20)?;
    let rest = rest.strip_prefix(".log")?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().ok().filter(|number| NUMBERS.contains(number))?;
    Some((u32::try_from(number).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::EntryKind;

    fn entry(name: &str) -> DirectoryEntry {
        DirectoryEntry { name: name.to_string(), kind: EntryKind::File, length_bytes: 0 }
    }

    #[test]
    fn a_name_gives_its_number_back_and_nothing_else_passes_for_one() {
        assert_eq!(segment_name(42), "wal-00000000000000000042.log");
        assert_eq!(segment_number(&segment_name(42)), Some(42));
        for name in [
            "wal-42.log",
            "wal-00000000000000000000.log",
            "wal-00000000004294967296.log",
            "wal-0000000000000000004x.log",
            "wal-00000000000000000042.log.tail-7",
            "wal-000000000000000000é.log",
        ] {
            assert_eq!(segment_number(name), None, "{name}");
        }
    }

    #[test]
    fn a_tail_keeps_its_number_taken() {
        assert_eq!(next_number(&[]), Some(1));
        assert_eq!(next_number(&[entry(&segment_name(3)), entry(&tail_name(4, 0)), entry("notes.txt")]), Some(5));
        assert_eq!(next_number(&[entry(&segment_name(u32::MAX))]), None);
        let temporary = temporary_path(Path::new(&tail_name(4, 0)));
        assert!(is_temporary(&temporary.to_string_lossy()) && !is_temporary(&tail_name(4, 0)));
    }
}
