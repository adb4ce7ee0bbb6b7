//! What an engine does before its machine loses power: lives of a process, each a list of steps, drawn from a seed.
//!
//! ```text
//!   life 1  open, leveled ─▶ write, write │ write ─▶ snapshot ─▶ delete range, flush ─▶ read snapshots ─▶ killed
//!   life 2  open, tiered (recovery) ─▶ write ─▶ compact ─▶ checkpoint                                 ─▶ closed
//! ```
//!
//! Values are unique within a seed and name their write. Memtables, segments, blocks and levels are so small that a
//! few writes flush, compact and rotate. A new kind of step is one more arm here and one in `live`.

use std::time::Duration;

use bytes::Bytes;
use engine::compaction::{LazyLeveled, Leveled, Strategy, Tiered};
use engine::world::Rng;
use engine::{Durability, Options};

/// Keyspaces that are written: the default one, and one with a name.
pub(super) const SPACES: [Option<&str>; 2] = [None, Some("other")];

/// A key of a keyspace, which is a place in [`SPACES`].
pub(super) type Key = (usize, Bytes);

/// What happens to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// It gets a value.
    Put(Bytes),
    /// It gets a value that expires when nobody lives any more.
    PutUntil(Bytes),
    /// It goes.
    Delete,
    /// It goes, with all keys of its keyspace before this one.
    DeleteRange(Bytes),
}

/// A change of one key, or of a range that begins with it.
pub(super) type Change = (Key, Action);

/// One thing that a process does.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Writes batches, all at the same time.
    Write(Vec<Vec<Change>>),
    /// Makes everything durable that was acknowledged.
    Sync,
    /// Writes every memtable to a table.
    Flush,
    /// Merges everything into one level.
    Compact,
    /// Makes a copy of the database, while batches are written.
    Checkpoint(Vec<Vec<Change>>),
    /// Takes a snapshot, and remembers what it shows.
    TakeSnapshot,
    /// Reads every snapshot again: it must show what it did. What is read without one must be what was written.
    Read,
    /// Lets every snapshot go.
    DropSnapshots,
    /// Does nothing for this long.
    Wait(Duration),
}

/// How a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The engine is closed.
    Closed,
    /// The process is killed; the page cache stays.
    Killed,
}

/// One process, from opening to its end.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) strategy: Strategy,
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

/// Everything that happens before power is lost.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The options of every life but for its strategy.
    pub(super) options: Options,
    pub(super) lives: Vec<Life>,
}

/// Keys of a keyspace that are written; few, so that most writes meet an earlier version.
const KEYS: u64 = 10;

/// Copies that a plan makes, at most: each is opened in every state that has it.
const COPIES_MOST: u64 = 2;

/// Draws plans. Every batch it draws is numbered.
struct Author {
    rng: Rng,
    seed: u64,
    batches: u64,
    copies: u64,
    /// Batches of a step that are written at the same time, at most.
    writers: u64,
}

impl Plan {
    /// The plan of a seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed).fork("plan");
        let durability = match rng.below(6) {
            0 => Durability::None,
            1 => Durability::Interval(Duration::from_micros(rng.within(50..2_000))),
            _ => Durability::Always,
        };
        let options = options(durability, &mut rng);
        let mut author = Author { rng, seed, batches: 0, copies: 0, writers: 4 };
        let lives = (0..=author.rng.below(3)).map(|_| author.life()).collect();
        Self { options, lives }
    }

    /// A plan of one life in which every write is durable when acknowledged, and waits for the one before.
    pub(super) fn one_by_one(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed).fork("one by one");
        let options = options(Durability::Always, &mut rng);
        let mut author = Author { rng, seed, batches: 0, copies: 0, writers: 1 };
        Self { options, lives: vec![author.life()] }
    }

    /// The same plan with other values of the same lengths: what it leaves looks the same from outside.
    pub(super) fn twin(&self) -> Self {
        let mut twin = self.clone();
        for step in twin.lives.iter_mut().flat_map(|life| &mut life.steps) {
            let (Step::Write(batches) | Step::Checkpoint(batches)) = step else { continue };
            for (_, action) in batches.iter_mut().flatten() {
                if let Action::Put(value) | Action::PutUntil(value) = action {
                    *value = [b"S", &value[1..]].concat().into();
                }
            }
        }
        twin
    }

    /// The options of one life.
    pub(super) fn options_of(&self, life: usize) -> Options {
        Options { strategy: self.lives[life].strategy.clone(), ..self.options.clone() }
    }
}

