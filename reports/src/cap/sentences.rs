//! Figures as sentences, so that a reader need not know what a cell is.
//!
//! ```text
//!   With the minority cut off, N = 3: reads at quorum with writes at quorum were never stale in 98,212 reads; reads were unavailable
//!   100% of the time on the minority side and 0% on the majority side, writes 100% and 0%; no acknowledged write was lost.
//! ```

use super::figures::{BySide, CellFigures};
use super::{CapCell, CapFault};
use crate::numbers::{count, duration};
use crate::statistics::Share;

/// What happened in a cell, in one sentence.
pub fn sentence(cell: &CapCell, fault: &CapFault, figures: &CellFigures) -> String {
    format!(
        "{}, N = {}: reads at {} with writes at {} {}; {}; {}.",
        fault.under,
        cell.nodes,
        cell.read,
        cell.write,
        staleness(figures),
        unavailability(fault, figures),
        losses(figures)
    )
}

pub(super) fn staleness(figures: &CellFigures) -> String {
    let Some(stale) = &figures.stale else { return "returned nothing that could have been stale".to_string() };
    if stale.part == 0 {
        return format!("were never stale in {} reads", count(stale.whole));
    }
    let share = format!("were stale in {} of {} reads ({})", percent(stale.value), count(stale.whole), interval(stale));
    match (&figures.stale_age, figures.stale_age_max_micros) {
        (Some(age), Some(most)) => {
            format!("{share}, typically by {} and at most by {}", duration(age.value), duration(most))
        }
        _ => share,
    }
}

fn unavailability(fault: &CapFault, figures: &CellFigures) -> String {
    let (reads, writes) = (missing(&figures.reads), missing(&figures.writes));
    match (reads.struck, reads.others, writes.struck, writes.others) {
        (Some(reads_struck), Some(reads_others), Some(writes_struck), Some(writes_others)) => format!(
            "reads were unavailable {reads_struck} of the time {} and {reads_others} {}, writes {writes_struck} and \
             {writes_others}",
            fault.struck, fault.others
        ),
        _ => match (reads.all, writes.all) {
            (Some(reads), Some(writes)) => {
                format!("reads were unavailable {reads} of the time, writes {writes}")
            }
            _ => "hardly anything was asked".to_string(),
        },
    }
}

/// How often there was no answer, in words, by side.
struct Missing {
    all: Option<String>,
    struck: Option<String>,
    others: Option<String>,
}

fn missing(sides: &BySide) -> Missing {
    let words = |share: &Option<Share>| share.as_ref().map(|share| percent(1.0 - share.value));
    Missing { all: words(&sides.all), struck: words(&sides.struck), others: words(&sides.others) }
}

pub(super) fn losses(figures: &CellFigures) -> String {
    match &figures.lost {
        None => "no write was acknowledged".to_string(),
        Some(lost) if lost.part == 0 => "no acknowledged write was lost".to_string(),
        Some(lost) if lost.part == 1 => format!("1 of {} acknowledged writes was lost", count(lost.whole)),
        Some(lost) => format!("{} of {} acknowledged writes were lost", count(lost.part), count(lost.whole)),
    }
}

/// A share in percent with one decimal; none and all are told only where it is none or all.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        _ if percent <= 0.0 => "0%".to_string(),
        _ if percent >= 100.0 => "100%".to_string(),
        _ if percent < 0.05 => "under 0.1%".to_string(),
        _ if percent > 99.95 => "over 99.9%".to_string(),
        _ => format!("{percent:.1}%"),
    }
}

/// The ends of an interval.
pub(super) fn interval(share: &Share) -> String {
    format!("95%: {:.1}% to {:.1}%", share.low * 100.0, share.high * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_everything_are_told_only_where_they_are_that() {
        let told = [0.0, 1e-9, 0.0004, 0.0006, 0.5, 0.9994, 0.9999, 1.0].map(percent);
        assert_eq!(told, ["0%", "under 0.1%", "under 0.1%", "0.1%", "50.0%", "99.9%", "over 99.9%", "100%"]);
    }
}
