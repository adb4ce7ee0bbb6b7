//! timeline.svg: what was done to the cluster, and how its operations ended meanwhile.
//!
//! ```text
//!   phase            │ faults           │ healed │
//!   n3 power lost       ▬▬▬▬      ▬▬               one lane a fault, named at the left
//!   stale read              ◆                      one lane a kind of anomaly
//!   operations   ▐▐▐▐▐▐▐▐▐▐▐▐▐▐▐▐▐▐▐▐▐▐▐           ok at the bottom, then unknown, then fail
//!                0         10        20   virtual time (s)
//! ```
//!
//! More lanes than fit are counted, not squeezed: the Markdown report lists every fault. Buckets narrower than three
//! pixels are added up.

use std::collections::BTreeSet;

use plotters::prelude::*;

use super::legend::{self, Mark, draw_mark};
use super::{
    ANOMALY, AXIS_FOOT, AXIS_ROOM, CENTRE, Canvas, Drawing, FAINT, FAULT, INK, RIGHT_MIDDLE, TIME_LEFT, TIME_RIGHT,
    WIDTH, heading, label, seconds_at_axis, shade_faults, span_pixels, time_pixel,
};
use crate::band::{Lane, axis_micros, lanes};
use crate::facts::{BucketFact, RunFacts};
use crate::numbers::{count, duration};
use crate::tables::shortened;

/// Light to dark, so that they differ without colour.
const OK: RGBColor = RGBColor(0x56, 0xB4, 0xE9);
const UNKNOWN: RGBColor = RGBColor(0xE6, 0x9F, 0x00);
const FAIL: RGBColor = RGBColor(0x7A, 0x00, 0x19);

const LANES_TOP: i32 = 92;
const LANE: i32 = 20;
const CHART: i32 = 360;
const LANES_SHOWN: usize = 16;
const KINDS_SHOWN: usize = 6;
const LABEL_LETTERS: usize = 30;
const BARS_MOST: usize = 316;

/// What stands in one lane.
enum Row<'a> {
    Phases,
    Fault(&'a Lane),
    Anomaly(&'a str),
    More(String),
}

/// Height of the picture: it grows with the lanes.
pub(super) fn height(facts: &RunFacts) -> u32 {
    let lanes = lanes(&facts.faults);
    (LANES_TOP + LANE * rows(facts, &lanes).len() as i32 + CHART) as u32
}

pub(super) fn draw(canvas: &Canvas<'_>, facts: &RunFacts) -> Drawing {
    let (axis, lanes) = (axis_micros(facts), lanes(&facts.faults));
    let rows = rows(facts, &lanes);
    heading(canvas, facts, "operations over virtual time, and the faults that they met")?;
    let entries = [
        (Mark::Area, OK, "ok"),
        (Mark::Area, UNKNOWN, "unknown"),
        (Mark::Area, FAIL, "fail"),
        (Mark::Bar, FAULT, "fault"),
        (Mark::Diamond, ANOMALY, "anomaly"),
    ];
    legend::draw(canvas, &entries.map(|(mark, colour, meaning)| (mark, colour, meaning.to_string())), 70)?;
    for (index, row) in rows.iter().enumerate() {
        draw_row(canvas, facts, row, axis, LANES_TOP + LANE * index as i32)?;
    }
    draw_chart(canvas, facts, &lanes, axis, LANES_TOP + LANE * rows.len() as i32)
}

fn rows<'a>(facts: &'a RunFacts, lanes: &'a [Lane]) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    if !facts.phases.is_empty() {
        rows.push(Row::Phases);
    }
    rows.extend(lanes.iter().take(LANES_SHOWN).map(Row::Fault));
    if lanes.len() > LANES_SHOWN {
        rows.push(Row::More(format!("and {} more", count((lanes.len() - LANES_SHOWN) as u64))));
    }
    let kinds: BTreeSet<&str> = facts.anomalies.iter().map(|anomaly| anomaly.kind.as_str()).collect();
    rows.extend(kinds.iter().take(KINDS_SHOWN).map(|kind| Row::Anomaly(kind)));
    if kinds.len() > KINDS_SHOWN {
        rows.push(Row::More(format!("{} more kinds of anomaly", kinds.len() - KINDS_SHOWN)));
    }
    rows
}

