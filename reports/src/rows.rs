//! The tables that the terminal and the Markdown report have in common: facts as rows of words.
//!
//! ```text
//!   facts.phases ──▶ Rows { columns, rows } ──▶ terminal()   80 columns, folded
//!                                           └─▶ markdown()   one line a row
//! ```

use crate::facts::{LatencyFact, RunFacts};
use crate::numbers::{count, duration, seconds_to_tenths, share};
use crate::tables::{
    Column::{Number, Words},
    Rows,
};

/// Expectation by expectation, without the notes.
pub(crate) fn expectations(facts: &RunFacts) -> Rows {
    let columns = vec![Words("held"), Words("expectation"), Words("demanded"), Words("observed"), Number("examined")];
    let mut rows = Rows::new(columns);
    for fact in &facts.expectations {
        let [name, demanded, observed] = [&fact.name, &fact.demanded, &fact.observed].map(String::clone);
        rows.push(vec![fact.held.word().to_string(), name, demanded, observed, count(fact.examined)]);
    }
    rows
}

/// The phases with their outcomes.
pub(crate) fn phases(facts: &RunFacts) -> Rows {
    let mut columns = vec![Words("phase"), Number("from"), Number("until")];
    columns.extend(OUTCOME_COLUMNS);
    let mut rows = Rows::new(columns);
    for phase in &facts.phases {
        let [from, until] = [phase.from_micros, phase.until_micros].map(|at| seconds_to_tenths(at) + " s");
        let mut row = vec![phase.name.clone(), from, until];
        row.extend(outcomes(phase.operations, phase.ok, phase.fail, phase.unknown));
        rows.push(row);
    }
    rows
}

/// The kinds of operation with their outcomes.
pub(crate) fn operations(facts: &RunFacts) -> Rows {
    let mut columns = vec![Words("kind"), Words("consistency")];
    columns.extend(OUTCOME_COLUMNS);
    let mut rows = Rows::new(columns);
    for fact in &facts.kinds {
        let mut row = vec![fact.kind.clone(), fact.consistency.clone()];
        row.extend(outcomes(fact.operations, fact.ok, fact.fail, fact.unknown));
        rows.push(row);
    }
    rows
}

const OUTCOME_COLUMNS: [crate::tables::Column; 5] =
    [Number("operations"), Number("ok"), Number("fail"), Number("unknown"), Number("available")];

fn outcomes(operations: u64, ok: u64, fail: u64, unknown: u64) -> Vec<String> {
    let mut cells = [operations, ok, fail, unknown].map(count).to_vec();
    cells.push(share(ok, operations));
    cells
}

/// The latency percentiles.
pub(crate) fn latencies(facts: &RunFacts) -> Rows {
    let mut columns = vec![Words("kind"), Words("phase")];
    columns.extend(["count", "p50", "p90", "p99", "p99.9", "max"].map(Number));
    let mut rows = Rows::new(columns);
    for fact in &facts.latencies {
        let phase = fact.phase.clone().unwrap_or_else(|| "whole run".to_string());
        let mut row = vec![fact.kind.clone(), phase, count(fact.count)];
        row.extend(
            percentiles(fact).map(|(_, micros)| if fact.count == 0 { "-".to_string() } else { duration(micros) }),
        );
        rows.push(row);
    }
    rows
}

/// The five percentiles of a latency, each with its name.
pub(crate) fn percentiles(fact: &LatencyFact) -> [(&'static str, u64); 5] {
    [
        ("p50", fact.p50_micros),
        ("p90", fact.p90_micros),
        ("p99", fact.p99_micros),
        ("p99.9", fact.p999_micros),
        ("max", fact.max_micros),
    ]
}
