//! What a seed draws: how the engine is opened, what lies in it, who works on it, and how each life ends.
//!
//! ```text
//!   snapshot, list-append, wandering, 3 keys, tiered, memtables of 1,300 bytes
//!   life 1  4 clients x 23 transactions   power lost after 117 steps
//!   life 2  3 clients x 11 transactions   killed after 40 steps
//!   life 3  everything is read
//! ```

use std::time::Duration;

use engine::compaction::{LazyLeveled, Leveled, Strategy, Tiered};
use engine::world::Rng;
use engine::{Durability, Isolation, Options};

use super::Settings;
use super::layout::Layout;
use crate::history::transactions::TransactionModel;

/// How a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All clients have done their work, and the engine is closed.
    Closed,
    /// After so many steps of clients, the process is killed; the page cache stays.
    Killed(u64),
    /// After so many steps, power is lost.
    PowerLost(u64),
}

/// One process, from opening to its end.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) options: Options,
    pub(super) clients: u64,
    /// Transactions of each client.
    pub(super) transactions: u64,
    pub(super) end: End,
}

/// Everything that a seed draws but for what each client does.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) isolation: Isolation,
    pub(super) model: TransactionModel,
    pub(super) layout: Layout,
    pub(super) keys: u64,
    /// Reads and writes of a transaction, at most.
    pub(super) operations: u64,
    /// Reads in a hundred operations.
    pub(super) reads_percent: u64,
    /// What a poll of a task takes.
    pub(super) poll_nanos: u64,
    pub(super) lives: Vec<Life>,
}

impl Plan {
    /// The plan of a seed. What the settings choose changes nothing else.
    pub(super) fn of(seed: u64, settings: &Settings) -> Self {
        let mut rng = Rng::from_seed(seed).fork("transactions");
        let isolation = if rng.chance(1, 2) { Isolation::Snapshot } else { Isolation::Serializable };
        let model = if rng.chance(2, 3) { TransactionModel::ListAppend } else { TransactionModel::RwRegister };
        let model = settings.model.unwrap_or(model);
        let layout = Layout::drawn(&mut rng);
        let layout = settings.layout.unwrap_or(layout).fitting(model);
        let durability = match rng.below(4) {
            0 => Durability::None,
            1 => Durability::Interval(Duration::from_micros(rng.within(50..2_000))),
            _ => Durability::Always,
        };
        let options = options(durability, &mut rng);
        let poll_nanos = if options.snapshot_age_max.is_some() { rng.within(100..2_000) } else { rng.below(2) * 300 };
        let lives = (0..=rng.below(4)).map(|_| life(&options, &mut rng)).collect();
        Self {
            seed,
            isolation: settings.isolation.unwrap_or(isolation),
            model,
            layout,
            keys: rng.within(1..6),
            operations: rng.within(2..6),
            reads_percent: rng.within(30..71),
            poll_nanos,
            lives,
        }
    }
}

fn options(durability: Durability, rng: &mut Rng) -> Options {
    Options {
        durability,
        segment_bytes: rng.within(400..4_000),
        memory_bytes: 1 << 20,
        memtable_bytes: rng.within(1_024..3_000) as usize,
        block_bytes: rng.within(128..600) as usize,
        compaction_jobs: rng.within(1..3) as usize,
        // Short enough that some transactions outlive their snapshot.
        snapshot_age_max: rng.chance(1, 3).then(|| Duration::from_micros(rng.within(20..400))),
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

fn life(options: &Options, rng: &mut Rng) -> Life {
    let (clients, transactions) = (rng.within(2..8), rng.within(5..30));
    let steps = rng.within(1..clients * transactions * 4);
    let end = match rng.below(3) {
        0 => End::Closed,
        // What was acknowledged may be lost with the power unless it was synced before.
        1 if options.durability == Durability::Always => End::PowerLost(steps),
        _ => End::Killed(steps),
    };
    Life { options: Options { strategy: strategy(rng), ..options.clone() }, clients, transactions, end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_changes_nothing_else_and_every_kind_of_plan_is_drawn() {
        let plan = |seed, isolation| Plan::of(seed, &Settings { isolation, ..Settings::default() });
        let (drawn, chosen) = (plan(7, None), plan(7, Some(Isolation::Serializable)));
        assert_eq!(format!("{:?}", drawn.lives), format!("{:?}", chosen.lives));
        let plans: Vec<Plan> = (0..200).map(|seed| plan(seed, None)).collect();
        for layout in [Layout::Whole, Layout::Wandering, Layout::Rows] {
            assert!(plans.iter().any(|plan| plan.layout == layout), "{layout:?}");
        }
        let lives = || plans.iter().flat_map(|plan| &plan.lives);
        assert!(lives().any(|life| life.end == End::Closed));
        assert!(lives().any(|life| matches!(life.end, End::Killed(_))));
        assert!(lives().any(|life| matches!(life.end, End::PowerLost(_))));
        assert!(lives().any(|life| life.options.snapshot_age_max.is_some()));
        assert!(plans.iter().any(|plan| plan.model == TransactionModel::RwRegister));
    }
}
