//! What reads of lists tell: the order in which values were appended, and who must have come before whom.
//!
//! ```text
//!   the longest read of a key   [ 7  4  9 ]          the order of its versions: nothing, 7, 4, 9
//!   who appended them            T1 T5 T2            T1 ──ww──▶ T5 ──ww──▶ T2
//!   T3 read                     [ 7 ]                T1 ──wr──▶ T3 ──rw──▶ T5
//!   T8 appended 6, nobody saw it                     T2 ──ww──▶ T8, and who read [7 4 9] ──rw──▶ T8
//! ```
//!
//! A list shows its whole past, so that the order is read off rather than guessed: that is why Elle prefers lists. A read
//! that is no beginning of the longest, a value twice, or one that nobody appended, is wrong by itself.
//!
//! What was committed and never seen comes behind all that was. Of several such values of one key a read is held against
//! the first 64 only.

use super::evidence::{Anomaly, Evidence, Found};
use super::graph::{Edge, EdgeKind, NOTHING};
use super::ledger::{Ledger, ReadOf, Seen};
use super::level::{AnomalyKind, Phenomenon};
use crate::history::transactions::TransactionOutcome;

/// Values that nobody saw which a read is held against.
const UNSEEN_MAX: usize = 64;

/// Infers what each key tells.
pub(super) fn infer(ledger: &Ledger<'_>, edges: &mut Vec<Edge>, found: &mut Found) {
    let mut places = vec![0_u32; ledger.writes.len()];
    for key in 0..ledger.history.keys() {
        let reads = ledger.reads_of(key);
        if reads.is_empty() {
            continue;
        }
        let list = List { ledger, key, reads, longest: longest(ledger, reads) };
        list.infer(&mut places, edges, found);
    }
}

fn values<'h>(ledger: &Ledger<'h>, read: &ReadOf) -> &'h [u32] {
    match read.seen {
        Seen::List(first, end) => ledger.history.elements(first, end),
        Seen::Value(_) | Seen::Nothing => &[],
    }
}

/// The first of the longest reads.
fn longest(ledger: &Ledger<'_>, reads: &[ReadOf]) -> ReadOf {
    let mut longest = reads[0];
    for read in reads {
        if values(ledger, read).len() > values(ledger, &longest).len() {
            longest = *read;
        }
    }
    longest
}

/// One key's list.
struct List<'a, 'h> {
    ledger: &'a Ledger<'h>,
    key: u32,
    reads: &'a [ReadOf],
    longest: ReadOf,
}

/// Who appended the values of the longest read, by place.
struct Appenders {
    /// The transaction that appended the value at a place, unless it was aborted or is unknown to us.
    by_place: Vec<Option<u32>>,
    /// The place of the first one at or behind each place; one more entry than there are places.
    next: Vec<Option<usize>>,
    /// The place of the last one before each place; one more entry than there are places.
    previous: Vec<Option<usize>>,
}

impl Appenders {
    fn new(by_place: Vec<Option<u32>>) -> Self {
        let (mut next, mut previous) = (vec![None; by_place.len() + 1], vec![None; by_place.len() + 1]);
        for (place, appender) in by_place.iter().enumerate() {
            previous[place + 1] = if appender.is_some() { Some(place) } else { previous[place] };
        }
        for (place, appender) in by_place.iter().enumerate().rev() {
            next[place] = if appender.is_some() { Some(place) } else { next[place + 1] };
        }
        Self { by_place, next, previous }
    }

    fn at(&self, place: usize) -> u32 {
        self.by_place[place].expect("only places with a known appender are asked about")
    }
}

impl List<'_, '_> {
    fn infer(&self, places: &mut [u32], edges: &mut Vec<Edge>, found: &mut Found) {
        let order = values(self.ledger, &self.longest);
        self.check_own_order(order, found);
        let appenders = Appenders::new(self.appenders(order, places, found));
        let edge = |from, to, kind, before, after| Edge { from, to, kind, key: self.key, before, after };
        let mut last: Option<usize> = None;
        for place in (0..order.len()).filter(|place| appenders.by_place[*place].is_some()) {
            if let Some(last) = last {
                let (from, to) = (appenders.at(last), appenders.at(place));
                edges.push(edge(from, to, EdgeKind::WriteWrite, order[last], order[place]));
            }
            last = Some(place);
        }
        let mut is_disagreement_told = false;
        let mut whole: Vec<u32> = Vec::new();
        for read in self.reads {
            let list = values(self.ledger, read);
            if !order.starts_with(list) {
                if !is_disagreement_told {
                    found.add(Phenomenon::IncompatibleOrder, || self.disagreement(read));
                    is_disagreement_told = true;
                }
                continue;
            }
            let before = list.last().copied().unwrap_or(NOTHING);
            if let Some(place) = appenders.previous[list.len()] {
                edges.push(edge(appenders.at(place), read.transaction, EdgeKind::WriteRead, order[place], NOTHING));
                self.check_final(place + 1 == list.len(), order[place], read, found);
            }
            match appenders.next[list.len()] {
                Some(place) => {
                    edges.push(edge(read.transaction, appenders.at(place), EdgeKind::ReadWrite, before, order[place]));
                }
                None => whole.push(read.transaction),
            }
        }
        self.unseen(places, last.map(|place| (appenders.at(place), order[place])), &whole, edges);
    }

