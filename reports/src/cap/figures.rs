//! The figures of a cell: shares, medians and their intervals, from its runs.
//!
//! ```text
//!   runs x nodes (answered, asked) ──▶ the mean of the nodes' shares     each node's clients weigh the same, however many
//!                                                                        operations they got to send while they waited
//!   runs (p50, p99, age)           ──▶ the median run, between two order statistics
//! ```

use super::{AGE_CLASSES, CapCell, CapRun};
use crate::statistics::{Median, Share, median, share, stratified_share};

/// What the runs of a cell come to.
#[derive(Debug, Clone, PartialEq)]
pub struct CellFigures {
    /// Reads answered, through all nodes, through those that the fault strikes, and through the others.
    pub reads: BySide,
    /// Writes acknowledged, likewise.
    pub writes: BySide,
    /// Stale reads of those that could have been.
    pub stale: Option<Share>,
    /// Runs in which any read was stale.
    pub runs_with_stale: u64,
    /// The median age of stale reads, of the median run that had any.
    pub stale_age: Option<Median>,
    /// The greatest age in any run.
    pub stale_age_max_micros: Option<u64>,
    /// Acknowledged writes that were lost, of those that must be there in the end.
    pub lost: Option<Share>,
    /// Median latency of reads, of the median run.
    pub read_p50: Option<Median>,
    /// 99th percentile of reads, of the median run.
    pub read_p99: Option<Median>,
    /// Median latency of writes, of the median run.
    pub write_p50: Option<Median>,
    /// 99th percentile of writes, of the median run.
    pub write_p99: Option<Median>,
    /// Runs after which the cluster did not come to rest.
    pub unsettled: u64,
}

/// A share through all nodes, and apart.
#[derive(Debug, Clone, PartialEq)]
pub struct BySide {
    /// Through all.
    pub all: Option<Share>,
    /// Through those that the fault strikes.
    pub struck: Option<Share>,
    /// Through the others.
    pub others: Option<Share>,
}

/// The figures of one cell.
pub fn figures(cell: &CapCell) -> CellFigures {
    let runs: Vec<&CapRun> = cell.runs.iter().collect();
    figures_of(cell, &runs)
}

/// The figures of several cells with the same nodes and fault taken together, as of one: what does not depend on how they
/// differ.
pub(super) fn figures_together(cells: &[&CapCell]) -> Option<CellFigures> {
    let runs: Vec<&CapRun> = cells.iter().flat_map(|cell| &cell.runs).collect();
    Some(figures_of(cells.first()?, &runs))
}

fn figures_of(cell: &CapCell, runs: &[&CapRun]) -> CellFigures {
    let pairs = |of: fn(&CapRun) -> (u64, u64)| runs.iter().map(|run| of(run)).collect::<Vec<_>>();
    let middle = |of: fn(&CapRun) -> Option<u64>| median(runs.iter().filter_map(|run| of(run)).collect());
    CellFigures {
        reads: by_side(cell, runs, |run| &run.reads),
        writes: by_side(cell, runs, |run| &run.writes),
        stale: share(&pairs(|run| (run.stale, run.examined))),
        runs_with_stale: runs.iter().filter(|run| run.stale > 0).count() as u64,
        stale_age: middle(|run| run.stale_age_p50_micros),
        stale_age_max_micros: runs.iter().filter_map(|run| run.stale_age_max_micros).max(),
        lost: share(&pairs(|run| (run.lost, run.kept))),
        read_p50: middle(|run| Some(run.read_micros?.0)),
        read_p99: middle(|run| Some(run.read_micros?.1)),
        write_p50: middle(|run| Some(run.write_micros?.0)),
        write_p99: middle(|run| Some(run.write_micros?.1)),
        unsettled: runs.iter().filter(|run| run.unsettled.is_some()).count() as u64,
    }
}

fn by_side(cell: &CapCell, runs: &[&CapRun], of: fn(&CapRun) -> &Vec<(u64, u64)>) -> BySide {
    let stratum = |node: usize| runs.iter().map(|run| of(run).get(node).copied().unwrap_or((0, 0))).collect();
    let side = |is_in: &dyn Fn(usize) -> bool| {
        let strata: Vec<Vec<(u64, u64)>> = (0..cell.nodes as usize).filter(|node| is_in(*node)).map(stratum).collect();
        stratified_share(&strata)
    };
    BySide {
        all: side(&|_| true),
        struck: side(&|node| cell.struck.contains(&node)),
        others: side(&|node| !cell.struck.is_empty() && !cell.struck.contains(&node)),
    }
}

/// Stale reads by class of age, each of the examined reads of its class.
pub(super) fn stale_by_age(cell: &CapCell) -> Vec<Option<Share>> {
    let class = |place: usize| {
        let at = |counts: &Vec<u64>| counts.get(place).copied().unwrap_or(0);
        share(&cell.runs.iter().map(|run| (at(&run.stale_by_age), at(&run.reads_by_age))).collect::<Vec<_>>())
    };
    (0..AGE_CLASSES).map(class).collect()
}
