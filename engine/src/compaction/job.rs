//! A compaction that was chosen: what goes in, where the output goes, and why, in words.
//!
//! ```text
//!   inputs   level 0 │ 17 │ level 0 │ 15 │ level 5 │ 3 4 5 │     one line a run, newest first
//!   output   level 5, place; tables cut at a size and where too much of the level below would overlap
//!   kind     merge, move (only the manifest changes), drop (nothing is read)
//! ```

use std::fmt;

use bytes::Bytes;

use crate::shape::Place;

/// Tables of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The level of the run.
    pub level: usize,
    /// Numbers of the tables, in key order.
    pub tables: Vec<u64>,
}

/// What is done with the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They are read, merged and written anew.
    Merge,
    /// They stay as they are and change their place.
    TrivialMove,
    /// They are deleted unread.
    Drop,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Level 0 has enough runs for a merge into the level below.
    Level0Runs {
        /// How many.
        runs: usize,
        /// How many start a merge.
        trigger: usize,
    },
    /// Level 0 has many runs, and the level below is busy: they are merged among themselves.
    Level0Crowded {
        /// How many of them.
        runs: usize,
    },
    /// A level is larger than it should be.
    LevelBytes {
        /// The level.
        level: usize,
        /// Its size.
        bytes: u64,
        /// What it should be at most.
        target_bytes: u64,
    },
    /// A level above the base level has data, from another strategy or because the base level moved.
    AboveBase {
        /// The level.
        level: usize,
        /// Its size.
        bytes: u64,
        /// The base level.
        base: usize,
    },
    /// A level has too many runs.
    LevelRuns {
        /// The level.
        level: usize,
        /// How many.
        runs: usize,
        /// How many it may have.
        runs_most: usize,
    },
    /// The last level outgrew its place in the tree.
    LastLevelBytes {
        /// The level.
        level: usize,
        /// Its size.
        bytes: u64,
        /// What it may be at most.
        most_bytes: u64,
    },
    /// Half of a table or more is tombstones that no snapshot needs.
    Tombstones {
        /// The table.
        table: u64,
        /// Its tombstones.
        tombstones: u64,
        /// Its entries.
        entries: u64,
    },
    /// Everything in a table has expired.
    Expired {
        /// The table.
        table: u64,
    },
    /// First in, first out: there is too much.
    FifoBytes {
        /// How much.
        bytes: u64,
        /// How much there may be.
        most_bytes: u64,
    },
    /// Somebody asked for a merge of everything.
    Asked,
    /// First in, first out: it is too old.
    FifoAge {
        /// The age from which tables go.
        most_micros: u64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level0Runs { runs, trigger } => {
                write!(formatter, "level 0 holds {runs} runs, {trigger} start a merge")
            }
            Self::Level0Crowded { runs } => {
                write!(formatter, "level 0 merges {runs} runs of its own, the level below is busy")
            }
            Self::LevelBytes { level, bytes, target_bytes } => {
                write!(formatter, "level {level} holds {}, its target is {}", Size(*bytes), Size(*target_bytes))
            }
            Self::AboveBase { level, bytes, base } => {
                write!(formatter, "level {level} holds {}, data should begin at level {base}", Size(*bytes))
            }
            Self::LevelRuns { level, runs, runs_most } => {
                write!(formatter, "level {level} holds {runs} runs, at most {runs_most} may stay")
            }
            Self::LastLevelBytes { level, bytes, most_bytes } => {
                write!(formatter, "level {level}, the last, holds {}, room is for {}", Size(*bytes), Size(*most_bytes))
            }
            Self::Tombstones { table, tombstones, entries } => {
                write!(formatter, "{tombstones} of {entries} entries of table {table} are tombstones")
            }
            Self::Expired { table } => write!(formatter, "everything in table {table} has expired"),
            Self::FifoBytes { bytes, most_bytes } => {
                write!(formatter, "there are {}, the oldest beyond {} go", Size(*bytes), Size(*most_bytes))
            }
            Self::Asked => formatter.write_str("a merge of everything was asked for"),
            Self::FifoAge { most_micros } => write!(formatter, "tables older than {} s go", most_micros / 1_000_000),
        }
    }
}

struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.iter().find(|(bytes, _)| self.0 >= *bytes) {
            Some((bytes, unit)) if self.0.is_multiple_of(*bytes) => write!(formatter, "{} {unit}", self.0 / bytes),
            Some((bytes, unit)) => {
                let tenths = u128::from(self.0) * 10 / *bytes as u128;
                write!(formatter, "{}.{} {unit}", tenths / 10, tenths % 10)
            }
            None => write!(formatter, "{} bytes", self.0),
        }
    }
}

/// A compaction to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What goes in, newest run first.
    pub inputs: Vec<Input>,
    /// The level of the output; of a drop, that of its inputs.
    pub output_level: usize,
    /// Where in that level.
    pub place: Place,
    /// Why.
    pub reason: Reason,
    /// What is done.
    pub kind: Kind,
    /// Size at which an output table is closed.
    pub target_table_bytes: u64,
    /// Keys in front of which an output table is closed too, so that none overlaps too much of the level below.
    pub cut_at: Vec<Bytes>,
    /// Whether nothing older than the inputs lies in their range: tombstones (and expired values) that no snapshot
    /// needs then have nothing left to hide.
    pub drop_tombstones: bool,
    /// The first key of all inputs.
    pub smallest: Bytes,
    /// The first key behind all inputs.
    pub end: Bytes,
    /// Bytes of the inputs by level.
    pub bytes_by_level: Vec<(usize, u64)>,
    /// Where the next round through a level should begin; see [`super::Cursors::advance`].
    pub cursor: Option<(usize, Bytes)>,
}

impl Job {
    /// Bytes of all inputs.
    pub fn input_bytes(&self) -> u64 {
        self.bytes_by_level.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Level and number of everything that goes in, as an edit removes it.
    pub fn removed(&self) -> Vec<(usize, u64)> {
        self.inputs.iter().flat_map(|input| input.tables.iter().map(|number| (input.level, *number))).collect()
    }

    /// What the job keeps others from while it runs.
    pub fn claim(&self) -> Claim {
        let mut tables: Vec<u64> = self.inputs.iter().flat_map(|input| input.tables.iter().copied()).collect();
        tables.sort_unstable();
        Claim {
            tables,
            output: (self.kind != Kind::Drop).then_some((self.output_level, self.place)),
            smallest: self.smallest.clone(),
            end: self.end.clone(),
            bytes_by_level: self.bytes_by_level.clone(),
        }
    }
}

/// What a running job keeps others from: its inputs, and the range that its output will take in its level.
///
/// Two jobs may run at once when they share no input and when their outputs cannot meet in one run. The order of
/// versions needs no more: who moves data takes along every table that is older and in its way, so a job whose data
/// could pass another's would share inputs with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Numbers of the inputs, ascending.
    pub(super) tables: Vec<u64>,
    /// Level and place of the output; `None` when there is none.
    pub(super) output: Option<(usize, Place)>,
    pub(super) smallest: Bytes,
    pub(super) end: Bytes,
    pub(super) bytes_by_level: Vec<(usize, u64)>,
}

impl Claim {
    /// Whether a table is an input of the job.
    pub fn uses(&self, number: u64) -> bool {
        self.tables.binary_search(&number).is_ok()
    }

    /// Whether a job with this claim and one with the other may not run at once.
    pub fn conflicts(&self, other: &Claim) -> bool {
        let meet = match (self.output, other.output) {
            // Two new runs in front of a level each stay their own.
            (Some((_, Place::Newest)), Some((_, Place::Newest))) => false,
            (Some((level, _)), Some((other_level, _))) => {
                level == other_level && self.smallest < other.end && other.smallest < self.end
            }
            _ => false,
        };
        meet || self.tables.iter().any(|number| other.uses(*number))
    }
}
