//! The promises to a session about the writes of others: what it sees, it sees with what came before (Terry et al. 1994).
//!
//! ```text
//!   monotonic writes       session 1   write x1 ├──┤   write y1 ├──┤
//!                          session 2                              ├ read = y1 ┤   ├ read x = x0 ┤    x0 is older than x1
//!
//!   writes follow reads    session 1   ├ read = x1 ┤   write y1 ├──┤
//!                          session 2                              ├ read = y1 ┤   ├ read x = x0 ┤    x0 is older than x1
//! ```
//!
//! Whoever has seen a write must not read something older than what its writer had had acknowledged (monotonic writes), or had
//! itself read (writes follow reads), before it wrote. Reads of a session's own writes are left to `sessions`. A write is
//! known by its value, so that values with several writers, and absence, tell of none; phantoms are left to `stale_reads`.
//!
//! Each writer's acknowledged writes and reads of each key are kept in its order, with the newest so far: what it knew before
//! a write is found by bisection.

use std::collections::BTreeMap;

use super::index::{ABSENT, Entry, Index, KeyIndex, Role};
use super::words::{asked, mutation, seen};
use super::{Anomaly, AnomalyKind, Findings};

/// What was found about the order of others' writes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CausalFindings {
    /// Monotonic writes; examined are the reads of a key that the writer of something seen before had written to.
    pub monotonic_writes: Findings,
    /// Writes follow reads; examined are the reads of a key that the writer of something seen before had read.
    pub writes_follow_reads: Findings,
}

/// The newest thing that a session knew of a key, after its operation `by`.
#[derive(Debug, Clone, Copy)]
struct Known {
    by: u32,
    /// When the newest write was invoked, and through which operation it was known.
    invoked: u64,
    through: u32,
}

/// What each session knew of each key, by session and key, ordered by operation.
type Knowledge = BTreeMap<(u32, usize), Vec<Known>>;

/// Judges every ok read that follows a read of another session's write.
pub fn check(index: &Index<'_>) -> CausalFindings {
    let (mut written, mut read) = (Knowledge::new(), Knowledge::new());
    let mut entries: Vec<(usize, &Entry)> = Vec::new();
    for (number, key) in index.keys.iter().enumerate() {
        entries.extend(key.entries.iter().map(|entry| (number, entry)));
    }
    entries.sort_unstable_by_key(|(_, entry)| entry.id);
    for &(number, entry) in &entries {
        match entry.role {
            Role::Install if entry.is_acknowledged_install() => learn(&mut written, number, entry, entry.invoked),
            Role::Install => {}
            Role::Read => {
                if let Some((_, invoked)) = only_source(&index.keys[number], entry) {
                    learn(&mut read, number, entry, invoked);
                }
            }
        }
    }
    let mut findings = CausalFindings::default();
    // By observer: of each other session, the latest write that it has seen.
    let mut seen: BTreeMap<u32, BTreeMap<u32, u32>> = BTreeMap::new();
    for (number, entry) in entries.into_iter().filter(|(_, entry)| entry.role == Role::Read) {
        let key = &index.keys[number];
        if entry.value != ABSENT && key.sources_until(entry.value, entry.completed).is_empty() {
            continue;
        }
        let seen = seen.entry(entry.session).or_default();
        let (kind, into) = (AnomalyKind::NonMonotonicWrite, &mut findings.monotonic_writes);
        judge(index, (number, entry), seen, &written, kind, into);
        let (kind, into) = (AnomalyKind::WriteBeforeItsRead, &mut findings.writes_follow_reads);
        judge(index, (number, entry), seen, &read, kind, into);
        if let Some((source, _)) = only_source(key, entry) {
            let writer = index.operation(source).session;
            if writer != entry.session {
                let latest = seen.entry(writer).or_default();
                *latest = source.max(*latest);
            }
        }
    }
    CausalFindings {
        monotonic_writes: findings.monotonic_writes.sorted(),
        writes_follow_reads: findings.writes_follow_reads.sorted(),
    }
}

