//! The band of virtual time: which faults share a row, and which cells of the row they cover.
//!
//! ```text
//!   n3 power lost   ....####.......##....     one lane; each cell is virtual_micros / cells wide
//!   n2 wiped        ........|............     a fault without duration
//! ```
//!
//! A fault covers every cell that it touches, so that the shortest one is seen. Text and pictures use the same lanes.

use crate::facts::{FaultFact, RunFacts};

/// All faults with the same name and targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lane {
    /// Targets and name, as one label.
    pub(crate) label: String,
    /// Begin and end of each of them; no end for what has no duration.
    pub(crate) spans: Vec<(u64, Option<u64>)>,
    /// Messages or operations that they hit together.
    pub(crate) met: u64,
}

/// What a cell of a band shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// No fault.
    Quiet,
    /// A fault that lasts.
    Lasting,
    /// A fault without duration.
    Moment,
}

/// The lanes of a run, in the order in which their first faults began.
pub(crate) fn lanes(faults: &[FaultFact]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for fault in faults {
        let label = format!("{} {}", fault.targets, fault.name).trim().to_string();
        let span = (fault.at_micros, fault.until_micros);
        match lanes.iter_mut().find(|lane| lane.label == label) {
            Some(lane) => {
                lane.spans.push(span);
                lane.met = lane.met.saturating_add(fault.met);
            }
            None => lanes.push(Lane { label, spans: vec![span], met: fault.met }),
        }
    }
    lanes
}

/// The end of the time axis: the run's own end, or the end of whatever lies beyond it; a second when
/// nothing has a length.
pub(crate) fn axis_micros(facts: &RunFacts) -> u64 {
    let faults = facts.faults.iter().map(|fault| fault.until_micros.unwrap_or(fault.at_micros));
    let buckets = facts.throughput.last().map(|bucket| bucket.at_micros.saturating_add(facts.bucket_micros));
    let anomalies = facts.anomalies.iter().map(|anomaly| anomaly.at_micros);
    let end = faults.chain(buckets).chain(anomalies).max().unwrap_or(0);
    match end.max(facts.virtual_micros) {
        0 => 1_000_000,
        end => end,
    }
}

/// Which of `count` cells the moment lies in; what lies beyond the axis is in the last.
pub(crate) fn cell_of(at_micros: u64, axis_micros: u64, count: usize) -> usize {
    assert!(axis_micros > 0 && count > 0, "a band has a length and at least one cell");
    let cell = u128::from(at_micros) * count as u128 / u128::from(axis_micros);
    usize::try_from(cell).unwrap_or(usize::MAX).min(count - 1)
}

/// The cells of one lane.
pub(crate) fn cells(lane: &Lane, axis_micros: u64, count: usize) -> Vec<Cell> {
    let mut cells = vec![Cell::Quiet; count];
    for &(from, until) in &lane.spans {
        let first = cell_of(from, axis_micros, count);
        match until {
            None => cells[first] = Cell::Moment,
            Some(until) => {
                let last = cell_of(until.saturating_sub(1).max(from), axis_micros, count);
                cells[first..=last].fill(Cell::Lasting);
            }
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str, at_micros: u64, until_micros: Option<u64>) -> FaultFact {
        FaultFact { name: name.to_string(), targets: "n3".to_string(), at_micros, until_micros, met: 2 }
    }

    #[test]
    fn the_same_fault_on_the_same_node_keeps_its_row() {
        let lanes = lanes(&[fault("crash", 0, Some(1)), fault("pause", 1, None), fault("crash", 5, Some(6))]);
        assert_eq!(lanes.len(), 2);
        assert_eq!(lanes[0], Lane { label: "n3 crash".to_string(), spans: vec![(0, Some(1)), (5, Some(6))], met: 4 });
    }

    #[test]
    fn a_fault_covers_every_cell_that_it_touches_and_no_other() {
        let lane = &lanes(&[fault("crash", 19, Some(40)), fault("crash", 95, None)])[0];
        use Cell::{Lasting, Moment, Quiet};
        let expected = [Quiet, Lasting, Lasting, Lasting, Quiet, Quiet, Quiet, Quiet, Quiet, Moment];
        assert_eq!(cells(lane, 100, 10), expected);
    }

    #[test]
    fn a_fault_that_ends_where_it_begins_or_beyond_the_axis_is_still_shown() {
        let lane = &lanes(&[fault("crash", 30, Some(30)), fault("crash", 90, Some(u64::MAX))])[0];
        let shown: Vec<usize> = (0..10).filter(|&index| cells(lane, 100, 10)[index] == Cell::Lasting).collect();
        assert_eq!(shown, [3, 9]);
    }
}