    /// Tells of values of one transaction that stand in another order than it appended them in.
    fn check_own_order(&self, order: &[u32], found: &mut Found) {
        let written = order.iter().filter_map(|value| self.ledger.find(self.key, *value));
        let mut several: Vec<(u32, usize, u32)> = written
            .map(|write| self.ledger.writes[write])
            .enumerate()
            .filter(|(_, write)| write.place > 0 || !write.is_final)
            .map(|(at, write)| (write.transaction, at, write.place))
            .collect();
        several.sort_unstable();
        let is_wrong = |pair: &&[(u32, usize, u32)]| pair[0].0 == pair[1].0 && pair[0].2 > pair[1].2;
        if let Some(pair) = several.windows(2).find(is_wrong) {
            let (reader, writer) = (self.longest.transaction, pair[0].0);
            found.add(Phenomenon::IncompatibleOrder, || {
                let history = self.ledger.history;
                let (key, list) = (history.key_name(self.key), super::words::list(history, order));
                let explanation = format!(
                    "T{reader} read key {key} as {list}, where the values of T{writer} stand in another order than it appended \
                     them in"
                );
                let kind = AnomalyKind::plain(Phenomenon::IncompatibleOrder);
                Anomaly::new(history, kind, vec![reader, writer], explanation)
            });
        }
    }

    /// Finds who appended each value, and tells of values that should not have been read. `places` keeps where each was.
    fn appenders(&self, order: &[u32], places: &mut [u32], found: &mut Found) -> Vec<Option<u32>> {
        let ledger = self.ledger;
        let mut appenders = Vec::with_capacity(order.len());
        for (place, value) in order.iter().enumerate() {
            let evidence = Evidence { ledger, key: self.key, value: *value };
            let Some(write) = ledger.find(self.key, *value) else {
                found.add(Phenomenon::ThinAir, || evidence.thin_air(self.longest.transaction));
                appenders.push(None);
                continue;
            };
            let appender = ledger.writes[write].transaction;
            if places[write] != 0 {
                found.add(Phenomenon::DuplicateElements, || evidence.twice(self.longest.transaction));
                appenders.push(None);
                continue;
            }
            places[write] = place as u32 + 1;
            if ledger.outcome(appender) == TransactionOutcome::Aborted {
                found.add(Phenomenon::G1a, || evidence.aborted_read(self.first_to_see(order, place), appender));
                appenders.push(None);
                continue;
            }
            appenders.push(Some(appender));
        }
        appenders
    }

    /// The first transaction whose read has the value at a place.
    fn first_to_see(&self, order: &[u32], place: usize) -> u32 {
        let has_seen = |read: &&ReadOf| values(self.ledger, read).get(place) == Some(&order[place]);
        self.reads.iter().find(has_seen).map_or(self.longest.transaction, |read| read.transaction)
    }

    /// Tells of a read that ends with a value which its transaction then appended more behind.
    fn check_final(&self, is_last: bool, value: u32, read: &ReadOf, found: &mut Found) {
        let Some(write) = self.ledger.find(self.key, value).filter(|_| is_last) else { return };
        let write = self.ledger.writes[write];
        if !write.is_final && write.transaction != read.transaction {
            let evidence = Evidence { ledger: self.ledger, key: self.key, value };
            found.add(Phenomenon::G1b, || evidence.intermediate_read(read.transaction, write.transaction));
        }
    }

    /// What was committed and never seen comes behind everything that was.
    fn unseen(&self, places: &[u32], last: Option<(u32, u32)>, whole: &[u32], edges: &mut Vec<Edge>) {
        let (from, writes) = self.ledger.writes_to(self.key);
        let mut unseen: Vec<(u32, u32)> = Vec::new();
        for (place, write) in writes.iter().enumerate() {
            if places[from + place] == 0 && self.ledger.committed[write.transaction as usize] {
                unseen.push((write.transaction, write.value));
            }
        }
        unseen.sort_unstable();
        unseen.dedup_by_key(|(transaction, _)| *transaction);
        let before = last.map_or(NOTHING, |(_, value)| value);
        let edge = |from, to, kind, after| Edge { from, to, kind, key: self.key, before, after };
        if let Some((appender, _)) = last {
            edges.extend(unseen.iter().map(|(to, value)| edge(appender, *to, EdgeKind::WriteWrite, *value)));
        }
        for reader in whole {
            let unseen = unseen.iter().take(UNSEEN_MAX);
            edges.extend(unseen.map(|(to, value)| edge(*reader, *to, EdgeKind::ReadWrite, *value)));
        }
    }

    /// Two reads that agree on no order.
    fn disagreement(&self, read: &ReadOf) -> Anomaly {
        let ledger = self.ledger;
        let spell = |read: &ReadOf| super::words::list(ledger.history, values(ledger, read));
        let explanation = format!(
            "T{} read key {} as {}, and T{} as {}: no order of the appends explains both",
            read.transaction,
            ledger.history.key_name(self.key),
            spell(read),
            self.longest.transaction,
            spell(&self.longest),
        );
        let transactions = vec![read.transaction, self.longest.transaction];
        Anomaly::new(ledger.history, AnomalyKind::plain(Phenomenon::IncompatibleOrder), transactions, explanation)
    }
}
