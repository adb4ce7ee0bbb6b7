//! What may be done to an engine, as values that proptest makes and shrinks.

use std::ops::Bound;

use engine::compaction::{Fifo, LazyLeveled, Leveled, Strategy as Merging, Tiered};
use engine::{CachePolicy, Compression, Isolation, Options};
use proptest::collection::vec;
use proptest::prelude::*;

use super::oracle::{KeyRange, Space, Write};

/// How many keys there are.
pub(crate) const KEYS: u8 = 40;

/// How an engine ends before it is opened again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Closed,
    Killed,
    /// The power goes; what was not synced is there or not, as this seed says.
    PowerLost(u64),
}

/// What a batch is to ask of one key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    pub(crate) space: Space,
    pub(crate) key: u8,
    /// Whether what is demanded shall be so.
    pub(crate) holds: bool,
    /// By sequence, or by being there.
    pub(crate) exact: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Write { writes: Vec<(Space, Write)>, demand: Option<Demand> },
    Fill { space: Space, from: u8, count: u8, bytes: u16 },
    Get { space: Space, key: u8 },
    Scan { space: Space, range: KeyRange, entries: usize },
    Iterate { space: Space, range: KeyRange, backward: bool },
    Snapshot,
    Release(u8),
    ReadSnapshot { index: u8, space: Space, range: KeyRange, backward: bool },
    Begin { space: Space, isolation: Isolation },
    TransactionGet(u8),
    TransactionScan { range: KeyRange, limit: usize },
    TransactionWrite { key: u8, value: Option<u16> },
    Commit,
    Flush,
    Compact,
    Follow,
    Checkpoint,
    ReadOnly,
    NextHour,
    Settle,
    Reopen { end: End, options: Box<Options> },
}

/// Keys of every kind: short, long, with zeros and ones behind each other, and prefixes of each other.
pub(crate) fn key_of(key: u8) -> Vec<u8> {
    match key % KEYS {
        0 => vec![0],
        1 => vec![0, 0],
        2 => vec![0xff],
        3 => vec![0xff, 0xff],
        4 => b"key 10\0".to_vec(),
        5 => b"key 1".to_vec(),
        6 => [&b"key 2"[..], &[b'x'; 400]].concat(),
        key => format!("key {key:02}").into_bytes(),
    }
}

/// A value that says which it is. Half of them can be compressed.
pub(crate) fn value_of(value: u16) -> Vec<u8> {
    let length = match value % 8 {
        0 => 0,
        1..6 => 40 + usize::from(value % 97),
        6 => 700,
        _ => 2500,
    };
    let mut state = u32::from(value) | 1;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if value.is_multiple_of(2) { b'v' } else { (state >> 24) as u8 }
    };
    (0..length).map(|_| byte()).chain(value.to_le_bytes()).collect()
}

fn space() -> impl Strategy<Value = Space> {
    prop_oneof![3 => Just(0), 1 => Just(1)]
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![
        1 => Just(Bound::Unbounded),
        2 => (0..KEYS).prop_map(|key| Bound::Included(key_of(key))),
        2 => (0..KEYS).prop_map(|key| Bound::Excluded(key_of(key))),
    ]
}

fn range() -> impl Strategy<Value = KeyRange> {
    (bound(), bound())
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        6 => (0..KEYS, any::<u16>(), prop::option::weighted(0.25, 0..6_u64)).prop_map(|(key, value, expires_hour)| {
            Write::Put { key: key_of(key), value: value_of(value), expires_hour }
        }),
        3 => (0..KEYS).prop_map(|key| Write::Delete { key: key_of(key) }),
        1 => (0..KEYS, prop::option::weighted(0.8, 0..KEYS)).prop_map(|(start, end)| {
            Write::DeleteRange { start: key_of(start), end: end.map(key_of) }
        }),
    ]
}

fn demand() -> impl Strategy<Value = Demand> {
    (space(), 0..KEYS, prop::bool::weighted(0.7), any::<bool>()).prop_map(|(space, key, holds, exact)| Demand {
        space,
        key,
        holds,
        exact,
    })
}