/// The one write that a read can have seen, and its invocation.
fn only_source(key: &KeyIndex<'_>, read: &Entry) -> Option<(u32, u64)> {
    match key.sources_until(read.value, read.completed) {
        [source] if read.value != ABSENT => Some((source.id, source.invoked)),
        _ => None,
    }
}

fn learn(knowledge: &mut Knowledge, key: usize, entry: &Entry, invoked: u64) {
    let known = knowledge.entry((entry.session, key)).or_default();
    let newest = match known.last() {
        Some(last) if last.invoked >= invoked => Known { by: entry.id, ..*last },
        _ => Known { by: entry.id, invoked, through: entry.id },
    };
    known.push(newest);
}

/// Judges a read against what the writers of everything seen before knew of its key.
fn judge(
    index: &Index<'_>,
    (number, read): (usize, &Entry),
    seen: &BTreeMap<u32, u32>,
    knowledge: &Knowledge,
    kind: AnomalyKind,
    findings: &mut Findings,
) {
    let key = &index.keys[number];
    let mut newest: Option<(Known, u32)> = None;
    for (&writer, &write) in seen {
        let Some(known) = knowledge.get(&(writer, number)) else { continue };
        let before = known.partition_point(|known| known.by < write);
        let Some(known) = before.checked_sub(1).map(|last| known[last]) else { continue };
        if newest.is_none_or(|(newest, _)| newest.invoked < known.invoked) {
            newest = Some((known, write));
        }
    }
    let Some((known, write)) = newest else { return };
    findings.examined += 1;
    if key.is_older(read.value, read.completed, known.invoked) {
        findings.anomalies.push(Anomaly {
            kind,
            key: key.key.to_string(),
            operations: vec![read.id, known.through, write],
            at_micros: read.completed,
            behind_micros: None,
            explanation: sentence(index, read, known.through, write, kind),
        });
    }
}

