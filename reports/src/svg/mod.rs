//! The pictures: SVG through plotters' own back end, so no font is loaded and the same facts give the same bytes.
//!
//! ```text
//!   title, seed                                   both pictures are 1,200 pixels wide, and time runs over the same
//!   legend                                        950 of them, so that one may be held under the other
//!   n3 power lost   ▬▬▬     ▬▬                    timeline.rs: one lane a fault, anomalies as diamonds
//!   operations    ▂▃▃▅▅▃▂▂▃▃▅▅                    stacked ok, unknown, fail, with the faults as shades
//!   latency       ──╱╲──────                      latency.rs: p99 over time, then percentiles per kind, log scale
//!   coverage      __---                           series.rs: one line, for campaigns
//! ```
//!
//! Colours are of Okabe and Ito's palette, or differ in brightness as well as hue; shape or place says the same again.
//! Text is never measured (that would need a font): room is reckoned at a generous width per letter.

mod latency;
mod legend;
mod series;
mod timeline;

pub(crate) use series::{Chart, line_chart};

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::band::Lane;
use crate::error::ReportError;
use crate::facts::RunFacts;
use crate::tables::shortened;

/// Pixels of both pictures: the whole width, and where the axis of time begins and ends in it.
const WIDTH: u32 = 1_200;
const TIME_LEFT: i32 = 220;
const TIME_RIGHT: i32 = 1_170;
/// Room for the numbers and the name of an upright axis, left of `TIME_LEFT`.
const AXIS_ROOM: i32 = 75;
/// Room for the numbers and the name of a flat axis.
const AXIS_FOOT: i32 = 50;

const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const FAINT: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
/// Faults: the shade behind a chart is the same colour, thinned.
const FAULT: RGBColor = RGBColor(0x55, 0x55, 0x55);
const ANOMALY: RGBColor = RGBColor(0xCC, 0x00, 0x6E);

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawing = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// The picture of operations over virtual time with the faults above them, as SVG.
pub fn timeline_svg(facts: &RunFacts) -> Result<String, ReportError> {
    render("timeline.svg", timeline::height(facts), |canvas| timeline::draw(canvas, facts))
}

/// The picture of the 99th percentile over virtual time and of the percentiles of each kind, as SVG.
pub fn latency_svg(facts: &RunFacts) -> Result<String, ReportError> {
    render("latency.svg", latency::HEIGHT, |canvas| latency::draw(canvas, facts))
}

fn render(
    picture: &'static str,
    height: u32,
    draw: impl FnOnce(&Canvas<'_>) -> Drawing,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    {
        let canvas = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let drawn = canvas.fill(&WHITE).and_then(|()| draw(&canvas)).and_then(|()| canvas.present());
        drawn.map_err(|error| ReportError::Draw { picture, detail: error.to_string() })?;
    }
    Ok(svg)
}

/// Title and subtitle at the top of a picture; they take the first 56 pixels.
fn heading(canvas: &Canvas<'_>, facts: &RunFacts, what: &str) -> Drawing {
    let title = shortened(&facts.scenario, 115);
    canvas.draw(&Text::new(title, (16, 10), ("sans-serif", 19).into_font().color(&INK)))?;
    let subtitle = shortened(&format!("{what}; {}; seed {}; {}", facts.verdict, facts.seed, facts.cluster), 165);
    canvas.draw(&Text::new(subtitle, (16, 35), ("sans-serif", 14).into_font().color(&INK)))
}

/// Small text whose given corner or edge lies at the point.
fn label(canvas: &Canvas<'_>, text: &str, at: (i32, i32), anchor: Pos) -> Drawing {
    let style = ("sans-serif", 13).into_font().color(&INK).pos(anchor);
    canvas.draw(&Text::new(text.to_string(), at, style))
}

const LEFT_MIDDLE: Pos = Pos { h_pos: HPos::Left, v_pos: VPos::Center };
const RIGHT_MIDDLE: Pos = Pos { h_pos: HPos::Right, v_pos: VPos::Center };
const CENTRE: Pos = Pos { h_pos: HPos::Center, v_pos: VPos::Center };

/// The pixel at which a moment lies on the axis of time.
fn time_pixel(at_micros: u64, axis_micros: u64) -> i32 {
    let width = i128::from(TIME_RIGHT - TIME_LEFT);
    let offset = i128::from(at_micros.min(axis_micros)) * width / i128::from(axis_micros.max(1));
    TIME_LEFT + i32::try_from(offset).unwrap_or(0)
}

/// The pixels that a fault covers, at least three of them so that the shortest is seen.
fn span_pixels(span: (u64, Option<u64>), axis_micros: u64) -> (i32, i32) {
    let from = time_pixel(span.0, axis_micros);
    let until = time_pixel(span.1.unwrap_or(span.0), axis_micros);
    if until - from >= 3 { (from, until) } else { ((from - 1).max(TIME_LEFT), (from + 2).min(TIME_RIGHT)) }
}

/// Shades the time in which any fault lasted, between two heights. The shade lets through what it covers.
fn shade_faults(canvas: &Canvas<'_>, lanes: &[Lane], axis_micros: u64, heights: (i32, i32)) -> Drawing {
    let mut spans: Vec<(i32, i32)> =
        lanes.iter().flat_map(|lane| &lane.spans).map(|span| span_pixels(*span, axis_micros)).collect();
    spans.sort_unstable();
    // Faults that overlap make one shade, not a darker one.
    let mut reached = TIME_LEFT;
    for (from, until) in spans {
        let from = from.max(reached);
        if from < until {
            canvas.draw(&Rectangle::new([(from, heights.0), (until, heights.1)], FAULT.mix(0.15).filled()))?;
            reached = until;
        }
    }
    Ok(())
}

/// A number of seconds as it stands at the axis of time: no more decimals than it needs.
fn seconds_at_axis(seconds: &f64) -> String {
    let text = format!("{seconds:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_beyond_the_axis_is_drawn_at_its_end() {
        assert_eq!(time_pixel(0, 100), TIME_LEFT);
        assert_eq!(time_pixel(100, 100), TIME_RIGHT);
        assert_eq!(time_pixel(u64::MAX, 100), TIME_RIGHT);
    }

    #[test]
    fn the_shortest_fault_is_three_pixels_wide_and_stays_within_the_axis() {
        assert_eq!(span_pixels((0, Some(1)), 1_000_000), (TIME_LEFT, TIME_LEFT + 2));
        assert_eq!(span_pixels((500_000, None), 1_000_000), (694, 697));
        assert_eq!(span_pixels((1_000_000, None), 1_000_000), (TIME_RIGHT - 1, TIME_RIGHT));
    }
}
