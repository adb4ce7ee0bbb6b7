//! The timeline: tracks above each other over one axis of time, each a picture that stretches with the page.
//!
//! ```text
//!   .names (words)   │ .plot > svg viewBox="from 0 span height" preserveAspectRatio="none"
//!   n3 power lost    │      ▬▬▬▬▬                x is microseconds, y is pixels: to zoom is to set the viewBox
//!   n1               │ ─────╲───╱──────          messages from node to node, a dot where each arrives
//!   c0 at n1         │ ▬▬ ▬▬▬ ▬▬                 operations by outcome
//! ```
//!
//! Strokes do not scale, so what is short stays visible and a dot stays round. Words lie beside the pictures or, where they
//! belong to a time, above them as elements with `data-from` and `data-until`, which the script moves.

use std::collections::BTreeSet;
use std::fmt::Write;

use maud::{Markup, html};

use super::lanes::Lanes;
use super::rates;
use crate::band::{Lane as FaultLane, lanes as fault_lanes};
use crate::detail::{OutcomeFact, RunDetail};
use crate::facts::RunFacts;
use crate::numbers::count;
use crate::tables::{plain, shortened};

/// Pixels a lane, by what it holds.
pub(super) const FAULT_LANE: u32 = 20;
pub(super) const NODE_LANE: u32 = 40;
pub(super) const OPERATION_LANE: u32 = 14;

/// More lanes of faults than this are counted, not drawn.
pub(super) const FAULT_LANES_MOST: usize = 24;

/// Marks at the axis.
const TICKS_MOST: u64 = 12;

/// A part of the timeline: its names, its picture, what is written over it, and what the script calls it.
pub(super) struct Track {
    pub(super) key: &'static str,
    pub(super) height: u32,
    pub(super) names: Markup,
    pub(super) picture: Markup,
    pub(super) above: Markup,
}

impl Track {
    fn markup(&self, axis_micros: u64) -> Markup {
        html! {
            div.track data-key=(self.key) {
                div.names { (self.names) }
                div.plot {
                    svg viewBox=(format!("0 0 {axis_micros} {}", self.height)) height=(self.height)
                        preserveAspectRatio="none" role="img" aria-label=(self.key) { (self.picture) }
                    (self.above)
                }
            }
        }
    }
}

pub(super) fn timeline(facts: &RunFacts, detail: &RunDetail, lanes: &Lanes<'_>) -> Markup {
    let axis = lanes.axis_micros;
    let faults = fault_lanes(&facts.faults);
    let tracks = [phases(facts, axis), fault_track(&faults, axis), anomalies(facts), nodes(detail, &faults, axis)];
    let rates = rates::tracks(facts, &faults, axis);
    let tracks = tracks.into_iter().flatten().chain(rates).chain(operations(lanes, &faults, axis));
    html! {
        (legend())
        div.controls {
            button type="button" data-do="in" title="zoom in (+)" { "+" }
            button type="button" data-do="out" title="zoom out (-)" { "−" }
            button type="button" data-do="left" title="earlier (←)" { "←" }
            button type="button" data-do="right" title="later (→)" { "→" }
            button type="button" data-do="all" title="the whole run (0)" { "whole run" }
            input type="number" min="0" placeholder="operation #" aria-label="number of an operation";
            span.note { "Drag to zoom into a time, Ctrl and the wheel to zoom, Shift and the wheel to move; click an operation for its consistency report." }
        }
        div.timeline #timeline {
            (axis_track(axis))
            @for track in tracks { (track.markup(axis)) }
            div.chosen {}
        }
        p.note { (left_out(detail, lanes, faults.len())) }
        div.tip #tip {}
        div.panel #panel {}
        noscript { p.note { "This is a still picture: with scripts it can be zoomed, and tells what lies under the pointer." } }
    }
}

