//! Registers in which every value was written once: decided in the time it takes to sort (Gibbons and Korach 1997).
//!
//! A value's calls, its write and all its reads, stand together in every order. From the first of their completions to the
//! last of their invocations the register certainly held the value: a forward zone. Where the last invocation comes first,
//! they all overlap, and one point of what lies between is enough: a backward zone.
//!
//! ```text
//!   write 1 ├───┤       read 1 ├──┤              forward    [completion of write 1 ──── invocation of read 1]
//!        write 2 ├─────────┤                     backward   [invocation of write 2 ──── its completion]
//!
//!   linearizable  ⇔  no read comes before its write, no two forward zones overlap, none contains a backward one
//! ```
//!
//! An unknown write that was read happened before the first of those reads completed, and one that was not read is left out.

use crate::journal::{Call, Ending, Function, NEVER, Value};

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zoned {
    Linearizable,
    Violated,
    /// Some value, or absence, was written more than once, or something else was called than reads and writes.
    NotUnique,
}

/// A value, its write and its reads.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    value: Value,
    written: u32,
    /// One more than the place of the first completion, so that the beginning is before everything.
    first_completed: u64,
    last_invoked: u64,
    is_certain: bool,
}

/// Judges a register's calls. `same` gives the value that stands for a value: in some models two of them mean the same.
pub(super) fn judge(calls: &[Call], same: impl Fn(Value) -> Value) -> Zoned {
    let Some(mut clusters) = Clusters::of(calls, &same) else { return Zoned::NotUnique };
    for read in calls.iter().filter(|call| call.function == Function::Read && call.ending == Ending::Ok) {
        let Some(cluster) = clusters.find(same(read.second)) else { return Zoned::Violated };
        if read.completed < cluster.written {
            return Zoned::Violated;
        }
        cluster.first_completed = cluster.first_completed.min(u64::from(read.completed) + 1);
        cluster.last_invoked = cluster.last_invoked.max(u64::from(read.invoked) + 1);
        cluster.is_certain = true;
    }
    if clusters.fit_together() { Zoned::Linearizable } else { Zoned::Violated }
}

/// Clusters by value: an open-addressing hash table of their places plus one.
struct Clusters {
    slots: Vec<u32>,
    all: Vec<Cluster>,
}

impl Clusters {
    /// The writes; `None` when a value is written twice.
    fn of(calls: &[Call], same: impl Fn(Value) -> Value) -> Option<Self> {
        let begin = Cluster { value: Value::NIL, written: 0, first_completed: 0, last_invoked: 0, is_certain: true };
        let writes = calls.iter().filter(|call| call.function != Function::Read).count();
        let mut clusters =
            Self { slots: vec![0; (2 * writes + 2).next_power_of_two()], all: Vec::with_capacity(writes + 1) };
        clusters.add(begin);
        for call in calls.iter().filter(|call| call.function != Function::Read) {
            if call.function != Function::Write {
                return None;
            }
            if call.ending == Ending::Fail {
                continue;
            }
            let is_certain = call.ending == Ending::Ok;
            let first_completed = if is_certain { u64::from(call.completed) + 1 } else { u64::from(NEVER) + 1 };
            let (value, written) = (same(call.argument), call.invoked);
            let cluster = Cluster { value, written, first_completed, last_invoked: u64::from(written) + 1, is_certain };
            if !clusters.add(cluster) {
                return None;
            }
        }
        Some(clusters)
    }

    /// Where the value is, or belongs.
    fn slot(&self, value: Value) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = (u64::from(value.0).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        while self.slots[at] != 0 && self.all[self.slots[at] as usize - 1].value != value {
            at = (at + 1) & mask;
        }
        at
    }

    fn add(&mut self, cluster: Cluster) -> bool {
        let at = self.slot(cluster.value);
        if self.slots[at] != 0 {
            return false;
        }
        self.all.push(cluster);
        self.slots[at] = self.all.len() as u32;
        true
    }

    fn find(&mut self, value: Value) -> Option<&mut Cluster> {
        let place = self.slots[self.slot(value)].checked_sub(1)?;
        self.all.get_mut(place as usize)
    }

    /// Whether the zones leave room for each other.
    fn fit_together(&self) -> bool {
        let certain = || self.all.iter().filter(|cluster| cluster.is_certain);
        let zones = |forward: bool| {
            certain()
                .map(|cluster| (cluster.first_completed, cluster.last_invoked))
                .filter(move |(completed, invoked)| (completed < invoked) == forward)
        };
        let mut forward: Vec<(u64, u64)> = zones(true).collect();
        forward.sort_unstable();
        if forward.windows(2).any(|pair| pair[1].0 < pair[0].1) {
            return false;
        }
        zones(false).all(|(completed, invoked)| {
            let before = forward.partition_point(|zone| zone.0 < invoked);
            before.checked_sub(1).is_none_or(|last| forward[last].1 < completed)
        })
    }
}
