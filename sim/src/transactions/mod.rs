//! The engine's own transactions under attack: many at once, interleaved at every I/O, through flushes, compactions, kills
//! and power losses; what clients saw is then judged by cycles.
//!
//! ```text
//!   plan      isolation, options, keys, clients, lives: drawn from the seed
//!   play      life after life in the solo world: clients, upkeep, the end (closed, killed, power lost); all is read at last
//!   client    transactions of lists or registers: get, scan, put, delete, commit, or given up while it commits
//!   layout    how a list or a register lies in the engine: one row, one that wanders and leaves tombstones, a row a value
//!   record    what each client saw ─▶ history ─▶ check::cycles
//! ```
//!
//! Snapshot isolation is held against strong snapshot isolation, serializable against strict serializability: a snapshot
//! of this engine is of the present, and a commit is seen by all that begin after it. Write skew (G2-item) is allowed
//! under snapshot isolation, and a campaign must see some: a check that sees nothing proves nothing.

mod client;
mod layout;
mod plan;
mod play;
mod record;
#[cfg(test)]
mod tests;

use crate::check::cycles::{CycleReport, Level, check_transactions};
use crate::history::transactions::{TransactionHistory, TransactionModel};
pub use engine::Isolation as EngineIsolation;
pub use layout::Layout;
pub use record::Tally;

/// What to choose instead of drawing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// The isolation of every transaction.
    pub isolation: Option<EngineIsolation>,
    /// The kind of objects.
    pub model: Option<TransactionModel>,
    /// How they lie in the engine.
    pub layout: Option<Layout>,
}

/// What a seed came to.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The seed.
    pub seed: u64,
    /// The isolation of its transactions.
    pub isolation: EngineIsolation,
    /// Which it was held against.
    pub level: Level,
    /// The kind of its objects.
    pub model: TransactionModel,
    /// How they lay in the engine.
    pub layout: Layout,
    /// What became of its transactions.
    pub tally: Tally,
    /// What clients saw.
    pub history: TransactionHistory,
    /// The verdict of the cycles.
    pub report: CycleReport,
    /// What went wrong besides: an error that nothing explains, or a panic.
    pub failure: Option<String>,
}

impl Trial {
    /// Whether the engine kept what it promises.
    pub fn holds(&self) -> bool {
        self.failure.is_none() && self.report.holds()
    }

    /// The first thing that went wrong, in a sentence.
    pub fn complaint(&self) -> Option<String> {
        let anomaly = self.report.anomalies.iter().find(|anomaly| self.level.forbids(anomaly.kind));
        let of_cycles = || anomaly.map(|anomaly| format!("{}: {}", anomaly.kind, anomaly.explanation));
        self.failure.clone().or_else(of_cycles)
    }
}

/// The name of an isolation.
pub fn isolation_name(isolation: EngineIsolation) -> &'static str {
    match isolation {
        EngineIsolation::Snapshot => "snapshot",
        EngineIsolation::Serializable => "serializable",
    }
}

/// Plays a seed and judges it. The same seed and settings give the same trial.
pub fn try_seed(seed: u64, settings: &Settings) -> Trial {
    let plan = plan::Plan::of(seed, settings);
    let played = play::play(&plan);
    let level = match plan.isolation {
        EngineIsolation::Snapshot => Level::STRONG_SNAPSHOT,
        EngineIsolation::Serializable => Level::STRICT_SERIALIZABLE,
    };
    let report = check_transactions(&played.history, level);
    Trial {
        seed,
        isolation: plan.isolation,
        level,
        model: plan.model,
        layout: plan.layout,
        tally: played.tally,
        history: played.history,
        report,
        failure: played.failure,
    }
}