fn options(durability: Durability, rng: &mut Rng) -> Options {
    Options {
        durability,
        segment_bytes: rng.within(400..4_000),
        memory_bytes: 1 << 20,
        memtable_bytes: rng.within(1_024..2_500) as usize,
        block_bytes: rng.within(128..600) as usize,
        strategy: strategy(rng),
        compaction_jobs: rng.within(1..3) as usize,
        ..Options::default()
    }
}

fn strategy(rng: &mut Rng) -> Strategy {
    let (runs, table_bytes) = (rng.within(2..4) as usize, rng.within(1_000..4_000));
    match rng.below(3) {
        0 => {
            let base_bytes = rng.within(1_000..6_000);
            Strategy::Leveled(Leveled { levels: 3, level0_runs: runs, base_bytes, fanout: 2, table_bytes })
        }
        1 => Strategy::Tiered(Tiered { levels: 3, runs, table_bytes }),
        _ => Strategy::LazyLeveled(LazyLeveled { levels: 3, runs, table_bytes }),
    }
}

impl Author {
    fn life(&mut self) -> Life {
        let steps = (0..self.rng.within(6..22)).map(|_| self.step()).collect();
        let end = if self.rng.chance(1, 2) { End::Closed } else { End::Killed };
        Life { strategy: strategy(&mut self.rng), steps, end }
    }

    fn step(&mut self) -> Step {
        match self.rng.below(24) {
            0 | 1 => Step::TakeSnapshot,
            2 | 3 => Step::Read,
            4 => Step::DropSnapshots,
            5 => Step::Wait(Duration::from_micros(self.rng.within(1..3_000))),
            6 => Step::Sync,
            7 | 8 => Step::Flush,
            9 => Step::Compact,
            10 if self.copies < COPIES_MOST => {
                self.copies += 1;
                // Who writes one batch after the other writes none meanwhile.
                Step::Checkpoint((1..self.writers).map(|_| self.batch()).collect())
            }
            _ => Step::Write((0..=self.rng.below(self.writers)).map(|_| self.batch()).collect()),
        }
    }

    fn batch(&mut self) -> Vec<Change> {
        self.batches += 1;
        (0..=self.rng.below(4)).map(|place| self.change(place)).collect()
    }

    fn change(&mut self, place: u64) -> Change {
        let number = self.rng.below(KEYS);
        let name = |number| Bytes::from(format!("key {number:02}"));
        let key = (usize::from(self.rng.chance(1, 4)), name(number));
        match self.rng.below(16) {
            0..=2 => return (key, Action::Delete),
            3 => return (key, Action::DeleteRange(name(number + 1 + self.rng.below(4)))),
            _ => {}
        }
        let mut value = format!("seed {}, batch {}, place {place}", self.seed, self.batches).into_bytes();
        // Now and then one that spans sectors.
        if self.rng.chance(1, 8) {
            let longer = value.len() + self.rng.below(1_600) as usize;
            value.resize(longer, b'.');
        }
        let value = Bytes::from(value);
        (key, if self.rng.chance(1, 8) { Action::PutUntil(value) } else { Action::Put(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind<T: std::fmt::Debug>(value: &T) -> String {
        format!("{value:?}").chars().take_while(|char| char.is_alphabetic()).collect()
    }

    #[test]
    fn plans_have_every_kind_of_step_action_strategy_end_and_durability() {
        let plans: Vec<Plan> = (0..100).map(Plan::of).collect();
        let lives = || plans.iter().flat_map(|plan| &plan.lives);
        let steps = || lives().flat_map(|life| &life.steps);
        let kinds: std::collections::BTreeSet<String> = steps().map(kind).collect();
        assert_eq!(kinds.len(), 9, "{kinds:?}");
        let batches = || steps().filter_map(|step| if let Step::Write(batches) = step { Some(batches) } else { None });
        assert!(batches().any(|batches| batches.len() > 1));
        let changes = || batches().flatten().flatten();
        let actions: std::collections::BTreeSet<String> = changes().map(|(_, action)| kind(action)).collect();
        assert_eq!(actions.len(), 4, "{actions:?}");
        assert!(batches().flatten().any(|batch| batch.iter().any(|((space, _), _)| *space != batch[0].0.0)));
        let strategies: std::collections::BTreeSet<String> = lives().map(|life| kind(&life.strategy)).collect();
        assert_eq!(strategies.len(), 3, "{strategies:?}");
        let ends = |end| lives().any(|life| life.end == end);
        assert!(ends(End::Closed) && ends(End::Killed));
        assert!(plans.iter().any(|plan| plan.options.durability == Durability::None));
    }
}
