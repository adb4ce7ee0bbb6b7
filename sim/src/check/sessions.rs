//! The promises to one session: it does not go back in time, and it sees its own writes (Terry et al. 1994).
//!
//! ```text
//!   others     write v1 ├──┤        write v2 ├──────────────────┤
//!   session                                    ├ read = v2 ┤      ├ read = v1 ┤      v1 is older than v2: not monotonic
//!
//!   session    write v3 ├──┤   ├ read = v1 ┤                                         v1 is older than v3: missed
//! ```
//!
//! Per session and key the check keeps the latest invocation time among what the session has seen, and among what it has
//! written and had acknowledged. A read breaks a promise when everything that may have installed what it returned
//! completed strictly before that time. An absent key counts as seen: its source is then one of the deletes that are not
//! older than what the session knew. A session's operations follow one another in the order of the history.
//!
//! Phantoms are left to `stale_reads`.

use std::collections::BTreeMap;

use super::index::{ABSENT, Entry, Index, KeyIndex, Role};
use super::words::{asked, mutation, seconds, seen};
use super::{Anomaly, AnomalyKind, Findings};

/// What was found about sessions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionFindings {
    /// Monotonic reads; examined are the reads of keys of which the session had seen a write or delete.
    pub monotonic_reads: Findings,
    /// Read your writes; examined are the reads of keys to which the session had an acknowledged write or delete.
    pub read_your_writes: Findings,
}

/// The newest thing that a session knows of a key: when it was invoked at the earliest, and through which of the
/// session's operations it is known.
#[derive(Debug, Clone, Copy)]
struct Floor {
    invoked: u64,
    known_by: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Floors {
    read: Option<Floor>,
    written: Option<Floor>,
}

/// Judges every ok read of every session.
pub fn check(index: &Index<'_>) -> SessionFindings {
    let mut findings = SessionFindings::default();
    for key in &index.keys {
        let mut entries: Vec<&Entry> = key.entries.iter().collect();
        // A session's operations may begin in the same microsecond; their ids tell their order.
        entries.sort_by_key(|entry| entry.id);
        let mut sessions: BTreeMap<u32, Floors> = BTreeMap::new();
        for entry in entries {
            let floors = sessions.entry(entry.session).or_default();
            match entry.role {
                Role::Install if entry.is_acknowledged_install() => raise(&mut floors.written, entry.invoked, entry.id),
                Role::Install => {}
                Role::Read => read(index, key, entry, floors, &mut findings),
            }
        }
    }
    SessionFindings {
        monotonic_reads: findings.monotonic_reads.sorted(),
        read_your_writes: findings.read_your_writes.sorted(),
    }
}

fn raise(floor: &mut Option<Floor>, invoked: u64, known_by: u32) {
    if floor.is_none_or(|floor| floor.invoked < invoked) {
        *floor = Some(Floor { invoked, known_by });
    }
}

/// Judges a read against what its session knew, and adds what the session knows from it.
fn read(index: &Index<'_>, key: &KeyIndex<'_>, read: &Entry, floors: &mut Floors, findings: &mut SessionFindings) {
    if read.value != ABSENT && key.sources_until(read.value, read.completed).is_empty() {
        return;
    }
    let older_than = |floor: Floor| key.is_older(read.value, read.completed, floor.invoked);
    if let Some(floor) = floors.read {
        findings.monotonic_reads.examined += 1;
        if older_than(floor) {
            findings.monotonic_reads.anomalies.push(went_back(index, key, read, floor));
        }
    }
    if let Some(floor) = floors.written {
        findings.read_your_writes.examined += 1;
        if older_than(floor) {
            findings.read_your_writes.anomalies.push(missed(index, key, read, floor));
        }
    }
    if let Some(invoked) = source_invoked(key, read, floors) {
        raise(&mut floors.read, invoked, read.id);
    }
}

/// When what a read returned was installed at the earliest, by its invocation; `None` for an absent key that may be as it
/// was in the beginning.
fn source_invoked(key: &KeyIndex<'_>, read: &Entry, floors: &Floors) -> Option<u64> {
    let sources = key.sources_until(read.value, read.completed);
    let known = floors.read.into_iter().chain(floors.written).map(|floor| floor.invoked).max();
    // What the session knew rules out the older sources, unless it rules out all of them: the read broke a promise then.
    match known {
        Some(known) if !key.is_older(read.value, read.completed, known) => {
            key.first_source_not_older(read.value, known).map(|source| source.invoked)
        }
        _ if read.value == ABSENT => None,
        _ => sources.first().map(|source| source.invoked),
    }
}

fn went_back(index: &Index<'_>, key: &KeyIndex<'_>, read: &Entry, floor: Floor) -> Anomaly {
    let operation = index.operation(read.id);
    let before = index.operation(floor.known_by);
    let explanation = format!(
        "session {}: {} {}, after its {} had {}, which is newer",
        read.session,
        asked(operation),
        seen(operation),
        asked(before),
        seen(before),
    );
    anomaly(AnomalyKind::NonMonotonicRead, key, read, floor, explanation)
}

fn missed(index: &Index<'_>, key: &KeyIndex<'_>, read: &Entry, floor: Floor) -> Anomaly {
    let operation = index.operation(read.id);
    let own = index.operation(floor.known_by);
    let explanation = format!(
        "session {}: {} {}, which is older than {} that it had itself had acknowledged at {}",
        read.session,
        asked(operation),
        seen(operation),
        mutation(own),
        seconds(own.completed_micros.unwrap_or(own.invoked_micros)),
    );
    anomaly(AnomalyKind::MissedOwnWrite, key, read, floor, explanation)
}

fn anomaly(kind: AnomalyKind, key: &KeyIndex<'_>, read: &Entry, floor: Floor, explanation: String) -> Anomaly {
    Anomaly {
        kind,
        key: key.key.to_string(),
        operations: vec![read.id, floor.known_by],
        at_micros: read.completed,
        behind_micros: None,
        explanation,
    }
}