fn draw_row(canvas: &Canvas<'_>, facts: &RunFacts, row: &Row<'_>, axis: u64, top: i32) -> Drawing {
    let middle = top + LANE / 2;
    let name = |text: &str| label(canvas, &shortened(text, LABEL_LETTERS), (TIME_LEFT - 10, middle), RIGHT_MIDDLE);
    if !matches!(row, Row::More(_)) {
        canvas.draw(&PathElement::new([(TIME_LEFT, middle), (TIME_RIGHT, middle)], FAINT))?;
    }
    match row {
        Row::Phases => {
            name("phase")?;
            draw_phases(canvas, facts, axis, top)
        }
        Row::Fault(lane) => {
            name(&lane.label)?;
            for span in &lane.spans {
                let (from, until) = span_pixels(*span, axis);
                canvas.draw(&Rectangle::new([(from, top + 5), (until, top + LANE - 5)], FAULT.filled()))?;
            }
            Ok(())
        }
        Row::Anomaly(kind) => {
            name(kind)?;
            let seen = facts.anomalies.iter().filter(|anomaly| anomaly.kind == *kind);
            let pixels: BTreeSet<i32> = seen.map(|anomaly| time_pixel(anomaly.at_micros, axis)).collect();
            for x in pixels {
                draw_mark(canvas, Mark::Diamond, ANOMALY, (x, middle))?;
            }
            Ok(())
        }
        Row::More(text) => name(text),
    }
}

fn draw_phases(canvas: &Canvas<'_>, facts: &RunFacts, axis: u64, top: i32) -> Drawing {
    for phase in &facts.phases {
        let (from, until) = (time_pixel(phase.from_micros, axis), time_pixel(phase.until_micros, axis));
        canvas.draw(&Rectangle::new([(from, top + 1), (until, top + LANE - 2)], WHITE.filled()))?;
        canvas.draw(&Rectangle::new([(from, top + 1), (until, top + LANE - 2)], INK.mix(0.5)))?;
        let letters = (until - from - 8) / 8;
        if letters >= 3 {
            let name = shortened(&phase.name, letters as usize);
            label(canvas, &name, ((from + until) / 2, top + LANE / 2), CENTRE)?;
        }
    }
    Ok(())
}

fn draw_chart(canvas: &Canvas<'_>, facts: &RunFacts, lanes: &[Lane], axis: u64, top: i32) -> Drawing {
    let (bucket_micros, buckets) = bars(facts);
    let most = buckets.iter().map(|bucket| bucket.ok + bucket.unknown + bucket.fail).max().unwrap_or(0).max(5);
    let area = canvas.clone().shrink((0, top), (WIDTH, CHART as u32));
    let mut chart = ChartBuilder::on(&area)
        .margin_left(TIME_LEFT - AXIS_ROOM)
        .margin_right(WIDTH as i32 - TIME_RIGHT)
        .margin_top(10)
        .set_label_area_size(LabelAreaPosition::Left, AXIS_ROOM)
        .set_label_area_size(LabelAreaPosition::Bottom, AXIS_FOOT)
        .build_cartesian_2d(0.0..seconds(axis), 0.0..most as f64 * 1.1)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(INK)
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 14).into_font().color(&INK))
        .x_desc("virtual time (s)")
        .y_desc(format!("operations ended per {}", duration(bucket_micros)))
        .x_label_formatter(&seconds_at_axis)
        .y_label_formatter(&|operations| count(operations.round() as u64))
        .y_labels(6)
        .draw()?;
    for bucket in &buckets {
        let (from, until) = (seconds(bucket.at_micros), seconds(bucket.at_micros.saturating_add(bucket_micros)));
        let mut foot = 0;
        for (operations, colour) in [(bucket.ok, OK), (bucket.unknown, UNKNOWN), (bucket.fail, FAIL)] {
            if operations > 0 {
                let corners = [(from, foot as f64), (until, (foot + operations) as f64)];
                chart.draw_series([Rectangle::new(corners, colour.filled())])?;
            }
            foot += operations;
        }
    }
    shade_faults(canvas, lanes, axis, (top, top + CHART - AXIS_FOOT))
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}

/// The buckets as they are drawn, with their width: neighbours are added up until a bar is at least three pixels wide.
fn bars(facts: &RunFacts) -> (u64, Vec<BucketFact>) {
    let together = facts.throughput.len().div_ceil(BARS_MOST).max(1);
    let add = |bars: &[BucketFact]| BucketFact {
        at_micros: bars[0].at_micros,
        ok: bars.iter().map(|bar| bar.ok).sum(),
        fail: bars.iter().map(|bar| bar.fail).sum(),
        unknown: bars.iter().map(|bar| bar.unknown).sum(),
        p50_micros: None,
        p99_micros: None,
    };
    (facts.bucket_micros.saturating_mul(together as u64), facts.throughput.chunks(together).map(add).collect())
}