fn sentence(index: &Index<'_>, read: &Entry, through: u32, write: u32, kind: AnomalyKind) -> String {
    let (operation, through, write) = (index.operation(read.id), index.operation(through), index.operation(write));
    let before = match kind {
        AnomalyKind::NonMonotonicWrite => format!("had written {} to {}", mutation(through), through.key),
        _ => format!("had read {}, which {}", through.key, seen(through)),
    };
    format!(
        "session {}: {} {}, though it had seen {} of {}, before which session {} {before}, which is newer",
        read.session,
        asked(operation),
        seen(operation),
        mutation(write),
        write.key,
        write.session,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use engine::world::Rng;

    use super::*;
    use crate::check::tests::Draft;
    use crate::history::{History, Operation, OperationKind, Outcome};

    fn found(history: &History) -> (Vec<u32>, Vec<u32>) {
        let findings = check(&Index::of(history));
        let ids = |findings: &Findings| findings.anomalies.iter().map(|anomaly| anomaly.operations[0]).collect();
        (ids(&findings.monotonic_writes), ids(&findings.writes_follow_reads))
    }

    #[test]
    fn whoever_sees_a_write_must_see_what_its_writer_wrote_before() {
        let mut draft = Draft::default();
        draft.write(9, "x", "x0", 0..5);
        draft.write(1, "x", "x1", 10..20);
        draft.write(1, "y", "y1", 30..40);
        draft.read(2, "y", Some("y1"), 50..60);
        draft.read(2, "x", Some("x0"), 70..80);
        draft.read(3, "x", Some("x0"), 70..80);
        let history = draft.finish();
        assert_eq!(found(&history), (vec![4], vec![]), "the third session has seen nothing, and may be behind");
        assert_eq!(
            check(&Index::of(&history)).monotonic_writes.anomalies[0].explanation,
            "session 2: read of x at 0.00007 s through n2 returned x0, though it had seen y1 of y, before which session 1 had \
             written x1 to x, which is newer"
        );
    }

    #[test]
    fn whoever_sees_a_write_must_see_what_its_writer_had_read_before() {
        let mut draft = Draft::default();
        draft.write(9, "x", "x0", 0..5);
        draft.write(8, "x", "x1", 10..100);
        draft.read(1, "x", Some("x1"), 20..30);
        draft.write(1, "y", "y1", 40..50);
        draft.read(2, "y", Some("y1"), 60..70);
        draft.read(2, "x", Some("x0"), 80..90);
        draft.read(2, "x", Some("x1"), 92..95);
        assert_eq!(found(&draft.finish()), (vec![], vec![5]));
    }

    #[test]
    fn anomalies_are_those_of_the_definition() {
        let mut rng = Rng::from_seed(17);
        let mut number = [0; 2];
        for _ in 0..20_000 {
            let history = scribble(&mut rng);
            let expected = by_definition(&history);
            let findings = found(&history);
            let sets = (findings.0.iter().copied().collect(), findings.1.iter().copied().collect());
            assert_eq!(sets, expected, "{history:#?}");
            number[0] += expected.0.len();
            number[1] += expected.1.len();
        }
        assert!(number.iter().all(|&number| number > 300), "too few of them to mean anything: {number:?}");
    }

    /// Three sessions, two keys, one operation after the other in each session; unique values.
    fn scribble(rng: &mut Rng) -> History {
        let mut draft = Draft::default();
        let mut now = [0, 0, 0];
        let length = rng.within(8..20);
        let writes: Vec<(bool, usize)> = (0..length).map(|_| (rng.chance(1, 2), rng.below(2) as usize)).collect();
        for operation in 0..length as usize {
            let session = rng.below(3) as usize;
            let start = now[session] + rng.within(1..4);
            let time = start..start + rng.below(6);
            now[session] = time.end;
            let key = ["x", "y"][writes[operation].1];
            if writes[operation].0 {
                draft.write(session as u32, key, &format!("v{operation}"), time);
            } else {
                // Something written to the key, or nothing: what never was would be a phantom.
                let key_of = writes[operation].1;
                let written: Vec<usize> = (0..writes.len()).filter(|&one| writes[one] == (true, key_of)).collect();
                let seen = rng.pick(&written).copied().filter(|_| rng.chance(7, 8));
                let value = seen.map(|seen| format!("v{seen}"));
                draft.read(session as u32, key, value.as_deref(), time);
            }
        }
        draft.finish()
    }

    fn seen_by(read: &Operation) -> Option<&str> {
        match &read.outcome {
            Outcome::Ok { value } if read.kind == OperationKind::Read => value.as_deref(),
            _ => None,
        }
    }

    /// The write that a read saw, if it had begun by then.
    fn source<'h>(history: &'h History, read: &Operation) -> Option<&'h Operation> {
        let value = seen_by(read)?;
        let is_it = |one: &&Operation| one.written.as_deref() == Some(value) && one.key == read.key;
        history.operations.iter().find(is_it).filter(|write| Some(write.invoked_micros) <= read.completed_micros)
    }

    fn by_definition(history: &History) -> (BTreeSet<u32>, BTreeSet<u32>) {
        let (mut writes, mut follows) = (BTreeSet::new(), BTreeSet::new());
        let reads = || history.operations.iter().filter(|one| one.kind == OperationKind::Read);
        for read in reads().filter(|read| seen_by(read).is_none() || source(history, read).is_some()) {
            let older_than = |write: &Operation| {
                write.key == read.key
                    && source(history, read).is_none_or(|source| source.completed_micros < Some(write.invoked_micros))
            };
            let before = reads().filter(|before| before.session == read.session && before.id < read.id);
            for seen in before.filter_map(|before| source(history, before)).filter(|seen| seen.session != read.session)
            {
                for known in history.operations.iter().filter(|one| one.session == seen.session && one.id < seen.id) {
                    match known.kind {
                        OperationKind::Write if older_than(known) => {
                            writes.insert(read.id);
                        }
                        OperationKind::Read if source(history, known).is_some_and(older_than) => {
                            follows.insert(read.id);
                        }
                        _ => {}
                    }
                }
            }
        }
        (writes, follows)
    }
}