pub(crate) fn options() -> impl Strategy<Value = Options> {
    let strategy = prop_oneof![
        3 => Just(Merging::Leveled(Leveled { levels: 3, level0_runs: 2, base_bytes: 8192, fanout: 2, table_bytes: 4096 })),
        2 => Just(Merging::Tiered(Tiered { levels: 3, runs: 2, table_bytes: 4096 })),
        2 => Just(Merging::LazyLeveled(LazyLeveled { levels: 4, runs: 3, table_bytes: 4096 })),
        1 => Just(Merging::Fifo(Fifo { max_bytes: 0, max_age_micros: 0 })),
    ];
    let sizes = (
        prop_oneof![Just(64), Just(300), Just(4096), Just(65_536)],
        prop_oneof![Just(4096), Just(24 * 1024), Just(64 * 1024)],
        prop_oneof![Just(300), Just(5_000), Just(1 << 20)],
        prop_oneof![Just(1 << 20), Just(8 << 20)],
    );
    let kinds = (
        prop_oneof![Just(0), Just(10_000)],
        any::<bool>(),
        prop_oneof![Just(Compression::None), Just(Compression::Lz4), Just(Compression::Zstd)],
        prop_oneof![Just(CachePolicy::S3Fifo), Just(CachePolicy::Lru)],
    );
    (strategy, sizes, kinds, 0..3_usize).prop_map(|(strategy, sizes, kinds, compaction_jobs)| Options {
        strategy,
        compaction_jobs,
        block_bytes: sizes.0,
        memtable_bytes: sizes.1,
        segment_bytes: sizes.2,
        memory_bytes: sizes.3,
        filter_millibits_per_key: kinds.0,
        filter_by_level: kinds.1,
        compression: kinds.2,
        cache_policy: kinds.3,
        // All of it, so that the stream of changes can be held against all that was written.
        change_retention_bytes: u64::MAX,
        ..Options::default()
    })
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let isolation = prop_oneof![Just(Isolation::Snapshot), Just(Isolation::Serializable)];
    let end = prop_oneof![2 => Just(End::Closed), 2 => Just(End::Killed), 1 => any::<u64>().prop_map(End::PowerLost)];
    prop_oneof![
        24 => (vec((space(), write()), 0..6), prop::option::weighted(0.3, demand()))
            .prop_map(|(writes, demand)| Step::Write { writes, demand }),
        6 => (space(), 0..KEYS, 1..30_u8, 50..400_u16)
            .prop_map(|(space, from, count, bytes)| Step::Fill { space, from, count, bytes }),
        8 => (space(), 0..KEYS).prop_map(|(space, key)| Step::Get { space, key }),
        5 => (space(), range(), 1..6_usize).prop_map(|(space, range, entries)| Step::Scan { space, range, entries }),
        5 => (space(), range(), any::<bool>()).prop_map(|(space, range, backward)| Step::Iterate { space, range, backward }),
        5 => Just(Step::Snapshot),
        3 => any::<u8>().prop_map(Step::Release),
        5 => (any::<u8>(), space(), range(), any::<bool>())
            .prop_map(|(index, space, range, backward)| Step::ReadSnapshot { index, space, range, backward }),
        4 => (space(), isolation).prop_map(|(space, isolation)| Step::Begin { space, isolation }),
        5 => (0..KEYS).prop_map(Step::TransactionGet),
        4 => (range(), 1..6_usize).prop_map(|(range, limit)| Step::TransactionScan { range, limit }),
        5 => (0..KEYS, prop::option::weighted(0.7, any::<u16>()))
            .prop_map(|(key, value)| Step::TransactionWrite { key, value }),
        4 => Just(Step::Commit),
        5 => Just(Step::Flush),
        3 => Just(Step::Compact),
        4 => Just(Step::Follow),
        1 => Just(Step::Checkpoint),
        2 => Just(Step::ReadOnly),
        4 => Just(Step::NextHour),
        4 => Just(Step::Settle),
        5 => (end, options()).prop_map(|(end, options)| Step::Reopen { end, options: Box::new(options) }),
    ]
}