fn legend() -> Markup {
    let entries = [
        ("i-ok", "ok"),
        ("i-unknown", "unknown: it may have happened"),
        ("i-fail", "fail: it did not happen"),
        ("i-fault", "fault"),
        ("i-anomaly", "anomaly"),
        ("i-message", "message"),
        ("i-lost", "lost message"),
        ("i-p50", "median latency"),
        ("i-p99", "99th percentile"),
    ];
    html! { div.legend { @for (class, meaning) in entries { span { i class=(class) {} (meaning) } } } }
}

fn left_out(detail: &RunDetail, lanes: &Lanes<'_>, faults: usize) -> String {
    let operations = detail.operations.len() as u64;
    let mut told = match (operations, lanes.left_out) {
        (0, _) => "The facts of this page hold no operations.".to_string(),
        (_, 0) => format!("All {} operations are drawn.", count(operations)),
        (_, out) => format!("{} of {} operations are drawn.", count(operations - out), count(operations)),
    };
    let (shown, total) = (detail.messages.shown.len() as u64, detail.messages.total);
    if total > 0 {
        let chosen = plain(&detail.messages.chosen);
        let _ = write!(told, " Of {} messages between nodes, {} are drawn: {chosen}.", count(total), count(shown));
    }
    if faults > FAULT_LANES_MOST {
        let _ = write!(told, " {} kinds of fault are left to the table below.", faults - FAULT_LANES_MOST);
    }
    told
}

