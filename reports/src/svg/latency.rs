//! latency.svg: how long acknowledged operations took, over time and by kind, both on a logarithmic scale.
//!
//! ```text
//!   p99    │   ╱╲                      the 99th percentile of each bucket; a gap where nothing was acknowledged
//!          │──╱  ╲──────               faults as shades, as in timeline.svg
//!          └──────────── virtual time (s)
//!   read   │         ●                 one line a kind, over the whole run
//!   write  │   ●  ●
//!          └─p50─p90─p99─p99.9─max
//! ```
//!
//! The scale covers whole powers of ten. What a percentile hides (a pause of the whole cluster) shows in `max`.

use std::ops::Range;

use plotters::prelude::*;

use super::legend::{self, Mark, draw_point};
use super::{
    AXIS_FOOT, AXIS_ROOM, Canvas, Drawing, FAINT, FAULT, INK, TIME_LEFT, TIME_RIGHT, WIDTH, heading, seconds_at_axis,
    shade_faults,
};
use crate::band::{axis_micros, lanes};
use crate::facts::{LatencyFact, RunFacts};
use crate::numbers::duration;
use crate::rows::percentiles;
use crate::tables::shortened;

/// Height of the picture.
pub(super) const HEIGHT: u32 = OVER_TIME_TOP as u32 + 2 * CHART as u32 + BETWEEN as u32;

const OVER_TIME_TOP: i32 = 62;
const CHART: i32 = 330;
/// Room between the charts for the second one's legend.
const BETWEEN: i32 = 70;
const SERIES_MOST: usize = 7;
/// With more buckets than this the line has no points: they would touch.
const POINTS_MOST: usize = 200;

const LINE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
/// Okabe and Ito's palette without its yellow, which is too light on white.
const PALETTE: [RGBColor; SERIES_MOST] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x00, 0x00, 0x00),
];

pub(super) fn draw(canvas: &Canvas<'_>, facts: &RunFacts) -> Drawing {
    heading(canvas, facts, "latency of acknowledged operations")?;
    over_time(canvas, facts, OVER_TIME_TOP + 20)?;
    by_kind(canvas, facts, OVER_TIME_TOP + CHART + BETWEEN)
}

fn over_time(canvas: &Canvas<'_>, facts: &RunFacts, top: i32) -> Drawing {
    let legends = [(Mark::Line(0), LINE, "p99 of all kinds"), (Mark::Bar, FAULT, "fault")];
    legend::draw(canvas, &legends.map(|(mark, colour, text)| (mark, colour, text.to_string())), top - 12)?;
    let axis = axis_micros(facts);
    let lanes = lanes(&facts.faults);
    let seconds = |micros: u64| micros as f64 / 1_000_000.0;
    shade_faults(canvas, &lanes, axis, (top, top + CHART - AXIS_FOOT))?;
    let range = powers_of_ten(facts.throughput.iter().filter_map(|bucket| bucket.p99_micros));
    let area = canvas.clone().shrink((0, top), (WIDTH, CHART as u32));
    let mut chart = builder(&area).build_cartesian_2d(0.0..seconds(axis), range.log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(INK)
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 14).into_font().color(&INK))
        .x_desc("virtual time (s)")
        .y_desc(format!("p99 per {}", duration(facts.bucket_micros)))
        .x_label_formatter(&seconds_at_axis)
        .y_label_formatter(&latency_at_axis)
        .draw()?;
    // The middle of a bucket stands for it. Where nothing was acknowledged, the line has a gap.
    for stretch in facts.throughput.split(|bucket| bucket.p99_micros.is_none()) {
        let middle = |at_micros: u64| seconds(at_micros.saturating_add(facts.bucket_micros / 2));
        let points =
            stretch.iter().map(|bucket| (middle(bucket.at_micros), bucket.p99_micros.unwrap_or(1).max(1) as f64));
        let points: Vec<(f64, f64)> = points.collect();
        if points.len() == 1 || facts.throughput.len() <= POINTS_MOST {
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 2, LINE.filled())))?;
        }
        if points.len() > 1 {
            chart.draw_series([PathElement::new(points, LINE.stroke_width(2))])?;
        }
    }
    Ok(())
}

