//! The timeline in characters: one row a fault, over one band of virtual time, and below it what went wrong when.
//!
//! ```text
//!   n3 power lost              ....####.......##....................    met 1,204
//!   anomalies                  .....2..........1....................
//!   not ok, in tenths          ....13.......................2.......
//!                              |         |         |         |
//!                              0 s       15.0 s    30.0 s    45.0 s
//!   # fault, | fault without duration; ...
//! ```
//!
//! A label too long for its column folds below itself. Of very many faults the first are shown and the rest counted.

use super::Style;
use crate::band::{Cell, axis_micros, cell_of, cells, lanes};
use crate::facts::RunFacts;
use crate::numbers::{count, count_short, duration};
use crate::tables::fold;

/// Where the band begins, how many cells it has, and how many lanes are shown: 27 + 40 + 2 + 11 columns make 80.
const BAND_BEGINS: usize = 27;
const CELLS: usize = 40;
const LANES_SHOWN: usize = 20;
/// A mark of the axis stands at every tenth cell.
const CELLS_PER_MARK: usize = 10;

/// The rows of the timeline; none when the run had neither faults nor anomalies.
pub(super) fn lines(facts: &RunFacts, style: Style) -> Vec<String> {
    if facts.faults.is_empty() && facts.anomalies.is_empty() {
        return Vec::new();
    }
    let axis = axis_micros(facts);
    let mut lines = Vec::new();
    let lanes = lanes(&facts.faults);
    for lane in lanes.iter().take(LANES_SHOWN) {
        let band: String = cells(lane, axis, CELLS).into_iter().map(symbol).collect();
        lines.extend(row(&lane.label, &band, &format!("met {}", count_short(lane.met)), style));
    }
    let hidden = lanes.len().saturating_sub(LANES_SHOWN);
    if hidden > 0 {
        lines.push(format!("  and {} more", count(hidden as u64)));
    }
    lines.extend(row("anomalies", &anomaly_band(facts, axis), &count_short(facts.anomalies.len() as u64), style));
    if let Some(band) = not_ok_band(facts, axis) {
        lines.extend(row("not ok, in tenths", &band, "", style));
    }
    lines.extend(axis_lines(axis));
    lines.push("  # fault, | fault without duration; not ok: 1 up to a tenth, X over nine tenths".to_string());
    lines
}

fn symbol(cell: Cell) -> char {
    match cell {
        Cell::Quiet => '.',
        Cell::Lasting => '#',
        Cell::Moment => '|',
    }
}

fn row(label: &str, band: &str, right: &str, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, part) in fold(label, BAND_BEGINS - 3).into_iter().enumerate() {
        if index > 0 {
            lines.push(format!("  {part}"));
            continue;
        }
        // Runs of marks are painted, the quiet cells are not.
        let painted: String = band
            .chars()
            .map(|cell| if cell == '.' { cell.to_string() } else { style.paint("1;33", &cell.to_string()) })
            .collect();
        let label = format!("  {part}");
        lines.push(format!("{label:BAND_BEGINS$}{painted}  {right}").trim_end().to_string());
    }
    lines
}

/// Anomalies per cell: a digit, or `+` for ten and more.
fn anomaly_band(facts: &RunFacts, axis: u64) -> String {
    let mut counts = [0_u32; CELLS];
    for anomaly in &facts.anomalies {
        counts[cell_of(anomaly.at_micros, axis, CELLS)] += 1;
    }
    let digit = |count: u32| if count == 0 { '.' } else { char::from_digit(count, 10).unwrap_or('+') };
    counts.into_iter().map(digit).collect()
}

/// Operations that ended `fail` or `unknown`, in tenths of all that ended in the cell, rounded up: 1 is a
/// few, `X` is more than nine.
fn not_ok_band(facts: &RunFacts, axis: u64) -> Option<String> {
    let mut sums = [(0_u64, 0_u64); CELLS];
    for bucket in &facts.throughput {
        let sum = &mut sums[cell_of(bucket.at_micros.saturating_add(facts.bucket_micros / 2), axis, CELLS)];
        sum.0 += bucket.fail + bucket.unknown;
        sum.1 += bucket.ok + bucket.fail + bucket.unknown;
    }
    if facts.throughput.is_empty() {
        return None;
    }
    let digit = |(not_ok, all): (u64, u64)| match (not_ok * 10).div_ceil(all.max(1)) {
        0 => '.',
        tenths if tenths < 10 => char::from_digit(tenths as u32, 10).unwrap_or('X'),
        _ => 'X',
    };
    Some(sums.into_iter().map(digit).collect())
}

fn axis_lines(axis: u64) -> [String; 2] {
    let mut ticks = " ".repeat(BAND_BEGINS);
    let mut labels = " ".repeat(BAND_BEGINS);
    for mark in 0..=CELLS / CELLS_PER_MARK {
        let at_micros = u128::from(axis) * (mark * CELLS_PER_MARK) as u128 / CELLS as u128;
        let label = match u64::try_from(at_micros).unwrap_or(u64::MAX) {
            0 => "0 s".to_string(),
            micros => duration(micros),
        };
        ticks.push_str(&format!("{:CELLS_PER_MARK$}", "|"));
        labels.push_str(&format!("{label:CELLS_PER_MARK$}"));
    }
    [ticks.trim_end().to_string(), labels.trim_end().to_string()]
}