fn axis_track(axis_micros: u64) -> Markup {
    let step = tick_step(axis_micros);
    html! {
        div.track.axis data-key="axis" {
            div.names { div.title style="line-height:26px" { "virtual time" } }
            div.plot {
                @for at in (0..=axis_micros).step_by(step as usize) {
                    @if at < axis_micros {
                        div.tick style=(format!("left:{}", percent(at, axis_micros))) { (seconds(at)) " s" }
                    }
                }
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, such that there are not too many marks.
fn tick_step(axis_micros: u64) -> u64 {
    let mut step = 1;
    loop {
        for factor in [1, 2, 5] {
            if axis_micros / (step * factor) <= TICKS_MOST {
                return step * factor;
            }
        }
        step *= 10;
    }
}

/// A moment in seconds, with as many decimals as it has.
pub(super) fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// A moment as the share of the axis that lies before it, for a style.
fn percent(at: u64, axis: u64) -> String {
    let hundredths = u128::from(at.min(axis)) * 10_000 / u128::from(axis.max(1));
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

fn phases(facts: &RunFacts, axis: u64) -> Option<Track> {
    let above = html! {
        @for phase in &facts.phases {
            @let (from, until) = (phase.from_micros.min(axis), phase.until_micros.min(axis));
            div.span data-from=(from) data-until=(until) title=(plain(&phase.name))
                style=(format!("left:{};width:{}", percent(from, axis), percent(until.saturating_sub(from), axis))) {
                (plain(&phase.name))
            }
        }
    };
    let names = html! { div.title style="line-height:26px" { "phase" } };
    (!facts.phases.is_empty()).then(|| Track { key: "phases", height: 26, names, picture: html! {}, above })
}

fn fault_track(lanes: &[FaultLane], axis: u64) -> Option<Track> {
    let shown = &lanes[..lanes.len().min(FAULT_LANES_MOST)];
    let picture = html! {
        @for (place, lane) in (0..).zip(shown) {
            @let top = place * FAULT_LANE;
            path.base d=(format!("M0 {}H{axis}", top + FAULT_LANE / 2)) {}
            path.lasting d=(boxes(lane.spans.iter().map(|span| (span.0, span.1.unwrap_or(span.0))), top + 5, FAULT_LANE - 10)) {}
        }
    };
    let names = html! {
        @for lane in shown {
            div style=(format!("line-height:{FAULT_LANE}px;height:{FAULT_LANE}px")) title=(plain(&lane.label)) {
                (plain(&lane.label))
            }
        }
    };
    let height = FAULT_LANE * shown.len() as u32;
    (!shown.is_empty()).then(|| Track { key: "faults", height, names, picture, above: html! {} })
}

/// The kinds of anomaly, in the order of their lanes.
pub(super) fn anomaly_kinds(facts: &RunFacts) -> Vec<&str> {
    let kinds: BTreeSet<&str> = facts.anomalies.iter().map(|anomaly| anomaly.kind.as_str()).collect();
    kinds.into_iter().take(FAULT_LANES_MOST).collect()
}

fn anomalies(facts: &RunFacts) -> Option<Track> {
    let kinds = anomaly_kinds(facts);
    let picture = html! {
        @for (place, kind) in (0..).zip(&kinds) {
            @let middle = place * FAULT_LANE + FAULT_LANE / 2;
            @let seen = facts.anomalies.iter().filter(|anomaly| anomaly.kind == *kind);
            path.dot d=(seen.fold(String::new(), |path, anomaly| path + &format!("M{} {middle}h0", anomaly.at_micros))) {}
        }
    };
    let names = html! {
        @for kind in &kinds {
            div style=(format!("line-height:{FAULT_LANE}px;height:{FAULT_LANE}px")) { (plain(kind)) }
        }
    };
    let height = FAULT_LANE * kinds.len() as u32;
    (!kinds.is_empty()).then(|| Track { key: "anomalies", height, names, picture, above: html! {} })
}

fn nodes(detail: &RunDetail, faults: &[FaultLane], axis: u64) -> Option<Track> {
    let height = NODE_LANE * detail.nodes.len() as u32;
    let middle = |place: u32| place * NODE_LANE + NODE_LANE / 2;
    let place = |name: &str| detail.nodes.iter().position(|node| node == name).map(|place| place as u32);
    let (mut arrived, mut lost, mut heads) = (String::new(), String::new(), String::new());
    for message in &detail.messages.shown {
        let (Some(from), Some(to)) = (place(&message.from), place(&message.to)) else { continue };
        let path = if message.lost.is_some() { &mut lost } else { &mut arrived };
        let ended = message.ended_micros.unwrap_or(axis);
        let _ = write!(path, "M{} {}L{ended} {}", message.sent_micros, middle(from), middle(to));
        if message.lost.is_none() && message.ended_micros.is_some() {
            let _ = write!(heads, "M{ended} {}h0", middle(to));
        }
    }
    let picture = html! {
        @for (number, node) in (0..).zip(&detail.nodes) {
            path.shade d=(boxes(struck(node, faults), number * NODE_LANE + 8, NODE_LANE - 16)) {}
            path.base d=(format!("M0 {}H{axis}", middle(number))) {}
        }
        path.line d=(arrived) {}
        path.lost d=(lost) {}
        path.head d=(heads) {}
    };
    let names = html! {
        @for node in &detail.nodes {
            div style=(format!("line-height:{NODE_LANE}px;height:{NODE_LANE}px")) { "node " (plain(node)) }
        }
    };
    (height > 0).then(|| Track { key: "nodes", height, names, picture, above: html! {} })
}

/// The times in which any fault whose label names the node lasted.
fn struck<'l>(node: &'l str, faults: &'l [FaultLane]) -> impl Iterator<Item = (u64, u64)> + 'l {
    let naming = faults.iter().filter(move |lane| lane.label.split_whitespace().any(|word| word == node));
    naming.flat_map(|lane| lane.spans.iter().filter_map(|span| Some((span.0, span.1?))))
}

fn operations(lanes: &Lanes<'_>, faults: &[FaultLane], axis: u64) -> Option<Track> {
    let height = OPERATION_LANE * lanes.lanes.len() as u32;
    let mut paths = [String::new(), String::new(), String::new()];
    for (place, lane) in (0..).zip(&lanes.lanes) {
        for operation in &lane.operations {
            let path = match operation.outcome {
                OutcomeFact::Ok { .. } => &mut paths[0],
                OutcomeFact::Unknown { .. } => &mut paths[1],
                OutcomeFact::Fail { .. } => &mut paths[2],
            };
            let span = (operation.invoked_micros, operation.completed_micros.unwrap_or(axis));
            add_box(path, span, place * OPERATION_LANE + 3, OPERATION_LANE - 6);
        }
    }
    let picture = html! {
        (shades(faults, height))
        @for place in (1..lanes.lanes.len()).filter(|place| lanes.lanes[*place].node != lanes.lanes[place - 1].node) {
            path.base d=(format!("M0 {}H{axis}", place as u32 * OPERATION_LANE)) {}
        }
        @for (class, path) in ["ok", "unknown", "fail"].iter().zip(&paths) { path class=(class) d=(path) {} }
    };
    let names = html! {
        @for (place, lane) in lanes.lanes.iter().enumerate() {
            div style=(format!("line-height:{OPERATION_LANE}px;height:{OPERATION_LANE}px;font-size:12px")) title=(plain(&lane.name)) {
                // A name that would stand under itself again is told once.
                @if place == 0 || lanes.lanes[place - 1].name != lane.name { (shortened(&lane.name, 28)) }
            }
        }
    };
    (height > 0).then(|| Track { key: "operations", height, names, picture, above: html! {} })
}

/// The times in which any fault lasted, as shades of the whole height; faults that overlap make one shade.
pub(super) fn shades(faults: &[FaultLane], height: u32) -> Markup {
    let spans = faults.iter().flat_map(|lane| &lane.spans);
    let mut spans: Vec<(u64, u64)> = spans.filter_map(|span| Some((span.0, span.1?))).collect();
    spans.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (from, until) in spans {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => joined.push((from, until)),
        }
    }
    html! { @if !joined.is_empty() { path.shade d=(boxes(joined.into_iter(), 0, height)) {} } }
}

fn boxes(spans: impl Iterator<Item = (u64, u64)>, top: u32, height: u32) -> String {
    let mut path = String::new();
    for span in spans {
        add_box(&mut path, span, top, height);
    }
    path
}

/// Adds a box from one moment to another to a path.
pub(super) fn add_box(path: &mut String, (from, until): (u64, u64), top: u32, height: u32) {
    let width = until.saturating_sub(from);
    let _ = write!(path, "M{from} {top}h{width}v{height}h-{width}z");
}

/// A stretch of time to the microsecond, for words beside a picture.
pub(super) fn when(from_micros: u64, until_micros: Option<u64>) -> String {
    match until_micros {
        Some(until) => format!("{} s to {} s", seconds(from_micros), seconds(until)),
        None => format!("from {} s, never ended", seconds(from_micros)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::FaultFact;

    #[test]
    fn the_axis_has_round_marks_and_not_too_many() {
        assert_eq!([10_000_000, 60_000_000, 1, 13, 999].map(tick_step), [1_000_000, 5_000_000, 1, 2, 100]);
        assert_eq!([0, 2_500_000, 1].map(seconds), ["0", "2.5", "0.000001"]);
        assert_eq!(percent(1, 3), "33.33%");
    }

    #[test]
    fn a_node_is_struck_by_the_faults_that_name_it_and_by_no_other() {
        let fault = |targets: &str, at_micros| FaultFact {
            name: "partition".to_string(),
            targets: targets.to_string(),
            at_micros,
            until_micros: Some(at_micros + 1),
            met: 1,
        };
        let lanes = fault_lanes(&[fault("n1 n2 | n3", 10), fault("n11", 20)]);
        assert_eq!(struck("n1", &lanes).collect::<Vec<_>>(), [(10, 11)]);
        assert_eq!(struck("n11", &lanes).collect::<Vec<_>>(), [(20, 21)]);
    }
}