fn by_kind(canvas: &Canvas<'_>, facts: &RunFacts, top: i32) -> Drawing {
    let shown: Vec<&LatencyFact> =
        facts.latencies.iter().filter(|fact| fact.phase.is_none() && fact.count > 0).take(SERIES_MOST).collect();
    let series = |(index, fact): (usize, &&LatencyFact)| {
        (Mark::Line(index), PALETTE[index], format!("{} (n = {})", shortened(&fact.kind, 24), fact.count))
    };
    legend::draw(canvas, &shown.iter().enumerate().map(series).collect::<Vec<_>>(), top - 22)?;
    let micros = shown.iter().flat_map(|fact| percentiles(fact)).map(|(_, micros)| micros);
    let range = powers_of_ten(micros);
    let area = canvas.clone().shrink((0, top), (WIDTH, CHART as u32));
    let mut chart = builder(&area).build_cartesian_2d(-0.5..4.5, range.log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(INK)
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 14).into_font().color(&INK))
        .x_desc("percentile of the whole run")
        .y_desc("latency")
        .x_labels(5)
        .x_label_formatter(&percentile_at_axis)
        .y_label_formatter(&latency_at_axis)
        .draw()?;
    for (index, fact) in shown.iter().enumerate() {
        // A few pixels apart, so that equal percentiles of two kinds do not hide each other.
        let offset = (index as f64 - (shown.len() - 1) as f64 / 2.0) * 0.05;
        let places = percentiles(fact).into_iter().enumerate();
        let points: Vec<(f64, f64)> =
            places.map(|(place, (_, micros))| (place as f64 + offset, micros.max(1) as f64)).collect();
        chart.draw_series([PathElement::new(points.clone(), PALETTE[index].stroke_width(2))])?;
        for point in &points {
            draw_point(canvas, index, PALETTE[index], chart.backend_coord(point))?;
        }
    }
    Ok(())
}

fn builder<'a, 'b>(area: &'a Canvas<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder
        .margin_left(TIME_LEFT - AXIS_ROOM)
        .margin_right(WIDTH as i32 - TIME_RIGHT)
        .margin_top(10)
        .set_label_area_size(LabelAreaPosition::Left, AXIS_ROOM)
        .set_label_area_size(LabelAreaPosition::Bottom, AXIS_FOOT);
    builder
}

/// The smallest range of whole powers of ten that holds all values and more than one power; 1 ms to 100 ms when there
/// are none.
fn powers_of_ten(micros: impl Iterator<Item = u64>) -> Range<f64> {
    let (low, high) = micros.fold((u64::MAX, 0), |(low, high), micros| (low.min(micros), high.max(micros)));
    if low > high {
        return 1_000.0..100_000.0;
    }
    let mut floor = 1_u64;
    while floor.saturating_mul(10) <= low {
        floor = floor.saturating_mul(10);
    }
    let mut ceiling = floor.saturating_mul(100);
    while ceiling < high && ceiling < u64::MAX {
        ceiling = ceiling.saturating_mul(10);
    }
    floor as f64..ceiling as f64
}

fn latency_at_axis(micros: &f64) -> String {
    let text = duration(micros.round() as u64);
    text.replace(".00 ", " ").replace(".0 ", " ")
}

fn percentile_at_axis(place: &f64) -> String {
    let names = ["p50", "p90", "p99", "p99.9", "max"];
    let index = place.round();
    if (place - index).abs() > 0.01 || !(0.0..5.0).contains(&index) {
        return String::new();
    }
    names[index as usize].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_covers_whole_powers_of_ten_and_never_nothing() {
        assert_eq!(powers_of_ten([120, 4_500].into_iter()), 100.0..10_000.0);
        assert_eq!(powers_of_ten([1_000].into_iter()), 1_000.0..100_000.0);
        assert_eq!(powers_of_ten([0].into_iter()), 1.0..100.0);
        assert_eq!(powers_of_ten([].into_iter()), 1_000.0..100_000.0);
        assert!(powers_of_ten([1, u64::MAX].into_iter()).end.is_finite());
    }

    #[test]
    fn only_the_five_places_of_the_axis_are_named() {
        assert_eq!(percentile_at_axis(&3.0), "p99.9");
        assert_eq!(percentile_at_axis(&2.5), "");
        assert_eq!(percentile_at_axis(&5.0), "");
    }
}
